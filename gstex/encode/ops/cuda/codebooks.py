"""Palettes trained on the GPU: `train` of gstex/encode/ops/cpu/codebooks.py for arrays of a device."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gstex.cuda.device import Device
from gstex.encode.ops.cpu.codebooks import ROUNDS, ROUNDS_AGAIN, TURNS, draw_seeds
from gstex.encode.ops.cuda.tile_lists import bounds_of

__all__ = ["train"]

_THREADS = 128


def train(
    device: Device, values: Any, weight: Any, bits: Sequence[int], rng: np.random.Generator, *,
    rounds: int = ROUNDS, turns: int = TURNS,
) -> tuple[list[Any], Any]:  # fmt: skip
    """Palettes for values, by residual k-means; see encode.ops.cpu.codebooks.train.

    Args:
        values: float32 [N, C]. weight: float [N].

    Returns:
        (float32 [2^bits, C] for every palette, int32 [N, P] the entries that sum up to nearly the values).
    """
    xp = device.xp
    weight = weight.astype(np.float64) + 1e-12
    chance = device.to_host(weight)
    rest = values.astype(np.float32)
    palettes, entries = [], []
    for b in bits:
        palette = xp.asarray(draw_seeds(device.to_host(rest), chance, 2**b, rng))
        entry = _refine(device, rest, weight, palette, rounds)
        rest = rest - palette[entry]
        palettes.append(palette)
        entries.append(entry)
    for _ in range(turns if len(bits) > 1 else 0):
        for p, palette in enumerate(palettes):
            rest = rest + palette[entries[p]]
            entries[p] = _refine(device, rest, weight, palette, ROUNDS_AGAIN)
            rest = rest - palette[entries[p]]
    return palettes, xp.stack(entries, axis=1)


def _refine(device: Device, values: Any, weight: Any, palette: Any, rounds: int) -> Any:
    """Rounds of k-means: entries become the weighted means of their values, those of none go where the error is.

    palette: float32 [K, C], in place. Returns the entry of every value, int32 [N].
    """
    xp, count, size = device.xp, len(values), len(palette)
    defines = {"CHANNELS": values.shape[1]}
    assign, means = (device.kernel("encode/kmeans.cu", name, defines) for name in ("fit_assign", "fit_means"))
    entry = xp.empty(count, np.int32)
    grid = (-(-count // _THREADS),), (_THREADS,)
    assign(*grid, values, palette, np.int32(size), np.int32(count), entry)
    for _ in range(rounds):
        order = xp.argsort(entry, kind="stable").astype(np.int32)
        start = bounds_of(device, entry[order], size)
        means((size,), (_THREADS,), values, weight, order, start, palette)
        unused = xp.flatnonzero(start[1:] == start[:-1])
        if len(unused):
            error = weight * ((values - palette[entry]) ** 2).sum(axis=1)
            worst = xp.argsort(-error, kind="stable")[: len(unused)]
            palette[unused[: len(worst)]] = values[worst]
        assign(*grid, values, palette, np.int32(size), np.int32(count), entry)
    return entry
