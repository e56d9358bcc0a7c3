"""Builds .gstex files word by word from the tables of docs/format.md, without gstex.

The tests use it to make files that no encoder of the package had a hand in: plain numbers in, bytes out.
It trusts its input: a spec that breaks a rule gives a file that breaks it, which readers must refuse.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Gaussian:
    """Codes of one Gaussian; `features` holds one code per channel of the group, 0 for those without bits of their own,
    and `entries` one number per palette."""

    cell: int  # row-major number of its cell
    position_x: int
    position_y: int
    rotation: int
    scale_u: int
    scale_v: int
    amplitude: int
    features: tuple[int, ...]
    entries: tuple[int, ...] = ()


@dataclass(frozen=True)
class LevelSpec:
    """One level; Gaussians in any order, those of one cell keep theirs in the file. A regular one has no index."""

    cells_x: int
    cells_y: int
    gaussians: Sequence[Gaussian]
    position_x_bits: int = 4
    position_y_bits: int = 4
    rotation_bits: int = 5
    scale_bits: int = 4
    amplitude_bits: int = 3
    scale_lo: float = 0.0  # log2 of 1/texel
    scale_step: float = -0.25
    stride: int | None = None  # bits of a record; None = the smallest that the rules allow
    regular: bool = False


@dataclass(frozen=True)
class MipSpec:
    """One mip of a group: background [V] and levels, finest first."""

    background: Sequence[float]
    levels: Sequence[LevelSpec] = ()


@dataclass(frozen=True)
class RawMipSpec:
    """One raw mip of a group: for every texel, row by row, the bytes of the channels of the group."""

    texels: Sequence[Sequence[int]]


@dataclass(frozen=True)
class SharedMipSpec:
    """One mip of a group that is drawn with the Gaussians of mip 0.

    filter: sigma in texels of mip 0. bend: (low, middle, high) of every channel of the group, in units of 1/1024.
    """

    filter: float
    bend: Sequence[tuple[int, int, int]]


@dataclass(frozen=True)
class ChannelSpec:
    """The entry of a channel, but for its group; the defaults are those of a channel that is nothing in particular."""

    role: int = 0
    component: int = 0
    srgb: bool = False
    flipped: bool = False
    curve: int = 0
    constant: float = 0.0
    scale: float = 1.0
    bias: float = 0.0
    stops: float = 0.0  # of curve 1


@dataclass(frozen=True)
class GroupSpec:
    """The channels that share a set of Gaussians: their places in the material, and their ranges in that order.

    tail_mips: for each mip of the tail None, or what stands there in place of a shared mip; () = None for all.
    """

    members: Sequence[int]
    ranges: Sequence[tuple[float, float, int]]  # (channel_lo, channel_step, channel_bits)
    mips: Sequence[MipSpec | RawMipSpec | SharedMipSpec]
    tail_mips: Sequence[MipSpec | RawMipSpec | None] = ()
    top_k: int = 0
    amplitude_lo: float = 0.0
    amplitude_step: float = 0.5
    palettes: Sequence[Sequence[Sequence[int]]] = ()  # for every entry the bytes of the channels of the group


@dataclass(frozen=True)
class MaterialSpec:
    """A whole file. Channels that are in no group are constant."""

    width: int
    height: int
    channels: Sequence[ChannelSpec]
    groups: Sequence[GroupSpec]
    mip_count: int = 1
    tail: int | None = None  # the first mip of the tail; None = there is none
    repeat: bool = False
    bilinear: bool = False


def one_group(
    width: int,
    height: int,
    ranges: Sequence[tuple[float, float, int]],
    mips: Sequence[MipSpec | RawMipSpec | SharedMipSpec],
    *,
    srgb: int = 0,
    constants: Mapping[int, float] | None = None,
    tail: int | None = None,
    repeat: bool = False,
    bilinear: bool = False,
    **options: Any,
) -> MaterialSpec:
    """A material whose channels are all in one group, but for those in `constants` (place in the material: value).

    ranges: of the channels of the group. srgb: a bit for each channel of the material. options: of the group.
    """
    constants = constants or {}
    count = len(ranges) + len(constants)
    channels = [ChannelSpec(srgb=bool(srgb >> c & 1), constant=constants.get(c, 0.0)) for c in range(count)]
    group = GroupSpec([c for c in range(count) if c not in constants], ranges, mips, **options)
    return MaterialSpec(width, height, channels, [group], len(mips), tail, repeat, bilinear)


def build(spec: MaterialSpec, metadata: Mapping[str, object] | None = None) -> bytes:
    """The bytes of the file; metadata None = just a generator."""
    text = json.dumps({"generator": "format_builder"} if metadata is None else metadata).encode("utf-8")
    return build_file(build_words(spec), text)


def build_file(words: Sequence[int], metadata: bytes) -> bytes:
    """The table "File": header, GPU section, metadata."""
    magic, version, flags, padding = b"\x89GSTEX\r\n", 2, 0, bytes(204)
    gpu = struct.pack(f"<{len(words)}I", *words)
    gpu_offset, gpu_bytes = 256, len(gpu)
    json_offset, json_bytes = gpu_offset + gpu_bytes, len(metadata)
    file_bytes = json_offset + json_bytes
    resident_words = words[5]
    resident_bytes = 4 * resident_words
    gpu_crc, json_crc, resident_crc = zlib.crc32(gpu), zlib.crc32(metadata), zlib.crc32(gpu[:resident_bytes])
    numbers = (version, flags, file_bytes, gpu_offset, gpu_bytes, json_offset, json_bytes, gpu_crc, json_crc)
    return magic + struct.pack("<11I", *numbers, resident_bytes, resident_crc) + padding + gpu + metadata


def build_words(spec: MaterialSpec) -> list[int]:
    """The table "GPU section": headers and palettes, the tail, the other mips; each half with its guard word."""
    channel_count, group_count, mip_count = len(spec.channels), len(spec.groups), spec.mip_count
    tail = mip_count if spec.tail is None else spec.tail
    group_of = [next((g for g, group in enumerate(spec.groups) if c in group.members), 7) for c in range(channel_count)]
    numbers = [_channel_numbers(channel, group) for channel, group in zip(spec.channels, group_of, strict=True)]
    header_words = 8 + channel_count + sum(map(len, numbers)) + group_count
    group_offset: list[int] = []
    end = header_words
    for group in spec.groups:
        group_offset.append(end)
        end += _group_header_words(group, mip_count, tail) + len(_palette_words(group))
    body: list[int] = []
    mip_offset = [[0] * mip_count for _ in spec.groups]
    tail_offset = [[0] * (mip_count - tail) for _ in spec.groups]
    resident_words = guard = 0
    if tail < mip_count:
        for group, offsets, tail_offsets in zip(spec.groups, mip_offset, tail_offset, strict=True):
            for m in range(tail, mip_count):
                instead = group.tail_mips[m - tail] if group.tail_mips else None
                offsets[m] = tail_offsets[m - tail] = end + len(body)
                body += _mip_words(group, instead or group.mips[m], end + len(body))
        body.append(guard)
        body += [0] * (-(end + len(body)) % 64)
        resident_words = end + len(body)
    for group, offsets in zip(spec.groups, mip_offset, strict=True):
        for m in range(mip_count):
            if m < tail or (group.tail_mips and group.tail_mips[m - tail]):
                offsets[m] = end + len(body)
                body += _mip_words(group, group.mips[m], offsets[m])
    body.append(guard)
    words = end + len(body)
    body += [0] * (-words % 64)
    resident_words = resident_words or end + len(body)
    magic, version, first_mip = 0x4D545347, 2, 0
    header = [
        magic,
        version | header_words << 16,
        spec.width | spec.height << 16,
        channel_count | mip_count << 8 | group_count << 16 | tail << 19
        | spec.repeat << 24 | spec.bilinear << 25 | first_mip << 26,
        words,
        resident_words,
        0,
        0,
    ]  # fmt: skip
    position = len(header) + channel_count
    for channel, group, own in zip(spec.channels, group_of, numbers, strict=True):
        header.append(_channel_entry(channel, group) | (position if own else 0) << 24)
        position += len(own)
    header += [*itertools.chain(*numbers), *group_offset]
    for group, offset, *offsets in zip(spec.groups, group_offset, mip_offset, tail_offset, strict=True):
        header += _group_header(spec, group, offset, *offsets) + _palette_words(group)
    return header + body


def _channel_entry(channel: ChannelSpec, group: int) -> int:
    ranged = _is_ranged(channel)
    entry = channel.role | channel.component << 8 | group << 16 | channel.srgb << 19
    return entry | channel.flipped << 20 | channel.curve << 21 | ranged << 23


def _channel_numbers(channel: ChannelSpec, group: int) -> list[int]:
    ranges = [_f32(channel.scale), _f32(channel.bias)] if _is_ranged(channel) else []
    stops = [_f32(channel.stops)] if channel.curve == 1 else []
    return [*([_f32(channel.constant)] if group == 7 else []), *ranges, *stops]


def _is_ranged(channel: ChannelSpec) -> bool:
    return (channel.scale, channel.bias, channel.curve) != (1.0, 0.0, 0)


def _group_header_words(group: GroupSpec, mip_count: int, tail: int) -> int:
    count = len(group.members)
    return 6 + 2 * mip_count - tail + 2 * count + math.ceil(count / 8)


def _group_header(
    spec: MaterialSpec, group: GroupSpec, offset: int, mip_offset: list[int], tail_offset: list[int]
) -> list[int]:
    members = sum(1 << c for c in group.members)
    mips = [*group.mips, *group.tail_mips]
    candidates_max = max((_candidates_max(spec.repeat, mip) for mip in mips if isinstance(mip, MipSpec)), default=0)
    palette_offset, palette_bits = 0, 0
    for p, palette in enumerate(group.palettes):
        palette_offset = offset + _group_header_words(group, spec.mip_count, spec.mip_count - len(tail_offset))
        palette_bits |= _palette_bits(palette) << (4 * p)
    ranges: list[int] = []
    channel_bits = [0] * math.ceil(len(group.members) / 8)
    for k, (channel_lo, channel_step, bits) in enumerate(group.ranges):
        ranges += [_f32(channel_lo), _f32(channel_step)]
        channel_bits[k // 8] |= bits << (4 * (k % 8))
    return [
        members | group.top_k << 16,
        _f32(group.amplitude_lo),
        _f32(group.amplitude_step),
        candidates_max,
        palette_offset,
        palette_bits,
        *mip_offset,
        *tail_offset,
        *ranges,
        *channel_bits,
    ]


def _palette_words(group: GroupSpec) -> list[int]:
    return [word for palette in group.palettes for word in _byte_words(palette)]


def index_words(counts: Sequence[int]) -> list[int]:
    """The cell index of a level: groups, then the prefix blocks of the crowded ones."""
    groups: list[int] = []
    prefix_blocks: list[int] = []
    group_count = len(counts) // 16 + 1
    padded = [*counts, *[0] * (16 * group_count - len(counts))]
    for g in range(group_count):
        base, group = sum(padded[: 16 * g]), padded[16 * g : 16 * g + 16]
        if max(group) > 15:
            groups += [base | 1 << 31, 3 * group_count + len(prefix_blocks), 0]
            prefix = [sum(group[:k]) for k in range(16)]
            prefix_blocks += [prefix[2 * w] | prefix[2 * w + 1] << 16 for w in range(8)]
        else:
            groups += [base, _nibbles(group[:8]), _nibbles(group[8:])]
    return groups + prefix_blocks


def record_stride(group: GroupSpec, level: LevelSpec) -> int:
    """The stride of a level: its own, or the smallest multiple of 4 that holds the fields and keeps a
    record's geometry within two words."""
    if level.stride is not None:
        return level.stride
    geometry = sum(_geometry_widths(level))
    stride = max(4, 4 * math.ceil((geometry + sum(_value_widths(group))) / 4))
    while geometry > 32 + math.gcd(stride, 32):
        stride += 4
    return stride


