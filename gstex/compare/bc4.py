"""BC4 blocks: one channel, 4x4 texels in 8 bytes, encoded by an endpoint search that is all but complete.

The encoders to be had stop at endpoints near the block's extremes, 1.6 dB short of the best ones; this one
tries all pairs that can matter. BC5 is two of these blocks a block, and the alpha of BC3 is one.

A block (Direct3D 11 functional specification, 19.5.14): endpoints a, b (one byte each), then 16 indices of 3 bits,
texel (0, 0) first, least significant bits first. a > b: a, b and six values between them at sevenths; otherwise
a, b, four values at fifths, 0 and 255. The values between are not rounded to 8 bits, here as on a GPU.
"""

import numpy as np
from numba import njit

__all__ = ["decode_bc4", "encode_bc4"]

_NARROW = 40.0  # 8-bit levels; wider blocks would gain 0.01 dB for twice the time
_NONE = np.int64(0)


@njit(cache=True, inline="always")
def _error(values, first, last, parts, extremes, limit):
    """Squared error of 16 values under endpoints first < last with `parts` steps between them; stops above limit.

    extremes: whether 0 and 255 can be chosen as well.
    """
    step = (last - first) / parts
    inverse = 1.0 / step if step > 0 else 0.0
    total = 0.0
    for k in range(16):
        v = values[k]
        index = min(max(np.floor((v - first) * inverse + 0.5), 0.0), float(parts))
        d = abs(v - (first + index * step))
        if extremes:
            d = min(d, v, 255.0 - v)
        total += d * d
        if total >= limit:
            break
    return total


@njit(cache=True, inline="always")
def _try_all(values, best, least, parts, first_range, last_range, stride):
    """Try all pairs of endpoints in two ranges (both ends included); returns the least error, its pair in `best`."""
    first = max(first_range[0], 0.0)
    while first <= first_range[1]:
        last = min(last_range[1], 255.0)
        while last >= last_range[0] and last > first:
            error = _error(values, first, last, parts, parts == 5, least)
            if error < least:
                least = error
                best[0], best[1], best[2] = first, last, parts
            last -= stride
        first += stride
    return least


@njit(cache=True)
def _search(values):
    """(smaller endpoint, larger endpoint, steps between them) of the least squared error. values: float64 [16].

    Coarsely over all endpoints that can pay, since texels in a few clusters may want a ladder that reaches far
    beyond them; then all pairs near the block's extremes; then all around the best.
    """
    low, high = values.min(), values.max()
    best = np.array([low, high, 7.0])
    least = _error(values, low, high, 7, False, np.inf)
    far, stride = np.ceil(0.4 * (high - low)) + 7, 1.0 if high - low < _NARROW else 4.0
    outer_first, outer_last = (low - far, low + far), (high - far, high + far)
    least = _try_all(values, best, least, 7.0, outer_first, outer_last, stride)
    near, middle = np.ceil((high - low) / 8) + 1, (low + high) / 2
    least = _try_all(values, best, least, 7.0, (low - near, middle), (middle, high + near), 1.0)
    # Five steps, 0 and 255.
    least = _try_all(values, best, least, 5.0, outer_first, outer_last, stride)
    # A texel that is left to 0 or 255 must cost less than everything that was found.
    if low * low < least or (255 - high) * (255 - high) < least:
        least = _try_all(values, best, least, 5.0, (low - 1, high), (low - 1, high + 1), 4.0)
        least = _try_all(values, best, least, 5.0, (low - 1, high), (low - 1, high + 1), 1.0)
    first, last, parts = best
    least = _try_all(values, best, least, parts, (first - 4, first + 4), (last - 4, last + 4), 1.0)
    return best


@njit(cache=True)
def _encode(image, out):
    """image: uint8 [h, w], both multiples of 4; out: uint8 [blocks, 8], row by row."""
    across = image.shape[1] // 4
    values = np.empty(16, np.float64)
    for block in range(len(out)):
        y, x = 4 * (block // across), 4 * (block % across)
        for k in range(16):
            values[k] = image[y + (k >> 2), x + (k & 3)]
        first, last, parts = _search(values)
        seven = parts == 7.0 and last > first
        # a > b says seven steps, so the larger endpoint comes first.
        out[block, 0], out[block, 1] = (last, first) if seven else (first, last)
        step = (last - first) / parts
        bits = np.uint64(0)
        for k in range(16):
            v = values[k]
            near = np.int64(np.floor((v - first) / step + 0.5)) if step > 0 else _NONE
            near = min(max(near, _NONE), np.int64(parts))
            if seven:
                code = _ladder(7 - near, 7)
            else:
                code = _ladder(near, 5)
                d = abs(v - (first + near * step))
                if v < d and v <= 255 - v:
                    code = 6
                elif 255 - v < d:
                    code = 7
            bits |= np.uint64(code) << np.uint64(3 * k)
        for byte in range(6):
            out[block, 2 + byte] = (bits >> np.uint64(8 * byte)) & np.uint64(255)


@njit(cache=True, inline="always")
def _ladder(position, parts):
    """Index of the value `position` steps of `parts` away from endpoint a: the endpoints themselves are 0 and 1."""
    return 0 if position == 0 else (1 if position == parts else position + 1)


def encode_bc4(image: np.ndarray) -> np.ndarray:
    """Encode one channel.

    image: uint8 [h, w], h and w multiples of 4.
    Returns uint8 [h / 4 * w / 4, 8], blocks row by row.
    """
    height, width = image.shape
    out = np.zeros((height // 4 * (width // 4), 8), np.uint8)
    _encode(np.ascontiguousarray(image), out)
    return out


def decode_bc4(blocks: np.ndarray, height: int, width: int) -> np.ndarray:
    """Decode as Direct3D defines it, without rounding to 8 bits.

    blocks: uint8 [n, 8] as `encode_bc4` returns them; height, width: multiples of 4.
    Returns float32 [height, width] in 0..1.
    """
    a, b = blocks[:, 0].astype(np.float64), blocks[:, 1].astype(np.float64)
    palette = np.empty((len(blocks), 8))
    palette[:, 0], palette[:, 1] = a, b
    seven = a > b
    for i in range(1, 7):
        fifth = ((5 - i) * a + i * b) / 5 if i < 5 else np.full(len(blocks), 0.0 if i == 5 else 255.0)
        palette[:, i + 1] = np.where(seven, ((7 - i) * a + i * b) / 7, fifth)
    bits = np.zeros(len(blocks), np.uint64)
    for byte in range(6):
        bits |= blocks[:, 2 + byte].astype(np.uint64) << np.uint64(8 * byte)
    codes = (bits[:, None] >> np.arange(0, 48, 3, dtype=np.uint64)) & np.uint64(7)  # [n, 16]
    values = np.take_along_axis(palette, codes.astype(np.int64), axis=1) / 255
    tiles = values.reshape(height // 4, width // 4, 4, 4).transpose(0, 2, 1, 3)  # [rows, y, columns, x]
    return tiles.reshape(height, width).astype(np.float32)
