"""A compiled shader as lines of SPIR-V: its loops and branches, and the arithmetic in a range of lines."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gstex.gl import read_shader

__all__ = ["Range", "arithmetic_in", "assembly_of", "loops_in", "selections_in"]

Range = tuple[int, int]  # first line, line after the last

_ARITHMETIC = re.compile(
    r"Op([FISU](Add|Sub|Mul|Div|Rem|Mod|Negate|Ord\w+|Unord\w+|\w*Equal|\w*LessThan\w*|\w*GreaterThan\w*)"
    r"|SRem|SMod|UMod|Dot|VectorTimesScalar|Shift\w+|Bitwise\w+|Not|Select|Logical\w+|Convert\w+|ExtInst|Any|All)$"
)


def assembly_of(vec4s: int, name: str = "decode.comp", defines: Mapping[str, int] = {}) -> list[str]:
    """Compile a shader of shaders/, for files without a K, to lines of optimised SPIR-V with inlined functions."""
    text = read_shader(name, {"GSTEX_VEC4S": vec4s, "GSTEX_MAX_K": 0, **defines}, version="450 core")
    with tempfile.TemporaryDirectory() as folder:
        source, binary, smaller = (str(Path(folder) / name) for name in ("a.comp", "a.spv", "b.spv"))
        Path(source).write_text(text, encoding="utf-8")
        for command in (
            ["glslangValidator", "-G", "--aml", "-o", binary, source],
            ["spirv-opt", "-O", binary, "-o", smaller],
        ):
            subprocess.run(command, check=True, capture_output=True)
        done = subprocess.run(["spirv-dis", smaller], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def loops_in(lines: list[str]) -> list[Range]:
    """Every loop: from its header to the block after it."""
    labels = {line.split()[0]: i for i, line in enumerate(lines) if line.endswith("OpLabel")}
    loops, header = [], 0
    for i, line in enumerate(lines):
        if line.endswith("OpLabel"):
            header = i
        elif "OpLoopMerge" in line:
            loops.append((header, labels[line.split()[1]]))
    return loops


def selections_in(lines: list[str]) -> list[Range]:
    """Every branch: from it to the block after it, where both sides meet."""
    labels = {line.split()[0]: i for i, line in enumerate(lines) if line.endswith("OpLabel")}
    return [(i, labels[line.split()[1]]) for i, line in enumerate(lines) if "OpSelectionMerge" in line]


def arithmetic_in(lines: list[str], first: int, last: int) -> int:
    """Operations in a range of lines; an operation of a vector counts once for each component."""
    total = 0
    for line in lines[first:last]:
        words = line.split()
        if len(words) > 3 and words[1] == "=" and _ARITHMETIC.match(words[2]):
            size = re.search(r"v([234])", words[3])
            total += int(size[1]) if size else 1
    return total
