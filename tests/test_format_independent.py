"""The writer and the reader that know docs/format.md and nothing of gstex: words and codes, worked out by hand.

What the reader decodes: test_format_by_hand.py. The package against the two: test_format_package.py.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import format_builder
import numpy as np
import pytest
from format_builder import Gaussian, LevelSpec, RawMipSpec, SharedMipSpec, build
from format_specs import BARE, SPECS, built, material, wide
from independent_reader import read


def test_words_of_an_empty_material() -> None:
    spec = replace(material(5, 3, bilinear=True), channels=[(0.5, 0.125, 3)])
    half, eighth, quarter = 0x3F000000, 0x3E000000, 0x3E800000
    words = [0x4D545347, 1 | 15 << 16, 5 | 3 << 16, 1 | 1 << 8 | 1 << 25, 19, 0, half, 0, 0, 1 << 16, 0, 15]
    words += [half, eighth, 3, 0, 0, quarter]
    assert format_builder.build_words(spec) == words + [0] * (64 - 18)


def test_words_of_palettes() -> None:
    """Two palettes of 2 and 4 entries for the five of six channels that vary; the fourth has bits of its own."""
    channels = [(0.0, 0.125, 0), (0.5, 0.0, 0), (0.0, 0.125, 0), (0.0, 0.125, 3), (0.0, 0.125, 0), (0.0, 0.125, 0)]
    first = [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    second = [[16 * e + k for k in range(5)] for e in range(4)]
    gaussian = Gaussian(0, 1, 0, 1, 0, 1, 0, (0, 0, 0, 0b101, 0, 0), entries=(1, 0b10))
    bits: dict[str, Any] = {"position_x_bits": 1, "position_y_bits": 1, "rotation_bits": 1, "scale_bits": 1}
    level = LevelSpec(1, 1, [gaussian] * 3, **bits, amplitude_bits=1)
    spec = material(4, 4, level, channels=channels, varying=0b111101, palettes=[first, second], srgb=0b100)
    words = format_builder.build_words(spec)
    header_words, palette_words = 11 + 1 + 12 + 1, 2 * (2 + 4)
    assert words[1] == 1 | header_words << 16
    assert words[8:12] == [header_words, 0b100 | 0b111101 << 16, 1 | 2 << 4, header_words + palette_words]
    assert words[header_words : header_words + 4] == [0x04030201, 5, 0x09080706, 10]
    assert words[header_words + 4 : header_words + 6] == [0x03020100, 4]
    assert words[header_words + 10 : header_words + 12] == [0x33323130, 0x34]
    entry = header_words + palette_words + 2 + 6
    assert words[entry + 4] & 511 == 12
    # Six bits of geometry, two of them set; the entries 1 and 2; the code 5 of the fourth channel.
    record = int("101" + "10" + "1" + "010101", 2)
    assert words[words[entry + 2]] == record | record << 12 | (record & 255) << 24
    assert words[words[entry + 2] + 1] == record >> 8
    got = read(build(spec))
    assert got.varying.tolist() == [True, False, True, True, True, True]
    assert [palette.tolist() for palette in got.palettes] == [first, second]
    found = got.mips[0].levels[0]
    assert (found.entries == [1, 2]).all() and (found.features == [0, 0, 0, 5, 0, 0]).all()
    assert (found.summed == [6 + 32, 0, 7 + 33, 8 + 34 + 5, 9 + 35, 10 + 36]).all()


def test_words_of_a_level() -> None:
    """One record whose fields are 1010 1, 11 1, ... so that each can be seen in the bits."""
    gaussian = Gaussian(1, 0b101, 0b01, 0b1001, 0b11, 0b10, 0b1, (0b110, 0))
    bits: dict[str, Any] = {"position_x_bits": 3, "position_y_bits": 2, "rotation_bits": 4, "scale_bits": 2}
    level = LevelSpec(2, 1, [gaussian, gaussian], **bits, amplitude_bits=1, stride=24)
    words = format_builder.build_words(material(4, 4, level, channels=[(0.0, 0.125, 3), (0.5, 0.0, 0)]))
    header_words = 11 + 1 + 4 + 1
    block, entry = header_words, header_words + 4
    index_offset = entry + 7
    assert words[block : block + 2] == [1, 2]
    assert words[entry : entry + 4] == [2 | 1 << 16, index_offset, index_offset + 3, 2]
    assert words[entry + 4] == 24 | 3 << 9 | 2 << 13 | 4 << 17 | 2 << 21 | 1 << 25
    assert words[index_offset : index_offset + 3] == [0, 2 << 4, 0]
    record = int("11011011100101101", 2)
    assert words[index_offset + 3 : index_offset + 6] == [record | (record & 255) << 24, record >> 8, 0]


def test_words_of_regular_levels() -> None:
    """Records follow the block at once; an index stands only before those of the level that is not regular."""
    codes = [5, 10, 3]
    picture = LevelSpec(3, 1, [Gaussian(k, 0, 0, 0, 0, 0, 0, (codes[k],)) for k in range(3)], **BARE, regular=True)
    indexed = LevelSpec(1, 1, [Gaussian(0, 0, 0, 0, 0, 0, 0, (7,))], **BARE)
    sized = LevelSpec(1, 1, [Gaussian(0, 0, 0, 0, 2, 1, 0, (9,))], **BARE | {"scale_bits": 2}, regular=True)
    words = format_builder.build_words(material(4, 4, picture, indexed, sized))
    block = 11 + 1 + 2 + 1
    entries, data = block + 3, block + 3 + 21
    assert words[block : block + 2] == [3, 5]
    assert words[entries : entries + 5] == [3 | 1 << 16, data, data, 3, 4 | 1 << 29]
    assert words[entries + 7 : entries + 12] == [1 | 1 << 16, data + 1, data + 4, 1, 4]
    assert words[entries + 14 : entries + 19] == [1 | 1 << 16, data + 5, data + 5, 1, 8 | 2 << 21 | 1 << 29]
    assert words[data : data + 6] == [0x3A5, 0, 1, 0, 7, 2 | 1 << 2 | 9 << 4]
    assert words[4] == data + 6 + 1


def test_file_header() -> None:
    data = build(material(4, 4), {"generator": "é"})
    text = b'{"generator": "\\u00e9"}'
    assert data[:8] == b"\x89GSTEX\r\n"
    assert struct.unpack_from("<7I", data, 8) == (1, 0, len(data), 256, 256, 512, len(text))
    assert data[44:256] == bytes(212) and data[512:] == text and len(data) == 512 + len(text)
    assert read(data).metadata == {"generator": "é"}


def test_guard_word_has_room() -> None:
    """64 words without the guard: it takes a 65th, and the padding goes on to 128."""
    words = format_builder.build_words(material(1, 1, LevelSpec(1, 1, [wide(0, 0)] * 28, stride=32)))
    assert (len(words), words[4]) == (128, 65)


@pytest.mark.parametrize("name", ["entries", "rotations"])
def test_sections_without_padding(name: str) -> None:
    assert read(built(f"a section without padding, {name} alone")).header["words"] == 64


@pytest.mark.parametrize(("position_bits", "stride"), [(2, 36), (3, 40), (4, 40), (6, 48), (8, 48), (9, 64), (12, 64)])
def test_stride_keeps_geometry_in_two_words(position_bits: int, stride: int) -> None:
    """Geometry of 28 + 2 position_bits and a feature of 4 bits; 32 + gcd(stride, 32) = 40, 48 or 64.

    9: 46 + 4 bits would fit in 52, 56 and 60, whose records start at multiples of 4 or 8 and leave 36 or 40 bits for
    geometry.
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


