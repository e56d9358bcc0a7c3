"""What is stored of the features: the nearest to given ones, and better ones for fixed shapes.

Errors are measured by a blend made afresh: the one of the kernels, and the float64 reference in torch.
"""

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from random_gaussians import random_scene
from reference.blend import blend

from gstex.encode.codebooks import to_grid
from gstex.encode.ops.cpu.codebooks import StoredFeatures, store, train
from gstex.encode.ops.cpu.refine_features import SMALL, refine_features
from gstex.encode.ops.cpu.sample_points import collect
from gstex.encode.ops.cpu.solve_features import solve_features
from gstex.encode.ops.cpu.view import CpuView, Importance, make_picture
from gstex.encode.quantisation import Precision, make_coding
from gstex.native import _core

PRECISION = Precision(position_step=0.2, rotation_bits=6, scale_bits=6, amplitude_bits=4, feature_step=1 / 40)


def coding_of(scene, *, palette_bits=(), channel_bits=None):
    """A coding of features in 0..1; channel_bits: of every channel's own codes, None for what make_coding gives."""
    channels = scene.features.shape[1]
    coding = make_coding(scene.pyramid, scene.placement, scene.geometry, PRECISION, [(0.0, 1.0)] * channels,
                         [(0.0, 1.0)] * channels, palette_bits=palette_bits)  # fmt: skip
    if palette_bits:
        trained, _ = train(scene.features, np.ones(len(scene.features)), palette_bits, np.random.default_rng(0))
        lo, step, palettes = to_grid(trained, [(0.0, 1.0)] * channels)
        coding = replace(coding, channel_lo=lo, channel_step=step, palettes=palettes)
    if channel_bits is not None:
        bits = np.full(channels, channel_bits)
        step = coding.channel_step if palette_bits else np.full(channels, 1 / (2**channel_bits - 1), np.float32)
        coding = replace(coding, channel_bits=bits, channel_step=step)
    return coding


class Case:
    """A random scene with what is stored of its features, at the texel centres."""

    def __init__(self, seed=0, *, count=40, channels=3, size=(20, 14), repeat=True, palette_bits=(), channel_bits=None):
        scene = random_scene(seed, *size, count, channels, repeat=repeat, sigma=(1.0, 6.0))
        backend = CpuView(scene.pyramid)
        backend.set_target(scene.wanted, scene.weight)
        backend.place(scene.placement, scene.geometry)
        # A picture that such Gaussians can show, and features that are near to its.
        picture = backend.render(*scene.parameters, np.zeros(2, np.float32))[0]
        noise = np.random.default_rng(seed).normal(0, 0.1, scene.features.shape)
        features = np.clip(scene.features + noise, 0, 1).astype(np.float32)
        self.scene = replace(scene, target=picture, features=features)
        backend.set_target(self.scene.wanted, scene.weight)
        self.coding = coding_of(self.scene, palette_bits=palette_bits, channel_bits=channel_bits)
        self.stored = store(self.coding, self.scene.features)
        self.points = collect(backend, [], 0.0, [])

    def blend(self, stored: StoredFeatures):
        return self.points.blend(self.scene.geometry, stored.values(), self.scene.background)

    def error(self, stored: StoredFeatures) -> float:
        return self.points.error(self.blend(stored))

    def true_error(self, stored: StoredFeatures) -> float:
        """By the reference, in float64 and without tiles."""
        scene, pyramid = self.scene, self.scene.pyramid
        y, x = np.mgrid[: pyramid.height, : pyramid.width] + 0.5
        parameters = [torch.tensor(a, dtype=torch.float64) for a in (scene.geometry, stored.values(), scene.background)]
        placement = torch.tensor(scene.placement, dtype=torch.int64)
        image = blend(*parameters, pyramid, placement, torch.tensor(np.stack([x.ravel(), y.ravel()], axis=1)))
        return float((scene.importance * (image.numpy().reshape(scene.target.shape) - scene.target) ** 2).sum())

    def improved(self, *, codebooks_too: bool, times: int = 1) -> StoredFeatures:
        stored = deepcopy(self.stored)
        for _ in range(times):
            refine_features(self.points, self.blend(stored), stored, codebooks_too=codebooks_too)
        return stored


PALETTES = [{"palette_bits": (4,)}, {"palette_bits": (3, 3)}, {"palette_bits": (3, 2, 2)},
            {"palette_bits": (3,), "channel_bits": 2}]  # fmt: skip


# Storing


def distance(stored: StoredFeatures, wanted: np.ndarray) -> np.ndarray:
    """Squared distances float64 [N]."""
    return ((stored.lo + stored.whole() * stored.step.astype(np.float64) - wanted) ** 2).sum(axis=1)


