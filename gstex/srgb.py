"""The sRGB transfer function (IEC 61966-2-1), on arrays of any float dtype and shape, values in 0..1."""

import numpy as np

__all__ = ["linear_to_srgb", "srgb_to_linear"]


def srgb_to_linear(stored: np.ndarray) -> np.ndarray:
    """Stored sRGB values -> linear light."""
    return np.where(stored <= 0.04045, stored / 12.92, ((np.maximum(stored, 0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: np.ndarray) -> np.ndarray:
    """Linear light -> stored sRGB values, the inverse of `srgb_to_linear`."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)
