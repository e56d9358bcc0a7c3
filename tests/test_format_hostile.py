"""Files that break docs/format.md: one for every rule, truncations, and random damage.

Checksums are made right after the damage, so that the rule itself is reached and not the checksum.
"""

import json
import os
import re
import struct
import tracemalloc
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from random_material import make_layout, make_material

from gstex import format as fmt
from gstex.errors import FormatError, VersionError

# Words of the victim below, by the tables of docs/format.md: 3 channels, 2 mips.
MIP_OFFSETS, RANGES, CHANNEL_BITS = 11, 13, 19
MIP, BACKGROUND, LEVEL0, LEVEL1 = 20, 22, 25, 32
INDEX0, PREFIXES0, RECORDS0, INDEX1, RECORDS1 = 39, 48, 56, 91, 94
EMPTY_MIP, GUARD = 102, 107
# Words of the one with palettes: 6 channels, of which the first two and the last vary; 1 mip.
PALETTES, PALETTE_RANGES, PALETTE_CHANNEL_BITS, PALETTE_MIP = 25, 12, 24, 37
PALETTE_LEVEL, PALETTE_RECORDS = 45, 55
# Words of the one with regular levels: 1 channel, 1 mip of three levels, of which the second has an index.
REGULAR_LEVEL0, REGULAR_LEVEL1, REGULAR_LEVEL2 = 18, 25, 32
REGULAR_RECORDS0, ONE_A_CELL_INDEX, ONE_A_CELL_RECORDS, REGULAR_RECORDS2 = 39, 42, 45, 52


@pytest.fixture(scope="module")
def victim():
    """A small sound section: a crowded group, cells beyond the last, spare bits, an empty mip."""
    layout = make_layout(8, 4, 48)
    cells0 = [0, 0, 1] + [17] * 20
    material = make_material(np.random.default_rng(0), width=64, height=32, channel_bits=(8, 0, 5),
                             mips=[[(layout, cells0), (make_layout(3, 3, 48), [0, 2, 4, 4, 8])], []])
    words = fmt.pack(material)
    assert words[MIP_OFFSETS : MIP_OFFSETS + 2].tolist() == [MIP, EMPTY_MIP]
    assert words[LEVEL0 + 1 : LEVEL0 + 3].tolist() == [INDEX0, RECORDS0]
    assert words[LEVEL1 + 1 : LEVEL1 + 3].tolist() == [INDEX1, RECORDS1]
    assert words[4] == GUARD + 1 and len(words) == 128
    return words


@pytest.fixture(scope="module")
def victim_with_palettes():
    """A small sound section: palettes of 4 and 8 entries, channels with and without bits of their own."""
    layout = make_layout(3, 3, 36, (5, 4, 5, 5, 4))
    material = make_material(np.random.default_rng(0), channel_bits=(0, 2, 0, 0, 0, 0), varying=(1, 1, 0, 0, 0, 1),
                             palette_bits=(2, 3), mips=[[(layout, [0, 2, 4, 4, 8])]])
    words = fmt.pack(material)
    assert words[8] == PALETTES and words[MIP_OFFSETS] == PALETTE_MIP
    assert words[PALETTE_LEVEL + 2] == PALETTE_RECORDS
    assert words[4] == PALETTE_RECORDS + 6 + 1 and len(words) == 64
    return words


@pytest.fixture(scope="module")
def victim_with_regular_levels():
    """A small sound section: records of a nibble without geometry, one Gaussian a cell with an index and without."""
    levels = [(make_layout(5, 4, 4, (0, 0, 0, 0, 0), regular=True), None),
              (make_layout(3, 3, 24, (0, 5, 0, 4, 4)), range(9)),
              (make_layout(3, 3, 12, (0, 0, 0, 0, 5), regular=True), None)]
    words = fmt.pack(make_material(np.random.default_rng(0), channel_bits=(3,), mips=[levels]))
    offsets = [words[entry + 1 : entry + 3].tolist() for entry in (REGULAR_LEVEL0, REGULAR_LEVEL1, REGULAR_LEVEL2)]
    assert offsets == [[REGULAR_RECORDS0] * 2, [ONE_A_CELL_INDEX, ONE_A_CELL_RECORDS], [REGULAR_RECORDS2] * 2]
    assert words[4] == REGULAR_RECORDS2 + 4 + 1 and len(words) == 64
    return words


def f32(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]


def put(*edits):
    """A change that stores values: (word, value) or (word, value, lowest bit, bits)."""
    def change(words):
        for word, value, *place in edits:
            low, width = place or (0, 32)
            mask = (1 << width) - 1 << low
            words[word] = int(words[word]) & ~mask | value << low
        return words
    return change


def file_of(words, text=b"{}", **fields):
    """A file of any words and metadata bytes; sizes and checksums are right unless `fields` says else."""
    gpu = words.astype("<u4").tobytes()
    end = 256 + len(gpu)
    header = {"magic": b"\x89GSTEX\r\n", "version": 1, "flags": 0, "file_bytes": end + len(text),
              "gpu_offset": 256, "gpu_bytes": len(gpu), "json_offset": end, "json_bytes": len(text),
              "gpu_crc": zlib.crc32(gpu), "json_crc": zlib.crc32(text), "padding": bytes(212)}
    assert fields.keys() <= header.keys()
    return struct.pack("<8s9I212s", *(header | fields).values()) + gpu + text


