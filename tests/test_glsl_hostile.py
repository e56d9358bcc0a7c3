"""Buffers that no encoder writes: every loop of the decoder ends, and soon."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from glsl_materials import random_texture
from glsl_mips import decode_mips
from glsl_runner import context_or_skip

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from glsl_cost import count

MOST_CANDIDATES = 4096
LEVELS = 16
GROUPS = 4
# Words that a group of a texel may load: for each level the entry and three rows of up to 5 words and 3 cells of 5
# each, and a little for the headers, the mip and the channels; 2 for each candidate, and for its features up to 4 for
# each of 4 palettes, 4 for the numbers of their entries, and 4 for each of 4 fours of channels.
MOST_FIXED = LEVELS * (7 + 3 * (5 + 3 * 5)) + 128
MOST_FEATURES = 4 * 4 + 4 + 4 * 4
MOST_LOADS = (2 + MOST_FEATURES) * MOST_CANDIDATES + MOST_FIXED


@pytest.fixture(scope="module", autouse=True)
def context() -> Iterator[None]:
    with context_or_skip():
        yield


def header_of(words: np.ndarray, group: int = 0) -> int:
    """Where the header of a group stands."""
    return int(words[(int(words[1]) >> 16) - (int(words[3]) >> 16 & 7) + group])


def first_block(words: np.ndarray, group: int = 0) -> int:
    """Where mip 0 of a group stands."""
    return int(words[header_of(words, group) + 6])


def test_counts_beyond_the_limit_are_cut() -> None:
    """A level of 16x16 cells whose groups all use one block of prefixes, by which each cell holds 1000 Gaussians; the
    header allows any number."""
    words = random_texture(4).words.copy()
    entry = first_block(words) + 2 + int(words[header_of(words)] & 0xFFFF).bit_count()
    words[entry] = 16 | 16 << 16
    index, groups = int(words[entry + 1]), 17
    for group in range(groups):
        words[index + 3 * group : index + 3 * group + 3] = 1 << 31 | 16000 * group, 3 * groups, 0
    even = np.arange(8, dtype=np.uint32) * 2000
    words[index + 3 * groups : index + 3 * groups + 8] = even | (even + 1000) << 16
    words[header_of(words) + 3] = 0xFFFFFFFF
    counts = count(words, (2, 2))
    assert (counts.candidates == MOST_CANDIDATES).all()
    scored = counts.loads - MOST_FEATURES * counts.added
    assert (counts.loads > 2 * MOST_CANDIDATES).all() and (scored <= 2 * MOST_CANDIDATES + MOST_FIXED).all()


def test_the_header_bounds_the_candidates() -> None:
    """Those of each group."""
    words = random_texture(8, groups=2).words.copy()
    assert count(words).candidates.max() > 14 and count(words).added.max() > 14
    words[header_of(words, 0) + 3], words[header_of(words, 1) + 3] = 9, 5
    assert count(words).candidates.max() == 14 and count(words).added.max() <= 14


def test_levels_are_bounded() -> None:
    words = random_texture(4).words.copy()
    words[first_block(words)] = 255
    words[header_of(words) + 3] = 0  # no candidates, whatever the other levels are
    assert count(words, (8, 8)).loads.max() <= MOST_FIXED


def test_k_is_bounded() -> None:
    """The list of the heaviest has room for 32."""
    words = random_texture(4).words.copy()
    assert count(words).candidates.max() > 33
    decoded, kind = [], header_of(words)
    for top_k in (32, 33, 255):
        words[kind] = int(words[kind]) & 0xFF00FFFF | top_k << 16
        decoded.append(decode_mips(words, [0])[0])
    np.testing.assert_array_equal(decoded[1], decoded[0])
    np.testing.assert_array_equal(decoded[2], decoded[0])


def test_groups_are_bounded() -> None:
    """Seven of them, all the same."""
    words = random_texture(4).words.copy()
    once, header, end = count(words, (8, 8)), header_of(words), len(words)
    words = np.append(words, words[header : header + 64])  # what stands there is written over
    offsets = (int(words[1]) >> 16) - 1
    words[offsets : offsets + 7] = end
    words[1] = 2 | offsets + 7 << 16
    words[3] = int(words[3]) & 0xFFF8FFFF | 7 << 16
    found = count(words, (8, 8))
    np.testing.assert_array_equal(found.candidates, GROUPS * once.candidates)
    np.testing.assert_array_equal(found.added, GROUPS * once.added)


@pytest.mark.parametrize("first_mip", [6, 15])
def test_a_first_mip_beyond_the_last_is_the_last(first_mip: int) -> None:
    texture = random_texture(5, groups=2)
    words, last = texture.words.copy(), texture.mip_count - 1
    words[3] |= last << 26
    expected = decode_mips(words, [last])[0]
    words[3] |= first_mip << 26
    np.testing.assert_array_equal(decode_mips(words, [last])[0], expected)


@pytest.mark.parametrize("fill", [0xFFFFFFFF, 0x7FFFFFFF, 0x01010101])
def test_any_words_end(fill: int) -> None:
    """Everything behind the first words is nonsense: groups, levels, counts, K, widths and offsets at their largest."""
    words = np.full(4096, fill, np.uint32)
    words[2] = 64 | 64 << 16
    assert (count(words, (8, 8)).loads <= GROUPS * MOST_LOADS).all()
    words[3] = fill & 0xFF800000 | 4 | 4 << 8 | GROUPS << 16 | 4 << 19
    words[1] = 2 | 12 + GROUPS << 16
    words[12 : 12 + GROUPS] = 40  # the header of all groups
    words[46:50] = 100  # mips
    words[100] = 16  # a mip of Gaussians with all the levels there may be
    assert (count(words, (8, 8)).loads <= GROUPS * MOST_LOADS).all()


@pytest.mark.parametrize("offset, bits", [
    (0, 0x0006), (0, 0xFFFF), (11, 0xF0F0), (11, 0xFFFF_FFFF), (0xFFFF, 0x0006), (0xFFFF, 0xFFFF), (0x7FFFFFFF, 0xF0F0),
    (0x7FFFFFFF, 0xFFFF), (0xFFFFFFFF, 0xF0F0), (0xFFFFFFFF, 0xFFFF_FFFF),
])
def test_palettes_anywhere(offset: int, bits: int) -> None:
    """Palettes that begin in the header, beyond the words or nowhere, of any number of bits, and with gaps between
    them. What is looked at is the same."""
    words = random_texture(16).words.copy()
    without, header = count(words, (16, 16)), header_of(words)
    words[header + 4], words[header + 5] = offset, bits
    found = count(words, (16, 16))
    np.testing.assert_array_equal(found.candidates, without.candidates)
    np.testing.assert_array_equal(found.added, without.added)
    assert (found.loads <= without.loads + (4 * 4 + 2 * 2) * found.added).all()
    assert np.isfinite(decode_mips(words, [0])[0]).all()


def test_random_words_end() -> None:
    rng = np.random.default_rng(1)
    for i in range(8):
        words = random_texture(6, groups=1 + i % 3, palette_bits=(3, 4) if i % 2 else ()).words.copy()
        at = rng.integers(3, len(words), 40)
        words[at] = rng.integers(0, 2**32, 40, dtype=np.uint32)
        assert (count(words, (8, 8)).loads <= GROUPS * MOST_LOADS).all()
