"""The pyramid of cells: its grids, where Gaussians are placed, and what is kept inside."""

import numpy as np
import pytest
from random_gaussians import random_geometry

from gstex.encode.cell_pyramid import (
    AMPLITUDE_MOST,
    CUT,
    MAX_LEVELS,
    MOST_VISIBLE,
    half_extents,
    keep_inside,
    make_pyramid,
    place,
    thin_out,
)

# Of every size and every size of cells, with and without repeating.
GRIDS = [
    (1, 1, 2.0, False), (1, 1, 8.0, True), (5, 7, 2.0, True), (5, 7, 30.0, False), (8, 8, 8.0, True),
    (33, 18, 8.0, False), (33, 18, 2.0, True), (512, 512, 30.0, True), (2048, 256, 2.0, False),
    (16384, 1, 2.0, False), (16384, 1, 30.0, True), (16384, 16384, 2.0, True), (16384, 16384, 8.0, False),
    (16384, 64, 1.0, True),
]  # fmt: skip


def overhang(pyramid, geometry, placement) -> np.ndarray:
    """How far the CUT-sigma ellipses reach out of their 3x3 blocks, in cells [N]; negative inside."""
    size = pyramid.cell_size[placement[:, 0]]
    extent = half_extents(geometry)
    low = placement[:, 1:] - 1 - (geometry[:, :2] - extent) / size
    high = (geometry[:, :2] + extent) / size - (placement[:, 1:] + 2)
    return np.maximum(low, high).max(axis=1)


@pytest.mark.parametrize("width, height, cell, repeat", GRIDS)
def test_grids(width, height, cell, repeat):
    pyramid = make_pyramid(width, height, repeat=repeat, cell=cell)
    cells = pyramid.cells
    assert cells.dtype == np.int32 and 1 <= len(cells) <= MAX_LEVELS
    assert cells.min() >= (3 if repeat else 1) and cells.max() <= 8192
    assert (np.diff(cells, axis=0) <= 0).all()  # no finer level after a coarser one
    assert (np.diff(cells.sum(axis=1)) < 0).all()  # and none twice
    assert (cells[-1] == (3 if repeat else 1)).all()  # the last covers the texture
    np.testing.assert_allclose(pyramid.cell_size * cells, np.broadcast_to([width, height], cells.shape))
    # The finest cells are about as large as asked, unless the texture has no room for that or would have too many.
    for axis, extent in enumerate((width, height)):
        if 8192 * cell >= extent >= 3 * cell:
            assert 0.6 * cell <= pyramid.cell_size[0, axis] <= 1.5 * cell


def test_grids_by_hand():
    pyramid = make_pyramid(64, 32, repeat=True, cell=8.0)
    assert pyramid.cells.tolist() == [[8, 4], [4, 3], [3, 3]]
    assert make_pyramid(64, 32, repeat=False, cell=8.0).cells.tolist() == [[8, 4], [4, 2], [2, 1], [1, 1]]


def test_half_extents_are_those_of_the_ellipse():
    geometry = random_geometry(np.random.default_rng(1), 50, 10, 10)
    angle = np.linspace(0, 2 * np.pi, 2000)
    for row, extent in zip(geometry.astype(float), half_extents(geometry), strict=True):
        u, v = CUT * np.exp(row[3]) * np.cos(angle), CUT * np.exp(row[4]) * np.sin(angle)
        c, s = np.cos(row[2]), np.sin(row[2])
        np.testing.assert_allclose(extent, [(c * u - s * v).max(), (s * u + c * v).max()], rtol=1e-4)


@pytest.mark.parametrize("width, height, repeat", [(5, 7, True), (33, 18, False), (512, 512, True), (2048, 256, False)])
def test_gaussians_stand_in_the_finest_level_that_holds_them(width, height, repeat):
    rng = np.random.default_rng(2)
    pyramid = make_pyramid(width, height, repeat=repeat, cell=6.0)
    geometry = random_geometry(rng, 2000, width, height, sigma=(0.3, max(width, height) / 3))
    placement = place(pyramid, geometry)
    assert placement.dtype == np.int32 and placement.shape == (2000, 3)
    level, cell = placement[:, 0], placement[:, 1:]
    size = pyramid.cell_size
    # The centre lies in the cell.
    assert (cell >= 0).all() and (cell < pyramid.cells[level]).all()
    inside = geometry[:, :2] / size[level] - cell
    assert (inside > -1e-5).all() and (inside < 1 + 1e-5).all()
    # The ellipse lies inside the block, unless it is too large for every level. In no finer level would it.
    fits = (half_extents(geometry)[:, None] <= size[None]).all(axis=2)  # [N, L]
    below_top = level < len(size) - 1
    assert fits[below_top, level[below_top]].all()
    assert not any(fits[n, : level[n]].any() for n in range(len(level)))
    held = fits.any(axis=1)
    assert held.sum() > 500 and (overhang(pyramid, geometry, placement)[held] < 1e-5).all()


