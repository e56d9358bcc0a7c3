"""What the expanded form (docs/expanded.md) costs: its memory, and the loads and arithmetic of a texel of mip 0.

    python tools/expanded_cost.py [FILE.gstex ...]

Writes benchmarks/results/expanded-cost.{md,csv,json}. Without files the sample materials are compressed first, at 1 bit
per texel. The counts follow tools/glsl_cost.py. Loads of 16 bytes are counted while mip 0 is decoded. Arithmetic is
counted in the optimised SPIR-V of shaders/decode_expanded.comp: a vector operation counts once for each component, and
a fused multiply-add once. A branch counts where it ran, and a loop over four channels as often as it runs. Needs
glslangValidator and spirv-opt.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import click
import numpy as np
from benches.table import describe_run, write_table
from shader_cost.spirv import Range, arithmetic_in, assembly_of, loops_in, selections_in

import gstex
from gstex.arrays import I64Array, U32Array
from gstex.errors import ExtraError, GraphicsError
from gstex.gl import WordBuffer, compute_program, surfaceless
from gstex.gl.context import import_gl
from gstex.json_types import JsonObject
from gstex.resources import source_path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("material", "texels", "channels", "bpp_packed", "bpp_expanded", "bpp_records", "bpp_features", "bpp_lists",
           "bpp_texels", "expand_s", "listed_mean", "faded_mean", "added_mean", "loads_mean", "loads_max",
           "arithmetic_mean", "arithmetic_max", "fused_mean", "arithmetic_mip1", "arithmetic_mip2",
           "arithmetic_mip3")  # fmt: skip
# Text of the decoder -> the same text with a counter that shader_cost/expanded_cost.comp declares.
COUNTED = {
    "for (uint word = gstex_expanded_word(list)": "for (uint word = count_word(list)",
    "            at += jump;\n": "            at += jump; ++listed;\n",
    "vec2 from = fract(": "++faded; vec2 from = fract(",
    "vec2 turn = floor(": "++turned; vec2 turn = floor(",
    "vec2 steep2 = steep * steep,": "++filtered; vec2 steep2 = steep * steep,",
    "            sum += weight;\n": "            sum += weight; ++added;\n",
    "at += ((jump & 31u)": "++far; at += ((jump & 31u)",
}
# The order of count(): loads, words of lists, Gaussians listed, ...
COUNTERS = ("loads", "words", "listed", "filtered", "faded", "turned", "added", "far")


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
        "counted": "mip 0 decoded texel by texel; arithmetic of optimised SPIR-V, vectors by component; fused: those "
                   "of it that are a multiplication and an addition",
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


def _row(name: str, texture: gstex.Texture) -> JsonObject:
    start = process_time()
    words = texture.expanded()
    seconds = process_time() - start  # one thread; it counts, then writes, but makes its lists once
    counts, parts = count(words), parts_of(-(-texture.channels // 4))
    loads, _, listed, _, faded, _, added, _ = np.moveaxis(counts, 2, 0)
    arithmetic = _arithmetic_of(counts, parts)
    texels = texture.width * texture.height
    records, features, lists = _sizes(words)
    fused = parts_of(-(-texture.channels // 4), fused=True)
    return {
        "material": name, "texels": texels, "channels": texture.channels,
        "bpp_packed": 32 * len(texture.words) / texels, "bpp_expanded": 32 * len(words) / texels,
        "bpp_records": 32 * records / texels, "bpp_features": 32 * features / texels, "bpp_lists": 32 * lists / texels,
        "bpp_texels": 32 * (len(words) - records - features - lists) / texels, "expand_s": seconds,
        "listed_mean": listed.mean(), "faded_mean": faded.mean(), "added_mean": added.mean(),
        "loads_mean": loads.mean(), "loads_max": loads.max(),
        "arithmetic_mean": arithmetic.mean(), "arithmetic_max": arithmetic.max(),
        "fused_mean": _arithmetic_of(counts, fused).mean(),
        **{f"arithmetic_mip{mip}": _arithmetic_of(count(words, mip), parts).mean()
           for mip in (1, 2, 3) if mip < texture.mip_count},
    }  # fmt: skip


def _arithmetic_of(counts: I64Array, parts: dict[str, int]) -> I64Array:
    return parts["texel"] + counts @ np.array([parts.get(name, 0) for name in COUNTERS])


def _sizes(words: U32Array) -> tuple[int, int, int]:
    """(words of records and their sets, words of features, words of lists). All other words are texels and the
    header."""
    views = words[28 : 28 + 16 * int(words[5] * words[6])].reshape(-1, 16).astype(np.int64)
    records = features = lists = 0
    for ranges in sorted({int(view[13]) for view in views if view[1]}):
        of = [view for view in views if view[13] == ranges]
        records += 4 * int(of[0][2] - ranges)
        features += 4 * int(min(view[0] for view in of) - of[0][2])
    for number, view in enumerate(views):
        if view[1]:
            height = max(int(words[2]) >> number // int(words[6]), 1)
            tiles = int(view[3]) * -(-height // (1 << int(view[12])))
            last = int(words[4 * int(view[0]) + tiles // 2])
            lists += (last & 0xFFFFFF) + (last >> 24)
    return records, features, lists


def count(words: U32Array, mip: int = 0) -> I64Array:
    """Decode a mip of words [n] with counters in the current context; returns int64 [H, W, 8], whose last axis follows
    COUNTERS."""
    gl = import_gl()
    width, height = (max(int(size) >> mip, 1) for size in words[1:3])
    decoder = source_path("shaders/gstex_expanded.glsl").read_text(encoding="utf-8")
    for place, counting in COUNTED.items():
        assert decoder.count(place) == 1, f"the decoder has changed, there is no {place}"
        decoder = decoder.replace(place, counting)
    text = (ROOT / "tools" / "shader_cost" / "expanded_cost.comp").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "expanded_cost.comp"
        source.write_text(text.replace('#include "gstex_expanded.glsl"', decoder), encoding="utf-8")
        program = compute_program(source, {"GSTEX_VEC4S": min(max(-(-int(words[4]) // 4), 1), 4)})
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
    return np.stack([pixels & 0xFFFF, pixels >> 16], axis=-1).reshape(height, width, 8).astype(np.int64)


def parts_of(vec4s: int, *, fused: bool = False) -> dict[str, int]:
    """Operations of a texel of one group by what is counted (see COUNTERS). fused: only its fused multiply-adds."""
    lines = assembly_of(vec4s, "decode_expanded.comp")
    [exp2] = [i for i, line in enumerate(lines) if " Exp2 " in line]
    loops, branches = loops_in(lines), selections_in(lines)
    entry, words = sorted((loop for loop in loops if loop[0] < exp2 < loop[1]), key=lambda loop: loop[1] - loop[0])[:2]

    def operations(range_: Range) -> int:
        counted = [line for line in lines[slice(*range_)] if not fused or " Fma " in line]
        return arithmetic_in(counted, 0, len(counted))

    def branch(within: Range, holds: str, smallest: bool = False) -> Range:
        """The largest or the smallest branch inside a range among those with a line that has `holds` in it."""
        inner = [(a, b) for a, b in branches if within[0] < a and b < within[1] and any(holds in x for x in lines[a:b])]
        return sorted(inner, key=lambda ab: ab[1] - ab[0])[0 if smallest else -1]

    fade = branch(entry, " SmoothStep ")
    turn = branch(fade, " Floor ")
    marked, far = (branch((entry[0], fade[0]), "OpULessThan", smallest=smallest) for smallest in (False, True))
    filtered = branch((fade[1], exp2), " OpFDiv ")
    # The branches: the multiplication by the fade, the skip of a small weight, and with more than 8 channels other
    # words.
    weighed, skip, *_ = sorted((a, b) for a, b in branches if exp2 < a < b < entry[1])
    bend = branch((words[1], len(lines)), "OpBitcast %v4int")
    raw = branch((0, words[0]), "UnpackUnorm2x16", smallest=True)
    loops_of_fours = [loop for loop in loops if exp2 not in range(*loop) and not raw[0] < loop[0] < raw[1]]
    parts = {
        "far": operations(marked), "turned": operations(turn),
        "faded": operations(fade) - operations(turn) + operations(weighed) + operations(marked) - operations(far),
        "filtered": operations(filtered),
        "added": operations((skip[1], entry[1])) - (0 if fused else 1),  # without the shift of the list's word
        "words": operations(words) - operations(entry),
    }
    conditional = sum(operations(part) for part in (marked, fade, weighed, filtered))
    parts["listed"] = operations(entry) - conditional - parts["added"]
    outside = operations((0, len(lines))) - operations(words) - operations(bend) - operations(raw)
    again = sum(operations(loop) for loop in loops_of_fours) - operations(bend)
    return {"texel": outside + (vec4s - 1) * again, **parts}


if __name__ == "__main__":
    main()
