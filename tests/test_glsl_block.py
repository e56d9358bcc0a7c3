"""GSTEX_MATERIAL_BLOCK: a shader with a block of gstex_material_block knows, bit by bit, what one that parses knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from format_specs import SPECS, built
from glsl_materials import quick_fit, random_texture, uploaded
from glsl_runner import Runner, context_or_skip
from make_golden import GOLDEN
from random_material import random_material
from small_samples import SAMPLES

import gstex
from gstex.format import pack
from gstex.gl import material_block
from gstex.texture import Texture

ROUNDING = 1 / 65536
BLOCK = {"GSTEX_MATERIAL_BLOCK": 1, "GSTEX_BLOCK_FOURS": 512}


@pytest.fixture(scope="module", params=["core", "es"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    with context_or_skip(es=request.param == "es"):
        yield Runner(es=request.param == "es")


@pytest.fixture(scope="module")
def core() -> Iterator[Runner]:
    with context_or_skip():
        yield Runner()


def bind(runner: Runner, block: np.ndarray) -> None:
    """Make a block that of binding 0, which is that of GstexMaterialBlock where nobody says another. The buffer goes
    with the context."""
    gl = runner.gl
    padded = np.zeros((BLOCK["GSTEX_BLOCK_FOURS"], 4), np.uint32)
    padded[: len(block)] = block
    buffer = gl.glGenBuffers(1)
    gl.glBindBuffer(gl.GL_UNIFORM_BUFFER, buffer)
    gl.glBufferData(gl.GL_UNIFORM_BUFFER, padded.nbytes, padded, gl.GL_STATIC_DRAW)
    gl.glBindBufferBase(gl.GL_UNIFORM_BUFFER, 0, buffer)


def headers(runner: Runner, texture: Texture, base: int, **defines: int | str) -> np.ndarray:
    """All that the shader knows of every group, mip and level, uint32 [M, 16]."""
    header = texture.table.header
    mips = range(header.first_mip, header.mip_count)
    asked = np.array([(g, mip, level, part) for g, group in enumerate(texture.table.groups) for mip in mips
                      for level in range(len(group.mips[mip].levels) or 1) for part in range(8)])  # fmt: skip
    rows = -(-len(asked) // 256)
    points = np.zeros((rows, 256, 4), np.float32)
    points.reshape(-1, 4)[: len(asked)] = asked
    gl = runner.gl
    texels = runner._texture(1, points, gl.GL_RGBA32F, gl.GL_RGBA, gl.GL_FLOAT)
    found = runner.draw("headers.frag", {"GSTEX_VEC4S": 4, **defines}, (256, rows), 4, point_texels=1, base=base)
    gl.glDeleteTextures(1, [texels])
    return found.view(np.uint32).reshape(-1, 16)[: len(asked)]


def check_block(runner: Runner, texture: Texture, *, points: int = 300) -> None:
    """All members have the same bits, and so values differ by rounding alone: compilers may fuse other operations.
    Behind another material in the buffer."""
    other = random_texture(3)
    alone = texture.table.header.first_mip > 0
    runner.upload(other.words, uploaded(texture) if alone else texture.words)
    base, vec4s = runner.bases[1], 4
    bind(runner, material_block(texture.table, base))
    if texture.table.groups:
        np.testing.assert_array_equal(headers(runner, texture, base, **BLOCK), headers(runner, texture, base))
    if any(group.header.top_k for group in texture.table.groups):
        return  # rounding may choose another of two weights that are almost the same
    for mip in range(texture.table.header.first_mip, texture.mip_count):
        height, width = max(texture.height >> mip, 1), max(texture.width >> mip, 1)
        rows, columns = np.divmod(np.arange(width * height), width)
        parsed = runner.fetch(columns, rows, mip, base=base, vec4s=vec4s)
        found = runner.fetch(columns, rows, mip, base=base, vec4s=vec4s, **BLOCK)
        np.testing.assert_allclose(found, parsed, rtol=0, atol=ROUNDING)
    rng = np.random.default_rng(1)
    uv = rng.uniform(-1, 2, (points, 2)).astype(np.float32)
    duv = (rng.normal(size=(points, 2, 2)) * np.exp2(rng.uniform(-9, -1, (points, 1, 2)))).astype(np.float32)
    parsed = runner.sample_grad(uv, duv, base=base, vec4s=vec4s)
    found = runner.sample_grad(uv, duv, base=base, vec4s=vec4s, **BLOCK)
    np.testing.assert_allclose(found, parsed, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", ["rusted_steel", "vine_leaves"])
def test_samples(name: str, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    check_block(runner, quick_fit(monkeypatch, SAMPLES / name, 800))


@pytest.mark.parametrize("name", sorted(SPECS.keys() | GOLDEN.keys()))
def test_files_at_the_limits_of_the_format(name: str, core: Runner, tmp_path: Path) -> None:
    (tmp_path / "any.gstex").write_bytes(built(name))
    check_block(core, gstex.load(tmp_path / "any.gstex"), points=60)


def test_a_tail_alone(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "any.gstex").write_bytes(built("groups"))
    check_block(runner, gstex.load(tmp_path / "any.gstex", mips="tail"), points=60)


@pytest.mark.parametrize("palettes", [(), (4,), (6, 4), (4, 5, 6), (3, 4, 5, 12)])
def test_codes_and_palettes(palettes: tuple[int, ...], core: Runner) -> None:
    check_block(core, random_texture(13, groups=2, palette_bits=palettes, constant=(1, 7)), points=60)


@pytest.mark.parametrize("seed", range(6))
def test_any_material(seed: int, core: Runner) -> None:
    check_block(core, Texture(pack(random_material(np.random.default_rng(seed))), {}), points=60)
