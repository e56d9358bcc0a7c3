"""How much of a fit is done. Stages count by the time that they take, in steps, so a progress bar moves with time.

The figures are about those of eight channels at 512x512 and 1024x1024 on a CPU; `tools/bench.py times` says how
far the time left that the bar shows is off.
"""

from collections.abc import Callable

from gstex.encode.settings import Settings

# Called as progress(stage, part, mse), with the part of the fit that is done, 0..1, and the error of the picture as it
# is now, inf where that is not known.
Progress = Callable[[str, float, float], None]

# Time of measuring the slope, as a share of the steps before: another fit has half as many Gaussians.
SLOPE = 0.5
# In steps: a choice of the bits of codebooks, their training, a round of features and one of geometry, the trial of a
# regular grid, and the solution and the codebooks of one.
CHOICE, CODEBOOKS, FEATURES, GEOMETRY, GRID_TRIAL, GRID = 15.0, 9.0, 24.0, 29.0, 20.0, 75.0


class Work:
    """What is done of a fit, and what there is to do.

    progress: called with it. total: in the time of a step; it may change on the way, but the reported part never falls.
    """

    def __init__(self, total: float, progress: Progress):
        self.total, self.done, self._progress, self._told = total, 0.0, progress, 0.0

    def advance(self, stage: str, steps: float, mse: float) -> None:
        """So much more is done. mse: of the fit as it is."""
        self.done += steps
        self._told = max(self._told, min(self.done / self.total, 1.0))
        self._progress(stage, self._told, mse)

    def go_back(self, done: float) -> None:
        """Begin again from where so much was done: the reported part may fall."""
        self.done, self._told = done, 0.0


def work_of(settings: Settings, *, below: bool, choices: int, first_steps: int, grid: bool) -> float:
    """The time of a fit in steps.

    below: of a mip with another above it. choices: how often the bits of codebooks are chosen. first_steps: before
    the slope is measured. grid: whether a regular grid is tried.
    """
    total = settings.steps + settings.settle * FEATURES + settings.polish * (FEATURES + GEOMETRY)
    if not below:
        total += SLOPE * first_steps + CHOICE * choices + CODEBOOKS + GRID_TRIAL * grid
    return total
