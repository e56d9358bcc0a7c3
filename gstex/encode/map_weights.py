"""How much the squared error of each map counts, so that no map is left behind.

A fit that adds up the squared errors of all channels may leave one map far worse than it would be alone, because all
share one density of Gaussians. Reverse water-filling (Cover and Thomas, "Elements of Information Theory", 10.3.3) tells
what is fair: a transform codec that spends its bits where they lower the sum most leaves every
coefficient of every channel an error of at most one level, the same for all. For the level at which such a codec has
the error of the fit, a map that is worse in the fit counts more, and one that is better counts less.
"""

from dataclasses import dataclass

import numpy as np

from gstex.arrays import F32Array, F64Array, IntArray
from gstex.native import _core
from gstex.native.maths import cos, log2, power

# Side of the blocks whose coefficients are taken, and about how many blocks are enough of a picture.
BLOCK, MOST_BLOCKS = 8, 4096
# The weight of a map is the ratio of its error to the fair one, to this power, within these limits.
POWER = 0.5
LEAST, MOST = 0.4, 2.5
# Once features settle to what is stored, a map whose error is more than BEHIND times the fair one (0.3 dB above it) is
# pushed until its error is SLACK times the fair one (0.3 dB below it). Each push is the square root of the ratio of the
# error to that goal, and all pushes together are at most MOST_PUSHED.
BEHIND, SLACK, MOST_PUSHED = float(power(10.0, 0.03)), float(power(10.0, -0.03)), 8.0
# Mean squared error of rounding to 8 bits: below it no map is better than another.
ROUNDING = 1 / (12 * 255**2)
_BISECTIONS = 40
# Rounds of rotations of principal_axes: each squares what is left off the diagonal.
_TURNS = 12
# An element off the diagonal that is this much smaller than the difference of those on it is as good as 0.
_HARDLY_TURNED = 1e18


