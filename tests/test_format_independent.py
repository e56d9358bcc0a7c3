"""The file format, checked by a writer and a reader that know docs/format.md and nothing of gstex.

First the two of them against numbers worked out by hand, then the package against the two, then the golden
files, and last the document against the names in the code.
"""

from __future__ import annotations

import ast
import math
import random
import re
import struct
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import format_builder
import independent_reader
import numpy as np
import pytest
from format_builder import Gaussian, LevelSpec, MaterialSpec, MipSpec, RawMipSpec, SharedMipSpec, build
from independent_reader import candidates, fetch, read, sample
from make_golden import DATA, GOLDEN, random_level

import gstex
from gstex.decode import decode_mip
from gstex.format import pack, unpack
from gstex.format.container import read_file

TESTS = Path(__file__).parent
TOLERANCE = 4e-6  # float32 decoder against float64; the worst seen in these files is 1e-6
ONE = ((0.0, 1 / 15, 4),)  # one channel, codes 0 .. 15 for 0 .. 1
BACKGROUND = math.exp(-20)  # its weight
# Scales for a standard deviation of 65536 texels: the weight is e^amplitude, times the fade.
WIDE: dict[str, Any] = {"scale_lo": -16.0, "scale_step": 0.0}


def material(width: int, height: int, *levels: LevelSpec, channels=ONE, **options) -> MaterialSpec:
    background = [lo if bits == 0 else 0.25 for lo, _, bits in channels]
    return MaterialSpec(width, height, channels, (MipSpec(background, levels),), **options)


def wide(cell: int, feature: int, amplitude: int = 0) -> Gaussian:
    return Gaussian(cell, 0, 0, 0, 0, 0, amplitude, (feature,))


def random_specs() -> dict[str, MaterialSpec]:
    """Golden specs and more extreme ones."""
    rng, rgb = random.Random(5), ((0.0, 1 / 255, 8), (0.5, 0.0, 0), (-1.0, 0.75, 2))
    long: dict[str, Any] = {
        "position_x_bits": 15,
        "position_y_bits": 15,
        "rotation_bits": 12,
        "scale_bits": 5,
    }
    specs = {name: spec() for name, spec in GOLDEN.items()}
    specs["geometry of 64 bits"] = material(
        11, 6, random_level(rng, (11, 6), (3, 3), (1, 0, 2), rgb, amplitude_bits=12, stride=96, **long),
        channels=rgb, repeat=True, amplitude_lo=-2.0, amplitude_step=1 / 1024,
    )  # fmt: skip
    specs["more cells than texels"] = material(
        2, 3, random_level(rng, (2, 3), (7, 5), (1, 2), rgb, scale_bits=12),
        channels=rgb, amplitude_lo=-2.0, bilinear=True,
    )  # fmt: skip
    specs["one texel"] = material(1, 1, random_level(rng, (1, 1), (3, 4), (1,), ONE), repeat=True)
    specs["only constants"] = material(
        4, 4, random_level(rng, (4, 4), (1, 2), (1,), [(0.5, 0, 0)]), channels=[(0.5, 0.0, 0)], top_k=32
    )
    specs["many levels"] = material(
        16, 12, *[random_level(rng, (16, 12), (n, n), (1, 0), rgb) for n in range(18, 2, -1)], channels=rgb
    )
    return specs


SPECS = random_specs()


@cache
def built(name: str) -> bytes:
    return build(SPECS[name])


# The writer and the reader against numbers worked out by hand


def test_words_of_an_empty_material() -> None:
    spec = replace(material(5, 3, bilinear=True), channels=[(0.5, 0.125, 3)])
    half, eighth, quarter = 0x3F000000, 0x3E000000, 0x3E800000
    words = [0x4D545347, 14 << 16, 5 | 3 << 16, 1 | 1 << 8 | 1 << 25, 18, 0, half, 0, 0, 0, 14]
    words += [half, eighth, 3, 0, 0, quarter]
    assert format_builder.build_words(spec) == words + [0] * (64 - 17)


