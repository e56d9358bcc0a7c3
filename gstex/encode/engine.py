"""What a fit asks of the engine that works on its Gaussians.

The schedule (schedule.py) decides in NumPy what happens when. Arrays of Gaussians belong to the engine: they come from
`array`, its calls or plain indexing, and `host` gives a copy that the schedule can look at. There is one for the
CPU (ops/cpu/engine.py) and one for GPUs (ops/cuda/engine.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, Protocol, TypeAlias

import numpy as np

from gstex.arrays import AnyArray, EngineArray, F32Array, F64Array
from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.parameters import Parameters
from gstex.encode.problem import Task
from gstex.encode.quantisation import Coding
from gstex.encode.settings import Settings

__all__ = [
    "NO_JITTER", "Engine", "EngineBlend", "EngineFeatures", "EnginePoints", "EngineQuantiser", "MakeEngine", "Own",
    "rates",
]  # fmt: skip

NO_JITTER = np.zeros(2, np.float32)


class EngineQuantiser(Protocol):
    """What `Engine.quantiser` makes: Quantiser on the CPU, GpuQuantiser on a GPU."""

    coding: Coding

    def decode(self, codes: EngineArray) -> EngineArray: ...


class EngineFeatures(Protocol):
    """What `Engine.store` makes: StoredFeatures on the CPU, GpuStoredFeatures on a GPU.

    entries: uint32 [N, P]. codes: uint32 [N, C].
    """

    entries: EngineArray
    codes: EngineArray

    def values(self) -> EngineArray: ...
    def into(self, coding: Coding) -> Coding: ...


class EngineBlend(Protocol):
    """What `EnginePoints.blend` makes: Blend on the CPU, GpuBlend on a GPU.

    share: float32 [E], the largest share of an entry in a point of its tile.
    """

    @property
    def share(self) -> EngineArray: ...


class EnginePoints(Protocol):
    """What `Engine.collect` makes: SamplePoints on the CPU, GpuSamplePoints on a GPU."""

    def blend(self, geometry: EngineArray, features: EngineArray, background: EngineArray) -> EngineBlend: ...
    def only(self, entries: EngineArray) -> EnginePoints: ...
    def shifted(self, shift: F64Array) -> EnginePoints: ...


Own: TypeAlias = Any
"""One of these four objects, made by the same engine: no engine takes those of another. No type says that."""


class Engine(Protocol):
    """What the schedule asks for; the calls are described at CpuEngine.

    backend: 'cpu' or 'cuda'. device: its name, for people.
    """

    backend: str
    device: str
    xp: ModuleType

    def array(self, values: AnyArray) -> EngineArray: ...
    def host(self, values: EngineArray) -> AnyArray: ...
    def set_pyramid(self, pyramid: Pyramid) -> None: ...
    def weigh(self, weight: F32Array) -> None: ...
    def place(self, geometry: EngineArray, level: EngineArray) -> EngineArray: ...
    def list_tiles(self, placement: EngineArray, geometry: EngineArray, margin: float) -> None: ...
    def forget_lists(self) -> None: ...
    def removal_cost(self, geometry: EngineArray, features: EngineArray) -> tuple[F64Array, F64Array, F32Array]: ...
    def render(self, geometry: EngineArray, features: EngineArray, background: F32Array) -> F32Array: ...
    def squared_errors(self, geometry: EngineArray, features: EngineArray, background: F32Array) -> F64Array: ...
    def descend(
        self, p: Parameters, geometry: EngineArray, features: EngineArray, jitter: F32Array, between: bool, step: int,
        rate: float, mse: float, *, fixed_features: bool = False,
    ) -> None: ...  # fmt: skip
    def losses(self, *, wait: bool = False) -> list[tuple[int, float, bool]]: ...
    def quantiser(self, coding: Coding, placement: EngineArray) -> EngineQuantiser: ...
    def rounded(self, quantiser: Own, p: Parameters) -> tuple[EngineArray, EngineArray]: ...
    def codes(self, quantiser: Own, geometry: EngineArray) -> EngineArray: ...
    def train(
        self, values: EngineArray, share: F64Array, bits: Sequence[int], rng: np.random.Generator
    ) -> list[F32Array]: ...
    def store(self, coding: Coding, placement: EngineArray, features: EngineArray) -> EngineFeatures: ...
    def collect(self, jitter: float, mse: float, *, centres_only: bool = False) -> EnginePoints: ...
    def measure(self, points: Own, blend: Own) -> float: ...
    def solve_features(self, points: Own, blend: Own, features: EngineArray, rounds: int) -> None: ...
    def refine_features(self, points: Own, blend: Own, stored: Own, *, codebooks_too: bool) -> None: ...
    def refine_geometry(
        self, points: Own, blend: Own, quantiser: Own, codes: EngineArray, features: EngineArray
    ) -> None: ...


class MakeEngine(Protocol):
    """Makes the engine of one fit."""

    def __call__(self, task: Task, settings: Settings, background: F32Array) -> Engine: ...


def rates(settings: Settings, channels: int) -> tuple[F32Array, F32Array]:
    """Adam's rates of (geometry float32 [6], features float32 [C])."""
    s = settings
    geometry = [s.position_rate, s.position_rate, s.rotation_rate, s.scale_rate, s.scale_rate, s.amplitude_rate]
    return np.array(geometry, np.float32), np.full(channels, s.feature_rate, np.float32)
