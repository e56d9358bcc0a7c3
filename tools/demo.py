"""Compress a sample material with the `gstex` command, decode it, and draw one picture of all its maps.

    python tools/demo.py [MATERIAL]

MATERIAL is a folder of maps or an image; without it, one of samples/. Everything is written to out/.
"""

import subprocess
import sys
from pathlib import Path

from contact_sheet import contact_sheet

import gstex
from gstex.material import load_material
from gstex.material.images import write_picture

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out"


def run(*arguments: str | Path) -> None:
    """Run a gstex command as a user would type it, and show it."""
    command = [str(a) for a in arguments]
    print("$ gstex", *command, flush=True)
    # From another folder: in the checkout, Python would take the sources in place of what is installed.
    subprocess.run([sys.executable, "-m", "gstex", *command], check=True, cwd=OUT)


def main() -> None:
    source = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "samples" / "weathered_bricks"
    OUT.mkdir(exist_ok=True)
    file, picture = OUT / "demo.gstex", OUT / "demo.png"
    try:
        run("compress", source, "-o", file, "--quality", "high", "--force")
        run("decode", file, "-o", OUT / "demo_maps", "--force")
    except subprocess.CalledProcessError as error:  # it has said why
        sys.exit(error.returncode)
    texture, material = gstex.load(file), load_material(source)
    sheet = contact_sheet(material.pixels, texture.decode(), material.to_metadata()["channels"],
                          texture.report["psnr_by_map"])
    write_picture(picture, sheet)
    print(f"\nOriginal, decoded and error of every map: {picture}")


if __name__ == "__main__":
    main()
