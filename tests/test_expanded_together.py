"""gstex.glsl and gstex_expanded.glsl in one shader, in either order: one material is read packed and another one
expanded, from two buffers and from one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from format_builder import ChannelSpec
from glsl_materials import random_texture
from glsl_runner import LIMIT, SHADERS, Runner, context_or_skip
from test_expanded import LIMIT as EXPANDED_LIMIT
from test_glsl_surface import FULL, SIZE, described, raw_texture
from test_glsl_text import check

from gstex.format.layout import COMPONENTS, ROLE_CODES
from gstex.gl import WordBuffer, channel_uniforms, join_words, read_shader, unit_uniforms
from gstex.texture import Texture

WIDTH = 256  # of textures, in texels
NAMES = ("gstex.glsl", "gstex_expanded.glsl")
DOCUMENT = (Path(__file__).resolve().parent.parent / "docs" / "expanded.md").read_text()
EXAMPLE, BOTH_SAMPLED, BUFFER_OF_BOTH = re.findall(r"```glsl\n(.*?)```", DOCUMENT, re.DOTALL)
# What an engine declares to have all words in one buffer.
ONE_BUFFER = {
    "core": BUFFER_OF_BOTH,
    "es": "uniform highp usampler2D materials;\n"
          f"#define GSTEX_LOAD4(i) texelFetch(materials, ivec2(int(i) % {WIDTH}, int(i) / {WIDTH}), 0)\n"
          "#define GSTEX_LOAD(i) GSTEX_LOAD4((i) >> 2)[(i) & 3]\n",
}  # fmt: skip
BUFFERS = pytest.mark.parametrize("buffers", ["two", "one"])
FIRST = pytest.mark.parametrize("first", NAMES)


@pytest.fixture(scope="module", params=["core", "es"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    es = request.param == "es"
    with context_or_skip(es=es):
        yield Runner(es=es)


def fragment(folder: Path, first: str, one_buffer: str) -> Path:
    """together.frag with its includes. one_buffer: the declaration of a buffer for both, or nothing."""
    includes = "".join(f'#include "{name}"\n' for name in sorted(NAMES, key=lambda name: name != first))
    path = folder / "together.frag"
    path.write_text((SHADERS / "together.frag").read_text().replace("INCLUDES\n", one_buffer + includes))
    return path


class Together:
    """A program that has both, and the words of two materials."""

    def __init__(self, runner: Runner, folder: Path, first: str, buffers: str, packed: Texture, expanded: Texture):
        self.runner, one = runner, ONE_BUFFER["es" if runner.es else "core"] if buffers == "one" else ""
        self.path = fragment(folder, first, one)
        words, form = np.append(np.zeros(64, np.uint32), packed.words), expanded.expanded()
        self.uniforms: dict[str, int] = {"base": 64, "expanded_base": 0}
        if one:
            joined, (_, self.uniforms["expanded_base"]) = join_words([words, form])
            self.bind([joined])
        else:
            self.bind([words, form])

    def bind(self, parts: list[np.ndarray]) -> None:
        """To buffers, or to units of textures. The last one has fours, and the one before it words."""
        if not self.runner.es:
            self.kept = [WordBuffer([words], binding=number) for number, words in enumerate(parts)]
            return
        gl = self.runner.gl
        names = ["materials"] if len(parts) == 1 else ["gstex_words", "gstex_expanded_words"]
        for number, (name, words) in enumerate(zip(names, parts, strict=True)):
            fours = number == len(parts) - 1
            texels = -(-len(words) // 4) if fours else len(words)
            pixels = np.zeros((-(-texels // WIDTH), WIDTH, 4 if fours else 1), np.uint32)
            pixels.reshape(-1)[: len(words)] = words
            kinds = (gl.GL_RGBA32UI, gl.GL_RGBA_INTEGER) if fours else (gl.GL_R32UI, gl.GL_RED_INTEGER)
            unit = 4 * number  # the runner has the others
            self.runner._texture(unit, pixels, *kinds, gl.GL_UNSIGNED_INT)
            self.uniforms[name] = unit

    def draw(self, texture: Texture, *, expanded: bool, mip: int = 0, **defines: int) -> np.ndarray:
        """All texels of a mip, of the size of that of a texture: float32 [H, W, 16]."""
        size = max(texture.width >> mip, 1), max(texture.height >> mip, 1)
        uniforms = {**self.uniforms, "expanded": expanded, "mip": mip}
        uniforms |= channel_uniforms(texture.table) | unit_uniforms(texture.table)
        return self.runner.draw(str(self.path), defines, size, 4, **uniforms)


@BUFFERS
@FIRST
def test_one_is_read_packed_and_another_expanded(first: str, buffers: str, runner: Runner, tmp_path: Path) -> None:
    packed, expanded = random_texture(8, groups=2), random_texture(5)
    both = Together(runner, tmp_path, first, buffers, packed, expanded)
    assert not np.array_equal(packed.decode(0)[..., :5], expanded.decode(0))
    for mip in range(packed.mip_count):
        found = both.draw(packed, expanded=False, mip=mip)[..., : packed.channels]
        np.testing.assert_allclose(found, packed.decode(mip), atol=LIMIT)
    for mip in range(expanded.mip_count):
        found = both.draw(expanded, expanded=True, mip=mip)[..., : expanded.channels]
        np.testing.assert_allclose(found, expanded.decode(mip), atol=EXPANDED_LIMIT)


def lit_material(seed: int) -> Texture:
    """Every map that a surface has, Y of normals down, an emissive in units of its own and a height in metres."""
    rows = described((*FULL, "height"), None)
    units = {"emissive": {"scale": 40.0, "bias": 0.5}, "height": {"scale": 20.0, "bias": -3.0}}
    channels = [
        ChannelSpec(ROLE_CODES.index(row["role"]), COMPONENTS.index(row["component"]), row["color_space"] == "srgb",
                    row["component"] == "y", **units.get(row["role"], {}))
        for row in rows
    ]  # fmt: skip
    codes = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, len(channels)))
    return raw_texture(channels, codes, list(range(len(channels))))


@BUFFERS
def test_surfaces_of_both_forms_are_the_same(buffers: str, runner: Runner, tmp_path: Path) -> None:
    """Of the expanded form with channels and units from uniforms, of the packed one from its table."""
    texture = lit_material(0)
    both = Together(runner, tmp_path, NAMES[0], buffers, texture, texture)
    packed, expanded = (both.draw(texture, expanded=of, SURFACES=1) for of in (False, True))
    assert packed[..., 8:11].max() > 30 and packed[..., 13].min() < -2 and (packed[..., 4:7] < 0).any()
    np.testing.assert_allclose(expanded, packed, rtol=1e-5, atol=2e-4)


@FIRST
@pytest.mark.parametrize("version", ["300 es", "430 core"])
@pytest.mark.parametrize("vec4s", [1, 2, 3, 4])
def test_reference_compiler_takes_both(vec4s: int, version: str, first: str, tmp_path: Path) -> None:
    for number, one in enumerate(("", ONE_BUFFER["es" if version == "300 es" else "core"])):
        defines = {"GSTEX_VEC4S": vec4s} | ({"SURFACES": 1} if vec4s == 4 else {})
        folder = tmp_path / str(number)
        folder.mkdir()
        path = fragment(folder, first, one)
        lines = [line for line in path.read_text().splitlines()
                 if vec4s == 4 or not any(f"value.v[{i}]" in line for i in range(vec4s, 4))]  # fmt: skip
        path.write_text("\n".join(lines) + "\n")
        check(read_shader(path, defines, version=version), "frag", folder)


def test_examples_of_the_document_compile(tmp_path: Path) -> None:
    head, rest = EXAMPLE.split("\n", 1)
    assert head == "#version 430 core"
    (tmp_path / "example.frag").write_text(rest)
    check(read_shader(tmp_path / "example.frag", version="430 core"), "frag", tmp_path)
    declared = ("uniform bool expanded;\nuniform uint base;\nuniform vec2 uv, dx, dy;\n"
                "uniform GstexChannels channels;\n"
                "uniform GstexUnits units;\nout vec4 color;\n")  # fmt: skip
    body = f"void main() {{\n{BOTH_SAMPLED}color = vec4(surface.albedo, 1);\n}}\n"
    includes = "".join(f'#include "{name}"\n' for name in NAMES)
    (tmp_path / "both.frag").write_text(includes + declared + body)
    check(read_shader(tmp_path / "both.frag", version="430 core"), "frag", tmp_path)
