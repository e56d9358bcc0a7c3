"""The parts of tools/gpu_check.py. Each runs in a process of its own, so that none can spoil another."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

import gstex
from gpu.material import write_material
from gpu.phases import by_phase
from gpu.timing import decode_times, roofs, sample_times
from gstex import Texture
from gstex.arrays import AnyArray, GpuArray
from gstex.cuda import Device, GpuTexture
from gstex.encode.settings import EFFORTS
from gstex.errors import ExtraError, GraphicsError
from gstex.format import VERSION
from gstex.gl import surfaceless
from gstex.json_types import JsonObject
from gstex.material import Material, load_material

__all__ = ["PARTS", "Context", "Part", "Sizes"]

_ROOT = Path(__file__).resolve().parents[2]
_GOLDEN = _ROOT / "tests" / "data"
NVIDIA_EGL = Path("/usr/share/glvnd/egl_vendor.d/10_nvidia.json")
GRACE = 8.0  # seconds for an interrupted command to end
_COMPRESSED = "compressed.gstex"  # in the folder that the parts share


@dataclass(frozen=True)
class Sizes:
    """How much the parts do. material: texels along an edge of the material that is compressed with mips. fits: (texels
    along an edge, effort) of the timed fits. profiled, compared: texels along an edge of the fit that is timed by
    phase, and of the one that is repeated on the CPU. points: number of sampled points. copied (bytes), turns, threads:
    see `roofs`. least: minimum seconds of a measurement.
    """

    material: int = 1024
    fits: tuple[tuple[int, str], ...] = ((1024, "fast"), (2048, "fast"), (1024, "normal"), (2048, "normal"))
    profiled: int = 1024
    compared: int = 256
    points: int = 2048 * 2048
    copied: int = 1 << 29
    turns: int = 4096
    threads: int = 1 << 18
    least: float = 0.2


@dataclass
class Context:
    """What a part gets. device: the GPU. folder: shared by all parts. deadline: in the time of time.monotonic. keep:
    takes the result so far, which is kept if the part fails later. sizes: see Sizes. fit_device: the `device` argument
    of `gstex.compress`."""

    device: Device
    folder: Path
    deadline: float
    keep: Callable[[JsonObject], None]
    sizes: Sizes = field(default_factory=Sizes)
    fit_device: str = "cuda"

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()


# ---- Tests ----------------------------------------------------------------------------------------------------------


def run_tests(context: Context, name: str, *arguments: str) -> JsonObject:
    """Run pytest in tests/; returns counts, and the failing tests with a line each."""
    report = context.folder / f"{name}.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments]
    late: RuntimeError | None = None
    try:
        done = _run(command, context.left)
    except RuntimeError as error:
        late = error
    if not report.exists():
        raise late or RuntimeError(f"pytest ends with {done.returncode}, no report: {_last_line(done.stdout)}")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    failures, reasons = [], set()
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        kind = "passed" if outcome is None else "skipped" if outcome.tag == "skipped" else "failed"
        counts[kind] += 1
        if outcome is not None:
            line = _first_line(outcome.get("message") or "")
            reasons.update([line] if kind == "skipped" else [])
            failures += [f"{case.get('classname')}::{case.get('name')}: {line}"] if kind == "failed" else []
    if late:  # the interrupted test has no outcome either
        counts["passed"] = max(0, counts["passed"] - 1)
    result = {**counts, "failures": failures, "skipped_because": sorted(reasons)}
    context.keep(result)
    if late:
        raise RuntimeError(f"{late}; {counts['passed']} tests passed, {counts['failed']} failed until then")
    if failures or not counts["passed"]:
        raise RuntimeError(f"{counts['failed']} tests fail" if failures else "no test has run")
    return result


# Tests that use only the host are left out.
_ON_GPU = ("-m", "gpu", "-k", "not sanitizers and not outside and not order")


_OF_DECODE = ("test_cuda_decode.py", "test_cuda_expand.py")  # all other tests with kernels belong to the fit


def tests_of_decode(context: Context) -> JsonObject:
    """The decoder's tests, with its kernels on the GPU."""
    names = [f"tests/{name}" for name in (*_OF_DECODE, "test_cuda_gpu.py")]
    return run_tests(context, "decode", *_ON_GPU, *names)


