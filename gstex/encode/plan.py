"""What is settled before the fit: the division into groups, and the sampling that the file is fitted for.

Between two texels a blend of small, sharp Gaussians and a filtered picture are different functions. A fit for direct
sampling has to come near to both: the texels, and the filtered picture between them. One for bilinear sampling has to
come near to the texels alone. At high rates that is some dB better where a picture has sharp edges, and hardly better
elsewhere. It costs a shader four evaluations in place of one, and nothing where textures are made on load.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from gstex.encode.division import Division, Plan
from gstex.encode.engine import MakeEngine
from gstex.encode.groups import divide
from gstex.encode.map_weights import ROUNDING
from gstex.encode.problem import Task
from gstex.encode.settings import Settings
from gstex.encode.trials import Trials, decibels, pays_for_trials
from gstex.encode.work import Progress

__all__ = ["is_high_rate", "make_plan"]

# Bits per texel and channel that varies up to which direct sampling is taken without a trial: those of quality normal.
LOW_RATE = 0.125
# What bilinear sampling has to gain in a trial, in dB, to be worth four evaluations.
WORTH_FETCHES = 1.0
# Share of the time of all trials that those of sampling take, about, and how many they are.
FIRST, FIRST_TRIALS = 0.4, 2


def is_high_rate(bpp: float | None, channels: int) -> bool:
    """Whether bilinear sampling may be worth its cost. bpp: bits per texel; channels: how many vary."""
    return bpp is not None and bpp > LOW_RATE * channels


def make_plan(
    groups: str, sampling: str, roles: Sequence[str], task: Task, settings: Settings, budget_words: int, *, seed: int,
    make_engine: MakeEngine, progress: Progress, **sizes: Any,
) -> Plan:  # fmt: skip
    """The plan that options of `compress` ask for.

    Args:
        groups: the option. sampling: 'direct', 'bilinear', or 'auto' for what trial fits say.
        roles: of the channels that vary. task: of mip 0, of all of these. budget_words: of all that mip 0 needs.
        progress: called as progress('trials', part, mse) while trials go on. sizes: of `split_budget`.
    """
    worth_trials, start = pays_for_trials(task, settings), 0.0

    def report(stage: str, part: float, mse: float) -> None:
        progress(stage, start + (1 - start) * part, mse)

    how: dict[str, Any] = {"grid": settings.grid, "seed": seed, "make_engine": make_engine, **sizes}
    if sampling == "auto":
        sampling = "direct"
        if worth_trials:
            trials = Trials(task, budget_words, sharpest=True, expected=FIRST_TRIALS,
                            progress=partial(_first, progress), **how)  # fmt: skip
            sampling, start = _choose_sampling(trials), FIRST
    trials = Trials(task, budget_words, sampling=sampling, progress=report, **how)
    return Plan(divide(groups, roles, task, trials, worth_trials=worth_trials), sampling)


def _first(progress: Progress, stage: str, part: float, mse: float) -> None:
    progress(stage, FIRST * part, mse)


def _choose_sampling(trials: Trials) -> str:
    """What two trial fits of all channels in one group say. Nobody sees a gain below the rounding to 8 bits."""
    everything = Division.one(len(trials.maps))
    least = ROUNDING * float(trials.task.weights.sum())
    direct = trials.of(everything)
    trials.sampling = "bilinear"
    bilinear = trials.of(everything)
    if direct is None or bilinear is None:
        return "direct"
    gain = decibels(max(direct[0].total, least), max(bilinear[0].total, least))
    return "bilinear" if gain >= WORTH_FETCHES else "direct"
