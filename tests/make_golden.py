"""Makes the golden files of the tests: data/golden_v2_*.gstex and the texels they decode to (.npz).

    python tests/make_golden.py

The format is frozen: these files and what they decode to must not change, which data/golden_v2.sha256 holds and a test
compares. The command makes those that are not there, and writes their sums; it leaves the others alone. The files come
from format_builder and, the one that is WRITTEN, from `gstex.compress`; the texels (arrays mip0, mip1 ..: [H, W, C]
float32) from independent_reader.
"""

from __future__ import annotations

import hashlib
import math
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import independent_reader
import numpy as np
from format_builder import (
    ChannelSpec,
    Gaussian,
    GroupSpec,
    LevelSpec,
    MaterialSpec,
    MipSpec,
    RawMipSpec,
    SharedMipSpec,
    build,
    one_group,
)

DATA = Path(__file__).parent / "data"
Ranges = Sequence[tuple[float, float, int]]
Palettes = Sequence[Sequence[Sequence[int]]]


def random_level(
    rng: random.Random,
    size: tuple[int, int],
    cells: tuple[int, int],
    counts: Sequence[int],
    ranges: Ranges,
    *,
    palettes: Palettes = (),
    **options: Any,
) -> LevelSpec:
    """A level of cells (x, y) with random codes; cell k holds counts[k mod len(counts)] Gaussians.

    Only random() is called: Python promises its sequence for a seed, and not that of the other methods.
    """
    # Standard deviations of 0.8 cells down to a fifth: wide enough to overlap, and far from underflow.
    scale_lo = -math.log2(0.8 * max(size[0] / cells[0], size[1] / cells[1]))
    level = LevelSpec(*cells, (), **options, scale_lo=scale_lo)
    bits = [level.position_x_bits, level.position_y_bits, level.rotation_bits]
    bits += [level.scale_bits, level.scale_bits, level.amplitude_bits]
    gaussians = []
    for cell in range(cells[0] * cells[1]):
        for _ in range(counts[cell % len(counts)]):
            geometry = [int(rng.random() * 2**width) for width in bits]
            features = tuple(int(rng.random() * 2**width) for _, _, width in ranges)
            entries = tuple(int(rng.random() * len(palette)) for palette in palettes)
            gaussians.append(Gaussian(cell, *geometry, features=features, entries=entries))
    return replace(level, gaussians=gaussians, scale_step=2.0 / 2**level.scale_bits)


def random_palette(rng: random.Random, bits: int, count: int) -> list[list[int]]:
    """2^bits entries with a byte for each channel of a group."""
    return random_rows(rng, 2**bits, count)


def random_texels(rng: random.Random, texels: int, count: int) -> RawMipSpec:
    return RawMipSpec(random_rows(rng, texels, count))


def random_rows(rng: random.Random, rows: int, count: int) -> list[list[int]]:
    return [[int(rng.random() * 256) for _ in range(count)] for _ in range(rows)]


def repeat() -> MaterialSpec:
    """Repeats, fitted for bilinear filtering; two levels whose cells do not nest; K = 0."""
    rng, size, ranges = random.Random(1), (12, 10), ((0.0, 1 / 255, 8), (-0.1, 0.02, 6), (0.25, 0.5, 1))
    levels = (
        random_level(rng, size, (6, 5), (2, 1, 0, 3), ranges, position_x_bits=3, position_y_bits=5),
        random_level(rng, size, (3, 4), (1, 2), ranges, stride=72),
    )
    mips = (MipSpec((0.5, 0.25, 0.75), levels),)
    return one_group(*size, ranges, mips, repeat=True, bilinear=True, amplitude_lo=-2.0)


def clamp_k10() -> MaterialSpec:
    """Clamps, K = 10 of about 25 candidates, odd sizes, a level of one cell."""
    rng, size, ranges = random.Random(2), (13, 9), ((0.0, 1 / 63, 6), (0.0, 1 / 1023, 10))
    levels = (
        random_level(rng, size, (5, 3), (3, 2), ranges, rotation_bits=1, amplitude_bits=8),
        random_level(rng, size, (1, 1), (7,), ranges, position_x_bits=9, position_y_bits=1, stride=64),
    )
    mips = (MipSpec((0.5, 0.5), levels),)
    return one_group(*size, ranges, mips, top_k=10, amplitude_lo=-3.0, amplitude_step=1 / 64)


