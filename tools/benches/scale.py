"""Time and memory of a library on many cores or GPUs, computed from single fits: the `scale` table of
tools/bench.py."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import click

from benches.run import endings, results_option
from benches.table import describe_run, typed_command, write_table
from gstex.json_types import JsonObject

__all__ = ["scale", "scale_rows"]

COLUMNS = ("where", "effort", "from", "seconds_each", "hours", "gigabytes")
_THREADS = 2  # threads of the fits in the table `times`
_SIDE = 2048
_TIMES, _GPU = "times.csv", "gpu-nvidia-h200-fits.json"


@click.command()
@click.option("--materials", type=click.IntRange(min=1), default=10000, show_default=True)
@click.option("--cores", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--gpus", type=click.IntRange(min=1), default=8, show_default=True)
@results_option("the tables of times lie and this one goes")
@click.pass_context
def scale(context: click.Context, materials: int, cores: int, gpus: int, results: Path) -> None:
    """What a library of 2048x2048 takes, from the tables of times and of fits on a GPU. Measures nothing."""
    with endings(context, results, keeps=False):
        rows = scale_rows(results, materials, cores, gpus)
        settings = (
            f"{materials} materials of {_SIDE}x{_SIDE}, 8 channels: on cores those of {_TIMES}, on GPUs a mosaic of "
            "the samples at 1 bit per texel; measured on the machines that the files name"
        )
        about = {**describe_run(typed_command(context)), "settings": settings}
        title = "What a library takes, computed from single fits"
        for path in write_table(results, "scale", title, about, COLUMNS, rows):
            click.echo(path)


def scale_rows(results: Path, materials: int, cores: int, gpus: int) -> list[JsonObject]:
    """A row for each effort, on cores and on GPUs. results: folder of the tables.

    A fit on one core takes the parallel time of the measured fit times its threads, plus the serial time. Times
    measured at another size scale with the number of texels. Memory is that of a fast fit of this size. A GPU does one
    fit after the other.
    """
    with open(results / _TIMES, newline="", encoding="utf-8") as file:
        times = {row["case"]: row for row in csv.DictReader(file)}
    rows = []
    for effort, side in (("fast", 2048), ("normal", 512)):
        row = times[f"fit {side}x{side} {effort}"]
        serial = float(row["serial"])
        larger = (_SIDE / side) ** 2
        each = larger * (_THREADS * (float(row["time"]) - serial) + serial)
        rows.append({"where": f"{cores} cores", "effort": effort, "from": f"{_TIMES}, {side}x{side}",
                     "seconds_each": each, "hours": materials * each / cores / 3600,
                     "gigabytes": cores * float(times[f"fit {_SIDE}x{_SIDE} fast"]["megabytes"]) / 1024})  # fmt: skip
    gpu_rows = json.loads((results / _GPU).read_text("utf-8"))["parts"]["fits"]["result"]["rows"]
    for effort in ("fast", "normal"):
        last = [row for row in gpu_rows if (row["size"], row["effort"]) == (_SIDE, effort)][-1]
        rows.append({"where": f"{gpus} GPUs", "effort": effort, "from": f"{_GPU}, without mips",
                     "seconds_each": last["seconds"], "hours": materials * last["seconds"] / gpus / 3600,
                     "gigabytes": gpus * last["gpu_bytes_held"] / 1024**3})  # fmt: skip
    return rows
