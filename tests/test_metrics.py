"""Metrics on cases worked out by hand, and against the libraries that define them."""

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest

from gstex import metrics
from gstex.encode.loss import C1, C2
from gstex.errors import ExtraError
from gstex.material.material import Channel, Material
from gstex.metrics import flip, measure_quality, mse, normal_angles, own_errors, psnr, psnr_by_map, ssim

UP = [0.5, 0.5]  # a normal straight up, as stored


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def channel(role: str, component: str = "v", *, space: str = "linear", constant: float | None = None) -> Channel:
    return Channel(role, component, space, f"{role}.png", 0, constant, ())


def make_material(pixels: np.ndarray, channels: list[Channel], *, wrap: str = "repeat") -> Material:
    height, width = pixels.shape[:2]
    convention = "gl" if any(c.role == "normal" for c in channels) else None
    return Material("wall", width, height, (), tuple(channels), pixels, convention, wrap)


WALL = [
    *(channel("albedo", c, space="srgb") for c in "rgb"), channel("normal", "x"), channel("normal", "y"),
    channel("roughness"), channel("metallic", constant=0.0),
]  # fmt: skip


def make_wall() -> Material:
    pixels = noise(24, 32, 7) * 0.5 + 0.25
    pixels[:, :, 6] = 0
    return make_material(pixels, WALL)


# --- PSNR ---


def test_psnr_of_an_offset() -> None:
    image = np.full((3, 4, 2), 0.6)
    assert mse(image, image - 0.1) == pytest.approx(0.01)
    assert psnr(image, image - 0.1) == pytest.approx(20)
    assert psnr(image, image) == math.inf


def test_black_against_white_is_0_db() -> None:
    assert psnr(np.zeros((2, 2, 1)), np.ones((2, 2, 1))) == 0


def test_weights_leave_values_out() -> None:
    image, reference = np.zeros((1, 4, 1)), np.array([[[0.1], [0.2], [1], [1]]])
    weights = np.array([[[1.0], [1], [0], [0]]])
    assert mse(image, reference, weights) == pytest.approx((0.01 + 0.04) / 2)
    assert mse(image, reference, 0 * weights) == 0


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_those_of_numpy(kind: type, weighted: bool) -> None:
    """More texels than are summed at a time, and channels that differ."""
    rng = np.random.default_rng(3)
    image, reference = rng.random((2, 70, 90, 3)).astype(kind)
    reference[..., 1] *= 0.25
    weights = (rng.random(image.shape) * (rng.random(image.shape) > 0.2)).astype(kind) if weighted else None
    w = np.ones(image.shape) if weights is None else weights.astype(np.float64)
    a, b = image.astype(np.float64), reference.astype(np.float64)
    assert mse(image, reference, weights) == pytest.approx(((a - b) ** 2 * w).sum() / w.sum(), rel=1e-12)
    of_range, of_signal = own_errors(image, reference, ["x", "y", "x"], weights)
    error, variance, span = (np.zeros(3) for _ in range(3))
    for c in range(3):
        mean = np.average(b[..., c], weights=w[..., c])
        error[c] = np.average((a - b)[..., c] ** 2, weights=w[..., c])
        variance[c] = np.average((b[..., c] - mean) ** 2, weights=w[..., c])
        span[c] = np.ptp(b[..., c][w[..., c] > 0]) ** 2
    for role, pick in (("x", [0, 2]), ("y", [1])):
        assert of_range[role] == pytest.approx(np.sqrt(error[pick].sum() / span[pick].sum()), rel=1e-9)
        assert of_signal[role] == pytest.approx(error[pick].sum() / variance[pick].sum(), rel=1e-9)


def test_psnr_by_map() -> None:
    reference = np.zeros((2, 2, 3), np.float32)
    image = reference + np.array([0.1, 0.1, 0.01], np.float32)
    found = psnr_by_map(image, reference, ["normal", "normal", "ao"])
    assert list(found) == ["normal", "ao"]
    assert found["normal"] == pytest.approx(20, abs=1e-5)
    assert found["ao"] == pytest.approx(40, abs=1e-5)


# --- SSIM ---


@pytest.mark.parametrize("shape", [(16, 20, 2), (4, 30, 1), (1, 1, 1)])
def test_ssim_of_equal_images_is_1(shape) -> None:
    image = noise(*shape)
    assert ssim(image, image) == pytest.approx(1, abs=1e-12)


def test_ssim_of_two_constants_is_the_luminance_term() -> None:
    a, b = np.full((13, 15, 1), 0.25), np.full((13, 15, 1), 0.75)
    expected = (2 * 0.25 * 0.75 + C1) / (0.25**2 + 0.75**2 + C1)
    assert ssim(a, b) == pytest.approx(expected, rel=1e-12)
    assert ssim(a[:3, :3], b[:3, :3]) == pytest.approx(expected, rel=1e-12)


