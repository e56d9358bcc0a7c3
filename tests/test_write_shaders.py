"""tools/write_shaders.py: the decoders in HLSL, WGSL and Metal are what it writes, keep the text of gstex.glsl, compile
with every option, and what it cannot write it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from glsl_materials import random_texture
from shader_runners import build_metal, dispatch, dxc, glslang, hlsl_text, wgpu_device, wgsl_text, with_options

from gstex.resources import source_path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import write_shaders  # noqa: E402
from shader_writer.glsl_syntax import ShaderError  # noqa: E402
from write_shaders import PRINTERS, translate  # noqa: E402

SOURCE = source_path("shaders/gstex.glsl").read_text()
EXPANDED = source_path("shaders/gstex_expanded.glsl").read_text()
WRITTEN = {language: source_path(f"shaders/gstex.{language}").read_text() for language in PRINTERS}
LANGUAGES = pytest.mark.parametrize("language", list(PRINTERS))


def test_the_files_are_what_the_tool_writes() -> None:
    for path, text in write_shaders.written().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run tools/write_shaders.py"
    check = [sys.executable, ROOT / "tools" / "write_shaders.py", "--check"]
    done = subprocess.run(check, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_stale_file_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "gstex.glsl").write_text(SOURCE)
    (tmp_path / "gstex_expanded.glsl").write_text(EXPANDED)
    monkeypatch.setattr(write_shaders, "SOURCE", tmp_path / "gstex.glsl")
    monkeypatch.setattr(write_shaders, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["write_shaders.py", "--check"])
    assert write_shaders.main() == 1
    assert "gstex.wgsl is not what" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["write_shaders.py"])
    assert write_shaders.main() == 0
    assert (tmp_path / "gstex.wgsl").read_text() == WRITTEN["wgsl"]
    (tmp_path / "gstex.glsl").write_text(SOURCE + "double gstex_wide() { return 1.0; }\n")
    assert write_shaders.main() == 1
    assert f"shaders/gstex.glsl:{SOURCE.count(chr(10)) + 1}: 'double'" in capsys.readouterr().err


def test_what_the_decoders_have_in_common_is_that_of_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    """gstex_expanded.glsl gets it from gstex.glsl, and its own text in other languages."""
    (tmp_path / "gstex.glsl").write_text(SOURCE)
    (tmp_path / "gstex_expanded.glsl").write_text(EXPANDED.replace("12.92", "13.0"))
    monkeypatch.setattr(write_shaders, "SOURCE", tmp_path / "gstex.glsl")
    monkeypatch.setattr(write_shaders, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["write_shaders.py"])
    assert write_shaders.main() == 0
    assert (tmp_path / "gstex_expanded.glsl").read_text() == EXPANDED
    assert "fn gstex_expanded_fetch(" in (tmp_path / "gstex_expanded.wgsl").read_text()
    (tmp_path / "gstex_expanded.glsl").write_text(EXPANDED.replace("// ---- End of", "// ---- end of"))
    assert write_shaders.main() == 1
    assert "gstex_expanded.glsl: expected one part that is common" in capsys.readouterr().err


@LANGUAGES
def test_what_is_common_is_the_same_in_each_language(language: str) -> None:
    texts = [source_path(f"shaders/{name}.{language}").read_text() for name in ("gstex", "gstex_expanded")]
    first, second = (re.findall(r"^// ---- Common to .*^// ---- End", text, re.MULTILINE | re.DOTALL) for text in texts)
    assert first == second and "gstex_surface_of" in first[0]


@pytest.mark.parametrize("decoder", ["gstex", "gstex_expanded"])
@LANGUAGES
def test_names_and_comments_survive(language: str, decoder: str) -> None:
    source = SOURCE if decoder == "gstex" else EXPANDED
    body = source[source.index("// Channel c is") :]
    if language == "wgsl":  # which leaves out what stands under a name that nobody can define there
        body = re.sub(r"^#ifdef .*?\n(?=#else|#endif)", "", body, flags=re.MULTILINE | re.DOTALL)
    found = source_path(f"shaders/{decoder}.{language}").read_text()
    comments = re.findall(r"//.*", body)
    assert len(comments) > (100 if decoder == "gstex" else 40)
    assert re.findall(r"//.*", found[found.index("// Channel c is") :]) == [
        comment for comment in comments if comment
    ] or language == "metal"  # which says where its global variables are
    assert not set(comments) - set(re.findall(r"//.*", found))
    names = re.findall(r"^(?:\w+ )+(gstex_\w+|Gstex\w+)\b", body, re.MULTILINE)
    assert len(names) > (50 if decoder == "gstex" else 30)
    assert not [name for name in names if not re.search(rf"\b{name}\b", found)]
    lines = found.count("\n") / source.count("\n")
    # Lines that are wrapped, `make_` functions of HLSL, and what WGSL leaves out.
    assert (0.87 if language == "wgsl" else 0.97) < lines < 1.25


@pytest.mark.parametrize("decoder", ["gstex", "gstex_expanded"])
@LANGUAGES
def test_nothing_of_glsl_is_left(language: str, decoder: str) -> None:
    text = source_path(f"shaders/{decoder}.{language}").read_text()
    code = re.sub(r"//.*", "", text)
    assert not re.search(r"\b[iub]?vec[234]\(|\buintBitsToFloat|\binout [A-Z]|\blessThan", code) or language == "hlsl"
    assert not re.search(r"\b[iub]?vec[234]\b", code) or language == "wgsl"
    assert "layout(" not in code and "usampler2D" not in code and "//@" not in text


# ---- Every option compiles -----------------------------------------------------------------------------------------

OPTIONS = [(1, 0), (2, 1), (3, 32), (4, 0), (4, 32)]


@pytest.mark.parametrize(("vec4s", "max_k"), OPTIONS)
def test_glslang_takes_every_option(vec4s: int, max_k: int) -> None:
    for call in (3, 5) if vec4s == 4 else (0, 3):
        glslang(hlsl_text(), CALL=call, GSTEX_VEC4S=vec4s, GSTEX_MAX_K=max_k, GSTEX_CHANNELS="0x15u")


@pytest.mark.parametrize(("vec4s", "max_k"), OPTIONS)
def test_dxc_takes_every_option(vec4s: int, max_k: int) -> None:
    """DXIL and SPIR-V, of the oldest and the newest version of the language. Warnings are errors."""
    options = {"GSTEX_VEC4S": vec4s, "GSTEX_MAX_K": max_k, "GSTEX_CHANNELS": "0x15u"}
    calls = (3, 4, 5) if vec4s == 4 else (0, 2)
    for call, profile, version in zip(calls, ("cs_6_0", "cs_6_6", "cs_6_2"), ("2016", "2021", "2018"), strict=False):
        dxc(hlsl_text(), profile, spirv=False, flags=["-HV", version], CALL=call, **options)
    dxc(hlsl_text(), flags=["-HV", "2021"], CALL=calls[-1], **options)


def test_words_of_hlsl_may_stand_elsewhere() -> None:
    text = "ByteAddressBuffer words : register(t5, space2);\n#define GSTEX_LOAD(i) words.Load(4 * (i))\n" + hlsl_text()
    dxc(text, CALL=3)
    glslang(text, CALL=3)
    dxc(hlsl_text(), CALL=0, GSTEX_REGISTER="t7, space1")


def test_wgpu_takes_every_option() -> None:
    device = wgpu_device()
    for vec4s, max_k in OPTIONS:
        text = wgsl_text(0, GSTEX_VEC4S=vec4s, GSTEX_MAX_K=max_k)
        device.create_shader_module(code=text)


@pytest.mark.parametrize(("vec4s", "max_k"), OPTIONS)
def test_metal_as_cpp_takes_every_option(vec4s: int, max_k: int, tmp_path: Path) -> None:
    build_metal(tmp_path, "int main() {}\n", "", GSTEX_VEC4S=vec4s, GSTEX_MAX_K=max_k)


def test_channels_may_be_chosen_at_run_time(tmp_path: Path) -> None:
    """A uniform in HLSL, a constant of the pipeline in WGSL, a function constant in Metal, here one of C++."""
    uniform = "cbuffer Needed : register(b5) { uint needed; };\n#define GSTEX_CHANNELS needed\n"
    dxc(uniform + hlsl_text(), CALL=0)
    glslang(uniform + hlsl_text(), CALL=0)
    constant = "#include <metal_stdlib>\nconstant uint needed = 5u;\n#define GSTEX_CHANNELS needed\n"
    build_metal(tmp_path, "", "int main() {}\n", constant + WRITTEN["metal"])

    texture = random_texture(5, groups=2)
    channels = [group.header.members for group in texture.table.groups]
    needed = next(iter(channels[0]))
    device = wgpu_device()
    text = wgsl_text(0, GSTEX_VEC4S=2, GSTEX_MAX_K=0).replace("const GSTEX_CHANNELS", "override GSTEX_CHANNELS")
    stage = {"module": device.create_shader_module(code=text), "entry_point": "main",
             "constants": {"GSTEX_CHANNELS": 1 << needed}}  # fmt: skip
    compiled = device.create_compute_pipeline(layout="auto", compute=stage)
    points = np.zeros((1, 2, 4), np.float32)
    found = dispatch(device, compiled, [texture.words, points, 16, np.array([0, 1], np.uint32)], (1,))[:5]
    expected = texture.decode(0)[0, 0].copy()
    expected[list(channels[1])] = 0  # no member of this group is needed
    assert expected.any() and np.abs(found - expected).max() < 1 / 1024


# ---- New functions need no change of the tool ----------------------------------------------------------------------

NEW = """
const vec3 gstex_weights = vec3(0.2, 0.7, 0.1);
struct GstexNoise { uvec2 state; float last[2]; };

