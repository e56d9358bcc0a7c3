"""Polishing on the GPU, run on the CPU: as good as on the CPU, each change for the better, and the same every time.

Errors are measured by a blend of the CPU, made afresh.
"""

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cuda_devices import DEVICE, each_device  # noqa: F401
from cuda_host.device import HostDevice
from random_gaussians import random_scene
from test_refine import lasts_of
from test_refine_features import PALETTES, coding_of

import gstex.encode.ops.cuda.pairs
from gstex.encode.ops.cpu import codebooks, refine_features, sample_points
from gstex.encode.ops.cpu.quantisation import Quantiser
from gstex.encode.ops.cpu.refine_features import SMALL
from gstex.encode.ops.cpu.refine_geometry import MOVES, refine_geometry
from gstex.encode.ops.cpu.shared_view import SharedView
from gstex.encode.ops.cpu.solve_features import solve_features
from gstex.encode.ops.cpu.view import CpuView
from gstex.encode.ops.cuda import refine_features as gpu_features
from gstex.encode.ops.cuda.codebooks import store
from gstex.encode.ops.cuda.pairs import find_batches
from gstex.encode.ops.cuda.quantisation import GpuQuantiser
from gstex.encode.ops.cuda.refine_geometry import refine_geometry as refine_geometry_on_gpu
from gstex.encode.ops.cuda.sample_points import collect
from gstex.encode.ops.cuda.shared_view import GpuSharedView
from gstex.encode.ops.cuda.solve_features import solve_features as gpu_solve_features
from gstex.encode.ops.cuda.view import GpuView
from gstex.encode.problem import Target
from gstex.native import _core

JITTER, WEIGHTS = 0.4, (0.5, 0.7)
SIGMA_MIN = 0.3
LISTS = ("start", "gaussian", "image", "faded")
PICTURES = ("extent", "where", "scale", "filter")


