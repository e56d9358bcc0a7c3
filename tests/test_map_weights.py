"""encode/map_weights.py: what is fair to each map, against the closed form; and that a fit leaves no map behind."""

from dataclasses import replace

import numpy as np
import pytest

from gstex.encode.map_weights import (
    LEAST,
    MOST,
    MOST_PUSHED,
    SLACK,
    Spectrum,
    coefficients,
    decorrelated,
    fair_errors,
    map_weights,
    pushed,
    some_blocks,
)
from gstex.encode.problem import Target, Task
from gstex.encode.schedule import Schedule
from gstex.encode.settings import make_settings


@pytest.mark.parametrize("height, width", [(16, 24), (5, 8), (1, 1)])
def test_coefficients_keep_the_energy(height, width):
    image = np.random.default_rng(0).random((height, width, 3), np.float32)
    squares = coefficients(image)
    assert squares.shape == (3, height * width)
    np.testing.assert_allclose(squares.sum(axis=1), (image**2).sum(axis=(0, 1)), rtol=1e-5)


def test_a_flat_block_has_one_coefficient():
    squares = coefficients(np.full((8, 8, 1), 0.5, np.float32))
    assert squares[0, 0] == pytest.approx(0.25 * 64) and squares[0, 1:].max() < 1e-10


def test_coefficients_of_a_large_picture_are_of_some_blocks():
    image = np.random.default_rng(0).random((2048, 2048, 1), np.float32)
    assert coefficients(image).shape == (1, 64 * 64 * 64)