def test_words_of_a_level() -> None:
    """One record whose fields are 1010 1, 11 1, ... so that each can be seen in the bits."""
    gaussian = Gaussian(1, 0b101, 0b01, 0b1001, 0b11, 0b10, 0b1, (0b110, 0))
    bits: dict[str, Any] = {"position_x_bits": 3, "position_y_bits": 2, "rotation_bits": 4, "scale_bits": 2}
    level = LevelSpec(2, 1, [gaussian, gaussian], **bits, amplitude_bits=1, stride=24)
    words = format_builder.build_words(material(4, 4, level, channels=[(0.0, 0.125, 3), (0.5, 0.0, 0)]))
    header_words = 10 + 1 + 4 + 1
    block, entry = header_words, header_words + 4
    index_offset = entry + 7
    assert words[block : block + 2] == [1, 2]
    assert words[entry : entry + 4] == [2 | 1 << 16, index_offset, index_offset + 3, 2]
    assert words[entry + 4] == 24 | 3 << 9 | 2 << 13 | 4 << 17 | 2 << 21 | 1 << 25
    assert words[index_offset : index_offset + 3] == [0, 2 << 4, 0]
    record = int("11011011100101101", 2)
    assert words[index_offset + 3 : index_offset + 6] == [record | (record & 255) << 24, record >> 8, 0]


def test_file_header() -> None:
    data = build(material(4, 4), {"generator": "é"})
    text = b'{"generator": "\\u00e9"}'
    assert data[:8] == b"\x89GSTEX\r\n"
    assert struct.unpack_from("<7I", data, 8) == (0, 0, len(data), 256, 256, 512, len(text))
    assert data[44:256] == bytes(212) and data[512:] == text and len(data) == 512 + len(text)
    assert read(data).metadata == {"generator": "é"}


def test_guard_word_has_room() -> None:
    """64 words without the guard: it takes a 65th, and the padding goes on to 128."""
    words = format_builder.build_words(material(1, 1, LevelSpec(1, 1, [wide(0, 0)] * 29, stride=32)))
    assert (len(words), words[4]) == (128, 65)


@pytest.mark.parametrize(("position_bits", "stride"), [(4, 40), (8, 48), (9, 64), (12, 64)])
def test_stride_keeps_geometry_in_two_words(position_bits: int, stride: int) -> None:
    """Geometry of 28 + 2 position_bits and a feature of 4 bits; 32 + gcd(stride, 32) = 40, 48 or 64.

    9: 46 + 4 bits would fit in 56, whose records start at multiples of 8 and leave 40 bits for geometry.
    """
    level = LevelSpec(1, 1, [], position_bits, position_bits, 9, 7, 5)
    assert format_builder.record_stride(material(1, 1), level) == stride


def test_index_of_crowded_cells() -> None:
    counts = [0] * 16
    counts[5], counts[6] = 15, 2
    assert format_builder.index_words(counts) == [0, 15 << 20 | 2 << 24, 0, 17, 0, 0]
    counts[5] = 16
    prefix = [0, 0, 0, 16 | 18 << 16] + [18 | 18 << 16] * 4
    assert format_builder.index_words(counts) == [1 << 31, 6, 0, 18, 0, 0, *prefix]


@pytest.mark.parametrize("crowd", [15, 16, 300])
def test_crowded_cell_decodes(crowd: int) -> None:
    """Gaussians as wide as the texture give the mean of their features wherever their cell is seen."""
    level = LevelSpec(5, 4, [wide(7, r % 16) for r in range(crowd)] + [wide(19, 9)], **WIDE)
    got = read(build(material(5, 4, level)))
    assert list(got.mips[0].levels[0].start[7:10]) == [0, crowd, crowd]
    assert list(got.mips[0].levels[0].codes["position_x"]) == [0] * (crowd + 1)
    mean = np.mean([r % 16 / 15 for r in range(crowd)])
    assert fetch(got, 0)[1, 2, 0] == pytest.approx(mean, abs=1e-6)
    assert fetch(got, 0)[3, 4, 0] == pytest.approx(9 / 15, abs=1e-6)
    assert got.header["candidates_max"] == crowd + 1
    assert candidates(got, 0).tolist() == [
        [0, crowd, crowd, crowd, 0],
        [0, crowd, crowd, crowd, 0],
        [0, crowd, crowd, crowd + 1, 1],
        [0, 0, 0, 1, 1],
    ]


