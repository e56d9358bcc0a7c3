"""The bound of `bench.py bound` on sources whose rate is known."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import benches.bound

SIDE = 256


def noise(strength=0.1, channels=2):
    """White noise float32 [SIDE, SIDE, channels] about 1/2."""
    rng = np.random.default_rng(1)
    return (0.5 + strength * rng.standard_normal((SIDE, SIDE, channels))).astype(np.float32)


def bits(pixels, error):
    squares = benches.bound._squares(SimpleNamespace(pixels=pixels))
    return benches.bound._bits(squares.mean(axis=2, keepdims=True), error)


def test_white_noise_needs_a_bit_for_each_value_at_half_the_deviation():
    # The rate is log2(deviation / error) for each of the 2 values of a texel.
    assert bits(noise(), 0.05**2) == pytest.approx(2.0, abs=0.01)


def test_a_copied_channel_and_a_constant_cost_nothing():
    pixels = noise(channels=1)
    three = np.concatenate([pixels, pixels, np.full_like(pixels, 0.25)], axis=2)
    # The principal axis has twice the variance; the error of both channels may lie in it.
    assert bits(three, 0.05**2) == pytest.approx(bits(pixels, 0.05**2), abs=1e-3)


def test_an_error_as_large_as_the_picture_needs_no_bits():
    assert bits(noise(), 0.2**2) == pytest.approx(0.0, abs=1e-6)


def test_what_is_quiet_in_one_half_is_known_to_the_local_bound_alone():
    pixels = noise()
    pixels[:, : SIDE // 2] = 0.5 + (pixels[:, : SIDE // 2] - 0.5) / 100
    squares = benches.bound._squares(SimpleNamespace(pixels=pixels))
    whole = benches.bound._bits(squares.mean(axis=2, keepdims=True), 0.025**2)
    local = benches.bound._bits(benches.bound._local(squares), 0.025**2)
    # Half of the texels need log2(0.1 / e) for each of two values, where e^2 / 2 is the error of all.
    assert local == pytest.approx(np.log2(0.1 / (0.025 * np.sqrt(2))), abs=0.05)
    assert whole > 1.2 * local
