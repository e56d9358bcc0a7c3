"""A material's codes to the words of the GPU section and back."""

from dataclasses import replace

import numpy as np

from gstex.arrays import U8Array, U16Array, U32Array
from gstex.format.bits import read_records, write_records
from gstex.format.index import build_index
from gstex.format.layout import (
    ALIGN_WORDS,
    CHANNEL_ENTRY_WORDS,
    COMPONENTS,
    CONSTANT_GROUP,
    GROUP_FIXED_WORDS,
    HEADER_FIXED_WORDS,
    LEVEL_ENTRY_WORDS,
    MAGIC,
    RAW_BIT,
    ROLE_CODES,
    SHARED_BIT,
    VERSION,
    PackedGroup,
    PackedLevel,
    PackedMaterial,
    PackedMip,
    PackedRawMip,
    PackedSharedMip,
    group_header_words,
    header_words,
    mip_block_words,
    mip_size,
    palette_words,
    raw_texel_words,
    record_words,
)
from gstex.format.rules import (
    GroupHeader,
    Header,
    check_background,
    check_candidates,
    check_channels,
    check_grids,
    check_group,
    check_header,
    check_level,
    check_regular,
    check_shared,
    require,
    require_range,
)
from gstex.format.table import GroupTable, LevelTable, MaterialTable, validate
from gstex.native import _core

__all__ = ["pack", "read_mip", "read_palettes", "unpack"]

_MAX_WORDS = 2**30  # a section is less than 2^32 bytes
_GEOMETRY_NAMES = ("position_x", "position_y", "rotation", "scale_u", "scale_v", "amplitude")


def pack(material: PackedMaterial) -> U32Array:
    """Write a material as the words of a GPU section.

    Args:
        material: codes; floats are rounded to float32.

    Returns:
        uint32 [n], padded with zeros to a multiple of 64 words (256 bytes).

    Raises:
        FormatError: the material breaks a rule of docs/format.md; the message names the field.
    """
    header, groups = _header(material), [_group_header(g, n) for n, g in enumerate(material.groups)]
    check_header(header, len(groups))
    for number, group in enumerate(groups):
        check_group(group, len(header.channels), where=f"group {number}")
    check_channels(header.channels, groups)

    parts = [_header_words(header, groups)]
    position = len(parts[0])
    heads = []  # headers of the groups; the offsets of their mips are filled in below
    for number, (packed, group) in enumerate(zip(material.groups, groups, strict=True)):
        require(len(packed.mips) == header.mip_count, f"group {number} number of mips", len(packed.mips),
                str(header.mip_count))
        parts[0][len(parts[0]) - len(groups) + number] = position
        head = _group_words(group, header, position)
        heads.append(head)
        added = [head, *map(_byte_words, packed.palettes)]
        parts += added
        position += sum(len(part) for part in added)

    def add(number: int, mip: int, of: PackedMip | PackedRawMip | PackedSharedMip) -> int:
        """Add the words of a mip of a group, and return their offset."""
        nonlocal position
        before, first = position, material.groups[number].mips[0]
        added = _mip_parts(of, groups[number], header, mip, position, where=f"group {number} mip {mip}",
                           shares=mip > 0 and isinstance(first, PackedMip))  # fmt: skip
        parts.extend(added)
        position += sum(len(part) for part in added)
        require(position < _MAX_WORDS, "size of the material", f"{4 * position} bytes", "less than 2^32 bytes")
        return before

    def pad() -> None:
        """Add the guard word, and zeros up to a multiple of ALIGN_WORDS."""
        nonlocal position
        parts.append(np.zeros(ALIGN_WORDS - position % ALIGN_WORDS, np.uint32))
        position += len(parts[-1])

    resident, tail, count = 0, header.tail, header.mip_count
    for number, packed in enumerate(material.groups if tail == count else ()):
        mips = packed.tail_mips
        require(not mips, f"group {number} number of tail_mips", len(mips), "0: there is no tail")
    if tail < count:
        for number, packed in enumerate(material.groups):
            stands = packed.tail_mips or (None,) * (count - tail)
            require(len(stands) == count - tail, f"group {number} number of tail_mips", len(stands), str(count - tail))
            for mip in range(tail, count):
                in_tail = stands[mip - tail] or packed.mips[mip]
                shared = isinstance(packed.mips[mip], PackedSharedMip)
                require(shared == (stands[mip - tail] is not None), f"group {number} mip {mip} in the tail",
                        "one" if stands[mip - tail] else "none", "one for a mip that is shared, and for no other")
                heads[number][GROUP_FIXED_WORDS + count + mip - tail] = offset = add(number, mip, in_tail)
                if not shared:
                    heads[number][GROUP_FIXED_WORDS + mip] = offset
        pad()
        resident = position
    for number, packed in enumerate(material.groups):
        for mip in range(count):
            if mip < tail or isinstance(packed.mips[mip], PackedSharedMip):
                heads[number][GROUP_FIXED_WORDS + mip] = add(number, mip, packed.mips[mip])
    parts[0][4] = position + 1
    pad()
    parts[0][5] = resident or position
    words = np.concatenate(parts)
    candidates_max = _core.find_candidates_max(words)
    check_candidates(sum(candidates_max))
    for most, offset in zip(candidates_max, _group_offsets(words, header, len(groups)), strict=True):
        words[offset + 3] = most
    return words


