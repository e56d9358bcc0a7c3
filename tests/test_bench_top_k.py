"""`bench.py top-k` counts what it says."""

import sys
from pathlib import Path

import numpy as np
import pytest
from small_samples import SAMPLES

import gstex
from gstex.material import load_material

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import benches.top_k


@pytest.fixture(scope="module")
def rows():
    material = load_material(SAMPLES / "rusted_steel")
    texture = gstex.compress(material, gaussians=400, effort="draft", mips=False, groups="1", device="cpu")
    return {row["top_k"]: row for row in benches.top_k.rows_of("steel", material, texture)}


def test_fewer_gaussians_lose_more(rows):
    assert list(rows) == [0, 12, 10, 8, 6, 4]
    assert rows[0]["loss"] == rows[0]["solved_loss"] == 0
    assert rows[4]["psnr"] == pytest.approx(rows[0]["psnr"] - rows[4]["loss"])
    assert rows[4]["solved_loss"] > rows[12]["solved_loss"] > -0.01
    assert rows[0]["solved"] > rows[0]["psnr"] - 6


def test_the_heaviest_weights():
    weights = np.array([[0.5, 3, 2, 1], [4, 0, 0, 1]])
    assert benches.top_k._heaviest(weights, 2).tolist() == [[0, 3, 2, 0], [4, 0, 0, 1]]
    assert benches.top_k._heaviest(weights, 0) is weights


def test_features_are_solved():
    rng = np.random.default_rng(0)
    weights, features = rng.random((30, 4)) + 0.1, rng.random((4, 2))
    blended = weights @ features / weights.sum(axis=1, keepdims=True)
    assert benches.top_k._solve(weights, np.zeros(2), blended) > 100
