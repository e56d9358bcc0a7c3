"""The random-access decoder on the CPU: any position from the words of a GPU section, as a shader does it.

This is docs/format.md, "Decoding a position", line by line: it reads the packed words as they are, builds no
lists, and is the model for every other decoder. `words` must have been validated (gstex.format).
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from . import constants
from .exp2 import exp2_f32
from .format.layout import (
    HEADER_FIXED_WORDS,
    LEVEL_ENTRY_WORDS,
    MAX_CHANNELS,
    MAX_PALETTES,
    RAW_BIT,
    SHARED_BIT,
)

F = np.float32
U = np.uint32
LOG2E = F(constants.LOG2E)
HALF_LOG2E = F(0.5 * constants.LOG2E)
BACKGROUND_WEIGHT = F(constants.BACKGROUND_WEIGHT)
TAN_22_5 = F(constants.TAN_22_5)


class _Header(NamedTuple):
    """What the header says about channels and palettes, as integers: read once for a position.

    varying: a bit for every channel. own_bits: channel_bits, 4 bits each. ranges: word of channel_lo[0].
    palettes: word of the first palette. palette_bits: 4 bits each. entry_words: of an entry, or a texel of a raw mip.
    """

    channels: int
    varying: int
    own_bits: int
    ranges: int
    palettes: int
    palette_bits: int
    entry_words: int


@njit(cache=True, inline="always")
def _bits(word, first, count):
    return (np.int64(word) >> first) & ((1 << count) - 1)


@njit(cache=True, inline="always")
def _field(words, bit, count):
    """`count` (at most 15) bits from bit position `bit`; the guard word makes the second load safe.

    A field of 0 bits may stand behind the last record, where nothing may be loaded.
    """
    if count == 0:
        return 0
    at, shift = bit >> 5, bit & 31
    both = np.uint64(words[at]) | (np.uint64(words[at + 1]) << np.uint64(32))
    return np.int64(both >> np.uint64(shift)) & ((1 << count) - 1)


@njit(cache=True, inline="always")
def _read_header(words):
    channels = _bits(words[3], 0, 8)
    ranges = HEADER_FIXED_WORDS + _bits(words[3], 8, 8)
    own_bits = np.int64(words[ranges + 2 * channels])
    if channels > 8:
        own_bits |= np.int64(words[ranges + 2 * channels + 1]) << 32
    varying = _bits(words[9], 16, 16)
    varying_count = 0
    for c in range(channels):
        varying_count += _bits(varying, c, 1)
    entry_words = (varying_count + 3) >> 2
    return _Header(channels, varying, own_bits, ranges, np.int64(words[8]), _bits(words[10], 0, 16), entry_words)


@njit(cache=True, inline="always")
def _cell_start(words, regular, index, cell):
    """Number of Gaussians of the level before `cell`, from the groups of 16 cells at word `index`."""
    if regular:
        return cell
    group = index + 3 * (cell >> 4)
    inside = cell & 15
    base = np.int64(words[group])
    if base >> 31:
        pair = np.int64(words[index + np.int64(words[group + 1]) + (inside >> 1)])
        return (base & 0x7FFFFFFF) + ((pair >> (16 * (inside & 1))) & 0xFFFF)
    for i in range(inside):
        base += (np.int64(words[group + 1 + (i >> 3)]) >> (4 * (i & 7))) & 15
    return base


@njit(cache=True, inline="always")
def _fade(distance):
    f = min(max(F(2) * (F(1.5) - abs(distance - F(0.5))), F(0)), F(1))
    return f * f * (F(3) - F(2) * f)


@njit(cache=True, inline="always")
def _inside(i, size, repeat):
    """Column or row of a texel beside the border, wrapped or clamped."""
    if repeat:
        return i % size
    return min(max(i, 0), size - 1)


@njit(cache=True)
def _evaluate_raw(words, floats, mip, width, height, texel, x, y, value):
    """A texel of a raw mip, or the four around a point blended bilinearly, into value [C]."""
    header, repeat = _read_header(words), _bits(words[3], 24, 1)
    texels = np.int64(words[HEADER_FIXED_WORDS + mip]) + 2
    if texel:
        left, top, fraction_x, fraction_y = np.int64(x), np.int64(y), F(0), F(0)
    else:
        left, top = np.int64(math.floor(x - F(0.5))), np.int64(math.floor(y - F(0.5)))
        fraction_x, fraction_y = x - F(0.5) - F(left), y - F(0.5) - F(top)
    column = _inside(left, width, repeat), _inside(left + 1, width, repeat)
    row = _inside(top, height, repeat), _inside(top + 1, height, repeat)
    k = 0
    for c in range(header.channels):
        if not _bits(header.varying, c, 1):
            value[c] = min(max(floats[header.ranges + 2 * c], F(0)), F(1))
            continue
        value[c] = F(0)
        for j in range(2):
            for i in range(2):
                at = texels + (row[j] * width + column[i]) * header.entry_words + (k >> 2)
                weight = (fraction_x if i else F(1) - fraction_x) * (fraction_y if j else F(1) - fraction_y)
                value[c] += weight * F(_bits(words[at], 8 * (k & 3), 8)) / F(255)
        k += 1


@njit(cache=True)
def _evaluate(words, floats, mip, width, height, texel, x, y, value, best_weight, best_bit, codes):
    """Blend at one position into value [C]; returns the number of candidates.

    texel: True if (x, y) are integer texel coordinates (fetch), False if they are a point in texels (sample).
    best_weight, best_bit, codes: scratch of top_k, top_k and 16 entries.
    """
    header = _read_header(words)
    top_k, repeat = _bits(words[3], 16, 8), _bits(words[3], 24, 1)
    amplitude_lo, amplitude_step = floats[5], floats[6]
    block = np.int64(words[HEADER_FIXED_WORDS + mip])
    if np.int64(words[block]) & RAW_BIT:
        _evaluate_raw(words, floats, mip, width, height, texel, x, y, value)
        return 0
    # Cell sizes are in texels of the mip whose Gaussians these are.
    own_width, own_height, widened = F(width), F(height), F(0)
    if np.int64(words[block]) & SHARED_BIT:
        own_width, own_height = F(_bits(words[2], 0, 16)), F(_bits(words[2], 16, 16))
        widened = floats[block + 1] * floats[block + 1]
        block = np.int64(words[HEADER_FIXED_WORDS])
    background = block + 2
    entry = background + header.channels

    total = BACKGROUND_WEIGHT
    for c in range(header.channels):
        value[c] = BACKGROUND_WEIGHT * floats[background + c]
    if not texel:
        if repeat:
            x -= F(width) * F(math.floor(x / F(width)))
            y -= F(height) * F(math.floor(y / F(height)))
        x, y = min(max(x, F(0)), F(width)), min(max(y, F(0)), F(height))
    candidates, kept = 0, 0
    for _ in range(_bits(words[block], 0, 8)):
        nx, ny = _bits(words[entry], 0, 16), _bits(words[entry], 16, 16)
        index, records = np.int64(words[entry + 1]), np.int64(words[entry + 2])
        widths = words[entry + 4]
        stride, x_bits, y_bits = _bits(widths, 0, 9), _bits(widths, 9, 4), _bits(widths, 13, 4)
        rotation_bits, scale_bits, amplitude_bits = _bits(widths, 17, 4), _bits(widths, 21, 4), _bits(widths, 25, 4)
        regular = _bits(widths, 29, 1)
        scale_lo, scale_step = floats[entry + 5], floats[entry + 6]
        entry += LEVEL_ENTRY_WORDS
        if texel:
            kx, ky = (2 * np.int64(x) + 1) * nx, (2 * np.int64(y) + 1) * ny
            cell_x, cell_y = kx // (2 * width), ky // (2 * height)
            fraction_x = F(kx % (2 * width)) / F(2 * width)
            fraction_y = F(ky % (2 * height)) / F(2 * height)
        else:
            qx, qy = x * (F(nx) / F(width)), y * (F(ny) / F(height))
            cell_x, cell_y = min(np.int64(qx), nx - 1), min(np.int64(qy), ny - 1)
            fraction_x, fraction_y = qx - F(cell_x), qy - F(cell_y)
        cell_width, cell_height = own_width / F(nx), own_height / F(ny)
        for j in range(-1, 2):
            row = cell_y + j
            if repeat:
                row = row - ny if row >= ny else (row + ny if row < 0 else row)
            elif row < 0 or row >= ny:
                continue
            for i in range(-1, 2):
                column = cell_x + i
                if repeat:
                    column = column - nx if column >= nx else (column + nx if column < 0 else column)
                elif column < 0 or column >= nx:
                    continue
                cell = row * nx + column
                first = _cell_start(words, regular, index, cell)
                last = _cell_start(words, regular, index, cell + 1)
                if first == last:
                    continue
                candidates += last - first
                fade = _fade(fraction_x - F(i)) * _fade(fraction_y - F(j))
                for r in range(first, last):
                    bit = 32 * records + r * stride
                    px = (F(_field(words, bit, x_bits)) + F(0.5)) / F(1 << x_bits)
                    bit += x_bits
                    py = (F(_field(words, bit, y_bits)) + F(0.5)) / F(1 << y_bits)
                    bit += y_bits
                    h = F(0)
                    if rotation_bits:
                        half = F(1 << (rotation_bits - 1))
                        h = (F(_field(words, bit, rotation_bits)) - half) * (TAN_22_5 / half)
                    bit += rotation_bits
                    norm = F(1) / (F(1) + h * h)
                    cos, sin = (F(1) - h * h) * norm, F(2) * h * norm
                    a = exp2_f32(scale_lo + F(_field(words, bit, scale_bits)) * scale_step)
                    bit += scale_bits
                    b = exp2_f32(scale_lo + F(_field(words, bit, scale_bits)) * scale_step)
                    bit += scale_bits
                    amplitude = amplitude_lo + F(_field(words, bit, amplitude_bits)) * amplitude_step
                    bit += amplitude_bits
                    dx = (fraction_x - F(i) - px) * cell_width
                    dy = (fraction_y - F(j) - py) * cell_height
                    if widened > F(0):
                        a /= math.sqrt(F(1) + a * a * widened)
                        b /= math.sqrt(F(1) + b * b * widened)
                    u, v = a * (cos * dx + sin * dy), b * (cos * dy - sin * dx)
                    weight = exp2_f32(amplitude * LOG2E - HALF_LOG2E * (u * u + v * v)) * fade
                    if top_k == 0:
                        total += weight
                        _add(words, floats, header, bit, weight, value, codes)
                    else:
                        kept = _insert(weight, bit, kept, top_k, best_weight, best_bit)
    for k in range(kept):
        total += best_weight[k]
        _add(words, floats, header, best_bit[k], best_weight[k], value, codes)
    for c in range(header.channels):
        value[c] = value[c] / total if _bits(header.varying, c, 1) else floats[header.ranges + 2 * c]
        value[c] = min(max(value[c], F(0)), F(1))
    return candidates


@njit(cache=True, inline="always")
def _add(words, floats, header, bit, weight, value, codes):
    """Add weight * features of the record whose palette entries start at `bit`. codes: scratch."""
    for k in range(4 * header.entry_words):
        codes[k] = 0
    palette = header.palettes
    for p in range(MAX_PALETTES):
        count = _bits(header.palette_bits, 4 * p, 4)
        if count == 0:
            break
        entry = palette + _field(words, bit, count) * header.entry_words
        for k in range(4 * header.entry_words):
            codes[k] += _bits(words[entry + (k >> 2)], 8 * (k & 3), 8)
        palette += header.entry_words << count
        bit += count
    k = 0
    for c in range(header.channels):
        if _bits(header.varying, c, 1):
            count = _bits(header.own_bits, 4 * c, 4)
            code = codes[k] + _field(words, bit, count)
            value[c] += weight * (floats[header.ranges + 2 * c] + F(code) * floats[header.ranges + 2 * c + 1])
            bit += count
            k += 1


@njit(cache=True, inline="always")
def _before(weight, bit, other_weight, other_bit):
    return weight > other_weight or (weight == other_weight and bit < other_bit)


@njit(cache=True, inline="always")
def _insert(weight, bit, kept, top_k, best_weight, best_bit):
    """Keep the top_k largest weights, sorted; of equal ones those earlier in the file."""
    if kept == top_k and not _before(weight, bit, best_weight[kept - 1], best_bit[kept - 1]):
        return kept
    at = min(kept, top_k - 1)
    while at > 0 and _before(weight, bit, best_weight[at - 1], best_bit[at - 1]):
        best_weight[at], best_bit[at] = best_weight[at - 1], best_bit[at - 1]
        at -= 1
    best_weight[at], best_bit[at] = weight, bit
    return min(kept + 1, top_k)


@njit(cache=True, parallel=True)
def _decode_mip(words, floats, mip, width, height, out, candidates):
    for j in prange(height):
        best_weight, best_bit = np.empty(33, np.float32), np.empty(33, np.int64)
        codes = np.empty(MAX_CHANNELS, np.int64)
        for i in range(width):
            candidates[j, i] = _evaluate(
                words, floats, mip, width, height, True, F(i), F(j), out[j, i], best_weight, best_bit, codes
            )


@njit(cache=True, parallel=True)
def _sample_mip(words, floats, mip, width, height, uv, out):
    for m in prange(len(uv)):
        best_weight, best_bit = np.empty(33, np.float32), np.empty(33, np.int64)
        codes = np.empty(MAX_CHANNELS, np.int64)
        x, y = uv[m, 0] * F(width), uv[m, 1] * F(height)
        _evaluate(words, floats, mip, width, height, False, x, y, out[m], best_weight, best_bit, codes)


def shape(words: np.ndarray, mip: int) -> tuple[int, int, int]:
    """(height, width, channels) of a mip."""
    width, height = int(words[2]) & 0xFFFF, int(words[2]) >> 16
    return max(1, height >> mip), max(1, width >> mip), int(words[3]) & 0xFF


def decode_mip(words: np.ndarray, mip: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Fetch every texel.

    Args:
        words: uint32, a validated GPU section.
        mip: level of detail, 0 .. mip count - 1.

    Returns:
        (values float32 [H, W, C] in 0..1, row 0 = top; candidates int32 [H, W], Gaussians visible at each texel).
    """
    height, width, channels = shape(words, mip)
    out = np.empty((height, width, channels), np.float32)
    candidates = np.empty((height, width), np.int32)
    _decode_mip(words, words.view(np.float32), mip, width, height, out, candidates)
    return out, candidates


def sample_mip(words: np.ndarray, uv: np.ndarray, mip: int = 0) -> np.ndarray:
    """Evaluate a mip directly at uv [M, 2] (0..1 across the texture, v down) -> float32 [M, C]."""
    height, width, channels = shape(words, mip)
    out = np.empty((len(uv), channels), np.float32)
    _sample_mip(words, words.view(np.float32), mip, width, height, np.ascontiguousarray(uv, np.float32), out)
    return out