def unpack(words: U32Array) -> PackedMaterial:
    """Read the words of a whole GPU section; the inverse of pack.

    Args:
        words: uint32 [a multiple of 64], the whole section.

    Raises:
        VersionError: the section is of another version.
        FormatError: a rule of docs/format.md is broken; see validate.
    """
    table = validate(words)
    header = table.header
    require(header.first_mip == 0, "GPU section", "a resident part", "a whole section")
    groups = tuple(
        PackedGroup(
            members=g.header.members, top_k=g.header.top_k, amplitude_lo=g.header.amplitude_lo,
            amplitude_step=g.header.amplitude_step, channel_lo=g.header.channel_lo,
            channel_step=g.header.channel_step, channel_bits=g.header.channel_bits,
            mips=tuple(read_mip(table, number, mip) for mip in range(header.mip_count)),
            palettes=read_palettes(table, number), tail_mips=_tail_mips(table, number))
        for number, g in enumerate(table.groups)
    )  # fmt: skip
    return PackedMaterial(width=header.width, height=header.height, repeat=header.repeat, bilinear=header.bilinear,
                          mip_count=header.mip_count, tail=header.tail, channels=header.channels, groups=groups)


def read_mip(
    table: MaterialTable, group: int, number: int, *, in_tail: bool = False
) -> PackedMip | PackedRawMip | PackedSharedMip:
    """The codes of one mip of a group of a checked section; in_tail: as it is in the tail."""
    of = table.groups[group]
    mip = of.tail_mips[number - table.header.tail] if in_tail else of.mips[number]
    words, members = table.words, len(of.header.members)
    if mip.filter is not None and mip.bend is not None:
        return PackedSharedMip(mip.filter, mip.bend)
    if not mip.raw:
        counts = [table.cell_counts(group, number, level, in_tail=in_tail) for level in range(len(mip.levels))]
        levels = (_read_level(words, level, of, cells) for level, cells in zip(mip.levels, counts, strict=True))
        return PackedMip(mip.background, tuple(levels))
    width, height = mip_size(table.header.width, number), mip_size(table.header.height, number)
    texels = _read_bytes(words, mip.offset + 2, width * height, members)
    return PackedRawMip(texels.reshape(height, width, members))


def _tail_mips(table: MaterialTable, group: int) -> tuple[PackedMip | PackedRawMip | None, ...]:
    tail = table.header.tail
    stands: list[PackedMip | PackedRawMip | None] = []
    for mip in range(tail, table.header.mip_count):
        packed = None
        if table.groups[group].mips[mip].bend is not None:
            packed = read_mip(table, group, mip, in_tail=True)
        require(not isinstance(packed, PackedSharedMip), f"group {group} mip {mip} in the tail", "shared", "not shared")
        stands.append(packed)  # type: ignore[arg-type]
    return tuple(stands) if any(stands) else ()


def read_palettes(table: MaterialTable, group: int) -> tuple[U8Array, ...]:
    """The palettes of a group of a checked section, uint8 [2^bits, V] each."""
    of = table.groups[group]
    members = len(of.header.members)
    position = of.header_offset + group_header_words(members, table.header.mip_count, table.header.tail)
    palettes = []
    for bits in of.header.palette_bits:
        palettes.append(_read_bytes(table.words, position, 1 << bits, members))
        position += palette_words([bits], members)
    return tuple(palettes)


def _read_bytes(words: U32Array, position: int, count: int, size: int) -> U8Array:
    """uint8 [count, size] from rows that fill whole words."""
    row_words = raw_texel_words(size)
    rows = words[position : position + count * row_words].astype("<u4").view(np.uint8)
    return rows.reshape(count, 4 * row_words)[:, :size]


def _byte_words(rows: U8Array) -> U32Array:
    """The words of uint8 [count, size], each row filled up with zeros: the inverse of _read_bytes."""
    count, size = rows.shape
    padded = np.zeros((count, 4 * raw_texel_words(size)), np.uint8)
    padded[:, :size] = rows
    return padded.reshape(-1).view("<u4").astype(np.uint32)


