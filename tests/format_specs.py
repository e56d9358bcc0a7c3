"""Materials for the tests of the format: golden ones, more extreme ones, and pieces to make others of."""

from __future__ import annotations

import math
import random
from functools import cache
from typing import Any

import numpy as np
from format_builder import (
    ChannelSpec,
    Gaussian,
    GroupSpec,
    LevelSpec,
    MaterialSpec,
    MipSpec,
    SharedMipSpec,
    build,
    one_group,
)
from make_golden import GOLDEN, random_level, random_palette, random_texels

ONE = ((0.0, 1 / 15, 4),)  # one channel, codes 0 .. 15 for 0 .. 1
BACKGROUND = math.exp(-20)  # its weight
# Scales for a standard deviation of 65536 texels: the weight is e^amplitude, times the fade.
WIDE: dict[str, Any] = {"scale_lo": -16.0, "scale_step": 0.0}


# A record without geometry.
BARE: dict[str, Any] = {
    "position_x_bits": 0, "position_y_bits": 0, "rotation_bits": 0, "scale_bits": 0, "amplitude_bits": 0,
}  # fmt: skip


def material(width: int, height: int, *levels: LevelSpec, ranges=ONE, **options) -> MaterialSpec:
    """One mip of one group; options: of one_group."""
    return one_group(width, height, ranges, (MipSpec([0.25] * len(ranges), levels),), **options)


def wide(cell: int, feature: int, amplitude: int = 0) -> Gaussian:
    return Gaussian(cell, 0, 0, 0, 0, 0, amplitude, (feature,))


def random_specs() -> dict[str, MaterialSpec]:
    """Golden specs and more extreme ones."""
    rng, ranges = random.Random(5), ((0.0, 1 / 255, 8), (-1.0, 0.75, 2))
    constants = {1: 0.5}
    long: dict[str, Any] = {
        "position_x_bits": 15,
        "position_y_bits": 15,
        "rotation_bits": 12,
        "scale_bits": 5,
    }
    specs = {name: spec() for name, spec in GOLDEN.items()}
    specs["geometry of 64 bits"] = material(
        11, 6, random_level(rng, (11, 6), (3, 3), (1, 0, 2), ranges, amplitude_bits=12, stride=96, **long),
        ranges=ranges, constants=constants, repeat=True, amplitude_lo=-2.0, amplitude_step=1 / 1024,
    )  # fmt: skip
    specs["more cells than texels"] = material(
        2, 3, random_level(rng, (2, 3), (7, 5), (1, 2), ranges, scale_bits=12),
        ranges=ranges, constants=constants, amplitude_lo=-2.0, bilinear=True,
    )  # fmt: skip
    specs["one texel"] = material(1, 1, random_level(rng, (1, 1), (3, 4), (1,), ONE), repeat=True)
    specs["many levels"] = material(
        16, 12, *[random_level(rng, (16, 12), (n, n), (1, 0), ranges) for n in range(18, 2, -1)], ranges=ranges
    )
    tables, nibble = [random_palette(rng, 12, 1), random_palette(rng, 1, 1)], [(-0.01, 1 / 525, 4)]
    specs["a palette of 4096 entries"] = material(
        7, 5, random_level(rng, (7, 5), (3, 3), (2, 1), nibble, palettes=tables), ranges=nibble, palettes=tables
    )
    tables = [random_palette(rng, 2, 16)] * 4
    many = [(0.0, 1 / 1100, 5 * (c % 2)) for c in range(16)]
    specs["16 channels, half of them without codes"] = material(
        5, 7, random_level(rng, (5, 7), (4, 3), (2, 1), many, palettes=tables, amplitude_bits=0),
        ranges=many, palettes=tables, bilinear=True, repeat=True,
    )  # fmt: skip
    add_regular_specs(specs, rng)
    add_group_specs(specs, rng)
    return specs


