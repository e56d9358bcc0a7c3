"""Draw a cut-out at several mips and magnifications, original beside gstex, over backgrounds that show a fringe.

    python tools/cutout_picture.py [MATERIAL] [-o PICTURE]

A row is a view: magnified 8 times around an edge, mip 0, and every second mip down to 8x8, each enlarged to the same
size. The columns show uncompressed mips and gstex, both sampled as by a shader and composited in linear light over
black, white and magenta. Samples between texels also use the colour under zero opacity, so a wrong one shows as a halo
or a coloured fringe on at least one background.
"""

import sys
from pathlib import Path

import click
import numpy as np

from gstex.arrays import F32Array, F64Array

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))

import gstex  # noqa: E402
from gstex.decode import PictureLevels, sample_at  # noqa: E402
from gstex.material import load_material  # noqa: E402
from gstex.material.images import write_picture  # noqa: E402
from gstex.material.mips import make_mips  # noqa: E402
from gstex.srgb import linear_to_srgb, srgb_to_linear  # noqa: E402

GROUNDS = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 0.0, 1.0))
SIZE, GAP, RATE = 192, 4, 2.0


def view(corner: tuple[float, float], extent: float) -> F32Array:
    """Texture coordinates [SIZE * SIZE, 2] of a square of the texture."""
    at = (np.arange(SIZE) + 0.5) / SIZE * extent
    u, v = np.meshgrid(corner[0] + at, corner[1] + at)
    return np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float32)


def over(values: F32Array, albedo: list[int], opacity: int, ground: tuple[float, ...]) -> F64Array:
    """The cut-out [SIZE * SIZE, C] over a background, blended in linear light: [SIZE, SIZE, 3] sRGB."""
    alpha = values[:, opacity, None]
    light = srgb_to_linear(values[:, albedo]) * alpha + np.array(ground) * (1 - alpha)
    return linear_to_srgb(light).reshape(SIZE, SIZE, 3)


def edge(opacity: F32Array) -> tuple[float, float]:
    """The corner (u, v) of the part of [H, W] with the most edges; a part is an eighth of the size each way."""
    change = np.abs(np.diff(opacity, axis=0, append=0)) + np.abs(np.diff(opacity, axis=1, append=0))
    height, width = opacity.shape
    h, w = height // 8, width // 8
    parts = change[: h * 8, : w * 8].reshape(8, h, 8, w).sum(axis=(1, 3))
    row, column = np.unravel_index(parts.argmax(), parts.shape)
    return float(column) / 8, float(row) / 8


@click.command()
@click.argument("source", default=str(ROOT / "samples" / "vine_leaves"))
@click.option("-o", "--output", default=str(ROOT / "benchmarks" / "results" / "cutout.png"), show_default=False)
@click.option("--bpp", type=float, default=RATE, show_default=True)
def main(source: str, output: str, bpp: float) -> None:
    """Compress a cut-out and draw it."""
    material = load_material(source)
    albedo = [i for i, c in enumerate(material.channels) if c.role == "albedo"]
    opacity = next(i for i, c in enumerate(material.channels) if c.role == "opacity")
    texture = gstex.compress(material, bpp=bpp, alpha_test=0.5)
    repeat = texture.wrap == "repeat"
    levels = make_mips(material, repeat=repeat, alpha_test=0.5)
    srgb = np.array([c.color_space == "srgb" for c in material.channels])
    pictures = PictureLevels([level.pixels for level in levels], srgb, repeat=repeat)
    views = [(edge(material.pixels[:, :, opacity]), 0.125, 0)]
    views += [((0.0, 0.0), 1.0, mip) for mip in range(0, texture.mip_count - 3, 2)]
    rows = []
    for corner, extent, mip in views:
        uv = view(corner, extent)
        original = sample_at(pictures, uv, lod=np.full(len(uv), float(mip)))
        cells = [over(v, albedo, opacity, g) for g in GROUNDS for v in (original, texture.sample(uv, mip))]
        rows.append(np.concatenate([np.pad(c, ((0, GAP), (0, GAP), (0, 0)), constant_values=0.5) for c in cells], 1))
    write_picture(output, np.rint(np.concatenate(rows).clip(0, 1) * 255).astype(np.uint8))
    covered = [float((level.pixels[:, :, opacity] >= 0.5).mean()) for level in levels]
    stored = [float((texture.decode(m)[:, :, opacity] >= 0.5).mean()) for m in range(texture.mip_count)]
    for mip, (a, b) in enumerate(zip(covered, stored, strict=True)):
        print(f"mip {mip}: coverage {100 * a:.1f} % in the reference, {100 * b:.1f} % in the file")
    print(output)


if __name__ == "__main__":
    main()