def _read_level(words: U32Array, level: LevelTable, of: GroupTable, cell_counts: U16Array) -> PackedLevel:
    layout, header = level.layout, of.header
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
    channels = tuple(
        replace(c, constant=None if c.constant is None else float(np.float32(c.constant)),
                scale=float(np.float32(c.scale)), bias=float(np.float32(c.bias)),
                stops=float(np.float32(c.stops)))
        for c in material.channels
    )  # fmt: skip
    return Header(width=int(material.width), height=int(material.height), mip_count=int(material.mip_count),
                  tail=int(material.tail), first_mip=0, repeat=bool(material.repeat), bilinear=bool(material.bilinear),
                  resident_words=0, channels=channels)


def _group_header(group: PackedGroup, number: int) -> GroupHeader:
    """The header of a group with floats rounded as they will be stored."""
    members = len(group.members)
    for name in ("channel_lo", "channel_step", "channel_bits"):
        shape = np.shape(getattr(group, name))
        require(shape == (members,), f"group {number} shape of {name}", shape, f"({members},)")
    return GroupHeader(
        members=tuple(int(c) for c in group.members), top_k=int(group.top_k),
        amplitude_lo=float(np.float32(group.amplitude_lo)), amplitude_step=float(np.float32(group.amplitude_step)),
        channel_lo=np.asarray(group.channel_lo, np.float32), channel_step=np.asarray(group.channel_step, np.float32),
        channel_bits=np.asarray(group.channel_bits, np.int64),
        palette_bits=_palette_bits(group.palettes, members, number))


def _palette_bits(palettes: tuple[U8Array, ...], members: int, group: int) -> tuple[int, ...]:
    """Bits of an entry's number in every palette; check_group checks how many bits and palettes there may be."""
    for number, palette in enumerate(palettes):
        name = f"group {group} palette {number}"
        require(palette.dtype == np.uint8, f"{name} dtype", palette.dtype, "uint8")
        require(palette.ndim == 2 and palette.shape[1] == members and len(palette).bit_count() == 1, f"{name} shape",
                palette.shape, f"(a power of two, {members})")
    return tuple(len(palette).bit_length() - 1 for palette in palettes)


def _header_words(header: Header, groups: list[GroupHeader]) -> U32Array:
    """The words of the material header; those that depend on what follows are 0."""
    words = np.zeros(header_words(header.channels, len(groups)), np.uint32)
    words[0] = MAGIC
    words[1] = VERSION | len(words) << 16
    words[2] = header.width | header.height << 16
    words[3] = (len(header.channels) | header.mip_count << 8 | len(groups) << 16 | header.tail << 19
                | header.repeat << 24 | header.bilinear << 25)
    position = HEADER_FIXED_WORDS + CHANNEL_ENTRY_WORDS * len(header.channels)
    for number, channel in enumerate(header.channels):
        owner = next((g for g, group in enumerate(groups) if number in group.members), CONSTANT_GROUP)
        numbers = [] if channel.constant is None else [channel.constant]
        numbers += [channel.scale, channel.bias] if channel.is_ranged else []
        numbers += [channel.stops] if channel.stops else []
        words[HEADER_FIXED_WORDS + CHANNEL_ENTRY_WORDS * number] = (
            ROLE_CODES.index(channel.role) | COMPONENTS.index(channel.component) << 8 | owner << 16
            | channel.srgb << 19 | channel.flipped << 20 | (channel.stops != 0) << 21 | channel.is_ranged << 23
            | (position if numbers else 0) << 24
        )  # fmt: skip
        words[position : position + len(numbers)] = _float_words(numbers)
        position += len(numbers)
    return words


def _group_offsets(words: U32Array, header: Header, groups: int) -> list[int]:
    end = header_words(header.channels, groups)
    return words[end - groups : end].tolist()


