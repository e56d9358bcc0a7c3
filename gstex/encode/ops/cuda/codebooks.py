"""Codebooks on the GPU: what is stored of features, and how codebooks are trained. See ops/cpu/codebooks.py."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gstex.arrays import GpuArray
from gstex.cuda.device import Device
from gstex.encode.ops.cpu.codebooks import PASSES, ROUNDS, ROUNDS_AGAIN, draw_seeds
from gstex.encode.ops.cuda.quantisation import GpuQuantiser
from gstex.encode.ops.cuda.tile_lists import sorted_by
from gstex.encode.quantisation import Coding

__all__ = ["GpuStoredFeatures", "store", "train"]

_THREADS = 128


@dataclass
class GpuStoredFeatures:
    """Features as a file has them; see StoredFeatures of the CPU.

    lo, step: float32 [C]. last: int32 [C], the largest codes. sizes: entries of every palette, on the host.
    palettes: uint8 [K, C], all of them one after the other. start: int32 [P + 1]. entries: uint32 [N, P].
    codes: uint32 [N, C].
    """

    device: Device
    lo: GpuArray
    step: GpuArray
    last: GpuArray
    sizes: tuple[int, ...]
    palettes: GpuArray
    start: GpuArray
    entries: GpuArray
    codes: GpuArray

    def into(self, coding: Coding) -> Coding:
        """The coding with these palettes."""
        host = np.array(self.device.to_host(self.palettes))
        return replace(coding, palettes=tuple(np.split(host, np.cumsum(self.sizes)[:-1]))) if self.sizes else coding

    def whole(self) -> GpuArray:
        """The features in whole steps above lo, int32 [N, C]."""
        return self._both()[0]

    def values(self) -> GpuArray:
        """The features, float32 [N, C]."""
        return self._both()[1]

    def _both(self) -> tuple[GpuArray, GpuArray]:
        xp, (count, channels) = self.device.xp, self.codes.shape
        whole, values = xp.empty((count, channels), np.int32), xp.empty((count, channels), np.float32)
        self.device.kernel("encode/codebooks.cu", "fit_stored", {"CHANNELS": channels})(
            (max(1, -(-count // _THREADS)),), (_THREADS,), self.codes, self.entries, self.lo, self.step, self.palettes,
            self.start, np.int32(len(self.sizes)), np.int32(count), whole, values,
        )  # fmt: skip
        return whole, values


def store(quantiser: GpuQuantiser, features: GpuArray) -> GpuStoredFeatures:
    """What the quantiser's coding, with its palettes, can store nearest to features float32 [N, C]."""
    entries = quantiser.choose_entries(features)
    codes, _ = quantiser.round_features(features, entries)
    sizes = tuple(len(palette) for palette in quantiser.coding.palettes)
    return GpuStoredFeatures(quantiser.device, *quantiser.ranges, quantiser.last, sizes, quantiser.bytes.copy(),
                     quantiser.first, entries, codes)  # fmt: skip


def train(
    device: Device, values: GpuArray, weight: GpuArray, bits: Sequence[int], rng: np.random.Generator, *,
    rounds: int = ROUNDS, passes: int = PASSES,
) -> tuple[list[GpuArray], GpuArray]:  # fmt: skip
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
    for _ in range(passes if len(bits) > 1 else 0):
        for p, palette in enumerate(palettes):
            rest = rest + palette[entries[p]]
            entries[p] = _refine(device, rest, weight, palette, ROUNDS_AGAIN)
            rest = rest - palette[entries[p]]
    return palettes, xp.stack(entries, axis=1)


def _refine(device: Device, values: GpuArray, weight: GpuArray, palette: GpuArray, rounds: int) -> GpuArray:
    """Rounds of k-means: entries become the weighted means of their values; unused ones go where the error is.

    palette: float32 [K, C], in place. Returns the entry of every value, int32 [N].
    """
    xp, count, size = device.xp, len(values), len(palette)
    defines = {"CHANNELS": values.shape[1]}
    assign, means = (device.kernel("encode/kmeans.cu", name, defines) for name in ("fit_assign", "fit_means"))
    entry, is_unused = xp.empty(count, np.int32), xp.empty(size, np.int32)
    grid = (-(-count // _THREADS),), (_THREADS,)
    assign(*grid, values, palette, np.int32(size), np.int32(count), entry)
    for _ in range(rounds):
        order, start = sorted_by(device, entry, size)
        means((size,), (_THREADS,), values, weight, order, start, palette, is_unused)
        if bool(is_unused.any()):
            unused = xp.flatnonzero(is_unused)
            error = weight * ((values - palette[entry]) ** 2).sum(axis=1)
            worst = xp.argsort(-error, kind="stable")[: len(unused)]
            palette[unused[: len(worst)]] = values[worst]
        assign(*grid, values, palette, np.int32(size), np.int32(count), entry)
    return entry
