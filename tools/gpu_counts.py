"""What a fit asks of a GPU, counted without a GPU: launches, waits, and the seconds that the host itself takes, by
phase.

    python tools/gpu_counts.py --size 256
    python tools/gpu_counts.py --size 1024 --effort fast --json counts.json     hours: kernels run on one core

Kernels run on the host (tests/cuda_host, which needs g++). Their seconds say nothing about a GPU and are left out. The
time that a driver takes for a launch is not counted either. tests/counting_device.py says what counts as one.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from gpu.material import write_material
from gpu.phases import by_phase

import gstex
from gstex.encode import compress as compression
from gstex.encode.settings import EFFORTS
from gstex.json_types import JsonObject, JsonView
from gstex.material import Material, load_material

__all__ = ["count_fit", "lines"]

_TESTS = Path(__file__).resolve().parent.parent / "tests"
COUNTED = ("host_seconds", "launches", "waits", "recorded")


@click.command()
@click.option("--size", type=click.IntRange(min=16), default=256, show_default=True, help="Texels along an edge.")
@click.option("--effort", type=click.Choice(list(EFFORTS)), default="fast", show_default=True)
@click.option("--json", "out", type=click.Path(path_type=Path), metavar="FILE.json", help="Write the rows as well.")
def counts(size: int, effort: str, out: Path | None) -> None:
    """Count what a fit asks of a GPU, with kernels on the host."""
    with tempfile.TemporaryDirectory(prefix="gstex-counts-") as folder:
        material = load_material(write_material(Path(folder) / "mosaic", size))
        result = count_fit(material, effort=effort)
    click.echo("\n".join(lines(result)))
    if out:
        out.write_text(json.dumps({"size": size, "effort": effort, **result}, indent=2) + "\n")


def count_fit(material: Material, **options: Any) -> JsonObject:
    """Compress a material: {"whole": counts, "phases": {phase: counts}, "psnr", "gaussians"}.

    options: arguments of `gstex.compress`. The measurement of the result is not counted.
    """
    sys.path.append(str(_TESTS))
    try:
        device = import_module("counting_device").CountingDevice()
    finally:
        sys.path.remove(str(_TESTS))

    def read() -> dict[str, float]:
        counts = device.counts
        outside = time.perf_counter() - counts.device_seconds
        return dict(zip(COUNTED, (outside, counts.launches, counts.waits, counts.recorded), strict=True))

    owner: Any = compression
    opened, owner.open_device = owner.open_device, lambda preference: device
    try:
        with by_phase(read) as phases:
            texture = gstex.compress(material, device="cuda", **options)
    finally:
        owner.open_device = opened
    fit_phases = {name: row for name, row in phases.items() if name not in ("before and after", "measuring")}
    whole = {key: sum(row[key] for row in fit_phases.values()) for key in COUNTED}
    return {"whole": whole, "phases": fit_phases, "psnr": texture.report["psnr"],
            "gaussians": texture.report["gaussians"]}  # fmt: skip


def lines(result: JsonView) -> list[str]:
    """The counts for people: one line per phase, and one for all."""
    head = f"{'phase':<20}{'host s':>9}{'launches':>10}{'waits':>8}{'recorded':>10}"
    rows = [*result["phases"].items(), ("all", result["whole"])]
    return [head, *(f"{name:<20}{row['host_seconds']:>9.3f}{row['launches']:>10.0f}{row['waits']:>8.0f}"
                    f"{row['recorded']:>10.0f}" for name, row in rows)]  # fmt: skip


if __name__ == "__main__":
    counts()
