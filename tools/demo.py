"""Compress a sample material with the `gstex` command, decode it, and show the result on one page.

    python tools/demo.py [MATERIAL]

MATERIAL is a folder of maps or an image; without it, one of samples/ is used. Everything is written to out/. With the
extra `compare` installed, the page compares with BC7 and ASTC on the same maps.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from contact_sheet import contact_sheet
from demo_page import COMPARED, write_demo_page

import gstex
from gstex.json_types import JsonObject
from gstex.material import load_material
from gstex.material.images import write_picture

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out"
# Packages of the extra that the comparison needs: block decoders, encoders, and zstandard for bytes on disk.
PACKAGES = ("texture2ddecoder", "astc_encoder", "etcpak", "zstandard")


def run(*arguments: str | Path, printed: bool = True) -> str:
    """Print a gstex command as a user would type it, and run it. Returns its stdout if `printed` is false, else ''."""
    command = [str(a) for a in arguments]
    print("$ gstex", *command, flush=True)
    # Runs in another folder: in the checkout, Python would import the sources and not the installed package.
    done = subprocess.run([sys.executable, "-m", "gstex", *command], check=True, cwd=OUT, text=True,
                          stdout=None if printed else subprocess.PIPE)  # fmt: skip
    return done.stdout or ""


def compare(source: Path, file: Path) -> tuple[Path, JsonObject] | None:
    """The report of `gstex compare` and its numbers; None where the encoders are not installed."""
    if not all(map(find_spec, PACKAGES)):
        return None
    report = OUT / "demo_compare.html"
    numbers = run("compare", source, file, "--codecs", ",".join(COMPARED), "--report", report, "--json", "--force",
                  printed=False)  # fmt: skip
    return report, json.loads(numbers)


def _shown(path: Path) -> Path:
    """The path relative to the checkout, if it lies in it."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def main() -> None:
    source = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "samples" / "weathered_bricks"
    OUT.mkdir(exist_ok=True)
    file, picture, page = OUT / "demo.gstex", OUT / "demo.png", OUT / "demo.html"
    try:
        run("compress", source, "-o", file, "--quality", "high", "--force")
        run("decode", file, "-o", OUT / "demo_maps", "--force")
        compared = compare(source, file)
    except subprocess.CalledProcessError as error:  # the command has printed the reason
        sys.exit(error.returncode)
    texture, material = gstex.load(file), load_material(source)
    decoded = texture.decode()
    sheet = contact_sheet(material.pixels, decoded, material.to_metadata()["channels"], texture.report["psnr_by_map"])
    write_picture(picture, sheet)
    named = _shown(Path(sys.executable).with_name("gstex"))
    write_demo_page(page, material, texture, decoded, picture, [
        (f"{named} compress FOLDER -o mine.gstex", "Your own material: a folder with its maps, or one image."),
        (f"{named} info mine.gstex", "What is in the file: maps, bytes, quality, mips."),
        (f"{named} decode mine.gstex -o mine_maps", "The maps again, under their own names."),
        (f"{named} view {file.relative_to(ROOT)} --reference {_shown(source)}",
         "A window with the maps, their errors, the lit surface and the Gaussians; needs pip install \".[view]\"."),
        (f"{named} export mine.gstex --to glsl -o engine", "The GPU's words, the decoder and constants."),
    ], compared)  # fmt: skip
    print(f"\nMaps, bytes and what to type next, in a browser: {page}")


if __name__ == "__main__":
    main()
