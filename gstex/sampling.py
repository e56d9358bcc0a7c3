"""Sampling between levels of detail and across footprints: docs/format.md, "Sampling", for many points at once.

One level at one point is `decode.sample_mip`, or bilinear filtering of `decode.decode_mip`; here is what a
texture unit does around that. The reference for the shaders.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from . import decode
from .constants import MAX_TAPS, TAP_SLACK
from .filtering import bilinear
from .srgb import linear_to_srgb, srgb_to_linear

__all__ = ["MAX_TAPS", "FileLevels", "Levels", "footprints", "sample_at", "sample_grid"]

_POINTS_AT_ONCE = 1 << 16


class Levels(Protocol):
    """Levels of detail, each to be read at any point.

    width, height: of level 0. last: the number of the last level. is_srgb: bool [C].
    """

    width: int
    height: int
    channels: int
    last: int
    is_srgb: np.ndarray

    def read(self, uv: np.ndarray, level: int) -> np.ndarray:
        """Values float [P, C] of one level at uv float64 [P, 2]."""


class FileLevels:
    """The levels of a file. With four_fetches a level is decoded when it is first read, and kept."""

    def __init__(self, words: np.ndarray, *, four_fetches: bool):
        self.height, self.width, self.channels = decode.shape(words, 0)
        self.last = (int(words[3]) >> 8 & 0xFF) - 1
        self.is_srgb = (int(words[9]) >> np.arange(self.channels) & 1).astype(bool)
        self._repeat = bool(int(words[3]) >> 24 & 1)
        self._words = words
        self._decoded: dict[int, np.ndarray] | None = {} if four_fetches else None

    def read(self, uv: np.ndarray, level: int) -> np.ndarray:
        # Here in float64; sample_mip would do the same in float32, at less precision far out.
        uv = uv - np.floor(uv) if self._repeat else np.clip(uv, 0, 1)
        if self._decoded is None:
            return decode.sample_mip(self._words, uv, level)
        if level not in self._decoded:
            self._decoded[level] = decode.decode_mip(self._words, level)[0]
        return bilinear(self._decoded[level], uv, repeat=self._repeat)


def sample_at(
    levels: Levels,
    uv: np.ndarray,
    *,
    lod: np.ndarray | None = None,
    duv: np.ndarray | None = None,
    max_taps: int = MAX_TAPS,
) -> np.ndarray:
    """Sample a texture at points.

    Args:
        uv: float [M, 2], finite; u across, v down, 0..1 over the texture, beyond it wrapped or clamped.
        lod: float [M], not NaN, clamped to the levels there are; None for level 0.
        duv: float [M, 2, 2], finite: (du, dv) of a step to the right and of a step down on the screen; None to
            take lod and one tap.
        max_taps: other than 8 only to compare with it.

    Returns:
        float32 [M, C] in 0..1, encoded as stored.
    """
    out = np.empty((len(uv), levels.channels), np.float32)
    for first in range(0, len(uv), _POINTS_AT_ONCE):
        part = slice(first, first + _POINTS_AT_ONCE)
        points = np.asarray(uv[part], np.float64)
        if duv is not None:
            detail, taps, step = footprints(duv[part], levels.width, levels.height, max_taps)
        else:
            detail = np.zeros(len(points)) if lod is None else np.asarray(lod[part], np.float64)
            taps, step = np.ones(len(points), np.int64), np.zeros_like(points)
        out[part] = _blend(levels, points, detail, taps, step)
    return out


def sample_grid(levels: Levels, width: int, height: int) -> np.ndarray:
    """The whole texture at another size: each texel samples its centre with its own area as the footprint.

    Returns:
        float32 [height, width, C] in 0..1, encoded as stored.
    """
    out = np.empty((height, width, levels.channels), np.float32)
    u = (np.arange(width) + 0.5) / width
    rows = max(1, _POINTS_AT_ONCE // width)
    for first in range(0, height, rows):
        v = (np.arange(first, min(first + rows, height)) + 0.5) / height
        uv = np.stack(np.meshgrid(u, v), axis=2).reshape(-1, 2)  # [rows * width, 2]
        duv = np.broadcast_to(np.diag([1 / width, 1 / height]), (len(uv), 2, 2))
        out[first : first + len(v)] = sample_at(levels, uv, duv=duv).reshape(len(v), width, -1)
    return out


def footprints(
    duv: np.ndarray, width: int, height: int, max_taps: int = MAX_TAPS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Level of detail and taps of pixels whose two steps on the screen cover `duv` of a texture.

    A pixel covers a parallelogram with the second moments of an ellipse, whose axes (the singular values of
    duv in texels) say how long and how wide it is. Unlike the lengths of the two steps they do not depend on
    how the screen lies over the texture.

    Args:
        duv: float [M, 2, 2], see `sample_at`.
        width, height: of level 0.

    Returns:
        lod float64 [M] (-inf for a footprint of no size), taps int64 [M] in 1..max_taps, and step float64 [M, 2]:
        from one tap to the next in uv.
    """
    size = np.array([width, height], np.float64)
    ax, ay, bx, by = (np.asarray(duv, np.float64) * size).reshape(-1, 4).T
    half = (ax * ax + bx * bx - ay * ay - by * by) / 2
    mixed = ax * ay + bx * by
    root = np.hypot(half, mixed)
    major = np.sqrt((ax * ax + bx * bx + ay * ay + by * by) / 2 + root)
    minor = np.abs(ax * by - ay * bx) / np.where(major > 0, major, 1)
    # Levels finer than 0 do not exist: taps closer than a texel of level 0 would show nothing new.
    taps = np.clip(np.ceil(major / np.maximum(minor, 1) - TAP_SLACK), 1, max_taps).astype(np.int64)
    with np.errstate(divide="ignore"):
        lod = np.log2(major / taps)
    # The direction of the major axis, in the form that does not cancel.
    x = np.where(half >= 0, half + root, mixed)
    y = np.where(half >= 0, mixed, root - half)
    length = np.hypot(x, y)
    step = np.stack([x, y], axis=1) * (major / taps / np.where(length > 0, length, 1))[:, None]
    return lod, taps, step / size


def _blend(levels: Levels, uv: np.ndarray, lod: np.ndarray, taps: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Values [M, C] of points with `taps` [M] taps `step` [M, 2] apart, at `lod` [M]."""
    lod = np.clip(lod, 0, levels.last)
    fine = np.floor(lod).astype(np.int64)
    coarse_share = lod - fine
    total = np.zeros((len(uv), levels.channels))
    for tap in range(int(taps.max())):
        at = np.flatnonzero(tap < taps)
        here = uv[at] + step[at] * (tap - (taps[at] - 1) / 2)[:, None]
        for level, pick, share in _levels_read(fine[at], coarse_share[at]):
            values = levels.read(here[pick], level).astype(np.float64)
            values[:, levels.is_srgb] = srgb_to_linear(values[:, levels.is_srgb])
            total[at[pick]] += values * (share / taps[at[pick]])[:, None]
    total[:, levels.is_srgb] = linear_to_srgb(total[:, levels.is_srgb])
    return np.clip(total, 0, 1).astype(np.float32)


def _levels_read(fine: np.ndarray, coarse_share: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(level, the points that read it, the share it has in each of them); a share of 0 is not read."""
    for level in range(int(fine.min()), int(fine.max()) + 2):
        share = np.where(fine == level, 1 - coarse_share, np.where(fine + 1 == level, coarse_share, 0))
        pick = np.flatnonzero(share)
        if len(pick):
            yield level, pick, share[pick]
