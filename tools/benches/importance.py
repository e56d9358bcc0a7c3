"""`bench.py importance`: what an importance map, painted or estimated, gains at equal bytes.

The inputs are crops of 256x256 texels with a region that people look at. docs/benchmarks.md says what the columns mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

import gstex
from benches.cases import Case, crop
from benches.run import data_option, effort_option, endings, material_option, pick, results_option
from benches.store import Store, code_version, key_of
from benches.strips import from_text, sheet, to_text
from benches.table import describe_run, means, typed_command, write_table
from gstex import metrics
from gstex.arrays import AnyArray, BoolArray, F32Array, U8Array
from gstex.cli.options import parse_rates
from gstex.json_types import JsonObject, JsonView
from gstex.material import Material
from gstex.material.images import write_picture

__all__ = ["importance"]

STORE_NAME = ".importance-store.jsonl"
SEED = 0
SIZE = 256
RATES = [0.5, 1.0]
COLUMNS = (
    "image", "region", "channels", "share", "bpp_asked", "gpu_bytes", "map_bytes", "auto_bytes", "psnr_in",
    "map_psnr_in", "map_in_gain", "auto_in_gain", "psnr_out", "map_psnr_out", "map_out_gain", "auto_out_gain",
)  # fmt: skip
WAYS = ("", "map", "auto")  # without importance, with a painted map, with the estimate
TIMES = 2  # pixels per texel in the picture


@dataclass(frozen=True)
class Region:
    """A crop and the region that matters in it, in texels of the crop.

    ellipses: (row, column, half height, half width). boxes: (first row, first column, last row, last column); the last
    ones are excluded. shown: whether it is in the picture.
    """

    name: str
    path: str
    what: str
    row: int
    column: int
    ellipses: tuple[tuple[int, int, int, int], ...] = ()
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    shown: bool = False

    def mask(self, height: int, width: int) -> BoolArray:
        """bool [height, width]: the region."""
        y, x = np.mgrid[0:height, 0:width] + 0.5
        inside = np.zeros((height, width), bool)
        for row, column, down, across in self.ellipses:
            inside |= ((y - row) / down) ** 2 + ((x - column) / across) ** 2 < 1
        for top, left, bottom, right in self.boxes:
            inside[top:bottom, left:right] = True
        return inside


REGIONS = (
    Region("sylvie green smile", "images/sylvie green smile.png", "face", 20, 66, ellipses=((98, 128, 50, 46),),
         shown=True),
    Region("goblin", "images/goblin.png", "faces", 0, 0,
         ellipses=tuple((y, x, 18, 22) for y in (56, 184) for x in (64, 192))),
    Region("kodim23", "images/kodim23.png", "eye and cheek", 120, 70, ellipses=((131, 121, 63, 52),), shown=True),
    Region("bg club", "images/bg club.jpg", "building", 200, 660, boxes=((80, 93, 176, 220),)),
    Region("flight_helmet_mat3", "flight_helmet_mat3", "lettering", 1552, 108, boxes=((60, 108, 191, 148),),
           shown=True),
    Region("trim_misc_1", "trim_misc_1", "sign", 1030, 1600, boxes=((76, 111, 158, 162),)),
)  # fmt: skip


@click.command()
@effort_option
@click.option("--bpp", "rates", metavar="B,B,...", callback=parse_rates, help="Bits per texel.  [default: 0.5,1]")
@material_option("one")
@data_option()
@results_option("the table and kept rows go")
@click.pass_context
def importance(
    context: click.Context, effort: str, rates: list[float] | None, names: tuple[str, ...], data: Path, results: Path
) -> None:
    """Regions that matter: what an importance map gains there at equal bytes."""
    cases = [Case(r.name, data / r.path, "whole") for r in REGIONS if (data / r.path).exists()]
    if not cases:
        raise click.ClickException(f"{data}: holds none of {', '.join(r.path for r in REGIONS)}; give --data DIR")
    picked = {case.name: case for case in pick(cases, names)}
    store = Store(results / STORE_NAME)
    rows, strips = [], []
    with endings(context, results):
        for region in REGIONS:
            if region.name not in picked:
                continue
            material = crop(picked[region.name].load(), region.row, region.column, SIZE, SIZE)
            for rate in rates or RATES:
                fits = [_kept(region, material, way, rate, effort, store) for way in WAYS]
                rows.append({**_row(region, material, fits), "bpp_asked": rate})
                if region.shown and rate == (rates or RATES)[0]:
                    strips.append(_strip(region, material, fits))
        about = {**describe_run(typed_command(context)), "settings": f"effort {effort}, mips off, seed {SEED}"}
        title = "What an importance map gains where it is white"
        rows += means(rows, "bpp_asked", COLUMNS)
        for path in write_table(results, "importance", title, about, COLUMNS, rows):
            click.echo(path)
        if strips:
            write_picture(results / "importance.png", sheet(strips, times=TIMES))
            click.echo(results / "importance.png")


def _kept(region: Region, material: Material, way: str, rate: float, effort: str, store: Store) -> JsonObject:
    """The figures of one fit. They come from the store, or are measured and stored."""
    mask = region.mask(material.height, material.width)
    settings = {"bpp": rate, "effort": effort, "seed": SEED, "mips": False}
    key = key_of(material, {**settings, "way": way, "region": repr(region)}, code_version())

    def find_out() -> JsonObject:
        click.echo(f"{region.name} at {rate:g} bpp{f', {way}' if way else ''}", err=True)
        return measure(material, mask, {"": None, "map": mask, "auto": "auto"}[way], settings)

    return store.kept(key, {**settings, "way": way}, find_out)


def measure(
    material: Material, mask: BoolArray, source: AnyArray | str | None, settings: JsonView
) -> JsonObject:
    """Fit a material; returns bytes, PSNR inside and outside the region, and a picture of the region. mask: [H, W]."""
    texture = gstex.compress(material, importance=source, **settings)
    decoded = texture.decode()
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    weights = np.ones(material.pixels.shape, np.float32) if material.weights is None else material.weights
    inside, outside = ((weights * part[:, :, None])[:, :, varying] for part in (mask, ~mask))
    pair = decoded[:, :, varying], material.pixels[:, :, varying]
    return {
        "bytes": 4 * len(texture.words),
        "psnr_in": metrics.psnr(*pair, inside),
        "psnr_out": metrics.psnr(*pair, outside),
        "picture": to_text(_shown(decoded, material, mask)),
    }


def _row(region: Region, material: Material, fits: Sequence[JsonView]) -> JsonObject:
    none, map, auto = fits
    return {
        "image": region.name,
        "region": region.what,
        "channels": len(material.channels),
        "share": 100 * float(region.mask(material.height, material.width).mean()),
        "gpu_bytes": none["bytes"],
        "map_bytes": map["bytes"],
        "auto_bytes": auto["bytes"],
        "psnr_in": none["psnr_in"],
        "map_psnr_in": map["psnr_in"],
        "psnr_out": none["psnr_out"],
        "map_psnr_out": map["psnr_out"],
        **{f"{way}_{side}_gain": fit[f"psnr_{side}"] - none[f"psnr_{side}"]
           for way, fit in (("map", map), ("auto", auto)) for side in ("in", "out")},
    }  # fmt: skip


def _strip(region: Region, material: Material, fits: Sequence[JsonView]) -> list[tuple[str, U8Array]]:
    """Pictures around the region: the original, and fits without importance, with a map and with the estimate."""
    original = _shown(material.pixels, material, region.mask(material.height, material.width))
    labels = (f"{name}: {fit['psnr_in']:.1f} dB"
              for name, fit in zip(("without", "painted map", "estimate"), fits, strict=True))  # fmt: skip
    return [(f"{region.what}: original", original),
            *((label, from_text(fit["picture"])) for label, fit in zip(labels, fits, strict=True))]  # fmt: skip


def _shown(stack: F32Array, material: Material, mask: BoolArray) -> U8Array:
    """The colour of a square around the region, composited over white, uint8 [h, w, 3]."""
    roles = [c.role for c in material.channels]
    color = stack[:, :, [i for i, role in enumerate(roles) if role in ("albedo", "color")]].clip(0, 1)
    if "opacity" in roles:
        opacity = stack[:, :, roles.index("opacity"), None].clip(0, 1)
        color = color * opacity + 1 - opacity
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    side = min(max(np.ptp(rows), np.ptp(columns)) + 9, *mask.shape)
    top, left = (int(np.clip((at[0] + at[-1] - side) // 2, 0, n - side))
                 for at, n in zip((rows, columns), mask.shape, strict=True))  # fmt: skip
    return np.rint(color[top : top + side, left : left + side] * 255).astype(np.uint8)
