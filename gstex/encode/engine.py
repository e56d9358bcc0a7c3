"""What a fit asks of the engine that works on its Gaussians.

The schedule (schedule.py) decides in NumPy what happens when. Arrays of Gaussians belong to the engine: they come from
`array`, its calls or plain indexing, and `host` gives a copy that the schedule can look at. There is one for the
CPU (ops/cpu/engine.py) and one for GPUs (ops/cuda/engine.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from gstex.arrays import AnyArray, F32Array, F64Array
from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.parameters import Parameters
from gstex.encode.problem import Task
from gstex.encode.quantisation import Coding
from gstex.encode.settings import Settings

__all__ = ["NO_JITTER", "Engine", "MakeEngine", "rates"]

NO_JITTER = np.zeros(2, np.float32)


class Engine(Protocol):
    """What the schedule asks for; the calls are described at CpuEngine.

    backend: 'cpu' or 'cuda'. device: its name, for people.
    """

    backend: str
    device: str
    xp: Any

    def array(self, values: AnyArray) -> Any: ...
    def host(self, values: Any) -> AnyArray: ...
    def set_pyramid(self, pyramid: Pyramid) -> None: ...
    def weigh(self, weight: F32Array) -> None: ...
    def place(self, geometry: Any, level: Any) -> Any: ...
    def list_tiles(self, placement: Any, geometry: Any, margin: float) -> None: ...
    def forget_lists(self) -> None: ...
    def removal_cost(self, geometry: Any, features: Any) -> tuple[F64Array, F64Array, F32Array]: ...
    def render(self, geometry: Any, features: Any, background: F32Array) -> F32Array: ...
    def squared_errors(self, geometry: Any, features: Any, background: F32Array) -> F64Array: ...
    def descend(
        self, p: Parameters, geometry: Any, features: Any, jitter: F32Array, between: bool, step: int, rate: float,
        mse: float, *, fixed_features: bool = False,
    ) -> None: ...  # fmt: skip
    def losses(self, *, wait: bool = False) -> list[tuple[int, float, bool]]: ...
    def quantiser(self, coding: Coding, placement: Any) -> Any: ...
    def rounded(self, quantiser: Any, p: Parameters) -> tuple[Any, Any]: ...
    def codes(self, quantiser: Any, geometry: Any) -> Any: ...
    def train(
        self, values: Any, share: F64Array, bits: Sequence[int], rng: np.random.Generator
    ) -> list[F32Array]: ...
    def store(self, coding: Coding, placement: Any, features: Any) -> Any: ...
    def collect(self, jitter: float, mse: float, *, centres_only: bool = False) -> Any: ...
    def measure(self, points: Any, blend: Any) -> float: ...
    def solve_features(self, points: Any, blend: Any, features: Any, rounds: int) -> None: ...
    def refine_features(self, points: Any, blend: Any, stored: Any, *, codebooks_too: bool) -> None: ...
    def refine_geometry(self, points: Any, blend: Any, quantiser: Any, codes: Any, features: Any) -> None: ...


class MakeEngine(Protocol):
    """Makes the engine of one fit."""

    def __call__(self, task: Task, settings: Settings, background: F32Array) -> Engine: ...


def rates(settings: Settings, channels: int) -> tuple[F32Array, F32Array]:
    """Adam's rates of (geometry float32 [6], features float32 [C])."""
    s = settings
    geometry = [s.position_rate, s.position_rate, s.rotation_rate, s.scale_rate, s.scale_rate, s.amplitude_rate]
    return np.array(geometry, np.float32), np.full(channels, s.feature_rate, np.float32)