def channels() -> MaterialSpec:
    """16 channels, four of them constant; geometry over two words; three mips, the last without Gaussians."""
    rng, bits = random.Random(3), (8, 8, 7, 6, 6, 5, 4, 3, 12, 1, 2, 9)
    ranges = [(0.0, 1 / (2**b - 1), b) for b in bits]
    wide = {
        "position_x_bits": 8,
        "position_y_bits": 7,
        "rotation_bits": 6,
        "scale_bits": 6,
        "amplitude_bits": 5,
    }
    background = [0.5] * len(bits)
    mips = (
        MipSpec(background, (random_level(rng, (16, 7), (5, 3), (2, 3), ranges, **wide),)),
        MipSpec(background, (random_level(rng, (8, 3), (3, 2), (1, 4), ranges, amplitude_bits=0),)),
        MipSpec(background),
    )
    constants = {c: 0.125 * (c % 8) for c in (3, 9, 12, 15)}
    return one_group(16, 7, ranges, mips, constants=constants, amplitude_lo=-1.0, amplitude_step=0.125)


def crowded() -> MaterialSpec:
    """Crowded and ordinary cell groups side by side; a number of cells that is a multiple of 16."""
    rng, size, ranges = random.Random(4), (9, 9), ((0.0, 1 / 31, 5),)
    counts = [0] * 40
    counts[3], counts[4], counts[15], counts[20], counts[38], counts[39] = 40, 1, 2, 15, 16, 3
    levels = (
        random_level(rng, size, (8, 5), counts, ranges),
        random_level(rng, size, (4, 4), (0, 0, 17, 0, 1), ranges),
    )
    return one_group(*size, ranges, (MipSpec((0.5,), levels),), repeat=True, amplitude_lo=-2.0)


def raw() -> MaterialSpec:
    """A mip of Gaussians and three raw ones, which are the tail; six channels, one constant and two in sRGB."""
    rng, size = random.Random(5), (10, 6)
    ranges = [(0.0, 1 / 63, 6)] * 3 + [(0.25, 0.01, 5)] * 2
    level = random_level(rng, size, (4, 3), (2, 0, 1), ranges)
    mips = (MipSpec([0.5] * 5, (level,)), *(random_texels(rng, count, 5) for count in (5 * 3, 2, 1)))
    return one_group(*size, ranges, mips, constants={3: 0.75}, srgb=0b10001, tail=1, repeat=True, amplitude_lo=-2.0)


def shared() -> MaterialSpec:
    """Two mips drawn with the Gaussians of mip 0, of odd sizes, bent and not, the second of which is a raw one in the
    tail, and a raw one; wraps, two levels."""
    rng, size, ranges = random.Random(6), (21, 14), ((0.0, 1 / 63, 6), (0.1, 0.02, 5))
    levels = (
        random_level(rng, size, (7, 5), (2, 1, 1), ranges),
        random_level(rng, size, (4, 3), (1, 2), ranges, position_x_bits=5),
    )
    mips = (
        MipSpec((0.5, 0.5), levels),
        SharedMipSpec(0.5, [(0, 0, 0), (511, -511, 511)]),
        SharedMipSpec(1.25, [(-40, 75, 12), (3, -200, -1)]),
        random_texels(rng, 2, 2),
    )
    tail_mips = (random_texels(rng, 5 * 3, 2), None)
    return one_group(*size, ranges, mips, tail=2, repeat=True, amplitude_lo=-2.0, tail_mips=tail_mips)


def palettes() -> MaterialSpec:
    """Three palettes and no codes of channels; 52 bits a record; five of six channels vary, two words an entry."""
    rng, size = random.Random(7), (14, 11)
    ranges = [(-0.1, 1 / 640, 0), (0.0, 1 / 765, 0)] + [(0.0, 1 / 600, 0)] * 3
    tables = [random_palette(rng, bits, 5) for bits in (8, 6, 5)]
    wide = {"position_x_bits": 7, "position_y_bits": 6, "rotation_bits": 6, "scale_bits": 5, "amplitude_bits": 4}
    levels = (
        random_level(rng, size, (5, 4), (2, 1, 3), ranges, palettes=tables, stride=52, **wide),
        random_level(rng, size, (3, 3), (1, 2), ranges, palettes=tables, stride=60),
    )
    mips = (MipSpec([0.5] * 5, levels), SharedMipSpec(0.75, [(60, 31, -60)] * 5))
    return one_group(*size, ranges, mips, constants={2: 0.25}, repeat=True, amplitude_lo=-2.0, palettes=tables)


