"""The writer and the reader that know docs/format.md and nothing of gstex: words and codes, worked out by hand.

What the reader decodes: test_format_by_hand.py. The package against the two: test_format_package.py.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import format_builder
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
from format_specs import BARE, SPECS, built, material, wide
from independent_reader import Group, read


def test_words_of_an_empty_material() -> None:
    spec = material(5, 3, ranges=[(0.5, 0.125, 3)], bilinear=True)
    half, eighth, quarter = 0x3F000000, 0x3E000000, 0x3E800000
    words = [0x4D545347, 2 | 10 << 16, 5 | 3 << 16, 1 | 1 << 8 | 1 << 16 | 1 << 19 | 1 << 25, 24, 64, 0, 0]
    words += [0, 10]  # the channel, and where its group stands
    words += [1, 0, half, 0, 0, 0, 20, half, eighth, 3]
    words += [0, 0, quarter]
    assert format_builder.build_words(spec) == words + [0] * (64 - 23)


def test_words_of_channel_entries() -> None:
    entries = [
        ChannelSpec(12, 5, srgb=True, flipped=True, scale=-2.0, bias=0.5),
        ChannelSpec(9, 3, constant=0.5, scale=4.0, curve=1, stops=0.5),
        ChannelSpec(4, 4),
        ChannelSpec(6, constant=0.25),
    ]
    mips = (MipSpec((0.0,)), MipSpec((0.25,)))
    spec = MaterialSpec(2, 3, entries, [GroupSpec((c,), [(0.0, 1.0, 1)], mips) for c in (2, 0)], 2)
    words = format_builder.build_words(spec)
    quarter, half, four, minus_two = 0x3E800000, 0x3F000000, 0x40800000, 0xC0000000
    assert words[1] == 2 | 21 << 16 and words[3] == 4 | 2 << 8 | 2 << 16 | 2 << 19
    assert words[8] == 12 | 5 << 8 | 1 << 16 | 1 << 19 | 1 << 20 | 1 << 23 | 12 << 24
    assert words[9:12] == [9 | 3 << 8 | 7 << 16 | 1 << 21 | 1 << 23 | 14 << 24, 4 | 4 << 8, 6 | 7 << 16 | 18 << 24]
    assert words[12:19] == [minus_two, half, half, four, 0, half, quarter]
    assert words[19:22] == [21, 21 + 11, 0b100] and words[32] == 0b001
    # Mips stand group by group; without a tail there is nothing between them.
    assert words[27:29] == [43, 46] and words[38:40] == [49, 52] and words[4:6] == [56, 64]
    assert words[43:56] == [0, 0, 0, 0, 0, quarter] * 2 + [0]
    channels = read(build(spec)).channels
    assert [(c.constant, c.scale, c.bias) for c in channels] == [(0, -2, 0.5), (0.5, 4, 0), (0, 1, 0), (0.25, 1, 0)]


def test_words_of_a_tail() -> None:
    """Two groups, three mips, of which the last two are the tail; one is drawn from mip 0 where that is there."""
    texels = [RawMipSpec([[10 * m + x] for x in range(3 >> m)]) for m in range(2)]
    shared = SharedMipSpec(2.0, [(1, 0, 0)])
    one = GroupSpec((0,), [(0.0, 1.0, 1)], (MipSpec((0.0,)), shared, RawMipSpec([[7]])), tail_mips=(texels[1], None))
    two = GroupSpec((1,), [(0.0, 1.0, 1)], (texels[0], MipSpec((1.0,)), RawMipSpec([[8]])))
    words = format_builder.build_words(MaterialSpec(3, 1, [ChannelSpec()] * 2, [one, two], 3, tail=1))
    header = 8 + 2 + 2
    assert words[10:12] == [header, header + 14] and words[3] >> 19 & 15 == 1
    tail = header + 2 * 14
    assert words[tail : tail + 13] == [256, 0, 10, 256, 0, 7, 0, 0, 0x3F800000, 256, 0, 8, 0]
    assert words[4:6] == [64 + 6 + 5 + 1, 64] and not any(words[tail + 13 : 64])
    assert words[64:76] == [0, 0, 0, 512, 0x40000000, 1, 256, 0, 0, 1, 2, 0] and len(words) == 128
    assert words[header + 6 : header + 11] == [64, 67, tail + 3, tail, tail + 3]
    assert words[header + 20 : header + 25] == [70, tail + 6, tail + 9, tail + 6, tail + 9]


def test_words_of_a_shared_mip() -> None:
    mips = (MipSpec((0.0, 0.0)), SharedMipSpec(0.5, [(1, 2, 3), (-1, 511, -511)]), RawMipSpec([[0, 0]]))
    words = format_builder.build_words(one_group(4, 4, [(0.0, 1.0, 1)] * 2, mips, tail=2))
    block = words[8 + 2 + 1 + 7]
    assert words[block : block + 4] == [512, 0x3F000000, 1 | 2 << 10 | 3 << 20, 1023 | 511 << 10 | 513 << 20]
    found = read(build(one_group(4, 4, [(0.0, 1.0, 1)] * 2, mips, tail=2))).groups[0].mips[1]
    assert (found.bend * 1024).tolist() == [[1, 2, 3], [-1, 511, -511]]


def test_words_of_palettes() -> None:
    """Two palettes of 2 and 4 entries for the five channels that vary; the fourth of six has bits of its own."""
    ranges = [(0.0, 0.125, 0), (0.0, 0.125, 0), (0.0, 0.125, 3), (0.0, 0.125, 0), (0.0, 0.125, 0)]
    first = [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    second = [[16 * e + k for k in range(5)] for e in range(4)]
    gaussian = Gaussian(0, 1, 0, 1, 0, 1, 0, (0, 0, 0b101, 0, 0), entries=(1, 0b10))
    bits: dict[str, Any] = {"position_x_bits": 1, "position_y_bits": 1, "rotation_bits": 1, "scale_bits": 1}
    level = LevelSpec(1, 1, [gaussian] * 3, **bits, amplitude_bits=1)
    spec = material(4, 4, level, ranges=ranges, constants={1: 0.5}, palettes=[first, second], srgb=0b100)
    words = format_builder.build_words(spec)
    group = 8 + 6 + 1 + 1
    palettes, palette_words = group + 6 + 1 + 10 + 1, 2 * (2 + 4)
    assert words[group] == 0b111101
    assert words[group + 4 : group + 7] == [palettes, 1 | 2 << 4, palettes + palette_words]
    assert words[palettes : palettes + 4] == [0x04030201, 5, 0x09080706, 10]
    assert words[palettes + 4 : palettes + 6] == [0x03020100, 4]
    assert words[palettes + 10 : palettes + 12] == [0x33323130, 0x34]
    entry = palettes + palette_words + 2 + 5
    assert words[entry + 4] & 511 == 12
    # Six bits of geometry, two of them set; the entries 1 and 2; the code 5 of the fourth channel.
    record = int("101" + "10" + "1" + "010101", 2)
    assert words[words[entry + 2]] == record | record << 12 | (record & 255) << 24
    assert words[words[entry + 2] + 1] == record >> 8
    (got,) = read(build(spec)).groups
    assert got.members == (0, 2, 3, 4, 5)
    assert [palette.tolist() for palette in got.palettes] == [first, second]
    found = got.mips[0].levels[0]
    assert (found.entries == [1, 2]).all() and (found.features == [0, 0, 5, 0, 0]).all()
    assert (found.summed == [6 + 32, 7 + 33, 8 + 34 + 5, 9 + 35, 10 + 36]).all()


def test_words_of_a_level() -> None:
    """One record whose fields are 1010 1, 11 1, ... so that each can be seen in the bits."""
    gaussian = Gaussian(1, 0b101, 0b01, 0b1001, 0b11, 0b10, 0b1, (0b110,))
    bits: dict[str, Any] = {"position_x_bits": 3, "position_y_bits": 2, "rotation_bits": 4, "scale_bits": 2}
    level = LevelSpec(2, 1, [gaussian, gaussian], **bits, amplitude_bits=1, stride=24)
    words = format_builder.build_words(material(4, 4, level, ranges=[(0.0, 0.125, 3)]))
    block = 10 + 10
    entry = block + 3
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
    block = 10 + 10
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
    assert struct.unpack_from("<7I", data, 8) == (2, 0, len(data), 256, 256, 512, len(text))
    crcs = (zlib.crc32(data[256:512]), zlib.crc32(text), 256, zlib.crc32(data[256:512]))
    assert struct.unpack_from("<4I", data, 36) == crcs
    assert data[52:256] == bytes(204) and data[512:] == text and len(data) == 512 + len(text)
    assert read(data).metadata == {"generator": "é"}
    data = built("raw")
    assert struct.unpack_from("<2I", data, 44) == (512, zlib.crc32(data[256:768]))
    assert struct.unpack_from("<I", data, 24) == (768,)


def test_guard_word_has_room() -> None:
    """64 words without the guard: it takes a 65th, and the padding goes on to 128."""
    words = format_builder.build_words(material(1, 1, LevelSpec(1, 1, [wide(0, 0)] * 23, stride=32)))
    assert (len(words), words[4]) == (128, 65)


@pytest.mark.parametrize("name", ["entries alone", "rotations and bits"])
def test_sections_without_padding(name: str) -> None:
    assert read(built(f"a section without padding, {name}")).header["words"] == 64


def test_a_tail_without_padding() -> None:
    """39 texels behind headers of 22 words, and the guard word is the 64th."""
    words = format_builder.build_words(SPECS["a tail without padding"])
    assert words[5] == 64 and words[62] != 0 == words[63] and words[64] == 1


@pytest.mark.parametrize(("position_bits", "stride"), [(2, 36), (3, 40), (4, 40), (6, 48), (8, 48), (9, 64), (12, 64)])
def test_stride_keeps_geometry_in_two_words(position_bits: int, stride: int) -> None:
    """Geometry of 28 + 2 position_bits and a feature of 4 bits; 32 + gcd(stride, 32) = 40, 48 or 64.

    9: 46 + 4 bits would fit in 52, 56 and 60, whose records start at multiples of 4 or 8 and leave 36 or 40 bits for
    geometry.
    """
    level = LevelSpec(1, 1, [], position_bits, position_bits, 9, 7, 5)
    assert format_builder.record_stride(material(1, 1).groups[0], level) == stride


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
    assert (got.header["mip_count"], got.header["tail"]) == (spec.mip_count, spec.tail or spec.mip_count)
    position = 8 + len(spec.channels)
    for c, (channel, entry) in enumerate(zip(got.channels, spec.channels, strict=True)):
        groups, ranged = [g for g, group in enumerate(spec.groups) if c in group.members], entry.scale != 1.0
        count = (not groups) + 2 * ranged + entry.curve
        fields = {"role": entry.role, "component": entry.component, "group": groups[0] if groups else 7}
        fields |= {"srgb": entry.srgb, "flipped": entry.flipped, "curve": entry.curve}
        assert channel.entry == {**fields, "ranged": ranged, "numbers": position if count else 0}
        position += count
        numbers = (entry.constant, entry.scale, entry.bias, entry.stops)
        assert (channel.constant, channel.scale, channel.bias, channel.stops) == tuple(map(np.float32, numbers))
    for group, group_spec in zip(got.groups, spec.groups, strict=True):
        assert_codes_of_a_group(group, group_spec)


def assert_codes_of_a_group(got: Group, spec: GroupSpec) -> None:
    assert got.members == tuple(spec.members)
    assert (got.header["top_k"], got.amplitude_lo) == (spec.top_k, spec.amplitude_lo)
    assert got.amplitude_step == np.float32(spec.amplitude_step)
    assert [palette.tolist() for palette in got.palettes] == [list(map(list, palette)) for palette in spec.palettes]
    table = np.array(spec.ranges, np.float32)
    assert (np.stack([got.channel_lo, got.channel_step, got.channel_bits], axis=1) == table).all()
    in_place = spec.mips[len(spec.mips) - len(got.tail_mips) :]
    instead = [mip or shared for mip, shared in zip(spec.tail_mips or in_place, in_place, strict=True)]
    for mip, mip_spec in zip((*got.mips, *got.tail_mips), (*spec.mips, *instead), strict=True):
        if isinstance(mip_spec, SharedMipSpec):
            assert mip.filter == mip_spec.filter and mip.levels is got.mips[0].levels
            assert (mip.bend * 1024).tolist() == [list(numbers) for numbers in mip_spec.bend]
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


@pytest.mark.parametrize("offset", [0, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 300, 500, -1])
def test_reader_notices_a_changed_byte(offset: int) -> None:
    data = bytearray(built("repeat"))
    data[offset] ^= 4
    with pytest.raises(ValueError, match=r"docs/format\.md"):
        read(bytes(data))
