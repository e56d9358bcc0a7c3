"""The blend of Image-GS and its gradient: tile lists by 3-sigma extent, and the top 10 of the list in every texel.

    value(p) = sum w_k f_k / (1e-4 + sum w_k),  w_k = exp(s_k),  s_k = -((a_k u_k)^2 + (b_k v_k)^2) / 2

over the TOP_K Gaussians of largest weight among those listed in the texel's tile; 0 where none is listed.

Geometry is [N, 5]: x, y (of the image, 0..1), rotation (radians), inverse scales a, b (1 / texel, of either sign).
An *entry* is a Gaussian in the list of a tile; entries are in CSR form, tiles row by row. H, W: size of the image, C:
channels. Floats may be float32 or float64, one of them throughout.
"""

import numpy as np
from numba import njit, prange

__all__ = ["EPSILON", "TILE", "TOP_K", "backward", "forward", "list_tiles"]

TILE = 16  # texels, each way
TOP_K = 10
EPSILON = 1e-4  # of the denominator

_MATH = {"reassoc", "contract", "nsz", "arcp"}


def list_tiles(geometry: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(start int64 [T + 1], gaussian int32 [E]): the Gaussians of each tile, in their order.

    A Gaussian is listed wherever the square of 3 larger sigmas around its centre reaches, in whole texels.
    """
    largest = 1 / np.maximum(np.abs(geometry[:, 3:5]).min(axis=1), 1e-9)
    radius = np.minimum(np.ceil(3 * largest), 4.0 * max(height, width))
    count = np.array([-(-width // TILE), -(-height // TILE)])
    centre = geometry[:, :2] * (width, height)
    first = np.clip(np.floor((centre - radius[:, None]) / TILE), 0, count).astype(np.int64)
    last = np.clip(np.floor((centre + radius[:, None]) / TILE) + 1, 0, count).astype(np.int64)
    start = np.zeros(count[0] * count[1] + 1, np.int64)
    _count(first, last, count[0], start)
    start = np.cumsum(start)
    gaussian = np.empty(start[-1], np.int32)
    _fill(first, last, count[0], start[:-1].copy(), gaussian)
    return start, gaussian


@njit(cache=True)
def _count(first, last, across, start):
    for g in range(len(first)):
        for y in range(first[g, 1], last[g, 1]):
            for x in range(first[g, 0], last[g, 0]):
                start[1 + y * across + x] += 1


@njit(cache=True)
def _fill(first, last, across, at, gaussian):
    for g in range(len(first)):
        for y in range(first[g, 1], last[g, 1]):
            for x in range(first[g, 0], last[g, 0]):
                tile = y * across + x
                gaussian[at[tile]] = g
                at[tile] += 1


@njit(cache=True, parallel=True, fastmath=_MATH)
def forward(start, gaussian, geometry, features, out, chosen, weights):
    """Fill out [H, W, C], and for `backward` chosen int32 [H, W, TOP_K], the entries that take part in each texel
    (-1: none), and weights [H, W, TOP_K], theirs."""
    real = geometry.dtype.type  # a constant of another type would drag everything to float64
    half, epsilon = real(0.5), real(EPSILON)
    height, width, channels = out.shape
    across = -(-width // TILE)
    for tile in prange(len(start) - 1):
        x0, y0 = (tile % across) * TILE, (tile // across) * TILE
        e0 = start[tile]
        count = start[tile + 1] - e0
        terms = np.empty((count, 6), geometry.dtype)
        for i in range(count):
            x, y, t, a, b = geometry[gaussian[e0 + i]]
            c, s = np.cos(t), np.sin(t)
            terms[i] = np.array([x * width - x0, y * height - y0, a * c, a * s, b * s, b * c])
        score = np.empty((count, TILE), geometry.dtype)
        best = np.empty(TOP_K, geometry.dtype)
        who = np.empty(TOP_K, np.int64)
        for row in range(y0, min(y0 + TILE, height)):
            for i in range(count):
                x, ac, as_, bs, bc = terms[i, 0], terms[i, 2], terms[i, 3], terms[i, 4], terms[i, 5]
                dy = real(row - y0) + half - terms[i, 1]
                u0, v0 = as_ * dy, bc * dy
                for k in range(TILE):
                    dx = real(k) + half - x
                    u, v = ac * dx + u0, v0 - bs * dx
                    score[i, k] = -half * (u * u + v * v)
            for k in range(min(TILE, width - x0)):
                found = 0
                for i in range(count):
                    value = score[i, k]
                    if found == TOP_K and value <= best[TOP_K - 1]:
                        continue
                    at = min(found, TOP_K - 1)  # the last one goes, the others make room
                    while at > 0 and best[at - 1] < value:
                        best[at] = best[at - 1]
                        who[at] = who[at - 1]
                        at -= 1
                    best[at] = value
                    who[at] = i
                    found = min(found + 1, TOP_K)
                out[row, x0 + k] = 0
                total = epsilon
                for j in range(TOP_K):
                    chosen[row, x0 + k, j] = e0 + who[j] if j < found else -1
                    weights[row, x0 + k, j] = np.exp(best[j]) if j < found else 0
                    total += weights[row, x0 + k, j]
                for j in range(found):
                    share = weights[row, x0 + k, j] / total
                    g = gaussian[e0 + who[j]]
                    for c in range(channels):
                        out[row, x0 + k, c] += share * features[g, c]


def backward(
    start: np.ndarray, gaussian: np.ndarray, geometry: np.ndarray, features: np.ndarray, out: np.ndarray,
    chosen: np.ndarray, weights: np.ndarray, v_out: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(v_geometry [N, 5], v_features [N, C]) for v_out = dL/dout [H, W, C], with what `forward` was given and filled.

    Which Gaussians take part is taken as given.
    """
    v_entry = np.zeros((len(gaussian), 5 + features.shape[1]), geometry.dtype)
    _backward(start, gaussian, geometry, features, out, chosen, weights, v_out, v_entry)
    v_all = np.zeros((len(geometry), v_entry.shape[1]), geometry.dtype)
    _gather(gaussian, v_entry, v_all)
    return v_all[:, :5], v_all[:, 5:]


@njit(cache=True, parallel=True, fastmath=_MATH)
def _backward(start, gaussian, geometry, features, out, chosen, weights, v_out, v_entry):
    real = geometry.dtype.type
    half, epsilon = real(0.5), real(EPSILON)
    height, width, channels = out.shape
    across = -(-width // TILE)
    for tile in prange(len(start) - 1):
        x0, y0 = (tile % across) * TILE, (tile // across) * TILE
        e0 = start[tile]
        terms = np.empty((start[tile + 1] - e0, 6), geometry.dtype)
        for i in range(len(terms)):
            x, y, t, a, b = geometry[gaussian[e0 + i]]
            terms[i] = np.array([x * width - x0, y * height - y0, np.cos(t), np.sin(t), a, b])
        for row in range(y0, min(y0 + TILE, height)):
            for column in range(x0, min(x0 + TILE, width)):
                total = epsilon
                for j in range(TOP_K):
                    total += weights[row, column, j]
                for j in range(TOP_K):
                    e = chosen[row, column, j]
                    if e < 0:
                        break
                    g = gaussian[e]
                    share = weights[row, column, j] / total
                    v_score = real(0)
                    for c in range(channels):
                        v = v_out[row, column, c]
                        v_score += v * (features[g, c] - out[row, column, c])
                        v_entry[e, 5 + c] += v * share
                    v_score *= share
                    x, y, cos, sin, a, b = terms[e - e0]
                    dx, dy = real(column - x0) + half - x, real(row - y0) + half - y
                    u, v = cos * dx + sin * dy, cos * dy - sin * dx
                    v_entry[e, 0] += v_score * (a * a * u * cos - b * b * v * sin) * width
                    v_entry[e, 1] += v_score * (a * a * u * sin + b * b * v * cos) * height
                    v_entry[e, 2] += v_score * (b * b - a * a) * u * v
                    v_entry[e, 3] -= v_score * a * u * u
                    v_entry[e, 4] -= v_score * b * v * v


@njit(cache=True)
def _gather(gaussian, v_entry, v_all):
    """Sum over entries, in their order: the result does not depend on the number of threads."""
    for e in range(len(gaussian)):
        v_all[gaussian[e]] += v_entry[e]
