"""Remake the tables under benchmarks/results/. docs/benchmarks.md says what they mean.

    python tools/bench.py rd --quick    256x256 crops against the prototype's floor
    python tools/bench.py rd            the bench set: the centre 512x512 of every material
    python tools/bench.py rd --full     whole materials
    python tools/bench.py rd --trial W  rows of an experiment, added to rd-trials.csv
    python tools/bench.py compare       bytes at equal quality against the best mixes of block codecs
    python tools/bench.py fits          the files that compare measures, many at a time, on a GPU perhaps
    python tools/bench.py disk          bytes of files, against block codecs packed by zstd and Basis Universal
    python tools/bench.py images        single pictures at low rates, against JPEG and AVIF
    python tools/bench.py importance    regions that matter, with and without an importance map
    python tools/bench.py restore       pictures damaged by noise or JPEG, and what --loss restore makes of them
    python tools/bench.py filtering     minified, turned and grazing views against block codecs
    python tools/bench.py bc            BC blocks made on load, against the encoders of engines
    python tools/bench.py bound         what an ideal transform codec would need for the qualities of compare
    python tools/bench.py rate          --psnr, against a plain fit that has it
    python tools/bench.py jobs          how busy gstex batch keeps the cores
    python tools/bench.py checkpoint    what the checkpoints of a fit cost
    python tools/bench.py progress      whether the time left that the bars show is true
    python tools/bench.py scale         what a large library takes, computed from these tables
    python tools/bench.py remake        all of these that README and docs quote
    python tools/bench.py times         seconds and memory of fits and decodes, beside another gstex

A run that was stopped goes on where it was: finished rows are kept by input, settings and code.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # for benchmarks/; gstex is the installed one

from benches.bc import bc  # noqa: E402
from benches.bound import bound  # noqa: E402
from benches.cases import PROTOTYPE, Case  # noqa: E402
from benches.compare import compare  # noqa: E402
from benches.disk import disk  # noqa: E402
from benches.filtering import filtering  # noqa: E402
from benches.fits import fits  # noqa: E402
from benches.images import images  # noqa: E402
from benches.importance import importance  # noqa: E402
from benches.library import checkpoint, jobs  # noqa: E402
from benches.library import rate as psnr_rate  # noqa: E402
from benches.mips import mips  # noqa: E402
from benches.progress import progress  # noqa: E402
from benches.remake import remake  # noqa: E402
from benches.restore import restore  # noqa: E402
from benches.run import choose_cases, data_option, endings, material_option, results_option  # noqa: E402
from benches.scale import scale  # noqa: E402
from benches.store import Store, code_version, key_of  # noqa: E402
from benches.table import describe_run, typed_command, write_table  # noqa: E402
from benches.times import times  # noqa: E402
from benches.top_k import top_k  # noqa: E402
from benches.trials import add_trial, changed_settings, parse_changes  # noqa: E402

import gstex  # noqa: E402
from gstex import metrics  # noqa: E402
from gstex.cli.options import parse_rates  # noqa: E402
from gstex.json_types import JsonObject, JsonView  # noqa: E402
from gstex.material import Material  # noqa: E402
from gstex.material.images import SourceMap  # noqa: E402
from gstex.material.material import Channel  # noqa: E402
from gstex.material.roles import ROLES  # noqa: E402

STORE_NAME = ".rd-store.jsonl"
SEED = 0
COLUMNS = (
    "material", "width", "height", "channels", "bpp_asked", "bpp", "gpu_bytes", "file_bytes", "gaussians",
    "psnr", "psnr_sampled", "candidates_mean", "candidates_max", "seconds",
)  # fmt: skip
FLOOR_COLUMNS = ("psnr_all", "prototype", "difference")
TABLES = {
    "quick": ("rd-quick", "Rate and distortion, 256x256 crops against the prototype's floor"),
    "full": ("rd-full", "Rate and distortion, whole materials"),
    None: ("rd", "Rate and distortion, bench set (centre 512x512)"),
}
_REDRAW_SECONDS = 0.5


@click.group(context_settings={"max_content_width": 110})
def bench() -> None:
    """Measure gstex and write the tables under benchmarks/results/."""


bench.add_command(compare)
bench.add_command(filtering)
bench.add_command(disk)
bench.add_command(fits)
bench.add_command(images)
bench.add_command(importance)
bench.add_command(mips)
bench.add_command(bc)
bench.add_command(bound)
bench.add_command(progress)
bench.add_command(remake)
bench.add_command(restore)
bench.add_command(psnr_rate)
bench.add_command(jobs)
bench.add_command(checkpoint)
bench.add_command(scale)
bench.add_command(times)
bench.add_command(top_k)


@bench.command()
@click.option("--quick", "mode", flag_value="quick", help="The prototype's 256x256 crops.")
@click.option("--full", "mode", flag_value="full", help="Whole materials.")
@click.option("--effort", type=click.Choice(["draft", "fast", "normal", "thorough"]),
              help="Effort of the fit.  [default: thorough with --quick, else normal]")
@click.option("--sampling", type=click.Choice(["auto", "direct", "bilinear"]),
              help="What to fit for.  [default: bilinear with --quick, else direct]")
@click.option("--loss", type=click.Choice(["l2", "perceptual"]), default="l2", show_default=True)
@click.option("--bpp", "rates", metavar="B,B,...", callback=parse_rates,
              help="Bits per texel.  [default: 1,2 with --quick, else 0.5,1,2,4]")
@click.option("--no-mips", is_flag=True, help="Mip 0 alone.")
@click.option("--groups", help="As of gstex compress.  [default: auto]")
@click.option("--set", "changes", metavar="NAME=VALUE", multiple=True, callback=parse_changes,
              help="Change a field of gstex.encode.settings.Settings; may be given many times. Only with --trial.")
@click.option("--trial", metavar="WHAT",
              help="Add the rows to rd-trials.csv under this name and leave the table as it is.")
@material_option()
@data_option()
@results_option("tables and kept rows go")
@click.pass_context
def rd(
    context: click.Context, mode: str | None, effort: str | None, sampling: str | None, loss: str,
    rates: list[float] | None, no_mips: bool, groups: str | None, changes: JsonView, trial: str | None,
    names: tuple[str, ...], data: Path, results: Path,
) -> None:  # fmt: skip
    """Quality at given rates: PSNR, bytes, candidates and seconds of every material."""
    if changes and not trial:
        raise click.UsageError("--set changes what is measured, so its rows belong to a trial; add --trial WHAT")
    quick = mode == "quick"
    options: JsonObject = {
        "effort": effort or ("thorough" if quick else "normal"),
        "sampling": sampling or ("bilinear" if quick else "direct"),
        "loss": loss,
        "seed": SEED,
    }
    if no_mips:
        options["mips"] = False
    if groups:
        options["groups"] = groups
    rates = rates or ([1.0, 2.0] if quick else [0.5, 1.0, 2.0, 4.0])
    cases = choose_cases(data, mode, names)
    if trial:
        with endings(context, results), changed_settings(changes), tempfile.TemporaryDirectory() as folder:
            rows = measure_all(cases, rates, options, Store(Path(folder) / STORE_NAME))
            part = {"quick": "quick crops", "full": "whole", None: "bench set"}[mode]
            words = [part, *(f"{name} {value}" for name, value in {**options, **changes}.items())]
            click.echo(add_trial(results, trial, ", ".join(words), rows))
        return
    with endings(context, results):
        rows = measure_all(cases, rates, options, Store(results / STORE_NAME))
        if quick:
            rows = [_with_floor(row) for row in rows]
        maps = [f"psnr_{role}" for role in ROLES if any(f"psnr_{role}" in row for row in rows)]
        columns = [*COLUMNS, *(FLOOR_COLUMNS if quick else ()), *maps]
        settings = ", ".join(f"{name} {value}" for name, value in options.items())
        about = {**describe_run(typed_command(context)), "settings": settings}
        table, title = TABLES[mode]
        for path in write_table(results, table, title, about, columns, rows):
            click.echo(path)


def measure_all(cases: list[Case], rates: list[float], options: JsonView, store: Store) -> list[JsonObject]:
    """A row for every case and rate, in order, computed or taken from the store. Progress goes to stderr."""
    code = code_version()
    rows: list[JsonObject] = []
    warm = False
    for case in cases:
        material = case.load()
        for rate in rates:
            label = f"[{len(rows) + 1}/{len(cases) * len(rates)}] {case.name} at {rate:g} bpp"
            settings = {**options, "bpp": rate}
            key = key_of(material, settings, code)
            row = store.get(key)
            is_stored = row is not None
            if row is None:
                if not warm:
                    warm_up(options)
                    warm = True
                row = compute_row(material, settings, _progress_line(label))
                store.add(key, settings, row)
            # Cases with equal inputs share a stored row, so each gets its own name here.
            rows.append({**row, "material": case.name})
            quality = "exact" if row["psnr"] is None else f"{row['psnr']:.2f} dB"
            click.echo(f"{label}: {quality}, {row['seconds']:.1f} s{' (kept)' if is_stored else ''}", err=True)
    return rows


def compute_row(
    material: Material, settings: JsonView, progress: Callable[[gstex.Progress], None] | None = None
) -> JsonObject:
    """Compress a material, save it, and return its figures by column."""
    texture = gstex.compress(material, progress=progress, **settings)
    with tempfile.TemporaryDirectory() as folder:
        texture.save(Path(folder) / "bench.gstex")
    report = texture.report
    everything = metrics.psnr(texture.decode(), material.pixels)
    row = {name: report[name] for name in COLUMNS if name in report}
    row |= {"bpp_asked": settings["bpp"], "psnr_all": everything if np.isfinite(everything) else None}
    return row | {f"psnr_{role}": value for role, value in report["psnr_by_map"].items()}


def _with_floor(row: JsonView) -> JsonObject:
    """Add the prototype's figure, where there is one, and how far above it the row is in dB."""
    floor = PROTOTYPE[row["material"]].get(row["bpp_asked"])
    if floor is None or row["psnr_all"] is None:
        return {**row, "prototype": floor}
    return {**row, "prototype": floor, "difference": row["psnr_all"] - floor}


