"""The hull of combinations of encodings, on cases worked out by hand and against all combinations."""

from itertools import product

import numpy as np
import pytest

from gstex.compare.hull import Option, add_hulls, bytes_for, lower_hull, thin_out


def options(*pairs, name="map"):
    return [Option(b, e, {name: (b, e)}) for b, e in pairs]


def corners(hull):
    return [(o.bytes, o.error) for o in hull]


def test_lower_hull_by_hand():
    #  8 |a           b lies above a-c, e has more bytes and more error than d, f is worse than a at equal bytes
    #  7 |   b
    #  2 |      c
    #  1 |              d   e
    hull = lower_hull(options((20, 7.0), (10, 8.0), (30, 2.0), (10, 9.0), (60, 1.0), (70, 1.5)))
    assert corners(hull) == [(10, 8.0), (30, 2.0), (60, 1.0)]


def test_points_on_an_edge_are_no_corners():
    assert corners(lower_hull(options((10, 9.0), (20, 6.0), (30, 3.0)))) == [(10, 9.0), (30, 3.0)]


def test_an_exact_option_ends_the_hull():
    assert corners(lower_hull(options((10, 4.0), (20, 0.0), (40, 0.0)))) == [(10, 4.0), (20, 0.0)]


def test_two_maps_by_hand():
    # First map: -6 for 20 bytes (slope -0.3), then -1 for 30 (-0.033). Second: -4 for 10 (-0.4).
    first = lower_hull(options((10, 8.0), (30, 2.0), (60, 1.0), name="albedo"))
    second = lower_hull(options((5, 5.0), (15, 1.0), name="normal"))
    both = add_hulls([first, second])
    assert corners(both) == [(15, 13.0), (25, 9.0), (45, 3.0), (75, 2.0)]
    assert both[2].choice == {"albedo": (30, 2.0), "normal": (15, 1.0)}


def test_equal_slopes_make_one_edge():
    first = lower_hull(options((0, 4.0), (10, 2.0), name="a"))
    second = lower_hull(options((0, 6.0), (20, 2.0), name="b"))
    assert corners(add_hulls([first, second])) == [(0, 10.0), (30, 4.0)]


def test_a_map_without_an_encoding_has_no_combination():
    assert add_hulls([options((1, 1.0)), []]) == []


def test_against_all_combinations():
    rng = np.random.default_rng(3)
    for _ in range(20):
        maps = [
            [Option(int(rng.integers(1, 100)), float(rng.random()), {str(m): i}) for i in range(6)] for m in range(3)
        ]
        everything = [
            Option(sum(o.bytes for o in row), sum(o.error for o in row), {}) for row in product(*maps)
        ]
        fast = np.array(corners(add_hulls([lower_hull(m) for m in maps])))
        slow = np.array(corners(lower_hull(everything)))
        # Rounding may keep a point on an edge as a corner; the curves are the same.
        at = np.union1d(fast[:, 0], slow[:, 0])
        assert np.allclose(np.interp(at, *fast.T), np.interp(at, *slow.T), atol=1e-9)


@pytest.mark.parametrize(
    "error, expected", [(8.0, 10), (5.0, 20), (2.0, 30), (1.5, 45), (1.0, 60), (99.0, 10), (0.5, None)]
)
def test_bytes_for_an_error(error, expected):
    assert bytes_for(options((10, 8.0), (30, 2.0), (60, 1.0)), error) == expected


def test_thin_out_keeps_the_curve():
    sizes = np.arange(10, 200)
    hull = lower_hull(options(*[(int(b), 1000.0 / b) for b in sizes]))
    kept = thin_out(hull)
    assert kept[0] == hull[0] and kept[-1] == hull[-1] and 5 < len(kept) < 30 < len(hull)
    above = np.interp(sizes, *zip(*corners(kept), strict=True)) / (1000.0 / sizes)
    assert above.max() <= 1.04 + 1e-9
    assert thin_out(hull[:1]) == hull[:1]
