"""Squared errors of pictures, summed in a fixed order."""

import numpy as np

from gstex.arrays import F32Array, F64Array
from gstex.encode.problem import Target
from gstex.native import _core

__all__ = ["squared_errors"]


def squared_errors(image: F32Array, target: Target) -> F64Array:
    """The sum over texels of importance (image - target)^2 by channel, float64 [C]; image: float32 [H, W, C]."""
    sums = np.empty(image.shape[2])
    _core.squared_errors(np.ascontiguousarray(image), target.image, target.importance, target.plane, sums)
    return sums
