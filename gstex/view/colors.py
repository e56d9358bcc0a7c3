"""Colours with a meaning: of the grid levels, and the ramp of the heat map. sRGB in 0..1."""

import numpy as np

__all__ = ["LEVEL_COLORS", "RAMP"]

# Finest level first; the colours repeat after eight. Their hues are far apart and their lightness is about equal.
_EIGHT = np.array([
    (0.36, 0.78, 1.00), (1.00, 0.62, 0.20), (0.45, 0.90, 0.45), (1.00, 0.45, 0.62),
    (0.80, 0.62, 1.00), (0.98, 0.88, 0.35), (0.35, 0.90, 0.82), (0.90, 0.72, 0.55),
])  # fmt: skip
LEVEL_COLORS = np.concatenate([_EIGHT, _EIGHT])  # [16, 3]

# From dark to light, so that it can be read in grey too (eight points of matplotlib's 'inferno').
RAMP = np.array([
    (0.001, 0.000, 0.014), (0.160, 0.043, 0.365), (0.397, 0.083, 0.433), (0.622, 0.165, 0.388),
    (0.832, 0.283, 0.259), (0.961, 0.490, 0.084), (0.982, 0.756, 0.153), (0.988, 1.000, 0.645),
])  # fmt: skip
