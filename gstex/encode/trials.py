"""Short trial fits of a part of a picture: they say which sampling and which division into groups suit a material."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gstex.arrays import F64Array
from gstex.decode import decode_texels
from gstex.encode.division import Division, split_budget
from gstex.encode.engine import MakeEngine
from gstex.encode.packing import FittedGroup, pack_group
from gstex.encode.problem import BudgetTooSmall, Target, Task
from gstex.encode.schedule import fit_mip
from gstex.encode.settings import Settings, make_settings
from gstex.encode.work import Progress
from gstex.format import ChannelEntry, PackedMaterial, pack
from gstex.format.layout import mip_block_words
from gstex.native.maths import log10

__all__ = ["LEAST_ERROR", "Trial", "Trials", "decibels", "pays_for_trials"]

# Trials fit a part of a picture, of this size along both axes. Fits of less work (texels times steps) or of fewer
# steps make no trials.
SIDE, LEAST_WORK, LEAST_STEPS = 256, 2.5e8, 250
# Texels from one part to the next in the search for the sharpest one.
STRIDE = 32
# Words of index and records without which a group is not tried.
LEAST_RECORDS = 16
# Words of tables that are not charged to a trial: in a large picture they hardly count.
TABLES = 48
# How many trials there are in most cases.
USUAL_TRIALS = 5
LEAST_ERROR = 1e-9  # a squared error that counts as none


def pays_for_trials(task: Task, settings: Settings) -> bool:
    """Whether the fit of a task takes so long that trials hardly count."""
    work = task.target.image[:, :, 0].size * settings.steps
    return task.count is None and settings.steps >= LEAST_STEPS and work >= LEAST_WORK


@dataclass(frozen=True)
class Trial:
    """The result of a trial fit of a group of columns.

    raw: mean squared errors of its channels, [C]; errors: weighted as the task has it.
    """

    columns: tuple[int, ...]
    words: int
    raw: F64Array
    errors: F64Array

    @property
    def total(self) -> float:
        """The weighted error of the group."""
        return float(self.errors.sum())


class Trials:
    """Trial fits of a part of a picture.

    task: of that part; maps: of its columns. sampling: 'direct' or 'bilinear', of the next trials.
    """

    def __init__(
        self, task: Task, budget_words: int, *, sampling: str = "direct", sharpest: bool = False,
        expected: int = USUAL_TRIALS, grid: bool = True, seed: int, make_engine: MakeEngine, progress: Progress,
        **sizes: Any,
    ):  # fmt: skip
        """task, budget_words: of the whole. sharpest: fit the part with the sharpest edges, in place of the middle.
        expected: how many trials there will be. grid: whether regular grids are tried. progress: called as
        progress('trials', part, mse). sizes: of `split_budget`."""
        corner = _sharpest_corner(task) if sharpest else _middle_corner(task)
        self.task, self.sampling, self._seed, self._sizes = _part_of(task, *corner), sampling, seed, sizes
        self._make_engine, self._progress, self._expected, self._grid = make_engine, progress, expected, grid
        texels = [t.target.image[:, :, 0].size for t in (self.task, task)]
        self._scale = texels[0] / texels[1]
        self._budget_words = budget_words
        assert task.maps is not None
        self.maps = task.maps
        self._known: dict[tuple[tuple[int, ...], int, str], Trial] = {}

    def of(self, division: Division, known: Sequence[Trial] = ()) -> list[Trial] | None:
        """The trials of a division, of which the first are known; None where a budget does not hold a Gaussian."""
        words = split_budget(division, self._budget_words, **self._sizes)
        trials = list(known)
        if any(budget < mip_block_words(len(columns), 1) + LEAST_RECORDS
               for columns, budget in zip(division.groups, words, strict=True)):  # fmt: skip
            return None  # trials need no tables, and would hold a few
        try:
            for columns, budget in list(zip(division.groups, words, strict=True))[len(known) :]:
                trials.append(self._one(columns, round(budget * self._scale + TABLES * (1 - self._scale))))
        except BudgetTooSmall:
            return None
        return trials

    def _one(self, columns: tuple[int, ...], words: int) -> Trial:
        """The trial fit of a group; each is made once."""
        key = columns, words, self.sampling
        if key not in self._known:
            self._known[key] = self._fit(columns, words)
        return self._known[key]

    def _fit(self, columns: tuple[int, ...], words: int) -> Trial:
        task = replace(self.task.part(columns), budget_words=words)
        settings = make_settings("fast", self.sampling, "l2")
        settings = replace(settings, grid=settings.grid and self._grid)
        before = min(len(self._known) / self._expected, 1.0)

        def report(stage: str, part: float, mse: float) -> None:
            self._progress("trials", min(before + part / self._expected, 1.0), mse)

        result = fit_mip(task, settings, seed=self._seed, progress=report, make_engine=self._make_engine)
        group = pack_group(FittedGroup(list(range(len(columns))), [result], [task]), 1)
        height, width, count = task.target.image.shape
        section = pack(PackedMaterial(width, height, task.repeat, False, 1, 1, (ChannelEntry(),) * count, (group,)))
        off = (decode_texels(section) - task.target.image).astype(np.float64) ** 2
        counts = task.target.importance.astype(np.float64)[:, :, task.target.plane]
        raw = (off * counts).sum(axis=(0, 1)) / np.maximum(counts.sum(axis=(0, 1)), 1e-9)
        return Trial(columns, words, raw, raw * self.task.weights[list(columns)])


def decibels(before: float, after: float) -> float:
    """By how many dB a squared error is below another one."""
    return float(10 * log10(max(before, LEAST_ERROR) / max(after, LEAST_ERROR)))


def _part_of(task: Task, y: int, x: int) -> Task:
    """The part of a task's picture that begins at a row and column, at most SIDE long and high."""
    height, width = task.target.image.shape[:2]
    image = np.ascontiguousarray(task.target.image[y : y + SIDE, x : x + SIDE])
    importance = np.ascontiguousarray(task.target.importance[y : y + SIDE, x : x + SIDE])
    whole = image.shape[:2] == (height, width)
    return replace(task, target=Target(image, importance, task.target.plane), repeat=task.repeat and whole)


def _middle_corner(task: Task) -> tuple[int, int]:
    height, width = task.target.image.shape[:2]
    return (height - min(height, SIDE)) // 2, (width - min(width, SIDE)) // 2


def _sharpest_corner(task: Task) -> tuple[int, int]:
    """Where the part begins that has the largest sum of squared differences of neighbours, as the fit counts them."""
    target = task.target
    height, width = target.image.shape[:2]
    sharpness = np.zeros((height, width))
    for c in range(target.channels):
        counts = task.weights[c] * target.importance[:, :, target.plane[c]]
        for axis in (0, 1):
            step = np.diff(target.image[:, :, c], axis=axis, append=target.image[:, :, c].take([-1], axis=axis))
            sharpness += counts * step.astype(np.float64) ** 2
    sums = np.pad(sharpness.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    rows, columns = min(height, SIDE), min(width, SIDE)
    corners = [(y, x) for y in _starts(height - rows) for x in _starts(width - columns)]

    def total(corner: tuple[int, int]) -> float:
        y, x = corner
        return float(sums[y + rows, x + columns] - sums[y, x + columns] - sums[y + rows, x] + sums[y, x])

    return max(corners, key=total)


def _starts(last: int) -> list[int]:
    return sorted({*range(0, last + 1, STRIDE), last})
