"""How long kernels take, and lower bounds from the GPU's largest rates of copying and computing.

Times are wall-clock times of many launches without waits in between, the median of three.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from gstex.arrays import GpuArray
from gstex.cuda import Device, GpuTexture
from gstex.json_types import JsonObject

__all__ = ["decode_times", "roofs", "sample_times", "seconds_of"]

_REPEATS = 3
CHAINS = 8  # measure.cu
# A Gaussian at a texel takes this many operations of the FMA pipe, and one more for every channel that varies:
# docs/design-notes/0005-gpu.md.
_FMAS_A_GAUSSIAN = 6.5


def seconds_of(device: Device, call: Callable[[], object], *, least: float) -> float:
    """Seconds per call, measured over at least about `least` seconds of calls (at most 1000 calls)."""

    def run(count: int) -> float:
        device.synchronize()
        started = time.perf_counter()
        for _ in range(count):
            call()
        device.synchronize()
        return time.perf_counter() - started

    run(1)  # compiles
    once = max(run(2) / 2, 1e-7)
    count = max(1, min(1000, round(least / once)))
    return float(np.median([run(count) / count for _ in range(_REPEATS)]))


def roofs(device: Device, *, copied: int, turns: int, threads: int, least: float) -> dict[str, float]:
    """The largest measured rates of the GPU.

    Args:
        copied: bytes of the copy, which should exceed the caches. turns, threads: loop turns and threads of the
            computation.

    Returns:
        copy_gb_s: 1e9 bytes read and written per second. fma_tflops: 1e12 operations per second, two for each fused
        one.
    """
    xp, count = device.xp, copied // 16
    source, target = xp.ones(4 * count, np.float32), xp.empty(4 * count, np.float32)
    sums = xp.empty(threads, np.float32)
    copy, compute = (device.kernel("measure.cu", name) for name in ("copy", "multiply_add"))
    blocks = min(-(-count // 256), 1 << 16)

    def copy_all() -> None:
        copy((blocks,), (256,), source, target, np.int64(count))

    def compute_all() -> None:
        compute((threads // 256,), (256,), np.float32(0.5), np.float32(1.0), np.int32(turns), sums)

    return {
        "copy_gb_s": 2 * 16 * count / seconds_of(device, copy_all, least=least) / 1e9,
        "fma_tflops": 2 * CHAINS * turns * threads / seconds_of(device, compute_all, least=least) / 1e12,
    }


def decode_times(texture: GpuTexture, limits: dict[str, float], *, mips: int, least: float) -> Iterator[JsonObject]:
    """A row for each of the first mips, decoded whole.

    limits: the result of `roofs`. copy_floor_ns and fma_floor_ns are the lower bounds that they give for the bytes that
    a texel reads and writes, and for the operations of its candidates.
    """
    device = texture.device
    for mip in range(min(mips, texture.mip_count)):
        out = texture.decode(mip)
        candidates = float(device.to_host(texture.candidates(mip)).mean())
        texels = out.shape[0] * out.shape[1]
        seconds = seconds_of(device, partial(texture.decode, mip, out=out), least=least)
        read = 4 * texture.channels + (texture.gpu_bytes / texels if mip == 0 else 0)
        groups = enumerate(texture.table.groups)
        fmas = sum(
            texture.table.section.candidate_stats(number, mip)[0] * (_FMAS_A_GAUSSIAN + len(group.header.members))
            for number, group in groups
        )
        yield {
            "what": f"mip {mip}, all texels",
            "count": texels,
            "candidates_mean": candidates,
            "ns": 1e9 * seconds / texels,
            "copy_floor_ns": read / limits["copy_gb_s"],
            "fma_floor_ns": 2 * fmas / limits["fma_tflops"] / 1000,
        }


def sample_times(texture: GpuTexture, *, points: int, least: float) -> Iterator[JsonObject]:
    """A row for each way of sampling: neighbouring points in order, or shuffled over the texture.

    points: their number; they form a square grid over the texture.
    """
    device, side = texture.device, int(points**0.5)
    at = (np.arange(side, dtype=np.float32) + np.float32(0.3)) / np.float32(side)
    uv = np.stack(np.broadcast_arrays(at[None, :], at[:, None]), axis=2).reshape(-1, 2)
    coherent = device.xp.asarray(np.ascontiguousarray(uv))
    shuffled = device.xp.asarray(np.random.default_rng(1).permutation(uv))
    lod = device.xp.full(side * side, np.float32(0.5))
    long_steps = np.array([[4 / side, 0], [0, 1 / side]], np.float32)
    duv = device.xp.asarray(np.ascontiguousarray(np.broadcast_to(long_steps, (side * side, 2, 2))))
    cases: list[tuple[str, GpuArray, dict[str, GpuArray]]] = [
        ("mip 0, in order", coherent, {}),
        ("mip 0, shuffled", shuffled, {}),
        ("trilinear, in order", coherent, {"lod": lod}),
        ("trilinear, shuffled", shuffled, {"lod": lod}),
        ("footprints of 4 taps, in order", coherent, {"duv": duv}),
    ]
    for name, where, detail in cases:
        call = partial(texture.sample, where, **detail, filter="direct")
        seconds = seconds_of(device, call, least=least)
        yield {"what": name, "count": side * side, "ns": 1e9 * seconds / (side * side)}
