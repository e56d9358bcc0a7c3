"""shaders/gstex.hlsl, gstex.wgsl and gstex.metal against the reference: every texel of every mip, and points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from format_builder import ChannelSpec
from glsl_materials import material_of, quick_fit, random_texture, tied_texels
from glsl_runner import LIMIT
from make_golden import DATA, GOLDEN
from shader_runners import (
    BILINEAR,
    CANDIDATES,
    FETCH,
    GRAD,
    SAMPLE,
    SURFACE,
    PointRunner,
    Runners,
    runners_of,
)
from small_samples import MATERIALS, crop_sample
from test_glsl_surface import FULL, SIZE, described, raw_texture

import gstex
from gstex.decode import count_candidates
from gstex.format.layout import COMPONENTS, ROLE_CODES
from gstex.shading import read_surface
from gstex.texture import Texture

LEAN = {"GSTEX_MAX_K": 0}  # without the list of a K, compilers of the CPU take half the time
CLOSE = 1 / 65536


# Shaders of dxc take 10 s to compile on the CPU: here it has the texels, and test_write_shaders.py has it compile all.
WITHOUT_DXC = pytest.mark.parametrize("runners", ["glslang", "wgsl", "metal", "chromium"], indirect=True)


@pytest.fixture(scope="module", params=["glslang", "dxc", "wgsl", "metal", "chromium"])
def runners(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runners]:
    """glslang, dxc: HLSL by these compilers. chromium: WGSL in the browser's WebGPU. metal: as C++, see
    tests/shaders/metal_stdlib."""
    with runners_of(request.param, tmp_path_factory.mktemp("shaders")) as found:
        yield found


def texels(texture: Texture, mip: int) -> np.ndarray:
    height, width, _ = texture.decode(mip).shape
    rows, columns = np.divmod(np.arange(height * width), width)
    return np.stack([columns, rows, np.full(height * width, mip)], axis=1)


def centres(texture: Texture) -> np.ndarray:
    """Points in the middle of the texels of mip 0."""
    offset, size = np.array([0.5, 0.5, 0]), np.array([texture.width, texture.height, 1])
    return (texels(texture, 0) + offset) / size


def fetched(runner: PointRunner, texture: Texture, *, base: int = 0) -> list[np.ndarray]:
    """All texels of all mips: float32 [H, W, 16] each."""
    points = [texels(texture, mip) for mip in range(texture.mip_count)]
    ends = np.cumsum([len(one) for one in points])
    found = np.split(runner.call(FETCH, np.concatenate(points), base=base), ends[:-1])
    return [one.reshape(*texture.decode(mip).shape[:2], 16) for mip, one in enumerate(found)]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files(name: str, runners: Runners) -> None:
    """Several groups, bends, raw mips, regular levels, crowds, palettes, a top K, textures that repeat and clamp."""
    texture, expected = gstex.load(DATA / f"golden_v2_{name}.gstex"), np.load(DATA / f"golden_v2_{name}.npz")
    runner = runners()
    runner.upload(np.arange(12, dtype=np.uint32), texture.words)
    ties = tied_texels(material_of(texture), 0)
    for mip, found in enumerate(fetched(runner, texture, base=runner.bases[1])):
        counted = ~ties if mip == 0 else np.ones(found.shape[:2], bool)
        np.testing.assert_allclose(found[counted][:, : texture.channels], expected[f"mip{mip}"][counted], atol=CLOSE)
        assert not found[..., texture.channels :].any()


@pytest.mark.parametrize("name", MATERIALS)
def test_samples(name: str, runners: Runners, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    texture = quick_fit(monkeypatch, crop_sample(name, tmp_path / name, 64), 150)
    assert texture.mip_count > 1
    runner = runners()
    runner.upload(texture.words)
    for mip, found in enumerate(fetched(runner, texture)):
        np.testing.assert_allclose(found[..., : texture.channels], texture.decode(mip), atol=LIMIT)


@WITHOUT_DXC
@pytest.mark.parametrize(("channels", "groups", "palette_bits"), [(8, 3, (6, 4)), (5, 1, ())])
def test_points(channels: int, groups: int, palette_bits: tuple[int, ...], runners: Runners) -> None:
    """Between texels and mips, and footprints, inside the texture and outside, of a texture that repeats and one that
    clamps. Mips of all kinds."""
    texture, rng = random_texture(channels, groups=groups, palette_bits=palette_bits), np.random.default_rng(channels)
    runner = runners(GSTEX_VEC4S=2, **LEAN)
    runner.upload(texture.words)
    uv = rng.uniform(-1, 2, (300, 2)).astype(np.float32)
    lod = rng.uniform(-0.5, texture.mip_count, (300, 1)).astype(np.float32)
    points = np.concatenate([uv, lod], axis=1)
    found = runner.call(SAMPLE, points)[:, :channels]
    np.testing.assert_allclose(found, texture.sample(uv, lod[:, 0]), atol=LIMIT)
    duv = (rng.normal(size=(300, 2, 2)) * np.exp2(rng.uniform(-9, -1, (300, 1, 2)))).astype(np.float32)
    found = runner.call(GRAD, points, duv.reshape(-1, 4))[:, :channels]
    np.testing.assert_allclose(found, texture.sample(uv, duv=duv), atol=LIMIT)
    if runners.language == "metal" or runners.driver is not None:  # where a shader compiles within a second
        found = runner.call(BILINEAR, points)[:, :channels]
        np.testing.assert_allclose(found, texture.sample(uv, lod[:, 0], filter="bilinear"), atol=LIMIT)


@WITHOUT_DXC
def test_mips_and_taps_are_blended_as_light(
    runners: Runners, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a sample whose albedo is sRGB."""
    texture = quick_fit(monkeypatch, crop_sample("rusted_steel", tmp_path / "steel", 32), 60)
    assert any(channel.srgb for channel in texture.table.header.channels) and texture.channels <= 8
    runner, rng = runners(GSTEX_VEC4S=2, **LEAN), np.random.default_rng(0)
    runner.upload(texture.words)
    uv, lod = rng.uniform(0, 1, (200, 2)).astype(np.float32), rng.uniform(0, 2, (200, 1)).astype(np.float32)
    found = runner.call(SAMPLE, np.concatenate([uv, lod], axis=1))[:, : texture.channels]
    np.testing.assert_allclose(found, texture.sample(uv, lod[:, 0]), atol=LIMIT)


