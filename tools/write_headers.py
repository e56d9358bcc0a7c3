"""Write what C, CUDA and GLSL share from its sources: numbers from gstex/constants.py, formulas from gstex/native, and
block encoders from shaders.

    python tools/write_headers.py            write the files
    python tools/write_headers.py --check    exit 1, and name the files that differ from what would be written
"""

import re
import sys
from pathlib import Path

from bare_modules import ROOT, import_bare

NATIVE = ROOT / "gstex" / "native"

constants, layout = import_bare("gstex.constants", "gstex.format.layout")
c_literal, shared_constants = constants.c_literal, constants.shared_constants


def constants_header() -> str:
    """The text of gstex/native/constants.h."""
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


# Names that the decoder in C needs, from gstex.format.layout and from gstex.constants.
DECODER_LIMITS = (
    "VERSION", "MAGIC", "FILE_HEADER_BYTES", "MAX_JSON_BYTES", "ALIGN_WORDS", "HEADER_FIXED_WORDS", "LEVEL_ENTRY_WORDS",
    "CHANNEL_ENTRY_WORDS", "GROUP_FIXED_WORDS", "CONSTANT_GROUP", "MAX_GROUPS", "RAW_BIT", "SHARED_BIT", "MAX_SIZE",
    "MAX_MIPS", "MAX_CHANNELS", "MAX_CHANNEL_BITS", "MAX_PALETTES",
    "MAX_PALETTE_BITS", "MAX_LEVELS", "MAX_CELLS", "GROUP_CELLS", "MAX_CELL_GROUP", "MIN_STRIDE", "MAX_STRIDE",
    "MAX_FIELD_BITS", "MAX_AMPLITUDE_STEP", "MAX_SCALE_STEP", "MAX_TOP_K", "MAX_CANDIDATES", "MAX_STOPS",
)  # fmt: skip
DECODER_RANGES = ("LOG_AMPLITUDE", "LOG_SCALE", "CHANNEL")
DECODER_CONSTANTS = ("BACKGROUND_WEIGHT", "FADE_SLOPE", "TAN_22_5", "LOG2E", "UNIT", "MAX_TAPS", "TAP_SLACK",
                     "BEND_UNIT")  # fmt: skip


def decoder_constants() -> str:
    """The numbers of gstex.h as #define lines."""
    values = {name: getattr(layout, name) for name in DECODER_LIMITS}
    for name in DECODER_RANGES:
        values[f"LEAST_{name}"], values[f"MOST_{name}"] = getattr(layout, f"{name}_RANGE")
    values |= {name: getattr(constants, name) for name in DECODER_CONSTANTS}
    literals = {name: f"({c_literal(value)})" if value < 0 else c_literal(value) for name, value in values.items()}
    return "".join(f"#define GSTEX_{name} {literal}\n" for name, literal in literals.items())


def decoder_formulas() -> str:
    """The text of exp2.h and of the part of formulas.h that decoding needs, without include guards."""
    parts = []
    for name in ("exp2.h", "formulas.h"):
        text = (NATIVE / name).read_text(encoding="utf-8")
        of_fits = r"(?:// =+ What only fits need =+\n.*)?"
        body = re.search(rf"#define GSTEX_\w+_H\n\n(.*?)\n{of_fits}#endif\n$", text, re.DOTALL)
        if not body:
            raise ValueError(f"{name}: no header as gstex.h wants it")
        parts.append(body[1])
    # The weights in formulas.h use a power of 2, so exp2.h comes first.
    return "\n".join(parts)


def decoder_parts() -> dict[str, str]:
    """The written parts of gstex.h by name."""
    return {"constants": decoder_constants(), "formulas": decoder_formulas()}


# Translate the text of shaders/bc.glsl and bc7.glsl, which GLSL and C++ share, to C99: structs get a typedef, casts and
# functions are written differently, and the texels of a block are a pointer.
BLOCK_PATTERNS = (
    (r"#ifndef GSTEX_BC\n.*?#endif\n\n", ""),
    (r"const int (\w+) = ([^;,]+);", r"enum { \1 = \2 };"),
    (r"^const uint ", "static const uint32_t "),
    (r"^struct (Gstex\w+) \{(.*?)\};", r"typedef struct \1 {\2} \1;"),
    (r"GSTEX_BC_TABLE const|GSTEX_BC_TABLE", "static const"),
    (r"GSTEX_BC_TOP_BIT\(", "gstex__bc_top_bit("),
    (r"^GSTEX_BC (\w+ \w+)\(\) ", r"static \1(void) "),
    (r"^GSTEX_BC ", "static "),
    (r"\bint at\b", "const uint32_t *at"),
    (r"GSTEX_TEXEL\(at, i\)", "at[i]"),
    (r"\b(u?)int\(", r"(\1int)("),
    (r"\b(min|max|clamp|abs)\(", r"gstex__bc_\1("),
    (r"\buint\b", "uint32_t"),
)


def block_encoders() -> str:
    """The encoders of gstex_blocks.h, without the head comments of the GLSL files."""
    parts = []
    for name in ("bc.glsl", "bc7.glsl"):
        text = (ROOT / "shaders" / name).read_text(encoding="utf-8")
        _, _, text = text.partition("\n\n")  # the head
        for pattern, becomes in BLOCK_PATTERNS:
            text = re.sub(pattern, becomes, text, flags=re.MULTILINE | re.DOTALL)
        parts.append(text)
    return "\n".join(parts)


def header_with(name: str, text: str, parts: dict[str, str]) -> str:
    """A header of gstex/native in which the written parts are replaced; the rest stays."""
    for part, body in parts.items():
        start, end = f"// ---- {part}: written by tools/write_headers.py ----\n", f"// ---- end of {part} ----\n"
        if text.count(start) != 1 or text.count(end) != 1:
            raise ValueError(f"{name}: expected one part for {part}")
        text = text[: text.index(start) + len(start)] + body + text[text.index(end) :]
    return text


def written() -> dict[Path, str]:
    """The text of every written file by path."""
    parts = {"gstex.h": decoder_parts(), "gstex_blocks.h": {"encoders": block_encoders()}}
    texts = {NATIVE / "constants.h": constants_header()}
    for name, of in parts.items():
        texts[NATIVE / name] = header_with(name, (NATIVE / name).read_text(encoding="utf-8"), of)
    return texts


def main() -> int:
    """Write or check the files; returns the exit code."""
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
