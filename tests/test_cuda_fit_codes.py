"""Codes and palette entries that GPU kernels choose, run on the CPU: those of Quantiser, and by hand."""

from dataclasses import replace

import numpy as np
import pytest
from cuda_devices import DEVICE, each_device  # noqa: F401
from random_gaussians import random_geometry

from gstex.encode.cell_pyramid import keep_inside, make_pyramid, place
from gstex.encode.ops.cpu import codebooks as palettes
from gstex.encode.ops.cpu.codebooks import store
from gstex.encode.ops.cpu.quantisation import Quantiser
from gstex.encode.ops.cuda import codebooks as gpu_codebooks
from gstex.encode.ops.cuda.quantisation import GpuQuantiser
from gstex.encode.quantisation import Precision, make_coding

PRECISION = Precision(position_step=0.2, rotation_bits=6, scale_bits=6, amplitude_bits=4, feature_step=1 / 40)
SCENES = [(64, 64, 3000, True), (37, 90, 1000, False), (1, 1, 30, False), (300, 20, 1000, True)]


class Scene:
    def __init__(self, width, height, count, *, repeat, seed=0, channels=3):
        rng = np.random.default_rng(seed)
        self.pyramid = make_pyramid(width, height, repeat=repeat, cell=7.0)
        self.geometry = random_geometry(rng, count, width, height, sigma=(0.4, 12.0))
        keep_inside(self.pyramid, self.geometry, sigma_min=0.3)
        self.placement = place(self.pyramid, self.geometry)
        self.features = rng.random((count, channels)).astype(np.float32)
        ranges = [(float(f.min()), float(f.max())) for f in self.features.T]
        neutral = [(128 / 255,)] * channels
        self.coding = make_coding(self.pyramid, self.placement, self.geometry, PRECISION, ranges, neutral)
        # A fit goes on after the ranges are chosen.
        self.geometry += rng.normal(0, 0.2, self.geometry.shape).astype(np.float32)
        self.features += rng.normal(0, 0.05, self.features.shape).astype(np.float32)


@pytest.mark.parametrize("width, height, count, repeat", SCENES)
def test_geometry_codes_are_those_of_the_cpu(width, height, count, repeat):
    scene = Scene(width, height, count, repeat=repeat)
    cpu, gpu = Quantiser(scene.coding, scene.placement), GpuQuantiser(DEVICE, scene.coding, scene.placement)
    expected, turns = cpu.encode(scene.geometry)
    found = gpu.encode(scene.geometry)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], turns)
    assert len(np.unique(turns % 4)) == 4 or count < 1000
    # What they mean, in the order of the ideal parameters and in that of the file.
    meant = cpu.decode(expected, turns)
    np.testing.assert_allclose(gpu.decode(*found), meant, rtol=1e-6, atol=1e-6)
    meant = cpu.decode(expected)
    np.testing.assert_allclose(gpu.decode(found[0]), meant, rtol=1e-6, atol=1e-6)


def test_45_degrees_is_the_first_code_with_the_scales_swapped():
    scene = Scene(64, 64, 4, repeat=True)
    scene.geometry[:, 2] = np.array([1, 3, 5, -1]) * np.pi / 4 - 1e-6
    cpu, gpu = Quantiser(scene.coding, scene.placement), GpuQuantiser(DEVICE, scene.coding, scene.placement)
    expected, turns = cpu.encode(scene.geometry)
    assert (expected[:, 2] == 0).any()
    found = gpu.encode(scene.geometry)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], turns)


@pytest.mark.parametrize("width, height, count, repeat", SCENES)
def test_rounding_is_decoding_what_was_encoded(width, height, count, repeat):
    scene = Scene(width, height, count, repeat=repeat)
    cpu, gpu = Quantiser(scene.coding, scene.placement), GpuQuantiser(DEVICE, scene.coding, scene.placement)
    ideal, rounded = scene.geometry.copy(), np.empty_like(scene.geometry)
    gpu.round(ideal, rounded)
    cpu.keep_inside(scene.geometry)
    np.testing.assert_array_equal(ideal, scene.geometry)
    np.testing.assert_allclose(rounded, cpu.decode(*cpu.encode(scene.geometry)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 16])
def test_feature_codes_are_those_of_the_cpu(channels):
    scene = Scene(37, 90, 1000, repeat=False, channels=channels)
    expected, gpu = store(scene.coding, scene.features), GpuQuantiser(DEVICE, scene.coding, scene.placement)
    codes, rounded = gpu.round_features(scene.features)
    np.testing.assert_array_equal(codes, expected.codes)
    np.testing.assert_array_equal(rounded, expected.values())
    out = np.empty_like(codes), np.empty_like(rounded)
    assert gpu.round_features(scene.features, out=out)[1] is out[1]
    np.testing.assert_array_equal(out[0], codes)
    np.testing.assert_array_equal(out[1], rounded)


# Palettes


def with_palettes(scene, sizes, bits, *, seed=1):
    """The scene's coding with random palettes of these sizes and channel bits."""
    rng = np.random.default_rng(seed)
    channels = scene.features.shape[1]
    top = 255 // len(sizes)
    palettes = tuple(rng.integers(0, top >> p, (k, channels)).astype(np.uint8) for p, k in enumerate(sizes))
    return replace(
        scene.coding,
        channel_lo=np.full(channels, -0.1, np.float32),
        channel_step=np.array([1 / 200, 1 / 100, 1 / 400], np.float32),
        channel_bits=np.array(bits),
        palettes=palettes,
    )


