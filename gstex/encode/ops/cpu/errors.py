"""Squared errors of pictures, summed in a fixed order."""

import numpy as np

from gstex.native import _core

__all__ = ["squared_errors"]


def squared_errors(image: np.ndarray, reference: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """The sum over texels of importance (image - reference)^2 by channel, float64 [C]; all float32 [H, W, C]."""
    sums = np.empty(image.shape[2])
    _core.squared_errors(np.ascontiguousarray(image), reference, importance, sums)
    return sums
