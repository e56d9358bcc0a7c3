"""Where Gaussians start."""

import numpy as np

from gstex.arrays import F32Array, F64Array, FloatArray, I64Array
from gstex.encode.problem import Target
from gstex.native import _core
from gstex.native.maths import log

# Share of the Gaussians that start anywhere, so that flat areas are covered too; the rest follow the image's
# gradient (Image-GS, section 3.2: content-adaptive initialisation, the same 0.3).
UNIFORM_SHARE = 0.3
# Most rounds in which texels are drawn in place of those that were drawn twice.
_DRAWS = 20


def start_gaussians(
    target: Target, weight: F32Array, count: int, sigma: float, rng: np.random.Generator, *, repeat: bool
) -> tuple[F32Array, F32Array]:
    """Draw starting Gaussians.

    Args:
        weight: float32 [C], of the channels.
        repeat: the gradient wraps at the borders.
        count: how many. sigma: their radius in texels.

    Returns:
        (geometry float32 [N, 6], features float32 [N, C]: the values of the image at the Gaussians).
    """
    change = np.empty(target.image.shape[:2], np.float32)
    _core.gradient_length(target.image, target.importance, target.plane, weight.astype(np.float32), repeat, change)
    total = float(change.sum(dtype=np.float64))
    uniform = UNIFORM_SHARE if total > 0 else 1.0
    density = np.float32((1 - uniform) / max(total, 1e-30)) * change + np.float32(uniform / change.size)
    return gaussians_at(target.image, density, count, sigma, rng)


def gaussians_at(
    image: F32Array, density: FloatArray, count: int, sigma: float, rng: np.random.Generator
) -> tuple[F32Array, F32Array]:
    """Draw `count` small round Gaussians at texels chosen with probability `density` [H, W] (any sum > 0).

    Returns (geometry float32 [count, 6], features float32 [count, C], the values of the image [H, W, C] there).
    """
    texel = draw_texels(density, count, rng)
    row, column = np.divmod(texel, image.shape[1])
    geometry = np.zeros((count, 6), np.float32)
    geometry[:, 0] = column + rng.random(count)
    geometry[:, 1] = row + rng.random(count)
    geometry[:, 3:5] = log(sigma)
    return geometry, image[row, column].astype(np.float32)


def draw_texels(density: FloatArray, count: int, rng: np.random.Generator) -> I64Array:
    """Numbers of texels, int64 [count], each drawn with probability `density` [H, W], row by row. No texel twice where
    there are enough of them."""
    sums = np.cumsum(density, dtype=np.float64)
    able = int(np.count_nonzero(density))
    if count > able:
        return _draw(sums, rng.random(count))
    texels = np.unique(_draw(sums, rng.random(count)))
    for _ in range(_DRAWS):
        if len(texels) == count:
            return texels
        texels = np.union1d(texels, _draw(sums, rng.random(count - len(texels))))
    # A few texels have nearly all of the density: the densest of the others are added.
    rest = density.ravel().copy()
    rest[texels] = 0
    return np.concatenate([texels, np.argsort(-rest, kind="stable")[: count - len(texels)]])


def _draw(sums: F64Array, parts: F64Array) -> I64Array:
    """The texels, int64 [N] in order, at which the running sums of a density reach these parts of the whole."""
    texel = np.searchsorted(sums, np.sort(parts) * sums[-1], side="right")
    last = int(np.searchsorted(sums, sums[-1]))  # the last one with a density: rounding must not go beyond it
    return np.minimum(texel, last)
