"""What a fit trains."""

from types import ModuleType
from typing import Protocol

import numpy as np

from gstex.arrays import AnyArray, EngineArray, F32Array, IntArray

__all__ = ["Parameters"]


class Arrays(Protocol):
    """What parameters ask of an engine (encode/engine.py)."""

    xp: ModuleType

    def array(self, values: AnyArray) -> EngineArray: ...


class Parameters:
    """Trainable parameters with their Adam state, in arrays of an engine; rows can be dropped or restarted.

    The methods take arrays of NumPy: geometry float32 [N, 6], features float32 [N, C], and numbers of rows, [N].
    """

    def __init__(self, engine: Arrays, geometry: F32Array, features: F32Array):
        self.engine, xp = engine, engine.xp
        self.geometry, self.features = engine.array(geometry), engine.array(features)
        self.moments = [xp.zeros_like(a) for a in (self.geometry, self.geometry, self.features, self.features)]
        self.level = xp.zeros(len(geometry), np.int32)

    def copy(self) -> "Parameters":
        """The same numbers in arrays of their own."""
        other = Parameters(self.engine, self.geometry.copy(), self.features.copy())
        other.moments, other.level = [moment.copy() for moment in self.moments], self.level.copy()
        return other

    def restart(self, rows: IntArray, geometry: F32Array, features: F32Array) -> None:
        array = self.engine.array
        which = array(rows)
        self.geometry[which], self.features[which] = array(geometry), array(features)
        self.level[which] = 0
        for moment in self.moments:
            moment[which] = 0

    def append(self, geometry: F32Array, features: F32Array) -> None:
        xp, new = self.engine.xp, Parameters(self.engine, geometry, features)
        self.geometry = xp.concatenate([self.geometry, new.geometry])
        self.features = xp.concatenate([self.features, new.features])
        self.level = xp.concatenate([self.level, new.level])
        self.moments = [xp.concatenate(pair) for pair in zip(self.moments, new.moments, strict=True)]

    def keep(self, rows: IntArray) -> None:
        which = self.engine.array(rows)
        self.geometry, self.features, self.level = self.geometry[which], self.features[which], self.level[which]
        self.moments = [moment[which] for moment in self.moments]
