"""Fill the report page with numbers as JSON and with pictures, all in one file."""

import base64
import html
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from gstex.arrays import F32Array, U8Array
from gstex.compare.result import Comparison
from gstex.files import replace_file
from gstex.json_types import JsonObject, JsonView
from gstex.material.images import png_bytes
from gstex.page import fill_page, json_for_script
from gstex.report.pictures import Gallery, MapView, make_gallery, map_views, to_codes
from gstex.shading import VIEWS, is_lit, render_plane_views, render_sphere
from gstex.version import __version__

__all__ = ["MARK", "MAX_BYTES", "write_report"]

_TITLE = "gstex comparison"
MARK = f": {_TITLE}</title>"  # part of the head of every page
MAX_BYTES = 15_000_000  # of the whole file, so that most mail servers and bug trackers accept it
_RESERVE = 100_000  # bytes for everything except numbers and pictures
_SCRIPTS = ("common.js", "table.js", "plots.js", "texels.js", "viewer.js", "start.js")
_LIT = VIEWS[0]  # daylight, in which most people look at a material
SPHERE_SIZE = 320  # pixels
_HERE = Path(__file__).resolve().parent


def write_report(comparison: Comparison, path: Path) -> None:
    """Write a comparison as one HTML file that needs nothing else: no network, no other file.

    Args:
        comparison: its numbers are shown as they are; its pictures as the nearest of 256 codes.
        path: the file, replaced in one step. It takes less than MAX_BYTES.

    Raises:
        OutputError: the file cannot be written.
    """
    replace_file(path, _page(comparison).encode())


def _page(comparison: Comparison) -> str:
    material = comparison.material
    shown = [None, *sorted(comparison.pictures)]  # the original, then points
    stacks = [comparison.original, *(comparison.pictures[i] for i in sorted(comparison.pictures))]
    numbers = json_for_script(comparison.to_json())
    spheres = _spheres(stacks, material)
    taken = _RESERVE + len(numbers) + sum(map(len, spheres))
    views, codes = _views(stacks, material)
    gallery = make_gallery(codes, views, (MAX_BYTES - taken) * 3 // 4)  # base64 makes 4 bytes of 3

    file = comparison.points[comparison.file]
    maps = len([v for v in views if v.file])
    values = {
        "name": html.escape(material["name"]),
        "size": f"{material['width']} × {material['height']} texels",
        "stack": f"{len(material['channels'])} channels in {maps} map{'s' if maps > 1 else ''}",
        "file": html.escape(f"{file.label}: {file.bytes / 1024:.1f} KiB for mip 0 of all maps, "
                            f"{file.zstd_bytes / 1024:.1f} KiB after zstd"),
        "whole": html.escape(_whole(comparison.file_sizes)),
        "advice": _items(comparison.advice),
        "notes": _items(_notes(comparison)),
        "crop": _crop_note(gallery, material),
        "version": html.escape(__version__),
        "numbers": numbers,
        "gallery": json_for_script(_gallery(gallery, views, shown, bool(spheres))),
        "pictures": "\n".join([
            *(_picture("-".join(map(str, key)), data) for key, data in gallery.pictures.items()),
            *(f'<script type="image/png" id="sphere-{s}">{data}</script>' for s, data in enumerate(spheres)),
        ]),
        "script": "\n".join(_read(name) for name in _SCRIPTS),
    }
    title = f"{material['name']}: {_TITLE}"
    return fill_page(_read("report.html"), title=title, style=_read("report.css"), values=values)


def _whole(sizes: dict[str, int | None]) -> str:
    """A phrase on the parts of the file that the figures of mip 0 leave out."""
    mip_0, on_gpu, whole = (sizes.get(name) for name in ("mip_0_bytes", "gpu_bytes", "file_bytes"))
    if mip_0 is None or on_gpu is None:
        return ""
    mips = f"{(on_gpu - mip_0) / 1024:.1f} KiB for its other mips"
    if whole is None:
        return f"and {mips}; not saved"
    return f"the file is {whole / 1024:.1f} KiB: {mips}, {(whole - on_gpu) / 1024:.1f} KiB of description"


def _gallery(gallery: Gallery, views: tuple[MapView, ...], shown: list[int | None], lit: bool) -> JsonObject:
    return {
        "stacks": shown,
        "maps": [{**asdict(view), "gain": gain} for view, gain in zip(views, gallery.gains, strict=True)],
        "crop": gallery.crop,
        "overview": gallery.overview,
        "lit": lit,
    }


def _views(stacks: list[F32Array], material: JsonView) -> tuple[tuple[MapView, ...], list[U8Array]]:
    """The maps to show, and uint8 stacks with their channels: the material's maps, and the lit plane if any."""
    channels = material["channels"]
    views = map_views(channels)
    codes = [to_codes(stack) for stack in stacks]
    if not is_lit(channels):
        return views, codes
    count = len(channels)
    for s, stack in enumerate(stacks):
        (lit,) = render_plane_views(stack, channels, material["normal_convention"], [_LIT])
        codes[s] = np.concatenate([codes[s], to_codes(lit)], axis=2)
    return (*views, MapView("lit", "", "color", (count, count + 1, count + 2), (3,))), codes


def _spheres(stacks: list[F32Array], material: JsonView) -> list[str]:
    """A lit sphere of every stack, as a PNG file in base64; none if the material cannot be lit."""
    channels = material["channels"]
    if not is_lit(channels):
        return []
    repeat = material["wrap"] == "repeat"
    balls = (render_sphere(s, channels, material["normal_convention"], repeat, SPHERE_SIZE) for s in stacks)
    return [base64.b64encode(png_bytes(ball)).decode() for ball in balls]


def _notes(comparison: Comparison) -> list[str]:
    """The notes of the comparison and of its points on what was left out, each once."""
    of_points = (note for point in comparison.points for note in point.quality.get("notes", ()))
    return [note.rstrip(".") + "." for note in dict.fromkeys([*comparison.notes, *of_points])]


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{html.escape(line)}</li>" for line in lines)


def _crop_note(gallery: Gallery, material: JsonView) -> str:
    if not gallery.overview:
        return "The viewer holds every texel of every map."
    x, y, width, height = gallery.crop
    return (
        f"To keep this file below {MAX_BYTES // 1_000_000} MB the viewer holds the middle {width} × {height} of "
        f"{material['width']} × {material['height']} texels exactly (from x {x}, y {y}; framed), and around it an "
        f"overview: means of {gallery.overview} × {gallery.overview} texels. All numbers are of the whole maps."
    )


def _picture(name: str, data: bytes) -> str:
    return f'<script type="image/png" id="picture-{name}">{base64.b64encode(data).decode()}</script>'


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")
