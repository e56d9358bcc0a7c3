"""The perceptual loss of a fit and its gradient: see gstex/encode/loss.py."""

import numpy as np

from gstex.arrays import F32Array
from gstex.encode.loss import C1, C2, SSIM_SHARE, WINDOW
from gstex.native import _core

__all__ = ["perceptual_loss"]

_TAPS = WINDOW.astype(np.float32)


def perceptual_loss(image: F32Array, target: F32Array, importance: F32Array) -> tuple[float, F32Array]:
    """The loss and its gradient.

    image, target: float32 [H, W, C], values of 0..1 (the image may leave the range).
    importance: float32 [H, W, C], not negative.
    Returns (loss, v_image float32 [H, W, C]). Where image = target, |image - target| has a gradient of 0.
    """
    v_image = np.empty(image.shape, np.float32)
    pictures = (np.ascontiguousarray(a, np.float32) for a in (image, target, importance))
    return _core.perceptual_loss(*pictures, _TAPS, SSIM_SHARE, C1, C2, v_image), v_image