# GPU section, one line for each rule: (change, message)
WORD_RULES = [
    # material header
    (put((0, 0)), "GPU section magic: got 0x00000000, expected 0x4D545347"),
    (put((1, 19, 16, 16)), "header_words: got 19, expected 20"),
    (put((2, 0, 0, 16)), "width: got 0, expected 1 .. 16384"),
    (put((2, 16385, 0, 16)), "width: got 16385, expected 1 .. 16384"),
    (put((2, 0, 16, 16)), "height: got 0, expected 1 .. 16384"),
    (put((2, 65535, 16, 16)), "height: got 65535, expected 1 .. 16384"),
    (put((3, 0, 0, 8)), "channel_count: got 0, expected 1 .. 16"),
    (put((3, 17, 0, 8)), "channel_count: got 17, expected 1 .. 16"),
    (put((3, 0, 8, 8)), "mip_count: got 0, expected 1 .. 15"),
    (put((3, 16, 8, 8)), "mip_count: got 16, expected 1 .. 15"),
    (put((2, 1 | 1 << 16)), "mip_count: got 2, expected 1 .. 1"),
    (put((3, 33, 16, 8)), "top_k: got 33, expected 0 .. 32"),
    (put((3, 1, 26, 6)), "reserved bits of word 3: got 1, expected 0"),
    (put((4, 0)), "words: got 0, expected 65 .. 128 in a section of 128 words"),
    (put((4, 64)), "words: got 64, expected 65 .. 128"),
    (put((4, 129)), "words: got 129, expected 65 .. 128"),
    (put((4, 2**32 - 1)), "words: got 4294967295, expected 65 .. 128"),
    (put((127, 1)), "padding after the used words: got bits that are set, expected zeros"),
    (put((5, f32(-17))), "amplitude_lo: got -17.0, expected -16 .. 8"),
    (put((5, f32(float("nan")))), "amplitude_lo: got nan, expected -16 .. 8"),
    (put((5, f32(float("-inf")))), "amplitude_lo: got -inf, expected -16 .. 8"),
    (put((6, f32(-0.5))), "amplitude_step: got -0.5, expected 0 .. 8"),
    (put((6, f32(8.5))), "amplitude_step: got 8.5, expected 0 .. 8"),
    (put((6, f32(1.0))), "mip 0 level 0 log-amplitude of the last code: got 12.0, expected -16 .. 8"),
    (put((7, 4097)), "candidates of a position: got 4097, expected at most 4096"),
    (put((7, 27)), "candidates_max: got 27, expected 28, the largest number of candidates found"),
    (put((8, 20)), "palette_offset: got 20, expected 0, because there are no palettes"),
    (put((9, 8)), "srgb: got 0x8, expected bits below 3, one a channel"),
    (put((9, 1, 15, 1)), "srgb: got 0x8001, expected bits below 3"),
    (put((9, 1, 19, 1)), "varying: got 0xD, expected bits below 3, one a channel"),
    (put((9, 1, 31, 1)), "varying: got 0x8005, expected bits below 3, one a channel"),
    (put((9, 0, 18, 1)), "channel_bits[2]: got 5, expected 0: the channel does not vary"),
    (put((9, 1, 17, 1)), "channel_bits[1]: got 0, expected 1 .. 12: the channel varies and there are no palettes"),
    (put((CHANNEL_BITS, 0, 8, 4)), "channel_bits[2]: got 0, expected 1 .. 12: the channel varies and there are no"),
    (put((CHANNEL_BITS, 1, 4, 4)), "channel_bits[1]: got 1, expected 0: the channel does not vary"),
    (put((10, 1, 16, 16)), "reserved bits of word 10: got 1, expected 0"),
    (put((10, 1, 31, 1)), "reserved bits of word 10: got 32768, expected 0"),
    (put((10, 1, 4, 4)), "palette_bits[1]: got 1, expected 0, because palette 0 is not there"),
    (put((10, 5)), "palette_offset: got 0, expected 20, right after the header"),
    (put((10, 13), (8, MIP)), "palette_bits[0]: got 13, expected 1 .. 12"),
    (put((10, 7), (8, MIP)), "palettes: got 128 words, expected at most the 87 words left before the guard word"),
    (put((10, 0xCCCC), (8, MIP)), "palettes: got 16384 words, expected at most the 87 words left"),
    (put((MIP_OFFSETS, 21)), "mip_offset[0]: got 21, expected 20"),
    (put((MIP_OFFSETS + 1, MIP)), "mip_offset[1]: got 20, expected 102"),
    (put((RANGES + 2, f32(-1.5))), "channel_lo[1]: got -1.5, expected -1 .. 2"),
    (put((RANGES + 4, f32(float("inf")))), "channel_lo[2]: got inf, expected -1 .. 2"),
    (put((RANGES + 1, f32(1.5))), "channel_step[0]: got 1.5, expected 0 .. 1"),
    (put((RANGES + 3, f32(float("nan")))), "channel_step[1]: got nan, expected 0 .. 1"),
    (put((CHANNEL_BITS, 13, 8, 4)), "channel_bits[2]: got 13, expected 0 .. 12"),
    (put((CHANNEL_BITS, 1, 12, 4)), "unused nibbles of channel_bits: got bits that are set, expected zeros"),
    # mip block
    (put((MIP, 1, 10, 22)), "mip 0 reserved bits of word 0: got 1, expected 0"),
    (put((MIP, 1, 9, 1)), "mip 0 word 0: got 0x202, expected 0x200: shared and nothing else"),
    (put((MIP, 512)), "mip 0 shared: got 1, expected 0: only mips below a mip 0 of Gaussians share them"),
    (put((EMPTY_MIP, 512), (EMPTY_MIP + 1, f32(-1))), "mip 1 filter: got -1.0, expected 0 .. 16384"),
    (put((EMPTY_MIP, 512), (EMPTY_MIP + 1, f32(float("inf")))), "mip 1 filter: got inf, expected 0 .. 16384"),
    (put((EMPTY_MIP, 512)), "words: got 108, expected 105: the parts and one guard word"),
    (put((MIP, 1, 8, 1)), "mip 0 level_count: got 2, expected 0 in a raw mip"),
    (put((MIP, 256)), "mip 0 gaussian_count: got 28, expected 0 in a raw mip"),
    (put((MIP, 256), (MIP + 1, 0)), "mip 0 texels: got 2050 words, expected at most the 87 words left"),
    (put((MIP, 17, 0, 8)), "mip 0 level_count: got 17, expected 0 .. 16"),
    (put((MIP, 16, 0, 8)), "mip 0 block: got 117 words, expected at most the 87 words left before the guard"),
    (put((MIP + 1, 29)), "mip 0 gaussian_count: got 29, expected 28, the sum over the levels"),
    (put((BACKGROUND, f32(2.5))), "mip 0 background[0]: got 2.5, expected -1 .. 2"),
    (put((BACKGROUND + 2, f32(float("nan")))), "mip 0 background[2]: got nan, expected -1 .. 2"),
    (put((BACKGROUND + 1, f32(0.125))), "mip 0 background[1]: got 0.125, expected channel_lo = "),
    (put((4, GUARD), (GUARD - 1, 0)), "mip 1 block: got 5 words, expected at most the 4 words left"),
    # level entry
    (put((LEVEL0, 0, 0, 16)), "mip 0 level 0 cells_x: got 0, expected 3 .. 8192"),
    (put((LEVEL0, 2, 16, 16)), "mip 0 level 0 cells_y: got 2, expected 3 .. 8192"),
    (put((LEVEL0, 8193, 0, 16)), "mip 0 level 0 cells_x: got 8193, expected 3 .. 8192"),
    (put((LEVEL0, 8192 | 8192 << 16)), "mip 0 level 0 cells: got 8192 x 8192, expected a grid whose index of "
                                       "12582915 words fits into the 68 words left"),
    (put((LEVEL1, 9, 0, 16)), "mip 0 level 1 cells: got 9 x 3, expected at most the 8 x 4"),
    (put((LEVEL1, 5, 16, 16)), "mip 0 level 1 cells: got 3 x 5, expected at most the 8 x 4"),
    (put((LEVEL0 + 1, INDEX0 - 1)), "mip 0 level 0 index_offset: got 38, expected 39"),
    (put((LEVEL1 + 1, INDEX0)), "mip 0 level 1 index_offset: got 39, expected 91"),
    (put((LEVEL0 + 2, 2**32 - 1)), "mip 0 level 0 record_offset: got 4294967295, expected 56, right afte"),
    (put((LEVEL0 + 3, 0)), "mip 0 level 0 count: got 0, expected at least 1"),
    (put((LEVEL0 + 3, 2**32 - 1)), "mip 0 level 0 Gaussians of a group of 16 cells: got 4294967272"),
    (put((LEVEL1 + 4, 320, 0, 9)), "mip 0 level 1 count: 5 records: got 50 words, expected at most "
                                   "the 13 words left before the guard word"),
    (put((LEVEL0 + 3, 24)), "mip 0 level 0 index counts of a group: got 0, expected the difference"),
    (put((LEVEL0 + 4, 0, 0, 9)), "mip 0 level 0 stride: got 0, expected a multiple of 4 in 43 .. 320"),
    (put((LEVEL0 + 4, 40, 0, 9)), "mip 0 level 0 stride: got 40, expected a multiple of 4 in 43 .. 320"),
    (put((LEVEL0 + 4, 54, 0, 9)), "mip 0 level 0 stride: got 54, expected a multiple of 4 in 43 .. 320"),
    (put((LEVEL0 + 4, 47, 0, 9)), "mip 0 level 0 stride: got 47, expected a multiple of 4 in 43 .. 320"),
    (put((LEVEL0 + 4, 76, 0, 9), (LEVEL0 + 4, 13, 9, 4)),
     "mip 0 level 0 geometry bits: got 37, expected at most 36 with a stride of 76 bits"),
    (put((LEVEL0 + 4, 328, 0, 9)), "mip 0 level 0 stride: got 328, expected a multiple of 4 in 43 .. 320"),
    (put((LEVEL0 + 4, 13, 17, 4)), "mip 0 level 0 rotation_bits: got 13, expected 0 .. 12"),
    (put((LEVEL0 + 4, 13, 21, 4)), "mip 0 level 0 scale_bits: got 13, expected 0 .. 12"),
    (put((LEVEL0 + 4, 13, 25, 4)), "mip 0 level 0 amplitude_bits: got 13, expected 0 .. 12"),
    (put((LEVEL0 + 4, 1, 29, 1)), "mip 0 level 0 count: got 23, expected 32, one for every cell of a regular level"),
    (put((LEVEL0 + 4, 1, 30, 1)), "mip 0 level 0 reserved bits of the field widths: got 1, expected 0"),
    (put((LEVEL0 + 4, 1, 31, 1)), "mip 0 level 0 reserved bits of the field widths: got 2, expected 0"),
    (put((LEVEL0 + 4, 72, 0, 9), (LEVEL0 + 4, 15, 9, 4), (LEVEL0 + 4, 12, 17, 4)),
     "mip 0 level 0 geometry bits: got 46, expected at most 40 with a stride of 72 bits"),
    (put((LEVEL0 + 5, f32(-17))), "mip 0 level 0 scale_lo: got -17.0, expected -16 .. 8"),
    (put((LEVEL0 + 6, f32(-5))), "mip 0 level 0 scale_step: got -5.0, expected -4 .. 4"),
    (put((LEVEL0 + 6, f32(float("nan")))), "mip 0 level 0 scale_step: got nan, expected -4 .. 4"),
    (put((LEVEL0 + 6, f32(0.5))), "mip 0 level 0 log2 of the inverse scale of the last code: got 11.5"),
    (put((LEVEL0 + 6, f32(-0.5))), "mip 0 level 0 log2 of the inverse scale of the last code: got -19.5"),
    # cell index
    (put((INDEX0, 1)), "mip 0 level 0 index base of group 0: got 1, expected 0"),
    (put((INDEX0 + 3, 2 | 1 << 31)), "mip 0 level 0 index counts of a group: got 3, expected the difference"),
    (put((INDEX0 + 6, 2)), "mip 0 level 0 index base: got 2, expected bases that do not fall"),
    (put((INDEX0 + 6, 24)), "mip 0 level 0 index base: got 23, expected bases that do not fall"),
    (put((INDEX0 + 1, 0x13)), "mip 0 level 0 index counts of a group: got 4, expected the difference"),
    (put((INDEX0, 1, 31, 1)), "mip 0 level 0 prefix block offset: got 18, expected blocks in the orde"),
    (put((INDEX0 + 3, 0, 31, 1)), "mip 0 level 0 index counts of a group: got 9, expected the difference"),
    (put((INDEX0 + 4, 10)), "mip 0 level 0 prefix block offset: got 10, expected blocks in the order "
                            "of their groups from word 9 of the index on"),
    (put((INDEX0 + 5, 1)), "mip 0 level 0 third word of a crowded group: got 1, expected 0"),
    (put((PREFIXES0, 1, 0, 16)), "mip 0 level 0 first prefix of a crowded group: got 1, expected 0"),
    (put((PREFIXES0 + 2, 21, 0, 16)), "mip 0 level 0 prefixes of crowded group: got 1"),
    (put((PREFIXES0 + 7, 21, 16, 16)), "mip 0 level 0 prefixes of crowded group: got 1"),
    (put((PREFIXES0 + 1, 10, 0, 16)), "mip 0 level 0 crowded group: got 1, expected a cell of more than 15"),
    (put((INDEX1 + 2, 0x10), (INDEX1 + 1, 0x20101)), "mip 0 level 1 index counts beyond the last cell: got"),
    # records
    (put((RECORDS0 + 1, 1, 11, 1)), "mip 0 level 0 spare bits of the records: got bits that are set"),
    (put((RECORDS0 + 2, 1, 31, 1)), "mip 0 level 0 spare bits of the records: got bits that are set"),
    (put((RECORDS1 - 4, 1, 16, 1)), "mip 0 level 0 spare bits of the records: got bits that are set"),
    # the end
    (put((GUARD, 1)), "guard word: got 1, expected 0"),
    (put((4, GUARD + 2)), "words: got 109, expected 108: the parts and one guard word, nothing left ove"),
]


