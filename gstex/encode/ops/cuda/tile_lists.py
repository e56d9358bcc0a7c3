"""Which Gaussians each tile of texels has to evaluate, on the GPU: the entries of encode/ops/cpu/tile_lists.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gstex.arrays import GpuArray
from gstex.constants import LOG2E, TILE
from gstex.cuda.device import Device, Kernel
from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.ops.cuda.replays import Replays
from gstex.errors import DeviceError

__all__ = ["ListMaker", "Seen", "TileLists", "bounds_of", "sorted_by", "tile_counts"]

_THREADS = 128
_WARPS = 4  # of a block of encode/tile_lists.cu
_STARTS_THREADS = 1024
# Entries are numbered in int32.
MOST_ENTRIES = 2**31 - 1
# Memory is taken for so many times the present entries: their number rises while Gaussians grow.
ROOM = 1.25
# A Gaussian with more rows than this is summed by a block of its own.
LONG = 1024


@dataclass(frozen=True)
class TileLists:
    """Entries of every tile in CSR form, tiles row by row, in the order of the CPU's; arrays of the device.

    start: int32 [T + 1]. gaussian: int32 [E]. image: int8 [E, 2], shift in whole textures (x, y).
    faded: bool [E], whether the fade of the 3x3 block is below 1 somewhere in the tile.
    by_gaussian: int64 [E], by_gaussian_start: int32 [N + 1], the entries of each Gaussian, tile by tile.
    slot: int32 [E], where an entry stands in by_gaussian.
    is_long: int32 [1 + N], how many Gaussians have more than LONG entries, and which, in any order.

    All are the first parts of arrays that have room for more, and stay where they are while it is enough.
    """

    start: GpuArray
    gaussian: GpuArray
    image: GpuArray
    faded: GpuArray
    by_gaussian: GpuArray
    by_gaussian_start: GpuArray
    slot: GpuArray
    is_long: GpuArray


def tile_counts(width: int, height: int) -> tuple[int, int]:
    """Tiles across and down."""
    return -(-width // TILE), -(-height // TILE)


class Seen:
    """A view of the Gaussians for which a ListMaker makes lists, and the arrays that hold them.

    derived, where: float32 [N, 8] and [N, 4], see cuda/encode/tile.cuh; the owner fills `derived`. lists: the entries.
    room: for how many entries there is memory. changed: how often arrays have moved.
    """

    lists: TileLists

    def __init__(self, device: Device, pyramid: Pyramid):
        xp = device.xp
        self.device, self.pyramid = device, pyramid
        self.across, self.down = tile_counts(pyramid.width, pyramid.height)
        self.tiles = self.across * self.down
        self.size = (np.int32(self.tiles), np.int32(self.across), np.int32(pyramid.width), np.int32(pyramid.height))
        self.sizes = xp.asarray(pyramid.cell_size.astype(np.float32))
        self.visible_room = self.room = self.count = -1
        self.changed = 0
        self.counts, self.kept = xp.empty(self.tiles, np.int32), xp.empty(self.tiles, np.int32)
        self.visible_start, self.start64 = (xp.empty(self.tiles + 1, np.int64) for _ in range(2))
        self.visible_narrow, self.start = (xp.empty(self.tiles + 1, np.int32) for _ in range(2))
        self.give_room(0, 0)

    def hold(self, count: int) -> None:
        """Take memory for so many Gaussians."""
        if count == self.count:
            return
        xp = self.device.xp
        self.count = count
        self.changed += 1
        self.derived, self.where = xp.empty((count, 8), np.float32), xp.empty((count, 4), np.float32)
        self.row, self.is_long = xp.empty(count + 1, np.int32), xp.empty(count + 1, np.int32)

    def give_room(self, visible: int, entries: int) -> bool:
        """Take more memory if so many do not fit; whether it did."""
        xp = self.device.xp
        if more_visible := visible > self.visible_room:
            self.visible_room = min(int(ROOM * visible) + 1, MOST_ENTRIES)
            self.visible_gaussian = xp.empty(self.visible_room, np.int32)
            self.visible_image = xp.empty((self.visible_room, 2), np.int8)
            self.state = xp.empty(self.visible_room, np.uint8)
        if more := entries > self.room:
            self.room = min(int(ROOM * entries) + 1, MOST_ENTRIES)
            self.gaussian, self.slot = (xp.empty(self.room, np.int32) for _ in range(2))
            self.image = xp.empty((self.room, 2), np.int8)
            self.faded = xp.empty(self.room, np.bool_)
            self.by_gaussian = xp.empty(self.room, np.int64)
        self.changed += more or more_visible
        return more or more_visible

    def take(self, entries: int) -> None:
        """Let `lists` be the first so many entries."""
        n = slice(0, entries)
        self.lists = TileLists(self.start, self.gaussian[n], self.image[n], self.faded[n], self.by_gaussian[n],
                               self.row, self.slot[n], self.is_long)  # fmt: skip


class ListMaker:
    """Makes the lists of several views of the same Gaussians at once.

    Their cells are the same, so Gaussians are sorted by cell once, and the entries of all views by Gaussian together.
    """

    def __init__(self, device: Device, views: Sequence[Seen], replay: Replays | None = None):
        """replay: of launches that are the same from one list to the next; without it they are made one by one."""
        xp, pyramid = device.xp, views[0].pyramid
        self._device, self._views, self._replay = device, views, replay
        levels = np.zeros((len(pyramid.cells), 4), np.int32)
        levels[:, :2] = pyramid.cells
        per_level = pyramid.cells.astype(np.int64).prod(axis=1)
        levels[1:, 2] = np.cumsum(per_level[:-1])
        self._cells = int(per_level.sum())
        self._repeat, self._levels, self._level_count = np.int32(pyramid.repeat), xp.asarray(levels), len(levels)
        self._cell_start = xp.empty(self._cells + 1, np.int32)
        self._totals = xp.zeros(2 * len(views), np.int64)  # visible, then entries
        self._count = -1
        self._margin = np.float32(0)
        self._changed = 0

    def make(self, placement: GpuArray, geometry: GpuArray, derive: Callable[[int], None], *, margin: float) -> None:
        """List the entries of all views. The host waits for the GPU once, to learn how many there are, or more often
        where they do not fit.

        Args:
            placement: int32 [N, 3], level, cell_x, cell_y. geometry: float32 [N, 6].
            derive: called with the number of each view, to fill its `derived` from that geometry.
            margin: natural-log distance from the largest weight at which a Gaussian stops mattering; inf keeps all.

        Raises:
            DeviceError: there are too many entries to be numbered.
        """
        xp, views, count = self._device.xp, self._views, len(placement)
        for view in views:
            view.hold(count)
        if count != self._count:
            self._count = count
            self._cell, self._order = xp.empty(count, np.int32), xp.empty(count, np.int64)
        self._margin = np.float32(min(margin * LOG2E, 1e9))

        def prepare() -> None:
            for number, view in enumerate(views):
                self._kernel("fit_find_cells")(
                    *_grid(count), placement, self._levels, view.sizes, np.int32(count), self._cell, view.where
                )
                derive(number)

        self._do("prepare", prepare, placement, geometry)
        self._order[...] = xp.argsort(self._cell, kind="stable")
        while True:
            if self._changed != (changed := sum(view.changed for view in views)):
                self._changed = changed
                self._key = xp.empty(sum(view.room for view in views), np.int32)
                self._rows = xp.empty(len(self._key), np.int64)
            self._do("mark", self._mark)
            self._rows[...] = xp.argsort(self._key, kind="stable")
            self._do("rows", self._find_rows)
            totals = self._device.to_host(self._totals).tolist()
            visible, entries = totals[: len(views)], totals[len(views) :]
            if max(visible) > MOST_ENTRIES:
                raise DeviceError(
                    f"GPU fit: {max(visible)} pairs of a tile and a Gaussian it sees, at most {MOST_ENTRIES} can be "
                    "listed; use fewer Gaussians"
                )
            given = [view.give_room(*needed) for view, *needed in zip(views, visible, entries, strict=True)]
            if not any(given):
                break
        for view, entry_count in zip(views, entries, strict=True):
            view.take(entry_count)

    def _do(self, kind: str, work: Callable[[], None], *arrays: GpuArray) -> None:
        if self._replay:
            about = self._count, sum(view.changed for view in self._views), float(self._margin)
            self._replay(kind, about, arrays, work)
        else:
            work()

    def _mark(self) -> None:
        """From the cells to the entries that matter, and their keys."""
        count = np.int32(self._count)
        self._kernel("fit_sorted_bounds")(
            *_grid(self._cells + 1), self._cell, self._order, count, np.int32(self._cells), self._cell_start
        )
        grid = self._repeat, self._levels, np.int32(self._level_count), self._cell_start
        first = 0
        for number, view in enumerate(self._views):
            threads, warps = (*_grid(view.tiles),), ((-(-view.tiles // _WARPS),), (32 * _WARPS,))
            totals = (self._totals[i : i + 1] for i in (number, len(self._views) + number))
            room, visible_room = np.int32(view.room), np.int32(view.visible_room)
            key = self._key[first : first + view.room]
            first += view.room
            starts = (1,), (_STARTS_THREADS,)
            self._kernel("fit_count_visible")(*threads, *view.size, *grid, view.counts)
            self._kernel("fit_starts")(
                *starts, view.counts, np.int32(view.tiles), view.visible_start, view.visible_narrow, next(totals)
            )
            self._kernel("fit_list_visible")(
                *warps, *view.size, *grid, self._order, view.visible_start, visible_room, view.visible_gaussian,
                view.visible_image,
            )  # fmt: skip
            self._kernel("fit_mark_entries")(
                *warps, *view.size, view.visible_start, visible_room, view.visible_gaussian, view.visible_image,
                view.derived, view.where, self._margin, view.state, view.kept,
            )  # fmt: skip
            self._kernel("fit_starts")(
                *starts, view.kept, np.int32(view.tiles), view.start64, view.start, next(totals)
            )
            self._kernel("fit_keep_entries")(
                *warps, np.int32(view.tiles), view.visible_start, view.visible_gaussian, view.visible_image, view.state,
                view.start64, room, np.int32(number * (self._count + 1)), count,
                view.gaussian, view.image, view.faded, key, view.is_long,
            )  # fmt: skip

    def _find_rows(self) -> None:
        """The entries of every Gaussian, of all views."""
        first = 0
        for number, view in enumerate(self._views):
            at, total = len(self._views) + number, slice(first, first + view.room)
            self._kernel("fit_find_rows")(
                *_grid(max(view.room, self._count + 1)), self._rows[total], np.int64(first),
                self._totals[at : at + 1], np.int32(view.room), view.gaussian, np.int32(self._count),
                np.int32(LONG), view.by_gaussian, view.slot, view.row, view.is_long,
            )  # fmt: skip
            first += view.room

    def _kernel(self, name: str) -> Kernel:
        return self._device.kernel("encode/tile_lists.cu", name)


def _grid(count: int) -> tuple[tuple[int], tuple[int]]:
    return (max(1, -(-count // _THREADS)),), (_THREADS,)


def sorted_by(device: Device, key: GpuArray, keys: int) -> tuple[GpuArray, GpuArray]:
    """(the stable order of int32 keys 0 .. keys - 1, int64 [N]; where each key begins in that order, int32
    [keys + 1])."""
    order = device.xp.argsort(key, kind="stable")
    start = device.xp.empty(keys + 1, np.int32)
    kernel = device.kernel("encode/tile_lists.cu", "fit_sorted_bounds")
    kernel(*_grid(keys + 1), key, order, np.int32(len(key)), np.int32(keys), start)
    return order, start


def bounds_of(device: Device, ordered: GpuArray, keys: int) -> GpuArray:
    """Where every key 0 .. keys - 1 begins in the sorted int32 array: int32 [keys + 1]."""
    start = device.xp.empty(keys + 1, np.int32)
    kernel = device.kernel("encode/tile_lists.cu", "fit_bounds")
    kernel((keys // 128 + 1,), (128,), ordered, np.int32(len(ordered)), np.int32(keys), start)
    return start
