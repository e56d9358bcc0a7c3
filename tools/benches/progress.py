"""`bench.py progress`: how accurate the time left is that the bars of `gstex compress`, `compare` and `batch` show."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import OpenImageIO as oiio

import gstex
from benches.cases import crop
from benches.run import data_option, endings, material_option, results_option
from benches.table import describe_run, typed_command, write_table
from gstex import native
from gstex.batch.forecast import BatchForecast
from gstex.forecast import Forecast, fit_phase
from gstex.json_types import JsonObject
from gstex.material import Material, load_material

__all__ = ["progress"]

MATERIALS = ("brick_wall_005", "fabric_pattern_07", "metal_walkway006", "moss", "trim_misc_1")
COMMANDS = ("compress", "compare", "batch")
EFFORTS = ("fast", "normal")
CODECS = ("bc1", "bc7", "astc-6x6", "astc-8x8")  # of the comparisons
COLUMNS = ("material", "effort", "seconds", "at_tenth", "at_half", "after_tenth", "after_half", "ok")
# Largest allowed error of the time left, as a share of the time left: after the first tenth, and after half.
MOST = {"tenth": 0.30, "half": 0.20}
_END = 0.9  # of the time
_ROUNDED = 0.5  # error in seconds because the figure is shown in whole seconds

Clock = Callable[[], float]
Shown = tuple[float, float]  # seconds since the first report, and seconds left that the bar shows


@click.command("progress")
@click.option("--command", "commands", type=click.Choice(COMMANDS), multiple=True, default=COMMANDS, show_default=True)
@click.option("--size", type=click.IntRange(32, 4096), default=256, show_default=True, help="Texels of the middle.")
@click.option("--effort", "efforts", type=click.Choice(["draft", "fast", "normal", "thorough"]), multiple=True,
              default=EFFORTS, show_default=True)  # fmt: skip
@click.option("--cpu-time", is_flag=True,
              help="Seconds of the CPU, not of the wall, and one thread: where others work here too. Linux.")
@material_option()
@data_option()
@results_option("the tables go")
@click.pass_context
def progress(
    context: click.Context, commands: tuple[str, ...], size: int, efforts: tuple[str, ...], cpu_time: bool,
    names: tuple[str, ...], data: Path, results: Path,
) -> None:  # fmt: skip
    """How far the time left is off, of five materials at some efforts, one after the other: what one takes is
    remembered for the next, from nothing on. Other work on the machine spoils it."""
    with endings(context, results, keeps=False), tempfile.TemporaryDirectory() as folder:
        os.environ["GSTEX_STATE"] = folder
        clock, threads = (cpu_clock, 1) if cpu_time else (time.monotonic, None)
        if threads:
            native.set_thread_count(threads)
        materials = {name: _middle(load_material(data / name), size) for name in names or MATERIALS}
        kind = "the CPU, one thread" if cpu_time else "the wall"
        about = {**describe_run(typed_command(context)), "settings": f"{size}x{size} texels, seconds of {kind}"}
        for command in commands:
            rows = []
            for effort in efforts:
                if command == "batch":
                    runs = {f"all {len(materials)}": watch_batch(data, list(materials), size, effort, threads, clock)}
                else:
                    watch = watch_compress if command == "compress" else watch_compare
                    runs = {name: watch(material, effort, threads, clock) for name, material in materials.items()}
                for name, (shown, seconds) in runs.items():
                    row = {"material": name, "effort": effort, "seconds": seconds, **errors(shown, seconds)}
                    rows.append(row)
                    click.echo(f"{command} {name}, {effort}: {row['after_tenth']:.0%} off after a tenth, "
                               f"{row['after_half']:.0%} after half of {seconds:.1f} s", err=True)  # fmt: skip
            title = f"The time left that gstex {command} shows, as far as it is off"
            for path in write_table(results, f"progress-{command}", title, about, COLUMNS, rows):
                click.echo(path)


def _middle(material: Material, size: int) -> Material:
    height, width = min(size, material.height), min(size, material.width)
    return crop(material, (material.height - height) // 2, (material.width - width) // 2, height, width)


def watch_compress(material: Material, effort: str, threads: int | None, clock: Clock) -> tuple[list[Shown], float]:
    """What the bar of a fit shows, and how many seconds the fit takes from the first report on."""
    forecast, phase, watched = Forecast(), fit_phase(material, effort, None), _Watched(clock)

    def keep(now: gstex.Progress) -> None:
        forecast.take(watched.moment(), phase, now.step / now.steps)
        watched.show(forecast.left())

    gstex.compress(material, effort=effort, device="cpu", progress=keep)
    seconds = watched.moment()
    forecast.end(seconds)
    return watched.shown, seconds


def watch_compare(material: Material, effort: str, threads: int | None, clock: Clock) -> tuple[list[Shown], float]:
    """The same for a comparison with a page and an empty cache."""
    from gstex.compare import Step, compare
    from gstex.compare.cache import Cache
    from gstex.report import write_report

    forecast, watched = Forecast(), _Watched(clock)

    def keep(now: Step) -> None:
        forecast.take(watched.moment(), now.phase, now.step / max(now.steps, 1), now.later)
        watched.show(forecast.left())

    with tempfile.TemporaryDirectory() as folder:
        result = compare(material, codecs=CODECS, effort=effort, processes=threads, cache=Cache(Path(folder)),
                         page=True, progress=keep)  # fmt: skip
        write_report(result, Path(folder) / "page.html")
    seconds = watched.moment()
    forecast.end(seconds)
    return watched.shown, seconds


def watch_batch(
    data: Path, names: Sequence[str], size: int, effort: Any, threads: int | None, clock: Clock
) -> tuple[list[Shown], float]:  # fmt: skip
    """The same for a batch of all materials. Time counts from the first event that is not the start of a material."""
    from gstex.batch import Options, plan, run

    watched = _Watched(clock)
    with tempfile.TemporaryDirectory() as folder:
        library, out = Path(folder, "library"), Path(folder, "out")
        for name in names:
            _write_middle(data / name, library / name, size)
        batch = plan([library], out, options=Options(effort=effort, device="cpu"))
        forecast = BatchForecast(batch.items)
        for event in run(batch, jobs=threads, threads=threads):
            if event.event == "start":
                forecast.take(0.0, event)
                continue
            forecast.take(watched.moment(), event)
            watched.show(forecast.left())
    return watched.shown, watched.moment()


def _write_middle(source: Path, target: Path, size: int) -> None:
    """Write the middle of every map of a folder."""
    target.mkdir(parents=True)
    for path in sorted(p for p in source.iterdir() if p.suffix in (".png", ".jpg", ".webp")):
        whole = oiio.ImageBuf(str(path))
        spec = whole.spec()
        left, top = max(spec.width - size, 0) // 2, max(spec.height - size, 0) // 2
        roi = oiio.ROI(left, min(left + size, spec.width), top, min(top + size, spec.height), 0, 1, 0, whole.nchannels)
        oiio.ImageBufAlgo.cut(whole, roi).write(str(target / path.with_suffix(".png").name))


class _Watched:
    """What the bar shows and when. Times count from the first call of `moment`."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._started, self._last = clock, -1.0, 0.0
        self.shown: list[Shown] = []

    def moment(self) -> float:
        now = self._clock()
        if self._started < 0:
            self._started = now
        self._last = now - self._started
        return self._last

    def show(self, left: float | None) -> None:
        if left is not None:
            self.shown.append((self._last, left))


