"""Codes: what is encoded, what it means, and what it costs."""

from dataclasses import replace
from math import gcd

import numpy as np
import pytest
import torch
from random_gaussians import random_geometry
from reference.blend import blend

from gstex.decode import count_candidates, decode_texels
from gstex.encode.cell_pyramid import keep_inside, make_pyramid, place
from gstex.encode.codebooks import to_grid
from gstex.encode.ops.cpu.codebooks import store, train
from gstex.encode.ops.cpu.quantisation import Quantiser
from gstex.encode.quantisation import Precision, channel_grid, make_coding, words_needed
from gstex.format import (
    ChannelEntry,
    PackedGroup,
    PackedLevel,
    PackedMaterial,
    PackedMip,
    group_header_words,
    header_words,
    pack,
    palette_words,
    validate,
)
from gstex.texture import Texture

PRECISION = Precision(position_step=0.2, rotation_bits=6, scale_bits=6, amplitude_bits=4, feature_step=1 / 40)
NEUTRAL = [(0.0, 1.0), (128 / 255,), (0.0, 1.0)]


class Scene:
    def __init__(self, width, height, count, *, repeat, seed=0, precision=PRECISION, palette_bits=()):
        rng = np.random.default_rng(seed)
        self.pyramid = make_pyramid(width, height, repeat=repeat, cell=7.0)
        self.geometry = random_geometry(rng, count, width, height, sigma=(0.4, 12.0))
        self.features = rng.random((count, 3)).astype(np.float32) * [1.0, 0.4, 0.1] + [0.0, 0.3, 0.0]
        self.features = self.features.astype(np.float32)
        self.background = np.full(3, 0.25, np.float32)
        keep_inside(self.pyramid, self.geometry, sigma_min=0.3)
        self.placement = place(self.pyramid, self.geometry)
        ranges = [(float(f.min()), float(f.max())) for f in self.features.T]
        self.coding = make_coding(self.pyramid, self.placement, self.geometry, precision, ranges, NEUTRAL,
                                  palette_bits=palette_bits)  # fmt: skip
        if palette_bits:
            trained, _ = train(self.features, np.ones(count), palette_bits, rng, rounds=3, passes=1)
            lo, step, palettes = to_grid(trained, NEUTRAL)
            self.coding = replace(self.coding, channel_lo=lo, channel_step=step, palettes=palettes)
        self.quantiser = Quantiser(self.coding, self.placement)
        self.stored = store(self.coding, self.features)

    def packed(self) -> np.ndarray:
        codes, _ = self.quantiser.encode(self.geometry)
        feature_codes, entries = self.stored.codes, self.stored.entries
        levels = []
        for i, layout in enumerate(self.coding.levels):
            here = np.flatnonzero(self.placement[:, 0] == i)
            if layout is None:
                continue
            cell = self.placement[here, 2].astype(np.int64) * layout.cells_x + self.placement[here, 1]
            order = np.argsort(cell, kind="stable")
            here = here[order]
            levels.append(PackedLevel(layout, cell[order], codes[here], feature_codes[here], entries[here]))
        coding = self.coding
        count = len(coding.channel_bits)
        group = PackedGroup(
            tuple(range(count)), 0, coding.amplitude_lo, coding.amplitude_step, coding.channel_lo, coding.channel_step,
            coding.channel_bits, (PackedMip(self.background, tuple(levels)),), coding.palettes,
        )  # fmt: skip
        pyramid, channels = self.pyramid, (ChannelEntry(),) * count
        return pack(PackedMaterial(pyramid.width, pyramid.height, pyramid.repeat, False, 1, 1, channels, (group,)))


def mip_words(words: np.ndarray) -> int:
    """Words of the only mip of the only group of a section."""
    return validate(words).groups[0].mips[0].words


SCENES = [(64, 64, 200, True), (37, 90, 150, False), (8, 8, 1, True), (1, 1, 3, False), (300, 20, 40, True)]
# Every scene, every number of palettes, and none of them with repeating and without.
STORED = [(*SCENES[0], ()), (*SCENES[0], (5, 3, 2)), (*SCENES[1], ()), (*SCENES[1], (4,)), (*SCENES[2], (4,)),
          (*SCENES[3], (5, 3, 2)), (*SCENES[4], (4,))]  # fmt: skip


@pytest.mark.parametrize("width, height, count, repeat", SCENES)
def test_encoding_what_was_decoded_changes_nothing(width, height, count, repeat):
    scene = Scene(width, height, count, repeat=repeat)
    codes, turns = scene.quantiser.encode(scene.geometry)
    again, _ = scene.quantiser.encode(scene.quantiser.decode(codes, turns))
    np.testing.assert_array_equal(again, codes)
    np.testing.assert_array_equal(store(scene.coding, scene.stored.values()).codes, scene.stored.codes)


