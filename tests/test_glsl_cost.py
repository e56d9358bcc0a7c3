"""tools/glsl_cost.py: what a texel costs is counted, not guessed."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from glsl_materials import random_texture, tie_texture
from glsl_runner import context_or_skip

from gstex.decode import count_candidates

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import glsl_cost


@pytest.fixture
def context() -> Iterator[None]:
    with context_or_skip():
        yield


@pytest.mark.parametrize("channels", [5, 6])  # clamp, repeat
def test_counts(channels: int, context: None) -> None:
    texture = random_texture(channels)
    counts = glsl_cost.count(texture.words)
    np.testing.assert_array_equal(counts.candidates, count_candidates(texture.words))
    assert (counts.added <= counts.candidates).all() and (counts.added > 0).any()
    # Of a candidate two words, and of its features two or, where four channels have more than 32 bits, four for every
    # four channels; once a texel the rest: headers, constants and ranges, and in each of four levels the entry, three
    # rows of at most five words of the index, and three more for each cell that is looked up alone.
    assert (counts.loads >= 2 * counts.candidates).all()
    rest = 4 * -(-channels // 4) * counts.added + 3 * counts.looked_up + 24 + 3 * channels + 4 * (6 + 3 * 5)
    assert (counts.loads <= 2 * counts.candidates + rest).all()


def test_counts_of_palettes(context: None) -> None:
    """Of a Gaussian that is added: a word for four channels of an entry, and two or less for the numbers of two."""
    texture = random_texture(9, palette_bits=(4, 5, 6), own_codes=False)
    shape, counts = glsl_cost.shape_of(texture.words), glsl_cost.count(texture.words)
    [group] = shape.groups
    assert (group.palettes, group.coded, group.levels) == (3, 0, 4)
    rest = counts.loads - 2 * counts.candidates - 4 * 4 // 4 * -(-group.channels // 4) * 0 - 3 * 3 * counts.added
    assert (rest >= 0).all() and (rest <= 2 * 2 * counts.added + 3 * counts.looked_up + 24 + 3 * 9 + 4 * 21).all()


def test_groups_that_are_not_needed_cost_nothing(context: None) -> None:
    """Counts of groups alone add up to those of all, but for what is read once; a group that is left out takes two
    words."""
    texture = random_texture(8, groups=3, palette_bits=(3,))
    shape, counts = glsl_cost.shape_of(texture.words), glsl_cost.count(texture.words)
    assert sorted(c for g in shape.groups for c in range(8) if g.members >> c & 1) == list(range(8))
    alone = [glsl_cost.count(texture.words, channels=group.members) for group in shape.groups]
    nothing = glsl_cost.count(texture.words, channels=0)
    for name in ("candidates", "added", "looked_up"):
        np.testing.assert_array_equal(sum(getattr(one, name) for one in alone), getattr(counts, name))
        assert not getattr(nothing, name).any()
    # The header, and of each group its offset and its members, to see what is constant and what is needed.
    assert nothing.loads.max() == nothing.loads.min() == 3 + 2 * 2 * 3
    assert not shape.has_constants
    np.testing.assert_array_equal(sum(one.loads - nothing.loads for one in alone), counts.loads - nothing.loads)


def test_shape(context: None) -> None:
    shape = glsl_cost.shape_of(random_texture(16, groups=4, constant=(0, 1, 2, 3, 9, 15)).words)
    assert shape.channels == 16 and shape.vec4s == 4 and shape.has_constants
    assert [group.levels for group in shape.groups] == [4, 2, 0, 2]
    for group in shape.groups:
        members = [c for c in range(16) if group.members >> c & 1]
        assert group.channels == len(members)
        assert group.gaps == sum(1 << c for c in range(members[-1]) if c not in members)


def test_cells_that_are_looked_up_alone(context: None) -> None:
    """At a wrap one cell of each row; in a crowd all three, or two at a border."""
    texture = tie_texture(0)  # 3x3 cells, 3x3 texels
    np.testing.assert_array_equal(glsl_cost.count(texture.words).looked_up, [[3, 0, 3]] * 3)
    looked_up = glsl_cost.count(random_texture(5).words).looked_up  # clamped; one crowded row, the last of four
    height, width = looked_up.shape
    row, column = ((2 * np.arange(size) + 1) * cells // (2 * size) for size, cells in ((height, 4), (width, 5)))
    expected = np.where(row[:, None] >= 2, np.where((column == 0) | (column == 4), 2, 3), 0)
    np.testing.assert_array_equal(looked_up, expected)


def test_table(tmp_path: Path) -> None:
    for program in ("glslangValidator", "spirv-opt", "spirv-dis"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: glslang-tools, spirv-tools)")
    with context_or_skip():
        pass
    texture = random_texture(3, groups=2)
    texture.save(tmp_path / "three.gstex")
    arguments = [str(tmp_path / "three.gstex"), "--results", str(tmp_path)]
    done = CliRunner().invoke(glsl_cost.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((tmp_path / "glsl-cost.csv").open()))
    parts, shape = glsl_cost.parts_of(), glsl_cost.shape_of(texture.words)
    most = texture.table.candidates_max
    assert rows[0]["material"] == "three" and rows[0]["candidates"] == f"at most {most}" and rows[0]["groups"] == "2"
    looked_up = zip(shape.groups, (3, 9), strict=True)  # a crowded row of the first group, three of the second
    worst = sum(parts.of_group(shape, group, *[group.candidates_max] * 2, cells) for group, cells in looked_up)
    assert int(rows[0]["arithmetic_worst"]) == parts.of_texel(shape) + worst
    assert sum(int(row["texels"]) for row in rows[1:]) == texture.width * texture.height
    assert min(vars(parts).values()) > 0 and parts.candidate > parts.four_codes > parts.palette_word > 1
    assert all(part in (tmp_path / "glsl-cost.md").read_text() for part in ("renderer", "per candidate"))
