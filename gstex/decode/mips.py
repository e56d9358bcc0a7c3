"""Whole mips and parts of them, from the words of a GPU section.

The decoder in C (gstex/native/gstex.h) does the work. It follows docs/format.md, "Decoding a position", line by line,
and is the model for every other decoder. Every call checks the words again, so that no words can do harm. A caller that
decodes the same words often holds a `gstex.Texture`, or passes what `gstex.format.validate` returns.
"""

import numpy as np

from gstex.arrays import F32Array, I32Array, U32Array
from gstex.errors import LimitError
from gstex.format import MaterialTable, mip_size, validate
from gstex.limits import MOST_TEXELS

__all__ = ["check_texels", "count_candidates", "decode_texels", "shape"]


def shape(words: U32Array, mip: int) -> tuple[int, int, int]:
    """(height, width, channels) of a mip. words: uint32 [n], a GPU section."""
    width, height = int(words[2]) & 0xFFFF, int(words[2]) >> 16
    return mip_size(height, mip), mip_size(width, mip), int(words[3]) & 0xFF


def check_texels(count: int, what: str, max_texels: int | None) -> None:
    """Raise a LimitError if there are more texels, counted in every channel, than may be decoded.

    Args:
        what: whose they are, such as "16x16 in 3 channels".
        max_texels: the most; None for MOST_TEXELS.
    """
    most = MOST_TEXELS if max_texels is None else max_texels
    if count > most:
        raise LimitError(
            f"texels: got {count} ({what}), expected at most {most}; if you trust the file, allow more with "
            "--max-texels (max_texels in Python)"
        )


def decode_texels(
    source: U32Array | MaterialTable,
    mip: int = 0,
    *,
    rectangle: tuple[int, int, int, int] | None = None,
    max_texels: int | None = None,
) -> F32Array:
    """Fetch every texel of a mip, or of a part of it.

    Args:
        source: uint32 [n], the words of a GPU section, or the table of one.
        mip: level of detail, 0 .. mip count - 1.
        rectangle: (x, y, width, height) inside the mip; None for all of it.
        max_texels: see check_texels.

    Returns:
        float32 [height, width, C] in 0..1, row 0 = top.

    Raises:
        FormatError: the words break a rule of docs/format.md. LimitError: too many texels.
    """
    table = _table_of(source)
    channels = len(table.header.channels)
    x, y, width, height = rectangle or (0, 0, mip_size(table.header.width, mip), mip_size(table.header.height, mip))
    check_texels(width * height * channels, f"{width}x{height} in {channels} channels", max_texels)
    out = np.empty((height, width, channels), np.float32)
    table.section.decode(mip, x, y, out)
    return out


def count_candidates(source: U32Array | MaterialTable, mip: int = 0) -> I32Array:
    """How many Gaussians each texel of a mip looks at: int32 [H, W]; zeros for a mip of texels."""
    table = _table_of(source)
    out = np.empty((mip_size(table.header.height, mip), mip_size(table.header.width, mip)), np.int32)
    table.section.count_candidates(mip, out)
    return out


def _table_of(source: U32Array | MaterialTable) -> MaterialTable:
    return source if isinstance(source, MaterialTable) else validate(source)
