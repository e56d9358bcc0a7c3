"""The mips that are drawn with the Gaussians of mip 0 (docs/format.md, "Mip block").

Seen at the size of such a mip, every Gaussian has its variance enlarged by a filter. That is not how a picture is
minified, but the blend is normalised: between the Gaussians that are left visible it stays a smooth partition, and
mip 0 was fitted with that in sight (docs/design-notes/0003-mips.md).
"""

from dataclasses import replace

import numpy as np

from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.ops.cpu.perceptual_loss import perceptual_loss
from gstex.encode.ops.cpu.view import CpuView

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


class SharedView(CpuView):
    """A mip seen with the Gaussians of mip 0: positions and sizes scaled, sizes enlarged by the filter.

    samples: sum of its importance. mse: the mean squared error of the last steps, 0 before the first.
    """

    def __init__(self, whole: Pyramid, mip: int, image: np.ndarray, importance: np.ndarray):
        """whole: the pyramid of mip 0. image, importance: float32 [h, w, C] of this mip."""
        height, width = image.shape[:2]
        scale = np.array([width / whole.width, height / whole.height], np.float32)
        super().__init__(
            replace(whole, width=width, height=height), scale=scale.tolist(), filter_sigma=filter_sigma(mip)
        )
        self.set_target(image, importance)
        self.samples = float(importance.sum(dtype=np.float64)) or 1.0
        self.mse = 0.0

    def weight(self, mse: float) -> float:
        """What its squared error counts beside that of mip 0, whose mean is `mse`, point for point."""
        return view_weight(mse, self.mse)

    def add_gradient(
        self, geometry: np.ndarray, features: np.ndarray, background: np.ndarray, jitter: np.ndarray, loss: str, *,
        to: tuple[np.ndarray, np.ndarray], weight: float,
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
        self.mse += (0.1 if self.mse else 1.0) * (error / self.samples - self.mse)
