"""Many images through the block codecs: in processes, with results kept from run to run."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gstex.compare.cache import Cache
from gstex.compare.codecs import CODECS, encode, versions
from gstex.compare.pool import run_all
from gstex.errors import ExtraError, GstexError

__all__ = ["Job", "encode_all", "encode_processes", "find_waiting", "unzip", "zip_bytes"]

_ZSTD_LEVEL = 19
# Below this many values of 8 bits the encoders are done before processes have started.
SMALL_WORK = 1 << 19
# Microseconds of a texel, of ASTC with one channel and with more, and of an image beside its texels, on one core.
# They differ by the picture, by a factor of 2 each way. And what an exhaustive search takes.
_TEXEL = {"bc1": 6.0, "bc3": 9.0, "bc4": 2.5, "bc5": 2.2, "bc7": 14.0}
_TEXEL_ASTC, _IMAGE = (4.0, 7.0), 15_000
_EXHAUSTIVE = 2.5


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

    @property
    def work(self) -> int:
        """What the job takes, beside others: microseconds on some machine."""
        height, width, channels = self.image.shape
        texel = _TEXEL.get(self.codec, _TEXEL_ASTC[channels > 1])
        return _IMAGE + round(height * width * texel * (_EXHAUSTIVE if self.settings["exhaustive"] else 1.0))

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
    known: Mapping[str, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[bytes]:
    """Encode every job, each distinct one once.

    Args:
        processes: see `pool.run_all`; small work stays in this process anyway.
        cache: where results are kept.
        known: results by their keys, which count as kept.
        progress: called with (done, all), in the work of jobs; what was kept is none.

    Returns:
        For each job the codec's data compressed by zstd; see `unzip`.
    """
    results: dict[str, bytes] = dict(known or {})
    waiting: dict[str, Job] = {}
    for job in jobs:
        kept = cache.get(job.key) if cache and job.key not in results and job.key not in waiting else None
        if kept is not None and job.check(kept):
            results[job.key] = kept
        elif job.key not in results:
            waiting[job.key] = job
    done, total = 0, sum(job.work for job in waiting.values())

    if progress:
        progress(done, total)
    # Large images first, so that no process ends long after the others; those of a size in the order of hashes, so that
    # the first ones tell how long the others take.
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
    """The distinct jobs that have no result yet, as far as a look tells."""
    distinct = {job.key: job for job in jobs}
    return [job for key, job in distinct.items() if cache is None or not cache.has(key)]


def encode_processes(jobs: Sequence[Job], processes: int | None) -> int | None:
    """As many as are worth it, as `pool.run_all` takes them."""
    return 1 if sum(job.image.size for job in jobs) < SMALL_WORK else processes


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
        raise GstexError(f"an encoded image cannot be unpacked ({error}); compress the material again") from None