@pytest.mark.parametrize("name", SPECS)
def test_codes_come_back(name: str) -> None:
    spec, got = SPECS[name], read(built(name))
    assert (got.header["width"], got.header["height"]) == (spec.width, spec.height)
    assert (got.header["repeat"], got.header["bilinear"]) == (spec.repeat, spec.bilinear)
    assert (got.header["top_k"], got.amplitude_lo) == (spec.top_k, spec.amplitude_lo)
    assert got.amplitude_step == np.float32(spec.amplitude_step)
    table = np.array(spec.channels, np.float32)
    assert (np.stack([got.channel_lo, got.channel_step, got.channel_bits], axis=1) == table).all()
    for mip, mip_spec in zip(got.mips, spec.mips, strict=True):
        if isinstance(mip_spec, SharedMipSpec):
            assert mip.filter == mip_spec.filter and mip.levels is got.mips[0].levels
            continue
        if isinstance(mip_spec, RawMipSpec):
            assert np.array_equal(mip.texels.reshape(len(mip_spec.texels), -1) * 255, mip_spec.texels)
            continue
        assert (mip.background == np.float32(mip_spec.background)).all()
        for level, level_spec in zip(mip.levels, mip_spec.levels, strict=True):
            assert (level.scale_lo, level.scale_step) == (
                np.float32(level_spec.scale_lo),
                level_spec.scale_step,
            )
            cell = np.repeat(np.arange(len(level.start) - 1), np.diff(level.start))
            rows = zip(cell, *level.codes.values(), level.features, strict=True)
            codes = [
                Gaussian(*(int(code) for code in row[:7]), tuple(int(f) for f in row[7])) for row in rows
            ]
            assert codes == sorted(level_spec.gaussians, key=lambda gaussian: gaussian.cell)


def test_one_gaussian_is_its_feature() -> None:
    """Wherever it is seen: normalised, a single Gaussian is flat but for the share of the background (0.25).

    6x4 texels, 2x2 cells of 3x2 texels. Its centre is (3.5 / 16 * 3, 8.5 / 16 * 2); h = -11/16 tan(pi/8).
    """
    level = LevelSpec(2, 2, [Gaussian(0, 3, 8, 5, 2, 9, 1, (11,))])
    got = fetch(read(build(material(6, 4, level))), 0)
    assert got.shape == (4, 6, 1)
    y, x = np.mgrid[:4, :6] + 0.5
    dx, dy, t = x - 0.65625, y - 1.0625, -2 * math.atan(11 / 16 * math.tan(math.pi / 8))
    along, across = math.cos(t) * dx + math.sin(t) * dy, math.cos(t) * dy - math.sin(t) * dx
    weight = np.exp(0.5 - (along**2 * 2**-1.0 + across**2 * 2**-4.5) / 2)
    # The block ends at x = 6 and y = 4; the last half cell fades.
    f = [np.clip(2 * (2 - x / 3), 0, 1), np.clip(2 * (2 - y / 2), 0, 1)]
    weight *= (f[0] ** 2 * (3 - 2 * f[0])) * (f[1] ** 2 * (3 - 2 * f[1]))
    share = BACKGROUND / (BACKGROUND + weight)
    assert share.max() < 1e-6
    assert np.abs(got[..., 0] - 11 * float(np.float32(1 / 15)) * (1 - share) - 0.25 * share).max() < 1e-14


def test_two_gaussians_by_hand() -> None:
    """8x4 texels, 2x2 cells of 4x2 texels, the texel (3, 0): its centre is (3.5, 0.5)."""
    bits: dict[str, Any] = {"position_x_bits": 2, "position_y_bits": 3, "rotation_bits": 3}
    first = Gaussian(0, 1, 2, 6, 1, 0, 3, (15,))
    second = Gaussian(3, 0, 7, 1, 0, 2, 6, (0,))
    level = LevelSpec(2, 2, [first, second], **bits, scale_lo=-1.0, scale_step=0.5)
    spec = material(8, 4, level, amplitude_lo=-1.0)

    # first: centre (0 + 1.5 / 4 * 4, 0 + 2.5 / 8 * 2) = (1.5, 0.625), h = 2/4 tan(pi/8), fades 1
    t = 2 * math.atan(0.5 * math.tan(math.pi / 8))
    along, across = math.cos(t) * 2.0 + math.sin(t) * -0.125, math.cos(t) * -0.125 - math.sin(t) * 2.0
    weight_1 = math.exp(0.5 - (0.5 * along**2 + 0.25 * across**2) / 2)
    # second: centre (4 + 0.5 / 4 * 4, 2 + 7.5 / 8 * 2) = (4.5, 3.875), h = -3/4 tan(pi/8), log-amplitude 2;
    # the cell to the lower right: d = 0.875 - 1 fades by 1, d = 0.25 - 1 by 0.5
    t = -2 * math.atan(0.75 * math.tan(math.pi / 8))
    along, across = math.cos(t) * -1.0 + math.sin(t) * -3.375, math.cos(t) * -3.375 - math.sin(t) * -1.0
    weight_2 = 0.5 * math.exp(2.0 - (0.25 * along**2 + 1.0 * across**2) / 2)

    value = fetch(read(build(spec)), 0)[0, 3, 0]
    assert 0.1 < weight_1 / weight_2 < 1e3
    assert value == pytest.approx(weight_1 / (weight_1 + weight_2), rel=1e-7)


