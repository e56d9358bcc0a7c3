"""Colour for the texels in which none is visible, grown from the visible ones around them.

Under zero opacity a map may hold anything. A filter or a Gaussian that reaches past the edge of a cut-out would
bring it in as a fringe; colour that continues across the edge makes none.
"""

import numpy as np

from gstex.arrays import BoolArray, F32Array, F64Array
from gstex.material.halve import halve

__all__ = ["bleed", "enlarge", "pull_push"]

_REACH = 2  # hidden texels this near to a visible one are fitted: what bilinear filtering of two mips can touch


def bleed(pixels: F32Array, weights: F32Array | None, *, repeat: bool) -> tuple[F32Array, F32Array]:
    """Replace hidden values by colour that continues the visible colour, and say which of them to fit.

    Args:
        pixels: float32 [H, W, C] in 0..1; the colour is grown in the encoding of the pixels.
        weights: float32 [H, W, C], 0 = hidden (see `Material.weights`); None = all visible.
        repeat: colour grows across the borders.
    Returns:
        (pixels, fit weights), both float32 [H, W, C]. The pixels differ from the input only where the weight is
        0. The fit weights are 1 where the input is visible and for hidden texels within 2 texels, along both
        axes, of a visible one; 0 beyond. A channel in which nothing is visible stays as it is, with weights 0.
    """
    if weights is None:
        return pixels, np.ones(pixels.shape, np.float32)
    visible = weights > 0
    partly = [c for c in range(pixels.shape[2]) if not visible[:, :, c].all()]
    result, fit_weights = pixels.copy(), np.ones(pixels.shape, np.float32)
    for channel in partly:
        mask = visible[:, :, channel : channel + 1]
        if mask.any():
            weight = mask.astype(np.float64)
            grown = pull_push(pixels[:, :, channel : channel + 1] * weight, weight, repeat=repeat)
            result[:, :, channel] = np.where(mask, pixels[:, :, channel : channel + 1], grown)[:, :, 0]
        fit_weights[:, :, channel] = _grow(mask[:, :, 0], repeat)
    return result, fit_weights


def pull_push(weighted: F64Array, weight: F64Array, *, repeat: bool) -> F64Array:
    """Fill an image smoothly where its weight is below 1 (Gortler et al. 1996, The Lumigraph, section 3.5).

    Pull: halve the image until every texel has a weight of 1 or a single texel is left; a texel's weight is the
    sum over the texels under it, at most 1. Push: on the way back each texel keeps its own value with its weight
    and takes the rest from the coarser level, interpolated bilinearly.

    Args:
        weighted: float64 [H, W, C], values times weight.
        weight: float64 [H, W, 1] in 0..1.
    Returns:
        float64 [H, W, C]: the values; 0 everywhere if the weight is.
    """
    height, width = weight.shape[:2]
    if (height == 1 and width == 1) or weight.min() >= 1:
        return np.divide(weighted, weight, out=np.zeros_like(weighted), where=weight > 0)
    area = height * width / (max(1, height // 2) * max(1, width // 2))  # texels under a texel
    total = area * halve(weight, repeat=repeat, filter="box")
    scale = area / np.maximum(total, 1.0)
    coarse = pull_push(scale * halve(weighted, repeat=repeat, filter="box"), np.minimum(total, 1.0), repeat=repeat)
    rest = 1 - weight
    return weighted + rest * enlarge(coarse, height, width, repeat)


def enlarge(image: F64Array, height: int, width: int, repeat: bool) -> F64Array:
    """Interpolate an image [h, w, C] bilinearly to [height, width, C]; the borders of both coincide."""
    rows = _enlarge_rows(image, height, repeat)
    return _enlarge_rows(rows.transpose(1, 0, 2), width, repeat).transpose(1, 0, 2)


def _enlarge_rows(image: F64Array, height: int, repeat: bool) -> F64Array:
    size = image.shape[0]
    y = (np.arange(height) + 0.5) * (size / height) - 0.5
    first = np.floor(y).astype(np.int64)
    part = (y - first)[:, None, None]
    if repeat:
        return image[first % size] * (1 - part) + image[(first + 1) % size] * part
    return image[np.clip(first, 0, size - 1)] * (1 - part) + image[np.clip(first + 1, 0, size - 1)] * part


def _grow(mask: BoolArray, repeat: bool) -> BoolArray:
    """The texels [H, W] within _REACH of one of the mask, along both axes."""
    for axis in (0, 1):
        rows = np.moveaxis(mask, axis, 0)
        grown = rows.copy()
        for step in range(1, _REACH + 1):
            if repeat:
                grown |= np.roll(rows, step, axis=0) | np.roll(rows, -step, axis=0)
            else:
                grown[step:] |= rows[:-step]
                grown[:-step] |= rows[step:]
        mask = np.moveaxis(grown, 0, axis)
    return mask
