"""How finely a fit is stored: the widths and ranges of the codes of a record (docs/format.md, "Record").

A `Coding` holds every width and range of one fit. What codes mean: gstex/encode/ops/cpu/quantisation.py and
codebooks.py.
"""

from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from gstex.arrays import F32Array, F64Array, FloatArray, I32Array, I64Array
from gstex.encode.cell_pyramid import Pyramid
from gstex.format.layout import (
    LEVEL_ENTRY_WORDS,
    LevelLayout,
    index_words,
    mip_block_words,
    record_words,
)
from gstex.native.maths import log, log2

LN2 = float(log(2.0))
# The coordinates of a centre may have so many bits less than asked for, both together, if that shortens the record.
POSITIONS_SHORT = 2


@dataclass(frozen=True)
class Coding:
    """Widths and ranges of all codes of one mip.

    levels: for every level of the pyramid its layout, or None if no Gaussian lies there.
    channel_lo, channel_step: float32 [C]; channel_bits: int64 [C].
    palette_bits: of every palette. palettes: uint8 [2^bits, C] each; () until they are made, after training, when
    channel_lo and channel_step are set too.
    """

    pyramid: Pyramid
    levels: tuple[LevelLayout | None, ...]
    amplitude_lo: float
    amplitude_step: float
    channel_lo: np.ndarray
    channel_step: np.ndarray
    channel_bits: np.ndarray
    palette_bits: tuple[int, ...] = ()
    palettes: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Precision:
    """How finely a fit is stored; every field trades bytes per Gaussian against the number of Gaussians.

    position_step: largest step of a centre that is asked for, in texels (see POSITIONS_SHORT).
    rotation_bits, scale_bits, amplitude_bits: of a record.
    feature_step: largest step of a feature, in values of 0..1.
    """

    position_step: float
    rotation_bits: int
    scale_bits: int
    amplitude_bits: int
    feature_step: float


def channel_grid(lo: float, hi: float, bits: int, neutral: tuple[float, ...]) -> tuple[float, float]:
    """(lo, step) of a grid of 2^bits values over about lo..hi on which the neutral values inside it lie.

    With one neutral value inside the range the grid is shifted by up to half a step; two (0 and 1) are its
    ends.
    """
    last = 2**bits - 1
    inside = [n for n in sorted(neutral) if lo <= n <= hi]
    if len(inside) > 1:
        lo, hi = inside[0], inside[-1]
    step = (hi - lo) / last
    if inside:
        return inside[0] - step * round((inside[0] - lo) / step), step
    return lo, step


def make_coding(
    pyramid: Pyramid,
    placement: I32Array,
    geometry: FloatArray,
    precision: Precision,
    ranges: list[tuple[float, float]],
    neutral: list[tuple[float, ...]],
    shared: Coding | None = None,
    weight: F32Array | None = None,
    palette_bits: tuple[int, ...] = (),
) -> Coding:
    """Choose widths and ranges for Gaussians that are placed for good.

    placement: int32 [N, 3]. geometry: float [N, 6].
    ranges: for every channel the lowest and highest value of the picture, within 0..1; features keep to it.
    neutral: for every channel the values that must decode exactly.
    shared: of mip 0, for the mips below it: amplitudes and channels have one coding for the whole file.
    weight: float32 [C], what the squared error of a channel counts; None for all the same.
    palette_bits: of the palettes that features are entries of; without any, every channel has codes of its own.
    """
    level = placement[:, 0]
    counts = np.bincount(level, minlength=len(pyramid.cells))
    widths = [_position_bits(size, precision) for size in pyramid.cell_size]
    other = precision.rotation_bits + 2 * precision.scale_bits + precision.amplitude_bits
    if shared:
        bits, palette_bits = shared.channel_bits, shared.palette_bits
    elif palette_bits:
        bits = np.zeros(len(ranges), np.int64)
    else:
        # The steps of a channel may be the coarser, the less its error counts.
        finer = np.sqrt(np.ones(len(ranges)) if weight is None else weight)
        extents = np.array([hi - lo for lo, hi in ranges]) * finer
        bits = _feature_bits(extents, precision.feature_step, sum(widths[counts.argmax()]) + other)

    layouts: list[LevelLayout | None] = []
    for i, (x_bits, y_bits) in enumerate(widths):
        if not counts[i]:
            layouts.append(None)
            continue
        inverse = -geometry[level == i][:, 3:5].astype(np.float64) / LN2
        scale_lo, scale_hi = float(np.float32(inverse.min())), float(inverse.max())
        feature_bits = sum(palette_bits) + int(bits.sum())
        stride = record_bits(x_bits + y_bits + other, feature_bits)
        # The spare bits, -2 or more, go to the centre, each of whose coordinates has at least two bits.
        spare = min(stride - feature_bits, 32 + min(gcd(stride, 32), 8)) - (x_bits + y_bits + other)
        layouts.append(
            LevelLayout(
                cells_x=int(pyramid.cells[i, 0]),
                cells_y=int(pyramid.cells[i, 1]),
                stride=stride,
                position_x_bits=x_bits + (spare + 1) // 2,
                position_y_bits=y_bits + spare // 2,
                rotation_bits=precision.rotation_bits,
                scale_bits=precision.scale_bits,
                amplitude_bits=precision.amplitude_bits,
                scale_lo=scale_lo,
                scale_step=_step_below(scale_hi - scale_lo, 2**precision.scale_bits - 1),
            )
        )
    if shared:
        return replace(shared, pyramid=pyramid, levels=tuple(layouts))
    amplitude_lo, amplitude_hi = geometry[:, 5].min(), geometry[:, 5].max()
    grids = [channel_grid(lo, hi, max(int(b), 1), n) for (lo, hi), b, n in zip(ranges, bits, neutral, strict=True)]
    return Coding(
        pyramid=pyramid,
        levels=tuple(layouts),
        amplitude_lo=float(np.float32(amplitude_lo)),
        amplitude_step=_step_below(amplitude_hi - amplitude_lo, max(1, 2**precision.amplitude_bits - 1)),
        channel_lo=np.array([lo for lo, _ in grids], np.float32),
        channel_step=np.array([step for _, step in grids], np.float32),
        channel_bits=bits,
        palette_bits=palette_bits,
    )