def test_ssim_of_a_checker_and_its_negative() -> None:
    """Mean 1/2 and variance 1/4 both (the window blurs the checker away to 2e-5), covariance -1/4."""
    checker = (np.indices((24, 24)).sum(axis=0) % 2).astype(float)[:, :, None]
    assert ssim(checker, 1 - checker) == pytest.approx((-0.5 + C2) / (0.5 + C2), abs=1e-6)


def test_ssim_is_that_of_scikit_image() -> None:
    """structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False) of scikit-image 0.26."""
    y, x = np.mgrid[:21, :27]
    image, reference = (7 * x + 3 * y * y) % 16 / 15, (7 * x + 3 * y * y + x * y % 3) % 16 / 15
    assert ssim(image[:, :, None], reference[:, :, None]) == pytest.approx(0.8692617962082986, abs=1e-12)


@pytest.mark.parametrize("shape", [(24, 32, 2), (7, 40, 1)])
def test_ssim_without_weights_is_that_with_ones(shape) -> None:
    image, reference = np.random.default_rng(8).random((2, *shape), np.float32)
    assert ssim(image, reference) == ssim(image, reference, np.ones(shape, np.float32))


def test_hidden_texels_do_not_touch_ssim() -> None:
    reference, weights = noise(20, 20, 1), np.ones((20, 20, 1), np.float32)
    weights[6:12, 8:] = 0
    image = reference * np.float32(0.8)
    other = np.where(weights > 0, image, 1)
    assert ssim(other, reference, weights) == pytest.approx(ssim(image, reference, weights), abs=1e-12)
    assert ssim(other, reference) < ssim(image, reference) - 0.01
    assert ssim(np.where(weights > 0, reference, 1), reference, weights) == pytest.approx(1, abs=1e-12)
    assert ssim(other, reference, 0 * weights) == 1


# --- FLIP ---


def test_flip_of_equal_pictures_is_0() -> None:
    pytest.importorskip("flip_evaluator")
    picture = noise(17, 23, 3)
    assert flip(picture, picture) == 0
    assert 0.2 < flip(np.zeros_like(picture), picture) <= 1


def test_flip_is_the_mean_of_the_authors_map_at_67_pixels_a_degree() -> None:
    library = pytest.importorskip("flip_evaluator")
    reference, picture = noise(17, 23, 3), noise(17, 23, 3, seed=1)
    _, expected, _ = library.evaluate(reference, picture, "LDR", parameters={"ppd": 67})
    assert flip(picture, reference) == pytest.approx(expected, rel=1e-5)


def test_hidden_texels_do_not_touch_flip() -> None:
    pytest.importorskip("flip_evaluator")
    reference, weights = noise(16, 16, 3), np.ones((16, 16))
    weights[:, 8:] = 0
    picture = reference.copy()
    picture[:, 8:] = 1 - picture[:, 8:]
    assert flip(picture, reference, weights) == 0
    picture[0, 0] = 1 - picture[0, 0]
    seen = flip(picture, reference, weights)
    picture[:, 8:] = reference[:, 8:]
    assert seen > 0 and seen == flip(picture, reference, weights)
    assert flip(picture, reference) < 0.9 * seen  # the same error over twice the texels
    assert flip(picture, reference, 0 * weights) == 0


def test_flip_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "flip_evaluator", None)
    with pytest.raises(ExtraError, match=r"flip-evaluator: pip install gstex\[compare\]"):
        flip(np.zeros((2, 2, 3)), np.zeros((2, 2, 3)))


# --- normals ---


def test_angle_of_a_known_tilt() -> None:
    """Stored 0.8 is x = 0.6: arcsin 0.6 away from straight up."""
    tilt = math.degrees(math.asin(0.6))
    for tilted in ([0.8, 0.5], [0.5, 0.2]):
        mean, high = normal_angles(np.array([[tilted, UP]]), np.array([[UP, UP]]))
        assert mean == pytest.approx(tilt / 2)
        assert high == pytest.approx(tilt * 0.99)  # two values: 99 % of the way from 0 to the tilt


def test_angle_between_opposite_slopes() -> None:
    assert normal_angles(np.array([[[0.9, 0.5]]]), np.array([[[0.1, 0.5]]]))[0] == pytest.approx(
        2 * math.degrees(math.asin(0.8))
    )


