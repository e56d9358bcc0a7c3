"""Colour that opacity hides, kept out of the filters that bring a map to another size."""

import numpy as np

from gstex.arrays import F32Array
from gstex.material.bleed import pull_push
from gstex.material.resample import resample

__all__ = ["fill_hidden", "opacity_at"]

_RINGING = 0.05  # what Lanczos leaves of opacity beyond an edge
_TRUSTED = 1 / 8  # opacity from which a colour counts in full; below it, the colours around count too


def opacity_at(opacity: F32Array, size: tuple[int, ...], *, repeat: bool) -> F32Array:
    """An opacity [H, W] in 0..1 at another size (height, width), less the ringing of the filter if it is resampled."""
    if opacity.shape == size:
        return opacity
    return np.clip(resample(opacity[:, :, None], *size, repeat=repeat)[:, :, 0] - _RINGING, 0.0, 1.0)


def fill_hidden(colors: F32Array, opacity: F32Array, *, repeat: bool) -> F32Array:
    """Replace hidden colours by ones that continue the visible colours around them.

    Args:
        colors: float32 [h, w, C]. opacity: float32 [H, W] in 0..1, of any size.
        repeat: the texture tiles.
    Returns:
        float32 [h, w, C], unchanged where the opacity is above 1/8 (and everywhere if nothing is visible).
    """
    opacity = opacity_at(opacity, colors.shape[:2], repeat=repeat)
    trust = np.clip(opacity[:, :, None].astype(np.float64) / _TRUSTED, 0.0, 1.0)
    if trust.min() >= 1 or not trust.any():
        return colors
    filled = pull_push(colors * trust, trust, repeat=repeat)
    return np.where(trust < 1, filled, colors).astype(np.float32)
