"""What the fit on a GPU does around its gradients, run on the CPU: cells, Adam, perceptual loss, sums, replaying."""

import numpy as np
import pytest
import torch
from cuda_devices import DEVICE, each_device  # noqa: F401
from cuda_host.device import HostDevice
from random_gaussians import random_geometry, random_scene
from reference import loss as ref_loss
from test_ref import double, perceptual_case

from gstex.encode import cell_pyramid
from gstex.encode.cell_pyramid import make_pyramid
from gstex.encode.loss import WINDOW
from gstex.encode.ops.cpu.adam import adam as cpu_adam
from gstex.encode.ops.cpu.codebooks import store
from gstex.encode.ops.cpu.quantisation import Quantiser
from gstex.encode.ops.cpu.view import CpuView
from gstex.encode.ops.cuda import cell_pyramid as gpu_cell_pyramid
from gstex.encode.ops.cuda.adam import Knobs, adam
from gstex.encode.ops.cuda.perceptual_loss import Perceptual
from gstex.encode.ops.cuda.quantisation import GpuQuantiser
from gstex.encode.ops.cuda.sums import ColumnSums, Follower
from gstex.encode.ops.cuda.view import GpuView
from gstex.encode.problem import Target
from gstex.encode.quantisation import Precision, make_coding

GRIDS = [(1, 1, 2.0), (64, 40, 6.0), (300, 20, 7.0), (33, 18, 1.5)]


# Cells


def wild_geometry(seed, width, height, count=500):
    """Some of it far outside of what a pyramid holds."""
    rng = np.random.default_rng(seed)
    geometry = random_geometry(rng, count, width, height, sigma=(0.1, 3 * max(width, height)), amplitude=5.0)
    geometry[:, :2] += rng.normal(0, 0.4, (count, 2)) * [width, height]
    return geometry


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("width, height, cell", GRIDS)
def test_gaussians_are_kept_inside_and_placed_as_on_the_cpu(width, height, cell, repeat):
    pyramid = make_pyramid(width, height, repeat=repeat, cell=cell)
    expected, found = wild_geometry(1, width, height), wild_geometry(1, width, height)
    cell_pyramid.keep_inside(pyramid, expected, sigma_min=0.3)
    gpu_cell_pyramid.keep_inside(DEVICE, pyramid, found, sigma_min=0.3)
    assert np.abs(found - wild_geometry(1, width, height)).max() > 0.5
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(found[:, :2], expected[:, :2])
    found = gpu_cell_pyramid.half_extents(DEVICE, expected)
    np.testing.assert_allclose(found, cell_pyramid.half_extents(expected), rtol=2e-6)
    # What keep_inside made as large as it may be lies at the border between levels, to a rounding.
    extent = cell_pyramid.half_extents(expected)[:, None] / pyramid.cell_size  # [N, L, 2]
    clear = np.all([np.abs(extent * scale - 1) > 1e-5 for scale in (1, 1.15, 1 / 1.15)], axis=(0, 2, 3))
    assert clear.sum() > 100
    # With levels of before, too: some of them fit, some are far off.
    previous = np.random.default_rng(2).integers(0, len(pyramid.cells), len(expected)).astype(np.int32)
    for levels in (None, previous):
        found = gpu_cell_pyramid.place(DEVICE, pyramid, expected, levels)
        np.testing.assert_array_equal(found[clear], cell_pyramid.place(pyramid, expected, levels)[clear])


def test_coarse_levels_are_thinned_out_as_on_the_cpu(monkeypatch):
    # So many that no level gets more than it may have from the one above: what comes from there is equally large, and
    # its order a matter of rounding.
    for module in (cell_pyramid, gpu_cell_pyramid):
        monkeypatch.setattr(module, "MOST_VISIBLE", 48)
    pyramid = make_pyramid(64, 64, repeat=True, cell=4.0)
    rng = np.random.default_rng(3)
    geometry = random_geometry(rng, 600, 64, 64, sigma=(1.0, 9.0))
    cell_pyramid.keep_inside(pyramid, geometry, sigma_min=0.3)
    placement = cell_pyramid.place(pyramid, geometry)
    found = geometry.copy(), placement.copy()
    assert gpu_cell_pyramid.thin_out(DEVICE, pyramid, *found)
    assert cell_pyramid.thin_out(pyramid, geometry, placement)
    np.testing.assert_array_equal(found[1], placement)
    np.testing.assert_allclose(found[0], geometry, rtol=2e-6, atol=2e-6)
    few = geometry[:20].copy(), placement[:20].copy()
    assert not gpu_cell_pyramid.thin_out(DEVICE, pyramid, *few)
    np.testing.assert_array_equal(few[0], geometry[:20])


# Adam


