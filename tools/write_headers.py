"""Write what C, CUDA and GLSL share from its owners: numbers from gstex/constants.py, formulas from gstex/native.

    python tools/write_headers.py            write the files
    python tools/write_headers.py --check    exit 1, and name the files, if one of them is not what would be written
"""

import sys
from pathlib import Path

from gstex.constants import c_literal, shared_constants

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "gstex" / "native"


def constants_header() -> str:
    """gstex/native/constants.h."""
    lines = [
        "// The numbers that all decoders and fits share, written by tools/write_headers.py from gstex/constants.py.",
        "",
        "#ifndef GSTEX_CONSTANTS_H",
        "#define GSTEX_CONSTANTS_H",
        "",
        *(f"#define GSTEX_{name} {c_literal(value)}" for name, value in shared_constants().items()),
        "",
        "#endif",
        "",
    ]
    return "\n".join(lines)


def written() -> dict[Path, str]:
    """Every file that is written, and its text."""
    return {NATIVE / "constants.h": constants_header()}


def main() -> int:
    """Write or check; the exit code."""
    stale = [path for path, text in written().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what tools/write_headers.py writes")
        return 1 if stale else 0
    for path in stale:
        path.write_text(written()[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