float gstex_step(inout GstexNoise noise, int shift) {
    noise.state.xy ^= 77u; // of both
    noise.state ^= noise.state << shift;
    noise.state >>= 3;
    noise.last[shift & 1] = fract(float(noise.state.x) * 2.3283064e-10);
    return noise.last[shift & 1];
}

vec3 gstex_new(vec3 sample, float level) {
    GstexNoise noise;
    noise.state = uvec2(floatBitsToUint(level), 5u);
    float filter = gstex_step(noise, 13);
    sample.yz *= max(sample.xy, 0.5) + filter;
    bvec3 low = lessThan(sample, vec3(level));
    while (filter < 0.5) {
        filter += gstex_step(noise, 7);
        if (filter > 0.25 && level > 1.0) break;
        else level *= 2.0;
    }
    return any(low) ? mix(sample, gstex_weights * level, low) : normalize(sample) * inversesqrt(level);
}
"""
CALL_NEW = {
    "hlsl": "RWStructuredBuffer<float3> o : register(u2);\n[numthreads(1, 1, 1)] void main() "
            "{ o[0] = gstex_new(float3(1, 2, 3), 0.5); }\n",
    "wgsl": "@group(0) @binding(2) var<storage, read_write> o: vec3f;\n@compute @workgroup_size(1) fn main() "
            "{ o = gstex_new(vec3f(1, 2, 3), 0.5); }\n",
    "metal": "int main() { float3 o = gstex_new(float3(1, 2, 3), 0.5f); return o.x > 9.0f; }\n",
}  # fmt: skip


@LANGUAGES
def test_new_functions_are_written_and_compile(language: str, tmp_path: Path) -> None:
    text = translate(SOURCE + NEW, language)
    assert text.startswith(WRITTEN[language][:1500]) and "// of both" in text
    new = text + CALL_NEW[language]
    if language == "wgsl":
        assert "fn gstex_new(sample_in: vec3f, level_in: f32) -> vec3f {" in new and "gstex_step(&noise, 13)" in new
        wgpu_device().create_shader_module(code=new)
    elif language == "hlsl":
        assert "float3 gstex_new(float3 sample_, float level) {" in new
        glslang(new)
        dxc(new, flags=["-HV", "2021"])
    else:
        shader = new[len(source_path("shaders/gstex.metal").read_text()) :]
        build_metal(tmp_path, shader, "")


def test_swizzles_in_another_order_are_refused_in_wgsl_alone() -> None:
    text = SOURCE + "\nvec2 gstex_turn(vec2 a) {\n    a.yx = a.xy;\n    return a;\n}\n"
    assert "a.yx = a.xy;" in translate(text, "hlsl")
    with pytest.raises(ShaderError, match=rf":{SOURCE.count(chr(10)) + 3}: \.yx is assigned"):
        translate(text, "wgsl")


def test_a_choice_at_compile_time_in_wgsl() -> None:
    text = translate(SOURCE + """
