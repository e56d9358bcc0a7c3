"""Sampling between mips and across footprints: docs/format.md, "Sampling", for many points at once.

The decoder in C (gstex/native/gstex.h) does the work. The classes here are the mips that it reads from: those of a
file, or pictures. This is the reference for the shaders.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from gstex.arrays import BoolArray, F32Array, F64Array, FloatArray, I64Array, U32Array
from gstex.constants import MAX_TAPS
from gstex.decode.mips import check_texels, decode_texels
from gstex.format import MaterialTable, validate
from gstex.limits import MOST_TEXELS
from gstex.native import _core

__all__ = ["MAX_TAPS", "FileLevels", "Levels", "PictureLevels", "footprints", "sample_at", "sample_grid"]

POINTS_AT_ONCE = 1 << 16


class Levels(Protocol):
    """Mips, each to be read at any point. width, height: of mip 0. last: the number of the last mip."""

    width: int
    height: int
    channels: int
    last: int

    def sample(
        self, uv: F64Array, lod: F64Array | None, duv: F64Array | None, max_taps: int, out: F32Array
    ) -> None:
        """Write values float32 [M, C] at uv float64 [M, 2]; lod and duv as of `sample_at`, at most one of them."""


class PictureLevels:
    """Mips as pictures, float32 [H, W, C] each, filtered bilinearly inside a mip.

    srgb: bool [C], channels that are blended as light between mips and taps. repeat: False clamps.
    """

    def __init__(self, mips: Sequence[F32Array], srgb: BoolArray, *, repeat: bool):
        self.height, self.width, self.channels = mips[0].shape
        self.last = len(mips) - 1
        self.is_srgb = np.asarray(srgb, bool)
        self._pictures = _core.Pictures([np.ascontiguousarray(mip, np.float32) for mip in mips], repeat)

    def sample(
        self, uv: F64Array, lod: F64Array | None, duv: F64Array | None, max_taps: int, out: F32Array
    ) -> None:
        """See `Levels`."""
        _sample_pictures(self._pictures, self, self.is_srgb, uv, lod, duv, max_taps, out)


class FileLevels:
    """The mips of a file.

    four_fetches: blend the four texels around a point, as bilinear filtering does, instead of evaluating at the point.
    A mip is then decoded when many points read it, and kept.
    """

    def __init__(self, source: U32Array | MaterialTable, *, four_fetches: bool):
        self._table = source if isinstance(source, MaterialTable) else validate(source)
        header = self._table.header
        self.width, self.height, self.channels = header.width, header.height, len(header.channels)
        self.last = header.mip_count - 1
        self.is_srgb = header.srgb
        self._decoded: dict[int, F32Array] | None = {} if four_fetches else None

    def sample(
        self, uv: F64Array, lod: F64Array | None, duv: F64Array | None, max_taps: int, out: F32Array
    ) -> None:
        """See `Levels`."""
        if self._decoded is None:
            self._table.section.sample(uv, lod, duv, bilinear=False, max_taps=max_taps, out=out)
            return
        read = _mips_read(self, len(uv), lod, duv, max_taps)
        missing = [mip for mip in read if mip not in self._decoded]
        texels = sum(max(1, self.width >> mip) * max(1, self.height >> mip) for mip in missing)
        is_tail = self._table.header.first_mip > 0
        if is_tail or texels > 4 * sum(read.values()) or texels * self.channels > MOST_TEXELS:
            # Mips are missing, the points are few, or the mips are too large to keep. Both ways give the same bits.
            self._table.section.sample(uv, lod, duv, bilinear=True, max_taps=max_taps, out=out)
            return
        self._decoded |= {mip: decode_texels(self._table, mip) for mip in missing}
        pictures = _core.Pictures([self._decoded.get(mip) for mip in range(self.last + 1)], self._table.header.repeat)
        _sample_pictures(pictures, self, self.is_srgb, uv, lod, duv, max_taps, out)
        for c, channel in enumerate(self._table.header.channels):
            if channel.constant is not None:  # the blend of texels and mips gives it but for rounding
                out[:, c] = min(max(channel.constant, 0.0), 1.0)


def sample_at(
    levels: Levels,
    uv: FloatArray,
    *,
    lod: FloatArray | None = None,
    duv: FloatArray | None = None,
    max_taps: int = MAX_TAPS,
) -> F32Array:
    """Sample a texture at points.

    Args:
        uv: float [M, 2], finite; u across, v down, 0..1 over the texture, beyond it wrapped or clamped.
        lod: float [M], not NaN, clamped to the mips there are; None for mip 0.
        duv: float [M, 2, 2], finite: (du, dv) of a step to the right and of a step down on the screen; None to
            take lod and one tap.
        max_taps: most taps of a footprint; numbers other than 8 serve comparisons.

    Returns:
        float32 [M, C] in 0..1, encoded as stored.
    """
    out = np.empty((len(uv), levels.channels), np.float32)
    points = np.ascontiguousarray(uv, np.float64)
    details = None if duv is not None or lod is None else np.ascontiguousarray(lod, np.float64)
    steps = None if duv is None else np.ascontiguousarray(duv, np.float64)
    if len(points):
        levels.sample(points, details, steps, max_taps, out)
    return out


def sample_grid(levels: Levels, width: int, height: int, *, max_texels: int | None = None) -> F32Array:
    """The whole texture at another size: each texel samples its centre with its own area as the footprint.

    Args:
        max_texels: see `check_texels`.

    Returns:
        float32 [height, width, C] in 0..1, encoded as stored.
    """
    count = width * height * levels.channels
    check_texels(count, f"{width}x{height} in {levels.channels} channels", max_texels)
    out = np.empty((height, width, levels.channels), np.float32)
    u = (np.arange(width) + 0.5) / width
    rows = max(1, POINTS_AT_ONCE // width)
    for first in range(0, height, rows):
        v = (np.arange(first, min(first + rows, height)) + 0.5) / height
        uv = np.stack(np.meshgrid(u, v), axis=2).reshape(-1, 2)  # [rows * width, 2]
        duv = np.broadcast_to(np.diag([1 / width, 1 / height]), (len(uv), 2, 2))
        out[first : first + len(v)] = sample_at(levels, uv, duv=duv).reshape(len(v), width, -1)
    return out


def footprints(
    duv: FloatArray, width: int, height: int, max_taps: int = MAX_TAPS
) -> tuple[F64Array, I64Array, F64Array]:
    """Level of detail and taps of pixels whose two steps on the screen cover `duv` of a texture.

    A pixel covers a parallelogram with the second moments of an ellipse, whose axes (the singular values of
    duv in texels) say how long and how wide it is. Unlike the lengths of the two steps they do not depend on
    how the screen lies over the texture.

    Args:
        duv: float [M, 2, 2], see `sample_at`.
        width, height: of mip 0.

    Returns:
        lod float64 [M] (-inf for a footprint of no size), taps int64 [M] in 1..max_taps, and step float64 [M, 2]:
        from one tap to the next in uv.
    """
    steps = np.ascontiguousarray(duv, np.float64)
    lod, taps, step = np.empty(len(steps)), np.empty(len(steps), np.int64), np.empty((len(steps), 2))
    _core.footprints(steps, width, height, max_taps, lod, taps, step)
    return lod, taps, step


def _mips_read(
    levels: Levels, count: int, lod: F64Array | None, duv: F64Array | None, max_taps: int
) -> dict[int, int]:
    """Mip -> how often these points read it, without the mips that they do not read."""
    taps = np.ones(count, np.int64)
    if duv is not None:
        lod, taps, _ = footprints(duv, levels.width, levels.height, max_taps)
    lod = np.zeros(count) if lod is None else np.clip(lod, 0, levels.last)
    fine = np.floor(lod).astype(np.int64)
    reads = np.bincount(fine, taps, levels.last + 2) + np.bincount(fine + 1, taps * (lod > fine), levels.last + 2)
    return {int(mip): int(reads[mip]) for mip in np.flatnonzero(reads)}


def _sample_pictures(
    pictures: _core.Pictures, levels: Levels, is_srgb: BoolArray, uv: F64Array, lod: F64Array | None,
    duv: F64Array | None, max_taps: int, out: F32Array,
) -> None:  # fmt: skip
    srgb = sum(1 << int(channel) for channel in np.flatnonzero(is_srgb))
    pictures.sample(uv, lod, duv, levels.width, levels.height, srgb, max_taps, out)
