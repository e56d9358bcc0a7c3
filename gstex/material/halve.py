"""Halving an image: the filters of a mip chain. Values are taken as they are; `mips.py` decides what is averaged."""

from functools import lru_cache

import numpy as np

from gstex.arrays import F64Array, I64Array
from gstex.material.windows import bessel_i0, sinc

__all__ = ["FILTERS", "halve"]

FILTERS = ("box", "kaiser")
# The Kaiser filter as in NVIDIA's texture tools: a sinc under a Kaiser window of 3 target texels to each side
# and alpha 4, averaged over the width of a source texel at this many points.
_KAISER_WIDTH, _KAISER_ALPHA, _KAISER_SAMPLES = 3.0, 4.0, 32


def halve(image: F64Array, *, repeat: bool, filter: str) -> F64Array:
    """The next smaller level of an image: max(1, floor(size / 2)) along each axis.

    Args:
        image: float64 [H, W, C].
        repeat: the Kaiser filter reads past a border from the opposite side; otherwise it reads the border texel.
            The box never reads past a border.
        filter: 'box', the mean over the texel's area, in which source texels count by their covered part (a texel of an
            odd size covers 2 + 1/n source texels); or 'kaiser', sharper, which may leave the range of its input.
    Returns:
        float64 [max(1, H // 2), max(1, W // 2), C].
    """
    return _halve_axis(_halve_axis(image, 0, repeat, filter), 1, repeat, filter)


def _halve_axis(image: F64Array, axis: int, repeat: bool, filter: str) -> F64Array:
    size = image.shape[axis]
    if size == 1:
        return image
    if filter == "box" and size % 2 == 0:
        even, odd = (image[start::2] if axis == 0 else image[:, start::2] for start in (0, 1))
        return even * 0.5 + odd * 0.5
    first, weight = _taps(size, filter)
    shape = [1, 1, 1]
    shape[axis] = len(first)
    result = np.zeros([n // 2 if d == axis else n for d, n in enumerate(image.shape)])
    for tap in range(weight.shape[1]):
        index = (first + tap) % size if repeat else np.clip(first + tap, 0, size - 1)
        part = np.take(image, index, axis=axis)
        part *= weight[:, tap].reshape(shape)
        result += part
    return result


@lru_cache(maxsize=64)
def _taps(size: int, filter: str) -> tuple[I64Array, F64Array]:
    """(first source texel [n], weights [n, taps]) of n = size // 2 target texels; weights of a texel sum to 1."""
    count = size // 2
    scale = size / count  # source texels a target texel: 2..3
    centre = (np.arange(count) + 0.5) * scale
    support = scale * (0.5 if filter == "box" else _KAISER_WIDTH)
    first = np.floor(centre - support).astype(np.int64)
    index = first[:, None] + np.arange(int(np.ceil(2 * support)) + 1)
    if filter == "box":
        low, high = np.arange(count) * size / count, (np.arange(count) + 1) * size / count
        covered = np.minimum(index + 1, high[:, None]) - np.maximum(index, low[:, None])
        weight = np.maximum(covered, 0.0)
    else:
        inside = (np.arange(_KAISER_SAMPLES) + 0.5) / _KAISER_SAMPLES
        x = (index[:, :, None] + inside - centre[:, None, None]) / scale
        window = bessel_i0(_KAISER_ALPHA * np.sqrt(np.maximum(1 - (x / _KAISER_WIDTH) ** 2, 0)))
        weight = np.where(np.abs(x) <= _KAISER_WIDTH, sinc(x) * window, 0.0).mean(axis=2)
    weight = weight[:, np.abs(weight).max(axis=0) > 0]  # the last column of an even box is empty
    return first, weight / weight.sum(axis=1, keepdims=True)