def test_adam_is_that_of_the_cpu():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(301, 6)).astype(np.float32)
    moments = [np.zeros_like(values) for _ in range(4)]
    expected, rate = values.copy(), np.array([0.7, 0.7, 0.06, 0.05, 0.05, 0.04], np.float32)
    factors = 0.9 ** np.arange(8)
    knobs = Knobs(DEVICE, 0.9, 0.99)
    for step, factor in enumerate(factors, start=1):
        gradient = rng.normal(size=values.shape).astype(np.float32)
        knobs.set(rng.uniform(-0.5, 0.5, 2), factor, step)
        adam(DEVICE, knobs, values, gradient, moments[0], moments[1], rate)
        cpu_adam(expected, gradient, moments[2], moments[3], rate, float(factor), (0.9, 0.99), step)
        np.testing.assert_allclose(values, expected, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(moments[0], moments[2], rtol=1e-6, atol=1e-7)


def test_knobs_stay_where_they_are():
    knobs = Knobs(DEVICE, 0.9, 0.99)
    now, jitter = knobs.now, knobs.jitter
    knobs.set(np.array([0.1, 0.2]), 1.0, 1)
    knobs.set(np.array([0.3, 0.4]), 0.5, 4, slot=2)
    np.testing.assert_allclose(now, [0.3, 0.4, 0.5, 1 / (1 - 0.9**4), 1 / (1 - 0.99**4), 2], rtol=1e-6)
    losses = np.zeros(4)
    knobs.note(np.full(1, 0.7)[0, ...], losses)
    assert losses.tolist() == [0, 0, 0.7, 0]
    np.testing.assert_array_equal(jitter, now[:2])
    assert now is knobs.now


# Perceptual loss


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 20, 2), (16, 16, 3), (33, 18, 16), (40, 37, 1)])
def test_the_perceptual_loss_matches_the_reference(shape):
    case = perceptual_case(1, *shape)
    loss, v_image, squared = Perceptual(DEVICE, *shape)(*case)
    image, target, importance = double(case[0], grad=True), double(case[1]), double(case[2])
    expected = ref_loss.perceptual(image, target, importance)
    (expected_v,) = torch.autograd.grad(expected, image)
    assert float(loss) == pytest.approx(expected.item(), abs=1e-4 * case[0].size)
    assert np.abs(v_image - expected_v.numpy()).max() < 5e-4  # as on the CPU
    assert float(squared) == pytest.approx(ref_loss.squared_error(image, target, importance).item(), rel=1e-5)


def test_identical_pictures_lose_nothing():
    _, target, importance = perceptual_case(3, 20, 30, 3)
    loss, v_image, squared = Perceptual(DEVICE, 20, 30, 3)(target, target, importance)
    assert float(loss) == 0 and float(squared) == 0
    assert np.abs(v_image).max() < 5e-5  # rounding: it is about 5 where pictures differ