float gstex_choice(float x) {
#if GSTEX_VEC4S > 2
    x += 1.0;
#else
    x += 2.0;
#endif
    return x;
}
""", "wgsl")  # fmt: skip
    assert text.endswith("""
    if (GSTEX_VEC4S > 2) {
    x += 1.0;
    } else {
    x += 2.0;
    }
    return x;
}
""")


BLOCK = """
#ifdef GSTEX_PART
struct GstexPart { ivec4 numbers; };
int gstex_head(uint base) {
    GstexPart block = GSTEX_PART(base);
    return block.numbers.x;
}
#else
int gstex_head(uint base) { return int(GSTEX_LOAD(int(base))); }
#endif
int gstex_second(uint base) {
#ifdef GSTEX_PART
    int second = gstex_head(base); // of the block
#else
    int second = int(GSTEX_LOAD(int(base) + 1));
    second += 1; // of the words
#endif
    return second;
}
"""


@LANGUAGES
def test_what_users_may_define(language: str, tmp_path: Path) -> None:
    """In WGSL nobody can: what stands under the name is left out."""
    text = translate(SOURCE + BLOCK, language)
    assert "// of the words" in text and ("// of the block" in text) == (language != "wgsl")
    if language == "wgsl":
        assert "GSTEX_PART" not in text and "GstexPart" not in text
        main = "@compute @workgroup_size(1) fn main() { _ = gstex_second(0u); }\n"
        wgpu_device().create_shader_module(code=text + main)
    elif language == "hlsl":
        main = ("RWStructuredBuffer<int> o : register(u2);\n"
                "[numthreads(1, 1, 1)] void main() { o[0] = gstex_second(0); }\n")  # fmt: skip
        glslang(text + main)
        dxc(text + main)
        dxc("#define GSTEX_PART(base) (GstexPart)int(base)\n" + text + main)
    else:
        main = ("uint words[2];\nint main() { GstexContext gstex; gstex.words = words; "
                "return gstex_second(gstex, 0u); }\n")  # fmt: skip
        build_metal(tmp_path, "", main, text)
        build_metal(tmp_path, "", main, "#define GSTEX_PART(i) {int4(int(i))}\n" + text)


UNIFORM = """
#if defined(GSTEX_NUMBERS) && !defined(GSTEX_NUMBER)
#ifndef GSTEX_NUMBER_COUNT
#define GSTEX_NUMBER_COUNT 8
#endif
#ifndef GSTEX_NUMBER_BINDING
#define GSTEX_NUMBER_BINDING 4
#endif
#ifdef GL_ES
layout(std140) uniform GstexNumbers { uvec4 gstex_numbers[GSTEX_NUMBER_COUNT]; };
#else
layout(std140, binding = GSTEX_NUMBER_BINDING) uniform GstexNumbers { uvec4 gstex_numbers[GSTEX_NUMBER_COUNT]; };
#endif
#define GSTEX_NUMBER(i) gstex_numbers[i]
#endif

