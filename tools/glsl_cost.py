"""What a texel of shaders/gstex.glsl costs: words loaded and arithmetic, by the number of Gaussians looked at.

    python tools/glsl_cost.py [FILE.gstex ...]

Writes benchmarks/results/glsl-cost.{md,csv,json}. Without files the sample materials are compressed first. Loads are
counted while mip 0 is decoded; arithmetic is counted in the optimised SPIR-V of shaders/decode.comp, a vector
operation as one for each component, by part of the decoder, and multiplied by how often each part ran. Needs
glslangValidator and spirv-opt (Debian: glslang-tools, spirv-tools). Times are measured on a GPU alone.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np
from bench_table import describe_run, write_table

import gstex
from gstex.errors import ExtraError, GraphicsError
from gstex.gl import Context, WordBuffer, compute_program, read_shader, surfaceless
from gstex.gl.context import import_gl
from gstex.resources import source_path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("material", "candidates", "texels", "levels", "candidates_mean", "added_mean", "loads_mean", "loads_max",
           "arithmetic_mean", "arithmetic_worst", "ns_texel")  # fmt: skip
ADD = "gstex_add(h, s, weight, sum);"
BIN = 10  # candidates
RUNS = 5


@dataclass(frozen=True)
class Counts:
    """Of every texel of mip 0, int64 [H, W] each: words loaded, Gaussians looked at and Gaussians added."""

    loads: np.ndarray
    candidates: np.ndarray
    added: np.ndarray


@dataclass(frozen=True)
class Parts:
    """Arithmetic operations: once a texel, once a level, once a row of cells, once a cell, once a Gaussian that is
    looked at, and once a channel of a Gaussian that is added; all channels of the GSTEX_VEC4S count."""

    texel: int
    level: int
    row: int
    cell: int
    candidate: int
    channel: int

    def total(self, levels: int, candidates: Any, added: Any, channels: int) -> Any:
        fixed = self.texel + levels * (self.level + 3 * self.row + 9 * self.cell)
        return fixed + self.candidate * candidates + self.channel * channels * added


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=ROOT / "benchmarks" / "results",
              help="Where the table goes.  [default: benchmarks/results]")
def main(files: tuple[Path, ...], results: Path) -> None:
    """Count what a texel costs and write the table."""
    try:
        with surfaceless() as context:
            textures = [(path.stem, gstex.load(path)) for path in files] or list(_samples())
            rows = list(_rows(textures, context))
    except (ExtraError, GraphicsError, FileNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(f"glsl_cost: {error}")
    about = {
        **describe_run(shlex.join(["python", "tools/glsl_cost.py", *(path.name for path in files)])),
        "renderer": context.renderer,
        "times": "left out: no GPU was at hand" if context.is_software else f"best of {RUNS} decodes of mip 0",
        "counted": "mip 0 decoded texel by texel; arithmetic of optimised SPIR-V, vectors by component; worst: "
                   "candidates_max of the header, all of them added",
    }  # fmt: skip
    for part, number in vars(parts_of(2)).items():
        about[f"arithmetic per {part}"] = str(number)
    for path in write_table(results, "glsl-cost", "Cost of a texel in GLSL", about, COLUMNS, rows):
        click.echo(path)


def _samples() -> Iterator[tuple[str, gstex.Texture]]:
    for folder in sorted((ROOT / "samples").iterdir()):
        if folder.is_dir():
            yield folder.name, gstex.compress(folder, effort="fast")


def _rows(textures: list[tuple[str, gstex.Texture]], context: Context) -> Iterator[dict[str, Any]]:
    """A row for every material, then one for every ten candidates over all materials."""
    measured = []
    for name, texture in textures:
        counts, levels = count(texture.words), len(texture.info()["mips"][0]["levels"])
        vec4s = -(-texture.channels // 4)
        parts = parts_of(vec4s)
        arithmetic = parts.total(levels, counts.candidates, counts.added, 4 * vec4s)
        measured.append((counts, levels, arithmetic))
        most = int(texture.words[7])
        worst = int(parts.total(levels, most, most, 4 * vec4s))
        time = None if context.is_software else _nanoseconds(texture)
        every = np.ones(counts.loads.shape, bool)
        yield {"material": name, "candidates": f"at most {most}", "levels": levels, "arithmetic_worst": worst,
               "ns_texel": time, **_means(counts, arithmetic, every)}  # fmt: skip
    joined = Counts(*(np.concatenate([getattr(c, field).ravel() for c, _, _ in measured])
                      for field in ("loads", "candidates", "added")))  # fmt: skip
    arithmetic = np.concatenate([a.ravel() for _, _, a in measured])
    for first in range(0, int(joined.candidates.max()) + 1, BIN):
        inside = (joined.candidates >= first) & (joined.candidates < first + BIN)
        if inside.any():
            yield {"material": "all", "candidates": f"{first}-{first + BIN - 1}",
                   **_means(joined, arithmetic, inside)}  # fmt: skip


def _means(counts: Counts, arithmetic: np.ndarray, inside: np.ndarray) -> dict[str, Any]:
    return {
        "texels": int(inside.sum()),
        "candidates_mean": float(counts.candidates[inside].mean()),
        "added_mean": float(counts.added[inside].mean()),
        "loads_mean": float(counts.loads[inside].mean()),
        "loads_max": int(counts.loads[inside].max()),
        "arithmetic_mean": float(arithmetic[inside].mean()),
    }


def count(words: np.ndarray, size: tuple[int, int] | None = None) -> Counts:
    """Decode mip 0 with counters, in the current context.

    size: (width, height) of the part to decode; None for all of it.
    """
    gl = import_gl()
    width, height = size or (int(words[2]) & 0xFFFF, int(words[2]) >> 16)
    decoder = source_path("shaders/gstex.glsl").read_text(encoding="utf-8")
    assert decoder.count(ADD) == 1, "the place where Gaussians are added has changed"
    text = (ROOT / "tools" / "glsl_cost.comp").read_text(encoding="utf-8")
    text = text.replace('#include "gstex.glsl"', decoder.replace(ADD, "{ ++added; " + ADD + " }"))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "glsl_cost.comp"
        source.write_text(text, encoding="utf-8")
        program = compute_program(source, {"GSTEX_VEC4S": min(-(-(int(words[3]) & 0xFF) // 4), 4)})
    buffer, target = WordBuffer([words]), gl.glGenTextures(1)
    gl.glBindTexture(gl.GL_TEXTURE_2D, target)
    gl.glTexStorage2D(gl.GL_TEXTURE_2D, 1, gl.GL_RGBA32UI, width, height)
    gl.glBindImageTexture(0, target, 0, gl.GL_FALSE, 0, gl.GL_WRITE_ONLY, gl.GL_RGBA32UI)
    program.set(base=0, mip=0)
    gl.glDispatchCompute(-(-width // 8), -(-height // 8), 1)
    gl.glMemoryBarrier(gl.GL_TEXTURE_UPDATE_BARRIER_BIT)
    pixels = np.empty((height, width, 4), np.uint32)
    gl.glGetTexImage(gl.GL_TEXTURE_2D, 0, gl.GL_RGBA_INTEGER, gl.GL_UNSIGNED_INT, pixels)
    gl.glDeleteTextures(1, [target])
    buffer.delete()
    program.delete()
    return Counts(*(pixels[:, :, i].astype(np.int64) for i in range(3)))


def _nanoseconds(texture: gstex.Texture) -> float:
    """Nanoseconds a texel of mip 0, the best of some runs of a whole decode without the read back."""
    gl = import_gl()
    layers = -(-texture.channels // 4)
    program, buffer = compute_program("decode.comp", {"GSTEX_VEC4S": layers}), WordBuffer([texture.words])
    target = gl.glGenTextures(1)
    gl.glBindTexture(gl.GL_TEXTURE_2D_ARRAY, target)
    gl.glTexStorage3D(gl.GL_TEXTURE_2D_ARRAY, 1, gl.GL_RGBA32F, texture.width, texture.height, layers)
    gl.glBindImageTexture(0, target, 0, gl.GL_TRUE, 0, gl.GL_WRITE_ONLY, gl.GL_RGBA32F)
    program.set(base=0, mip=0)
    best, repeats = float("inf"), 50
    for _ in range(RUNS + 1):  # the first warms up
        gl.glFinish()
        start = perf_counter()
        for _ in range(repeats):
            gl.glDispatchCompute(-(-texture.width // 8), -(-texture.height // 8), 1)
        gl.glFinish()
        best = min(best, (perf_counter() - start) / repeats)
    gl.glDeleteTextures(1, [target])
    buffer.delete()
    program.delete()
    return best / (texture.width * texture.height) * 1e9


# ---- Arithmetic, from the text of the SPIR-V

_ARITHMETIC = re.compile(
    r"Op([FISU](Add|Sub|Mul|Div|Rem|Mod|Negate|Ord\w+|Unord\w+|\w*Equal|\w*LessThan\w*|\w*GreaterThan\w*)"
    r"|SRem|SMod|UMod|Dot|VectorTimesScalar|Shift\w+|Bitwise\w+|Not|Select|Logical\w+|Convert\w+|ExtInst|Any|All)$"
)


def parts_of(vec4s: int) -> Parts:
    """Arithmetic of every part of the decoder of `vec4s` groups of channels."""
    lines = _assembly(vec4s)
    loops = _loops(lines)
    exp2 = [i for i, line in enumerate(lines) if " Exp2 " in line]
    # Innermost loop with exp2: the Gaussians. Around it the rows, around them the levels. Loops inside the rows:
    # the three cells, with those of the Gaussians; inside the Gaussians: the channels, and the list of a top K.
    around = sorted((loop for loop in loops if loop[0] < exp2[-1] < loop[1]), key=lambda loop: loop[1] - loop[0])
    candidate, row, level = around[:3]

    def within(loop: tuple[int, int]) -> list[tuple[int, int]]:
        inner = [other for other in loops if loop[0] < other[0] and other[1] < loop[1]]
        return [a for a in inner if not any(b != a and b[0] <= a[0] and a[1] <= b[1] for b in inner)]

    def own(loop: tuple[int, int]) -> int:
        return _arithmetic(lines, *loop) - sum(_arithmetic(lines, *inner) for inner in within(loop))

    cells = [loop for loop in within(row) if loop != candidate]
    # Codes become floats in the one; the list of a top K has none.
    channels = [loop for loop in within(candidate) if any("OpConvertSToF" in line for line in lines[slice(*loop)])]
    whole = 0, len(lines)
    fixed = own(whole) + sum(_arithmetic(lines, *loop) for loop in within(whole) if loop != level)
    return Parts(fixed, own(level), own(row), own(cells[0]), own(candidate), own(channels[0]))


def _assembly(vec4s: int) -> list[str]:
    """shaders/decode.comp as optimised SPIR-V, functions inlined: lines of text."""
    text = read_shader("decode.comp", {"GSTEX_VEC4S": vec4s}, version="450 core")
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


def _loops(lines: list[str]) -> list[tuple[int, int]]:
    """(first line, line after the last) of every loop: from its header to the block behind it."""
    labels = {line.split()[0]: i for i, line in enumerate(lines) if line.endswith("OpLabel")}
    loops, header = [], 0
    for i, line in enumerate(lines):
        if line.endswith("OpLabel"):
            header = i
        elif "OpLoopMerge" in line:
            loops.append((header, labels[line.split()[1]]))
    return loops


def _arithmetic(lines: list[str], first: int, last: int) -> int:
    """Operations in a range of lines, a vector's as many as it has components."""
    total = 0
    for line in lines[first:last]:
        words = line.split()
        if len(words) > 3 and words[1] == "=" and _ARITHMETIC.match(words[2]):
            size = re.search(r"v([234])", words[3])
            total += int(size[1]) if size else 1
    return total


if __name__ == "__main__":
    main()