def test_errors_stay_within_half_a_step():
    scene = Scene(64, 64, 300, repeat=True)
    geometry, features = scene.quantiser.decode(*scene.quantiser.encode(scene.geometry)), scene.stored.values()
    # Positions may have two bits less than asked for, one along each axis, where the record is shorter for it.
    away = np.abs(geometry[:, :2] - scene.geometry[:, :2])
    cells = scene.pyramid.cell_size[scene.placement[:, 0]]
    bits = np.array([(0, 0) if layout is None else (layout.position_x_bits, layout.position_y_bits)
                     for layout in scene.coding.levels])[scene.placement[:, 0]]  # fmt: skip
    assert (away <= 0.5 * cells / 2.0**bits + 1e-4).all() and 0.1 < away.max() <= 0.2 + 1e-4
    turn = np.angle(np.exp(2j * (geometry[:, 2] - scene.geometry[:, 2]))) / 2  # ellipses repeat after 180 degrees
    assert np.abs(turn).max() <= 0.5 * 2 * np.tan(np.pi / 8) / 32 + 1e-6
    steps = [layout.scale_step for layout in scene.coding.levels if layout]
    assert np.abs(geometry[:, 3:5] - scene.geometry[:, 3:5]).max() <= 0.5 * max(steps) * np.log(2) + 1e-5
    assert np.abs(geometry[:, 5] - scene.geometry[:, 5]).max() <= 0.5 * scene.coding.amplitude_step + 1e-6
    # The grid of channel 1 is shifted by up to half a step for its neutral value.
    allowed = scene.coding.channel_step * [0.5, 1.0, 0.5] + 1e-6
    assert (np.abs(features - scene.features).max(axis=0) <= allowed).all()


def test_a_quarter_turn_swaps_the_scales():
    scene = Scene(64, 64, 50, repeat=True)
    scene.geometry[:, 2] = np.linspace(-7, 7, 50)
    codes, turns = scene.quantiser.encode(scene.geometry)
    turned = scene.geometry.copy()
    turned[:, 2] += np.float32(np.pi / 2)
    turned[:, [3, 4]] = turned[:, [4, 3]]
    turned_codes, turned_turns = scene.quantiser.encode(turned)
    clear = np.abs(((scene.geometry[:, 2] / (np.pi / 2)) % 1) - 0.5) > 0.02  # away from 45 degrees
    np.testing.assert_array_equal(turned_codes[clear], codes[clear])
    np.testing.assert_array_equal(turned_turns[clear] - turns[clear], 1)


@pytest.mark.parametrize("width, height, count, repeat, palette_bits", STORED)
def test_packed_words_decode_to_the_reference(width, height, count, repeat, palette_bits):
    """The random-access decoder on packed words against the torch reference on the quantised values.

    Worst measured: 2e-5; the reference works in float64 on codes, the decoder in float32 on bits.
    """
    scene = Scene(width, height, count, repeat=repeat, palette_bits=palette_bits)
    words = scene.packed()
    geometry, features = scene.quantiser.decode(*scene.quantiser.encode(scene.geometry)), scene.stored.values()
    parameters = [torch.tensor(a, dtype=torch.float64) for a in (geometry, features, scene.background)]
    column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    points = torch.tensor(np.stack([column.ravel(), row.ravel()], axis=1))
    placement = torch.tensor(scene.placement.astype(np.int64))
    expected = blend(*parameters, scene.pyramid, placement, points).numpy().clip(0, 1)
    assert np.abs(decode_texels(words).reshape(-1, 3) - expected).max() < 1e-4
    assert count_candidates(words).max() <= validate(words).candidates_max

    uv = np.random.default_rng(1).random((500, 2), np.float32)
    points = torch.tensor(uv.astype(np.float64) * [width, height])
    expected = blend(*parameters, scene.pyramid, placement, points).numpy().clip(0, 1)
    assert np.abs(Texture(words, {}).sample(uv, filter="direct") - expected).max() < 1e-3


@pytest.mark.parametrize("width, height, count, repeat, palette_bits", STORED)
def test_words_are_counted_before_they_are_packed(width, height, count, repeat, palette_bits):
    scene = Scene(width, height, count, repeat=repeat, palette_bits=palette_bits)
    words, needed = scene.packed(), words_needed(scene.coding, scene.placement, 3)
    assert needed == mip_words(words)
    head = header_words((ChannelEntry(),) * 3, 1) + group_header_words(3, 1, 1)
    assert head + palette_words(palette_bits, 3) + needed + 1 == int(words[4])


