"""What sharing footprints between mips would give (docs/design-notes/0003-mips.md).

    python tools/experiment_shared_mips.py [MATERIAL ...]

For every material: mips with Gaussians of their own, each fitted from the mip above; then the Gaussians of mip 0 kept
for all mips, with values of their own a mip (as in GTC, arXiv 2607.27943), found by Adam with the geometry fixed; then
mip 0's values as well. Mip 0 is fitted without sight of the others. Prints PSNR, bytes and candidates a texel of each
as Markdown.
"""

import sys
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import bench_cases  # noqa: E402

import gstex  # noqa: E402
from gstex import metrics  # noqa: E402
from gstex.cells import place  # noqa: E402
from gstex.compression import tasks_of  # noqa: E402
from gstex.fit import kernels  # noqa: E402
from gstex.fit.chain import fit_chain  # noqa: E402
from gstex.fit.cpu import CpuBackend  # noqa: E402
from gstex.fit.engine import NO_JITTER  # noqa: E402
from gstex.fit.quantise import Quantiser  # noqa: E402
from gstex.fit.settings import make_settings  # noqa: E402
from gstex.fit.task import Result, Task  # noqa: E402
from gstex.format import pack  # noqa: E402
from gstex.material.mips import make_mips  # noqa: E402
from gstex.packing import pack_mips  # noqa: E402

STEPS = 400
LEVELS = 3


def shared(first: Result, task: Task, *, own_values: bool) -> tuple[float, float, int]:
    """(PSNR, candidates a texel, bytes) of a mip drawn with the Gaussians of mip 0 at its size.

    The bytes are those of the values alone, at the bits that mip 0 stores them with.
    """
    geometry, features = Quantiser(first.coding, first.placement).decode(first.geometry, first.features)
    height, width = task.image.shape[:2]
    scale = width / first.coding.pyramid.width
    geometry[:, :2] *= scale
    geometry[:, 3:5] = np.maximum(geometry[:, 3:5] + np.log(scale), np.log(0.25))
    cells = type(first.coding.pyramid)(width, height, task.repeat, first.coding.pyramid.cells)
    backend = CpuBackend(cells)
    backend.set_target(task.image, task.importance)
    placement = place(cells, geometry)
    backend.place(placement, geometry)
    background = task.image.mean(axis=(0, 1)).astype(np.float32)
    if own_values:
        m, v = np.zeros_like(features), np.zeros_like(features)
        for step in range(1, STEPS + 1):
            _, _, v_features, _ = backend.step(geometry, features, background, NO_JITTER)
            rate = np.full(features.shape[1], 0.02 * 0.01 ** (step / STEPS), np.float32)
            kernels.adam(features, v_features, m, v, rate, np.float32(0.9), np.float32(0.99), np.int64(step))
    image = backend.render(geometry, features, background, NO_JITTER)[0]
    counts = [np.bincount(placement[placement[:, 0] == i, 1] + placement[placement[:, 0] == i, 2] * nx,
                          minlength=nx * ny).reshape(ny, nx) for i, (nx, ny) in enumerate(cells.cells)]  # fmt: skip
    mean = sum(_mean_candidates(width, height, task.repeat, level) for level in counts)
    byte_count = int(first.coding.channel_bits.sum()) * len(geometry) // 8 if own_values else 0
    return metrics.psnr(image.clip(0, 1), task.image, task.importance), mean, byte_count


def _mean_candidates(width: int, height: int, repeat: bool, counts: np.ndarray) -> float:
    """Gaussians of a level in the 3x3 cells around a texel, on average. counts: [cells_y, cells_x]."""
    padded = np.pad(counts, 1, mode="wrap" if repeat else "constant")
    sums = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).sum(axis=(2, 3))
    rows, columns = ((2 * np.arange(size) + 1) * n // (2 * size) for size, n in zip((height, width), counts.shape,
                                                                                  strict=True))  # fmt: skip
    return float(sums[np.ix_(rows, columns)].mean())


@click.command()
@click.argument("names", nargs=-1)
@click.option("--data", type=click.Path(path_type=Path), default=ROOT.parent / "shared" / "data")
@click.option("--bpp", type=float, default=1.0, show_default=True)
def main(names: tuple[str, ...], data: Path, bpp: float) -> None:
    """Compare mips of their own with shared footprints on the 256x256 crops."""
    print("| crop | mip | own set: PSNR, bytes, candidates | shared footprints, own values | shared values too |")
    print("|---|---|---|---|---|")
    for case in bench_cases.quick_cases(data):
        if names and case.name not in names:
            continue
        material = case.load()
        varying = [i for i, c in enumerate(material.channels) if c.constant is None]
        levels = make_mips(material, repeat=False)
        budget = int(bpp * material.width * material.height / 32)
        tasks = tasks_of(material, levels, varying, budget, None, repeat=False)
        settings = make_settings("normal", "direct", "l2")
        fitted = fit_chain(tasks, settings, sharing=0, seed=0, progress=lambda *_: None)
        first = fitted[0]
        assert isinstance(first, Result)
        texture = gstex.Texture(pack(pack_mips(material, fitted, repeat=False, bilinear=False)), {})
        for mip in range(1, LEVELS + 1):
            own, task = texture.info()["mips"][mip], tasks[mip]
            psnr = metrics.psnr(texture.decode(mip)[:, :, varying], task.image, task.importance)
            cells = [f"{psnr:.1f} dB, {own['bytes']}, {own['candidates_mean']:.0f}"]
            for own_values in (True, False):
                psnr, candidates, byte_count = shared(first, task, own_values=own_values)
                cells.append(f"{psnr:.1f} dB, {byte_count}, {candidates:.0f}")
            print(f"| {case.name} | {mip} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
