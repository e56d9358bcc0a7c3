"""`bench.py images`: single pictures at low rates, gstex against JPEG and AVIF.

JPEG and AVIF use entropy coding and decode whole pictures, which a texture cannot do. The table shows what random
access costs. docs/benchmarks.md says what the columns mean.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import PIL
from PIL import Image, ImageFile, features

import gstex
from benches.cases import list_cases
from benches.image_gs import FIT_SOURCES
from benches.run import data_option, effort_option, endings, material_option, pick, results_option
from benches.store import Store, code_version, key_of
from benches.table import describe_run, typed_command, write_table
from benchmarks.image_gs import fit_image_gs
from gstex import metrics
from gstex.arrays import U8Array
from gstex.cli.options import parse_rates
from gstex.errors import BudgetError
from gstex.json_types import JsonObject, JsonView
from gstex.material import Material, load_material

__all__ = ["as_material", "images", "read_opaque"]

STORE_NAME = ".images-store.jsonl"
SEED = 0
EXACT = 99.0  # dB that stand for no error at all
RATES = [0.1, 0.2, 0.3, 0.5]
COLUMNS = (
    "image", "width", "height", "bpp_asked", "gstex_bpp", "gstex_file_bpp", "gstex_psnr", "jpeg_bpp", "jpeg_psnr",
    "jpeg_how", "jpeg_gain", "jpeg_small_bpp", "jpeg_small_psnr", "jpeg_small_how", "jpeg_small_gain", "avif_bpp",
    "avif_psnr", "avif_how", "avif_gain",
)  # fmt: skip
IMAGE_GS_COLUMNS = ("image_gs_psnr", "image_gs_gain")
RIVALS = ("jpeg", "jpeg_small", "avif", "image_gs")
SUBSAMPLINGS = ("4:2:0", "4:4:4")
QUALITIES = {"JPEG": (1, 95), "AVIF": (0, 100)}  # of Pillow; JPEG above 95 only grows
OPTIONS: dict[str, dict[str, int]] = {"JPEG": {"optimize": True, "progressive": True}, "AVIF": {"speed": 4}}
SMALLER = (2, 3, 4, 6, 8)  # the picture of the columns jpeg_small is stored this many times smaller


@dataclass(frozen=True)
class Coded:
    """A picture as a codec stored it. how: such as '4:2:0 q30', or '1/2 4:2:0 q30' if it was shrunk."""

    bytes: int
    psnr: float
    how: str


@click.command()
@effort_option
@click.option("--bpp", "rates", metavar="B,B,...", callback=parse_rates,
              help="Bits per texel.  [default: 0.1,0.2,0.3,0.5]")
@click.option("--image-gs", is_flag=True, help="Fit Image-GS too, as published.")
@material_option("image")
@data_option("Folder with a folder 'images'")
@results_option("the table and kept rows go")
@click.pass_context
def images(
    context: click.Context, effort: str, rates: list[float] | None, image_gs: bool, names: tuple[str, ...], data: Path,
    results: Path,
) -> None:  # fmt: skip
    """Single images at low rates: gstex against JPEG and AVIF."""
    cases = [case for case in list_cases(data, "whole") if case.path.is_file()] if data.is_dir() else []
    if not cases:
        raise click.ClickException(f"{data}: holds no folder 'images' with pictures; give one with --data DIR")
    cases = pick(cases, names)
    if not features.check("avif"):
        click.echo("AVIF is left out: this Pillow was built without it", err=True)
    store = Store(results / STORE_NAME)
    rows = []
    with endings(context, results):
        for case in cases:
            pixels = read_opaque(case.path)
            material = as_material(pixels)
            for rate in rates or RATES:
                row = measure(pixels, material, rate, effort, image_gs, store, case.name)
                rows.append({"image": case.name, **row})
        about = {**describe_run(typed_command(context)), "pillow": PIL.__version__,
                 "settings": f"effort {effort}, mips off, seed {SEED}"}  # fmt: skip
        columns = COLUMNS + (IMAGE_GS_COLUMNS if image_gs else ())
        for path in write_table(results, "images", "Single images at low rates", about, columns, with_means(rows)):
            click.echo(path)


def read_opaque(path: Path) -> U8Array:
    """Read a picture as uint8 [H, W, 3], sRGB. One with opacity is composited over white in its stored values."""
    try:
        picture = Image.open(path).convert("RGBA")
    except OSError as error:
        raise gstex.GstexError(f"{path.name}: {error}") from None
    return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB"))


def as_material(pixels: U8Array) -> Material:
    """A picture uint8 [H, W, 3], sRGB, as a material."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        Image.fromarray(pixels).save(path)
        return load_material(path)


