"""Sampling between mips and across footprints: by hand, and against a second implementation of the document."""

import math
from dataclasses import replace
from typing import Any

import independent_reader
import numpy as np
import pytest
from format_builder import MipSpec, RawMipSpec, build_file, build_words, one_group
from independent_sampling import sample_footprint, sample_lod
from numpy.typing import ArrayLike
from random_material import random_material

from gstex import decode
from gstex.decode import FileLevels, decode_texels, footprints
from gstex.errors import UsageError
from gstex.filtering import bilinear
from gstex.format import MaterialTable, pack, validate
from gstex.srgb import linear_to_srgb, srgb_to_linear
from gstex.texture import Texture

GREY = 0.73535698  # half the light of white, as sRGB


def flat(*mips: tuple[float, ...], srgb: int = 0, size: int = 16, **options: Any) -> Texture:
    """Mips without Gaussians, each of one value a channel."""
    ranges = [(0.0, 1 / 255, 8)] * len(mips[0])
    spec = one_group(size, size, ranges, [MipSpec(mip) for mip in mips], srgb=srgb, **options)
    return Texture(np.array(build_words(spec), np.uint32), {})


def noise(width: int, height: int, srgb: int = 0, **options: Any) -> tuple[Texture, np.ndarray]:
    """One raw mip of noise: (texture, its texels float64 [H, W, 1]); a point is filtered bilinearly."""
    texels = np.random.default_rng(3).integers(0, 256, (height, width, 1))
    mips = [RawMipSpec(texels.reshape(-1, 1).tolist())]
    spec = one_group(width, height, [(0.0, 1 / 255, 8)], mips, srgb=srgb, **options)
    return Texture(np.array(build_words(spec), np.uint32), {}), texels / 255


def rotation(degrees: float) -> np.ndarray:
    t = math.radians(degrees)
    return np.array([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]])


# ---- levels of detail


def test_between_two_levels_srgb_is_blended_as_light_and_data_as_it_is() -> None:
    texture = flat((0.0, 0.0), (1.0, 1.0), srgb=0b01)
    values = texture.sample([[0.3, 0.6]] * 5, [0, 0.25, 0.5, 1, 0.999])
    np.testing.assert_allclose(values[:, 1], [0, 0.25, 0.5, 1, 0.999], atol=1e-6)
    np.testing.assert_allclose(values[[0, 2, 3], 0], [0, GREY, 1], atol=1e-6)
    np.testing.assert_allclose(values[:, 0], linear_to_srgb(values[:, 1].astype(float)), atol=1e-6)
    assert values.dtype == np.float32 and values.shape == (5, 2)


def test_files_without_srgb_bits_blend_what_is_stored() -> None:
    assert flat((0.0,), (1.0,)).sample([[0.5, 0.5]], 0.5) == pytest.approx(0.5)


def test_lod_is_clamped_and_may_be_one_number() -> None:
    texture = flat((0.25,), (0.5,), (0.75,))
    lods = [-7, -0.5, 0, 1, 1.5, 2, 2.5, 1e30]
    values = texture.sample([[0.1, 0.9]] * 8, lods)[:, 0]
    np.testing.assert_allclose(values, [0.25, 0.25, 0.25, 0.5, 0.625, 0.75, 0.75, 0.75], atol=1e-6)
    for lod, value in zip(lods, values, strict=True):
        assert (texture.sample([[0.1, 0.9], [0.5, 0.5]], lod) == value).all()
    assert texture.sample([[0.1, 0.9]]) == 0.25


def test_only_mips_with_a_share_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    texture = flat((0.0,), (0.5,), (1.0,), (0.25,))
    seen: list[int] = []

    def record(table: MaterialTable, mip: int) -> np.ndarray:
        seen.append(mip)
        return decode_texels(table, mip)

    monkeypatch.setattr("gstex.decode.sampling.decode_texels", record)
    points = np.full((300, 2), 0.5)
    texture.sample(points, np.ones(300), filter="bilinear")
    texture.sample(points, np.repeat([1.5, 3, 3], 100), filter="bilinear")
    assert seen == [1, 1, 2, 3]
    texture.sample(points, np.repeat([0, 3, 9], 100), filter="direct")
    duv = np.array([[[8 / 16, 0], [0, 1.5 / 16]]])  # 6 taps
    texture.sample(points, duv=np.repeat(duv, 300, axis=0), filter="bilinear")
    texture.sample(points[:1], duv=duv, filter="bilinear")  # not worth it
    assert seen == [1, 1, 2, 3, 0, 1]


