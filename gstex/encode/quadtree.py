"""Gaussians in the leaves of a quadtree: where a square is far from its mean it is split, until there are enough.

The error of a square is at least that of its quarters together, so the squares of largest error are a tree, whatever
their number. The shape of a Gaussian follows the structure tensor of its leaf, the sum of products of the gradient: it
is long along edges and narrow across.
"""

import numpy as np

from gstex.arrays import AnyArray, F32Array, F64Array, FloatArray, I64Array
from gstex.encode.initialise import gaussians_at
from gstex.encode.problem import Target
from gstex.native.maths import atan, log, power

__all__ = ["halved", "leaves", "quadtree_gaussians"]

# Sigma of a Gaussian as a share of the side of its leaf.
SIGMA = 0.45
# Most that sigma grows along the edges of a leaf, and shrinks across.
STRETCH = 3.0


def quadtree_gaussians(
    target: Target, weight: F32Array, count: int, rng: np.random.Generator
) -> tuple[F32Array, F32Array]:
    """The first Gaussians.

    Args:
        weight: float32 [C], of the channels.
        count: how many. Where the picture is flat there are fewer leaves; the others are drawn anywhere.

    Returns:
        (geometry float32 [N, 6], features float32 [N, C]), the means of the leaves.
    """
    image = target.image
    height, width = image.shape[:2]
    row, column, size, mean = leaves(target, weight, count)
    bottom, right = np.minimum(row + size, height), np.minimum(column + size, width)
    xx, yy, xy = (
        table[bottom, right] - table[row, right] - table[bottom, column] + table[row, column]
        for table in _structure(target, weight)
    )
    # The larger eigenvalue and its vector, the direction of the gradient: (half + gap) and (a, xy).
    half, gap = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    a = np.maximum((xx - yy) / 2 + gap, 1e-12)
    large, small = half + gap + 1e-9, np.maximum(half - gap, 0) + 1e-9
    stretch = np.minimum(power(large / small, 0.25), STRETCH)
    geometry = np.zeros((len(row), 6), np.float32)
    geometry[:, 0], geometry[:, 1] = (column + right) / 2, (row + bottom) / 2
    geometry[:, 2] = atan(xy / a)
    sigma = log(SIGMA * size)
    geometry[:, 3], geometry[:, 4] = sigma - log(stretch), sigma + log(stretch)
    missing = count - len(row)
    if missing > 0:
        more, values = gaussians_at(image, np.ones(image.shape[:2]), missing, 1.0, rng)
        geometry, mean = np.concatenate([geometry, more]), np.concatenate([mean, values])
    return geometry[:count], mean[:count]


def leaves(target: Target, weight: F32Array, count: int) -> tuple[I64Array, I64Array, I64Array, F32Array]:
    """The squares of a quadtree, about `count` of them, those with most error first.

    Returns:
        (row, column, size: int64 [N], texels; mean float32 [N, C]).
    """
    counts = target.weighted(weight).astype(np.float64)
    total, first, second = counts, counts * target.image, (counts * target.image * target.image).sum(axis=2)
    levels, size = [], 1
    while True:
        mean = first / np.maximum(total, 1e-12)
        error = np.maximum(second - (first * mean).sum(axis=2), 0.0)
        levels.append((size, error, total.any(axis=2), mean))
        if max(error.shape) == 1:
            break
        total, first, second = halved(total), halved(first), halved(second)
        size *= 2
    levels.reverse()
    errors = np.concatenate([error.ravel() for _, error, _, _ in levels[:-1]] or [np.zeros(0)])
    split = np.zeros(len(errors), bool)
    split[np.argsort(-errors, kind="stable")[: (count - 1) // 3]] = True
    split &= errors > 0
    squares, start, there = [], 0, np.ones((1, 1), bool)
    for size, error, has_weight, mean in levels:
        height, width = error.shape
        if size < levels[0][0]:
            there = there.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
        inner = np.zeros(error.shape, bool)
        if size > 1:
            inner = there & split[start : start + error.size].reshape(error.shape)
            start += error.size
        row, column = np.nonzero(there & ~inner & has_weight)
        squares.append((row * size, column * size, np.full(len(row), size), error[row, column], mean[row, column]))
        there = inner
    row, column, sizes, left, mean = (np.concatenate(part) for part in zip(*squares, strict=True))
    order = np.argsort(-left, kind="stable")
    return row[order], column[order], sizes[order], mean[order].astype(np.float32)


def halved(values: FloatArray) -> AnyArray:
    """Sums of 2x2 squares of [H, W, ..], of the same dtype; what is missing at the borders counts as 0."""
    height, width = values.shape[:2]
    if height % 2 or width % 2:
        values = np.pad(values, [(0, height % 2), (0, width % 2)] + [(0, 0)] * (values.ndim - 2))
    return (values[::2, ::2] + values[1::2, ::2]) + (values[::2, 1::2] + values[1::2, 1::2])


def _structure(target: Target, weight: F32Array) -> list[F64Array]:
    """Summed-area tables [H + 1, W + 1] of the structure tensor's xx, yy and xy."""
    height, width = target.image.shape[:2]
    tables = [np.zeros((height + 1, width + 1)) for _ in range(3)]
    for c in range(target.channels):
        values = target.image[:, :, c]
        counts = target.importance[:, :, target.plane[c]] * weight[c]
        x, y = np.zeros_like(values), np.zeros_like(values)
        x[:, 1:-1] = values[:, 2:] - values[:, :-2]
        y[1:-1] = values[2:] - values[:-2]
        for table, product in zip(tables, (x * x, y * y, x * y), strict=True):
            table[1:, 1:] += counts * product
    return [table.cumsum(axis=0).cumsum(axis=1) for table in tables]
