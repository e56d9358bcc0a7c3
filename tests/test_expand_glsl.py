"""The expanded form whose lists a compute shader makes: as near to the packed words as the C library's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from format_specs import built
from glsl_materials import quick_fit, random_texture
from glsl_runner import context_or_skip
from small_samples import SAMPLES
from test_expanded import LIMIT, ExpandedRunner, fetched, view

import gstex
from gstex import constants
from gstex.errors import GraphicsError
from gstex.gl import expand
from gstex.gl.expanded import _Lists
from gstex.resources import source_path
from gstex.texture import Texture

SHADER, HEADER = source_path("shaders/expand.comp").read_text(), source_path("native/gstex_expand.h").read_text()


@pytest.fixture(scope="module")
def runner() -> Iterator[ExpandedRunner]:
    with context_or_skip():
        yield ExpandedRunner()


def check(runner: ExpandedRunner, texture: Texture) -> np.ndarray:
    """Every texel of every mip that is here; returns the expanded form. Most of its lists are those of the C library:
    a change that is right at a limit may be decided the other way."""
    words, wanted = expand(texture), texture.expanded()
    runner.upload(words)
    for mip in range(texture.table.header.first_mip, texture.mip_count):
        assert np.abs(fetched(runner, texture, mip) - texture.decode(mip)).max() <= LIMIT, f"mip {mip}"
        for group in range(int(words[6])):
            assert view(words, mip, group)[12] == view(wanted, mip, group)[12], f"mip {mip} has tiles of another size"
    assert abs(len(words) - len(wanted)) <= 0.01 * len(wanted)
    return words


@pytest.mark.parametrize("name", ["channels", "clamp_k10", "constants", "crowded", "groups", "palettes",
                                  "palettes_and_codes", "raw", "regular", "repeat", "shared"])  # fmt: skip
def test_golden_files(name: str, runner: ExpandedRunner, tmp_path: Path) -> None:
    (tmp_path / "any.gstex").write_bytes(built(name))
    check(runner, gstex.load(tmp_path / "any.gstex"))


@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (5, 4), (16, 4)])
def test_random_materials(channels: int, groups: int, runner: ExpandedRunner) -> None:
    """Bilinear filtering, for one group here, and direct evaluation: with one grid of points and with two."""
    texture = random_texture(channels, groups=groups, palette_bits=(6, 4) if groups > 1 else ())
    assert texture.table.header.bilinear == (groups == 1)
    assert view(check(runner, texture), 0)[1], "mip 0 has no lists"


def test_a_sample_in_several_dispatches(runner: ExpandedRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gstex.gl.expanded._GROUPS", 50)
    monkeypatch.setattr("gstex.gl.expanded._LISTS", 120)
    check(runner, quick_fit(monkeypatch, SAMPLES / "weathered_bricks", 150))


def test_a_core_with_another_layout_is_refused(runner: ExpandedRunner) -> None:
    lists = _Lists(random_texture(3))
    with pytest.raises(GraphicsError, match=r"the core gives 64 bytes of tiles, shaders/expand\.comp reads \d+; use"):
        lists.make(bytes(64), bytes(4), bytes(16), 0, 1)
    lists.delete()


def test_open_gl_es_is_refused() -> None:
    with context_or_skip(es=True), pytest.raises(GraphicsError, match="expanding: found OpenGL ES"):
        expand(random_texture(3))


def test_the_shader_has_the_numbers_of_the_header() -> None:
    of_shader = dict(re.findall(r"#define (\w+) (.+)", SHADER))
    numbers = dict(re.findall(r"#define GSTEX__(\w+) (.+)", HEADER))
    numbers |= dict(re.findall(r"(?:GSTEX__|#define GSTEX_)(\w+)(?: =)? (\d+)", HEADER))
    for name in ("DROP_LIMIT", "CHOICE_LIMIT", "ERROR_LIMIT", "LEAST_WEIGHT", "LEAST_ERROR", "SEEN_MAX", "LIST_BYTES"):
        assert re.sub(r"(\d)f", r"\1", numbers[name]) == of_shader[name], name
    for name in ("BACKGROUND_WEIGHT", "LOG2E", "UNIT"):
        assert np.float32(of_shader[name]) == np.float32(getattr(constants, name)), name
    assert constants.FADE_SLOPE == 2, "fade_of has another slope"
