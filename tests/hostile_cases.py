"""Sections and files that break docs/format.md: for every rule at least one, with what a reader says about it.

A case is a change of a small sound section and how the message begins: (change, message), in a list for each of the
sections. What a message is about, such as `cells_x`, is a row of the table at the end of the document.
"""

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
from random_material import make_layout, make_material

from gstex import format as fmt

Change = Callable[[np.ndarray], np.ndarray]

# Words of `plain` by the tables of docs/format.md: 3 channels, of which the second is constant; 1 group of the others;
# 2 mips, no tail. All channels of these sections have a range.
NUMBERS = 11
CHANNELS, GROUP_OFFSETS, GROUP, MIP_OFFSETS, RANGES, CHANNEL_BITS = 8, 18, 19, 25, 27, 31
MIP, BACKGROUND, LEVEL0, LEVEL1 = 32, 34, 36, 43
INDEX0, PREFIXES0, RECORDS0, INDEX1, RECORDS1 = 50, 59, 67, 102, 105
EMPTY_MIP, GUARD = 113, 117
# Words of `with_palettes`: 6 channels, of which the first two and the last are a group; 1 mip.
PALETTE_GROUP, PALETTE_CHANNEL_BITS, PALETTES = 30, 43, 44
PALETTE_MIP, PALETTE_LEVEL, PALETTE_RECORDS = 56, 61, 71
# Words of `with_regular_levels`: 1 channel, 1 mip of three levels, of which the second has an index.
REGULAR_MIP, REGULAR_LEVEL0, REGULAR_LEVEL1, REGULAR_LEVEL2 = 22, 25, 32, 39
REGULAR_RECORDS0, ONE_A_CELL_INDEX, ONE_A_CELL_RECORDS, REGULAR_RECORDS2 = 46, 49, 52, 59
# Words of `with_a_tail`: 4 channels, of which the third is constant; a group of the first and the last, which has a
# palette, and one of the second; 4 mips, of which the last two are the tail.
GROUP0, TAIL_PALETTE, GROUP1, TAIL, EMPTY_TAIL, TAIL_GUARD, RESIDENT = 23, 40, 42, 57, 71, 78, 128
SHARED_MIP, SHARED_TAIL, OTHER_MIP = 146, 150, 154


@cache
def plain() -> np.ndarray:
    """A crowded group of cells, cells beyond the last, spare bits, an empty mip."""
    layout = make_layout(8, 4, 48)
    cells0 = [0, 0, 1] + [17] * 20
    words = fmt.pack(make_material(np.random.default_rng(0), channel_bits=(8, 0, 5), mips=[
        [(layout, cells0), (make_layout(3, 3, 48), [0, 2, 4, 4, 8])], []]))  # fmt: skip
    assert words[GROUP_OFFSETS] == GROUP and words[MIP_OFFSETS : MIP_OFFSETS + 2].tolist() == [MIP, EMPTY_MIP]
    assert words[LEVEL0 + 1 : LEVEL0 + 3].tolist() == [INDEX0, RECORDS0]
    assert words[LEVEL1 + 1 : LEVEL1 + 3].tolist() == [INDEX1, RECORDS1]
    assert words[4] == GUARD + 1 and len(words) == words[5] == 128
    return words


@cache
def with_palettes() -> np.ndarray:
    """Palettes of 4 and 8 entries, channels with and without bits of their own."""
    mips = [[(make_layout(3, 3, 36, (5, 4, 5, 5, 4)), [0, 2, 4, 4, 8])]]
    words = fmt.pack(make_material(np.random.default_rng(0), channel_bits=(0, 2, 0, 0, 0, 0),
                                   varying=(1, 1, 0, 0, 0, 1), palette_bits=(2, 3), mips=mips))  # fmt: skip
    assert words[PALETTE_GROUP - 1] == PALETTE_GROUP and words[PALETTE_GROUP + 4] == PALETTES
    assert words[PALETTE_GROUP + 6] == PALETTE_MIP and words[PALETTE_LEVEL + 2] == PALETTE_RECORDS
    assert words[4] == PALETTE_RECORDS + 6 + 1 and len(words) == 128
    return words


@cache
def with_regular_levels() -> np.ndarray:
    """Records of a nibble without geometry, one Gaussian a cell with an index and without."""
    levels = [(make_layout(5, 4, 4, (0, 0, 0, 0, 0), regular=True), None),
              (make_layout(3, 3, 24, (0, 5, 0, 4, 4)), range(9)),
              (make_layout(3, 3, 12, (0, 0, 0, 0, 5), regular=True), None)]  # fmt: skip
    words = fmt.pack(make_material(np.random.default_rng(0), channel_bits=(3,), mips=[levels]))
    offsets = [words[entry + 1 : entry + 3].tolist() for entry in (REGULAR_LEVEL0, REGULAR_LEVEL1, REGULAR_LEVEL2)]
    assert offsets == [[REGULAR_RECORDS0] * 2, [ONE_A_CELL_INDEX, ONE_A_CELL_RECORDS], [REGULAR_RECORDS2] * 2]
    assert words[4] == REGULAR_RECORDS2 + 4 + 1 == len(words) == 64
    return words


@cache
def with_a_tail() -> np.ndarray:
    """Two groups and a constant; mips of all kinds before the tail and in it, one of which is drawn from mip 0 in the
    whole file."""
    rng, layout = np.random.default_rng(0), make_layout(3, 3, 40)
    one = {"members": (0, 3), "channel_bits": (5, 2), "palette_bits": (1,),
           "mips": [[(layout, [0, 4, 4])], 0.75, 1.5, None]}  # fmt: skip
    two = {"members": (1,), "channel_bits": (8,), "top_k": 3,
           "mips": [None, [(make_layout(4, 3, 40), [1, 5])], [], None]}  # fmt: skip
    material = make_material(rng, width=16, height=8, groups=[one, two], channels=4, tail=2)
    in_tail = (fmt.PackedRawMip(rng.integers(0, 256, (2, 4, 2), dtype=np.uint8)), None)
    first = replace(material.groups[0], tail_mips=in_tail)
    words = fmt.pack(replace(material, groups=(first, material.groups[1])))
    assert words[GROUP0 - 2 : GROUP0].tolist() == [GROUP0, GROUP1] and words[GROUP0 + 4] == TAIL_PALETTE
    last = TAIL + 10
    assert words[GROUP0 + 6 : GROUP0 + 12].tolist() == [RESIDENT, SHARED_MIP, SHARED_TAIL, last, TAIL, last]
    assert words[GROUP1 + 6 : GROUP1 + 10].tolist() == [OTHER_MIP, OTHER_MIP + 130, EMPTY_TAIL, EMPTY_TAIL + 3]
    assert words[5] == RESIDENT and words[4] == OTHER_MIP + 130 + 16 + 1 and len(words) == 320
    return words


