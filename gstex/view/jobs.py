"""Background work in a process: the window never waits for it, and it can be stopped at any moment.

It is not a thread, because fits and encoders use all cores through libraries that allow one caller at a time.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from gstex.errors import GstexError

__all__ = ["Job", "Report"]


@dataclass(frozen=True)
class Report:
    """How far a job is. step of steps of a stage are done; psnr: of a fit, in dB; left: seconds that remain."""

    stage: str
    step: int
    steps: int
    psnr: float | None = None
    left: float | None = None


class Job:
    """Runs function(*arguments, report) in a process of its own.

    title: for people. report: the last report. After `poll` has returned True, either `result` or `error` is set.
    """

    def __init__(self, title: str, function: Callable[..., object], *arguments: object):
        self.title = title
        self.report = Report("starting", 0, 1)
        self.result: Any = None
        self.error: str | None = None
        context = multiprocessing.get_context("spawn")  # a fork would copy the window
        self._connection, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(theirs, function, arguments), name=title)
        self._process.start()
        theirs.close()
        self._done = False

    def poll(self) -> bool:
        """Take what the process has sent. Returns whether the job is over."""
        while not self._done and self._connection.poll():
            try:
                kind, value = self._connection.recv()
            except (EOFError, OSError):
                kind, value = "error", f"{self.title}: its process ended without a result, perhaps for want of memory"
            if kind == "report":
                self.report = value
                continue
            self._done = True
            self.result, self.error = (value, None) if kind == "result" else (None, value)
            self._end()
        return self._done

    def stop(self) -> None:
        """End the job now."""
        if not self._done:
            self._done = True
            self._process.terminate()
            self._end()

    def _end(self) -> None:
        self._connection.close()
        self._process.join()


def _run(connection: Connection, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    """The main function of the process: send reports, then the result or an error message of one line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the window ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        result = function(*arguments, lambda now: connection.send(("report", now)))
        connection.send(("result", result))
    except GstexError as error:
        connection.send(("error", str(error)))
    except MemoryError:
        connection.send(("error", "not enough memory"))
    except Exception as error:
        connection.send(("error", f"unexpected {type(error).__name__}: {error}; this is a bug"))
    connection.close()
    os._exit(0)  # at once: the clean-up of some libraries complains on stderr


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