#ifdef GSTEX_NUMBERS
vec2 gstex_two(uint base) { return uintBitsToFloat(GSTEX_NUMBER(int(base) + 1).xy); }
#else
vec2 gstex_two(uint base) { return vec2(uintBitsToFloat(GSTEX_LOAD(int(base)))); }
#endif
"""
USE_TWO = {
    "hlsl": """
RWStructuredBuffer<float2> o : register(u2);
[numthreads(1, 1, 1)] void main() { o[0] = gstex_two(0); }
""",
    "wgsl": "@compute @workgroup_size(1) fn main() { _ = gstex_two(0u); }\n",
    "metal": """
int main() {
    const uint words[] = {0x3F800000u};
    const uint4 numbers[] = {uint4(0u), uint4(0x40000000u, 0x40400000u, 0u, 0u)};
    GstexContext gstex;
    gstex.words = words;
#ifdef GSTEX_NUMBERS
    gstex.gstex_numbers = numbers;
#endif
    (void)numbers;
    const float2 two = gstex_two(gstex, 0u);
    std::printf("%g %g", two.x, two.y);
}
""",
}


@LANGUAGES
def test_a_uniform_block_that_engines_may_ask_for(language: str, tmp_path: Path) -> None:
    """In HLSL a cbuffer, in Metal a field of the context, and in WGSL left out."""
    before, comment, behind = SOURCE.partition("// Channel c is")
    entry = ("//   GSTEX_NUMBERS  take them from a block at GSTEX_NUMBER_BINDING, default 4,\n"
             "//                  if asked.\n")  # fmt: skip
    head = before.replace("//   GSTEX_LOAD(i)", entry + "//   GSTEX_LOAD(i)") + UNIFORM.lstrip() + "\n"
    text = translate(head + comment + behind, language)
    whole, asked = text + USE_TWO[language], "#define GSTEX_NUMBERS\n"
    if language == "wgsl":
        assert "NUMBER" not in text and "if asked" not in text
        wgpu_device().create_shader_module(code=whole)
    elif language == "hlsl":
        assert "cbuffer GstexNumbers : register(GSTEX_NUMBER_REGISTER) { uint4 gstex_numbers[GSTEX_" in text
        assert "#define GSTEX_NUMBER_REGISTER b4\n" in text and "at GSTEX_NUMBER_REGISTER, default b4,\n" in text
        for one in (whole, asked + whole):
            glslang(one)
            dxc(one)
    else:
        assert "at GstexContext::gstex_numbers,\n" in text
        for one, said in ((text, "1 1"), (asked + text, "2 3")):
            program = build_metal(tmp_path, "", USE_TWO["metal"], one)
            assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == said


# What a source has to begin with, and a few functions.
SMALL = SOURCE[: SOURCE.index("// Channel c is")] + """
struct GstexSum { float weight; };
float gstex_float(int i) { return uintBitsToFloat(GSTEX_LOAD(i)); }
void gstex_add(float weight, inout GstexSum sum) { sum.weight += weight; }
"""
REFUSED = [
    ("float f(float x) { return x++; }", "inside an expression"),
    ("float f(float x) { float a = x, b; a = b = x; return a; }", "one assignment a statement"),
    ("float f(int i) { return float(i) * i; }", "float * int is not in every language"),
    ("float f(int i) { return i; }", "returns int from a function that is float"),
    ("float f(float x) { return tan(x); }", "tan is not defined before"),
    ("float f(float x) { return y; }", "y is not declared before"),
    ("float f(vec2 x) { return x.z; }", "vec2 has no z"),
    ("float f(float x) { vec2 a[2] = vec2[](vec2(x), vec2(x)); return x; }", "array made of its elements"),
    ("float f(float x) { for (int i = 0, j = 1; i < j; ++i) x += 1.0; return x; }", "a loop declares one variable"),
    ("float f(float x) { return f(x); }", "calls itself"),
    ("float gstex_float(float x) { return x; }", "is there already"),
    ("float f(out float x) { x = 1.0; return x; }", "a parameter may be inout"),
    ("float f(float x[2]) { return x[0]; }", "an array as parameter"),
    ("float f(vec2 a, vec2 b) { return a == b ? 1.0 : 0.0; }", "== of vectors"),
    ("#define HALF(x) (0.5 * (x))", "a macro"),
    ("uniform float f;", "'uniform' begins nothing"),
    ("float f(float x) { switch (int(x)) { case 0: return x; } return x; }", "'switch'"),
    ("int f(int i) { int a = i; int a = i; return a; }", "a is declared already"),
    ("float f(vec2 v) { return f2(v.x); }", "f2 is not defined before"),
    ("float f(GstexSum s) { gstex_add(1.0, s.x); return 1.0; }", "GstexSum has no x"),
    ("float f(GstexSum s[2]) { return 1.0; }", "an array as parameter"),
    ("float f(GstexSum s) { GstexSum a[2]; gstex_add(1.0, a[0]); return 1.0; }", "WGSL takes whole variables only"),
    ("float f(GstexSum s) { gstex_add(1, s); return 1.0; }", "gstex_add takes float, GstexSum, and gets int, GstexSum"),
    ("vec2 f(float x) { return vec2(x, x, x); }", "vec2 of 3 numbers"),
    ("float f(float x) { return max(x, 1); }", "max of float, int"),
    ("float f(int i) { if (i) return 1.0; return 0.0; }", "a condition is bool, not int"),
    ("float f(float x) { if (x > 1.0) x; return x; }", "does nothing"),
    ("float f(float x) { return x;", "a block is not closed"),
    ("float f(float x) { return x @ 1.0; }", "cannot read '@'"),
    ("const uint f[2] = {1u, 2};", "elements of several types"),
    ("float f(vec4 x) { return GSTEX_LOAD(1u) > 1u ? 1.0 : 0.0; }", "GSTEX_LOAD takes int"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_what_is_not_in_every_language_is_refused_with_its_line(line: str, message: str) -> None:
    for language in PRINTERS:
        with pytest.raises(ShaderError) as caught:
            translate(SMALL + line + "\n", language)
        assert str(caught.value).startswith(f"gstex.glsl:{SMALL.count(chr(10)) + 1}: ")
        assert message in str(caught.value)


def test_options_are_replaced_by_name() -> None:
    assert "const GSTEX_VEC4S: i32 = 2;" in with_options(WRITTEN["wgsl"], GSTEX_VEC4S=2)
