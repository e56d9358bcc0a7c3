"""Progress of a fit on stderr: a bar on a terminal, a line now and then anywhere else."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from gstex.cli.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from gstex.forecast import Phase

__all__ = ["ProgressReporter", "StagedProgress", "make_bar"]

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

    It uses no thread: the display changes only when the fit reports.

    opening: what is shown until the first report. phase: what is known about the time of the fit beforehand; without
    it, the forecast assumes that all steps take equally long.
    """

    def __init__(self, opening: str = _PREPARING, phase: "Phase | None" = None) -> None:
        from gstex.forecast import Forecast, Phase

        self._opening, self._phase, self._forecast = opening, phase or Phase(), Forecast()
        self._bar = make_bar() if sys.stderr.isatty() else None
        if self._bar is not None:
            self._task = self._bar.add_task(opening, total=None, figures="")
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
        if kind is None:
            self._forecast.end(time.monotonic())

    def __call__(self, now: Step) -> None:
        """Take a report. Most are not shown, so that printing takes almost no time."""
        moment = time.monotonic()
        self._take(moment, now)
        pause = _REDRAW_SECONDS if self._bar is not None else _LINE_SECONDS
        if now.stage == self._stage and moment - self._shown < pause:
            return
        self._shown, self._stage = moment, now.stage
        share = self._forecast.share()
        figures = self._figures(now.psnr, share)
        if self._bar is not None:
            self._bar.update(self._task, description=now.stage, total=1.0, completed=share, figures=figures,
                             refresh=True)
        else:
            print(f"gstex: {now.stage}: {figures}", file=sys.stderr, flush=True)

    def _take(self, moment: float, now: Step) -> None:
        self._forecast.take(moment, self._phase, now.step / max(now.steps, 1))

    def note(self, line: str) -> None:
        """Print a permanent line."""
        line = f"gstex: {printable(line)}"
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def _figures(self, psnr: float | None, share: float) -> str:
        """'45 %, 31.2 dB, 0:42 left'. share: the part of the time that is over, 0..1."""
        parts = [f"{int(100 * share + 1e-9)} %"]
        if psnr is not None:
            parts.append(f"{psnr:.1f} dB")
        seconds = self._forecast.left()
        if seconds is not None:
            left = round(seconds)
            parts.append(f"{left // 60}:{left % 60:02} left")
        return ", ".join(parts)


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


class StagedProgress(ProgressReporter):
    """Progress for gstex.compare.compare(progress=...), whose reports name the current phase and those to come."""

    def _take(self, moment: float, now: Any) -> None:
        self._forecast.take(moment, now.phase, now.step / max(now.steps, 1), now.later)