def test_background_where_nothing_is_seen() -> None:
    level = LevelSpec(4, 4, [wide(0, 15)], **WIDE)
    got = fetch(read(build(material(8, 8, level))), 0)[..., 0]
    assert np.abs(got[:4, :4] - 1).max() < 1e-6
    assert (got[4:] == 0.25).all() and (got[:, 4:] == 0.25).all()


def test_background_balances_a_weight_of_its_size() -> None:
    """A Gaussian of scale sqrt(2) that is sqrt(20) texels away weighs e^-20, as the background does."""
    level = LevelSpec(1, 1, [Gaussian(0, 0, 0, 8, 0, 0, 0, (15,))], position_x_bits=1, position_y_bits=1,
                      rotation_bits=4, scale_lo=0.5, scale_step=0.0)  # fmt: skip
    uv = np.array([[(8 + math.sqrt(20)) / 32, 8 / 32]])  # the centre is (8, 8)
    got = sample(read(build(material(32, 32, level))), uv, 0)
    assert got[0, 0] == pytest.approx((1 + 0.25) / 2, rel=1e-6)


def test_fade_at_the_edge_of_the_block() -> None:
    """A wide Gaussian of a 1x1 level (feature 1) against one of cell 2 of 4 (feature 0) that fades in."""
    spec = material(16, 4, LevelSpec(4, 1, [wide(2, 0)], **WIDE), LevelSpec(1, 1, [wide(0, 15)], **WIDE))
    # Cell 2 is 8 .. 12, its block 4 .. 16; between 4 and 6 it fades in: f = 0, 1/4, 1/2, 3/4, 1
    x = np.array([3.9, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 12.0, 14.0, 15.0, 15.5])
    f = np.array([0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 0.5, 0.25])
    fade = f**2 * (3 - 2 * f)
    uv = np.stack([x / 16, np.full(len(x), 0.3)], axis=1)
    got = read(build(spec))
    assert np.abs(sample(got, uv, 0)[:, 0] - 1 / (1 + fade)).max() < 1e-6
    turned = material(4, 16, LevelSpec(1, 4, [wide(2, 0)], **WIDE), LevelSpec(1, 1, [wide(0, 15)], **WIDE))
    assert np.abs(sample(read(build(turned)), uv[:, ::-1], 0)[:, 0] - 1 / (1 + fade)).max() < 1e-6


@pytest.mark.parametrize("axis", ["x", "y"])
def test_repeat_and_clamp_at_the_border(axis: str) -> None:
    """12x12 texels, 4x4 cells of 3; one Gaussian in the first cell, one in the last of its row or column.

    The texel (11, 0) has its centre at (11.5, 0.5). The first Gaussian, seen through the border, stands at
    about (13.5, 1.5), the other at (10.5, 1.5); both have scale 1.
    """
    other = 3 if axis == "x" else 12
    bits: dict[str, Any] = {"position_x_bits": 9, "position_y_bits": 9, "rotation_bits": 4}
    gaussians = [Gaussian(0, 255, 255, 8, 0, 0, 0, (15,)), Gaussian(other, 255, 255, 8, 0, 0, 0, (0,))]
    level = LevelSpec(4, 4, gaussians, **bits)
    centre = 255.5 / 512 * 3
    dy = 0.5 - centre
    first = math.exp(-((11.5 - 12 - centre) ** 2 + dy**2) / 2)
    second = math.exp(-((11.5 - 9 - centre) ** 2 + dy**2) / 2)
    texel = (0, 11, 0) if axis == "x" else (11, 0, 0)
    repeated, clamped = (fetch(read(build(material(12, 12, level, repeat=r))), 0) for r in (True, False))
    assert repeated[texel] == pytest.approx(first / (first + second), rel=1e-6)
    assert clamped[texel] == pytest.approx(0.25 * BACKGROUND / (BACKGROUND + second), rel=1e-6)