@pytest.mark.parametrize("seed", range(3))
def test_few_points_and_many_are_the_same_bits(seed: int) -> None:
    """Few are fetched one by one, many from mips that are decoded first."""
    rng = np.random.default_rng(seed)
    table = validate(pack(random_material(rng)))
    uv, lod = rng.uniform(-1, 2, (3000, 2)), rng.uniform(0, table.header.mip_count, 3000)
    duv = rng.normal(0, 0.1, (3000, 2, 2))
    for how in ({}, {"lod": lod}, {"duv": duv}):
        many = decode.sample_at(FileLevels(table, four_fetches=True), uv, **how)
        few = decode.sample_at(FileLevels(table, four_fetches=True), uv[:5], **{k: v[:5] for k, v in how.items()})
        np.testing.assert_array_equal(many[:5], few)


# Three groups that repeat, with mips of every kind; two that are clamped, of which one is of texels.
@pytest.mark.parametrize("seed", [11, 8])
def test_a_single_read_is_the_stored_value_bit_by_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texture = Texture(pack(random_material(rng)), {})
    uv = rng.random((50, 2), np.float32)
    for mip in range(texture.mip_count):
        direct, fetched = (texture.sample(uv, mip, filter=f) for f in ("direct", "bilinear"))
        stored, lod = np.empty_like(direct), np.full(50, mip, np.float64)
        texture.table.section.sample(uv.astype(np.float64), lod, None, bilinear=False, max_taps=1, out=stored)
        np.testing.assert_array_equal(direct, stored)
        repeat = texture.wrap == "repeat"
        expected = bilinear(texture.decode(mip), uv.astype(float), repeat=repeat)
        for c, channel in enumerate(texture.table.header.channels):
            if channel.constant is not None:  # it is not read from texels, whose shares add up to 1 but for rounding
                expected[:, c] = np.clip(np.float32(channel.constant), 0, 1)
        np.testing.assert_array_equal(fetched, expected)