@pytest.mark.parametrize("change, message", WORD_RULES)
def test_each_rule_of_the_gpu_section(victim, change, message):
    words = change(victim.copy())
    with pytest.raises(FormatError, match=re.escape(message)) as raised:
        fmt.unpack(words)
    assert type(raised.value) is FormatError
    with pytest.raises(FormatError, match=re.escape(message)):
        fmt.read_bytes(file_of(words))


def test_raw_texels():
    """Spare bytes of a texel's last word, and texels of a material that has no channel to store."""
    words = fmt.pack(make_material(np.random.default_rng(0), width=4, height=2, channel_bits=(8, 0, 5),
                                   mips=[None, [(make_layout(3, 3), 2)], None]))
    first = int(words[MIP_OFFSETS]) + 2
    for texel in range(8):
        with pytest.raises(FormatError, match="mip 0 spare bytes of the texels: got bits that are set, expected zeros"):
            fmt.unpack(put((first + texel, 1, 16 + texel, 1))(words.copy()))
    for size in range(64, len(words), 64):
        with pytest.raises(FormatError):
            fmt.unpack(words[:size])
    constant = fmt.pack(make_material(np.random.default_rng(0), width=4, height=2, channel_bits=(0,), mips=[[]]))
    with pytest.raises(FormatError, match="mip 0 raw: got 1, expected 0: all channels of this material are constant"):
        fmt.unpack(put((int(constant[MIP_OFFSETS]), 256))(constant.copy()))


