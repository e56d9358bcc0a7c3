"""`bench.py fits`: the files that `bench.py compare` measures, fitted many at a time and perhaps on another machine.

On a GPU, `bench.py fits --device cuda --out FOLDER` fits the bench set in minutes. `compare --fits FOLDER` then reads
these files and does not fit. It can run on another machine that has the encoders.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import click

import gstex
from benches.cases import Case
from benches.run import choose_cases, data_option, effort_option, endings, material_option
from benches.store import SOURCES, code_version
from benches.table import describe_run, typed_command
from gstex.cli.options import parse_rates
from gstex.errors import BudgetError
from gstex.json_types import JsonObject, JsonView

__all__ = ["Fitted", "fits"]

ABOUT = "fits.json"
SEED = 0
_STEPS = range(-6, 8)  # as in benches.compare: 2^(n / 2) bits per texel


class Fitted:
    """A folder of `bench.py fits`.

    Raises click's errors if it holds no such files, or if other settings or other code made them.
    """

    def __init__(self, folder: Path, expected: JsonView):
        """expected: the settings that made the files: mode, effort, sampling and seed."""
        self.folder = folder
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            settings, code = about["settings"], about["code"]
            self.devices, self.commit = list(map(str, about["devices"])), str(about["about"]["gstex"])
        except (OSError, ValueError, KeyError, TypeError):
            raise click.ClickException(f"{folder}: holds no {ABOUT} of 'bench.py fits'; make one first") from None
        if settings != expected:
            raise click.ClickException(f"{folder}: fitted with {settings}, expected {expected}")
        if code != code_version(SOURCES, libraries=False):
            raise click.ClickException(f"{folder}: fitted by other code ({self.commit}); fit again, or check that out")

    def file(self, case: str, rate: float) -> Path | None:
        """The file of a material at a rate (bits per texel), if there is one."""
        path = self.folder / file_name(case, rate)
        return path if path.exists() else None

    def describe(self) -> str:
        """On which devices and by which commit the files were made."""
        return f"on {' and '.join(self.devices)} with bench.py fits, gstex {self.commit}"


def file_name(case: str, rate: float) -> str:
    return f"{case}@{rate:.4g}.gstex"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class _Job:
    case: Case
    rate: float
    effort: str
    sampling: str
    device: str
    path: Path

    def run(self) -> JsonObject:
        """Fit and write the file; returns its name, seconds and device, or why there is no file."""
        started = time.monotonic()
        try:
            texture = gstex.compress(self.case.load(), bpp=self.rate, effort=self.effort, sampling=self.sampling,
                                     seed=SEED, device=self.device)  # fmt: skip
        except BudgetError as error:
            return {"file": self.path.name, "error": str(error)}
        texture.save(self.path)
        return {"file": self.path.name, "seconds": time.monotonic() - started, "device": texture.report["device"]}


@click.command()
@click.option("--quick", "mode", flag_value="quick", help="256x256 crops of seven materials.")
@click.option("--full", "mode", flag_value="full", help="Whole materials.")
@effort_option
@click.option("--sampling", type=click.Choice(["auto", "direct", "bilinear"]), default="auto", show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--bpp", "rates", metavar="B,B,...", callback=parse_rates,
              help="Bits per texel.  [default: 2^(n / 2) from 0.125 to 11.3, those that compare looks at]")
@material_option()
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Fits at the same time.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True),
              help="Begin no fit after this time; the same command goes on with those that are missing.")
@data_option()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the files.")
@click.pass_context
def fits(
    context: click.Context, mode: str | None, effort: str, sampling: str, device: str, rates: list[float] | None,
    names: tuple[str, ...], jobs: int, seconds: float | None, data: Path, out: Path,
) -> None:  # fmt: skip
    """Fit what `compare --fits` reads; files that are there already are left as they are."""
    ends = time.monotonic() + (seconds or float("inf"))
    cases = choose_cases(data, mode, names)
    settings = {"mode": mode, "effort": effort, "sampling": sampling, "seed": SEED}
    rates = rates or [2.0 ** (n / 2) for n in _STEPS]
    with endings(context, out):
        out.mkdir(parents=True, exist_ok=True)
        devices = set(Fitted(out, settings).devices if (out / ABOUT).exists() else ())
        jobs_left = [
            _Job(case, rate, effort, sampling, device, path) for rate in rates for case in cases
            if not (path := out / file_name(case.name, rate)).exists()
        ]  # fmt: skip
        about = {
            "about": describe_run(typed_command(context)),
            "settings": settings,
            "code": code_version(SOURCES, libraries=False),
        }
        rows = []
        for row in _run_all(jobs_left, jobs, ends):
            rows.append(row)
            if "device" in row and row["device"] not in devices:
                devices.add(row["device"])
                text = json.dumps({**about, "devices": sorted(devices)}, indent=2) + "\n"
                (out / ABOUT).write_text(text, encoding="utf-8")
            outcome = row.get("error") or f"{row['seconds']:.1f} s on {row['device']}"
            click.echo(f"[{len(rows)}/{len(jobs_left)}] {row['file']}: {outcome}", err=True)
    done = [row for row in rows if "device" in row]
    left = len(jobs_left) - len(rows)
    click.echo(f"{len(done)} files written, {len(rows) - len(done)} rates too low for a material, {left} not begun")


def _run_all(jobs: Sequence[_Job], at_a_time: int, ends: float) -> Iterator[JsonObject]:
    """The rows of the jobs that begin before `ends`, in the order in which they finish."""
    waiting = list(reversed(jobs))
    with ProcessPoolExecutor(at_a_time, mp_context=multiprocessing.get_context("spawn"), initializer=_set_threads,
                             initargs=(at_a_time,)) as pool:  # fmt: skip
        running: set[Future[JsonObject]] = set()
        while True:
            while waiting and len(running) < at_a_time and time.monotonic() < ends:
                running.add(pool.submit(_Job.run, waiting.pop()))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)


def _set_threads(at_a_time: int) -> None:
    """Set the threads of a process so that all processes share the cores."""
    from gstex import native

    native.set_thread_count(max(1, native.cores() // at_a_time))
