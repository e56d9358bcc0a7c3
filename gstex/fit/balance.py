"""How much the squared error of each map counts, so that no map is left behind.

A fit that adds up the squared errors of all channels may leave one map far worse than it would be alone, because all
share one density of Gaussians. What would be fair is told by reverse water-filling (Cover and Thomas, "Elements of
Information Theory", 10.3.3): a transform codec that spends its bits where they lower the sum most leaves every
coefficient of every channel an error of at most one level, the same for all. For the level at which such a codec has
the error of the fit, a map that is worse in the fit counts more, and one that is better counts less.
"""

import numpy as np

# Side of the blocks whose coefficients are taken, and about how many of them say enough of a picture.
BLOCK, MOST_BLOCKS = 8, 4096
# The weight of a map is its error by the fair one, to this power, within these limits.
POWER = 0.5
LEAST, MOST = 0.4, 2.5
# Mean squared error of rounding to 8 bits: below it no map is better than another.
ROUNDING = 1 / (12 * 255**2)
_BISECTIONS = 40


def coefficients(image: np.ndarray) -> np.ndarray:
    """Squares of the coefficients of a picture float32 [H, W, C] in orthonormal 8x8 cosines, float32 [C, K].

    What is left of a side beyond whole blocks is left out; sides below 8 texels are one block. Of a large picture every
    second block is taken, or third, along both axes.
    """
    height, width, channels = image.shape
    rows, columns = min(BLOCK, height), min(BLOCK, width)
    whole = image[: height // rows * rows, : width // columns * columns]
    blocks = whole.reshape(height // rows, rows, width // columns, columns, channels)
    step = max(1, int(np.sqrt(blocks.shape[0] * blocks.shape[2] / MOST_BLOCKS)))
    blocks = blocks[::step, :, ::step]
    along = np.einsum("ka,iajbc->ikjbc", _cosines(rows), blocks, optimize=True)
    both = np.einsum("lb,ikjbc->cikjl", _cosines(columns), along, optimize=True)
    return (both * both).reshape(channels, -1)


def _cosines(size: int) -> np.ndarray:
    """The orthonormal DCT-II, float32 [size, size], a basis function a row."""
    k = np.arange(size)
    basis = np.sqrt(2 / size) * np.cos(np.pi * (k + 0.5) * k[:, None] / size)
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)


def fair_errors(squares: np.ndarray, mean: float) -> np.ndarray:
    """The mean squared error of every channel, float64 [C], whose mean over channels is `mean`, or all there is if that
    is less, by reverse water-filling. squares: of `coefficients`."""
    low, high = 1e-12, float(squares.max(initial=0.0)) + 1e-12
    for _ in range(_BISECTIONS):
        level = np.sqrt(low * high)
        if np.minimum(squares, np.float32(level)).mean(dtype=np.float64) < mean:
            low = level
        else:
            high = level
    return np.minimum(squares, np.float32(high)).mean(axis=1, dtype=np.float64)


def map_weights(errors: np.ndarray, squares: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """What the channels of every map should count, float64 [C] of mean 1.

    Args:
        errors: mean squared error of every channel in the fit, float64 [C].
        squares: of `coefficients` of the picture, [C, K].
        maps: number of the map of every channel, int [C].
    """
    fair = fair_errors(squares, float(errors.mean()))
    count = np.bincount(maps)
    here, expected = (np.bincount(maps, e) / np.maximum(count, 1) + ROUNDING for e in (errors, fair))
    weight = np.clip((here / expected) ** POWER, LEAST, MOST)[maps]
    return weight / weight.mean()