# The rules of palettes that need some: (change, message)
PALETTE_RULES = [
    (put((8, 0)), "palette_offset: got 0, expected 25, right after the header"),
    (put((8, PALETTES + 1)), "palette_offset: got 26, expected 25, right after the header"),
    (put((10, 0)), "palette_offset: got 25, expected 0, because there are no palettes"),
    (put((10, 0), (8, 0)), "channel_bits[0]: got 0, expected 1 .. 12: the channel varies and there are no palettes"),
    (put((10, 0x302)), "palette_bits[2]: got 3, expected 0, because palette 1 is not there"),
    (put((10, 0x1032)), "palette_bits[3]: got 1, expected 0, because palette 2 is not there"),
    (put((10, 13, 4, 4)), "palette_bits[1]: got 13, expected 1 .. 12"),
    (put((10, 15, 0, 4)), "palette_bits[0]: got 15, expected 1 .. 12"),
    (put((10, 0xC32)), "palettes: got 4108 words, expected at most the 36 words left before the guard word"),
    (put((10, 2, 4, 4)), "mip_offset[0]: got 37, expected 33, right after the part before"),
    (put((9, 0, 16, 16), (PALETTE_CHANNEL_BITS, 0)), "number of palettes: got 2, expected 0: all channels of this "
                                                     "material are constant"),
    (put((9, 0, 17, 1)), "channel_bits[1]: got 2, expected 0: the channel does not vary"),
    (put((9, 0, 21, 1)), "spare bytes of the palettes: got bits that are set, expected zeros"),
    (put((PALETTE_MIP + 2 + 2, f32(0.125))), "mip 0 background[2]: got 0.125, expected channel_lo = "),
    (put((PALETTE_LEVEL + 4, 32, 0, 9)), "mip 0 level 0 stride: got 32, expected a multiple of 4 in 35 .. 320"),
    (put((PALETTE_LEVEL + 4, 38, 0, 9)), "mip 0 level 0 stride: got 38, expected a multiple of 4 in 35 .. 320"),
    (put((PALETTE_RECORDS + 1, 1, 3, 1)), "mip 0 level 0 spare bits of the records: got bits that are set"),
]