def test_99th_percentile() -> None:
    reference = np.full((10, 101, 2), 0.5)  # 1010 texels: rank 0.99 * 1009 = 998.91
    image = reference.copy()
    image.reshape(-1, 2)[:10, 0] = 0.8
    assert normal_angles(image, reference)[1] == 0
    image.reshape(-1, 2)[:12, 0] = 0.8
    assert normal_angles(image, reference)[1] == pytest.approx(math.degrees(math.asin(0.6)))


def test_normals_beyond_unit_length_lie_flat() -> None:
    assert normal_angles(np.array([[[1.0, 1.0]]]), np.array([[UP]]))[0] == pytest.approx(90)


def test_small_angles_are_not_lost() -> None:
    image = np.array([[[0.5 + 5e-10, 0.5]]])
    assert normal_angles(image, np.array([[UP]]))[0] == pytest.approx(math.degrees(1e-9), rel=1e-5)


def test_hidden_normals_are_left_out() -> None:
    image = np.array([[[0.8, 0.5], UP]])
    assert normal_angles(image, np.array([[UP, UP]]), np.array([[0, 1]])) == (0, 0)
    assert normal_angles(image, np.array([[UP, UP]]), np.array([[0, 0]])) == (0, 0)


# --- all together ---


def test_exact_match() -> None:
    pytest.importorskip("flip_evaluator")
    material = make_wall()
    found = measure_quality(material.pixels, material)
    assert found.psnr is found.psnr_sampled is found.shaded_psnr is None
    assert found.psnr_by_map == dict.fromkeys(("albedo", "normal", "roughness"))
    assert found.ssim_by_map == pytest.approx(dict.fromkeys(("albedo", "normal", "roughness"), 1))
    assert (found.flip_albedo, found.shaded_flip) == (0, 0)
    assert (found.normal_angle_mean, found.normal_angle_p99) == (0, 0)
    assert found.notes == ()


def test_channels_that_vary_are_measured_and_no_others() -> None:
    material = make_wall()
    stack = material.pixels.copy()
    stack[:, :, :6] += 0.1
    stack[:, :, 6] = 1.0
    found = measure_quality(stack, material, flip=False)
    assert found.psnr == pytest.approx(20, abs=1e-4)
    assert found.psnr_sampled == pytest.approx(20, abs=1e-4)
    assert found.psnr_by_map == pytest.approx(dict.fromkeys(("albedo", "normal", "roughness"), 20), abs=1e-4)
    assert found.ssim_by_map["albedo"] == pytest.approx(ssim(stack[:, :, :3], material.pixels[:, :, :3]))
    angles = normal_angles(stack[:, :, 3:5], material.pixels[:, :, 3:5])
    assert (found.normal_angle_mean, found.normal_angle_p99) == angles
    assert found.flip_albedo is found.shaded_flip is None
    assert json.loads(json.dumps(found.to_json()))["psnr_by_map"] == found.psnr_by_map


def test_shaded_figures_are_over_all_views(monkeypatch) -> None:
    """Two views of squared errors 0.01 and 0.03."""
    material = make_wall()
    stack = material.pixels.copy()
    black = np.zeros((24, 32, 3), np.float32)

    def views(shown, channels, convention):
        assert convention == "gl" and [c["role"] for c in channels] == [c.role for c in WALL]
        exact = shown is material.pixels
        return [black, black] if exact else [black + np.float32(0.1), black + np.float32(math.sqrt(0.03))]

    monkeypatch.setattr(metrics, "render_plane_views", views)
    monkeypatch.setattr(metrics, "flip", lambda a, b, weights=None: float(a.max() - b.max()))
    found = measure_quality(stack, replace(material))
    assert found.shaded_psnr == pytest.approx(-10 * math.log10(0.02), abs=1e-4)
    assert found.shaded_flip == pytest.approx((0.1 + math.sqrt(0.03)) / 2, abs=1e-6)


def test_flip_is_of_the_middle_of_large_materials(monkeypatch) -> None:
    pytest.importorskip("flip_evaluator")
    material = make_wall()  # 32 x 24
    stack = material.pixels.copy()
    stack[:2] = 1 - stack[:2]
    assert measure_quality(stack, material).flip_albedo > 0.01
    monkeypatch.setattr(metrics, "FLIP_SIDE", 20)  # rows 2 to 21, columns 6 to 25
    found = measure_quality(stack, material)
    assert (found.flip_albedo, found.shaded_flip) == (0, 0) and found.psnr < 30
    assert found.notes == ("FLIP is that of the middle 20 x 20 texels, for the time it takes",)
    stack[2, 6, :3] = 1 - stack[2, 6, :3]
    assert measure_quality(stack, material).flip_albedo > 0
    monkeypatch.setattr(metrics, "FLIP_SIDE", 28)
    found = measure_quality(stack, material)
    assert found.notes == ("FLIP is that of the middle 28 x 24 texels, for the time it takes",)