def test_repeat_at_the_corner() -> None:
    spec = material(9, 9, LevelSpec(3, 3, [wide(0, 15)], **WIDE), repeat=True)
    assert np.abs(fetch(read(build(spec)), 0) - 1).max() < 1e-6  # three cells: every cell sees every cell
    spec = material(16, 16, LevelSpec(4, 4, [wide(0, 15)], **WIDE), repeat=True)
    seen = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1], bool)
    got = read(build(spec))
    assert ((fetch(got, 0)[..., 0] > 0.99) == seen & seen[:, None]).all()
    assert (candidates(got, 0) == seen & seen[:, None]).all()


def test_top_k_keeps_the_heaviest() -> None:
    """Weights 1, e, e^2 with features 3/15, 15/15, 6/15, everywhere."""
    gaussians = [wide(0, 3, 0), wide(0, 6, 4), wide(0, 15, 2)]
    level = LevelSpec(1, 1, gaussians, **WIDE)
    value = {k: fetch(read(build(material(4, 4, level, top_k=k))), 0) for k in (0, 1, 2, 3, 32)}
    e, a, b, c = math.e, 3 / 15, 15 / 15, 6 / 15
    assert np.abs(value[1] - c).max() < 1e-6
    assert np.abs(value[2] - (e * b + e**2 * c) / (e + e**2)).max() < 1e-6
    assert np.abs(value[0] - (a + e * b + e**2 * c) / (1 + e + e**2)).max() < 1e-6
    assert np.abs(value[3] - value[0]).max() < 1e-12 and np.abs(value[32] - value[0]).max() < 1e-12


def test_top_k_ties_go_to_the_earlier() -> None:
    same_cell = LevelSpec(1, 1, [wide(0, 4), wide(0, 8), wide(0, 12)], **WIDE)
    assert np.abs(fetch(read(build(material(4, 4, same_cell, top_k=1))), 0) - 4 / 15).max() < 1e-6
    # Two levels, both Gaussians at (6, 6) of 24 texels and in float arithmetic the same distance from 7.5:
    bits: dict[str, Any] = {"position_x_bits": 1, "position_y_bits": 1}
    fine = LevelSpec(3, 3, [Gaussian(0, 1, 1, 0, 0, 0, 0, (4,))], **bits)
    coarse = LevelSpec(1, 1, [Gaussian(0, 0, 0, 0, 0, 0, 0, (8,))], **bits)
    got = fetch(read(build(material(24, 24, fine, coarse, top_k=1))), 0)[7, 7, 0]
    assert got == pytest.approx(4 / 15, abs=1e-6)


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


def test_top_k_ties_across_the_border() -> None:
    data, expected = tie_across_the_border()
    assert np.abs(fetch(read(data), 0)[:, :3, 0] - expected).max() < 1e-6


def test_one_texel() -> None:
    level = LevelSpec(3, 3, [wide(cell, cell) for cell in range(9)], **WIDE)
    got = read(build(material(1, 1, level, repeat=True)))
    # The centre is the middle of cell 4; the Gaussians of all nine cells are seen without fading.
    assert fetch(got, 0).shape == (1, 1, 1) and candidates(got, 0).tolist() == [[9]]
    assert fetch(got, 0)[0, 0, 0] == pytest.approx(4 / 15, abs=1e-6)


def test_mip_sizes_and_constants() -> None:
    got = read(built("channels"))
    assert [fetch(got, m).shape for m in range(3)] == [(7, 16, 16), (3, 8, 16), (1, 4, 16)]
    for m in range(3):
        assert (fetch(got, m)[..., got.channel_bits == 0] == got.channel_lo[got.channel_bits == 0]).all()
    assert (fetch(got, 2)[..., got.channel_bits > 0] == 0.5).all()