@pytest.mark.parametrize("change, message", PALETTE_RULES)
def test_each_rule_of_palettes(victim_with_palettes, change, message):
    words = change(victim_with_palettes.copy())
    with pytest.raises(FormatError, match=re.escape(message)) as raised:
        fmt.unpack(words)
    assert type(raised.value) is FormatError
    with pytest.raises(FormatError, match=re.escape(message)):
        fmt.read_bytes(file_of(words))


# The rules of regular levels, and of records without geometry: (change, message)
REGULAR_RULES = [
    (put((REGULAR_LEVEL0 + 1, REGULAR_RECORDS0 - 1)), "mip 0 level 0 index_offset: got 38, expected 39, right after"),
    (put((REGULAR_LEVEL0 + 1, 0)), "mip 0 level 0 index_offset: got 0, expected 39, right after the part before"),
    (put((REGULAR_LEVEL0 + 2, ONE_A_CELL_INDEX)),
     "mip 0 level 0 record_offset: got 42, expected 39, index_offset: a regular level has no index"),
    (put((REGULAR_LEVEL0 + 2, 0)), "mip 0 level 0 record_offset: got 0, expected 39, index_offset: a regular"),
    (put((REGULAR_LEVEL2 + 2, 2**32 - 1)), "mip 0 level 2 record_offset: got 4294967295, expected 52, index_offset"),
    (put((REGULAR_LEVEL0 + 3, 0)), "mip 0 level 0 count: got 0, expected at least 1"),
    (put((REGULAR_LEVEL0 + 3, 19)), "mip 0 level 0 count: got 19, expected 20, one for every cell of a regular level"),
    (put((REGULAR_LEVEL0 + 3, 21)), "mip 0 level 0 count: got 21, expected 20, one for every cell of a regular level"),
    (put((REGULAR_LEVEL0 + 3, 2**32 - 1)), "mip 0 level 0 count: got 4294967295, expected 20, one for every cell"),
    (put((REGULAR_LEVEL0, 6, 0, 16)), "mip 0 level 0 count: got 20, expected 24, one for every cell of a regular"),
    (put((REGULAR_LEVEL0, 2, 16, 16)), "mip 0 level 0 cells_y: got 2, expected 3 .. 8192"),
    (put((REGULAR_LEVEL2, 4, 0, 16)), "mip 0 level 2 cells: got 4 x 3, expected at most the 3 x 3 of the level before"),
    (put((REGULAR_LEVEL1 + 4, 1, 29, 1)),
     "mip 0 level 1 record_offset: got 45, expected 42, index_offset: a regular level has no index"),
    # Records read as an index.
    (put((REGULAR_LEVEL0 + 4, 0, 29, 1)), "mip 0 level 0 index base of group 0: got 1969291266, expected 0"),
    (put((REGULAR_LEVEL2 + 4, 0, 29, 1)), "mip 0 level 2 crowded groups: got 1, expected at most 0"),
    (put((REGULAR_LEVEL0 + 4, 1, 30, 1)), "mip 0 level 0 reserved bits of the field widths: got 1, expected 0"),
    (put((REGULAR_LEVEL0 + 4, 1, 31, 1)), "mip 0 level 0 reserved bits of the field widths: got 2, expected 0"),
    (put((REGULAR_LEVEL0 + 4, 0, 0, 9)), "mip 0 level 0 stride: got 0, expected a multiple of 4 in 4 .. 320"),
    (put((REGULAR_LEVEL0 + 4, 2, 0, 9)), "mip 0 level 0 stride: got 2, expected a multiple of 4 in 4 .. 320"),
    (put((REGULAR_LEVEL0 + 4, 1, 9, 4), (REGULAR_LEVEL0 + 4, 1, 17, 4)),
     "mip 0 level 0 stride: got 4, expected a multiple of 4 in 5 .. 320"),
    (put((REGULAR_LEVEL0 + 4, 1, 21, 4)), "mip 0 level 0 stride: got 4, expected a multiple of 4 in 5 .. 320"),
    (put((REGULAR_LEVEL0 + 4, 320, 0, 9)),
     "mip 0 level 0 count: 20 records: got 200 words, expected at most the 17 words left before the guard word"),
    (put((REGULAR_LEVEL0 + 5, f32(-17))), "mip 0 level 0 scale_lo: got -17.0, expected -16 .. 8"),
    (put((REGULAR_LEVEL0 + 6, f32(float("nan")))), "mip 0 level 0 scale_step: got nan, expected -4 .. 4"),
    (put((16, 37)), "mip 0 gaussian_count: got 37, expected 38, the sum over the levels"),
    (put((7, 9)), "candidates_max: got 9, expected 27, the largest number of candidates found"),
    (put((REGULAR_RECORDS0, 1, 7, 1)), "mip 0 level 0 spare bits of the records: got bits that are set"),
    (put((REGULAR_RECORDS0 + 2, 1, 16, 1)), "mip 0 level 0 spare bits of the records: got bits that are set"),
    (put((REGULAR_RECORDS2 + 1, 1, 3, 1)), "mip 0 level 2 spare bits of the records: got bits that are set"),
]


