"""The text of the shaders: what compilers say to it, and what its readers were promised."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gstex.gl import read_shader
from gstex.resources import source_path

ROOT = Path(__file__).resolve().parent.parent
DECODER = source_path("shaders/gstex.glsl").read_text()
IN_C = source_path("native/gstex.h").read_text()
EXAMPLES = re.findall(r"```glsl\n(.*?)```", (ROOT / "docs" / "shaders.md").read_text(), re.DOTALL)
ENCODERS = "".join(source_path(f"shaders/{name}").read_text() for name in ("bc.glsl", "bc7.glsl", "bc.wgsl"))
STAGES = {"300 es": "frag", "430 core": "frag", "450 core": "comp"}


def check(text: str, stage: str, folder: Path, *options: str) -> None:
    """Compile with the reference compiler; skip where it is missing."""
    if shutil.which("glslangValidator") is None:
        pytest.skip("glslangValidator is not installed (Debian: glslang-tools)")
    source = folder / f"shader.{stage}"
    source.write_text(text)
    done = subprocess.run(["glslangValidator", *options, source], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version, vec4s, max_k", [
    ("300 es", 1, 32), ("300 es", 2, 0), ("300 es", 3, 1), ("300 es", 4, 32),
    ("430 core", 1, 0), ("430 core", 2, 1), ("430 core", 3, 32), ("430 core", 4, 0),
    ("450 core", 1, 1), ("450 core", 2, 32), ("450 core", 3, 0), ("450 core", 4, 1),
])
def test_reference_compiler_takes_every_variant(version: str, vec4s: int, max_k: int, tmp_path: Path) -> None:
    """glslangValidator checks functions that are not called, too."""
    name = "decode.comp" if STAGES[version] == "comp" else Path(__file__).parent / "glsl" / "points.frag"
    check(read_shader(name, {"GSTEX_VEC4S": vec4s, "GSTEX_MAX_K": max_k}, version=version), STAGES[version], tmp_path)


@pytest.mark.parametrize("version", ["300 es", "430 core"])
@pytest.mark.parametrize("channels", ["0", "7", "0xF00u", "(1u << 15)"])
def test_reference_compiler_takes_any_channels(version: str, channels: str, tmp_path: Path) -> None:
    """GSTEX_CHANNELS signed or not, with the functions for surfaces, in a shader with fewer channels than that."""
    defines = {"GSTEX_CHANNELS": channels, "GSTEX_VEC4S": 2, "FIND_CHANNELS": 1}
    check(read_shader(Path(__file__).parent / "glsl" / "surface.frag", defines, version=version), "frag", tmp_path)


@pytest.mark.parametrize("version", ["300 es", "430 core"])
def test_channels_may_be_a_uniform(version: str, tmp_path: Path) -> None:
    (tmp_path / "a.frag").write_text("""uniform highp uint needed;
