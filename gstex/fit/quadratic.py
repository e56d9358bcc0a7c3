"""The squared error as a quadratic of the features, for fixed shapes.

With w_ti the share of Gaussian i in point t: E(f + d) = E(f) + sum over i of v_i d_i + sum over i, j of A_ij d_i d_j,
with A_ij = sum over t of importance_t w_ti w_tj. A is sparse and the same for all channels that count in the same
points.
"""

import numpy as np
from numba import njit, prange

from . import kernels
from .samples import Blend, Samples
from .tiles import TEXELS, group_by

F = np.float32
# Tiles whose products of shares are held at a time.
CHUNK = 512
# Pairs whose common share in a tile, by their own, is below this are left out.
SMALL = F(1e-4)
# Gaussians that a thread takes at a time.
PART = 256


def make_quadratic(
    samples: Samples, blend: Blend, firsts: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A of the groups whose first channels are given, in CSR form, and dE / d feature.

    Returns:
        row int64 [N + 1] and column int32 [pairs], sorted, each Gaussian with itself among them; value float32
        [pairs, G]; gradient float64 [N, C].
    """
    entries, channels = np.diff(samples.start), samples.target.shape[1]
    slope = np.empty((samples.start[-1], channels), np.float32)
    near_count, near, product = np.empty(samples.start[-1], np.int64), [], []
    largest = np.add.reduceat(entries**2, np.arange(0, len(entries), CHUNK)).max()
    gram = np.empty((len(firsts), largest), np.float32)
    for begin in range(0, len(entries), CHUNK):
        tiles = np.arange(begin, min(begin + CHUNK, len(entries)))
        mine = slice(samples.start[begin], samples.start[tiles[-1] + 1])
        squares = np.concatenate([[0], np.cumsum(entries[tiles] ** 2)])
        _products(tiles, samples.view, samples.origin, samples.start, samples.gaussian, samples.image, samples.faded,
                  blend.derived, samples.where, samples.extent, samples.importance, samples.target, blend.total,
                  blend.out, firsts, squares, gram, slope[mine], near_count[mine])  # fmt: skip
        at = np.concatenate([[0], np.cumsum(near_count[mine])])
        near.append(np.empty(at[-1], np.int32))
        product.append(np.empty((at[-1], len(firsts)), np.float32))
        _list_near(tiles, samples.start, samples.gaussian, squares, gram, at, near[-1], product[-1])
    by_gaussian, by_start = group_by(samples.gaussian, count)
    lists = by_start, by_gaussian, np.concatenate([[0], np.cumsum(near_count)]), np.concatenate(near)
    row = np.zeros(count + 1, np.int64)
    gradient = np.zeros((count, channels))
    _count_pairs(*lists, slope, row, gradient)
    row = np.cumsum(row)
    column, value = np.empty(row[-1], np.int32), np.zeros((row[-1], len(firsts)), np.float32)
    _add_pairs(*lists, np.concatenate(product), row, column, value)
    return row, column, value, gradient


@njit(cache=True, fastmath=kernels.MATH, parallel=True)
def _products(tiles, view, origin, start, gaussian, image, faded, derived, where, extent, importance, target, total,
              out, firsts, squares, gram, slope, near_count):  # fmt: skip
    """gram [G, ..]: for every tile the products of the shares of its entries, summed over its points; those of pairs
    that hardly overlap are set to a negative number. As the sums over tiles keep Cauchy's inequality, all that is left
    out of a pair is below SMALL of the root of what both have with themselves.

    slope [E, C]: dE / d feature of an entry. near_count [E]: how many it overlaps with.
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
        near_count[offset : offset + count] = 1
        for a in range(count):
            for b in range(a):
                counts = False
                for n in range(len(firsts)):
                    own = gram[n, squares[i] + a * (count + 1)] * gram[n, squares[i] + b * (count + 1)]
                    product = gram[n, squares[i] + a * count + b]
                    counts |= product * product > SMALL * SMALL * own
                if counts:
                    near_count[offset + a] += 1
                    near_count[offset + b] += 1
                for n in range(len(firsts)):
                    product = gram[n, squares[i] + a * count + b] if counts else F(-1)
                    gram[n, squares[i] + a * count + b] = product
                    gram[n, squares[i] + b * count + a] = product


@njit(cache=True, parallel=True)
def _list_near(tiles, start, gaussian, squares, gram, at, near, product):
    """The pairs of every entry that overlap: near [P], the other Gaussian, and product [P, G]."""
    for i in prange(len(tiles)):
        first = start[tiles[i]]
        count = start[tiles[i] + 1] - first
        for a in range(count):
            to, offset = at[first - start[tiles[0]] + a], squares[i] + a * count
            for b in range(count):
                if gram[0, offset + b] >= 0:
                    near[to] = gaussian[first + b]
                    for n in range(len(gram)):
                        product[to, n] = gram[n, offset + b]
                    to += 1


@njit(cache=True, parallel=True)
def _count_pairs(by_start, by_gaussian, near_start, near, slope, row, gradient):
    """How many neighbours each Gaussian has, to row[1:], and the sum of the slopes of its entries."""
    count = len(by_start) - 1
    for part in prange(-(-count // PART)):
        seen = np.full(count, -1, np.int32)
        for g in range(part * PART, min((part + 1) * PART, count)):
            found = 0
            for i in range(by_start[g], by_start[g + 1]):
                e = by_gaussian[i]
                for c in range(gradient.shape[1]):
                    gradient[g, c] += slope[e, c]
                for j in range(near_start[e], near_start[e + 1]):
                    if seen[near[j]] != g:
                        seen[near[j]] = g
                        found += 1
            row[g + 1] = found


@njit(cache=True, parallel=True)
def _add_pairs(by_start, by_gaussian, near_start, near, product, row, column, value):
    """The neighbours of each Gaussian, sorted, and the sums of their products."""
    count = len(by_start) - 1
    for part in prange(-(-count // PART)):
        place = np.full(count, -1, np.int64)  # of a neighbour in the lists
        for g in range(part * PART, min((part + 1) * PART, count)):
            first = row[g]
            to = first
            for i in range(by_start[g], by_start[g + 1]):
                e = by_gaussian[i]
                for j in range(near_start[e], near_start[e + 1]):
                    if place[near[j]] < first:
                        place[near[j]] = first
                        column[to] = near[j]
                        to += 1
            column[first:to].sort()
            for i in range(first, to):
                place[column[i]] = i
            for i in range(by_start[g], by_start[g + 1]):
                e = by_gaussian[i]
                for j in range(near_start[e], near_start[e + 1]):
                    for n in range(value.shape[1]):
                        value[place[near[j]], n] += product[j, n]
