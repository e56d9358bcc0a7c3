"""Effort draft: what it costs, what it keeps to, and where its Gaussians start."""

import numpy as np
import pytest
from golden_fits import colours, noise, sprite, stack
from same_bits import each_thread_count
from test_fit import material_of, waves

import gstex
from gstex.encode import draft
from gstex.encode.ops.cpu.view import CpuView
from gstex.encode.problem import Target
from gstex.encode.quadtree import leaves, quadtree_gaussians
from gstex.encode.settings import EFFORTS
from gstex.errors import BudgetError


def compressed(material, **options):
    return gstex.compress(material, effort="draft", device="cpu", **options)


def test_most_steps_see_a_quarter_of_the_texels(monkeypatch):
    """What a fit costs is texels that steps evaluate: those of effort fast are nine times as many."""
    seen = []
    step = CpuView.step
    monkeypatch.setattr(CpuView, "step", lambda self, *a, **k: seen.append(self.pyramid.width) or step(self, *a, **k))
    compressed(colours(96, 128), bpp=2, mips=False)
    assert seen == [64] * (EFFORTS["draft"][0] - draft.FINE_STEPS) + [128] * draft.FINE_STEPS
    assert sum(width**2 for width in seen) < EFFORTS["fast"][0] * 128**2 / 9


def test_quality_is_near_that_of_effort_fast():
    material = material_of(waves(128, 128), wrap="repeat")
    found = compressed(material, bpp=2, mips=False).report
    best = gstex.compress(material, bpp=2, mips=False, effort="fast", device="cpu").report
    assert found["psnr"] > best["psnr"] - 4.8  # 4.1 to 4.5 with three seeds
    assert found["psnr_sampled"] > found["psnr"]


@pytest.mark.parametrize(
    ("material", "options"),
    [
        (lambda: stack(72, 80), {"bpp": 4}),
        (lambda: sprite(65, 131), {"bpp": 3, "sampling": "bilinear"}),
        (lambda: noise(64, 64), {"bpp": 2, "wrap": "clamp"}),
        (lambda: colours(96, 64), {"bpp": 2, "importance": "auto", "loss": "perceptual"}),
        (lambda: material_of(waves(40, 200, 5)), {"bpp": 3.3, "mips": False}),
        (lambda: stack(256, 256), {"bpp": 0.25}),
    ],
)  # fmt: skip
def test_the_budget_is_used_and_never_exceeded(material, options):
    made = material()
    report = compressed(made, **options).report
    assert 0.9 * options["bpp"] < report["bpp"] <= options["bpp"] or len(report["mips"]) == 1
    assert report["bpp"] <= options["bpp"] and report["psnr"] > 10


@pytest.mark.parametrize("count", [1, 57, 700])
def test_the_count_is_kept(count):
    assert compressed(material_of(waves(72, 64)), gaussians=count).report["gaussians"] == count


def test_a_budget_too_small_names_what_would_do():
    with pytest.raises(BudgetError, match=r"1 bits per texel .* give --bpp 32 or more, or --gaussians"):
        compressed(material_of(waves(8, 8)), bpp=1, mips=False)


def test_the_same_bytes_from_any_number_of_threads():
    words = [compressed(stack(80, 96), bpp=3).words.tobytes() for _ in each_thread_count(1, 2, 5)]
    assert words[0] == words[1] == words[2]
    assert compressed(stack(80, 96), bpp=3, seed=1).words.tobytes() != words[0]


def test_progress_moves_at_both_sizes():
    told = []
    compressed(colours(64, 64), bpp=2, mips=False, progress=told.append)
    steps = [state.step for state in told]
    assert steps == sorted(steps) and told[-1].stage == "measure"
    assert sum(state.stage == "fit" for state in told) >= EFFORTS["draft"][0]
    assert len(set(steps)) > 0.4 * told[0].steps


def flat(image: np.ndarray) -> Target:
    return Target.of(image.astype(np.float32), np.ones_like(image, np.float32))


def test_leaves_are_small_where_the_error_is_and_cover_the_picture():
    image = np.zeros((50, 70, 2))
    image[8:24, 40:56] = np.random.default_rng(0).random((16, 16, 2))
    row, column, size, mean = leaves(flat(image), np.ones(2, np.float32), 100)
    covered = np.zeros((64, 128), int)
    for r, c, s, m in zip(row, column, size, mean, strict=True):
        covered[r : r + s, c : c + s] += 1
        np.testing.assert_allclose(m, image[r : r + s, c : c + s].mean(axis=(0, 1)), atol=1e-6)
    assert (covered[:50, :70] == 1).all()
    inside = (row >= 8) & (row < 24) & (column >= 40) & (column < 56)
    assert size[inside].max() <= 4 and size[~inside].min() >= 8
    assert 80 <= len(row) <= 100


def test_gaussians_lie_along_edges():
    """A ramp across a line at 30 degrees: sigma is larger along the line than across."""
    y, x = np.mgrid[:64, :64]
    image = (0.5 + 0.5 * np.tanh((x * np.sqrt(3) / 2 + y / 2 - 44) / 3))[:, :, None]
    geometry, _ = quadtree_gaussians(flat(image), np.ones(1, np.float32), 80, np.random.default_rng(0))
    assert len(geometry) == 80
    x, y, angle, across, along, _ = geometry.T
    near = (np.abs(x * np.sqrt(3) / 2 + y / 2 - 44) < 3) & (np.minimum(x, y) > 4) & (np.maximum(x, y) < 60)
    assert near.sum() > 5
    np.testing.assert_allclose(angle[near], np.pi / 6, atol=0.05)
    assert (along - across)[near].min() > 1


def test_a_flat_picture_still_has_its_count():
    geometry, features = quadtree_gaussians(flat(np.full((16, 24, 3), 0.5)), np.ones(3, np.float32), 9,
                                            np.random.default_rng(0))  # fmt: skip
    assert geometry.shape == (9, 6) and (features == 0.5).all()