@WITHOUT_DXC
def test_candidates(runners: Runners) -> None:
    texture = random_texture(5)
    runner = runners(GSTEX_VEC4S=2, **LEAN)
    runner.upload(texture.words)
    for mip in (0, 1, 3):
        found = runner.call(CANDIDATES, texels(texture, mip))[:, 0]
        np.testing.assert_array_equal(found, count_candidates(texture.words, mip).reshape(-1))


@WITHOUT_DXC
@pytest.mark.parametrize("convention", ["gl", "dx"])
def test_surface(convention: str, runners: Runners) -> None:
    rows = described(FULL, None)
    codes = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, len(FULL)))
    channels = [
        ChannelSpec(ROLE_CODES.index(row["role"]), COMPONENTS.index(row["component"]), row["color_space"] == "srgb",
                    convention == "dx" and row["component"] == "y")
        for row in rows
    ]  # fmt: skip
    texture = raw_texture(channels, codes, list(range(len(FULL))))
    runner = runners(**LEAN)
    runner.upload(texture.words)
    found = runner.call(SURFACE, centres(texture)).reshape(SIZE, SIZE, 16)
    expected = read_surface(codes / 255, rows, convention)
    pairs = {
        "albedo": (found[..., :3], np.moveaxis(expected.base, 0, -1)),
        "roughness": (np.maximum(found[..., 3] ** 2, 0.02), expected.alpha),
        "emissive": (found[..., 4:7], np.moveaxis(expected.emissive, 0, -1)),
        "metallic": (found[..., 7], expected.metallic),
        "normal": (found[..., 8:11], np.moveaxis(expected.normal, 0, -1)),
        "ao": (found[..., 11], expected.ao),
        "opacity": (found[..., 12], expected.opacity),
        "height": (found[..., 13], np.zeros((SIZE, SIZE))),
    }
    for name, (value, reference) in pairs.items():
        np.testing.assert_allclose(value, reference, atol=LIMIT, err_msg=name)


@WITHOUT_DXC
def test_source_values(runners: Runners) -> None:
    """A height of -3 to 17 metres, and light with a curve."""
    channels = [ChannelSpec(8, scale=20.0, bias=-3.0), ChannelSpec(9, 0, scale=0.125, curve=1, stops=8.0)]
    codes = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 2))
    texture = raw_texture(channels, codes, [0, 1])
    runner = runners(**LEAN)
    runner.upload(texture.words)
    found = runner.call(SURFACE, centres(texture)).reshape(SIZE, SIZE, 16)
    np.testing.assert_allclose(found[..., 13], -3 + 20 * codes[..., 0] / 255, atol=1e-4)
    light = 0.125 * (np.exp2(8 * codes[..., 1] / 255) - 1)
    np.testing.assert_allclose(found[..., 4:7], np.repeat(light[..., None], 3, axis=2), rtol=1e-5, atol=1e-5)