@cache
def of_constants() -> np.ndarray:
    """One channel, which is constant, and two mips, in the least section that there is."""
    words = fmt.pack(make_material(np.random.default_rng(0), width=4, height=2, channel_bits=(0,), mips=[[], []]))
    assert words[4] == 13 and len(words) == 64
    return words


@cache
def with_a_curve() -> np.ndarray:
    """The same, and the channel has a curve: its numbers are a constant, scale, bias and stops."""
    material = make_material(np.random.default_rng(0), width=4, height=2, channel_bits=(0,), mips=[[], []])
    words = fmt.pack(replace(material, channels=(replace(material.channels[0], stops=8.0),)))
    assert words[4] == 14 and words[12] == f32(8) and len(words) == 64
    return words


def f32(value: float) -> int:
    return struct.unpack("<I", struct.pack("<f", value))[0]


def put(*edits: tuple[int, ...]) -> Change:
    """A change that stores values: (word, value) or (word, value, lowest bit, bits)."""

    def change(words: np.ndarray) -> np.ndarray:
        for word, value, *place in edits:
            low, width = place or (0, 32)
            mask = (1 << width) - 1 << low
            words[word] = int(words[word]) & ~mask | value << low
        return words

    return change


def file_of(words: np.ndarray, text: bytes = b"{}", **fields: object) -> bytes:
    """A file of any words and metadata bytes; sizes and checksums are right unless `fields` says else."""
    gpu = words.astype("<u4").tobytes()
    end, resident = 256 + len(gpu), 4 * int(words[5]) % 2**32
    header = {"magic": b"\x89GSTEX\r\n", "version": 2, "flags": 0, "file_bytes": end + len(text),
              "gpu_offset": 256, "gpu_bytes": len(gpu), "json_offset": end, "json_bytes": len(text),
              "gpu_crc": zlib.crc32(gpu), "json_crc": zlib.crc32(text), "resident_bytes": resident,
              "resident_crc": zlib.crc32(gpu[:resident]), "padding": bytes(204)}  # fmt: skip
    assert fields.keys() <= header.keys()
    return struct.pack("<8s11I204s", *(header | fields).values()) + gpu + text


def subject(message: str) -> str:
    """What a message is about: `cells_x` in "group 1 mip 0 level 2 cells_x: got 0, expected 3 .. 8192"."""
    text = re.sub(r"^group \d+ (mip \d+ (level \d+ )?)?", "", message)
    return re.sub(r"\[\d+\]|(?<=channel entry) \d+| of group 0", "", re.split(r": (?:got|\d+ records: got)", text)[0])