def tests_of_fit(context: Context) -> JsonObject:
    """The fit's tests, with its kernels on the GPU."""
    files = sorted(path for path in (_ROOT / "tests").glob("test_cuda_*.py") if "each_device" in path.read_text())
    names = [str(path.relative_to(_ROOT)) for path in files if path.name not in _OF_DECODE]
    return run_tests(context, "fit", *_ON_GPU, *names)


def tests_of_shaders(context: Context) -> JsonObject:
    """The GLSL decoder's tests on the GPU, if its driver has OpenGL without a window (EGL)."""
    if NVIDIA_EGL.exists():  # otherwise Mesa may be chosen, which draws on the CPU
        os.environ.setdefault("__EGL_VENDOR_LIBRARY_FILENAMES", str(NVIDIA_EGL))
    try:
        with surfaceless() as opened:
            opengl = {"renderer": opened.renderer, "version": "{}.{}".format(*opened.version)}
            is_software = opened.is_software
    except (ExtraError, GraphicsError) as error:
        return {"renderer": None, "not_run": str(error)}
    context.keep(opengl)
    if is_software:
        return {**opengl, "not_run": "this OpenGL draws on the CPU, which other tests do"}
    result = run_tests(context, "shaders", "tests/test_glsl.py", "tests/test_glsl_points.py",
                       "tests/test_expand_glsl.py")  # fmt: skip
    return {**opengl, **result}


# ---- Under the tools of CUDA ----------------------------------------------------------------------------------------


def sanitizers(context: Context) -> JsonObject:
    """Run a small fit and decoding under compute-sanitizer, if it is installed: memcheck and racecheck in parallel."""
    tool = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
    if tool is None:
        return {"not_run": "compute-sanitizer is not on the path; it comes with the CUDA toolkit"}
    checks = ("memcheck", "racecheck")
    with ThreadPoolExecutor(len(checks)) as pool:
        result = dict(zip(checks, pool.map(partial(_sanitize, context, tool), checks), strict=True))
    context.keep(result)
    for check, outcome in result.items():
        if outcome["exit"]:
            raise RuntimeError(f"{check} {outcome['failed']}")
    return result


def _sanitize(context: Context, tool: str, check: str) -> JsonObject:
    """What one of the sanitizers finds. exit: 0 if it ends without error and finds nothing."""
    child = [sys.executable, str(_ROOT / "tools/gpu_check.py"), "--part", "small", "--folder", str(context.folder)]
    command = [tool, "--tool", check, "--error-exitcode", "9", *child, "--seconds", str(int(context.left))]
    started = time.monotonic()
    try:
        done = _run(command, context.left)
    except RuntimeError as error:
        return {"exit": 1, "findings": None, "seconds": time.monotonic() - started, "failed": str(error)}
    summary = re.findall(r"ERROR SUMMARY: (\d+)|RACECHECK SUMMARY: (\d+)", done.stdout)
    first = next((line for line in done.stdout.splitlines() if line.startswith("=========  ")), None)
    return {
        "exit": done.returncode,
        "findings": sum(int(a or b) for a, b in summary) if summary else None,
        "seconds": time.monotonic() - started,
        "failed": f"ends with {done.returncode}: {first or _last_line(done.stdout)}" if done.returncode else None,
    }


def small(context: Context) -> JsonObject:
    """The work that the sanitizers check: decode and sample the golden files of the tests, and fit 64x64 texels."""
    pool = getattr(getattr(context.device.xp, "cuda", None), "set_allocator", None)
    if pool:
        pool(None)  # gives every array its own memory; the tools could not see its bounds otherwise
    result: JsonObject = {"files": 0}
    uv = np.random.default_rng(1).random((500, 2), np.float32)
    for file in sorted(_GOLDEN.glob(f"golden_v{VERSION}_*.gstex")):
        texture = GpuTexture(gstex.load(file), context.device)
        for mip in range(texture.mip_count):
            texture.decode(mip)
        texture.sample(uv, 0.7)
        result["files"] += 1
        context.keep(result)
    fitted = gstex.compress(_material(context, 64), effort="fast", device=context.fit_device)
    return {**result, "psnr": fitted.report["psnr"]}


# ---- Values ---------------------------------------------------------------------------------------------------------


