"""The expanded form of a material (docs/expanded.md), which gstex/native/gstex_expand.h makes."""

from collections.abc import Callable

import numpy as np

from gstex.errors import LimitError
from gstex.format import MaterialTable

__all__ = ["ListMaker", "expanded_words"]

# make(tiles, places, records, first, count) -> (sizes, lists), or None if one of the lists cannot be made. tiles: the
# bytes of a gstex__tiles; places: uint32, of the record of each Gaussian; records: by their places, uint32 [n, 4];
# lists first .. first + count - 1: sizes in bytes, int32 [count], and lists, uint8 [count, LIST_BYTES of the core].
ListMaker = Callable[[bytes, bytes, bytes, int, int], tuple[np.ndarray, np.ndarray] | None]

_LISTS = 1024  # at once


def expanded_words(table: MaterialTable, make: ListMaker | None = None, most: int = _LISTS) -> np.ndarray:
    """The expanded form, uint32 [n].

    Args:
        make: who makes the lists of tiles; None: all threads of the CPU.
        most: how many lists it is asked for at once.

    Raises:
        LimitError: there is none.
    """
    words = table.section.expand(make, most)
    if words is None:
        raise LimitError("expanded form: a mip has too many Gaussians or features, or it takes 2^30 words; "
                         "read the material packed, with shaders/gstex.glsl")  # fmt: skip
    return words
