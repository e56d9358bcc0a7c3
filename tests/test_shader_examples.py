"""The examples of docs/shaders.md in HLSL, WGSL and Metal: each is compiled and draws a picture, which is compared with
the reference."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from format_builder import ChannelSpec
from glsl_runner import LIMIT
from shader_runners import browser, build_metal, dxc, glslang, wgpu_device
from test_glsl_surface import SIZE, described, raw_texture

from gstex.format.layout import COMPONENTS, ROLE_CODES
from gstex.gl import join_words
from gstex.resources import source_path
from gstex.shading import read_surface

DOCUMENT = (Path(__file__).resolve().parents[1] / "docs" / "shaders.md").read_text()
ROLES = ("normal", "normal", "ao", "albedo", "albedo", "albedo", "opacity", "emissive")
# One triangle over all pixels; uv has its origin at the top left.
VERTEX = """
struct Out { @builtin(position) position: vec4f, @location(0) uv: vec2f }
@vertex fn main(@builtin(vertex_index) i: u32) -> Out {
    let uv = vec2f(f32(i & 1u), f32(i >> 1u)) * 2.0;
    return Out(vec4f(2.0 * uv.x - 1.0, 1.0 - 2.0 * uv.y, 0.0, 1.0), uv);
}
"""


def example(language: str) -> str:
    [code] = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    return code


def included(language: str) -> str:
    """The example with the text of the decoder in place of its #include."""
    decoder = source_path(f"shaders/gstex.{language}").read_text()
    code = example(language)
    assert code.count(f'#include "gstex.{language}"\n') == 1
    return code.replace(f'#include "gstex.{language}"\n', decoder)


def material() -> tuple[np.ndarray, int, np.ndarray]:
    """Words of two materials, the base of the second one, and the picture that the examples draw of it."""
    rows = described(ROLES, None)
    codes = np.random.default_rng(2).integers(0, 256, (SIZE, SIZE, len(ROLES)))
    channels = [
        ChannelSpec(ROLE_CODES.index(row["role"]), COMPONENTS.index(row["component"]), row["color_space"] == "srgb")
        for row in rows
    ]
    texture = raw_texture(channels, codes, list(range(len(ROLES))))
    words, bases = join_words([np.arange(9, dtype=np.uint32), texture.words])
    surface = read_surface(codes / 255, rows, "gl")
    light = surface.base * surface.ao * np.maximum(surface.normal[2], 0) + surface.emissive
    picture = np.concatenate([np.moveaxis(light, 0, -1), np.asarray(surface.opacity)[..., None]], axis=2)
    return words, bases[1], picture


def drawn(
    fragment: str | bytes, words_at: tuple[int, int], base_at: tuple[int, int], words: np.ndarray, base: int
) -> np.ndarray:
    """What a fragment shader draws. words_at, base_at: group and binding of the buffers."""
    device = wgpu_device()
    modules = [device.create_shader_module(code=code) for code in (VERTEX, fragment)]
    pipeline = device.create_render_pipeline(
        layout="auto", vertex={"module": modules[0], "entry_point": "main"},
        fragment={"module": modules[1], "entry_point": "main", "targets": [{"format": "rgba32float"}]},
        primitive={"topology": "triangle-list"},
    )  # fmt: skip
    target = device.create_texture(size=(SIZE, SIZE, 1), format="rgba32float", usage=0x10 | 0x1)  # attachment, copies
    given = {
        words_at: device.create_buffer_with_data(data=words, usage=0x80),
        base_at: device.create_buffer_with_data(data=np.array([base, 0, 0, 0], np.uint32), usage=0x40),
    }
    encoder = device.create_command_encoder()
    attachment = {"view": target.create_view(), "load_op": "clear", "store_op": "store", "clear_value": (0, 0, 0, 0)}
    draw = encoder.begin_render_pass(color_attachments=[attachment])
    draw.set_pipeline(pipeline)
    for group in {place[0] for place in given}:
        entries = [{"binding": place[1], "resource": {"buffer": buffer, "offset": 0, "size": buffer.size}}
                   for place, buffer in given.items() if place[0] == group]  # fmt: skip
        layout = pipeline.get_bind_group_layout(group)
        draw.set_bind_group(group, device.create_bind_group(layout=layout, entries=entries))
    draw.draw(3)
    draw.end()
    device.queue.submit([encoder.finish()])
    data = device.queue.read_texture({"texture": target}, {"bytes_per_row": 16 * SIZE}, (SIZE, SIZE, 1))
    return np.frombuffer(data, np.float32).reshape(SIZE, SIZE, 4)


