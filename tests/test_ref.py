"""The torch reference: against the format's text, gradients, and the twin of the perceptual loss in C++."""

import math

import numpy as np
import pytest
import torch
from random_gaussians import random_scene
from reference import loss as ref_loss
from reference.blend import blend, fade
from same_bits import each_instruction_set, each_thread_count

from gstex.encode.cell_pyramid import make_pyramid
from gstex.encode.loss import WINDOW
from gstex.encode.ops.cpu.perceptual_loss import perceptual_loss
from gstex.encode.ops.cpu.windowed import windowed


def double(array, *, grad=False) -> torch.Tensor:
    return torch.tensor(array, dtype=torch.float64, requires_grad=grad)


def blend_scene(scene, points, *, parameters=None, top_k=0) -> torch.Tensor:
    parameters = parameters or [double(p) for p in scene.parameters]
    placement = torch.tensor(scene.placement, dtype=torch.int64)
    return blend(*parameters, scene.pyramid, placement, double(points), top_k=top_k)


def value_by_the_book(scene, x, y, top_k) -> np.ndarray:
    """The value [C] at one point, by the loops of docs/format.md, "Decoding a position"."""
    pyramid = scene.pyramid
    width, height = pyramid.width, pyramid.height
    if pyramid.repeat:
        x, y = x - width * math.floor(x / width), y - height * math.floor(y / height)
    else:
        x, y = min(max(x, 0), width), min(max(y, 0), height)
    seen = []
    for level, (cells_x, cells_y) in enumerate(pyramid.cells.tolist()):
        qx, qy = x * (cells_x / width), y * (cells_y / height)
        cell_x, cell_y = min(math.floor(qx), cells_x - 1), min(math.floor(qy), cells_y - 1)
        for j in (-1, 0, 1):
            for i in (-1, 0, 1):
                column, row = cell_x + i, cell_y + j
                if pyramid.repeat:
                    column, row = column % cells_x, row % cells_y
                for n in np.flatnonzero((scene.placement == [level, column, row]).all(axis=1)):
                    gx, gy, rotation, lu, lv, amplitude = scene.geometry[n].astype(float)
                    dx = (qx - cell_x - i - (gx * cells_x / width - column)) * (width / cells_x)
                    dy = (qy - cell_y - j - (gy * cells_y / height - row)) * (height / cells_y)
                    u = math.exp(-lu) * (math.cos(rotation) * dx + math.sin(rotation) * dy)
                    v = math.exp(-lv) * (math.cos(rotation) * dy - math.sin(rotation) * dx)
                    weight = math.exp(amplitude - (u * u + v * v) / 2)
                    for d in (qx - cell_x - i, qy - cell_y - j):
                        f = min(max(2 * (1.5 - abs(d - 0.5)), 0), 1)
                        weight *= f * f * (3 - 2 * f)
                    seen.append((-weight, n))
    seen = sorted(seen)[: top_k or None]
    total = math.exp(-20) - sum(w for w, _ in seen)
    value = math.exp(-20) * scene.background.astype(float)
    return (value - sum(w * scene.features[n].astype(float) for w, n in seen)) / total


@pytest.mark.parametrize("width, height, top_k, repeat", [
    (1, 1, 0, True), (1, 1, 4, False), (5, 7, 0, False), (5, 7, 1, True), (33, 18, 0, True), (33, 18, 1, False),
    (33, 18, 4, True), (33, 18, 0, False),
])
def test_blend_is_the_one_of_the_format(width, height, top_k, repeat):
    scene = random_scene(1, width, height, 60, 3, repeat=repeat, cell=4.0, sigma=(0.4, 12.0))
    rng = np.random.default_rng(2)
    points = rng.uniform(-0.5, 1.5, (40, 2)) * [width, height]
    points[:4] = [[0, 0], [width, height], [0, height], [width / 2, 0]]
    expected = [value_by_the_book(scene, x, y, top_k) for x, y in points]
    np.testing.assert_allclose(blend_scene(scene, points, top_k=top_k).numpy(), expected, atol=1e-11)


