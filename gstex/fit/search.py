"""Better codes for positions, shapes and amplitudes: every Gaussian tries the neighbours of its codes.

Training rounds its parameters to codes; this works on the codes themselves. A move changes one Gaussian's weight w at
a point to w', and with the sum of weights S and the blend `out` there the new blend is out + (w' - w) / (S + w' - w)
(feature - out): the rise of the squared error needs nothing of the other Gaussians. The best of the moves is made if it
lowers the error. Gaussians of one batch share no tile, so they move at the same time and the result does not depend
on the number of threads.
"""

import numpy as np
from numba import njit, prange

from ..exp2 import exp2_f32
from . import kernels
from .kernels import HALF_LOG2E, LOG2E
from .quantise import LN2, TAN_22_5, Quantiser
from .samples import Blend, Samples
from .tiles import TEXELS, TILE, group_by

F = np.float32
CODES = 6


def _moves() -> np.ndarray:
    """What a Gaussian tries to add to its codes (position x and y, rotation, scale u and v, amplitude), int64 [M, 6].

    Every code alone, and those together that make up for each other, so that one alone would not be better.
    """
    signs = [(a, b) for a in (-1, 1) for b in (-1, 1)]
    alone = [[sign * (i == code) for i in range(CODES)] for code in range(CODES) for sign in (-1, 1)]
    far = [[2 * sign * (i == code) for i in range(CODES)] for code in range(3) for sign in (-1, 1)]
    slanting = [[a, b, 0, 0, 0, 0] for a, b in signs]
    size = [[0, 0, 0, a, b, 0] for a, b in signs]
    size_and_amplitude = [[0, 0, 0, a, a, b] for a, b in signs]
    return np.array(alone + far + slanting + size + size_and_amplitude)


MOVES = _moves()


def improve_geometry(
    samples: Samples, blend: Blend, quantiser: Quantiser, codes: np.ndarray, features: np.ndarray, sigma_min: float
) -> None:
    """Lower the error by moving geometry codes [N, 6], in place.

    blend: of the samples at these codes and features float32 [N, C]; its sums follow the moves. sigma_min: no move
    makes a sigma, in texels, smaller than that.
    """
    by_gaussian, by_start = group_by(samples.gaussian, len(codes))
    tile_of = np.repeat(np.arange(len(samples.view)), np.diff(samples.start))[by_gaussian]
    batch = np.empty(len(codes), np.int64)
    batches = _choose_batches(by_start, tile_of, len(samples.view), batch)
    order, ends = group_by(batch, batches)
    lasts, cell, size, grids = quantiser.tables()
    for i in range(batches):
        _move(order[ends[i] : ends[i + 1]], by_start, by_gaussian, tile_of, samples.image, samples.view,
              samples.origin, samples.extent, samples.where, samples.scale, samples.filter, samples.target,
              samples.importance, blend.total, blend.out, features, codes, lasts, cell, size, grids,
              float(np.log(sigma_min)) - 1e-6)  # fmt: skip


@njit(cache=True)
def _choose_batches(by_start, tile_of, tiles, batch):
    """Number the batches: each Gaussian goes into the first in which no other has a tile of its own."""
    batch[:] = -1
    taken = np.full(tiles, -1, np.int64)
    left, number = len(batch), 0
    while left:
        for g in range(len(batch)):
            if batch[g] >= 0:
                continue
            free = True
            for i in range(by_start[g], by_start[g + 1]):
                free &= taken[tile_of[i]] != number
            if free:
                batch[g] = number
                left -= 1
                for i in range(by_start[g], by_start[g + 1]):
                    taken[tile_of[i]] = number
        number += 1
    return number


@njit(cache=True)
def _derive(codes, cell, size, grid, scale, sigma, derived):
    """Row of `derived` (see kernels) of codes [6] in a view, and the smaller log sigma.

    grid: position steps x and y a cell, half the rotation codes, lowest scale, scale step, lowest amplitude, its step.
    """
    x = (cell[0] + (codes[0] + 0.5) / grid[0]) * size[0]
    y = (cell[1] + (codes[1] + 0.5) / grid[1]) * size[1]
    half = (codes[2] - grid[2]) * (TAN_22_5 / grid[2])
    c, s = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    lu, lv = -LN2 * (grid[3] + codes[3] * grid[4]), -LN2 * (grid[3] + codes[4] * grid[4])
    mean = (scale[0] + scale[1]) / 2
    a, b = 1 / (mean * np.sqrt(np.exp(2 * lu) + sigma * sigma)), 1 / (mean * np.sqrt(np.exp(2 * lv) + sigma * sigma))
    derived[0], derived[1] = x * scale[0], y * scale[1]
    derived[2], derived[3], derived[4], derived[5] = a * c, a * s, b * s, b * c
    derived[6] = (grid[5] + codes[5] * grid[6]) * LOG2E
    return min(lu, lv)


