"""Which Gaussians each tile of texels has to evaluate.

A tile is 8x8 texels. Its *entries* are the (Gaussian, image of the repeating plane) pairs that are visible
somewhere in the tile and matter there: one whose weight is below e^-margin of the largest at every texel of the
tile is left out. The lists are remade every few steps of a fit.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from ..cells import Pyramid
from ..constants import TILE

TEXELS = TILE * TILE
# Natural-log distance from the largest weight in a texel at which a Gaussian stops to matter to a fit: 0.03 %.
MARGIN = 8.0


@dataclass(frozen=True)
class Entries:
    """Entries of every tile, in CSR form; tiles row by row.

    start: int64 [T + 1]. gaussian: int32 [E]. image: int8 [E, 2], shift in whole textures (x, y).
    faded: bool [E], whether the fade of the 3x3 block is below 1 somewhere in the tile.
    by_gaussian, by_gaussian_start: int64 [E] and [N + 1], the entries of each Gaussian in a fixed order, so
        that sums over them do not depend on the number of threads.
    """

    start: np.ndarray
    gaussian: np.ndarray
    image: np.ndarray
    faded: np.ndarray
    by_gaussian: np.ndarray
    by_gaussian_start: np.ndarray


def tile_counts(width: int, height: int) -> tuple[int, int]:
    """Tiles across and down."""
    return -(-width // TILE), -(-height // TILE)


def find_entries(pyramid: Pyramid, placement: np.ndarray, geometry: np.ndarray, *, margin: float) -> Entries:
    """List the entries of all tiles.

    placement: int32 [N, 3] (level, cell_x, cell_y). geometry: float32 [N, 6].
    margin: natural-log distance from the largest weight at which a Gaussian stops to matter; inf keeps all.
    """
    count = len(placement)
    cells = pyramid.cells.astype(np.int64)
    first_cell = np.concatenate([[0], np.cumsum(cells[:, 0] * cells[:, 1])])
    level = placement[:, 0]
    cell = first_cell[level] + placement[:, 2] * cells[level, 0] + placement[:, 1]
    order, cell_start = group_by(cell, int(first_cell[-1]))

    across, down = tile_counts(pyramid.width, pyramid.height)
    size = pyramid.cell_size.astype(np.float32)
    common = (across, pyramid.width, pyramid.height, pyramid.repeat, cells, first_cell, cell_start)
    counts = np.zeros(across * down + 1, np.int64)
    _count_visible(*common, counts[1:])
    visible_start = np.cumsum(counts)
    gaussian = np.empty(visible_start[-1], np.int32)
    image = np.empty((visible_start[-1], 2), np.int8)
    state = np.zeros(visible_start[-1], np.uint8)
    counts[:] = 0
    _list_visible(*common, size, order, placement, geometry.astype(np.float32), np.float32(min(margin, 1e9)),
                  visible_start, gaussian, image, state, counts[1:])  # fmt: skip
    keep = state > 0
    gaussian, image, faded = gaussian[keep], image[keep], state[keep] == 2
    return Entries(np.cumsum(counts), gaussian, image, faded, *group_by(gaussian, count))


def group_by(number: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort whole numbers below `count`, in the time of a pass.

    Returns:
        order int64 [len(number)], as argsort(kind="stable") has it, and start int64 [count + 1] of every number there.
    """
    order, start = np.empty(len(number), np.int64), np.zeros(count + 1, np.int64)
    _group_by(number, order, start)
    return order, start


@njit(cache=True)
def _group_by(number, order, start):
    for n in number:
        start[n + 1] += 1
    for n in range(len(start) - 1):
        start[n + 1] += start[n]
    at = start[:-1].copy()
    for i in range(len(number)):
        order[at[number[i]]] = i
        at[number[i]] += 1


@njit(cache=True, inline="always")
def _cell_range(tile_first, extent, n, repeat):
    """First and last cell, unwrapped, whose Gaussians are visible in the texels from tile_first on."""
    # Samples are jittered by up to half a texel, so the tile reaches half a texel beyond its centres.
    low = math.floor(tile_first * n / extent)
    high = math.ceil(min(tile_first + TILE, extent) * n / extent) - 1
    if repeat:
        return low - 1, high + 1
    return max(low - 1, 0), min(high + 1, n - 1)