def test_blocks_of_a_large_picture_stand_beside_each_other_as_they_are():
    image = np.random.default_rng(0).random((1024, 1100, 2), np.float32)
    found = some_blocks(image)
    assert found.shape == (512, 552, 2)
    for row, column in ((0, 0), (3, 5), (63, 68)):
        here = found[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        assert np.array_equal(here, image[16 * row : 16 * row + 8, 16 * column : 16 * column + 8])
    assert some_blocks(found) is found


def test_water_filling_by_hand():
    """Half of the first channel's coefficients are 1 and half 0; all of the second's are 4. At level 1/2 the first has
    1/4 of error and the second 1/2; at level 2 (more than there is in the first) 1/2 and 2."""
    squares = np.array([[1, 0] * 8, [4, 4] * 8], np.float32)
    np.testing.assert_allclose(fair_errors(Spectrum.of(squares), 0.375), [0.25, 0.5], rtol=1e-4)
    np.testing.assert_allclose(fair_errors(Spectrum.of(squares), 1.25), [0.5, 2.0], rtol=1e-4)
    np.testing.assert_allclose(fair_errors(Spectrum.of(squares), 99.0), [0.5, 4.0], rtol=1e-4)


def test_weights_follow_what_is_fair():
    spectrum = Spectrum.of(np.full((3, 64), 1.0, np.float32))  # the same is fair to all
    maps = np.array([0, 0, 2])  # numbers need not be dense
    even = map_weights(np.full(3, 0.01), spectrum, maps)
    np.testing.assert_allclose(even, 1.0, rtol=1e-3)
    behind = map_weights(np.array([0.01, 0.01, 0.04]), spectrum, maps)
    assert behind[0] == behind[1] < 1 < behind[2] and behind.mean() == pytest.approx(1)
    # Of a map the mean counts: one channel of it may be worse than another.
    np.testing.assert_allclose(map_weights(np.array([0.015, 0.005, 0.01]), spectrum, maps), 1.0, rtol=1e-3)
    extreme = map_weights(np.array([0.0] * 15 + [0.5]), Spectrum.of(np.ones((16, 64), np.float32)), np.arange(16))
    assert extreme[15] / extreme[0] == pytest.approx(MOST / LEAST)


def test_grey_in_three_channels_is_one_channel_of_detail():
    """What is fair to it then is less than for a map of three channels that have nothing in common."""
    rng = np.random.default_rng(0)
    grey, other = rng.random((32, 32, 1), np.float32), rng.random((32, 32, 3), np.float32)
    image = np.concatenate([np.repeat(grey, 3, axis=2), other], axis=2)
    maps = np.array([0, 0, 0, 3, 3, 3])
    turned = decorrelated(image, maps)
    for first in (0, 3):
        before, after = (picture[:, :, first : first + 3] for picture in (image, turned))
        np.testing.assert_allclose((after**2).sum(axis=2), (before**2).sum(axis=2), rtol=1e-4)
    spread = np.sort(turned[:, :, :3].std(axis=(0, 1)))
    assert spread[1] < 1e-3 and spread[2] == pytest.approx(np.sqrt(3) * grey.std(), rel=1e-3)
    fair = fair_errors(Spectrum.of(coefficients(turned)), 0.01)
    assert fair[:3].mean() < 0.5 * fair[3:].mean()
    assert np.array_equal(decorrelated(image, np.arange(6)), image)  # six maps of a channel each


def test_a_push_adds_to_the_map_that_is_far_behind():
    squares, maps = np.full((3, 64), 1.0, np.float32), np.arange(3)  # the same is fair to all

    def push(pushes: np.ndarray, errors: list[float], turned: np.ndarray = squares) -> np.ndarray:
        return pushed(pushes, np.array(errors), Spectrum.of(squares), Spectrum.of(turned), maps)

    # Level maps stay level, though all are behind what is asked of them; and so do maps that are ahead.
    np.testing.assert_allclose(push(np.ones(3), [0.01, 0.01, 0.01]), 1.0)
    np.testing.assert_allclose(push(np.ones(3), [0.9 * SLACK, 0.5 * SLACK, 3 - 1.4 * SLACK])[:2], 1.0)
    # One that is a little behind is left alone, unless it was pushed before.
    close = [0.0099, 0.0099, 0.0102]
    np.testing.assert_allclose(push(np.ones(3), close), 1.0)
    assert push(np.array([1, 1, 1.5]), close)[2] > 1.5
    behind = [0.005, 0.005, 0.02]
    once = push(np.ones(3), behind)
    np.testing.assert_allclose(once, [1, 1, np.sqrt(2 / SLACK)], rtol=1e-2)
    np.testing.assert_allclose(push(once, behind), [1, 1, 2 / SLACK], rtol=1e-2)
    # A codec that finds it harder than the fit does is reason enough to leave it.
    np.testing.assert_allclose(push(np.ones(3), behind, np.array([[0.003], [0.003], [1]], np.float32)), 1.0)
    # Once it is ahead it counts less again.
    assert 1 < push(np.array([1, 1, 3]), [0.011, 0.011, 0.008])[2] < 3
    for _ in range(50):
        once = push(once, behind)
    np.testing.assert_allclose(once, [1, 1, MOST_PUSHED])


def test_nothing_is_divided_by_nothing():
    weights = map_weights(np.zeros(2), Spectrum.of(np.zeros((2, 64), np.float32)), np.array([0, 1]))
    np.testing.assert_allclose(weights, 1.0)


def unequal_task() -> Task:
    """Of two maps that are alike one counts 19 times as much; the other lags behind what is fair to it."""
    y, x = np.mgrid[:64, :64].astype(np.float32) / 64
    first, second = np.sin(23 * y) * np.sin(21 * x), np.sin(19 * y + 1) * np.sin(27 * x)
    image = 0.5 + 0.4 * np.stack([first, second], axis=2).astype(np.float32)
    weight = np.array([1.9, 0.1], np.float32)
    return Task(target=Target.of(image, np.ones_like(image)), ranges=[(0.0, 1.0)] * 2,
                neutral=[()] * 2, repeat=False, budget_words=10**6, count=60,
                weight=weight)  # fmt: skip


def fit_of(task: Task) -> Schedule:
    """A fit at its freeze."""
    settings = make_settings("fast", "direct", "l2")
    fit = Schedule(task, settings, np.random.default_rng(0), lambda *now: None)
    fit.start()
    fit.optimise(round(settings.steps * settings.freeze_at))
    return fit


def test_a_fit_favours_the_map_that_is_behind():
    task = unequal_task()
    plain, balanced = fit_of(task), fit_of(replace(task, maps=np.arange(2)))
    weight = balanced.trainer.weight
    np.testing.assert_array_equal(plain.trainer.weight, task.weight)
    assert weight[1] / weight[0] > 1.5 * 0.1 / 1.9
    np.testing.assert_array_equal(balanced.trainer.engine.view.importance.weight, weight)
    trainers = (plain.trainer, balanced.trainer)
    before, after = (t.errors(t.parameters.geometry, t.parameters.features) for t in trainers)
    assert after[1] < 0.8 * before[1]  # measured 0.62, other seeds 0.53 and 0.49


def test_the_error_of_a_result_has_the_weights_that_were_given():
    """Or it could not be set beside that of another way to fit (encode/uniform_grid.py)."""
    fit = fit_of(replace(unequal_task(), maps=np.arange(2)))
    p = fit.trainer.parameters
    difference = fit.trainer.engine.render(p.geometry, p.features, fit.trainer.background) - fit.task.target.image
    expected = float((difference.astype(np.float64) ** 2 * [1.9, 0.1]).sum())
    assert fit.trainer.error(p.geometry, p.features) == pytest.approx(expected)


def test_settling_pushes_the_map_that_is_behind():
    """By shapes that are trained for it, with all that was there before: what it counted, and the levels."""
    task = replace(unequal_task(), maps=np.arange(2))
    settings = replace(make_settings("fast", "direct", "l2"), settle=6)
    before = None

    class Watched(Schedule):
        def fine_tune(self, quantiser, geometry, stored):
            nonlocal before
            trainer = self.trainer
            errors = trainer.errors(quantiser.decode(geometry), stored.values())
            before = trainer.channel_factors, trainer.placement.copy(), errors
            tuned = super().fine_tune(quantiser, geometry, stored)
            self.after = trainer.errors(quantiser.decode(tuned), stored.values())
            return tuned

    fit = Watched(task, settings, np.random.default_rng(0), lambda *now: None)
    fit.run()
    factors, placement, errors = before
    assert fit.trainer.channel_factors[1] / fit.trainer.channel_factors[0] > 1.3 * factors[1] / factors[0]
    np.testing.assert_array_equal(fit.trainer.placement, placement)
    assert fit.after[1] / fit.after[0] < 0.8 * errors[1] / errors[0]
