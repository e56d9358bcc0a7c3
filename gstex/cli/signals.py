"""What ends a command that has processes of its own."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["Terminated", "terminations_as_interrupts"]


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends what Ctrl-C ends, in the same way."""


@contextlib.contextmanager
def terminations_as_interrupts() -> Iterator[None]:
    """Within it SIGTERM raises `Terminated`."""
    if threading.current_thread() is not threading.main_thread():  # signals are for that one alone
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
