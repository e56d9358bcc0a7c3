"""Mips that are drawn with the Gaussians of mip 0 (encode/shared_mips.py)."""

from dataclasses import replace

import numpy as np

from gstex.arrays import F32Array, I32Array
from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.ops.cpu.perceptual_loss import perceptual_loss
from gstex.encode.ops.cpu.tile_lists import STEP_MARGIN
from gstex.encode.ops.cpu.view import CpuView
from gstex.encode.problem import Target, weighted_sum
from gstex.encode.shared_mips import filter_sigma, view_weight

__all__ = ["SharedView"]

# While all Gaussians stay in their cells, every so many-th request makes the lists of steps again.
LASTING = 2


class SharedView(CpuView):
    """A mip seen with the Gaussians of mip 0: positions and sizes scaled, sizes enlarged by the filter.

    importance_sum: of all texels and channels, with their weights. mse: the mean squared error of the last steps, 0
    before the first.
    """

    def __init__(self, whole: Pyramid, mip: int, target: Target, weight: F32Array):
        """whole: the pyramid of mip 0. target: of this mip. weight: float32 [C], of the channels."""
        height, width = target.image.shape[:2]
        scale = np.array([width / whole.width, height / whole.height], np.float32)
        super().__init__(
            replace(whole, width=width, height=height), scale=scale.tolist(), filter_sigma=filter_sigma(mip)
        )
        self.set_target(target, weight)
        self.importance_sum = weighted_sum(target, weight)
        self.mse = 0.0
        self._placement, self._margin = np.zeros((0, 3), np.int32), 0.0
        self._asked = 0  # how often, since the lists were made
        self._due = True

    def place_later(self, placement: I32Array, margin: float) -> None:
        """Note that `place` is due, if it is. placement: int32 [N, 3], another array after every change of it."""
        self._asked += 1
        same = placement is self._placement and margin == self._margin == STEP_MARGIN
        if not same or self._asked >= LASTING:
            self._due = True
        self._placement, self._margin = placement, margin

    def place_now(self, geometry: F32Array) -> None:
        """Make the lists that are due, for this geometry [N, 6]."""
        if self._due:
            self.place(self._placement, geometry, margin=self._margin)
            self._due, self._asked = False, 0

    def forget_lists(self) -> None:
        super().forget_lists()
        self._due = True

    def weigh(self, weight: F32Array) -> None:
        super().weigh(weight)
        self.importance_sum = weighted_sum(self.wanted, weight)

    def weight(self, mse: float) -> float:
        """What the squared error of this mip counts beside that of mip 0, whose mean is `mse`, point for point."""
        return view_weight(mse, self.mse)

    def add_gradient(
        self, geometry: F32Array, features: F32Array, background: F32Array, jitter: F32Array, loss: str, *,
        to: tuple[F32Array, F32Array], weight: float,
    ) -> None:  # fmt: skip
        """Add the gradient of this mip's loss by mip 0's Gaussians to (v_geometry [N, 6], v_features [N, C]).

        loss: 'l2' or 'perceptual'. weight: a factor.
        """
        scene = geometry, features, background, jitter
        if loss == "l2":
            error, _, _ = self.step(*scene, add_to=to, weight=weight)
        else:
            image, target, importance = self.render(*scene)
            error = float((importance * (image - target) ** 2).sum(dtype=np.float64))
            _, v_image = perceptual_loss(image, target, importance)
            self.backward(*scene, v_image, add_to=to, weight=weight)
        self.mse += (0.1 if self.mse else 1.0) * (error / self.importance_sum - self.mse)
