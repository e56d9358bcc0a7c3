"""The cell index of a level, for the writer: how many Gaussians stand in each cell, as groups of 16 cells.

A group is a base and sixteen 4-bit counts, or, if a cell holds more than 15 Gaussians, a base and a block of
sixteen 16-bit prefixes behind the groups ("crowded").
"""

import numpy as np

from gstex.arrays import I64Array, IntArray, U32Array
from gstex.errors import FormatError
from gstex.format.layout import GROUP_CELLS, MAX_CELL_GROUP, index_words

__all__ = ["build_index"]

_NIBBLE_SHIFTS = np.arange(0, 32, 4, dtype=np.uint32)


def build_index(counts: IntArray, *, where: str) -> U32Array:
    """Make the index of a level.

    Args:
        counts: integers [cells_y, cells_x], Gaussians of each cell; fewer than 2^31 in all.
        where: name of the level for messages.

    Returns:
        uint32 [n].

    Raises:
        FormatError: a group holds more than 65535 Gaussians.
    """
    cells_y, cells_x = counts.shape
    group_count = counts.size // GROUP_CELLS + 1
    by_group = np.zeros((group_count, GROUP_CELLS), np.uint32)
    by_group.reshape(-1)[: counts.size] = counts.reshape(-1)
    totals = by_group.sum(axis=1, dtype=np.int64)
    _check_totals(totals, where)

    crowded = np.flatnonzero((by_group > 15).any(axis=1))
    words = np.zeros(index_words(cells_x, cells_y, counts), np.uint32)
    groups = words[: 3 * group_count].reshape(group_count, 3)
    groups[:, 0] = np.cumsum(totals) - totals
    groups[:, 1] = (by_group[:, :8] << _NIBBLE_SHIFTS).sum(axis=1, dtype=np.uint32)
    groups[:, 2] = (by_group[:, 8:] << _NIBBLE_SHIFTS).sum(axis=1, dtype=np.uint32)
    groups[crowded, 0] |= np.uint32(1 << 31)
    groups[crowded, 1] = 3 * group_count + 8 * np.arange(crowded.size)
    groups[crowded, 2] = 0
    prefixes = np.cumsum(by_group[crowded], axis=1, dtype=np.uint32) - by_group[crowded]
    words[3 * group_count :] = (prefixes[:, 0::2] | prefixes[:, 1::2] << np.uint32(16)).reshape(-1)
    return words


def _check_totals(totals: I64Array, where: str) -> None:
    worst = int(totals.max())
    if worst > MAX_CELL_GROUP:
        raise FormatError(f"{where} Gaussians of a group of {GROUP_CELLS} cells: got {worst}, "
                          f"expected at most {MAX_CELL_GROUP}; use finer cells")