PLAIN = [
    # material header
    (put((0, 0)), "GPU section magic: got 0x00000000, expected 0x4D545347"),
    (put((1, 20, 16, 16)), "header_words: got 20, expected 19"),
    (put((2, 0, 0, 16)), "width: got 0, expected 1 .. 16384"),
    (put((2, 16385, 0, 16)), "width: got 16385, expected 1 .. 16384"),
    (put((2, 0, 16, 16)), "height: got 0, expected 1 .. 16384"),
    (put((2, 65535, 16, 16)), "height: got 65535, expected 1 .. 16384"),
    (put((3, 0, 0, 8)), "channel_count: got 0, expected 1 .. 16"),
    (put((3, 17, 0, 8)), "channel_count: got 17, expected 1 .. 16"),
    (put((3, 0, 8, 8)), "mip_count: got 0, expected 1 .. 15"),
    (put((3, 16, 8, 8)), "mip_count: got 16, expected 1 .. 15"),
    (put((2, 1 | 1 << 16)), "mip_count: got 2, expected 1 .. 1"),
    (put((3, 5, 16, 3)), "group_count: got 5, expected 0 .. 4"),
    (put((3, 7, 16, 3)), "group_count: got 7, expected 0 .. 4"),
    (put((3, 0, 16, 3)), "header_words: got 19, expected 18"),
    (put((3, 0, 19, 4)), "tail: got 0, expected 1 .. 2"),
    (put((3, 3, 19, 4)), "tail: got 3, expected 1 .. 2"),
    (put((3, 1, 23, 1)), "reserved bits of word 3: got "),
    (put((3, 1, 30, 1)), "reserved bits of word 3: got "),
    (put((3, 1, 31, 1)), "reserved bits of word 3: got "),
    (put((3, 1, 26, 4)), "first_mip: got 1, expected 0 in a file"),
    (put((3, 2, 26, 4)), "first_mip: got 2, expected 0 in a file"),
    (put((4, 0)), "words: got 0, expected 65 .. 128 in a section of 128 words"),
    (put((4, 64)), "words: got 64, expected 65 .. 128"),
    (put((4, 129)), "words: got 129, expected 65 .. 128"),
    (put((4, 2**32 - 1)), "words: got 4294967295, expected 65 .. 128"),
    (put((127, 1)), "padding after the used words: got bits that are set, expected zeros"),
    (put((5, 64)), "resident_words: got 64, expected 128, the whole section, because there is no tail"),
    (put((5, 120)), "resident_words: got 120, expected 128, the whole section"),
    (put((5, 0)), "resident_words: got 0, expected 128, the whole section"),
    (put((5, 2**32 - 1)), "resident_words: got 4294967295, expected 128, the whole section"),
    (put((6, 1)), "reserved words 6 and 7: got 0x1, expected 0"),
    (put((7, 1 << 31)), "reserved words 6 and 7: got 0x80000000, expected 0"),
    # channel entries
    (put((CHANNELS, 13, 0, 8)), "role[0]: got 13, expected 0 .. 12"),
    (put((CHANNELS + 2, 255, 0, 8)), "role[2]: got 255, expected 0 .. 12"),
    (put((CHANNELS, 6, 8, 3)), "component[0]: got 6, expected 0 .. 5"),
    (put((CHANNELS + 1, 7, 8, 3)), "component[1]: got 7, expected 0 .. 5"),
    *((put((CHANNELS + 1, 1, bit, 1)), "reserved bits of channel entry 1: got ") for bit in (11, 15)),
    (put((CHANNELS, 1, 16, 3)), "group[0]: got 1, expected a number below 1, or 7 for a constant channel"),
    (put((CHANNELS + 2, 6, 16, 3)), "group[2]: got 6, expected a number below 1, or 7"),
    (put((CHANNELS, 12, 24, 8)), "numbers[0]: got 12, expected 11, the place of the channel's numbers, or 0"),
    (put((CHANNELS + 1, 0, 24, 8)), "numbers[1]: got 0, expected 13"),
    (put((CHANNELS + 1, 255, 24, 8)), "numbers[1]: got 255, expected 13"),
    (put((CHANNELS + 2, 0, 23, 1)), "numbers[2]: got 16, expected 0"),
    (put((CHANNELS + 1, 0, 16, 3)), "numbers[2]: got 16, expected 15"),
    (put((CHANNELS, 4 | 4 << 8, 0, 11), (CHANNELS, 1, 20, 1)), "flipped[0]: got 1, expected 0: only Y of a normal"),
    (put((CHANNELS, 8 | 5 << 8, 0, 11), (CHANNELS, 1, 20, 1)), "flipped[0]: got 1, expected 0: only Y of a normal"),
    (put((CHANNELS, 2, 21, 2)), "curve[0]: got 2, expected 0 or 1"),
    (put((CHANNELS + 2, 3, 21, 2)), "curve[2]: got 3, expected 0 or 1"),
    (put((CHANNELS, 1, 21, 1)), "numbers[1]: got 13, expected 14"),
    (put((NUMBERS + 2, f32(-1.25))), "constant[1]: got -1.25, expected -1 .. 2"),
    (put((NUMBERS + 2, f32(float("nan")))), "constant[1]: got nan, expected -1 .. 2"),
    (put((NUMBERS, 0)), "scale[0]: got 0.0, expected a finite number other than 0"),
    (put((NUMBERS + 3, f32(float("inf")))), "scale[1]: got inf, expected a finite number other than 0"),
    (put((NUMBERS, f32(1)), (NUMBERS + 1, f32(-0.0))), "ranged[0]: got 1, expected 0: scale and bias are 1 and 0"),
    (put((NUMBERS + 1, f32(float("nan")))), "bias[0]: got nan, expected a finite number"),
    (put((NUMBERS + 6, f32(float("-inf")))), "bias[2]: got -inf, expected a finite number"),
    (put((GROUP_OFFSETS, GROUP + 1)), "group 0 group_offset[0]: got 20, expected 19, right after the part before"),
    (put((GROUP_OFFSETS, 2**32 - 1)), "group 0 group_offset[0]: got 4294967295, expected 19"),
    # group header
    (put((GROUP, 0, 0, 16)), "group 0 members: got 0x0, expected 0x5"),
    (put((GROUP, 1, 1, 1)), "group 0 members: got 0x7, expected 0x5"),
    (put((GROUP, 1, 3, 1)), "group 0 members: got 0xD, expected 0x5"),
    (put((GROUP, 33, 16, 8)), "group 0 top_k: got 33, expected 0 .. 32"),
    (put((GROUP, 1, 24, 8)), "group 0 reserved bits of the group header: got 0x1, expected 0"),
    (put((GROUP + 1, f32(-17))), "group 0 amplitude_lo: got -17.0, expected -16 .. 8"),
    (put((GROUP + 1, f32(float("nan")))), "group 0 amplitude_lo: got nan, expected -16 .. 8"),
    (put((GROUP + 1, f32(float("-inf")))), "group 0 amplitude_lo: got -inf, expected -16 .. 8"),
    (put((GROUP + 2, f32(-0.5))), "group 0 amplitude_step: got -0.5, expected 0 .. 8"),
    (put((GROUP + 2, f32(8.5))), "group 0 amplitude_step: got 8.5, expected 0 .. 8"),
    (put((GROUP + 2, f32(1.0))), "group 0 mip 0 level 0 log-amplitude of the last code: got 12.0, expected -16 .. 8"),
    (put((GROUP + 3, 4097)), "group 0 candidates_max of all groups: got 4097, expected at most 4096"),
    (put((GROUP + 3, 2**32 - 1)), "group 0 candidates_max of all groups: got 4294967295, expected at most 4096"),
    (put((GROUP + 3, 27)), "group 0 candidates_max: got 27, expected 28, the largest number of candidates found"),
    (put((GROUP + 3, 29)), "group 0 candidates_max: got 29, expected 28, the largest number of candidates found"),
    (put((GROUP + 4, MIP)), "group 0 palette_offset: got 32, expected 0, because there are no palettes"),
    (put((GROUP + 5, 1, 16, 16)), "group 0 reserved bits of the group header: got 0x1, expected 0"),
    (put((GROUP + 5, 1, 31, 1)), "group 0 reserved bits of the group header: got 0x8000, expected 0"),
    (put((GROUP + 5, 1, 4, 4)), "group 0 palette_bits[1]: got 1, expected 0, because palette 0 is not there"),
    (put((GROUP + 5, 5)), "group 0 palette_offset: got 0, expected 32, right after the header"),
    (put((GROUP + 5, 13), (GROUP + 4, MIP)), "group 0 palette_bits[0]: got 13, expected 1 .. 12"),
    (put((GROUP + 5, 7), (GROUP + 4, MIP)),
     "group 0 palettes: got 128 words, expected at most the 85 words left before the guard word"),
    (put((GROUP + 5, 0xCCCC), (GROUP + 4, MIP)), "group 0 palettes: got 16384 words, expected at most the 85 words"),
    (put((MIP_OFFSETS, MIP + 1)), "group 0 mip_offset[0]: got 33, expected 32"),
    (put((MIP_OFFSETS + 1, MIP)), "group 0 mip_offset[1]: got 32, expected 113"),
    (put((RANGES, f32(-1.5))), "group 0 channel_lo[0]: got -1.5, expected -1 .. 2"),
    (put((RANGES + 2, f32(float("inf")))), "group 0 channel_lo[1]: got inf, expected -1 .. 2"),
    (put((RANGES + 1, f32(1.5))), "group 0 channel_step[0]: got 1.5, expected 0 .. 1"),
    (put((RANGES + 3, f32(float("nan")))), "group 0 channel_step[1]: got nan, expected 0 .. 1"),
    (put((CHANNEL_BITS, 13, 4, 4)), "group 0 channel_bits[1]: got 13, expected 0 .. 12"),
    (put((CHANNEL_BITS, 0, 4, 4)), "group 0 channel_bits[1]: got 0, expected 1 .. 12: there are no palettes"),
    (put((CHANNEL_BITS, 1, 8, 4)), "group 0 unused nibbles of channel_bits: got bits that are set, expected zeros"),
    (put((CHANNEL_BITS, 1, 31, 1)), "group 0 unused nibbles of channel_bits: got bits that are set, expected zeros"),
    # mip block
    (put((MIP, 1, 10, 22)), "group 0 mip 0 reserved bits of word 0: got 1, expected 0"),
    (put((MIP, 1, 9, 1)), "group 0 mip 0 word 0: got 0x202, expected 0x200: shared and nothing else"),
    (put((MIP, 512)), "group 0 mip 0 shared: got 1, expected 0: only mips below a mip 0 of Gaussians share them"),
    (put((EMPTY_MIP, 512), (EMPTY_MIP + 1, f32(-1))), "group 0 mip 1 filter: got -1.0, expected 0 .. 16384"),
    (put((EMPTY_MIP, 512), (EMPTY_MIP + 1, f32(float("inf")))), "group 0 mip 1 filter: got inf, expected 0 .. 16384"),
    (put((EMPTY_MIP, 512), (EMPTY_MIP + 2, 1, 30, 1)),
     "group 0 mip 1 bend[0]: got 0x"),
    (put((MIP, 1, 8, 1)), "group 0 mip 0 level_count: got 2, expected 0 in a raw mip"),
    (put((MIP, 256)), "group 0 mip 0 gaussian_count: got 28, expected 0 in a raw mip"),
    (put((MIP, 256), (MIP + 1, 0)), "group 0 mip 0 texels: got 2050 words, expected at most the 85 words left"),
    (put((MIP, 17, 0, 8)), "group 0 mip 0 level_count: got 17, expected 0 .. 16"),
    (put((MIP, 16, 0, 8)), "group 0 mip 0 block: got 116 words, expected at most the 85 words left before the guard"),
    (put((MIP + 1, 29)), "group 0 mip 0 gaussian_count: got 29, expected 28, the sum over the levels"),
    (put((BACKGROUND, f32(2.5))), "group 0 mip 0 background[0]: got 2.5, expected -1 .. 2"),
    (put((BACKGROUND + 1, f32(float("nan")))), "group 0 mip 0 background[1]: got nan, expected -1 .. 2"),
    (put((4, GUARD), (GUARD - 1, 0)), "group 0 mip 1 block: got 4 words, expected at most the 3 words left"),
    (put((4, GUARD), (GUARD - 1, 0), (EMPTY_MIP, 512), (EMPTY_MIP + 1, f32(1))),
     "group 0 mip 1 block: got 4 words, expected at most the 3 words left"),
    (put((4, EMPTY_MIP + 2), (EMPTY_MIP + 2, 0), (EMPTY_MIP + 3, 0)),
     "group 0 mip 1 block: got 2 words, expected at most the 1 words left"),
    # level entry
    (put((LEVEL0, 0, 0, 16)), "group 0 mip 0 level 0 cells_x: got 0, expected 3 .. 8192"),
    (put((LEVEL0, 2, 16, 16)), "group 0 mip 0 level 0 cells_y: got 2, expected 3 .. 8192"),
    (put((LEVEL0, 8193, 0, 16)), "group 0 mip 0 level 0 cells_x: got 8193, expected 3 .. 8192"),
    (put((LEVEL0, 8192 | 8192 << 16)), "group 0 mip 0 level 0 cells: got 8192 x 8192, expected a grid whose index of "
                                       "12582915 words fits into the 67 words left"),
    (put((LEVEL1, 9, 0, 16)), "group 0 mip 0 level 1 cells: got 9 x 3, expected at most the 8 x 4"),
    (put((LEVEL1, 5, 16, 16)), "group 0 mip 0 level 1 cells: got 3 x 5, expected at most the 8 x 4"),
    (put((LEVEL0 + 1, INDEX0 - 1)), "group 0 mip 0 level 0 index_offset: got 49, expected 50"),
    (put((LEVEL1 + 1, INDEX0)), "group 0 mip 0 level 1 index_offset: got 50, expected 102"),
    (put((LEVEL0 + 2, 2**32 - 1)), "group 0 mip 0 level 0 record_offset: got 4294967295, expected 67, right after"),
    (put((LEVEL0 + 3, 0)), "group 0 mip 0 level 0 count: got 0, expected at least 1"),
    (put((LEVEL0 + 3, 2**32 - 1)), "group 0 mip 0 level 0 Gaussians of a group of 16 cells: got 4294967272"),
    (put((LEVEL1 + 4, 320, 0, 9)), "group 0 mip 0 level 1 count: 5 records: got 50 words, expected at most "
                                   "the 12 words left before the guard word"),
    (put((LEVEL0 + 3, 24)), "group 0 mip 0 level 0 index counts of a group: got 0, expected the difference"),
    (put((LEVEL0 + 4, 0, 0, 9)), "group 0 mip 0 level 0 stride: got 0, expected a multiple of 4 in 43 .. 320"),
    (put((LEVEL0 + 4, 40, 0, 9)), "group 0 mip 0 level 0 stride: got 40, expected a multiple of 4 in 43 .. 320"),
    (put((LEVEL0 + 4, 54, 0, 9)), "group 0 mip 0 level 0 stride: got 54, expected a multiple of 4 in 43 .. 320"),
    (put((LEVEL0 + 4, 47, 0, 9)), "group 0 mip 0 level 0 stride: got 47, expected a multiple of 4 in 43 .. 320"),
    (put((LEVEL0 + 4, 76, 0, 9), (LEVEL0 + 4, 13, 9, 4)),
     "group 0 mip 0 level 0 geometry bits: got 37, expected at most 36 with a stride of 76 bits"),
    (put((LEVEL0 + 4, 328, 0, 9)), "group 0 mip 0 level 0 stride: got 328, expected a multiple of 4 in 43 .. 320"),
    (put((LEVEL0 + 4, 13, 17, 4)), "group 0 mip 0 level 0 rotation_bits: got 13, expected 0 .. 12"),
    (put((LEVEL0 + 4, 13, 21, 4)), "group 0 mip 0 level 0 scale_bits: got 13, expected 0 .. 12"),
    (put((LEVEL0 + 4, 13, 25, 4)), "group 0 mip 0 level 0 amplitude_bits: got 13, expected 0 .. 12"),
    (put((LEVEL0 + 4, 1, 29, 1)),
     "group 0 mip 0 level 0 count: got 23, expected 32, one for every cell of a regular level"),
    (put((LEVEL0 + 4, 1, 30, 1)), "group 0 mip 0 level 0 reserved bits of the field widths: got 1, expected 0"),
    (put((LEVEL0 + 4, 1, 31, 1)), "group 0 mip 0 level 0 reserved bits of the field widths: got 2, expected 0"),
    (put((LEVEL0 + 4, 72, 0, 9), (LEVEL0 + 4, 15, 9, 4), (LEVEL0 + 4, 12, 17, 4)),
     "group 0 mip 0 level 0 geometry bits: got 46, expected at most 40 with a stride of 72 bits"),
    (put((LEVEL0 + 5, f32(-17))), "group 0 mip 0 level 0 scale_lo: got -17.0, expected -16 .. 8"),
    (put((LEVEL0 + 6, f32(-5))), "group 0 mip 0 level 0 scale_step: got -5.0, expected -4 .. 4"),
    (put((LEVEL0 + 6, f32(float("nan")))), "group 0 mip 0 level 0 scale_step: got nan, expected -4 .. 4"),
    (put((LEVEL0 + 6, f32(0.5))), "group 0 mip 0 level 0 log2 of the inverse scale of the last code: got 11.5"),
    (put((LEVEL0 + 6, f32(-0.5))), "group 0 mip 0 level 0 log2 of the inverse scale of the last code: got -19.5"),
    # cell index
    (put((INDEX0, 1)), "group 0 mip 0 level 0 index base of group 0: got 1, expected 0"),
    (put((INDEX0 + 3, 2 | 1 << 31)), "group 0 mip 0 level 0 index counts of a group: got 3, expected the difference"),
    (put((INDEX0 + 6, 2)), "group 0 mip 0 level 0 index base: got 2, expected bases that do not fall"),
    (put((INDEX0 + 6, 24)), "group 0 mip 0 level 0 index base: got 23, expected bases that do not fall"),
    (put((INDEX0 + 1, 0x13)), "group 0 mip 0 level 0 index counts of a group: got 4, expected the difference"),
    (put((INDEX0, 1, 31, 1)), "group 0 mip 0 level 0 prefix block offset: got 18, expected blocks in the orde"),
    (put((INDEX0 + 3, 0, 31, 1)), "group 0 mip 0 level 0 index counts of a group: got 9, expected the difference"),
    (put((INDEX0 + 4, 10)), "group 0 mip 0 level 0 prefix block offset: got 10, expected blocks in the order "
                            "of their groups from word 9 of the index on"),
    (put((INDEX0 + 5, 1)), "group 0 mip 0 level 0 third word of a crowded group: got 1, expected 0"),
    (put((PREFIXES0, 1, 0, 16)), "group 0 mip 0 level 0 first prefix of a crowded group: got 1, expected 0"),
    (put((PREFIXES0 + 2, 21, 0, 16)), "group 0 mip 0 level 0 prefixes of crowded group: got 1"),
    (put((PREFIXES0 + 7, 21, 16, 16)), "group 0 mip 0 level 0 prefixes of crowded group: got 1"),
    (put((PREFIXES0 + 1, 10, 0, 16)), "group 0 mip 0 level 0 crowded group: got 1, expected a cell of more than 15"),
    (put((INDEX1 + 2, 0x10), (INDEX1 + 1, 0x20101)), "group 0 mip 0 level 1 index counts beyond the last cell: got"),
    # records
    (put((RECORDS0 + 1, 1, 11, 1)), "group 0 mip 0 level 0 spare bits of the records: got bits that are set"),
    (put((RECORDS0 + 2, 1, 31, 1)), "group 0 mip 0 level 0 spare bits of the records: got bits that are set"),
    (put((RECORDS1 - 4, 1, 16, 1)), "group 0 mip 0 level 0 spare bits of the records: got bits that are set"),
    # the end
    (put((GUARD, 1)), "guard word: got 1, expected 0"),
    (put((4, GUARD + 2)), "words: got 119, expected 118: the parts and one guard word, nothing left ove"),
]  # fmt: skip

