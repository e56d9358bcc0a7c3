"""What stands in a GPU section besides its records: read by the decoder in C, after it has proven the section.

gstex.h (gstex/native) is the one owner of the rules for reading and of their messages.
"""

from dataclasses import dataclass

import numpy as np

from gstex.errors import FormatError
from gstex.format.layout import LevelLayout
from gstex.format.rules import Header
from gstex.native import _core

__all__ = ["LevelTable", "MaterialTable", "MipTable", "validate"]


@dataclass(frozen=True)
class LevelTable:
    """A level: its layout, where it stands in words, and how many Gaussians it has."""

    layout: LevelLayout
    index_offset: int
    record_offset: int
    count: int


@dataclass(frozen=True)
class MipTable:
    """A mip: background float32 [C] and levels, finest first. offset, words: where it stands, with all that is its own.

    A raw one has no levels, and texels after the two words at its offset. One that is drawn with the Gaussians of
    mip 0 has no levels either, and a filter.
    """

    offset: int
    words: int
    background: np.ndarray
    levels: tuple[LevelTable, ...]
    raw: bool = False
    filter: float | None = None


@dataclass(frozen=True)
class MaterialTable:
    """A proven GPU section: its words, uint32 and read-only, all of its numbers except the records, and its decoder."""

    words: np.ndarray
    header: Header
    candidates_max: int
    mips: tuple[MipTable, ...]
    section: _core.Section

    def cell_counts(self, mip: int, level: int) -> np.ndarray:
        """Gaussians in every cell of a level: uint16 [cells_y, cells_x]."""
        layout = self.mips[mip].levels[level].layout
        counts = np.empty((layout.cells_y, layout.cells_x), np.uint16)
        self.section.cell_counts(mip, level, counts)
        return counts

    def candidate_stats(self, mip: int) -> tuple[float, int]:
        """Gaussians that a position of a mip looks at: the mean over its texels, and the most at any position."""
        return self.section.candidate_stats(mip)


def validate(words: np.ndarray) -> MaterialTable:
    """Check every rule of docs/format.md for a GPU section, in time linear in its size.

    Args:
        words: uint32 [a multiple of 64], the whole section. Kept if nobody can write to it, else copied.

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
    bits = np.arange(len(facts["channel_bits"]))
    header = Header(
        **{name: facts[name] for name in ("width", "height", "mip_count", "repeat", "bilinear", "top_k",
                                          "amplitude_lo", "amplitude_step")},
        channel_lo=np.array(facts["channel_lo"], np.float32),
        channel_step=np.array(facts["channel_step"], np.float32),
        channel_bits=np.array(facts["channel_bits"], np.int64),
        srgb=(facts["srgb"] >> bits & 1).astype(bool),
        varying=(facts["varying"] >> bits & 1).astype(bool),
        palette_bits=tuple(facts["palette_bits"]),
    )  # fmt: skip
    mips = tuple(_mip(section, words, number, len(bits)) for number in range(header.mip_count))
    return MaterialTable(words, header, facts["candidates_max"], mips, section)


def _mip(section: _core.Section, words: np.ndarray, number: int, channels: int) -> MipTable:
    facts = section.mip(number)
    offset, background = facts["offset"], np.zeros(channels, np.float32)
    if not facts["raw"] and facts["filter"] is None:
        background = words[offset + 2 : offset + 2 + channels].view(np.float32).copy()
    levels = []
    for level in range(facts["level_count"]):
        of_level = section.level(number, level)
        levels.append(LevelTable(LevelLayout(**of_level.pop("layout")), **of_level))
    return MipTable(offset, facts["words"], background, tuple(levels), facts["raw"], facts["filter"])
