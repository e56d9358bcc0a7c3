"""shaders/bc.wgsl and bc.hlsl: the same blocks as bc.glsl, bit by bit."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from bc_blocks import FORMATS, blocks_of_all_kinds, encode_by_glsl
from glsl_runner import context_or_skip
from shader_runners import HERE, Wgpu, dispatch, dxc, glslang, pipeline, wgpu_device, wgsl_text

from gstex.resources import source_path

BLOCKS = blocks_of_all_kinds()


def code(language: str) -> str:
    """WGSL or HLSL."""
    text = (HERE / f"bc_blocks.{language}").read_text()
    encoders = source_path(f"shaders/bc.{language}").read_text()
    if language == "wgsl":
        return encoders + text
    assert text.count("INCLUDE\n") == 1
    return text.replace("INCLUDE\n", encoders)


@cache
def compiled(language: str) -> tuple[Wgpu, Wgpu]:
    device = wgpu_device()
    return device, pipeline(device, code("wgsl") if language == "wgsl" else glslang(code("hlsl")))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("language", ["wgsl", "hlsl"])
def test_blocks_are_those_of_glsl(language: str, name: str) -> None:
    """Blocks of all kinds; those without alpha have one of 255."""
    blocks = BLOCKS.copy()
    if name == "bc7 opaque":
        blocks[:, :, 3] = 255
    format_code, words, _ = FORMATS[name]
    device, shader = compiled(language)
    data = [blocks.view(np.uint32), np.array([format_code, len(blocks)], np.uint32), 4 * len(blocks)]
    found = dispatch(device, shader, data, (-(-len(blocks) // 32),)).view(np.uint32).reshape(-1, 4)[:, :words]
    with context_or_skip():
        expected = encode_by_glsl(blocks, name)
    np.testing.assert_array_equal(found, expected)


def test_compilers_take_them() -> None:
    """dxc of the oldest and the newest version of the language, without warnings; beside the decoder in one module."""
    for profile, version in (("cs_6_0", "2016"), ("cs_6_6", "2021")):
        dxc(code("hlsl"), profile, spirv=False, flags=["-HV", version])
    dxc(source_path("shaders/gstex.hlsl").read_text() + code("hlsl"), GSTEX_REGISTER="t5")
    texel = "fn gstex_bc_texel(at: i32, i: i32) -> u32 { return u32(at + i); }\n"
    encoders = source_path("shaders/bc.wgsl").read_text()
    wgpu_device().create_shader_module(code=wgsl_text(0) + encoders + texel)
