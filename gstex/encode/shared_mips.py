"""The mips that are drawn with the Gaussians of mip 0 (docs/format.md, "Mip block").

Seen at the size of such a mip, every Gaussian has its variance enlarged by a filter. That is not how a picture is
minified, but the blend is normalised: between the Gaussians that are left visible it stays a smooth partition, and
the fit of mip 0 counts the errors of these mips too (docs/design-notes/0003-mips.md).
"""

import numpy as np

# How many mips below mip 0 are drawn with its Gaussians.
SHARED_MIPS = 4
# Sigma of the filter in texels of the mip.
FILTER = 0.25
# Most weight of such a mip in the loss of mip 0; one that is far worse than mip 0 pulls with less.
WEIGHT = 0.02
# Every so many-th step sees a shared mip. That costs a quarter of a step, and counts for all shared mips and for the
# steps between.
EVERY = 2
# A shared mip has that weight while its mean squared error is at most so many times that of mip 0: 3 dB.
LIMIT = 2.0


def filter_sigma(mip: int) -> float:
    """Sigma of the filter of a shared mip in texels of mip 0, exact in float32."""
    return float(np.float32(FILTER * 2**mip))


def view_weight(mse: float, own_mse: float) -> float:
    """What the squared error of such a mip counts beside that of mip 0, point for point.

    mse: mean of mip 0. own_mse: that of the mip, 0 before its first step.
    """
    return WEIGHT * min(1.0, LIMIT * mse / own_mse) ** 2 if own_mse else WEIGHT