def _mip_words(group: GroupSpec, mip: MipSpec | RawMipSpec | SharedMipSpec, offset: int) -> list[int]:
    """The block of a mip, and what stands behind it of its own."""
    if isinstance(mip, RawMipSpec):
        raw, gaussian_count = 1 << 8, 0
        return [raw, gaussian_count, *_byte_words(mip.texels)]
    if isinstance(mip, SharedMipSpec):
        shared = 1 << 9
        bend = [low & 1023 | (middle & 1023) << 10 | (high & 1023) << 20 for low, middle, high in mip.bend]
        return [shared, _f32(mip.filter), *bend]
    level_count, gaussian_count = len(mip.levels), sum(len(level.gaussians) for level in mip.levels)
    background = [_f32(value) for value in mip.background]
    entries, data = [], []
    index_offset = offset + 2 + len(background) + 7 * level_count
    for level in mip.levels:
        stride = record_stride(group, level)
        index = [] if level.regular else index_words(_cell_counts(level))
        records = _record_words(group, level, stride)
        record_offset = index_offset + len(index)
        entries += [
            level.cells_x | level.cells_y << 16,
            index_offset,
            record_offset,
            len(level.gaussians),  # count
            stride
            | level.position_x_bits << 9
            | level.position_y_bits << 13
            | level.rotation_bits << 17
            | level.scale_bits << 21
            | level.amplitude_bits << 25
            | level.regular << 29,
            _f32(level.scale_lo),
            _f32(level.scale_step),
        ]
        data += index + records
        index_offset = record_offset + len(records)
    return [level_count, gaussian_count, *background, *entries, *data]