# The rules of palettes that need some.
PALETTES_RULES = [
    (put((PALETTE_GROUP + 4, 0)), "group 0 palette_offset: got 0, expected 44, right after the header"),
    (put((PALETTE_GROUP + 4, PALETTES + 1)), "group 0 palette_offset: got 45, expected 44, right after the header"),
    (put((PALETTE_GROUP + 5, 0)), "group 0 palette_offset: got 44, expected 0, because there are no palettes"),
    (put((PALETTE_GROUP + 5, 0), (PALETTE_GROUP + 4, 0)),
     "group 0 channel_bits[0]: got 0, expected 1 .. 12: there are no palettes"),
    (put((PALETTE_GROUP + 5, 0x302)), "group 0 palette_bits[2]: got 3, expected 0, because palette 1 is not there"),
    (put((PALETTE_GROUP + 5, 0x1032)), "group 0 palette_bits[3]: got 1, expected 0, because palette 2 is not there"),
    (put((PALETTE_GROUP + 5, 13, 4, 4)), "group 0 palette_bits[1]: got 13, expected 1 .. 12"),
    (put((PALETTE_GROUP + 5, 15, 0, 4)), "group 0 palette_bits[0]: got 15, expected 1 .. 12"),
    (put((PALETTE_GROUP + 5, 0xC32)),
     "group 0 palettes: got 4108 words, expected at most the 33 words left before the guard word"),
    (put((PALETTE_GROUP + 5, 2, 4, 4)), "group 0 mip_offset[0]: got 56, expected 52, right after the part before"),
    (put((PALETTES, 1, 24, 1)), "group 0 spare bytes of the palettes: got bits that are set, expected zeros"),
    (put((PALETTE_LEVEL + 4, 32, 0, 9)),
     "group 0 mip 0 level 0 stride: got 32, expected a multiple of 4 in 35 .. 320"),
    (put((PALETTE_LEVEL + 4, 38, 0, 9)),
     "group 0 mip 0 level 0 stride: got 38, expected a multiple of 4 in 35 .. 320"),
    (put((PALETTE_RECORDS + 1, 1, 3, 1)), "group 0 mip 0 level 0 spare bits of the records: got bits that are set"),
]  # fmt: skip