def _group_words(group: GroupHeader, header: Header, position: int) -> U32Array:
    """The header of a group that stands at `position`; candidates_max and offsets of mips are 0."""
    members = len(group.members)
    size = group_header_words(members, header.mip_count, header.tail)
    words = np.zeros(size, np.uint32)
    words[0] = sum(1 << channel for channel in group.members) | group.top_k << 16
    words[1:3] = _float_words([group.amplitude_lo, group.amplitude_step])
    words[4] = position + size if group.palette_bits else 0
    words[5] = sum(bits << 4 * palette for palette, bits in enumerate(group.palette_bits))
    ranges_at = GROUP_FIXED_WORDS + 2 * header.mip_count - header.tail
    words[ranges_at : ranges_at + 2 * members : 2] = _float_words(group.channel_lo)
    words[ranges_at + 1 : ranges_at + 2 * members : 2] = _float_words(group.channel_step)
    for channel, bits in enumerate(group.channel_bits.tolist()):
        words[ranges_at + 2 * members + channel // 8] |= np.uint32(bits << 4 * (channel % 8))
    return words


def _mip_parts(
    mip: PackedMip | PackedRawMip | PackedSharedMip, group: GroupHeader, header: Header, number: int, position: int, *,
    where: str, shares: bool,
) -> list[U32Array]:  # fmt: skip
    """The mip of a group at word `position`: its block, and what belongs to it. shares: whether it may be drawn with
    the Gaussians of mip 0."""
    members = len(group.members)
    if isinstance(mip, PackedRawMip):
        shape = (mip_size(header.height, number), mip_size(header.width, number), members)
        require(mip.texels.shape == shape, f"{where} shape of texels", mip.texels.shape, str(shape))
        require(mip.texels.dtype == np.uint8, f"{where} dtype of texels", mip.texels.dtype, "uint8")
        return [np.array([RAW_BIT, 0], np.uint32), _byte_words(mip.texels.reshape(-1, members))]
    if isinstance(mip, PackedSharedMip):
        filter, bend = np.float32(mip.filter), np.asarray(mip.bend)
        require(bend.shape == (members, 3), f"{where} shape of bend", bend.shape, f"({members}, 3)")
        check_shared(float(filter), bend, allowed=shares, where=where)
        fields = (bend.astype(np.int64) & 1023) << np.array([0, 10, 20])
        return [np.array([SHARED_BIT, filter.view(np.uint32)], np.uint32), fields.sum(axis=1).astype(np.uint32)]
    return _gaussian_parts(mip, group, position, repeat=header.repeat, where=where)


def _gaussian_parts(
    mip: PackedMip, group: GroupHeader, position: int, *, repeat: bool, where: str
) -> list[U32Array]:
    """The mip of Gaussians at `position`: its block, then index and records of each level."""
    members = len(group.members)
    background = np.asarray(mip.background, np.float32)
    require(background.shape == (members,), f"{where} shape of background", background.shape, f"({members},)")
    check_background(background, where=where)
    check_grids([level.layout for level in mip.levels], where=where)

    block = np.zeros(mip_block_words(members, len(mip.levels)), np.uint32)
    block[0] = len(mip.levels)
    block[1] = sum(len(level.cell) for level in mip.levels)
    block[2 : 2 + members] = _float_words(background)
    parts = [block]
    position += len(block)
    for number, level in enumerate(mip.levels):
        level_where = f"{where} level {number}"
        _check_codes(level, group, repeat=repeat, where=level_where)
        layout = level.layout
        counts = np.bincount(level.cell, minlength=layout.cells_x * layout.cells_y)
        counts = counts.reshape(layout.cells_y, layout.cells_x)
        index = np.zeros(0, np.uint32) if layout.regular else build_index(counts, where=level_where)
        widths = (*layout.geometry_widths, *group.value_widths)
        fields = [*level.geometry.T, *level.entries.T, *level.features.T]
        records = write_records(fields, widths, layout.stride)
        entry = 2 + members + LEVEL_ENTRY_WORDS * number
        block[entry : entry + LEVEL_ENTRY_WORDS] = _level_entry(level, position, position + len(index))
        parts += [index, records]
        position += len(index) + len(records)
    return parts


def _level_entry(level: PackedLevel, index_offset: int, record_offset: int) -> U32Array:
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


def _check_codes(level: PackedLevel, header: GroupHeader, *, repeat: bool, where: str) -> None:
    """Check a level's layout, and that its arrays fit it: nothing is cut off in silence."""
    layout = level.layout
    stored = replace(layout, scale_lo=float(np.float32(layout.scale_lo)),
                     scale_step=float(np.float32(layout.scale_step)))
    check_level(stored, header, repeat=repeat, where=where)
    count, channels = len(level.cell), len(header.channel_bits)
    # The largest material has less than 2^35 bits, so a count beyond 2^31 fails by its size in pack.
    require_range(f"{where} count", count, 1, 2**31 - 1)
    for name, dtype in (("cell", np.int64), ("geometry", np.uint32), ("features", np.uint32), ("entries", np.uint32)):
        array_dtype = getattr(level, name).dtype
        require(array_dtype == dtype, f"{where} dtype of {name}", array_dtype, np.dtype(dtype).name)
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


def _float_words(values: object) -> U32Array:
    return np.asarray(values, np.float32).reshape(-1).view(np.uint32)
