"""tools/compare_picture.py: what it draws, without encoders and without real materials."""

import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gstex import metrics
from gstex.compare.hull import Option
from gstex.compare.stored import Stored
from gstex.material import load_material

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import benches.cases  # noqa: E402
import compare_picture  # noqa: E402
from compare_picture import CELL, GAP, HEAD, MARGIN, TITLE, Way  # noqa: E402


@pytest.fixture(scope="module")
def crop():
    return benches.cases.crop(load_material(ROOT / "samples" / "scifi_panel"), 0, 0, 160, 192)


def kept(crop, ours, theirs):
    corner = Option(4000, 1.0, {"albedo": Stored("albedo", (0, 1, 2), "astc-8x8", 2, 80, 96, b"")})
    ways = [Way(name, stack, size, metrics.measure_quality(stack, crop, flip=False))
            for name, stack, size in (("gstex", ours, 3980), ("ASTC, best mix", theirs, 4000))]  # fmt: skip
    return *ways, corner


def test_the_original_stands_beside_both_and_differences_below(crop):
    near = np.clip(crop.pixels + np.float32(0.01), 0, 1)
    sheet = np.asarray(compare_picture.draw(crop, kept(crop, crop.pixels, near)))
    part = compare_picture.part_of_most_edges(crop.pixels)
    albedo = np.rint(crop.pixels[part][:, :, :3] * 255).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    top = MARGIN + HEAD + TITLE
    columns = [MARGIN + i * (CELL + GAP) for i in range(3)]
    for x in columns[:2]:
        np.testing.assert_array_equal(sheet[top : top + CELL, x : x + CELL], albedo)
    below = top + CELL + GAP
    same, other = (sheet[below : below + CELL, x : x + CELL] for x in columns[1:])
    assert (same == compare_picture.RAMP[0]).all() and (other.sum(axis=2) > 100).mean() > 0.9
    assert sheet.shape[1] == 2 * MARGIN + 3 * CELL + 2 * GAP and (sheet[-MARGIN:] == 255).all()


@pytest.mark.parametrize("swap, ahead", [(False, "gstex"), (True, "ASTC")])
def test_who_is_closer(crop, swap, ahead):
    stacks = [np.clip(crop.pixels + np.float32(step), 0, 1) for step in (0.01, 0.1)]
    *ways, corner = kept(crop, *(stacks[::-1] if swap else stacks))
    gain = abs(ways[0].quality.psnr - ways[1].quality.psnr)
    assert compare_picture.verdict(crop, ways) == (
        f"scifi_panel: {ahead} is closer, by {gain:.1f} dB over all {len(crop.channels)} channels"
    )
    assert "here albedo 8x8 at 1/2 resolution." in compare_picture.recipe(corner)


def test_the_part_with_the_most_edges():
    stack = np.zeros((160, 224, 2), np.float32)
    stack[100:, 150::4] = 1
    assert compare_picture.part_of_most_edges(stack) == (slice(32, 160), slice(96, 224))
    assert compare_picture.part_of_most_edges(stack[:90, :100]) == (slice(0, 128), slice(0, 128))


def test_gain_keeps_differences_in_range():
    assert compare_picture.gain_of([np.full((4, 4), 0.1), np.full((4, 4), 0.2)]) == 4
    assert compare_picture.gain_of([np.zeros((4, 4))]) == compare_picture.GAINS[-1]


def test_errors(tmp_path):
    (tmp_path / "moss").mkdir()
    result = CliRunner().invoke(compare_picture.main, ["win=slate", "--data", str(tmp_path)])
    assert result.exit_code == 2 and "'slate' is none of moss" in result.output
