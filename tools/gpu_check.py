"""Try everything that needs an NVIDIA GPU on this one, in less than 8 minutes, and write down the results.

    python tools/gpu_check.py                   all parts -> benchmarks/results/gpu-<name>.json
    python tools/gpu_check.py --only decoding   some of them; may be given many times
    python tools/gpu_check.py --seconds 200     less time: what does not fit is left out and named

The most informative parts run first: whole fits, their time by phase, the comparison of values, then the tests. The
JSON is rewritten whenever a part has a result, so that an interrupted run leaves its results.

The parts (tools/gpu/parts.py) run in processes of their own. One that fails or hangs is recorded and does not stop the
others. Exit status: 0 if all went well, 1 if a part failed, or, with nothing written, if there is no GPU.
"""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path

import click
from benches.table import describe_run
from gpu.parts import PARTS, Context

from gstex.cuda import CupyDevice, open_device
from gstex.errors import DeviceError
from gstex.json_types import JsonObject, JsonView

__all__ = ["check", "check_all", "machine", "result_file", "run_alone", "run_here", "run_part", "table",
           "write_whole"]  # fmt: skip

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
_SECONDS = 450.0
_DISTRIBUTIONS = ("numpy", "torch")
_CUPY = ("cupy-cuda12x", "cupy-cuda13x", "cupy")

# Runs a part for a number of seconds at most; returns {"result": ..., "error": ...} with one or both of the keys.
Runner = Callable[[str, float], JsonObject]
# Takes the name of a part and its results so far.
Tell = Callable[[str, JsonObject], None]
_COMPANY = 4  # number of parts that run in parallel, about; each takes a share of the cores
_LOOK = 0.5  # seconds between two looks at what a part has written


@click.command()
@click.option("--only", multiple=True, type=click.Choice([name for name, part in PARTS.items() if not part.hidden]),
              help="Parts to run, instead of all.")
@click.option("--seconds", type=click.FloatRange(min=1), default=_SECONDS, show_default=True,
              help="Time for everything.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.json",
              help="File to write.  [default: benchmarks/results/gpu-NAME.json]")
@click.option("--part", type=click.Choice(list(PARTS)), hidden=True)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
def check(only: tuple[str, ...], seconds: float, out: Path | None, part: str | None, folder: Path | None) -> None:
    """Try everything that needs an NVIDIA GPU on this one and write down what came out."""
    try:
        device = open_device()
    except DeviceError as error:
        click.echo(f"gpu_check: {error}", err=True)
        sys.exit(1)
    if part is not None:
        assert folder is not None
        run_here(part, Context(device, folder, time.monotonic() + seconds, lambda result: None))
        return
    about = machine(device)
    slug = re.sub(r"[^a-z0-9]+", "-", device.name.lower()).strip("-")
    out = out or RESULTS / f"gpu-{slug}.json"
    names = [name for name, part in PARTS.items() if name in only or not (only or part.hidden)]
    command = " ".join(["python tools/gpu_check.py", *(f"--only '{name}'" for name in only)])
    whole: JsonObject = {"title": f"gstex on {device.name}", "command": command, **about, "seconds": 0.0,
                             "parts": {name: {"error": "not begun"} for name in names}}  # fmt: skip
    started, lock = time.monotonic(), threading.Lock()

    def tell(name: str, results: JsonObject) -> None:
        with lock:
            whole["seconds"], whole["parts"][name] = round(time.monotonic() - started, 1), results
            write_whole(out, json.dumps(whole, indent=2, default=float) + "\n")

    with tempfile.TemporaryDirectory(prefix="gstex-gpu-") as shared:
        check_all(names, seconds, partial(run_part, Path(shared), tell), tell)
    click.echo("\n".join(table(whole)))
    click.echo(f"-> {out}")
    sys.exit(any("error" in part for part in whole["parts"].values()))


