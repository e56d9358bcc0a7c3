"""An estimate of what people look at in a stack of maps: what differs from its surroundings.

After Itti, Koch and Niebur, "A Model of Saliency-Based Visual Attention for Rapid Scene Analysis" (1998), sections
2.1 and 2.2: the difference between fine and coarse levels of a pyramid, the centre and its surround, over several
scales. Two features replace their colours and orientations: the values of the channels, and the length of their
gradient, which tells detail from plain areas and a change of detail from detail everywhere. Nothing is learned.
"""

import numpy as np

from gstex.arrays import F32Array, F64Array
from gstex.material.bleed import enlarge
from gstex.material.halve import halve

__all__ = ["estimate_saliency"]

# Centres are so many levels finer than the level whose shorter side has 1 texel (1/64, 1/32 and 1/16 of that side).
# Their surrounds are so many levels coarser than they are.
_CENTRES = (6, 5, 4)
_SURROUND = 3
# A contrast that nobody sees: half an 8-bit code.
_UNSEEN = 0.5 / 255


def estimate_saliency(image: F32Array, weights: F32Array, *, repeat: bool) -> F32Array:
    """Estimate how much texels matter.

    Args:
        image, weights: float32 [H, W, C]; a channel counts by its weight, 0 = not at all.
        repeat: the texture tiles.

    Returns:
        float32 [H, W] in 0..1, the largest 1; all 1 where nothing differs from its surroundings.
    """
    height, width, count = image.shape
    value_contrast, squares = np.zeros((height, width)), np.zeros((height, width))
    for c in range(count):
        plane, weight = image[:, :, c].astype(np.float64), weights[:, :, c]
        squares += weight * _squared_gradient(plane, repeat)
        value_contrast += weight * _contrast(plane, repeat, more=False)
    features = (np.sqrt(value_contrast / max(count, 1)), np.sqrt(_contrast(np.sqrt(squares), repeat, more=True)))
    normalised = [feature / feature.max() for feature in features if feature.max() > _UNSEEN]
    if not normalised:
        return np.ones((height, width), np.float32)
    total = np.sum(normalised, axis=0)
    return (total / total.max()).astype(np.float32)


def _squared_gradient(plane: F64Array, repeat: bool) -> F64Array:
    """Squared length of the gradient of [H, W], central differences, per texel."""
    result = np.zeros_like(plane)
    for axis in (0, 1):
        if repeat:
            result += ((np.roll(plane, -1, axis) - np.roll(plane, 1, axis)) / 2) ** 2
        elif plane.shape[axis] > 1:
            result += np.gradient(plane, axis=axis) ** 2
    return result


def _contrast(plane: F64Array, repeat: bool, *, more: bool) -> F64Array:
    """Mean over the scales of the squared difference between centre and surround of [H, W].

    more: count only centres that are above their surround.
    """
    levels = [plane[:, :, None]]
    while min(levels[-1].shape[:2]) > 1:
        levels.append(halve(levels[-1], repeat=repeat, filter="box"))
    last = len(levels) - 1
    centres = sorted({max(0, last - below) for below in _CENTRES})
    rows, columns = levels[centres[0]].shape[:2]
    result = np.zeros((rows, columns, 1))
    for centre in centres:
        level, surround = levels[centre], levels[min(centre + _SURROUND, last)]
        difference = level - enlarge(surround, level.shape[0], level.shape[1], repeat)
        if more:
            difference = np.maximum(difference, 0)
        result = result + enlarge(difference**2, rows, columns, repeat) / len(centres)
    return enlarge(result, plane.shape[0], plane.shape[1], repeat)[:, :, 0]
