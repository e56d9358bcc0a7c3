"""The shapes of a .gstex material in memory, and the sizes of its parts in words.

Data and sizes only: the rules are in rules.py, the words are made in words.py. Everything here follows
docs/format.md, where each number has its reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gstex.arrays import F32Array, I64Array, IntArray, U8Array, U32Array
from gstex.limits import MAX_SIZE

__all__ = [
    "ALIGN_WORDS",
    "BEND_UNIT",
    "CHANNEL_ENTRY_WORDS",
    "CHANNEL_RANGE",
    "COMPONENTS",
    "CONSTANT_GROUP",
    "FILE_HEADER_BYTES",
    "GROUP_CELLS",
    "GROUP_FIXED_WORDS",
    "HEADER_FIXED_WORDS",
    "LEVEL_ENTRY_WORDS",
    "LOG_AMPLITUDE_RANGE",
    "LOG_SCALE_RANGE",
    "MAGIC",
    "MAX_AMPLITUDE_STEP",
    "MAX_BEND",
    "MAX_CANDIDATES",
    "MAX_CELLS",
    "MAX_CELL_GROUP",
    "MAX_CHANNELS",
    "MAX_CHANNEL_BITS",
    "MAX_FIELD_BITS",
    "MAX_GROUPS",
    "MAX_JSON_BYTES",
    "MAX_LEVELS",
    "MAX_MIPS",
    "MAX_PALETTES",
    "MAX_PALETTE_BITS",
    "MAX_SCALE_STEP",
    "MAX_STRIDE",
    "MAX_TOP_K",
    "MIN_STRIDE",
    "RAW_BIT",
    "ROLE_CODES",
    "SHARED_BIT",
    "VERSION",
    "ChannelEntry",
    "LevelLayout",
    "PackedGroup",
    "PackedLevel",
    "PackedMaterial",
    "PackedMip",
    "PackedRawMip",
    "PackedSharedMip",
    "group_header_words",
    "header_words",
    "index_words",
    "mip_block_words",
    "mip_size",
    "palette_words",
    "raw_texel_words",
    "raw_words",
    "record_words",
    "shared_words",
]

VERSION = 2
MAGIC = 0x4D545347  # "GSTM"

RAW_BIT, SHARED_BIT = 1 << 8, 1 << 9  # in word 0 of a mip block

FILE_HEADER_BYTES = 256
MAX_JSON_BYTES = 1 << 20
HEADER_FIXED_WORDS = 8
CHANNEL_ENTRY_WORDS = 1
GROUP_FIXED_WORDS = 6
LEVEL_ENTRY_WORDS = 7
ALIGN_WORDS = 64  # 256 bytes

MAX_MIPS = MAX_SIZE.bit_length()
MAX_CHANNELS = 16
MAX_GROUPS = 4
CONSTANT_GROUP = 7  # of a channel entry: the channel is constant
# Codes of roles and components in a channel entry, in their order.
ROLE_CODES = ("other", "albedo", "color", "opacity", "normal", "roughness", "metallic", "ao", "height", "emissive",
              "gloss", "specular", "mask")  # fmt: skip
COMPONENTS = ("v", "r", "g", "b", "x", "y")
MAX_PALETTES = 4
MAX_PALETTE_BITS = 12
MAX_CHANNEL_BITS = 12
MAX_FIELD_BITS = 12  # of rotation, scale and amplitude
MAX_LEVELS = 16
MAX_CELLS = 8192  # cells along an axis
MIN_STRIDE, MAX_STRIDE = 4, 320  # bits
MAX_TOP_K = 32
MAX_CANDIDATES = 4096

LOG_AMPLITUDE_RANGE = (-16, 8)
LOG_SCALE_RANGE = (-16, 8)  # log2 of 1/texel
CHANNEL_RANGE = (-1, 2)
MAX_AMPLITUDE_STEP = 8
MAX_SCALE_STEP = 4  # of either sign
MAX_STOPS = 32  # of a curve
MAX_BEND = 511  # of either sign; a bend's numbers are this many units at most
BEND_UNIT = 1 / 1024

GROUP_CELLS = 16  # cells that share one entry of the cell index
MAX_CELL_GROUP = 65535  # Gaussians in a group: its prefixes have 16 bits


@dataclass(frozen=True)
class LevelLayout:
    """Grid and record layout of one level: what its entry in the mip block says, without offsets.

    `stride` and the `*_bits` are in bits. `scale_lo` and `scale_step` give the log2 of an inverse scale in
    1/texel; they are stored as float32. A `regular` level holds one Gaussian in every cell and needs no index.
    """

    cells_x: int
    cells_y: int
    stride: int
    position_x_bits: int
    position_y_bits: int
    rotation_bits: int
    scale_bits: int
    amplitude_bits: int
    scale_lo: float
    scale_step: float
    regular: bool = False

    @property
    def geometry_widths(self) -> tuple[int, ...]:
        """Bits of the six geometry fields in the order of the record."""
        return (self.position_x_bits, self.position_y_bits, self.rotation_bits,
                self.scale_bits, self.scale_bits, self.amplitude_bits)

    @property
    def geometry_bits(self) -> int:
        """Bits of a record before its palette entries and features."""
        return sum(self.geometry_widths)


@dataclass(frozen=True)
class PackedLevel:
    """The Gaussians of one level as integer codes.

    cell: int64 [N], row-major cell number, non-decreasing.
    geometry: uint32 [N, 6], codes of position_x, position_y, rotation, scale_u, scale_v, amplitude.
    features: uint32 [N, V], codes of the channels of the group; 0 where channel_bits is 0.
    entries: uint32 [N, P], the entry of every palette; None for a group without palettes, kept as [N, 0].
    """

    layout: LevelLayout
    cell: I64Array
    geometry: U32Array
    features: U32Array
    entries: U32Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.entries is None:
            object.__setattr__(self, "entries", np.zeros((len(self.cell), 0), np.uint32))


@dataclass(frozen=True)
class PackedMip:
    """One mip of Gaussians of a group: background float32 [V] and its levels, finest first."""

    background: F32Array
    levels: tuple[PackedLevel, ...]


@dataclass(frozen=True)
class PackedRawMip:
    """One small mip of a group as texels: uint8 [H, W, V]; value = code / 255."""

    texels: U8Array


@dataclass(frozen=True)
class PackedSharedMip:
    """One mip of a group that is drawn with the Gaussians of mip 0.

    filter: sigma in texels of mip 0; stored as float32.
    bend: int [V, 3], low, middle and high in units of 1/1024, -512 .. 511: what is added to a value of 0, what is added
        to 1/2 beyond the mean of low and high, and what is added to 1.
    """

    filter: float
    bend: IntArray


@dataclass(frozen=True)
class ChannelEntry:
    """What a channel of the stack is.

    role: one of ROLE_CODES. component: one of COMPONENTS. srgb: its values are sRGB-encoded.
    constant: its value, -1 .. 2, if it has no group. flipped: Y of a normal that points down.
    scale, bias: a value v in 0 .. 1 stands for bias + scale v; stored as float32. stops: if it is not 0, for
        bias + scale (2^(stops v) - 1) instead.
    """

    role: str = "other"
    component: str = "v"
    srgb: bool = False
    constant: float | None = None
    flipped: bool = False
    scale: float = 1.0
    bias: float = 0.0
    stops: float = 0.0

    @property
    def is_ranged(self) -> bool:
        """Whether 0 .. 1 stands for something else."""
        return (self.scale, self.bias, self.stops) != (1.0, 0.0, 0.0)


@dataclass(frozen=True)
class PackedGroup:
    """The channels that share one set of Gaussians, as integer codes.

    members: the V channels of the stack, in rising order. channel_lo, channel_step: float32 [V].
    channel_bits: int64 [V], 0..12. mips: one for each of the material.
    tail_mips: one for each mip of the tail: what the tail holds in place of a mip of `mips` that is shared, or None for
        one that is not; () for None everywhere.
    palettes: at most 4, each uint8 [2^bits, V] with bits 1..12: what an entry adds to the codes of the channels.
    """

    members: tuple[int, ...]
    top_k: int
    amplitude_lo: float
    amplitude_step: float
    channel_lo: F32Array
    channel_step: F32Array
    channel_bits: I64Array
    mips: tuple[PackedMip | PackedRawMip | PackedSharedMip, ...]
    palettes: tuple[U8Array, ...] = ()
    tail_mips: tuple[PackedMip | PackedRawMip | None, ...] = ()


@dataclass(frozen=True)
class PackedMaterial:
    """A whole material as integer codes: exactly what the GPU section holds.

    width, height: texels of mip 0. channels: of the stack. groups: at most 4; each channel is in one, or is constant.
    tail: the first mip that can be decoded without those before it, 1 .. mip_count; mip_count if there is none.
    """

    width: int
    height: int
    repeat: bool
    bilinear: bool
    mip_count: int
    tail: int
    channels: tuple[ChannelEntry, ...]
    groups: tuple[PackedGroup, ...]


def mip_size(size: int, mip: int) -> int:
    """Texels of mip `mip` along an axis of `size` texels."""
    return max(1, size >> mip)


def header_words(channels: Sequence[ChannelEntry], groups: int) -> int:
    """Words of the material header."""
    numbers = sum((channel.constant is not None) + 2 * channel.is_ranged + (channel.stops != 0) for channel in channels)
    return HEADER_FIXED_WORDS + CHANNEL_ENTRY_WORDS * len(channels) + numbers + groups


def group_header_words(members: int, mips: int, tail: int) -> int:
    """Words of the header of a group; tail: its first mip, `mips` for none."""
    return GROUP_FIXED_WORDS + 2 * mips - tail + 2 * members + -(-members // 8)


def mip_block_words(members: int, levels: int) -> int:
    """Words of a mip block: counts, background and level entries; indices and records come on top."""
    return 2 + members + LEVEL_ENTRY_WORDS * levels


def shared_words(members: int) -> int:
    """Words of the block of a shared mip."""
    return 2 + members


def raw_texel_words(members: int) -> int:
    """Words of one texel of a raw mip, or of an entry of a palette: a byte for each channel of the group."""
    return -(-members // 4)


def palette_words(palette_bits: Sequence[int], members: int) -> int:
    """Words of palettes of 2^bits entries each, for a number of channels."""
    return sum(1 << bits for bits in palette_bits) * raw_texel_words(members)


def raw_words(width: int, height: int, texel_words: int) -> int:
    """Words of the block of a raw mip."""
    return 2 + width * height * texel_words


def index_words(cells_x: int, cells_y: int, counts: IntArray, *, regular: bool = False) -> int:
    """Words of a level's cell index: 0 if the level is regular.

    Args:
        counts: int [cells_y, cells_x] or as one row, Gaussians of each cell in row-major order.
    """
    if regular:
        return 0
    cells = cells_x * cells_y
    crowded_cells = np.flatnonzero(np.reshape(counts, -1) > 15)
    crowded_groups = np.unique(crowded_cells // GROUP_CELLS).size
    return 3 * (cells // GROUP_CELLS + 1) + 8 * crowded_groups


def record_words(count: int, stride: int) -> int:
    """Words of `count` records of `stride` bits."""
    return -(-count * stride // 32)
