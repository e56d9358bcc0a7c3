"""The GPU backend of the fit: the interface of encode/ops/cpu/view.py with arrays of a device.

Buffers have room for more entries than there are, so that they mostly stay where they are from one call of `place` to
the next. In between `step` is the same few launches, without waiting for the GPU and without taking memory.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from gstex.arrays import F32Array, GpuArray
from gstex.constants import TILE
from gstex.cuda.device import Device, Kernel, KernelArgument
from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.ops.cpu.tile_lists import MARGIN
from gstex.encode.ops.cuda.sums import ColumnSums
from gstex.encode.ops.cuda.tile_lists import LONG, ListMaker, Seen, TileLists
from gstex.encode.problem import Target

__all__ = ["GpuView", "Gradients"]

POINTS = TILE * TILE
# As in the sources: warps of a block of encode/blend.cu and encode/removal_cost.cu, threads of a block for a
# Gaussian with many rows.
_WARPS, _REMOVAL_WARPS, _LONG_THREADS = 4, 2, 256
# Blocks for Gaussians with many rows, of which there are few.
_LONG_BLOCKS = 32

Gradients: TypeAlias = tuple[GpuArray, GpuArray]
"""(v_geometry float32 [N, 6], v_features float32 [N, C])."""


class GpuView:
    """Evaluates a set of Gaussians against a target image, with gradients.

    As encode.ops.cpu.view.CpuView, call by call; every array that goes in or comes out is one of `device.xp`. What
    comes out is overwritten by the next call.

    Geometry is float32 [N, 6]: x, y (texels), rotation (radians), log sigma u, log sigma v (of texels), amplitude
    (natural log). Features are float32 [N, C], background float32 [C].
    """

    name = "cuda"

    def __init__(
        self, pyramid: Pyramid, device: Device, *, scale: Sequence[float] = (1.0, 1.0), filter_sigma: float = 0.0
    ):
        """pyramid: of the mip that is seen; placements are in its cells.

        A mip that is drawn with the Gaussians of mip 0 gets their geometry and gives its gradient, in texels of mip 0:
        scale: texels of this mip by texels of mip 0, (x, y). filter_sigma: in texels of mip 0.
        """
        self.device = device
        self._pyramid = pyramid
        self.seen = Seen(device, pyramid)
        self.across, self._tiles = self.seen.across, self.seen.tiles
        self.extent = np.array([pyramid.width, pyramid.height], np.float32)
        self._size = np.int32(pyramid.width), np.int32(pyramid.height)
        self._repeat = np.int32(pyramid.repeat)
        self._scaled = np.float32(scale[0]), np.float32(scale[1]), np.float32(filter_sigma)
        xp = device.xp
        self._one = xp.ones(1, np.float32)
        self._still = xp.zeros(2, np.float32)
        self._jitter = self._still  # of the last step or render
        self._uploaded = xp.zeros(2, np.float32)
        self._lister = ListMaker(device, [self.seen])
        self._held = -1

    # -- pictures

    def set_target(self, target: Target, weight: F32Array) -> None:
        """Set the target, and the weights of the channels: float32 [C]; all of the host."""
        xp = self.device.xp
        self._image = xp.asarray(target.image, np.float32, order="C")
        self._planes = xp.asarray(target.importance, np.float32, order="C")
        self.plane = xp.asarray(target.plane)
        self.weigh(weight)
        self.channels = self._image.shape[2]
        self._kernels: dict[str, Kernel] = {}  # specialised for that number
        self._row = -(-(6 + self.channels) // 8) * 8  # FIT_ROW
        self._tile_loss = xp.empty((self._tiles, 1), np.float32)
        self._sum = ColumnSums(self.device, self._tiles, 1)
        self._picture = xp.empty_like(self._image)
        self._row_errors = xp.empty((self._pyramid.height, self.channels), np.float32)
        self._sum_rows = ColumnSums(self.device, self._pyramid.height, self.channels)
        self._sampled = xp.empty_like(self._image), xp.empty_like(self._planes)
        self._error = xp.empty(self._image.shape[:2], np.float32)
        self._tiled: tuple[GpuArray, ...] = ()  # made when it is first needed

    def weigh(self, weight: F32Array) -> None:
        """Change the weights of the channels: float32 [C] of the host."""
        self.weight = self.device.xp.asarray(weight, np.float32)

    def targets(self, jitter: GpuArray | F32Array) -> tuple[GpuArray, GpuArray]:
        """(target [T, C, 64], importance [T, planes, 64]) at the jittered texel centres; valid until the next call.

        jitter: float32 [2], or [4, 2] of the host: of tiles of even row and column, of odd column, of odd row, of both.
        """
        several = np.int32(np.ndim(jitter) == 2)
        jitter = self.device.xp.asarray(jitter) if several else self._jittered(jitter)
        pictures = self._image, self._planes
        if not self._tiled:
            self._tiled = tuple(
                self.device.xp.empty((self._tiles, p.shape[2], POINTS), np.float32) for p in pictures
            )
        for picture, tiled, inside in zip(pictures, self._tiled, (0, 1), strict=True):
            self._kernel("encode/picture.cu", "fit_to_tiles")(
                (-(-self._tiles // 4),), (4 * POINTS,), picture, np.int32(picture.shape[2]), jitter, several,
                np.int32(self._tiles), np.int32(self.across), *self._size, self._repeat, np.int32(inside), tiled,
            )  # fmt: skip
        return self._tiled

    def _jittered(self, jitter: GpuArray | F32Array) -> GpuArray:
        """float32 [2] of the device; numbers of the host go into a buffer that stays where it is, without waiting."""
        if isinstance(jitter, self.device.xp.ndarray):
            return jitter
        x, y = np.float32(jitter[0]), np.float32(jitter[1])
        self._kernel("encode/picture.cu", "fit_set_jitter")((1,), (1,), x, y, self._uploaded)
        return self._uploaded

    # -- placement

    def place(self, placement: GpuArray, geometry: GpuArray, *, margin: float = MARGIN) -> None:
        """Take over the levels and cells int32 [N, 3] of the Gaussians and list what every tile has to evaluate.

        The host waits for the GPU here.
        """
        self._lister.make(placement, geometry, lambda _: self.derive(geometry), margin=margin)
        self.hold_sums()

    @property
    def lists(self) -> TileLists:
        """The entries of the last `place`."""
        return self.seen.lists

    @property
    def where(self) -> GpuArray:
        """float32 [N, 4], see cuda/encode/tile.cuh."""
        return self.seen.where

    def hold_sums(self) -> None:
        """Take memory for the sums of what `seen` has room for."""
        if self._held == self.seen.changed:
            return
        xp, room, self._count = self.device.xp, self.seen.room, self.seen.count
        self._held = self.seen.changed
        self._entry_sums = xp.empty((room, self._row), np.float32)
        self._entry_pairs = xp.empty((room, 2), np.float32)
        self._pairs = xp.empty((self._count, 2), np.float64)
        self._v_geometry = xp.empty((self._count, 6), np.float32)
        self._v_features = xp.empty((self._count, self.channels), np.float32)

    def derive(self, geometry: GpuArray) -> None:
        """Fill `seen.derived`."""
        count = self.seen.count
        self._kernel("encode/gather.cu", "fit_derive")(
            _blocks(count, 128), (128,), geometry, *self._scaled, np.int32(count), self.seen.derived
        )

    # -- evaluation

    def step(
        self, geometry: GpuArray, features: GpuArray, background: GpuArray, jitter: GpuArray | F32Array, *,
        add_to: Gradients | None = None, weight: GpuArray | None = None,
    ) -> tuple[GpuArray, GpuArray, GpuArray]:  # fmt: skip
        """Squared error at the jittered texel centres and its gradients.

        Args:
            jitter: float32 [2], offset of all sample points in texels, -0.5 .. 0.5; of the device, or of NumPy.
            add_to: (v_geometry, v_features) that the gradients are added to; None for buffers of this backend.
            weight: float32 [1], a factor of the gradients; None for 1.

        Returns:
            (loss, v_geometry [N, 6], v_features [N, C]). loss: float64, of no dimension, on the device: the weighted
            sum of squares over texels and channels, without the factor.
        """
        self._jitter = self._jittered(jitter)
        self.derive(geometry)
        self._blend("fit_step")(
            *self._scene(features, background), self._image, *self._counts(), self._repeat, self._entry_sums,
            self._tile_loss,
        )  # fmt: skip
        return self._sum(self._tile_loss)[0, ...], *self._gather(geometry, add_to, weight)

    def backward(
        self, geometry: GpuArray, features: GpuArray, background: GpuArray, v_image: GpuArray, *,
        add_to: Gradients | None = None, weight: GpuArray | None = None,
    ) -> Gradients:  # fmt: skip
        """Gradients for a given dL/dimage float32 [H, W, C] at the points of the last `render`; see `step`."""
        self.derive(geometry)
        self._blend("fit_backward")(*self._scene(features, background), v_image, self._entry_sums)
        return self._gather(geometry, add_to, weight)

    def render(
        self, geometry: GpuArray, features: GpuArray, background: GpuArray, jitter: GpuArray | F32Array
    ) -> tuple[GpuArray, GpuArray, GpuArray]:
        """(image, target, importance), float32 [H, W, C] each, at the jittered texel centres."""
        self._jitter = self._jittered(jitter)
        self.derive(geometry)
        self._blend("fit_render")(*self._scene(features, background), self._picture)
        texels = self._pyramid.width * self._pyramid.height
        for picture, sampled in zip((self._image, self._planes), self._sampled, strict=True):
            self._kernel("encode/picture.cu", "fit_resample")(
                _blocks(texels, 128), (128,), picture, np.int32(picture.shape[2]), self._jitter, *self._size,
                self._repeat, sampled,
            )  # fmt: skip
        target, planes = self._sampled
        return self._picture, target, planes.take(self.plane, axis=2) * self.weight

    def squared_errors(self, geometry: GpuArray, features: GpuArray, background: GpuArray) -> GpuArray:
        """The sum over texels of importance (picture - target)^2 by channel, at the texel centres, without the weights
        of the channels: float64 [C] of the device, overwritten by the next call."""
        self._jitter = self._still
        self.derive(geometry)
        self._blend("fit_render")(*self._scene(features, background), self._picture)
        self._kernel("encode/picture.cu", "fit_row_errors")(
            (self._pyramid.height,), (32 * _WARPS,), self._picture, self._image, self._planes,
            np.int32(self._planes.shape[2]), self.plane, np.int32(self._pyramid.width), self._row_errors,
        )  # fmt: skip
        return self._sum_rows(self._row_errors)

    def removal_cost(
        self, geometry: GpuArray, features: GpuArray, background: GpuArray
    ) -> tuple[GpuArray, GpuArray, GpuArray]:
        """What each Gaussian is worth and where the error is, at the texel centres.

        Returns (cost float64 [N], the rise of the squared error without the Gaussian; share float64 [N], what the
        square of an error of its features counts, mean over channels; error float32 [H, W], the squared error of each
        texel summed over channels).
        """
        self._jitter = self._still
        self.derive(geometry)
        self._kernel("encode/removal_cost.cu", "fit_removal")(
            (-(-self._tiles // _REMOVAL_WARPS),), (32 * _REMOVAL_WARPS,), *self._scene(features, background),
            self._image, *self._counts(), self._repeat, self._entry_pairs, self._error,
        )  # fmt: skip
        self._kernel("encode/gather.cu", "fit_sum_pairs")(
            _blocks(self._count, 4), (128,), self.lists.by_gaussian_start, self._entry_pairs, np.int32(self._count),
            self._pairs,
        )  # fmt: skip
        return self._pairs[:, 0], self._pairs[:, 1] / self.channels, self._error

    def _blend(self, name: str) -> Callable[..., None]:
        kernel = self._kernel("encode/blend.cu", name)
        grid = (-(-self._tiles // _WARPS),)
        return lambda *args: kernel(grid, (32 * _WARPS,), *args)

    def _scene(self, features: GpuArray, background: GpuArray) -> tuple[KernelArgument, ...]:
        e = self.lists
        return (e.start, e.gaussian, e.image, e.faded, e.slot, self.seen.derived, self.where, features, background,
                self._jitter, np.int32(self._tiles), np.int32(self.across), *self._size)  # fmt: skip

    def _counts(self) -> tuple[KernelArgument, ...]:
        """FIT_IMPORTANCE_PARAMETERS of cuda/encode/tile.cuh."""
        return self._planes, np.int32(self._planes.shape[2]), self.plane, self.weight

    def _gather(self, geometry: GpuArray, add_to: Gradients | None, weight: GpuArray | None) -> Gradients:
        v_geometry, v_features = add_to or (self._v_geometry, self._v_features)
        weight = self._one if weight is None else weight
        start, add = self.lists.by_gaussian_start, np.int32(add_to is not None)
        common = start, self._entry_sums, geometry, self.seen.derived, *self._scaled, weight, add
        self._kernel("encode/gather.cu", "fit_gather")(
            _blocks(self._count, 4), (128,), *common, np.int32(LONG), np.int32(self._count), v_geometry, v_features
        )
        self._kernel("encode/gather.cu", "fit_gather_long")(
            (_LONG_BLOCKS,), (_LONG_THREADS,), self.lists.is_long, *common, v_geometry, v_features
        )
        return v_geometry, v_features

    def _kernel(self, file: str, name: str) -> Kernel:
        if name not in self._kernels:
            self._kernels[name] = self.device.kernel(file, name, {"CHANNELS": self.channels})
        return self._kernels[name]


def _blocks(count: int, each: int) -> tuple[int]:
    """A grid for `count` things, `each` a block; never an empty one."""
    return (max(1, -(-count // each)),)
