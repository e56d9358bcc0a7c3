"""What a texel of shaders/gstex.glsl costs: loaded words and arithmetic, by the number of candidates.

    python tools/glsl_cost.py [FILE.gstex ...]

Writes benchmarks/results/glsl-cost.{md,csv,json}. Without files the sample materials are compressed first. Loads are
counted while mip 0 is decoded; arithmetic is counted in the optimised SPIR-V of shaders/decode.comp, where a vector
operation counts once for each component. It is counted by part of the decoder and multiplied by how often each part
ran. A part is a loop, or a branch that depends on the file; both sides of all other branches count. Needs
glslangValidator and spirv-opt (Debian: glslang-tools, spirv-tools). Times are measured only on a GPU.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from time import perf_counter

import click
import numpy as np
from benches.table import describe_run, write_table
from shader_cost.spirv import Range, arithmetic_in, assembly_of, loops_in, selections_in

import gstex
from gstex.arrays import BoolArray, I64Array, U32Array
from gstex.errors import ExtraError, GraphicsError
from gstex.gl import Context, WordBuffer, compute_program, surfaceless
from gstex.gl.context import import_gl
from gstex.json_types import JsonObject
from gstex.resources import source_path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("material", "candidates", "texels", "groups", "levels", "palettes", "candidates_mean", "added_mean",
           "loads_mean", "loads_max", "arithmetic_mean", "arithmetic_worst", "ns_texel")  # fmt: skip
# Text of the decoder -> the same text with a counter that shader_cost/glsl_cost.comp declares.
COUNTED = {
    "gstex_add(g, word, bit, weight, sum);": "{ ++added; gstex_add(g, word, bit, weight, sum); }",
    "ivec2 gstex_cell(GstexLevel level, int cell) {": "ivec2 gstex_cell(GstexLevel level, int cell) { ++looked_up;",
}
BIN = 10  # candidates per row of the table over all materials
RUNS = 5


@dataclass(frozen=True)
class Counts:
    """Counts of every texel of mip 0, int64 [H, W] each: loaded words, candidates, added Gaussians, and cells that are
    looked up in the index one by one (at a wrap, or where cells are crowded)."""

    loads: I64Array
    candidates: I64Array
    added: I64Array
    looked_up: I64Array


@dataclass(frozen=True)
class GroupShape:
    """What the header of a group says about the work: members, one bit each; number of levels of mip 0, of palettes,
    and of fours of channels with own codes; candidates_max."""

    members: int
    levels: int
    palettes: int
    coded: int
    candidates_max: int

    @property
    def channels(self) -> int:
        """The number of members."""
        return self.members.bit_count()

    @property
    def gaps(self) -> int:
        """A bit for each channel that is no member and comes before the last member."""
        return ~self.members & (1 << self.members.bit_length()) - 1


@dataclass(frozen=True)
class Shape:
    """What the header of a material says about the work: its channels and its groups."""

    channels: int
    groups: tuple[GroupShape, ...]

    @property
    def has_constants(self) -> bool:
        """Whether some channel is in no group."""
        return sum(group.channels for group in self.groups) < self.channels

    @property
    def vec4s(self) -> int:
        """The value of GSTEX_VEC4S that decodes all channels."""
        return min(-(-self.channels // 4), 4)


@dataclass(frozen=True)
class Parts:
    """Arithmetic operations of each part. A "four" is four decoded channels.

    texel, four: once per texel and per four. constant: per channel, if some channel is constant. members, group: once
    per group, to read its members and to decode it. group_channel, group_four: per channel and per four of a group.
    spread: per channel up to the last gap between members. gap: per gap and four. bend: per channel of a shared mip.
    level, row: per level and per row of cells. cell: per cell that is looked up alone. candidate: per candidate.
    palette, palette_word, four_channels, four_codes: per added Gaussian and palette, word of a palette entry, four, and
    four with own codes.
    """

    texel: int
    four: int
    constant: int
    members: int
    group: int
    group_channel: int
    group_four: int
    spread: int
    gap: int
    bend: int
    level: int
    row: int
    cell: int
    candidate: int
    palette: int
    palette_word: int
    four_channels: int
    four_codes: int

    def of_texel(self, shape: Shape) -> int:
        """Operations of a texel outside its groups."""
        constants = 4 * self.constant * shape.vec4s if shape.has_constants else 0
        return self.texel + self.four * shape.vec4s + constants + self.members * len(shape.groups)

    def of_group(
        self, shape: Shape, group: GroupShape, candidates: int | I64Array, added: int | I64Array,
        looked_up: np.int64 | I64Array,
    ) -> np.int64 | I64Array:  # fmt: skip
        """Operations of a group for texels with these counts."""
        fours = shape.vec4s
        fixed = self.group + (4 * self.group_channel + self.group_four) * fours
        fixed += self.spread * group.gaps.bit_length() + self.gap * fours * group.gaps.bit_count()
        fixed += group.levels * (self.level + 3 * self.row)
        palette = self.palette + self.palette_word * -(-group.channels // 4)
        features = group.palettes * palette + self.four_channels * fours + self.four_codes * group.coded
        return fixed + self.cell * looked_up + self.candidate * candidates + features * added


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
    for part, number in vars(parts_of()).items():
        about[f"arithmetic per {part}"] = str(number)
    parsed, block = of_headers(), of_headers(block=True)
    for part in parsed:
        about[f"arithmetic of headers, {part}"] = f"{parsed[part]} parsed, {block[part]} with GSTEX_MATERIAL_BLOCK"
    for path in write_table(results, "glsl-cost", "Cost of a texel in GLSL", about, COLUMNS, rows):
        click.echo(path)


def _samples() -> Iterator[tuple[str, gstex.Texture]]:
    for folder in sorted((ROOT / "samples").iterdir()):
        if any(folder.glob("*.png")):
            yield folder.name, gstex.compress(folder, effort="fast")


def _rows(textures: list[tuple[str, gstex.Texture]], context: Context) -> Iterator[JsonObject]:
    """A row for every material, then a row for every range of ten candidates over all materials."""
    measured: list[tuple[Counts, I64Array]] = []
    parts = parts_of()
    for name, texture in textures:
        counts, shape = count(texture.words), shape_of(texture.words)
        arithmetic = np.full(counts.loads.shape, parts.of_texel(shape))
        worst, most = parts.of_texel(shape), 0
        for group in shape.groups:
            alone = count(texture.words, channels=group.members)
            arithmetic += parts.of_group(shape, group, alone.candidates, alone.added, alone.looked_up)
            most += group.candidates_max
            all_added = group.candidates_max, group.candidates_max, alone.looked_up.max()
            worst += int(parts.of_group(shape, group, *all_added))
        measured.append((counts, arithmetic))
        time = None if context.is_software else _nanoseconds(texture)
        every = np.ones(counts.loads.shape, bool)
        yield {"material": name, "candidates": f"at most {most}", "groups": len(shape.groups),
               "levels": sum(group.levels for group in shape.groups),
               "palettes": sum(group.palettes for group in shape.groups),
               "arithmetic_worst": worst, "ns_texel": time, **_means(counts, arithmetic, every)}  # fmt: skip
    joined = Counts(*(np.concatenate([getattr(c, field.name).ravel() for c, _ in measured])
                      for field in fields(Counts)))  # fmt: skip
    arithmetic = np.concatenate([a.ravel() for _, a in measured])
    for first in range(0, int(joined.candidates.max()) + 1, BIN):
        inside = (joined.candidates >= first) & (joined.candidates < first + BIN)
        if inside.any():
            yield {"material": "all", "candidates": f"{first}-{first + BIN - 1}",
                   **_means(joined, arithmetic, inside)}  # fmt: skip


def _means(counts: Counts, arithmetic: I64Array, inside: BoolArray) -> JsonObject:
    return {
        "texels": int(inside.sum()),
        "candidates_mean": float(counts.candidates[inside].mean()),
        "added_mean": float(counts.added[inside].mean()),
        "loads_mean": float(counts.loads[inside].mean()),
        "loads_max": int(counts.loads[inside].max()),
        "arithmetic_mean": float(arithmetic[inside].mean()),
    }


def count(words: U32Array, size: tuple[int, int] | None = None, channels: int = 0xFFFF) -> Counts:
    """Decode mip 0 of words [n] with counters, in the current context.

    size: (width, height) of the part to decode; None for all of it. channels: GSTEX_CHANNELS.
    """
    gl = import_gl()
    width, height = size or (int(words[2]) & 0xFFFF, int(words[2]) >> 16)
    decoder = source_path("shaders/gstex.glsl").read_text(encoding="utf-8")
    for place, counting in COUNTED.items():
        assert decoder.count(place) == 1, f"the decoder has changed, there is no {place}"
        decoder = decoder.replace(place, counting)
    text = (ROOT / "tools" / "shader_cost" / "glsl_cost.comp").read_text(encoding="utf-8")
    text = text.replace('#include "gstex.glsl"', decoder)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "glsl_cost.comp"
        source.write_text(text, encoding="utf-8")
        vec4s = min(-(-(int(words[3]) & 0xFF) // 4), 4)
        program = compute_program(source, {"GSTEX_VEC4S": vec4s, "GSTEX_CHANNELS": f"{channels}u"})
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
    return Counts(*(pixels[:, :, i].astype(np.int64) for i in range(4)))


def shape_of(words: U32Array) -> Shape:
    """The shape of a material, from its GPU section [n] (docs/format.md)."""
    kind = int(words[3])
    channels, groups, offsets = kind & 0xFF, kind >> 16 & 7, 2 * (kind >> 8 & 0xFF) - (kind >> 19 & 15)
    shapes = []
    for number in range(groups):
        header = words[int(words[(int(words[1]) >> 16) - groups + number]) :]
        members, palette_bits = int(header[0]) & 0xFFFF, int(header[5])
        block, widths = int(words[int(header[6])]), header[6 + offsets + 2 * members.bit_count() :]
        own_bits = [int(widths[k >> 3]) >> 4 * (k & 7) & 15 for k in range(members.bit_count())]
        shapes.append(GroupShape(
            members=members,
            levels=block & 0xFF if block < 256 else 0,
            palettes=sum(palette_bits >> 4 * p & 15 > 0 for p in range(4)),
            coded=sum(any(own_bits[i : i + 4]) for i in range(0, len(own_bits), 4)),
            candidates_max=int(header[3]),
        ))  # fmt: skip
    return Shape(channels, tuple(shapes))


def _nanoseconds(texture: gstex.Texture) -> float:
    """Nanoseconds per texel of mip 0: the fastest of RUNS decodes of the whole mip, without reading it back."""
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


def parts_of() -> Parts:
    """Arithmetic of every part of the decoder; the same for any number of channels, as loops are not unrolled."""
    lines = assembly_of(2)
    loops = loops_in(lines)

    def within(range_: Range, of: list[Range]) -> list[Range]:
        """The outermost loops or branches inside a range."""
        inner = [other for other in of if range_[0] < other[0] and other[1] < range_[1]]
        return [a for a in inner if not any(b != a and b[0] <= a[0] and a[1] <= b[1] for b in inner)]

    def own(*range_: int) -> int:
        first, last = range_
        inner = sum(arithmetic_in(lines, *loop) for loop in within((first, last), loops))
        return arithmetic_in(lines, first, last) - inner

    # The innermost loop with exp2 is that over the Gaussians. Around it is the loop over rows, and around that the loop
    # over levels. All others follow by their order in shaders/gstex.glsl; unpacking fails if their number differs.
    exp2 = [i for i, line in enumerate(lines) if " Exp2 " in line]
    around = sorted((loop for loop in loops if loop[0] < exp2[-1] < loop[1]), key=lambda loop: loop[1] - loop[0])
    candidate, row, level = around[:3]
    whole = 0, len(lines)
    zeros, members, constants, group, stores = within(whole, loops)
    fields_, sums, _level, _raw, values, bends, spread, adds = within(group, loops)
    [two_fields], [gap] = within(fields_, loops), within(spread, loops)
    cells, _candidate = within(row, loops)
    pairs, palettes, fours = within(candidate, loops)
    [palette_words] = within(palettes, loops)
    codes = within(fours, selections_in(lines))[0]
    return Parts(
        texel=own(*whole),
        four=own(*zeros) + own(*stores),
        constant=own(*constants),
        members=own(*members),
        group=own(*group),
        group_channel=own(*values),
        group_four=own(*fields_) + 2 * own(*two_fields) + own(*sums) + own(*adds),
        spread=own(*spread),
        gap=own(*gap),
        bend=own(*bends),
        level=own(*level),
        row=own(*row),
        cell=own(*cells),
        candidate=own(*candidate),
        palette=own(*palettes),
        palette_word=own(*palette_words),
        four_channels=own(*pairs) + own(*fours) - own(*codes),
        four_codes=own(*codes),
    )


def of_headers(*, block: bool = False) -> dict[str, int]:
    """Arithmetic of 8 channels outside the loop over rows of cells: of a texel, a group and a level. Loops over
    channels count once. block: with GSTEX_MATERIAL_BLOCK."""
    lines = assembly_of(2, defines={"GSTEX_MATERIAL_BLOCK": 1} if block else {})
    exp2 = [i for i, line in enumerate(lines) if " Exp2 " in line][-1]
    around = sorted((loop for loop in loops_in(lines) if loop[0] < exp2 < loop[1]), key=lambda loop: loop[1] - loop[0])
    _, row, level, group = (arithmetic_in(lines, *loop) for loop in around[:4])
    return {"texel": arithmetic_in(lines, 0, len(lines)) - group, "group": group - level, "level": level - row}


if __name__ == "__main__":
    main()
