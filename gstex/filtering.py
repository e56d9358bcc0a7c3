"""Bilinear filtering as a texture unit does it, the yardstick for sampling between texels; and means of blocks."""

import numpy as np

from gstex.arrays import AnyArray, F32Array, FloatArray, I64Array

__all__ = ["bilinear"]


def bilinear(image: FloatArray, uv: FloatArray, *, repeat: bool, dtype: type | np.dtype | None = None) -> AnyArray:
    """Filter an image at arbitrary points.

    Args:
        image: float [H, W, C], texel (i, j) has its centre at ((i + 0.5) / W, (j + 0.5) / H).
        uv: float [M, 2], u across, v down; outside 0..1 it wraps (`repeat`) or is clamped to the border texels.

    Returns:
        float [M, C] in the dtype given, or that of the image.
    """
    height, width = image.shape[:2]
    dtype = dtype or image.dtype
    x, y = uv[:, 0] * width - 0.5, uv[:, 1] * height - 0.5
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx = (x - x0).astype(dtype)[:, None]
    fy = (y - y0).astype(dtype)[:, None]

    def texel(column: I64Array, row: I64Array) -> FloatArray:
        if repeat:
            return image[row % height, column % width].astype(dtype)
        return image[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)].astype(dtype)

    top = texel(x0, y0) * (1 - fx) + texel(x0 + 1, y0) * fx
    bottom = texel(x0, y0 + 1) * (1 - fx) + texel(x0 + 1, y0 + 1) * fx
    return top * (1 - fy) + bottom * fy


def block_means(stack: FloatArray, down: int, across: int) -> F32Array:
    """Means of blocks of `down` x `across` texels, cut short at the lower and right border: float32 [h, w, C]."""
    height, width, channels = stack.shape
    down, across = max(1, down), max(1, across)
    rows, columns = -(-height // down), -(-width // across)
    padded = np.zeros((rows * down, columns * across, channels), np.float32)
    padded[:height, :width] = stack
    sums = padded.reshape(rows, down, columns * across, channels).sum(axis=1, dtype=np.float64)
    sums = sums.reshape(rows, columns, across, channels).sum(axis=2)
    counts_y = np.minimum(down, height - down * np.arange(rows))
    counts_x = np.minimum(across, width - across * np.arange(columns))
    return (sums / np.outer(counts_y, counts_x)[:, :, None]).astype(np.float32)
