"""The CPU kernels of the fit: blend, its gradient, and the cost of removing a Gaussian.

All work on tiles of 8x8 texels (fit/tiles.py) with inner loops over the tile's 64 contiguous texels, which LLVM
turns into SIMD code. Per-entry results are written to their own rows and summed per Gaussian in a fixed order,
so that the result does not depend on the number of threads.

Shapes: T tiles, E entries, N Gaussians, C channels. Images are tiled: [T, C, 64].
`derived` [N, 8] holds x, y, a cos t, a sin t, b sin t, b cos t, amplitude * log2(e), 0 with a = 1 / sigma.
`where` [N, 4] holds the middle of the Gaussian's cell and the size of a cell: x, y in cells, width, height in
texels. `extent` is (width, height) in texels, `jitter` the offset of all sample points from the texel centres.
"""

import numpy as np
from numba import njit, prange

from .. import constants
from ..exp2 import exp2_f32
from .tiles import TEXELS, TILE

F = np.float32
LOG2E = F(constants.LOG2E)
HALF_LOG2E = F(0.5 * constants.LOG2E)
# exp(-20), the weight of the background term (docs/format.md, "Blend").
BACKGROUND_WEIGHT = F(constants.BACKGROUND_WEIGHT)

# Sums may be reordered and contracted for SIMD; NaN and infinity keep their meaning. Helpers are inlined by force:
# as functions they exist twice, optimised differently, in a kernel just compiled and in one loaded from the cache,
# and equal fits would differ in their last bits.
MATH = {"reassoc", "contract", "nsz", "arcp"}


# What decides by comparison (how finely to store, which Gaussians to move) is computed in the order written: numba
# optimises a kernel once more when it stores it, and with fast maths sums may end in another order there, so that the
# first run of a new installation gave other bits than the next. `fastmath=False` has to be said: a function without it
# takes the flags of the function that calls it first.


@njit(cache=True, fastmath=False, forceinline=True)
def _squared_error(out, target, importance, error, v_out):
    """Fill error [64] with the sum over channels of importance * (out - target)^2, and its gradient v_out [C, 64]."""
    error[:] = F(0)
    for c in range(len(out)):
        for k in range(TEXELS):
            difference = out[c, k] - target[c, k]
            scaled = difference * importance[c, k]
            error[k] += scaled * difference
            v_out[c, k] = scaled + scaled


@njit(cache=True, fastmath=False, forceinline=True)
def _removal_cost(weight, feature, out, target, importance):
    """Rise of the squared error over [C, 64] without the entry of normalised weight [64] and feature [C]."""
    cost = np.zeros(TEXELS, np.float32)
    for c in range(len(out)):
        for k in range(TEXELS):
            w = min(weight[k], F(0.999))
            moved = w / (F(1) - w) * (out[c, k] - feature[c])
            error = out[c, k] - target[c, k]
            cost[k] += importance[c, k] * moved * (moved + error + error)
    total = F(0)
    for k in range(TEXELS):
        total += cost[k]
    return total


@njit(cache=True, fastmath=False, forceinline=True)
def _squared_share(weight, importance):
    """Sum over [C, 64] of importance * weight^2 of the entry of normalised weight [64]."""
    share = np.zeros(TEXELS, np.float32)
    for c in range(len(importance)):
        for k in range(TEXELS):
            share[k] += importance[c, k] * weight[k] * weight[k]
    total = F(0)
    for k in range(TEXELS):
        total += share[k]
    return total


@njit(cache=True, parallel=True)
def derive(geometry, derived):
    """Fill `derived` [N, 8] from `geometry` [N, 6] (x, y, rotation, log sigma u, log sigma v, amplitude)."""
    for i in prange(len(geometry)):
        c, s = np.cos(geometry[i, 2]), np.sin(geometry[i, 2])
        a, b = np.exp(-geometry[i, 3]), np.exp(-geometry[i, 4])
        derived[i, 0] = geometry[i, 0]
        derived[i, 1] = geometry[i, 1]
        derived[i, 2] = a * c
        derived[i, 3] = a * s
        derived[i, 4] = b * s
        derived[i, 5] = b * c
        derived[i, 6] = geometry[i, 5] * LOG2E
        derived[i, 7] = F(0)