@njit(cache=True, fastmath=kernels.MATH, forceinline=True)
def _fades(ox, oy, where, fade):
    """fade [2, 8] of a tile by column and by row."""
    for k in range(TILE):
        fx = F(1.5) - abs((ox + F(k)) / where[2] - where[0])
        fy = F(1.5) - abs((oy + F(k)) / where[3] - where[1])
        fx, fy = min(max(fx + fx, F(0)), F(1)), min(max(fy + fy, F(0)), F(1))
        fade[0, k] = fx * fx * (F(3) - fx - fx)
        fade[1, k] = fy * fy * (F(3) - fy - fy)


@njit(cache=True, fastmath=kernels.MATH, forceinline=True)
def _weigh(derived, ox, oy, fade, weight):
    x, y = derived[0] - ox, derived[1] - oy
    ac, as_, bs, bc = derived[2], derived[3], derived[4], derived[5]
    for j in range(TILE):
        dy = F(j) - y
        u0, v0 = as_ * dy, bc * dy
        for i in range(TILE):
            dx = F(i) - x
            u, v = ac * dx + u0, v0 - bs * dx
            weight[j * TILE + i] = exp2_f32(derived[6] - HALF_LOG2E * (u * u + v * v))
    for j in range(TILE):
        for i in range(TILE):
            weight[j * TILE + i] *= fade[0, i] * fade[1, j]


@njit(cache=True, forceinline=True)
def _rise(old, new, feature, total, out, target, importance, move):
    """What the error of a tile gains when a weight goes from old to new. In the order written: it decides."""
    for k in range(TEXELS):
        difference = new[k] - old[k]
        move[k] = difference / max(total[k] + difference, F(1e-12))
    rise = 0.0
    for c in range(len(out)):
        part = np.zeros(TEXELS, np.float32)
        for k in range(TEXELS):
            moved = move[k] * (feature[c] - out[c, k])
            error = out[c, k] - target[c, k]
            part[k] = importance[c, k] * moved * (moved + error + error)
        for k in range(TEXELS):
            rise += part[k]
    return rise


@njit(cache=True, parallel=True)
def _move(batch, by_start, by_gaussian, tile_of, image, view, origin, extent, where, scale, sigma, target, importance,
          total, out, features, codes, lasts, cell, size, grids, log_sigma_min):  # fmt: skip
    for n in prange(len(batch)):
        g = batch[n]
        old, new, move = np.empty(TEXELS, np.float32), np.empty(TEXELS, np.float32), np.empty(TEXELS, np.float32)
        fade = np.empty((2, TILE), np.float32)
        derived = np.empty(8, np.float32)
        before = np.empty(8, np.float32)
        rise = np.zeros(len(MOVES))
        now = codes[g].copy()
        trial = np.empty(CODES, np.int64)
        smallest = _derive(now, cell[g], size[g], grids[g], scale[0], F(0), derived)
        for m in range(len(MOVES)):
            trial[:] = now + MOVES[m]
            sigma_now = _derive(trial, cell[g], size[g], grids[g], scale[0], F(0), derived)
            if (trial < 0).any() or (trial > lasts[g]).any() or sigma_now < min(log_sigma_min, smallest):
                rise[m] = np.inf
        for i in range(by_start[g], by_start[g + 1]):
            tile, e = tile_of[i], by_gaussian[i]
            v = view[tile]
            ox = origin[tile, 0] - F(image[e, 0]) * extent[v, 0]
            oy = origin[tile, 1] - F(image[e, 1]) * extent[v, 1]
            _fades(ox, oy, where[v, g], fade)
            _derive(now, cell[g], size[g], grids[g], scale[v], sigma[v], before)
            _weigh(before, ox, oy, fade, old)
            for m in range(len(MOVES)):
                if rise[m] == np.inf:
                    continue
                trial[:] = now + MOVES[m]
                _derive(trial, cell[g], size[g], grids[g], scale[v], sigma[v], derived)
                _weigh(derived, ox, oy, fade, new)
                rise[m] += _rise(old, new, features[g], total[tile], out[tile], target[tile], importance[tile], move)
        best = np.argmin(rise)
        if not rise[best] < 0:
            continue
        trial[:] = now + MOVES[best]
        codes[g] = trial
        for i in range(by_start[g], by_start[g + 1]):
            tile, e = tile_of[i], by_gaussian[i]
            v = view[tile]
            ox = origin[tile, 0] - F(image[e, 0]) * extent[v, 0]
            oy = origin[tile, 1] - F(image[e, 1]) * extent[v, 1]
            _fades(ox, oy, where[v, g], fade)
            _derive(now, cell[g], size[g], grids[g], scale[v], sigma[v], before)
            _derive(trial, cell[g], size[g], grids[g], scale[v], sigma[v], derived)
            _weigh(before, ox, oy, fade, old)
            _weigh(derived, ox, oy, fade, new)
            for k in range(TEXELS):
                difference = new[k] - old[k]
                total[tile, k] = max(total[tile, k] + difference, F(1e-12))
                move[k] = difference / total[tile, k]
            for c in range(out.shape[1]):
                for k in range(TEXELS):
                    out[tile, c, k] += move[k] * (features[g, c] - out[tile, c, k])
