"""How the channels of a material are divided into groups, each with Gaussians of its own.

One group is right where maps share their edges. A smooth map beside noisy ones is worth a small group of its own: in
their group it stays far below the quality that a few per cent of the bytes would give it. Short trial fits of a part of
the picture tell which map gains most by that, and whether the others lose. docs/research/rate-distortion.md has what
else was tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gstex.arrays import F64Array
from gstex.decode import decode_texels
from gstex.encode.division import Division, split_budget
from gstex.encode.engine import MakeEngine
from gstex.encode.map_weights import Spectrum, bits_at, coefficients
from gstex.encode.packing import FittedGroup, pack_group
from gstex.encode.problem import BudgetTooSmall, Target, Task
from gstex.encode.schedule import fit_mip
from gstex.encode.settings import Settings, make_settings
from gstex.encode.work import Progress
from gstex.errors import UsageError
from gstex.format import ChannelEntry, PackedMaterial, pack
from gstex.format.layout import MAX_GROUPS, mip_block_words
from gstex.material import Material
from gstex.native.maths import log10, power

__all__ = ["check_groups", "divide"]

# Trials fit the middle of a picture, of this size along both axes. Fits of less work (texels times steps) or of fewer
# steps make no trials.
SIDE, LEAST_WORK, LEAST_STEPS = 256, 2.5e8, 250
# A map may get a group of its own if a codec needs at most this share of all bits for it, at its present error.
SMOOTH = 0.2
# The share of such a group, what its map has to gain in dB, and what the whole may lose for each dB of that.
APART, RESCUED, LOSS = 0.06, 3.0, 0.03
# Mean squared error below which a map has all that it needs: 50 dB.
EXACT = 1e-5
# Groups that the user names have at least this share each.
LEAST_SHARE = 0.06
# Words of index and records without which a group is not tried.
LEAST_RECORDS = 16
# Words of tables that are not charged to a trial: in a large picture they hardly count.
TABLES = 48
# How many trials there are in most cases.
USUAL_TRIALS = 5
# The error falls by this power of the bytes.
FALL = 0.7
_LEAST_ERROR = 1e-9


def check_groups(groups: str, material: Material) -> None:
    """Refuse a division that names maps that are not there, or one twice.

    Raises:
        UsageError: the division does, or it has too many groups.
    """
    if groups in ("auto", "1"):
        return
    roles = {channel.role for channel in material.channels}
    named = _named(groups)
    flat = [role for group in named for role in group]
    allowed = f"'auto', '1', or maps of {', '.join(sorted(roles))} with ',' in a group and ';' between groups"
    for role in flat:
        if role not in roles:
            raise UsageError(f"groups: got {role!r}, expected {allowed}")
        if flat.count(role) > 1:
            raise UsageError(f"groups: got {role!r} twice, expected each map in one group")
    if len(named) + (set(flat) != roles) > MAX_GROUPS:
        raise UsageError(f"groups: got more than {MAX_GROUPS}, expected at most {MAX_GROUPS}")


def _named(groups: str) -> list[list[str]]:
    return [[role.strip() for role in group.split(",")] for group in groups.split(";")]


@dataclass(frozen=True)
class _Trial:
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


def divide(
    groups: str, roles: Sequence[str], task: Task, settings: Settings, budget_words: int, *, seed: int,
    make_engine: MakeEngine, progress: Progress, **sizes: Any,
) -> Division:  # fmt: skip
    """The division that an option of `compress` asks for.

    Args:
        roles: of the channels that vary. task: of mip 0, of all of these. budget_words: of all that mip 0 needs.
        progress: called as progress('groups', part, mse) while trials go on. sizes: of `split_budget`.
    """
    if groups == "1" or len(set(roles)) == 1:
        return Division.one(len(roles))
    if groups == "auto":
        work = task.target.image[:, :, 0].size * settings.steps
        if task.count is not None or settings.steps < LEAST_STEPS or work < LEAST_WORK:
            return Division.one(len(roles))
        return _Trials(task, budget_words, seed, make_engine, progress, sizes).search()
    named = _named(groups)
    named.append([role for role in roles if not any(role in group for group in named)])
    columns = [tuple(c for c, role in enumerate(roles) if role in group) for group in named]
    columns = [group for group in columns if group]
    if len(columns) == 1:
        return Division.one(len(roles))
    if task.count is not None:
        return Division(tuple(columns), tuple(len(group) / len(roles) for group in columns))
    return _Trials(task, budget_words, seed, make_engine, progress, sizes).shared_out(columns)


class _Trials:
    """Trial fits of a part of a picture."""

    def __init__(
        self, task: Task, budget_words: int, seed: int, make_engine: MakeEngine, progress: Progress,
        sizes: dict[str, Any],
    ):  # fmt: skip
        self.task, self.seed, self.sizes = _part_of(task, SIDE), seed, sizes
        self.make_engine, self.progress = make_engine, progress
        texels = [t.target.image[:, :, 0].size for t in (self.task, task)]
        self.scale = texels[0] / texels[1]
        self.budget_words = budget_words
        assert task.maps is not None
        self.maps = task.maps
        self.known: dict[tuple[tuple[int, ...], int], _Trial] = {}
        self.ordered = Spectrum.of(coefficients(self.task.target.image)).ordered

    def search(self) -> Division:
        """Give the map that gains most a small group of its own, then the next one, as long as the others hardly
        lose."""
        everything = tuple(range(len(self.maps)))
        division = Division.one(len(everything))
        trials = self.of(division)
        while trials and len(division.groups) < MAX_GROUPS:
            rescued = self.rescued(division, trials)
            if rescued is None:
                break
            division, trials = rescued
        return division

    def rescued(self, division: Division, trials: list[_Trial]) -> tuple[Division, list[_Trial]] | None:
        """The division with a map of the last group in a group of its own, and its trials; None if none is worth it."""
        whole, share = trials[-1], division.shares[-1]
        maps = self.maps[list(whole.columns)]
        best: tuple[float, _Trial] | None = None
        numbers = np.unique(maps).tolist()
        errors = {n: float(whole.raw[maps == n].mean()) for n in numbers}
        rows = self.ordered[list(whole.columns)]
        needs = {n: bits_at(rows[maps == n], max(errors[n], _LEAST_ERROR)) for n in numbers}
        for number, error in errors.items():
            columns = tuple(c for c in whole.columns if self.maps[c] == number)
            if len(numbers) == 1 or error < EXACT or needs[number] > SMOOTH * sum(needs.values()):
                continue
            tried = self.of(Division((columns,), (APART,)))
            gain = _decibels(error, float(tried[0].raw.mean())) if tried else 0.0
            if tried and gain >= RESCUED and (best is None or gain > best[0]):
                best = gain, tried[0]
        if best is None or share - APART < APART:
            return None
        others = tuple(c for c in whole.columns if c not in best[1].columns)
        shares = (*division.shares[:-1], APART, share - APART)
        divided = Division((*division.groups[:-1], best[1].columns, others), shares)
        again = self.of(divided, [*trials[:-1], best[1]])
        if again is None or _decibels(whole.total, again[-1].total + best[1].total) < -LOSS * best[0]:
            return None
        return divided, again

    def shared_out(self, columns: Sequence[tuple[int, ...]]) -> Division:
        """The division into these groups whose shares are such that a little more gains as much in each group."""
        level = max(1e-3 * float(self.ordered.sum(axis=1).mean()) / self.ordered.shape[1], _LEAST_ERROR)
        shares = np.array([bits_at(self.ordered[list(group)], level) for group in columns])
        for _ in range(2):
            shares = np.maximum(shares / max(shares.sum(), 1e-9), LEAST_SHARE)
            shares /= shares.sum()
            trials = self.of(Division(tuple(columns), tuple(shares.tolist())))
            if trials is None:
                break
            # The errors are e s^-FALL; their sum is least where e s^(-FALL - 1) is the same for all.
            shares = power(np.array([t.total for t in trials]) * power(shares, FALL), 1 / (1 + FALL))
        shares = np.maximum(shares / shares.sum(), LEAST_SHARE)
        return Division(tuple(columns), tuple((shares / shares.sum()).tolist()))

    def of(self, division: Division, known: Sequence[_Trial] = ()) -> list[_Trial] | None:
        """The trials of a division, of which the first are known; None where a budget does not hold a Gaussian."""
        words = split_budget(division, self.budget_words, **self.sizes)
        trials = list(known)
        if any(budget < mip_block_words(len(columns), 1) + LEAST_RECORDS
               for columns, budget in zip(division.groups, words, strict=True)):  # fmt: skip
            return None  # trials need no tables, and would hold a few
        try:
            for columns, budget in list(zip(division.groups, words, strict=True))[len(known) :]:
                trials.append(self.fit(columns, round(budget * self.scale + TABLES * (1 - self.scale))))
        except BudgetTooSmall:
            return None
        return trials

    def fit(self, columns: tuple[int, ...], words: int) -> _Trial:
        """The trial fit of a group; each is made once."""
        if (columns, words) not in self.known:
            self.known[columns, words] = self._fit(columns, words)
        return self.known[columns, words]

    def _fit(self, columns: tuple[int, ...], words: int) -> _Trial:
        task = replace(self.task.part(columns), budget_words=words)
        settings = make_settings("fast", "direct", "l2")
        before = min(len(self.known) / USUAL_TRIALS, 1.0)

        def report(stage: str, part: float, mse: float) -> None:
            self.progress("groups", min(before + part / USUAL_TRIALS, 1.0), mse)

        result = fit_mip(task, settings, seed=self.seed, progress=report, make_engine=self.make_engine)
        group = pack_group(FittedGroup(list(range(len(columns))), [result], [task]), 1)
        height, width, count = task.target.image.shape
        section = pack(PackedMaterial(width, height, task.repeat, False, 1, 1, (ChannelEntry(),) * count, (group,)))
        off = (decode_texels(section) - task.target.image).astype(np.float64) ** 2
        counts = task.target.importance.astype(np.float64)[:, :, task.target.plane]
        raw = (off * counts).sum(axis=(0, 1)) / np.maximum(counts.sum(axis=(0, 1)), 1e-9)
        return _Trial(columns, words, raw, raw * self.task.weights[list(columns)])


def _decibels(before: float, after: float) -> float:
    return float(10 * log10(max(before, _LEAST_ERROR) / max(after, _LEAST_ERROR)))


def _part_of(task: Task, side: int) -> Task:
    """The middle of a task's picture, at most this long and high."""
    height, width = task.target.image.shape[:2]
    rows, columns = min(height, side), min(width, side)
    y, x = (height - rows) // 2, (width - columns) // 2
    image = np.ascontiguousarray(task.target.image[y : y + rows, x : x + columns])
    importance = np.ascontiguousarray(task.target.importance[y : y + rows, x : x + columns])
    whole = (rows, columns) == (height, width)
    return replace(task, target=Target(image, importance, task.target.plane), repeat=task.repeat and whole)
