"""The shapes of a .gstex material in memory, and the sizes of its parts in words.

Data and sizes only: the rules are in rules.py, the words are made in words.py. Everything here follows
docs/format.md, where each number has its reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gstex.limits import MAX_SIZE

__all__ = [
    "ALIGN_WORDS",
    "CHANNEL_RANGE",
    "FILE_HEADER_BYTES",
    "GROUP_CELLS",
    "HEADER_FIXED_WORDS",
    "LEVEL_ENTRY_WORDS",
    "LOG_AMPLITUDE_RANGE",
    "LOG_SCALE_RANGE",
    "MAGIC",
    "MAX_AMPLITUDE_STEP",
    "MAX_CANDIDATES",
    "MAX_CELLS",
    "MAX_CHANNELS",
    "MAX_CHANNEL_BITS",
    "MAX_FIELD_BITS",
    "MAX_GROUP",
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
    "SHARED_BIT",
    "VERSION",
    "LevelLayout",
    "PackedLevel",
    "PackedMaterial",
    "PackedMip",
    "PackedRawMip",
    "PackedSharedMip",
    "header_words",
    "index_words",
    "mip_block_words",
    "mip_size",
    "palette_words",
    "raw_texel_words",
    "raw_words",
    "record_words",
]

VERSION = 1
MAGIC = 0x4D545347  # "GSTM"

RAW_BIT, SHARED_BIT = 1 << 8, 1 << 9  # in word 0 of a mip block

FILE_HEADER_BYTES = 256
MAX_JSON_BYTES = 1 << 20
HEADER_FIXED_WORDS = 11
LEVEL_ENTRY_WORDS = 7
ALIGN_WORDS = 64  # 256 bytes

MAX_MIPS = MAX_SIZE.bit_length()
MAX_CHANNELS = 16
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

GROUP_CELLS = 16  # cells that share one entry of the cell index
MAX_GROUP = 65535  # Gaussians in a group: its prefixes have 16 bits


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
    features: uint32 [N, C], codes; 0 where channel_bits is 0.
    entries: uint32 [N, P], the entry of every palette; None for a material without palettes, kept as [N, 0].
    """

    layout: LevelLayout
    cell: np.ndarray
    geometry: np.ndarray
    features: np.ndarray
    entries: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.entries is None:
            object.__setattr__(self, "entries", np.zeros((len(self.cell), 0), np.uint32))


@dataclass(frozen=True)
class PackedMip:
    """One mip of Gaussians: background float32 [C] and its levels, finest first."""

    background: np.ndarray
    levels: tuple[PackedLevel, ...]


@dataclass(frozen=True)
class PackedRawMip:
    """One small mip as texels: uint8 [H, W, V], the V channels that vary, in channel order; value = code / 255."""

    texels: np.ndarray


@dataclass(frozen=True)
class PackedSharedMip:
    """One mip that is drawn with the Gaussians of mip 0. filter: sigma in texels of mip 0; stored as float32."""

    filter: float


@dataclass(frozen=True)
class PackedMaterial:
    """A whole material as integer codes: exactly what the GPU section holds.

    width, height: texels of mip 0. channel_lo, channel_step: float32 [C]. channel_bits: int64 [C], 0..12.
    srgb: bool [C], channels whose values are sRGB-encoded.
    varying: bool [C], channels that vary; None for those with bits of their own, which is all of them where there
    are no palettes. palettes: at most 4, each uint8 [2^bits, V] with bits 1..12: what an entry adds to the codes of
    the V channels that vary, in channel order.
    """

    width: int
    height: int
    repeat: bool
    bilinear: bool
    top_k: int
    amplitude_lo: float
    amplitude_step: float
    channel_lo: np.ndarray
    channel_step: np.ndarray
    channel_bits: np.ndarray
    srgb: np.ndarray
    mips: tuple[PackedMip | PackedRawMip | PackedSharedMip, ...]
    varying: np.ndarray = None  # type: ignore[assignment]
    palettes: tuple[np.ndarray, ...] = ()

    def __post_init__(self) -> None:
        if self.varying is None:
            object.__setattr__(self, "varying", np.asarray(self.channel_bits) > 0)


def mip_size(size: int, mip: int) -> int:
    """Texels of mip `mip` along an axis of `size` texels."""
    return max(1, size >> mip)


def header_words(channels: int, mips: int) -> int:
    """Words of the material header."""
    return HEADER_FIXED_WORDS + mips + 2 * channels + -(-channels // 8)


def mip_block_words(channels: int, levels: int) -> int:
    """Words of a mip block: counts, background and level entries; indices and records come on top."""
    return 2 + channels + LEVEL_ENTRY_WORDS * levels


def raw_texel_words(varying: int) -> int:
    """Words of one texel of a raw mip, or of an entry of a palette: a byte for each of the channels that vary."""
    return -(-varying // 4)


def palette_words(palette_bits: Sequence[int], varying: int) -> int:
    """Words of palettes of 2^bits entries each, for a number of channels that vary."""
    return sum(1 << bits for bits in palette_bits) * raw_texel_words(varying)


def raw_words(width: int, height: int, texel_words: int) -> int:
    """Words of the block of a raw mip."""
    return 2 + width * height * texel_words


def index_words(cells_x: int, cells_y: int, counts: np.ndarray, *, regular: bool = False) -> int:
    """Words of a level's cell index: 0 if the level is regular.

    Args:
        counts: integer array of cells_x * cells_y entries, Gaussians of each cell in row-major order.
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
