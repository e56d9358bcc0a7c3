"""`bench.py progress`: whether the time left that the bar of `gstex compress` shows is true."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

import gstex
from benches.cases import crop
from benches.run import endings, results_option
from benches.table import describe_run, typed_command, write_table
from gstex.cli.progress import seconds_left
from gstex.material import Material, load_material
from gstex.pace import Pace

__all__ = ["progress"]

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
EFFORTS = ("fast", "normal")
COLUMNS = ("material", "effort", "seconds", "at_tenth", "at_half", "after_tenth", "after_half", "ok")
# How far the time left may be off, as a share of what is left: after the first tenth, and after half.
MOST = {"tenth": 0.30, "half": 0.20}
_END = 0.9  # of the time
_ROUNDED = 0.5  # seconds that the figure is off because it is shown in whole ones

Report = tuple[float, float, float]  # seconds since the first report, step, steps


@click.command("progress")
@click.option("--size", type=click.IntRange(32, 4096), default=256, show_default=True, help="Texels of the middle.")
@click.option("--bpp", type=float, default=1.0, show_default=True, help="Bits per texel.")
@click.option("--effort", "efforts", type=click.Choice(["draft", "fast", "normal", "thorough"]), multiple=True,
              default=EFFORTS, show_default=True)  # fmt: skip
@click.option("--cpu-time", is_flag=True, help="Seconds of the CPUs, not of the wall: where others work here too.")
@results_option("the table goes")
@click.pass_context
def progress(
    context: click.Context, size: int, bpp: float, efforts: tuple[str, ...], cpu_time: bool, results: Path
) -> None:  # fmt: skip
    """How far the time left is off, of the samples at some efforts, one after the other: what one takes is remembered
    for the next, from nothing on. Other work on the machine spoils it."""
    rows = []
    with endings(context, results, keeps=False), tempfile.TemporaryDirectory() as state:
        os.environ["GSTEX_STATE"] = state
        for folder in sorted({path.parent for path in SAMPLES.glob("*/*.png")}):
            material = _middle(load_material(folder), size)
            for effort in efforts:
                clock = time.process_time if cpu_time else time.monotonic
                reports, seconds = watch(material, clock, effort=effort, bpp=bpp, device="cpu")
                pace = Pace(effort, material.width * material.height)
                rows.append({"material": folder.name, "effort": effort, "seconds": seconds,
                             **errors(reports, seconds, pace)})  # fmt: skip
                pace.learn([(moment, step / steps) for moment, step, steps in reports], seconds)
                click.echo(f"{folder.name}, {effort}: {rows[-1]['after_tenth']:.0%} off after a tenth, "
                           f"{rows[-1]['after_half']:.0%} after half of {seconds:.1f} s", err=True)  # fmt: skip
        settings = f"{size}x{size} texels, {bpp:g} bits per texel, seconds of the {'CPUs' if cpu_time else 'wall'}"
        about = {**describe_run(typed_command(context)), "settings": settings}
        title = "The time left that the bar shows, as far as it is off"
        for path in write_table(results, "progress", title, about, COLUMNS, rows):
            click.echo(path)


def _middle(material: Material, size: int) -> Material:
    height, width = min(size, material.height), min(size, material.width)
    return crop(material, (material.height - height) // 2, (material.width - width) // 2, height, width)


def watch(
    material: Material, clock: Callable[[], float] = time.monotonic, **options: Any
) -> tuple[list[Report], float]:  # fmt: skip
    """All reports of a fit, and its seconds from the first one on."""
    reports: list[Report] = []
    started = clock()

    def keep(now: gstex.Progress) -> None:
        nonlocal started
        started = clock() if not reports else started
        reports.append((clock() - started, now.step, now.steps))

    gstex.compress(material, progress=keep, **options)
    return reports, clock() - started


def errors(reports: Sequence[Report], seconds: float, pace: Pace) -> dict[str, Any]:
    """By what share of the time left the bar is wrong: when a tenth and half of the time are over, and at most from
    then on (until half, and until nine tenths). What the bar shows at a moment is what the last report made of it."""
    found: list[tuple[float, float]] = []  # share of the time, error
    shares = [(moment, pace.share(step / steps)) for moment, step, steps in reports]
    for moment, share in shares:
        shown = seconds_left(shares[0], (moment, share))
        if shown is not None and moment < seconds:
            off = max(abs(shown - (seconds - moment)) - _ROUNDED, 0.0)
            found.append((moment / seconds, off / (seconds - moment)))

    def at(share: float) -> float:
        return next((error for when, error in reversed(found) if when <= share), float("inf"))

    def most(first: float, last: float) -> float:
        return max([at(first), *(error for when, error in found if first <= when <= last)])

    row = {"at_tenth": at(0.1), "at_half": at(0.5), "after_tenth": most(0.1, 0.5), "after_half": most(0.5, _END)}
    ok = row["after_tenth"] <= MOST["tenth"] and row["after_half"] <= MOST["half"]
    return {**row, "ok": "yes" if ok else "no"}
