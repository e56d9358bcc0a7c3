"""The perceptual loss of a fit.

    loss = sum over texels and channels of importance * ((1 - l) |image - target| + l (1 - SSIM)),  l = 0.2

The mix and its share are those of 3D Gaussian Splatting (Kerbl et al. 2023, eq. 7); Image-GS takes the same
two terms as 1 to 0.1. SSIM is Wang et al. 2004, eq. 13, per channel, with their Gaussian window of 11x11 and
sigma 1.5.

Window means are weighted by the importance and count only texels inside the image. So the window is
renormalised at the borders, and texels that do not matter (colour under zero opacity) do not disturb their
neighbours.

ops/cpu/perceptual_loss.py and ops/cuda/perceptual_loss.py compute it; tests/reference/loss.py is a plain version.
"""

import numpy as np

from gstex.arrays import F64Array
from gstex.native import maths

__all__ = ["C1", "C2", "RADIUS", "SIGMA", "SSIM_SHARE", "WINDOW"]

# Share of the SSIM term.
SSIM_SHARE = 0.2
# (K1 L)^2 and (K2 L)^2 of Wang et al. 2004 for values of range L = 1.
C1, C2 = 0.0001, 0.0009
RADIUS, SIGMA = 5, 1.5


def _window() -> F64Array:
    taps = maths.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    return taps / taps.sum()


# One axis of the window, float64 [11], sum 1.
WINDOW = _window()
