"""The expanded form (docs/expanded.md) against the packed words, at every texel of every mip."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_specs import SPECS, built
from glsl_materials import quick_fit, random_texture
from glsl_runner import Runner, context_or_skip
from make_golden import GOLDEN
from random_material import random_material
from small_samples import MATERIALS, SAMPLES
from test_decoder_c import EXACT, HEADER, build, run

import gstex
from gstex import native
from gstex.decode import expanded_words
from gstex.format import pack
from gstex.texture import Texture

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from expanded_cost import count

LIMIT = 1 / 512
SAMPLE_LIMIT = 3 / 512  # between the points at which a tile is compared
# Entries of a list that are Gaussians, at most.
MOST_LISTED = 4 * 255
# The header and constants; of each of 4 groups: the view, the set, the tile; 255 words; of an entry a record, a level,
# two of features; and of every four channels background, range and bend.
MOST_LOADS = 7 + 4 * (7 + 255 + 4 * MOST_LISTED + 4 * 4)


class ExpandedRunner(Runner):
    """Runner of shaders/gstex_expanded.glsl; the functions have the same meaning."""

    def upload(self, *materials: np.ndarray) -> None:
        """Replace the words by those of these expanded forms."""
        if not self.es:
            super().upload(*materials)
            return
        joined = np.concatenate(materials)
        self.bases = [0, *np.cumsum([len(words) for words in materials])[:-1].tolist()]
        rows = np.zeros((-(-len(joined) // 1024), 256, 4), np.uint32)
        rows.reshape(-1)[: len(joined)] = joined
        if self._words is not None:
            self.gl.glDeleteTextures(1, [self._words])
        gl = self.gl
        self._words = self._texture(0, rows, gl.GL_RGBA32UI, gl.GL_RGBA_INTEGER, gl.GL_UNSIGNED_INT)

    def draw(self, fragment: str, defines: dict[str, int | str], *arguments: Any, **uniforms: object) -> np.ndarray:
        """As of Runner, by the shader of the expanded form."""
        return super().draw("expanded.frag", {**defines, "GSTEX_EXPANDED_BINDING": 0}, *arguments, **uniforms)


@pytest.fixture(scope="module", params=["core", "es"])
def runner(request: pytest.FixtureRequest) -> Iterator[ExpandedRunner]:
    es = request.param == "es"
    with context_or_skip(es=es):
        yield ExpandedRunner(es=es)


def fetched(runner: Runner, texture: Texture, mip: int, base: int = 0) -> np.ndarray:
    """Every texel of a mip, float32 [H, W, C]."""
    height, width = max(texture.height >> mip, 1), max(texture.width >> mip, 1)
    rows, columns = np.divmod(np.arange(width * height), width)
    found = runner.fetch(columns, rows, mip, base=base, vec4s=-(-texture.channels // 4))
    return found[:, : texture.channels].reshape(height, width, -1)


def check_texels(runner: Runner, texture: Texture) -> np.ndarray:
    """Every texel of every mip that is here; returns the expanded form."""
    words = texture.expanded()
    runner.upload(words)
    for mip in range(texture.table.header.first_mip, texture.mip_count):
        assert np.abs(fetched(runner, texture, mip) - texture.decode(mip)).max() <= LIMIT, f"mip {mip}"
    return words


def view(words: np.ndarray, mip: int, group: int = 0) -> np.ndarray:
    """The entry of a mip in the table of views."""
    return words[28 + 16 * (mip * int(words[6]) + group) :][:16]


def check_points(runner: Runner, texture: Texture, words: np.ndarray) -> None:
    """Random points, levels of detail and footprints, inside the texture and beyond it, in the mips that have lists:
    those that become texels are filtered bilinearly."""
    last = next(mip for mip in range(texture.mip_count) if not view(words, mip)[1]) - 1
    rng = np.random.default_rng(1)
    uv = rng.uniform(-1, 2, (600, 2)).astype(np.float32)
    lod = rng.uniform(-0.5, last, 600).astype(np.float32)
    angle, most = rng.uniform(0, 2 * np.pi, (600, 2)), 2.0**last / max(texture.width, texture.height)
    steps = np.stack([np.cos(angle), np.sin(angle)], axis=2) * rng.uniform(0, most, (600, 2, 1))
    duv, vec4s = (steps / np.sqrt(2)).astype(np.float32), -(-texture.channels // 4)
    runner.upload(words)
    found = runner.sample(uv, lod, vec4s=vec4s)[:, : texture.channels]
    np.testing.assert_allclose(found, texture.sample(uv, lod), rtol=0, atol=SAMPLE_LIMIT)
    found = runner.sample_grad(uv, duv, vec4s=vec4s)[:, : texture.channels]
    np.testing.assert_allclose(found, texture.sample(uv, duv=duv), rtol=0, atol=SAMPLE_LIMIT)


@pytest.mark.parametrize("name", MATERIALS)
def test_samples(name: str, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    texture = quick_fit(monkeypatch, SAMPLES / name, 1500)
    words = check_texels(runner, texture)
    check_points(runner, texture, words)
    assert all(view(words, mip)[1] for mip in range(3)), "mips that are texels and have no lists"


@pytest.mark.parametrize("name", sorted(SPECS.keys() | GOLDEN.keys()))
def test_files_at_the_limits_of_the_format(name: str, runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "any.gstex").write_bytes(built(name))
    check_texels(runner, gstex.load(tmp_path / "any.gstex"))


@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (5, 4), (8, 2), (12, 1), (16, 4)])
def test_random_materials(channels: int, groups: int, runner: Runner) -> None:
    """Sharp and blurred Gaussians, several groups, shared mips that are bent, raw mips, regular levels, palettes."""
    texture = random_texture(channels, groups=min(groups, channels), palette_bits=(6, 4) if groups > 1 else (),
                             constant=(1,) if channels > 4 else ())  # fmt: skip
    assert view(check_texels(runner, texture), 0)[1], "mip 0 has no lists"


@pytest.mark.parametrize("seed", range(8))
def test_any_material(seed: int, runner: Runner) -> None:
    texture = Texture(pack(random_material(np.random.default_rng(seed))), {})
    check_texels(runner, texture)


def test_it_is_the_same_words_in_c_under_sanitizers(tmp_path: Path) -> None:
    """With memory that ends where the form and the scratch end, for whole files and for their tails."""
    files = []
    for number, name in enumerate(["groups", "palettes", "regular", "repeat", "shared"]):
        files.append(tmp_path / f"{number}.gstex")
        files[-1].write_bytes(built(name))
    sanitizers = ("-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")
    source = HEADER.parents[2] / "tests" / "native" / "expand_driver.c"
    driver = build(tmp_path / "driver", source, "-std=c99", "-g", "-O0", *EXACT, *sanitizers)
    found = [int(line) for line in run(driver, *files).split()]
    wanted = []
    for file in files:
        texture = gstex.load(file)
        wanted.append(hash_of(texture.expanded()))
        if texture.table.header.tail < texture.mip_count:
            wanted.append(hash_of(gstex.load(file, mips="tail").expanded()))
    assert found == wanted and len(wanted) > len(files)


@pytest.mark.parametrize("threads", [1, 3])
def test_it_does_not_depend_on_threads_and_how_many_lists_are_made_at_once(threads: int) -> None:
    texture, before = random_texture(8, groups=2), native.thread_count()
    try:
        native.set_thread_count(threads)
        words = texture.expanded()
        np.testing.assert_array_equal(expanded_words(texture.table, most=3), words)
    finally:
        native.set_thread_count(before)


def test_lists_of_somebody_else_are_made_once() -> None:
    texture, calls = random_texture(8, groups=2), []

    def fails(*of: object) -> None:
        calls.append(of)

    words = expanded_words(texture.table, fails)
    assert not any(view(words, mip, group)[1] for mip in range(texture.mip_count) for group in range(2))
    # Tiles of 8x8 texels and of 4x4; each is asked for once, though the form is counted and then written.
    assert len(calls) == len(set(calls)) > 2
    assert {first for *_, first, _ in calls} == {0}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ((np.zeros(1, np.int32), np.zeros((1, 1020), np.uint8)), "sizes: shape"),
        ((np.zeros(0, np.uint8), np.zeros(0, np.uint8)), "sizes: .* no contiguous array of the type"),
        (RuntimeError("stopped"), "stopped"),
    ],
)
def test_what_somebody_else_does_wrong_is_raised(made: object, message: str) -> None:
    def make(*_: object) -> Any:
        if isinstance(made, Exception):
            raise made
        return made

    with pytest.raises((RuntimeError, TypeError, ValueError), match=message):
        expanded_words(random_texture(8).table, make)


def test_a_list_that_is_too_long_is_refused() -> None:
    def make(tiles: bytes, places: bytes, records: bytes, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full(count, 1021, np.int32), np.zeros((count, 1020), np.uint8)

    with pytest.raises(ValueError, match="a list of no such size"):
        expanded_words(random_texture(8).table, make)


def hash_of(words: np.ndarray) -> int:
    """FNV-1a by words."""
    value = 2166136261
    for word in words.tolist():
        value = (value ^ word) * 16777619 & 0xFFFFFFFF
    return value


@pytest.mark.parametrize("seed", range(6))
def test_words_that_nobody_made_end_soon(seed: int) -> None:
    """Damaged headers, views, sets and lists: a texel takes at most 4 groups, with 255 words of a list each."""
    rng = np.random.default_rng(seed)
    words = random_texture(8, groups=2).expanded()
    for _ in range(4):
        damaged = words.copy()
        places = rng.integers(2, len(words) if rng.integers(2) else 200, 60)
        damaged[places] = rng.integers(0, 2**32, 60, dtype=np.uint32)
        damaged[1:3] = words[1:3]
        with context_or_skip():
            counts = count(damaged, int(rng.integers(4)))
        assert counts[:, :, 2].max() <= 4 * MOST_LISTED and counts[:, :, 0].max() <= MOST_LOADS


def test_every_byte_of_a_list_may_be_anything() -> None:
    """A head that names 255 words, of which each byte lists a Gaussian: the most that there can be."""
    words = random_texture(8).expanded()
    first = 4 * int(view(words, 0)[0])
    assert view(words, 0)[1] and view(words, 0)[12] == 3
    words[first] = (len(words) - first) | 255 << 24
    words = np.append(words, np.full(255, 0x01010101, np.uint32))
    with context_or_skip():
        counts = count(words)
    assert counts[0, 0, 2] == MOST_LISTED and counts[:, :, 0].max() <= MOST_LOADS
