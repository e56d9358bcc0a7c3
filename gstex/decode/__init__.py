"""Python's decoder of .gstex files, the reference of all others.

    mips       whole mips, parts of them, and points of one mip
    sampling   points between mips and across footprints

The work is done by gstex/native/gstex.h, the decoder in C that engines take along.
"""

from .mips import check_texels, count_candidates, decode_mip, decode_texels, sample_mip, shape
from .sampling import MAX_TAPS, FileLevels, Levels, PictureLevels, footprints, sample_at, sample_grid

__all__ = [
    "MAX_TAPS",
    "FileLevels",
    "Levels",
    "PictureLevels",
    "check_texels",
    "count_candidates",
    "decode_mip",
    "decode_texels",
    "footprints",
    "sample_at",
    "sample_grid",
    "sample_mip",
    "shape",
]
