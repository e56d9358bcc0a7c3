"""Many images through the block codecs: in processes, with results kept from run to run."""

import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gstex.compare.cache import Cache
from gstex.compare.codecs import CODECS, encode, versions
from gstex.errors import ExtraError, GstexError

__all__ = ["Job", "encode_all", "unzip", "zip_bytes"]

_ZSTD_LEVEL = 19
# Below this many values of 8 bits the encoders are done before processes have started.
_SMALL_WORK = 1 << 19


@dataclass(frozen=True, eq=False)
class Job:
    """One image for one codec. image: uint8 [h, w, C]."""

    codec: str
    image: np.ndarray
    alpha_weighted: bool = False
    exhaustive: bool = False

    @property
    def settings(self) -> dict[str, bool]:
        """Keyword arguments of `codecs.encode`; one that the codec does not know would split the cache in vain."""
        astc = CODECS[self.codec].family == "astc"
        return {"alpha_weighted": self.alpha_weighted and astc, "exhaustive": self.exhaustive and astc}

    @cached_property
    def key(self) -> str:
        """Hash of all that the result depends on."""
        about: dict[str, Any] = {"codec": self.codec, "shape": self.image.shape, "zstd": _ZSTD_LEVEL}
        about |= self.settings | {"versions": versions(CODECS[self.codec])}
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.image).data)
        return digest.hexdigest()

    def run(self) -> bytes:
        """Encode; what is returned is compressed by zstd, whose size is a result of its own."""
        return zip_bytes(encode(CODECS[self.codec], self.image, **self.settings))

    def check(self, zipped: bytes) -> bool:
        """Whether bytes from a cache can be this job's result; zstd's checksum tells whether they are intact."""
        height, width, _ = self.image.shape
        try:
            return len(unzip(zipped)) == CODECS[self.codec].size(height, width)
        except GstexError:
            return False


def encode_all(
    jobs: Sequence[Job],
    *,
    processes: int | None = None,
    cache: Cache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[bytes]:
    """Encode every job, each distinct one once.

    Args:
        processes: None for one a core. Small work, or 1, stays in this process. Processes are spawned: as always
            with those, a script that comes here needs its `if __name__ == "__main__":`.
        cache: where results are kept.
        progress: called with (done, all).

    Returns:
        For each job the codec's data compressed by zstd; see `unzip`.
    """
    results: dict[str, bytes] = {}
    waiting: dict[str, Job] = {}
    for job in jobs:
        kept = cache.get(job.key) if cache and job.key not in results and job.key not in waiting else None
        if kept is not None and job.check(kept):
            results[job.key] = kept
        elif job.key not in results:
            waiting[job.key] = job
    total = len(results) + len(waiting)

    def keep(job: Job, data: bytes) -> None:
        results[job.key] = data
        if cache:
            cache.put(job.key, data)
        if progress:
            progress(len(results), total)

    if progress:
        progress(len(results), total)
    # Large images first, so that no process ends long after the others.
    order = sorted(waiting.values(), key=lambda job: -job.image.size)
    processes = min(processes or os.cpu_count() or 1, len(order))
    if processes <= 1 or sum(job.image.size for job in order) < _SMALL_WORK:
        for job in order:
            keep(job, job.run())
    else:
        _run_in_processes(order, processes, keep)
    if cache and waiting:
        cache.trim()
    return [results[job.key] for job in jobs]


def _run_in_processes(jobs: Sequence[Job], processes: int, keep: Callable[[Job, bytes], None]) -> None:
    context = multiprocessing.get_context("spawn")  # fork would copy the threads of numba and of the terminal
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_leave_interrupts)
    try:
        futures = {pool.submit(job.run): job for job in jobs}
        for future in as_completed(futures):
            keep(futures[future], future.result())
    except BrokenProcessPool:
        raise GstexError("an encoder's process ended without a result, perhaps for want of memory; try again, or "
                         "leave codecs out") from None  # fmt: skip
    except BaseException:
        # An encoder cannot be asked to stop, and may be at work for half a minute.
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
            process.join()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C reaches the processes too; who started them ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError:
        raise ExtraError("comparing sizes on disk needs zstandard: pip install gstex[compare]") from None
    return zstandard


def zip_bytes(data: bytes) -> bytes:
    """`data` as zstd -19 packs it."""
    return _zstandard().ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(data)


def unzip(data: bytes) -> bytes:
    """The inverse of `zip_bytes`. Raises GstexError for anything else."""
    zstandard = _zstandard()
    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise GstexError(f"an encoded image cannot be unpacked: {error}") from None
