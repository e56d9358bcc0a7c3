"""Numbers that every decoder and fit must share, whatever language it is written in.

This module owns them, and docs/format.md says what they mean. `gstex.cuda.source` hands them to CUDA as #define lines,
and tools/write_headers.py writes the header for C and C++. GLSL files repeat the numbers, and a test compares them.
Limits of the format itself stand in `gstex.format.layout`.
"""

import math

import numpy as np

from gstex.format.layout import (
    BEND_UNIT,
    CHANNEL_ENTRY_WORDS,
    CONSTANT_GROUP,
    GROUP_FIXED_WORDS,
    HEADER_FIXED_WORDS,
    LEVEL_ENTRY_WORDS,
    MAX_CANDIDATES,
    MAX_CHANNELS,
    MAX_GROUPS,
    MAX_LEVELS,
    MAX_PALETTES,
    MAX_TOP_K,
    RAW_BIT,
    SHARED_BIT,
)

__all__ = [
    "BACKGROUND_WEIGHT",
    "FADE_SLOPE",
    "FADE_WIDTH",
    "LOG2E",
    "MAX_TAPS",
    "MOST_SHARE",
    "NEGLIGIBLE_WEIGHT",
    "TAN_22_5",
    "TAP_SLACK",
    "TILE",
    "UNIT",
    "UNIT_SQUARED",
    "c_literal",
    "shared_constants",
]

BACKGROUND_WEIGHT = math.exp(-20)  # of a mip's background in the blend
# The fade goes from 1 to 0 in this many cells before the edge of the 3x3 cells; at most 1, or it would begin in the
# Gaussian's own cell, where gstex.glsl takes it as 1.
FADE_WIDTH = 0.5
FADE_SLOPE = 1 / FADE_WIDTH
TAN_22_5 = math.tan(math.pi / 8)  # of half the largest rotation
LOG2E = math.log2(math.e)  # weights are computed with exp2
# A distance in sigmas is multiplied by UNIT, so that a weight is 2^(amplitude - u^2 - v^2).
UNIT_SQUARED = LOG2E / 2
UNIT = math.sqrt(UNIT_SQUARED)
# The cost of a removal takes the share of a Gaussian in a texel as at most this: a share of 1 would leave nothing.
MOST_SHARE = 0.999

# A weight below this share of the sum so far may be left out: 4096 of them shift a value by 1/4096 at most.
NEGLIGIBLE_WEIGHT = 2.0**-24

MAX_TAPS = 8  # along the long axis of a footprint
# A footprint that is longer than n of its widths by at most this takes n taps. Without it, equal axes with a rounding
# error become 2 taps of half the size.
TAP_SLACK = 1 / 64

TILE = 8  # texels along an edge of a tile, which is decoded or fitted at once


def shared_constants() -> dict[str, int | float]:
    """Name in CUDA (without its GSTEX_) -> value, in a fixed order."""
    return {
        "BACKGROUND_WEIGHT": BACKGROUND_WEIGHT,
        "FADE_SLOPE": FADE_SLOPE,
        "TAN_22_5": TAN_22_5,
        "LOG2E": LOG2E,
        "UNIT": UNIT,
        "UNIT_SQUARED": UNIT_SQUARED,
        "MOST_SHARE": MOST_SHARE,
        "NEGLIGIBLE_WEIGHT": NEGLIGIBLE_WEIGHT,
        "MAX_TAPS": MAX_TAPS,
        "TAP_SLACK": TAP_SLACK,
        "TILE": TILE,
        "MAX_PALETTES": MAX_PALETTES,
        "MAX_CANDIDATES": MAX_CANDIDATES,
        "MAX_CHANNELS": MAX_CHANNELS,
        "MAX_LEVELS": MAX_LEVELS,
        "MAX_TOP_K": MAX_TOP_K,
        "MAX_GROUPS": MAX_GROUPS,
        "HEADER_FIXED_WORDS": HEADER_FIXED_WORDS,
        "CHANNEL_ENTRY_WORDS": CHANNEL_ENTRY_WORDS,
        "GROUP_FIXED_WORDS": GROUP_FIXED_WORDS,
        "CONSTANT_GROUP": CONSTANT_GROUP,
        "BEND_UNIT": BEND_UNIT,
        "LEVEL_ENTRY_WORDS": LEVEL_ENTRY_WORDS,
        "RAW_BIT": RAW_BIT,
        "SHARED_BIT": SHARED_BIT,
    }


def c_literal(value: int | float) -> str:
    """A literal of C: a float as the nearest float32, which is read back as the same."""
    return str(value) if isinstance(value, int) else f"{np.float32(value)!s}f"