def test_the_dtype_is_that_of_the_arguments():
    scene = random_scene(1, 9, 9, 20, 2, repeat=True)
    points = np.random.default_rng(1).uniform(0, 9, (50, 2)).astype(np.float32)
    placement = torch.tensor(scene.placement, dtype=torch.int64)
    single = blend(*map(torch.tensor, scene.parameters), scene.pyramid, placement, torch.tensor(points))
    assert single.dtype == torch.float32
    assert (single - blend_scene(scene, points)).abs().max() < 1e-5


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("top_k", [0, 3])
def test_gradients_of_blend(top_k, repeat):
    scene = random_scene(3, 11, 8, 7, 2, repeat=repeat, cell=3.0, sigma=(1.0, 3.0))
    points = np.random.default_rng(3).uniform(0, 1, (6, 2)) * [11, 8]
    parameters = [double(p, grad=True) for p in scene.parameters]
    assert torch.autograd.gradcheck(
        lambda *p: blend_scene(scene, points, parameters=p, top_k=top_k), parameters, atol=1e-7
    )


def test_gradient_of_the_background():
    scene = random_scene(3, 64, 64, 1, 2, repeat=False, sigma=(0.5, 1.0))
    away = (scene.geometry[:, :2] + 32) % 64
    background = double(scene.background, grad=True)
    parameters = [double(scene.geometry), double(scene.features), background]
    (v_background,) = torch.autograd.grad(blend_scene(scene, away, parameters=parameters).sum(), background)
    np.testing.assert_allclose(v_background.numpy(), [1, 1])


# Top K


def test_top_k_ties_go_to_the_lower_index():
    scene = random_scene(1, 8, 8, 4, 1, repeat=False, cell=8.0)
    scene.geometry[:] = scene.geometry[0]
    scene.placement[:] = scene.placement[0]
    scene.features[:, 0] = [0.1, 0.2, 0.3, 0.4]
    point = scene.geometry[:1, :2].astype(float)
    for k, expected in [(1, 0.1), (2, 0.15), (3, 0.2), (4, 0.25), (9, 0.25), (0, 0.25)]:
        assert blend_scene(scene, point, top_k=k).item() == pytest.approx(expected, abs=1e-6)
    # The strongest comes first, wherever it stands.
    scene.geometry[2, 5] += 1
    assert blend_scene(scene, point, top_k=1).item() == pytest.approx(0.3, abs=1e-6)


# Fade


def test_fade_ends_at_zero_without_a_slope():
    d = double([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0], grad=True)
    value = fade(d)
    np.testing.assert_array_equal(value.detach().numpy(), [0, 0, 1, 1, 1, 1, 1, 0, 0])
    (slope,) = torch.autograd.grad(value.sum(), d)
    np.testing.assert_array_equal(slope.numpy(), 0)
    inner = fade(double([-1 + 1e-4, -0.5 - 1e-4, 1.75])).numpy()
    np.testing.assert_allclose(inner, [1.2e-7, 1 - 1.2e-7, 0.5], rtol=1e-3)


# Perceptual loss


