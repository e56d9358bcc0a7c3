"""What the independent reader decodes and samples, against numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import format_builder
import independent_reader
import numpy as np
import pytest
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
from format_specs import BACKGROUND, BARE, WIDE, built, material, tie_across_the_border, wide
from independent_reader import candidates, fetch, read, read_tail, sample
from independent_sampling import sample_lod
from make_golden import GOLDEN


@pytest.mark.parametrize("crowd", [15, 16, 300])
def test_crowded_cell_decodes(crowd: int) -> None:
    """Gaussians as wide as the texture give the mean of their features wherever their cell is seen."""
    level = LevelSpec(5, 4, [wide(7, r % 16) for r in range(crowd)] + [wide(19, 9)], **WIDE)
    got = read(build(material(5, 4, level)))
    (group,) = got.groups
    assert list(group.mips[0].levels[0].start[7:10]) == [0, crowd, crowd]
    assert list(group.mips[0].levels[0].codes["position_x"]) == [0] * (crowd + 1)
    mean = np.mean([r % 16 / 15 for r in range(crowd)])
    assert fetch(got, 0)[1, 2, 0] == pytest.approx(mean, abs=1e-6)
    assert fetch(got, 0)[3, 4, 0] == pytest.approx(9 / 15, abs=1e-6)
    assert group.header["candidates_max"] == crowd + 1
    assert candidates(got, group, 0).tolist() == [
        [0, crowd, crowd, crowd, 0],
        [0, crowd, crowd, crowd, 0],
        [0, crowd, crowd, crowd + 1, 1],
        [0, 0, 0, 1, 1],
    ]


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


def test_a_regular_level_by_hand() -> None:
    """4x1 texels, 2x1 cells of 2x1 texels, records of 4 bits: both Gaussians stand in the middle of their cells, are
    round, of scale 1 and amplitude 0, and have the features 1 and 0."""
    features = [15, 0]
    level = LevelSpec(2, 1, [Gaussian(k, 0, 0, 0, 0, 0, 0, (features[k],)) for k in (0, 1)], **BARE, regular=True)
    got = read(build(material(4, 1, level)))
    # Texel 0 is half a texel from the one in the middle of its cell; 2.5 from the other, whose fade is
    # f = 2 (1.5 - |0.25 - 1 - 0.5|) = 0.5, so 0.5. Texel 1 is half and 1.5 texels away, and nothing fades.
    near, far, between = math.exp(-0.125), 0.5 * math.exp(-3.125), math.exp(-1.125)
    pairs = [(near, far), (near, between), (between, near), (far, near)]
    expected = [(one + 0.25 * BACKGROUND) / (one + zero + BACKGROUND) for one, zero in pairs]
    assert np.abs(fetch(got, 0)[0, :, 0] - expected).max() < 1e-7  # 1 / 15 is rounded to float32
    (group,) = got.groups
    assert candidates(got, group, 0).tolist() == [[2, 2, 2, 2]]
    assert (got.header["words"], group.mips[0].levels[0].entry["stride"]) == (10 + 10 + 10 + 1 + 1, 4)


def test_fields_that_are_missing_by_hand() -> None:
    """Without rotation an ellipse stands upright; without a position it is in the middle of its cell; without scales it
    is round, without amplitude bits its amplitude is amplitude_lo. Two of them, seen from (2.5, 0.5) of 8x1 texels."""
    upright = LevelSpec(2, 1, [Gaussian(0, 0, 1, 0, 3, 1, 0, (15,))], 0, 1, 0, 2, 0, scale_lo=-1.0, scale_step=-0.5)
    round_one = LevelSpec(2, 1, [Gaussian(1, 1, 0, 3, 0, 0, 1, (0,))], 2, 0, 3, 0, 1, scale_lo=-1.5)
    got = fetch(read(build(material(8, 1, upright, round_one, amplitude_lo=0.25))), 0)[0, 2, 0]
    # Centres: (2, 0.75), and (4 + 1.5 / 4 * 4, 0.5) = (5.5, 0.5). The fade of the second: f = 2 (1.5 - 0.875) > 1.
    one = math.exp(0.25 - ((0.5 * 2**-2.5) ** 2 + (-0.25 * 2**-1.5) ** 2) / 2)
    zero = math.exp(0.75 - (3.0 * 2**-1.5) ** 2 / 2)
    assert got == pytest.approx((one + 0.25 * BACKGROUND) / (one + zero + BACKGROUND), abs=1e-7)


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
    assert (candidates(got, got.groups[0], 0) == seen & seen[:, None]).all()


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


def test_top_k_ties_across_the_border() -> None:
    data, expected = tie_across_the_border()
    assert np.abs(fetch(read(data), 0)[:, :3, 0] - expected).max() < 1e-6


def test_one_texel() -> None:
    level = LevelSpec(3, 3, [wide(cell, cell) for cell in range(9)], **WIDE)
    got = read(build(material(1, 1, level, repeat=True)))
    # The centre is the middle of cell 4; the Gaussians of all nine cells are seen without fading.
    assert fetch(got, 0).shape == (1, 1, 1) and candidates(got, got.groups[0], 0).tolist() == [[9]]
    assert fetch(got, 0)[0, 0, 0] == pytest.approx(4 / 15, abs=1e-6)


def test_mip_sizes_and_constants() -> None:
    got = read(built("channels"))
    assert [fetch(got, m).shape for m in range(3)] == [(7, 16, 16), (3, 8, 16), (1, 4, 16)]
    constant = [3, 9, 12, 15]
    for m in range(3):
        assert (fetch(got, m)[..., constant] == [0.375, 0.125, 0.5, 0.875]).all()
    assert (np.delete(fetch(got, 2), constant, axis=2) == 0.5).all()


def test_values_are_clamped() -> None:
    """Two channels of one bit: -0.5 or 0.5, and 1 or 2; and a background outside 0 .. 1."""
    gaussians = [replace(wide(0, 0), features=(0, 1)), replace(wide(2, 0), features=(1, 0))]
    level = LevelSpec(6, 1, gaussians, **WIDE)
    spec = one_group(6, 1, [(-0.5, 1.0, 1), (1.0, 1.0, 1)], [MipSpec((1.5, -0.5), [level])])
    got = fetch(read(build(spec)), 0)[0]
    assert (got[0] == (0.0, 1.0)).all()  # -0.5 and 2
    assert np.abs(got[3] - (0.5, 1.0)).max() < 1e-6
    assert (got[5] == (1.0, 0.0)).all()


def test_constants_are_clamped() -> None:
    got = read(built("constants"))
    assert [(m, fetch(got, m).shape) for m in (0, 1)] == [(0, (3, 5, 3)), (1, (1, 2, 3))]
    for bilinear in (False, True):
        assert sample(got, np.array([[0.3, -2.0]]), 1, bilinear).tolist() == [[0.375, 1.0, 0.0]]


def test_raw_texels_by_hand() -> None:
    """Five channels take two words a texel; the fourth of six is constant."""
    spec = GOLDEN["raw"]()
    words = format_builder.build_words(spec)
    group_header = 8 + 6 + 1 + 1
    block = words[group_header + 6 + 1]
    r, g, b, x, y = spec.groups[0].mips[1].texels[1]
    assert words[block : block + 2] == [256, 0]
    assert words[block + 4 : block + 6] == [r | g << 8 | b << 16 | x << 24, y]
    got = read(build(spec))
    texels = fetch(got, 1)
    assert texels.shape == (3, 5, 6)
    assert np.allclose(texels[0, 1] * 255, [r, g, b, 0.75 * 255, x, y])
    # Half way between texels (0, 0) and (1, 0), both ways of filtering.
    for bilinear in (False, True):
        value = sample(got, np.array([[0.2, 0.5 / 3]]), 1, bilinear)
        assert np.allclose(value, texels[0, :2].mean(axis=0))


def test_palettes_by_hand() -> None:
    """One wide Gaussian: a channel of palettes alone, a constant, and one with a code of its own."""
    palettes = [[[10, 1], [20, 2]], [[200, 7], [255, 6], [100, 5], [0, 4]]]
    ranges = [(0.125, 1 / 512, 0), (0.0, 1 / 64, 4)]
    for entries, first, third in (((0, 1), 10 + 255, 1 + 6), ((1, 2), 20 + 100, 2 + 5), ((1, 3), 20 + 0, 2 + 4)):
        gaussian = replace(wide(0, 0), features=(0, 9), entries=entries)
        level = LevelSpec(1, 1, [gaussian], **WIDE)
        spec = material(3, 2, level, ranges=ranges, constants={1: 0.5}, palettes=palettes)
        expected = [0.125 + first / 512, 0.5, (third + 9) / 64]
        assert np.abs(fetch(read(build(spec)), 0) - expected).max() < 1e-8


def test_groups_by_hand() -> None:
    """Two groups whose channels alternate: each has Gaussians, K, amplitudes, palettes and mips of its own."""
    one = GroupSpec(
        (0, 3), [(0.0, 1 / 15, 4), (1.0, 1 / 256, 0)],
        (MipSpec((0, 0), [LevelSpec(1, 1, [replace(wide(0, 0), features=(c, 0), entries=(c - 3,)) for c in (3, 4)],
                                    **WIDE)]), RawMipSpec([[51, 204]])),
        top_k=1, palettes=[[[15, 16], [17, 18]]],
    )  # fmt: skip
    two = GroupSpec(
        (1,), [(0.0, 1 / 15, 4)],
        (MipSpec((0,), [LevelSpec(2, 1, [wide(0, 3, 0), wide(1, 12, 1)], **WIDE)]), MipSpec((0.625,))),
        amplitude_step=1.0,
    )  # fmt: skip
    channels = [ChannelSpec(c, constant=(c == 2) * 0.75) for c in range(4)]
    got = read(build(MaterialSpec(2, 1, channels, (one, two), 2, tail=1)))
    assert [group.members for group in got.groups] == [(0, 3), (1,)]
    assert [channel.entry["group"] for channel in got.channels] == [0, 1, 7, 0]
    assert [channel.entry["role"] for channel in got.channels] == [0, 1, 2, 3]
    # K = 1 keeps the first of two equals. In the other group weights are 1 and e everywhere: each texel is the middle
    # of one cell, and half a cell from where the other begins to fade.
    second = (3 + 12 * math.e) / (1 + math.e) / 15
    assert np.abs(fetch(got, 0)[0] - np.clip([(3 + 15) / 15, second, 0.75, 1 + 16 / 256], 0, 1)).max() < 1e-6
    assert np.abs(fetch(got, 1) - [51 / 255, 0.625, 0.75, 204 / 255]).max() < 1e-12


def test_shared_mip_by_hand() -> None:
    """A round Gaussian of sigma 1 at (1, 1) and a filter of sqrt(3): at half the size its sigma is 2, in texels of
    mip 0. With a log-amplitude of -16 it is about as heavy as the background, whose value is 0."""
    level = LevelSpec(1, 1, [Gaussian(0, 0, 0, 1, 0, 0, 0, (15,))], position_x_bits=1, position_y_bits=1,
                      rotation_bits=1, scale_step=0.0)  # fmt: skip
    mips = (MipSpec((0.0,), (level,)), SharedMipSpec(math.sqrt(3.0), [(0, 0, 0)]), MipSpec((0.0,)))
    options: dict[str, Any] = {"amplitude_lo": -16.0, "amplitude_step": 0.0}
    got = read(build(one_group(4, 4, [(0.0, 1 / 16, 4)], mips, tail=2, **options)))

    def expected(square: float) -> float:
        weight = math.exp(-16 - square / 2)
        return 15 / 16 * weight / (weight + BACKGROUND)

    # Texel (0, 0) of mip 1 lies on the Gaussian; its neighbours are 2 texels of mip 0 away along an axis.
    texels = np.array([[expected(0), expected(4 / 4)], [expected(4 / 4), expected(8 / 4)]])
    assert np.allclose(fetch(got, 1)[:, :, 0], texels)
    assert np.allclose(fetch(got, 0)[0, 3, 0], expected(2.5**2 + 0.5**2))
    assert np.allclose(sample(got, np.array([[0.75, 0.25]]), 1), expected(4 / 4))
    # A bend is made of each fetch, and bilinear filtering comes after it.
    mips = (mips[0], SharedMipSpec(math.sqrt(3.0), [(100, -200, -150)]), mips[2])
    got = read(build(one_group(4, 4, [(0.0, 1 / 16, 4)], mips, tail=2, **options)))
    bent = texels + (100 * (1 - texels) - 150 * texels - 4 * 200 * texels * (1 - texels)) / 1024
    assert np.allclose(fetch(got, 1)[:, :, 0], bent)
    assert np.allclose(sample(got, np.array([[0.5, 0.5]]), 1, bilinear=True), bent.mean())


@pytest.mark.parametrize("bend", [(0, 0, 0), (511, -511, 511), (-1, 1, -1), (40, 60, -20), (-300, 0, 300)])
def test_a_bend_by_hand(bend: tuple[int, int, int]) -> None:
    """Backgrounds of 0, 1/2, 1 and beyond, and a Gaussian of 1/4: low and high at the ends, middle above the line."""
    ranges, low, middle, high = [(0.25, 0.0, 1)] * 4, *(number / 1024 for number in bend)
    gaussian = replace(wide(0, 0), features=(0, 0, 0, 0))
    levels = [LevelSpec(4, 1, [gaussian], **WIDE)]
    mips = (MipSpec((0.0, 0.5, 1.0, 1.5), levels), SharedMipSpec(0.0, [bend] * 4), MipSpec((0.0,) * 4))
    got = fetch(read(build(one_group(8, 2, ranges, mips, tail=2))), 1)[0]
    half = 0.5 + (low + high) / 2 + middle
    assert np.allclose(got[3], np.clip([low, half, 1 + high, 1 + high], 0, 1), atol=1e-12)
    quarter = 0.25 + 0.75 * low + 0.25 * high + 0.75 * middle
    assert np.allclose(got[0], np.clip(quarter, 0, 1), atol=1e-6)


@pytest.mark.parametrize("name", ["raw", "shared", "regular", "groups", "a tail without padding"])
def test_the_tail_alone(name: str) -> None:
    """It is read from the beginning of a file; what lies before it is clamped to it. It may have another block for what
    is drawn from mip 0 in the whole."""
    whole = read(built(name))
    part = read_tail(built(name)[: 256 + whole.file["resident_bytes"]])
    groups = [replace(g, mips=g.mips[: whole.header["tail"]] + g.tail_mips) for g in whole.groups]
    assert (name in ("shared", "groups")) == any(g.mip_offset[-len(g.tail_offset) :] != g.tail_offset for g in groups)
    whole = replace(whole, groups=tuple(groups))
    tail, mip_count = part.header["tail"], part.header["mip_count"]
    assert part.header["first_mip"] == tail < mip_count and whole.header["first_mip"] == 0
    uv = np.random.default_rng(3).uniform(-1, 2, (20, 2))
    for mip in range(mip_count):
        instead = max(mip, tail)
        assert np.array_equal(fetch(part, mip), fetch(whole, instead))
        assert np.array_equal(sample(part, uv, mip), sample(whole, uv, instead))
    for lod in (0.0, tail - 0.5, tail + 0.25, mip_count):
        found = sample_lod(part, 0.3, 0.7, lod, bilinear=True)
        assert np.array_equal(found, sample_lod(whole, 0.3, 0.7, max(lod, tail), bilinear=True))
    assert all(group.mips[:tail] == (None,) * tail for group in part.groups)
    damaged = bytearray(built(name))
    damaged[256 + whole.file["resident_bytes"] // 2] ^= 1
    with pytest.raises(ValueError, match="resident_crc"):
        read_tail(bytes(damaged))


# A file for each kind of mip, level and record; what the package makes of all others is in test_format_package.py.
CENTRES = ("repeat", "clamp_k10", "raw", "shared", "palettes_and_codes", "groups", "more cells than texels",
           "regular levels between others")  # fmt: skip


@pytest.mark.parametrize("name", CENTRES)
def test_sample_at_texel_centres_is_fetch(name: str) -> None:
    got = read(built(name))
    for m in range(got.header["mip_count"]):
        width, height = got.size(m)
        y, x = np.mgrid[:height, :width] + 0.5
        uv = np.stack([x.ravel() / width, y.ravel() / height], axis=1)
        texels = fetch(got, m).reshape(-1, len(got.channels))
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


@pytest.mark.parametrize("name", [*CENTRES, "crowded", "many levels", "one texel"])
def test_candidates_max_is_reached_and_not_passed(name: str) -> None:
    """The builder counts patch by patch, the reader at points: texel centres, and a fine grid of points.

    The package counts again in every file that it reads, and refuses any other number.
    """
    got = read(built(name))
    for group in got.groups:
        largest = 0
        for m, mip in enumerate(group.mips):
            grid = (np.arange(200) + 0.5) / 200
            axes = [
                tuple(
                    independent_reader.axis_of(grid * size, size, level.entry[f"cells_{axis}"], got)
                    for axis, size in (("x", mip.width), ("y", mip.height))
                )
                for level in mip.levels
            ]
            total = np.zeros((200, 200), np.int64)
            for level, ((x, _), (y, _)) in zip(mip.levels, axes, strict=True):
                for _, _, cell, exists in independent_reader.neighbours_of(x[None], y[:, None], level, got):
                    total += np.where(exists, np.diff(level.start)[cell], 0)
            assert candidates(got, group, m).max() <= group.header["candidates_max"]
            largest = max(largest, total.max())
        assert largest == group.header["candidates_max"]
