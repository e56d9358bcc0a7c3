"""Run the work of a comparison in processes, because encoders and metrics gain nothing from threads."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, TypeVar

from gstex.errors import GstexError

if TYPE_CHECKING:
    Item = TypeVar("Item")
    Result = TypeVar("Result")

__all__ = ["count_processes", "run_all"]


def run_all(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    processes: int | None = None,
    setup: Callable[..., None] | None = None,
    given: tuple[object, ...] = (),
) -> Iterator[tuple[int, Result]]:
    """Call function(item) for every item in processes. Yield (number of the item, result) in the order of completion.

    Args:
        function: a function at the top level of a module, so that a process can import it.
        processes: None for one per core; 1 stays in this process. Processes are spawned, so a script that calls this
            needs its `if __name__ == "__main__":`.
        setup: called once in every process, with `given`.

    Raises:
        What `function` raises; GstexError if a process dies. All processes have ended when this ends, also by Ctrl-C.
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
        with _interrupts_held():  # processes start here and inherit the block
            futures: dict[Future[Result], int] = {pool.submit(function, item): n for n, item in enumerate(items)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise GstexError("a process of the comparison ended without a result, perhaps for want of memory; try again, "
                         "with fewer codecs") from None  # fmt: skip
    except BaseException:
        # An encoder cannot be interrupted and may run for half a minute.
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
            process.join()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def count_processes(items: int, processes: int | None) -> int:
    """The number of processes for this many items, at most one per item."""
    return min(processes or os.cpu_count() or 1, items)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Block Ctrl-C. A process that starts in here inherits the block, so Ctrl-C cannot interrupt its imports."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(setup: Callable[..., None] | None, given: tuple[object, ...]) -> None:
    """Prepare a process. It ignores Ctrl-C, because its parent ends it, and it uses one thread."""
    from gstex import native

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    atexit.register(os._exit, 0)  # at once: the clean-up of some libraries complains on stderr while a thread waits
    native.set_thread_count(1)
    if setup:
        setup(*given)


def _end_with_parent() -> None:
    """End this process when its parent has ended, for example killed. The pool itself would wait forever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
