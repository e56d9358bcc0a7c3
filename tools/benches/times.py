"""Time and memory of fits and decodes, compared with another gstex: the `times` table of tools/bench.py
(docs/benchmarks.md).

Every measurement is a process of its own. The two gstex take turns, so that other load on the machine affects both. A
process fits a small picture first, so that the figures do not include what it compiles or loads once.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from benches.run import data_option, endings, pick, results_option
from benches.table import describe_run, typed_command, write_table
from gstex.json_types import JsonObject, JsonView

__all__ = ["times"]

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("times_worker.py")
COLUMNS = ("case", "time_before", "time", "times_as_fast", "megabytes_before", "megabytes", "psnr_before", "psnr",
           "serial", "bar_off", "runs")  # fmt: skip


@dataclass(frozen=True)
class Job:
    """source: a folder of maps below the checkout or, with `data`, below the folder of materials. size: texels along an
    edge, cut from the middle or filled by repetition; None for the whole material. bpp, effort: settings of the fit.
    decode: measure the decoding of the result and not the fit. usual: whether the case is measured if no case is
    named."""

    name: str
    source: str
    bpp: float
    effort: str
    data: bool = True
    decode: bool = False
    usual: bool = True
    size: int | None = None


JOBS = (
    Job("fit 256x256 fast", "samples/weathered_bricks", 2.0, "fast", data=False),
    Job("fit 512x512 normal", "clay_roof_tiles", 1.0, "normal", size=512),
    Job("fit 1024x1024 fast", "fabric_pattern_07", 1.0, "fast"),
    Job("fit 1024x1024 fast, roof", "clay_roof_tiles", 1.0, "fast", usual=False),
    Job("fit 1024x1024 normal", "fabric_pattern_07", 1.0, "normal", usual=False),
    Job("fit 1024x1024 normal, roof", "clay_roof_tiles", 1.0, "normal", usual=False),
    Job("fit 2048x2048 fast", "trim_misc_1", 0.5, "fast", usual=False),
    Job("fit 4096x4096 fast", "trim_misc_1", 0.5, "fast", usual=False, size=4096),
    Job("decode 2048x2048", "trim_misc_1", 0.25, "fast", decode=True),
)


@click.command()
@click.option("--against", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True,
              metavar="PYTHON", help="Python of an environment with the gstex to compare with.")
@click.option("--label", metavar="TEXT", help="What that is, such as its commit.  [default: its version]")
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True,
              help="Of each case; the median counts.")
@click.option("--case", "names", metavar="NAME", multiple=True,
              help="Only this case, such as 'fit 1024x1024 normal'; may be given many times.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of each process.  [default: all cores]")
@data_option()
@results_option("the table goes")
@click.pass_context
def times(
    context: click.Context, against: Path, label: str | None, runs: int, names: tuple[str, ...], threads: int | None,
    data: Path, results: Path,
) -> None:  # fmt: skip
    """Seconds and megabytes of fits and decodes, of this gstex and of another one, by turns."""
    jobs = pick(JOBS, names, "--case") if names else [job for job in JOBS if job.usual]
    with endings(context, results, keeps=False), tempfile.TemporaryDirectory() as folder:
        rows = [_measure(job, against, runs, threads, data, Path(folder)) for job in jobs]
        about = {
            **describe_run(typed_command(context)),
            "before": label or _version(against),
            "settings": f"median of {runs}, {threads or 'all'} threads",
        }
        for path in write_table(results, "times", "Time and memory, before and now", about, COLUMNS, rows):
            click.echo(path)


def _measure(
    job: Job, against: Path, runs: int, threads: int | None, data: Path, folder: Path
) -> JsonObject:  # fmt: skip
    source = (data if job.data else ROOT) / job.source
    order = {"source": str(source), "bpp": job.bpp, "effort": job.effort, "threads": threads,
             "size": job.size}
    results: dict[str, list[dict[str, float]]] = {"before": [], "now": []}
    sides = (("before", against), ("now", Path(sys.executable)))
    # Each decodes a file of its own: the other one may not read that version of the format.
    files = {side: {"file": str(folder / f"{side}.gstex")} if job.decode else {} for side, _ in sides}
    for side, python in sides:
        if job.decode:
            _run(python, {**order, **files[side], "write": True})
    for number in range(runs):
        for side, python in sides:
            results[side].append(_run(python, {**order, **files[side]}))
            click.echo(f"{job.name}, run {number + 1} of {runs}, {side}: {results[side][-1]}", err=True)
    row: JsonObject = {"case": job.name, "runs": runs}
    for side, ending in (("before", "_before"), ("now", "")):
        for column, name in (("time", "seconds"), ("megabytes", "megabytes"), ("psnr", "psnr")):
            row[column + ending] = statistics.median(result[name] for result in results[side])
    for name in ("serial", "bar_off"):
        row[name] = statistics.median(result[name] for result in results["now"])
    return row | {"times_as_fast": row["time_before"] / row["time"]}


def _run(python: Path, order: JsonView) -> dict[str, float]:
    """Run the worker with a Python interpreter and return its figures."""
    done = subprocess.run([python, WORKER, json.dumps(order)], cwd=WORKER.parent, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"{python} {WORKER.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _version(python: Path) -> str:
    script = "import gstex; print(gstex.__version__)"
    return subprocess.run([python, "-c", script], cwd=WORKER.parent, capture_output=True, text=True).stdout.strip()
