"""The cell index: how many Gaussians stand in each cell, as groups of 16 cells.

A group is a base and sixteen 4-bit counts, or, if a cell holds more than 15 Gaussians, a base and a block of
sixteen 16-bit prefixes behind the groups ("crowded").
"""

import numpy as np

from ..errors import FormatError
from .layout import GROUP_CELLS, MAX_GROUP, index_words
from .rules import require

__all__ = ["build_index", "read_index"]

_NIBBLE_SHIFTS = np.arange(0, 32, 4, dtype=np.uint32)


def build_index(counts: np.ndarray, *, where: str) -> np.ndarray:
    """Make the index of a level.

    Args:
        counts: integers [cells_y, cells_x], Gaussians of each cell; fewer than 2^31 in all.
        where: name of the level for messages.

    Returns:
        uint32 words.

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


def read_index(words: np.ndarray, cells_x: int, cells_y: int, count: int, *,
               where: str) -> tuple[np.ndarray, int]:
    """Read and check the index of a level.

    Args:
        words: uint32, everything from the first word of the index to the end of what may be read.
        count: Gaussians of the level as its entry says.
        where: name of the level for messages.

    Returns:
        (counts uint16 [cells_y, cells_x], words of the index).

    Raises:
        FormatError: the index does not fit into `words` or breaks a rule.
    """
    cells = cells_x * cells_y
    group_count = cells // GROUP_CELLS + 1
    group_words = 3 * group_count
    require(group_words <= len(words), f"{where} cells", f"{cells_x} x {cells_y}",
            f"a grid whose index of {group_words} words fits into the {len(words)} words left")
    groups = words[:group_words].reshape(group_count, 3)
    crowded = np.flatnonzero(groups[:, 0] >> np.uint32(31))
    size = group_words + 8 * crowded.size
    require(size <= len(words), f"{where} crowded groups", crowded.size,
            f"at most {(len(words) - group_words) // 8}, whose prefix blocks fit into the file")

    base = np.append((groups[:, 0] & np.uint32(0x7FFFFFFF)).astype(np.int64), count)
    totals = np.diff(base)
    require(base[0] == 0, f"{where} index base of group 0", base[0], "0")
    _require_all(totals >= 0, f"{where} index base", base[1:], f"bases that do not fall and end at {count}")
    _check_totals(totals, where)

    counts = np.empty((group_count, GROUP_CELLS), np.uint16)
    for half in (0, 1):
        nibbles = groups[:, 1 + half, None] >> _NIBBLE_SHIFTS  # [groups, 8]
        counts[:, 8 * half : 8 * half + 8] = nibbles & np.uint32(15)
    if crowded.size:
        counts[crowded] = _read_prefixes(words[:size], groups, crowded, totals[crowded], where)
    sums = counts.sum(axis=1, dtype=np.int64)
    _require_all(sums == totals, f"{where} index counts of a group", sums,
                 "the difference of its base and the next group's")
    # Bases and counts agree up to here, so a count beyond the last cell is the only place left to hide one.
    tail = counts.reshape(-1)[cells:]
    require(not tail.any(), f"{where} index counts beyond the last cell", int(tail.sum()), "0")
    return counts.reshape(-1)[:cells].reshape(cells_y, cells_x), size


def _read_prefixes(words: np.ndarray, groups: np.ndarray, crowded: np.ndarray, totals: np.ndarray,
                   where: str) -> np.ndarray:
    """Counts [crowded, 16] from the prefix blocks of the crowded groups."""
    group_words = 3 * len(groups)
    expected = group_words + 8 * np.arange(crowded.size)
    _require_all(groups[crowded, 1] == expected, f"{where} prefix block offset", groups[crowded, 1],
                 f"blocks in the order of their groups from word {group_words} of the index on")
    _require_all(groups[crowded, 2] == 0, f"{where} third word of a crowded group", groups[crowded, 2], "0")
    blocks = words[group_words:].reshape(crowded.size, 8)
    prefixes = np.empty((crowded.size, GROUP_CELLS + 1), np.int64)
    prefixes[:, 0:16:2] = blocks & np.uint32(0xFFFF)
    prefixes[:, 1:16:2] = blocks >> np.uint32(16)
    prefixes[:, 16] = totals
    counts = np.diff(prefixes, axis=1)
    _require_all(prefixes[:, 0] == 0, f"{where} first prefix of a crowded group", prefixes[:, 0], "0")
    _require_all(counts.min(axis=1) >= 0, f"{where} prefixes of crowded group", crowded,
                 "prefixes that do not fall and end at the group's total")
    _require_all(counts.max(axis=1) > 15, f"{where} crowded group", crowded,
                 "a cell of more than 15 Gaussians in it")
    return counts


def _check_totals(totals: np.ndarray, where: str) -> None:
    worst = int(totals.max())
    if worst > MAX_GROUP:
        raise FormatError(f"{where} Gaussians of a group of {GROUP_CELLS} cells: got {worst}, "
                          f"expected at most {MAX_GROUP}; use finer cells")


def _require_all(ok: np.ndarray, name: str, values: np.ndarray, expected: str) -> None:
    """require() for arrays: the message shows the first value that is wrong."""
    if not ok.all():
        require(False, name, values[np.argmin(ok)], expected)
