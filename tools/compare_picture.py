"""Draw crops as gstex and the best ASTC mix store them in the same bytes, with the differences magnified.

    python tools/compare_picture.py                     benchmarks/results/compare-win.png and compare-loss.png
    python tools/compare_picture.py moss steel=corrugated_steel007b      compare-moss.png and compare-steel.png

Beside each of them lies one that ends in -small.png, without differences and with larger text, to be shown at half its
size.

A crop is one of the 256x256 ones of `bench.py rd --quick`. The mix is the first corner of the hull of all mixes with
--bpp or more, and gstex gets the same number of bytes as a limit. All figures are of the whole crop; the pictures show
the part of it with the most edges in all maps, twice as large: albedo, and the material lit by daylight
(`gstex.shading`). The encoders' results are kept in the cache of `gstex compare`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gstex.arrays import F32Array, FloatArray, U8Array

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))

from benches.cases import Case, quick_cases  # noqa: E402
from benches.run import choose_cases, data_option, effort_option, endings, results_option  # noqa: E402

import gstex  # noqa: E402
from gstex import metrics  # noqa: E402
from gstex.compare.baselines import encode_baselines  # noqa: E402
from gstex.compare.cache import Cache  # noqa: E402
from gstex.compare.codecs import CODECS, choose_codecs  # noqa: E402
from gstex.compare.hull import Option  # noqa: E402
from gstex.compare.run import gpu_section  # noqa: E402
from gstex.compare.stored import assemble  # noqa: E402
from gstex.material import Material  # noqa: E402
from gstex.shading import VIEWS, is_lit, render_plane_views  # noqa: E402

PICTURES = ("win=trim_misc_1", "loss=texture_rock")
SHOWN, STEP = 128, 32  # texels along an edge of the part, and step of the grid of parts to choose from
ZOOM = 2
CELL, GAP, MARGIN = SHOWN * ZOOM, 8, 10
HEAD, TITLE, BETWEEN, LINE = 96, 24, 20, 18  # heights of texts, and the space below a row of differences
GAINS = (1, 2, 4, 8, 16, 32)
LEVELS = 32  # number of colours of the differences
# The ramp of the report, from no error to an error at the end of the range.
RAMP = ((0, 0, 4), (66, 10, 104), (147, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164))
PAPER, INK, FAINT = (255, 255, 255), (24, 24, 24), (105, 105, 105)
BETTER = (20, 110, 40)


@dataclass(frozen=True, eq=False)
class Way:
    """One way to store a crop. title: its name in the picture; stack: decoded, [H, W, C]; bytes: of mip 0."""

    title: str
    stack: F32Array
    bytes: int
    quality: metrics.Quality


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the picture. pictures: [H, W, 3] sRGB in 0..1, the original first; psnr: of the others, in dB."""

    title: str
    pictures: list[F32Array]
    psnr: list[float]


