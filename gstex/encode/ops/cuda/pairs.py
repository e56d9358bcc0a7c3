"""Which Gaussians share a tile, and batches of Gaussians of which no two are neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gstex.arrays import GpuArray
from gstex.cuda.device import Device
from gstex.encode.ops.cuda.tile_lists import bounds_of, sorted_by

__all__ = ["Pairs", "find_batches", "find_pairs"]

_WARPS = 4  # of a block of encode/pairs.cu
# Most pairs with repetitions that are listed at a time.
PAIRS_AT_A_TIME = 2**25
# Rounds of colouring from one check whether all Gaussians have a colour to the next.
_ROUNDS = 8


@dataclass(frozen=True)
class Pairs:
    """Arrays of a device; N Gaussians, E entries.

    by_gaussian: int64 [E], by_start: int32 [N + 1], the entries of a Gaussian, tile by tile. tile_of: int32 [E].
    row: int32 [N + 1], column: int32 [pairs], the Gaussians that share a tile with each, sorted, in CSR form; each is
    its own neighbour.
    """

    by_gaussian: GpuArray
    by_start: GpuArray
    tile_of: GpuArray
    row: GpuArray
    column: GpuArray


def find_pairs(device: Device, start: GpuArray, gaussian: GpuArray, count: int) -> Pairs:
    """The pairs of `count` Gaussians. The host waits for the GPU, to learn how many there are.

    start: int32 [T + 1], gaussian: int32 [E], the Gaussians of every tile.
    """
    xp, entries = device.xp, len(gaussian)
    tile_of = xp.searchsorted(start[1:], xp.arange(entries, dtype=np.int32), side="right").astype(np.int32)
    by_gaussian, by_start = sorted_by(device, gaussian, count)
    offset = xp.zeros(entries + 1, np.int64)
    offset[1:] = xp.cumsum((start[1:] - start[:-1])[tile_of[by_gaussian]], dtype=np.int64)

    first_entry = device.to_host(by_start)
    first_pair = device.to_host(offset[by_start])
    listed, begin = [], 0
    while begin < count:
        # As many Gaussians as fit, one at the least.
        end = int(np.searchsorted(first_pair, first_pair[begin] + PAIRS_AT_A_TIME, side="right")) - 1
        end = min(max(end, begin + 1), count)
        keys = xp.empty(int(first_pair[end] - first_pair[begin]), np.int64)
        if entry_count := int(first_entry[end] - first_entry[begin]):
            device.kernel("encode/pairs.cu", "fit_list_pairs")(
                (-(-entry_count // _WARPS),), (32 * _WARPS,), by_gaussian, tile_of, start, gaussian, offset,
                np.int32(first_entry[begin]), np.int32(entry_count), np.int32(count), keys,
            )  # fmt: skip
            listed.append(xp.unique(keys))
        begin = end
    keys = xp.concatenate(listed) if listed else xp.empty(0, np.int64)
    row = bounds_of(device, (keys // count).astype(np.int32), count)
    column = (keys % count).astype(np.int32)
    return Pairs(by_gaussian, by_start, tile_of, row, column)


def find_batches(device: Device, row: GpuArray, column: GpuArray) -> list[GpuArray]:
    """Batches, int32 arrays: every Gaussian is in one, and no two of a batch are neighbours.

    row, column: as in Pairs. The host waits for the GPU.
    """
    xp, count = device.xp, len(row) - 1
    colour = xp.full(count, -1, np.int32)

    def round_of_all() -> None:
        device.kernel("encode/pairs.cu", "fit_colour")(
            (-(-count // _WARPS),), (32 * _WARPS,), row, column, np.int32(count), colour
        )

    def rounds() -> None:
        for _ in range(_ROUNDS):
            round_of_all()

    if count:
        round_of_all()
    recorded = device.record(rounds) if count else None
    while bool((colour < 0).any()):
        (recorded or rounds)()
    order = xp.argsort(colour, kind="stable").astype(np.int32)
    colours = int(colour.max()) + 1
    ends = device.to_host(bounds_of(device, colour[order], colours)).tolist()
    return [order[a:b] for a, b in pairwise(ends)]
