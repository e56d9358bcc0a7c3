"""Mip references against values worked out by hand."""

import math

import numpy as np
import pytest
from small_samples import SAMPLES

from gstex.errors import UsageError
from gstex.filtering import bilinear
from gstex.material import Channel, Material, MipLevel, load_material, make_mips
from gstex.material.bleed import bleed
from gstex.material.coverage import coverage, keep_coverage
from gstex.material.windows import bessel_i0, sinc

ROLES = {
    "albedo": ("albedo", "rgb", "srgb"), "emissive": ("emissive", "rgb", "srgb"), "light": ("albedo", "rgb", "linear"),
    "grey": ("albedo", "v", "srgb"), "specular": ("specular", "rgb", "srgb"), "normal": ("normal", "xy", "linear"),
    **{r: (r, "v", "linear") for r in ("opacity", "roughness", "gloss", "height", "ao")},
}
FLAT = 0.5
RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def make(*maps: tuple[str, np.ndarray | list], constant: str = "", own_mips: tuple = ()) -> Material:
    """A Material of maps (key of ROLES, [H, W] or [H, W, C]); none is constant but the role that is named so."""
    channels, planes = [], []
    for key, values in maps:
        role, components, space = ROLES[key]
        array = np.asarray(values, np.float32)
        array = array[:, :, None] if array.ndim == 2 else array
        for i, component in enumerate(components):
            value = float(array[0, 0, i]) if key == constant else None
            channels.append(Channel(role, component, space, f"{key}.png", i, value, (0.0, 1.0)))
            planes.append(array[:, :, i])
    pixels = np.stack(planes, axis=2)
    height, width = pixels.shape[:2]
    return Material("test", width, height, (), tuple(channels), pixels, "gl", "repeat", own_mips=own_mips)


def box(material: Material, **options: object) -> list[np.ndarray]:
    return [level.pixels for level in make_mips(material, repeat=True, **options)]


def checker(height: int = 8, width: int = 8) -> np.ndarray:
    return (np.add.outer(np.arange(height), np.arange(width)) % 2).astype(np.float32)


def colours(rows: list[list[tuple]]) -> np.ndarray:
    return np.array(rows, np.float32)


# ---- what filters are made of ----

def test_sinc_and_the_bessel_function_are_those_of_numpy() -> None:
    x = np.arange(-640, 641) / 128
    np.testing.assert_allclose(sinc(x), np.sinc(x), rtol=0, atol=3e-16)
    np.testing.assert_allclose(bessel_i0(2 * x), np.i0(2 * x), rtol=2e-15)  # which is good to 1e-15


# ---- what is averaged ----

@pytest.mark.parametrize("filter", ["box", "kaiser"])
def test_a_checkerboard_is_half_the_light(filter: str) -> None:
    board = np.repeat(checker()[:, :, None], 3, axis=2)
    levels = box(make(("albedo", board), ("specular", board), ("light", board), ("ao", checker())), filter=filter)
    assert [p.shape for p in levels] == [(8, 8, 10), (4, 4, 10), (2, 2, 10), (1, 1, 10)]
    for pixels in levels[1:]:
        assert np.allclose(pixels[:, :, :6], 0.735357, atol=1e-6)  # 1.055 * 0.5^(1/2.4) - 0.055
        assert np.allclose(pixels[:, :, 6:], 0.5, atol=1e-6)       # float albedo and data are linear


def test_level_0_is_the_material_itself() -> None:
    material = make(("grey", checker()))
    levels = make_mips(material, repeat=True)
    assert levels[0].pixels is material.pixels
    assert all(level.weights is None and level.pixels.dtype == np.float32 for level in levels)


@pytest.mark.parametrize(("height", "width", "sizes"), [
    (1, 1, [(1, 1)]), (5, 3, [(5, 3), (2, 1), (1, 1)]), (1, 6, [(1, 6), (1, 3), (1, 1)]), (2, 1, [(2, 1), (1, 1)]),
])
@pytest.mark.parametrize("filter", ["box", "kaiser"])
def test_sizes(height: int, width: int, sizes: list[tuple[int, int]], filter: str) -> None:
    levels = box(make(("height", np.full((height, width), 0.3))), filter=filter)
    assert [p.shape[:2] for p in levels] == sizes
    assert all(np.allclose(p, 0.3, atol=1e-7) for p in levels)


