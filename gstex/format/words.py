"""A material's codes to the words of the GPU section and back."""

from dataclasses import replace

import numpy as np

from gstex.format.bits import read_records, write_records
from gstex.format.index import build_index
from gstex.format.layout import (
    ALIGN_WORDS,
    HEADER_FIXED_WORDS,
    LEVEL_ENTRY_WORDS,
    MAGIC,
    RAW_BIT,
    SHARED_BIT,
    VERSION,
    PackedLevel,
    PackedMaterial,
    PackedMip,
    PackedRawMip,
    PackedSharedMip,
    header_words,
    mip_block_words,
    mip_size,
    palette_words,
    raw_texel_words,
    record_words,
)
from gstex.format.rules import (
    Header,
    check_background,
    check_candidates,
    check_grids,
    check_header,
    check_level,
    check_regular,
    check_shared,
    require,
    require_range,
)
from gstex.format.table import LevelTable, MaterialTable, validate
from gstex.native import _core

__all__ = ["pack", "read_mip", "read_palettes", "unpack"]

_MAX_WORDS = 2**30  # a section is less than 2^32 bytes
_GEOMETRY_NAMES = ("position_x", "position_y", "rotation", "scale_u", "scale_v", "amplitude")


def pack(material: PackedMaterial) -> np.ndarray:
    """Write a material as the words of a GPU section.

    Args:
        material: codes; floats are rounded to float32.

    Returns:
        uint32 words, padded with zeros to a multiple of 64 words (256 bytes).

    Raises:
        FormatError: the material breaks a rule of docs/format.md; the message names the field.
    """
    header = _header(material)
    check_header(header)
    parts = [_header_part(header), *map(_byte_words, material.palettes)]
    position = sum(len(part) for part in parts)
    for index, mip in enumerate(material.mips):
        parts[0][HEADER_FIXED_WORDS + index] = position
        if isinstance(mip, PackedRawMip):
            mip_parts = [_raw_part(mip, header, index)]
        elif isinstance(mip, PackedSharedMip):
            filter = np.float32(mip.filter)
            check_shared(float(filter), index, isinstance(material.mips[0], PackedMip))
            mip_parts = [np.array([SHARED_BIT, filter.view(np.uint32)], np.uint32)]
        else:
            mip_parts = _mip_parts(mip, header, position, where=f"mip {index}")
        parts += mip_parts
        position += sum(len(part) for part in mip_parts)
        require(position < _MAX_WORDS, "size of the material", f"{4 * position} bytes",
                "less than 2^32 bytes")

    used = position + 1  # the guard word
    parts[0][4] = used
    parts.append(np.zeros(-(-used // ALIGN_WORDS) * ALIGN_WORDS - position, np.uint32))
    words = np.concatenate(parts)
    most_candidates = _core.find_candidates_max(words)
    check_candidates(most_candidates)
    words[7] = most_candidates
    return words


def unpack(words: np.ndarray) -> PackedMaterial:
    """Read the words of a GPU section; the inverse of pack.

    Args:
        words: uint32 [a multiple of 64], the whole section.

    Raises:
        VersionError: the section is of another version.
        FormatError: a rule of docs/format.md is broken; see validate.
    """
    table = validate(words)
    header = table.header
    mips = tuple(read_mip(table, index) for index in range(header.mip_count))
    return PackedMaterial(
        width=header.width, height=header.height, repeat=header.repeat, bilinear=header.bilinear,
        top_k=header.top_k, amplitude_lo=header.amplitude_lo, amplitude_step=header.amplitude_step,
        channel_lo=header.channel_lo, channel_step=header.channel_step, channel_bits=header.channel_bits,
        srgb=header.srgb, mips=mips, varying=header.varying, palettes=read_palettes(table))


def read_mip(table: MaterialTable, number: int) -> PackedMip | PackedRawMip | PackedSharedMip:
    """The codes of one mip of a proven section."""
    mip, header, words = table.mips[number], table.header, table.words
    if mip.filter is not None:
        return PackedSharedMip(mip.filter)
    if not mip.raw:
        levels = [_read_level(words, level, header, table.cell_counts(number, i)) for i, level in enumerate(mip.levels)]
        return PackedMip(mip.background, tuple(levels))
    width, height = mip_size(header.width, number), mip_size(header.height, number)
    texels = _read_bytes(words, mip.offset + 2, width * height, header.varying_count)
    return PackedRawMip(texels.reshape(height, width, header.varying_count))


def read_palettes(table: MaterialTable) -> tuple[np.ndarray, ...]:
    """The palettes of a proven section, uint8 [2^bits, V] each."""
    header = table.header
    position = header_words(len(header.channel_bits), header.mip_count)
    palettes = []
    for bits in header.palette_bits:
        palettes.append(_read_bytes(table.words, position, 1 << bits, header.varying_count))
        position += palette_words([bits], header.varying_count)
    return tuple(palettes)


def _read_bytes(words: np.ndarray, position: int, count: int, size: int) -> np.ndarray:
    """uint8 [count, size] from rows that fill whole words."""
    row_words = raw_texel_words(size)
    rows = words[position : position + count * row_words].astype("<u4").view(np.uint8)
    return rows.reshape(count, 4 * row_words)[:, :size]


def _byte_words(rows: np.ndarray) -> np.ndarray:
    """The words of uint8 [count, size], each row filled up with zeros: the inverse of _read_bytes."""
    count, size = rows.shape
    padded = np.zeros((count, 4 * raw_texel_words(size)), np.uint8)
    padded[:, :size] = rows
    return padded.reshape(-1).view("<u4").astype(np.uint32)


def _read_level(words: np.ndarray, level: LevelTable, header: Header, cell_counts: np.ndarray) -> PackedLevel:
    layout = level.layout
    size = record_words(level.count, layout.stride)
    widths = (*layout.geometry_widths, *header.value_widths)
    codes = read_records(words[level.record_offset : level.record_offset + size], level.count, widths,
                         layout.stride)
    counts = cell_counts.reshape(-1)
    cell = np.repeat(np.arange(counts.size, dtype=np.int64), counts)
    features_at = 6 + len(header.palette_bits)
    return PackedLevel(layout, cell, codes[:, :6], codes[:, features_at:], codes[:, 6:features_at])


def _header(material: PackedMaterial) -> Header:
    """The material's header with floats rounded as they will be stored."""
    channels = len(material.channel_bits)
    for name in ("channel_lo", "channel_step", "channel_bits", "srgb", "varying"):
        shape = np.shape(getattr(material, name))
        require(shape == (channels,), f"shape of {name}", shape, f"({channels},)")
    varying = np.asarray(material.varying, bool)
    return Header(
        width=int(material.width), height=int(material.height), mip_count=len(material.mips),
        repeat=bool(material.repeat), bilinear=bool(material.bilinear), top_k=int(material.top_k),
        amplitude_lo=float(np.float32(material.amplitude_lo)),
        amplitude_step=float(np.float32(material.amplitude_step)),
        channel_lo=np.asarray(material.channel_lo, np.float32),
        channel_step=np.asarray(material.channel_step, np.float32),
        channel_bits=np.asarray(material.channel_bits, np.int64), srgb=np.asarray(material.srgb, bool),
        varying=varying, palette_bits=_palette_bits(material.palettes, int(np.count_nonzero(varying))))


def _palette_bits(palettes: tuple[np.ndarray, ...], varying: int) -> tuple[int, ...]:
    """Bits of the entries' numbers; how many bits and palettes are allowed is for check_header."""
    for number, palette in enumerate(palettes):
        require(palette.dtype == np.uint8, f"dtype of palette {number}", palette.dtype, "uint8")
        require(palette.ndim == 2 and palette.shape[1] == varying and len(palette).bit_count() == 1,
                f"shape of palette {number}", palette.shape,
                f"(a power of 2, {varying}): a byte for every channel that varies")
    return tuple(len(palette).bit_length() - 1 for palette in palettes)


def _header_part(header: Header) -> np.ndarray:
    """The header's words; mip offsets, used words and candidates are filled in by pack."""
    channels = len(header.channel_bits)
    size = header_words(channels, header.mip_count)
    words = np.zeros(size, np.uint32)
    words[0] = MAGIC
    words[1] = VERSION | size << 16
    words[2] = header.width | header.height << 16
    words[3] = (channels | header.mip_count << 8 | header.top_k << 16 | header.repeat << 24
                | header.bilinear << 25)
    words[5:7] = _float_words([header.amplitude_lo, header.amplitude_step])
    words[8] = size if header.palette_bits else 0
    words[9] = _mask(header.srgb) | _mask(header.varying) << 16
    words[10] = sum(bits << 4 * palette for palette, bits in enumerate(header.palette_bits))
    ranges_at = HEADER_FIXED_WORDS + header.mip_count
    words[ranges_at : ranges_at + 2 * channels : 2] = _float_words(header.channel_lo)
    words[ranges_at + 1 : ranges_at + 2 * channels : 2] = _float_words(header.channel_step)
    for channel, bits in enumerate(header.channel_bits.tolist()):
        words[ranges_at + 2 * channels + channel // 8] |= np.uint32(bits << 4 * (channel % 8))
    return words


def _raw_part(mip: PackedRawMip, header: Header, number: int) -> np.ndarray:
    """The block of a raw mip."""
    varying = header.varying_count
    shape = (mip_size(header.height, number), mip_size(header.width, number), varying)
    require(varying > 0, f"mip {number}", "texels of a material whose channels are all constant", "Gaussians")
    require(mip.texels.shape == shape, f"mip {number} shape of texels", mip.texels.shape, str(shape))
    require(mip.texels.dtype == np.uint8, f"mip {number} dtype of texels", mip.texels.dtype, "uint8")
    return np.concatenate([np.array([RAW_BIT, 0], np.uint32), _byte_words(mip.texels.reshape(-1, varying))])


def _mip_parts(mip: PackedMip, header: Header, position: int, *, where: str) -> list[np.ndarray]:
    """The mip at `position`: its block, then index and records of each level."""
    channels = len(header.channel_bits)
    background = np.asarray(mip.background, np.float32)
    require(background.shape == (channels,), f"{where} shape of background", background.shape,
            f"({channels},)")
    check_background(background, header, where=where)
    check_grids([level.layout for level in mip.levels], where=where)

    block = np.zeros(mip_block_words(channels, len(mip.levels)), np.uint32)
    block[0] = len(mip.levels)
    block[1] = sum(len(level.cell) for level in mip.levels)
    block[2 : 2 + channels] = _float_words(background)
    parts = [block]
    position += len(block)
    for number, level in enumerate(mip.levels):
        level_where = f"{where} level {number}"
        _check_codes(level, header, where=level_where)
        layout = level.layout
        counts = np.bincount(level.cell, minlength=layout.cells_x * layout.cells_y)
        counts = counts.reshape(layout.cells_y, layout.cells_x)
        index = np.zeros(0, np.uint32) if layout.regular else build_index(counts, where=level_where)
        widths = (*layout.geometry_widths, *header.value_widths)
        fields = [*level.geometry.T, *level.entries.T, *level.features.T]
        records = write_records(fields, widths, layout.stride)
        entry = 2 + channels + LEVEL_ENTRY_WORDS * number
        block[entry : entry + LEVEL_ENTRY_WORDS] = _level_entry(level, position, position + len(index))
        parts += [index, records]
        position += len(index) + len(records)
    return parts


def _level_entry(level: PackedLevel, index_offset: int, record_offset: int) -> np.ndarray:
    layout = level.layout
    words = np.zeros(LEVEL_ENTRY_WORDS, np.uint32)
    words[0] = layout.cells_x | layout.cells_y << 16
    words[1] = index_offset
    words[2] = record_offset
    words[3] = len(level.cell)
    words[4] = (layout.stride | layout.position_x_bits << 9 | layout.position_y_bits << 13
                | layout.rotation_bits << 17 | layout.scale_bits << 21 | layout.amplitude_bits << 25
                | layout.regular << 29)
    words[5:7] = _float_words([layout.scale_lo, layout.scale_step])
    return words


def _check_codes(level: PackedLevel, header: Header, *, where: str) -> None:
    """Check a level's layout, and that its arrays fit it: nothing is cut off in silence."""
    layout = level.layout
    stored = replace(layout, scale_lo=float(np.float32(layout.scale_lo)),
                     scale_step=float(np.float32(layout.scale_step)))
    check_level(stored, header, where=where)
    count, channels = len(level.cell), len(header.channel_bits)
    # The largest material has less than 2^35 bits, so a count beyond 2^31 fails by its size in pack.
    require_range(f"{where} count", count, 1, 2**31 - 1)
    for name, dtype in (("cell", np.int64), ("geometry", np.uint32), ("features", np.uint32), ("entries", np.uint32)):
        found = getattr(level, name).dtype
        require(found == dtype, f"{where} dtype of {name}", found, np.dtype(dtype).name)
    columns = {"geometry": 6, "features": channels, "entries": len(header.palette_bits)}
    for name, size in columns.items():
        shape = getattr(level, name).shape
        require(shape == (count, size), f"{where} shape of {name}", shape, f"({count}, {size})")
    require(not (level.cell[1:] < level.cell[:-1]).any(), f"{where} cell", "cells that fall",
            "Gaussians in the order of their cells")
    last = layout.cells_x * layout.cells_y - 1
    require(level.cell[0] >= 0 and level.cell[-1] <= last, f"{where} cell",
            f"{level.cell[0]} .. {level.cell[-1]}", f"0 .. {last}")
    check_regular(layout, count, where=where)
    require(not layout.regular or (np.diff(level.cell) == 1).all(), f"{where} cell", "an empty cell",
            "one Gaussian in every cell of a regular level")
    for name, width, codes in zip(_GEOMETRY_NAMES, layout.geometry_widths, level.geometry.T, strict=True):
        require_range(f"{where} {name} code", int(codes.max()), 0, 2**width - 1)
    for palette, width in enumerate(header.palette_bits):
        require_range(f"{where} entry of palette {palette}", int(level.entries[:, palette].max()), 0, 2**width - 1)
    for channel, width in enumerate(header.channel_bits.tolist()):
        require_range(f"{where} feature[{channel}] code", int(level.features[:, channel].max()), 0,
                      2**width - 1)


def _mask(flags: np.ndarray) -> int:
    """Bit c set for every channel c that is True."""
    return sum(1 << channel for channel in np.flatnonzero(flags).tolist())


def _float_words(values: object) -> np.ndarray:
    return np.asarray(values, np.float32).reshape(-1).view(np.uint32)
