"""Which Gaussians each tile of texels has to evaluate.

A tile is 8x8 texels. Its *entries* are the (Gaussian, image of the repeating plane) pairs that are visible somewhere in
the tile and matter there: one whose weight is below e^-margin of the largest at every texel of the tile is left out.
The lists are made again every few steps of a fit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gstex.arrays import F32Array, I32Array, I64Array, U8Array
from gstex.constants import LOG2E, TILE
from gstex.encode.cell_pyramid import Pyramid
from gstex.native import _core

__all__ = ["MARGIN", "STEP_MARGIN", "TEXELS", "TileLists", "find_tile_lists", "tile_counts"]

TEXELS = TILE * TILE
# Natural-log distance from the largest weight in a texel at which a Gaussian stops mattering: 0.03 % for what is
# stored, and 0.25 % for a step of training, which costs a fifth less than with 0.03 % and leads to the same error.
MARGIN, STEP_MARGIN = 8.0, 6.0
# More than any distance that weights can have.
_EVERYTHING = 1e9


@dataclass(frozen=True)
class TileLists:
    """Entries of every tile, in CSR form; tiles row by row.

    start: int64 [T + 1]. gaussian: int32 [E]. image: int8 [E, 2], shift in whole textures (x, y).
    faded: uint8 [E], whether the fade of the 3x3 block is below 1 somewhere in the tile.
    by_gaussian, by_gaussian_start: int64 [E] and [N + 1], the entries of each Gaussian in a fixed order, so that sums
        over them do not depend on the number of threads. slot: int32 [E], where an entry stands in by_gaussian.
    """

    start: I64Array
    gaussian: I32Array
    image: NDArray[np.int8]
    faded: U8Array
    by_gaussian: I64Array
    by_gaussian_start: I64Array
    slot: I32Array


def tile_counts(width: int, height: int) -> tuple[int, int]:
    """Tiles across and down."""
    return -(-width // TILE), -(-height // TILE)


def find_tile_lists(
    pyramid: Pyramid, placement: I32Array, derived: F32Array, where: F32Array, *, margin: float
) -> TileLists:
    """List the entries of all tiles.

    Args:
        placement: int32 [N, 3] (level, cell_x, cell_y).
        derived, where: float32 [N, 8] and [N, 4], see `view.CpuView`.
        margin: natural-log distance from the largest weight at which a Gaussian stops mattering; inf keeps all.
    """
    return TileLists(*_core.tile_lists(pyramid.width, pyramid.height, pyramid.repeat, pyramid.cells, placement, derived,
                                       where, min(margin * LOG2E, _EVERYTHING)))  # fmt: skip
