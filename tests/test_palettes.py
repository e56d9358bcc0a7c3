"""Palettes: how they are trained, whether they pay, and how they are stored."""

from itertools import pairwise

import numpy as np
import pytest

from gstex.encode.codebooks import MOST_CORRECTIONS, MOST_TABLES, rank_bits, to_grid
from gstex.encode.ops.cpu.codebooks import draw_seeds, train
from gstex.format import palette_words
from gstex.format.rules import CHANNEL_RANGE


def clustered(count: int, channels: int, clusters: int, *, spread: float = 0.02, seed: int = 0) -> np.ndarray:
    """float32 [N, C]: values around a few centres in 0..1."""
    rng = np.random.default_rng(seed)
    centres = rng.random((clusters, channels))
    return (centres[rng.integers(0, clusters, count)] + rng.normal(0, spread, (count, channels))).astype(np.float32)


def weights(count: int, seed: int = 1) -> np.ndarray:
    """float64 [N] over some decades, a tenth of it 0."""
    rng = np.random.default_rng(seed)
    return 10 ** rng.uniform(-3, 1, count) * (rng.random(count) > 0.1)


def rest_of(values: np.ndarray, palettes: list[np.ndarray], entries: np.ndarray) -> np.ndarray:
    """What the sum of the entries leaves of the values, float64 [N, C]."""
    left = values.astype(np.float64)
    for palette, entry in zip(palettes, entries.T, strict=True):
        left = left - palette[entry]
    return left


def error_of(values: np.ndarray, weight: np.ndarray, palettes: list[np.ndarray], entries: np.ndarray) -> float:
    return float((weight * (rest_of(values, palettes, entries) ** 2).sum(axis=1)).sum())


# Training