@njit(cache=True, fastmath=MATH, forceinline=True)
def _origin(tile, across, jitter):
    """The sample point of the tile's first texel."""
    return (
        F((tile % across) * TILE) + F(0.5) + jitter[0],
        F((tile // across) * TILE) + F(0.5) + jitter[1],
    )


@njit(cache=True, fastmath=MATH, forceinline=True)
def _weights(first, last, ox, oy, gaussian, image, faded, derived, where, extent, weight, total):
    """Fill weight [E', 64] and total [64] (background included) for the entries first .. last - 1 of a tile."""
    fade_x, fade_y = np.empty(TILE, np.float32), np.empty(TILE, np.float32)
    total[:] = BACKGROUND_WEIGHT
    for e in range(first, last):
        g = gaussian[e]
        row = weight[e - first]
        shift_x, shift_y = F(image[e, 0]) * extent[0], F(image[e, 1]) * extent[1]
        x, y = derived[g, 0] + shift_x - ox, derived[g, 1] + shift_y - oy
        ac, as_, bs, bc = derived[g, 2], derived[g, 3], derived[g, 4], derived[g, 5]
        amplitude = derived[g, 6]
        for j in range(TILE):
            dy = F(j) - y
            u0, v0 = as_ * dy, bc * dy
            for i in range(TILE):
                dx = F(i) - x
                u, v = ac * dx + u0, v0 - bs * dx
                row[j * TILE + i] = exp2_f32(amplitude - HALF_LOG2E * (u * u + v * v))
        if faded[e]:
            for k in range(TILE):
                fx = F(1.5) - abs((ox + F(k) - shift_x) / where[g, 2] - where[g, 0])
                fy = F(1.5) - abs((oy + F(k) - shift_y) / where[g, 3] - where[g, 1])
                fx, fy = min(max(fx + fx, F(0)), F(1)), min(max(fy + fy, F(0)), F(1))
                fade_x[k] = fx * fx * (F(3) - fx - fx)
                fade_y[k] = fy * fy * (F(3) - fy - fy)
            for j in range(TILE):
                for i in range(TILE):
                    row[j * TILE + i] *= fade_x[i] * fade_y[j]
        for k in range(TEXELS):
            total[k] += row[k]


@njit(cache=True, fastmath=MATH, forceinline=True)
def _blend(first, last, gaussian, features, background, weight, total, out):
    """Normalise `weight` in place and fill out [C, 64] with the blend."""
    for k in range(TEXELS):
        total[k] = F(1) / total[k]
    for c in range(out.shape[0]):
        value = out[c]
        for k in range(TEXELS):
            value[k] = background[c] * BACKGROUND_WEIGHT * total[k]
    for e in range(last - first):
        row = weight[e]
        for k in range(TEXELS):
            row[k] *= total[k]
        feature = features[gaussian[first + e]]
        for c in range(out.shape[0]):
            value, f = out[c], feature[c]
            for k in range(TEXELS):
                value[k] += row[k] * f


@njit(cache=True, fastmath=MATH, forceinline=True)
def _backward(first, last, ox, oy, gaussian, image, derived, features, extent, weight, v_out, inner, v_entry):
    """Gradients of the entries of a tile.

    weight: normalised weights [E', 64]. v_out: dL/dout [C, 64]. inner: [64] = sum over c of v_out * out.
    v_entry [E, 6 + C] gets the sums over the tile of v_s times 1, u, v, u^2, v^2, u v, then v_feature.
    """
    v_score = np.empty(TEXELS, np.float32)
    channels = v_out.shape[0]
    for e in range(first, last):
        g = gaussian[e]
        row = weight[e - first]
        result = v_entry[e]
        for k in range(TEXELS):
            v_score[k] = -inner[k]
        for c in range(channels):
            f = features[g, c]
            v_value = v_out[c]
            v_feature = F(0)
            for k in range(TEXELS):
                v_score[k] += v_value[k] * f
                v_feature += row[k] * v_value[k]
            result[6 + c] = v_feature
        x = derived[g, 0] + F(image[e, 0]) * extent[0] - ox
        y = derived[g, 1] + F(image[e, 1]) * extent[1] - oy
        ac, as_, bs, bc = derived[g, 2], derived[g, 3], derived[g, 4], derived[g, 5]
        m0, mu, mv, muu, mvv, muv = F(0), F(0), F(0), F(0), F(0), F(0)
        for j in range(TILE):
            dy = F(j) - y
            u0, v0 = as_ * dy, bc * dy
            for i in range(TILE):
                dx = F(i) - x
                u, v = ac * dx + u0, v0 - bs * dx
                d = v_score[j * TILE + i] * row[j * TILE + i]
                du, dv = d * u, d * v
                m0 += d
                mu += du
                mv += dv
                muu += du * u
                mvv += dv * v
                muv += du * v
        result[0], result[1], result[2] = m0, mu, mv
        result[3], result[4], result[5] = muu, mvv, muv


@njit(cache=True, fastmath=MATH, parallel=True)
def forward(start, gaussian, image, faded, derived, where, features, background, extent, across, jitter, out):
    """Blend all tiles into out [T, C, 64]."""
    for tile in prange(len(start) - 1):
        first, last = start[tile], start[tile + 1]
        ox, oy = _origin(tile, across, jitter)
        weight = np.empty((last - first, TEXELS), np.float32)
        total = np.empty(TEXELS, np.float32)
        _weights(first, last, ox, oy, gaussian, image, faded, derived, where, extent, weight, total)
        _blend(first, last, gaussian, features, background, weight, total, out[tile])


@njit(cache=True, fastmath=MATH, parallel=True)
def backward(start, gaussian, image, faded, derived, where, features, background, extent, across, jitter,
             v_out, v_entry, v_background):  # fmt: skip
    """Gradients for a given dL/dout [T, C, 64]: v_entry [E, 6 + C] and v_background [T, C]."""
    for tile in prange(len(start) - 1):
        first, last = start[tile], start[tile + 1]
        ox, oy = _origin(tile, across, jitter)
        weight = np.empty((last - first, TEXELS), np.float32)
        total = np.empty(TEXELS, np.float32)
        out = np.empty((v_out.shape[1], TEXELS), np.float32)
        _weights(first, last, ox, oy, gaussian, image, faded, derived, where, extent, weight, total)
        _blend(first, last, gaussian, features, background, weight, total, out)
        _finish(tile, first, last, ox, oy, gaussian, image, derived, features, extent, weight, total, out,
                v_out[tile], v_entry, v_background)  # fmt: skip


@njit(cache=True, fastmath=MATH, forceinline=True)
def _finish(tile, first, last, ox, oy, gaussian, image, derived, features, extent, weight, total, out, v_out,
            v_entry, v_background):  # fmt: skip
    inner = np.zeros(TEXELS, np.float32)
    for c in range(len(out)):
        v_constant = F(0)
        for k in range(TEXELS):
            inner[k] += v_out[c, k] * out[c, k]
            v_constant += v_out[c, k] * total[k]
        v_background[tile, c] = v_constant * BACKGROUND_WEIGHT
    _backward(first, last, ox, oy, gaussian, image, derived, features, extent, weight, v_out, inner, v_entry)


@njit(cache=True, fastmath=MATH, parallel=True)
def step_l2(start, gaussian, image, faded, derived, where, features, background, extent, across, jitter,
            target, importance, v_entry, v_background, loss):  # fmt: skip
    """Forward, squared error and backward in one pass over the tiles.

    target, importance: [T, C, 64]; the loss is the sum of importance * (out - target)^2, by texel in loss [T, 64].
    """
    for tile in prange(len(start) - 1):
        first, last = start[tile], start[tile + 1]
        ox, oy = _origin(tile, across, jitter)
        channels = target.shape[1]
        weight = np.empty((last - first, TEXELS), np.float32)
        total = np.empty(TEXELS, np.float32)
        out = np.empty((channels, TEXELS), np.float32)
        v_out = np.empty((channels, TEXELS), np.float32)
        _weights(first, last, ox, oy, gaussian, image, faded, derived, where, extent, weight, total)
        _blend(first, last, gaussian, features, background, weight, total, out)
        _squared_error(out, target[tile], importance[tile], loss[tile], v_out)
        _finish(tile, first, last, ox, oy, gaussian, image, derived, features, extent, weight, total, out, v_out,
                v_entry, v_background)  # fmt: skip


@njit(cache=True, fastmath=MATH, parallel=True)
def gather(by_gaussian_start, by_gaussian, v_entry, geometry, derived, v_geometry, v_features):
    """Sum the entries of each Gaussian and turn their moments into gradients of `geometry` [N, 6].

    With s = amplitude - (u^2 + v^2) / 2, u = a (c dx + s dy), v = b (c dy - s dx):
    ds/dx = a c u - b s v, ds/dy = a s u + b c v, ds/dlog sigma_u = u^2, ds/dlog sigma_v = v^2,
    ds/drotation = (b/a - a/b) u v.
    """
    channels = v_features.shape[1]
    for g in prange(len(geometry)):
        sums = np.zeros(6 + channels, np.float32)
        for i in range(by_gaussian_start[g], by_gaussian_start[g + 1]):
            row = v_entry[by_gaussian[i]]
            for k in range(6 + channels):
                sums[k] += row[k]
        ratio = np.exp(geometry[g, 3] - geometry[g, 4])  # b / a
        v_geometry[g, 0] = derived[g, 2] * sums[1] - derived[g, 4] * sums[2]
        v_geometry[g, 1] = derived[g, 3] * sums[1] + derived[g, 5] * sums[2]
        v_geometry[g, 2] = (ratio - F(1) / ratio) * sums[5]
        v_geometry[g, 3] = sums[3]
        v_geometry[g, 4] = sums[4]
        v_geometry[g, 5] = sums[0]
        for c in range(channels):
            v_features[g, c] = sums[6 + c]


@njit(cache=True, fastmath=MATH, parallel=True)
def removal(start, gaussian, image, faded, derived, where, features, background, extent, across, jitter,
            target, importance, entry_cost, entry_share, texel_error):  # fmt: skip
    """The rise of the squared error if a Gaussian were removed, per entry, and the error of every texel.

    With w the normalised weight, r = w / (1 - w) and d = out - feature, removing it moves the texel's value by
    r d, so the rise is sum over c of importance * (r^2 d^2 + 2 r d (out - target)).
    entry_cost: [E]. entry_share: [E], the sum over texels and channels of importance * w^2: what the square of an error
    of the entry's features counts. texel_error: [T, 64], the squared error summed over channels.
    """
    for tile in prange(len(start) - 1):
        first, last = start[tile], start[tile + 1]
        ox, oy = _origin(tile, across, jitter)
        channels = target.shape[1]
        weight = np.empty((last - first, TEXELS), np.float32)
        total = np.empty(TEXELS, np.float32)
        out = np.empty((channels, TEXELS), np.float32)
        _weights(first, last, ox, oy, gaussian, image, faded, derived, where, extent, weight, total)
        _blend(first, last, gaussian, features, background, weight, total, out)
        texel_error[tile, :] = F(0)
        for c in range(channels):
            for k in range(TEXELS):
                difference = out[c, k] - target[tile, c, k]
                texel_error[tile, k] += importance[tile, c, k] * difference * difference
        for e in range(first, last):
            entry_cost[e] = _removal_cost(
                weight[e - first], features[gaussian[e]], out, target[tile], importance[tile]
            )
            entry_share[e] = _squared_share(weight[e - first], importance[tile])


@njit(cache=True)
def sum_by_gaussian(by_gaussian_start, by_gaussian, entry_values, result):
    """result [N] = sums of entry_values [E] over the entries of each Gaussian, in a fixed order."""
    for g in range(len(result)):
        total = 0.0
        for i in range(by_gaussian_start[g], by_gaussian_start[g + 1]):
            total += entry_values[by_gaussian[i]]
        result[g] = total


@njit(cache=True, parallel=True)
def to_tiles(image, jitter, repeat, tiled):
    """Sample image [H, W, C] bilinearly at the jittered texel centres into tiled [T, C, 64].

    Texels beyond the right and bottom edges hold what wrapping or clamping gives; they carry no importance.
    """
    height, width, channels = image.shape
    across = -(-width // TILE)
    ix, iy = int(np.floor(jitter[0])), int(np.floor(jitter[1]))
    fx, fy = F(jitter[0] - ix), F(jitter[1] - iy)
    for tile in prange(len(tiled)):
        for k in range(TEXELS):
            x0 = (tile % across) * TILE + k % TILE + ix
            y0 = (tile // across) * TILE + k // TILE + iy
            x1, y1 = x0 + 1, y0 + 1
            if repeat:
                x0, x1, y0, y1 = x0 % width, x1 % width, y0 % height, y1 % height
            else:
                x0, x1 = min(max(x0, 0), width - 1), min(max(x1, 0), width - 1)
                y0, y1 = min(max(y0, 0), height - 1), min(max(y1, 0), height - 1)
            for c in range(channels):
                top = image[y0, x0, c] * (F(1) - fx) + image[y0, x1, c] * fx
                bottom = image[y1, x0, c] * (F(1) - fx) + image[y1, x1, c] * fx
                tiled[tile, c, k] = top * (F(1) - fy) + bottom * fy


@njit(cache=True, parallel=True)
def from_tiles(tiled, image):
    """Copy tiled [T, C, 64] back into image [H, W, C]."""
    height, width, channels = image.shape
    across = -(-width // TILE)
    for tile in prange(len(tiled)):
        for k in range(TEXELS):
            x = (tile % across) * TILE + k % TILE
            y = (tile // across) * TILE + k // TILE
            if x < width and y < height:
                for c in range(channels):
                    image[y, x, c] = tiled[tile, c, k]


@njit(cache=True, parallel=True)
def adam(values, gradient, first_moment, second_moment, rate, beta1, beta2, step):
    """One Adam step (Kingma and Ba 2015, algorithm 1) on values [N, P] with a rate [P] per column."""
    correct1, correct2 = F(1) / (F(1) - beta1**step), F(1) / (F(1) - beta2**step)
    for i in prange(len(values)):
        for p in range(values.shape[1]):
            d = gradient[i, p]
            m = beta1 * first_moment[i, p] + (F(1) - beta1) * d
            v = beta2 * second_moment[i, p] + (F(1) - beta2) * d * d
            first_moment[i, p], second_moment[i, p] = m, v
            values[i, p] -= rate[p] * m * correct1 / (np.sqrt(v * correct2) + F(1e-12))