def test_values_are_clamped() -> None:
    """Two channels of one bit: -0.5 or 0.5, and 1 or 2; and a background outside 0 .. 1."""
    gaussians = [replace(wide(0, 0), features=(0, 1)), replace(wide(2, 0), features=(1, 0))]
    level = LevelSpec(6, 1, gaussians, **WIDE)
    spec = MaterialSpec(6, 1, [(-0.5, 1.0, 1), (1.0, 1.0, 1)], [MipSpec((1.5, -0.5), [level])])
    got = fetch(read(build(spec)), 0)[0]
    assert (got[0] == (0.0, 1.0)).all()  # -0.5 and 2
    assert np.abs(got[3] - (0.5, 1.0)).max() < 1e-6
    assert (got[5] == (1.0, 0.0)).all()


def test_raw_texels_by_hand() -> None:
    """Five channels take two words a texel; the fourth of six is constant."""
    spec = GOLDEN["raw"]()
    words = format_builder.build_words(spec)
    block = words[11]
    r, g, b, x, y = spec.mips[1].texels[1]
    assert words[block : block + 2] == [256, 0]
    assert words[block + 4 : block + 6] == [r | g << 8 | b << 16 | x << 24, y]
    assert words[9] == 0b10001
    got = read(build(spec))
    texels = fetch(got, 1)
    assert texels.shape == (3, 5, 6)
    assert np.allclose(texels[0, 1] * 255, [r, g, b, 0.75 * 255, x, y])
    # Half way between texels (0, 0) and (1, 0), both ways of filtering.
    for bilinear in (False, True):
        value = sample(got, np.array([[0.2, 0.5 / 3]]), 1, bilinear)
        assert np.allclose(value, texels[0, :2].mean(axis=0))


def test_shared_mip_by_hand() -> None:
    """A round Gaussian of sigma 1 at (1, 1) and a filter of sqrt(3): at half the size its sigma is 2, in texels of
    mip 0. With a log-amplitude of -16 it is about as heavy as the background, whose value is 0."""
    level = LevelSpec(1, 1, [Gaussian(0, 0, 0, 1, 0, 0, 0, (15,))], position_x_bits=1, position_y_bits=1,
                      rotation_bits=1, scale_step=0.0)  # fmt: skip
    spec = MaterialSpec(4, 4, [(0.0, 1 / 16, 4)], (MipSpec((0.0,), (level,)), SharedMipSpec(math.sqrt(3.0))),
                        amplitude_lo=-16.0, amplitude_step=0.0)  # fmt: skip
    got = read(build(spec))

    def expected(square: float) -> float:
        weight = math.exp(-16 - square / 2)
        return 15 / 16 * weight / (weight + BACKGROUND)

    # Texel (0, 0) of mip 1 lies on the Gaussian; its neighbours are 2 texels of mip 0 away along an axis.
    assert np.allclose(fetch(got, 1)[:, :, 0], [[expected(0), expected(4 / 4)], [expected(4 / 4), expected(8 / 4)]])
    assert np.allclose(fetch(got, 0)[0, 3, 0], expected(2.5**2 + 0.5**2))
    assert np.allclose(sample(got, np.array([[0.75, 0.25]]), 1), expected(4 / 4))


@pytest.mark.parametrize("name", SPECS)
def test_sample_at_texel_centres_is_fetch(name: str) -> None:
    got = read(built(name))
    for m, mip in enumerate(got.mips):
        y, x = np.mgrid[: mip.height, : mip.width] + 0.5
        uv = np.stack([x.ravel() / mip.width, y.ravel() / mip.height], axis=1)
        texels = fetch(got, m).reshape(-1, len(got.channel_lo))
        assert np.abs(sample(got, uv, m) - texels).max() < 1e-9
        assert np.abs(sample(got, uv, m, bilinear=True) - texels).max() < 1e-9
        assert (
            np.abs(sample(got, uv + np.array([1.0, -2.0]), m) - texels).max() < 1e-9
            or not got.header["repeat"]
        )


def test_bilinear_by_hand() -> None:
    got = read(built("clamp_k10"))
    texels = fetch(got, 0)
    uv = np.array([[3 / 13, 2.5 / 9], [0.0, 0.0], [6.75 / 13, 1.0], [2.0, 1.0]])
    expected = [(texels[2, 2] + texels[2, 3]) / 2, texels[0, 0]]
    expected += [0.75 * texels[8, 6] + 0.25 * texels[8, 7], texels[8, 12]]
    assert np.abs(sample(got, uv, 0, bilinear=True) - expected).max() < 1e-12
    got = read(built("repeat"))
    texels = fetch(got, 0)
    corners = (texels[0, 0] + texels[-1, 0] + texels[0, -1] + texels[-1, -1]) / 4
    assert np.abs(sample(got, np.array([[0.0, 1.0]]), 0, bilinear=True) - corners).max() < 1e-12


