"""How much time a command has left, from what its phases took in earlier runs on this machine and in this run.

For every kind of phase a factor is remembered from run to run: how many times the usual time it takes here. Pictures
differ, so a run corrects its forecast by the phases that are over, and by the present phase as far as it is done.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gstex.encode.settings import QUALITIES, RESTORE_EFFORT, rate_of
from gstex.native import thread_count
from gstex.pace import Pace
from gstex.user_state import read_state, write_state

if TYPE_CHECKING:
    from gstex.material import Material

__all__ = ["SURE", "Costs", "Forecast", "Phase", "asked_fit", "blend", "fit_phase", "fit_work", "speed"]

_NAME = "costs"
_FRESH = 0.3  # weight of the last run against all earlier ones
# Seconds that every kind takes on one core before anything is remembered: (at the start, millionths for each unit).
# `fit_phase` and course.py of gstex/compare say what the units are.
_USUAL = {
    "fit draft": (0.0, 1.4), "fit fast": (0.0, 5.2), "fit normal": (0.0, 18.5), "fit thorough": (0.0, 47.0),
    "coarse codecs": (0.0, 0.85), "codecs": (1.0, 1.1), "decode": (0.07, 0.075), "measure": (0.9, 1.23),
    "page": (0.7, 8.2),
}  # fmt: skip
# The time of a fit grows with its rate to the power _RATE_POWER, and its speed with the number of threads to the power
# _THREADS_POWER: 1.6 for two.
_RATE_POWER, _THREADS_POWER = 0.7, 0.7
# What one kind tells of another: where the first takes x times the usual time, the second takes x to this power times.
# Codecs search longer in detail, and a detailed picture has more of it for each texel at a quarter of its size.
_TELLS = {("coarse codecs", "codecs"): 0.6}
# From this share of a phase on, its measured time alone gives the forecast.
SURE = 0.3
_COMPLETE = 0.9  # share of its steps from which on a phase counts as done
_LEAST = 1e-6  # seconds
_MOST = 1e9  # times as long as usual


@dataclass(frozen=True)
class Phase:
    """A part of a command.

    name: differs from the names of the other phases. kind: says what one unit of `amount` takes; '' where nothing is
    known. texels: of the picture; times are remembered by size. pace: how the steps of a fit are spread over its time.
    """

    name: str = ""
    kind: str = ""
    amount: float = 0.0
    texels: int = 1
    pace: Pace | None = field(default=None, compare=False)


def speed(threads: float) -> float:
    """How many times as fast a fit is with these threads as with one."""
    return float(threads) ** _THREADS_POWER


def fit_work(texels: int, channels: int, bpp: float | None) -> float:
    """The amount of a fit on one thread. channels: how many vary. bpp: bits per texel; None for the usual rate."""
    usual = QUALITIES["normal"] * max(channels, 1)
    return texels * max(channels, 1) * ((bpp or usual) / usual) ** _RATE_POWER


def asked_fit(
    channels: int, *, effort: str, bpp: float | None, quality: str | None, loss: str
) -> tuple[str, float]:  # fmt: skip
    """The effort and the bits per texel of a fit with these options of `gstex.compress`. channels: how many
    vary."""
    rate = bpp or rate_of(quality or "normal", loss) * max(channels, 1)
    return RESTORE_EFFORT if loss == "restore" else effort, rate


def fit_phase(material: "Material", effort: str, bpp: float | None, name: str = "fit") -> Phase:
    """The phase in which a material is fitted, with all threads that there are."""
    texels = material.width * material.height
    varying = sum(channel.constant is None for channel in material.channels)
    amount = fit_work(texels, varying, bpp) / speed(thread_count())
    return Phase(name, f"fit {effort}", amount, texels, Pace(effort, texels))


class Costs:
    """How many times the usual time phases take on this machine, as it is remembered."""

    def __init__(self) -> None:
        self._known = _read_costs()

    def seconds(self, phase: Phase) -> tuple[float, bool]:
        """(seconds that a phase should take, whether anything is known of this machine)."""
        size = _size(phase.texels)
        alike = {known: factor for (kind, known), factor in self._known.items() if kind == phase.kind}
        nearest = min(alike, key=lambda known: abs(known - size), default=size)
        return alike.get(nearest, self._speed()) * _usual(phase), bool(self._known)

    def _speed(self) -> float:
        """The factor of this machine: the geometric mean of all known ones, 1 if there are none."""
        logs = [math.log(factor) for factor in self._known.values()]
        return math.exp(sum(logs) / len(logs)) if logs else 1.0

    def learn(self, phase: Phase, seconds: float) -> None:
        """Remember what a phase took, for later runs."""
        usual = _usual(phase)
        if usual <= 0 or seconds <= 0:
            return
        key, factor, known = (phase.kind, _size(phase.texels)), seconds / usual, _read_costs()
        known[key] = blend(known[key], factor, _FRESH) if key in known else factor
        write_state(_NAME, {f"{kind} {size}": factor for (kind, size), factor in known.items()})


def _usual(phase: Phase) -> float:
    """Seconds of a phase on a machine of which nothing is known; 0 where there is nothing to do."""
    unit = _USUAL.get(phase.kind, (0.0, 0.0))[1]
    return _usual_lead(phase) + unit * 1e-6 * phase.amount if phase.amount > 0 else 0.0


def _usual_lead(phase: Phase) -> float:
    """Those of the seconds of `_usual` that pass before the steps of the phase begin."""
    return _USUAL.get(phase.kind, (0.0, 0.0))[0] if phase.amount > 0 else 0.0


def _read_costs() -> dict[tuple[str, int], float]:
    """The remembered factors, by kind and size."""
    stored, known = read_state(_NAME), {}
    for key, value in (stored if isinstance(stored, dict) else {}).items():
        kind, _, size = key.rpartition(" ")
        if kind in _USUAL and size.isdigit() and isinstance(value, int | float) and 0 < value < _MOST:
            known[kind, int(size)] = float(value)
    return known


def _size(texels: int) -> int:
    """log2 of the side of a square with so many texels, rounded: sizes with the same number share a factor."""
    return round(math.log2(max(texels, 1)) / 2)


def blend(before: float, measured: float, weight: float) -> float:
    """A mean of two numbers in logarithms: `before` at weight 0, `measured` at weight 1."""
    first, last = (math.log(max(x, _LEAST * _LEAST)) for x in (before, measured))
    return math.exp(first + weight * (last - first))


@dataclass(frozen=True)
class _Behind:
    """A phase of this run that is over, or the present one: the seconds that were expected before the run, those that
    it takes, and how much that counts."""

    kind: str
    known: bool
    expected: float
    seconds: float
    weight: float = 1.0


class Forecast:
    """The time that a command of several phases has left. It has no clock: moments are given, in seconds."""

    def __init__(self) -> None:
        self._costs = Costs()
        self._phase: Phase | None = None
        self._later: Sequence[Phase] = ()
        self._behind: list[_Behind] = []
        self._told: list[tuple[float, float]] = []  # (seconds since the phase began, share of its steps)
        self._start = self._begun = self._moment = 0.0
        self._shown = 0.0

    def take(self, moment: float, phase: Phase, steps: float, later: Sequence[Phase] = ()) -> None:
        """Note at a moment which share of a phase's steps is done, and which phases come later."""
        if self._phase is None:
            self._start = moment
        if self._phase is None or phase.name != self._phase.name:
            if self._phase is not None and self._told[-1][1] >= _COMPLETE:
                self._finish(moment)
            self._begun, self._told = moment, []
        self._phase, self._later, self._moment = phase, later, moment
        self._told.append((moment - self._begun, steps))

    def end(self, moment: float) -> None:
        """The command is done: learn from its last phase."""
        if self._phase is not None:
            self._finish(moment)
            self._phase = None

    def left(self) -> float | None:
        """Seconds that are left, as of the last report; None where nothing is known."""
        if self._phase is None:
            return None
        whole, share = self._current()
        if whole is None:
            return None
        elapsed = self._moment - self._begun
        left = (whole - self._lead()) * (1 - share) if share > 0 else max(whole - elapsed, 0.0)
        behind = list(self._behind)
        expected, known = self._costs.seconds(self._phase)
        if expected > 0:
            sure = min(share / SURE, 1.0)
            behind.append(_Behind(self._phase.kind, known, expected, whole, sure))
        return left + sum(self._expected(phase, behind) for phase in self._later)

    def share(self) -> float:
        """The share of the whole time that is over; it never falls."""
        left, over = self.left(), self._moment - self._start
        if left is not None and over + left > 0:
            begun = self._time(self._told[0][1]) if not self._behind and not self._later else 0.0
            self._shown = max(self._shown, begun + (1 - begun) * over / (over + left))
        return self._shown

    def _current(self) -> tuple[float | None, float]:
        """(seconds of the whole present phase with its lead, None if nothing is known of them; the share of the time
        after the lead that is over)."""
        assert self._phase is not None
        elapsed, steps = self._told[-1]
        share, begun = self._time(steps), self._time(self._told[0][1])
        expected, lead = self._expected(self._phase, self._behind), self._lead()
        measured = lead + (elapsed - lead) / (share - begun) if share > begun and elapsed > 0 else None
        if measured is None:
            return (expected if self._phase.kind else None), share
        if expected <= 0:
            return measured, share
        return blend(expected, measured, min((share - begun) / SURE, 1.0)), share

    def _lead(self) -> float:
        """Seconds of the present phase before its steps begin."""
        assert self._phase is not None
        usual = _usual(self._phase)
        if usual <= 0:
            return 0.0
        lead = self._costs.seconds(self._phase)[0] * _usual_lead(self._phase) / usual
        moved = next((moment for moment, steps in self._told if steps > self._told[0][1]), math.inf)
        return min(lead, moved)

    def _time(self, steps: float) -> float:
        pace = self._phase.pace if self._phase is not None else None
        return steps if pace is None else pace.share(steps)

    def _expected(self, phase: Phase, behind: Sequence[_Behind]) -> float:
        """Seconds that a phase should take, corrected by the phases behind it."""
        expected, known = self._costs.seconds(phase)
        if expected <= 0:
            return 0.0
        same = [(past, 1.0) for past in behind if past.kind == phase.kind]
        related = [(past, _TELLS[past.kind, phase.kind]) for past in behind if (past.kind, phase.kind) in _TELLS]
        # If nothing is known of the machine, the other phases of this run say how fast it is.
        speed = [] if known else [(past, 1.0) for past in behind if not past.known]
        for rows in (same, related, speed):
            weight = sum(past.weight for past, _ in rows)
            if weight > 0:
                mean = sum(past.weight * tells * math.log(max(past.seconds, _LEAST) / max(past.expected, _LEAST))
                           for past, tells in rows) / weight  # fmt: skip
                return expected * math.exp(mean * min(weight, 1.0))
        return expected

    def _finish(self, moment: float) -> None:
        """The present phase is over: learn from it."""
        phase, seconds = self._phase, moment - self._begun
        assert phase is not None
        expected, known = self._costs.seconds(phase)
        if expected > 0 and seconds > 0:
            self._behind.append(_Behind(phase.kind, known, expected, seconds))
        if self._told[0][1] < 1 - _COMPLETE:  # the phase did not begin from a checkpoint
            self._costs.learn(phase, seconds)
            if phase.pace is not None:
                phase.pace.learn(self._told, seconds)