def parity(context: Context) -> JsonObject:
    """The largest difference from the CPU decoder over the golden files of the tests, and the PSNR of a fit on both
    devices."""
    rng, worst = np.random.default_rng(2), {"decode": 0.0, "sample": 0.0}
    files = sorted(_GOLDEN.glob(f"golden_v{VERSION}_*.gstex"))
    for file in files:
        texture = gstex.load(file)
        on_gpu = GpuTexture(texture, context.device)
        for mip in range(texture.mip_count):
            worst["decode"] = max(worst["decode"], _difference(context, on_gpu.decode(mip), texture.decode(mip)))
        uv, lod = rng.random((2000, 2)), rng.uniform(0, texture.mip_count, 2000)
        worst["sample"] = max(worst["sample"], _difference(context, on_gpu.sample(uv, lod), texture.sample(uv, lod)))
    result: JsonObject = {"files": len(files), **{f"worst_{name}": value for name, value in worst.items()}}
    context.keep(result)
    material = _material(context, context.sizes.compared)
    for name, device in (("gpu", context.fit_device), ("cpu", "cpu")):
        result[f"psnr_of_a_fit_{name}"] = gstex.compress(material, effort="fast", device=device).report["psnr"]
        context.keep(result)
    if max(worst.values()) > 1 / 1024:
        raise RuntimeError(f"values differ from those of the CPU by {max(worst.values()):.2g}")
    return result


def compress(context: Context) -> JsonObject:
    """Run `gstex.compress` on a large material with mips. The timings of decoding read its file."""
    size = context.sizes.material
    first = _first_fit(context, context.fit_device)
    material = _material(context, size)
    _free(context.device)
    texture = gstex.compress(material, device=context.fit_device)
    texture.save(context.folder / _COMPRESSED)
    report = texture.report
    names = ("psnr", "psnr_sampled", "bpp", "gaussians", "candidates_mean", "candidates_max", "file_bytes", "seconds")
    result = {"first_seconds": first, "size": size, "channels": texture.channels, "mips": texture.mip_count,
              "backend": report["backend"], **{name: report[name] for name in names},
              **_memory(context.device)}  # fmt: skip
    context.keep(result)
    again = gstex.load(context.folder / _COMPRESSED)
    decoded = GpuTexture(again, context.device).decode()
    return {**result, "worst_decode": _difference(context, decoded, again.decode())}


# ---- Times ----------------------------------------------------------------------------------------------------------


def decoding(context: Context) -> JsonObject:
    """Nanoseconds per decoded texel and per sampled point, and the limits of the GPU."""
    sizes = context.sizes
    limits = roofs(context.device, copied=sizes.copied, turns=sizes.turns, threads=sizes.threads, least=sizes.least)
    result: JsonObject = {**limits, "rows": []}
    context.keep(result)
    texture, of = _texture_to_read(context)
    result["file"] = of
    on_gpu = GpuTexture(texture, context.device)
    for rows in (decode_times(on_gpu, limits, mips=3, least=sizes.least),
                 sample_times(on_gpu, points=sizes.points, least=sizes.least)):  # fmt: skip
        for row in rows:
            result["rows"].append(row)
            context.keep(result)
    return result


def _texture_to_read(context: Context) -> tuple[Texture, str]:
    """The file of `compress`; without it a smaller one that is fitted on the CPU."""
    path, size = context.folder / _COMPRESSED, context.sizes.material
    if path.exists():
        return gstex.load(path), f"{size}x{size}, fitted on {context.fit_device}"
    size //= 2
    return gstex.compress(_material(context, size), effort="fast", device="cpu"), f"{size}x{size}, fitted on the CPU"


def fits(context: Context) -> JsonObject:
    """Seconds and PSNR of the fit of mip 0 by size and effort, each twice in one process.

    The first run includes everything that an installation compiles once; the second one shows what a fit takes. A fit
    that would exceed the time left is not run.
    """
    result: JsonObject = {"rows": []}
    known: float | None = None  # seconds per step and texel
    for size, effort in context.sizes.fits:
        work = EFFORTS[effort][0] * size * size
        for run in (1, 2):
            row: JsonObject = {"size": size, "effort": effort, "run": run}
            if known is not None and known * work > context.left:
                row["not_run"] = f"would take about {known * work:.0f} s, {max(context.left, 0):.0f} s are left"
            else:
                row.update(timed_fit(context, size, effort))
                known = row["seconds"] / work
            result["rows"].append(row)
            context.keep(result)
    return result