@pytest.mark.parametrize("filter", ["direct", "bilinear"])
def test_of_a_tail_alone_the_first_mip_is_the_finest(filter: str) -> None:
    mips = [MipSpec((value,)) for value in (0.125, 0.25, 0.5, 1.0)]
    words = np.array(build_words(one_group(16, 16, [(0.0, 1.0, 1)], mips, tail=2)), np.uint32)
    whole, tail = Texture(words, {}), Texture(words[: words[5]], {})
    lods = [-7, 0, 0.5, 1, 1.5, 2, 2.25, 2.5, 3, 9]
    uv = [[0.1, 0.9]] * len(lods)
    expected = [0.125, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.625, 0.75, 1, 1]
    np.testing.assert_allclose(whole.sample(uv, lods, filter=filter)[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(tail.sample(uv, lods, filter=filter)[:, 0], np.maximum(expected, 0.5), atol=1e-6)
    # So many points that whole mips would be decoded for them, were they there.
    many = tail.sample(np.tile(uv, (100, 1)), np.tile(lods, 100), filter=filter)[:, 0]
    np.testing.assert_allclose(many, np.tile(np.maximum(expected, 0.5), 100), atol=1e-6)
    # A texel of mip 0 across, 4, and 8; and a footprint without size.
    duv = [np.eye(2) * texels / 16 for texels in (1, 4, 8, 0)]
    expected = [0.125, 0.5, 1, 0.125]
    np.testing.assert_allclose(whole.sample(uv[:4], duv=duv, filter=filter)[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(tail.sample(uv[:4], duv=duv, filter=filter)[:, 0], np.maximum(expected, 0.5), atol=1e-6)


# ---- footprints


def footprint(steps: ArrayLike, width: int = 64, height: int = 16) -> tuple[float, int, np.ndarray]:
    """footprints() of one pixel whose steps are given in texels; the step in texels too."""
    size = np.array([width, height])
    lod, taps, step = footprints(np.array([steps]) / size, width, height)
    return lod[0], taps[0], step[0] * size


@pytest.mark.parametrize("degrees", [0, 30, 90, 137.5])
def test_a_round_footprint_of_2_to_the_k_texels_is_level_k_with_one_tap(degrees: float) -> None:
    for k in range(-2, 9):
        for mirror in ([1, 1], [1, -1]):
            lod, taps, _ = footprint(2.0**k * rotation(degrees) * mirror)
            assert (lod, taps) == (pytest.approx(k, abs=1e-9), 1)


@pytest.mark.parametrize("degrees, turned", [(0, 0), (0, 90), (20, 33), (45, 90), (90, 0), (110, 33), (215, 0)])
def test_a_footprint_of_4_to_1_takes_4_taps_at_the_level_of_the_short_axis(degrees: float, turned: float) -> None:
    """The long axis points to `degrees` in the texture, however the screen is turned over it."""
    axes = rotation(degrees) @ np.diag([16, 4]) @ rotation(turned)  # columns: right, down
    lod, taps, step = footprint(axes.T)
    assert (lod, taps) == (pytest.approx(2), 4)
    direction = rotation(degrees)[:, 0]
    np.testing.assert_allclose(step * np.sign(step @ direction), 4 * direction, atol=1e-9)


@pytest.mark.parametrize(("steps", "taps", "lod"), [
    ([[0, 0], [0, 0]], 1, -math.inf),
    ([[1e-30, 0], [0, 1e-30]], 1, -99.66),
    ([[0.9, 0], [0, 0.01]], 1, -0.152),  # long, but shorter than a texel
    ([[3, 0], [0, 0.1]], 3, 0),  # taps a texel apart, though 30 times as long as wide
    ([[2.5, 0], [0, 0]], 3, -0.263),
    ([[64, 0], [0, 0]], 8, 3),
    ([[0, 0], [-8, 8]], 8, 0.5),
    ([[3, 4], [6, 8]], 8, 0.483),  # parallel: one line, 11.18 texels long
    ([[3, 4], [-3, -4]], 8, -0.178),
    ([[256, 0], [0, 2]], 8, 5),  # beyond 8 to 1 the level is that of an eighth
    ([[1e30, 0], [0, 1e30]], 1, 99.66),
    ([[2.03, 0], [0, 2]], 1, 1.021),  # within the slack
    ([[2.04, 0], [0, 2]], 2, 0.0285),
    ([[4.0001, 0], [0, 2]], 2, 1),
])
def test_footprints_at_the_ends(steps: ArrayLike, taps: int, lod: float) -> None:
    found_lod, found_taps, step = footprint(steps)
    assert found_taps == taps
    assert found_lod == pytest.approx(lod, abs=6e-3)
    assert np.isfinite(step).all()
    if taps > 1:
        assert math.hypot(*step) == pytest.approx(2**found_lod)


@pytest.mark.parametrize("srgb", [0, 1])
@pytest.mark.parametrize("vertical", [False, True])
def test_taps_stand_a_texel_apart_and_are_blended_as_light(srgb: int, vertical: bool) -> None:
    """8 texels by 1 around a border between texels: the taps are the centres of 8 texels."""
    texture, texels = noise(5, 32, srgb) if vertical else noise(32, 5, srgb)
    line = texels[:, 2, 0] if vertical else texels[2, :, 0]
    duv, uv = np.diag([1 / 32, 8 / 32] if vertical else [8 / 32, 1 / 32]), np.array([20 / 32, 0.5])
    duv = duv * [32 / 5, 1] if vertical else duv * [1, 32 / 5]
    value = texture.sample([uv[::-1] if vertical else uv], duv=[duv])[0, 0]
    light = srgb_to_linear(line) if srgb else line
    expected = light[16:24].mean()
    assert value == pytest.approx(float(linear_to_srgb(expected)) if srgb else expected, abs=1e-5)


def test_a_footprint_without_size_is_level_0() -> None:
    texture = flat((0.25,), (0.5,))
    assert texture.sample([[0.5, 0.5]], duv=[[[0, 0], [0, 0]]]) == 0.25
    assert texture.sample([[0.5, 0.5]], duv=[[[3e38, 0], [0, 1e38]]]) == 0.5


# ---- beyond the border


@pytest.mark.parametrize("filter", ["direct", "bilinear"])
def test_repeat_and_clamp(filter: str) -> None:
    rng = np.random.default_rng(4)
    uv = rng.random((100, 2))
    duv = rng.normal(0, 0.05, (100, 2, 2))
    for repeat in (True, False):
        texture, _ = noise(24, 7, 1, repeat=repeat)
        for how in ({"lod": 0.0}, {"duv": duv}):
            inside = texture.sample(uv, **how, filter=filter)
            moved = texture.sample(uv + np.array([3, -2]), **how, filter=filter)
            if repeat:
                np.testing.assert_allclose(moved, inside, atol=1e-5)
        if not repeat:
            edge = texture.sample(np.stack([np.ones(100), uv[:, 1]], axis=1), filter=filter)
            np.testing.assert_array_equal(texture.sample(uv + np.array([1, 0]), filter=filter), edge)
        far = texture.sample([[1e30, -1e30], [-3e38, 3e38]], filter=filter)
        assert ((far >= 0) & (far <= 1)).all()


@pytest.mark.parametrize("filter", ["direct", "bilinear"])
def test_no_points(filter: str) -> None:
    texture = flat((0.0, 1.0), (1.0, 0.0), srgb=3)
    none = np.zeros((0, 2))
    for how in ({}, {"lod": 0.5}, {"lod": np.zeros(0)}, {"duv": np.zeros((0, 2, 2))}):
        values = texture.sample(none, **how, filter=filter)
        assert values.shape == (0, 2) and values.dtype == np.float32


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(("arguments", "message"), [
    ({"uv": [0.5, 0.5]}, r"uv: got an array of shape \(2,\), expected finite numbers of shape \[M, 2\]"),
    ({"uv": [[0.5, 0.5, 0.5]]}, r"uv: got an array of shape \(1, 3\)"),
    ({"uv": [[NAN, 0.5]]}, "uv: .* finite"),
    ({"uv": [[INF, 0.5]]}, "uv: .* finite"),
    ({"uv": [[1e39, 0.5]]}, "uv: .* finite"),
    ({"lod": NAN}, r"lod: got an array of shape \(\), expected a finite number"),
    ({"lod": INF}, "lod: .* finite"),
    ({"lod": [0, 1]}, r"lod: got an array of shape \(2,\), expected finite numbers of shape \[1\]"),
    ({"lod": [[0]]}, r"lod: .* shape \[1\]"),
    ({"lod": [NAN]}, "lod: .* finite"),
    ({"duv": [[1, 0], [0, 1]]}, r"duv: got an array of shape \(2, 2\), .* shape \[1, 2, 2\]"),
    ({"duv": [[[1, 0], [0, NAN]]]}, "duv: .* finite"),
    ({"duv": [[[1, 0], [0, 1e200]]]}, "duv: .* finite"),
    ({"lod": 0, "duv": [[[1, 0], [0, 1]]]}, "lod and duv: got both, expected one of them"),
    ({"filter": "cubic"}, "filter: got 'cubic', expected 'direct' or 'bilinear'"),
])
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        flat((0.0,), (1.0,)).sample(**{"uv": [[0.5, 0.5]], **arguments})


# ---- the whole texture at another size


def test_the_same_size_is_the_texture_itself() -> None:
    texture, texels = noise(9, 6, 1)
    np.testing.assert_allclose(texture.resized(9, 6), texels, atol=1e-6)


def test_half_the_size_is_the_next_mip_and_between_them_is_a_blend() -> None:
    texture = flat((0.0,), (1.0,), size=16)
    np.testing.assert_allclose(texture.resized(8, 8), np.ones((8, 8, 1)), atol=1e-6)
    share = math.log2(16 / 11)
    np.testing.assert_allclose(texture.resized(11, 11), np.full((11, 11, 1), share), atol=1e-6)
    # 4 times less across alone: 4 taps of level 0.
    np.testing.assert_allclose(texture.resized(4, 16), np.zeros((16, 4, 1)))


@pytest.mark.parametrize("filter", ["direct", "bilinear"])
def test_larger_is_sampled_between_the_texels(filter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gstex.decode.sampling.POINTS_AT_ONCE", 50)  # 2 rows, and a last one of 1
    rng = np.random.default_rng(7)
    texture = Texture(pack(random_material(rng)), {})
    width, height = texture.width + 3, texture.height + 4
    v, u = np.mgrid[:height, :width] + 0.5
    uv = np.stack([u.ravel() / width, v.ravel() / height], axis=1)
    expected = texture.sample(uv, filter=filter).reshape(height, width, -1)
    np.testing.assert_allclose(texture.resized(width, height, filter), expected, atol=1e-6)


@pytest.mark.parametrize("size", [(0, 4), (4, -1), (16385, 1)])
def test_sizes_out_of_range(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=rf"size: got {size[0]}x{size[1]}, expected 1\.\.16384 each"):
        flat((0.0,)).resized(*size)


# ---- against a second implementation of the document


# Of both filters, groups that repeat and that do not, with mips of texels, mips that share Gaussians, and palettes; in
# the tail of some stands another block for what is shared.
SEEDS = {0: "direct", 2: "direct", 5: "bilinear", 11: "bilinear", 15: "direct", 17: "bilinear"}


def test_the_materials_below_hold_all_that_is_sampled() -> None:
    held = set()
    for seed, filter in SEEDS.items():
        material = random_material(np.random.default_rng(seed))
        groups = material.groups
        held |= {(filter, "repeat", material.repeat), (filter, "tail", material.tail < material.mip_count),
                 (filter, "constant", len(material.channels) > sum(len(g.members) for g in groups)),
                 (filter, "groups", len(groups) > 1), (filter, "other tail", any(any(g.tail_mips) for g in groups)),
                 *((filter, "palettes", bool(g.palettes)) for g in groups),
                 *((filter, type(mip).__name__, True) for g in groups for mip in g.mips)}  # fmt: skip
    kinds = {(name, True) for name in ("PackedMip", "PackedRawMip", "PackedSharedMip", "tail", "constant", "groups")}
    kinds |= {("palettes", False), ("palettes", True), ("repeat", False), ("repeat", True), ("other tail", True)}
    assert held >= {(filter, *kind) for filter in ("direct", "bilinear") for kind in kinds}


@pytest.mark.parametrize(("seed", "filter"), SEEDS.items())
def test_agrees_with_the_independent_implementation(seed: int, filter: str) -> None:
    rng = np.random.default_rng(seed)
    # Without K: near ties of weights fall either way, in float32 and in float64.
    material = random_material(rng)
    words = pack(replace(material, groups=tuple(replace(group, top_k=0) for group in material.groups)))
    independent = independent_reader.read(build_file(words.tolist(), b"{}"))
    assert_agree(rng, Texture(words, {}), independent, filter)
    if material.tail < material.mip_count:
        resident = words[: words[5]]
        assert_agree(rng, Texture(resident, {}), independent_reader.read_words(resident), filter)


def assert_agree(rng: np.random.Generator, texture: Texture, ours: independent_reader.Material, filter: str) -> None:
    uv = rng.uniform(-1, 2, (24, 2)).astype(np.float32).astype(float)
    lod = rng.uniform(-1, texture.mip_count, 24)
    # Pixels from a hundredth of a texel to the whole texture, from round to lines.
    reach = 10 ** rng.uniform(-2, math.log10(max(texture.width, texture.height)), (24, 1, 1))
    duv = rng.normal(0, 1, (24, 2, 2)) * reach / [texture.width, texture.height]
    duv[::3, 1] *= 10 ** rng.uniform(-3, 0, (8, 1))
    fetched = filter == "bilinear"
    by_lod = [sample_lod(ours, *p, at, bilinear=fetched) for p, at in zip(uv, lod, strict=True)]
    by_duv = [sample_footprint(ours, *p, d, bilinear=fetched) for p, d in zip(uv, duv, strict=True)]
    np.testing.assert_allclose(texture.sample(uv, lod, filter=filter), by_lod, atol=1e-5)
    np.testing.assert_allclose(texture.sample(uv, duv=duv, filter=filter), by_duv, atol=1e-5)
