"""The page that `make demo` writes: bytes compared with BC7 and ASTC, the lit sphere, what to type next, all maps."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from gstex.arrays import F32Array
from gstex.compare.baselines import usual_bytes
from gstex.compare.codecs import CODECS
from gstex.files import replace_file
from gstex.json_types import JsonView
from gstex.material import Material
from gstex.material.images import png_bytes
from gstex.page import fill_page
from gstex.shading import is_lit, render_sphere
from gstex.texture import Texture

__all__ = ["COMPARED", "write_demo_page"]

COMPARED = ("bc7", "astc-6x6", "astc-8x8", "astc-12x12")
_WITH_BC7 = ("bc4", "bc5")  # for single channels and normals beside BC7, as engines store them
_SPHERE = 320  # pixels
_INSTALL = '.venv/bin/python -m pip install ".[compare]"'
_HERE = Path(__file__).resolve().parent


def write_demo_page(
    path: Path, material: Material, texture: Texture, decoded: F32Array, sheet: Path,
    commands: Sequence[tuple[str, str]], compared: tuple[Path, JsonView] | None,
) -> None:  # fmt: skip
    """Write the page, one file that opens offline.

    Args:
        path: the page, replaced in one step.
        decoded: float32 [H, W, C], the decoded `texture`.
        sheet: PNG of all maps.
        commands: (command to type next, what it does).
        compared: path of the report of `gstex compare` and the output of its --json; None where its encoders are not
            installed.

    Raises:
        OutputError: it cannot be written.
    """
    channels, repeat = material.to_metadata()["channels"], material.wrap == "repeat"
    spheres = [
        (name, render_sphere(stack, channels, material.normal_convention, repeat, _SPHERE))
        for name, stack in (("original", material.pixels), ("gstex", decoded)) if is_lit(channels)
    ]  # fmt: skip
    report = texture.report
    values = {
        "name": html.escape(material.name),
        "size": f"{material.width} × {material.height} texels",
        "maps": f"{len(channels)} channels in {len(material.sources)} images",
        "whole": f"{report['file_bytes'] / 1024:.1f} KiB with {len(texture.info()['mips'])} mips",
        "psnr": _decibels(report["psnr"]),
        "rows": "".join(_row(*row, material, report["mip_0_bytes"]) for row in _rows(material, report, compared)),
        "quality": _quality(path, compared),
        "lit": "".join(f'<figure><img src="{_url(png_bytes(ball))}" alt="Lit sphere, {name}"><figcaption>{name}'
                       "</figcaption></figure>" for name, ball in spheres) or "This is no material with colours.",
        "next": "".join(f"<dt><code>{html.escape(command)}</code></dt><dd>{html.escape(what)}</dd>"
                        for command, what in commands),
        "sheet": _url(sheet.read_bytes()),
    }  # fmt: skip
    body, style = ((_HERE / name).read_text("utf-8") for name in ("demo.html", "demo.css"))
    replace_file(path, fill_page(body, title=f"{material.name}: gstex demo", style=style, values=values).encode())


def _rows(
    material: Material, report: JsonView, compared: tuple[Path, JsonView] | None
) -> list[tuple[str, int, str]]:
    """(label, bytes of mip 0, PSNR): gstex first, then the stacks of the codecs, with a PSNR if they were measured."""
    first = ("gstex", report["mip_0_bytes"], _decibels(report["psnr"]))
    if compared is None:
        codecs = [codec for codec in CODECS.values() if codec.name in {*COMPARED, *_WITH_BC7}]
        return [first, *((label, count, "not measured") for label, count in usual_bytes(material, codecs))]
    stacks = [p for p in compared[1]["points"] if p["family"] != "gstex" and " mix: " not in p["label"]]
    return [first, *((p["label"], p["bytes"], _decibels(p["quality"]["psnr"])) for p in reversed(stacks))]


def _row(label: str, byte_count: int, psnr: str, material: Material, ours: int) -> str:
    bits = 8 * byte_count / (material.width * material.height)
    cells = (html.escape(label), f"{byte_count / 1024:.1f}", f"{bits:.2f}", f"{byte_count / ours:.1f}", psnr)
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _quality(page: Path, compared: tuple[Path, JsonView] | None) -> str:
    """The paragraph about quality, in HTML."""
    if compared is None:
        return ("<p>The rates of these codecs are fixed, so their bytes are known without encoding. Their quality is "
                "not, and bytes alone make no comparison. To measure it, install the encoders and make the demo again: "
                f"<code>{html.escape(_INSTALL)}; make demo</code></p>")
    link = html.escape(compared[0].relative_to(page.parent).as_posix())
    advice = "".join(f"<li>{html.escape(line)}</li>" for line in compared[1]["advice"])
    return (f"<ul>{advice}</ul><p>ASTC and BC stand here for the best mix of the formats above, each map at full, half "
            "or quarter size; <code>gstex compare</code> tries more formats, which can only make these mixes better. "
            f"All numbers, plots and every texel: <a href=\"{link}\">{link}</a></p>")


def _decibels(psnr: float | None) -> str:
    return "exact" if psnr is None else f"{psnr:.1f} dB"


def _url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
