"""Errors of a stack against the reference: the PSNR in the panel, and the view of differences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gstex import metrics
from gstex.arrays import F32Array, FloatArray
from gstex.view.maps import ShownMap, shown

__all__ = ["MOST_ANGLE", "MOST_GAIN", "Errors", "chosen_gain", "measure_errors", "shown_error"]

MOST_GAIN = 256.0
MOST_ANGLE = 90.0  # the angle between normals, in degrees, that counts as an error of 1
_QUANTILE = 0.99  # the automatic gain keeps this share of the errors of a map in range


@dataclass(frozen=True)
class Errors:
    """Errors of mip 0 against the reference. Hidden colour does not count.

    squared: by channel, the weighted sum of squared errors. texels: by channel, the sum of weights. high: by map, in
    the order of `maps.list_maps`, the 99 % quantile of `shown_error`.
    """

    squared: tuple[float, ...]
    texels: tuple[float, ...]
    high: tuple[float, ...]

    def psnr(self, channels: Iterable[int]) -> float | None:
        """PSNR of these channels together, in dB; None for an exact match."""
        picked = list(channels)
        error, count = (sum(row[c] for c in picked) for row in (self.squared, self.texels))
        return metrics.to_psnr(error / count) if error > 0 else None


def measure_errors(
    stack: FloatArray, reference: FloatArray, weights: F32Array | None, maps: Sequence[ShownMap]
) -> Errors:
    """Measure a stack. stack, reference: float [H, W, C] encoded as stored. weights: see `Material.weights`."""
    squared, texels, high = [], [], []
    for c in range(reference.shape[2]):
        channel_weights = None if weights is None else np.ascontiguousarray(weights[:, :, c : c + 1])
        count = float(channel_weights.sum()) if channel_weights is not None else float(stack.shape[0] * stack.shape[1])
        squared.append(metrics.mse(stack[:, :, c : c + 1], reference[:, :, c : c + 1], channel_weights) * count)
        texels.append(count)
    for a_map in maps:
        sizes = shown_error(stack, reference, a_map)
        if weights is not None:
            sizes = sizes[weights[:, :, a_map.channels[0]] > 0]
        high.append(float(np.quantile(sizes, _QUANTILE)) if sizes.size else 0.0)
    return Errors(tuple(squared), tuple(texels), tuple(high))


def shown_error(stack: FloatArray, reference: FloatArray, shown_map: ShownMap) -> F32Array:
    """float32 [...]: the size of the difference of two stacks [..., C] in a map, as `error_size` of
    shaders/view/look.glsl: the largest difference of a channel; for normals their angle over `MOST_ANGLE`."""
    a, b = shown(stack, shown_map), shown(reference, shown_map)
    if shown_map.look != "normal":
        return np.abs(a - b).max(axis=-1)
    a, b = 2 * a - 1, 2 * b - 1
    angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(axis=-1))
    return np.minimum(np.degrees(angle) / MOST_ANGLE, 1).astype(np.float32)


def chosen_gain(gain: float | None, errors: Iterable[Errors], number: int) -> float:
    """The gain of differences in a map: `gain` if it is given, or else the largest power of two, at most MOST_GAIN,
    that keeps 99 % of the errors of each stack in range. number: of the map."""
    if gain is not None:
        return gain
    high = max((stack_errors.high[number] for stack_errors in errors), default=1 / 8)
    chosen = MOST_GAIN
    while chosen > 1 and chosen * high > 1:
        chosen /= 2
    return chosen
