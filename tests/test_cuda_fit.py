"""The GPU kernels of the fit, run on the CPU (tests/cuda_host): entries, values, every gradient, removal cost.

Against the float64 reference in torch, and against the CPU backend. Tolerances stand beside the worst case measured on
the CPU; a GPU adds what fused operations and its own exp2 change.
"""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cuda_devices import DEVICE, each_device  # noqa: F401
from cuda_host.device import HostDevice
from cuda_host.sanitized import run_sanitized
from random_gaussians import random_geometry, random_scene, scene_of
from test_kernels import JITTER, KINDS, SCENES, STILL, Reference, backend_for, gradient_errors
from test_refine_features import tiles_of

from gstex.encode.cell_pyramid import make_pyramid
from gstex.encode.ops.cpu.errors import squared_errors
from gstex.encode.ops.cpu.shared_view import SharedView
from gstex.encode.ops.cpu.tile_lists import MARGIN
from gstex.encode.ops.cpu.view import CpuView
from gstex.encode.ops.cuda import tile_lists
from gstex.encode.ops.cuda.shared_view import GpuSharedView
from gstex.encode.ops.cuda.sums import Follower
from gstex.encode.ops.cuda.view import GpuView
from gstex.encode.problem import Target
from gstex.encode.shared_mips import filter_sigma
from gstex.errors import DeviceError

CHANNELS = [1, 2, 4, 9, 16]
ENTRIES = ["start", "gaussian", "image", "faded", "by_gaussian", "by_gaussian_start"]


def gpu_for(scene, *, margin=math.inf, device=DEVICE) -> GpuView:
    backend = GpuView(scene.pyramid, device)
    backend.set_target(scene.wanted, scene.weight)
    backend.place(scene.placement, scene.geometry, margin=margin)
    return backend


def step_errors(scene, jitter, margin=math.inf) -> dict[str, float]:
    loss, *found = gpu_for(scene, margin=margin).step(*scene.parameters, jitter)
    reference = Reference(scene, jitter)
    expected = reference.loss()
    assert float(loss) == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    return gradient_errors(scene, found, torch.autograd.grad(expected, reference.parameters))


def crowd(channels=3):
    """A thousand Gaussians in one cell of the finest level."""
    rng = np.random.default_rng(6)
    geometry = random_geometry(rng, 1000, 2, 2, sigma=(0.4, 2.0))
    return scene_of(rng, make_pyramid(17, 17, repeat=True, cell=6.0), geometry, channels)


# TileLists


# With a margin of 2 much is decided at single points, and whether a fade is whole there is a matter of rounding where
# texels and cells have borders in common: so a size of which they have few.
@pytest.mark.parametrize("width, height, margin, repeat", [
    (1, 1, math.inf, True), (1, 1, 14.0, False), (5, 7, math.inf, False), (5, 7, 14.0, True), (8, 8, math.inf, True),
    (33, 18, math.inf, False), (33, 18, 14.0, True), (64, 40, math.inf, True), (64, 40, 14.0, False),
    (37, 19, 2.0, False), (37, 19, 2.0, True),
])  # fmt: skip
def test_entries_are_those_of_the_cpu(width, height, margin, repeat):
    for kind in KINDS.values():
        scene = random_scene(1, width, height, 80, 3, repeat=repeat, **kind)
        found, expected = gpu_for(scene, margin=margin).lists, backend_for(scene, margin=margin).lists
        for name in ENTRIES:
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        np.testing.assert_array_equal(found.by_gaussian[found.slot], np.arange(len(found.gaussian)))
        np.testing.assert_array_equal(found.slot, expected.slot)


def test_entries_of_a_crowded_cell_and_of_fine_cells():
    fine = scene_of(np.random.default_rng(2), make_pyramid(40, 24, repeat=True, cell=1.0),
                    random_geometry(np.random.default_rng(3), 400, 40, 24, sigma=(0.2, 30.0)), 3)  # fmt: skip
    for scene in (crowd(), fine):
        found, expected = gpu_for(scene, margin=14.0).lists, backend_for(scene, margin=14.0).lists
        for name in ENTRIES:
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_default_margin_is_that_of_the_cpu():
    scene = random_scene(1, 33, 18, 150, 3, repeat=True)
    backend = GpuView(scene.pyramid, DEVICE)
    backend.set_target(scene.wanted, scene.weight)
    backend.place(scene.placement, scene.geometry)
    np.testing.assert_array_equal(backend.lists.start, backend_for(scene, margin=MARGIN).lists.start)