def coefficients(image: F32Array) -> F32Array:
    """Squares of the coefficients of a picture float32 [H, W, C] in orthonormal 8x8 cosines, float32 [C, K].

    What is left of a side beyond whole blocks is left out; sides below 8 texels are one block. Of a large picture some
    blocks are taken, see `some_blocks`.
    """
    image = some_blocks(image)
    rows, columns, channels = min(BLOCK, image.shape[0]), min(BLOCK, image.shape[1]), image.shape[2]
    blocks = (image.shape[0] // rows) * (image.shape[1] // columns)
    squares = np.empty((channels, blocks, rows, columns), np.float32)
    _core.block_spectrum(image, _cosines(rows), _cosines(columns), squares)
    return squares.reshape(channels, -1)


def some_blocks(image: F32Array) -> F32Array:
    """A picture [H, W, C] itself if it is small; of a large one every n-th block of 8x8 texels along both axes, side
    by side."""
    down, across = image.shape[0] // BLOCK, image.shape[1] // BLOCK
    step = int(np.sqrt(down * across / MOST_BLOCKS))
    if step <= 1:
        return image
    whole = image[: down * BLOCK, : across * BLOCK].reshape(down, BLOCK, across, BLOCK, -1)
    taken = whole[::step, :, ::step]
    return np.ascontiguousarray(taken).reshape(taken.shape[0] * BLOCK, taken.shape[2] * BLOCK, -1)


def _cosines(size: int) -> F64Array:
    """The orthonormal DCT-II, float64 [size, size], a basis function a row."""
    k = np.arange(size)
    basis = np.sqrt(2 / size) * cos(np.pi * (k + 0.5) * k[:, None] / size)
    basis[0] /= np.sqrt(2)
    return basis


def decorrelated(image: F32Array, maps: IntArray) -> F32Array:
    """A picture float32 [H, W, C] with the channels of every map turned to their principal axes.

    Grey that is stored three times is then one channel of detail and two of nothing, as a codec of colours sees it.
    maps: int [C], the number of each channel's map.
    """
    turned = image.astype(np.float64)
    for number in np.unique(maps):
        channels = np.flatnonzero(maps == number)
        if len(channels) > 1:
            values = [turned[:, :, c].copy() for c in channels]
            away = [v - v.mean() for v in values]
            axes = principal_axes(np.array([[(a * b).sum() for b in away] for a in away]))
            for i, c in enumerate(channels):
                turned[:, :, c] = sum(axes[k, i] * v for k, v in enumerate(values))
    return turned.astype(np.float32)


def principal_axes(matrix: F64Array) -> F64Array:
    """The eigenvectors of a symmetric matrix float64 [n, n] of a few rows, as columns, in no particular order.

    By Jacobi's rotations in a fixed order, with nothing but arithmetic and roots: the same bits everywhere, which a
    library for linear algebra does not promise.
    """
    a, axes = matrix.copy(), np.eye(len(matrix))
    for _ in range(_TURNS):
        for p in range(len(a)):
            for q in range(p + 1, len(a)):
                if a[p, q] == 0:
                    continue
                half = (a[q, q] - a[p, p]) / (2 * a[p, q])
                if abs(half) > _HARDLY_TURNED:
                    continue
                tangent = (1.0 if half >= 0 else -1.0) / (abs(half) + np.sqrt(half * half + 1))
                cosine = 1 / np.sqrt(tangent * tangent + 1)
                sine = tangent * cosine
                for m in (a, a.T, axes):  # columns, rows, and the columns of the axes
                    m[:, p], m[:, q] = cosine * m[:, p] - sine * m[:, q], sine * m[:, p] + cosine * m[:, q]
    return axes


@dataclass(frozen=True)
class Spectrum:
    """Squares of the coefficients of a picture in ascending order, float32 [C, K], and the sums of the first 0 .. K of
    them, float64 [C, K + 1]: a fit asks what is fair some hundred times."""

    ordered: F32Array
    sums: F64Array

    @staticmethod
    def of(squares: F32Array) -> "Spectrum":
        """squares: of `coefficients`."""
        ordered = np.sort(squares, axis=1)
        sums = np.zeros((len(ordered), ordered.shape[1] + 1))
        np.cumsum(ordered, axis=1, dtype=np.float64, out=sums[:, 1:])
        return Spectrum(ordered, sums)

    def errors(self, level: float | F64Array) -> F64Array:
        """Mean squared error of every channel whose coefficients have an error of at most `level`, float64 [C]. level:
        of all channels, or of each."""
        levels = np.broadcast_to(np.asarray(level, np.float32), len(self.ordered))
        below = np.array([np.searchsorted(row, most) for row, most in zip(self.ordered, levels, strict=True)])
        count = self.ordered.shape[1]
        return (self.sums[np.arange(len(below)), below] + (count - below) * level) / count


def bits_at(ordered: F32Array, level: float) -> float:
    """Bits per texel of a codec that leaves each of the coefficients of some channels, float32 [C, K], an error of at
    most `level` (reverse water-filling)."""
    above = np.maximum(ordered / np.float32(level), 1)
    return float(0.5 * log2(above.astype(np.float64)).sum() / ordered.shape[1])


def fair_level(spectrum: Spectrum, mean: float, user_weights: F64Array | None = None) -> float:
    """The level of reverse water-filling at which the mean squared error over channels is `mean`, or all there is if
    that is less. user_weights: of `fair_errors`."""
    low, high = 1e-12, float(spectrum.ordered.max(initial=0.0)) + 1e-12
    for _ in range(_BISECTIONS):
        level = np.sqrt(low * high)
        if spectrum.errors(level if user_weights is None else level / user_weights).mean() < mean:
            low = level
        else:
            high = level
    return high


def fair_errors(spectrum: Spectrum, mean: float, user_weights: F64Array | None = None) -> F64Array:
    """The mean squared error of every channel, float64 [C], at `fair_level`. user_weights: float [C], the weight
    of a channel's squared error; None if all are the same. The level of a channel that counts half is twice as high."""
    level = fair_level(spectrum, mean, user_weights)
    return spectrum.errors(level if user_weights is None else level / user_weights)


def map_weights(
    errors: F64Array, spectrum: Spectrum, maps: IntArray, user_weights: F64Array | None = None
) -> F64Array:
    """What the channels of every map should count, float64 [C] of mean 1.

    Args:
        errors: mean squared error of every channel in the fit, float64 [C].
        spectrum: of the picture.
        maps: number of the map of every channel, int [C].
        user_weights: of `fair_errors`.
    """
    weight = np.clip(power(_above_fair(errors, spectrum, maps, user_weights), POWER), LEAST, MOST)[maps]
    return weight / weight.mean()


def pushed(
    pushes: F64Array, errors: F64Array, spectrum: Spectrum, turned: Spectrum, maps: IntArray,
    user_weights: F64Array | None = None,
) -> F64Array:
    """How many times more every channel should count, float64 [C] of 1 .. MOST_PUSHED, so that in the end no map is
    above what is fair: a step of dual ascent, in logarithms, on the multipliers of that constraint. At least one map is
    not pushed, nor is a map that was never above BEHIND: where all maps are noise, pushes gain nothing.

    Fair is the larger error of two codecs: one stores every channel alone, one the principal axes of every map.

    Args:
        pushes: of the step before, float [C]; 1 in the beginning.
        errors, spectrum, maps, user_weights: see `map_weights`.
        turned: as `spectrum`, of the `decorrelated` picture.
    """
    above = np.minimum(
        _above_fair(errors, spectrum, maps, user_weights), _above_fair(errors, turned, maps, user_weights)
    )
    factors = np.where((above[maps] > BEHIND) | (pushes > 1), np.sqrt(above / SLACK)[maps], 1)
    pushes = np.maximum(pushes * factors, 1)
    return np.minimum(pushes / pushes.min(), MOST_PUSHED)


def _above_fair(errors: F64Array, spectrum: Spectrum, maps: IntArray, user_weights: F64Array | None) -> F64Array:
    """The ratio of the error of every map to the fair one, float64 [maps.max() + 1]."""
    fair = fair_errors(spectrum, float(errors.mean()), user_weights)
    count = np.maximum(np.bincount(maps), 1)
    actual, expected = (np.bincount(maps, e) / count + ROUNDING for e in (errors, fair))
    return actual / expected
