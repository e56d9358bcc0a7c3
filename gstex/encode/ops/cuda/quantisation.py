"""Codes of Gaussians on the GPU: encode/ops/cpu/quantisation.py for arrays of a device, and palettes."""

import numpy as np

from gstex.arrays import GpuArray
from gstex.constants import TAN_22_5
from gstex.cuda.device import Device, Kernel
from gstex.encode.ops.cpu.quantisation import level_table
from gstex.encode.quantisation import Coding

__all__ = ["GpuQuantiser"]

_THREADS = 128
# How often every palette's entry is chosen, at most.
ROUNDS = 4


class GpuQuantiser:
    """Encodes and decodes Gaussians whose level and cell do not change any more; arrays of a device.

    N Gaussians, V channels, P palettes.
    """

    def __init__(self, device: Device, coding: Coding, placement: GpuArray):
        """placement: int32 [N, 3]."""
        xp = device.xp
        self.device, self.coding, self.placement = device, coding, placement
        self._count = np.int32(len(placement))
        self._grid = (max(1, -(-len(placement) // _THREADS)),), (_THREADS,)
        self.meaning = (xp.asarray(level_table(coding)), np.float64(coding.amplitude_lo),
        np.float64(coding.amplitude_step),
                         np.float64(np.float32(TAN_22_5)), self._count)  # fmt: skip
        self.ranges = xp.asarray(coding.channel_lo), xp.asarray(coding.channel_step)
        self.last = xp.asarray((2**coding.channel_bits - 1).astype(np.int32))
        self._channels = {"CHANNELS": len(coding.channel_lo)}
        palettes = [np.asarray(palette) for palette in coding.palettes]
        self._palettes = np.int32(len(palettes))
        empty = np.zeros((0, len(coding.channel_lo)), np.uint8)
        self.bytes = xp.asarray(np.concatenate([empty, *palettes]))
        self.first = xp.asarray(np.cumsum([0, *map(len, palettes)]).astype(np.int32))
        self._no_entries = xp.zeros((len(placement), 0), np.uint32)

    # -- geometry

    def encode(self, geometry: GpuArray) -> tuple[GpuArray, GpuArray]:
        """(uint32 [N, 6] nearest codes in the order of the record, int32 [N] quarter turns), see Quantiser.encode."""
        xp = self.device.xp
        codes, turns = xp.empty((len(geometry), 6), np.uint32), xp.empty(len(geometry), np.int32)
        self._codes("fit_encode")(*self._grid, geometry, self.placement, *self.meaning, codes, turns)
        return codes, turns

    def keep_inside(self, geometry: GpuArray) -> None:
        """Clamp centres, in place, to the cells they are stored in."""
        self.round(geometry, self.device.xp.empty_like(geometry))

    def decode(self, codes: GpuArray, turns: GpuArray | None = None) -> GpuArray:
        """What geometry codes uint32 [N, 6] mean, float32 [N, 6]; see Quantiser.decode."""
        xp = self.device.xp
        turns = xp.zeros(len(codes), np.int32) if turns is None else turns
        geometry = xp.empty((len(codes), 6), np.float32)
        self._codes("fit_decode")(*self._grid, codes, turns, self.placement, *self.meaning, geometry)
        return geometry

    def round(self, ideal: GpuArray, out: GpuArray) -> None:
        """out float32 [N, 6] = what the nearest codes of `ideal` mean; its centres are clamped to their cells."""
        self._codes("fit_round")(*self._grid, ideal, self.placement, *self.meaning, out)

    def _codes(self, name: str) -> Kernel:
        return self.device.kernel("encode/quantisation.cu", name)

    # -- features

    def choose_entries(self, features: GpuArray, entries: GpuArray | None = None) -> GpuArray:
        """Entries uint32 [N, P] of all palettes whose sum, with codes beside it, is nearest to features float32 [N, V].

        Each palette in turn, given the others, by squared distance in values.

        entries: where to start; None for the first entry of every palette.
        """
        xp = self.device.xp
        lo, step = self.ranges
        shape = len(features), int(self._palettes)
        entries = xp.zeros(shape, np.uint32) if entries is None else entries.astype(np.uint32)
        if self._palettes:
            in_steps = (features - lo) / xp.where(step == 0, np.float32(1), step)
            self._features("fit_choose_entries")(
                *self._grid, in_steps, step * step, self.last, self.bytes, self.first, self._palettes,
                np.int32(ROUNDS), self._count, entries,
            )  # fmt: skip
        return entries

    def round_features(
        self, features: GpuArray, entries: GpuArray | None = None, *, out: tuple[GpuArray, GpuArray] | None = None
    ) -> tuple[GpuArray, GpuArray]:
        """(uint32 [N, V] the nearest codes beside the entries uint32 [N, P], float32 [N, V] what both mean).

        out: where to write them, for steps that must not take memory.
        """
        xp = self.device.xp
        codes, rounded = out or (xp.empty(features.shape, np.uint32), xp.empty(features.shape, np.float32))
        self._features("fit_round_features")(
            *self._grid, features, self._no_entries if entries is None else entries, *self.ranges, self.last,
            self.bytes, self.first, self._palettes, self._count, codes, rounded,
        )  # fmt: skip
        return codes, rounded

    def _features(self, name: str) -> Kernel:
        return self.device.kernel("encode/codebooks.cu", name, self._channels)
