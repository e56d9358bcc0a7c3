"""`bench.py restore`: how much closer a fit brings pictures damaged by JPEG or noise to the clean pictures.

The fit sees only the damaged picture. docs/benchmarks.md says what the columns mean.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import PIL
from PIL import Image

import gstex
from benches.cases import Case
from benches.images import as_material, read_opaque
from benches.run import data_option, endings, material_option, pick, results_option
from benches.store import Store, code_version, key_of
from benches.strips import from_text, sheet, to_text
from benches.table import describe_run, means, typed_command, write_table
from gstex import metrics
from gstex.arrays import FloatArray, U8Array
from gstex.json_types import JsonObject, JsonView
from gstex.material.images import write_picture

__all__ = ["restore"]

STORE_NAME = ".restore-store.jsonl"
SEED = 0
SIZE = 256
COLUMNS = (
    "image", "damage", "bpp", "gaussians", "damaged_psnr", "restored_psnr", "restored_gain", "l2_gain", "blur_gain",
    "seconds",
)  # fmt: skip
BLURS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0)  # sigma in texels
TIMES = 4  # pixels per texel in the picture
PART = (80, 80, 64)  # first row, first column and size of the part that the picture shows


@dataclass(frozen=True)
class Picture:
    """A crop of SIZE x SIZE texels. shown: the damage that the picture shows, if the crop is in it."""

    name: str
    path: str
    row: int
    column: int
    shown: str = ""


PICTURES = (
    Picture("bg club", "images/bg club.jpg", 200, 660, shown="jpeg 10"),
    Picture("goblin", "images/goblin.png", 0, 0),
    Picture("kate-hazen-pop-m3lvin", "images/kate-hazen-pop-m3lvin.png", 420, 760),
    Picture("kodim23", "images/kodim23.png", 120, 70, shown="noise 25"),
    Picture("sylvie green smile", "images/sylvie green smile.png", 20, 66, shown="jpeg 10"),
    Picture("corrugated_steel007b", "corrugated_steel007b/CorrugatedSteel007B_1K-JPG_Color.jpg", 384, 384),
    Picture("fabric_pattern_07", "fabric_pattern_07/fabric_pattern_07_col_1_1k.jpg", 384, 384),
    Picture("flight_helmet_mat3", "flight_helmet_mat3/FlightHelmet_baseColor3.png", 1552, 108),
    Picture("trim_misc_1", "trim_misc_1/trim_misc_1_albedo.png", 1030, 1600),
)
DAMAGES = ("noise 15", "noise 25", "jpeg 10", "jpeg 20", "jpeg 30")


def damage(pixels: U8Array, how: str) -> U8Array:
    """Damage uint8 [h, w, 3]: 'noise S' adds normal noise of sigma S / 255, 'jpeg Q' stores it at quality Q."""
    kind, amount = how.split()
    if kind == "noise":
        noise = np.random.default_rng(SEED).normal(0, float(amount), pixels.shape)
        return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(amount))
    return np.asarray(Image.open(file).convert("RGB"))


def blurred(image: FloatArray, sigma: float) -> FloatArray:
    """Blur float [h, w, C] with a Gaussian of sigma texels. Border texels are repeated outwards."""
    if sigma == 0:
        return image
    reach = int(np.ceil(4 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        padded = np.pad(image, [(reach, reach) if a == axis else (0, 0) for a in range(3)], mode="edge")
        image = sum(t * np.take(padded, np.arange(image.shape[axis]) + k, axis) for k, t in enumerate(taps))
    return image


@click.command()
@click.option("--bpp", type=click.FloatRange(min=0, max=64, min_open=True), metavar="B",
              help="Bits per texel.  [default: that of --quality normal]")
@click.option("--effort", type=click.Choice(["fast", "normal", "thorough"]), default="fast", show_default=True,
              help="Of the fits with loss l2.")
@material_option("one")
@data_option()
@results_option("the table and kept rows go")
@click.pass_context
def restore(
    context: click.Context, bpp: float | None, effort: str, names: tuple[str, ...], data: Path, results: Path
) -> None:
    """Damaged pictures: how much cleaner --loss restore makes them."""
    cases = [Case(p.name, data / p.path, "whole") for p in PICTURES if (data / p.path).exists()]
    if not cases:
        raise click.ClickException(f"{data}: holds none of {', '.join(p.path for p in PICTURES)}; give --data DIR")
    picked = {case.name: case for case in pick(cases, names)}
    store = Store(results / STORE_NAME)
    rows, strips = [], []
    with endings(context, results):
        for picture in PICTURES:
            if picture.name not in picked:
                continue
            whole = read_opaque(picked[picture.name].path)
            clean = whole[picture.row : picture.row + SIZE, picture.column : picture.column + SIZE]
            for how in DAMAGES:
                row = _kept(picture.name, clean, how, {"bpp": bpp, "effort": effort, "seed": SEED}, store)
                rows.append({"image": picture.name, "damage": how, **row})
                if how == picture.shown:
                    strips.append(_strip(clean, row))
        about = {**describe_run(typed_command(context)), "pillow": PIL.__version__,
                 "settings": f"effort {effort}, mips off, seed {SEED}"}  # fmt: skip
        title = "Damaged pictures, restored by a fit"
        rows += means(rows, "damage", COLUMNS)
        for path in write_table(results, "restore", title, about, COLUMNS, rows):
            click.echo(path)
        if strips:
            write_picture(results / "restore.png", sheet(strips, times=TIMES))
            click.echo(results / "restore.png")


def _kept(name: str, clean: U8Array, how: str, settings: JsonView, store: Store) -> JsonObject:
    """The figures of one damage. They come from the store, or are measured and stored."""
    keyed = {**settings, "damage": how, "pillow": PIL.__version__, "part": PART}
    key = key_of(as_material(clean), keyed, code_version())

    def find_out() -> JsonObject:
        click.echo(f"{name}, {how}", err=True)
        return measure(clean, damage(clean, how), settings)

    return store.kept(key, keyed, find_out)


def measure(clean: U8Array, damaged: U8Array, settings: JsonView) -> JsonObject:
    """Fit a damaged picture and compare the result with the clean one, both uint8 [h, w, 3]."""
    truth, damaged_image = clean / 255, damaged / 255
    material = as_material(damaged)
    restored = gstex.compress(material, loss="restore", mips=False, **settings)
    image = restored.decode()
    plain = gstex.compress(material, mips=False, **{**settings, "bpp": restored.fit["bpp"]})
    before, after = metrics.psnr(damaged_image, truth), metrics.psnr(image, truth)
    return {
        "bpp": restored.report["bpp"],
        "gaussians": restored.report["gaussians"],
        "damaged_psnr": before,
        "restored_psnr": after,
        "restored_gain": after - before,
        "l2_gain": metrics.psnr(plain.decode(), truth) - before,
        "blur_gain": max(metrics.psnr(blurred(damaged_image, sigma), truth) for sigma in BLURS) - before,
        "seconds": restored.report["seconds"],
        "pictures": [to_text(_part(damaged)), to_text(_part(np.rint(image.clip(0, 1) * 255).astype(np.uint8)))],
    }


def _part(pixels: U8Array) -> U8Array:
    row, column, size = PART
    return pixels[row : row + size, column : column + size]


def _strip(clean: U8Array, row: JsonView) -> list[tuple[str, U8Array]]:
    """The clean, the damaged and the restored picture."""
    before, after = (from_text(text) for text in row["pictures"])
    return [
        ("original", _part(clean)),
        (f"damaged: {row['damaged_psnr']:.1f} dB", before),
        (f"restored: {row['restored_psnr']:.1f} dB", after),
    ]
