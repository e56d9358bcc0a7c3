"""The time that a batch has left, from earlier fits on this machine, the fits of this batch, and the number of
processes."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from gstex.batch.crew import cost
from gstex.batch.events import Event
from gstex.batch.plans import Item
from gstex.forecast import SURE, Costs, Phase, asked_fit, blend, fit_work, speed
from gstex.pace import Pace

__all__ = ["BatchForecast"]

# Seconds from the beginning of a material to the first report of its fit, if its process has to start and if it runs.
_FIRST_LEAD, _LEAD = 2.0, 0.2
# A fit for a target PSNR takes this many times as long as a fit at a given rate.
_TARGET = 2.5
# The weight of this machine's average against the materials of the batch, in materials.
_PRIOR = 0.5
# Most materials have no more varying channels than this. Which channels vary is not known before they are read.
_CHANNELS = 9
# For each process, this many of the last waiting materials are simulated one by one. Before them all processes are
# busy.
_FOLLOWED = 4


@dataclass
class _AtWork:
    """A material that is being compressed. since: when it began. cold: its process has to start. spent: seconds that
    one thread would have taken since the first report. reports: (spent, share of the steps) of each report."""

    threads: int
    since: float
    cold: bool
    spent: float = 0.0
    reports: list[tuple[float, float]] = field(default_factory=list)


class BatchForecast:
    """Estimates the time left from the events of a batch. The caller gives the time of each event, in seconds."""

    def __init__(self, items: Sequence[Item]):
        self._costs = Costs()
        paces: dict[tuple[str, int], Pace] = {}
        self._phases = {item.output: _phase(item, paces) for item in items}
        self._expected = {name: self._costs.seconds(phase)[0] for name, phase in self._phases.items()}
        self._waiting = dict.fromkeys(item.output for item in sorted(items, key=cost, reverse=True))
        self._at_work: dict[str, _AtWork] = {}
        self._done: list[tuple[float, float]] = []  # (expected, spent) of materials
        self._jobs, self._cores = 1, 1
        self._lead = _LEAD
        self._begun = 0  # materials
        self._start: float | None = None
        self._moment = self._shown = 0.0

    def take(self, moment: float, event: Event) -> None:
        """Take an event. moment: when it happened, in seconds."""
        for at in self._at_work.values():
            at.spent += (moment - self._moment) * speed(at.threads)
        self._moment = moment
        name = event.output
        if event.event == "start":
            self._jobs, self._cores = event.jobs or 0, event.threads or 0
        elif event.event == "begin":
            self._start = moment if self._start is None else self._start
            self._waiting.pop(name, None)
            self._at_work[name] = _AtWork(event.threads or 1, moment, cold=self._begun < max(self._jobs, 1))
            self._begun += 1
        elif event.event == "progress" and name in self._at_work:
            at = self._at_work[name]
            if not at.reports:
                self._lead = self._lead if at.cold else moment - at.since
                at.spent = 0.0
            at.threads = event.threads or at.threads
            at.reports.append((at.spent, event.share or 0.0))
        elif event.event in ("done", "failed", "current", "moved"):
            self._waiting.pop(name, None)
            over = self._at_work.pop(name, None)
            if over is not None and event.event == "done":
                self._learn(name, over)

    def left(self) -> float | None:
        """Seconds left as of the last event; None before the first fit."""
        if self._start is None:
            return None
        factor = self._factor()
        jobs = self._jobs or max(len(self._at_work), 1)
        cores = self._cores or jobs
        busy = [self._rest(name, at, factor) for name, at in self._at_work.items()]
        waiting = deque(self._expected[name] * factor + self._lead for name in self._waiting)
        seconds = 0.0
        many = len(waiting) - _FOLLOWED * jobs
        if many > 0:
            seconds += sum(waiting.popleft() for _ in range(many)) / (jobs * speed(max(cores / jobs, 1)))
        while busy or waiting:
            while waiting and len(busy) < jobs:
                busy.append(waiting.popleft())
            least = min(busy)
            seconds += least / speed(max(cores / len(busy), 1))
            busy = [rest - least for rest in busy if rest > least]
        return seconds

    def share(self) -> float:
        """The share of the whole time that is over, 0..1. It never falls."""
        left = self.left()
        if left is not None and self._start is not None:
            over = self._moment - self._start
            if over + left > 0:
                self._shown = max(self._shown, over / (over + left))
        return self._shown

    def _learn(self, name: str, at: _AtWork) -> None:
        """Learn from a material that is done."""
        if not at.reports or at.reports[0][1] > 0.1:  # too short to learn from, or continued from a checkpoint
            return
        phase = self._phases[name]
        self._done.append((self._expected[name], at.spent))
        self._costs.learn(phase, at.spent)
        if phase.pace is not None:
            phase.pace.learn(at.reports, at.spent)

    def _share(self, name: str, at: _AtWork) -> tuple[float, float]:
        """The shares of the time of a material that are over: at the last report, and at the first one."""
        pace = self._phases[name].pace
        first, last = (at.reports[0][1], at.reports[-1][1]) if at.reports else (0.0, 0.0)
        return (last, first) if pace is None else (pace.share(last), pace.share(first))

    def _whole(self, name: str, at: _AtWork, expected: float) -> tuple[float, float]:
        """Seconds of one thread that a material takes from its first report on, and how certain that is, 0..1."""
        share, first = self._share(name, at)
        spent = at.reports[-1][0] if at.reports else 0.0
        if share <= first or spent <= 0:
            return expected, 0.0
        sure = min((share - first) / SURE, 1.0)
        return blend(expected, spent / (share - first), sure), sure

    def _rest(self, name: str, at: _AtWork, factor: float) -> float:
        """Seconds of one thread that a material still takes."""
        expected = self._expected[name] * factor
        if not at.reports:
            lead = _FIRST_LEAD if at.cold else self._lead
            return max(lead - (self._moment - at.since), 0.0) + expected
        whole, _ = self._whole(name, at, expected)
        share, _ = self._share(name, at)
        since = at.spent - at.reports[-1][0]  # the last report
        return max(whole * (1 - share) - since, 0.0)

    def _factor(self) -> float:
        """How many times longer than expected the waiting materials take, judged by the others of this batch."""
        rows = [(spent / expected, 1.0) for expected, spent in self._done if expected > 0 and spent > 0]
        for name, at in self._at_work.items():
            expected = self._expected[name]
            whole, sure = self._whole(name, at, expected)
            if sure > 0 and expected > 0:
                rows.append((whole / expected, sure))
        weight = sum(sure for _, sure in rows)
        return math.exp(sum(sure * math.log(ratio) for ratio, sure in rows) / (weight + _PRIOR))


def _phase(item: Item, paces: dict[tuple[str, int], Pace]) -> Phase:
    options, texels = item.options, max(item.texels, 1)
    channels = min(item.channels, _CHANNELS)
    effort, bpp = asked_fit(channels, effort=options.effort, bpp=options.bpp, quality=options.quality,
                            loss=options.loss)  # fmt: skip
    amount = fit_work(texels, channels, bpp)
    if options.psnr is not None or options.match is not None:
        return Phase(item.output, f"fit {effort}", amount * _TARGET, texels)
    if (effort, texels) not in paces:
        paces[effort, texels] = Pace(effort, texels)
    return Phase(item.output, f"fit {effort}", amount, texels, paces[effort, texels])
