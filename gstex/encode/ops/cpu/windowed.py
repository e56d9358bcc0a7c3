"""Sums under the window of SSIM, in float64, for metrics."""

import numpy as np

from gstex.arrays import F64Array
from gstex.encode.loss import WINDOW
from gstex.native import _core

__all__ = ["windowed"]


def windowed(plane: F64Array) -> F64Array:
    """Convolve float64 [H, W] with the window; beyond the borders it is 0."""
    sums = np.empty(plane.shape)
    _core.windowed(np.ascontiguousarray(plane, np.float64), WINDOW, sums)
    return sums