# The rules of regular levels, and of records without geometry.
REGULAR_RULES = [
    (put((REGULAR_LEVEL0 + 1, REGULAR_RECORDS0 - 1)), "group 0 mip 0 level 0 index_offset: got 45, expected 46, right"),
    (put((REGULAR_LEVEL0 + 1, 0)), "group 0 mip 0 level 0 index_offset: got 0, expected 46, right after the part"),
    (put((REGULAR_LEVEL0 + 2, ONE_A_CELL_INDEX)),
     "group 0 mip 0 level 0 record_offset: got 49, expected 46, index_offset: a regular level has no index"),
    (put((REGULAR_LEVEL0 + 2, 0)), "group 0 mip 0 level 0 record_offset: got 0, expected 46, index_offset: a regular"),
    (put((REGULAR_LEVEL2 + 2, 2**32 - 1)),
     "group 0 mip 0 level 2 record_offset: got 4294967295, expected 59, index_offset"),
    (put((REGULAR_LEVEL0 + 3, 0)), "group 0 mip 0 level 0 count: got 0, expected at least 1"),
    (put((REGULAR_LEVEL0 + 3, 19)), "group 0 mip 0 level 0 count: got 19, expected 20, one for every cell"),
    (put((REGULAR_LEVEL0 + 3, 21)), "group 0 mip 0 level 0 count: got 21, expected 20, one for every cell"),
    (put((REGULAR_LEVEL0 + 3, 2**32 - 1)),
     "group 0 mip 0 level 0 count: got 4294967295, expected 20, one for every cell"),
    (put((REGULAR_LEVEL0, 6, 0, 16)), "group 0 mip 0 level 0 count: got 20, expected 24, one for every cell"),
    (put((REGULAR_LEVEL0, 2, 16, 16)), "group 0 mip 0 level 0 cells_y: got 2, expected 3 .. 8192"),
    (put((REGULAR_LEVEL2, 4, 0, 16)),
     "group 0 mip 0 level 2 cells: got 4 x 3, expected at most the 3 x 3 of the level before"),
    (put((REGULAR_LEVEL1 + 4, 1, 29, 1)),
     "group 0 mip 0 level 1 record_offset: got 52, expected 49, index_offset: a regular level has no index"),
    # Records read as an index.
    (put((REGULAR_LEVEL0 + 4, 0, 29, 1)), "group 0 mip 0 level 0 index base of group 0: got "),
    (put((REGULAR_LEVEL2 + 4, 0, 29, 1), (REGULAR_RECORDS2, 1 << 31)),
     "group 0 mip 0 level 2 crowded groups: got 1, expected at most 0"),
    (put((REGULAR_LEVEL0 + 4, 1, 30, 1)), "group 0 mip 0 level 0 reserved bits of the field widths: got 1, expected 0"),
    (put((REGULAR_LEVEL0 + 4, 1, 31, 1)), "group 0 mip 0 level 0 reserved bits of the field widths: got 2, expected 0"),
    (put((REGULAR_LEVEL0 + 4, 0, 0, 9)), "group 0 mip 0 level 0 stride: got 0, expected a multiple of 4 in 4 .. 320"),
    (put((REGULAR_LEVEL0 + 4, 2, 0, 9)), "group 0 mip 0 level 0 stride: got 2, expected a multiple of 4 in 4 .. 320"),
    (put((REGULAR_LEVEL0 + 4, 1, 9, 4), (REGULAR_LEVEL0 + 4, 1, 17, 4)),
     "group 0 mip 0 level 0 stride: got 4, expected a multiple of 4 in 5 .. 320"),
    (put((REGULAR_LEVEL0 + 4, 1, 21, 4)), "group 0 mip 0 level 0 stride: got 4, expected a multiple of 4 in 5 .. 320"),
    (put((REGULAR_LEVEL0 + 4, 320, 0, 9)),
     "group 0 mip 0 level 0 count: 20 records: got 200 words, expected at most the 17 words left before the guard"),
    (put((REGULAR_LEVEL0, 8192 | 8192 << 16), (REGULAR_LEVEL0 + 3, 8192**2)),
     "group 0 mip 0 level 0 count: 67108864 records: got 8388608 words, expected at most the 17 words left"),
    (put((REGULAR_LEVEL0 + 5, f32(-17))), "group 0 mip 0 level 0 scale_lo: got -17.0, expected -16 .. 8"),
    (put((REGULAR_LEVEL0 + 6, f32(float("nan")))), "group 0 mip 0 level 0 scale_step: got nan, expected -4 .. 4"),
    (put((REGULAR_MIP + 1, 37)), "group 0 mip 0 gaussian_count: got 37, expected 38, the sum over the levels"),
    (put((12 + 3, 9)), "group 0 candidates_max: got 9, expected 27, the largest number of candidates found"),
    (put((REGULAR_RECORDS0, 1, 7, 1)), "group 0 mip 0 level 0 spare bits of the records: got bits that are set"),
    (put((REGULAR_RECORDS0 + 2, 1, 16, 1)), "group 0 mip 0 level 0 spare bits of the records: got bits that are set"),
    (put((REGULAR_RECORDS2 + 1, 1, 3, 1)), "group 0 mip 0 level 2 spare bits of the records: got bits that are set"),
]  # fmt: skip

