"""From the fits of all groups and mips to the codes of a file, with Gaussians in the order of their cells."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gstex.arrays import U8Array, U32Array
from gstex.decode import decode_texels
from gstex.encode.bend import find_bend
from gstex.encode.mip_chain import Background, Mip, Shared
from gstex.encode.mip_means import mean_of
from gstex.encode.problem import Result, Task
from gstex.encode.shared_mips import filter_sigma
from gstex.format import (
    ChannelEntry,
    PackedGroup,
    PackedLevel,
    PackedMaterial,
    PackedMip,
    PackedRawMip,
    PackedSharedMip,
    pack,
)
from gstex.format.layout import COMPONENTS, ROLE_CODES
from gstex.material import Material

__all__ = ["FittedGroup", "channel_entries", "pack_group", "pack_groups"]


@dataclass(frozen=True)
class FittedGroup:
    """The fit of a group.

    channels: of the stack. mips: as `fit_chain` returns them.
    tasks: what was fitted, one for each mip.
    """

    channels: list[int]
    mips: Sequence[Mip]
    tasks: Sequence[Task]


def pack_groups(
    material: Material, groups: Sequence[FittedGroup], mip_count: int, *, tail: int, repeat: bool, bilinear: bool
) -> U32Array:
    """Put together the words of the GPU section, uint32 [n].

    tail: the first mip of the resident part, mip_count for none. Shared mips get their bends.
    """
    packed = PackedMaterial(
        width=material.width, height=material.height, repeat=repeat, bilinear=bilinear, mip_count=mip_count,
        tail=tail if groups else mip_count, channels=channel_entries(material),
        groups=tuple(pack_group(group, tail) for group in groups))  # fmt: skip
    words = pack(packed)
    shared = [m for m in range(mip_count) if any(isinstance(g.mips[m], PackedSharedMip) for g in packed.groups)]
    if not shared:
        return words
    bent = [list(group.mips) for group in packed.groups]
    for number in shared:
        decoded = decode_texels(words, number)
        for group, mips in zip(groups, bent, strict=True):
            mip = mips[number]
            if isinstance(mip, PackedSharedMip):
                task = group.tasks[number]
                bend = find_bend(decoded[:, :, group.channels], task.target, task.srgb)
                mips[number] = replace(mip, bend=bend)
    changed = (replace(group, mips=tuple(mips)) for group, mips in zip(packed.groups, bent, strict=True))
    return pack(replace(packed, groups=tuple(changed)))


def channel_entries(material: Material) -> tuple[ChannelEntry, ...]:
    """The channel table of the header."""
    flipped = material.normal_convention == "dx"
    entries = []
    for channel in material.channels:
        entries.append(ChannelEntry(
            role=channel.role if channel.role in ROLE_CODES else ROLE_CODES[0],
            component=channel.component if channel.component in COMPONENTS else COMPONENTS[0],
            srgb=channel.color_space == "srgb",
            constant=channel.constant,
            flipped=flipped and (channel.role, channel.component) == ("normal", "y"),
            scale=channel.range.scale,
            bias=channel.range.bias,
            stops=channel.range.stops,
        ))  # fmt: skip
    return tuple(entries)


def pack_group(group: FittedGroup, tail: int) -> PackedGroup:
    """The codes of a group; shared mips have no bend yet. tail: see `pack_groups`."""
    count = len(group.channels)
    first = group.mips[0]
    palettes: tuple[U8Array, ...] = ()
    lo, step, bits = np.zeros(count, np.float32), np.full(count, 1 / 255, np.float32), np.full(count, 8, np.int64)
    amplitude_lo = amplitude_step = 0.0
    if isinstance(first, Result):
        # One coding for all mips, chosen by mip 0; where all mips are texels the coding is theirs.
        coding = first.coding
        lo, step, bits = coding.channel_lo, coding.channel_step, coding.channel_bits
        palettes = coding.palettes
        amplitude_lo, amplitude_step = coding.amplitude_lo, coding.amplitude_step

    def pack_mip(mip: Result | U8Array | Background | None, task: Task) -> PackedMip | PackedRawMip:
        if isinstance(mip, np.ndarray):
            return PackedRawMip(mip)
        if isinstance(mip, Result):
            return PackedMip(mip.background, _levels(mip))
        return PackedMip(mean_of(task, task.target.image).astype(np.float32), ())

    packed: list[PackedMip | PackedRawMip | PackedSharedMip] = []
    alone: list[PackedMip | PackedRawMip | None] = []
    for number, mip in enumerate(group.mips):
        if isinstance(mip, Shared):
            packed.append(PackedSharedMip(filter_sigma(number), np.zeros((count, 3), np.int64)))
        else:
            packed.append(pack_mip(mip, group.tasks[number]))
        if number >= tail:
            alone.append(pack_mip(mip.alone, group.tasks[number]) if isinstance(mip, Shared) else None)
    return PackedGroup(tuple(group.channels), 0, amplitude_lo, amplitude_step, lo, step, bits, tuple(packed), palettes,
                       tuple(alone) if any(alone) else ())  # fmt: skip


def _levels(mip: Result) -> tuple[PackedLevel, ...]:
    """The levels that hold Gaussians, each in the order of its cells."""
    levels = []
    for i, layout in enumerate(mip.coding.levels):
        rows = np.flatnonzero(mip.placement[:, 0] == i)
        if layout is None or not len(rows):
            continue
        cell = mip.placement[rows, 2].astype(np.int64) * layout.cells_x + mip.placement[rows, 1]
        order = np.argsort(cell, kind="stable")
        sorted_ = rows[order]
        levels.append(PackedLevel(layout, cell[order], mip.geometry[sorted_], mip.features[sorted_].astype(np.uint32),
                                  mip.entries[sorted_]))  # fmt: skip
    return tuple(levels)
