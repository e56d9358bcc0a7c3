"""Where Gaussians start."""

import numpy as np

from gstex.encode.problem import Target
from gstex.native.maths import log

# Share of the Gaussians that start anywhere, so that flat areas are covered too; the rest follow the image's
# gradient (Image-GS, section 3.2: content-adaptive initialisation, the same 0.3).
UNIFORM_SHARE = 0.3


def start_gaussians(
    target: Target, weight: np.ndarray, count: int, sigma: float, rng: np.random.Generator, *, repeat: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Draw starting Gaussians.

    Args:
        weight: float32 [C], what the channels count.
        repeat: the gradient wraps at the borders.
        count: how many. sigma: their radius in texels.

    Returns:
        (geometry float32 [N, 6], features float32 [N, C]), the image's values where they stand.
    """
    image = target.image
    change = np.zeros(image.shape[:2])
    for c in range(target.channels):
        values = image[:, :, c]
        importance = target.importance[:, :, target.plane[c]] * weight[c]
        for axis in (0, 1):
            if repeat:
                difference = (np.roll(values, -1, axis) - np.roll(values, 1, axis)) / 2
            else:
                difference = np.gradient(values, axis=axis) if image.shape[axis] > 1 else np.zeros_like(values)
            change += importance * difference**2
    change = np.sqrt(change)
    total = change.sum()
    uniform = UNIFORM_SHARE if total > 0 else 1.0
    density = (1 - uniform) * change / max(total, 1e-30) + uniform / change.size
    return gaussians_at(image, density, count, sigma, rng)


def gaussians_at(
    image: np.ndarray, density: np.ndarray, count: int, sigma: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw `count` small round Gaussians at texels chosen with probability `density` [H, W] (any sum > 0)."""
    probability = density.ravel().astype(np.float64)
    probability /= probability.sum()
    # Without repetition where there are enough texels to choose from.
    repeat = bool(count > np.count_nonzero(probability))
    texel = rng.choice(probability.size, count, replace=repeat, p=probability)
    row, column = np.divmod(texel, image.shape[1])
    geometry = np.zeros((count, 6), np.float32)
    geometry[:, 0] = column + rng.random(count)
    geometry[:, 1] = row + rng.random(count)
    geometry[:, 3:5] = log(sigma)
    return geometry, image[row, column].astype(np.float32)
