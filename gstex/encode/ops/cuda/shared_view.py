"""Mips that are drawn with the Gaussians of mip 0, on the GPU: encode/shared_mips.py without a copy of the geometry."""

from dataclasses import replace

import numpy as np

from gstex.arrays import F32Array, GpuArray
from gstex.cuda.device import Device
from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.ops.cpu.tile_lists import MARGIN
from gstex.encode.ops.cuda.perceptual_loss import Perceptual
from gstex.encode.ops.cuda.sums import Follower
from gstex.encode.ops.cuda.view import GpuView, Gradients
from gstex.encode.problem import Target, weighted_sum
from gstex.encode.shared_mips import LIMIT, WEIGHT, filter_sigma

__all__ = ["GpuSharedView"]


class GpuSharedView:
    """A mip seen with the Gaussians of mip 0: positions and sizes scaled, sizes enlarged by the filter.

    mse: the mean squared error of the last steps, on the GPU.
    """

    def __init__(self, device: Device, whole: Pyramid, mip: int, target: Target, weight: F32Array):
        """whole: the pyramid of mip 0. target: of this mip. weight: float32 [C] of the host, of the channels."""
        height, width = target.image.shape[:2]
        self._wanted = target
        self.importance_sum = weighted_sum(target, weight)
        self.scale = np.array([width / whole.width, height / whole.height], np.float32)
        self.filter = filter_sigma(mip)
        self.backend = GpuView(
            replace(whole, width=width, height=height), device, scale=self.scale.tolist(), filter_sigma=self.filter
        )
        self.backend.set_target(target, weight)
        self.mse = Follower(device)
        self._device = device
        self._weight = device.xp.empty(1, np.float32)
        self._perceptual: Perceptual | None = None

    def weigh(self, weight: F32Array) -> None:
        """Change the weights of the channels: float32 [C] of the host."""
        self.backend.weigh(weight)
        self.importance_sum = weighted_sum(self._wanted, weight)

    def place(self, placement: GpuArray, geometry: GpuArray, *, margin: float = MARGIN) -> None:
        """Take over the levels and cells int32 [N, 3] of the Gaussians; geometry as mip 0 has it."""
        self.backend.place(placement, geometry, margin=margin)

    def add_gradient(
        self, geometry: GpuArray, features: GpuArray, background: GpuArray, jitter: GpuArray | F32Array, loss: str, *,
        to: Gradients, mse: Follower, factor: float,
    ) -> None:  # fmt: skip
        """Add the gradient of this mip's loss by mip 0's Gaussians to (v_geometry [N, 6], v_features [N, C]).

        Args:
            loss: 'l2' or 'perceptual'.
            mse: of mip 0. The view counts shared_mips.WEIGHT, or less where it is far worse than mip 0.
            factor: of that weight.
        """
        self._device.kernel("encode/sums.cu", "fit_view_weight")(
            (1,), (1,), mse.state, self.mse.state, np.float64(LIMIT), np.float64(WEIGHT * factor), self._weight
        )
        scene = geometry, features, background
        if loss == "l2":
            error = self.backend.step(*scene, jitter, add_to=to, weight=self._weight)[0]
        else:
            pictures = self.backend.render(*scene, jitter)
            if self._perceptual is None:
                self._perceptual = Perceptual(self._device, *pictures[0].shape)
            _, v_image, error = self._perceptual(*pictures)
            self.backend.backward(*scene, v_image, add_to=to, weight=self._weight)
        self.mse.update(error, 1 / self.importance_sum)