def test_values_without_importance_do_not_matter():
    image, target, importance = perceptual_case(4, 24, 24, 2)
    other = np.where(importance == 0, np.float32(0.9), image)
    results = [Perceptual(DEVICE, 24, 24, 2)(a, target, importance) for a in (image, other)]
    assert float(results[0][0]) == float(results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
    np.testing.assert_array_equal(results[0][1][importance == 0], 0)
    loss, v_image, _ = Perceptual(DEVICE, 24, 24, 2)(image, target, np.zeros_like(importance))
    assert float(loss) == 0 and (v_image == 0).all()


def test_the_perceptual_loss_does_not_depend_on_the_order_of_threads():
    case = perceptual_case(1, 33, 18, 2)
    expected = [np.asarray(a).tobytes() for a in Perceptual(DEVICE, 33, 18, 2)(*case)]
    for order in (1, 5):
        found = Perceptual(HostDevice(order=order), 33, 18, 2)(*case)
        assert [np.asarray(a).tobytes() for a in found] == expected


def test_its_constants_are_those_of_the_cpu():
    """The window's length stands in the source."""
    assert len(WINDOW) == 11


# Sums and means


@pytest.mark.parametrize("rows, columns", [(1, 1), (255, 2), (257, 17), (70_000, 3)])
def test_sums_of_columns(rows, columns):
    values = np.random.default_rng(5).normal(size=(rows, columns)).astype(np.float32)
    found = ColumnSums(DEVICE, rows, columns)(values)
    np.testing.assert_allclose(found, values.sum(axis=0, dtype=np.float64), rtol=1e-12, atol=1e-12)


def test_a_follower_starts_at_its_first_value():
    follower = Follower(DEVICE, 7.0)
    assert float(follower) == 7
    expected = 0.0
    for i, value in enumerate([3.0, 0.0, 5.0]):
        follower.update(np.full(1, value), 0.5)
        expected += (0.1 if i else 1.0) * (0.5 * value - expected)
        assert float(follower) == pytest.approx(expected)


# All of it


STEPS, FROZEN, REPLACE = 40, 30, 10
RATES = np.array([0.3, 0.3, 0.04, 0.03, 0.03, 0.03], np.float32), np.full(3, 0.02, np.float32)


class Case:
    def __init__(self, repeat):
        self.scene = random_scene(20, 40, 27, 80, 3, repeat=repeat, sigma=(1.0, 4.0))
        y, x = np.mgrid[:27, :40].astype(np.float32)
        self.image = np.stack([0.5 + 0.4 * np.sin(x / 5 + y / 9), x / 40, y / 27], axis=2).astype(np.float32)
        rng = np.random.default_rng(21)
        self.jitters = (rng.uniform(-0.5, 0.5, (STEPS, 2)) * rng.integers(0, 2, (STEPS, 1))).astype(np.float32)
        self.jitters[[0, 9, 39]] = 0
        self.factors = np.linspace(1, 0.2, STEPS).astype(np.float32)

    def start(self):
        """(geometry, features) and their Adam moments."""
        values = self.scene.geometry.copy(), self.scene.features.copy()
        return values, [[np.zeros_like(a), np.zeros_like(a)] for a in values]


def coding_of(pyramid, placement, geometry):
    precision = Precision(position_step=0.1, rotation_bits=7, scale_bits=7, amplitude_bits=5, feature_step=1 / 128)
    return make_coding(pyramid, placement, geometry, precision, [(0.0, 1.0)] * 3, [()] * 3)


def fit_on_the_cpu(case) -> list[float]:
    (geometry, features), moments = case.start()
    pyramid, background = case.scene.pyramid, case.scene.background
    backend = CpuView(pyramid)
    backend.set_target(Target.of(case.image, np.ones_like(case.image)), np.ones(case.image.shape[2], np.float32))
    losses, placement, quantiser = [], None, None
    for step in range(STEPS):
        if step < FROZEN and step % REPLACE == 0:
            cell_pyramid.keep_inside(pyramid, geometry, sigma_min=0.4)
            placement = cell_pyramid.place(pyramid, geometry, None if placement is None else placement[:, 0])
        seen = geometry, features
        if step >= FROZEN:
            quantiser = quantiser or Quantiser(coding_of(pyramid, placement, geometry), placement)
            seen = quantiser.round(geometry), store(quantiser.coding, features).values()
        if step % REPLACE == 0:
            backend.place(placement, seen[0])
        loss, v_geometry, v_features = backend.step(*seen, background, case.jitters[step])
        losses.append(loss)
        how = float(case.factors[step]), (0.9, 0.99), step + 1
        cpu_adam(geometry, v_geometry, *moments[0], RATES[0], *how)
        cpu_adam(features, v_features, *moments[1], RATES[1], *how)
    return losses


def fit_on_the_gpu(case) -> list[float]:
    (geometry, features), moments = case.start()
    pyramid, background = case.scene.pyramid, case.scene.background
    backend = GpuView(pyramid, DEVICE)
    backend.set_target(Target.of(case.image, np.ones_like(case.image)), np.ones(case.image.shape[2], np.float32))
    knobs = Knobs(DEVICE, 0.9, 0.99)
    losses, placement, quantiser, rounded = [], None, None, np.empty_like(geometry)
    for step in range(STEPS):
        if step < FROZEN and step % REPLACE == 0:
            gpu_cell_pyramid.keep_inside(DEVICE, pyramid, geometry, sigma_min=0.4)
            previous = None if placement is None else placement[:, 0]
            placement = gpu_cell_pyramid.place(DEVICE, pyramid, geometry, previous)
        seen = geometry, features
        if step >= FROZEN:
            quantiser = quantiser or GpuQuantiser(DEVICE, coding_of(pyramid, placement, geometry), placement)
            quantiser.round(geometry, rounded)
            seen = rounded, quantiser.round_features(features)[1]
        if step % REPLACE == 0:
            backend.place(placement, seen[0])
        knobs.set(case.jitters[step], case.factors[step], step + 1)
        loss, v_geometry, v_features = backend.step(*seen, background, knobs.jitter)
        losses.append(float(loss))
        adam(DEVICE, knobs, geometry, v_geometry, *moments[0], RATES[0])
        adam(DEVICE, knobs, features, v_features, *moments[1], RATES[1])
    return losses


@pytest.mark.parametrize("repeat", [False, True])
def test_a_fit_goes_as_on_the_cpu(repeat):
    """Steps with lists that are remade, then some on what codes mean: the same errors, and they fall."""
    expected, found = fit_on_the_cpu(Case(repeat)), fit_on_the_gpu(Case(repeat))
    assert expected[9] < 0.5 * expected[0] and expected[39] < expected[9]
    np.testing.assert_allclose(found, expected, rtol=1e-4)  # measured 1.1e-6
