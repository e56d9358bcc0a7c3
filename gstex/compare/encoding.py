"""Encode many images with the block codecs, in processes, and keep the results between runs."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import numpy as np

from gstex.arrays import U8Array
from gstex.compare.cache import Cache
from gstex.compare.codecs import CODECS, encode, versions
from gstex.compare.pool import run_all
from gstex.errors import ExtraError, GstexError
from gstex.json_types import JsonObject

__all__ = ["Job", "encode_all", "encode_processes", "find_waiting", "unzip", "zip_bytes"]

_ZSTD_LEVEL = 19
# With fewer 8-bit values than this, the encoders finish before processes would have started.
SMALL_WORK = 1 << 19
# Microseconds on one core: per texel, per texel of ASTC with one channel and with more, and per image besides. They
# vary between pictures by a factor of 2 each way. _EXHAUSTIVE: how many times longer an exhaustive search takes.
_TEXEL = {"bc1": 6.0, "bc3": 9.0, "bc4": 2.5, "bc5": 2.2, "bc7": 14.0}
_TEXEL_ASTC, _IMAGE = (4.0, 7.0), 15_000
_EXHAUSTIVE = 2.5


@dataclass(frozen=True, eq=False)
class Job:
    """One image for one codec. image: uint8 [h, w, C]."""

    codec: str
    image: U8Array
    alpha_weighted: bool = False
    exhaustive: bool = False

    @property
    def settings(self) -> dict[str, bool]:
        """Keyword arguments of `codecs.encode`. Those that the codec ignores are False, so that equal jobs share a
        key."""
        astc = CODECS[self.codec].family == "astc"
        return {"alpha_weighted": self.alpha_weighted and astc, "exhaustive": self.exhaustive and astc}

    @property
    def work(self) -> int:
        """The work of the job, to compare jobs: microseconds on a reference machine."""
        height, width, channels = self.image.shape
        texel = _TEXEL.get(self.codec, _TEXEL_ASTC[channels > 1])
        return _IMAGE + round(height * width * texel * (_EXHAUSTIVE if self.settings["exhaustive"] else 1.0))

    @cached_property
    def key(self) -> str:
        """Hash of all that the result depends on."""
        about: JsonObject = {"codec": self.codec, "shape": self.image.shape, "zstd": _ZSTD_LEVEL}
        about |= self.settings | {"versions": versions(CODECS[self.codec])}
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.image).data)
        return digest.hexdigest()

    def run(self) -> bytes:
        """Encode. Returns the codec's data compressed by zstd, whose size is also a result."""
        return zip_bytes(encode(CODECS[self.codec], self.image, **self.settings))

    def check(self, zipped: bytes) -> bool:
        """Whether bytes from a cache can be this job's result. zstd's checksum shows whether they are intact."""
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
    known: Mapping[str, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[bytes]:
    """Encode all jobs. Jobs with the same key are encoded once.

    Args:
        processes: see `pool.run_all`; small work stays in this process anyway.
        cache: where results are kept.
        known: results by job key, which are not encoded again.
        progress: called with (done, all) in units of `Job.work`, without the jobs whose results were known or cached.

    Returns:
        For each job the codec's data compressed by zstd; see `unzip`.
    """
    results: dict[str, bytes] = dict(known or {})
    waiting: dict[str, Job] = {}
    for job in jobs:
        cached = cache.get(job.key) if cache and job.key not in results and job.key not in waiting else None
        if cached is not None and job.check(cached):
            results[job.key] = cached
        elif job.key not in results:
            waiting[job.key] = job
    done, total = 0, sum(job.work for job in waiting.values())

    if progress:
        progress(done, total)
    # Large images come first, so that no process ends long after the others. Images of equal size come in the order of
    # their hashes, so that the first ones are typical and their times predict the rest.
    order = sorted(waiting.values(), key=lambda job: (-job.image.shape[0] * job.image.shape[1], job.key))
    for number, data in run_all(Job.run, order, processes=encode_processes(order, processes)):
        results[order[number].key] = data
        if cache:
            cache.put(order[number].key, data)
        done += order[number].work
        if progress:
            progress(done, total)
    if cache and order:
        cache.trim()
    return [results[job.key] for job in jobs]


def find_waiting(jobs: Sequence[Job], cache: Cache | None) -> list[Job]:
    """The distinct jobs without a cache entry. An entry that exists is not checked."""
    distinct = {job.key: job for job in jobs}
    return [job for key, job in distinct.items() if cache is None or not cache.has(key)]


def encode_processes(jobs: Sequence[Job], processes: int | None) -> int | None:
    """The number of processes that is worthwhile, as `pool.run_all` takes it."""
    return 1 if sum(job.image.size for job in jobs) < SMALL_WORK else processes


def _zstandard() -> ModuleType:
    try:
        import zstandard
    except ImportError:
        raise ExtraError("comparing sizes on disk needs zstandard: pip install gstex[compare]") from None
    return zstandard


def zip_bytes(data: bytes) -> bytes:
    """`data` compressed by zstd -19."""
    return _zstandard().ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(data)


def unzip(data: bytes) -> bytes:
    """The inverse of `zip_bytes`. Raises GstexError for anything else."""
    zstandard = _zstandard()
    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise GstexError(f"an encoded image cannot be unpacked ({error}); compress the material again") from None
