"""The CPU kernels of the fit against the float64 reference in torch: values, every gradient, removal cost.

Tolerances stand beside the worst case measured when they were set; it is the same on every CPU. Values are 0..1.
"""

import math

import numpy as np
import pytest
import torch
from random_gaussians import random_geometry, random_scene, scene_of
from reference.blend import blend
from reference.loss import squared_error

from gstex.encode.cell_pyramid import make_pyramid
from gstex.encode.ops.cpu.tile_lists import MARGIN
from gstex.encode.ops.cpu.view import CpuView
from gstex.native import _core

STILL = np.zeros(2, np.float32)
# Does not bring a texel centre onto a cell border of these sizes. There a Gaussian's fade is exactly 0 in one
# precision and 1e-14 in the other, which shows where nothing but the background competes with it.
JITTER = np.array([0.29, -0.43], np.float32)

KINDS = {
    "ordinary": {},
    "thin and large": {"sigma": (0.2, 40.0)},
    "strong": {"amplitude": 4.0},
}
# Every size with and without repeating, every kind with both and in pictures smaller than a tile and larger.
SCENES = [
    (1, 1, "ordinary", False), (1, 1, "thin and large", True), (5, 7, "strong", False), (5, 7, "thin and large", True),
    (8, 8, "thin and large", False), (8, 8, "strong", True), (33, 18, "strong", False), (33, 18, "ordinary", True),
    (64, 64, "thin and large", False), (64, 64, "strong", True),
]  # fmt: skip


def backend_for(scene, *, margin=math.inf) -> CpuView:
    backend = CpuView(scene.pyramid)
    backend.set_target(scene.wanted, scene.weight)
    backend.place(scene.placement, scene.geometry, margin=margin)
    return backend


def sample_points(scene, jitter) -> np.ndarray:
    """float64 [H W, 2]."""
    y, x = np.mgrid[: scene.pyramid.height, : scene.pyramid.width] + 0.5
    return np.stack([x.ravel(), y.ravel()], axis=1) + jitter.astype(np.float64)


def bilinear(image, points, repeat) -> np.ndarray:
    """image [H, W, C] at points [M, 2] in texels, float64 [M, C]."""
    height, width, _ = image.shape
    corner = np.floor(points - 0.5).astype(int)
    fraction = points - 0.5 - corner
    total = 0.0
    for i in (0, 1):
        for j in (0, 1):
            x, y = corner[:, 0] + i, corner[:, 1] + j
            x, y = (x % width, y % height) if repeat else (x.clip(0, width - 1), y.clip(0, height - 1))
            weight = np.abs(1 - i - fraction[:, 0]) * np.abs(1 - j - fraction[:, 1])
            total = total + weight[:, None] * image[y, x].astype(np.float64)
    return total


class Reference:
    """The float64 evaluation of a scene at the jittered texel centres."""

    def __init__(self, scene, jitter):
        points = sample_points(scene, jitter)
        shape = scene.target.shape
        self.parameters = [torch.tensor(p, dtype=torch.float64, requires_grad=True) for p in scene.parameters]
        placement = torch.tensor(scene.placement, dtype=torch.int64)
        self.image = blend(*self.parameters, scene.pyramid, placement, torch.tensor(points)).reshape(shape)
        repeat = scene.pyramid.repeat
        self.target = torch.tensor(bilinear(scene.target, points, repeat)).reshape(shape)
        self.importance = torch.tensor(bilinear(scene.importance, points, repeat)).reshape(shape)

    def loss(self) -> torch.Tensor:
        return squared_error(self.image, self.target, self.importance)


def image_errors(scene, jitter, *margins) -> list[float]:
    """Largest error of a value for every margin."""
    with torch.no_grad():
        reference = Reference(scene, jitter)
    errors = []
    for margin in margins:
        image, target, _ = backend_for(scene, margin=margin).render(*scene.parameters, jitter)
        np.testing.assert_allclose(target, reference.target.numpy(), atol=3e-7)
        errors.append(np.abs(image - reference.image.numpy()).max())
    return errors


def image_error(scene, jitter) -> float:
    """Largest error of a value when nothing is left out."""
    return image_errors(scene, jitter, math.inf)[0]


def gradient_errors(scene, found, expected) -> dict[str, float]:
    """Largest error of every column of the gradients, relative to the column's largest value."""
    names = ["x", "y", "rotation", "log sigma u", "log sigma v", "amplitude"]
    errors = {}
    for column, name in enumerate(names):
        errors[name] = relative_error(found[0][:, column], expected[0][:, column])
    errors["features"] = relative_error(found[1], expected[1])
    return errors


def relative_error(found, expected) -> float:
    expected = expected.numpy()
    assert found.shape == expected.shape and np.isfinite(found).all()
    return np.abs(found - expected).max(initial=0) / max(np.abs(expected).max(initial=0), 1e-7)