def test_a_sampler_can_be_given() -> None:
    material = make_wall()
    reference = metrics.filtered(material.pixels, metrics.sample_points(), repeat=True)

    def sampler(uv: np.ndarray) -> np.ndarray:
        assert uv.shape == (2**16, 2) and uv.dtype == np.float32
        return reference + 0.01

    found = measure_quality(material.pixels, material, filter_sampled=sampler, flip=False)
    assert found.psnr is None and found.psnr_sampled == pytest.approx(40, abs=1e-4)


def test_filtering_follows_the_wrap_of_the_material() -> None:
    """Left white and right black: only a repeating material blends them over its border."""
    pixels = np.zeros((1, 2, 1), np.float32)
    pixels[0, 0] = 1
    stack = pixels.copy()
    stack[0, 1] = 0.5
    found = {}
    for wrap in ("repeat", "clamp"):
        material = make_material(pixels, [channel("mask")], wrap=wrap)
        found[wrap] = 10 ** (-measure_quality(stack, material, flip=False).psnr_sampled / 10)
    # The error is 1/2 times the weight of the right texel: a triangle, or a ramp between two steps.
    assert found["repeat"] == pytest.approx(1 / 12, rel=0.01)
    assert found["clamp"] == pytest.approx(1 / 4 * (1 / 4 + 1 / 2 / 3), rel=0.01)


def test_colour_under_zero_opacity_counts_nowhere() -> None:
    pytest.importorskip("flip_evaluator")
    pixels = noise(16, 16, 4) * 0.5 + 0.25
    pixels[:, 8:, 3] = 0
    material = make_material(pixels, [channel("albedo", c, space="srgb") for c in "rgb"] + [channel("opacity")])
    stack = pixels.copy()
    stack[:, 8:, :3] = 1 - stack[:, 8:, :3]
    found = measure_quality(stack, material)
    assert found.psnr is found.psnr_by_map["albedo"] is found.shaded_psnr is None
    assert found.ssim_by_map["albedo"] == pytest.approx(1)
    assert found.flip_albedo == found.shaded_flip == 0
    uv = metrics.sample_points()
    filtered, reference, weights = (metrics.filtered(a, uv, repeat=True) for a in (stack, pixels, material.weights))
    assert found.psnr_sampled == pytest.approx(psnr(filtered, reference, weights))
    stack[:, 8:, 3] = 0.5  # now it can be seen
    assert measure_quality(stack, material, flip=False).shaded_psnr < 30


def test_a_picture_has_flip_but_is_not_lit() -> None:
    pytest.importorskip("flip_evaluator")
    reference = noise(12, 12, 3)
    material = make_material(reference, [channel("color", c, space="srgb") for c in "rgb"])
    found = measure_quality(1 - reference, material)
    assert found.flip_albedo == flip(1 - reference, reference)
    assert found.shaded_psnr is found.shaded_flip is found.normal_angle_mean is found.normal_angle_p99 is None


def test_flip_sees_linear_and_grey_albedo_as_srgb() -> None:
    pytest.importorskip("flip_evaluator")
    grey = noise(12, 12, 1)
    material = make_material(grey**2, [channel("albedo")])
    expected = flip(*(np.repeat(metrics.linear_to_srgb(a), 3, axis=2) for a in (0.5 * grey**2, grey**2)))
    assert measure_quality(0.5 * grey**2, material).flip_albedo == pytest.approx(expected)


def test_without_the_extra_flip_is_left_out_with_a_note(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "flip_evaluator", None)
    material = make_wall()
    found = measure_quality(material.pixels * 0.9, material)
    assert found.flip_albedo is found.shaded_flip is None
    assert found.shaded_psnr is not None
    assert found.notes == ("FLIP needs flip-evaluator: pip install gstex[compare]",)
    assert found.to_json()["notes"] == list(found.notes)


def test_nothing_varies() -> None:
    pixels = np.full((4, 4, 1), 0.25, np.float32)
    material = make_material(pixels, [channel("roughness", constant=0.25)])
    found = measure_quality(pixels, material)
    assert found.psnr is found.psnr_sampled is found.flip_albedo is None
    assert found.psnr_by_map == found.ssim_by_map == {}


def test_sample_points_stand_everywhere_alike() -> None:
    uv = metrics.sample_points(16)
    assert uv.dtype == np.float32 and uv.min() >= 0 and uv.max() < 1
    np.testing.assert_array_equal(np.floor(uv * 16), np.stack(np.divmod(np.arange(256), 16)[::-1], axis=1))
    assert not np.array_equal(uv, metrics.sample_points(16, seed=1))
