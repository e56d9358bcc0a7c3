"""Processes that do the work of a comparison: encoders and metrics gain nothing from threads."""

import atexit
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from gstex.errors import GstexError

__all__ = ["count_processes", "run_all"]


def run_all(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    processes: int | None = None,
    setup: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
) -> Iterator[tuple[int, Any]]:
    """Call function(item) for every item, in processes, and give (number of the item, result) as they are done.

    Args:
        function: of a module, so that a process can find it.
        processes: None for one per core; 1 stays in this process. They are spawned: as always with those, a script that
            comes here needs its `if __name__ == "__main__":`.
        setup: called once in every process, with `given`.

    Raises:
        What function raises; GstexError if a process ends by itself. On any way out, Ctrl-C too, all have ended.
    """
    count = count_processes(len(items), processes)
    if count <= 1:
        if setup and items:
            setup(*given)
        for number, item in enumerate(items):
            yield number, function(item)
        return
    context = multiprocessing.get_context("spawn")  # fork would copy the threads of the core and of the terminal
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start, initargs=(setup, given))
    try:
        with _interrupts_held():  # processes start here, and keep what is held
            futures: dict[Future[Any], int] = {pool.submit(function, item): n for n, item in enumerate(items)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise GstexError("a process of the comparison ended without a result, perhaps for want of memory; try again, "
                         "with fewer codecs") from None  # fmt: skip
    except BaseException:
        # An encoder cannot be asked to stop, and may be at work for half a minute.
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
            process.join()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def count_processes(items: int, processes: int | None) -> int:
    """How many work on so many items."""
    return min(processes or os.cpu_count() or 1, items)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep a Ctrl-C waiting. A process that starts in here never sees one, not even while it imports."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(setup: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    """Ready a process. Ctrl-C reaches it too, but who started it ends it; and it has one core to itself."""
    from gstex import native

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    atexit.register(os._exit, 0)  # at once: the clean-up of some libraries complains on stderr while a thread waits
    native.set_thread_count(1)
    if setup:
        setup(*given)


def _end_with_parent() -> None:
    """End this process when the one that started it has ended, killed perhaps: the pool itself would wait forever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