# The rules of groups and of the tail: in what stands before the tail's end, which is checked in a tail alone as well.
RESIDENT_RULES = [
    (put((5, 0)), "resident_words: got 0, expected a multiple of 64 in 24 .. 256"),
    (put((5, 130)), "resident_words: got 130, expected a multiple of 64 in 24 .. 256"),
    (put((GROUP0 - 1, GROUP0)), "group 1 group_offset[1]: got 23, expected 42, right after the part before"),
    (put((8, 1, 16, 3)), "group 0 members: got 0x9, expected 0x8"),
    (put((9, 0, 16, 3)), "group 0 members: got 0x9, expected 0xB"),
    # The only channel of group 1 made a constant one without a range: one number less, and a third group in its place.
    (put((9, 7, 16, 3), (9, 0, 23, 1), (14, 0), (10, 15, 24, 8), (11, 18, 24, 8), (3, 3, 16, 3), (20, GROUP0),
         (21, GROUP1)),
     "group 1 members: got 0, expected at least one channel: leave out groups without channels"),
    (put((9, 2, 16, 3)), "group[1]: got 2, expected a number below 2, or 7 for a constant channel"),
    (put((GROUP1, 1, 0, 1)), "group 1 members: got 0x3, expected 0x2"),
    (put((GROUP1, 0x80, 16, 8)), "group 1 top_k: got 128, expected 0 .. 32"),
    (put((GROUP0 + 3, 4096), (GROUP1 + 3, 1)), "group 1 candidates_max of all groups: got 4097, expected at most 4096"),
    (put((GROUP1 + 4, TAIL)), "group 1 palette_offset: got 57, expected 0, because there are no palettes"),
    (put((TAIL_PALETTE + 1, 1, 16, 1)), "group 0 spare bytes of the palettes: got bits that are set"),
    (put((GROUP0 + 10, TAIL + 1)), "group 0 tail_offset[0]: got 58, expected 57, right after the part before"),
    (put((GROUP0 + 11, TAIL)), "group 0 tail_offset[1]: got 57, expected 67, right after the part before"),
    (put((GROUP1 + 10, OTHER_MIP)), "group 1 tail_offset[0]: got 154, expected 71, right after the part before"),
    (put((TAIL, 512)), "group 0 mip 2 shared: got 1, expected 0: only mips below a mip 0 of Gaussians share them, and"),
    (put((TAIL + 2, 1, 16, 1)), "group 0 mip 2 spare bytes of the texels: got bits that are set, expected zeros"),
    (put((EMPTY_TAIL, 16)), "group 1 mip 2 block: got 115 words, expected at most the 56 words left before the guard"),
    (put((TAIL_GUARD, 1)), "guard word: got 1, expected 0"),
    (put((RESIDENT - 1, 1 << 31)), "guard word: got 2147483648, expected 0"),
]  # fmt: skip
# The same, behind its end.
BEHIND_RULES = [
    (put((5, 64)), "group 0 mip 2 texels: got 10 words, expected at most the 6 words left before the guard word"),
    (put((5, 192)), "resident_words: got 192, expected 128, where the tail and its guard word end"),
    (put((5, 320)), "resident_words: got 320, expected a multiple of 64 in 24 .. 256"),
    (put((3, 4, 19, 4)), "resident_words: got 128, expected 320, the whole section, because there is no tail"),
    (put((GROUP0 + 6, TAIL)), "group 0 mip_offset[0]: got 57, expected 128, right after the part before"),
    (put((GROUP0 + 7, SHARED_MIP + 1)), "group 0 mip_offset[1]: got 147, expected 146, right after the part before"),
    (put((GROUP0 + 8, SHARED_MIP)), "group 0 mip_offset[2]: got 146, expected 150, right after the part before"),
    (put((GROUP0 + 8, TAIL)), "group 1 mip_offset[0]: got 154, expected 150, right after the part before"),
    (put((GROUP0 + 9, TAIL)), "group 0 mip_offset[3]: got 57, expected 154, right after the part before"),
    (put((GROUP0 + 9, OTHER_MIP)), "group 0 mip 3 mip_offset[3]: got 154, expected 67, tail_offset, or the place of a"),
    (put((RESIDENT, 256 + 1)), "group 0 mip 0 level_count: got 1, expected 0 in a raw mip"),
    (put((SHARED_MIP, 256 | 512)), "group 0 mip 1 word 0: got 0x300, expected 0x200: shared and nothing else"),
    (put((SHARED_MIP + 1, f32(16385))), "group 0 mip 1 filter: got 16385.0, expected 0 .. 16384"),
    (put((SHARED_MIP + 2, 1, 30, 1)), "group 0 mip 1 bend[0]: got 0x"),
    (put((SHARED_TAIL + 3, 1, 31, 1)), "group 0 mip 2 bend[1]: got 0x"),
    (put((SHARED_TAIL, 0)), "group 0 mip 2 mip_offset[2]: got 150, expected 57, tail_offset, or the place of a"),
    (put((OTHER_MIP, 512)), "group 1 mip 0 shared: got 1, expected 0: only mips below a mip 0 of Gaussians"),
    (put((OTHER_MIP + 130, 512)), "group 1 mip 1 shared: got 1, expected 0: only mips below a mip 0 of Gaussians"),
    (put((GROUP0 + 3, 4)), "group 0 candidates_max: got 4, expected 3, the largest number of candidates found"),
    (put((GROUP1 + 3, 1)), "group 1 candidates_max: got 1, expected 2, the largest number of candidates found"),
]  # fmt: skip

