"""Sums on the GPU that are the same every time, and means that follow them from step to step."""

import numpy as np

from gstex.arrays import GpuArray
from gstex.cuda.device import Device

__all__ = ["ColumnSums", "Follower"]

_THREADS = 256  # of a block of encode/sums.cu
# Most partial sums of a column.
_PARTS = 64


class ColumnSums:
    """Sums over the rows of a float32 table [rows, columns], in float64; buffers are kept."""

    def __init__(self, device: Device, rows: int, columns: int):
        self._device = device
        self._rows, self._columns = rows, columns
        self._parts = max(1, min(_PARTS, -(-rows // _THREADS)))
        self._partial = device.xp.empty((self._parts, columns), np.float64)
        self._result = device.xp.empty(columns, np.float64)

    def __call__(self, values: GpuArray) -> GpuArray:
        """float64 [columns], overwritten by the next call."""
        self._device.kernel("encode/sums.cu", "fit_sum_rows")(
            (self._columns, self._parts), (_THREADS,), values, np.int32(self._rows), self._partial
        )
        self._device.kernel("encode/sums.cu", "fit_sum_partial")(
            (self._columns,), (_THREADS,), self._partial, np.int32(self._parts), self._result
        )
        return self._result


class Follower:
    """A mean over the last steps that stays on the GPU.

    state: float64 [1]: the start, then the first value, then a mean that moves by a tenth towards each further value.
    """

    def __init__(self, device: Device, start: float = 0.0):
        self._device = device
        self.state = device.xp.full(1, start, np.float64)
        self._known = device.xp.zeros(1, np.int32)

    def update(self, value: GpuArray, factor: float) -> None:
        """Follow `value`, a float64 of the device, times `factor`."""
        follow = self._device.kernel("encode/sums.cu", "fit_follow")
        follow((1,), (1,), value, np.float64(factor), self._known, self.state)

    def set(self, value: float) -> None:
        """Go on from this mean."""
        self.state.fill(value)
        self._known.fill(1)

    def __float__(self) -> float:
        """The mean, when all that was launched is done."""
        return float(self._device.to_host(self.state)[0])
