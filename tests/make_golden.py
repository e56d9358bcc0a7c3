"""Makes the golden files of the tests: data/golden_v1_*.gstex and the texels they decode to (.npz).

    python tests/make_golden.py

Golden files are made once per format version and then kept: a change that alters what they decode to
breaks the promise of docs/format.md. The files come from format_builder, the texels (arrays mip0, mip1 ..:
[H, W, C] float32) from independent_reader.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import independent_reader
import numpy as np
from format_builder import Gaussian, LevelSpec, MaterialSpec, MipSpec, RawMipSpec, SharedMipSpec, build

DATA = Path(__file__).parent / "data"
Channels = Sequence[tuple[float, float, int]]
Palettes = Sequence[Sequence[Sequence[int]]]


def random_level(
    rng: random.Random,
    size: tuple[int, int],
    cells: tuple[int, int],
    counts: Sequence[int],
    channels: Channels,
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
            features = tuple(int(rng.random() * 2**width) for _, _, width in channels)
            entries = tuple(int(rng.random() * len(palette)) for palette in palettes)
            gaussians.append(Gaussian(cell, *geometry, features=features, entries=entries))
    return replace(level, gaussians=gaussians, scale_step=2.0 / 2**level.scale_bits)


def random_palette(rng: random.Random, bits: int, varying: int) -> list[list[int]]:
    """2^bits entries with a byte for each of the channels that vary."""
    return [[int(rng.random() * 256) for _ in range(varying)] for _ in range(2**bits)]


def repeat() -> MaterialSpec:
    """Repeats, fitted for bilinear filtering; two levels whose cells do not nest; K = 0."""
    rng, size, channels = random.Random(1), (12, 10), ((0.0, 1 / 255, 8), (-0.1, 0.02, 6), (0.25, 0.5, 1))
    levels = (
        random_level(rng, size, (6, 5), (2, 1, 0, 3), channels, position_x_bits=3, position_y_bits=5),
        random_level(rng, size, (3, 4), (1, 2), channels, stride=72),
    )
    mips = (MipSpec((0.5, 0.25, 0.75), levels),)
    return MaterialSpec(*size, channels, mips, repeat=True, bilinear=True, amplitude_lo=-2.0)


def clamp_k10() -> MaterialSpec:
    """Clamps, K = 10 of about 25 candidates, odd sizes, a level of one cell."""
    rng, size, channels = random.Random(2), (13, 9), ((0.0, 1 / 63, 6), (0.0, 1 / 1023, 10))
    levels = (
        random_level(rng, size, (5, 3), (3, 2), channels, rotation_bits=1, amplitude_bits=8),
        random_level(rng, size, (1, 1), (7,), channels, position_x_bits=9, position_y_bits=1, stride=64),
    )
    mips = (MipSpec((0.5, 0.5), levels),)
    return MaterialSpec(*size, channels, mips, top_k=10, amplitude_lo=-3.0, amplitude_step=1 / 64)


def channels() -> MaterialSpec:
    """16 channels, four of them constant; geometry over two words; three mips, the last without Gaussians."""
    rng, bits = random.Random(3), (8, 8, 7, 0, 6, 6, 5, 4, 3, 0, 12, 1, 0, 2, 9, 0)
    channels = [(0.125 * (c % 8), 0.0, 0) if b == 0 else (0.0, 1 / (2**b - 1), b) for c, b in enumerate(bits)]
    wide = {
        "position_x_bits": 8,
        "position_y_bits": 7,
        "rotation_bits": 6,
        "scale_bits": 6,
        "amplitude_bits": 5,
    }
    background = [lo if b == 0 else 0.5 for lo, _, b in channels]
    mips = (
        MipSpec(background, (random_level(rng, (16, 7), (5, 3), (2, 3), channels, **wide),)),
        MipSpec(background, (random_level(rng, (8, 3), (3, 2), (1, 4), channels, amplitude_bits=0),)),
        MipSpec(background),
    )
    return MaterialSpec(16, 7, channels, mips, amplitude_lo=-1.0, amplitude_step=0.125)


def crowded() -> MaterialSpec:
    """Crowded and ordinary groups side by side; a number of cells that is a multiple of 16."""
    rng, size, channels = random.Random(4), (9, 9), ((0.0, 1 / 31, 5),)
    counts = [0] * 40
    counts[3], counts[4], counts[15], counts[20], counts[38], counts[39] = 40, 1, 2, 15, 16, 3
    levels = (
        random_level(rng, size, (8, 5), counts, channels),
        random_level(rng, size, (4, 4), (0, 0, 17, 0, 1), channels),
    )
    return MaterialSpec(*size, channels, (MipSpec((0.5,), levels),), repeat=True, amplitude_lo=-2.0)


def raw() -> MaterialSpec:
    """A mip of Gaussians over three raw ones; six channels, one constant and two in sRGB."""
    rng, size = random.Random(5), (10, 6)
    channels = [(0.0, 1 / 63, 6)] * 3 + [(0.75, 0.0, 0)] + [(0.25, 0.01, 5)] * 2
    level = random_level(rng, size, (4, 3), (2, 0, 1), channels)
    texels = [[[int(rng.random() * 256) for _ in range(5)] for _ in range(count)] for count in (5 * 3, 2, 1)]
    background = [0.5, 0.5, 0.5, 0.75, 0.5, 0.5]
    mips = (MipSpec(background, (level,)), *(RawMipSpec(t) for t in texels))
    return MaterialSpec(*size, channels, mips, repeat=True, amplitude_lo=-2.0, srgb=0b10001)


def shared() -> MaterialSpec:
    """Two mips drawn with the Gaussians of mip 0, of odd sizes, and a raw one; wraps, two levels."""
    rng, size, channels = random.Random(6), (21, 14), ((0.0, 1 / 63, 6), (0.1, 0.02, 5))
    levels = (
        random_level(rng, size, (7, 5), (2, 1, 1), channels),
        random_level(rng, size, (4, 3), (1, 2), channels, position_x_bits=5),
    )
    texels = [[int(rng.random() * 256) for _ in range(2)] for _ in range(2)]
    mips = (MipSpec((0.5, 0.5), levels), SharedMipSpec(0.5), SharedMipSpec(1.25), RawMipSpec(texels))
    return MaterialSpec(*size, channels, mips, repeat=True, amplitude_lo=-2.0)


def palettes() -> MaterialSpec:
    """Three palettes and no codes of channels; 52 bits a record; five of six channels vary, two words an entry."""
    rng, size = random.Random(7), (14, 11)
    channels = [(-0.1, 1 / 640, 0), (0.0, 1 / 765, 0), (0.25, 0.0, 0)] + [(0.0, 1 / 600, 0)] * 3
    tables = [random_palette(rng, bits, 5) for bits in (8, 6, 5)]
    wide = {"position_x_bits": 7, "position_y_bits": 6, "rotation_bits": 6, "scale_bits": 5, "amplitude_bits": 4}
    levels = (
        random_level(rng, size, (5, 4), (2, 1, 3), channels, palettes=tables, stride=52, **wide),
        random_level(rng, size, (3, 3), (1, 2), channels, palettes=tables, stride=60),
    )
    mips = (MipSpec((0.5, 0.5, 0.25, 0.5, 0.5, 0.5), levels), SharedMipSpec(0.75))
    return MaterialSpec(*size, channels, mips, repeat=True, amplitude_lo=-2.0, varying=0b111011, palettes=tables)


def palettes_and_codes() -> MaterialSpec:
    """Four palettes, of 1 to 4 bits, beside the codes of some channels; K = 6; 13 channels, two of them constant."""
    rng, size, bits = random.Random(8), (10, 9), (3, 0, 0, 5, 0, 12, 0, 2, 0, 6, 0, 1, 4)
    channels = [(0.5, 0.0, 0) if c in (4, 8) else (-0.2, 1 / (900 + 2**b), b) for c, b in enumerate(bits)]
    tables = [random_palette(rng, number, 11) for number in (4, 1, 3, 2)]
    fine = random_level(rng, size, (4, 4), (2, 0, 3), channels, palettes=tables)
    coarse = random_level(rng, size, (2, 3), (1, 2), channels, palettes=tables, position_x_bits=6, stride=84)
    below = random_level(rng, (5, 4), (2, 2), (2, 1), channels, palettes=tables, amplitude_bits=0)
    texels = [[int(rng.random() * 256) for _ in range(11)] for _ in range(2 * 2)]
    mips = (MipSpec([0.5] * 13, (fine, coarse)), MipSpec([0.5] * 13, (below,)), RawMipSpec(texels))
    return MaterialSpec(*size, channels, mips, top_k=6, amplitude_lo=-2.0, srgb=0b1001, varying=0b1111011101111,
                        palettes=tables)  # fmt: skip


def regular() -> MaterialSpec:
    """Regular levels of records of 12 bits without geometry, and of more with some; ordinary levels beside them, one
    with nothing but positions across. Clamps; two palettes, one channel with bits of its own, one constant; a shared
    mip and one that is a regular level alone."""
    rng, size = random.Random(9), (17, 12)
    channels = [(-0.1, 1 / 480, 0), (0.0, 1 / 520, 4), (0.5, 0.0, 0), (0.2, 1 / 700, 0)]
    tables = [random_palette(rng, bits, 3) for bits in (5, 3)]
    bare = {"position_x_bits": 0, "position_y_bits": 0, "rotation_bits": 0, "scale_bits": 0, "amplitude_bits": 0}
    options: dict[str, Any] = {"palettes": tables}
    upright = {**bare, "position_y_bits": 3, "scale_bits": 4, "amplitude_bits": 2}
    levels = (
        random_level(rng, size, (9, 7), (1,), channels, **options, **bare, regular=True),
        random_level(rng, size, (6, 5), (2, 0, 1), channels, **options),
        random_level(rng, size, (4, 4), (1,), channels, **options, **upright, regular=True),
        random_level(rng, size, (2, 3), (0, 3), channels, **options, **{**bare, "position_x_bits": 5}),
    )
    below = random_level(rng, (4, 3), (3, 2), (1,), channels, **options, **bare, stride=16, regular=True)
    mips = (MipSpec([0.5] * 4, levels), SharedMipSpec(0.75), MipSpec([0.5] * 4, (below,)))
    return MaterialSpec(*size, channels, mips, amplitude_lo=-1.0, varying=0b1011, palettes=tables)


GOLDEN = {"repeat": repeat, "clamp_k10": clamp_k10, "channels": channels, "crowded": crowded, "raw": raw,
          "shared": shared, "palettes": palettes, "palettes_and_codes": palettes_and_codes, "regular": regular}


def golden_file(name: str) -> Path:
    return DATA / f"golden_v1_{name}.gstex"


def main() -> None:
    DATA.mkdir(exist_ok=True)
    for name, spec in GOLDEN.items():
        data = build(spec())
        material = independent_reader.read(data)
        golden_file(name).write_bytes(data)
        texels = {
            f"mip{m}": independent_reader.fetch(material, m).astype(np.float32)
            for m in range(len(material.mips))
        }
        np.savez_compressed(golden_file(name).with_suffix(".npz"), **texels)  # type: ignore[arg-type]
        print(f"{name}: {len(data)} bytes, candidates_max {material.header['candidates_max']}")


if __name__ == "__main__":
    main()
