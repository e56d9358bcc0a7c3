"""What the expanded form (docs/expanded.md) costs: its memory, and of a texel of mip 0 loads and arithmetic.

    python tools/expanded_cost.py [FILE.gstex ...]

Writes benchmarks/results/expanded-cost.{md,csv,json}. Without files the sample materials are compressed first, at 1 bit
per texel. Counted as tools/glsl_cost.py counts: loads while mip 0 is decoded, a load being one of 16 bytes; arithmetic
in the optimised SPIR-V of shaders/decode_expanded.comp, a vector operation as one for each component, all sides of a
branch, but the fade of a Gaussian and its features only where they ran. Needs glslangValidator and spirv-opt.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np
from bench_table import describe_run, write_table
from glsl_cost import Range, _arithmetic, _assembly, _loops, _selections

import gstex
from gstex.errors import ExtraError, GraphicsError
from gstex.gl import WordBuffer, compute_program, surfaceless
from gstex.gl.context import import_gl
from gstex.resources import source_path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("material", "texels", "channels", "bpp_packed", "bpp_expanded", "bpp_records", "bpp_lists", "bpp_texels",
           "expand_s", "listed_mean", "faded_mean", "added_mean", "loads_mean", "loads_max", "arithmetic_mean",
           "arithmetic_max", "listed_mip1", "listed_mip2", "listed_mip3")  # fmt: skip
# What is counted while it runs, with the counter that tools/expanded_cost.comp declares: text of the decoder.
COUNTED = {
    "at += jump;\n": "at += jump; ++listed;\n",
    "vec4 grid = gstex_floats(levels + level);": "++faded; vec4 grid = gstex_floats(levels + level);",
    "    sums.weight += weight;\n": "    ++added; sums.weight += weight;\n",
}


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=ROOT / "benchmarks" / "results",
              help="Where the table goes.  [default: benchmarks/results]")
def main(files: tuple[Path, ...], results: Path) -> None:
    """Count what the expanded form takes and write the table."""
    try:
        with surfaceless() as context:
            textures = [(path.stem, gstex.load(path)) for path in files] or list(_samples())
            rows = [_row(name, texture) for name, texture in textures]
    except (ExtraError, GraphicsError, FileNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(f"expanded_cost: {error}")
    about = {
        **describe_run(shlex.join(["python", "tools/expanded_cost.py", *(path.name for path in files)])),
        "renderer": context.renderer,
        "counted": "mip 0 decoded texel by texel; arithmetic of optimised SPIR-V, vectors by component",
    }
    for vec4s in sorted({-(-texture.channels // 4) for _, texture in textures}):
        for part, number in parts_of(vec4s).items():
            about[f"arithmetic per {part}, {4 * vec4s} channels"] = str(number)
    for path in write_table(results, "expanded-cost", "Cost of the expanded form", about, COLUMNS, rows):
        click.echo(path)


def _samples() -> Iterator[tuple[str, gstex.Texture]]:
    for folder in sorted((ROOT / "samples").iterdir()):
        if any(folder.glob("*.png")):
            yield folder.name, gstex.compress(folder, effort="fast", bpp=1.0)


def _row(name: str, texture: gstex.Texture) -> dict[str, Any]:
    start = perf_counter()
    words = texture.expanded()
    seconds = (perf_counter() - start) / 2  # it counts, then writes
    counts, parts = count(words), parts_of(-(-texture.channels // 4))
    loads, listed, faded, added = np.moveaxis(counts, 2, 0)
    arithmetic = parts["texel"] + parts["listed"] * listed + parts["faded"] * faded + parts["added"] * added
    texels = texture.width * texture.height
    records, lists = _sizes(words)
    return {
        "material": name, "texels": texels, "channels": texture.channels,
        "bpp_packed": 32 * len(texture.words) / texels, "bpp_expanded": 32 * len(words) / texels,
        "bpp_records": 32 * records / texels, "bpp_lists": 32 * lists / texels,
        "bpp_texels": 32 * (len(words) - records - lists) / texels, "expand_s": seconds,
        "listed_mean": listed.mean(), "faded_mean": faded.mean(), "added_mean": added.mean(),
        "loads_mean": loads.mean(), "loads_max": loads.max(),
        "arithmetic_mean": arithmetic.mean(), "arithmetic_max": arithmetic.max(),
        **{f"listed_mip{mip}": count(words, mip)[:, :, 1].mean() for mip in (1, 2, 3) if mip < texture.mip_count},
    }  # fmt: skip


def _sizes(words: np.ndarray) -> tuple[int, int]:
    """(words of records and their sets, words of lists); the rest are texels, and the header."""
    groups, mips = int(words[2]) >> 9 & 7, int(words[2]) >> 5 & 15
    views = words[24 : 24 + 4 * groups * mips].reshape(-1, 4).astype(np.int64)
    sets = {int(view[1]) for view in views if view[1]}
    first_lists = {at: min(int(view[0]) for view in views if view[1] == at) for at in sets}
    records = sum(first_lists[at] - at for at in sets)
    width, height, lists = int(words[1]) & 0xFFFF, int(words[1]) >> 16, 0
    for number, (at, of, _, last) in enumerate(views):
        if of:
            side, mip = 1 << int(last & 3), number // groups
            tiles = -(-max(width >> mip, 1) // side) * -(-max(height >> mip, 1) // side)
            lists += tiles + int(((words[at : at + tiles] >> 24) + 3 >> 2).sum())
    return records, lists


def count(words: np.ndarray, mip: int = 0) -> np.ndarray:
    """Decode a mip with counters, in the current context: loads, Gaussians listed, faded and added, int64 [H, W, 4]."""
    gl = import_gl()
    width, height = (max((int(words[1]) >> shift & 0xFFFF) >> mip, 1) for shift in (0, 16))
    decoder = source_path("shaders/gstex_expanded.glsl").read_text(encoding="utf-8")
    for place, counting in COUNTED.items():
        assert decoder.count(place) == 1, f"the decoder has changed, there is no {place}"
        decoder = decoder.replace(place, counting)
    text = (ROOT / "tools" / "expanded_cost.comp").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "expanded_cost.comp"
        source.write_text(text.replace('#include "gstex_expanded.glsl"', decoder), encoding="utf-8")
        program = compute_program(source, {"GSTEX_VEC4S": min(max(-(-(int(words[2]) & 31) // 4), 1), 4)})
    buffer, target = WordBuffer([words]), gl.glGenTextures(1)
    gl.glBindTexture(gl.GL_TEXTURE_2D, target)
    gl.glTexStorage2D(gl.GL_TEXTURE_2D, 1, gl.GL_RGBA32UI, width, height)
    gl.glBindImageTexture(0, target, 0, gl.GL_FALSE, 0, gl.GL_WRITE_ONLY, gl.GL_RGBA32UI)
    program.set(base=0, mip=mip)
    gl.glDispatchCompute(-(-width // 8), -(-height // 8), 1)
    gl.glMemoryBarrier(gl.GL_TEXTURE_UPDATE_BARRIER_BIT)
    pixels = np.empty((height, width, 4), np.uint32)
    gl.glGetTexImage(gl.GL_TEXTURE_2D, 0, gl.GL_RGBA_INTEGER, gl.GL_UNSIGNED_INT, pixels)
    gl.glDeleteTextures(1, [target])
    buffer.delete()
    program.delete()
    return pixels.astype(np.int64)


def parts_of(vec4s: int) -> dict[str, int]:
    """Arithmetic of a texel of one group, and of each Gaussian that is listed, has a fade, or adds its features."""
    lines = _assembly(vec4s, "decode_expanded.comp")
    [exp2] = [i for i, line in enumerate(lines) if " Exp2 " in line]
    loop = min((loop for loop in _loops(lines) if loop[0] < exp2 < loop[1]), key=lambda loop: loop[1] - loop[0])

    def branch(begin: int, end: int, holds: str) -> Range:
        """The largest branch between two lines, with such a line in it, that is not the loop itself."""
        inside = [(a, b) for a, b in _selections(lines) if begin < a and b < end]
        holding = [(a, b) for a, b in inside if any(holds in line for line in lines[a:b])]
        return max(holding, key=lambda ab: ab[1] - ab[0])

    faded = _arithmetic(lines, *branch(loop[0], exp2, " Floor "))
    added = _arithmetic(lines, *branch(exp2, loop[1], "v3float"))
    return {
        "texel": _arithmetic(lines, 0, len(lines)) - _arithmetic(lines, *loop),
        "listed": _arithmetic(lines, *loop) - faded - added, "faded": faded, "added": added,
    }  # fmt: skip


if __name__ == "__main__":
    main()
