"""What `gstex batch` shows: on a terminal a bar for the whole batch, elsewhere one line per material."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import click

from gstex.cli.progress import make_bar
from gstex.cli.text import count, decibels, printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from gstex.batch import Event, Plan

__all__ = ["BatchProgress"]

_REDRAW_SECONDS = 0.1
_MIB = 1024**2


class BatchProgress:
    """Shows the events of a batch. Used as a context manager.

    plain_stdout: whether the summary goes to stdout, which is false if JSON does. quiet: show failures only. verbose:
    also show what is up to date, begins or is left out.
    """

    def __init__(self, plan: "Plan", *, plain_stdout: bool, quiet: bool, verbose: bool):
        from gstex.batch.forecast import BatchForecast

        self._plan, self._stdout, self._quiet, self._verbose = plan, plain_stdout, quiet, verbose
        self._forecast = BatchForecast(plan.items)
        self._at_work: set[str] = set()
        self._count = {"current": 0, "moved": 0, "done": 0, "failed": 0}
        self._bytes = self._bc7 = 0
        self._started = time.monotonic()
        self._shown = 0.0
        self._bar: Progress | None = None
        if not quiet and sys.stderr.isatty():
            self._bar = make_bar()
        if self._bar is not None:
            self._task = self._bar.add_task("reading", total=None, figures="")

    def __enter__(self) -> "BatchProgress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()

    def left_out(self) -> None:
        """Print one line about the files that are part of no material; with --verbose one line for each."""
        rows = self._plan.left_out
        if self._verbose:
            for path, reason in rows:
                self._line(f"left out: {path}: {reason}")
        elif rows:
            reasons: dict[str, int] = {}
            for _, reason in rows:
                kind = reason.split(";")[0].split(":")[0].split(" of ")[0]
                reasons[kind] = reasons.get(kind, 0) + 1
            kinds = sorted(reasons, key=lambda kind: -reasons[kind])
            named = "; ".join(f"{reasons[kind]} {kind}" for kind in kinds[:3]) + ("; .." if len(kinds) > 3 else "")
            self._line(f"left out: {named}; -v lists them")

    def __call__(self, event: "Event") -> None:
        """Take an event."""
        self._forecast.take(time.monotonic(), event)
        if event.event in self._count:
            self._settle(event)
        if event.event == "begin":
            self._at_work.add(event.output)
        self._print(event)
        if self._bar is not None:
            self._draw()

    def stopped(self, by: str) -> None:
        """Print the last line of a batch that the user stopped. by: 'Ctrl-C' or 'SIGTERM'."""
        self.stop()
        finished = sum(self._count.values()) - self._count["failed"]
        click.echo(f"gstex: error: stopped by {by} after {finished} of {count(len(self._plan.items), 'material')}; "
                   "the same command goes on from there", err=True)  # fmt: skip

    def _settle(self, event: "Event") -> None:
        self._count[event.event] += 1
        self._at_work.discard(event.output)
        if event.record is not None:
            self._bytes += event.record.file_bytes
            self._bc7 += event.record.blocks.get("bc7", 0)

    def _print(self, event: "Event") -> None:
        record = event.record
        if event.event == "failed":
            self._line(f"failed {event.output}: {event.message}", always=True)
        elif event.event == "done" and record is not None and (self._bar is None or self._verbose):
            quality = f"{_size(record.file_bytes)}, {decibels(record.psnr)}"
            self._line(f"done {event.output}: {quality}, {event.seconds:.1f} s ({self._figures()})")
        elif event.event == "moved":
            self._line(f"copied {event.output}: {event.message}")
        elif event.event == "current" and self._verbose:
            self._line(f"up to date {event.output}")
        elif event.event == "begin" and self._verbose:
            self._line(f"begins {event.output}, {count(event.threads or 1, 'thread')}")
        elif event.event == "start" and self._bar is None:
            where = "on a cluster"
            if event.jobs is not None:
                where = f"{count(event.jobs, 'job')}, {count(event.threads or 1, 'thread')}"
            self._line(f"{count(event.total or 0, 'material')}, {where}")
        elif event.event == "end" and not self._quiet:
            self.stop()
            click.echo(self._summary(event), err=not self._stdout)
        if event.event == "done" and record is not None and record.warnings:
            self._line(f"warning {event.output}: {'; '.join(record.warnings)}")

    def _summary(self, event: "Event") -> str:
        parts = [f"{event.done} done", f"{event.current} up to date", f"{event.failed} failed"]
        saved = f"{_size(self._bytes)}, {self._saved()}"
        seconds = event.seconds or 0.0
        page = self._plan.out / "index.html"
        return (f"{count(event.total or 0, 'material')}: {', '.join(parts)}; {saved}; {_clock(seconds)}; "
                f"{printable(page)}")  # fmt: skip

    def _saved(self) -> str:
        less = self._bc7 - self._bytes
        return f"{_size(abs(less))} {'less' if less >= 0 else 'more'} than BC7"

    def _figures(self) -> str:
        """'3 of 40, 12.1 MiB less than BC7, 0:42 left'."""
        over = sum(self._count.values())
        parts = [f"{over} of {len(self._plan.items)}", self._saved()]
        left = self._forecast.left()
        if left is not None:
            parts.append(f"{_clock(left)} left")
        return ", ".join(parts)

    def _draw(self) -> None:
        moment = time.monotonic()
        if self._bar is None or moment - self._shown < _REDRAW_SECONDS:
            return
        self._shown = moment
        what = f"{len(self._at_work)} at work" if self._at_work else "reading"
        if self._count["failed"]:
            what += f", {self._count['failed']} failed"
        self._bar.update(self._task, description=what, total=1.0, completed=self._forecast.share(),
                         figures=self._figures(), refresh=True)  # fmt: skip

    def _line(self, text: str, *, always: bool = False) -> None:
        """Print a permanent line on stderr, with the time since the start."""
        if self._quiet and not always:
            return
        line = f"gstex: {_clock(time.monotonic() - self._started)} {printable(text)}"
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _size(count: int) -> str:
    return f"{count / _MIB:.1f} MiB" if count >= _MIB else f"{count / 1024:.1f} KiB"


def _clock(seconds: float) -> str:
    """Seconds as '0:07' or '1:02:03'; hours only if there are any."""
    whole = round(seconds)
    minutes = f"{whole // 60 % 60:02}" if whole >= 3600 else f"{whole // 60}"
    return (f"{whole // 3600}:" if whole >= 3600 else "") + f"{minutes}:{whole % 60:02}"
