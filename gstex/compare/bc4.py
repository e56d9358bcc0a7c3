"""BC4 blocks: one channel, 4x4 texels in 8 bytes, encoded by a nearly complete search of endpoints.

Available encoders try only endpoints near the block's extremes and end 1.6 dB below the best ones. This encoder tries
all pairs that can matter (gstex/native/ops/bc4.cpp). A BC5 block is two of these blocks, and the alpha of a BC3 block
is one.

A block (Direct3D 11 functional specification, 19.5.14): endpoints a, b (one byte each), then 16 indices of 3 bits,
texel (0, 0) first, least significant bits first. a > b: a, b and six values between them at sevenths; otherwise
a, b, four values at fifths, 0 and 255. The values between are not rounded to 8 bits, here as on a GPU.
"""

import numpy as np

from gstex.arrays import F32Array, U8Array
from gstex.native import _core

__all__ = ["decode_bc4", "encode_bc4"]


def encode_bc4(image: U8Array) -> U8Array:
    """Encode one channel.

    image: uint8 [h, w], h and w multiples of 4.
    Returns uint8 [h / 4 * w / 4, 8], blocks row by row.
    """
    height, width = image.shape
    out = np.empty((height // 4 * (width // 4), 8), np.uint8)
    _core.encode_bc4(np.ascontiguousarray(image), out)
    return out


def decode_bc4(blocks: U8Array, height: int, width: int) -> F32Array:
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