@njit(cache=True, parallel=True)
def _count_visible(across, width, height, repeat, cells, first_cell, cell_start, counts):
    for tile in prange(len(counts)):
        total = 0
        for level in range(len(cells)):
            nx, ny = cells[level]
            x0, x1 = _cell_range((tile % across) * TILE, width, nx, repeat)
            y0, y1 = _cell_range((tile // across) * TILE, height, ny, repeat)
            for cy in range(y0, y1 + 1):
                row = first_cell[level] + (cy % ny) * nx
                for cx in range(x0, x1 + 1):
                    cell = row + cx % nx
                    total += cell_start[cell + 1] - cell_start[cell]
        counts[tile] = total


@njit(cache=True, parallel=True)
def _list_visible(across, width, height, repeat, cells, first_cell, cell_start, size, order, placement, geometry,
                  margin, visible_start, gaussian, image, state, kept):  # fmt: skip
    shape = np.empty((len(geometry), 4), np.float32)
    for g in prange(len(geometry)):
        shape[g, 0], shape[g, 1] = np.cos(geometry[g, 2]), np.sin(geometry[g, 2])
        shape[g, 2], shape[g, 3] = np.exp(-geometry[g, 3]), np.exp(-geometry[g, 4])
    for tile in prange(len(kept)):
        tile_x, tile_y = (tile % across) * TILE, (tile // across) * TILE
        at = visible_start[tile]
        for level in range(len(cells)):
            nx, ny = cells[level]
            x0, x1 = _cell_range(tile_x, width, nx, repeat)
            y0, y1 = _cell_range(tile_y, height, ny, repeat)
            for cy in range(y0, y1 + 1):
                row = first_cell[level] + (cy % ny) * nx
                for cx in range(x0, x1 + 1):
                    cell = row + cx % nx
                    for i in range(cell_start[cell], cell_start[cell + 1]):
                        gaussian[at] = order[i]
                        image[at, 0] = cx // nx
                        image[at, 1] = cy // ny
                        at += 1
        first = visible_start[tile]
        count = at - first
        score = np.empty((count, TEXELS), np.float32)
        best = np.full(TEXELS, np.float32(-1e9))
        fade = np.empty((2, TILE), np.float32)
        for e in range(count):
            g = gaussian[first + e]
            x, y, amplitude = geometry[g, 0], geometry[g, 1], geometry[g, 5]
            c, s, a, b = shape[g]
            # Distance of the cell's middle from the tile's corner, in cells; then the fade over the tile,
            # widened by the half texel of jitter.
            level = placement[g, 0]
            low = np.float32(1.0)
            for axis in range(2):
                n = cells[level, axis]
                middle = placement[g, 1 + axis] + np.float32(0.5) + np.float32(image[first + e, axis] * n)
                for k in range(TILE):
                    place = np.float32((tile_x, tile_y)[axis] + k) + np.float32(0.5)
                    distance = abs(place / size[level, axis] - middle)
                    slack = np.float32(0.5) / size[level, axis]
                    low = min(low, np.float32(2.0) * (np.float32(1.5) - distance - slack))
                    fade[axis, k] = np.float32(2.0) * (np.float32(1.5) - distance + slack)
            high = fade[0].max() * (fade[1].max() > 0)
            if high <= 0:
                state[first + e] = 0
                score[e, :] = np.float32(-1e9)
                continue
            state[first + e] = 1 if low >= 1 else 2
            x += np.float32(image[first + e, 0] * width) - np.float32(tile_x) - np.float32(0.5)
            y += np.float32(image[first + e, 1] * height) - np.float32(tile_y) - np.float32(0.5)
            for j in range(TILE):
                dy = np.float32(j) - y
                for i in range(TILE):
                    dx = np.float32(i) - x
                    u, v = a * (c * dx + s * dy), b * (c * dy - s * dx)
                    score[e, j * TILE + i] = amplitude - np.float32(0.5) * (u * u + v * v)
            for j in range(TILE):
                for i in range(TILE):
                    k = j * TILE + i
                    is_whole = (fade[0, i] > np.float32(1.0)) & (fade[1, j] > np.float32(1.0))
                    best[k] = score[e, k] if is_whole & (score[e, k] > best[k]) else best[k]
        for k in range(TEXELS):
            best[k] -= margin
        total = 0
        for e in range(count):
            if state[first + e]:
                matters = np.uint8(0)
                for k in range(TEXELS):
                    matters |= np.uint8(score[e, k] >= best[k])
                if not matters:
                    state[first + e] = 0
                else:
                    total += 1
        kept[tile] = total
