"""The optimiser of the fit on the GPU, and what changes from one step to the next.

A step gets its numbers from the GPU's own memory, so that the same launches serve every step.
"""

import numpy as np

from gstex.arrays import F32Array, GpuArray
from gstex.cuda.device import Device

__all__ = ["Knobs", "adam"]

_THREADS = 128
_KNOBS = 6  # FIT_KNOBS of encode/adam.cu


class Knobs:
    """The numbers of the present step.

    now: float32 [6]: jitter x and y, factor of the rates, the two corrections of Adam, and the place in which the error
    of the step is noted. jitter: float32 [2], a view of it for GpuView.step. Both keep their memory.
    """

    def __init__(self, device: Device, beta1: float, beta2: float):
        self.beta1, self.beta2 = beta1, beta2
        self._device = device
        self.now = device.xp.zeros(_KNOBS, np.float32)
        self.jitter = self.now[:2]

    def set(self, jitter: F32Array, factor: float, step: int, slot: int = 0) -> None:
        """Go on to a step, without waiting for the GPU.

        jitter: float32 [2], texels. step: 1 for the first. slot: where `note` puts its error.
        """
        # Of the float32 betas, as the kernel has them: 1 - beta2 differs from that of float64 by more than rounding.
        correct = [1 / (1 - float(np.float32(beta)) ** step) for beta in (self.beta1, self.beta2)]
        numbers = np.array([*jitter, factor, *correct, slot], np.float32)
        self._device.kernel("encode/adam.cu", "fit_set_knobs")((1,), (1,), *numbers, self.now)

    def note(self, loss: GpuArray, losses: GpuArray) -> None:
        """Put the error of the step, float64 of no dimension, into its place of `losses`."""
        self._device.kernel("encode/adam.cu", "fit_note_loss")((1,), (1,), loss, self.now, losses)


def adam(
    device: Device, knobs: Knobs, values: GpuArray, gradient: GpuArray, first_moment: GpuArray,
    second_moment: GpuArray, rate: GpuArray,
) -> None:  # fmt: skip
    """One step of Adam in place, with the present numbers of the knobs.

    values, gradient, first_moment, second_moment: float32 [N, P]. rate: float32 [P].
    """
    count = values.size
    device.kernel("encode/adam.cu", "fit_adam")(
        (max(1, -(-count // _THREADS)),), (_THREADS,), values, gradient, first_moment, second_moment, rate,
        knobs.now, np.float32(knobs.beta1), np.float32(knobs.beta2), np.int32(values.shape[1]), np.int32(count),
    )  # fmt: skip