@pytest.mark.parametrize("channel_bits", [1, 3, 12])
def test_own_codes_are_the_nearest(channel_bits):
    case = Case(count=200, channel_bits=channel_bits)
    wanted = case.scene.features * 1.4 - 0.2  # beyond the ends too
    stored = store(case.coding, wanted)
    steps = (wanted - stored.lo) / stored.step.astype(np.float64)
    assert stored.codes.min() == 0 and stored.codes.max() == 2**channel_bits - 1 == stored.last[0]
    assert (np.abs(stored.codes - steps.clip(0, stored.last)) <= 0.5 + 1e-6).all()
    assert stored.entries.shape == (200, 0)
    np.testing.assert_allclose(stored.values(), stored.lo + stored.codes * stored.step, atol=1e-6)


def test_a_channel_of_one_value_has_code_0():
    case = Case(channel_bits=3)
    step = case.coding.channel_step * np.float32([1, 0, 1])
    stored = store(replace(case.coding, channel_step=step), case.scene.features)
    assert np.isfinite(stored.values()).all() and (stored.values()[:, 1] == stored.lo[1]).all()


@pytest.mark.parametrize("channel_bits", [None, 1, 4])
def test_with_one_palette_entry_and_codes_are_the_nearest(channel_bits):
    case = Case(count=120, palette_bits=(4,), channel_bits=channel_bits)
    wanted = np.random.default_rng(1).uniform(-0.2, 1.2, (120, 3)).astype(np.float32)
    stored = store(case.coding, wanted)
    assert (stored.codes >= 0).all() and (stored.codes <= stored.last).all()
    best = np.full(120, np.inf)
    for entry in stored.codebooks:
        rest = (wanted - stored.lo) / stored.step.astype(np.float64) - entry.astype(np.float64)
        rest -= np.clip(np.rint(rest), 0, stored.last)
        best = np.minimum(best, ((rest * stored.step) ** 2).sum(axis=1))
    np.testing.assert_allclose(distance(stored, wanted), best, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("palette_bits", [(3, 3), (3, 3, 2), (2, 2, 2, 2)])
def test_with_more_palettes_no_other_entry_of_one_is_nearer(palette_bits):
    """The best of all combinations is not searched for."""
    case = Case(count=150, palette_bits=palette_bits)
    wanted = case.scene.features
    stored = store(case.coding, wanted)
    now = distance(stored, wanted)
    for p, bits in enumerate(palette_bits):
        for entry in range(2**bits):
            trial = deepcopy(stored)
            trial.entries[:, p] = entry
            assert (distance(trial, wanted) >= now - 1e-6).all()


def test_what_was_stored_is_stored_again():
    for kind in [{}, *PALETTES[:1]]:
        case = Case(**kind)
        np.testing.assert_array_equal(store(case.coding, case.stored.values()).values(), case.stored.values())


# Improving


@pytest.mark.parametrize("seed", range(2))
def test_without_palettes_each_code_ends_as_the_best_of_all(seed):
    """Few Gaussians over each other: every code is tried, given all others."""
    case = Case(seed, count=6, channels=2, size=(9, 7), channel_bits=3)
    for codebooks_too in (False, True):
        stored = case.improved(codebooks_too=codebooks_too)
        assert case.true_error(stored) < case.true_error(case.stored)
        for g, c in product(range(6), range(2)):
            errors = []
            for code in range(8):
                trial = deepcopy(stored)
                trial.codes[g, c] = code
                errors.append(case.true_error(trial))
            assert errors[stored.codes[g, c]] <= min(errors) * (1 + 1e-5)


@pytest.mark.parametrize("channel_bits", [1, 3])
def test_one_gaussian_takes_the_best_code_there_is(channel_bits):
    case = Case(3, count=1, channels=2, size=(6, 5), channel_bits=channel_bits)
    stored = case.improved(codebooks_too=False)
    errors = {}
    for codes in product(range(2**channel_bits), repeat=2):
        trial = deepcopy(case.stored)
        trial.codes[0] = codes
        errors[codes] = case.true_error(trial)
    assert errors[tuple(stored.codes[0])] <= min(errors.values()) * (1 + 1e-6)


@pytest.mark.parametrize("kind, repeat", [(PALETTES[0], True), (PALETTES[1], False), (PALETTES[2], True),
                                          (PALETTES[3], False)])  # fmt: skip
def test_entries_and_bytes_lower_the_true_error(kind, repeat):
    for seed in range(3):
        case = Case(seed, repeat=repeat, **kind)
        before = case.true_error(case.stored)
        assert before == pytest.approx(case.error(case.stored), rel=1e-4)
        entries_alone = case.true_error(case.improved(codebooks_too=False))
        both = case.true_error(case.improved(codebooks_too=True))
        assert both < 0.9 * entries_alone < 0.9 * 0.9 * before


# Without codebooks there is nothing that codebooks_too could change.
@pytest.mark.parametrize("kind, codebooks_too", [
    ({"channel_bits": 2}, False), (PALETTES[0], True), (PALETTES[1], False), (PALETTES[2], True), (PALETTES[3], False),
    (PALETTES[3], True),
])
def test_no_sweep_raises_the_error(kind, codebooks_too):
    """From what is random, and from what is good already."""
    case = Case(5, **kind)
    rng = np.random.default_rng(6)
    case.stored.codes[:] = rng.integers(0, case.stored.last + 1, case.stored.codes.shape)
    case.stored.entries[:] = rng.integers(0, np.diff(case.stored.start), case.stored.entries.shape)
    errors = [case.true_error(case.stored)]
    for times in range(1, 5):
        errors.append(case.true_error(case.improved(codebooks_too=codebooks_too, times=times)))
    assert all(after <= before * (1 + 1e-5) for before, after in pairwise(errors))
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("kind", PALETTES)
def test_palettes_stay_unless_they_are_asked_for(kind):
    case = Case(7, **kind)
    left = case.improved(codebooks_too=False)
    np.testing.assert_array_equal(left.codebooks, case.stored.codebooks)
    assert (left.entries != case.stored.entries).any()
    moved = case.improved(codebooks_too=True)
    assert (moved.codebooks != case.stored.codebooks).any()
    for stored in (left, moved):
        assert stored.codebooks.min() >= 0 and stored.codebooks.max() <= 255
        assert (stored.entries >= 0).all() and (stored.entries < np.diff(stored.start)).all()
        assert (stored.codes >= 0).all() and (stored.codes <= stored.last).all()
        for name in ("lo", "step", "last", "start"):
            np.testing.assert_array_equal(getattr(stored, name), getattr(case.stored, name))


def test_each_byte_ends_as_the_best_of_all():
    """Of the last palette's last entry in use: nothing changes after it."""
    case = Case(8, count=12, channels=2, size=(9, 7), palette_bits=(2, 2))
    stored = case.improved(codebooks_too=True, times=3)
    row = stored.start[1] + stored.entries[:, 1].max()
    for c in range(2):
        found, errors = int(stored.codebooks[row, c]), {}
        for byte in {*range(0, 256, 15), *range(max(found - 3, 0), min(found + 4, 256))}:
            trial = deepcopy(stored)
            trial.codebooks[row, c] = byte
            errors[byte] = case.true_error(trial)
        assert errors[found] <= min(errors.values()) * (1 + 1e-5)


def test_what_does_not_count_does_not_move():
    """A channel without importance, one without a step, and Gaussians that are seen nowhere."""
    case = Case(9, channels=3, palette_bits=(3, 2))
    case.points.importance[0].planes[case.scene.plane[1]] = 0
    case.stored.step[2] = 0
    stored = case.improved(codebooks_too=True)
    np.testing.assert_array_equal(stored.codebooks[:, 1:], case.stored.codebooks[:, 1:])
    assert (stored.codebooks[:, 0] != case.stored.codebooks[:, 0]).any()

    case = Case(9, palette_bits=(3, 2))
    hidden = np.arange(len(case.stored.entries)) % 4 == 0
    case.points = case.points.only(~hidden[case.points.lists.gaussian])
    stored = case.improved(codebooks_too=True)
    np.testing.assert_array_equal(stored.entries[hidden], case.stored.entries[hidden])


@pytest.mark.parametrize("size, repeat", [((60, 50), False), ((60, 50), True), ((5, 3), True)])
def test_quadratic_is_that_of_the_shares(size, repeat):
    """Against all products of all shares. Pairs may be missing that hardly overlap, no others."""
    scene = random_scene(11, *size, 60, 3, repeat=repeat, sigma=(0.4, 2.0))
    backend = CpuView(scene.pyramid)
    backend.set_target(scene.wanted, scene.weight)
    backend.place(scene.placement, scene.geometry)
    points = collect(backend, [], 0.0, [])
    row, column, value, gradient = _core.normal_equations(
        points, points.blend(scene.geometry, scene.features, scene.background), SMALL
    )

    share = shares_of(points, scene)
    target, planes = (tiles_of(picture, points) for picture in (scene.target, scene.planes))
    expected = np.einsum("tik,tjk,tnk->ijn", share, share, planes)
    own = np.sqrt(np.einsum("iin->in", expected))
    dense = np.zeros_like(expected)
    dense[np.repeat(np.arange(60), np.diff(row)), column] = value
    assert (np.abs(dense - expected) <= 1.01 * SMALL * own[:, None] * own + 1e-4 * expected).all()
    if max(size) > 8:
        tiles = np.zeros((60, len(points.view)), bool)
        tiles[points.lists.gaussian, np.repeat(np.arange(len(points.view)), np.diff(points.lists.start))] = True
        together = (tiles[:, None] & tiles).any(axis=2)
        assert len(column) < 0.9 * together.sum()

    difference = points.blend(scene.geometry, scene.features, scene.background).out - target
    slope = 2 * np.einsum("tik,tnk,tnk->in", share, planes[:, scene.plane], difference)
    np.testing.assert_allclose(gradient, slope, rtol=1e-3, atol=1e-4 * np.abs(slope).max())


def tiles_of(picture: np.ndarray, points) -> np.ndarray:
    """A picture [H, W, C] by tiles, float64 [T, C, 64]; 0 beyond its borders."""
    height, width, channels = picture.shape
    tiles = np.zeros((len(points.corner), channels, 8, 8))
    for tile, (x, y) in enumerate(points.corner):
        part = picture[y : y + 8, x : x + 8]
        tiles[tile, :, : min(8, height - y), : min(8, width - x)] = part.transpose(2, 0, 1)
    return tiles.reshape(len(tiles), channels, 64)


def shares_of(points, scene) -> np.ndarray:
    """The share of every Gaussian in every point, float64 [T, N, 64]: pictures in which one of them has the value 1."""
    count = len(scene.geometry)
    shares = np.empty((len(points.view), count, 64))
    for first in range(0, count, 16):
        here = slice(first, min(first + 16, count))
        features = np.eye(count, dtype=np.float32)[:, here].copy()
        nothing = make_picture(np.zeros((*scene.target.shape[:2], features.shape[1]), np.float32), repeat=True)
        channels = features.shape[1]
        importance = Importance(nothing, np.zeros(channels, np.int32), np.ones(channels, np.float32))
        of_these = replace(points, target=(nothing,), importance=(importance,))
        shares[:, here] = of_these.blend(scene.geometry, features, np.zeros(features.shape[1], np.float32)).out
    return shares


def test_channels_that_count_alike_and_not_alike():
    """Channels of one plane of importance share the products: the result is the same with a plane for each."""
    case = Case(10, channels=4, palette_bits=(3, 3))
    together = case.improved(codebooks_too=True)
    importance = case.points.importance[0]
    planes = importance.planes[importance.plane]
    importance = replace(importance, planes=planes, plane=np.arange(4, dtype=np.int32))
    case.points = replace(case.points, importance=(importance,))
    apart = case.improved(codebooks_too=True)
    np.testing.assert_array_equal(together.codebooks, apart.codebooks)
    np.testing.assert_array_equal(together.entries, apart.entries)


def test_solved_features_have_no_slope():
    """Against the reference: the gradient of its squared error by the features is nothing beside what it was."""
    scene = random_scene(14, 20, 14, 25, 3, repeat=True, sigma=(1.0, 4.0))
    backend = CpuView(scene.pyramid)
    backend.set_target(scene.wanted, scene.weight)
    backend.place(scene.placement, scene.geometry, margin=np.inf)
    points = collect(backend, [], 0.0, [])
    y, x = np.mgrid[:14, :20] + 0.5
    at = torch.tensor(np.stack([x.ravel(), y.ravel()], axis=1))
    importance, target = torch.tensor(scene.importance).reshape(-1, 3), torch.tensor(scene.target).reshape(-1, 3)

    def slope(values: np.ndarray) -> float:
        features = torch.tensor(values, dtype=torch.float64, requires_grad=True)
        geometry, background = (torch.tensor(a, dtype=torch.float64) for a in (scene.geometry, scene.background))
        image = blend(geometry, features, background, scene.pyramid, torch.tensor(scene.placement).long(), at)
        error = (importance * (image - target) ** 2).sum()
        return torch.autograd.grad(error, features)[0].abs().max().item()

    features = scene.features.copy()
    for _ in range(2):  # pairs that hardly overlap are left out, so that a second time gets nearer
        solve_features(points, points.blend(scene.geometry, features, scene.background), features, 300)
    assert slope(features) < 1e-3 * slope(scene.features)