def check_all(names: Sequence[str], seconds: float, runner: Runner, tell: Tell) -> None:
    """Run parts in their order, one at a time, except neighbours that may run in parallel (Part.beside).

    tell: gets the name of each part once it has ended, and {"seconds": ..., "result": ..., "error": ...}, the last two
    if present.
    """
    started = time.monotonic()

    def run(name: str) -> None:
        begun = time.monotonic()
        limit = min(PARTS[name].seconds, seconds - (begun - started))
        if limit < 1:
            results: JsonObject = {"error": "no time was left"}
        else:
            try:
                results = runner(name, limit)
            except Exception as error:  # the other parts go on after any error
                results = {"error": _one_line(error)}
        results = {"seconds": round(time.monotonic() - begun, 1), **results}
        tell(name, results)
        click.echo(f"{name}: {results.get('error', 'done')}, {results['seconds']:.0f} s", err=True)

    for beside, group in groupby(names, lambda name: PARTS[name].beside):
        together = list(group)
        if not beside:
            for name in together:
                run(name)
            continue
        with ThreadPoolExecutor(max(1, min(len(together), (os.cpu_count() or 1) // 2))) as pool:
            list(pool.map(run, together))


def write_whole(file: Path, text: str) -> None:
    """Write a file so that a reader finds either the old or the new text."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)


# ---- A part in a process of its own ---------------------------------------------------------------------------------


def run_alone(
    command: Sequence[str], seconds: float, file: Path, environment: Mapping[str, str] | None = None,
    report: Callable[[JsonObject], None] = lambda results: None,
) -> JsonObject:  # fmt: skip
    """Run a command that writes the JSON of `run_here`, and return this JSON, even if the command crashes or hangs.

    environment: variables that are added. report: gets the JSON so far whenever it has changed.
    """
    log = file.with_suffix(".log")
    with log.open("w") as stream:
        child = subprocess.Popen(list(command), stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
                                 env={**os.environ, **(environment or {})})  # fmt: skip
        try:
            code = _wait(child, seconds, file, report)
        finally:
            _sweep(child)
    results: JsonObject = json.loads(file.read_text()) if file.exists() else {}
    if code is None:
        results["error"] = f"stopped after {seconds:.0f} s"
    elif code and "error" not in results:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        results["error"] = f"ends with {code}: {lines[-1].strip()[:300] if lines else 'no output'}"
    return results


def _wait(
    child: subprocess.Popen[bytes], seconds: float, file: Path, report: Callable[[JsonObject], None]
) -> int | None:
    """The exit status of a process; None if it takes longer than `seconds`."""
    ends, known = time.monotonic() + seconds, ""
    while (left := ends - time.monotonic()) > 0:
        try:
            return child.wait(min(left, _LOOK))
        except subprocess.TimeoutExpired:
            text = file.read_text() if file.exists() else ""
            if text != known:
                report(json.loads(text))
            known = text
    return None


def _sweep(child: subprocess.Popen[bytes]) -> None:
    """Kill a process and all its children, which would otherwise use the GPU while the next part measures."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):  # nothing is left
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait()


def run_part(folder: Path, tell: Tell, name: str, seconds: float) -> JsonObject:
    """Run a part in a process of its own, which writes into the folder; returns its results.

    tell: gets the results so far while the part runs, marked as cut off.
    """
    child_seconds = str(max(1.0, 0.93 * seconds - 3))  # ends before it is killed
    program = [sys.executable, str(Path(__file__).resolve())]
    command = [*program, "--part", name, "--folder", str(folder), "--seconds", child_seconds]
    threads = max(1, (os.cpu_count() or 1) // _COMPANY)
    more = {"GSTEX_THREADS": str(threads)} if PARTS[name].beside else {}

    def report(results: JsonObject) -> None:
        tell(name, {"error": "cut off while it ran", **results})

    return run_alone(command, seconds, result_file(folder, name), more, report)


def result_file(folder: Path, name: str) -> Path:
    """The file into which a part writes its results."""
    return folder / f"{name.replace(' ', '-')}.json"


def run_here(name: str, context: Context) -> None:
    """Run a part in this process and write its results, step by step, into the shared folder."""
    file, results = result_file(context.folder, name), {}

    def write(**content: object) -> None:
        write_whole(file, json.dumps(content, default=float))

    def keep(result: JsonObject) -> None:
        results.update(result)
        write(result=results)

    context.keep = keep
    try:
        keep(PARTS[name].run(context))
    except Exception as error:
        write(**({"result": results} if results else {}), error=_one_line(error))
        raise


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:400]


# ---- What is written ------------------------------------------------------------------------------------------------


def machine(device: CupyDevice) -> dict[str, JsonObject]:
    """The machine and the versions, without anything that is private to it."""
    run = describe_run("")
    runtime = device.xp.cuda.runtime
    facts = runtime.getDeviceProperties(runtime.getDevice())
    return {
        "machine": {
            "gpu": device.name,
            "compute_capability": ".".join(map(str, device.capability)),
            "multiprocessors": facts.get("multiProcessorCount"),
            "memory_bytes": facts.get("totalGlobalMem"),
            "driver": _driver(),
            "cuda_of_driver": _cuda(runtime.driverGetVersion()),
            "cuda_of_cupy": _cuda(runtime.runtimeGetVersion()),
            "cpu": run["machine"],
            "system": run["system"],
        },
        "versions": {
            "python": platform.python_version(),
            "cupy": next((cupy_version for cupy_version in map(_version, _CUPY) if cupy_version), None),
            **{name: _version(name) for name in _DISTRIBUTIONS},
            "gstex": run["gstex"],
        },
    }


def _cuda(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def table(whole: JsonView) -> list[str]:
    """The figures for people, one line each: the parts, and the rows of parts that have rows."""
    gpu, versions = whole["machine"], whole["versions"]
    lines = [
        f"{gpu['gpu']}, driver {gpu['driver']}, CUDA {gpu['cuda_of_driver']}, CuPy {versions['cupy']}, "
        f"gstex {versions['gstex']}; {whole['seconds']:.0f} s"
    ]
    for name, part in whole["parts"].items():
        result = part.get("result", {})
        flat = [f"{key} {_shown(value)}" for key, value in result.items() if not isinstance(value, (dict, list))]
        lines.append(f"{name:<18} {part.get('error', 'done')}")
        lines += [f"    {text}" for text in flat]
        lines += [f"    {key}: {_pairs(value)}" for key, value in result.items() if isinstance(value, dict)]
        lines += [f"    {_pairs(row) if isinstance(row, dict) else row}"
                  for value in result.values() if isinstance(value, list) for row in value]  # fmt: skip
    return lines


def _pairs(row: JsonView) -> str:
    return ", ".join(f"{key} {_shown(value)}" for key, value in row.items())


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    check()
