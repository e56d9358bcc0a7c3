"""`bench.py progress` says how far the bar is off."""

import itertools
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_samples import SAMPLES

from gstex.material import load_material
from gstex.pace import Pace

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import benches.progress


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
    assert Pace("fast", 256 * 256).share(0.5) == pytest.approx(0.7 * 0.8 + 0.3 * 0.4)
    again.learn([(0.0, 0.0)], 0.0)  # says nothing


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"fast 8": [1, 2]}', '{"fast 8": 3}',
                                  '{"fast 8": ' + str([1.0, *[0.0] * 20]) + "}"])  # fmt: skip
def test_a_pace_that_cannot_be_read_is_the_usual_one(state, text):
    state.parent.mkdir()
    state.write_text(text)
    usual = Pace("fast", 300 * 300 * 64).share(0.3)
    assert Pace("fast", 256 * 256).share(0.3) == usual


def test_a_true_bar_and_one_that_is_too_fast():
    true = benches.progress.errors([(t / 10, 10 - t / 10) for t in range(100)], 10.0)
    assert true["ok"] == "yes" and max(true["at_tenth"], true["at_half"], true["after_half"]) < 1e-9
    # Half of the steps take a fifth of the time: at 2 of 10 s the bar says 2 s, and 8 are left.
    steps = [(t / 25, t) for t in range(1, 50)] + [(2 + (t - 50) * 8 / 50, t) for t in range(50, 100)]
    row = benches.progress.errors([(moment, moment / t * (100 - t)) for moment, t in steps], 10.0)
    assert row["ok"] == "no"
    assert row["at_tenth"] == pytest.approx((9 - 3 - 0.5) / 9, abs=0.03)
    assert row["after_tenth"] == pytest.approx((8 - 2 - 0.5) / 8, abs=0.03)
    # At 5 s there are 68.75 steps done, and 2.27 s seem to be left.
    assert row["at_half"] == pytest.approx((5 - 5 / 68.75 * 31.25 - 0.5) / 5, abs=0.05)


def test_a_bar_that_shows_nothing_is_wrong():
    assert benches.progress.errors([(8.0, 2.0)], 10.0)["ok"] == "no"


def test_a_fit_is_watched_from_its_first_report_on(state):
    material = benches.progress._middle(load_material(SAMPLES / "rusted_steel"), 32)
    assert (material.width, material.height) == (32, 32)
    ticks = itertools.count()
    shown, seconds = benches.progress.watch_compress(material, "draft", 1, lambda: float(next(ticks)))
    assert shown[0][0] == 0.0 and [moment for moment, _ in shown] == sorted(moment for moment, _ in shown)
    assert seconds > shown[-1][0] and state.exists() and (state.parent / "costs.json").exists()


def test_a_batch_is_watched(state):
    ticks = itertools.count()
    shown, seconds = benches.progress.watch_batch(SAMPLES, ["rusted_steel"], 32, "draft", 1, lambda: float(next(ticks)))
    assert shown[0][0] == 0.0 and seconds > shown[-1][0] - 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_clock_of_the_cpus_sees_processes():
    script = "import time\nwhile time.process_time() < 0.6: pass\ninput()"
    before = benches.progress.cpu_clock()
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as child:
        while benches.progress.cpu_clock() < before + 0.4:
            time.sleep(0.05)
        child.communicate(b"\n")
    assert benches.progress.cpu_clock() >= before + 0.5


def test_the_table(tmp_path, monkeypatch):
    shown = [(0.0, 10.0), (1.0, 9.0)]
    for name in ("compress", "compare", "batch"):
        monkeypatch.setattr(benches.progress, f"watch_{name}", lambda *given: (shown, 10.0))
    monkeypatch.setattr(benches.progress, "MATERIALS", ("rusted_steel", "vine_leaves"))
    ran = CliRunner().invoke(benches.progress.progress, ["--size", "32", "--results", str(tmp_path), "--effort",
                                                         "draft", "--data", str(SAMPLES)])  # fmt: skip
    assert ran.exit_code == 0, ran.output
    for command, names in {"compress": ["rusted_steel", "vine_leaves"], "compare": ["rusted_steel", "vine_leaves"],
                           "batch": ["all 2"]}.items():  # fmt: skip
        lines = (tmp_path / f"progress-{command}.csv").read_text().splitlines()
        assert lines[0].startswith("material,effort,seconds,at_tenth")
        assert [line.split(",")[:3] for line in lines[1:]] == [[name, "draft", "10.0"] for name in names]
