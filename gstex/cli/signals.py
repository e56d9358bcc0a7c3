"""The signals that end a command with processes of its own."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["Terminated", "terminations_as_interrupts"]


class Terminated(KeyboardInterrupt):
    """SIGTERM was received. It ends a command in the same way as Ctrl-C."""


@contextlib.contextmanager
def terminations_as_interrupts() -> Iterator[None]:
    """SIGTERM raises `Terminated` inside the `with`."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread can handle signals
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