# The rules of materials without groups, and of headers that do not fit.
CONSTANTS_RULES = [
    (put((3, 1, 19, 4)), "tail: got 1, expected 2, mip_count: all channels of this material are constant"),
    (put((1, 11, 16, 16), (8, 0, 16, 3)), "group[0]: got 0, expected a number below 0, or 7 for a constant channel"),
    (put((12, 1)), "guard word: got 1, expected 0"),
    (put((4, 12)), "words: got 12, expected 13 .. 64 in a section of 64 words"),
    (put((4, 14)), "words: got 14, expected 13: the parts and one guard word, nothing left over"),
    (put((1, 68, 16, 16), (3, 15, 0, 8), *((8 + c, 7 << 16 | 1 << 23 | 23 + 3 * c << 24) for c in range(15))),
     "group header: got 68 words, expected at most the 64 words left"),
    (put((1, 12, 16, 16), (3, 1, 16, 3), (4, 14), (8, 0, 16, 3), (11, 12), (12, 0)),
     "group 0 group header: got 6 words, expected at most the 1 words left before the guard word"),
    (put((1, 12, 16, 16), (3, 1, 16, 3), (4, 22), (8, 0, 16, 3), (11, 12), (12, 1)),
     "group 0 group header: got 11 words, expected at most the 9 words left before the guard word"),
]  # fmt: skip

