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
from glsl_materials import random_texture
from glsl_runner import context_or_skip

from gstex.decode import decode_mip

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
    np.testing.assert_array_equal(counts.candidates, decode_mip(texture.words)[1])
    assert (counts.added <= counts.candidates).all() and (counts.added > 0).any()
    # Of a candidate two words, and of its features at most one for each channel; once a texel the rest: header and
    # ranges, and in each of three levels the entry and nine cells of at most six words.
    assert (counts.loads >= 2 * counts.candidates).all()
    assert (counts.loads <= 2 * counts.candidates + channels * counts.added + 20 + 3 * channels + 3 * 61).all()


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
    parts = glsl_cost.parts_of(1)
    most = int(texture.words[7])
    assert rows[0]["material"] == "three" and rows[0]["candidates"] == f"at most {most}"
    assert int(rows[0]["arithmetic_worst"]) == parts.total(3, most, most, 4)
    assert sum(int(row["texels"]) for row in rows[1:]) == texture.width * texture.height
    assert min(vars(parts).values()) > 0 and parts.candidate > parts.channel
    assert all(part in (tmp_path / "glsl-cost.md").read_text() for part in ("renderer", "per candidate"))