# exp2


def test_exp2_is_accurate_and_ends_at_its_smallest_value():
    x = np.concatenate([np.linspace(-96, 126.99, 200_001), np.arange(-96, 127), np.arange(-96, 100) + 0.5])
    x = x.astype(np.float32)
    out = np.empty_like(x)
    _core.exp2_of_kernels(x, out)
    error = np.abs(out / np.exp2(x.astype(np.float64)) - 1).max()
    assert error < 2e-7  # measured 1.5e-7
    assert (out[np.rint(x) == x] == np.exp2(x[np.rint(x) == x])).all()
    low = np.array([-96.001, -1e4, -1e30, -np.inf], np.float32)
    out = np.empty_like(low)
    _core.exp2_of_kernels(low, out)
    assert (out == 2.0**-96).all()  # so that its products are no subnormal numbers, which are slow


# Values


@pytest.mark.parametrize("width, height, kind, repeat", SCENES)
def test_values_match_the_reference(width, height, kind, repeat):
    scene = random_scene(1, width, height, 80, 3, repeat=repeat, **KINDS[kind])
    exact, default = image_errors(scene, STILL, math.inf, 14.0)
    assert exact < 5e-6  # measured 1.3e-6
    assert default < 5e-6  # measured 1.3e-6
    # Where the next Gaussian is many sigmas away, float32 knows its score, down to -20, to 2e-6.
    exact, default = image_errors(scene, JITTER, math.inf, 14.0)
    assert exact < 1e-5  # measured 3.6e-6
    # Between texel centres a thin Gaussian may have fallen off where the margin counted on it.
    assert default < (3e-4 if kind == "thin and large" else 5e-5)  # measured 7e-5 with sigma 0.2, 1e-5


def test_default_margin_is_that_of_fits():
    scene = random_scene(1, 33, 18, 150, 3, repeat=True)
    expected, _, _ = backend_for(scene, margin=MARGIN).render(*scene.parameters, STILL)
    assert image_errors(scene, STILL, MARGIN)[0] < 5e-4  # measured 1e-4
    backend = CpuView(scene.pyramid)
    backend.set_target(scene.wanted, scene.weight)
    backend.place(scene.placement, scene.geometry)
    np.testing.assert_array_equal(backend.render(*scene.parameters, STILL)[0], expected)


@pytest.mark.parametrize("channels", [1, 2, 4, 9, 16])
def test_values_for_any_number_of_channels(channels):
    scene = random_scene(2, 9, 12, 60, channels, repeat=True)
    assert image_error(scene, JITTER) < 2e-5


@pytest.mark.parametrize("width, height, repeat", [(1, 1, True), (1, 1, False), (5, 7, True), (8, 8, False),
                                                   (33, 18, True), (64, 64, False)])  # fmt: skip
def test_one_gaussian(width, height, repeat):
    scene = random_scene(3, width, height, 1, 2, repeat=repeat)
    # Where it is as weak as the background a rounding of its score, about -20, moves the value.
    assert image_error(scene, STILL) < 5e-6  # measured 4e-7


def test_without_gaussians_the_background_shows():
    scene = random_scene(4, 10, 6, 0, 3, repeat=False)
    image, _, _ = backend_for(scene).render(*scene.parameters, STILL)
    np.testing.assert_allclose(image, np.broadcast_to(scene.background, image.shape), rtol=2e-7)


def test_background_shows_where_no_gaussian_is_visible():
    rng = np.random.default_rng(5)
    geometry = random_geometry(rng, 20, 4, 4, sigma=(0.4, 1.0))
    scene = scene_of(rng, make_pyramid(64, 64, repeat=False, cell=6.0), geometry, 2)
    assert image_error(scene, JITTER) < 2e-5
    image, _, _ = backend_for(scene).render(*scene.parameters, STILL)
    np.testing.assert_allclose(image[30:, 30:], np.broadcast_to(scene.background, (34, 34, 2)), rtol=2e-7)


def test_a_thousand_in_one_cell():
    rng = np.random.default_rng(6)
    geometry = random_geometry(rng, 1000, 2, 2, sigma=(0.4, 2.0))
    scene = scene_of(rng, make_pyramid(17, 17, repeat=True, cell=6.0), geometry, 2)
    assert (scene.placement == 0).all()
    assert image_error(scene, JITTER) < 1e-5  # measured 1.3e-6
    errors = step_errors(scene, JITTER)
    assert max(errors.values()) < 5e-5, errors


# Gradients


def step_errors(scene, jitter, margin=math.inf) -> dict[str, float]:
    loss, *found = backend_for(scene, margin=margin).step(*scene.parameters, jitter)
    reference = Reference(scene, jitter)
    expected = reference.loss()
    assert loss == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    return gradient_errors(scene, found, torch.autograd.grad(expected, reference.parameters))


