"""The pyramid of cells that decides which Gaussians a texel sees (docs/format.md, "Decoding a position").

Level l has a grid of cells of about `cell * 2^l` texels. A Gaussian lies in one cell of one level and is
visible in the 3x3 cells around it. The encoder chooses where it lies; this file makes that choice.
"""

from dataclasses import dataclass

import numpy as np

from gstex.arrays import F32Array, F64Array, I32Array
from gstex.native import _core
from gstex.native.maths import log

# A Gaussian fits a level if its half extent at CUT sigma is at most one cell. Measured in the design: 1.2
# halves the candidates for 0.3 dB, 2.2 doubles them for 0.15 dB.
CUT = 1.6
MAX_LEVELS = 16
# Log-amplitudes stay within -7..7; the format allows up to 8.
AMPLITUDE_MOST = 7.0
# Gaussians of one level that a texel may see on average, for all levels but the finest.
MOST_VISIBLE = 14
# A Gaussian leaves its level when it is too large or too small for it by this factor, so that it does not flicker
# between two levels during a fit.
SLACK = 1.15


@dataclass(frozen=True)
class Pyramid:
    """Grid sizes of one mip.

    width, height: texels.
    repeat: cells wrap; every level then has at least 3 cells an axis.
    cells: int32 [L, 2], cells_x and cells_y of every level, finest first.
    """

    width: int
    height: int
    repeat: bool
    cells: np.ndarray

    @property
    def cell_size(self) -> F64Array:
        """float64 [L, 2]: width and height of a cell in texels."""
        return np.array([self.width, self.height]) / self.cells


def make_pyramid(width: int, height: int, *, repeat: bool, cell: float) -> Pyramid:
    """The pyramid whose finest cells are about `cell` texels wide, up to the level that covers the texture."""
    fewest = 3 if repeat else 1
    levels = []
    for level in range(MAX_LEVELS):
        size = cell * 2.0**level
        levels.append([min(max(fewest, round(extent / size)), 8192) for extent in (width, height)])
        if levels[-1] == [fewest, fewest]:
            break
    return Pyramid(width, height, repeat, np.array(levels, np.int32))


def half_extents(geometry: F32Array) -> F64Array:
    """Half width and height in texels of the CUT-sigma ellipses of `geometry` float32 [N, 6] -> float64 [N, 2]."""
    extents = np.empty((len(geometry), 2))
    _core.half_extents(geometry, CUT, extents)
    return extents


def place(pyramid: Pyramid, geometry: F32Array, previous: I32Array | None = None) -> I32Array:
    """The level and cell of every Gaussian.

    geometry: float32 [N, 6] (x, y in texels inside the texture, rotation, log sigma u, log sigma v, amplitude).
    previous: int32 [N], levels of an earlier call; a Gaussian leaves its level only when it is clearly too large or
        small for it (SLACK).
    Returns int32 [N, 3]: level, cell_x, cell_y.
    """
    placement = np.empty((len(geometry), 3), np.int32)
    previous = None if previous is None else np.ascontiguousarray(previous, np.int32)
    _core.place(geometry, previous, pyramid.cell_size, pyramid.cells, CUT, SLACK, placement)
    return placement


def keep_inside(pyramid: Pyramid, geometry: F32Array, *, sigma_min: float) -> None:
    """Bring `geometry` float32 [N, 6] back, in place, to what the pyramid can hold.

    Positions wrap (repeat) or are clamped to the texture; sigmas are at least sigma_min texels, and an ellipse
    is at most as large as the top level holds (sigma_min wins); amplitudes stay within what the format stores.
    """
    top = pyramid.cell_size[-1]
    last = np.nextafter(np.array([pyramid.width, pyramid.height], np.float32), np.float32(0))
    # A texture of a row or two has cells below sigma_min; there the smallest ellipse is allowed all the same.
    room = np.maximum(top * SLACK, 2 * CUT * sigma_min)
    _core.keep_inside(geometry, pyramid.width, pyramid.height, pyramid.repeat, CUT, last, AMPLITUDE_MOST,
                      float(log(top.max() * SLACK / CUT)), room, float(log(sigma_min)))  # fmt: skip


def thin_out(pyramid: Pyramid, geometry: F32Array, placement: I32Array) -> bool:
    """Shrink Gaussians, in place, where a coarse level holds more than MOST_VISIBLE in a mean 3x3 block.

    Every Gaussian of a coarse level costs all the texels of nine large cells. Where there are too many, the
    smallest of the level shrink until they fit the level below. Returns whether any did: all are then placed again.

    geometry: float32 [N, 6]. placement: int32 [N, 3], of `place`.
    """
    extent, shrunk = half_extents(geometry), False
    for level in range(len(pyramid.cells) - 1, 0, -1):
        rows = np.flatnonzero(placement[:, 0] == level)
        allowed = int(MOST_VISIBLE * pyramid.cells[level].prod() / 9)
        if len(rows) <= allowed:
            continue
        ratio = (extent[rows] / pyramid.cell_size[level - 1]).max(axis=1)
        excess = rows[np.argsort(ratio, kind="stable")[: len(rows) - allowed]]
        ratio = (extent[excess] / pyramid.cell_size[level - 1]).max(axis=1) * (SLACK + 0.01)  # past the hysteresis
        geometry[excess, 3:5] -= log(np.maximum(ratio, 1.0)).astype(geometry.dtype)[:, None]
        placement[excess, 0] = level - 1
        extent = half_extents(geometry)
        shrunk = True
    return shrunk