def test_a_box_over_odd_sizes_counts_texels_in_part() -> None:
    values = np.array([[0.0, 0.1, 0.2, 0.4, 0.8], [0.3, 0.9, 0.6, 0.0, 0.3], [0.6, 0.2, 1.0, 0.5, 0.1]])
    level = box(make(("height", values)))[1]
    left, right = (0.4, 0.4, 0.2, 0.0, 0.0), (0.0, 0.0, 0.2, 0.4, 0.4)  # 2.5 texels each
    expected = [values.mean(axis=0) @ left, values.mean(axis=0) @ right]
    assert np.allclose(level[0, :, 0], expected, atol=1e-6) and level.shape == (1, 2, 1)


def test_values_are_carried_unrounded() -> None:
    values = np.zeros((8, 8))
    values[0, 0] = 1.0
    assert box(make(("height", values)))[3][0, 0, 0] == np.float32(1 / 64)


def test_light_is_carried_not_colour() -> None:
    values = np.zeros((4, 4))
    values[0, 0] = 1.0
    last = box(make(("grey", values)))[2][0, 0, 0]
    assert last == pytest.approx(1.055 * (1 / 16) ** (1 / 2.4) - 0.055, abs=1e-6)


# ---- opacity as the weight of colour ----

@pytest.mark.parametrize("role", ["albedo", "emissive"])
def test_hidden_colour_does_not_leak(role: str) -> None:
    material = make((role, colours([[RED, GREEN], [GREEN, GREEN]])), ("opacity", [[1, 0], [0, 0]]))
    assert np.allclose(box(material)[1][0, 0], [*RED, 0.25], atol=1e-6)


def test_colour_counts_by_its_opacity() -> None:
    material = make(("albedo", colours([[RED, BLUE], [RED, BLUE]])), ("opacity", [[1, 0.5], [1, 0.5]]))
    red, blue = (1.055 * light ** (1 / 2.4) - 0.055 for light in (2 / 3, 1 / 3))
    assert np.allclose(box(material)[1][0, 0], [red, 0, blue, 0.75], atol=1e-6)


@pytest.mark.parametrize("filter", ["box", "kaiser"])
def test_where_nothing_is_visible_the_colour_around_goes_on(filter: str) -> None:
    albedo = np.empty((16, 16, 3), np.float32)
    albedo[:] = GREEN
    albedo[2:7, 3:6] = RED
    opacity = np.zeros((16, 16))
    opacity[2:7, 3:6] = 1
    levels = make_mips(make(("albedo", albedo), ("opacity", opacity)), repeat=True, filter=filter)
    for level in levels[1:]:
        assert np.allclose(level.pixels[:, :, :3], RED, atol=1e-5)
    weights = levels[1].weights
    assert weights is not None and np.array_equal(weights[:, :, 0] == 0, levels[1].pixels[:, :, 3] < 0.5 / 255)
    assert (weights[:, :, 3] == 1).all() and levels[-1].weights is None


def test_only_varying_opacity_weighs_and_only_colour() -> None:
    board = np.repeat(checker()[:, :, None], 3, axis=2)
    levels = box(make(("albedo", board), ("opacity", np.full((8, 8), 0.0)), ("ao", checker()), constant="opacity"))
    assert np.allclose(levels[1][0, 0], [0.735357] * 3 + [0.0, 0.5], atol=1e-6)
    levels = box(make(("opacity", 1 - checker()), ("ao", checker())))
    assert np.allclose(levels[1], 0.5)


