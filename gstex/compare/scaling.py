"""Half and quarter resolution, as an engine drops the top mips of a map: a box filter down, a bilinear filter up.

Values are averaged as they are stored (sRGB stays sRGB), because the squared error of stored values counts here.
"""

from typing import Any

import numpy as np

from gstex.arrays import F32Array, F64Array, FloatArray, I64Array

__all__ = ["SCALES", "shrink", "stretch"]

SCALES = (1, 2, 4)


def _box(source: int, target: int) -> tuple[I64Array, F64Array]:
    """Indices and weights [target, taps]: each target texel is the mean of the part of the source it covers."""
    edges = np.arange(target + 1) * (source / target)
    first = np.floor(edges[:-1]).astype(np.int64)
    index = first[:, None] + np.arange(-(-source // target) + 1)
    covered = np.minimum(edges[1:, None], index + 1) - np.maximum(edges[:-1, None], index)
    return np.minimum(index, source - 1), np.clip(covered, 0, None) * (target / source)


def _tent(source: int, target: int, *, repeat: bool) -> tuple[I64Array, F64Array]:
    """Indices and weights [target, 2]: bilinear filtering at the centres of the target's texels."""
    at = (np.arange(target) + 0.5) * (source / target) - 0.5
    first = np.floor(at).astype(np.int64)
    index = first[:, None] + np.arange(2)
    index = index % source if repeat else np.clip(index, 0, source - 1)
    return index, np.stack([1 - (at - first), at - first], axis=1)


def _filter_rows(image: FloatArray, index: I64Array, weight: F64Array) -> F64Array | Any:
    """Weighted sums of rows of [h, w, C]: float64 [n, w, C]. index, weight: [n, taps]."""
    return sum(weight[:, t, None, None] * image[index[:, t]] for t in range(index.shape[1]))


def shrink(image: FloatArray, scale: int) -> FloatArray:
    """Box-filter [h, w, C] to [max(1, h // scale), max(1, w // scale), C], float64."""
    height, width = (max(1, n // scale) for n in image.shape[:2])
    rows = _filter_rows(image.astype(np.float64), *_box(image.shape[0], height))
    return _filter_rows(rows.transpose(1, 0, 2), *_box(image.shape[1], width)).transpose(1, 0, 2)


def stretch(image: FloatArray, height: int, width: int, *, repeat: bool) -> F32Array:
    """Filter [h, w, C] bilinearly up to [height, width, C], float32, wrapping or clamping at the border."""
    if image.shape[:2] == (height, width):
        return image.astype(np.float32, copy=False)
    rows = _filter_rows(image, *_tent(image.shape[0], height, repeat=repeat))
    columns = _filter_rows(rows.transpose(1, 0, 2), *_tent(image.shape[1], width, repeat=repeat))
    return columns.transpose(1, 0, 2).astype(np.float32)
