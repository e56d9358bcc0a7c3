"""Where the fields of a .gstex file stand, by the tables of docs/format.md alone: for independent_reader.py."""

from __future__ import annotations

import struct

FILE_MAGIC = bytes.fromhex("89 47 53 54 45 58 0D 0A")
FILE_FIELDS = (  # u32 each, from byte 8 on
    "version", "flags", "file_bytes", "gpu_offset", "gpu_bytes", "json_offset", "json_bytes", "gpu_crc",
    "json_crc", "resident_bytes", "resident_crc",
)  # fmt: skip
HEADER_FIELDS = {  # name: (word, first bit, last bit) from the base word
    "magic": (0, 0, 31), "version": (1, 0, 15), "header_words": (1, 16, 31), "width": (2, 0, 15),
    "height": (2, 16, 31), "channel_count": (3, 0, 7), "mip_count": (3, 8, 15), "group_count": (3, 16, 18),
    "tail": (3, 19, 22), "repeat": (3, 24, 24), "bilinear": (3, 25, 25), "first_mip": (3, 26, 29),
    "words": (4, 0, 31), "resident_words": (5, 0, 31),
}  # fmt: skip
CHANNEL_FIELDS = {  # the same, of a channel entry
    "role": (0, 0, 7), "component": (0, 8, 10), "group": (0, 16, 18), "srgb": (0, 19, 19), "flipped": (0, 20, 20),
    "curve": (0, 21, 22), "ranged": (0, 23, 23), "numbers": (0, 24, 31),
}  # fmt: skip
GROUP_FIELDS = {  # the same, from the first word of a group header
    "members": (0, 0, 15), "top_k": (0, 16, 23), "candidates_max": (3, 0, 31), "palette_offset": (4, 0, 31),
    "palette_bits": (5, 0, 15),
}  # fmt: skip
LEVEL_FIELDS = {  # the same, from the first word of a level entry
    "cells_x": (0, 0, 15), "cells_y": (0, 16, 31), "index_offset": (1, 0, 31), "record_offset": (2, 0, 31),
    "count": (3, 0, 31), "stride": (4, 0, 8), "position_x_bits": (4, 9, 12), "position_y_bits": (4, 13, 16),
    "rotation_bits": (4, 17, 20), "scale_bits": (4, 21, 24), "amplitude_bits": (4, 25, 28),
    "regular": (4, 29, 29),
}  # fmt: skip
GEOMETRY_FIELDS = ("position_x", "position_y", "rotation", "scale_u", "scale_v", "amplitude")


def bits_of(word: int, first: int, last: int) -> int:
    """Bits first .. last of a word."""
    return (word >> first) & ((1 << (last - first + 1)) - 1)


def signed_of(word: int, first: int) -> int:
    """The 10 bits from `first` on, in two's complement."""
    value = bits_of(word, first, first + 9)
    return value - 1024 if value >= 512 else value


def f32_of(word: int) -> float:
    return struct.unpack("<f", struct.pack("<I", word))[0]
