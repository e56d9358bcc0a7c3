"""Palettes: tables of combinations of channel values that Gaussians share (docs/format.md, "Palettes").

The features of a Gaussian are the sum of one entry of every palette. Training is residual vector quantisation (each
palette refines what those before it leave), by k-means in which a Gaussian counts by the share it has in the picture.
Then entries and choices are refined against the picture itself.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gstex.arrays import EngineArray, F32Array, F64Array, I32Array, IntArray, U8Array
from gstex.encode.ops.cpu.codebooks import train
from gstex.encode.quantisation import Coding, record_bits
from gstex.encode.trainer import Trainer
from gstex.format.layout import palette_words
from gstex.native.maths import log

# Bits of the palettes that are tried. The more Gaussians, the more entries pay.
CHOICES: tuple[tuple[int, ...], ...] = (
    (4,), (8,), (4, 4), (5, 5), (4, 4, 4), (5, 5, 5), (4, 4, 4, 4), (5, 5, 5, 5),
    (6, 6), (7, 7), (8, 8), (9, 9), (10, 10), (6, 6, 6), (7, 7, 7), (8, 8, 8), (9, 9, 9), (6, 6, 6, 6), (8, 8, 8, 8),
)  # fmt: skip
# The tables take at most this share of the words of the whole mip.
MOST_TABLES = 0.25
# Share of the error of k-means that is left when entries, choices and shapes have been improved against the picture.
LEFT = 0.5
# Bits are chosen from so many Gaussians, or from so many for each entry if that is more.
TRIED, TRIED_ENTRY = 4096, 16
# A choice of bits that is worse by at most this, in the logarithm of the squared error, is tried again later.
HARDLY_WORSE = 0.12
# How far the entries of the first palette may lie outside of 0..1, and those of all others together from 0: a channel's
# lowest value is at least -1 in the format.
OUTSIDE, MOST_CORRECTIONS = 0.4, 0.55
# So many codebooks are trained from different starts, and the best is taken.
TRIES = 3
# Codebooks are trained on at most so many Gaussians for each entry.
PER_ENTRY = 64


def rank_bits(
    features: F32Array,
    weight: F64Array,
    share: F64Array,
    error: float,
    scalar_error: float,
    scalar_bits: int,
    geometry_bits: int,
    budget_words: int,
    slope: float,
    rng: np.random.Generator,
    *,
    choices: Sequence[tuple[int, ...]] = CHOICES,
    left: float = LEFT,
) -> list[tuple[int, ...]]:
    """The bits of palettes that serve a fit best, then those that are hardly worse (see HARDLY_WORSE).

    () stands for no palettes: every channel has codes of its own.

    Args:
        features: float32 [N, C]. weight: [C], what the squared error of a channel counts. share: [N], what the square
            of a Gaussian's error counts.
        error: squared error of the fit. scalar_error: what codes without palettes, of scalar_bits in all, add to it.
        geometry_bits: of a record. budget_words: for tables and records.
        slope: how the squared error falls with more Gaussians, both in logarithms: 0.9 is 2.7 dB for twice as many.
        choices: what is tried. left: see LEFT.
    """
    count, channels = features.shape

    def value(added: float, bits: int, tables: int) -> float:
        gaussians = (budget_words - tables) * 32 / record_bits(geometry_bits, bits)
        return float(log(error + added) - slope * log(max(gaussians, 1e-9)))

    tables = {bits: palette_words(bits, channels) for bits in choices}
    able = [bits for bits in choices if tables[bits] <= MOST_TABLES * budget_words
            and sum(bits) < scalar_bits and 2 ** max(bits) <= count]  # fmt: skip
    scaled = (features * np.sqrt(weight)).astype(np.float32)
    values: dict[tuple[int, ...], float] = {(): value(scalar_error, scalar_bits, 0)}
    for bits, rounding in rounding_errors(scaled, share, able, rng).items():
        values[bits] = value(left * rounding, sum(bits), tables[bits])
    ranked = sorted(values, key=lambda bits: values[bits])
    return [bits for bits in ranked if values[bits] <= values[ranked[0]] + HARDLY_WORSE]


def rounding_errors(
    values: F32Array, weight: F64Array, choices: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> dict[tuple[int, ...], float]:
    """Estimate the weighted squared error of values [N, C] that are stored in palettes, for each choice of bits.

    Some of the values are looked at. The training of several palettes goes on from that of the first of them.

    weight: float64 [N].
    """
    order = rng.permutation(len(values))
    trained: dict[tuple[int, ...], tuple[list[F32Array], I32Array]] = {}

    def train_all(bits: tuple[int, ...], some: IntArray) -> tuple[list[F32Array], I32Array]:
        if bits not in trained:
            first = train_all(bits[:-1], some) if bits[:-1] else None
            trained[bits] = train(values[some], weight[some], bits, rng, rounds=6, passes=0, first=first)
        return trained[bits]

    error_of = {}
    for bits in choices:
        some = order[: max(TRIED, TRIED_ENTRY * 2 ** max(bits))]
        first = train_all(bits, some)
        palettes, entries = train(values[some], weight[some], bits, rng, passes=1, first=first)
        rest = values[some] - sum(p[e] for p, e in zip(palettes, entries.T, strict=True))
        error = float((weight[some] * (rest**2).sum(axis=1)).sum())
        error_of[bits] = error * float(weight.sum()) / max(float(weight[some].sum()), 1e-30)
    return error_of


def best_codebooks(
    trainer: Trainer, coding: Coding, share: F64Array, geometry: EngineArray, *, tries: int = TRIES
) -> Coding:
    """The coding with the best of some codebooks for the present features.

    share: [N], of the Gaussians, see CpuView.removal_cost. geometry: as it will be stored. tries: how many are trained.
    """
    engine, features = trainer.engine, trainer.parameters.features
    scale = np.sqrt(trainer.weight.astype(np.float64)).astype(np.float32)
    scaled = features * engine.array(scale)
    most = PER_ENTRY * 2 ** max(coding.palette_bits)
    if trainer.count > most:
        some = np.sort(trainer.rng.choice(trainer.count, most, replace=False))
        scaled, share = scaled[engine.array(some)], share[some]
    trials: list[tuple[float, Coding]] = []
    for _ in range(tries):
        books = engine.train(scaled, share, coding.palette_bits, trainer.rng)
        lo, step, stored = to_grid([book / scale for book in books], trainer.task.neutral)
        tried = replace(coding, channel_lo=lo, channel_step=step, palettes=stored)
        values = engine.store(tried, trainer.placement, features).values()
        trials.append((trainer.error(geometry, values), tried))
    return min(trials, key=lambda trial: trial[0])[1]


def to_grid(
    palettes: Sequence[F32Array], neutral: Sequence[tuple[float, ...]]
) -> tuple[F32Array, F32Array, tuple[U8Array, ...]]:
    """Palettes as they are stored: (channel_lo float32 [C], channel_step float32 [C], uint8 [K, C] for each).

    palettes: float32 [K, C] each.
    neutral: for every channel the values that some sum of entries must give exactly; of several the outermost two.
    """
    most = MOST_CORRECTIONS / max(1, len(palettes) - 1)
    clipped = [np.clip(palettes[0], -OUTSIDE, 1 + OUTSIDE), *(np.clip(p, -most, most) for p in palettes[1:])]
    low = np.stack([p.min(axis=0) for p in clipped]).astype(np.float64)
    high = np.stack([p.max(axis=0) for p in clipped]).astype(np.float64)
    step = np.maximum((high - low).max(axis=0) / 254, 1e-6)  # 254, not 255: one entry is left for the shift below
    inside = [
        [n for n in sorted(values) if low[0, c] - 1e-6 <= n <= high[0, c] + 1e-6] for c, values in enumerate(neutral)
    ]
    for c, values in enumerate(inside):
        if len(values) > 1 and (extent := values[-1] - values[0]) > step[c]:
            step[c] = extent / np.floor(extent / step[c])
    # A correction of 0 is a whole number of steps in every palette, so that neutral values stay sums of entries.
    low[1:] = np.floor(low[1:] / step) * step
    lo = low.sum(axis=0)
    for c, values in enumerate(inside):
        if values:
            lo[c] = values[0] - step[c] * np.round((values[0] - lo[c]) / step[c])
    shift = low.sum(axis=0) - lo
    stored = [
        np.rint((p - base + (shift if i == 0 else 0)) / step)
        for i, (p, base) in enumerate(zip(clipped, low, strict=True))
    ]
    return lo.astype(np.float32), step.astype(np.float32), tuple(np.clip(p, 0, 255).astype(np.uint8) for p in stored)