def test_hlsl() -> None:
    words, base, picture = material()
    found = drawn(glslang(included("hlsl"), "frag"), (0, 3), (0, 0), words, base)
    np.testing.assert_allclose(found, picture, atol=LIMIT)


def test_hlsl_with_dxc() -> None:
    for spirv, profile in ((True, "ps_6_0"), (False, "ps_6_0"), (False, "ps_6_6")):
        assert len(dxc(included("hlsl"), profile, spirv=spirv)) > 4096


def test_wgsl() -> None:
    words, base, picture = material()
    code = source_path("shaders/gstex.wgsl").read_text() + example("wgsl")
    np.testing.assert_allclose(drawn(code, (0, 0), (1, 0), words, base), picture, atol=LIMIT)


def test_wgsl_in_the_browser() -> None:
    """The example of JavaScript, which sets the options, with what the browser's compiler says to it."""
    script = """
const [gstexWgsl, shader, done] = arguments;
(async () => {
  const adapter = navigator.gpu && (await navigator.gpu.requestAdapter());
  if (!adapter) return { skip: "no adapter" };
  const device = await adapter.requestDevice();
""" + example("js") + """
  return { decoder, messages: (await module.getCompilationInfo()).messages.map((one) => one.message) };
})().then(done, (error) => done({ messages: [String(error)] }));
"""
    with browser() as driver:
        found = driver.execute_async_script(script, source_path("shaders/gstex.wgsl").read_text(), example("wgsl"))
    if "skip" in found:
        pytest.skip(f"no WebGPU in this browser: {found['skip']}")
    assert found["messages"] == []
    assert "const GSTEX_VEC4S: i32 = 2;\n" in found["decoder"] and "const GSTEX_MAX_K: i32 = 0;\n" in found["decoder"]


METAL_HOST = """
#include <cstdio>
#include <vector>
int main() {
    uint count, base;
    if (std::fread(&count, 4, 1, stdin) != 1 || std::fread(&base, 4, 1, stdin) != 1) return 1;
    std::vector<uint> words(count);
    if (std::fread(words.data(), 4, count, stdin) != count) return 1;
    for (int y = 0; y < SIZE; ++y)
        for (int x = 0; x < SIZE; ++x) {
            Point point;
            point.position = float4(0.0f);
            point.uv = float2(x + 0.5f, y + 0.5f) / float(SIZE);
            const float4 color = lit(point, words.data(), base);
            if (std::fwrite(color.data, 4, 4, stdout) != 4) return 1;
        }
    return 0;
}
"""
# Where neighbouring pixels of a stage are, which a program in C++ has to be told.
METAL_STEPS = """
#include <metal_stdlib>
namespace metal {
inline float2 dfdx(const float2 &) { return float2(1.0f / SIZE, 0.0f); }
inline float2 dfdy(const float2 &) { return float2(0.0f, 1.0f / SIZE); }
}
"""


def test_metal(tmp_path: Path) -> None:
    words, base, picture = material()
    program = build_metal(tmp_path, included("metal"), METAL_HOST, METAL_STEPS, SIZE=SIZE)
    given = np.array([len(words), base], np.uint32).tobytes() + words.tobytes()
    done = subprocess.run([program], input=given, capture_output=True, check=True)
    np.testing.assert_allclose(np.frombuffer(done.stdout, np.float32).reshape(SIZE, SIZE, 4), picture, atol=LIMIT)
