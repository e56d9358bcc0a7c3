"""The best feature codes for fixed shapes, in closed form.

With w_ti the share of Gaussian i in point t, the squared error is a quadratic in the features:
E(f + d) = E(f) + sum over i of v_i d_i + sum over i, j of A_ij d_i d_j, with A_ij = sum over t of
importance_t w_ti w_tj. A is sparse and the same for all channels that count in the same points. Codes are whole
numbers, so what is minimised is E over whole steps, one code at a time, until none of them lowers it.
"""

import numpy as np
from numba import njit, prange

from . import kernels
from .samples import Blend, Samples
from .tiles import TEXELS

F = np.float32
# Tiles whose products of shares are held at a time.
CHUNK = 2048
# The error falls by a thousandth of what the first sweep gains long before this many.
MOST_SWEEPS = 30


def improve_features(samples: Samples, blend: Blend, codes: np.ndarray, step: np.ndarray, last: np.ndarray) -> None:
    """Lower the error by moving feature codes [N, C], in place.

    blend: of the samples at these codes. step: float32 [C], a code's value. last: int64 [C], the largest code.
    """
    count, channels = codes.shape
    group, firsts = _equal_channels(samples.importance)
    row, column = _neighbours(samples, count)
    value = np.zeros((len(firsts), len(column)))
    gradient = np.zeros((count, channels))
    entries = np.diff(samples.start)
    for begin in range(0, len(entries), CHUNK):
        tiles = np.arange(begin, min(begin + CHUNK, len(entries)))
        squares = np.concatenate([[0], np.cumsum(entries[tiles] ** 2)])
        gram = np.empty((len(firsts), squares[-1]), np.float32)
        first = samples.start[begin]
        slope = np.empty((samples.start[tiles[-1] + 1] - first, channels), np.float32)
        _products(tiles, samples.view, samples.origin, samples.start, samples.gaussian, samples.image, samples.faded,
                  blend.derived, samples.where, samples.extent, samples.importance, samples.target, blend.total,
                  blend.out, firsts, squares, gram, slope)  # fmt: skip
        _add(tiles, samples.start, samples.gaussian, squares, gram, slope, row, column, value, gradient)
    _descend(row, column, value, gradient, codes, group, step.astype(np.float64), last)


def _equal_channels(importance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the group of every channel, the first channel of every group); channels of a group count in the same points."""
    group, firsts = np.zeros(importance.shape[1], np.int64), [0]
    for c in range(1, len(group)):
        same = [i for i, first in enumerate(firsts) if np.array_equal(importance[:, first], importance[:, c])]
        if not same:
            firsts.append(c)
        group[c] = same[0] if same else len(firsts) - 1
    return group, np.array(firsts)


def _neighbours(samples: Samples, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The Gaussians that share a tile with each, in CSR form, sorted; each is its own neighbour."""
    tile_of = np.repeat(np.arange(len(samples.view)), np.diff(samples.start))
    by_gaussian = np.argsort(samples.gaussian, kind="stable")
    by_start = np.searchsorted(samples.gaussian[by_gaussian], np.arange(count + 1))
    row = np.zeros(count + 1, np.int64)
    arguments = (samples.start, samples.gaussian, by_start, tile_of[by_gaussian], row)
    _list_neighbours(*arguments, np.empty(0, np.int64))
    column = np.empty(row[-1], np.int64)
    _list_neighbours(*arguments, column)
    return row, column


@njit(cache=True)
def _list_neighbours(start, gaussian, by_start, tile_of, row, column):
    """Fill row, and column if it has room."""
    seen = np.full(len(by_start) - 1, -1, np.int64)
    count = 0
    for g in range(len(by_start) - 1):
        first = count
        for i in range(by_start[g], by_start[g + 1]):
            for e in range(start[tile_of[i]], start[tile_of[i] + 1]):
                other = gaussian[e]
                if seen[other] != g:
                    seen[other] = g
                    if len(column):
                        column[count] = other
                    count += 1
        if len(column):
            column[first:count] = np.sort(column[first:count])
        row[g + 1] = count


@njit(cache=True, fastmath=kernels.MATH, parallel=True)
def _products(tiles, view, origin, start, gaussian, image, faded, derived, where, extent, importance, target, total,
              out, firsts, squares, gram, slope):  # fmt: skip
    """gram [G, ..]: for every tile the products of the shares of its entries, summed over its points.

    slope [E, C]: dE / d feature of an entry.
    """
    for i in prange(len(tiles)):
        tile = tiles[i]
        first, last, v = start[tile], start[tile + 1], view[tile]
        count, offset = last - first, first - start[tiles[0]]
        weight = np.empty((count, TEXELS), np.float32)
        scratch = np.empty(TEXELS, np.float32)
        kernels._weights(first, last, origin[tile, 0], origin[tile, 1], gaussian, image, faded, derived[v], where[v],
                         extent[v], weight, scratch)  # fmt: skip
        for e in range(count):
            for k in range(TEXELS):
                weight[e, k] /= total[tile, k]
        for c in range(out.shape[1]):
            for k in range(TEXELS):
                scratch[k] = F(2) * importance[tile, c, k] * (out[tile, c, k] - target[tile, c, k])
            for e in range(count):
                s = F(0)
                for k in range(TEXELS):
                    s += scratch[k] * weight[e, k]
                slope[offset + e, c] = s
        for n in range(len(firsts)):
            for a in range(count):
                for k in range(TEXELS):
                    scratch[k] = weight[a, k] * importance[tile, firsts[n], k]
                for b in range(a + 1):
                    s = F(0)
                    for k in range(TEXELS):
                        s += scratch[k] * weight[b, k]
                    gram[n, squares[i] + a * count + b] = s
                    gram[n, squares[i] + b * count + a] = s


@njit(cache=True)
def _add(tiles, start, gaussian, squares, gram, slope, row, column, value, gradient):
    for i in range(len(tiles)):
        first, count = start[tiles[i]], start[tiles[i] + 1] - start[tiles[i]]
        for a in range(count):
            g = gaussian[first + a]
            gradient[g] += slope[first - start[tiles[0]] + a]
            for b in range(count):
                low, high = row[g], row[g + 1] - 1
                while low < high:
                    middle = (low + high) // 2
                    if column[middle] < gaussian[first + b]:
                        low = middle + 1
                    else:
                        high = middle
                for n in range(len(value)):
                    value[n, low] += gram[n, squares[i] + a * count + b]


@njit(cache=True)
def _descend(row, column, value, gradient, codes, group, step, last):
    own = np.empty((len(value), len(codes)))
    for g in range(len(codes)):
        for i in range(row[g], row[g + 1]):
            if column[i] == g:
                own[:, g] = value[:, i]
    for _ in range(MOST_SWEEPS):
        moved = 0
        for g in range(len(codes)):
            for c in range(codes.shape[1]):
                curvature = own[group[c], g]
                if curvature <= 1e-9 or step[c] == 0:
                    continue
                best = np.rint(codes[g, c] - gradient[g, c] / (2 * curvature * step[c]))
                new = np.int64(min(max(best, 0), last[c]))
                if new != codes[g, c]:
                    moved += 1
                    difference = (new - codes[g, c]) * step[c]
                    codes[g, c] = new
                    for i in range(row[g], row[g + 1]):
                        gradient[column[i], c] += 2 * difference * value[group[c], i]
        if moved * 1000 <= codes.size:
            break