def cost(coding, features, entries, codes):
    """The squared distance of every Gaussian, in values."""
    whole = codes + sum(p[entries[:, i]].astype(np.int64) for i, p in enumerate(coding.palettes))
    return ((features - coding.channel_lo - coding.channel_step * whole) ** 2).sum(axis=1)


SIZES = [
    ((256,), (0, 0, 0)), ((300, 2), (0, 0, 0)), ((64, 32, 16), (0, 0, 0)), ((64, 32), (3, 0, 1)),
    ((4, 4, 4, 4), (2, 2, 0)),
]  # fmt: skip


@pytest.mark.parametrize("sizes, bits", SIZES)
def test_entries_are_those_of_the_cpu(sizes, bits):
    scene = Scene(37, 90, 500, repeat=False)
    coding = with_palettes(scene, sizes, bits)
    quantiser = GpuQuantiser(DEVICE, coding, scene.placement)
    found = quantiser.choose_entries(scene.features)
    assert found.dtype == np.uint32 and (found < np.array(sizes)).all()
    expected = store(coding, scene.features)
    # Of entries that are equally near but for a rounding, float32 may take the other one, and go on from there.
    assert (found == expected.entries).all(axis=1).mean() > 0.98
    here = cost(coding, scene.features, found, quantiser.round_features(scene.features, found)[0])
    there = cost(coding, scene.features, expected.entries, expected.codes)
    assert here.sum() == pytest.approx(there.sum(), rel=1e-3)


def test_entries_start_where_they_are_told():
    scene = Scene(37, 90, 500, repeat=False)
    quantiser = GpuQuantiser(DEVICE, with_palettes(scene, (64, 32, 16), (0, 0, 0)), scene.placement)
    rng = np.random.default_rng(1)
    start = rng.integers(0, 16, (500, 3)).astype(np.uint32)
    before = start.copy()
    found = quantiser.choose_entries(scene.features, start)
    np.testing.assert_array_equal(start, before)
    assert (found != quantiser.choose_entries(scene.features)).any()


def test_the_lower_of_two_equal_entries_is_taken():
    scene = Scene(37, 90, 200, repeat=False)
    coding = with_palettes(scene, (300,), (0, 0, 0))
    coding.palettes[0][150:] = coding.palettes[0][:150]
    assert GpuQuantiser(DEVICE, coding, scene.placement).choose_entries(scene.features).max() < 150


def test_codes_hold_what_entries_leave():
    scene = Scene(37, 90, 500, repeat=False)
    coding = with_palettes(scene, (64, 8), (4, 0, 2))
    quantiser = GpuQuantiser(DEVICE, coding, scene.placement)
    entries = quantiser.choose_entries(scene.features)
    codes, rounded = quantiser.round_features(scene.features, entries)
    bytes_ = sum(p[entries[:, i]].astype(np.float64) for i, p in enumerate(coding.palettes))
    last = 2**coding.channel_bits - 1
    wanted = (scene.features - coding.channel_lo) / coding.channel_step
    np.testing.assert_array_equal(codes, np.clip(np.rint(wanted - bytes_), 0, last))
    assert codes[:, 1].max() == 0 and codes[:, 0].max() == 15
    expected = coding.channel_lo + coding.channel_step * (codes + bytes_)
    np.testing.assert_allclose(rounded, expected, rtol=1e-6, atol=1e-7)


def test_without_palettes_there_is_nothing_to_choose():
    scene = Scene(37, 90, 20, repeat=False)
    assert GpuQuantiser(DEVICE, scene.coding, scene.placement).choose_entries(scene.features).shape == (20, 0)


# Training of palettes


@pytest.mark.parametrize("bits", [(4,), (5, 3)])
def test_palettes_are_trained_as_on_the_cpu(bits):
    rng = np.random.default_rng(3)
    values = (rng.normal(0, 0.02, (700, 3)) + rng.random((20, 3))[rng.integers(0, 20, 700)]).astype(np.float32)
    weight = rng.random(700) ** 2
    expected = palettes.train(values, weight, bits, np.random.default_rng(5))
    found = gpu_codebooks.train(DEVICE, values, weight, bits, np.random.default_rng(5))

    def error(palettes, entries):
        rest = values - sum(p[entries[:, i]] for i, p in enumerate(palettes))
        return (weight * (rest**2).sum(axis=1)).sum()

    assert error(*found) == pytest.approx(error(*expected), rel=1e-3)
    assert [p.shape for p in found[0]] == [(2**b, 3) for b in bits]
    assert (found[1] == expected[1]).mean() > 0.98
    # k-means has found what is there: far below the spread of the values.
    assert error(*found) < 0.1 * (weight * ((values - values.mean(axis=0)) ** 2).sum(axis=1)).sum()


def test_palettes_with_more_entries_than_values():
    values = np.random.default_rng(3).random((10, 3)).astype(np.float32)
    found, entries = gpu_codebooks.train(DEVICE, values, np.ones(10), (4,), np.random.default_rng(5))
    np.testing.assert_allclose(found[0][entries[:, 0]], values, atol=1e-6)