def test_lists_of_several_views_are_made_again_in_the_same_memory_and_in_more_of_it(monkeypatch):
    """A wider margin takes more room in one of them, and a narrow one again leaves it."""
    monkeypatch.setattr(tile_lists, "ROOM", 1.0)
    scene = random_scene(1, 64, 40, 80, 3, repeat=True)
    half = np.zeros((20, 32, 3), np.float32)
    shared = GpuSharedView(DEVICE, scene.pyramid, 1, Target.of(half, half + 1), scene.weight)
    on_cpu = SharedView(scene.pyramid, 1, Target.of(half, half + 1), scene.weight)
    views = [gpu_for(scene), shared.backend]
    maker = tile_lists.ListMaker(DEVICE, [view.seen for view in views])
    rooms = []
    for margin in (6.0, math.inf, 6.0):
        maker.make(scene.placement, scene.geometry, lambda i: views[i].derive(scene.geometry), margin=margin)
        rooms.append([view.seen.room for view in views])
        whole = CpuView(scene.pyramid)
        whole.set_target(scene.wanted, scene.weight)
        for view in (whole, on_cpu):
            view.place(scene.placement, scene.geometry, margin=margin)
        for found, expected in ((views[0].lists, whole.lists), (views[1].lists, on_cpu.lists)):
            for name in (*ENTRIES, "slot"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    (first, second), *after = rooms
    assert all(room[0] == first and room[1] > second for room in after) and after[0] == after[1]


def test_more_entries_than_have_numbers_are_refused(monkeypatch):
    monkeypatch.setattr(tile_lists, "MOST_ENTRIES", 100)
    message = r"GPU fit: \d+ pairs of a tile and a Gaussian it sees, at most 100 can be listed; use fewer Gaussians"
    with pytest.raises(DeviceError, match=message):
        gpu_for(random_scene(1, 33, 18, 150, 3, repeat=True))


# Values


@pytest.mark.parametrize("width, height, kind, repeat", SCENES)
def test_values_match_the_reference(width, height, kind, repeat):
    scene = random_scene(1, width, height, 80, 3, repeat=repeat, **KINDS[kind])
    for jitter, most in ((STILL, 5e-6), (JITTER, 1e-5)):  # measured 1.3e-6 and 3.8e-6
        with torch.no_grad():
            reference = Reference(scene, jitter)
        image, target, importance = gpu_for(scene).render(*scene.parameters, jitter)
        assert np.abs(image - reference.image.numpy()).max() < most
        np.testing.assert_allclose(target, reference.target.numpy(), atol=3e-7)
        np.testing.assert_allclose(importance, reference.importance.numpy(), atol=6e-7)


@pytest.mark.parametrize("width, height", [(150, 3), (9, 20), (1, 1)])
def test_squared_errors_are_those_of_the_cpu(width, height):
    """Rows longer than a block of threads, and channels that count differently."""
    scene = random_scene(9, width, height, 30, 3, repeat=True, sigma=(0.4, 12.0))
    picture = backend_for(scene).picture(*scene.parameters, STILL)
    found = gpu_for(scene).squared_errors(*scene.parameters)
    np.testing.assert_allclose(found, squared_errors(picture, scene.wanted), rtol=2e-5)


def test_values_without_gaussians_are_the_background():
    scene = random_scene(4, 10, 6, 0, 3, repeat=False)
    image, _, _ = gpu_for(scene).render(*scene.parameters, STILL)
    np.testing.assert_allclose(image, np.broadcast_to(scene.background, image.shape), rtol=2e-7)
    loss, v_geometry, v_features = gpu_for(scene).step(*scene.parameters, STILL)
    assert float(loss) > 0 and v_geometry.shape == (0, 6) and v_features.shape == (0, 3)


def test_targets_are_those_of_the_cpu():
    scene = random_scene(5, 19, 10, 20, 3, repeat=True)
    for repeat in (False, True):
        scene = replace(scene, pyramid=replace(scene.pyramid, repeat=repeat))
        for jitter in (STILL, JITTER):
            tiles = SimpleNamespace(corner=np.array([[x, y] for y in (0, 8) for x in (0, 8, 16)]))
            target, planes = gpu_for(scene).targets(jitter)
            found = target, planes[:, scene.plane] * scene.weight[:, None]
            expected = backend_for(scene).render(*scene.parameters, jitter)[1:]
            inside = tiles_of(np.ones_like(scene.target), tiles) > 0
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_allclose(a[inside], tiles_of(b, tiles)[inside], atol=3e-7)
            assert (found[1][~inside] == 0).all()


# Gradients


@pytest.mark.parametrize("width, height, kind, repeat", SCENES)
def test_gradients_of_the_squared_error(width, height, kind, repeat):
    scene = random_scene(7, width, height, 100, 3, repeat=repeat, **KINDS[kind])
    errors = step_errors(scene, JITTER)
    assert max(errors.values()) < 5e-5, errors


@pytest.mark.parametrize("channels", CHANNELS)
def test_values_and_gradients_for_any_number_of_channels(channels):
    scene = random_scene(8, 9, 12, 60, channels, repeat=False)
    errors = step_errors(scene, STILL)
    assert max(errors.values()) < 5e-5, errors
    with torch.no_grad():
        expected = Reference(scene, JITTER).image.numpy()
    assert np.abs(gpu_for(scene).render(*scene.parameters, JITTER)[0] - expected).max() < 2e-5


@pytest.mark.parametrize("count", [2, 8, 9, 16, 17, 31, 32, 33, 40])
def test_gradients_for_any_number_of_entries(count):
    """Lanes share what is left over of a tile's entries in three ways."""
    rng = np.random.default_rng(count)
    geometry = random_geometry(rng, count, 6, 6, sigma=(1.0, 3.0))
    scene = scene_of(rng, make_pyramid(6, 6, repeat=False, cell=6.0), geometry, 3)
    assert gpu_for(scene).lists.start.tolist() == [0, count]
    errors = step_errors(scene, JITTER)
    assert max(errors.values()) < 5e-5, errors


@pytest.mark.parametrize("width, height, repeat", [(1, 1, True), (5, 7, False), (8, 8, True), (33, 18, False),
                                                   (33, 18, True), (64, 40, False)])  # fmt: skip
def test_one_gaussian(width, height, repeat):
    """Its gradients come from where it competes with the background alone, which float32 knows less well."""
    scene = random_scene(3, width, height, 1, 2, repeat=repeat, sigma=(0.3, 0.5))
    with torch.no_grad():
        expected = Reference(scene, STILL).image.numpy()
    assert np.abs(gpu_for(scene).render(*scene.parameters, STILL)[0] - expected).max() < 5e-6
    if width > 1:
        errors = step_errors(scene, STILL)
        assert max(errors.values()) < 2e-4, errors  # measured 6e-5


def test_gradients_of_a_thousand_in_one_cell():
    errors = step_errors(crowd(), JITTER)
    assert max(errors.values()) < 5e-5, errors


def test_gradients_of_a_gaussian_that_all_tiles_see():
    """More rows than one warp sums: a block of its own."""
    rng = np.random.default_rng(12)
    geometry = random_geometry(rng, 4, 272, 272, sigma=(60.0, 90.0))
    scene = scene_of(rng, make_pyramid(272, 272, repeat=True, cell=100.0), geometry, 3)
    backend = gpu_for(scene)
    assert np.diff(backend.lists.by_gaussian_start).max() > 1024
    DEVICE.launches.clear()
    errors = step_errors(scene, STILL)
    assert DEVICE.launches["fit_gather_long"] == 1
    assert max(errors.values()) < 5e-5, errors


@pytest.mark.parametrize("width, height, repeat", [(1, 1, True), (5, 7, False), (33, 18, True)])
def test_gradients_of_a_random_cotangent(width, height, repeat):
    scene = random_scene(9, width, height, 80, 4, repeat=repeat)
    v_image = np.random.default_rng(9).normal(size=scene.target.shape).astype(np.float32)
    backend = gpu_for(scene)
    backend.render(*scene.parameters, JITTER)
    found = backend.backward(*scene.parameters, v_image)
    reference = Reference(scene, JITTER)
    expected = torch.autograd.grad(reference.image, reference.parameters, torch.tensor(v_image, dtype=torch.float64))
    errors = gradient_errors(scene, found, expected)
    assert max(errors.values()) < 5e-5, errors


def test_gradients_are_added_with_their_weight():
    scene = random_scene(7, 33, 18, 100, 3, repeat=True)
    backend = gpu_for(scene)
    alone = [a.copy() for a in backend.step(*scene.parameters, JITTER)[1:3]]
    to = np.ones((100, 6), np.float32), np.full((100, 3), 2, np.float32)
    backend.step(*scene.parameters, JITTER, add_to=to, weight=np.array([0.5], np.float32))
    np.testing.assert_allclose(to[0], 1 + 0.5 * alone[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(to[1], 2 + 0.5 * alone[1], rtol=1e-6, atol=1e-6)


# Removal


@pytest.mark.parametrize("repeat, channels", [(False, 1), (True, 1), (True, 9), (False, 16)])
def test_removal_cost_is_that_of_the_cpu(repeat, channels):
    scene = random_scene(10, 17, 12, 60, channels, repeat=repeat, sigma=(0.4, 6.0))
    found, expected = gpu_for(scene).removal_cost(*scene.parameters), backend_for(scene).removal_cost(*scene.parameters)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape and np.abs(a - b).max() < 1e-5 * np.abs(b).max()


def test_a_gaussian_that_makes_up_all_of_a_texel_is_clamped_as_on_the_cpu():
    scene = random_scene(11, 24, 24, 12, 3, repeat=False, sigma=(0.5, 2.0), amplitude=4.0)
    found, expected = gpu_for(scene).removal_cost(*scene.parameters), backend_for(scene).removal_cost(*scene.parameters)
    # The clamp multiplies the rounding of a difference by 999.
    assert np.abs(found[0] - expected[0]).max() < 1e-3 * np.abs(expected[0]).max()  # measured 3e-4


def test_the_share_is_the_curvature_of_the_features():
    """Half of the second derivative of the squared error, mean over channels."""
    scene = random_scene(10, 17, 12, 30, 3, repeat=True)
    _, share, _ = gpu_for(scene).removal_cost(*scene.parameters)
    reference = Reference(scene, STILL)
    gradient = torch.autograd.grad(reference.loss(), reference.parameters[1], create_graph=True)[0]
    for g in (0, 7, 29):
        second = torch.autograd.grad(gradient[g].sum(), reference.parameters[1], retain_graph=True)[0][g]
        assert share[g] == pytest.approx(second.mean().item() / 2, rel=1e-4, abs=1e-6)


# Shared mips


@pytest.mark.parametrize("loss", ["l2", "perceptual"])
def test_a_shared_mip_is_that_of_the_cpu(loss):
    scene = random_scene(13, 33, 18, 100, 3, repeat=True)
    rng = np.random.default_rng(13)
    image = rng.random((9, 16, 3)).astype(np.float32)
    target = Target.of(image, rng.uniform(0.2, 1, image.shape).astype(np.float32))
    cpu = SharedView(scene.pyramid, 1, target, scene.weight)
    cpu.place(scene.placement, scene.geometry)
    gpu = GpuSharedView(DEVICE, scene.pyramid, 1, target, scene.weight)
    gpu.place(scene.placement, scene.geometry)
    assert (gpu.filter, gpu.importance_sum) == (filter_sigma(1), pytest.approx(cpu.importance_sum))
    mse = Follower(DEVICE, 1e-3)
    for _ in range(2):  # the second time the error of the view counts too
        weight = cpu.weight(1e-3) * 3.0
        expected = np.zeros((100, 6), np.float32), np.zeros((100, 3), np.float32)
        cpu.add_gradient(*scene.parameters, JITTER, loss, to=expected, weight=weight)
        found = np.zeros((100, 6), np.float32), np.zeros((100, 3), np.float32)
        gpu.add_gradient(*scene.parameters, JITTER, loss, to=found, mse=mse, factor=3.0)
        for a, b in zip(found, expected, strict=True):
            assert (np.abs(a - b).max(axis=0) <= 2e-5 * np.abs(b).max(axis=0)).all()
        assert float(gpu.mse) == pytest.approx(cpu.mse, rel=1e-5)
    assert weight < 0.02 * 3  # the limit is part of the test


# The same bytes


def bytes_of(device) -> list[bytes]:
    scene = random_scene(7, 33, 18, 100, 3, repeat=True)
    backend = gpu_for(scene, margin=14.0, device=device)
    arrays = [*backend.step(*scene.parameters, JITTER), *backend.removal_cost(*scene.parameters)]
    arrays += backend.render(*scene.parameters, JITTER)
    return [np.asarray(a).tobytes() for a in arrays]


def test_results_do_not_depend_on_the_order_of_threads_and_blocks():
    expected = bytes_of(HostDevice())
    assert bytes_of(HostDevice()) == expected
    assert bytes_of(HostDevice(order=1)) == expected
    assert bytes_of(HostDevice(order=77)) == expected


# Under the sanitizers


def test_nothing_is_read_or_written_outside():
    assert "done" in run_sanitized("cuda_fit_cases", "run")