@pytest.mark.parametrize("repeat", [False, True])
def test_cells_at_the_edges_of_the_texture(repeat):
    pyramid = make_pyramid(33, 18, repeat=repeat, cell=5.0)
    geometry = np.zeros((4, 6), np.float32)
    geometry[:, :2] = [[0, 0], [33, 18], [np.nextafter(np.float32(33), 0), 0], [0, 17.999999]]
    placement = place(pyramid, geometry)
    last_x, last_y = pyramid.cells[0] - 1
    assert placement.tolist() == [[0, 0, 0], [0, last_x, last_y], [0, last_x, 0], [0, 0, last_y]]


def test_a_gaussian_keeps_its_level_until_it_clearly_does_not_fit():
    pyramid = make_pyramid(256, 256, repeat=False, cell=8.0)
    for relative, previous, expected in [
        (1.1, 0, 0), (1.2, 0, 1), (0.9, 1, 1), (0.8, 1, 0), (2.2, 1, 1), (2.4, 1, 2), (0.5, 3, 0), (7.9, 0, 3)
    ]:  # fmt: skip
        sigma = np.log(relative * 8.0 / CUT)
        geometry = np.array([[100, 100, 0.3, sigma, sigma, 0]], np.float32)
        found = place(pyramid, geometry, np.array([previous], np.int32))[0, 0]
        assert found == expected, (relative, previous)


def test_hysteresis_costs_at_most_15_percent_of_a_cell():
    rng = np.random.default_rng(3)
    pyramid = make_pyramid(128, 96, repeat=True, cell=6.0)
    geometry = random_geometry(rng, 1000, 128, 96, sigma=(0.4, 20.0))
    keep_inside(pyramid, geometry, sigma_min=0.4)
    level = None
    for _ in range(5):
        placement = place(pyramid, geometry, level)
        level = placement[:, 0]
        held = (half_extents(geometry)[:, None] * 1.15 <= pyramid.cell_size[None]).all(axis=2).any(axis=1)
        assert (overhang(pyramid, geometry, placement)[held] < 0.15 + 1e-5).all()
        geometry[:, 3:5] += rng.normal(0, 0.1, (1000, 2))
    again = place(pyramid, geometry, level)
    np.testing.assert_array_equal(place(pyramid, geometry, again[:, 0]), again)


@pytest.mark.parametrize("width, height, repeat", [(1, 1, True), (1, 1, False), (5, 7, True), (512, 512, False),
                                                   (16384, 3, True)])  # fmt: skip
def test_keep_inside(width, height, repeat):
    rng = np.random.default_rng(4)
    pyramid = make_pyramid(width, height, repeat=repeat, cell=6.0)
    geometry = random_geometry(rng, 500, width, height, sigma=(1e-3, 1e6))
    geometry[:, :2] = (rng.uniform(-1, 2, (500, 2)) * [width, height]).astype(np.float32)
    geometry[:3, 0] = [-1e-9, width, 0]
    before = geometry.copy()
    keep_inside(pyramid, geometry, sigma_min=0.4)
    assert (geometry[:, :2] >= 0).all() and (geometry[:, :2] < [width, height]).all()
    moved = (geometry[:, :2] - before[:, :2]) / [width, height]
    if repeat:
        np.testing.assert_allclose(moved, np.round(moved), atol=1e-5)
    else:
        inside = (before[:, :2] >= 0) & (before[:, :2] < [width, height])
        assert (moved[inside] == 0).all()
    sigma = np.exp(geometry[:, 3:5])
    assert (sigma >= 0.4 * (1 - 1e-6)).all()
    assert (CUT * sigma).max() <= max(1.15 * pyramid.cell_size[-1].max(), 0.4 * CUT) * (1 + 1e-6)
    # An ellipse fits the top level, unless the smallest sigma keeps it from it.
    free = (sigma > 0.4 * (1 + 1e-6)).all(axis=1)
    # A top level below that size holds ellipses of up to twice the smallest sigma.
    room = np.maximum(1.15 * pyramid.cell_size[-1], 2 * CUT * 0.4)
    fills = (half_extents(geometry) / room).max(axis=1)
    assert (fills[free] <= 1 + 1e-5).all()
    np.testing.assert_array_equal(geometry[:, 2], before[:, 2])
    # A second time changes nothing but ellipses whose small sigma came back up to the smallest; they may shrink on.
    again = geometry.copy()
    keep_inside(pyramid, again, sigma_min=0.4)
    np.testing.assert_allclose(again[free], geometry[free], rtol=0, atol=1.5e-5)
    assert (again[:, 3:5] <= geometry[:, 3:5] + 1e-6).all()
    np.testing.assert_array_equal(again[:, [0, 1, 2, 5]], geometry[:, [0, 1, 2, 5]])
    placement = place(pyramid, geometry)
    assert (placement[:, 1:] >= 0).all() and (placement[:, 1:] < pyramid.cells[placement[:, 0]]).all()