@pytest.mark.parametrize("name", ["clamp_k10", "repeat", "more cells than texels", "many levels"])
def test_sample_beyond_the_border(name: str) -> None:
    got = read(built(name))
    for bilinear in (False, True):
        inside = np.array([[0.0, 1.0], [1.0, 0.25], [1.0, 0.0], [0.375, 1.0]])
        outside = np.array([[-0.5, 1.5], [7.0, 0.25], [1.25, -2.0], [0.375, 3.0]])
        if got.header["repeat"]:
            inside, outside = inside % 1.0, np.array([[-4.0, 2.0], [1.0, -1.75], [3.0, 0.0], [-0.625, 1.0]])
        difference = sample(got, inside, 0, bilinear) - sample(got, outside, 0, bilinear)
        assert np.abs(difference).max() < 1e-12


@pytest.mark.parametrize("name", SPECS)
def test_candidates_max_is_reached_and_not_passed(name: str) -> None:
    """The builder counts patch by patch, the reader at points: texel centres, and a fine grid of points."""
    got = read(built(name))
    largest = 0
    for m, mip in enumerate(got.mips):
        grid = (np.arange(200) + 0.5) / 200
        axes = [
            tuple(
                independent_reader._axis(grid * size, size, level.entry[f"cells_{axis}"], got)
                for axis, size in (("x", mip.width), ("y", mip.height))
            )
            for level in mip.levels
        ]
        total = np.zeros((200, 200), np.int64)
        for level, ((x, _), (y, _)) in zip(mip.levels, axes, strict=True):
            for _, _, cell, exists in independent_reader._neighbours(x[None], y[:, None], level, got):
                total += np.where(exists, np.diff(level.start)[cell], 0)
        assert candidates(got, m).max() <= got.header["candidates_max"]
        largest = max(largest, total.max())
    assert largest == got.header["candidates_max"]


@pytest.mark.parametrize("offset", [0, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 300, 500, -1])
def test_reader_notices_a_changed_byte(offset: int) -> None:
    data = bytearray(built("repeat"))
    data[offset] ^= 4
    with pytest.raises(ValueError, match=r"docs/format\.md"):
        read(bytes(data))


# The package against the writer and the reader


