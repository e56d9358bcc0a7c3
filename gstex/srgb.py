"""The sRGB transfer function (IEC 61966-2-1), on arrays of any float dtype and shape, values in 0..1."""

import numpy as np

from gstex.arrays import AnyArray, FloatArray
from gstex.native import maths

__all__ = ["linear_to_srgb", "srgb_to_linear"]


def srgb_to_linear(stored: FloatArray) -> AnyArray:
    """Stored sRGB values [...] -> linear light, of the shape and dtype given."""
    curve = maths.power((np.maximum(stored, 0) + 0.055) / 1.055, 2.4)
    return np.where(stored <= 0.04045, stored / 12.92, curve).astype(np.result_type(stored), copy=False)


def linear_to_srgb(light: FloatArray) -> AnyArray:
    """Linear light [...] -> stored sRGB values, the inverse of `srgb_to_linear`, of the shape and dtype given."""
    curve = 1.055 * maths.power(np.maximum(light, 0), 1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, curve).astype(np.result_type(light), copy=False)
