"""`bench.py progress` says how far the bar is off."""

import itertools
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_samples import SAMPLES

from gstex.cli.progress import seconds_left
from gstex.material import load_material

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import bench_progress


def test_all_steps_take_as_long_as_those_before():
    assert seconds_left((2.0, 0), (5.0, 30), 100) == pytest.approx(7.0)
    assert seconds_left((2.0, 10), (5.0, 40), 100) == pytest.approx(6.0)
    assert seconds_left((2.0, 10), (2.0, 10), 100) is None


def test_a_true_bar_and_one_that_is_too_fast():
    true = bench_progress.errors([(t / 10, t, 100) for t in range(100)], 10.0)
    assert true["ok"] == "yes" and max(true["at_tenth"], true["at_half"], true["after_half"]) < 1e-9
    # Half of the steps take a fifth of the time: at 2 of 10 s the bar says 2 s, and 8 are left.
    fast = [(t / 25, t, 100) for t in range(50)] + [(2 + (t - 50) * 8 / 50, t, 100) for t in range(50, 100)]
    row = bench_progress.errors(fast, 10.0)
    assert row["ok"] == "no"
    assert row["at_tenth"] == pytest.approx((9 - 3) / 9, abs=0.03)
    assert row["after_tenth"] == pytest.approx((8 - 2) / 8, abs=0.03)
    # At 5 s there are 68.75 steps done, and 2.27 s seem to be left.
    assert row["at_half"] == pytest.approx((5 - 5 / 68.75 * 31.25) / 5, abs=0.05)


def test_a_fit_is_watched_from_its_first_report_on():
    material = bench_progress._middle(load_material(SAMPLES / "rusted_steel"), 32)
    assert (material.width, material.height) == (32, 32)
    ticks = itertools.count()
    reports, seconds = bench_progress.watch(material, clock=lambda: float(next(ticks)), effort="draft", bpp=6.0)
    assert reports[0][0] == 1.0 and [r[0] for r in reports] == sorted(r[0] for r in reports)
    assert seconds > reports[-1][0] and all(step <= steps for _, step, steps in reports)


def test_the_table(tmp_path, monkeypatch):
    reports = [(0.0, 0, 10), (1.0, 1, 10)]
    monkeypatch.setattr(bench_progress, "watch", lambda material, clock, **options: (reports, 10.0))
    ran = CliRunner().invoke(bench_progress.progress, ["--size", "32", "--results", str(tmp_path), "--effort", "draft"])
    assert ran.exit_code == 0, ran.output
    lines = (tmp_path / "progress.csv").read_text().splitlines()
    assert lines[0].startswith("material,effort,seconds,at_tenth") and len(lines) == 6
    assert "rusted_steel,draft,10" in lines[1]
