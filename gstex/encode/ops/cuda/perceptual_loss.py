"""The perceptual loss of the fit on the GPU: see gstex/encode/loss.py."""

import numpy as np

from gstex.arrays import GpuArray
from gstex.cuda.device import Device
from gstex.encode.loss import C1, C2, SSIM_SHARE, WINDOW
from gstex.encode.ops.cuda.sums import ColumnSums

__all__ = ["Perceptual"]

_TILE = 16  # texels along an edge of a block of encode/perceptual_loss.cu


class Perceptual:
    """The loss of pictures of one size; buffers are kept between calls."""

    def __init__(self, device: Device, height: int, width: int, channels: int):
        xp = device.xp
        self._device = device
        self._size = np.int32(width), np.int32(height), np.int32(channels)
        self._grid = -(-width // _TILE), -(-height // _TILE), channels
        blocks = int(np.prod(self._grid))
        self._taps = xp.asarray(WINDOW.astype(np.float32))
        self._slopes = xp.empty((3, height, width, channels), np.float32)
        self._losses = xp.empty((blocks, 2), np.float32)
        self._sum = ColumnSums(device, blocks, 2)
        self._v_picture = xp.empty((height, width, channels), np.float32)

    def __call__(self, image: GpuArray, target: GpuArray, importance: GpuArray) -> tuple[GpuArray, GpuArray, GpuArray]:
        """The loss and its gradient.

        Args:
            image, target, importance: float32 [H, W, C], see encode.ops.cpu.perceptual_loss.

        Returns:
            (loss, v_image [H, W, C], squared error); the errors are float64 of no dimension. All are overwritten by
            the next call.
        """
        block = (_TILE, _TILE)
        pictures = image, target, importance
        self._device.kernel("encode/perceptual_loss.cu", "fit_ssim")(
            self._grid, block, *pictures, self._taps, *self._size, np.float32(SSIM_SHARE), np.float32(C1),
            np.float32(C2), self._slopes, self._losses,
        )  # fmt: skip
        sums = self._sum(self._losses)
        self._device.kernel("encode/perceptual_loss.cu", "fit_ssim_gradient")(
            self._grid, block, *pictures, self._slopes, self._taps, *self._size, np.float32(SSIM_SHARE),
            self._v_picture,
        )  # fmt: skip
        return sums[0, ...], self._v_picture, sums[1, ...]
