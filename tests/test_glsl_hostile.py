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
# Words that a texel may load: for each level the entry and three rows of up to 5 words and 3 cells of 5 each, and a
# little for header and mip; 2 for each candidate, and for its features up to 4 for each of 4 palettes, 4 for the
# numbers of their entries, and 4 for each of 4 groups of channels.
MOST_FIXED = LEVELS * (7 + 3 * (5 + 3 * 5)) + 128
MOST_FEATURES = 4 * 4 + 4 + 4 * 4
MOST_LOADS = (2 + MOST_FEATURES) * MOST_CANDIDATES + MOST_FIXED


@pytest.fixture(scope="module", autouse=True)
def context() -> Iterator[None]:
    with context_or_skip():
        yield


def test_counts_beyond_the_limit_are_cut() -> None:
    """A level of 16x16 cells whose groups all use one block of prefixes, by which each cell holds 1000 Gaussians; the
    header allows any number."""
    words = random_texture(4).words.copy()
    entry = int(words[11]) + 2 + 4
    words[entry] = 16 | 16 << 16
    index, groups = int(words[entry + 1]), 17
    for group in range(groups):
        words[index + 3 * group : index + 3 * group + 3] = 1 << 31 | 16000 * group, 3 * groups, 0
    even = np.arange(8, dtype=np.uint32) * 2000
    words[index + 3 * groups : index + 3 * groups + 8] = even | (even + 1000) << 16
    words[7] = 0xFFFFFFFF
    counts = count(words, (2, 2))
    assert (counts.candidates == MOST_CANDIDATES).all()
    scored = counts.loads - MOST_FEATURES * counts.added
    assert (counts.loads > 2 * MOST_CANDIDATES).all() and (scored <= 2 * MOST_CANDIDATES + MOST_FIXED).all()


def test_the_header_bounds_the_candidates() -> None:
    words = random_texture(4).words.copy()
    assert count(words).candidates.max() > 9 and count(words).added.max() > 9
    words[7] = 9
    assert count(words).candidates.max() == 9 and count(words).added.max() <= 9


def test_levels_are_bounded() -> None:
    words = random_texture(4).words.copy()
    words[int(words[11])] = 255
    words[7] = 0  # no candidates, whatever the other levels are
    assert count(words, (8, 8)).loads.max() <= MOST_FIXED


def test_k_is_bounded() -> None:
    """The list of the heaviest has room for 32."""
    words = random_texture(4).words.copy()
    assert count(words).candidates.max() > 33
    decoded = []
    for top_k in (32, 33, 255):
        words[3] = int(words[3]) & 0xFF00FFFF | top_k << 16
        decoded.append(decode_mips(words, [0])[0])
    np.testing.assert_array_equal(decoded[1], decoded[0])
    np.testing.assert_array_equal(decoded[2], decoded[0])


@pytest.mark.parametrize("fill", [0xFFFFFFFF, 0x7FFFFFFF, 0x01010101])
def test_any_words_end(fill: int) -> None:
    """Everything behind the first words is nonsense: levels, counts, K, widths and offsets at their largest."""
    words = np.full(4096, fill, np.uint32)
    words[2] = 64 | 64 << 16
    assert (count(words, (8, 8)).loads <= MOST_LOADS).all()
    words[3] = fill & 0xFFFF00FF | 4 << 8
    words[11:15] = 100
    words[100] = 16  # a mip of Gaussians with all the levels there may be
    assert (count(words, (8, 8)).loads <= MOST_LOADS).all()


@pytest.mark.parametrize("offset, bits", [
    (0, 0x0006), (0, 0xFFFF), (11, 0xF0F0), (11, 0xFFFF_FFFF), (0xFFFF, 0x0006), (0xFFFF, 0xFFFF), (0x7FFFFFFF, 0xF0F0),
    (0x7FFFFFFF, 0xFFFF), (0xFFFFFFFF, 0xF0F0), (0xFFFFFFFF, 0xFFFF_FFFF),
])
def test_palettes_anywhere(offset: int, bits: int) -> None:
    """Palettes that begin in the header, beyond the words or nowhere, of any number of bits, and with gaps between
    them; all 16 channels vary. What is looked at is the same."""
    words = random_texture(16).words.copy()
    words[9] = 0xFFFF0000
    without = count(words, (16, 16))
    words[8], words[10] = offset, bits
    found = count(words, (16, 16))
    np.testing.assert_array_equal(found.candidates, without.candidates)
    np.testing.assert_array_equal(found.added, without.added)
    assert (found.loads <= without.loads + (4 * 4 + 2 * 2) * found.added).all()
    assert np.isfinite(decode_mips(words, [0])[0]).all()


def test_random_words_end() -> None:
    rng = np.random.default_rng(1)
    for i in range(8):
        words = random_texture(3, palette_bits=(3, 4) if i % 2 else ()).words.copy()
        at = rng.integers(3, len(words), 40)
        words[at] = rng.integers(0, 2**32, 40, dtype=np.uint32)
        assert (count(words, (8, 8)).loads <= MOST_LOADS).all()
