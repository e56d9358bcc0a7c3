"""A worker process of a batch: it takes materials from a pipe, one by one, and sends back the result of each.

It imports nothing large before it has set how many threads the libraries may use.
"""

import atexit
import contextlib
import os
import queue
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gstex.batch.plans import Item
    from gstex.batch.state import Record
    from gstex.encode.compress import Progress

__all__ = ["serve"]

_PAUSE = 0.25  # seconds between two reports of progress
_PATIENCE = 1.5  # seconds in which a fit has to end after the batch has ended


def serve(connection: Connection, out: Path, force: bool, threads: int, gpu: str | None = None) -> None:
    """Work until the batch sends None or ends. gpu: the only GPU to see, as CUDA_VISIBLE_DEVICES names it.

    Messages received: ('item', Item), ('threads', count), None. Messages sent: ('progress', share, psnr), ('done',
    Record), ('failed', message).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches this process too, but the batch ends it
    signal.signal(signal.SIGTERM, _leave)
    if hasattr(signal, "pthread_sigmask"):  # the batch has started this process with both blocked
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    atexit.register(os._exit, 0)  # at once: the clean-up of some libraries complains while a thread waits
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENIMAGEIO_THREADS"):
        os.environ[name] = "1"  # the cores are shared out to the threads of gstex's native core instead
    os.environ["GSTEX_THREADS"] = str(threads)
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    from gstex import native

    native.set_thread_count(threads)
    inbox: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    while (item := inbox.get()) is not None:
        answer = _answer(connection, item, out, force)
        _free_gpu()
        connection.send(answer)


def _answer(connection: Connection, item: "Item", out: Path, force: bool) -> "tuple[str, Record | str]":
    from gstex.batch.work import make_output
    from gstex.errors import GstexError

    last = 0.0

    def tell(now: "Progress") -> None:
        nonlocal last
        moment = time.monotonic()
        if moment - last >= _PAUSE:
            last = moment
            connection.send(("progress", now.step / max(now.steps, 1), now.psnr))

    try:
        return ("done", make_output(item, out, force=force, progress=tell))
    except GstexError as error:
        return ("failed", str(error))
    except MemoryError:
        return ("failed", "there is not enough memory; run fewer --jobs at once")
    except Exception as error:
        return ("failed", f"unexpected {type(error).__name__}: {error}; this is a bug, report it")


def _free_gpu() -> None:
    """Free the GPU memory of the fit, which CuPy would keep and other processes may need."""
    if (cupy := sys.modules.get("cupy")) is not None:
        with contextlib.suppress(Exception):
            cupy.get_default_memory_pool().free_all_blocks()


def _listen(connection: Connection, inbox: "queue.SimpleQueue[Item | None]") -> None:
    """Receive messages while the main thread works, so that a running fit can get more threads."""
    from gstex import native

    try:
        while (message := connection.recv()) is not None:
            kind, value = message
            if kind == "threads":
                native.set_thread_count(value)
            else:
                inbox.put(value)
        inbox.put(None)
    except (EOFError, OSError):
        # The batch has ended, perhaps killed. End the fit, so that it removes its temporary files.
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_PATIENCE)
        os._exit(1)


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    sys.exit(1)