@pytest.mark.parametrize("change, message", REGULAR_RULES)
def test_each_rule_of_regular_levels(victim_with_regular_levels, change, message):
    words = change(victim_with_regular_levels.copy())
    with pytest.raises(FormatError, match=re.escape(message)) as raised:
        fmt.unpack(words)
    assert type(raised.value) is FormatError
    with pytest.raises(FormatError, match=re.escape(message)):
        fmt.read_bytes(file_of(words))


def test_a_regular_level_that_only_claims_to_be_large(victim_with_regular_levels):
    """Without an index, nothing but the records says that the cells are there."""
    edits = (REGULAR_LEVEL0, 8192 | 8192 << 16), (REGULAR_LEVEL0 + 3, 8192**2)
    words = put(*edits)(victim_with_regular_levels.copy())
    message = "mip 0 level 0 count: 67108864 records: got 8388608 words, expected at most the 17 words left"
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message):
            fmt.unpack(words)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_every_spare_byte_of_a_palette(victim_with_palettes):
    for word in range(PALETTES, PALETTE_MIP):
        for bit in range(24, 32):
            with pytest.raises(FormatError, match="spare bytes of the palettes: got bits that are set, expected zeros"):
                fmt.unpack(put((word, 1, bit, 1))(victim_with_palettes.copy()))


@pytest.mark.parametrize("bad", [np.zeros(0, np.uint32), np.zeros(63, np.uint32), np.zeros(64, np.int32),
                                 np.zeros((1, 64), np.uint32), b"GSTM"])
def test_what_is_no_section(bad):
    with pytest.raises(FormatError, match=r"^GPU section: "):
        fmt.unpack(bad)


