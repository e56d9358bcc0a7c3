"""All points at which a fit is judged, on the GPU: encode/ops/cpu/sample_points.py for arrays of a device."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gstex.arrays import AnyArray, F32Array, F64Array, GpuArray
from gstex.constants import TILE
from gstex.cuda.device import Device, Kernel, KernelArgument
from gstex.encode.ops.cpu.sample_points import BETWEEN
from gstex.encode.ops.cuda.pairs import Pairs, find_pairs
from gstex.encode.ops.cuda.shared_view import GpuSharedView
from gstex.encode.ops.cuda.view import GpuView
from gstex.errors import DeviceError

__all__ = ["GpuBlend", "GpuSamplePoints", "collect"]

POINTS = TILE * TILE
_WARPS = 4  # of a block of encode/sample_points.cu
_MOST = 2**31 - 1  # entries are numbered in int32


@dataclass(frozen=True)
class GpuBlend:
    """derived: float32 [V, N, 8], see cuda/encode/tile.cuh. total: [T, 64], sum of weights with the background's.
    out: [T, C, 64]. share: [E], the largest share of an entry in a point of its tile."""

    derived: GpuArray
    total: GpuArray
    out: GpuArray
    share: GpuArray


@dataclass(frozen=True)
class GpuSamplePoints:
    """Tiles of 64 points of several views, each with the Gaussians that may matter there; see SamplePoints.

    V views, T tiles, E entries, N Gaussians, C channels.
    view: int32 [T]. origin: float32 [T, 2]. start: int32 [T + 1]. gaussian: int32 [E]. image: int8 [E, 2].
    faded: bool [E]. target: float32 [T, C, 64]. importance: float32 [T, planes, 64], with the weight of the view.
    plane: int32 [C], the plane of a channel. channel_weight: float32 [C], its weight.
    weight: of the points of every view, on the host.
    extent: float32 [V, 2]. where: float32 [V, N, 4].
    scale: float32 [V, 2]. filter: float32 [V]. seen: scale and filter of every view, on the host.
    """

    device: Device
    view: GpuArray
    origin: GpuArray
    start: GpuArray
    gaussian: GpuArray
    image: GpuArray
    faded: GpuArray
    target: GpuArray
    importance: GpuArray
    plane: GpuArray
    channel_weight: GpuArray
    extent: GpuArray
    where: GpuArray
    scale: GpuArray
    filter: GpuArray
    seen: tuple[tuple[float, float, float], ...]
    weight: tuple[float, ...]

    @property
    def channels(self) -> int:
        return self.target.shape[1]

    @cached_property
    def pairs(self) -> Pairs:
        """Which Gaussians share a tile; found when it is first asked for."""
        return find_pairs(self.device, self.start, self.gaussian, self.where.shape[1])

    def kernel(self, file: str, name: str) -> Kernel:
        return self.device.kernel(file, name, {"CHANNELS": self.channels})

    def arguments(self, derived: GpuArray) -> tuple[KernelArgument, ...]:
        """FIT_SAMPLES_PARAMETERS of cuda/encode/points.cuh; derived: float32 [V, N, 8]."""
        return (self.view, self.origin, self.start, self.gaussian, self.image, self.faded, derived, self.where,
                self.extent, np.int32(self.where.shape[1]), np.int32(len(self.view)))  # fmt: skip

    def counts(self) -> tuple[KernelArgument, ...]:
        """FIT_IMPORTANCE_PARAMETERS of cuda/encode/tile.cuh."""
        return self.importance, np.int32(self.importance.shape[1]), self.plane, self.channel_weight

    def blend(self, geometry: GpuArray, features: GpuArray, background: GpuArray) -> GpuBlend:
        """The picture at all points, for geometry [N, 6] and features [N, C]."""
        xp, count = self.device.xp, len(geometry)
        derived = xp.empty((len(self.seen), count, 8), np.float32)
        for view, scale_and_filter in enumerate(self.seen):
            self.kernel("encode/gather.cu", "fit_derive")(
                (-(-count // 128),), (128,), geometry, *map(np.float32, scale_and_filter), np.int32(count),
                derived[view],
            )
        total = xp.empty((len(self.view), POINTS), np.float32)
        out = xp.empty_like(self.target)
        share = xp.empty(len(self.gaussian), np.float32)
        self.kernel("encode/sample_points.cu", "fit_samples_blend")(
            (-(-len(self.view) // _WARPS),), (32 * _WARPS,), *self.arguments(derived), features, background, total,
            out, share,
        )  # fmt: skip
        return GpuBlend(derived, total, out, share)

    def only(self, entries: GpuArray) -> "GpuSamplePoints":
        """The same points with these entries alone (bool [E])."""
        xp = self.device.xp
        count = xp.zeros(len(entries) + 1, np.int32)
        count[1:] = xp.cumsum(entries, dtype=np.int32)
        return replace(self, start=count[self.start], gaussian=self.gaussian[entries], image=self.image[entries],
                       faded=self.faded[entries])  # fmt: skip

    def shifted(self, shift: F64Array) -> "GpuSamplePoints":
        """The same points with a target that is this much higher in every channel, [C]."""
        return replace(self, target=self.target + self.device.xp.asarray(shift.astype(np.float32))[:, None])

    def errors(self, out: GpuArray) -> AnyArray:
        """The weighted sum of squared errors of every view, for pictures [T, C, 64]: float64 [V], on the host."""
        counts = self.importance.take(self.plane, axis=1) * self.channel_weight[:, None]
        errors = (counts * (out - self.target) ** 2).sum(axis=(1, 2), dtype=np.float64)
        return np.bincount(self.device.to_host(self.view), self.device.to_host(errors), len(self.weight))


def collect(
    backend: GpuView, shared: Sequence[GpuSharedView], jitter: float, weights: Sequence[float]
) -> GpuSamplePoints:
    """The points of a fit, as the backends have them placed.

    jitter: share of the steps that sample between texels. weights: of the points of every shared mip.
    """
    device, xp = backend.device, backend.device.xp
    part_weights = [1 - jitter, *([jitter] if jitter else []), *weights]
    own_count = len(part_weights) - len(shared)
    backends = [backend] * own_count + [view.backend for view in shared]
    offsets = [None, BETWEEN][:own_count] + [None] * len(shared)
    parts = [_part(*part) for part in zip(backends, offsets, part_weights, strict=True)]
    scales_and_filters = [(1.0, 1.0, 0.0)] * own_count + [(*view.scale.tolist(), view.filter) for view in shared]
    entries = [len(b.lists.gaussian) for b in backends]
    if sum(entries) > _MOST:
        raise DeviceError(f"GPU fit: {sum(entries)} entries of tiles to refine, at most {_MOST} can be listed; "
                          "use fewer Gaussians, or --device cpu")  # fmt: skip
    starts = [b.lists.start[:-1] + np.int32(sum(entries[:i])) for i, b in enumerate(backends)]
    return GpuSamplePoints(
        device=device,
        view=xp.asarray(np.repeat(np.arange(len(parts), dtype=np.int32), [len(origin) for origin, _, _ in parts])),
        origin=xp.asarray(np.concatenate([origin for origin, _, _ in parts])),
        start=xp.concatenate([*starts, xp.full(1, sum(entries), np.int32)]),
        gaussian=xp.concatenate([b.lists.gaussian for b in backends]),
        image=xp.concatenate([b.lists.image for b in backends]),
        faded=xp.concatenate([b.lists.faded for b in backends]),
        target=xp.concatenate([target for _, target, _ in parts]),
        importance=xp.concatenate([importance for _, _, importance in parts]),
        plane=backend.plane,
        channel_weight=backend.weight,
        extent=xp.asarray(np.stack([b.extent for b in backends])),
        where=xp.stack([b.where for b in backends]),
        scale=xp.asarray(np.array([row[:2] for row in scales_and_filters], np.float32)),
        filter=xp.asarray(np.array([row[2] for row in scales_and_filters], np.float32)),
        seen=tuple(scales_and_filters),
        weight=tuple(part_weights),
    )


def _part(backend: GpuView, offsets: F32Array | None, weight: float) -> tuple[F32Array, GpuArray, GpuArray]:
    """(origin [T, 2], target [T, C, 64], importance [T, planes, 64]) of the tiles of a view, as the CPU has them."""
    across = backend.across
    number = np.arange(len(backend.lists.start) - 1)
    corner = np.stack([number % across, number // across], axis=1).astype(np.float32) * np.float32(TILE)
    corner += np.float32(0.5)
    factor = np.float32(weight)
    target, importance = backend.targets(np.zeros(2, np.float32) if offsets is None else offsets)
    if offsets is not None:
        # A checkerboard, so that neighbours along both axes differ.
        corner += offsets[(number % across % 2) + 2 * (number // across % 2)]
    return corner, target.copy(), importance * factor