def test_keep_inside_clamps_amplitudes():
    pyramid = make_pyramid(64, 64, repeat=False, cell=6.0)
    geometry = random_geometry(np.random.default_rng(5), 6, 64, 64, sigma=(1.0, 2.0))
    geometry[:, 5] = [-1e4, -7.5, -6.9, 6.9, 7.5, 1e4]
    before = geometry.copy()
    keep_inside(pyramid, geometry, sigma_min=0.4)
    assert AMPLITUDE_MOST == 7.0  # the format ends at 8
    assert geometry[:, 5].tolist() == pytest.approx([-7, -7, -6.9, 6.9, 7, 7])
    np.testing.assert_array_equal(geometry[:, :5], before[:, :5])


def counts_and_allowed(pyramid, placement) -> tuple[np.ndarray, np.ndarray]:
    """Gaussians of every level [L], and how many a coarse one may hold [L]."""
    counts = np.bincount(placement[:, 0], minlength=len(pyramid.cells))
    return counts, MOST_VISIBLE * pyramid.cells.prod(axis=1) / 9


@pytest.mark.parametrize("sigma, repeat", [((40.0, 60.0), False), ((0.4, 60.0), True), ((1e6, 1e7), False),
                                           ((1e6, 1e7), True)])  # fmt: skip
def test_thin_out_bounds_what_coarse_levels_hold(sigma, repeat):
    pyramid = make_pyramid(128, 96, repeat=repeat, cell=6.0)
    geometry = random_geometry(np.random.default_rng(6), 1000, 128, 96, sigma=sigma)
    keep_inside(pyramid, geometry, sigma_min=0.4)
    placement = place(pyramid, geometry)
    counts, allowed = counts_and_allowed(pyramid, placement)
    assert counts[-1] > 2 * allowed[-1]
    before, level = geometry.copy(), placement[:, 0].copy()
    assert thin_out(pyramid, geometry, placement)
    # Placed again, from the levels it gave or from anew: the same, and nothing is left to do.
    for previous in (placement[:, 0].copy(), None):
        again = place(pyramid, geometry, previous)
        counts, allowed = counts_and_allowed(pyramid, again)
        assert (counts[1:] <= allowed[1:]).all(), counts
        np.testing.assert_array_equal(again[:, 0], placement[:, 0])
        unchanged = geometry.copy()
        assert not thin_out(pyramid, unchanged, again)
        np.testing.assert_array_equal(unchanged, geometry)
    # Only sizes change, both sigmas alike, downwards and only as far as needed; the largest stay.
    np.testing.assert_array_equal(geometry[:, [0, 1, 2, 5]], before[:, [0, 1, 2, 5]])
    shrink = before[:, 3:5] - geometry[:, 3:5]
    np.testing.assert_allclose(shrink[:, 0], shrink[:, 1], atol=1e-5)
    assert (shrink >= 0).all()
    stayed = placement[:, 0] == level
    np.testing.assert_array_equal(geometry[stayed], before[stayed])
    top = level == len(pyramid.cells) - 1
    fills = (half_extents(before) / pyramid.cell_size[-2]).max(axis=1)
    assert fills[top & stayed].min() >= fills[top & ~stayed].max()


def test_thin_out_leaves_few_alone():
    pyramid = make_pyramid(128, 96, repeat=False, cell=6.0)
    geometry = random_geometry(np.random.default_rng(7), 1000, 128, 96, sigma=(0.4, 1.0))  # all in level 0
    geometry[0, 3:5] = np.log(50.0)
    placement = place(pyramid, geometry)
    counts, allowed = counts_and_allowed(pyramid, placement)
    assert counts.tolist() == [999, 0, 0, 0, 1] and allowed[-1] > 1
    before = geometry.copy(), placement.copy()
    assert not thin_out(pyramid, geometry, placement)
    np.testing.assert_array_equal(geometry, before[0])
    np.testing.assert_array_equal(placement, before[1])
