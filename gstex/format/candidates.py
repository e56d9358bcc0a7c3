"""How many Gaussians a decoder looks at: the sum over levels of those in the 3x3 cells around a position.

It is constant between the cell borders of all levels, so the counts are taken between borders, never per
texel: the work follows the size of the index, not the size of the texture.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["candidate_stats", "candidates_max"]

_BLOCK_POSITIONS = 1 << 18  # positions looked at together: 2 MB of int64


def candidate_stats(width: int, height: int, repeat: bool,
                    level_counts: Sequence[np.ndarray]) -> tuple[float, int]:
    """Mean and maximum of the number of candidates of one mip.

    Args:
        width, height: texels of the mip.
        repeat: cells wrap; False: cells outside the texture do not exist.
        level_counts: one integer array [cells_y, cells_x] per level, Gaussians of each cell.

    Returns:
        (mean over the texel centres, maximum over all positions).
    """
    total = 0
    for counts in level_counts:
        rows = _centres_per_cell(height, counts.shape[0])
        columns = _centres_per_cell(width, counts.shape[1])
        total += int(rows @ (_block_sums(counts, repeat).astype(np.int64) @ columns))
    return total / (width * height), candidates_max(repeat, level_counts)


def candidates_max(repeat: bool, level_counts: Sequence[np.ndarray]) -> int:
    """Largest number of candidates at any position of one mip; arguments as in candidate_stats."""
    if not level_counts:
        return 0
    sums = [_block_sums(counts, repeat) for counts in level_counts]
    rows = _cells_between_borders([counts.shape[0] for counts in level_counts])  # [levels, intervals]
    columns = _cells_between_borders([counts.shape[1] for counts in level_counts])
    block = max(1, _BLOCK_POSITIONS // columns.shape[1])
    found = 0
    for first in range(0, rows.shape[1], block):
        last = min(first + block, rows.shape[1])
        candidates = np.zeros((last - first, columns.shape[1]), np.int64)
        for level, level_sums in enumerate(sums):
            candidates += level_sums[rows[level, first:last]][:, columns[level]]
        found = max(found, int(candidates.max()))
    return found


def _block_sums(counts: np.ndarray, repeat: bool) -> np.ndarray:
    """int32 [cells_y, cells_x]: sum over the 3x3 cells around each cell."""
    padded = np.pad(counts.astype(np.int32), 1, mode="wrap" if repeat else "constant")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]


def _cells_between_borders(cell_counts: list[int]) -> np.ndarray:
    """int64 [levels, intervals]: cell of each level in each interval between the borders of all levels.

    A border k / n in float64 is exact enough: with n up to 8192 different borders are 1e-8 apart, and equal
    ones are rounded from the same number.
    """
    borders = [np.arange(n) / n for n in cell_counts]
    starts = np.unique(np.concatenate(borders))
    return np.stack([np.searchsorted(own, starts, side="right") - 1 for own in borders])


def _centres_per_cell(size: int, cells: int) -> np.ndarray:
    """int64 [cells]: texel centres of an axis of `size` texels that lie in each cell."""
    borders = np.arange(cells + 1, dtype=np.int64)
    below = -((cells - 2 * size * borders) // (2 * cells))  # centres left of a border: ceil(size k / n - 1/2)
    return np.diff(below)
