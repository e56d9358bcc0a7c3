"""`bench.py filtering`: the quality of a material that is seen from afar, rotated, and at a grazing angle.

All contenders get the same mips, footprints, and blends between levels and taps. They differ in how the texels are
stored, and a shader reads gstex without a texture unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from contact_sheet import label_strip

import gstex
from benches.cases import Case, list_cases
from benches.filtering_views import VIEWS, View, make_view, supersample
from benches.run import data_option, effort_option, endings, pick, results_option
from benches.table import describe_run, typed_command, write_table
from gstex import metrics
from gstex.arrays import BoolArray, F32Array, F64Array, FloatArray, U8Array
from gstex.cli.options import parse_rates
from gstex.compare.codecs import CODECS, choose_codecs, decode, encode
from gstex.compare.plans import make_plan
from gstex.decode import MAX_TAPS, FileLevels, Levels, PictureLevels, sample_at
from gstex.json_types import JsonObject
from gstex.material import Material
from gstex.material.images import write_picture
from gstex.material.mips import make_mips
from gstex.srgb import linear_to_srgb, srgb_to_linear

__all__ = ["filtering"]

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 256, 192  # of a view
HARDWARE_TAPS = 16
COLUMNS = (
    "material", "view", "contender", "bpp", "psnr_level0", "psnr", "loss", "psnr_codec", "gain_codec",
)  # fmt: skip
# Codecs by the number of channels in an image, as engines use them. BC1 and ASTC 12x12 are included because their
# quality is nearer to that of gstex.
BLOCKS = {
    "BC7": {1: "bc4", 2: "bc5", 3: "bc7"},
    "BC1": {1: "bc4", 2: "bc5", 3: "bc1"},
    "ASTC 12x12": dict.fromkeys((1, 2, 3), "astc-12x12"),
}
PICTURE = (160, 120)  # pixels of a view in its picture, shown twice as large


@dataclass(frozen=True, eq=False)
class Contender:
    """A way to store and sample a material. bpp: bits per texel of the whole mip chain. level0: the decoded mip 0,
    [H, W, C], None if it is exact. shown: whether it is in the pictures."""

    name: str
    levels: Levels
    taps: int
    bpp: float | None = None
    level0: F32Array | None = None
    shown: bool = False


def light_levels(mips: Sequence[F32Array], srgb: BoolArray) -> PictureLevels:
    """Pictures that repeat and are filtered as by a texture unit: sRGB texels are decoded before the bilinear
    filter. mips: [h, w, C] each. srgb: [C]."""
    light = [np.where(srgb, srgb_to_linear(mip), mip).astype(np.float32) for mip in mips]
    return PictureLevels(light, np.zeros(len(srgb), bool), repeat=True)


@click.command()
@click.option("--bpp", "rates", metavar="B,B,...", callback=parse_rates, help="Rates of gstex.  [default: 2,4]")
@effort_option
@click.option("--sampling", type=click.Choice(["direct", "bilinear"]), default="direct", show_default=True,
              help="What to fit for; both ways are measured.")
@click.option("--material", "names", metavar="NAME", multiple=True,
              help="Only this one of the samples or of --data; may be given many times.  [default: all samples]")
@data_option("Folder of more materials")
@results_option("tables and pictures go")
@click.pass_context
def filtering(
    context: click.Context, rates: list[float] | None, effort: str, sampling: str, names: tuple[str, ...], data: Path,
    results: Path,
) -> None:  # fmt: skip
    """Minified, rotated and grazing views against uncompressed mips and block codecs."""
    rates = rates or [2.0, 4.0]
    codecs = _block_families()
    rows: list[JsonObject] = []
    with endings(context, results, keeps=False):
        pictures: dict[str, U8Array] = {}
        for case in _choose_cases(data, names):
            material = case.load()
            if reason := _unsuited(material):
                click.echo(f"{case.name} is left out: {reason}", err=True)
                continue
            contenders = list(_contenders(material, rates, codecs, effort, sampling))
            for name in VIEWS:
                click.echo(f"{case.name}: {name}", err=True)
                view = make_view(name, WIDTH, HEIGHT, material)
                truth = supersample(material, view)
                shown = [render(contender, material, view) for contender in contenders]
                rows += [{"material": case.name, **row} for row in compare(material, view, contenders, shown, truth)]
                pictures.setdefault(name, _strip(material, view, contenders, shown, truth))
        about = {**describe_run(typed_command(context)),
                 "settings": f"effort {effort}, sampling {sampling}, seed 0, views {WIDTH}x{HEIGHT}"}  # fmt: skip
        title = "Filtering: views of a tiled plane"
        for path in write_table(results, "filtering", title, about, COLUMNS, rows):
            click.echo(path)
        for name, picture in pictures.items():
            write_picture(results / f"filtering-{name}.png", picture)
            click.echo(results / f"filtering-{name}.png")


def _choose_cases(data: Path, names: tuple[str, ...]) -> list[Case]:
    # The other folders of samples/ are programs.
    samples = [case for case in list_cases(ROOT / "samples", "whole") if any(case.path.glob("*.png"))]
    known = {case.name: case for case in [*(list_cases(data, "whole") if data.is_dir() else []), *samples]}
    return pick(list(known.values()), names) if names else samples


def _block_families() -> list[str]:
    """The families of block codecs that can be used here. Prints which ones are missing."""
    families = []
    for family, by_channels in BLOCKS.items():
        try:
            usable, notes = choose_codecs([family.lower().replace(" ", "-")])
        except gstex.errors.ExtraError as error:
            usable, notes = [], [str(error)]
        for note in notes:
            click.echo(note, err=True)
        if {codec.name for codec in usable} >= set(by_channels.values()):
            families.append(family)
        else:
            click.echo(f"{family} is left out", err=True)
    return families


def _unsuited(material: Material) -> str | None:
    if material.wrap != "repeat":
        return "it does not tile"
    if any(c.role == "opacity" and c.constant is None for c in material.channels):
        return "what a pixel that is partly transparent should show is not only a matter of filtering"
    return None


def _contenders(
    material: Material, rates: list[float], families: list[str], effort: str, sampling: str
) -> Iterator[Contender]:
    srgb = np.array([c.color_space == "srgb" for c in material.channels])
    mips = [level.pixels for level in make_mips(material, repeat=True)]
    exact = light_levels(mips, srgb)
    for taps in (1, MAX_TAPS, HARDWARE_TAPS):
        yield Contender(f"uncompressed, {taps} tap{'s' if taps > 1 else ''}", exact, taps, shown=taps == HARDWARE_TAPS)
    texels = material.width * material.height
    for family in families:
        click.echo(f"{material.name}: {family}", err=True)
        stored, size = _through_blocks(material, mips, BLOCKS[family])
        yield Contender(f"{family}, {HARDWARE_TAPS} taps", light_levels(stored, srgb), HARDWARE_TAPS,
                        8 * size / texels, stored[0], shown=family == "BC7")  # fmt: skip
    for rate in rates:
        click.echo(f"{material.name}: gstex at {rate:g} bpp", err=True)
        texture = gstex.compress(material, bpp=rate, effort=effort, sampling=sampling, wrap="repeat")
        bpp, level0 = 32 * len(texture.words) / texels, texture.decode()
        for way in ("direct", "bilinear"):
            levels = FileLevels(texture.words, four_fetches=way == "bilinear")
            yield Contender(f"gstex {rate:g} bpp {way}, {MAX_TAPS} taps", levels, MAX_TAPS, bpp, level0,
                            shown=way == "direct" and rate == rates[-1])  # fmt: skip


def _through_blocks(
    material: Material, mips: list[F32Array], codec_by_channels: dict[int, str]
) -> tuple[list[F32Array], int]:
    """(mips after a block codec, bytes). The maps are packed into images as engines do; every mip is encoded by
    itself."""
    images = [image for group in make_plan(material) for image in group[0]]
    result, size = [], 0
    for mip in mips:
        stored = mip.copy()  # constant channels are not stored in a texture
        for image in images:
            codec = CODECS[codec_by_channels[len(image.channels)]]
            part = np.rint(mip[:, :, image.channels] * 255).astype(np.uint8)
            data = encode(codec, part)
            stored[:, :, image.channels] = decode(codec, data, *part.shape)
            size += len(data)
        result.append(stored)
    return result, size


def render(contender: Contender, material: Material, view: View) -> F32Array:
    """What a contender shows: float32 [height * width, C], encoded as the material's pixels."""
    srgb = [i for i, c in enumerate(material.channels) if c.color_space == "srgb"]
    pixels, size = view.pixels(), np.array([material.width, material.height])
    uv, duv = view.texels(pixels) / size, view.steps(pixels) / size
    shown = sample_at(contender.levels, uv, duv=duv, max_taps=contender.taps)
    if isinstance(contender.levels, PictureLevels):
        shown[:, srgb] = linear_to_srgb(shown[:, srgb])
    return shown


