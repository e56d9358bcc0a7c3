"""The worker processes of a batch: how they start and end, and how they share materials, cores and GPUs."""

import contextlib
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from gstex.batch.events import Event
from gstex.batch.gpus import Gpu, has_room, wants_gpu
from gstex.batch.plans import Item
from gstex.batch.worker import serve
from gstex.encode.settings import EFFORTS

__all__ = [
    "Worker", "cost", "end_workers", "give", "hear", "share_threads", "signals_held", "start_worker", "work_through",
]  # fmt: skip

_AHEAD = 32  # how many waiting materials are searched for one that fits on a GPU
_PATIENCE = 1.0  # seconds after which a process that does not end is killed


@dataclass(eq=False)
class Worker:
    """A process, the pipe to it, its threads and its GPU. item: what it works on since `started`; None while it
    waits."""

    process: BaseProcess
    connection: Connection
    threads: int
    item: Item | None = None
    started: float = 0.0
    gpu: Gpu | None = None


def cost(item: Item) -> float:
    """The work of a material, in a unit that compares materials with each other."""
    return float(max(item.texels, 1) * max(item.channels, 1) * EFFORTS[item.options.effort][0])


def share_threads(cores: int, workers: int) -> list[int]:
    """Divide the cores among processes: the threads of each, at least one.

    If the cores do not divide evenly, the first processes get one more.
    """
    each, more = divmod(cores, workers)
    return [max(1, each + (number < more)) for number in range(workers)]


def work_through(
    items: Sequence[Item], out: Path, *, jobs: int, cores: int, force: bool, gpus: Sequence[Gpu] = ()
) -> Iterator[Event]:
    """Compress materials in up to `jobs` processes, the largest first. The processes are divided among the GPUs.

    However this ends, also by Ctrl-C, the processes have ended about a second later.
    """
    waiting = deque(sorted(items, key=cost, reverse=True))
    workers: list[Worker] = []
    try:
        while waiting or any(worker.item for worker in workers):
            yield from _fill(workers, waiting, out, jobs, cores, force, gpus)
            _balance(workers, cores)
            ready = wait([worker.connection for worker in workers])
            for worker in [worker for worker in workers if worker.connection in ready]:
                yield from hear(worker, workers)
        for worker in workers:
            with contextlib.suppress(OSError):
                worker.connection.send(None)
    finally:
        end_workers(workers)


def _fill(
    workers: list[Worker], waiting: deque[Item], out: Path, jobs: int, cores: int, force: bool,
    gpus: Sequence[Gpu] = (),
) -> Iterator[Event]:  # fmt: skip
    """Give every process something to do, and start those that are missing."""
    count = min(jobs, len(waiting) + sum(worker.item is not None for worker in workers))
    threads = share_threads(cores, max(count, 1))
    while waiting:
        pair = _match(workers, waiting)
        if pair is None:
            if len(workers) >= count:
                return
            with signals_held():  # an interrupt here could leave a half-started process that nothing ends
                gpu = gpus[len(workers) % len(gpus)] if gpus else None
                workers.append(start_worker(out, force, threads[len(workers)], gpu))
            continue
        worker, number = pair
        item = waiting[number]
        if give(worker, item):
            del waiting[number]
            yield Event("begin", item.output, str(item.source), threads=worker.threads)
        else:  # the process has ended while it was idle
            _remove(worker, workers)


def _match(workers: Sequence[Worker], waiting: deque[Item]) -> tuple[Worker, int] | None:
    """An idle process and the index of the first waiting material that fits on its GPU; None if there is none."""
    for worker in workers:
        if worker.item is not None:
            continue
        if worker.gpu is None:
            return worker, 0
        others = [other for other in workers if other.gpu == worker.gpu]
        running = [other.item for other in others if other.item is not None]
        for number, item in enumerate(islice(waiting, _AHEAD)):
            if not wants_gpu(item) or has_room(worker.gpu, len(others), running, item):
                return worker, number
    return None


def give(worker: Worker, item: Item) -> bool:
    """Give a material to an idle process. Returns False if the process has ended."""
    try:
        worker.connection.send(("item", item))
    except OSError:
        return False
    worker.item, worker.started = item, time.monotonic()
    return True


def start_worker(out: Path, force: bool, threads: int, gpu: Gpu | None = None) -> Worker:
    """Start a process; call this inside `signals_held`. gpu: the only GPU that it sees; None: the same as this
    process."""
    context = multiprocessing.get_context("spawn")  # fork would copy the threads of the core and of the terminal
    connection, there = context.Pipe()
    more = () if gpu is None else (gpu.name,)
    process = context.Process(target=serve, args=(there, out, force, threads, *more), daemon=True)
    process.start()
    there.close()  # so that the pipe closes when the process ends
    return Worker(process, connection, threads, gpu=gpu)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Block Ctrl-C and SIGTERM. A process that starts in here inherits the block until it unblocks them itself."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _balance(workers: Sequence[Worker], cores: int) -> None:
    """Divide the cores among the busy processes, the largest material first. So the last materials get more threads."""
    busy = sorted((worker for worker in workers if worker.item), key=lambda worker: -cost(worker.item or _NOTHING))
    for worker, threads in zip(busy, share_threads(cores, len(busy)) if busy else [], strict=True):
        if worker.threads != threads:
            with contextlib.suppress(OSError):
                worker.connection.send(("threads", threads))
            worker.threads = threads


_NOTHING = Item("", Path(), (), "")


def hear(worker: Worker, workers: list[Worker]) -> Iterator[Event]:
    """The events that follow from one message of a process, or from its end."""
    try:
        message: tuple[Any, ...] = worker.connection.recv()
    except (EOFError, OSError):
        item = worker.item
        code = _remove(worker, workers)
        if item is not None:
            how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            yield Event("failed", item.output, str(item.source), seconds=time.monotonic() - worker.started, message=(
                f"its process ended by {how}, perhaps for want of memory; run it again, with fewer --jobs"
            ))  # fmt: skip
        return
    item = worker.item or _NOTHING
    if message[0] == "progress":
        yield Event("progress", item.output, str(item.source), share=message[1], psnr=message[2],
                    threads=worker.threads)  # fmt: skip
        return
    worker.item = None
    seconds = round(time.monotonic() - worker.started, 3)
    if message[0] == "done":
        yield Event("done", item.output, str(item.source), seconds=seconds, record=message[1])
    else:
        yield Event("failed", item.output, str(item.source), seconds=seconds, message=message[1])


def _remove(worker: Worker, workers: list[Worker]) -> int | None:
    """Forget a process that has ended. Returns its exit code."""
    worker.connection.close()
    worker.process.join(_PATIENCE)
    workers.remove(worker)
    return worker.process.exitcode


def end_workers(workers: Sequence[Worker]) -> None:
    """End all processes. Those in the middle of a fit get time to remove their temporary files."""
    for worker in workers:
        if worker.item is not None:
            worker.process.terminate()
    deadline = time.monotonic() + _PATIENCE
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.connection.close()
