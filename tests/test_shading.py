"""The renderer on cases that have a closed form, and its conventions."""

import math

import numpy as np
import pytest

from gstex import shading
from gstex.filtering import block_means
from gstex.shading import Ambient, Light, View, read_surface, render_plane_views, render_sphere, shade, tone_map
from gstex.srgb import linear_to_srgb, srgb_to_linear

BLACK = Ambient((0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
ABOVE = (0.0, 0.0, 1.0)
WHITE = (1.0, 1.0, 1.0)


def channel(role: str, component: str = "v", space: str = "linear", constant: float | None = None) -> dict:
    return {"role": role, "component": component, "color_space": space, "constant": constant}


ALBEDO = [channel("albedo", c) for c in "rgb"]  # linear, so that numbers can be read
NORMAL = [channel("normal", c) for c in "xy"]
PBR = [*ALBEDO, *NORMAL, channel("roughness"), channel("metallic"), channel("ao")]


def texel(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[None]


def lit(values, channels, *, eye=ABOVE, to=ABOVE, color=WHITE, ambient=BLACK, convention="gl") -> np.ndarray:
    """Radiance [3] of one texel under one light."""
    surface = read_surface(texel(*values), channels, convention)
    return shade(surface, View("test", eye, (Light(to, color),), ambient))[:, 0]


def unit(*vector: float) -> np.ndarray:
    return np.array(vector) / np.linalg.norm(vector)


def by_the_book(base, metallic, roughness, n, v, l) -> np.ndarray:  # noqa: E741
    """BRDF times cosine times pi, [3], as glTF 2.0's Appendix B puts it: two materials, mixed."""
    alpha = roughness**2
    h = unit(*(l + v))
    nl, nv, nh, vh = max(n @ l, 0), n @ v, n @ h, v @ h
    d = alpha**2 / (math.pi * (nh**2 * (alpha**2 - 1) + 1) ** 2)

    def shadow(cosine):  # Lambda of Smith for GGX
        return (math.sqrt(1 + alpha**2 * (1 - cosine**2) / cosine**2) - 1) / 2

    g = 1 / (1 + shadow(nl) + shadow(nv))  # height-correlated
    specular = d * g / (4 * nl * nv)
    rise = (1 - vh) ** 5
    dielectric = (1 - (0.04 + 0.96 * rise)) * base / math.pi + (0.04 + 0.96 * rise) * specular
    metal = (base + (1 - base) * rise) * specular
    return ((1 - metallic) * dielectric + metallic * metal) * nl * math.pi


# --- the BRDF ---


def test_white_rough_dielectric_facing_the_light() -> None:
    """Fresnel 0.04: 0.96 of Lambert's 1, and 0.04 pi D V = 0.04 pi (1 / pi) (1 / 4) of GGX with alpha 1."""
    values = lit((1, 1, 1, 0.5, 0.5, 1, 0, 1), PBR, color=(1.0, 0.5, 0.25))
    np.testing.assert_allclose(values, 0.97 * np.array([1, 0.5, 0.25]), rtol=1e-6)


def test_mirror_metal_has_no_diffuse_part() -> None:
    """Away from the mirror direction there is nothing, in it the base colour."""
    metal = (1, 0.5, 0, 0.5, 0.5, 0.05, 1, 1)
    assert lit(metal, PBR, to=(0.6, 0.0, 0.8)).max() < 0.02
    red, green, blue = lit(metal, PBR)
    assert red > 100 and green == pytest.approx(red / 2) and blue == 0
    assert lit((1, 0.5, 0, 0.5, 0.5, 0.05, 0, 1), PBR, to=(0.6, 0.0, 0.8))[0] > 0.5


@pytest.mark.parametrize("roughness, metallic", [(0.15, 0.0), (0.15, 1.0), (0.4, 0.3), (1.0, 0.0), (1.0, 1.0)])
def test_brdf_is_that_of_the_specification(roughness, metallic) -> None:
    """Equal where base colour and metalness are not both in between: there, too, Fresnel is linear in f0."""
    rng = np.random.default_rng(5)
    base = np.array([0.9, 0.3, 0.0])
    for _ in range(20):
        n, v, l = (unit(*rng.normal(0, s, 2), 1) for s in (0.3, 0.5, 0.5))  # noqa: E741
        if min(n @ v, n @ l) < 0.05:
            continue
        values = (*base, *(n[:2] / 2 + 0.5), roughness, metallic, 1)
        # glTF's own sample code mixes f0 and the diffuse colour instead of the results; the difference is the
        # cross term of (1 - F) and (1 - metallic) in the diffuse part.
        rise = (1 - v @ unit(*(l + v))) ** 5
        cross = (1 - metallic) * metallic * (base - 0.04) * (1 - rise) * base * max(n @ l, 0)
        expected = by_the_book(base, metallic, roughness, n, v, l) - cross
        np.testing.assert_allclose(lit(values, PBR, eye=tuple(v), to=tuple(l)), expected, rtol=2e-4, atol=1e-6)


def test_extremes_stay_in_range() -> None:
    """A mirror of roughness 0, a normal that turns away from the eye, values beyond 0..1."""
    assert lit((1, 1, 1, 0.5, 0.5, 0, 1, 1), PBR)[0] == pytest.approx(1 / (4 * 0.02**2), rel=1e-3)
    away = lit((1, 1, 1, 0.5, 0.9, 0.3, 0, 1), PBR, eye=(0.0, -0.8, 0.6), ambient=Ambient(ABOVE, WHITE, WHITE))
    assert np.isfinite(away).all() and away.min() >= 0
    beyond = lit((1.5, -0.5, 1, 0.5, 0.5, 1.5, -0.5, 1), PBR)
    np.testing.assert_array_equal(beyond, lit((1, 0, 1, 0.5, 0.5, 1, 0, 1), PBR))


def test_light_from_behind_gives_nothing() -> None:
    assert lit((1, 1, 1, 0.5, 0.5, 0.5, 0, 1), PBR, to=(0.6, 0.0, -0.8)).max() == 0
    assert lit((1, 1, 1, 0.9, 0.5, 0.5, 0, 1), PBR, to=(-0.8, 0.0, 0.6)).max() == 0


@pytest.mark.parametrize("tilt, roughness, metallic", [(0.0, 1.0, 1), (0.0, 0.5, 0), (0.7, 0.7, 0), (0.7, 0.5, 1),
                                                       (1.4, 0.5, 0), (1.4, 0.7, 1), (1.4, 1.0, 0)])  # fmt: skip
def test_no_more_light_leaves_than_comes(tilt, roughness, metallic) -> None:
    """White under light of 1 from everywhere: the mean over directions drawn by the cosine."""
    eye = (math.sin(tilt), 0.0, math.cos(tilt))
    values = (1, 1, 1, 0.5, 0.5, roughness, metallic, 1)
    lights, steps = [], 24
    for i in range(steps):
        for j in range(steps):
            radius, angle = math.sqrt((i + 0.5) / steps), 2 * math.pi * (j + 0.5) / steps
            cosine = math.sqrt(1 - radius**2)
            to = (radius * math.cos(angle), radius * math.sin(angle), cosine)
            lights.append(Light(to, (1 / (cosine * steps**2),) * 3))
    surface = read_surface(texel(*values), PBR, "gl")
    albedo = float(shade(surface, View("test", eye, tuple(lights), BLACK))[0, 0])
    # Fresnel and Lambert put together as the specification has them give up to 4.2 % too much at grazing angles.
    assert 0.3 < albedo < (1.05 if tilt == 1.4 else 1.001)
    if (tilt, roughness, metallic) == (0, 1, 1):
        assert albedo == pytest.approx(1 - math.log(2), rel=1e-3)  # the integral of x / (1 + x) over 0..1
    # The fit of the ambient light is of one albedo for all angles where metals are rough, else close.
    everywhere = lit(values, PBR, eye=eye, color=(0, 0, 0), ambient=Ambient(ABOVE, WHITE, WHITE))[0]
    assert everywhere <= 1.001 and everywhere == pytest.approx(albedo, abs=0.22 if metallic else 0.05)


# --- ambient light and the other maps ---


def test_occlusion_dims_ambient_light_only() -> None:
    grey = (0.5, 0.5, 0.5, 0.5, 0.5, 1, 0)
    day = Ambient(ABOVE, WHITE, WHITE)
    dark, half, open_ = (lit((*grey, ao), PBR, ambient=day)[0] for ao in (0, 0.5, 1))
    assert dark == lit((*grey, 0), PBR)[0] == pytest.approx(0.96 * 0.5 + 0.01)
    assert half - dark == pytest.approx((open_ - dark) / 2, rel=1e-5)


def test_ambient_light_comes_from_above() -> None:
    """A rough surface sees mean + 2/3 contrast (n . up), a mirror what stands in the mirror direction."""
    sky = Ambient((0.0, 1.0, 0.0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))

    def seen(y: float, roughness: float, metallic: float) -> float:
        values = (1, 1, 1, 0.5, y / 2 + 0.5, roughness, metallic, 1)
        return float(lit(values, PBR, color=(0, 0, 0), ambient=sky)[0])

    flat = seen(0, 1, 0)
    assert seen(0.6, 1, 0) / flat == pytest.approx(1 + 2 / 3 * 0.6, abs=0.03)
    assert seen(-0.6, 1, 0) / flat == pytest.approx(1 - 2 / 3 * 0.6, abs=0.03)
    # A mirror tilted by arcsin 0.6 shows what is at twice the angle: sin 2a = 2 * 0.6 * 0.8.
    assert seen(0.6, 0.0, 1) / seen(0, 0.0, 1) == pytest.approx(1 + 0.96, rel=0.02)


def test_emissive_is_added_in_linear_light() -> None:
    channels = [*PBR, *(channel("emissive", c, "srgb") for c in "rgb")]
    black = (0, 0, 0, 0.5, 0.5, 1, 0, 0)
    plain = lit(black, PBR)
    glowing = lit((*black, 0.5, 0, 1), channels)
    np.testing.assert_allclose(glowing - plain, [0.2140411, 0, 1], atol=1e-5)


def test_srgb_albedo_is_decoded_and_grey_is_spread() -> None:
    surface = read_surface(texel(0.5), [channel("albedo", "r", "srgb")], None)
    np.testing.assert_allclose(surface.base[:, 0], 0.2140411, rtol=1e-5)
    assert read_surface(texel(0.5), [channel("albedo", "r")], None).base[2, 0] == 0.5


def test_missing_maps_have_defaults() -> None:
    explicit = read_surface(texel(0.2, 0.2, 0.2, 0.5, 0.5, 0.5, 0, 1), PBR, "gl")
    bare = read_surface(texel(0.7), [channel("height")], None)
    for name in ("base", "normal", "alpha", "metallic", "ao", "emissive", "opacity"):
        np.testing.assert_array_equal(getattr(bare, name), getattr(explicit, name), err_msg=name)


def test_a_picture_stands_for_the_albedo() -> None:
    picture = [channel("color", c, "srgb") for c in "rgb"]
    surface = read_surface(texel(0.1, 0.5, 0.9), picture, None)
    np.testing.assert_allclose(surface.base[:, 0], srgb_to_linear(np.array([0.1, 0.5, 0.9])), rtol=1e-5)
    assert not shading.is_lit(picture)
    assert shading.is_lit([*picture, channel("ao")])


def test_gloss_is_used_where_roughness_is_missing() -> None:
    assert read_surface(texel(0.4), [channel("gloss")], None).alpha[0] == pytest.approx(0.36)
    both = [channel("roughness"), channel("gloss")]
    assert read_surface(texel(0.5, 0.4), both, None).alpha[0] == pytest.approx(0.25)


# --- normals ---


def test_gl_normals_face_up_and_dx_normals_down() -> None:
    slope = (1, 1, 1, 0.5, 0.9, 1, 0, 1)  # green is high
    above, below = (0.0, 0.8, 0.6), (0.0, -0.8, 0.6)
    gl = lit(slope, PBR, to=above)[0]
    assert gl > 0.9 > 0.1 > lit(slope, PBR, to=below)[0]
    assert lit(slope, PBR, to=below, convention="dx")[0] == pytest.approx(gl)
    assert lit(slope, PBR, to=above, convention=None)[0] == gl


def test_red_normals_face_right() -> None:
    slope = (1, 1, 1, 0.9, 0.5, 1, 0, 1)
    assert lit(slope, PBR, to=(0.8, 0.0, 0.6))[0] > 0.9 > lit(slope, PBR, to=(-0.8, 0.0, 0.6))[0]


def test_normals_have_unit_length() -> None:
    surface = read_surface(np.array([[0.8, 0.5], [1, 1]], np.float32), NORMAL, "gl")
    np.testing.assert_allclose(surface.normal[:, 0], [0.6, 0, 0.8], atol=1e-6)
    np.testing.assert_allclose(surface.normal[:, 1], [math.sqrt(0.5), math.sqrt(0.5), 0], atol=1e-6)


# --- tone mapping ---


def test_tone_map_by_hand() -> None:
    """Khronos PBR Neutral: 0.04 off what is above 0.08, x^2 / 0.16 of what is below, highlights rolled off."""
    radiance = np.array([[0.5, 0.3, 0.1], [0.04] * 3, [2, 2, 2], [2, 0, 0]], np.float32).T
    # Grey 2: peak 1.96, rolled off to 1 - 0.24^2 / (1.96 + 1 - 1.52) = 0.96; white stays white.
    # Red 2: peak 2 -> 1 - 0.0576 / 1.48, mixed with as bright a grey by 1 - 1 / (0.15 (2 - peak) + 1).
    peak = 1 - 0.0576 / 1.48
    grey = peak * (1 - 1 / (0.15 * (2 - peak) + 1))
    expected = [[0.46, 0.26, 0.06], [0.01] * 3, [0.96] * 3, [peak, grey, grey]]
    np.testing.assert_allclose(tone_map(radiance).T, linear_to_srgb(np.array(expected)), rtol=1e-5)


def test_tone_map_is_smooth_and_stays_in_range() -> None:
    ramp = np.linspace(0, 20, 20001, dtype=np.float32)
    mapped = tone_map(np.stack([ramp, 0.3 * ramp, 0 * ramp]))
    assert mapped.min() >= 0 and mapped.max() <= 1
    assert np.diff(mapped[0]).min() > -1e-6
    assert np.abs(np.diff(mapped[:, 1000:])).max() < 1e-3


# --- the plane ---


def checkered(height: int, width: int, *, opacity: float) -> np.ndarray:
    stack = np.zeros((height, width, 4), np.float32)
    stack[:, :, 3] = opacity
    return stack


@pytest.mark.parametrize("block", [2**16, 120])
def test_transparent_parts_show_the_checker(monkeypatch, block) -> None:
    monkeypatch.setattr(shading, "TEXELS_AT_ONCE", block)
    channels = [*ALBEDO, channel("opacity")]
    for picture in render_plane_views(checkered(20, 40, opacity=0), channels, None):
        greys = tone_map(np.repeat(np.array([[0.12, 0.28]], np.float32), 3, axis=0)).T
        np.testing.assert_array_equal(picture[0, 0], greys[0])
        np.testing.assert_array_equal(picture[0, 16], greys[1])
        np.testing.assert_array_equal(picture[16, 0], greys[1])
        np.testing.assert_array_equal(picture[15, 39], greys[0])


def test_half_opacity_mixes_linear_light() -> None:
    channels = [*ALBEDO, channel("opacity"), *(channel("emissive", c) for c in "rgb")]
    stack = np.concatenate([checkered(1, 1, opacity=0.5), np.full((1, 1, 3), 0.2, np.float32)], axis=2)
    surface = read_surface(stack, channels, None)
    for picture, view in zip(render_plane_views(stack, channels, None), shading.VIEWS, strict=True):
        expected = tone_map(0.5 * shade(surface, view) + np.float32(0.5 * 0.12))
        np.testing.assert_allclose(picture[0, 0], expected[:, 0, 0], rtol=1e-5)


def test_a_constant_opacity_hides_nothing() -> None:
    stack = checkered(4, 4, opacity=0)
    unused = [*ALBEDO, channel("opacity", constant=0.0)]
    for a, b in zip(render_plane_views(stack, unused, None), render_plane_views(stack, ALBEDO, None), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_pixel_is_a_texel(monkeypatch) -> None:
    """Whatever the blocks: a texel changes its own pixel in every view, and no other."""
    stack = np.random.default_rng(3).random((13, 17, 8), np.float32)
    changed = stack.copy()
    changed[7, 5] = 1 - changed[7, 5]
    monkeypatch.setattr(shading, "TEXELS_AT_ONCE", 40)
    before, after = (render_plane_views(s, PBR, "gl") for s in (stack, changed))
    monkeypatch.undo()
    whole = render_plane_views(stack, PBR, "gl")
    assert len(whole) == len(shading.VIEWS)
    for a, b, c in zip(before, after, whole, strict=True):
        assert a.dtype == np.float32 and a.shape == (13, 17, 3)
        assert np.argwhere((a != b).any(axis=2)).tolist() == [[7, 5]]
        np.testing.assert_allclose(a, c, atol=1e-6)


def test_every_map_that_is_lit_shows() -> None:
    stack = np.full((1, 1, 8), 0.4, np.float32)
    before = render_plane_views(stack, PBR, "gl")
    for c, row in enumerate(PBR):
        changed = stack.copy()
        changed[:, :, c] = 0.7
        after = render_plane_views(changed, PBR, "gl")
        assert max(np.abs(a - b).max() for a, b in zip(before, after, strict=True)) > 0.01, row


def test_light_of_the_first_two_views() -> None:
    """Daylight comes from the upper left, the grazing light from the right."""
    slopes = np.zeros((1, 4, 8), np.float32)
    slopes[:] = (0.5, 0.5, 0.5, 0.5, 0.5, 0.8, 0, 1)
    slopes[0, :, 3:5] = [[0.3, 0.5], [0.7, 0.5], [0.5, 0.7], [0.5, 0.3]]  # left, right, up, down
    day, grazing, _ = (p[0, :, 1] for p in render_plane_views(slopes, PBR, "gl"))
    assert day[0] > day[1] + 0.1 and day[2] > day[3] + 0.1
    assert grazing[1] > grazing[0] + 0.3


# --- the sphere ---


def flat_sphere(**changes: float) -> np.ndarray:
    values = {"r": 0.5, "g": 0.5, "b": 0.5, "x": 0.5, "y": 0.5, "roughness": 0.6, "metallic": 0.0, "ao": 1.0}
    stack = np.full((4, 4, 8), list({**values, **changes}.values()), np.float32)
    return render_sphere(stack, PBR, "gl", True, 64)


def test_sphere_stands_before_a_dark_backdrop() -> None:
    sphere = flat_sphere()
    assert sphere.shape == (64, 64, 3) and sphere.dtype == np.uint8
    assert (sphere[[0, 0, -1, -1], [0, -1, 0, -1]] == 41).all()
    assert sphere[16, 16].min() > sphere[48, 48].max() + 40  # lit from the upper left
    assert np.abs(sphere[:, 32].astype(int) - 41).min() > 0  # the ball touches top and bottom


def test_normals_tilt_the_sphere() -> None:
    """In the middle a tilted normal is that of a flat ball up or to the right, and as bright."""
    flat = flat_sphere()
    near = 32 + np.array([-1, 0])
    tilted_up, tilted_right = flat_sphere(y=0.75), flat_sphere(x=0.75)  # sine 1/2: half a radius, 16 pixels
    middle = tilted_up[near][:, near].mean(axis=(0, 1))
    np.testing.assert_allclose(middle, flat[near - 16][:, near].mean(axis=(0, 1)), atol=1)
    middle = tilted_right[near][:, near].mean(axis=(0, 1))
    np.testing.assert_allclose(middle, flat[near][:, near + 16].mean(axis=(0, 1)), atol=1)


def painted(repeat: bool, height: int = 8, width: int = 8) -> np.ndarray:
    """Emissive red on the left half, green on the upper half of the texture, on a ball of 128 pixels."""
    stack = np.zeros((height, width, 6), np.float32)
    stack[:, : width // 2, 3] = 0.5
    stack[: height // 2, :, 4] = 0.5
    return render_sphere(stack, [*ALBEDO, *(channel("emissive", c) for c in "rgb")], None, repeat, 128) > 140


def test_sphere_shows_the_texture_upright_once_or_tiled() -> None:
    once, twice = painted(False), painted(True)
    assert once[32, 32].tolist() == [True, True, False]
    assert once[32, 96].tolist() == [False, True, False]
    assert once[96, 32].tolist() == [True, False, False]
    assert once[96, 96].tolist() == [False, False, False]
    # Twice from pole to pole: a tile ends in the middle, its halves meet at 45 degrees, 45 pixels from there.
    assert [bool(twice[y, 60, 1]) for y in (8, 30, 54, 74, 98, 120)] == [True, False, False, True, True, False]
    assert [bool(twice[80, x, 0]) for x in (30, 54, 74, 98)] == [False, False, True, True]
    # A texture twice as wide as high goes round once: its texels stay square.
    wide = painted(True, 8, 16)
    assert [bool(wide[80, x, 0]) for x in (30, 54, 74, 98)] == [True, True, False, False]


def test_means_of_blocks() -> None:
    stack = np.arange(15, dtype=np.float32).reshape(3, 5, 1)
    expected = [[(0 + 1 + 5 + 6) / 4, (2 + 3 + 7 + 8) / 4, (4 + 9) / 2], [(10 + 11) / 2, (12 + 13) / 2, 14]]
    np.testing.assert_array_equal(block_means(stack, 2, 2)[:, :, 0], expected)
    np.testing.assert_array_equal(block_means(stack, 0, 1), stack)


@pytest.mark.parametrize("shape, down, across", [((24, 36, 3), 4, 6), ((37, 50, 8), 5, 3), ((40, 70, 1), 9, 32),
                                                 ((3, 2, 2), 5, 7)])  # fmt: skip
def test_block_means_are_those_of_each_block(shape: tuple[int, int, int], down: int, across: int) -> None:
    stack = np.random.default_rng(6).random(shape, np.float32)
    rows, columns = np.arange(0, shape[0], down), np.arange(0, shape[1], across)
    blocks = [[stack[y : y + down, x : x + across] for x in columns] for y in rows]
    expected = [[block.mean(axis=(0, 1), dtype=np.float64) for block in row] for row in blocks]
    np.testing.assert_array_equal(block_means(stack, down, across), np.array(expected).astype(np.float32))