#define GSTEX_CHANNELS needed
#include "gstex.glsl"
out highp vec4 color;
void main() { color = gstex_sample(0u, vec2(0.5), 0.0).v[0]; }
""")
    check(read_shader(tmp_path / "a.frag", version=version), "frag", tmp_path)


def test_shader_of_the_readme_compiles(tmp_path: Path) -> None:
    """As it stands, with its #version and its comments; a define stands for the file that `gstex export` writes."""
    readme = (ROOT / "README.md").read_text()
    (shader,) = re.findall(r"^```glsl\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert shader.count('#include "bricks.glsl"') == 1
    (tmp_path / "readme.frag").write_text(shader.replace('#include "bricks.glsl"', "#define GSTEX_VEC4S 2"))
    check(read_shader(tmp_path / "readme.frag"), "frag", tmp_path)


def test_a_version_gives_way_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.frag").write_text('#version 460\n#include "gstex.glsl"  // the decoder\nvoid main() {}\n')
    lines = read_shader(tmp_path / "a.frag", {"GSTEX_VEC4S": 2}, version="300 es").splitlines()
    assert [line for line in lines if line.startswith("#version")] == ["#version 300 es"]
    assert lines.index("#line 1 1") == lines.index("#line 1 0") + 2
    assert lines[-2:] == ["#line 3 0", "void main() {}"]


@pytest.mark.parametrize("version", STAGES)
def test_example_of_the_document_compiles(version: str, tmp_path: Path) -> None:
    example, _ = EXAMPLES
    head, rest = example.split("\n", 1)
    assert head == "#version 430 core"
    (tmp_path / "example.frag").write_text(rest)
    check(read_shader(tmp_path / "example.frag", version=version), "frag", tmp_path)


def test_example_for_vulkan_compiles(tmp_path: Path) -> None:
    _, example = EXAMPLES
    head, rest = example.split("\n", 1)
    assert head == "#version 450"
    (tmp_path / "example.frag").write_text(rest)
    check(read_shader(tmp_path / "example.frag", version="450"), "frag", tmp_path, "-V")


def test_document_names_what_the_decoder_has() -> None:
    document = (ROOT / "docs" / "shaders.md").read_text()
    buffers = {"gstex_words", "gstex_block"}
    assert all(name in source_path("shaders/gstex.hlsl").read_text() for name in buffers)
    for name in set(re.findall(r"\bgstex_\w+(?=[(`])", document)) - buffers:
        assert re.search(rf"\b{name}\(", DECODER + ENCODERS) or re.search(rf"\b{name}\b", IN_C), name
    for name in set(re.findall(r"\bGSTEX_[A-Z0-9_]+", document)):
        defaults = "".join(source_path(f"shaders/{one}").read_text()
                           for one in ("gstex.glsl", "gstex.hlsl", "gstex.metal", "transcode.comp"))  # fmt: skip
        tests = f"#ifdef {name}", f"!defined({name})"
        in_decoder = f"#ifndef {name}" in defaults or any(test in DECODER for test in tests)
        assert in_decoder or f"{name}(at" in ENCODERS, name
    public = DECODER.split("==== Functions to call ====")[1]
    for name in re.findall(r"^\w+ (gstex_\w+)\(", public, re.MULTILINE):
        assert name in document, name


def test_all_loads_go_through_one_macro() -> None:
    for name in ("gstex_words[", "texelFetch("):
        lines = [line for line in DECODER.splitlines() if name in line]
        assert all(line.startswith(("#define GSTEX_LOAD", "layout(std430")) for line in lines) and lines
    arguments = re.findall(r"GSTEX_LOAD\(([^()]*(?:\([^()]*\)[^()]*)*)\)", DECODER.split("struct GstexValue")[1])
    assert arguments and not [a for a in arguments if "++" in a or "=" in a]  # evaluated twice in the ES macro


def test_headers_are_read_in_one_place() -> None:
    """Words of the headers of a material and of a group by number, in the order of the text."""
    assert re.findall(r"\bbase \+ (\d+)", DECODER) == ["8", "2", "3", "1"]
    assert re.findall(r"\bhead \+ (\d+)", DECODER) == ["1", "2", "3", "4", "5", "6", "6"]


def test_nothing_that_es_lacks() -> None:
    for name in ("bitfieldExtract", "bitCount", "unpackUnorm4x8", "fma("):
        assert name not in DECODER


def test_lines_of_an_include_keep_their_numbers(tmp_path: Path) -> None:
    source = tmp_path / "a.frag"
    source.write_text('// one\n#include "gstex.glsl"\n// three\n')
    lines = read_shader(source, {"GSTEX_VEC4S": 3}, version="300 es").splitlines()
    assert lines[:2] == ["#version 300 es", "#define GSTEX_VEC4S 3"]
    assert lines[lines.index("#line 1 0") + 1] == "// one"
    assert lines[lines.index("#line 1 1") + 1] == DECODER.splitlines()[0]
    assert lines[lines.index("#line 3 0") + 1] == "// three"
