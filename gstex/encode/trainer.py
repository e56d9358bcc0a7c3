"""The Gaussians of one mip while they are trained: parameters, where they are seen, steps, and how far they are.

The trainer knows no stage and no budget. An engine (engine.py) does the heavy work.
"""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gstex.arrays import EngineArray, F32Array, F64Array, U32Array
from gstex.encode.cell_pyramid import Pyramid, make_pyramid
from gstex.encode.engine import NO_JITTER, EngineBlend, EngineFeatures, EnginePoints, EngineQuantiser, MakeEngine
from gstex.encode.fit_state import TrainerState
from gstex.encode.ops.cpu.engine import CpuEngine
from gstex.encode.ops.cpu.sample_points import LEAST_SHARE
from gstex.encode.ops.cpu.tile_lists import MARGIN, STEP_MARGIN
from gstex.encode.parameters import Parameters
from gstex.encode.problem import Result, Task, weighted_sum
from gstex.encode.quantisation import Coding
from gstex.encode.settings import Settings
from gstex.encode.work import Progress, Work
from gstex.native.maths import log10, power

__all__ = ["Trainer"]

# Size of the finest cells, in mean distances between Gaussians. Larger cells cost candidates, smaller ones index bytes.
CELL_SPACING = 1.2
# Least and largest share of the steps that sample between texels, for a fit that samples there at all.
JITTER_LEAST, JITTER_MOST = 0.1, 0.6
# The mean squared error that is assumed until the first step.
FIRST_MSE = 0.0004