def test_what_is_rare_and_far_off_has_a_seed():
    """Where values are drawn by their weight alone, seven of a thousand are mostly left out, and cost the most."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 0.01, (993, 3)), rng.normal((1, 0, 0), 0.01, (7, 3))])
    for number in range(20):
        entries = draw_seeds(values.astype(np.float32), np.ones(1000), 4, np.random.default_rng(number))
        assert (entries[:, 0] > 0.5).any()


def test_seeds_are_different_values_as_long_as_there_are_some():
    values = np.repeat(np.arange(6, dtype=np.float32)[:, None], 3, axis=0)
    weight = np.where(values[:, 0] == 5, 0.0, 1.0)  # what counts for nothing is not drawn
    entries = draw_seeds(values, weight, 4, np.random.default_rng(0))
    assert len(np.unique(entries)) == 4
    entries = draw_seeds(values, weight, 8, np.random.default_rng(0))
    assert entries.shape == (8, 1) and set(np.unique(entries)) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("clusters, spread, bits", [(40, 0.05, 4), (300, 0.05, 6), (300, 0.0, 7)])
def test_no_round_raises_the_error(clusters, spread, bits):
    """With more entries than different values some entries have none; those move to where the error is."""
    values, weight = clustered(300, 5, clusters, spread=spread), weights(300)
    errors = []
    for rounds in range(9):
        palettes, entries = train(values, weight, (bits,), np.random.default_rng(3), rounds=rounds)
        errors.append(error_of(values, weight, palettes, entries))
    assert all(after <= before * (1 + 1e-6) + 1e-9 for before, after in pairwise(errors))
    assert errors[-1] < 0.9 * errors[0]


@pytest.mark.parametrize("bits", [(4, 3), (3, 3, 3), (2, 5, 2, 4)])
def test_no_turn_raises_the_error_and_each_palette_lowers_it(bits):
    values, weight = clustered(400, 4, 60), weights(400)
    errors = []
    for passes in range(5):
        palettes, entries = train(values, weight, bits, np.random.default_rng(3), passes=passes)
        assert [len(p) for p in palettes] == [2**b for b in bits] and entries.shape == (400, len(bits))
        errors.append(error_of(values, weight, palettes, entries))
    assert all(after <= before * (1 + 1e-6) + 1e-9 for before, after in pairwise(errors))
    assert errors[-1] < 0.97 * errors[0]
    alone = [error_of(values, weight, *train(values, weight, bits[:n], np.random.default_rng(3), passes=0))
             for n in range(1, len(bits) + 1)]  # fmt: skip
    assert all(after < 0.8 * before for before, after in pairwise(alone))


@pytest.mark.parametrize("bits", [(5,), (4, 4), (3, 3, 3)])
def test_entries_are_the_nearest(bits):
    """Of the palette that was refined last, given the others; a nearer one may only be as near."""
    values, weight = clustered(300, 3, 50), weights(300)
    palettes, entries = train(values, weight, bits, np.random.default_rng(4))
    wanted = rest_of(values, palettes[:-1], entries[:, :-1])
    distance = ((wanted[:, None] - palettes[-1][None]) ** 2).sum(axis=2)
    taken = distance[np.arange(300), entries[:, -1]]
    assert np.abs(taken - distance.min(axis=1)).max() < 1e-6
    assert len(np.unique(entries[:, -1])) > 2 ** bits[-1] / 2


def test_entries_are_the_weighted_means_of_their_values():
    values, weight = clustered(200, 3, 30), weights(200)
    palettes, entries = train(values, weight, (4,), np.random.default_rng(5), rounds=60)
    for entry in np.unique(entries):
        mine = entries[:, 0] == entry
        if weight[mine].sum() > 1e-6:
            mean = (weight[mine, None] * values[mine]).sum(axis=0) / weight[mine].sum()
            np.testing.assert_allclose(palettes[0][entry], mean, atol=1e-6)


def test_few_values_are_all_entries():
    values = clustered(30, 3, 30)
    palettes, entries = train(values, np.ones(30), (6,), np.random.default_rng(6))
    np.testing.assert_allclose(palettes[0][entries[:, 0]], values, atol=1e-6)
    assert np.isfinite(palettes[0]).all()
    one, entry = train(values[:1], np.zeros(1), (2, 2), np.random.default_rng(6))
    np.testing.assert_allclose(rest_of(values[:1], one, entry), 0, atol=1e-6)


def test_training_is_repeatable_and_leaves_its_arguments():
    values, weight = clustered(100, 3, 20), weights(100)
    before = values.copy(), weight.copy()
    first, entries = train(values, weight, (3, 3), np.random.default_rng(7))
    again, entries_again = train(values, weight, (3, 3), np.random.default_rng(7))
    np.testing.assert_array_equal(np.stack(first), np.stack(again))
    np.testing.assert_array_equal(entries, entries_again)
    assert (values == before[0]).all() and (weight == before[1]).all()


# Storing


def decoded(lo: np.ndarray, step: np.ndarray, stored: tuple[np.ndarray, ...], entries: list[int]) -> np.ndarray:
    """Sum of entries as a decoder has it, float32 [C]."""
    total = sum(p[e].astype(np.int64) for p, e in zip(stored, entries, strict=True))
    return lo + step * total.astype(np.float32)


def residual_palettes(rng, count: int, channels: int, first: tuple[float, float]) -> list[np.ndarray]:
    """One palette of values and count - 1 of corrections; the last of the corrections is 0."""
    palettes = [rng.uniform(*first, (32, channels))]
    palettes += [rng.normal(0, 0.15 / n, (16, channels)) for n in range(1, count)]
    for palette in palettes[1:]:
        palette[-1] = 0
    return [palette.astype(np.float32) for palette in palettes]


@pytest.mark.parametrize("neutral, first, palette_count", [
    ((128 / 255,), (0.1, 0.9), 1), ((128 / 255,), (0.1, 0.9), 4), ((0.0,), (0.0, 0.7), 2), ((1.0,), (0.3, 1.0), 3),
    ((0.0, 1.0), (0.0, 1.0), 1), ((0.0, 1.0), (0.0, 1.0), 4), ((0.0, 1.0), (0.4, 1.0), 2),
    ((0.0, 1.0), (-0.13, 1.2), 3), ((0.0, 1.0), (-0.13, 1.2), 4),
])
def test_neutral_values_come_back_exactly(neutral, first, palette_count):
    """An entry at a neutral value with corrections of 0 decodes to it; neutral values outside are nobody's."""
    inside = [n for n in neutral if first[0] <= n <= first[1]]
    assert inside
    for seed in range(20):
        palettes = residual_palettes(np.random.default_rng(seed), palette_count, 3, first)
        palettes[0][: len(inside)] = np.array(inside)[:, None]
        lo, step, stored = to_grid(palettes, [neutral] * 3)
        for i, value in enumerate(inside):
            assert np.abs(decoded(lo, step, stored, [i, *[15] * (palette_count - 1)]) - value).max() < 1e-6


@pytest.mark.parametrize("palette_count", [1, 2, 3, 4])
def test_neutral_values_lie_on_the_grid(palette_count):
    for seed in range(20):
        palettes = residual_palettes(np.random.default_rng(seed), palette_count, 3, (-0.1, 1.17))
        palettes[0][:2] = np.array([[0.0], [1.0]])
        lo, step, _ = to_grid(palettes, [(0.0, 1.0), (128 / 255,), ()])
        for channel, value in ((0, 0.0), (0, 1.0), (1, 128 / 255)):
            steps = (value - float(lo[channel])) / float(step[channel])
            assert abs(steps - round(steps)) < 1e-4 and steps > -0.5