def palettes_and_codes() -> MaterialSpec:
    """Four palettes, of 1 to 4 bits, beside the codes of some channels; K = 6; 13 channels, two of them constant."""
    rng, size, bits = random.Random(8), (10, 9), (3, 0, 0, 5, 12, 0, 2, 6, 0, 1, 4)
    ranges = [(-0.2, 1 / (900 + 2**b), b) for b in bits]
    tables = [random_palette(rng, number, 11) for number in (4, 1, 3, 2)]
    fine = random_level(rng, size, (4, 4), (2, 0, 3), ranges, palettes=tables)
    coarse = random_level(rng, size, (2, 3), (1, 2), ranges, palettes=tables, position_x_bits=6, stride=84)
    below = random_level(rng, (5, 4), (2, 2), (2, 1), ranges, palettes=tables, amplitude_bits=0)
    mips = (MipSpec([0.5] * 11, (fine, coarse)), MipSpec([0.5] * 11, (below,)), random_texels(rng, 2 * 2, 11))
    return one_group(
        *size, ranges, mips, constants={4: 0.5, 8: 0.5}, srgb=0b1001, top_k=6, amplitude_lo=-2.0, palettes=tables
    )


def regular() -> MaterialSpec:
    """Regular levels of records of 12 bits without geometry, and of more with some; ordinary levels beside them, one
    with nothing but positions across. Clamps; two palettes, one channel with bits of its own, one constant; a shared
    mip, and one that is a regular level alone and the tail."""
    rng, size = random.Random(9), (17, 12)
    ranges = [(-0.1, 1 / 480, 0), (0.0, 1 / 520, 4), (0.2, 1 / 700, 0)]
    tables = [random_palette(rng, bits, 3) for bits in (5, 3)]
    bare = {"position_x_bits": 0, "position_y_bits": 0, "rotation_bits": 0, "scale_bits": 0, "amplitude_bits": 0}
    options: dict[str, Any] = {"palettes": tables}
    upright = {**bare, "position_y_bits": 3, "scale_bits": 4, "amplitude_bits": 2}
    levels = (
        random_level(rng, size, (9, 7), (1,), ranges, **options, **bare, regular=True),
        random_level(rng, size, (6, 5), (2, 0, 1), ranges, **options),
        random_level(rng, size, (4, 4), (1,), ranges, **options, **upright, regular=True),
        random_level(rng, size, (2, 3), (0, 3), ranges, **options, **{**bare, "position_x_bits": 5}),
    )
    below = random_level(rng, (4, 3), (3, 2), (1,), ranges, **options, **bare, stride=16, regular=True)
    mips = (MipSpec([0.5] * 3, levels), SharedMipSpec(0.75, [(9, 8, 7)] * 3), MipSpec([0.5] * 3, (below,)))
    return one_group(*size, ranges, mips, constants={2: 0.5}, tail=2, amplitude_lo=-1.0, palettes=tables)