def test_crowded_cells_are_counted_too():
    scene = Scene(16, 16, 900, repeat=True)
    assert words_needed(scene.coding, scene.placement, 3) == mip_words(scene.packed())


@pytest.mark.parametrize("lo, hi, neutral, bits", [
    (0, 1, (0.0, 1.0), 1), (0, 1, (0.0, 1.0), 12), (0.1, 0.9, (128 / 255,), 1), (0.1, 0.9, (128 / 255,), 2),
    (0.1, 0.9, (128 / 255,), 8), (0.2, 1, (0.0, 1.0), 5), (0.2, 1, (0.0, 1.0), 2), (0, 0.3, (0.0, 1.0), 12),
])
def test_neutral_values_lie_on_the_grid(lo, hi, neutral, bits):
    start, step = channel_grid(lo, hi, bits, neutral)
    grid = start + step * np.arange(2**bits)
    for value in neutral:
        if lo <= value <= hi:
            assert np.abs(grid - value).min() < 1e-9
    assert grid[0] <= lo + step and grid[-1] >= hi - step


@pytest.mark.parametrize("feature_step", [1.0, 1 / 30, 1e-5])
def test_records_fill_whole_nibbles_and_use_every_bit(feature_step):
    """No spare bits in the fullest level, at most 12 bits a channel, geometry within two words."""
    precision = Precision(0.1, 6, 6, 4, feature_step)
    scene = Scene(64, 64, 300, repeat=True, precision=precision)
    fullest = scene.coding.levels[np.bincount(scene.placement[:, 0]).argmax()]
    used = fullest.geometry_bits + int(scene.coding.channel_bits.sum())
    assert used == fullest.stride or (scene.coding.channel_bits == 12).all()
    assert scene.coding.channel_bits.min() >= 1 and scene.coding.channel_bits.max() <= 12
    for layout in filter(None, scene.coding.levels):
        assert layout.stride % 4 == 0 and layout.geometry_bits <= 32 + gcd(layout.stride, 32)


def test_records_with_palettes_hold_entries_in_place_of_codes():
    """The stride is the smallest that holds the fields, with the geometry in two words and centres of at most two bits
    less than asked for; centres take what is left."""
    strides, short = set(), set()
    for palette_bits in [(1,), (6, 6), (7, 6), (9, 9), (8, 8, 8), (6, 6, 6, 5)]:
        for rotation_bits, scale_bits in [(4, 4), (5, 5), (6, 5), (6, 6), (7, 6)]:
            precision = Precision(0.08, rotation_bits, scale_bits, 4, 1 / 40)
            scene = Scene(64, 64, 100, repeat=True, precision=precision, palette_bits=palette_bits)
            assert not scene.coding.channel_bits.any() and scene.coding.palette_bits == palette_bits
            assert not scene.stored.codes.any()
            for cell, layout in zip(scene.pyramid.cell_size, scene.coding.levels, strict=True):
                if layout is None:
                    continue
                asked = np.ceil(np.log2(cell / 0.08)).clip(2).sum() + rotation_bits + 2 * scale_bits + 4
                least, less = min(asked, 40) - 2, layout.stride - 4
                assert layout.stride % 4 == 0 and layout.geometry_bits <= 32 + gcd(layout.stride, 32)
                assert less < least + sum(palette_bits) or least > 32 + gcd(less, 32)
                used = layout.geometry_bits + sum(palette_bits)
                assert used == layout.stride or layout.geometry_bits == 32 + min(gcd(layout.stride, 32), 8)
                strides.add(layout.stride % 8)
                short.add(int(min(asked, 40) - layout.geometry_bits))
    assert strides == {0, 4} and max(short) == 2 and min(short) < 0


def test_mips_below_keep_codes_and_palettes_of_mip_0():
    above = Scene(64, 64, 150, repeat=True, palette_bits=(5, 4)).coding
    below = Scene(32, 32, 60, repeat=True, seed=1)
    ranges = [(0.0, 1.0)] * 3
    coding = make_coding(below.pyramid, below.placement, below.geometry, PRECISION, ranges, NEUTRAL, above)
    assert coding.palette_bits == (5, 4) and coding.palettes is above.palettes
    for name in ("channel_lo", "channel_step", "channel_bits"):
        assert getattr(coding, name) is getattr(above, name)
    assert (coding.amplitude_lo, coding.amplitude_step) == (above.amplitude_lo, above.amplitude_step)
    assert coding.pyramid is below.pyramid
    for layout in filter(None, coding.levels):
        assert layout.geometry_bits + 9 <= layout.stride
