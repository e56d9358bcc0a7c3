"""A fit that ends at a given PSNR, in about two to three times the time of a fit at a given budget.

    guess      the budget that a transform codec would need says where to try, and short fits correct it
    prepare    the fit itself, up to the freeze; a fit of few steps begins again if it promises to miss by much
    finish     the stages after the freeze tell the PSNR of what is stored; they are done again, from the same
               Gaussians, with a budget that is corrected by what they told

What counts is the PSNR of mip 0 as `gstex compress` reports it, whatever else the fit weighs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gstex.encode.draft import DraftSchedule
from gstex.encode.engine import MakeEngine
from gstex.encode.map_balance import turned_spectrum
from gstex.encode.map_weights import Spectrum, bits_at, fair_level
from gstex.encode.ops.cpu.engine import CpuEngine
from gstex.encode.problem import BudgetTooSmall, Result, Task
from gstex.encode.schedule import Schedule
from gstex.encode.settings import EFFORTS, Settings, make_settings
from gstex.encode.trainer import Trainer
from gstex.encode.work import Progress
from gstex.native.maths import log10, power

__all__ = ["BAND", "SHORT", "Goal", "fit_to_goal"]

# BAND and SHORT: how far above the target a result may lie, and how far below it, which two digits do not show. AIM and
# SAFE_AIM: how far above the target a try aims, and how far once a result was below it. All in dB.
BAND, SHORT = 0.2, 0.005
AIM, SAFE_AIM = 0.08, 0.1
# The stages after the freeze are done at most TRIES times once a result is less than NEAR dB above the target, and
# MOST_TRIES times before. What was done before a fit began again does not count.
TRIES, MOST_TRIES, NEAR = 4, 5, 0.25
# MOST_CHANGE: by which factor a budget may change from one try to the next. Gaussians that were trained for a budget
# more than AFRESH times larger or smaller cost a tenth of the bytes and more: the fit then begins again, once.
MOST_CHANGE, AFRESH = 2.5, 1.4
# Slopes of the squared error over the budget, both in logarithms. A measured one is clipped to FLATTEST .. STEEPEST.
# Between budgets whose ratio is less than APART chance decides, so there it is at least CLOSE_FLATTEST. SLOPE is taken
# between fits and where Gaussians are dropped at the freeze, LATE_SLOPE where some are added there, which gains less.
FLATTEST, STEEPEST = 0.12, 2.5
APART, CLOSE_FLATTEST = 1.4, 0.5
SLOPE, LATE_SLOPE = 0.9, 0.4
# On 33 fits this power of the bits per texel of a transform codec was the right rate, mostly within a factor of 2.
CODEC_POWER = 1.6
# DRAFT_GAIN: what a fit of effort fast gains over a draft of 28 dB at the same budget; DRAFT_GROWTH: how much more for
# each dB above 28; MOST_GAIN: the most it gains. FAST_GAIN: what a longer fit gains over that (0.3 to 1.2). All in dB.
DRAFT_GAIN, DRAFT_GROWTH, MOST_GAIN, FAST_GAIN = 2.0, 0.15, 5.5, 0.85
# A fit of fewer steps than MANY_STEPS is judged after the share PILOT of them, with features that PILOT_ROUNDS rounds
# of conjugate gradients have solved. From then on it gains -0.5 to 0.5 dB on 10 of 11 materials. PILOT_GAIN is the
# least of that: Gaussians are dropped at the freeze for a smaller price than some are added for. The fit begins again
# if the budget that it promises is more than PILOT_NEAR times off.
MANY_STEPS, PILOT, PILOT_ROUNDS, PILOT_GAIN, PILOT_NEAR = 600, 0.45, 4, -0.5, 1.2
# GUESSED and FINISHED: the progress after the guess and the first finish. Each other finish takes AGAIN of the rest.
GUESSED, FINISHED, AGAIN = 0.15, 0.6, 0.5


@dataclass(frozen=True)
class Goal:
    """What a fit of mip 0 should come to.

    psnr: in dB; it counts as reached from SHORT below it on. measure: PSNR of a mip as it is stored. most_words: of
    the mip.
    """

    psnr: float
    measure: Callable[[Result], float]
    most_words: int


@dataclass(frozen=True, eq=False)
class _Try:
    """A budget, and what came of it."""

    words: int
    psnr: float
    result: Result


def fit_to_goal(
    task: Task,
    settings: Settings,
    *,
    goal: Goal,
    seed: int,
    progress: Progress,
    make_engine: MakeEngine = CpuEngine,
    schedule: type[Schedule] = Schedule,
) -> Result:
    """Fit mip 0 to the goal, or up to BAND above it, with as few words as possible.

    Args:
        task: its budget is ignored. For the others see `fit_mip`.

    Returns:
        The smallest of the results that are at or above the target, or the best of those below it.

    Raises:
        BudgetTooSmall: the most that the goal allows does not hold a single Gaussian.
    """
    search = _Search(task, settings, goal, seed, progress, make_engine, schedule)
    return search.run()


class _Search:
    """The search of one mip."""

    def __init__(
        self, task: Task, settings: Settings, goal: Goal, seed: int, progress: Progress, make_engine: MakeEngine,
        schedule: type[Schedule],
    ):  # fmt: skip
        self.task, self.settings, self.goal, self.seed = task, settings, goal, seed
        self.make_engine, self.schedule = make_engine, schedule
        self.progress, self._from, self._share = progress, 0.0, GUESSED
        self.afresh = False  # whether the fit was begun again
        self.vain = 0  # tries before that
        self.tries: list[_Try] = []
        self.least_words = 1

    def run(self) -> Result:
        """See `fit_to_goal`."""
        words = self.guess()
        self.tell(FINISHED)
        fit = self.prepared(words)
        back, words = fit.checkpoint(), fit.task.budget_words
        while True:
            try:
                result = fit.finish()
            except BudgetTooSmall as error:
                if self.goal.most_words <= words:
                    raise
                self.least_words = following = min(max(error.words, words + 1), self.goal.most_words)
            else:
                self.tries.append(_Try(words, self.goal.measure(result), result))
                fit.grid_wins = _is_grid(result) or None
                budget = self.next_words()
                if budget is None:
                    return self.best()
                following = budget
            self.tell(1.0 - (1.0 - self._from - self._share) * AGAIN)
            if not self.afresh and not fit.grid_wins and not 1 / AFRESH < following / words < AFRESH:
                self.vain = len(self.tries)
                fit = self.prepared(following)
                back = fit.checkpoint()
            else:
                back()
                fit.set_budget(following)
            words = following

    def prepared(self, words: int) -> Schedule:
        """A fit of this budget before its count is fixed, or of another budget if that one promises the goal."""
        fit = self.make(self.schedule, self.settings, words)
        self.afresh = self.afresh or bool(self.tries)
        if not self.afresh and self.settings.steps < MANY_STEPS and not issubclass(self.schedule, DraftSchedule):
            fit.start()
            fit.optimise(round(PILOT * fit.settings.steps))
            promised = solved_psnr(fit.trainer) + PILOT_GAIN
            promised += 10 * SLOPE * float(log10(fit.rate.affordable() / fit.trainer.count))
            better = self.bounded(words * _factor(self.goal.psnr + AIM - promised, SLOPE))
            if 1 / PILOT_NEAR < better / words < PILOT_NEAR:
                fit.optimise(round(fit.settings.freeze_at * fit.settings.steps))
                return fit
            fit = self.make(self.schedule, self.settings, better)
        fit.prepare()
        return fit

    def guess(self) -> int:
        """The budget that short fits promise for the goal."""
        words = self.bounded(self.first_guess())
        trials = ["draft", "fast"] if self.settings.steps >= MANY_STEPS else ["draft"]
        if issubclass(self.schedule, DraftSchedule):
            trials = []
        for effort in trials:
            steps, relocations, settle, polish = EFFORTS[effort]
            draft = effort == "draft"
            settings = make_settings("draft", "direct", "l2") if draft else replace(
                self.settings, steps=steps, relocations=relocations, settle=min(settle, self.settings.settle),
                polish=min(polish, self.settings.polish))  # fmt: skip
            try:
                psnr = self.goal.measure(self.make(DraftSchedule if draft else self.schedule, settings, words).run())
            except BudgetTooSmall as error:
                self.least_words = words = min(error.words, self.goal.most_words)
                continue
            gain = float(np.clip(DRAFT_GAIN + DRAFT_GROWTH * (psnr - 28), 0, MOST_GAIN)) if draft else FAST_GAIN
            words = self.bounded(words * float(np.clip(_factor(self.goal.psnr + AIM - psnr - gain, SLOPE), 1 / 8, 8)))
        return words

    def make(self, schedule: type[Schedule], settings: Settings, words: int) -> Schedule:
        """A fit of this budget."""
        task = replace(self.task, budget_words=words)
        return schedule(task, settings, np.random.default_rng(self.seed), self.report, self.make_engine)

    def report(self, stage: str, part: float, mse: float) -> None:
        """Report the progress of the present part as that of the whole."""
        self.progress(stage, self._from + self._share * part, mse)

    def tell(self, until: float) -> None:
        """Begin the next part, at whose end the whole is done that far."""
        self._from += self._share
        self._share = until - self._from

    def bounded(self, words: float) -> int:
        return round(min(max(words, self.least_words), self.goal.most_words))

    def first_guess(self) -> float:
        """Words for the goal, from the spectrum of the picture."""
        target, goal = self.task.target, self.goal
        texels = target.image[:, :, 0].size
        maps = np.zeros(target.channels, np.int64) if self.task.maps is None else self.task.maps
        spectrum = turned_spectrum(target, maps)
        return texels * float(power(codec_bits(spectrum, goal.psnr), CODEC_POWER)) / 32

    def next_words(self) -> int | None:
        """The budget to try next; None if there is none."""
        target, last = self.goal.psnr, self.tries[-1]
        reached = [t for t in self.tries if t.psnr >= target - SHORT]
        if any(t.psnr <= target + BAND for t in reached):
            return None
        is_near = any(t.psnr <= target + NEAR for t in reached)
        if len(self.tries) - self.vain >= (TRIES if is_near else MOST_TRIES):
            return None
        # Grids and free Gaussians follow the budget in different ways.
        alike = [t for t in self.tries if _is_grid(t.result) == _is_grid(last.result)]
        above = [t for t in alike if t in reached]
        below = [t for t in alike if t not in reached]
        aim = target + (SAFE_AIM if below else AIM)
        if above and below:
            low, high = max(below, key=lambda t: t.words), min(above, key=lambda t: t.words)
            last, alike_others = (low, [high]) if aim - low.psnr < high.psnr - aim else (high, [low])
        else:
            alike_others = [t for t in alike if t.words != last.words]
        slope, flattest, steepest = SLOPE, FLATTEST, STEEPEST
        if others := alike_others or [t for t in self.tries if t.words != last.words]:
            other = min(others, key=lambda t: abs(t.psnr - aim))
            slope = (last.psnr - other.psnr) / (10 * (log10(last.words) - log10(other.words)))
            if not alike_others:
                steepest = SLOPE
            elif 1 / APART < last.words / other.words < APART and not _is_grid(last.result):
                flattest = CLOSE_FLATTEST
        elif last.psnr < aim and not _is_grid(last.result):
            slope = LATE_SLOPE
        factor = _factor(aim - last.psnr, float(np.clip(slope, flattest, steepest)))
        words = self.bounded(last.words * float(np.clip(factor, 1 / MOST_CHANGE, MOST_CHANGE)))
        return None if any(t.words == words for t in alike) else words

    def best(self) -> Result:
        """See `fit_to_goal`."""
        reached = [t.result for t in self.tries if t.psnr >= self.goal.psnr - SHORT]
        if reached:
            return min(reached, key=lambda result: result.words)
        return max(self.tries, key=lambda t: t.psnr).result


def solved_psnr(trainer: Trainer) -> float:
    """PSNR of the present shapes with the features that suit them best."""
    with trainer.solved(PILOT_ROUNDS):
        errors = trainer.errors(trainer.parameters.geometry, trainer.parameters.features)
    task = trainer.task
    mean = float((errors / np.maximum(task.weights, 1e-9)).sum() / max(task.target.sums.sum(), 1e-9))
    return float(-10 * log10(max(mean, 1e-12)))


def codec_bits(spectrum: Spectrum, psnr: float) -> float:
    """Bits per texel of a transform codec at this PSNR, by reverse water-filling (map_weights.py)."""
    return bits_at(spectrum.ordered, fair_level(spectrum, float(power(10.0, -psnr / 10))))


def _factor(missing: float, slope: float) -> float:
    """The factor of the budget that gains so many dB."""
    return float(power(10.0, float(np.clip(missing, -60, 60)) / (10 * slope)))


def _is_grid(result: Result) -> bool:
    return any(layout is not None and layout.regular for layout in result.coding.levels)