def record_bits(geometry_bits: int, feature_bits: int) -> int:
    """Bits of a record: a multiple of 4 such that the geometry lies in two words wherever the record starts.

    geometry_bits: bits that are asked for; positions may get POSITIONS_SHORT less.
    """
    least = geometry_bits - POSITIONS_SHORT
    stride = -(-(least + feature_bits) // 4) * 4
    return stride if least <= 32 + gcd(stride, 32) else -(-stride // 8) * 8


def _step_below(extent: float, count: int) -> float:
    """extent / count as a float32 that is not rounded up, so that the last code stays within its range."""
    return float(np.nextafter(np.float32(extent / count), np.float32(-np.inf))) if extent > 0 else 0.0


def _feature_bits(extents: F64Array, step: float, geometry_bits: int) -> I64Array:
    """Bits of every channel (int64 [C], 1..12) for steps of about `step`; extents: of the channels' values.

    The record of geometry and features takes the multiple of 4 bits nearest to what the steps ask for, and its
    bits go one by one to the channel with the coarsest step: for a squared error and steps that are small
    against the channels' detail, equal steps are the best use of bits (reverse water-filling).
    """
    feature_bits = sum(max(1.0, float(log2(extent / step + 1))) for extent in extents)
    least = geometry_bits + len(extents)
    stride = max(round((geometry_bits + feature_bits) / 4), -(-least // 4)) * 4
    bits = np.ones(len(extents), np.int64)
    for _ in range(stride - least):
        steps = [extent / (2.0**b - 1) if b < 12 else -1.0 for extent, b in zip(extents, bits, strict=True)]
        if max(steps) < 0:
            break
        bits[int(np.argmax(steps))] += 1
    return bits


def _position_bits(cell: F64Array, precision: Precision) -> tuple[int, int]:
    """Bits of x and y in a level of this cell size, so that geometry stays within 40 bits."""
    bits = np.ceil(log2(cell / precision.position_step))
    other = precision.rotation_bits + 2 * precision.scale_bits + precision.amplitude_bits
    x_bits, y_bits = np.clip(bits, 2, (40 - other) // 2).astype(int)
    return int(x_bits), int(y_bits)


def words_needed(coding: Coding, placement: I32Array, channels: int) -> int:
    """Words of the mip with this coding and placement int32 [N, 3]: its block, indices and records.

    channels: of the group.
    """
    total = mip_block_words(channels, 0)
    level, cell_x, cell_y = placement.T.astype(np.int64)
    for i, layout in enumerate(coding.levels):
        in_level = level == i
        if layout is None or not in_level.any():
            continue
        cell = cell_y[in_level] * layout.cells_x + cell_x[in_level]
        counts = np.bincount(cell, minlength=layout.cells_x * layout.cells_y)
        total += LEVEL_ENTRY_WORDS + index_words(layout.cells_x, layout.cells_y, counts, regular=layout.regular)
        total += record_words(int(in_level.sum()), layout.stride)
    return total