class Trainer:
    """Gaussians that are trained on a task.

    parameters, placement, pyramid: of the Gaussians, once there are any. step_count: of Adam's
    steps. mse: of the last steps, values 0..1. jitter: share of the steps that sample between texels. weight: float32
    [C], what the squared error of a channel counts as the fit goes on (`weigh_channels`). background: float32 [C].
    """

    parameters: Parameters
    placement: EngineArray
    pyramid: Pyramid

    def __init__(
        self, task: Task, settings: Settings, rng: np.random.Generator, progress: Progress,
        make_engine: MakeEngine = CpuEngine,
    ):  # fmt: skip
        self.task = task
        self.settings, self.rng, self.make_engine = settings, rng, make_engine
        self.work = Work(settings.steps, progress)
        self.step_count = 0
        self.mse = FIRST_MSE
        self.jitter = settings.jitter
        self._losses = np.zeros(2)  # at the texel centres and between them, 0 until the first step
        self.weight = task.weights
        self.importance_sum = weighted_sum(task.target, self.weight)
        self.channel_factors = np.ones(task.target.channels)
        self.background = task.target.image.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        self.engine = make_engine(task, settings, self.background)

    @property
    def count(self) -> int:
        """Gaussians."""
        return len(self.parameters.geometry)

    def advance(self, stage: str, steps: float = 1.0) -> None:
        """Report that a part of a stage is done that takes the time of so many steps."""
        self.work.advance(stage, steps, math.inf if self.mse == FIRST_MSE else self.mse)

    # -- where Gaussians are seen

    def set_grid(self, count: int) -> None:
        """Choose the pyramid for about `count` Gaussians."""
        height, width = self.task.target.image.shape[:2]
        cell = max(CELL_SPACING * np.sqrt(width * height / count), 2.0)
        self.set_pyramid(make_pyramid(width, height, repeat=self.task.repeat, cell=cell))

    def set_pyramid(self, pyramid: Pyramid) -> None:
        """Begin with other cells; no Gaussian is placed in them yet."""
        self.pyramid = pyramid
        self.engine.set_pyramid(pyramid)

    def set_gaussians(self, geometry: F32Array, features: F32Array) -> None:
        """Begin with these Gaussians, whose cells are still to be chosen: geometry [N, 6], features [N, C]."""
        self.parameters = Parameters(self.engine, geometry, features)

    def place(self) -> None:
        """Choose the cells of all Gaussians, and list what the tiles see."""
        p = self.parameters
        self.placement = self.engine.place(p.geometry, p.level)
        p.level = self.placement[:, 0].copy()
        self.list_tiles(p.geometry)

    def list_tiles(self, geometry: EngineArray, *, margin: float = STEP_MARGIN) -> None:
        """List what the tiles see of Gaussians in the present cells; margin: see tile_lists."""
        self.follow(wait=True)
        self.engine.list_tiles(self.placement, geometry, margin)

    def checkpoint(self) -> Callable[[], None]:
        """A function that brings the fit back to its present state, as often as it is called. Gaussians then have no
        cells."""
        self.follow(wait=True)
        parameters = self.parameters.copy()
        state = self.step_count, self.mse, self.jitter, self.channel_factors, self.work.done
        losses, generator = self._losses.copy(), self.rng.bit_generator.state

        def back() -> None:
            self.follow(wait=True)
            self.parameters, self._losses = parameters.copy(), losses.copy()
            self.step_count, self.mse, self.jitter, factors, done = state
            self.rng.bit_generator.state = generator
            self.work.go_back(done)
            self.weigh_channels(factors)

        return back

    def save(self, *, placed: bool) -> TrainerState:
        """The fit as it is now, as data; on the CPU alone. placed: whether Gaussians stay in their cells."""
        self.follow(wait=True)
        p, rng = self.parameters, self.rng.bit_generator
        engine: Any = self.engine
        seeds: Any = rng.seed_seq
        first, second, third, fourth = p.moments
        return TrainerState(
            pyramid=self.pyramid, geometry=p.geometry, features=p.features, moments=(first, second, third, fourth),
            level=p.level, placement=self.placement if placed else None, step_count=self.step_count,
            mse=float(self.mse), jitter=float(self.jitter), losses=self._losses, factors=self.channel_factors,
            generator=json.dumps(rng.state), children=seeds.n_children_spawned, done=float(self.work.done),
            total=float(self.work.total), shared_mse=engine.shared_mse,
        )  # fmt: skip

    def restore(self, state: TrainerState) -> None:
        """Go on from what a trainer of the same task has saved.

        Raises:
            ValueError: the state of its random numbers cannot be read.
        """
        generator = json.loads(state.generator)
        self.rng.bit_generator.state = generator
        self.rng.spawn(state.children)
        self.set_pyramid(state.pyramid)
        self.set_gaussians(state.geometry, state.features)
        self.parameters.moments, self.parameters.level = list(state.moments), state.level
        self.step_count, self.mse, self.jitter = state.step_count, state.mse, state.jitter
        self._losses = state.losses
        self.work.total = state.total
        self.work.go_back(state.done)
        self.weigh_channels(state.factors)
        engine: Any = self.engine
        engine.shared_mse = state.shared_mse
        if state.placement is not None:
            self.placement = state.placement
            self.list_tiles(state.geometry)

    # -- what counts

    def weigh_channels(self, factors: F64Array) -> None:
        """Let every channel count this many times as much as in the task.

        factors: [C].
        """
        self.channel_factors = factors
        self.follow(wait=True)
        self.weight = factors.astype(np.float32) * self.task.weights
        self.importance_sum = weighted_sum(self.task.target, self.weight)
        self.engine.weigh(self.weight)

    # -- steps

    def step(self, geometry: EngineArray, features: EngineArray, *, fixed_features: bool = False) -> None:
        """One Adam step of the parameters, or those of the geometry, with the gradient at (geometry, features)."""
        s = self.settings
        jitter, between = NO_JITTER, bool(self.rng.random() < self.jitter)
        if between:
            jitter = (self.rng.random(2) - 0.5).astype(np.float32)
        late = max(0.0, (self.step_count + 1) / s.steps - (1 - s.decay_share)) / s.decay_share
        rate = float(power(s.decay, late))
        self.engine.descend(self.parameters, geometry, features, jitter, between, self.step_count, rate, self.mse,
                            fixed_features=fixed_features)  # fmt: skip
        self.step_count += 1
        self.follow()

    def step_quantised(self, quantiser: EngineQuantiser, until: int, *, features: EngineArray | None = None) -> None:
        """Steps on the values that codes stand for; of the geometry alone, where the features are given."""
        fixed = features is not None
        while self.step_count < until:
            geometry, rounded = self.engine.rounded(quantiser, self.parameters)
            if self.step_count % self.settings.replace_every == 0:
                self.list_tiles(geometry)
            self.step(geometry, features if fixed else rounded, fixed_features=fixed)
            self.advance("quantise")

    def follow(self, *, wait: bool = False) -> None:
        """Take in the errors of the steps that the engine reports; with `wait`, of all steps."""
        for step, loss, between in self.engine.losses(wait=wait):
            self.mse += (0.1 if step else 1.0) * (loss / self.importance_sum - self.mse)
            if self.settings.jitter:
                self._follow_jitter(loss, between)

    def _follow_jitter(self, loss: float, between: bool) -> None:
        """Let as many steps sample between texels as keep the PSNR there `jitter_gap` dB below that at the centres.

        Where a bilinear picture is easy to follow, hardly any; where Gaussians are small and sharp, more than half.
        """
        kind = int(between)
        self._losses[kind] += (0.1 if self._losses[kind] else 1.0) * (loss - self._losses[kind])
        if self._losses.all():
            gap = 10 * log10(self._losses[1] / self._losses[0])
            self.jitter *= 1.01 if gap > self.settings.jitter_gap else 0.99
            self.jitter = min(max(self.jitter, JITTER_LEAST), JITTER_MOST)

    # -- how far they are

    def removal_cost(self) -> tuple[F64Array, F64Array, F32Array]:
        """(cost [N], share [N], error [H, W]) of the present Gaussians, see CpuView.removal_cost."""
        return self.engine.removal_cost(self.parameters.geometry, self.parameters.features)

    def errors(self, geometry: EngineArray, features: EngineArray) -> F64Array:
        """The weighted squared error of every channel at the texel centres, with the weights of the task as it was
        given, float64 [C]."""
        return self.engine.squared_errors(geometry, features, self.background) * self.task.weights

    def error(self, geometry: EngineArray, features: EngineArray) -> float:
        """The sum of `errors`."""
        return float(self.errors(geometry, features).sum())

    def per_texel(self, errors: F64Array) -> F64Array:
        """Mean squared errors by channel, float64 [C], of the sums of `errors`."""
        return errors / np.maximum(self.task.target.sums * self.task.weights, 1e-9)

    def points(
        self, geometry: Callable[[], EngineArray], stored: EngineFeatures
    ) -> tuple[EnginePoints, Callable[[], EngineBlend]]:
        """All points at which the fit is judged, with the Gaussians that matter there, and a function that blends the
        stored values at them."""
        self.list_tiles(geometry(), margin=MARGIN)
        samples = self.engine.collect(self.jitter, self.mse)
        background = self.engine.array(self.background)
        first = samples.blend(geometry(), stored.values(), background)
        points = samples.only(first.share > LEAST_SHARE)
        return points, lambda: samples.blend(geometry(), stored.values(), background)

    def solve_features(self, rounds: int, *, centres_only: bool = False) -> None:
        """Move the features to where the error is least, by so many rounds of conjugate gradients.

        The tile lists are those for stored values: decoders see Gaussians that steps leave out.

        centres_only: the error at the texel centres, in place of that at all points.
        """
        p = self.parameters
        self.list_tiles(p.geometry, margin=MARGIN)
        samples = self.engine.collect(self.jitter, self.mse, centres_only=centres_only)
        blend = samples.blend(p.geometry, p.features, self.engine.array(self.background))
        self.engine.solve_features(samples.only(blend.share > LEAST_SHARE), blend, p.features, rounds)
        blend = samples.blend(p.geometry, p.features, self.engine.array(self.background))
        self.mse = self.engine.measure(samples, blend)

    @contextmanager
    def solved(self, rounds: int) -> Iterator[None]:
        """Inside, the features are those that suit the present shapes best at the texel centres; afterwards the fit is
        as it was before. The error with the trained features swings by up to 3 dB from step to step.

        rounds: of conjugate gradients.
        """
        parameters, mse = self.parameters, self.mse
        self.parameters = parameters.copy()
        self.place()
        self.solve_features(rounds, centres_only=True)
        try:
            yield
        finally:
            self.parameters, self.mse = parameters, mse
            self.place()

    def result(self, coding: Coding, geometry: U32Array, stored: EngineFeatures, words: int, error: float) -> Result:
        """The result of the fit. geometry: codes [N, 6]. words, error: see Result."""
        indices, codes = (self.engine.host(a).astype(np.uint32) for a in (stored.entries, stored.codes))
        return Result(stored.into(coding), self.engine.host(self.placement), geometry.astype(np.uint32), indices, codes,
                      self.background, words, self.mse, error)  # fmt: skip
