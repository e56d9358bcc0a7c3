"""Proof that the words of a GPU section are sound, part by part, before anything is built from them.

The walk keeps one number, `position`: the word after everything proven so far. A part is read only after its
size has been computed in Python integers and found to fit before the guard word, so the largest allocation
is proportional to the words themselves.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import FormatError, VersionError
from .bits import spare_bits_are_zero
from .candidates import candidates_max
from .index import read_index
from .layout import (
    ALIGN_WORDS,
    HEADER_FIXED_WORDS,
    LEVEL_ENTRY_WORDS,
    MAGIC,
    MAX_CHANNELS,
    MAX_LEVELS,
    MAX_PALETTES,
    MAX_SIZE,
    RAW_BIT,
    SHARED_BIT,
    VERSION,
    LevelLayout,
    header_words,
    mip_block_words,
    mip_size,
    palette_words,
    raw_texel_words,
    raw_words,
    record_words,
)
from .rules import (
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

__all__ = ["LevelTable", "MaterialTable", "MipTable", "check_version", "validate"]


@dataclass(frozen=True)
class LevelTable:
    """A proven level: its layout, where it stands, and the Gaussians of its cells."""

    layout: LevelLayout
    index_offset: int
    record_offset: int
    count: int
    cell_counts: np.ndarray  # uint16 [cells_y, cells_x]


@dataclass(frozen=True)
class MipTable:
    """A proven mip: background float32 [C] and levels, finest first.

    A raw one has no levels, and texels after the two words at its offset. One that is drawn with the Gaussians of
    mip 0 has no levels either, and a filter.
    """

    offset: int
    background: np.ndarray
    levels: tuple[LevelTable, ...]
    raw: bool = False
    filter: float | None = None


@dataclass(frozen=True)
class MaterialTable:
    """All numbers of a proven GPU section except the records. Offsets are in words."""

    header: Header
    used_words: int
    candidates_max: int
    mips: tuple[MipTable, ...]


def validate(words: np.ndarray) -> MaterialTable:
    """Check every rule of docs/format.md for a GPU section.

    Args:
        words: uint32 [a multiple of 64], the whole section.

    Returns:
        The section's tables. Record codes need no check: every code of a field's width is allowed.

    Raises:
        VersionError: the section is of another version.
        FormatError: a rule is broken; the message names the field, its value and what is allowed.
    """
    if not isinstance(words, np.ndarray) or words.dtype != np.uint32 or words.ndim != 1:
        raise FormatError("GPU section: expected a one-dimensional array of uint32 words")
    require(len(words) > 0 and len(words) % ALIGN_WORDS == 0, "GPU section", f"{len(words)} words",
            f"a positive multiple of {ALIGN_WORDS}")
    header, used, stated_candidates = _read_header(words)
    end = used - 1  # the guard word

    position = _check_palettes(words[:end], header)
    mips: list[MipTable] = []
    for mip in range(header.mip_count):
        offset = int(words[HEADER_FIXED_WORDS + mip])
        require(offset == position, f"mip_offset[{mip}]", offset, f"{position}, right after the part before")
        table, position = _read_mip(words[:end], position, header, mip)
        if table.filter is not None:
            check_shared(table.filter, mip, bool(mips) and not mips[0].raw)
        mips.append(table)
    require(position == end, "words", used,
            f"{position + 1}: the parts and one guard word, nothing left over")
    require(words[end] == 0, "guard word", int(words[end]), "0")

    found = max(candidates_max(header.repeat, [level.cell_counts for level in mip.levels]) for mip in mips)
    require(found == stated_candidates, "candidates_max", stated_candidates,
            f"{found}, the largest number of candidates found in the index")
    return MaterialTable(header, used, found, tuple(mips))


def check_version(version: int) -> None:
    """Raise a VersionError for a version that this reader does not read."""
    if version > VERSION:
        raise VersionError(f"version: got {version}, this gstex reads versions up to {VERSION}; update gstex")
    if version < 1:
        raise VersionError(f"version: got {version}, expected 1 .. {VERSION}; version 0 was a draft: "
                           "compress the material again")


def _read_header(words: np.ndarray) -> tuple[Header, int, int]:
    """Read and check the material header: (header, used words with the guard, candidates_max as stated)."""
    require(words[0] == MAGIC, "GPU section magic", f"0x{int(words[0]):08X}", f"0x{MAGIC:08X}")
    check_version(_bits(words, 1, 0, 16))
    channels, mips = _bits(words, 3, 0, 8), _bits(words, 3, 8, 8)
    require_range("channel_count", channels, 1, MAX_CHANNELS)
    require_range("mip_count", mips, 1, MAX_SIZE.bit_length())
    size = header_words(channels, mips)  # at most 60, less than the 64 words that a section has at least
    require(_bits(words, 1, 16, 16) == size, "header_words", _bits(words, 1, 16, 16), str(size))
    require(_bits(words, 3, 26, 6) == 0, "reserved bits of word 3", _bits(words, 3, 26, 6), "0")
    used = int(words[4])
    require(len(words) - ALIGN_WORDS < used <= len(words) and used > size, "words", used,
            f"{max(len(words) - ALIGN_WORDS, size) + 1} .. {len(words)} in a section of {len(words)} words")
    require(not words[used:].any(), "padding after the used words", "bits that are set", "zeros")
    srgb, varying = _bits(words, 9, 0, 16), _bits(words, 9, 16, 16)
    require(srgb >> channels == 0, "srgb", f"0x{srgb:X}", f"bits below {channels}, one a channel")
    require(varying >> channels == 0, "varying", f"0x{varying:X}", f"bits below {channels}, one a channel")
    palette_bits = _read_palette_bits(words)
    palette_offset = size if palette_bits else 0
    require(words[8] == palette_offset, "palette_offset", int(words[8]),
            f"{palette_offset}, " + ("right after the header" if palette_bits else "because there are no palettes"))

    ranges_at = HEADER_FIXED_WORDS + mips
    bits_at = ranges_at + 2 * channels
    ranges = words[ranges_at:bits_at].view(np.float32)
    nibbles = (words[bits_at:size, None] >> np.arange(0, 32, 4, dtype=np.uint32) & np.uint32(15)).reshape(-1)
    require(not nibbles[channels:].any(), "unused nibbles of channel_bits", "bits that are set", "zeros")
    header = Header(
        width=_bits(words, 2, 0, 16), height=_bits(words, 2, 16, 16), mip_count=mips,
        repeat=bool(_bits(words, 3, 24, 1)), bilinear=bool(_bits(words, 3, 25, 1)),
        top_k=_bits(words, 3, 16, 8),
        amplitude_lo=_float(words, 5), amplitude_step=_float(words, 6),
        channel_lo=ranges[0::2].copy(), channel_step=ranges[1::2].copy(),
        channel_bits=nibbles[:channels].astype(np.int64),
        srgb=np.array([srgb >> channel & 1 for channel in range(channels)], bool),
        varying=np.array([varying >> channel & 1 for channel in range(channels)], bool), palette_bits=palette_bits)
    check_header(header)
    stated_candidates = int(words[7])
    check_candidates(stated_candidates)
    return header, used, stated_candidates


def _read_palette_bits(words: np.ndarray) -> tuple[int, ...]:
    """The bits of the palettes that are there: none stands behind one that is not."""
    require(_bits(words, 10, 16, 16) == 0, "reserved bits of word 10", _bits(words, 10, 16, 16), "0")
    nibbles = [_bits(words, 10, 4 * palette, 4) for palette in range(MAX_PALETTES)]
    count = nibbles.index(0) if 0 in nibbles else MAX_PALETTES
    for palette in range(count, MAX_PALETTES):
        require(nibbles[palette] == 0, f"palette_bits[{palette}]", nibbles[palette],
                f"0, because palette {count} is not there")
    return tuple(nibbles[:count])


def _check_palettes(words: np.ndarray, header: Header) -> int:
    """Check the palettes behind the header: the position after them. `words` ends before the guard word."""
    position = header_words(len(header.channel_bits), header.mip_count)
    size = palette_words(header.palette_bits, header.varying_count)
    _require_room(words, position, size, "palettes")
    _check_spare_bytes(words[position : position + size], header, "spare bytes of the palettes")
    return position + size


def _check_spare_bytes(words: np.ndarray, header: Header, name: str) -> None:
    """Check that the last word of every texel of a raw mip, or entry of a palette, ends with zeros."""
    used_bytes = header.varying_count % 4
    if used_bytes:
        size = raw_texel_words(header.varying_count)
        require(not (words[size - 1 :: size] >> np.uint32(8 * used_bytes)).any(), name, "bits that are set", "zeros")


def _read_mip(words: np.ndarray, position: int, header: Header, mip: int) -> tuple[MipTable, int]:
    """Read and check the mip at `position`: (table, position after its last word).

    `words` ends before the guard word.
    """
    offset, where = position, f"mip {mip}"
    channels = len(header.channel_bits)
    _require_room(words, position, 2, f"{where} block")
    require(_bits(words, position, 10, 22) == 0, f"{where} reserved bits of word 0",
            _bits(words, position, 10, 22), "0")
    level_count = _bits(words, position, 0, 8)
    if int(words[position]) & SHARED_BIT:
        require(words[position] == SHARED_BIT, f"{where} word 0", f"0x{int(words[position]):X}",
                f"0x{SHARED_BIT:X}: shared and nothing else")
        nothing = np.zeros(channels, np.float32)
        return MipTable(offset, nothing, (), filter=_float(words, position + 1)), position + 2
    if int(words[position]) & RAW_BIT:
        return _check_raw(words, position, header, mip)
    _require_room(words, position, mip_block_words(channels, 0), f"{where} block")
    require_range(f"{where} level_count", level_count, 0, MAX_LEVELS)
    block_words = mip_block_words(channels, level_count)
    _require_room(words, position, block_words, f"{where} block")
    background = words[position + 2 : position + 2 + channels].view(np.float32).copy()
    check_background(background, header, where=where)

    entries = [position + 2 + channels + LEVEL_ENTRY_WORDS * level for level in range(level_count)]
    layouts = []
    for level, entry in enumerate(entries):
        layout = _read_layout(words, entry, where=f"{where} level {level}")
        check_level(layout, header, where=f"{where} level {level}")
        layouts.append(layout)
    check_grids(layouts, where=where)

    gaussian_count = int(words[position + 1])
    position += block_words
    levels = []
    for level, (entry, layout) in enumerate(zip(entries, layouts, strict=True)):
        table, position = _read_level(words, entry, position, layout, header, where=f"{where} level {level}")
        levels.append(table)
    found = sum(level.count for level in levels)
    require(gaussian_count == found, f"{where} gaussian_count", gaussian_count,
            f"{found}, the sum over the levels")
    return MipTable(offset, background, tuple(levels)), position


def _check_raw(words: np.ndarray, offset: int, header: Header, mip: int) -> tuple[MipTable, int]:
    """Check the raw mip at `offset`: (table, position after its last texel)."""
    where = f"mip {mip}"
    require(_bits(words, offset, 0, 8) == 0, f"{where} level_count", _bits(words, offset, 0, 8), "0 in a raw mip")
    require(words[offset + 1] == 0, f"{where} gaussian_count", int(words[offset + 1]), "0 in a raw mip")
    require(header.varying_count > 0, f"{where} raw", "1", "0: all channels of this material are constant")
    words_needed = raw_words(mip_size(header.width, mip), mip_size(header.height, mip),
                             raw_texel_words(header.varying_count))
    _require_room(words, offset, words_needed, f"{where} texels")
    _check_spare_bytes(words[offset + 2 : offset + words_needed], header, f"{where} spare bytes of the texels")
    return MipTable(offset, np.zeros(len(header.channel_bits), np.float32), (), raw=True), offset + words_needed


def _read_layout(words: np.ndarray, entry: int, *, where: str) -> LevelLayout:
    """Decode a level entry; the reserved bits are checked here, the rest by check_level."""
    require(_bits(words, entry + 4, 30, 2) == 0, f"{where} reserved bits of the field widths",
            _bits(words, entry + 4, 30, 2), "0")
    return LevelLayout(
        cells_x=_bits(words, entry, 0, 16), cells_y=_bits(words, entry, 16, 16),
        stride=_bits(words, entry + 4, 0, 9),
        position_x_bits=_bits(words, entry + 4, 9, 4), position_y_bits=_bits(words, entry + 4, 13, 4),
        rotation_bits=_bits(words, entry + 4, 17, 4), scale_bits=_bits(words, entry + 4, 21, 4),
        amplitude_bits=_bits(words, entry + 4, 25, 4),
        scale_lo=_float(words, entry + 5), scale_step=_float(words, entry + 6),
        regular=bool(_bits(words, entry + 4, 29, 1)))


def _read_level(words: np.ndarray, entry: int, position: int, layout: LevelLayout, header: Header, *,
                where: str) -> tuple[LevelTable, int]:
    """Check the index, if there is one, and the records of a level: (table, position after its last record)."""
    index_offset, record_offset, count = (int(word) for word in words[entry + 1 : entry + 4])
    require(index_offset == position, f"{where} index_offset", index_offset,
            f"{position}, right after the part before")
    require(count >= 1, f"{where} count", count, "at least 1; leave out levels without Gaussians")
    if layout.regular:
        check_regular(layout, count, where=where)
        # A view of one number: nothing of the size that the entry states is allocated before there is room for it.
        cell_counts, index_size = np.broadcast_to(np.uint16(1), (layout.cells_y, layout.cells_x)), 0
    else:
        cell_counts, index_size = read_index(words[position:], layout.cells_x, layout.cells_y, count, where=where)
    position += index_size
    require(record_offset == position, f"{where} record_offset", record_offset,
            f"{position}, "
            + ("index_offset: a regular level has no index" if layout.regular else "right after the index"))
    size = record_words(count, layout.stride)
    _require_room(words, position, size, f"{where} count: {count} records")
    field_bits = layout.geometry_bits + sum(header.value_widths)
    require(spare_bits_are_zero(words[position : position + size], count, field_bits, layout.stride),
            f"{where} spare bits of the records", "bits that are set", "zeros")
    return LevelTable(layout, index_offset, record_offset, count, cell_counts), position + size


def _require_room(words: np.ndarray, position: int, size: int, name: str) -> None:
    require(position + size <= len(words), name, f"{size} words",
            f"at most the {len(words) - position} words left before the guard word")


def _bits(words: np.ndarray, word: int, low: int, width: int) -> int:
    return int(words[word]) >> low & (1 << width) - 1


def _float(words: np.ndarray, word: int) -> float:
    return float(words[word : word + 1].view(np.float32)[0])
