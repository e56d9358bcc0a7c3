"""The rules of docs/format.md for what `pack` is given, so that its messages speak of the arguments.

The rules for reading stand in gstex/native/gstex.h, once; `pack` has its result checked by them, too.
"""

from dataclasses import dataclass
from math import gcd, isfinite

import numpy as np

from gstex.errors import FormatError
from gstex.format.layout import (
    CHANNEL_RANGE,
    LOG_AMPLITUDE_RANGE,
    LOG_SCALE_RANGE,
    MAX_AMPLITUDE_STEP,
    MAX_CANDIDATES,
    MAX_CELLS,
    MAX_CHANNEL_BITS,
    MAX_CHANNELS,
    MAX_FIELD_BITS,
    MAX_LEVELS,
    MAX_PALETTE_BITS,
    MAX_PALETTES,
    MAX_SCALE_STEP,
    MAX_STRIDE,
    MAX_TOP_K,
    MIN_STRIDE,
    LevelLayout,
)
from gstex.limits import MAX_SIZE

__all__ = ["Header", "check_background", "check_candidates", "check_grids", "check_header", "check_level",
           "check_regular", "check_shared", "require"]


@dataclass(frozen=True)
class Header:
    """The numbers of the material header that are not offsets. Channel arrays are [C]; srgb and varying are bool."""

    width: int
    height: int
    mip_count: int
    repeat: bool
    bilinear: bool
    top_k: int
    amplitude_lo: float
    amplitude_step: float
    channel_lo: np.ndarray
    channel_step: np.ndarray
    channel_bits: np.ndarray
    srgb: np.ndarray
    varying: np.ndarray
    palette_bits: tuple[int, ...]

    @property
    def varying_count(self) -> int:
        """V, the number of channels that vary."""
        return int(np.count_nonzero(self.varying))

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


def check_header(header: Header) -> None:
    """Check every rule of the material header that needs no offset."""
    require_range("width", header.width, 1, MAX_SIZE)
    require_range("height", header.height, 1, MAX_SIZE)
    require_range("channel_count", len(header.channel_bits), 1, MAX_CHANNELS)
    require_range("mip_count", header.mip_count, 1, max(header.width, header.height).bit_length())
    require_range("top_k", header.top_k, 0, MAX_TOP_K)
    require_range("amplitude_lo", header.amplitude_lo, *LOG_AMPLITUDE_RANGE)
    require_range("amplitude_step", header.amplitude_step, 0, MAX_AMPLITUDE_STEP)
    for channel in range(len(header.channel_bits)):
        require_range(f"channel_lo[{channel}]", float(header.channel_lo[channel]), *CHANNEL_RANGE)
        require_range(f"channel_step[{channel}]", float(header.channel_step[channel]), 0, 1)
        bits = int(header.channel_bits[channel])
        require_range(f"channel_bits[{channel}]", bits, 0, MAX_CHANNEL_BITS)
        require(bits == 0 or header.varying[channel], f"channel_bits[{channel}]", bits,
                "0: the channel does not vary")
        require(bits > 0 or not header.varying[channel] or len(header.palette_bits) > 0,
                f"channel_bits[{channel}]", bits,
                f"1 .. {MAX_CHANNEL_BITS}: the channel varies and there are no palettes")
    require_range("number of palettes", len(header.palette_bits), 0, MAX_PALETTES)
    require(not header.palette_bits or header.varying_count > 0, "number of palettes", len(header.palette_bits),
            "0: all channels of this material are constant")
    for palette, bits in enumerate(header.palette_bits):
        require_range(f"palette_bits[{palette}]", bits, 1, MAX_PALETTE_BITS)


def check_background(background: np.ndarray, header: Header, *, where: str) -> None:
    """Check the background values [C] of a mip."""
    for channel, value in enumerate(background):
        name = f"{where} background[{channel}]"
        require_range(name, float(value), *CHANNEL_RANGE)
        if not header.varying[channel]:
            require(value == header.channel_lo[channel], name, value,
                    f"channel_lo = {header.channel_lo[channel]} because the channel is constant")


def check_level(layout: LevelLayout, header: Header, *, where: str) -> None:
    """Check the grid and the record layout of one level."""
    least_cells = 3 if header.repeat else 1
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


def check_shared(filter: float, mip: int, first_is_gaussians: bool) -> None:
    """Check a mip that is drawn with the Gaussians of mip 0."""
    require(mip > 0 and first_is_gaussians, f"mip {mip} shared", "1",
            "0: only mips below a mip 0 of Gaussians share them")
    require_range(f"mip {mip} filter", filter, 0, MAX_SIZE)


def check_candidates(found: int) -> None:
    """Check the largest number of candidates of any position."""
    require(found <= MAX_CANDIDATES, "candidates of a position", found,
            f"at most {MAX_CANDIDATES}; use finer cells or fewer Gaussians")
