"""The perceptual loss of the fit and its gradient with respect to the image.

    loss = sum over texels and channels of importance * ((1 - l) |image - target| + l (1 - SSIM)),  l = 0.2

The mix and its share are those of 3D Gaussian Splatting (Kerbl et al. 2023, eq. 7); Image-GS takes the same
two terms as 1 to 0.1. SSIM is Wang et al. 2004, eq. 13, per channel, with their Gaussian window of 11x11 and
sigma 1.5.

Window means are weighted by the importance and count only texels inside the image. So the window is
renormalised at the borders, and texels that do not matter (colour under zero opacity) do not disturb their
neighbours.
"""

import numpy as np
from numba import njit, prange

# Share of the SSIM term.
SSIM_SHARE = 0.2
# (K1 L)^2 and (K2 L)^2 of Wang et al. 2004 for values of range L = 1.
C1, C2 = 0.01**2, 0.03**2
RADIUS, SIGMA = 5, 1.5


def _window() -> np.ndarray:
    taps = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    return taps / taps.sum()


# One axis of the window, float64 [11], sum 1.
WINDOW = _window()


def perceptual(image: np.ndarray, target: np.ndarray, importance: np.ndarray) -> tuple[float, np.ndarray]:
    """The loss and its gradient.

    image, target: float32 [H, W, C], values of 0..1 (the image may leave the range).
    importance: float32 [H, W, C], not negative.
    Returns (loss, v_image float32 [H, W, C]). Where image = target, |image - target| has a gradient of 0.
    """
    loss = 0.0
    v_image = np.empty(image.shape, np.float32)
    for c in range(image.shape[2]):
        x, y, w = (np.ascontiguousarray(a[:, :, c], np.float32) for a in (image, target, importance))
        difference = x - y
        dissimilarity, v_dissimilarity = _ssim_term(x, y, w)
        loss += (1 - SSIM_SHARE) * float((w * np.abs(difference)).sum(dtype=np.float64))
        loss += SSIM_SHARE * dissimilarity
        v_image[:, :, c] = np.float32(1 - SSIM_SHARE) * w * np.sign(difference)
        v_image[:, :, c] += np.float32(SSIM_SHARE) * v_dissimilarity
    return loss, v_image


def _ssim_term(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[float, np.ndarray]:
    """The sum of w (1 - SSIM) and its gradient with respect to x, all float32 [H, W]."""
    norm = windowed(w)
    # Without any importance under the window the texel itself has none either: its SSIM counts for nothing.
    inverse = 1 / np.maximum(norm, np.finfo(np.float32).tiny) * (norm > 0)

    def mean(a: np.ndarray) -> np.ndarray:
        return windowed(w * a) * inverse

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    c1, c2 = np.float32(C1), np.float32(C2)
    top1, bottom1 = 2 * mean_x * mean_y + c1, mean_x**2 + mean_y**2 + c1
    top2, bottom2 = 2 * covariance + c2, variance_x + variance_y + c2
    # Two quotients, each exactly 1 for identical images.
    luminance, structure = top1 / bottom1, top2 / bottom2
    ssim = luminance * structure

    # Derivatives of SSIM with respect to mean(x y), mean(x x) and mean(x), each holding the others fixed.
    by_xy = 2 * luminance / bottom2
    by_xx = -ssim / bottom2
    by_x = 2 * structure * (mean_y - mean_x * luminance) / bottom1 - mean_y * by_xy - 2 * mean_x * by_xx

    # The transpose of `mean`: the window is symmetric, the weights change places.
    def spread(v: np.ndarray) -> np.ndarray:
        return w * windowed(v * w * inverse)

    v_x = -(spread(by_x) + 2 * x * spread(by_xx) + y * spread(by_xy))
    return float((w * (1 - ssim)).sum(dtype=np.float64)), v_x


def windowed(plane: np.ndarray) -> np.ndarray:
    """Convolve float [H, W] with the window, in its own precision; beyond the borders it is 0."""
    out = np.empty_like(plane)
    _convolve(plane, WINDOW.astype(plane.dtype), out)
    return out


@njit(cache=True, parallel=True)
def _convolve(plane, taps, out):
    height, width = plane.shape
    radius = len(taps) // 2
    for y in prange(height):
        # Columns first, into a row with a border of zeros; then along that row.
        row = np.zeros(width + 2 * radius, plane.dtype)
        for k in range(len(taps)):
            source = y + k - radius
            if 0 <= source < height:
                for x in range(width):
                    row[radius + x] += taps[k] * plane[source, x]
        for x in range(width):
            out[y, x] = 0
        for k in range(len(taps)):
            for x in range(width):
                out[y, x] += taps[k] * row[x + k]