@click.command()
@click.argument("pictures", metavar="[NAME=]MATERIAL...", nargs=-1)
@click.option("--bpp", type=float, default=1.0, show_default=True, help="Least bits per texel; the next mix decides.")
@effort_option
@data_option()
@results_option("pictures go, as compare-NAME.png")
@click.pass_context
def main(
    context: click.Context, pictures: tuple[str, ...], bpp: float, effort: str, data: Path, results: Path
) -> None:
    """Draw crops: original, gstex, and the best ASTC mix of the same bytes."""
    materials = [(name, material or name) for name, _, material in (p.partition("=") for p in pictures or PICTURES)]
    choose_cases(data, "quick", [material for _, material in materials])
    cases: dict[str, Case] = {case.name: case for case in quick_cases(data)}
    with endings(context, results, keeps=False):
        results.mkdir(parents=True, exist_ok=True)
        for name, key in materials:
            material = cases[key].load()
            ways_and_mix = keep(material, bpp, effort)
            for ending, picture in (("", draw(material, ways_and_mix)), ("-small", draw_small(material, ways_and_mix))):
                path = results / f"compare-{name}{ending}.png"
                picture.save(path, optimize=True)
                click.echo(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def keep(material: Material, bpp: float, effort: str) -> tuple[Way, Way, Option]:
    """The crop in gstex and in ASTC, and the mix that ASTC uses."""
    codecs, notes = choose_codecs(["astc"])
    if notes:
        raise gstex.GstexError(notes[0])
    texels = material.width * material.height
    hull = encode_baselines(material, codecs, cache=Cache()).hulls["astc"]
    corner = next((option for option in hull if 8 * option.bytes / texels >= bpp), hull[-1])
    texture = gstex.compress(material, bpp=8 * corner.bytes / texels, effort=effort)
    ours, theirs = texture.decode(), assemble(corner.choice.values(), material)
    return (
        Way("gstex", ours, len(gpu_section(texture)), metrics.measure_quality(ours, material, flip=False)),
        Way("ASTC, best mix", theirs, corner.bytes, metrics.measure_quality(theirs, material, flip=False)),
        corner,
    )


def draw(material: Material, ways_and_mix: tuple[Way, Way, Option]) -> Image.Image:
    """The picture: a column for the original and for each way; each row of pictures is followed by its differences."""
    *ways, corner = ways_and_mix
    rows = _rows(material, ways)
    lines = _wrapped(recipe(corner), _font(12), 3 * CELL + 2 * GAP)
    height = MARGIN + HEAD + len(rows) * (TITLE + 2 * CELL + GAP + BETWEEN) + LINE * len(lines) + MARGIN
    sheet = Image.new("RGB", (2 * MARGIN + 3 * CELL + 2 * GAP, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    columns = [MARGIN + i * (CELL + GAP) for i in range(3)]

    pen.text((MARGIN, MARGIN), verdict(material, ways), INK, _font(20))
    texels = material.width * material.height
    raw = 8 * sum(c.constant is None for c in material.channels)
    heads: list[tuple[str, str, float | None]] = [("original", f"{raw} bits per texel", None)]
    for way in ways:
        heads.append((way.title, f"{8 * way.bytes / texels:.2f} bits per texel, PSNR", way.quality.psnr))
    for x, (title, rate, _), text in zip(columns, heads, _marked([h[2] for h in heads[1:]]), strict=True):
        pen.text((x, MARGIN + 42), title, INK, _font(16))
        pen.text((x, MARGIN + 64), rate, FAINT, _font(13))
        _figure(pen, (x + pen.textlength(rate + " ", _font(13)), MARGIN + 64), text)

    top = MARGIN + HEAD
    for row in rows:
        pen.text((columns[0], top), row.title, INK, _font(14))
        for x, text in zip(columns, _marked(row.psnr), strict=True):
            _figure(pen, (x, top + 1), text)
        top += TITLE
        differences = [np.abs(p - row.pictures[0]).max(axis=2) for p in row.pictures[1:]]
        gain = gain_of(differences)
        for x, picture in zip(columns, row.pictures, strict=True):
            sheet.paste(_enlarged(np.rint(picture * 255).astype(np.uint8)), (x, top))
        top += CELL + GAP
        _explain(sheet, (columns[0], top), gain)
        for x, difference in zip(columns[1:], differences, strict=True):
            sheet.paste(_enlarged(_ramp(difference * gain)), (x, top))
        top += CELL + BETWEEN
    for number, line in enumerate(lines):
        pen.text((MARGIN, top + LINE * number), line, FAINT, _font(12))
    return sheet


def draw_small(material: Material, ways_and_mix: tuple[Way, Way, Option]) -> Image.Image:
    """The same without differences, readable at half its size."""
    *ways, _ = ways_and_mix
    rows = _rows(material, ways)
    head, title = 90, 38
    height = 2 * MARGIN + head + len(rows) * (title + CELL + GAP)
    sheet = Image.new("RGB", (2 * MARGIN + 3 * CELL + 2 * GAP, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    columns = [MARGIN + i * (CELL + GAP) for i in range(3)]
    texels = material.width * material.height
    for x, name in zip(columns, ("original", *(way.title for way in ways)), strict=True):
        pen.text((x, MARGIN), name, INK, _font(32))
    for x, way in zip(columns[1:], ways, strict=True):
        pen.text((x, MARGIN + 44), f"{8 * way.bytes / texels:.2f} bits per texel", FAINT, _font(25))
    top = MARGIN + head
    for row in rows:
        pen.text((columns[0], top), row.title.replace("all maps, lit by daylight", "lit by daylight"), INK, _font(27))
        for x, (text, best) in zip(columns, _marked(row.psnr), strict=True):
            pen.text((x, top), text, BETTER if best else INK, _font(27))
        for x, picture in zip(columns, row.pictures, strict=True):
            sheet.paste(_enlarged(np.rint(picture * 255).astype(np.uint8)), (x, top + title))
        top += title + CELL + GAP
    return sheet


def _rows(material: Material, ways: Sequence[Way]) -> list[Row]:
    channels = material.to_metadata()["channels"]
    stacks = [material.pixels, *(way.stack for way in ways)]
    albedo = [i for i, c in enumerate(material.channels) if c.role == "albedo"][:3]
    looks: list[tuple[str, list[F32Array]]] = []
    if len(albedo) == 3:
        looks.append(("albedo", [np.clip(stack[:, :, albedo], 0, 1) for stack in stacks]))
    if is_lit(channels):
        lit = [render_plane_views(s, channels, material.normal_convention, VIEWS[:1])[0] for s in stacks]
        looks.append(("all maps, lit by daylight", lit))
    part = part_of_most_edges(material.pixels)
    return [Row(title, [p[part] for p in pictures], [metrics.psnr(p, pictures[0]) for p in pictures[1:]])
            for title, pictures in looks]  # fmt: skip


def verdict(material: Material, ways: Sequence[Way]) -> str:
    """The head of the picture: which way is closer to the crop."""
    ours, theirs = (np.inf if way.quality.psnr is None else way.quality.psnr for way in ways)
    ahead, gain = ("gstex", ours - theirs) if ours >= theirs else ("ASTC", theirs - ours)
    return f"{material.name}: {ahead} is closer, by {gain:.1f} dB over all {len(material.channels)} channels"


def recipe(corner: Option) -> str:
    """The text that says which codecs the mix uses and how to read the figures."""
    parts = []
    for stored in corner.choice.values():
        size = "" if stored.scale == 1 else f" at 1/{stored.scale} resolution"
        parts.append(f"{stored.image} {CODECS[stored.codec].label.removeprefix('ASTC ')}{size}")
    return ("ASTC, best mix: the block sizes and resolutions with the least error for their bytes, here "
            f"{', '.join(parts)}. All figures are of the whole crop of 256x256 texels, of which a part "
            "is shown, twice as large.")  # fmt: skip


def _marked(values: Sequence[float | None]) -> list[tuple[str, bool]]:
    """(text, whether it is the best) for each column; the text of the original is empty."""
    finite = [float("inf") if value is None else value for value in values]
    return [("", False), *((f"{value:.1f} dB", value == max(finite)) for value in finite)]


def _figure(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: tuple[str, bool]) -> None:
    pen.text(at, text[0], BETTER if text[1] else INK, _font(13))


def _explain(sheet: Image.Image, at: tuple[int, int], gain: int) -> None:
    """Explain the row of differences, in the place below the original."""
    x, y = at
    pen = ImageDraw.Draw(sheet)
    for number, line in enumerate(("difference from", f"the original, x {gain}")):
        pen.text((x, y + 60 + 20 * number), line, INK, _font(14))
    bar = np.broadcast_to(np.linspace(0, 1, 160, dtype=np.float32), (12, 160))
    sheet.paste(Image.fromarray(_ramp(bar)), (x, y + 112))
    pen.text((x, y + 128), "same", FAINT, _font(12))
    label = f"{100 // gain} % off"
    pen.text((x + 160 - pen.textlength(label, _font(12)), y + 128), label, FAINT, _font(12))


def part_of_most_edges(stack: F32Array) -> tuple[slice, slice]:
    """The part that is shown: the one on a grid in which a stack [H, W, C] has the most edges."""
    edges = np.abs(np.gradient(stack, axis=(0, 1))).sum(axis=(0, 3))
    rows, columns = (range(0, max(n - SHOWN, 0) + 1, STEP) for n in stack.shape[:2])
    parts = [(slice(y, y + SHOWN), slice(x, x + SHOWN)) for y in rows for x in columns]
    return max(parts, key=lambda part: float(edges[part].sum()))


def _enlarged(pixels: U8Array) -> Image.Image:
    return Image.fromarray(pixels.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1))


def _ramp(values: FloatArray) -> U8Array:
    """Colours of values, which are clipped to 0..1: uint8 [..., 3]."""
    steps = np.rint(np.clip(values, 0, 1) * (LEVELS - 1)) / (LEVELS - 1) * (len(RAMP) - 1)
    colors = np.array(RAMP, np.float64)
    return np.rint(np.stack([np.interp(steps, range(len(RAMP)), c) for c in colors.T], axis=-1)).astype(np.uint8)


def gain_of(differences: Sequence[FloatArray]) -> int:
    """The largest gain that leaves 98 % of all differences [...] in range."""
    high = max(float(np.quantile(d, 0.98)) for d in differences)
    return max((g for g in GAINS if g * high <= 1), default=1)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break a text into lines of at most `width` pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getbbox(longer)[2] <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


if __name__ == "__main__":
    main()