def add_regular_specs(specs: dict[str, MaterialSpec], rng: random.Random) -> None:
    """Levels without an index, and records that lack some fields or all but one bit."""
    ranges = ((0.0, 1 / 255, 8), (-1.0, 0.75, 2))
    specs["a picture of 4 bits a Gaussian"] = material(
        16, 13, random_level(rng, (16, 13), (9, 7), (1,), ONE, **BARE, regular=True), repeat=True, bilinear=True
    )
    specs["regular levels between others"] = material(
        23, 14,
        random_level(rng, (23, 14), (8, 6), (0, 2, 1), ranges),
        random_level(rng, (23, 14), (8, 5), (1,), ranges, regular=True),
        random_level(rng, (23, 14), (5, 5), (1,), ranges),  # one a cell too, and an index all the same
        random_level(rng, (23, 14), (3, 5), (1,), ranges, **BARE, stride=20, regular=True),
        random_level(rng, (23, 14), (3, 3), (17, 0), ranges),
        ranges=ranges, constants={1: 0.5}, repeat=True, amplitude_lo=-2.0,
    )  # fmt: skip
    lacking = [random_level(rng, (12, 9), (4, 4), (2, 1), ranges, **{name: 0}) for name in BARE]
    specs["every field of geometry missing once"] = material(12, 9, *lacking, ranges=ranges, amplitude_lo=-1.0)
    having = [random_level(rng, (12, 9), (4, 4), (2, 1), ranges, **BARE | {name: 4}) for name in BARE]
    specs["every field of geometry alone"] = material(12, 9, *having, ranges=ranges, repeat=True, amplitude_lo=-1.0)
    bit = [(0.25, 0.5, 1)]
    specs["records of one bit"] = material(
        5, 4,
        random_level(rng, (5, 4), (4, 3), (1,), bit, **BARE, regular=True),
        random_level(rng, (5, 4), (3, 3), (2, 0), bit, **BARE),
        ranges=bit,
    )  # fmt: skip
    # 64 words with the guard word, and fields of 0 bits that would begin at it.
    table = [random_palette(rng, 4, 1)]
    specs["a section without padding, entries alone"] = material(
        6, 5, random_level(rng, (6, 5), (17, 8), (1,), [(0.0, 1 / 255, 0)], palettes=table, **BARE, regular=True),
        ranges=[(0.0, 1 / 255, 0)], palettes=table,
    )  # fmt: skip
    specs["a section without padding, rotations and bits"] = material(
        6, 5, random_level(rng, (6, 5), (24, 11), (1,), bit, **BARE | {"rotation_bits": 3}, regular=True), ranges=bit
    )


def add_group_specs(specs: dict[str, MaterialSpec], rng: random.Random) -> None:
    """Groups of few and of many channels, and tails of different lengths."""
    size, mip_count = (18, 23), 5
    one, two = [(0.0, 1 / 255, 8)], [(0.0, 1 / 255, 8), (1.0, 1.0, 1)]
    specs["four groups of one channel without a tail"] = MaterialSpec(
        *size, [ChannelSpec(role) for role in (12, 5, 6, 7)],
        [GroupSpec((c,), one, [MipSpec([0.5], [random_level(rng, size, (4, 3), (2, c), one)]), *[MipSpec([0.25])] * 4],
                   top_k=c, amplitude_lo=-2.0) for c in (3, 0, 2, 1)],
        mip_count,
    )  # fmt: skip
    long = [(0.0, 1 / 15, 4)] * 14
    shared = [SharedMipSpec(0.5 * 2**m, [(10 * m, -5 * m, m - k) for k in range(14)]) for m in range(3)]
    level, more = random_level(rng, size, (5, 6), (1, 2), long), random_level(rng, (4, 5), (3, 3), (4,), long)
    specs["groups of fourteen channels and of one, shared mips with others in the tail"] = MaterialSpec(
        *size, [ChannelSpec()] * 16,
        [GroupSpec([c for c in range(15) if c != 4], long, [MipSpec([0.5] * 14, [level]), *shared,
                   random_texels(rng, 1, 14)], amplitude_lo=-2.0,
                   tail_mips=[MipSpec([0.5] * 14, [more]), random_texels(rng, 4, 14), None]),
         GroupSpec((4,), one, [MipSpec([0.5], [random_level(rng, (18 >> m, 23 >> m), (3, 3), (1,), one)])
                   for m in range(5)], amplitude_lo=-2.0)],
        mip_count, tail=2, bilinear=True, repeat=True,
    )  # fmt: skip
    specs["all but one mip in the tail"] = MaterialSpec(
        *size, [ChannelSpec(srgb=True)] * 3,
        [GroupSpec(members, ranges, [MipSpec([0.5] * len(members), [random_level(rng, size, (5, 4), (1, 2), ranges)]),
                   *(random_texels(rng, (18 >> m) * (23 >> m), len(members)) for m in range(1, 5))])
         for members, ranges in (((1,), one), ((0, 2), two))],
        mip_count, tail=1,
    )  # fmt: skip
    specs["a tail without padding"] = one_group(
        79, 2, ONE, (MipSpec([0.5], [random_level(rng, (79, 2), (9, 1), (2, 1), ONE)]), random_texels(rng, 39, 1)),
        tail=1,
    )  # fmt: skip


SPECS = random_specs()


@cache
def built(name: str) -> bytes:
    return build(SPECS[name])


def tie_across_the_border() -> tuple[bytes, np.ndarray]:
    """A file with K = 1 and its first three columns [3], the same in every row.

    In column 1 two Gaussians weigh the same; that of cell 2 is read first, through the left border, at
    x = 9 - 1, but that of cell 1 stands earlier in the file. Their standard deviation of 4 texels keeps the
    background's share below 1e-7 in every row.
    """
    bits: dict[str, Any] = {"position_x_bits": 1, "position_y_bits": 1, "rotation_bits": 4, "scale_lo": -2.0}
    gaussians = [Gaussian(1, 0, 0, 8, 0, 0, 0, (3,)), Gaussian(2, 1, 0, 8, 0, 0, 0, (12,))]
    spec = material(9, 9, LevelSpec(3, 3, gaussians, **bits), repeat=True, top_k=1)
    return build(spec), np.array([12, 3, 3]) / 15
