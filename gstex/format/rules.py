"""The rules of docs/format.md for what `pack` is given, so that its messages speak of the arguments.

The rules for reading stand in gstex/native/gstex.h, once; `pack` has its result checked by them, too.
"""

from dataclasses import dataclass
from math import gcd, isfinite

import numpy as np

from gstex.arrays import BoolArray, F32Array, I64Array, IntArray
from gstex.errors import FormatError
from gstex.format.layout import (
    CHANNEL_RANGE,
    COMPONENTS,
    LOG_AMPLITUDE_RANGE,
    LOG_SCALE_RANGE,
    MAX_AMPLITUDE_STEP,
    MAX_BEND,
    MAX_CANDIDATES,
    MAX_CELLS,
    MAX_CHANNEL_BITS,
    MAX_CHANNELS,
    MAX_FIELD_BITS,
    MAX_GROUPS,
    MAX_LEVELS,
    MAX_PALETTE_BITS,
    MAX_PALETTES,
    MAX_SCALE_STEP,
    MAX_STOPS,
    MAX_STRIDE,
    MAX_TOP_K,
    MIN_STRIDE,
    ROLE_CODES,
    ChannelEntry,
    LevelLayout,
)
from gstex.limits import MAX_SIZE

__all__ = ["GroupHeader", "Header", "check_background", "check_candidates", "check_channels", "check_grids",
           "check_group", "check_header", "check_level", "check_regular", "check_shared", "require", "require_range"]


@dataclass(frozen=True)
class Header:
    """The numbers of the material header that are not offsets, and resident_words.

    first_mip: 0, or the tail of a section that is a resident part alone.
    """

    width: int
    height: int
    mip_count: int
    tail: int
    first_mip: int
    repeat: bool
    bilinear: bool
    resident_words: int
    channels: tuple[ChannelEntry, ...]

    @property
    def srgb(self) -> BoolArray:
        """bool [C], the channels whose values are sRGB-encoded."""
        return np.array([channel.srgb for channel in self.channels], bool)


@dataclass(frozen=True)
class GroupHeader:
    """The numbers of the header of a group that are not offsets. Channel arrays are [V]."""

    members: tuple[int, ...]
    top_k: int
    amplitude_lo: float
    amplitude_step: float
    channel_lo: F32Array
    channel_step: F32Array
    channel_bits: I64Array
    palette_bits: tuple[int, ...]

    @property
    def value_widths(self) -> tuple[int, ...]:
        """Bits of the fields of a record behind its geometry: palette entries, then channels."""
        return (*self.palette_bits, *self.channel_bits.tolist())


def require(ok: bool, name: str, got: object, expected: str) -> None:
    """Raise a FormatError that names the field, the value found and what is allowed, unless `ok`."""
    if not ok:
        raise FormatError(f"{name}: got {got}, expected {expected}")


def require_range(name: str, value: float, low: float, high: float) -> None:
    """Require a finite number in low .. high, ends included."""
    require(isfinite(value) and low <= value <= high, name, value, f"{low} .. {high}")


def check_header(header: Header, group_count: int) -> None:
    """Check every rule of the material header that needs no offset."""
    require_range("width", header.width, 1, MAX_SIZE)
    require_range("height", header.height, 1, MAX_SIZE)
    require_range("channel_count", len(header.channels), 1, MAX_CHANNELS)
    require_range("mip_count", header.mip_count, 1, max(header.width, header.height).bit_length())
    require_range("group_count", group_count, 0, MAX_GROUPS)
    require_range("tail", header.tail, 1, header.mip_count)
    require(group_count > 0 or header.tail == header.mip_count, "tail", header.tail,
            f"{header.mip_count}, mip_count: all channels of this material are constant")


def check_channels(channels: tuple[ChannelEntry, ...], groups: list[GroupHeader]) -> None:
    """Check what is said of the channels, and that each is constant or in one group."""
    for number, channel in enumerate(channels):
        require(channel.role in ROLE_CODES, f"role[{number}]", repr(channel.role), f"one of {', '.join(ROLE_CODES)}")
        require(channel.component in COMPONENTS, f"component[{number}]", repr(channel.component),
                f"one of {', '.join(COMPONENTS)}")
        require(not channel.flipped or (channel.role, channel.component) == ("normal", "y"), f"flipped[{number}]", 1,
                "0: only Y of a normal points up or down")
        owners = [g for g, group in enumerate(groups) if number in group.members]
        constant = channel.constant
        require(len(owners) == (constant is None), f"groups of channel {number}", owners,
                "one, or none for a constant channel")
        if constant is not None:
            require_range(f"constant[{number}]", constant, *CHANNEL_RANGE)
        require(isfinite(channel.scale) and channel.scale != 0, f"scale[{number}]", channel.scale,
                "a finite number other than 0")
        require(isfinite(channel.bias), f"bias[{number}]", channel.bias, "a finite number")
        require(0 <= channel.stops <= MAX_STOPS, f"stops[{number}]", channel.stops,
                f"a number above 0, at most {MAX_STOPS}, or 0 for no curve")


