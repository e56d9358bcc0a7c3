"""Golden files for a decoder of your own, without Python's file formats.

    python tools/golden_raw.py -o DIR

writes for every golden file of tests/data two files: NAME.gstex, and NAME.f32 with the values that every decoder gives
within 1e-5: float32, little-endian, nothing else in the file; mip after mip from mip 0 on, row after row from the top,
texel after texel, all channels of a texel side by side. Sizes and the number of channels stand in the header of
NAME.gstex.
They were computed by tests/independent_reader.py, which was written from docs/format.md alone.
`tests/native/engine_driver.c golden NAME.gstex NAME.f32` is a comparison in C.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"


def write_raw(folder: Path) -> list[Path]:
    """Write the files into a folder, which is made. Returns the paths of the .gstex files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for golden in sorted(DATA.glob("golden_v*.gstex")):
        name = golden.stem.split("_", 2)[2]  # golden_v2_NAME
        with np.load(golden.with_suffix(".npz")) as texels:
            mips = [texels[f"mip{number}"].astype("<f4").tobytes() for number in range(len(texels.files))]
        (folder / f"{name}.f32").write_bytes(b"".join(mips))
        written.append(folder / f"{name}.gstex")
        written[-1].write_bytes(golden.read_bytes())
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to write to")
    folder = parser.parse_args().output
    print(f"{len(write_raw(folder))} golden files in {folder}")


if __name__ == "__main__":
    main()
