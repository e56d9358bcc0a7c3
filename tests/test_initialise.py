"""Where Gaussians start: the gradient of the picture, and texels drawn by a density."""

import numpy as np
import pytest

from gstex.encode.initialise import draw_texels, start_gaussians
from gstex.encode.problem import Target
from gstex.native import _core


def gradient_length(image: np.ndarray, importance: np.ndarray, weight: np.ndarray, *, repeat: bool) -> np.ndarray:
    """The same in NumPy and float64."""
    squares = np.zeros(image.shape[:2])
    for axis in (0, 1):
        if image.shape[axis] == 1:
            continue
        values = image.astype(np.float64)
        central = (np.roll(values, -1, axis) - np.roll(values, 1, axis)) / 2
        difference = central if repeat else np.gradient(values, axis=axis)
        squares += (difference**2 * importance * weight).sum(axis=2)
    return np.sqrt(squares)


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("shape", [(7, 9, 3), (2, 5, 1), (1, 6, 2), (5, 1, 2)])
def test_gradient_length(shape: tuple[int, int, int], repeat: bool) -> None:
    rng = np.random.default_rng(1)
    image, importance = rng.random((2, *shape), np.float32)
    weight = rng.random(shape[2], np.float32)
    target = Target.of(image, importance)
    found = np.empty(shape[:2], np.float32)
    _core.gradient_length(image, target.importance, target.plane, weight, repeat, found)
    expected = gradient_length(image, importance, weight, repeat=repeat)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_most_gaussians_start_at_an_edge_and_some_anywhere() -> None:
    image = np.zeros((64, 64, 1), np.float32)
    image[:, 32:] = 1
    target = Target.of(image, np.ones_like(image))
    ones = np.ones(1, np.float32)
    geometry, features = start_gaussians(target, ones, 100, 2.0, np.random.default_rng(0), repeat=False)
    at_edge = np.abs(geometry[:, 0] - 32) <= 1
    assert 60 <= at_edge.sum() <= 85
    assert np.ptp(geometry[~at_edge, 0]) > 40
    assert np.array_equal(features[:, 0], (geometry[:, 0] >= 32).astype(np.float32))


def test_texels_are_drawn_once_each_and_by_their_density() -> None:
    rng = np.random.default_rng(2)
    density = rng.random((32, 32)) ** 4
    drawn = np.zeros(density.size)
    for _ in range(500):
        found = draw_texels(density, 50, rng)
        assert len(found) == len(set(found)) == 50
        drawn[found] += 1
    expected = density.ravel() / density.sum() * drawn.sum()
    likely = expected > 20  # of the most likely ones fewer, as none is drawn twice
    assert 0.85 < (drawn[likely] / expected[likely]).mean() < 1.02
    assert np.corrcoef(drawn, expected)[0, 1] > 0.98


@pytest.mark.parametrize("count, expected", [(1, [5]), (2, [5, 10]), (3, [5, 10, 0]), (5, None)])
def test_texels_of_next_to_no_density(count: int, expected: list[int] | None) -> None:
    """All that have any are found, in order of their density, before one is drawn twice."""
    density = np.zeros((4, 4))
    density[1, 1], density[2, 2], density[0, 0] = 1, 1e-30, 1e-31
    found = draw_texels(density, count, np.random.default_rng(0))
    assert len(found) == count and set(found) <= {0, 5, 10}
    assert expected is None or found.tolist() == expected
