"""benchmarks/image_gs.py: the picture texel by texel, SSIM, what is counted, the schedule, a fit."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gstex import metrics
from gstex.errors import BudgetError, ExtraError
from gstex.material import Channel, Material

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reference import loss as ref_loss  # noqa: E402

from benchmarks import image_gs  # noqa: E402
from benchmarks.image_gs import fit_image_gs  # noqa: E402
from benchmarks.image_gs_torch import EPSILON, TILE, TOP_K, Ssim, draw, list_tiles  # noqa: E402


def gaussians(count, channels, seed=0):
    """(geometry float64 [N, 5], features [N, C])."""
    rng = np.random.default_rng(seed)
    sigma = np.exp(rng.normal(1.2, 0.5, (count, 2)))
    sign = rng.choice([-1.0, 1.0], (count, 2))  # the sign of a scale is of no effect
    geometry = np.concatenate([rng.random((count, 2)), rng.random((count, 1)) * 7, sign / sigma], axis=1)
    return geometry, rng.random((count, channels))


def listed(start, gaussian, tile):
    return gaussian[start[tile] : start[tile + 1]].tolist()


def draw_by_texel(geometry, features, height, width, visible):
    """The image from all Gaussians in every texel; visible bool [T, N]."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    dx = x[..., None] - geometry[:, 0] * width  # [H, W, N]
    dy = y[..., None] - geometry[:, 1] * height
    c, s = torch.cos(geometry[:, 2]), torch.sin(geometry[:, 2])
    u, v = geometry[:, 3] * (c * dx + s * dy), geometry[:, 4] * (c * dy - s * dx)
    tile = (y.long() // TILE) * -(-width // TILE) + x.long() // TILE
    weight = torch.where(visible[tile], torch.exp(-(u**2 + v**2) / 2), 0)
    top, who = weight.topk(min(TOP_K, len(geometry)), dim=2)
    return (top[..., None] * features[who]).sum(dim=2) / (EPSILON + top.sum(dim=2, keepdim=True))


def drawn(geometry, features, v_out):
    """(image, v_geometry, v_features) of draw."""
    g, f = (torch.tensor(a, requires_grad=True) for a in (geometry, features))
    image = draw(g, f, *v_out.shape[:2])
    image.backward(torch.tensor(v_out))
    return image.detach().numpy(), g.grad.numpy(), f.grad.numpy()


def test_the_picture_is_the_formula_and_so_is_its_gradient():
    height, width, channels = 21, 37, 3  # no multiples of a tile
    geometry, features = gaussians(40, channels)
    start, gaussian = list_tiles(geometry, height, width)
    visible = torch.zeros((len(start) - 1, 40), dtype=torch.bool)
    for tile in range(len(start) - 1):
        visible[tile, listed(start, gaussian, tile)] = True
    assert 0.2 < visible.double().mean() < 0.9  # lists and top-K both matter
    v_out = np.random.default_rng(1).normal(size=(height, width, channels))
    out, v_geometry, v_features = drawn(geometry, features, v_out)

    g, f = (torch.tensor(a, requires_grad=True) for a in (geometry, features))
    expected = draw_by_texel(g, f, height, width, visible)
    (expected * torch.tensor(v_out)).sum().backward()
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(v_geometry, g.grad.numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(v_features, f.grad.numpy(), rtol=1e-9, atol=1e-9)


def test_ssim_is_that_of_the_reference():
    rng = np.random.default_rng(2)
    x, y, w = (torch.tensor(rng.random((23, 18, 2))) for _ in range(3))
    w[:9, :9] = 0  # more than a window
    counts = w > 0
    np.testing.assert_allclose(Ssim(y, w)(x)[counts], ref_loss.ssim(x, y, w)[counts], rtol=0, atol=1e-9)


def test_tiles_list_what_reaches_them_with_3_sigma():
    # 64x32 texels are 4x2 tiles. Sigmas of 2 and 5: 15 texels each way, in a square, however it is turned.
    geometry = np.array([[28 / 64, 0.25, 0.7, 1 / 2, 1 / 5], [1.0, 1.0, 0.0, -1.0, -1.0], [3.0, 0.5, 0, 1, 1]])
    start, gaussian = list_tiles(geometry, 32, 64)
    assert [listed(start, gaussian, tile) for tile in range(8)] == [[0], [0], [0], [], [0], [0], [0], [1]]


def test_nothing_listed_is_black():
    geometry, features = np.array([[0.1, 0.5, 0, 1, 1]], np.float32), np.ones((1, 1), np.float32)
    out, v_geometry, v_features = drawn(geometry, features, np.ones((16, 32, 1), np.float32))
    assert not out[:, 16:].any() and out[8, 3] == pytest.approx(1, abs=2e-4)
    assert np.isfinite(v_geometry).all() and v_features[0] == pytest.approx(out.sum())


def picture(height=32, width=40):
    """Four channels: a disc of two colours, waves, noise under nothing, and a constant."""
    y, x = np.mgrid[0:height, 0:width]
    disc = np.hypot(x - 20, y - 16) < 10
    rows = [np.where(disc, 0.9, 0.2), 0.5 + 0.3 * np.sin(x / 4), np.where(disc, 0.1, 0.6), np.full(disc.shape, 0.25)]
    channels = tuple(
        Channel("mask", "v", "linear", f"{i}.png", 0, 0.25 if i == 3 else None, ()) for i in range(len(rows))
    )
    return Material("disc", width, height, (), channels, np.stack(rows, axis=2).astype(np.float32), None, "clamp")


@pytest.fixture(scope="module")
def fitted():
    return fit_image_gs(picture(), 1000, steps=300)


def test_what_is_counted(fitted):
    assert fitted.gaussians == 1000 // 16 == 62  # x, y, rotation, two scales and three features of 16 bits
    assert fitted.bytes == len(fitted.parameters) == 62 * 16
    ids = np.frombuffer(fitted.lists, "<u2")
    assert len(ids) > 2 * 6 + 62 and (ids[12:] < 62).all()  # a u32 for each of 3x2 tiles
    assert fitted.bytes_with_lists == fitted.bytes + len(fitted.lists)


def test_a_fit_shows_the_material(fitted):
    material = picture()
    assert fitted.stack.dtype == np.float32 and fitted.stack.shape == material.pixels.shape
    assert (fitted.stack[:, :, 3] == np.float32(0.25)).all() and 0 <= fitted.stack.min() <= fitted.stack.max() <= 1
    assert metrics.psnr(fitted.stack[:, :, :3], material.pixels[:, :, :3]) > 24


def test_equal_fits_give_equal_bytes():
    first, again, other = (fit_image_gs(picture(), 1000, steps=40, seed=seed).parameters for seed in (0, 0, 1))
    assert first == again != other


def test_half_of_the_gaussians_come_later(monkeypatch):
    counts, reports = [], []
    step = image_gs.Fit.take_step
    monkeypatch.setattr(image_gs.Fit, "take_step", lambda self, rate: counts.append((len(self.geometry), rate))
                        or step(self, rate))  # fmt: skip
    fit_image_gs(picture(), 16 * 61, steps=100, progress=lambda *now: reports.append(now))
    # 31 of 61, and 8 more (6 the last time) after every tenth of the steps; the last fifth at a tenth of the rate.
    sizes, rates = [size for size, _ in counts], [rate for _, rate in counts]
    assert [sizes.count(n) for n in (31, 39, 47, 55, 61)] == [10, 10, 10, 10, 60]
    assert rates == [1.0] * 80 + [0.1] * 20
    assert [now[:2] for now in reports] == [(n, 100) for n in range(2, 101, 2)] and reports[-1][2] > reports[0][2]


def test_parameters_are_rounded_to_16_bits():
    geometry, features = gaussians(50, 2)
    codes, stored, stored_features = image_gs.round_to_16_bits(geometry.astype(np.float32), features.astype(np.float32))
    assert codes.shape == (50, 7) and codes.itemsize == 2 and codes.min() == 0 and codes.max() == 65535
    for part, values in ((slice(0, 2), stored[:, :2]), (slice(5, 7), stored_features)):  # one range for both columns
        grid = values.astype(np.float64)
        low, high = grid.min(), grid.max()
        np.testing.assert_allclose(low + codes[:, part] / 65535 * (high - low), grid, atol=1e-7)
        assert {0, 65535} <= set(codes[:, part].ravel().tolist())
    np.testing.assert_allclose(stored, geometry, atol=1e-4)


def test_hidden_colour_draws_no_gaussians():
    """Noise in the upper half, where nothing counts."""
    image = np.array(picture().pixels[:, :, :2])
    image[:16] = np.random.default_rng(0).random((16, 40, 2))
    weights = np.ones_like(image)
    weights[:16] = 0
    fit = image_gs.Fit(image, weights, 40, np.random.default_rng(0))
    assert len(fit.geometry) == 20 and (fit.geometry[6:, 1] > 0.5).all()  # the first 6 start anywhere
    fit.add(20)
    assert (fit.geometry[20:, 1] > 0.5).all()


def test_a_fit_without_torch_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "benchmarks.image_gs_torch")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ExtraError, match="Image-GS needs torch: pip install torch"):
        fit_image_gs(picture(), 1000)


def test_too_few_bytes_and_nothing_to_store():
    with pytest.raises(BudgetError, match="got 15 bytes, a Gaussian of 3 channels needs 16"):
        fit_image_gs(picture(), 15)
    assert fit_image_gs(picture(), 16, steps=5).gaussians == 1
    material = picture()
    flat = replace(material, channels=tuple(replace(c, constant=0.5) for c in material.channels))
    assert fit_image_gs(flat, 0).bytes_with_lists == 0
