"""Which Gaussians each tile of texels has to evaluate, on the GPU: the entries of encode/ops/cpu/tile_lists.py."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gstex.constants import LOG2E, TILE
from gstex.cuda.device import Device
from gstex.encode.cell_pyramid import Pyramid
from gstex.errors import DeviceError

__all__ = ["TileLists", "bounds_of", "find_tile_lists", "tile_counts"]

_WARPS = 4  # of a block of encode/tile_lists.cu
# TileLists are numbered in int32.
MOST_ENTRIES = 2**31 - 1


@dataclass(frozen=True)
class TileLists:
    """TileLists of every tile in CSR form, tiles row by row, in the order of the CPU's; arrays of the device.

    start: int32 [T + 1]. gaussian: int32 [E]. image: int8 [E, 2], shift in whole textures (x, y).
    faded: bool [E], whether the fade of the 3x3 block is below 1 somewhere in the tile.
    by_gaussian: int64 [E], by_gaussian_start: int32 [N + 1], the entries of each Gaussian, tile by tile.
    slot: int32 [E], where an entry stands in by_gaussian.
    """

    start: Any
    gaussian: Any
    image: Any
    faded: Any
    by_gaussian: Any
    by_gaussian_start: Any
    slot: Any


def tile_counts(width: int, height: int) -> tuple[int, int]:
    """Tiles across and down."""
    return -(-width // TILE), -(-height // TILE)


def find_tile_lists(
    device: Device, pyramid: Pyramid, placement: Any, derived: Any, where: Any, *, margin: float
) -> TileLists:
    """List the entries of all tiles.

    The host waits for the GPU twice, to learn the sizes of arrays.

    Args:
        placement: int32 [N, 3], level, cell_x, cell_y.
        derived, where: float32 [N, 8] and [N, 4], see cuda/encode/tile.cuh.
        margin: natural-log distance from the largest weight at which a Gaussian stops to matter; inf keeps all.

    Raises:
        DeviceError: there are too many to be numbered.
    """
    xp = device.xp
    across, down = tile_counts(pyramid.width, pyramid.height)
    tiles = across * down
    levels = np.zeros((len(pyramid.cells), 4), np.int32)
    levels[:, :2] = pyramid.cells
    per_level = pyramid.cells.astype(np.int64).prod(axis=1)
    levels[1:, 2] = np.cumsum(per_level[:-1])
    grids = xp.asarray(levels)

    level = placement[:, 0]
    cell = grids[level, 2] + placement[:, 2] * grids[level, 0] + placement[:, 1]
    order = xp.argsort(cell, kind="stable").astype(np.int32)
    cell_start = bounds_of(device, cell[order], int(per_level.sum()))

    where_seen = (np.int32(tiles), np.int32(across), np.int32(pyramid.width), np.int32(pyramid.height))
    grid = (np.int32(pyramid.repeat), grids, np.int32(len(levels)), cell_start)
    counts = xp.empty(tiles, np.int64)
    device.kernel("encode/tile_lists.cu", "fit_count_visible")((-(-tiles // 128),), (128,), *where_seen, *grid, counts)
    visible_start = _starts(xp, counts, np.int64)
    visible = int(visible_start[-1])
    if visible > MOST_ENTRIES:
        raise DeviceError(
            f"GPU fit: {visible} pairs of a tile and a Gaussian it sees, at most {MOST_ENTRIES} can be listed; "
            "use fewer Gaussians"
        )

    gaussian = xp.empty(visible, np.int32)
    image = xp.empty((visible, 2), np.int8)
    state = xp.empty(visible, np.uint8)
    kept = xp.empty(tiles, np.int32)
    shape = (-(-tiles // _WARPS),), (32 * _WARPS,)
    device.kernel("encode/tile_lists.cu", "fit_list_visible")(
        *shape, *where_seen, *grid, order, visible_start, gaussian, image
    )
    device.kernel("encode/tile_lists.cu", "fit_mark_entries")(
        *shape, *where_seen, visible_start, gaussian, image, derived, where, np.float32(min(margin * LOG2E, 1e9)),
        state, kept,
    )  # fmt: skip
    matters = xp.flatnonzero(state)
    gaussian, image, faded = gaussian[matters], image[matters], state[matters] == 2
    by_gaussian = xp.argsort(gaussian, kind="stable")
    slot = xp.empty(len(gaussian), np.int32)
    slot[by_gaussian] = xp.arange(len(gaussian), dtype=np.int32)
    by_start = bounds_of(device, gaussian[by_gaussian], len(placement))
    return TileLists(_starts(xp, kept, np.int32), gaussian, image, faded, by_gaussian, by_start, slot)


def _starts(xp: Any, counts: Any, dtype: type) -> Any:
    """Where every part begins, from their counts [K]: [K + 1]."""
    start = xp.zeros(len(counts) + 1, dtype)
    start[1:] = xp.cumsum(counts)
    return start


def bounds_of(device: Device, ordered: Any, keys: int) -> Any:
    """Where every key 0 .. keys - 1 begins in the sorted int32 array: int32 [keys + 1]."""
    start = device.xp.empty(keys + 1, np.int32)
    kernel = device.kernel("encode/tile_lists.cu", "fit_bounds")
    kernel((keys // 128 + 1,), (128,), ordered, np.int32(len(ordered)), np.int32(keys), start)
    return start