def groups() -> MaterialSpec:
    """Four groups whose channels do not stand together, of every kind of mip, with and without palettes and K; two
    constants; entries of every kind; a tail of two mips, in which groups do not agree and one has another mip."""
    rng, size, small = random.Random(10), (19, 13), (4, 3)
    table = [random_palette(rng, 4, 5)]
    colour = [(0.0, 1 / 300, 3), (0.0, 1 / 300, 3), (0.0, 1 / 300, 0), (0.05, 1 / 400, 1), (0.0, 1 / 255, 0)]
    level = random_level(rng, size, (6, 5), (2, 0, 1, 3), colour, palettes=table)
    first = GroupSpec(
        (0, 2, 5, 7, 9), colour,
        (MipSpec([0.5] * 5, (level,)), SharedMipSpec(0.75, [(30, 20, 10)] * 5), SharedMipSpec(1.75, [(1, 2, 4)] * 5),
         random_texels(rng, 2 * 1, 5)),
        tail_mips=(random_texels(rng, 4 * 3, 5), None), amplitude_lo=-2.0, palettes=table,
    )  # fmt: skip
    normal = [(0.0, 1 / 127, 7), (0.0, 1 / 127, 7)]
    levels = [random_level(rng, (19 >> m, 13 >> m), (max(3, 5 - m), 3), (1, 2), normal) for m in range(4)]
    second = GroupSpec((3, 4), normal, [MipSpec((0.5, 0.5), (level,)) for level in levels], top_k=3, amplitude_lo=-3.0)
    rough = [(0.125, 0.05, 4)]
    level, below = (random_level(rng, s, (3, 3), (3, 1), rough, rotation_bits=0) for s in (size, small))
    third = GroupSpec(
        (10,), rough,
        (MipSpec((0.5,), (level,)), MipSpec((0.25,)), MipSpec((0.75,), (below,)), random_texels(rng, 2, 1)),
        amplitude_step=0.25,
    )  # fmt: skip
    fourth = GroupSpec(
        (1, 8), [(0.0, 1 / 255, 8)] * 2, [random_texels(rng, (19 >> m) * (13 >> m), 2) for m in range(4)]
    )
    entries = [
        ChannelSpec(1, 1, srgb=True), ChannelSpec(8, scale=4.0, bias=-0.5), ChannelSpec(1, 2, srgb=True),
        ChannelSpec(4, 4), ChannelSpec(4, 5, flipped=True), ChannelSpec(1, 3, srgb=True), ChannelSpec(6, constant=1.0),
        ChannelSpec(7), ChannelSpec(9, scale=0.125, bias=100.0, curve=1, stops=6.5), ChannelSpec(3), ChannelSpec(5),
        ChannelSpec(12, constant=-0.25),
    ]  # fmt: skip
    return MaterialSpec(*size, entries, (first, second, third, fourth), 4, tail=2, repeat=True)


def constants() -> MaterialSpec:
    """No channel varies; two mips."""
    channels = [ChannelSpec(2, 1, srgb=True, constant=0.375), ChannelSpec(5, constant=1.5), ChannelSpec(constant=-0.5)]
    return MaterialSpec(5, 3, channels, (), 2)


GOLDEN = {"repeat": repeat, "clamp_k10": clamp_k10, "channels": channels, "crowded": crowded, "raw": raw,
          "shared": shared, "palettes": palettes, "palettes_and_codes": palettes_and_codes, "regular": regular,
          "groups": groups, "constants": constants}


# By the first release that froze the format: leaves of 64x64 texels with a tail, shared mips, palettes and metadata.
WRITTEN = "written"
SUMS = DATA / "golden_v2.sha256"


def golden_file(name: str) -> Path:
    return DATA / f"golden_v2_{name}.gstex"


def sums() -> str:
    """The SHA-256 of all golden files, as `sha256sum` prints them."""
    files = sorted([*DATA.glob("golden_v2_*.gstex"), *DATA.glob("golden_v2_*.npz")])
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def written() -> bytes:
    """A small sample, compressed by the gstex that is installed."""
    from small_samples import crop_sample

    import gstex

    with tempfile.TemporaryDirectory() as folder:
        sample = crop_sample("vine_leaves", Path(folder) / "leaves", 64)
        gstex.compress(sample, bpp=2.0, effort="fast", device="cpu", tail=3).save(Path(folder) / "written.gstex")
        return (Path(folder) / "written.gstex").read_bytes()


def main() -> None:
    DATA.mkdir(exist_ok=True)
    for name in (*GOLDEN, WRITTEN):
        if golden_file(name).exists():
            continue
        data = written() if name == WRITTEN else build(GOLDEN[name]())
        material = independent_reader.read(data)
        golden_file(name).write_bytes(data)
        texels = {
            f"mip{m}": independent_reader.fetch(material, m).astype(np.float32)
            for m in range(material.header["mip_count"])
        }
        np.savez_compressed(golden_file(name).with_suffix(".npz"), **texels)  # type: ignore[arg-type]
        most = [group.header["candidates_max"] for group in material.groups]
        print(f"{name}: {len(data)} bytes, candidates_max {most}")
    SUMS.write_text(sums(), encoding="utf-8")


if __name__ == "__main__":
    main()
