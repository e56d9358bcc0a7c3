"""One measurement of bench_times.py: an order as JSON comes in, figures as JSON go out. Any gstex 0.1 can run it.

The order: source, bpp, effort, threads (None for all) and, to decode, file; `write` writes that file.
"""

import contextlib
import json
import sys
import time
from typing import Any

import numpy as np

import gstex


def main(order: dict[str, Any]) -> dict[str, float]:
    set_threads(order["threads"])
    small = np.random.default_rng(0).uniform(0, 1, (32, 32, 3))
    warm = gstex.compress(as_material(small), bpp=order["bpp"] + 2, effort=order["effort"], device="cpu")
    warm.decode()
    options = {"bpp": order["bpp"], "effort": order["effort"], "device": "cpu"}
    if "file" not in order or order.get("write"):
        started = time.perf_counter()
        texture = gstex.compress(order["source"], **options)
        seconds, psnr = time.perf_counter() - started, texture.report["psnr"]
        if "file" in order:
            texture.save(order["file"])
    else:
        texture = gstex.load(order["file"])
        texture.decode()
        started = time.perf_counter()
        texture.decode()
        seconds, psnr = time.perf_counter() - started, texture.report["psnr"]
    return {"seconds": seconds, "megabytes": peak_megabytes(), "psnr": psnr}


def set_threads(count: int | None) -> None:
    if count is None:
        return
    try:
        from gstex.native import set_thread_count
    except ImportError:  # before the native core
        from numba import set_num_threads as set_thread_count
    set_thread_count(count)


def as_material(pixels: np.ndarray) -> Any:
    from gstex.material import Channel, Material

    channels = tuple(Channel("albedo", c, "srgb", "small.png", i, None, (0.0, 1.0)) for i, c in enumerate("rgb"))
    return Material("small", 32, 32, (), channels, pixels.astype(np.float32), None, "repeat")


def peak_megabytes() -> float:
    """0 where the system does not tell."""
    with contextlib.suppress(ImportError):
        import resource

        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return 0.0


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
