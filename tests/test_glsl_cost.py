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
    # four channels; once a texel the rest: header and ranges, and in each of four levels the entry, three rows of at
    # most five words of the index, and three more for each cell that is looked up alone.
    assert (counts.loads >= 2 * counts.candidates).all()
    rest = 4 * -(-channels // 4) * counts.added + 3 * counts.looked_up + 20 + 3 * channels + 4 * (6 + 3 * 5)
    assert (counts.loads <= 2 * counts.candidates + rest).all()


def test_counts_of_palettes(context: None) -> None:
    """Of a Gaussian that is added: a word for four channels of an entry, and two or less for the numbers of two."""
    texture = random_texture(9, palette_bits=(4, 5, 6), own_codes=False)
    shape, counts = glsl_cost.shape_of(texture.words), glsl_cost.count(texture.words)
    assert (shape.palettes, shape.varying, shape.coded) == (3, 9, 0)
    rest = counts.loads - 2 * counts.candidates - 3 * 3 * counts.added
    assert (rest >= 0).all() and (rest <= 2 * 2 * counts.added + 3 * counts.looked_up + 20 + 3 * 9 + 4 * 21).all()


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
    texture = random_texture(3)
    texture.save(tmp_path / "three.gstex")
    arguments = [str(tmp_path / "three.gstex"), "--results", str(tmp_path)]
    done = CliRunner().invoke(glsl_cost.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((tmp_path / "glsl-cost.csv").open()))
    parts, shape = glsl_cost.parts_of(), glsl_cost.shape_of(texture.words)
    most = int(texture.words[7])
    assert rows[0]["material"] == "three" and rows[0]["candidates"] == f"at most {most}"
    assert int(rows[0]["arithmetic_worst"]) == parts.total(shape, most, most, 3)  # 3: the crowded row
    assert sum(int(row["texels"]) for row in rows[1:]) == texture.width * texture.height
    assert min(vars(parts).values()) > 0 and parts.candidate > parts.four_codes > parts.palette_word
    assert all(part in (tmp_path / "glsl-cost.md").read_text() for part in ("renderer", "per candidate"))
