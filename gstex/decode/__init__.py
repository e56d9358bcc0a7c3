"""Python's decoder of .gstex files, the reference of all others.

    mips       whole mips and parts of them
    sampling   points, between mips and across footprints
    expanded   the form that is faster to read

The work is done by gstex/native/gstex.h, the decoder in C that engines take along.
"""

from .expanded import ListMaker, expanded_words
from .mips import check_texels, count_candidates, decode_texels, shape
from .sampling import MAX_TAPS, FileLevels, Levels, PictureLevels, footprints, sample_at, sample_grid

__all__ = [
    "MAX_TAPS",
    "FileLevels",
    "Levels",
    "ListMaker",
    "PictureLevels",
    "check_texels",
    "count_candidates",
    "decode_texels",
    "expanded_words",
    "footprints",
    "sample_at",
    "sample_grid",
    "shape",
]
