"""Effort draft: few steps, most of them on the picture at half its size, where a step takes a quarter of the time.

    start          from a quadtree of the picture (quadtree.py), whose Gaussians are shaped at half size: Adam and
                   relocations, as in schedule.py
    optimise       a few short steps at full size
    freeze         as in schedule.py, with the codebooks that were chosen at half size
    round          features are solved for the shapes, and all is rounded to what is stored

It is for previews and trial fits. There are no steps on stored values, no polishing and no regular grid; the errors of
shared mips do not count, and maps count as they are given.
"""

from dataclasses import replace

import numpy as np

from gstex.encode import work
from gstex.encode.engine import MakeEngine
from gstex.encode.mip_means import keep_mean
from gstex.encode.ops.cpu.engine import CpuEngine
from gstex.encode.problem import Result, Target, Task
from gstex.encode.quadtree import halved, quadtree_gaussians
from gstex.encode.quantisation import Coding
from gstex.encode.schedule import Schedule
from gstex.encode.settings import Settings
from gstex.encode.work import Progress
from gstex.native.maths import log

__all__ = ["FINE_STEPS", "DraftSchedule"]

# The last steps are at full size: their number, and the factor of their rates, as shapes hardly move any more.
FINE_STEPS, FINE_RATES = 14, 0.3
# A picture with a smaller side is shaped at full size.
LEAST_SIDE = 64
# Rounds of conjugate gradients before the first step and after the last.
FIRST_ROUNDS, LAST_ROUNDS = 3, 6
# Share of the time of a fit that is spent at half size, and the time in steps of solving the features at full size.
SHAPING, LAST = 0.5, 20.0
# Ratio of the squared error at full size to that at half size.
GROWN = 1.3
# Codebooks that are tried, and the factor of the error of k-means in the choice. It is above 1: nothing is improved
# afterwards, and more Gaussians gain less than they would with more steps.
CODEBOOKS = ((6, 6), (7, 7), (8, 8), (6, 6, 6), (8, 8, 8), (6, 6, 6, 6))
LEFT = 1.5


class _Shaping(Schedule):
    """The stages that give Gaussians their places and shapes."""

    codebook_tries = 1

    def __init__(
        self, task: Task, settings: Settings, rng: np.random.Generator, progress: Progress, make_engine: MakeEngine
    ):
        super().__init__(task, settings, rng, progress, make_engine)
        self.rate.choices, self.rate.left = CODEBOOKS, LEFT

    def _start_with(self, count: int) -> None:
        task, trainer = self.task, self.trainer
        trainer.set_grid(count)
        trainer.set_gaussians(*quadtree_gaussians(task.target, trainer.weight, count, trainer.rng))
        trainer.place()

    def measure_slope(self) -> float:
        """The usual slope: a draft measures none."""
        return self.rate.slope


class DraftSchedule(_Shaping):
    """The fit of one mip at effort draft. A mip below mip 0 starts from the mip above it and makes all its steps at
    full size."""

    def __init__(
        self, task: Task, settings: Settings, rng: np.random.Generator, progress: Progress,
        make_engine: MakeEngine = CpuEngine,
    ):  # fmt: skip
        first = 0 if task.above else max(0, settings.steps - FINE_STEPS)
        share = 0.0 if task.above else SHAPING
        self._shaping = replace(settings, steps=first), lambda stage, part, mse: progress(stage, share * part, mse)
        rates = {} if task.above else {
            name: FINE_RATES * getattr(settings, name)
            for name in ("position_rate", "rotation_rate", "scale_rate", "amplitude_rate", "feature_rate")
        }  # fmt: skip
        settings = replace(settings, steps=settings.steps - first, relocations=0, **rates)
        task = replace(task, shared=())  # shared mips are drawn with the Gaussians that there are
        super().__init__(
            task, settings, rng, lambda stage, part, mse: progress(stage, share + (1 - share) * part, mse), make_engine
        )  # fmt: skip
        self.trainer.work.total = self.settings.steps + work.CODEBOOKS + LAST

    def run(self) -> Result:
        """All stages.

        Raises:
            BudgetTooSmall: the budget does not hold a single Gaussian.
        """
        self.prepare()
        return self.finish()

    def prepare(self) -> None:
        """The stages before the count is fixed."""
        self.start()
        self.optimise(self.settings.steps)

    def finish(self) -> Result:
        """The stages after `prepare`. Raises as `run`."""
        trainer, engine = self.trainer, self.trainer.engine
        coding = self.freeze()
        trainer.solve_features(LAST_ROUNDS)
        trainer.advance("quantise", LAST)
        quantiser = engine.quantiser(coding, trainer.placement)
        geometry = engine.codes(quantiser, trainer.parameters.geometry)
        coding = self.make_codebooks(quantiser, geometry)
        stored = engine.store(coding, trainer.placement, trainer.parameters.features)
        if self.task.above:
            keep_mean(trainer, lambda: quantiser.decode(geometry), stored)
        error = trainer.error(quantiser.decode(geometry), stored.values())
        return trainer.result(coding, engine.host(geometry), stored, self.rate.words(coding), error)

    def start(self) -> None:
        """The first Gaussians; those of a mip 0 have their shapes from the picture at half size, and no cells yet."""
        if self.task.above:
            super().start()
            return
        trainer, (height, width) = self.trainer, self.task.target.image.shape[:2]
        settings, progress = self._shaping
        target = self.task.target
        if min(height, width) >= LEAST_SIDE:
            target = _half(target)
        shaped_height, shaped_width = target.image.shape[:2]
        size = np.array([width / shaped_width, height / shaped_height], np.float32)
        texels = float(size.mean())
        settings = replace(
            settings, jitter=0.0, freeze_at=1.0, excess=1.0, sigma_min=settings.sigma_min / texels,
            relocated_sigma=settings.relocated_sigma / texels,
        )  # fmt: skip
        task = replace(self.task, target=target, shared=(), maps=None)
        shaping = _Shaping(task, settings, trainer.rng, progress, trainer.make_engine)
        shaping.start()
        shaping.trainer.solve_features(FIRST_ROUNDS)
        shaping.optimise(settings.steps)
        shaping.trainer.follow(wait=True)

        shaped = shaping.trainer
        geometry = shaped.engine.host(shaped.parameters.geometry).copy()
        geometry[:, :2] *= size
        geometry[:, 3:5] += np.float32(log(texels))
        trainer.mse = GROWN * shaped.mse if texels > 1 else shaped.mse
        self.rate.codebook_bits = shaping.rate.codebook_bits
        trainer.set_grid(shaped.count)
        trainer.set_gaussians(geometry, shaped.engine.host(shaped.parameters.features))

    def freeze(self) -> Coding:
        """Fix levels, cells and codings, with the codebooks that were chosen at half size."""
        self.trainer.place()
        return self.fill_budget()


def _half(target: Target) -> Target:
    """The picture at half its size: means of 2x2 texels, without the last row or column of an odd size."""
    height, width = (n // 2 * 2 for n in target.image.shape[:2])
    image, importance = (halved(a[:height, :width]) * np.float32(0.25) for a in (target.image, target.importance))
    return Target(image, importance, target.plane)
