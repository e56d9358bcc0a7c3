"""No visible cells: a value hardly changes where a point moves into the next cell, to other Gaussians."""

import numpy as np
import pytest
import torch
from cell_borders import are_invisible, border_steps, describe, steps_of_file
from random_gaussians import random_scene
from reference.blend import blend

import gstex


def steps_of_scene(scene, *, count=120) -> np.ndarray:
    pyramid = scene.pyramid
    parameters = [torch.tensor(p, dtype=torch.float64) for p in scene.parameters]
    placement = torch.tensor(scene.placement, dtype=torch.int64)

    def sample(points):
        return blend(*parameters, pyramid, placement, torch.tensor(points)).numpy()

    size = pyramid.width, pyramid.height
    return border_steps(sample, pyramid.cells, *size, repeat=pyramid.repeat, count=count)


# Worst step measured 0.11/255, which is the slope between the two points, 0.0002 texels apart. Not here are
# sets with holes where a single Gaussian competes with the background alone. It outweighs that until its fade
# has fallen to e^-20 of its weight, which is nearer to the border than 0.001 texels: there an edge still shows.
KINDS = {
    "ordinary": {},
    "strong": {"amplitude": 3.0},
    "large": {"sigma": (4.0, 60.0)},
    "thin and large": {"sigma": (0.3, 60.0), "amplitude": 3.0},
    "sparse": {"sigma": (0.4, 2.0)},
    "sparse and strong": {"sigma": (0.4, 2.0), "amplitude": 3.0},
}


# Every kind with few Gaussians in large cells and with many in small ones.
@pytest.mark.parametrize("count, cell, kind, repeat", [
    (60, 14.0, "ordinary", False), (200, 6.0, "ordinary", True),
    (60, 14.0, "strong", True), (250, 7.0, "strong", False),
    (60, 14.0, "large", False), (200, 6.0, "large", True),
    (60, 14.0, "thin and large", True), (250, 7.0, "thin and large", False),
    (60, 14.0, "sparse", False), (200, 6.0, "sparse", True),
    (60, 14.0, "sparse and strong", True), (250, 7.0, "sparse and strong", False),
])  # fmt: skip
def test_no_visible_cells(count, cell, kind, repeat):
    scene = random_scene(1, 64, 48, count, 2, repeat=repeat, cell=cell, **KINDS[kind])
    steps = steps_of_scene(scene)
    assert len(steps) >= 400 and steps.max() > 0
    assert steps.max() < 0.25 / 255, describe(steps)


def test_a_step_is_found(monkeypatch):
    """Without the fade the same measurement fails: it looks at the right places."""
    monkeypatch.setattr("reference.blend.fade", torch.ones_like)
    steps = steps_of_scene(random_scene(1, 64, 48, 250, 2, repeat=True, cell=7.0))
    assert not are_invisible(steps)
    assert steps.max() > 10 / 255


def test_one_cell_has_no_borders():
    scene = random_scene(1, 5, 7, 10, 2, repeat=False, cell=8.0)
    assert steps_of_scene(scene).shape == (0, 2)


@pytest.mark.parametrize("wrap", ["repeat", "clamp"])
def test_no_visible_cells_in_a_compressed_image(tmp_path, wrap):
    PIL = pytest.importorskip("PIL.Image")
    y, x = np.mgrid[:64, :64] * (2 * np.pi / 64)
    rings = np.sin(3 * x) * np.cos(2 * y) + (np.sin(x + 4 * y) > 0.6)
    pixels = np.stack([rings * 60 + 110, np.cos(x) * 90 + 120, np.where(x > 3, 200, 40)], axis=2)
    PIL.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / "rings.png")
    texture = gstex.compress(tmp_path / "rings.png", bpp=4, effort="fast", wrap=wrap)
    texture.save(tmp_path / "rings.gstex")
    steps = steps_of_file(tmp_path / "rings.gstex", count=4000)
    assert len(steps) >= 8000
    assert are_invisible(steps), describe(steps)