class Case:
    """A random scene with two shared mips, and its stored features; the same on both sides."""

    def __init__(self, seed=0, *, count=60, channels=3, size=(28, 20), repeat=True, palette_bits=(), channel_bits=4,
                 device=DEVICE, **kind):  # fmt: skip
        scene = self.scene = random_scene(seed, *size, count, channels, repeat=repeat, **(kind or {"sigma": (1, 6)}))
        self.coding = coding_of(scene, palette_bits=palette_bits, channel_bits=channel_bits)
        self.quantiser = Quantiser(self.coding, scene.placement)
        self.codes = self.quantiser.encode(scene.geometry)[0]
        self.geometry = self.quantiser.decode(self.codes)
        rng = np.random.default_rng(seed)
        views = [
            Target(picture, planes[:, :, : scene.planes.shape[2]].copy(), scene.plane)
            for picture, planes in (
                rng.uniform(0, 1, (2, -(-size[1] // n), -(-size[0] // n), channels)).astype(np.float32) for n in (2, 4)
            )
        ]
        backend, gpu = CpuView(scene.pyramid), GpuView(scene.pyramid, device)
        shared = [SharedView(scene.pyramid, mip, view, scene.weight) for mip, view in enumerate(views, start=1)]
        gpu_shared = [GpuSharedView(device, scene.pyramid, i, view, scene.weight) for i, view in enumerate(views, 1)]
        for one in (backend, gpu):
            one.set_target(scene.wanted, scene.weight)
        for one in (backend, gpu, *shared, *gpu_shared):
            one.place(scene.placement, self.geometry)
        self.points = sample_points.collect(backend, shared, JITTER, WEIGHTS)
        self.gpu_samples = collect(gpu, gpu_shared, JITTER, WEIGHTS)
        self.gpu_quantiser = GpuQuantiser(device, self.coding, scene.placement)
        self.stored = codebooks.store(self.coding, scene.features)
        self.gpu_stored = store(self.gpu_quantiser, scene.features)

    def gpu_blend(self, samples=None, *, codes=None, stored=None):
        geometry = self.geometry if codes is None else self.quantiser.decode(codes)
        samples = samples or self.gpu_samples
        return samples.blend(geometry, (stored or self.gpu_stored).values(), self.scene.background)

    def blend(self, samples=None, *, codes=None, stored=None):
        geometry = self.geometry if codes is None else self.quantiser.decode(codes)
        return (samples or self.points).blend(geometry, (stored or self.stored).values(), self.scene.background)

    def error(self, *, codes=None, stored=None) -> float:
        return self.points.error(self.blend(codes=codes, stored=stored))

    def improved(self, *, codebooks_too: bool, times: int = 1):
        """(stored of the CPU, of the GPU)."""
        stored, gpu_stored = deepcopy(self.stored), copied(self.gpu_stored)
        for _ in range(times):
            refine_features.refine_features(self.points, self.blend(stored=stored), stored, codebooks_too=codebooks_too)
            gpu_blend = self.gpu_blend(stored=gpu_stored)
            gpu_features.refine_features(self.gpu_samples, gpu_blend, gpu_stored, codebooks_too=codebooks_too)
        return stored, gpu_stored


def copied(stored):
    return replace(stored, palettes=stored.palettes.copy(), entries=stored.entries.copy(), codes=stored.codes.copy())


# Points


@pytest.mark.parametrize("size, repeat", [((28, 20), False), ((9, 33), True), ((3, 2), True), ((3, 2), False)])
def test_points_and_their_blend_are_those_of_the_cpu(size, repeat):
    case = Case(1, size=size, repeat=repeat)
    gpu, points = case.gpu_samples, case.points
    for name in LISTS:
        np.testing.assert_array_equal(getattr(gpu, name), getattr(points.lists, name), err_msg=name)
    np.testing.assert_array_equal(gpu.view, points.view)
    np.testing.assert_allclose(gpu.origin, points.corner + np.float32(0.5) + points.offset, atol=1e-6)
    for name in PICTURES:
        np.testing.assert_allclose(getattr(gpu, name), getattr(points, name), atol=2e-7)
    found, expected = case.gpu_blend(), case.blend()
    # What the pictures count at the points, tile by tile.
    errors = np.empty(len(points.view))
    _core.point_errors(points, expected.derived, expected.out, errors)
    importance = gpu.importance[:, gpu.plane].astype(np.float64) * gpu.channel_weight[:, None]
    squares = importance * (expected.out - gpu.target.astype(np.float64)) ** 2
    np.testing.assert_allclose(errors, squares.sum(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found.out, expected.out, atol=5e-6)  # measured 9e-7
    np.testing.assert_allclose(found.total, expected.total, rtol=5e-5)  # measured 8e-6
    np.testing.assert_allclose(found.share, expected.share, atol=5e-6)  # measured 7e-7
    some = expected.share > 0.02
    near, expected_near = case.gpu_samples.only(some), case.points.only(some)
    assert len(near.gaussian) < len(case.gpu_samples.gaussian)
    for name in LISTS:
        np.testing.assert_array_equal(getattr(near, name), getattr(expected_near.lists, name), err_msg=name)


# Pairs


@pytest.mark.parametrize("at_a_time", [2**25, 50])
def test_pairs_are_the_gaussians_of_common_tiles(at_a_time, monkeypatch):
    monkeypatch.setattr(gstex.encode.ops.cuda.pairs, "PAIRS_AT_A_TIME", at_a_time)
    case = Case(2, count=80, size=(50, 40))
    # One is seen nowhere.
    samples = case.gpu_samples.only((case.gpu_blend().share > 0.05) & (case.gpu_samples.gaussian != 7))
    together = np.zeros((80, 80), bool)
    for first, last in pairwise(samples.start):
        together[np.ix_(samples.gaussian[first:last], samples.gaussian[first:last])] = True
    pairs = samples.pairs
    np.testing.assert_array_equal(pairs.row, np.concatenate([[0], np.cumsum(together.sum(axis=1))]))
    np.testing.assert_array_equal(pairs.column, np.nonzero(together)[1])
    assert pairs.row[7] == pairs.row[8]
    tiles = np.repeat(np.arange(len(samples.view)), np.diff(samples.start))
    np.testing.assert_array_equal(pairs.tile_of, tiles)


def test_batches_hold_everybody_once_and_no_neighbours():
    case = Case(2, count=80, size=(50, 40))
    pairs = case.gpu_samples.only(case.gpu_blend().share > 0.05).pairs
    batches = find_batches(DEVICE, pairs.row, pairs.column)
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(80))
    for batch in batches:
        for g in batch:
            others = pairs.column[pairs.row[g] : pairs.row[g + 1]]
            assert set(np.intersect1d(others, batch)) <= {g}
    # As few as a greedy choice needs: at most one more than the most neighbours.
    assert 1 < len(batches) <= np.diff(pairs.row).max()


def test_pairs_that_hardly_overlap_are_left_out_on_both_sides():
    case = Case(17, count=80, size=(50, 40), sigma=(0.4, 2.0))
    pairs, planes = case.gpu_samples.pairs, case.scene.planes.shape[2]
    value, _ = gpu_features.products(case.gpu_samples, case.gpu_blend(), 80)
    row, column, near = gpu_features.without_small(DEVICE, pairs.row, pairs.column, value)
    assert near.shape == (planes, len(column))
    dense, kept = np.zeros((planes, 80, 80)), np.zeros((80, 80), bool)
    dense[:, np.repeat(np.arange(80), np.diff(pairs.row)), pairs.column] = value
    kept[np.repeat(np.arange(80), np.diff(row)), column] = True
    np.testing.assert_array_equal(dense[:, kept], near)
    assert (kept == kept.T).all() and kept.diagonal().all()
    own = np.sqrt(np.einsum("nii->ni", dense))
    large = (dense > SMALL * own[:, :, None] * own[:, None]).any(axis=0)
    assert (kept == large | large.T).all()
    assert len(column) < 0.9 * len(pairs.column)


def test_more_colours_than_a_look_holds():
    """Over a thousand neighbours that have their colours already: the last of them in rank takes the next."""
    count = 1100
    row = (np.arange(count + 1) * count).astype(np.int32)
    column = np.tile(np.arange(count), count).astype(np.int32)
    hashed = (np.arange(count, dtype=np.uint64) * 2654435761 % 2**32).astype(np.uint32)  # rank_of
    hashed = (hashed ^ hashed >> 15) * np.uint32(2246822519)
    last = int(np.argmin(hashed ^ hashed >> 13))
    colour = np.arange(count, dtype=np.int32)
    colour[last] = -1
    DEVICE.kernel("encode/pairs.cu", "fit_colour")((-(-count // 4),), (128,), row, column, np.int32(count), colour)
    assert colour[last] == last  # the only one that is free
    colour[colour > last] -= 1
    colour[last] = -1
    DEVICE.kernel("encode/pairs.cu", "fit_colour")((-(-count // 4),), (128,), row, column, np.int32(count), colour)
    assert colour[last] == count - 1


# Features


@pytest.mark.parametrize("kind, codebooks_too, repeat", [
    ({"channel_bits": 3}, False, True), ({"channel_bits": 3}, False, False), (PALETTES[0], True, True),
    (PALETTES[1], False, True), (PALETTES[1], True, False), (PALETTES[2], True, True), (PALETTES[3], False, False),
    (PALETTES[3], True, True),
])
def test_features_become_as_good_as_on_the_cpu(kind, codebooks_too, repeat):
    """Other orders end elsewhere, not worse on average; measured: within 2 % of each gain."""
    gains = []
    for seed in range(3):
        case = Case(seed, repeat=repeat, **kind)
        before = case.error()
        expected, found = case.improved(codebooks_too=codebooks_too)
        gains.append([before - case.error(stored=stored) for stored in (expected, found)])
    assert min(gains)[1] > 0
    expected, found = np.sum(gains, axis=0)
    assert found > 0.95 * expected


# Without codebooks there is nothing that codebooks_too could change.
@pytest.mark.parametrize("kind, codebooks_too", [
    ({"channel_bits": 2}, False), (PALETTES[0], True), (PALETTES[1], False), (PALETTES[2], True), (PALETTES[3], False),
    (PALETTES[3], True),
])
def test_no_sweep_raises_the_error(kind, codebooks_too):
    """Again and again, from what is random and from what is good already; it comes to rest."""
    case = Case(5, **kind)
    rng = np.random.default_rng(6)
    stored = case.gpu_stored
    stored.codes[:] = rng.integers(0, stored.last + 1, stored.codes.shape)
    stored.entries[:] = rng.integers(0, stored.sizes, stored.entries.shape)
    errors = [case.error(stored=stored)]
    for _ in range(4):
        blend = case.gpu_blend(stored=stored)
        gpu_features.refine_features(case.gpu_samples, blend, stored, codebooks_too=codebooks_too)
        errors.append(case.error(stored=stored))
        assert (stored.codes <= stored.last).all() and (stored.entries < stored.sizes).all()
    assert all(b <= a * (1 + 1e-6) for a, b in pairwise(errors))
    assert errors[1] < 0.9 * errors[0] and errors[4] > 0.97 * errors[2]


@pytest.mark.parametrize("kind", [{"channel_bits": 3}, *PALETTES])
def test_features_end_where_no_single_code_lowers_the_error(kind):
    case = Case(4, count=24, **kind)
    _, stored = case.improved(codebooks_too=True)
    gpu_features.refine_features(case.gpu_samples, case.gpu_blend(stored=stored), stored, codebooks_too=False)
    after = case.error(stored=stored)

    def assert_no_better(field, at, value):
        trial = copied(stored)
        getattr(trial, field)[at] = value
        assert case.error(stored=trial) >= after * (1 - 1e-5)

    for g in range(24):
        for c in range(3):
            for code in (int(stored.codes[g, c]) - 1, int(stored.codes[g, c]) + 1):
                if 0 <= code <= stored.last[c]:
                    assert_no_better("codes", (g, c), code)
        for p, size in enumerate(stored.sizes):
            for entry in range(size):
                assert_no_better("entries", (g, p), entry)


def test_bytes_of_codebooks_are_moved_one_after_the_other():
    """Against the same by hand, with the whole matrix of the normal equations."""
    case = Case(7, palette_bits=(3, 2))
    quadratic, unit = _quadratic(case)
    row, column, value, _ = quadratic
    _, gradient = gpu_features.products(case.gpu_samples, case.gpu_blend(), len(case.codes))
    dense = np.zeros((len(value), len(case.codes), len(case.codes)))
    dense[:, np.repeat(np.arange(len(case.codes)), np.diff(row)), column] = value
    step = case.gpu_stored.step.astype(np.float64)
    for p, size in enumerate(case.gpu_stored.sizes):
        first = int(case.gpu_stored.start[p])
        before = case.gpu_stored.palettes.copy()
        expected = before[first : first + size].astype(np.int64)
        member = case.gpu_stored.entries[:, p, None] == np.arange(size)  # [N, size]
        for c in range(len(step)):
            matrix, slope = member.T @ dense[case.scene.plane[c]] @ member, member.T @ gradient[:, c]
            for k in range(size):
                if matrix[k, k] > 1e-9:
                    best = np.clip(expected[k, c] + np.rint(-slope[k] / (2 * matrix[k, k] * step[c])), 0, 255)
                    slope += 2 * (best - expected[k, c]) * step[c] * matrix[k]
                    expected[k, c] = best
        gpu_features.move_bytes(case.gpu_samples, quadratic, step, unit, gradient, case.gpu_stored, p, size)
        assert (case.gpu_stored.palettes != before).any()
        np.testing.assert_array_equal(case.gpu_stored.palettes[first : first + size], expected)
        case.gpu_stored.palettes[...] = before


def _quadratic(case: Case):
    value, _ = gpu_features.products(case.gpu_samples, case.gpu_blend(), len(case.codes))
    pairs = case.gpu_samples.pairs
    unit = np.full(1, 2.0**40)
    return (pairs.row, pairs.column, value, np.int64(len(pairs.column))), unit


@pytest.mark.parametrize("chunk", [2**14, 3])
def test_products_of_shares_are_the_second_derivatives(chunk, monkeypatch):
    """Against the blend itself: the error is a quadratic in the features, known by its values. With tiny textures, in
    which a tile sees several images of a Gaussian."""
    monkeypatch.setattr(gpu_features, "TILES_AT_A_TIME", chunk)
    for size, repeat in [((28, 20), False), ((5, 3), True)]:
        case = Case(8, count=12, size=size, repeat=repeat)
        samples, features = case.gpu_samples, case.stored.values()
        value, gradient = gpu_features.products(case.gpu_samples, case.gpu_blend(), 12)
        plane, weight = samples.plane, samples.channel_weight
        if repeat:
            tiles = np.repeat(np.arange(len(samples.view)), np.diff(samples.start))
            assert len(np.unique(np.stack([tiles, samples.gaussian]), axis=1).T) < len(tiles)
        background = case.scene.background

        def error(moved, samples=samples, case=case, background=background):
            out = samples.blend(case.geometry, moved, background).out.astype(np.float64)
            counts = samples.importance[:, samples.plane] * samples.channel_weight[:, None]
            return (counts * (out - samples.target) ** 2).sum()

        pairs = case.gpu_samples.pairs
        rng = np.random.default_rng(9)
        for _ in range(4):
            move = rng.normal(0, 0.3, features.shape)
            expected = error((features + move).astype(np.float32)) - error(features)
            rows = np.repeat(np.arange(12), np.diff(pairs.row))
            quadratic = sum(
                float(weight[c]) * (value[plane[c]] * move[rows, c] * move[pairs.column, c]).sum()
                + float(weight[c]) * (gradient[:, c] * move[:, c]).sum()
                for c in range(features.shape[1])
            )
            assert quadratic == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("size, repeat", [((28, 20), False), ((5, 3), True)])
def test_solved_features_are_those_of_the_cpu(size, repeat):
    case = Case(11, count=20, size=size, repeat=repeat)
    for rounds in (1, 4, 200):
        found, expected = case.scene.features.copy(), case.scene.features.copy()
        blend = case.points.blend(case.geometry, expected, case.scene.background)
        solve_features(case.points, blend, expected, rounds)
        gpu_blend = case.gpu_samples.blend(case.geometry, found, case.scene.background)
        gpu_solve_features(case.gpu_samples, gpu_blend, found, rounds)
        after, gpu_after = (case.points.blend(case.geometry, f, case.scene.background) for f in (expected, found))
        assert case.points.error(gpu_after) == pytest.approx(case.points.error(after), rel=1e-3)
        np.testing.assert_allclose(
            case.gpu_samples.errors(gpu_after.out), case.points.errors(gpu_after), rtol=1e-5
        )
        assert case.points.error(after) < case.points.error(blend)


def test_what_does_not_count_does_not_move():
    """A channel without importance, one without a step, and Gaussians that are seen nowhere."""
    case = Case(9, palette_bits=(3, 2), channel_bits=None)
    case.gpu_samples.importance[:, case.scene.plane[1]] = 0
    case.gpu_stored.step[2] = 0
    stored = copied(case.gpu_stored)
    gpu_features.refine_features(case.gpu_samples, case.gpu_blend(), stored, codebooks_too=True)
    np.testing.assert_array_equal(stored.palettes[:, 1:], case.gpu_stored.palettes[:, 1:])
    assert (stored.palettes[:, 0] != case.gpu_stored.palettes[:, 0]).any()

    case = Case(9, palette_bits=(3, 2), channel_bits=None)
    hidden = np.arange(len(case.codes)) % 4 == 0
    samples = case.gpu_samples.only(~hidden[case.gpu_samples.gaussian])
    stored = copied(case.gpu_stored)
    gpu_features.refine_features(samples, case.gpu_blend(), stored, codebooks_too=True)
    np.testing.assert_array_equal(stored.entries[hidden], case.gpu_stored.entries[hidden])
    assert (stored.entries != case.gpu_stored.entries).any()


def test_stored_features_are_those_of_the_cpu():
    case = Case(11, palette_bits=(3, 3), channel_bits=2)
    np.testing.assert_array_equal(case.gpu_stored.entries, case.stored.entries)
    np.testing.assert_array_equal(case.gpu_stored.codes, case.stored.codes)
    np.testing.assert_array_equal(case.gpu_stored.whole(), case.stored.whole())
    assert case.gpu_stored.values().tobytes() == case.stored.values().tobytes()
    case.gpu_stored.palettes[9, 1] += 3
    coding = case.gpu_stored.into(case.coding)
    np.testing.assert_array_equal(np.concatenate(coding.palettes), case.gpu_stored.palettes)
    assert [p.dtype for p in coding.palettes] == [np.uint8] * 2
    assert coding.palettes[1][1, 1] == case.coding.palettes[1][1, 1] + 3


# Geometry


def moved_codes(case, samples, quantiser=None):
    """(codes after refine_geometry, the blend that followed)."""
    codes, blend = case.codes.copy(), case.gpu_blend()
    refine_geometry_on_gpu(samples, blend, case.gpu_quantiser, codes, case.gpu_stored.values(), SIGMA_MIN)
    return codes, blend


@pytest.mark.parametrize("repeat", [False, True])
def test_geometry_becomes_as_good_as_on_the_cpu_and_the_sums_follow(repeat):
    gains = []
    for seed in range(3):
        case = Case(seed, repeat=repeat)
        before = case.error()
        codes, blend = moved_codes(case, case.gpu_samples)
        expected = case.codes.astype(np.uint32)
        refine_geometry(case.points, case.blend(), case.quantiser, expected, case.stored.values(), SIGMA_MIN)
        gains.append([before - case.error(codes=c) for c in (expected, codes)])
        again = case.gpu_blend(codes=codes)
        np.testing.assert_allclose(blend.out, again.out, atol=1e-4)
        np.testing.assert_allclose(blend.total, again.total, rtol=2e-3, atol=1e-6)
        apart = codes.astype(int) - case.codes.astype(int)
        assert {tuple(move) for move in apart.tolist()} <= {(0,) * 6, *map(tuple, MOVES.tolist())}
        assert (codes <= lasts_of(case)).all()
        sigma, old = (np.exp(case.quantiser.decode(c)[:, 3:5].min(axis=1)) for c in (codes, case.codes))
        assert (sigma >= np.minimum(old, SIGMA_MIN) * 0.999).all()
    assert min(gains)[1] > 0
    expected, found = np.sum(gains, axis=0)
    assert found > 0.95 * expected


def test_images_of_a_gaussian_in_one_tile_move_together():
    """A texture smaller than a tile, which sees every Gaussian many times."""
    case = Case(12, count=9, size=(5, 3), sigma=(0.5, 1.5))
    entries = np.stack([case.gpu_samples.pairs.tile_of, case.gpu_samples.gaussian])
    assert len(np.unique(entries, axis=1).T) < len(entries.T)
    codes, blend = moved_codes(case, case.gpu_samples)
    assert (codes != case.codes).any()
    again = case.gpu_blend(codes=codes)
    np.testing.assert_allclose(blend.out, again.out, atol=1e-4)
    np.testing.assert_allclose(blend.total, again.total, rtol=2e-3, atol=1e-6)


def test_each_move_is_the_best_of_its_gaussian():
    """One Gaussian alone: the codes it ends with are those of the least error among all that it tries."""
    case = Case(13)
    lasts = lasts_of(case)
    moved, now = 0, case.error()
    for g in range(0, len(case.codes), 9):
        errors = {}
        for move in MOVES:
            of_move = case.codes[g].astype(np.int64) + move
            if (of_move < 0).any() or (of_move > lasts[g]).any():
                continue
            trial = case.codes.copy()
            trial[g] = of_move
            if np.exp(case.quantiser.decode(trial)[g, 3:5].min()) >= SIGMA_MIN:
                errors[tuple(trial[g])] = case.error(codes=trial)
        codes, _ = moved_codes(case, case.gpu_samples.only(case.gpu_samples.gaussian == g))
        least = min(errors.values())
        if least < now * (1 - 1e-5):
            moved += 1
            assert errors[tuple(codes[g])] == pytest.approx(least, rel=1e-5)
        else:
            np.testing.assert_array_equal(codes[g], case.codes[g])
    assert moved > 3


# Order


def test_results_do_not_depend_on_the_order_of_threads():
    results = []
    for order in (0, 1, 5):
        case = Case(15, palette_bits=(3, 2), channel_bits=2, device=HostDevice(order=order))
        stored = case.gpu_stored
        gpu_features.refine_features(case.gpu_samples, case.gpu_blend(), stored, codebooks_too=True)
        codes, blend = moved_codes(case, case.gpu_samples)
        pairs = case.gpu_samples.pairs
        batches = find_batches(case.gpu_samples.device, pairs.row, pairs.column)
        arrays = stored.palettes, stored.entries, stored.codes, codes, blend.out, blend.total, *batches
        results.append([a.tobytes() for a in arrays])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("channels", [1, 2, 9, 16])
def test_any_number_of_channels(channels):
    case = Case(16, channels=channels, count=30, palette_bits=(3,), channel_bits=2)
    before = case.error()
    _, stored = case.improved(codebooks_too=True)
    codes, _ = moved_codes(case, case.gpu_samples)
    assert case.error(stored=stored) < before and case.error(codes=codes) < before