def _record_words(group: GroupSpec, level: LevelSpec, stride: int) -> list[int]:
    """The bit stream of a level's records, as one large integer cut into words."""
    widths = _geometry_widths(level) + _value_widths(group)
    stream = 0
    for r, gaussian in enumerate(sorted(level.gaussians, key=lambda gaussian: gaussian.cell)):
        codes = [gaussian.position_x, gaussian.position_y, gaussian.rotation, gaussian.scale_u]
        codes += [gaussian.scale_v, gaussian.amplitude, *gaussian.entries, *gaussian.features]
        bit = r * stride
        for code, width in zip(codes, widths, strict=True):
            if not 0 <= code < 1 << width:
                raise ValueError(f"code {code} does not fit in {width} bits")
            stream |= code << bit
            bit += width
    word_count = math.ceil(len(level.gaussians) * stride / 32)
    return [(stream >> (32 * w)) & 0xFFFFFFFF for w in range(word_count)]


def _candidates_max(repeat: bool, mip: MipSpec) -> int:
    """Largest number of candidates, counted in every patch on which no level changes its cell."""
    middles = []
    for axis in ("cells_x", "cells_y"):
        cells = [getattr(level, axis) for level in mip.levels]
        edges = sorted({Fraction(k, n) for n in cells for k in range(n + 1)})
        middles.append([(a + b) / 2 for a, b in pairwise(edges)])
    levels = [(level.cells_x, level.cells_y, _cell_counts(level)) for level in mip.levels]
    columns = [[math.floor(x * cells_x) for cells_x, _, _ in levels] for x in middles[0]]
    rows = [[math.floor(y * cells_y) for _, cells_y, _ in levels] for y in middles[1]]
    largest = 0
    for row in rows:
        for column in columns:
            total = 0
            for (cells_x, cells_y, counts), cell_x, cell_y in zip(levels, column, row, strict=True):
                for y in (cell_y - 1, cell_y, cell_y + 1):
                    for x in (cell_x - 1, cell_x, cell_x + 1):
                        if repeat or (0 <= x < cells_x and 0 <= y < cells_y):
                            total += counts[y % cells_y * cells_x + x % cells_x]
            largest = max(largest, total)
    return largest


