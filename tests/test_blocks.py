"""The encoders of BC blocks: the same blocks from GLSL and CUDA, and none worse than by the textbook."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from bc_blocks import FORMATS, blocks_of_all_kinds, decode_blocks, encode_by_cuda, encode_by_glsl, plain_error
from glsl_runner import context_or_skip

from gstex.resources import source_path

BLOCKS = blocks_of_all_kinds()
OPAQUE = np.concatenate([BLOCKS[:, :, :3], np.full((*BLOCKS.shape[:2], 1), 255, np.uint8)], axis=2)


@pytest.fixture(scope="module")
def context() -> Iterator[None]:
    with context_or_skip():
        yield


def texels_for(name: str) -> np.ndarray:
    return OPAQUE if name == "bc7 opaque" else BLOCKS


def errors(encoded: np.ndarray, blocks: np.ndarray, name: str) -> np.ndarray:
    """Squared error of every block, over the channels that the format holds."""
    channels = FORMATS[name][2]
    return ((decode_blocks(encoded, name)[:, :, :channels] - blocks[:, :, :channels]) ** 2).sum(axis=(1, 2))


@pytest.mark.parametrize("name", FORMATS)
def test_glsl_writes_the_same_blocks_as_cuda(name: str, context: None) -> None:
    np.testing.assert_array_equal(encode_by_glsl(texels_for(name), name), encode_by_cuda(texels_for(name), name))


@pytest.mark.parametrize("name", FORMATS)
def test_no_block_is_worse_than_by_the_textbook(name: str) -> None:
    blocks = texels_for(name)
    found = errors(encode_by_cuda(blocks, name), blocks, name)
    channels = FORMATS[name][2]
    plain = np.array([plain_error(block[:, :channels], name) for block in blocks])
    # The textbook looks for the nearest value, BC7 here for the nearest point on a line of rounded values: in 15 steps
    # that costs one code a texel and channel at most.
    slack = 1.2 * 16 * channels if name.startswith("bc7") else 1e-3
    assert (found <= plain + slack).all(), (found - plain).max()
    assert found.sum() < (0.4 if name.startswith("bc7") else 0.9) * plain.sum()


@pytest.mark.parametrize("name, most", [("bc1", 3.0), ("bc4", 0.0), ("bc5", 0.0), ("bc7", 1.0), ("bc7 opaque", 1.0)])
def test_an_even_block_is_as_near_as_codes_allow(name: str, most: float) -> None:
    blocks = texels_for(name)
    even = blocks[(blocks == blocks[:, :1]).all(axis=(1, 2))]
    assert len(even) > 100
    off = decode_blocks(encode_by_cuda(even, name), name)[:, :, : FORMATS[name][2]] - even[:, :, : FORMATS[name][2]]
    assert np.abs(off).max() <= most


def test_an_opaque_block_of_a_map_with_alpha_stays_opaque() -> None:
    opaque = BLOCKS[(BLOCKS[:, :, 3] == 255).all(axis=1)]
    assert len(opaque) > 100
    assert (decode_blocks(encode_by_cuda(opaque, "bc7"), "bc7")[:, :, 3] == 255).all()
    assert (decode_blocks(encode_by_cuda(OPAQUE, "bc7 opaque"), "bc7")[:, :, 3] >= 254).all()


def test_bc7_uses_all_its_modes_and_parts() -> None:
    words = encode_by_cuda(BLOCKS, "bc7")[:, 0]
    modes = np.array([int(word & -word).bit_length() - 1 for word in words.astype(np.int64)])
    assert set(modes.tolist()) == {1, 3, 4, 5, 6, 7}
    rotations = {int(word >> 6 & 3) for word in words[modes == 5]}
    assert rotations == {0, 1, 2, 3}


def test_every_shape_of_bc7_is_that_of_a_decoder() -> None:
    """A wrong bit of a shape or a wrong anchor puts texels far off: two ramps in each of the 64 shapes of the text."""
    masks = re.findall(r"0x([0-9A-F]{4})u", source_path("shaders/bc7.glsl").read_text())
    assert len(masks) == 64
    blocks, steps = np.zeros((64, 16, 4), np.uint8), np.arange(16)
    for block, mask in zip(blocks, masks, strict=True):
        second = (int(mask, 16) >> steps & 1).astype(bool)
        block[:] = np.where(second[:, None], [200, 20, 90, 255], [10, 120, 240, 255])
        block[:, 0] += (5 * (steps * 7 % 8) * second).astype(np.uint8)
        block[:, 2] -= (5 * (steps * 5 % 8) * ~second).astype(np.uint8)
    encoded = encode_by_cuda(blocks, "bc7 opaque")
    assert errors(encoded, blocks, "bc7 opaque").max() < 16 * 3 * 4  # wrong texels are 100 off
    words = encoded[:, 0].astype(np.int64)
    found = np.where(words & 3 == 2, words >> 2, words >> 4) & 63  # of modes 1 and 3
    assert (((words & 3 == 2) | (words & 15 == 8)) & (found == np.arange(64))).all()
