"""Levels and cells of Gaussians on the GPU: gstex/encode/cell_pyramid.py for arrays of a device."""

import numpy as np

from gstex.arrays import GpuArray
from gstex.cuda.device import Device
from gstex.encode.cell_pyramid import AMPLITUDE_MOST, CUT, MOST_VISIBLE, SLACK, Pyramid

__all__ = ["cell_tables", "half_extents", "keep_inside", "place", "thin_out"]

_THREADS = 128


def _grid(count: int) -> tuple[tuple[int], tuple[int]]:
    return (max(1, -(-count // _THREADS)),), (_THREADS,)


def half_extents(device: Device, geometry: GpuArray) -> GpuArray:
    """Half width and height in texels of the CUT-sigma ellipses of `geometry` [N, 6] -> float32 [N, 2]."""
    extents = device.xp.empty((len(geometry), 2), np.float32)
    kernel = device.kernel("encode/cell_pyramid.cu", "fit_half_extents")
    kernel(*_grid(len(geometry)), geometry, np.float32(CUT), np.int32(len(geometry)), extents)
    return extents


def cell_tables(device: Device, pyramid: Pyramid) -> tuple[GpuArray, GpuArray]:
    """The sizes of cells and their numbers, on the device."""
    return device.xp.asarray(pyramid.cell_size), device.xp.asarray(pyramid.cells)


def place(device: Device, pyramid: Pyramid, geometry: GpuArray, previous: GpuArray | None = None, *,
          out: GpuArray | None = None, tables: tuple[GpuArray, GpuArray] | None = None) -> GpuArray:  # fmt: skip
    """The level and cell of every Gaussian, int32 [N, 3]; see gstex.encode.cell_pyramid.place.

    geometry: float32 [N, 6]. previous: int32 [N], levels of an earlier call. out: where to write them.
    tables: of `cell_tables`, if they are there already.
    """
    xp, count = device.xp, len(geometry)
    placement = xp.empty((count, 3), np.int32) if out is None else out
    if previous is not None:
        previous = xp.asarray(previous, np.int32, order="C")
    device.kernel("encode/cell_pyramid.cu", "fit_place")(
        *_grid(count), geometry, placement if previous is None else previous, np.int32(previous is not None),
        *(tables or cell_tables(device, pyramid)), np.int32(len(pyramid.cells)), np.float32(CUT),
        np.float32(SLACK), np.int32(count), placement,
    )  # fmt: skip
    return placement


def keep_inside(device: Device, pyramid: Pyramid, geometry: GpuArray, *, sigma_min: float) -> None:
    """Bring `geometry` float32 [N, 6] back, in place, to what the pyramid can hold.

    See gstex.encode.cell_pyramid.keep_inside.
    """
    top = pyramid.cell_size[-1]
    largest = np.log(top.max() * SLACK / CUT)
    room = np.maximum(top * SLACK, 2 * CUT * sigma_min)
    device.kernel("encode/cell_pyramid.cu", "fit_keep_inside")(
        *_grid(len(geometry)), geometry, np.int32(pyramid.width), np.int32(pyramid.height), np.int32(pyramid.repeat),
        np.float32(CUT), np.float32(AMPLITUDE_MOST), np.float64(largest), np.float64(room[0]), np.float64(room[1]),
        np.float64(np.log(sigma_min)), np.int32(len(geometry)),
    )  # fmt: skip


def thin_out(device: Device, pyramid: Pyramid, geometry: GpuArray, placement: GpuArray) -> bool:
    """Shrink Gaussians, in place, where a coarse level holds too many; see gstex.encode.cell_pyramid.thin_out.

    The host waits for the GPU, to learn how many there are.
    """
    xp = device.xp
    level_of = placement[:, 0]
    on_device = xp.zeros(len(pyramid.cells), np.int32)
    count = device.kernel("encode/tile_lists.cu", "fit_count_levels")
    count(*_grid(len(placement)), placement, np.int32(len(placement)), on_device)
    counts = device.to_host(on_device)
    allowed = [int(MOST_VISIBLE * cells.prod() / 9) for cells in pyramid.cells]
    shrunk = False
    for level in range(len(pyramid.cells) - 1, 0, -1):
        excess_count = int(counts[level]) - allowed[level]
        if excess_count <= 0:
            continue
        below = xp.asarray(pyramid.cell_size[level - 1])
        rows = xp.flatnonzero(level_of == level)
        ratio = (half_extents(device, geometry)[rows] / below).max(axis=1)
        smallest = xp.argsort(ratio, kind="stable")[:excess_count]
        excess = rows[smallest]
        past = ratio[smallest] * (SLACK + 0.01)  # past the hysteresis
        geometry[excess, 3:5] -= xp.log(xp.maximum(past, 1.0)).astype(np.float32)[:, None]
        placement[excess, 0] = level - 1
        counts[level - 1] += excess_count
        shrunk = True
    return shrunk