CURVE_RULES = [
    (put((12, 0)), "stops[0]: got 0.0, expected a number above 0, at most 32"),
    (put((12, f32(-1))), "stops[0]: got -1.0, expected a number above 0, at most 32"),
    (put((12, f32(32.5))), "stops[0]: got 32.5, expected a number above 0, at most 32"),
    (put((12, f32(float("nan")))), "stops[0]: got nan, expected a number above 0, at most 32"),
    (put((12, f32(float("inf")))), "stops[0]: got inf, expected a number above 0, at most 32"),
    (put((8, 0, 23, 1), (1, 11, 16, 16), (4, 12), (11, 0), (12, 0)),
     "curve[0]: got 1, expected 0: only a channel with scale and bias has a curve"),
]  # fmt: skip

SECTIONS = [(plain, PLAIN), (with_palettes, PALETTES_RULES), (with_regular_levels, REGULAR_RULES),
            (with_a_tail, RESIDENT_RULES), (with_a_tail, BEHIND_RULES), (of_constants, CONSTANTS_RULES),
            (with_a_curve, CURVE_RULES)]  # fmt: skip

# Fields of the file header.
FILE_RULES = [
    ({"magic": b"\x89GSTEY\r\n"}, "file magic: got 89 47 53 54 45 59 0d 0a, expected 89 47 53"),
    ({"version": 3}, "version: got 3, this gstex reads versions up to 2; update gstex"),
    ({"version": 1}, "version: got 1, expected 2; versions before it were in no release: compress the material again"),
    ({"flags": 1}, "flags: got 1, expected 0"),
    ({"file_bytes": 769}, "file_bytes: got 769, expected 770, the size of the file"),
    ({"gpu_offset": 260}, "gpu_offset: got 260, expected 256"),
    ({"gpu_bytes": 0}, "gpu_bytes: got 0, expected a positive multiple of 256"),
    ({"gpu_bytes": 300}, "gpu_bytes: got 300, expected a positive multiple of 256"),
    ({"gpu_bytes": 2**32 - 256}, "json_offset: got 768, expected 4294967296, right after the GPU section"),
    ({"json_offset": 767}, "json_offset: got 767, expected 768"),
    ({"gpu_bytes": 1024, "json_offset": 1280}, "json_bytes: got 2, expected -510, what is left of the file"),
    ({"json_bytes": 1}, "json_bytes: got 1, expected 2 .. 1048576"),
    ({"json_bytes": 2**20 + 1}, "json_bytes: got 1048577, expected 2 .. 1048576"),
    ({"json_bytes": 3}, "json_bytes: got 3, expected 2, what is left of the file"),
    ({"gpu_crc": 1}, "gpu_crc: got 0x00000001, expected 0x"),
    ({"json_crc": 1}, "json_crc: got 0x00000001, expected 0x"),
    ({"resident_bytes": 0}, "resident_bytes: got 0, expected a positive multiple of 256, at most the 512 of gpu_bytes"),
    ({"resident_bytes": 500}, "resident_bytes: got 500, expected a positive multiple of 256, at most the 512"),
    ({"resident_bytes": 768}, "resident_bytes: got 768, expected a positive multiple of 256, at most the 512"),
    ({"resident_bytes": 256, "resident_crc": zlib.crc32(plain()[:64].tobytes())},
     "resident_bytes: got 256, expected 512, 4 resident_words of the GPU section"),
    ({"resident_crc": 1}, "resident_crc: got 0x00000001, expected 0x"),
    ({"padding": bytes(203) + b"x"}, "padding of the file header: got bytes that are set, expected zeros"),
    ({"padding": b"x" + bytes(203)}, "padding of the file header: got bytes that are set, expected zeros"),
]  # fmt: skip

METADATA_RULES = [
    (b"[]", "metadata: got a JSON list, expected an object"),
    (b"{}}", "metadata: got text that cannot be read"),
    (b'{"a": "\xff"}', "metadata: got text that cannot be read"),
    (b'{"a": "\\ud800"}', "metadata: got text that cannot be read"),
    (b'{"a": NaN}', "metadata: got text that cannot be read"),
    (b'{"a": 1e999}', "metadata: got text that cannot be read"),
    (b'{"a":' * 100000, "metadata: got text that cannot be read"),
    (b'{"a": ' + b"9" * 10000 + b"}", "metadata: got text that cannot be read"),
]


def all_subjects() -> set[str]:
    """What the cases are about, and those of test_format_hostile.py that are no change of a section or a header."""
    lists = [*(rules for _, rules in SECTIONS), FILE_RULES, METADATA_RULES]
    return {subject(message) for rules in lists for _, message in rules} | {"file size", "GPU section"}
