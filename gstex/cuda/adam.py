"""The optimiser of the fit on the GPU, and what changes from one step to the next.

A step gets its numbers from the GPU's own memory, so that the same launches serve every step.
"""

from typing import Any

import numpy as np

from .device import Device

__all__ = ["Schedule", "adam"]

_THREADS = 128
_KNOBS = 5  # FIT_KNOBS of fit_adam.cu


class Schedule:
    """The numbers of the steps to come.

    now: float32 [5], of the present step: jitter x and y, factor of the rates, the two corrections of Adam.
    jitter: float32 [2], a view of it for GpuBackend.step. Both stay where they are.
    """

    def __init__(self, device: Device, beta1: float, beta2: float, *, most: int):
        """most: steps that can be planned at a time."""
        self.beta1, self.beta2 = beta1, beta2
        self._device = device
        xp = device.xp
        self._rows = xp.zeros((most, _KNOBS), np.float32)
        self.now = xp.zeros(_KNOBS, np.float32)
        self._done = xp.zeros(1, np.int32)
        self.jitter = self.now[:2]

    def plan(self, jitters: np.ndarray, factors: np.ndarray, first: int) -> None:
        """Set the numbers of steps first, first + 1, ..; step 1 is the first of all.

        jitters: float [S, 2], texels. factors: float [S], of the rates.
        """
        n = first + np.arange(len(factors))
        # Of the float32 betas that the kernel has: 1 - beta2 of the two differs by more than rounding.
        correct = [1 / (1 - float(np.float32(beta)) ** n.astype(np.float64)) for beta in (self.beta1, self.beta2)]
        rows = np.column_stack([jitters, factors, *correct]).astype(np.float32)
        self._rows[: len(rows)] = self._device.xp.asarray(rows)
        self._rows[len(rows) :] = self._rows[len(rows) - 1]
        self._done.fill(0)

    def advance(self) -> None:
        """Go on to the next step."""
        self._device.kernel("fit_adam.cu", "fit_advance")(
            (1,), (1,), self._rows, np.int32(len(self._rows)), self.now, self._done
        )


def adam(
    device: Device, schedule: Schedule, values: Any, gradient: Any, first_moment: Any, second_moment: Any, rate: Any
) -> None:
    """One step of Adam in place, with the present numbers of the schedule.

    values, gradient, first_moment, second_moment: float32 [N, P]. rate: float32 [P].
    """
    count = values.size
    device.kernel("fit_adam.cu", "fit_adam")(
        (max(1, -(-count // _THREADS)),), (_THREADS,), values, gradient, first_moment, second_moment, rate,
        schedule.now, np.float32(schedule.beta1), np.float32(schedule.beta2), np.int32(values.shape[1]),
        np.int32(count),
    )  # fmt: skip