def cpu_clock() -> float:
    """CPU seconds of this process and of its children."""
    times = os.times()
    ticks = 0
    for tasks in Path("/proc/self/task").glob("*/children"):
        for child in tasks.read_text().split():
            try:
                fields = Path("/proc", child, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # the child has ended, so os.times() counts it
            ticks += int(fields[11]) + int(fields[12])
    return times.user + times.system + times.children_user + times.children_system + ticks / os.sysconf("SC_CLK_TCK")


def errors(shown: Sequence[Shown], seconds: float) -> JsonObject:
    """Errors of the bar as shares of the time left: after a tenth and after half of the time, and the largest ones from
    a tenth to half and from half to nine tenths. Between two reports the bar shows the figure of the first one."""
    points: list[tuple[float, float]] = []  # share of the time, error
    for moment, left in shown:
        if moment < seconds:
            off = max(abs(left - (seconds - moment)) - _ROUNDED, 0.0)
            points.append((moment / seconds, off / (seconds - moment)))

    def at(share: float) -> float:
        return next((error for when, error in reversed(points) if when <= share), float("inf"))

    def most(first: float, last: float) -> float:
        return max([at(first), *(error for when, error in points if first <= when <= last)])

    row = {"at_tenth": at(0.1), "at_half": at(0.5), "after_tenth": most(0.1, 0.5), "after_half": most(0.5, _END)}
    ok = row["after_tenth"] <= MOST["tenth"] and row["after_half"] <= MOST["half"]
    return {**row, "ok": "yes" if ok else "no"}
