"""How the channels of a material are divided into groups, each with Gaussians of its own.

One group is right where maps share their edges. A smooth map beside noisy ones is worth a small group of its own: in
their group it stays far below the quality that a few per cent of the bytes would give it. Short trial fits of a part of
the picture tell which map gains most by that, and whether the others lose. docs/research/rate-distortion.md has what
else was tried.
"""

from collections.abc import Sequence

import numpy as np

from gstex.encode.division import Division
from gstex.encode.map_weights import Spectrum, bits_at, coefficients
from gstex.encode.problem import Task
from gstex.encode.trials import LEAST_ERROR, Trial, Trials, decibels
from gstex.errors import UsageError
from gstex.format.layout import MAX_GROUPS
from gstex.material import Material
from gstex.native.maths import power

__all__ = ["check_groups", "divide"]

# A map may get a group of its own if a codec needs at most this share of all bits for it, at its present error.
SMOOTH = 0.2
# The share of such a group, what its map has to gain in dB, and what the whole may lose for each dB of that.
APART, RESCUED, LOSS = 0.06, 3.0, 0.03
# Mean squared error below which a map has all that it needs: 50 dB.
EXACT = 1e-5
# Groups that the user names have at least this share each.
LEAST_SHARE = 0.06
# The error falls by this power of the bytes.
FALL = 0.7


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


def divide(groups: str, roles: Sequence[str], task: Task, trials: Trials, *, worth_trials: bool) -> Division:
    """The division that an option of `compress` asks for.

    Args:
        roles: of the channels that vary. task: of mip 0, of all of these. trials: of this task, with the sampling of
            the fit. worth_trials: whether 'auto' may make any.
    """
    if groups == "1" or len(set(roles)) == 1:
        return Division.one(len(roles))
    if groups == "auto":
        return _Search(trials).run() if worth_trials else Division.one(len(roles))
    named = _named(groups)
    named.append([role for role in roles if not any(role in group for group in named)])
    columns = [tuple(c for c, role in enumerate(roles) if role in group) for group in named]
    columns = [group for group in columns if group]
    if len(columns) == 1:
        return Division.one(len(roles))
    if task.count is not None:
        return Division(tuple(columns), tuple(len(group) / len(roles) for group in columns))
    return _Search(trials).shared_out(columns)


class _Search:
    """The search for a division by trial fits."""

    def __init__(self, trials: Trials):
        self.trials, self.maps = trials, trials.maps
        self.ordered = Spectrum.of(coefficients(trials.task.target.image)).ordered

    def run(self) -> Division:
        """Give the map that gains most a small group of its own, then the next one, as long as the others hardly
        lose."""
        everything = tuple(range(len(self.maps)))
        division = Division.one(len(everything))
        trials = self.trials.of(division)
        while trials and len(division.groups) < MAX_GROUPS:
            rescued = self.rescued(division, trials)
            if rescued is None:
                break
            division, trials = rescued
        return division

    def rescued(self, division: Division, trials: list[Trial]) -> tuple[Division, list[Trial]] | None:
        """The division with a map of the last group in a group of its own, and its trials; None if none is worth it."""
        whole, share = trials[-1], division.shares[-1]
        maps = self.maps[list(whole.columns)]
        best: tuple[float, Trial] | None = None
        numbers = np.unique(maps).tolist()
        errors = {n: float(whole.raw[maps == n].mean()) for n in numbers}
        rows = self.ordered[list(whole.columns)]
        needs = {n: bits_at(rows[maps == n], max(errors[n], LEAST_ERROR)) for n in numbers}
        for number, error in errors.items():
            columns = tuple(c for c in whole.columns if self.maps[c] == number)
            if len(numbers) == 1 or error < EXACT or needs[number] > SMOOTH * sum(needs.values()):
                continue
            tried = self.trials.of(Division((columns,), (APART,)))
            gain = decibels(error, float(tried[0].raw.mean())) if tried else 0.0
            if tried and gain >= RESCUED and (best is None or gain > best[0]):
                best = gain, tried[0]
        if best is None or share - APART < APART:
            return None
        others = tuple(c for c in whole.columns if c not in best[1].columns)
        shares = (*division.shares[:-1], APART, share - APART)
        divided = Division((*division.groups[:-1], best[1].columns, others), shares)
        again = self.trials.of(divided, [*trials[:-1], best[1]])
        if again is None or decibels(whole.total, again[-1].total + best[1].total) < -LOSS * best[0]:
            return None
        return divided, again

    def shared_out(self, columns: Sequence[tuple[int, ...]]) -> Division:
        """The division into these groups whose shares are such that a little more gains as much in each group."""
        level = max(1e-3 * float(self.ordered.sum(axis=1).mean()) / self.ordered.shape[1], LEAST_ERROR)
        shares = np.array([bits_at(self.ordered[list(group)], level) for group in columns])
        for _ in range(2):
            shares = np.maximum(shares / max(shares.sum(), 1e-9), LEAST_SHARE)
            shares /= shares.sum()
            trials = self.trials.of(Division(tuple(columns), tuple(shares.tolist())))
            if trials is None:
                break
            # The errors are e s^-FALL; their sum is least where e s^(-FALL - 1) is the same for all.
            shares = power(np.array([t.total for t in trials]) * power(shares, FALL), 1 / (1 + FALL))
        shares = np.maximum(shares / shares.sum(), LEAST_SHARE)
        return Division(tuple(columns), tuple((shares / shares.sum()).tolist()))