@pytest.mark.parametrize("width, height, kind, repeat", SCENES)
def test_gradients_of_the_squared_error(width, height, kind, repeat):
    scene = random_scene(7, width, height, 100, 3, repeat=repeat, **KINDS[kind])
    errors = step_errors(scene, JITTER)
    assert max(errors.values()) < 5e-5, errors  # measured 1.1e-5


@pytest.mark.parametrize("channels", [1, 2, 4, 9, 16])
def test_gradients_for_any_number_of_channels(channels):
    errors = step_errors(random_scene(8, 9, 12, 60, channels, repeat=False), STILL)
    assert max(errors.values()) < 5e-5, errors


@pytest.mark.parametrize("width, height, repeat", [(1, 1, True), (5, 7, False), (33, 18, True)])
def test_gradients_of_a_random_cotangent(width, height, repeat):
    scene = random_scene(9, width, height, 80, 4, repeat=repeat)
    v_image = np.random.default_rng(9).normal(size=scene.target.shape).astype(np.float32)
    backend = backend_for(scene)
    found = backend.backward(*scene.parameters, JITTER, v_image)
    reference = Reference(scene, JITTER)
    expected = torch.autograd.grad(
        reference.image, reference.parameters, torch.tensor(v_image, dtype=torch.float64)
    )
    errors = gradient_errors(scene, found, expected)
    assert max(errors.values()) < 5e-5, errors  # measured 1.1e-5


# Removal


@pytest.mark.parametrize("width, height, repeat", [(1, 1, False), (5, 7, True), (17, 12, False), (17, 12, True)])
def test_removal_cost_is_that_of_removing_it(width, height, repeat):
    # Broad ones, so that no Gaussian makes up 99.9 % of a texel: there the kernel clamps its share.
    scene = random_scene(10, width, height, 30, 3, repeat=repeat, sigma=(3.0, 6.0), cell=9.0)
    reference = Reference(scene, STILL)
    before = reference.loss().item()
    expected = []
    for i in range(30):
        keep = np.arange(30) != i
        parameters = [p[keep].detach() for p in reference.parameters[:2]] + [reference.parameters[2].detach()]
        placement = torch.tensor(scene.placement[keep], dtype=torch.int64)
        image = blend(*parameters, scene.pyramid, placement, torch.tensor(sample_points(scene, STILL)))
        after = squared_error(image.reshape(scene.target.shape), reference.target, reference.importance)
        expected.append(after.item() - before)
    cost, _, error = backend_for(scene).removal_cost(*scene.parameters)
    scale = np.abs(expected).max()
    assert np.abs(cost - expected).max() < 5e-5 * scale  # measured 6e-6
    texel_error = (reference.importance * (reference.image - reference.target) ** 2).sum(dim=2)
    np.testing.assert_allclose(error, texel_error.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_removal_cost_of_the_only_gaussian_is_clamped():
    """Its share is 1 where it is seen; the kernel counts it as 0.999, and value and feature are the same."""
    scene = random_scene(11, 6, 6, 1, 1, repeat=False, sigma=(2.0, 3.0))
    cost, _, _ = backend_for(scene).removal_cost(*scene.parameters)
    assert np.isfinite(cost).all() and abs(cost[0]) < 1e-3


@pytest.mark.parametrize("width, height, repeat", [(1, 1, False), (5, 7, True), (17, 12, False), (17, 12, True)])
def test_share_is_what_the_square_of_an_error_counts(width, height, repeat):
    """An error d of all features of a Gaussian, to both sides: the squared error rises by d^2 times its share."""
    scene = random_scene(12, width, height, 30, 3, repeat=repeat)
    reference = Reference(scene, STILL)
    placement, points = torch.tensor(scene.placement, dtype=torch.int64), torch.tensor(sample_points(scene, STILL))

    def loss_with(features) -> float:
        image = blend(reference.parameters[0], features, reference.parameters[2], scene.pyramid, placement, points)
        return squared_error(image.reshape(scene.target.shape), reference.target, reference.importance).item()

    expected, before = np.empty(30), reference.loss().item()
    with torch.no_grad():
        for i in range(30):
            more, less = reference.parameters[1].clone(), reference.parameters[1].clone()
            more[i] += 1
            less[i] -= 1
            expected[i] = (loss_with(more) + loss_with(less) - 2 * before) / 2 / 3
    _, share, _ = backend_for(scene).removal_cost(*scene.parameters)
    assert share.shape == (30,) and expected.max() > 1e-3
    np.testing.assert_allclose(share, expected, rtol=1e-4, atol=1e-6 * expected.max())