def box_range_violation(sharp: MipLevel, plain: MipLevel) -> np.ndarray:
    """How far the visible colours of a level lie outside those of 3x3 texels of another, by texel."""
    around = np.stack([np.roll(plain.pixels[:, :, :3], (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    low, high = around.min(axis=0) - sharp.pixels[:, :, :3], sharp.pixels[:, :, :3] - around.max(axis=0)
    return np.maximum(low, high).max(axis=2)[sharp.pixels[:, :, 3] > 0.02]


def test_a_sharp_filter_makes_no_odd_colours_at_edges() -> None:
    material = load_material(SAMPLES / "vine_leaves")
    sharp, plain = (make_mips(material, repeat=True, filter=f) for f in ("kaiser", "box"))
    for level in range(1, 6):
        assert box_range_violation(sharp[level], plain[level]).max() < 0.15  # measured 0.13


# ---- the Kaiser filter ----

def kaiser_weights(size: int, target: int) -> np.ndarray:
    """Weights of source texels -size..2 size - 1 for a target texel, by the filter's formula."""
    def bessel(x: float) -> float:
        return sum((x / 2) ** (2 * k) / math.factorial(k) ** 2 for k in range(40))

    scale = size / (size // 2)
    result = []
    for texel in range(-size, 2 * size):
        total = 0.0
        for sample in range(32):
            x = (texel + (sample + 0.5) / 32 - (target + 0.5) * scale) / scale
            if abs(x) <= 3:
                sinc = math.sin(math.pi * x) / (math.pi * x) if x else 1.0
                total += sinc * bessel(4 * math.sqrt(1 - (x / 3) ** 2))
        result.append(total)
    return np.array(result) / sum(result)


@pytest.mark.parametrize("size", [16, 13])
@pytest.mark.parametrize("repeat", [True, False])
def test_kaiser_weights_and_borders(size: int, repeat: bool) -> None:
    values = 0.4 + 0.2 * np.random.default_rng(3).random((1, size))
    level = make_mips(make(("height", values)), repeat=repeat, filter="kaiser")[1].pixels
    texels = np.arange(-size, 2 * size)
    read = values[0, texels % size] if repeat else values[0, np.clip(texels, 0, size - 1)]
    expected = [kaiser_weights(size, target) @ read for target in range(size // 2)]
    assert np.allclose(level[0, :, 0], expected, atol=1e-6)


def test_kaiser_reads_across_a_border_only_if_it_repeats() -> None:
    values = np.zeros((1, 16))
    values[0, :2] = 1.0
    ends = {r: make_mips(make(("height", values)), repeat=r, filter="kaiser")[1].pixels[0, :, 0] for r in (True, False)}
    assert ends[True][-1] == ends[True][1] > 0.05 and ends[True][-2] == 0  # below 0 and clipped
    assert (ends[False][-3:] == 0).all()
    assert ends[False][0] > 0.9 > ends[True][0]


# ---- normals and roughness ----

def facets(height: int = 4, width: int = 4) -> np.ndarray:
    """Normals (0.6, 0, 0.8) and (-0.6, 0, 0.8) in turn."""
    x = np.where(np.arange(width) % 2, -0.6, 0.6)
    return np.stack([np.broadcast_to(x / 2 + 0.5, (height, width)), np.full((height, width), FLAT)], axis=2)


def test_opposite_facets_are_flat_and_widen_the_roughness() -> None:
    maps = ("normal", facets()), ("roughness", np.full((4, 4), 0.5)), ("gloss", np.full((4, 4), 0.5))
    # The mean is (0, 0, 0.8): kappa = (2.4 - 0.512) / 0.36 = 5.2444, alpha'^2 = 0.25^2 + 2 / kappa = 0.44386.
    widened = 0.816228
    for pixels in box(make(*maps), roughness_from_normals=True)[1:]:
        assert np.allclose(pixels, [FLAT, FLAT, widened, 1 - widened], atol=1e-5)
    for pixels in box(make(*maps))[1:]:
        assert np.allclose(pixels, [FLAT, FLAT, 0.5, 0.5], atol=1e-6)


@pytest.mark.parametrize("filter", ["box", "kaiser"])
def test_one_slope_stays_and_loses_no_variance(filter: str) -> None:
    slope = np.broadcast_to(np.float32([0.8, 0.25]), (8, 8, 2))  # x = 0.6, y = -0.5
    rough = np.full((8, 8), 0.0)
    for pixels in box(make(("normal", slope), ("roughness", rough)), filter=filter, roughness_from_normals=True):
        assert np.allclose(pixels, [0.8, 0.25, 0.0], atol=1e-6)


def test_means_of_normals_are_carried_at_their_length() -> None:
    normal = np.concatenate([facets(2, 2), np.full((2, 2, 2), (0.8, FLAT))], axis=1)
    levels = box(make(("normal", normal)))
    assert np.allclose(levels[1][0], [(FLAT, FLAT), (0.8, FLAT)], atol=1e-6)
    # (0, 0, 0.8) and (0.6, 0, 0.8): (0.3, 0, 0.8) made of length 1. From unit vectors x would be 0.316.
    assert levels[2][0, 0, 0] == pytest.approx(0.3 / math.sqrt(0.73) / 2 + 0.5, abs=1e-6)


def test_impossible_normals_are_made_possible() -> None:
    normal = np.array([[[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])  # longer than 1, and they cancel
    assert np.allclose(box(make(("normal", normal)))[1], FLAT)
    assert np.allclose(box(make(("normal", normal[:1])))[1], 0.5 + math.sqrt(0.5) / 2)
    # (0.7071, 0.7071, 0) and (0, 0, 1): (0.5, 0.5, 0.7071) of length 1
    assert np.allclose(box(make(("normal", [[[1.0, 1.0], [FLAT, FLAT]]])))[1], 0.75)


@pytest.mark.parametrize("filter", ["box", "kaiser"])
def test_constants_stay(filter: str) -> None:
    maps = ("normal", facets()), ("roughness", np.full((4, 4), 0.2)), ("opacity", checker(4, 4))
    options = {"filter": filter, "roughness_from_normals": True, "alpha_test": 0.7}
    for role, index, value in (("roughness", 2, 0.2), ("opacity", 3, 0.0), ("normal", 0, 0.8)):
        for pixels in box(make(*maps, constant=role), **options)[1:]:
            assert (pixels[:, :, index] == np.float32(value)).all()


# ---- the alpha test ----

def measured_coverage(opacity: np.ndarray, alpha_test: float) -> float:
    """Another way to measure: random points, the project's bilinear filter."""
    uv = np.random.default_rng(0).random((1 << 17, 2))
    return float(np.mean(bilinear(opacity[:, :, None], uv, repeat=True) >= alpha_test))


@pytest.mark.parametrize(("filter", "alpha_test"), [("box", 0.5), ("kaiser", 0.5), ("box", 0.3), ("box", 0.8)])
def test_leaves_keep_their_coverage(filter: str, alpha_test: float) -> None:
    material = load_material(SAMPLES / "vine_leaves")
    index = [c.role for c in material.channels].index("opacity")
    kept = [p[:, :, index] for p in box(material, filter=filter, alpha_test=alpha_test)]
    plain = [p[:, :, index] for p in box(material, filter=filter)]
    target = measured_coverage(kept[0], alpha_test)
    assert 0.38 < target < 0.46
    for opacity in kept[1:-1]:  # the single texel of the last level passes or not
        assert abs(measured_coverage(opacity, alpha_test) - target) < 0.01
        assert opacity.min() >= 0 and opacity.max() <= 1
    assert max(abs(measured_coverage(o, alpha_test) - target) for o in plain[1:-1]) > 0.2


def test_coverage_of_a_step() -> None:
    step = np.array([[1.0, 0.0, 0.0, 0.0]])
    # Tents of one texel to each side: above 0.25 for 1.5 texels of 4; at the border without a neighbour 1.25.
    assert coverage(step, 0.25, repeat=True) == pytest.approx(1.5 / 4, abs=0.01)
    assert coverage(step, 0.25, repeat=False) == pytest.approx(1.25 / 4, abs=0.01)


def test_opacity_without_contrast_passes_in_part() -> None:
    even = np.full((4, 4), 0.4)
    for target in (0.3, 0.7):
        kept = keep_coverage(even, 0.5, target, repeat=True)
        assert coverage(kept, 0.5, repeat=True) == pytest.approx(target, abs=0.01)
        assert coverage(np.rint(kept * 255) / 255, 0.5, repeat=True) == pytest.approx(target, abs=0.01)
    single = np.full((1, 1), 0.4)
    assert np.array_equal(keep_coverage(single, 0.5, 0.3, repeat=True), single)
    assert coverage(keep_coverage(single, 0.5, 0.7, repeat=True), 0.5, repeat=True) == 1


def test_an_alpha_test_leaves_colour_and_right_coverage_alone() -> None:
    halves = np.zeros((8, 8))
    halves[:, :4] = 1
    maps = ("albedo", np.repeat(checker()[:, :, None], 3, axis=2)), ("opacity", halves)
    for tested, plain in zip(box(make(*maps), alpha_test=0.5)[:-1], box(make(*maps))[:-1], strict=True):
        assert np.array_equal(tested, plain)
    nothing = make(("opacity", np.full((4, 4), 0.1)))
    assert np.allclose(box(nothing, alpha_test=0.5)[1], 0.1)


# ---- own mips ----

def own(height: int, width: int, *values: float) -> np.ndarray:
    return np.broadcast_to(np.float32(values), (height, width, len(values))).copy()


def test_own_mips_are_taken_as_they_are_and_carried_on() -> None:
    nan = math.nan
    given = (None, own(2, 2, 0.8, 0.6, 0.4, nan, nan))
    board = np.repeat(checker()[:, :, None], 3, axis=2)
    material = make(("albedo", board), ("opacity", 1 - checker()), ("ao", checker()), own_mips=given)
    levels = box(material)
    assert np.allclose(levels[1][:, :, :3], 0)  # only the dark fields are visible
    assert np.array_equal(levels[2][0, 0, :3], np.float32([0.8, 0.6, 0.4]))
    assert np.allclose(levels[3][0, 0], [0.8, 0.6, 0.4, 0.5, 0.5], atol=1e-6)


def test_an_own_opacity_weighs_the_levels_below_and_is_not_scaled() -> None:
    given = own(2, 2, math.nan, math.nan)
    given[:, :, 1] = [[1, 0.2], [0.2, 0.2]]
    grey = np.zeros((4, 4))
    grey[:2, :2] = 1
    material = make(("grey", grey), ("opacity", np.pad([[1.0]], (0, 3), constant_values=0.5)), own_mips=(given,))
    levels = box(material, alpha_test=0.5)
    assert np.array_equal(levels[1][:, :, 1], given[:, :, 1])
    assert levels[2][0, 0, 0] == pytest.approx(1.055 * (1 / 1.6) ** (1 / 2.4) - 0.055, abs=1e-6)


def test_own_normals_keep_the_lost_variance_and_own_roughness_is_not_widened() -> None:
    nan = math.nan
    maps = ("normal", facets()), ("roughness", np.full((4, 4), 0.5))
    levels = box(make(*maps, own_mips=(own(2, 2, 0.8, 0.5, nan),)), roughness_from_normals=True)
    assert np.array_equal(levels[1][0, 0, :2], np.float32([0.8, 0.5]))
    assert np.allclose(levels[2][0, 0], [0.8, 0.5, 0.816228], atol=1e-5)
    levels = box(make(*maps, own_mips=(own(2, 2, nan, nan, 0.3),)), roughness_from_normals=True)
    assert np.allclose([levels[1][0, 0, 2], levels[2][0, 0, 2]], 0.3, atol=1e-6)


def test_options_out_of_range() -> None:
    with pytest.raises(UsageError, match="mip filter: got 'lanczos', expected one of box, kaiser"):
        box(make(("ao", checker())), filter="lanczos")
    for value in (0.0, 1.5, math.nan):
        with pytest.raises(UsageError, match=r"alpha test: got .*, expected a number above 0 and up to 1"):
            box(make(("ao", checker())), alpha_test=value)


# ---- bleeding ----

def hidden_but(height: int, width: int, *visible: tuple[int, int]) -> np.ndarray:
    weights = np.zeros((height, width, 2), np.float32)
    weights[:, :, 1] = 1
    for row, column in visible:
        weights[row, column] = 1
    return weights


def test_bleeding_keeps_what_is_visible_and_fits_its_neighbours() -> None:
    pixels = np.zeros((9, 12, 2), np.float32)
    pixels[1, 3] = 0.75
    weights = hidden_but(9, 12, (1, 3))
    filled, fit = bleed(pixels, weights, repeat=True)
    assert np.allclose(filled[:, :, 0], 0.75)
    assert np.array_equal(filled[:, :, 1], pixels[:, :, 1]) and (fit[:, :, 1] == 1).all()
    rows, columns = np.nonzero(fit[:, :, 0])
    assert sorted(set(rows.tolist())) == [0, 1, 2, 3, 8] and sorted(set(columns.tolist())) == [1, 2, 3, 4, 5]
    assert len(rows) == 25
    clamped = bleed(pixels, weights, repeat=False)[1][:, :, 0]
    assert np.array_equal(np.nonzero(clamped.any(axis=1))[0], [0, 1, 2, 3]) and clamped.sum() == 20


def test_bleeding_grows_the_nearest_colours_smoothly_and_across_a_border_that_repeats() -> None:
    pixels = np.zeros((1, 32, 2), np.float32)
    pixels[0, 0], pixels[0, 20] = 1.0, 0.5
    weights = hidden_but(1, 32, (0, 0), (0, 20))
    wrapped = bleed(pixels, weights, repeat=True)[0][0, :, 0]
    assert wrapped[0] == 1.0 and wrapped[20] == 0.5
    assert wrapped[1] > 0.8 and wrapped[31] > 0.8 and abs(wrapped[21] - 0.5) < 0.15
    assert np.abs(np.diff(wrapped)).max() < 0.2 and wrapped.min() >= 0.5
    assert bleed(pixels, weights, repeat=False)[0][0, 31, 0] < 0.75


def test_bleeding_with_nothing_visible_or_nothing_hidden() -> None:
    pixels = np.random.default_rng(0).random((5, 7, 2), np.float32)
    filled, fit = bleed(pixels, hidden_but(5, 7), repeat=True)
    assert np.array_equal(filled, pixels) and (fit[:, :, 0] == 0).all() and (fit[:, :, 1] == 1).all()
    filled, fit = bleed(pixels, None, repeat=True)
    assert np.array_equal(filled, pixels) and (fit == 1).all() and fit.dtype == np.float32