def profile(context: Context) -> JsonObject:
    """Seconds of a fast fit by phase. The host waits for the GPU between phases; the total is also given without these
    waits."""
    material, device = _material(context, context.sizes.profiled), context.device

    def compress() -> float:
        started = time.monotonic()
        gstex.compress(material, effort="fast", mips=False, device=context.fit_device)
        return time.monotonic() - started

    def clock() -> dict[str, float]:
        device.synchronize()
        return {"seconds": time.monotonic()}

    compress()  # compiles the kernels
    result: JsonObject = {"size": context.sizes.profiled, "seconds": compress()}
    context.keep(result)
    with by_phase(clock) as phases:
        result["seconds_with_waits"] = compress()
    return {**result, "phases": {name: row["seconds"] for name, row in phases.items()}}


def _first_fit(context: Context, device: str) -> float:
    """Seconds of a small fit that compiles the kernels, so that measurements do not include the compilation."""
    started = time.monotonic()
    gstex.compress(_material(context, 128), effort="fast", device=device)
    return time.monotonic() - started


def timed_fit(context: Context, size: int, effort: str) -> JsonObject:
    """Compress the mosaic at a size; returns seconds, PSNR and other figures."""
    material = _material(context, size)
    begun: dict[str, float] = {}

    def note(progress: gstex.Progress) -> None:
        begun.setdefault(progress.stage, time.monotonic())

    _free(context.device)
    started = time.monotonic()
    texture = gstex.compress(material, effort=effort, mips=False, device=context.fit_device, progress=note)
    ended, report = time.monotonic(), texture.report
    ends = [*list(begun.values())[1:], ended]
    return {
        "channels": texture.channels,
        "steps": EFFORTS[effort][0],
        "seconds": ended - started,
        "fit_seconds": begun["measure"] - started,  # without the measurement of quality, which runs on the CPU
        **{f"{stage}_seconds": end - begin for (stage, begin), end in zip(begun.items(), ends, strict=True)
           if stage not in ("fit", "measure")},
        "psnr": report["psnr"],
        "bpp": report["bpp"],
        "gaussians": report["gaussians"],
        **_memory(context.device),
    }


# ---- Shared ---------------------------------------------------------------------------------------------------------


def _material(context: Context, size: int) -> Material:
    return load_material(write_material(context.folder / f"mosaic-{size}", size))


def _difference(context: Context, actual: GpuArray, expected: AnyArray) -> float:
    on_host = actual if isinstance(actual, np.ndarray) else context.device.to_host(actual)
    return float(np.abs(on_host - expected).max())


def _free(device: Device) -> None:
    """Free unused memory, so that the bytes held later are the peak of what was needed."""
    if hasattr(device.xp, "get_default_memory_pool"):
        device.xp.get_default_memory_pool().free_all_blocks()


def _memory(device: Device) -> dict[str, int]:
    """Bytes held by CuPy, which keeps freed memory: the peak since `_free`."""
    if not hasattr(device.xp, "get_default_memory_pool"):
        return {}
    return {"gpu_bytes_held": int(device.xp.get_default_memory_pool().total_bytes())}


def _run(command: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout; stdout and stderr are joined.

    Raises:
        RuntimeError: the command takes longer. It is interrupted first, so that it can write its results.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as output:  # a pipe would also wait for child processes
        child = subprocess.Popen(command, cwd=_ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            code = child.wait(max(seconds, 1))
        except subprocess.TimeoutExpired as error:
            child.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                child.wait(GRACE)
            child.kill()
            child.wait()
            raise RuntimeError(f"not done after {error.timeout:.0f} s") from error
        output.seek(0)
        return subprocess.CompletedProcess(command, code, output.read(), None)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:300]


def _last_line(text: str) -> str:
    return _first_line("\n".join(reversed(text.splitlines())))


@dataclass(frozen=True)
class Part:
    """run: the function of the part. seconds: its time limit. beside: the part measures no time and runs in parallel
    with neighbours of the same kind, each with a share of the cores. hidden: only other parts run it."""

    run: Callable[[Context], JsonObject]
    seconds: float
    beside: bool = False
    hidden: bool = False


# In the order in which they run: the most informative parts come first.
PARTS = {
    "fits": Part(fits, 200),
    "profile": Part(profile, 60),
    "parity": Part(parity, 60),
    "tests of fit": Part(tests_of_fit, 170, beside=True),
    "tests of decode": Part(tests_of_decode, 170, beside=True),
    "tests of shaders": Part(tests_of_shaders, 170, beside=True),
    "sanitizers": Part(sanitizers, 170, beside=True),
    "compress": Part(compress, 170),
    "decoding": Part(decoding, 90),
    "small": Part(small, 150, hidden=True),
}