def check_group(group: GroupHeader, channel_count: int, *, where: str) -> None:
    """Check every rule of a group's header that needs no offset."""
    members = list(group.members)
    require(len(members) > 0 and members == sorted(set(members)) and members[0] >= 0 and members[-1] < channel_count,
            f"{where} members", members, f"channels 0 .. {channel_count - 1} in rising order, at least one")
    require_range(f"{where} top_k", group.top_k, 0, MAX_TOP_K)
    require_range(f"{where} amplitude_lo", group.amplitude_lo, *LOG_AMPLITUDE_RANGE)
    require_range(f"{where} amplitude_step", group.amplitude_step, 0, MAX_AMPLITUDE_STEP)
    require_range(f"{where} number of palettes", len(group.palette_bits), 0, MAX_PALETTES)
    for channel in range(len(members)):
        require_range(f"{where} channel_lo[{channel}]", float(group.channel_lo[channel]), *CHANNEL_RANGE)
        require_range(f"{where} channel_step[{channel}]", float(group.channel_step[channel]), 0, 1)
        bits = int(group.channel_bits[channel])
        require_range(f"{where} channel_bits[{channel}]", bits, 0, MAX_CHANNEL_BITS)
        require(bits > 0 or len(group.palette_bits) > 0, f"{where} channel_bits[{channel}]", bits,
                f"1 .. {MAX_CHANNEL_BITS}: there are no palettes")
    for palette, bits in enumerate(group.palette_bits):
        require_range(f"{where} palette_bits[{palette}]", bits, 1, MAX_PALETTE_BITS)


def check_background(background: F32Array, *, where: str) -> None:
    """Check the background values [V] of a mip."""
    for channel, value in enumerate(background):
        require_range(f"{where} background[{channel}]", float(value), *CHANNEL_RANGE)


def check_level(layout: LevelLayout, header: GroupHeader, *, repeat: bool, where: str) -> None:
    """Check the grid and the record layout of one level."""
    least_cells = 3 if repeat else 1
    require_range(f"{where} cells_x", layout.cells_x, least_cells, MAX_CELLS)
    require_range(f"{where} cells_y", layout.cells_y, least_cells, MAX_CELLS)
    require_range(f"{where} position_x_bits", layout.position_x_bits, 0, 15)
    require_range(f"{where} position_y_bits", layout.position_y_bits, 0, 15)
    require_range(f"{where} rotation_bits", layout.rotation_bits, 0, MAX_FIELD_BITS)
    require_range(f"{where} scale_bits", layout.scale_bits, 0, MAX_FIELD_BITS)
    require_range(f"{where} amplitude_bits", layout.amplitude_bits, 0, MAX_FIELD_BITS)

    field_bits = layout.geometry_bits + sum(header.value_widths)
    least_stride = max(field_bits, MIN_STRIDE)
    require(layout.stride % 4 == 0 and least_stride <= layout.stride <= MAX_STRIDE, f"{where} stride",
            layout.stride, f"a multiple of 4 in {least_stride} .. {MAX_STRIDE}")
    two_words = 32 + gcd(layout.stride, 32)
    require(layout.geometry_bits <= two_words, f"{where} geometry bits", layout.geometry_bits,
            f"at most {two_words} with a stride of {layout.stride} bits")

    require_range(f"{where} scale_lo", layout.scale_lo, *LOG_SCALE_RANGE)
    require_range(f"{where} scale_step", layout.scale_step, -MAX_SCALE_STEP, MAX_SCALE_STEP)
    require_range(f"{where} log2 of the inverse scale of the last code",
                  layout.scale_lo + layout.scale_step * (2**layout.scale_bits - 1), *LOG_SCALE_RANGE)
    require_range(f"{where} log-amplitude of the last code",
                  header.amplitude_lo + header.amplitude_step * (2**layout.amplitude_bits - 1),
                  *LOG_AMPLITUDE_RANGE)


def check_regular(layout: LevelLayout, count: int, *, where: str) -> None:
    """Check the number of Gaussians of a regular level."""
    cells = layout.cells_x * layout.cells_y
    require(not layout.regular or count == cells, f"{where} count", count,
            f"{cells}, one for every cell of a regular level")


def check_grids(layouts: list[LevelLayout], *, where: str) -> None:
    """Check the number and the order of a mip's levels.

    The order bounds the work of counting candidates: without it, a few words could state grids whose borders
    cut the texture into billions of pieces.
    """
    require_range(f"{where} level_count", len(layouts), 0, MAX_LEVELS)
    for level in range(1, len(layouts)):
        above, layout = layouts[level - 1], layouts[level]
        require(layout.cells_x <= above.cells_x and layout.cells_y <= above.cells_y,
                f"{where} level {level} cells", f"{layout.cells_x} x {layout.cells_y}",
                f"at most the {above.cells_x} x {above.cells_y} of the level before: finest level first")


def check_shared(filter: float, bend: IntArray, *, allowed: bool, where: str) -> None:
    """Check a mip that is drawn with the Gaussians of mip 0. bend: int [V, 3]."""
    require(allowed, f"{where} shared", "1", "0: only mips below a mip 0 of Gaussians share them, and none in the tail")
    require_range(f"{where} filter", filter, 0, MAX_SIZE)
    for channel, numbers in enumerate(bend):
        require(bool(((numbers >= -MAX_BEND - 1) & (numbers <= MAX_BEND)).all()), f"{where} bend[{channel}]",
                numbers.tolist(), f"-{MAX_BEND + 1} .. {MAX_BEND}")


def check_candidates(candidates: int) -> None:
    """Check the largest number of candidates of any position."""
    require(candidates <= MAX_CANDIDATES, "candidates_max of all groups", candidates,
            f"at most {MAX_CANDIDATES}; use finer cells or fewer Gaussians")
