"""The fit of one mip: from an image to the codes of its Gaussians, stage by stage.

    start              where the gradient is, or from the Gaussians of the mip above
    optimise           Adam; now and then the least useful Gaussians move to where the error is
    try_grid           where a regular grid without geometry comes nearer, it is the result
    freeze             levels, cells, widths and ranges are chosen, and the count is cut to the budget
    quantise           training on the values that the codes stand for
    make_codebooks     tables of feature values are trained
    fine_tune          geometry is trained for the features that are stored, which follow it
    refine             codes are searched for the least squared error

A trainer (trainer.py) does the steps, a rate control (rate_control.py) keeps to the budget, and a balance of maps
(map_balance.py) sets the weights of the channels. The schedule decides what happens when.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

from gstex.arrays import EngineArray, U32Array
from gstex.encode import work
from gstex.encode.checkpoint import Spot
from gstex.encode.codebooks import CHOICES, TRIES, best_codebooks
from gstex.encode.engine import EngineFeatures, EngineQuantiser, MakeEngine
from gstex.encode.fit_state import FitState
from gstex.encode.initialise import start_gaussians
from gstex.encode.map_balance import MapBalance
from gstex.encode.mip_means import keep_mean
from gstex.encode.ops.cpu.codebooks import StoredFeatures
from gstex.encode.ops.cpu.engine import CpuEngine
from gstex.encode.ops.cpu.quantisation import Quantiser
from gstex.encode.problem import Result, Task
from gstex.encode.quantisation import Coding
from gstex.encode.rate_control import SLOPE, SLOPE_LEAST, SLOPE_MOST, RateControl, widest_record
from gstex.encode.relocation import cover_holes, relocate
from gstex.encode.settings import Settings
from gstex.encode.trainer import Trainer
from gstex.encode.uniform_grid import UniformGrid
from gstex.encode.work import Progress
from gstex.native.maths import exp, log

__all__ = ["Schedule", "fit_mip", "stored_features"]

# Bits that a Gaussian takes before anything is known of it.
FIRST_BITS = 90
# Rounds of fine-tuning from one push of the maps that are behind to the next.
PUSH_EVERY = 2
# Relocations from one choice of codebooks to the next.
CHOOSE_EVERY = 4
# Rounds of conjugate gradients that tell how good the present shapes are. From so many texels on they have nearly their
# final error at the freeze; later stages may halve that of a smaller picture.
SOLVED_ROUNDS, SURE_TEXELS = 4, 192 * 192
# Most rounds of looking for holes that the cut to the budget has left.
HOLE_ROUNDS = 3
# A fit of so many steps or more predicts early whether it will end with a regular grid, which takes half of its time.
# Only the time left that is shown depends on it. The prediction is yes if a grid promises less than FORESEEN times the
# squared error at that step: 0.35 to 0.48 times in fits that ended as a grid (woven cloth, rock at 4 bits per texel),
# and 0.64 times or more in fits that did not.
FORESEEN_STEPS, FORESEEN = 600, 0.55
# The same before the freeze: below this share of the squared error before rounding, grids keep what they promise.
LIKELY = 0.94
# Later stages take off much of what rounding adds to the error of free Gaussians. About this share or more remained.
LEAST_LEFT = 0.1


class Schedule:
    """The stages of the fit of one mip. `run` does all of them. It may be split into `prepare` and `finish`, and
    `finish` may then be done again, from a `checkpoint` between the two, with another budget.

    codebook_tries: how often codebooks are trained, to take the best. grid_wins: whether a regular grid is the result,
    if that is settled; None to find out. spot: the checkpoint in which `run` saves its state and from which it goes on.
    """

    codebook_tries = TRIES
    grid_wins: bool | None = None
    spot: Spot | None = None
    _past: FitState | None = None  # the saved state from which this fit goes on
    _early_error = 0.0  # squared error when the slope was measured
    _promised = np.inf  # squared error that a regular grid promises, where one is tried

    def __init__(
        self, task: Task, settings: Settings, rng: np.random.Generator, progress: Progress,
        make_engine: MakeEngine = CpuEngine,
    ):  # fmt: skip
        self.task, self.settings = task, settings
        self.trainer = Trainer(task, settings, rng, progress, make_engine)
        self.rate = RateControl(self.trainer)
        self.maps = MapBalance(self.trainer)
        self._fixed: dict[str, Any] = {}  # results of stages, for a checkpoint
        when = self.relocations()
        self.trainer.work.total = work.work_of(
            settings, below=task.above is not None, choices=1 + len(when[1::CHOOSE_EVERY]),
            first_steps=list(when)[1] if len(when) > 1 else 0, grid=self.tries_grid,
        )  # fmt: skip
        if self.foresees_grid:
            self.trainer.work.total += work.GRID_TRIAL

    @property
    def foresees_grid(self) -> bool:
        """Whether a fit finds out early whether a regular grid will be its result."""
        return self.tries_grid and self.is_large and self.settings.steps >= FORESEEN_STEPS

    @property
    def is_large(self) -> bool:
        """Whether the error before the freeze tells which fit will be better."""
        height, width = self.task.target.image.shape[:2]
        return height * width >= SURE_TEXELS

    @property
    def tries_grid(self) -> bool:
        """Whether a regular grid is tried."""
        return self.settings.grid and not self.task.count and not self.task.above

    def relocations(self) -> list[int]:
        """The steps before which Gaussians are relocated."""
        s = self.settings
        return np.linspace(0.06 * s.steps, s.relocate_until * s.steps, s.relocations).astype(int).tolist()

    def run(self) -> Result:
        """All stages.

        Raises:
            BudgetTooSmall: the budget does not hold a single Gaussian.
        """
        past = self.spot.state(self.task, self.settings) if self.spot else None
        if past is None or not self._restore(past):
            self.start()
        self.optimise(self.freeze_step)
        return self.finish()

    def prepare(self) -> None:
        """The stages before the count is fixed."""
        self.start()
        self.optimise(self.freeze_step)

    @property
    def freeze_step(self) -> int:
        """The step before which the count is fixed."""
        return round(self.settings.steps * self.settings.freeze_at)

    @property
    def settle_step(self) -> int:
        """The step before which fine-tuning begins."""
        return round(self.settings.steps * self.settings.settle_at) if self.settings.settle else self.settings.steps

    def finish(self) -> Result:
        """The stages after `prepare`. Raises as `run`."""
        trainer, past = self.trainer, self._past
        engine = trainer.engine
        if past is None or past.coding is None:
            grid, enough = self.try_grid()
            if grid and enough:
                return grid
            coding = self.freeze()
        else:
            grid, coding, self._promised = past.grid, past.coding, past.promised
        self._fixed = {"grid": grid, "promised": float(self._promised), "coding": coding}
        quantiser = engine.quantiser(coding, trainer.placement)
        if past is None or past.final is None:
            self._leave("quantise")
            self.quantise(quantiser)
            geometry = engine.codes(quantiser, trainer.parameters.geometry)
            coding = self.make_codebooks(quantiser, geometry)
            stored = engine.store(coding, trainer.placement, trainer.parameters.features)
        else:
            # With the final coding a state has the rest too (check_state).
            coding, geometry, stored = past.final, past.codes, past.stored  # type: ignore[assignment]
        self._fixed |= {"final": coding, "stored": stored}
        geometry = self.fine_tune(quantiser, geometry, stored)
        self.refine(quantiser, geometry, stored)
        if self.task.above:
            keep_mean(trainer, lambda: quantiser.decode(geometry), stored)
        trainer.follow(wait=True)
        error = trainer.error(quantiser.decode(geometry), stored.values())
        if not grid and self._promised < error:
            grid = self.late_grid()
        if grid and grid.error < error:
            return grid
        return trainer.result(coding, trainer.engine.host(geometry), stored, self.rate.words(coding), error)

    def _leave(
        self, stage: Literal["optimise", "quantise", "tune", "refine"], number: int = 0,
        codes: U32Array | None = None,
    ) -> None:  # fmt: skip
        """Save the state of the fit, if it is time for that; see FitState."""
        if self.spot is None or not self.spot.due():
            return
        rate = self.rate
        self.spot.leave(FitState(
            stage, number, self.trainer.save(placed=stage != "optimise"), tuple(rate.codebook_bits), float(rate.slope),
            tuple(map(tuple, rate.choices)), self.maps.pushes, codes=codes,
            **self._fixed,
        ))  # fmt: skip

    def _restore(self, past: FitState) -> bool:
        """Go on from the saved state of a fit of the same task; False if it cannot be read."""
        try:
            self.trainer.restore(past.trainer)
        except (ValueError, TypeError, KeyError):
            return False
        rate = self.rate
        rate.codebook_bits, rate.slope, rate.choices = past.codebook_bits, past.slope, past.choices
        self.maps.pushes = past.pushes
        self._past = past
        return True

    def set_budget(self, words: int) -> None:
        """Go on with another budget, for which other codebooks may be best."""
        self.task = self.trainer.task = replace(self.task, budget_words=words)
        self.rate.choices = CHOICES

    def checkpoint(self) -> Callable[[], None]:
        """A function that brings the fit back to its present state, as often as it is called."""
        rate, maps = self.rate, self.maps
        trained = self.trainer.checkpoint()
        state = rate.codebook_bits, rate.slope, rate.choices, maps.pushes

        def back() -> None:
            trained()
            rate.codebook_bits, rate.slope, rate.choices, maps.pushes = state

        return back

    def start(self) -> None:
        """Place the first Gaussians."""
        task = self.task
        if task.above:
            self._start_below(task.above)
            return
        # Afterwards relocations keep the count to the budget.
        self._start_with(task.count or max(1, task.budget_words * 32 // FIRST_BITS))
        if not task.count:
            self._start_with(self.rate.affordable())

    def _start_with(self, count: int) -> None:
        task, trainer = self.task, self.trainer
        trainer.set_grid(count)
        sigma = self.settings.start_sigma
        start = start_gaussians(task.target, trainer.weight, count, sigma, trainer.rng, repeat=task.repeat)
        trainer.set_gaussians(*start)
        trainer.place()

    def _start_below(self, above: Result) -> None:
        """Start from the fit of the mip above: its Gaussians at this mip's size, thinned to those that matter."""
        task, trainer, (height, width) = self.task, self.trainer, self.task.target.image.shape[:2]
        trainer.mse = above.mse
        geometry = Quantiser(above.coding, above.placement).decode(above.geometry)
        scale = np.array([width / above.coding.pyramid.width, height / above.coding.pyramid.height], np.float32)
        geometry[:, :2] *= scale
        geometry[:, 3:5] += np.float32(log(float(scale.mean())))
        bits = widest_record(above.coding) + 4
        count = task.count or max(1, round(task.budget_words * 32 / bits * self.settings.excess))
        trainer.set_grid(count)
        trainer.set_gaussians(geometry, stored_features(above).values())
        trainer.place()
        while trainer.count > count:
            # In steps: what a Gaussian is worth depends on the others that are there.
            left = max(count, trainer.count // 2)
            cost, _, _ = trainer.removal_cost()
            trainer.parameters.keep(np.sort(np.argsort(cost, kind="stable")[len(cost) - left :]))
            trainer.place()

    def optimise(self, until: int) -> None:
        """Train until this many steps are made, with relocations on the way."""
        s, trainer = self.settings, self.trainer
        when = self.relocations()
        # The share falls to a quarter, by the same factor each time.
        shares = exp(log(0.25) * np.linspace(0, 1, len(when))) * s.relocate_share
        relocations = dict(zip(when, shares, strict=True))
        restored = trainer.step_count if self._past else -1  # the relocation of this step is done
        while trainer.step_count < until:
            if trainer.step_count in relocations and trainer.step_count != restored:
                number = list(relocations).index(trainer.step_count)
                if number == 1 and not self.task.above:
                    self.rate.slope = self.measure_slope()
                    if self.foresees_grid:
                        self.foresee_grid()
                relocate(trainer, self.rate, relocations[trainer.step_count])
                if number % CHOOSE_EVERY == 1:
                    self.maps.balance()
                    self.rate.choose_codebooks()
                    trainer.advance("fit", work.CHOICE)
            if trainer.step_count % s.replace_every == 0:
                self._leave("optimise")
                trainer.place()
            trainer.step(trainer.parameters.geometry, trainer.parameters.features)
            trainer.advance("fit")

    def measure_slope(self) -> float:
        """How the error falls with more Gaussians: from 5 dB for twice as many on smooth maps to 0.2 dB on noise.

        Another fit has half as many Gaussians and makes as many steps. The result is the slope of finished fits within
        one decibel, unless the error of a fit swings by more than that from step to step.
        """
        trainer = self.trainer
        half = Schedule(replace(self.task, count=max(1, trainer.count // 2)), self.settings, trainer.rng.spawn(1)[0],
                        lambda *state: trainer.advance("fit", work.SLOPE), trainer.make_engine)  # fmt: skip
        half.start()
        half.optimise(trainer.step_count)
        errors, counts = np.zeros(2), np.zeros(2)
        for i, measured in enumerate((half.trainer, trainer)):
            measured.place()
            errors[i] = measured.error(measured.parameters.geometry, measured.parameters.features)
            counts[i] = measured.count
        self._early_error = float(errors[1])
        if not errors.all() or counts[0] == counts[1]:
            return SLOPE
        slope = log(errors[0] / errors[1]) / log(counts[1] / counts[0])
        return float(np.clip(slope, SLOPE_LEAST, SLOPE_MOST))

    def foresee_grid(self) -> None:
        """Correct the amount of work by what a regular grid promises soon after the start. The fit stays as it is."""
        trainer = self.trainer
        grid = UniformGrid(self.task, self.settings, np.random.default_rng(0), trainer.make_engine)
        promised = grid.promise()
        trainer.advance("fit", work.GRID_TRIAL)
        if promised < FORESEEN * self._early_error:
            trainer.work.total += 2 * work.GRID - self._work_after_grid()

    def _work_after_grid(self) -> float:
        """The work from the trial of a regular grid on, if the grid is not the result."""
        s = self.settings
        return work.work_of(s, below=True, choices=0, first_steps=0, grid=False) - self.freeze_step + (
            work.CHOICE + work.CODEBOOKS
        )  # fmt: skip

    def try_grid(self) -> tuple[Result | None, bool]:
        """(the fit of a regular grid (uniform_grid.py) for the same budget, whether it is sure to be better). None if
        no grid promises less error than the present Gaussians when they are rounded.

        A grid is sure if it has less error than later stages of these can reach: they gain less than rounding loses. In
        a small picture they may gain more.
        """
        trainer = self.trainer
        if not self.tries_grid or self.grid_wins is False:
            return None, False
        of_grid, of_rounding = trainer.rng.spawn(2)
        error = rounding = np.inf
        if not self.grid_wins:
            with trainer.solved(SOLVED_ROUNDS):
                error = trainer.error(trainer.parameters.geometry, trainer.parameters.features)
                rounding = self.rate.rounding(of_rounding)
        grid = UniformGrid(self.task, self.settings, of_grid, trainer.make_engine)
        promising = grid.promises(error + rounding)
        self._promised = grid.promised
        trainer.advance("grid", work.GRID_TRIAL)
        rest = self._work_after_grid()
        trainer.work.total = trainer.work.done + rest
        if not promising:
            return None, False
        is_likely = self.grid_wins or (self.is_large and grid.promised < LIKELY * error)
        trainer.work.total = trainer.work.done + 2 * work.GRID + (0 if is_likely else rest)
        result = self._fit_grid(grid)
        trainer.work.total = trainer.work.done + rest
        return result, bool(self.grid_wins) or (self.is_large and result.error < error + LEAST_LEFT * rounding)

    def late_grid(self) -> Result | None:
        """The fit of a regular grid after that of free Gaussians, which has more error than a grid promised before the
        freeze. There the promise was not below what was expected of them, so no grid was fitted."""
        trainer = self.trainer
        trainer.work.total = trainer.work.done + work.GRID_TRIAL + 2 * work.GRID
        grid = UniformGrid(self.task, self.settings, trainer.rng.spawn(1)[0], trainer.make_engine)
        promising = grid.promises(np.inf)
        trainer.advance("grid", work.GRID_TRIAL)
        return self._fit_grid(grid) if promising else None

    def _fit_grid(self, grid: UniformGrid) -> Result:
        trainer = self.trainer
        trainer.engine.forget_lists()  # later stages make new ones
        result = grid.fit(lambda: trainer.advance("grid", work.GRID))
        trainer.work.advance("grid", 0.0, result.mse)
        return result

    def freeze(self) -> Coding:
        """Fix levels, cells and codings: afterwards every Gaussian stays visible in the same cells."""
        self.trainer.place()
        self.rate.choose_codebooks()
        self.trainer.advance("fit", work.CHOICE)
        return self.fill_budget()

    def fill_budget(self) -> Coding:
        """Bring the count to the budget, and cover texels that only the background reaches."""
        coding = self.rate.meet_budget()
        for _ in range(HOLE_ROUNDS):
            if not cover_holes(self.trainer):
                break
            coding = self.rate.meet_budget()
        return coding

    def quantise(self, quantiser: EngineQuantiser) -> None:
        """Train on the values that codes stand for, up to fine-tuning."""
        self.trainer.step_quantised(quantiser, self.settle_step)

    def make_codebooks(self, quantiser: EngineQuantiser, geometry: EngineArray) -> Coding:
        """The coding with its codebooks; geometry: codes."""
        coding = quantiser.coding
        if not coding.palette_bits or coding.palettes:
            return coding
        trainer, decoded = self.trainer, quantiser.decode(geometry)
        _, share, _ = trainer.engine.removal_cost(decoded, trainer.parameters.features)
        coding = best_codebooks(trainer, coding, share, decoded, tries=self.codebook_tries)
        trainer.advance("quantise", work.CODEBOOKS)
        return coding

    def fine_tune(self, quantiser: EngineQuantiser, geometry: EngineArray, stored: EngineFeatures) -> EngineArray:
        """Train the geometry for the stored features, which are refined for it, in place, from time to time.

        geometry: codes. Returns the new ones.
        """
        trainer, rounds, first = self.trainer, self.settings.settle, self.settle_step
        for n in range(self._first_round("tune", 1), rounds + 1):
            self._leave("tune", n, codes=geometry)
            points, blend = trainer.points(partial(quantiser.decode, geometry), stored)
            trainer.engine.refine_features(points, blend(), stored, codebooks_too=not self.task.above)
            trainer.advance("quantise", work.FEATURES)
            if n % PUSH_EVERY == 1:
                self.maps.push(trainer.errors(quantiser.decode(geometry), stored.values()))
            until = first + (self.settings.steps - first) * n // rounds
            trainer.step_quantised(quantiser, until, features=stored.values())
            geometry = trainer.engine.codes(quantiser, trainer.parameters.geometry)
        return geometry

    def _first_round(self, stage: str, usual: int) -> int:
        """The number of the round that a stage begins with; past its last one if the saved state is of a later one."""
        past = self._past
        if past is None or past.stage in ("optimise", "quantise") or (stage, past.stage) == ("refine", "tune"):
            return usual
        return past.number if past.stage == stage else self.settings.settle + 1

    def refine(self, quantiser: EngineQuantiser, geometry: EngineArray, stored: EngineFeatures) -> None:
        """Move what is stored to where the squared error is least, in place; training only comes near.

        This serves other losses too: most of what it removes is noise of the last steps. geometry: codes.
        """
        s, trainer, engine = self.settings, self.trainer, self.trainer.engine
        if not s.polish:
            return
        codebooks_too = not self.task.above
        for n in range(self._first_round("refine", 0), s.polish):
            self._leave("refine", n, codes=geometry)
            points, blend = trainer.points(lambda: quantiser.decode(geometry), stored)
            engine.refine_geometry(points, blend(), quantiser, geometry, stored.values())
            trainer.advance("refine", work.GEOMETRY)
            points, blend = trainer.points(lambda: quantiser.decode(geometry), stored)
            engine.refine_features(points, blend(), stored, codebooks_too=codebooks_too)
            trainer.advance("refine", work.FEATURES)


def stored_features(mip: Result) -> StoredFeatures:
    """The features of a fitted mip, as they are stored."""
    return StoredFeatures.of(mip.coding, mip.entries, mip.features)


def fit_mip(
    task: Task,
    settings: Settings,
    *,
    seed: int,
    progress: Progress,
    make_engine: MakeEngine = CpuEngine,
    schedule: type[Schedule] = Schedule,
    spot: Spot | None = None,
) -> Result:
    """Fit Gaussians to one mip.

    Args:
        progress: see work.Progress.
        schedule: the stages. spot: a part of a checkpoint; for Schedule on the CPU.

    Returns:
        Codes that fill at most task.budget_words words.

    Raises:
        BudgetTooSmall: the budget does not hold a single Gaussian.
    """
    fit = schedule(task, settings, np.random.default_rng(seed), progress, make_engine)
    fit.spot = spot
    return fit.run()
