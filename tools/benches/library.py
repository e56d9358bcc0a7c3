"""The `rate`, `jobs` and `checkpoint` tables of tools/bench.py: fits to a PSNR, the use of all cores by a batch, and
the cost of checkpoints."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import OpenImageIO as oiio

import gstex
from benches.run import choose_cases, data_option, effort_option, endings, material_option, results_option
from benches.table import describe_run, typed_command, write_table
from gstex import batch, native
from gstex.encode import checkpoint as encode_checkpoint
from gstex.encode.checkpoint import Checkpoint
from gstex.json_types import JsonView
from gstex.material import load_material

__all__ = ["checkpoint", "jobs", "rate"]

_ROOT = Path(__file__).resolve().parents[2]
_SAMPLES = _ROOT / "samples"
RATE_COLUMNS = ("material", "psnr_asked", "psnr", "above", "bpp_plain", "bpp", "seconds_plain", "seconds", "times")
JOBS_COLUMNS = ("where", "materials", "jobs", "cores", "seconds", "cpu_seconds", "busy", "times")
CHECKPOINT_COLUMNS = ("material", "width", "seconds", "checkpoints", "largest_bytes", "writing_seconds", "percent")
# Sides of the materials of a library: many small ones and few large.
SIDES = (32, 32, 48, 48, 64, 64, 64, 96, 96, 128)


@click.command()
@click.option("--bpp", type=click.FloatRange(0, 64, min_open=True), default=1.0, show_default=True,
              help="Of the plain fit, whose PSNR is asked for.")
@effort_option
@material_option("crop")
@data_option()
@results_option("the table goes")
@click.pass_context
def rate(context: click.Context, bpp: float, effort: str, names: tuple[str, ...], data: Path, results: Path) -> None:
    """--psnr against a plain fit of the same quality, on 256x256 crops: where it lands, and in how much time."""
    with endings(context, results, keeps=False):
        rows = []
        for case in choose_cases(data, "quick", names):
            material = case.load()
            plain = gstex.compress(material, bpp=bpp, effort=effort, groups="1", device="cpu")
            psnr = plain.report["psnr"]
            texture = gstex.compress(material, psnr=psnr, effort=effort, device="cpu")
            rows.append({
                "material": case.name, "psnr_asked": psnr, "psnr": texture.report["psnr"],
                "above": texture.report["psnr"] - psnr, "bpp_plain": plain.report["bpp"], "bpp": texture.report["bpp"],
                "seconds_plain": plain.report["seconds"], "seconds": texture.report["seconds"],
                "times": texture.report["seconds"] / plain.report["seconds"],
            })  # fmt: skip
            click.echo(f"{case.name}: {rows[-1]['above']:+.2f} dB, {rows[-1]['times']:.2f} times the time", err=True)
        about = {**describe_run(typed_command(context)), "settings": f"effort {effort}, {bpp:g} bpp, seed 0, CPU"}
        _write(results, "rate", "A PSNR that is asked for, against a plain fit that has it", about, RATE_COLUMNS, rows)


@click.command()
@click.option("--materials", type=click.IntRange(1, 10000), default=40, show_default=True, help="In the library.")
@click.option("--jobs", "count", type=click.IntRange(min=1), help="Materials at once.  [default: one per core]")
@click.option("--effort", type=click.Choice(["draft", "fast", "normal"]), default="fast", show_default=True)
@click.option("--ray", metavar="ADDRESS", help="Then once more on a Ray cluster, of as many CPUs as there are jobs.")
@results_option("the table goes")
@click.pass_context
def jobs(
    context: click.Context, materials: int, count: int | None, effort: str, ray: str | None, results: Path
) -> None:
    """How busy `gstex batch` keeps the cores over a library of crops of the samples, from 32 to 128 texels wide."""
    with endings(context, results, keeps=False), tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library"
        for number in range(materials):
            _crop(number, library / f"{number:04}")
        options = batch.Options(effort=effort, device="cpu")  # type: ignore[arg-type]
        cores = native.cores()
        before = _cpu_seconds()
        done, seconds = _timed_batch(batch.plan(library, Path(folder) / "out", options=options), jobs=count)
        spent = _cpu_seconds() - before
        rows = [{"where": "this machine", "materials": done, "jobs": count or cores, "cores": cores, "seconds": seconds,
                 "cpu_seconds": spent, "busy": spent / (seconds * cores)}]  # fmt: skip
        click.echo(f"{rows[0]['busy']:.1%} busy", err=True)
        if ray is not None:
            few = batch.plan(library / "0000", Path(folder) / "warm", options=options)
            _timed_batch(few, ray=ray)  # nodes start their processes
            plan = batch.plan(library, Path(folder) / "ray", options=options)
            done, again = _timed_batch(plan, ray=ray)
            rows.append({"where": "cluster", "materials": done, "seconds": again, "times": again / seconds})
            click.echo(f"{rows[1]['times']:.2f} times the time on the cluster", err=True)
        about = {**describe_run(typed_command(context)), "settings": f"effort {effort}, CPU",
                 "busy": "time of all processes on cores, by the time that the cores were there"}  # fmt: skip
        _write(results, "jobs", "How busy gstex batch keeps the cores", about, JOBS_COLUMNS, rows)


@click.command()
@effort_option
@click.option("--side", type=click.IntRange(64, 4096), default=512, show_default=True, help="Of the crops, in texels.")
@click.option("--every", type=click.FloatRange(min=0), default=20.0, show_default=True,
              help="Seconds from one to the next: small crops are fitted in less than what is usual.")
@material_option("sample")
@results_option("the table goes")
@click.pass_context
def checkpoint(
    context: click.Context, effort: str, side: int, every: float, names: tuple[str, ...], results: Path
) -> None:
    """What the checkpoints of a fit cost: their number and size, and the time in which they are written."""
    with endings(context, results, keeps=False), tempfile.TemporaryDirectory() as folder:
        rows = []
        for source in _samples(names):
            material = load_material(_crop_of(source, side, Path(folder) / source.name))
            with _timed(path := Path(folder) / "fit", every) as writes:
                texture = gstex.compress(material, effort=effort, device="cpu", checkpoint=path)
            seconds, writing = texture.report["seconds"], sum(took for took, _ in writes)
            rows.append({
                "material": source.name, "width": material.width, "seconds": seconds, "checkpoints": len(writes),
                "largest_bytes": max((size for _, size in writes), default=0), "writing_seconds": writing,
                "percent": 100 * writing / seconds,
            })  # fmt: skip
            click.echo(f"{source.name}: {len(writes)} checkpoints, {rows[-1]['percent']:.2f} % of the time", err=True)
        settings = f"effort {effort}, quality normal, CPU, a checkpoint every {every:g} s"
        about = {**describe_run(typed_command(context)), "settings": settings}
        _write(results, "checkpoint", "What the checkpoints of a fit cost", about, CHECKPOINT_COLUMNS, rows)


def _timed_batch(plan: batch.Plan, **how: Any) -> tuple[int, float]:
    """Run a batch; returns (number of materials that are done, seconds). Raises ClickException if one fails."""
    started = time.perf_counter()
    ended = [event for event in batch.run(plan, **how) if event.event in ("done", "failed")]
    seconds = time.perf_counter() - started
    if failed := [event for event in ended if event.event == "failed"]:
        raise click.ClickException(f"{failed[0].output}: {failed[0].message}")
    return len(ended), seconds


def _write(
    results: Path, name: str, title: str, about: Mapping[str, str], columns: tuple[str, ...], rows: Sequence[JsonView]
) -> None:
    for path in write_table(results, name, title, about, columns, rows):
        click.echo(path)


@contextmanager
def _timed(path: Path, every: float) -> Iterator[list[tuple[float, int]]]:
    """Collect (seconds, bytes of the file) of every checkpoint written inside. At most one is written in `every`
    seconds."""
    writes: list[tuple[float, int]] = []
    write = Checkpoint.write

    def timed(self: Checkpoint) -> None:
        started = time.perf_counter()
        write(self)
        writes.append((time.perf_counter() - started, path.stat().st_size))

    usual = encode_checkpoint.EVERY
    Checkpoint.write, encode_checkpoint.EVERY = timed, every  # type: ignore[method-assign]
    try:
        yield writes
    finally:
        Checkpoint.write, encode_checkpoint.EVERY = write, usual  # type: ignore[method-assign]


def _samples(names: tuple[str, ...]) -> list[Path]:
    folders = sorted({path.parent for path in _SAMPLES.glob("*/*.png")})
    chosen = [path for path in folders if not names or path.name in names]
    if not chosen:
        raise click.ClickException(f"{_SAMPLES}: none of {', '.join(names)}; see samples/README.md")
    return chosen


def _crop(number: int, folder: Path) -> None:
    """Write the material of this number: a crop of a sample, whose place depends on the number."""
    samples = _samples(())
    source = samples[number % len(samples)]
    _crop_of(source, SIDES[number // len(samples) % len(SIDES)], folder, shift=37 * number)


def _crop_of(source: Path, side: int, folder: Path, *, shift: int = 0) -> Path:
    """Write a square part of every map, and the whole of a smaller map; returns the folder."""
    folder.mkdir(parents=True)
    for path in sorted(source.glob("*.png")):
        image = oiio.ImageBuf(str(path))
        spec = image.spec()
        x, y = (shift % max(1, extent - side + 1) for extent in (spec.width, spec.height))
        part = oiio.ROI(x, min(x + side, spec.width), y, min(y + side, spec.height))
        cut = oiio.ImageBufAlgo.cut(image, roi=part)
        if not cut.write(str(folder / path.name)):
            raise OSError(cut.geterror())
    return folder


def _cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