@pytest.mark.parametrize("name", SPECS)
def test_codes_come_back(name: str) -> None:
    spec, got = SPECS[name], read(built(name))
    assert (got.header["width"], got.header["height"]) == (spec.width, spec.height)
    assert (got.header["repeat"], got.header["bilinear"]) == (spec.repeat, spec.bilinear)
    assert (got.header["top_k"], got.amplitude_lo) == (spec.top_k, spec.amplitude_lo)
    assert got.amplitude_step == np.float32(spec.amplitude_step)
    table = np.array(spec.channels, np.float32)
    varying = [bits > 0 for _, _, bits in spec.channels]
    if spec.varying is not None:
        varying = [bool(spec.varying >> c & 1) for c in range(len(varying))]
    assert got.varying.tolist() == varying
    assert [palette.tolist() for palette in got.palettes] == [list(map(list, palette)) for palette in spec.palettes]
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
            geometry = np.stack([cell, *level.codes.values()], axis=1)
            rows = zip(geometry.tolist(), level.features.tolist(), level.entries.tolist(), strict=True)
            codes = [Gaussian(*row, tuple(features), tuple(entries)) for row, features, entries in rows]
            assert codes == sorted(level_spec.gaussians, key=lambda gaussian: gaussian.cell)


@pytest.mark.parametrize("offset", [0, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 300, 500, -1])
def test_reader_notices_a_changed_byte(offset: int) -> None:
    data = bytearray(built("repeat"))
    data[offset] ^= 4
    with pytest.raises(ValueError, match=r"docs/format\.md"):
        read(bytes(data))
