"""The share of a cut-out that passes an alpha test, and opacity that keeps it in smaller mips.

Averaging makes thin things fainter until the test throws them away whole: a tree goes bald in the distance.
Castano, "Computing Alpha Mipmaps" (2010): scale each level's opacity so that as much passes as in level 0. Where much
of a level has one opacity (the bars of a fence), no factor does that: all of it passes or none. There a part of the
texels takes the larger factor, in an order without a pattern, as Yuksel's "Alpha Distribution" (2018) spreads it.
"""

import numpy as np

from gstex.arrays import F64Array
from gstex.native import maths

__all__ = ["coverage", "keep_coverage"]

_SAMPLES = 1024  # along an axis of a square map, at least 2 and at most 64 a texel
_NEAR = 1e-4     # a coverage that is this near to the target is good enough
_LEFT = 8e-3     # a coverage that is or may get farther than this from the target is worth a second factor
_APART = 0.06    # how far the two factors are from the one at which the coverage jumps, as a share of it
_STEPS = 40      # bisections of a scale over at most 2^20: to 1e-11
_WIDEST = 2.0**20


def coverage(opacity: F64Array, alpha_test: float, *, repeat: bool) -> float:
    """The share 0..1 of the area in which the bilinearly interpolated opacity [H, W] is at least alpha_test."""
    count = int(np.clip(np.ceil(_SAMPLES / np.sqrt(opacity.size)), 2, 64))
    rows = _sample_rows(opacity, count, repeat)
    return float(np.mean(_sample_rows(rows.T, count, repeat) >= alpha_test))


def keep_coverage(opacity: F64Array, alpha_test: float, target: float, *, repeat: bool) -> F64Array:
    """Scale opacity so that its coverage comes as near as it can to a target.

    Args:
        opacity: float64 [H, W]; may leave 0..1, as the Kaiser filter does.
        alpha_test: in (0, 1]. target: the coverage wanted, 0..1.
    Returns:
        float64 [H, W] in 0..1: opacity times one factor, clipped; or times one of two factors where one alone may
        leave more than _LEFT. The factor is 1 where nothing comes nearer, as in the single texel of the last level,
        which passes or does not.
    """
    opacity = np.clip(opacity, 0.0, 1.0)
    best, best_error = opacity, abs(coverage(opacity, alpha_test, repeat=repeat) - target)
    positive = opacity[opacity > 0]
    if positive.size == 0:
        return opacity
    low = maths.log(alpha_test / positive.max())  # with a smaller factor no texel passes
    # A larger factor changes nothing: all is 0 or 1. A texel that just passes does so in a point, which then widens.
    high = maths.log(1 / max(float(positive.min()), float(positive.max()) / _WIDEST))
    for _ in range(_STEPS):
        if best_error <= _NEAR or low >= high:
            break
        middle = (low + high) / 2
        scaled = np.minimum(opacity * maths.exp(middle), 1.0)
        covered = coverage(scaled, alpha_test, repeat=repeat)
        if abs(covered - target) < best_error:
            best, best_error = scaled, abs(covered - target)
        low, high = (middle, high) if covered < target else (low, middle)
    if low < high:
        best_error = max(best_error, _fragility(best, alpha_test, target, repeat))
    if best_error > _LEFT:
        below, above = (np.minimum(opacity * maths.exp((low + high) / 2) * f, 1.0) for f in (1 - _APART, 1 + _APART))
        mixed, error = _mixed(below, above, alpha_test, target, repeat)
        best = mixed if max(error, _fragility(mixed, alpha_test, target, repeat)) < best_error else best
    return best


def _fragility(opacity: F64Array, alpha_test: float, target: float, repeat: bool) -> float:
    """How far the coverage is from the target if all of the opacity is one 8-bit code higher or lower."""
    return max(abs(coverage(opacity, alpha_test + d, repeat=repeat) - target) for d in (-1 / 255, 1 / 255))


def _mixed(
    below: F64Array, above: F64Array, alpha_test: float, target: float, repeat: bool
) -> tuple[F64Array, float]:
    """(opacity of `above` in the first texels of an order and of `below` in the others, distance from the target)."""
    height, width = below.shape
    y, x = np.mgrid[:height, :width]
    # The fractions of a generalised golden ratio (Roberts 2018) are spread evenly over the plane.
    order = np.argsort((x * 0.7548776662466927 + y * 0.5698402909980532) % 1, axis=None, kind="stable")
    rank = np.argsort(order, kind="stable").reshape(below.shape)
    low, high = 0.0, float(below.size)
    best, best_error = below, abs(coverage(below, alpha_test, repeat=repeat) - target)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        share = np.clip(middle - rank, 0.0, 1.0)  # of the larger: 0 or 1, but for one texel
        mixed = below + share * (above - below)
        covered = coverage(mixed, alpha_test, repeat=repeat)
        if abs(covered - target) < best_error:
            best, best_error = mixed, abs(covered - target)
        if best_error <= _NEAR:
            break
        low, high = (middle, high) if covered < target else (low, middle)
    return best, best_error


def _sample_rows(image: F64Array, count: int, repeat: bool) -> F64Array:
    """Interpolate [h, w] linearly at `count` places a row, evenly spread: [h * count, w]."""
    height = image.shape[0]
    y = (np.arange(height * count) + 0.5) / count - 0.5
    first = np.floor(y).astype(np.int64)
    part = (y - first)[:, None]
    if repeat:
        return image[first % height] * (1 - part) + image[(first + 1) % height] * part
    return image[np.clip(first, 0, height - 1)] * (1 - part) + image[np.clip(first + 1, 0, height - 1)] * part
