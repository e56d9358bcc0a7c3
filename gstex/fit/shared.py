"""The mips that are drawn with the Gaussians of mip 0 (docs/format.md, "Mip block").

Seen at the size of such a mip, every Gaussian has its variance enlarged by a filter. That is not how a picture is
minified, but the blend is normalised: between the Gaussians that are left visible it stays a smooth partition, and
mip 0 was fitted with that in sight (docs/design-notes/0003-mips.md).
"""

from dataclasses import replace

import numpy as np

from ..cells import Pyramid
from ..encode.ops.cpu.perceptual_loss import perceptual_loss
from .cpu import CpuBackend

# How many mips below mip 0 are drawn with its Gaussians.
SHARED_MIPS = 4
# Sigma of the filter in texels of the mip.
FILTER = 0.25
# Most weight of such a mip in the loss of mip 0; one that is far worse than mip 0 pulls with less.
WEIGHT = 0.02
# Mean squared error, by that of mip 0, up to which it has that weight: 3 dB.
LIMIT = 2.0


def filter_sigma(mip: int) -> float:
    """Sigma of the filter of a shared mip in texels of mip 0, exact in float32."""
    return float(np.float32(FILTER * 2**mip))


def view_weight(mse: float, own: float) -> float:
    """What the squared error of such a mip counts beside that of mip 0, point for point.

    mse: mean of mip 0. own: that of the mip, 0 before its first step.
    """
    return WEIGHT * min(1.0, LIMIT * mse / own) ** 2 if own else WEIGHT


class SharedView:
    """A mip seen with the Gaussians of mip 0: positions and sizes scaled, sizes enlarged by the filter."""

    def __init__(self, whole: Pyramid, mip: int, image: np.ndarray, importance: np.ndarray):
        """whole: the pyramid of mip 0. image, importance: float32 [h, w, C] of this mip."""
        height, width = image.shape[:2]
        self.samples = float(importance.sum()) or 1.0
        self.mse = 0.0  # of the last steps, 0 before the first
        self.backend = CpuBackend(replace(whole, width=width, height=height))
        self.backend.set_target(image, importance)
        self.scale = np.array([width / whole.width, height / whole.height], np.float32)
        self.filter = filter_sigma(mip)

    def weight(self, mse: float) -> float:
        """What its squared error counts beside that of mip 0, whose mean is `mse`, point for point."""
        return view_weight(mse, self.mse)

    def place(self, placement: np.ndarray, geometry: np.ndarray) -> None:
        """Take over the levels and cells [N, 3] of the Gaussians; geometry as mip 0 has it."""
        self.backend.place(placement, self._seen(geometry)[0])

    def _seen(self, geometry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(geometry in texels of this mip, d log sigma seen / d log sigma [N, 2])."""
        seen = geometry.copy()
        seen[:, :2] *= self.scale
        variance = np.exp(2 * geometry[:, 3:5])
        enlarged = variance + np.float32(self.filter**2)
        # One scale for both axes: those of a Gaussian are turned against those of the texture. They differ only
        # where an odd size was halved.
        seen[:, 3:5] = np.log(enlarged) / 2 + np.log(self.scale.mean())
        return seen, variance / enlarged

    def gradient(
        self, geometry: np.ndarray, features: np.ndarray, background: np.ndarray, jitter: np.ndarray, loss: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradient of this mip's loss by mip 0's (geometry [N, 6], features [N, C]); the arrays are reused."""
        seen, part = self._seen(geometry)
        if loss == "l2":
            error, v_geometry, v_features, _ = self.backend.step(seen, features, background, jitter)
        else:
            image, target, importance = self.backend.render(seen, features, background, jitter)
            error = float((importance * (image - target) ** 2).sum(dtype=np.float64))
            _, v_image = perceptual_loss(image, target, importance)
            v_geometry, v_features, _ = self.backend.backward(seen, features, background, v_image)
        self.mse += (0.1 if self.mse else 1.0) * (error / self.samples - self.mse)
        v_geometry[:, :2] *= self.scale
        v_geometry[:, 3:5] *= part
        return v_geometry, v_features
