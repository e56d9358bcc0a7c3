"""What the values 0 .. 1 of a channel stand for."""

from dataclasses import dataclass

import numpy as np

from gstex.arrays import F32Array, FloatArray
from gstex.format.layout import ChannelEntry
from gstex.native import maths

__all__ = ["ValueRange"]

_MOST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ValueRange:
    """A value v in 0 .. 1 stands for bias + scale v, or with stops above 0 for bias + scale (2^(stops v) - 1).

    The numbers are those of a channel's entry in a file, float32 there and here.
    """

    scale: float = 1.0
    bias: float = 0.0
    stops: float = 0.0

    @classmethod
    def of(cls, entry: ChannelEntry) -> "ValueRange":
        """The range of a channel of a file."""
        return cls(entry.scale, entry.bias, entry.stops)

    @classmethod
    def between(cls, lo: float, hi: float) -> "ValueRange":
        """The range of values lo .. hi, which differ."""
        return cls(float(np.float32(hi - lo)), float(np.float32(lo)))

    @classmethod
    def of_light(cls, hi: float, middle: float) -> "ValueRange":
        """The range of light 0 .. hi, mostly about `middle`: nearly linear up to middle / 4, logarithmic above."""
        scale = np.float32(max(middle, hi / 2**20) / 4)
        return cls(float(scale), 0.0, float(np.float32(maths.log2(1 + hi / float(scale)))))

    def to_unit(self, values: FloatArray) -> F32Array:
        """Values [...] -> float32 [...] in 0 .. 1, cut to that."""
        steps = (values.astype(np.float64) - self.bias) / self.scale
        if self.stops:
            steps = maths.log2(1 + np.maximum(steps, 0.0)) / self.stops
        # Whether clipping gives 0 or -0 depends on the CPU; adding 0.0 leaves no -0.
        return (np.clip(steps, 0.0, 1.0) + 0.0).astype(np.float32)

    def from_unit(self, unit: FloatArray) -> F32Array:
        """0 .. 1, [...] -> float32 values [...]."""
        steps = np.clip(unit, 0.0, 1.0).astype(np.float64)
        if self.stops:
            steps = maths.exp2(self.stops * steps) - 1
        return np.clip(steps * self.scale + self.bias, -_MOST, _MOST).astype(np.float32)