# first: the range of the values of the first palette; correction: how far those of the others reach.
@pytest.mark.parametrize("first, correction, palette_count", [
    ((0.0, 1.0), 0.0, 1), ((0.0, 1.0), 0.3, 2), ((0.2, 0.21), 0.0, 1), ((0.2, 0.21), 2.0, 4), ((0.5, 0.5), 0.0, 4),
    ((0.5, 0.5), 0.01, 2), ((-0.4, 1.3), 0.01, 4), ((-0.4, 1.3), 2.0, 2), ((-1.5, 3.0), 0.0, 1),
    ((-1.5, 3.0), 0.3, 4), ((-1.5, 3.0), 2.0, 2), ((-1.5, 3.0), 2.0, 4),
])
def test_what_is_stored_keeps_to_the_format(first, correction, palette_count):
    """Features may lie outside of 0..1 while they are trained."""
    rng = np.random.default_rng(8)
    palettes = [rng.uniform(*first, (64, 4)), *(rng.uniform(-correction, correction, (64, 4))
                                                for _ in range(palette_count - 1))]  # fmt: skip
    for palette in palettes:
        palette[:2] = [[palette.min()], [palette.max()]]
    palettes = [palette.astype(np.float32) for palette in palettes]
    lo, step, stored = to_grid(palettes, [(), (0.0, 1.0), (128 / 255,), (0.0,)])
    assert lo.dtype == step.dtype == np.float32 and lo.shape == step.shape == (4,)
    assert (lo >= CHANNEL_RANGE[0]).all() and (lo <= CHANNEL_RANGE[1]).all(), lo
    assert (step > 0).all() and (step <= 1).all()
    assert all(s.dtype == np.uint8 and s.shape == p.shape for s, p in zip(stored, palettes, strict=True))


@pytest.mark.parametrize("palette_count", [1, 2, 3])
def test_entries_are_stored_to_half_a_step(palette_count):
    """Half a step a palette, and half for the shift of a grid with a neutral value; but for corrections too large."""
    palettes = residual_palettes(np.random.default_rng(9), palette_count, 3, (0.0, 1.0))
    most = MOST_CORRECTIONS / max(1, palette_count - 1)
    palettes = [palettes[0], *(np.clip(p, -most, most) for p in palettes[1:])]
    lo, step, stored = to_grid(palettes, [(), (0.0, 1.0), (128 / 255,)])
    rng = np.random.default_rng(10)
    for _ in range(200):
        entries = [int(rng.integers(0, len(p))) for p in palettes]
        wanted = sum(p[e].astype(np.float64) for p, e in zip(palettes, entries, strict=True))
        assert (np.abs(decoded(lo, step, stored, entries) - wanted) <= (palette_count + 1) / 2 * step + 1e-6).all()
    assert (step <= np.maximum.reduce([np.ptp(p, axis=0) for p in palettes]) / 254 * 1.01).all()


# Choosing


def choice(features: np.ndarray, *, budget: int, scalar_bits: int, error: float = 0.01, added: float | None = None,
           slope: float = 0.9):  # fmt: skip
    """Bits chosen for records with a geometry of 36 bits.

    error: of the fit, a Gaussian. added: what own codes of scalar_bits bits add to it; None for a quarter.
    """
    count, channels = features.shape
    own = (error / 4 if added is None else added) * count
    return rank_bits(features, np.ones(channels), np.ones(count), error * count, own, scalar_bits, 36, budget,
                       slope, np.random.default_rng(0))[0]  # fmt: skip


@pytest.mark.parametrize("count", [1, 15, 30])
def test_few_gaussians_have_no_palettes(count):
    """Even of a single colour: tables would take most of what there is."""
    features = clustered(count, 8, 1)
    assert choice(features, budget=count * 84 // 32, scalar_bits=48) == ()


def test_many_clustered_gaussians_have_palettes():
    features = clustered(3000, 8, 40)
    budget = 3000 * 84 // 32
    bits = choice(features, budget=budget, scalar_bits=48)
    assert bits and sum(bits) < 48 and max(bits) <= 12 and len(bits) <= 4
    assert palette_words(bits, 8) <= MOST_TABLES * budget
    assert bits == choice(features, budget=budget, scalar_bits=48)


@pytest.mark.parametrize("channels, error", [(8, 0.02), (16, 0.005)])
def test_values_that_have_nothing_in_common_have_no_palettes(channels, error):
    """Channels at random, of which own codes of 3 bits tell as much as a fit needs."""
    features = np.random.default_rng(11).random((3000, channels)).astype(np.float32)
    bits = 3 * channels
    assert choice(features, budget=3000 * (36 + bits) // 32, scalar_bits=bits, error=error) == ()


def test_more_gaussians_outweigh_a_little_more_error():
    """Own codes without any error of their own, for 1.6 times the bits a Gaussian."""
    features = clustered(3000, 8, 40, spread=0.01)
    assert choice(features, budget=3000 * 84 // 32, scalar_bits=48, added=0.0)
    assert choice(features, budget=3000 * 84 // 32, scalar_bits=48, error=1e-5, added=0.0) == ()


def test_fewer_bits_where_gaussians_lower_the_error_fast():
    """Where twice as many Gaussians gain hardly anything, each may as well be exact."""
    features = clustered(3000, 8, 1000, spread=0.01)
    bits = [sum(choice(features, budget=3000 * 84 // 32, scalar_bits=96, added=0.0, slope=s)) for s in (2.0, 0.9, 0.1)]
    assert 0 < bits[0] < bits[1] and bits[2] == 0  # own codes


def test_own_codes_that_are_cheaper_stay():
    features = clustered(3000, 2, 500, spread=0.1)
    assert choice(features, budget=3000 * 48 // 32, scalar_bits=4) == ()