def measure(
    pixels: U8Array, material: Material, rate: float, effort: str, image_gs: bool, store: Store, name: str
) -> JsonObject:
    """A row of one picture [H, W, 3] and rate. Its figures come from the store, or are measured and stored."""
    texels = material.width * material.height
    budget = int(rate * texels / 8)
    pillow = f"pillow {PIL.__version__}"

    def stored(kind: str, settings: JsonView, code: str, make: Callable[[], JsonObject]) -> JsonObject:
        settings = {"kind": kind, **settings}

        def find_out() -> JsonObject:
            _say(f"{name} at {rate:g} bpp: {kind}")
            return make()

        return store.kept(key_of(material, settings, code), settings, find_out)

    fit = {"bpp": rate, "effort": effort, "seed": SEED}
    ours = stored("gstex", fit, code_version(), lambda: _fit(material, fit))
    row: JsonObject = {"width": material.width, "height": material.height, "bpp_asked": rate, **ours}
    makers: dict[str, Callable[[], Coded | None]] = {
        "jpeg": lambda: best_coded(pixels, "JPEG", budget, (1,)),
        "jpeg_small": lambda: best_coded(pixels, "JPEG", budget, SMALLER),
    }
    if features.check("avif"):
        makers["avif"] = lambda: best_coded(pixels, "AVIF", budget, (1,))
    for rival, make in makers.items():
        figures = stored(rival, {"budget": budget}, pillow, lambda make=make: _as_json(make()))  # type: ignore[misc]
        if figures:
            row |= {f"{rival}_bpp": 8 * figures["bytes"] / texels, f"{rival}_psnr": figures["psnr"],
                    f"{rival}_how": figures["how"]}  # fmt: skip
    if image_gs:
        code = code_version(FIT_SOURCES)
        row |= stored("image-gs", {"budget": budget}, code, lambda: _fit_image_gs(material, budget))
    for rival in RIVALS:
        if f"{rival}_psnr" in row and "gstex_psnr" in row:
            row[f"{rival}_gain"] = row["gstex_psnr"] - row[f"{rival}_psnr"]
    return row


def _fit(material: Material, settings: JsonView) -> JsonObject:
    try:
        texture = gstex.compress(material, mips=False, **settings)
    except BudgetError:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        texture.save(Path(folder) / "bench.gstex")
        texture = gstex.load(Path(folder) / "bench.gstex")
        size = (Path(folder) / "bench.gstex").stat().st_size
    psnr = metrics.psnr(texture.decode(), material.pixels)
    texels = material.width * material.height
    return {"gstex_bpp": 32 * len(texture.words) / texels, "gstex_file_bpp": 8 * size / texels,
            "gstex_psnr": min(psnr, EXACT)}  # fmt: skip


def _fit_image_gs(material: Material, budget: int) -> JsonObject:
    try:
        image_gs = fit_image_gs(material, budget)
    except BudgetError:
        return {}
    return {"image_gs_psnr": min(metrics.psnr(image_gs.stack, material.pixels), EXACT)}


def _as_json(coded: Coded | None) -> JsonObject:
    return asdict(coded) if coded else {}


def best_coded(pixels: U8Array, codec: str, budget: int, scales: tuple[int, ...]) -> Coded | None:
    """The encoding of highest PSNR within a budget of bytes, over subsamplings and sizes. None if nothing fits.

    pixels: uint8 [H, W, 3]. scales: factors by which the stored picture is smaller; it is enlarged bilinearly.
    """
    height, width, _ = pixels.shape
    encodings = []
    for scale in scales:
        picture = Image.fromarray(pixels)
        if scale > 1:
            size = max(1, round(width / scale)), max(1, round(height / scale))
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        for subsampling in SUBSAMPLINGS:
            data, quality = _highest_quality(picture, codec, subsampling, budget)
            if data is not None:
                decoded = Image.open(io.BytesIO(data)).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
                psnr = metrics.psnr(np.asarray(decoded) / 255, pixels / 255)
                how = f"{f'1/{scale} ' if scale > 1 else ''}{subsampling} q{quality}"
                encodings.append(Coded(len(data), min(psnr, EXACT), how))
    return max(encodings, key=lambda coded: coded.psnr, default=None)


def _highest_quality(picture: Image.Image, codec: str, subsampling: str, budget: int) -> tuple[bytes | None, int]:
    """(the file of the highest quality within the budget, that quality). The file is None if no quality is."""
    low, high = QUALITIES[codec]
    best, quality = None, low
    # Pillow writes a progressive file at once, and gives it a byte per texel or MAXBLOCK bytes.
    ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, 4 * picture.width * picture.height)
    while low <= high:
        middle = (low + high) // 2
        file = io.BytesIO()
        picture.save(file, codec, quality=middle, subsampling=subsampling, **OPTIONS[codec])
        if len(file.getvalue()) <= budget:
            best, quality, low = file.getvalue(), middle, middle + 1
        else:
            high = middle - 1
    return best, quality


def with_means(rows: Sequence[JsonView]) -> list[JsonView]:
    """The rows, and for each rate one more with the mean gains of gstex over the pictures that have both."""
    means = []
    for rate in dict.fromkeys(row["bpp_asked"] for row in rows):
        mean: JsonObject = {"image": "mean", "bpp_asked": rate}
        for rival in RIVALS:
            if gains := [r[f"{rival}_gain"] for r in rows if r["bpp_asked"] == rate and f"{rival}_gain" in r]:
                mean[f"{rival}_gain"] = sum(gains) / len(gains)
        means.append(mean)
    return [*rows, *means]


def _say(text: str) -> None:
    click.echo(text, err=True)
    sys.stderr.flush()
