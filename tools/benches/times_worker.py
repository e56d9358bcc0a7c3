"""One measurement of times.py: an order as JSON comes in, figures as JSON go out. Any gstex 0.1 can run it.

The order holds source, size (of the middle or of repetitions, None for the whole material), bpp, effort, threads (None
for all) and, to decode, file; `write` writes that file.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import gstex

if TYPE_CHECKING:
    from gstex.json_types import JsonView
    from gstex.material import Material


def main(order: JsonView) -> dict[str, float]:
    set_threads(order["threads"])
    small = np.random.default_rng(0).uniform(0, 1, (32, 32, 3))
    warm = gstex.compress(as_material(small), bpp=order["bpp"] + 2, effort=order["effort"], device="cpu")
    warm.decode()
    options = {"bpp": order["bpp"], "effort": order["effort"], "device": "cpu"}
    reports: list[tuple[float, float]] = []
    if "file" not in order or order.get("write"):
        options["progress"] = lambda now: reports.append((time.perf_counter(), now.step / now.steps))
        source = order["source"] if order["size"] is None else resized(order["source"], order["size"])
        in_loops = loop_seconds()
        started = time.perf_counter()
        texture = gstex.compress(source, **options)
        seconds, psnr = time.perf_counter() - started, texture.report["psnr"]
        if "file" in order:
            texture.save(order["file"])
    else:
        texture = gstex.load(order["file"])
        texture.decode()
        in_loops = loop_seconds()
        started = time.perf_counter()
        texture.decode()
        seconds, psnr = time.perf_counter() - started, texture.report["psnr"]
    return {"seconds": seconds, "megabytes": peak_megabytes(), "psnr": psnr,
            "serial": seconds - (loop_seconds() - in_loops), "bar_off": bar_off(reports, started, seconds)}  # fmt: skip


def loop_seconds() -> float:
    """Seconds in loops that run on several threads; 0 for a gstex that does not count them."""
    with contextlib.suppress(ImportError):
        from gstex.native import loop_seconds as counted

        return counted()
    return 0.0


def bar_off(reports: list[tuple[float, float]], started: float, seconds: float) -> float:
    """The largest error of the end that the progress bar predicts after a tenth of the time, as a share of the whole
    time.

    reports: (moment, share that is done). The bar extrapolates from the first of them (gstex/cli/progress.py).
    """
    worst = 0.0
    for moment, part in reports:
        if moment - started > seconds / 10 and part > reports[0][1]:
            left = (moment - reports[0][0]) / (part - reports[0][1]) * (1 - part)
            worst = max(worst, abs((moment + left - started) / seconds - 1))
    return worst


def set_threads(count: int | None) -> None:
    if count is None:
        return
    try:
        from gstex.native import set_thread_count
    except ImportError:  # versions without the native core
        from numba import set_num_threads as set_thread_count  # type: ignore[import-not-found,no-redef,unused-ignore]
    set_thread_count(count)


def resized(source: str, size: int) -> Material:
    """The middle of a material; a smaller material is repeated."""
    from gstex.material import load_material

    material = load_material(source)
    height, width = material.pixels.shape[:2]
    rows = np.arange(size) + max(0, height - size) // 2
    columns = np.arange(size) + max(0, width - size) // 2
    some = np.ix_(rows % height, columns % width)
    changes: dict[str, Any] = {"width": size, "height": size, "pixels": material.pixels[some]}
    if hasattr(material, "originals"):  # early versions have no such field
        changes["originals"] = {}
    return replace(material, **changes)


def as_material(pixels: NDArray[np.float64]) -> Material:
    from gstex.material import Channel, Material

    channels = tuple(Channel("albedo", c, "srgb", "small.png", i, None, (0.0, 1.0)) for i, c in enumerate("rgb"))
    return Material("small", 32, 32, (), channels, pixels.astype(np.float32), None, "repeat")


def peak_megabytes() -> float:
    """Peak memory of the process in MiB; 0 where the system does not tell."""
    with contextlib.suppress(ImportError):
        import resource

        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return 0.0


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
