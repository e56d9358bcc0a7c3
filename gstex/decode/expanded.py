"""The expanded form of a material (docs/expanded.md), which gstex/native/gstex_expand.h makes."""

from collections.abc import Callable

import numpy as np

from gstex.arrays import U32Array
from gstex.errors import LimitError
from gstex.format import MaterialTable

__all__ = ["ListMaker", "expanded_words"]

# make(tiles, places, records, first, count) -> (sizes, lists), or None if one of the lists cannot be made.
# Arguments: tiles: the bytes of a gstex__tiles. places: uint32 [N], the place of each Gaussian's record, as bytes.
# records: uint32 [n, 4], by place, as bytes. first, count: the lists first .. first + count - 1 are wanted.
# Returned: sizes: int32 [count], in bytes. lists: uint8 [count, LIST_BYTES of the core].
ListMaker = Callable[[bytes, bytes, bytes, int, int], tuple[np.ndarray, np.ndarray] | None]

_LISTS = 1024  # asked for at once


def expanded_words(table: MaterialTable, make: ListMaker | None = None, most: int = _LISTS) -> U32Array:
    """The expanded form, uint32 [n].

    Args:
        make: makes the lists of tiles; None for all threads of the CPU.
        most: how many lists `make` is asked for at once.

    Raises:
        LimitError: the material has no expanded form.
    """
    words = table.section.expand(make, most)
    if words is None:
        raise LimitError("expanded form: a mip has too many Gaussians or features, or it takes 2^30 words; "
                         "read the material packed, with shaders/gstex.glsl")  # fmt: skip
    return words