@pytest.fixture(params=SPECS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "built.gstex"
    path.write_bytes(built(request.param))
    return path


def test_package_reads_the_same_codes(written: Path) -> None:
    words, metadata = read_file(written)
    theirs, ours = unpack(words), read(written)
    assert metadata == ours.metadata
    assert (theirs.width, theirs.height) == (ours.header["width"], ours.header["height"])
    assert (theirs.repeat, theirs.bilinear) == (ours.header["repeat"], ours.header["bilinear"])
    assert (theirs.top_k, theirs.amplitude_lo) == (ours.header["top_k"], ours.amplitude_lo)
    assert theirs.amplitude_step == ours.amplitude_step
    assert theirs.srgb.tolist() == [bool(ours.header["srgb"] >> c & 1) for c in range(len(theirs.srgb))]
    for name in ("channel_lo", "channel_step", "channel_bits"):
        assert np.array_equal(getattr(theirs, name), getattr(ours, name))
    for their_mip, our_mip in zip(theirs.mips, ours.mips, strict=True):
        if our_mip.extent is not None:
            assert their_mip.filter == our_mip.filter
            continue
        if our_mip.texels is not None:
            assert np.array_equal(their_mip.texels / 255, our_mip.texels)
            continue
        assert np.array_equal(their_mip.background, our_mip.background)
        for their, our in zip(their_mip.levels, our_mip.levels, strict=True):
            for name in set(our.entry) - {"index_offset", "record_offset", "count"}:
                assert getattr(their.layout, name) == our.entry[name], name
            assert (their.layout.scale_lo, their.layout.scale_step) == (our.scale_lo, our.scale_step)
            assert np.array_equal(their.cell, np.repeat(np.arange(len(our.start) - 1), np.diff(our.start)))
            assert np.array_equal(their.geometry, np.stack(list(our.codes.values()), axis=1))
            assert np.array_equal(their.features, our.features)


def test_package_packs_the_same_words(written: Path) -> None:
    """The format leaves no freedom: what was unpacked packs to the words it came from."""
    words, _ = read_file(written)
    again = pack(unpack(words))
    assert np.array_equal(again, words)


def test_package_decodes_the_same_texels(written: Path) -> None:
    texture, ours = gstex.load(written), read(written)
    for m in range(len(ours.mips)):
        texels = texture.decode(m)
        assert texels.dtype == np.float32
        np.testing.assert_allclose(texels, fetch(ours, m), rtol=0, atol=TOLERANCE)
        assert np.array_equal(decode_mip(texture.words, m)[1], candidates(ours, m))


@pytest.mark.parametrize("filtering", ["direct", "bilinear"])
def test_package_samples_the_same_points(written: Path, filtering: str) -> None:
    texture, ours = gstex.load(written), read(written)
    rng = random.Random(6)
    uv = np.array([[3 * rng.random() - 1, 3 * rng.random() - 1] for _ in range(200)], np.float32)
    for m in range(len(ours.mips)):
        difference = texture.sample(uv, m, filter=filtering) - sample(ours, uv, m, filtering == "bilinear")
        assert np.abs(difference).max() < TOLERANCE


def test_package_gives_ties_across_the_border_to_the_earlier(tmp_path: Path) -> None:
    data, expected = tie_across_the_border()
    (tmp_path / "tie.gstex").write_bytes(data)
    texels = gstex.load(tmp_path / "tie.gstex").decode()
    assert np.abs(texels[:, :3, 0] - expected).max() < 1e-6


# Golden files


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files_are_what_the_builder_makes(name: str) -> None:
    assert build(GOLDEN[name]()) == (DATA / f"golden_v0_{name}.gstex").read_bytes()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_texels(name: str) -> None:
    got = read(DATA / f"golden_v0_{name}.gstex")
    with np.load(DATA / f"golden_v0_{name}.npz") as expected:
        assert list(expected) == [f"mip{m}" for m in range(len(got.mips))]
        for m in range(len(got.mips)):
            np.testing.assert_allclose(fetch(got, m), expected[f"mip{m}"], rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", GOLDEN)
def test_package_decodes_golden_texels(name: str) -> None:
    texture = gstex.load(DATA / f"golden_v0_{name}.gstex")
    with np.load(DATA / f"golden_v0_{name}.npz") as expected:
        for m, texels in enumerate(expected.values()):
            np.testing.assert_allclose(texture.decode(m), texels, rtol=0, atol=TOLERANCE)


# The document and the code


def document_fields() -> set[str]:
    """Names in the `field` columns of docs/format.md, and the fields of a record."""
    text = (TESTS.parent / "docs" / "format.md").read_text(encoding="utf-8")
    names: set[str] = set()
    column = -1
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if "field" in cells:
            column = cells.index("field")
        elif not cells:
            column = -1
        elif column >= 0:
            # "channel_lo[c], channel_step[c]", "channel_count C", "background[c], C words f32": names come
            # first in their part, and a part that starts otherwise is prose.
            parts = [re.match(r"[a-z][a-z_0-9]*", part.strip()) for part in cells[column].split(",")]
            names |= {part.group() for part in parts if part}
    record = re.search(r"Fields in order, lowest bit first:\s+([a-z_,\s]+), then one field", text)
    assert record, "docs/format.md: the sentence with the fields of a record"
    return names | set(re.split(r",\s+", record.group(1)))


def code_names(path: Path) -> set[str]:
    """Identifiers and short strings of a Python file, comments and docstrings left out."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for value in (getattr(node, key, None) for key in ("id", "attr", "arg", "value", "name")):
            names |= {value} if isinstance(value, str) else set()
    return names


@pytest.mark.parametrize("module", [independent_reader, format_builder])
def test_every_documented_field_has_its_name_in_the_code(module) -> None:
    fields = document_fields()
    assert {
        "magic",
        "gpu_crc",
        "mip_offset",
        "channel_step",
        "background",
        "scale_step",
        "rotation",
    } <= fields
    assert len(fields) > 45
    assert fields - code_names(Path(module.__file__)) == set()
