"""Progress of a fit on stderr: a bar on a terminal, a line now and then anywhere else."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from gstex.cli.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from gstex.pace import Pace

__all__ = ["ProgressReporter", "StagedProgress", "make_bar", "seconds_left"]

_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 10.0
_PREPARING = "preparing"


class Step(Protocol):
    """What the fit reports: see gstex.Progress."""

    @property
    def stage(self) -> str: ...
    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def psnr(self) -> float | None: ...


class ProgressReporter:
    """Callable for gstex.compress(progress=...), as a context manager.

    There is no thread behind it: the picture changes only when the fit reports.
    opening: what is shown until then. pace: how steps are spread over time; it learns from a fit that is done. Without
    it, all steps take as long as those before.
    """

    def __init__(self, opening: str = _PREPARING, pace: "Pace | None" = None) -> None:
        self._opening, self._pace = opening, pace
        self._taken: list[tuple[float, float]] = []  # (moment, share of the steps) of the reports
        self._bar = make_bar() if sys.stderr.isatty() else None
        if self._bar is not None:
            self._task = self._bar.add_task(opening, total=None, figures="")
        self._first: tuple[float, float] | None = None  # moment and share of the time of the first report
        self._shown = -_LINE_SECONDS
        self._stage = ""

    def __enter__(self) -> "ProgressReporter":
        if self._bar is not None:
            self._bar.start()
        else:
            print(f"gstex: {self._opening}", file=sys.stderr, flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._pace is not None and kind is None and self._taken:
            start = self._taken[0][0]
            self._pace.learn([(moment - start, share) for moment, share in self._taken], time.monotonic() - start)

    def __call__(self, now: Step) -> None:
        """Take a report; most are dropped, so that printing costs nothing."""
        moment = time.monotonic()
        steps = now.step / max(now.steps, 1)
        share = steps if self._pace is None else self._pace.share(steps)
        if self._first is None:
            self._first = (moment, share)
        if self._pace is not None:
            self._taken.append((moment, steps))
        pause = _REDRAW_SECONDS if self._bar is not None else _LINE_SECONDS
        if now.stage == self._stage and moment - self._shown < pause:
            return
        self._shown, self._stage = moment, now.stage
        figures = self._figures(now.psnr, moment, share)
        if self._bar is not None:
            self._bar.update(self._task, description=now.stage, total=1.0, completed=share, figures=figures,
                             refresh=True)
        else:
            print(f"gstex: {now.stage}: {figures}", file=sys.stderr, flush=True)

    def note(self, line: str) -> None:
        """Print a line that stays."""
        line = f"gstex: {printable(line)}"
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def _figures(self, psnr: float | None, moment: float, share: float) -> str:
        """'45 %, 31.2 dB, 0:42 left'. share: of the time that is over."""
        parts = [f"{int(100 * share + 1e-9)} %"]
        if psnr is not None:
            parts.append(f"{psnr:.1f} dB")
        seconds = seconds_left(self._first or (moment, share), (moment, share))
        if seconds is not None:
            left = round(seconds)
            parts.append(f"{left // 60}:{left % 60:02} left")
        return ", ".join(parts)


def seconds_left(first: tuple[float, float], now: tuple[float, float]) -> float | None:
    """From the (moment, share of the time) of the first and of the last report; None before anything is done."""
    done = now[1] - first[1]
    return (now[0] - first[0]) / done * (1 - now[1]) if done > 0 else None


def make_bar() -> "Progress | None":
    """A bar on stderr; None on a terminal that can only print lines."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        return None
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"),
        console=console, auto_refresh=False, transient=True,
    )  # fmt: skip


class StagedProgress:
    """A ProgressReporter for each stage, so that the time left is that of the stage in hand."""

    def __init__(self) -> None:
        self._reporter = ProgressReporter()
        self._stage = ""

    def __enter__(self) -> "StagedProgress":
        self._reporter.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reporter.__exit__(kind, error, trace)

    def __call__(self, now: Step) -> None:
        if now.stage != self._stage and self._stage:
            self._reporter.__exit__(None, None, None)
            self._reporter = ProgressReporter(now.stage)
            self._reporter.__enter__()
        self._stage = now.stage
        self._reporter(now)
