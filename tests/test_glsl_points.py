"""The functions of shaders/gstex.glsl at any texel and point, in both readings of its text: GLSL with a storage
buffer, and GLSL ES 3.00 with a texture of words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from glsl_materials import material_of, random_texture, tied_points, uploaded
from glsl_runner import LIMIT, Runner, context_or_skip
from make_golden import DATA, GOLDEN

import gstex
from gstex.decode import footprints
from gstex.texture import Texture

POINTS = 700
CLOSE = 2.0**-16  # at the centres of texels; half of the smallest step of a code in these tests is 1e-4. llvmpipe: 5e-7


@pytest.fixture(scope="module", params=["gl", "es"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    with context_or_skip(es=request.param == "es"):
        yield Runner(es=request.param == "es")


def texels(texture: Texture, mip: int) -> tuple[np.ndarray, np.ndarray]:
    """(columns, rows) of all texels of a mip, row by row."""
    height, width = texture.decode(mip).shape[:2]
    rows, columns = np.divmod(np.arange(height * width), width)
    return columns, rows


def points(rng: np.random.Generator) -> np.ndarray:
    """uv in -2 .. 3, some of them on the borders of the texture: float32 [M, 2]."""
    uv = rng.uniform(-2, 3, (POINTS, 2)).astype(np.float32)
    uv[:9] = [(x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1)]
    return uv


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files(name: str, runner: Runner) -> None:
    texture, expected = gstex.load(DATA / f"golden_v2_{name}.gstex"), np.load(DATA / f"golden_v2_{name}.npz")
    runner.upload(texture.words)
    for mip in range(texture.mip_count):
        found = runner.fetch(*texels(texture, mip), mip)
        reference = expected[f"mip{mip}"].reshape(-1, texture.channels)
        np.testing.assert_allclose(found[:, : texture.channels], reference, atol=LIMIT)


# Every number of channels; both readings of the text for those that fill their last vec4, or have one more.
BOTH = (1, 4, 9, 16)
CHANNELS = [(reading, channels) for reading in ("gl", "es") for channels in BOTH]
CHANNELS += [("gl", channels) for channels in (2, 3, 6, 11, 14, 15)]
CHANNELS += [("es", channels) for channels in (5, 7, 8, 10, 12, 13)]


@pytest.mark.parametrize(("runner", "channels"), CHANNELS, indirect=["runner"])
def test_texels_and_points_of_any_number_of_channels(channels: int, runner: Runner) -> None:
    """Mips of all kinds; wrap rule, filtering and size depend on the number. Channels that do not exist are 0."""
    texture, rng = random_texture(channels), np.random.default_rng(channels)
    runner.upload(texture.words)
    for mip in range(texture.mip_count):
        found = runner.fetch(*texels(texture, mip), mip)
        np.testing.assert_allclose(found[:, :channels], texture.decode(mip).reshape(-1, channels), rtol=0, atol=CLOSE)
        assert not found[:, channels:].any()
    uv, lod = points(rng), rng.uniform(-1, texture.mip_count + 1, POINTS).astype(np.float32)
    lod[:20] = np.arange(20) % texture.mip_count
    own, fetched = runner.sample(uv, lod), runner.sample(uv, lod, bilinear=True)
    np.testing.assert_allclose(own[:, :channels], texture.sample(uv, lod), atol=LIMIT)
    np.testing.assert_allclose(fetched[:, :channels], texture.sample(uv, lod, filter="bilinear"), atol=LIMIT)
    assert not own[:, channels:].any() and not fetched[:, channels:].any()


@pytest.mark.parametrize("channels", [1, 6, 10, 13])
def test_footprints(channels: int, runner: Runner) -> None:
    texture, rng = random_texture(channels), np.random.default_rng(channels)
    runner.upload(texture.words)
    uv = points(rng)
    # Round and long ones, up to larger than the texture, any way round; and those without width or size.
    size = np.exp2(rng.uniform(-9, 1, (POINTS, 1, 2)))
    duv = (rng.normal(size=(POINTS, 2, 2)) * size).astype(np.float32)
    duv[0], duv[1:40, 1], duv[40:80, 0] = 0, 0, 0
    duv[80:120, 1] = duv[80:120, 0]
    duv[120:160, :, 0] = 0  # straight down, where the direction of the axis must not cancel
    # No more channels than needed: llvmpipe ends the loops of a pixel after 65535 rounds of all of them together.
    found = runner.sample_grad(uv, duv, vec4s=-(-channels // 4))[:, :channels]
    counted = stable(texture, duv)
    np.testing.assert_allclose(found[counted], texture.sample(uv, duv=duv)[counted], atol=LIMIT)


PALETTES = [
    (1, (5,), ()),
    (3, (4, 6), ()),
    (4, (3, 5, 2), (1,)),
    (5, (8,), (0, 4)),
    (8, (6, 4), ()),
    (8, (12, 9, 1, 11), (2,)),
    (16, (9, 9), ()),
    (16, (2, 3, 4, 5), (0, 5, 6, 15)),
]
# All of them in both readings of the text, in one of the two with codes of channels beside them.
READ_PALETTES = [
    (reading, *palettes, (number + shift) % 2 == 1)
    for number, palettes in enumerate(PALETTES) for shift, reading in enumerate(("gl", "es"))
]  # fmt: skip


@pytest.mark.parametrize(
    ("runner", "channels", "palette_bits", "constant", "own_codes"), READ_PALETTES, indirect=["runner"]
)
def test_palettes(
    channels: int, palette_bits: tuple[int, ...], constant: tuple[int, ...], own_codes: bool, runner: Runner
) -> None:
    """One to four of them, alone and with codes of channels, in mips of all kinds, at texels and between."""
    texture = random_texture(channels, palette_bits=palette_bits, constant=constant, own_codes=own_codes)
    runner.upload(texture.words)
    vec4s, rng = -(-channels // 4), np.random.default_rng(channels)
    for mip in range(texture.mip_count):
        found = runner.fetch(*texels(texture, mip), mip, vec4s=vec4s)
        np.testing.assert_allclose(found[:, :channels], texture.decode(mip).reshape(-1, channels), rtol=0, atol=CLOSE)
        assert not found[:, channels:].any()
    uv, lod = points(rng), rng.uniform(0, texture.mip_count, POINTS).astype(np.float32)
    found = runner.sample(uv, lod, vec4s=vec4s)[:, :channels]
    np.testing.assert_allclose(found, texture.sample(uv, lod), atol=LIMIT)


@pytest.mark.parametrize("own_codes", [False, True])
def test_palettes_with_a_top_k(own_codes: bool, runner: Runner) -> None:
    texture = random_texture(5, top_k=10, palette_bits=(4, 7, 1), own_codes=own_codes, constant=(2,))
    uv = np.random.default_rng(3).uniform(0, 1, (POINTS, 2)).astype(np.float32)
    runner.upload(texture.words)
    for mip in (0, 1, 3):
        counted = ~tied_points(material_of(texture), mip, uv)
        assert counted.mean() > 0.99
        found = runner.sample(uv, mip)[:, :5]
        np.testing.assert_allclose(found[counted], texture.sample(uv, mip)[counted], atol=LIMIT)


# (reading of the text, channels, groups, numbers of bits of palettes, constant channels)
GROUPS = [
    ("gl", 2, 2, (), ()),
    ("es", 5, 3, (4,), (1,)),
    ("gl", 8, 4, (5, 3), (0, 6)),
    ("es", 8, 2, (), ()),
    ("gl", 16, 3, (6,), ()),
    ("es", 16, 4, (), (0, 1, 2, 3, 9, 15)),
]


@pytest.mark.parametrize(("runner", "channels", "groups", "palette_bits", "constant"), GROUPS, indirect=["runner"])
def test_groups(
    channels: int, groups: int, palette_bits: tuple[int, ...], constant: tuple[int, ...], runner: Runner
) -> None:
    """Channels of several groups, which lie between each other and between constant ones. At the same mip one group has
    Gaussians, another texels, and a third those of mip 0, bent."""
    texture = random_texture(channels, groups=groups, palette_bits=palette_bits, constant=constant)
    assert len(texture.table.groups) == groups
    runner.upload(texture.words)
    vec4s, rng = -(-channels // 4), np.random.default_rng(channels)
    for mip in range(texture.mip_count):
        found = runner.fetch(*texels(texture, mip), mip, vec4s=vec4s)
        np.testing.assert_allclose(found[:, :channels], texture.decode(mip).reshape(-1, channels), rtol=0, atol=CLOSE)
        assert not found[:, channels:].any()
    uv, lod = points(rng), rng.uniform(0, texture.mip_count, POINTS).astype(np.float32)
    lod[:20] = np.arange(20) % texture.mip_count
    for way in ("direct", "bilinear"):
        if way == "direct" and texture.sampling == "bilinear":
            continue
        found = runner.sample(uv, lod, bilinear=way == "bilinear", vec4s=vec4s)[:, :channels]
        np.testing.assert_allclose(found, texture.sample(uv, lod, filter=way), atol=LIMIT)
    duv = (rng.normal(size=(POINTS, 2, 2)) * np.exp2(rng.uniform(-9, 1, (POINTS, 1, 2)))).astype(np.float32)
    found, counted = runner.sample_grad(uv, duv, vec4s=vec4s)[:, :channels], stable(texture, duv)
    np.testing.assert_allclose(found[counted], texture.sample(uv, duv=duv)[counted], atol=LIMIT)


@pytest.mark.parametrize("needed", [0xFFFF, 0b1, 0b10010, 0b1000_0000, 0])
def test_groups_without_a_channel_that_is_needed_are_left_out(needed: int, runner: Runner) -> None:
    """GSTEX_CHANNELS: all channels of the other groups are there, and constant ones."""
    texture = random_texture(8, groups=3, palette_bits=(4,), constant=(2,))
    members = [np.array(group.header.members) for group in texture.table.groups]
    left_out = [c for of in members if not (needed >> of & 1).any() for c in of]
    assert bool(left_out) == (needed != 0xFFFF)
    runner.upload(texture.words)
    for mip in (0, 1):
        found = runner.fetch(*texels(texture, mip), mip, vec4s=2, GSTEX_CHANNELS=f"{needed}u")
        expected = texture.decode(mip).reshape(-1, 8).copy()
        expected[:, left_out] = 0
        np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE)
    uv = points(np.random.default_rng(1))
    expected = texture.sample(uv, 0.5)
    expected[:, left_out] = 0
    np.testing.assert_allclose(runner.sample(uv, 0.5, vec4s=2, GSTEX_CHANNELS=needed), expected, atol=LIMIT)


@pytest.mark.parametrize(("channels", "groups"), [(7, 1), (6, 3)])
def test_a_tail_alone_has_no_mips_before_it(channels: int, groups: int, runner: Runner) -> None:
    """The resident part of a file with first_mip set: mips and levels of detail before the tail are its first mip. A
    mip that is drawn from mip 0 elsewhere has texels of its own in the tail."""
    whole = random_texture(channels, groups=groups)
    texture, tail = Texture(whole.words[: whole.table.header.resident_words], {}), whole.table.header.tail
    assert len(texture.words) < len(whole.words) and 0 < tail < texture.mip_count
    assert np.abs(texture.decode(4) - whole.decode(4)).max() > LIMIT
    runner.upload(np.zeros(64, np.uint32), uploaded(texture))  # what a mip before the tail had would be missing
    base, rng = runner.bases[1], np.random.default_rng(2)
    for mip in range(-1, texture.mip_count + 1):
        shown = min(max(mip, tail), texture.mip_count - 1)
        found = runner.fetch(*texels(texture, shown), mip, base=base)[:, :channels]
        np.testing.assert_allclose(found, texture.decode(shown).reshape(-1, channels), rtol=0, atol=CLOSE)
    uv, lod = points(rng), rng.uniform(-1, texture.mip_count + 1, POINTS).astype(np.float32)
    expected = texture.sample(uv, np.maximum(lod, tail))
    np.testing.assert_allclose(runner.sample(uv, lod, base=base)[:, :channels], expected, atol=LIMIT)
    duv = np.full((POINTS, 2, 2), 1e-3, np.float32)
    duv[0] = 0
    found = runner.sample_grad(uv, duv, base=base)[:, :channels]
    np.testing.assert_allclose(found, texture.sample(uv, np.float32(tail)), atol=LIMIT)


def stable(texture: Texture, duv: np.ndarray) -> np.ndarray:
    """bool [M]: where the number of taps does not hang on rounding. Of these points at most a hundredth are lost."""
    taps = [
        footprints(duv * np.array([[[x], [y]]]), texture.width, texture.height)[1]
        for x in (1 - 1e-5, 1, 1 + 1e-5)
        for y in (1 - 1e-5, 1, 1 + 1e-5)
    ]
    same = np.ptp(taps, axis=0) == 0
    assert same.mean() > 0.99 and len(set(taps[4][same])) == 8
    return same


@pytest.mark.parametrize(("top_k", "groups"), [(1, 1), (10, 1), (10, 3)])
def test_points_with_a_top_k(top_k: int, groups: int, runner: Runner) -> None:
    """Of three groups the second has none."""
    texture = random_texture(4, groups=groups, top_k=top_k)
    uv = np.random.default_rng(top_k).uniform(0, 1, (POINTS, 2)).astype(np.float32)
    runner.upload(texture.words)
    for mip in (0, 1, 3):
        counted = ~tied_points(material_of(texture), mip, uv)
        assert counted.mean() > 0.99
        found = runner.sample(uv, mip)[:, :4]
        np.testing.assert_allclose(found[counted], texture.sample(uv, mip)[counted], atol=LIMIT)


def test_five_materials_in_one_buffer(runner: Runner) -> None:
    palettes = [(), (3, 4), (), (6,), ()]
    textures = [
        random_texture(channels, seed=7, palette_bits=bits)
        for channels, bits in zip((3, 16, 1, 9, 8), palettes, strict=True)
    ]
    runner.upload(*(texture.words for texture in textures))
    assert runner.bases[0] == 0 and len(set(runner.bases)) == 5
    rng = np.random.default_rng(5)
    uv, lod = points(rng), rng.uniform(0, 5, POINTS).astype(np.float32)
    for texture, base in zip(textures, runner.bases, strict=True):
        found = runner.sample(uv, lod, base=base)[:, : texture.channels]
        np.testing.assert_allclose(found, texture.sample(uv, lod), atol=LIMIT)
        found = runner.fetch(*texels(texture, 1), 1, base=base)[:, : texture.channels]
        np.testing.assert_allclose(found, texture.decode(1).reshape(-1, texture.channels), atol=LIMIT)


@pytest.mark.parametrize("vec4s", [1, 2, 3, 4])
def test_channels_beyond_those_asked_for_are_left_out(vec4s: int, runner: Runner) -> None:
    texture = random_texture(11, palette_bits=(5, 3), constant=(1, 6))
    runner.upload(texture.words)
    found = runner.fetch(*texels(texture, 0), 0, vec4s=vec4s)
    kept = min(11, 4 * vec4s)
    assert found.shape[1] == 4 * vec4s
    np.testing.assert_allclose(found[:, :kept], texture.decode(0).reshape(-1, 11)[:, :kept], atol=LIMIT)


@pytest.mark.parametrize("channels", [1, 2])  # clamp, repeat
def test_texels_beyond_the_borders(channels: int, runner: Runner) -> None:
    texture = random_texture(channels)
    runner.upload(texture.words)
    for mip in range(texture.mip_count):
        expected = texture.decode(mip)
        height, width = expected.shape[:2]
        rows, columns = (a.ravel() for a in np.mgrid[-height : 2 * height, -width : 2 * width])
        found = runner.fetch(columns, rows, mip)[:, :channels]
        if texture.wrap == "repeat":
            np.testing.assert_allclose(found, expected[rows % height, columns % width], atol=LIMIT)
        else:
            inside = expected[rows.clip(0, height - 1), columns.clip(0, width - 1)]
            np.testing.assert_allclose(found, inside, atol=LIMIT)


@pytest.mark.parametrize("top_k", [0, 3])
def test_no_more_than_the_largest_k_is_kept(top_k: int, runner: Runner) -> None:
    """GSTEX_MAX_K: a file with a smaller K, or none, is the same; of a larger K that many are blended."""
    texture = random_texture(3, top_k=top_k)
    runner.upload(texture.words)
    columns, rows = texels(texture, 0)
    expected = runner.fetch(columns, rows, 0)
    np.testing.assert_array_equal(runner.fetch(columns, rows, 0, GSTEX_MAX_K=3), expected)
    if top_k:
        runner.upload(random_texture(3, top_k=9).words)
        np.testing.assert_array_equal(runner.fetch(columns, rows, 0, GSTEX_MAX_K=3), expected)


def test_mips_beyond_the_last_are_the_last(runner: Runner) -> None:
    texture = random_texture(5)
    runner.upload(texture.words)
    last = texture.mip_count - 1
    columns, rows = texels(texture, last)
    np.testing.assert_array_equal(runner.fetch(columns, rows, 200), runner.fetch(columns, rows, last))
    columns, rows = texels(texture, 0)
    np.testing.assert_array_equal(runner.fetch(columns, rows, -3), runner.fetch(columns, rows, 0))
