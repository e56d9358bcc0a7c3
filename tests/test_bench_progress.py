"""`bench.py progress` says how far the bar is off."""

import itertools
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_samples import SAMPLES

import gstex
import gstex.cli.progress as progress_module
from gstex.cli.progress import ProgressReporter, seconds_left
from gstex.material import load_material
from gstex.pace import Pace

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import benches.progress


def test_all_steps_take_as_long_as_those_before():
    assert seconds_left((2.0, 0.0), (5.0, 0.3)) == pytest.approx(7.0)
    assert seconds_left((2.0, 0.1), (5.0, 0.4)) == pytest.approx(6.0)
    assert seconds_left((2.0, 0.1), (2.0, 0.1)) is None


class Even:
    """All steps take as long."""

    def share(self, steps: float) -> float:
        return steps


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("GSTEX_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "pace.json"


def test_a_pace_is_learned_and_kept_by_effort_and_size(state):
    fit = [(0.0, 0.0), (8.0, 0.5), (9.0, 0.75)]  # half of the steps take 8 of 10 s
    Pace("fast", 256 * 256).learn(fit, 10.0)
    again = Pace("fast", 250 * 270)
    assert [again.share(s) for s in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx([0, 0.4, 0.8, 0.9, 1])
    assert Pace("normal", 256 * 256).share(0.5) != 0.8 != Pace("fast", 1024 * 1024).share(0.5)
    again.learn([(0.0, 0.0), (4.0, 0.5)], 10.0)
    assert Pace("fast", 256 * 256).share(0.5) == pytest.approx(0.6)
    again.learn([(0.0, 0.0)], 0.0)  # says nothing


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"fast 8": [1, 2]}', '{"fast 8": 3}',
                                  '{"fast 8": ' + str([1.0, *[0.0] * 20]) + "}"])  # fmt: skip
def test_a_pace_that_cannot_be_read_is_the_usual_one(state, text):
    state.parent.mkdir()
    state.write_text(text)
    usual = Pace("fast", 300 * 300 * 64).share(0.3)
    assert Pace("fast", 256 * 256).share(0.3) == usual


def test_the_bar_learns_from_a_fit_that_is_done(state, monkeypatch, capfd):
    clock = iter(float(i) for i in range(1000))
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: next(clock))
    with pytest.raises(KeyboardInterrupt), ProgressReporter(pace=Pace("fast", 65536)) as report:
        report(gstex.Progress("fit", 0, 100, None))
        report(gstex.Progress("fit", 50, 100, 20.0))
        raise KeyboardInterrupt
    assert not state.exists()
    with ProgressReporter(pace=Pace("fast", 65536)) as report:
        for step in (0, 10, 20, 30, 40, 100):
            report(gstex.Progress("fit", step, 100, 20.0))
    assert Pace("fast", 65536).share(0.4) == pytest.approx(4 / 6, abs=1e-4)
    capfd.readouterr()
    with ProgressReporter(pace=Pace("fast", 65536)) as report:
        report(gstex.Progress("fit", 0, 100, None))
        report(gstex.Progress("refine", 40, 100, 20.0))
    assert capfd.readouterr().err.splitlines()[-1] == "gstex: refine: 66 %, 20.0 dB, 0:00 left"


def test_a_true_bar_and_one_that_is_too_fast():
    true = benches.progress.errors([(t / 10, t, 100) for t in range(100)], 10.0, Even())
    assert true["ok"] == "yes" and max(true["at_tenth"], true["at_half"], true["after_half"]) < 1e-9
    # Half of the steps take a fifth of the time: at 2 of 10 s the bar says 2 s, and 8 are left.
    fast = [(t / 25, t, 100) for t in range(50)] + [(2 + (t - 50) * 8 / 50, t, 100) for t in range(50, 100)]
    row = benches.progress.errors(fast, 10.0, Even())
    assert row["ok"] == "no"
    assert row["at_tenth"] == pytest.approx((9 - 3 - 0.5) / 9, abs=0.03)
    assert row["after_tenth"] == pytest.approx((8 - 2 - 0.5) / 8, abs=0.03)
    # At 5 s there are 68.75 steps done, and 2.27 s seem to be left.
    assert row["at_half"] == pytest.approx((5 - 5 / 68.75 * 31.25 - 0.5) / 5, abs=0.05)


def test_a_fit_is_watched_from_its_first_report_on():
    material = benches.progress._middle(load_material(SAMPLES / "rusted_steel"), 32)
    assert (material.width, material.height) == (32, 32)
    ticks = itertools.count()
    reports, seconds = benches.progress.watch(material, clock=lambda: float(next(ticks)), effort="draft", bpp=6.0)
    assert reports[0][0] == 1.0 and [r[0] for r in reports] == sorted(r[0] for r in reports)
    assert seconds > reports[-1][0] and all(step <= steps for _, step, steps in reports)


def test_the_table(tmp_path, monkeypatch):
    reports = [(0.0, 0, 10), (1.0, 1, 10)]
    monkeypatch.setattr(benches.progress, "watch", lambda material, clock, **options: (reports, 10.0))
    command = ["--size", "32", "--results", str(tmp_path), "--effort", "draft"]
    ran = CliRunner().invoke(benches.progress.progress, command)
    assert ran.exit_code == 0, ran.output
    lines = (tmp_path / "progress.csv").read_text().splitlines()
    assert lines[0].startswith("material,effort,seconds,at_tenth") and len(lines) == 6
    assert "rusted_steel,draft,10" in lines[1]
