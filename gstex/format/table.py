"""The contents of a GPU section besides its records, which the decoder in C reads after it has checked the section.

gstex.h (gstex/native) is the one owner of the rules for reading and of their messages.
"""

from dataclasses import dataclass

import numpy as np

from gstex.arrays import F32Array, I64Array, U16Array, U32Array
from gstex.errors import FormatError
from gstex.format.layout import COMPONENTS, ROLE_CODES, ChannelEntry, LevelLayout
from gstex.format.rules import GroupHeader, Header
from gstex.native import _core

__all__ = ["GroupTable", "LevelTable", "MaterialTable", "MipTable", "validate"]


@dataclass(frozen=True)
class LevelTable:
    """A level: its layout, where it stands in words, and how many Gaussians it has."""

    layout: LevelLayout
    index_offset: int
    record_offset: int
    count: int


@dataclass(frozen=True)
class MipTable:
    """A mip of a group: background float32 [V] and levels, finest first.

    offset, words: where the mip stands, and how many words it takes with its indices and records.

    A raw mip has no levels; its texels follow the two words at its offset. A mip that is drawn with the Gaussians of
    mip 0 has no levels either, but a filter, and bend int64 [V, 3].
    """

    offset: int
    words: int
    background: F32Array
    levels: tuple[LevelTable, ...]
    raw: bool = False
    filter: float | None = None
    bend: I64Array | None = None


@dataclass(frozen=True)
class GroupTable:
    """A group: its header, at word header_offset, and its mips. tail_mips: the mips of the tail as the tail holds them.

    In a resident part the mips before the tail are empty, and the others are those of `tail_mips`.
    """

    header: GroupHeader
    header_offset: int
    candidates_max: int
    mips: tuple[MipTable, ...]
    tail_mips: tuple[MipTable, ...]


@dataclass(frozen=True)
class MaterialTable:
    """A checked GPU section: its words (uint32 [n], read-only), all its numbers except the records, and its decoder."""

    words: U32Array
    header: Header
    groups: tuple[GroupTable, ...]
    section: _core.Section

    @property
    def candidates_max(self) -> int:
        """Gaussians that a position looks at, at most, in all groups."""
        return sum(group.candidates_max for group in self.groups)

    def cell_counts(self, group: int, mip: int, level: int, *, in_tail: bool = False) -> U16Array:
        """Gaussians in every cell of a level: uint16 [cells_y, cells_x]. in_tail: of the mip in the tail."""
        of = self.groups[group]
        layout = (of.tail_mips[mip - self.header.tail] if in_tail else of.mips[mip]).levels[level].layout
        counts = np.empty((layout.cells_y, layout.cells_x), np.uint16)
        self.section.cell_counts(group, mip, level, in_tail, counts)
        return counts

    def candidate_stats(self, mip: int) -> tuple[float, int]:
        """Gaussians that a position of a mip looks at, in all groups: the mean over its texels, and a bound, the sum of
        the most of each group."""
        stats = [self.section.candidate_stats(group, mip) for group in range(len(self.groups))]
        return sum(mean for mean, _ in stats), sum(most for _, most in stats)


def validate(words: U32Array) -> MaterialTable:
    """Check every rule of docs/format.md for a GPU section, in time linear in its size.

    Args:
        words: uint32 [a multiple of 64], the whole section or its resident part. Kept if nobody can write
            to it, else copied.

    Raises:
        VersionError: the section is of another version.
        FormatError: a rule is broken; the message names the field, its value and what is allowed.
    """
    if not isinstance(words, np.ndarray) or words.dtype != np.uint32 or words.ndim != 1:
        raise FormatError("GPU section: expected a one-dimensional array of uint32 words")
    if words.flags.writeable or not (words.flags.c_contiguous and words.flags.aligned):
        words = words.copy()
        words.flags.writeable = False
    section = _core.Section(words)
    facts = section.header()
    channels = tuple(
        ChannelEntry(role=ROLE_CODES[role], component=COMPONENTS[component], srgb=srgb,
                     constant=constant if group < 0 else None, flipped=flipped, scale=scale, bias=bias, stops=stops)
        for role, component, group, srgb, flipped, constant, scale, bias, stops in facts.pop("channels")
    )  # fmt: skip
    header = Header(**facts, channels=channels)
    groups = tuple(_group(section, words, header, number) for number in range(section.group_count))
    return MaterialTable(words, header, groups, section)


def _group(section: _core.Section, words: U32Array, header: Header, number: int) -> GroupTable:
    facts = section.group(number)
    group_header = GroupHeader(
        members=tuple(facts["members"]),
        **{name: facts[name] for name in ("top_k", "amplitude_lo", "amplitude_step")},
        channel_lo=np.array(facts["channel_lo"], np.float32),
        channel_step=np.array(facts["channel_step"], np.float32),
        channel_bits=np.array(facts["channel_bits"], np.int64),
        palette_bits=tuple(facts["palette_bits"]),
    )
    count = len(group_header.members)
    tails = tuple(_mip(section, words, number, mip, count, True) for mip in range(header.tail, header.mip_count))
    if header.first_mip:
        mips = (_MISSING,) * header.first_mip + tails
    else:
        mips = tuple(_mip(section, words, number, mip, count, False) for mip in range(header.mip_count))
    return GroupTable(group_header, facts["header_offset"], facts["candidates_max"], mips, tails)


_MISSING = MipTable(0, 0, np.zeros(0, np.float32), ())  # a mip that a resident part does not hold


def _mip(
    section: _core.Section, words: U32Array, group: int, number: int, members: int, in_tail: bool
) -> MipTable:
    facts = section.mip(group, number, in_tail)
    offset, bend, background = facts["offset"], None, np.zeros(members, np.float32)
    if facts["filter"] is not None:
        codes = words[offset + 2 : offset + 2 + members, None].astype(np.int64) >> np.array([0, 10, 20]) & 1023
        bend = np.where(codes < 512, codes, codes - 1024)
    elif not facts["raw"]:
        background = words[offset + 2 : offset + 2 + members].view(np.float32).copy()
    levels = []
    for level in range(facts["level_count"]):
        of_level = section.level(group, number, level, in_tail)
        levels.append(LevelTable(LevelLayout(**of_level.pop("layout")), **of_level))
    return MipTable(offset, facts["words"], background, tuple(levels), facts["raw"], facts["filter"], bend)