def _cell_counts(level: LevelSpec) -> list[int]:
    counts = [0] * (level.cells_x * level.cells_y)
    for gaussian in level.gaussians:
        counts[gaussian.cell] += 1
    return counts


def _geometry_widths(level: LevelSpec) -> list[int]:
    widths = [level.position_x_bits, level.position_y_bits, level.rotation_bits]
    return [*widths, level.scale_bits, level.scale_bits, level.amplitude_bits]


def _value_widths(group: GroupSpec) -> list[int]:
    return [_palette_bits(palette) for palette in group.palettes] + [bits for _, _, bits in group.ranges]


def _palette_bits(palette: Sequence[Sequence[int]]) -> int:
    return round(math.log2(len(palette)))


def _byte_words(rows: Sequence[Sequence[int]]) -> list[int]:
    """Rows of bytes, each filled up with zeros to whole words."""
    words: list[int] = []
    for row in rows:
        padded = bytes(row) + bytes(-len(row) % 4)
        words += struct.unpack(f"<{len(padded) // 4}I", padded)
    return words


def _nibbles(counts: Sequence[int]) -> int:
    return sum(count << (4 * k) for k, count in enumerate(counts))


def _f32(value: float) -> int:
    return struct.unpack("<I", struct.pack("<f", value))[0]