def warm_up(options: JsonView) -> None:
    """Compile the kernels on a tiny input, so that the seconds of a row do not include the compilation."""
    click.echo("compiling", err=True)
    pixels = np.random.default_rng(0).random((16, 16, 1), np.float32)
    source = SourceMap("warm_ao.png", 16, 16, 1, 8, False, "png", None)
    channel = Channel("ao", "v", "linear", source.file, 0, None, (0.0, 1.0))
    material = Material("warm", 16, 16, (source,), (channel,), pixels, None, "clamp",
                        planes={source.file: ({"channel": 0},)})  # fmt: skip
    gstex.compress(material, gaussians=8, **{**options, "effort": "fast"})


def _progress_line(label: str) -> Callable[[gstex.Progress], None] | None:
    """Return a function that redraws a line while a fit runs; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        return None
    drawn = time.monotonic()

    def draw(state: gstex.Progress) -> None:
        nonlocal drawn
        if (now := time.monotonic()) - drawn >= _REDRAW_SECONDS:
            drawn = now
            psnr = "" if state.psnr is None else f", {state.psnr:.1f} dB"
            line = f"{label}: {state.stage} {state.step}/{state.steps}{psnr}"
            click.echo(f"\r{line}\033[K\r", err=True, nl=False)

    return draw


if __name__ == "__main__":
    bench()