def compare(
    material: Material, view: View, contenders: Sequence[Contender], shown: Sequence[F32Array], truth: F64Array
) -> list[JsonObject]:
    """A row for every contender; PSNR over the channels that vary. shown, truth: [pixels, C]."""
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    exact = {c.taps: pixels for c, pixels in zip(contenders, shown, strict=True) if c.level0 is None}
    rows = []
    for contender, pixels in zip(contenders, shown, strict=True):
        psnr = metrics.psnr(pixels[:, varying], truth[:, varying])
        row = {"view": view.name, "contender": contender.name, "bpp": contender.bpp, "psnr": psnr}
        if contender.level0 is not None:
            level0 = metrics.psnr(contender.level0[:, :, varying], material.pixels[:, :, varying])
            codec = metrics.psnr(pixels[:, varying], exact[contender.taps][:, varying])
            row |= {"psnr_level0": level0, "loss": level0 - psnr, "psnr_codec": codec, "gain_codec": codec - level0}
        rows.append(row)
    return rows


def _strip(
    material: Material, view: View, contenders: Sequence[Contender], shown: Sequence[F32Array], truth: FloatArray
) -> U8Array:
    """The middle of a view, uint8 [h, w, 3]: the ground truth and the shown contenders side by side."""
    color = [i for i, c in enumerate(material.channels) if c.role == "albedo"] or [0, 0, 0]
    cells = [("supersampled", truth)]
    cells += [(c.name, pixels) for c, pixels in zip(contenders, shown, strict=True) if c.shown]
    return np.concatenate([_cell(values[:, color], view, label) for label, values in cells], axis=1)


def _cell(values: FloatArray, view: View, label: str) -> U8Array:
    left, top = (view.width - PICTURE[0]) // 2, (view.height - PICTURE[1]) // 2
    pixels = values.reshape(view.height, view.width, 3)[top : top + PICTURE[1], left : left + PICTURE[0]]
    large = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    cell = np.concatenate([label_strip(label, large.shape[1]), large])
    return np.pad(cell, [(0, 0), (0, 4), (0, 0)], constant_values=24)