def test_newer_versions(victim):
    message = "version: got {}, this gstex reads versions up to 1; update gstex"
    with pytest.raises(VersionError, match=message.format(7)):
        fmt.unpack(put((1, 7, 0, 16))(victim.copy()))
    with pytest.raises(VersionError, match=message.format(2)):
        fmt.read_bytes(file_of(victim, version=2))
    # A newer version may change anything behind the number, so the number is looked at first.
    with pytest.raises(VersionError, match=message.format(2**32 - 1)):
        fmt.read_bytes(file_of(victim, version=2**32 - 1, flags=1, gpu_offset=0))


def test_the_draft_is_refused(victim, tmp_path):
    """Whatever else the file says: version 0 had no palettes, and other words."""
    message = "version: got 0, expected 1 .. 1; version 0 was a draft: compress the material again"
    with pytest.raises(VersionError, match=message):
        fmt.unpack(put((1, 0, 0, 16))(victim.copy()))
    with pytest.raises(VersionError, match=message):
        fmt.read_bytes(file_of(victim, version=0, flags=1))
    path = tmp_path / "old.gstex"
    path.write_bytes(file_of(victim, version=0))
    with pytest.raises(VersionError, match=rf"old\.gstex: {message}$"):
        fmt.read_file(path)


def test_grids_that_would_cut_the_texture_into_billions_of_pieces():
    """The order of the levels keeps a few kilobytes of index from costing hours."""
    columns = [(make_layout(8192 - level, 3), [0]) for level in range(8)]
    rows = [(make_layout(3, 8192 - level), [0]) for level in range(8)]
    with pytest.raises(FormatError, match="mip 0 level 8 cells: got 3 x 8192, expected at most the 8185 x 3"):
        fmt.pack(make_material(np.random.default_rng(0), mips=[columns + rows]))
    thin = [(make_layout(8192 - level, 3), [0]) for level in range(16)]
    words = fmt.pack(make_material(np.random.default_rng(0), mips=[thin]))
    assert fmt.validate(words).candidates_max == 16


# Container


@pytest.mark.parametrize("fields, message", [
    ({"magic": b"\x89PNG\r\n\x1a\n"}, "file magic: got 89 50 4e 47 0d 0a 1a 0a, expected 89 47 53"),
    ({"flags": 1}, "flags: got 1, expected 0"),
    ({"file_bytes": 769}, "file_bytes: got 769, expected 770, the size of the file"),
    ({"gpu_offset": 260}, "gpu_offset: got 260, expected 256"),
    ({"gpu_bytes": 0}, "gpu_bytes: got 0, expected a positive multiple of 256"),
    ({"gpu_bytes": 300}, "gpu_bytes: got 300, expected a positive multiple of 256"),
    ({"gpu_bytes": 2**32 - 256}, "json_offset: got 768, expected 4294967296, right after the GPU section"),
    ({"json_offset": 767}, "json_offset: got 767, expected 768"),
    ({"gpu_bytes": 1024, "json_offset": 1280}, "json_bytes: got 2, expected -510, what is left of the file"),
    ({"json_bytes": 1}, r"json_bytes: got 1, expected 2 \.\. 1048576"),
    ({"json_bytes": 2**20 + 1}, r"json_bytes: got 1048577, expected 2 \.\. 1048576"),
    ({"json_bytes": 3}, "json_bytes: got 3, expected 2, what is left of the file"),
    ({"gpu_crc": 1}, "gpu_crc: got 0x00000001, expected 0x"),
    ({"json_crc": 1}, "json_crc: got 0x00000001, expected 0x"),
    ({"padding": bytes(211) + b"x"}, "padding of the file header: got bytes that are set, expected zeros"),
])
def test_each_rule_of_the_container(victim, tmp_path, fields, message):
    data = file_of(victim, **fields)
    with pytest.raises(FormatError, match=message):
        fmt.read_bytes(data)
    path = tmp_path / "bad.gstex"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        fmt.read_file(path)


@pytest.mark.parametrize("text, message", [
    (b"[]", "metadata: got a JSON list, expected an object"),
    (b"{}}", "metadata: got text that cannot be read"),
    (b'{"a": "\xff"}', "metadata: got text that cannot be read"),
    (b'{"a": "\\ud800"}', "metadata: got text that cannot be read"),
    (b'{"a": NaN}', "metadata: got text that cannot be read"),
    (b'{"a": 1e999}', "metadata: got text that cannot be read"),
    (b'{"a":' * 100000, "metadata: got text that cannot be read"),
    (b'{"a": ' + b"9" * 10000 + b"}", "metadata: got text that cannot be read"),
])
def test_bad_metadata(victim, text, message):
    with pytest.raises(FormatError, match=message):
        fmt.read_bytes(file_of(victim, text))


def test_message_names_the_file(victim, tmp_path):
    path = tmp_path / "bad.gstex"
    path.write_bytes(file_of(victim, flags=1))
    with pytest.raises(FormatError, match=r"bad\.gstex: flags: got 1, expected 0; the file is damaged"):
        fmt.read_file(path)
    path.write_bytes(file_of(victim, version=3))
    with pytest.raises(VersionError, match=r"bad\.gstex: version: got 3, .*; update gstex$"):
        fmt.read_file(path)