def perceptual_case(seed, height, width, channels):
    """image, target and importance float32 [H, W, C]; a part of them without importance."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 9.0
    target = np.stack([0.5 + 0.4 * np.sin(x * (c + 1) + y) for c in range(channels)], axis=2)
    image = np.clip(target + rng.normal(0, 0.1, target.shape), 0, 1)
    importance = rng.uniform(0.3, 1.5, target.shape)
    importance[: height // 2, width // 3 : width // 2 + 1] = 0
    return [a.astype(np.float32) for a in (image, target, importance)]


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 20, 2), (16, 16, 3), (33, 18, 16), (64, 40, 1), (17, 130, 2)])
def test_perceptual_losses_of_the_core_and_of_torch_agree(shape):
    case = perceptual_case(1, *shape)
    loss, v_image = perceptual_loss(*case)
    image, target, importance = double(case[0], grad=True), double(case[1]), double(case[2])
    expected = ref_loss.perceptual(image, target, importance)
    (expected_v,) = torch.autograd.grad(expected, image)
    # float32 knows the variance of a window to 1e-7, which counts against C2 = 9e-4 where the image is flat.
    assert loss == pytest.approx(expected.item(), abs=1e-4 * case[0].size)  # measured 1.5e-5
    assert v_image.dtype == np.float32
    assert np.abs(v_image - expected_v.numpy()).max() < 5e-4  # measured 9e-5, of up to 5.6


def test_gradients_of_the_losses():
    image, target, importance = (double(a) for a in perceptual_case(2, 6, 5, 2))
    image.requires_grad_()
    for loss in (ref_loss.perceptual, ref_loss.squared_error):
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, target, importance), [image])


def test_squared_error_by_hand():
    image, target = torch.zeros(2, 1, 1), torch.tensor([0.5, 1.0])[:, None, None]
    importance = torch.tensor([2.0, 3.0])[:, None, None]
    assert ref_loss.squared_error(image, target, importance).item() == 3.5


def test_identical_images_lose_nothing():
    _, target, importance = perceptual_case(3, 20, 30, 3)
    loss, v_image = perceptual_loss(target, target, importance)
    assert loss == 0
    assert np.abs(v_image).max() < 1e-5
    assert ref_loss.perceptual(double(target), double(target), double(importance)).item() == 0


def test_perceptual_loss_of_constant_images_by_hand():
    """Only the luminance term is left, also at borders; a = 0.3 against b = 0.5 over 12 x 7 x 2 values."""
    image, target = np.full((12, 7, 2), 0.3, np.float32), np.full((12, 7, 2), 0.5, np.float32)
    ssim = (2 * 0.15 + 1e-4) / (0.09 + 0.25 + 1e-4)
    expected = 168 * (0.8 * 0.2 + 0.2 * (1 - ssim))
    loss, _ = perceptual_loss(image, target, np.ones_like(image))
    assert loss == pytest.approx(expected, rel=1e-4)
    # Twice the importance counts twice.
    assert perceptual_loss(image, target, np.full_like(image, 2))[0] == pytest.approx(2 * loss, rel=1e-6)


def test_values_without_importance_do_not_matter():
    image, target, importance = perceptual_case(4, 24, 24, 2)
    loss, v_image = perceptual_loss(image, target, importance)
    other = np.where(importance == 0, np.float32(0.9), image)
    other_loss, other_v = perceptual_loss(other, target, importance)
    assert loss == other_loss
    np.testing.assert_array_equal(v_image[importance == 0], 0)
    np.testing.assert_array_equal(v_image, other_v)
    nothing = np.zeros_like(importance)
    loss, v_image = perceptual_loss(image, target, nothing)
    assert loss == 0 and (v_image == 0).all()


def test_the_loss_is_the_same_bits_everywhere():
    case = perceptual_case(5, 45, 131, 3)  # several blocks, none of them whole
    found = set()
    for _ in each_instruction_set():
        for _ in each_thread_count(1, 3):
            loss, v_image = perceptual_loss(*case)
            found.add((loss, v_image.tobytes(), windowed(case[0][:, :, 0].astype(np.float64)).tobytes()))
    assert len(found) == 1


def test_the_window():
    window = WINDOW
    assert len(window) == 11 and window.sum() == pytest.approx(1) and window.argmax() == 5
    assert window[5] / window[2] == pytest.approx(math.exp(0.5 * (3 / 1.5) ** 2))
    impulse = np.zeros((13, 12))
    impulse[6, 3] = 1
    spread = windowed(impulse)
    expected = np.zeros_like(impulse)
    expected[1:12, :9] = np.outer(window, window[2:])
    np.testing.assert_allclose(spread, expected, rtol=0, atol=1e-16)


def test_a_pyramid_of_one_cell_sees_everything():
    """With clamp the top level has no fade: its one cell is the middle of the block everywhere."""
    pyramid = make_pyramid(6, 4, repeat=False, cell=8.0)
    geometry = torch.tensor([[3.0, 2.0, 0.0, 5.0, 5.0, 0.0]], dtype=torch.float64)
    ends = double([[0, 0], [6, 4], [0, 4], [3, 2]])
    features, background = double([[0.25]]), double([1.0])
    value = blend(geometry, features, background, pyramid, torch.zeros(1, 3, dtype=torch.int64), ends)
    square = np.array([[13.0], [13.0], [13.0], [0.0]])  # distances from the centre
    weight = np.exp(-square / (2 * math.exp(10)))
    expected = (0.25 * weight + math.exp(-20)) / (weight + math.exp(-20))
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12)
