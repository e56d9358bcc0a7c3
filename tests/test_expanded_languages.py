"""shaders/gstex_expanded.hlsl, .wgsl and .metal: texels and points against the reference, and beside the packed decoder
in one shader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from glsl_materials import quick_fit, random_texture
from glsl_runner import context_or_skip
from make_golden import golden_file
from shader_runners import (
    FETCH,
    GRAD,
    SAMPLE,
    STOCHASTIC,
    SURFACE,
    PointRunner,
    Runners,
    build_metal,
    dxc,
    form_text,
    glslang,
    hlsl_text,
    runners_of,
    wgpu_device,
    wgsl_text,
)
from small_samples import crop_sample
from test_expanded import LIMIT, SAMPLE_LIMIT, ExpandedRunner, view
from test_expanded_together import lit_material
from test_glsl_stochastic import random_points
from test_shader_languages import LEAN, WITHOUT_DXC, centres, fetched

import gstex
from gstex.texture import Texture

CLOSE = 1e-5  # to the same text in GLSL


@pytest.fixture(scope="module", params=["glslang", "dxc", "wgsl", "metal", "chromium"])
def runners(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runners]:
    with runners_of(request.param, tmp_path_factory.mktemp("expanded")) as found:
        yield found


def check_texels(runner: PointRunner, texture: Texture) -> np.ndarray:
    """Every texel of every mip; returns the expanded form. Another material stands before it."""
    words = texture.expanded()
    runner.upload(np.arange(64, dtype=np.uint32), words)
    for mip, found in enumerate(fetched(runner, texture, base=64)):
        assert np.abs(found[..., : texture.channels] - texture.decode(mip)).max() <= LIMIT, f"mip {mip}"
        assert not found[..., texture.channels :].any()
    return words


def test_sample(runners: Runners, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = crop_sample("weathered_bricks", tmp_path / "bricks", 64)
    texture = quick_fit(monkeypatch, folder, 150)
    assert view(check_texels(runners("expanded"), texture), 1)[1], "mip 1 has no lists"


@pytest.mark.parametrize("name", ["groups", "palettes", "regular", "repeat", "shared"])
def test_golden_files(name: str, runners: Runners) -> None:
    check_texels(runners("expanded"), gstex.load(golden_file(name)))


@WITHOUT_DXC
@pytest.mark.parametrize(("channels", "vec4s"), [(3, 1), (8, 2), (12, 3), (16, 4)])
def test_random_materials(channels: int, vec4s: int, runners: Runners) -> None:
    """Shared mips that are bent, Gaussians that fade, with as few channels as a shader may have."""
    texture = random_texture(channels, groups=min(channels, 2))
    assert view(check_texels(runners("expanded", GSTEX_VEC4S=vec4s), texture), 0)[1], "mip 0 has no lists"


@WITHOUT_DXC
def test_points_are_those_of_the_reference_and_of_glsl(runners: Runners) -> None:
    """Points, footprints, and a tap that a noise chooses, inside the texture and beyond it."""
    texture, rng = random_texture(8), np.random.default_rng(8)
    words = texture.expanded()
    last = next(mip for mip in range(texture.mip_count) if not view(words, mip)[1]) - 1
    runner = runners("expanded", GSTEX_VEC4S=2)
    runner.upload(words)
    uv, duv = random_points(300, last)
    lod, noise = (rng.uniform(0, high, 300).astype(np.float32) for high in (last, 1))
    points = np.concatenate([uv, lod[:, None], noise[:, None]], axis=1)
    found = [runner.call(what, points, duv.reshape(-1, 4))[:, :8] for what in (SAMPLE, GRAD, STOCHASTIC)]
    np.testing.assert_allclose(found[0], texture.sample(uv, lod), rtol=0, atol=SAMPLE_LIMIT)
    with context_or_skip():
        glsl = ExpandedRunner()
        glsl.upload(words)
        same = [glsl.sample(uv, lod, vec4s=2), glsl.sample_grad(uv, duv, vec4s=2),
                glsl.sample_stochastic(uv, duv, noise, vec4s=2)]  # fmt: skip
    for one, other in zip(found, same, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=CLOSE)


def test_both_in_one_shader(runners: Runners) -> None:
    """The surfaces of a material, read packed and read expanded: from two buffers, in Metal from one."""
    if runners.driver is not None:
        pytest.skip("wgpu has it; the browser's runner has no further buffer")
    texture = lit_material(1)
    runner = runners("together", **LEAN)
    runner.upload(np.zeros(5, np.uint32), texture.words)
    runner.expanded = texture.expanded()
    points = centres(texture)
    packed, expanded = (
        runner.call(SURFACE, np.column_stack([points, np.full(len(points), of)]), base=5) for of in (0, 1)
    )
    assert packed[:, 4:7].max() > 30 and packed[:, 13].min() < -2 and (packed[:, 8:11] < 0).any()
    np.testing.assert_allclose(expanded, packed, rtol=1e-5, atol=2e-4)


# ---- Compilers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vec4s", [1, 2, 3, 4])
def test_compilers_take_every_option(vec4s: int, tmp_path: Path) -> None:
    """HLSL by glslang and dxc, to DXIL of old and new versions without warnings; WGSL by wgpu; Metal as C++."""
    calls = (FETCH, SAMPLE, GRAD, STOCHASTIC)
    profile, version = (("cs_6_0", "2016"), ("cs_6_2", "2018"), ("cs_6_6", "2021"), ("cs_6_0", "2021"))[vec4s - 1]
    glslang(hlsl_text("expanded"), CALL=calls[-vec4s], GSTEX_VEC4S=vec4s)
    flags = ["-HV", version]
    dxc(hlsl_text("expanded"), profile, spirv=False, flags=flags, CALL=calls[vec4s - 1], GSTEX_VEC4S=vec4s)
    wgpu_device().create_shader_module(code=wgsl_text(FETCH, "expanded", GSTEX_VEC4S=vec4s))
    build_metal(tmp_path, "", "int main() {}\n", form_text("expanded", "metal"), GSTEX_VEC4S=vec4s)


def test_words_of_hlsl_may_stand_elsewhere() -> None:
    """In a ByteAddressBuffer, of which both decoders read."""
    loads = ("ByteAddressBuffer words : register(t5, space2);\n#define GSTEX_LOAD(i) words.Load(4 * (i))\n"
             "#define GSTEX_LOAD4(i) words.Load4(16 * (i))\n")  # fmt: skip
    for compiled in (glslang, dxc):
        compiled(loads + form_text("together", "hlsl"))
    dxc(loads + form_text("together", "hlsl"), "cs_6_6", spirv=False, flags=["-HV", "2021"])


def test_either_decoder_of_hlsl_and_metal_may_come_first(tmp_path: Path) -> None:
    for language in ("hlsl", "metal"):
        text = form_text("together", language)
        at, behind = text.index(f"// gstex_expanded.{language}:"), text.index(f"// Follows gstex.{language}")
        turned = text[at:behind] + text[:at] + text[behind:]
        if language == "hlsl":
            glslang(turned, GSTEX_EXPANDED_REGISTER="t4")
        else:
            build_metal(tmp_path, "", "int main() {}\n", turned)