def test_file_that_shrinks_while_it_is_read(victim, tmp_path, monkeypatch):
    data = file_of(victim)
    path = tmp_path / "bad.gstex"
    path.write_bytes(data[:-300])
    monkeypatch.setattr(os, "fstat", lambda _: SimpleNamespace(st_size=len(data)))
    with pytest.raises(FormatError, match="file size: got less than before, expected a file"):
        fmt.read_file(path)


def test_every_prefix_is_refused(victim, tmp_path):
    data = fmt.write_bytes(victim, {"generator": "test"})
    path = tmp_path / "cut.gstex"
    for size in range(len(data)):
        with pytest.raises(FormatError, match=r"file magic|file size|file_bytes"):
            fmt.read_bytes(data[:size])
        if size % 16 == 0:
            path.write_bytes(data[:size])
            with pytest.raises(FormatError, match=r"file magic|file size|file_bytes"):
                fmt.read_file(path)


def test_every_shorter_section_is_refused(victim, victim_with_palettes, victim_with_regular_levels):
    """The header agrees with the cut; what is missing shows inside."""
    for section in (victim, victim_with_palettes, victim_with_regular_levels):
        for used in range(1, int(section[4])):
            words = np.zeros(-(-used // 64) * 64, np.uint32)
            words[:used] = section[:used]
            words[4] = used
            with pytest.raises(FormatError):
                fmt.read_bytes(file_of(words))


def test_bytes_left_over(victim):
    data = fmt.write_bytes(victim, {})
    with pytest.raises(FormatError, match=f"file_bytes: got {len(data)}, expected {len(data) + 1}"):
        fmt.read_bytes(data + b"x")
    with pytest.raises(FormatError, match=r"words: got 108, expected 129 \.\. 192 in a section of 192 words"):
        fmt.read_bytes(file_of(np.append(victim, np.zeros(64, np.uint32))))


# Random damage

SPECIAL_WORDS = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 0x10000, 0x7F800000, 0x7FC00000)


def damage(rng, words):
    """A copy with one to three words changed; the words of headers and indices are hit most."""
    words = words.copy()
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, min(len(words), 120) if rng.integers(4) else len(words)))
        kind = rng.integers(4)
        if kind == 0:
            words[at] = SPECIAL_WORDS[rng.integers(len(SPECIAL_WORDS))]
        elif kind == 1:
            words[at] ^= np.uint32(1 << int(rng.integers(32)))
        elif kind == 2:
            words[at] = (int(words[at]) + int(rng.integers(-3, 4))) % 2**32
        else:
            words[at] = words[int(rng.integers(0, len(words)))]
    return words


def test_random_damage(victim, victim_with_palettes, victim_with_regular_levels):
    """Damaged sections are refused or sound, and never cost more memory than their size allows."""
    rng = np.random.default_rng(7)
    clamped = make_material(rng, width=9, height=2, repeat=False, channel_bits=(12,) * 9 + (0,) * 7, mips=[
        [(make_layout(5, 1, 320), 7), (make_layout(1, 1, 160, (15, 15, 3, 1, 12)), 40)], [], []])
    dense = make_material(rng, channel_bits=(0,), mips=[[(make_layout(9, 5, 8, (1, 1, 2, 2, 0)), 300)]])
    picture = make_material(rng, channel_bits=(4,), mips=[
        [(make_layout(40, 30, 4, (0, 0, 0, 0, 0), regular=True), None), (make_layout(7, 9, 12, (0, 2, 0, 2, 0)), 80)]])
    sections = [victim, victim_with_palettes, victim_with_regular_levels,
                *(fmt.pack(material) for material in (clamped, dense, picture))]
    refused = sound = 0
    tracemalloc.start()
    try:
        for _ in range(500):
            words = damage(rng, sections[rng.integers(len(sections))])
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                back, _ = fmt.read_bytes(file_of(words))
                material = fmt.unpack(back)
            except FormatError as error:
                assert "\n" not in str(error)
                refused += 1
            else:
                # There is one way to write a material: what was accepted comes out as it went in.
                np.testing.assert_array_equal(fmt.pack(material), words)
                sound += 1
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < 2**20 + 200 * words.nbytes, f"{peak} bytes for a section of {words.nbytes}"
    finally:
        tracemalloc.stop()
    assert refused > 250 and sound > 100


def test_random_damage_of_whole_files(victim):
    """Any bytes: an error of the tree or a readable file."""
    rng = np.random.default_rng(8)
    data = np.frombuffer(fmt.write_bytes(victim, {"report": {"psnr": 40.25}, "name": "a"}), np.uint8)
    for _ in range(1500):
        bad = data.copy()
        for at in rng.integers(0, len(bad), rng.integers(1, 4)):
            bad[at] = rng.integers(256)
        gpu, text = bad[256 : 256 + victim.nbytes].tobytes(), bad[256 + victim.nbytes :].tobytes()
        if rng.integers(2):
            bad[36:44] = np.frombuffer(struct.pack("<2I", zlib.crc32(gpu), zlib.crc32(text)), np.uint8)
        try:
            words, metadata = fmt.read_bytes(bad.tobytes())
        except FormatError:
            continue
        fmt.unpack(words)
        json.dumps(metadata, allow_nan=False)
