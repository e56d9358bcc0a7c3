"""The share of a cut-out that passes an alpha test, and opacity that keeps it in smaller mips.

Averaging makes thin things fainter until the test throws them away whole: a tree goes bald in the distance.
Castano, "Computing Alpha Mipmaps" (2010): scale each level's opacity so that as much passes as in level 0.
"""

import numpy as np

from gstex.native import maths

__all__ = ["coverage", "keep_coverage"]

_SAMPLES = 1024  # along an axis of a square map, at least 2 and at most 64 a texel
_NEAR = 1e-4     # a coverage this near to the target is good enough
_STEPS = 40      # bisections of a scale over at most 2^20: to 1e-11
_WIDEST = 2.0**20


def coverage(opacity: np.ndarray, alpha_test: float, *, repeat: bool) -> float:
    """The share 0..1 of the area in which the bilinearly interpolated opacity [H, W] is at least alpha_test."""
    count = int(np.clip(np.ceil(_SAMPLES / np.sqrt(opacity.size)), 2, 64))
    rows = _sample_rows(opacity, count, repeat)
    return float(np.mean(_sample_rows(rows.T, count, repeat) >= alpha_test))


def keep_coverage(opacity: np.ndarray, alpha_test: float, target: float, *, repeat: bool) -> np.ndarray:
    """Scale opacity so that its coverage comes as near as it can to a target.

    Args:
        opacity: float64 [H, W]; may leave 0..1, as the Kaiser filter does.
        alpha_test: in (0, 1]. target: the coverage wanted, 0..1.
    Returns:
        float64 [H, W] in 0..1: opacity times one factor, clipped. The factor is 1 where nothing comes nearer,
        as in the single texel of the last level, which passes or does not.
    """
    opacity = np.clip(opacity, 0.0, 1.0)
    best, best_error = opacity, abs(coverage(opacity, alpha_test, repeat=repeat) - target)
    positive = opacity[opacity > 0]
    if positive.size == 0:
        return opacity
    low = maths.log(alpha_test / positive.max())  # nothing passes below
    high = maths.log(alpha_test / max(float(positive.min()), float(positive.max()) / _WIDEST))
    high += 1e-9  # so that rounding does not fail a texel that is meant to pass
    for _ in range(_STEPS):
        if best_error <= _NEAR or low >= high:
            break
        middle = (low + high) / 2
        scaled = np.minimum(opacity * maths.exp(middle), 1.0)
        found = coverage(scaled, alpha_test, repeat=repeat)
        if abs(found - target) < best_error:
            best, best_error = scaled, abs(found - target)
        low, high = (middle, high) if found < target else (low, middle)
    return best


def _sample_rows(image: np.ndarray, count: int, repeat: bool) -> np.ndarray:
    """Interpolate [h, w] linearly at `count` places a row, evenly spread: [h * count, w]."""
    height = image.shape[0]
    y = (np.arange(height * count) + 0.5) / count - 0.5
    first = np.floor(y).astype(np.int64)
    part = (y - first)[:, None]
    if repeat:
        return image[first % height] * (1 - part) + image[(first + 1) % height] * part
    return image[np.clip(first, 0, height - 1)] * (1 - part) + image[np.clip(first + 1, 0, height - 1)] * part
