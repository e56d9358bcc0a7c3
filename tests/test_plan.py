"""What trial fits settle before a fit: the sampling of `sampling='auto'`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gstex
from gstex.encode import plan, trials
from gstex.encode.checkpoint import Checkpoint
from gstex.encode.division import Division, Plan
from gstex.encode.ops.cpu.engine import CpuEngine
from gstex.encode.problem import Target, Task
from gstex.encode.settings import make_settings
from gstex.encode.trials import Trial, Trials
from gstex.material import Channel, Material

FAST = {"effort": "fast", "device": "cpu", "mips": False, "groups": "1"}
SIZE = 96


def material_of(height: np.ndarray) -> Material:
    """A material of one map."""
    channel = Channel("height", "v", "linear", "height.png", 0, None, ())
    pixels = height[:, :, None].astype(np.float32)
    return Material("wall", height.shape[1], height.shape[0], (), (channel,), pixels, None, "repeat")


@pytest.fixture(scope="module")
def plates() -> Material:
    """Flat plates with edges that are not filtered: between two texels they are hard to follow."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    return material_of(((x // 7 + y // 5 + x * y // 300) % 4) / 4 + 0.1)


@pytest.fixture(scope="module")
def waves() -> Material:
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE * 2 * np.pi
    return material_of(0.5 + 0.2 * np.sin(5 * x) * np.cos(4 * y) + 0.1 * np.sin(9 * x + 7 * y))


@pytest.fixture(autouse=True)
def short_fits_make_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "LEAST_WORK", 0)


def test_sharp_edges_get_bilinear_sampling_and_waves_do_not(plates: Material, waves: Material) -> None:
    notes: list[str] = []
    steps: list[gstex.Progress] = []
    texture = gstex.compress(plates, bpp=4, notes=notes.append, progress=steps.append, **FAST)
    assert texture.sampling == "bilinear"
    assert [line for line in notes if "bilinear" in line] == [
        "fits for bilinear sampling, which is better here: a sample in a shader costs four evaluations; "
        "--sampling direct fits for one"
    ]
    assert steps[0].stage == "trials" and [s.step for s in steps] == sorted(s.step for s in steps)
    asked = gstex.compress(plates, bpp=4, sampling="bilinear", **FAST)
    assert np.array_equal(texture.words, asked.words)
    direct = gstex.compress(plates, bpp=4, sampling="direct", **FAST)
    assert texture.report["psnr"] > direct.report["psnr"] + plan.WORTH_FETCHES

    notes.clear()
    texture = gstex.compress(waves, bpp=4, notes=notes.append, **FAST)
    assert texture.sampling == "direct" and not any("bilinear" in line for line in notes)
    assert np.array_equal(texture.words, gstex.compress(waves, bpp=4, sampling="direct", **FAST).words)


def test_gains_below_the_rounding_to_8_bits_are_no_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the error is a gain of 3 dB: at 50 dB it counts, and at 58 dB there is no decibel left."""
    task = Task(Target(np.zeros((64, 64, 2), np.float32), np.ones((64, 64, 1), np.float32), np.zeros(2, np.int32)),
                [(0, 1)] * 2, [()] * 2, repeat=True, budget_words=900, maps=np.arange(2))  # fmt: skip
    for psnr, chosen in ((50.0, "bilinear"), (58.0, "direct")):
        errors = {"direct": 10 ** (-psnr / 10), "bilinear": 0.5 * 10 ** (-psnr / 10)}

        def of(self: Trials, division: Division, errors: dict[str, float] = errors) -> list[Trial]:
            mean = np.full(2, errors[self.sampling])
            return [Trial(division.groups[0], 900, mean, mean)]

        monkeypatch.setattr(Trials, "of", of)
        settled = plan.make_plan("1", "auto", ["a", "b"], task, make_settings("fast", "direct", "l2"), 900, seed=0,
                                 make_engine=CpuEngine, progress=lambda *state: None)  # fmt: skip
        assert settled.sampling == chosen


@pytest.mark.parametrize("options", [
    {"gaussians": 300}, {"psnr": 30.0}, {"bpp": 4, "loss": "restore"}, {"bpp": 4, "effort": "draft"},
    {"bpp": 4, "sampling": "direct"},
])  # fmt: skip
def test_fits_without_trials_are_direct(
    plates: Material, monkeypatch: pytest.MonkeyPatch, options: dict[str, object]
) -> None:
    monkeypatch.setattr(plan, "_choose_sampling", lambda trials: pytest.fail("there is a trial"))
    assert gstex.compress(plates, **FAST | options).sampling == "direct"
    monkeypatch.setattr(plan, "LOW_RATE", 4)
    assert gstex.compress(plates, bpp=4, **FAST).sampling == "direct"


def test_a_budget_that_holds_no_trial_is_direct(plates: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trials, "of", lambda *arguments: None)
    assert gstex.compress(plates, bpp=4, **FAST).sampling == "direct"


def test_the_plan_is_kept_in_a_checkpoint(plates: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fit"
    monkeypatch.setattr(Checkpoint, "due", lambda self: True)
    plain = gstex.compress(plates, bpp=4, checkpoint=path, **FAST).words
    monkeypatch.setattr(plan, "_choose_sampling", lambda trials: pytest.fail("there is a trial"))
    again = gstex.compress(plates, bpp=4, checkpoint=path, **FAST)
    assert again.sampling == "bilinear" and np.array_equal(again.words, plain)
    with pytest.raises(pytest.fail.Exception):
        gstex.compress(plates, bpp=5, checkpoint=path, **FAST)


@pytest.mark.parametrize("saved", [
    Plan(Division.one(1), "cubic"), Plan(Division.one(2), "direct"), Plan(Division(((0,),), (2.0,)), "bilinear"), None,
])  # fmt: skip
def test_a_plan_that_makes_no_sense_is_not_used(tmp_path: Path, saved: Plan | None) -> None:
    kept = Checkpoint(tmp_path / "fit", "key")
    kept._saved.plan = saved
    assert kept.plan(1) is None


def test_sampling_is_tried_where_edges_are_sharpest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "SIDE", 32)
    image = np.full((100, 132, 2), 0.5, np.float32)
    image[65:97, 70:102, 1] += np.where(np.arange(32) % 2, 0.1, 0.0)  # weak, many
    image[5:9, 0:2, 0] += 0.2
    importance = np.ones((100, 132, 1), np.float32)
    task = Task(Target(image, importance, np.zeros(2, np.int32)), [(0, 1)] * 2, [()] * 2, repeat=True,
                budget_words=900, maps=np.arange(2))  # fmt: skip
    how = {"seed": 0, "make_engine": None, "progress": lambda *state: None, "entries": (), "mip_count": 1, "tail": 1}
    sharpest = Trials(task, 900, sharpest=True, **how).task.target.image  # type: ignore[arg-type]
    assert np.array_equal(sharpest, image[64:96, 64:96])
    middle = Trials(task, 900, **how).task.target.image  # type: ignore[arg-type]
    assert np.array_equal(middle, image[34:66, 50:82])
    importance[60:] = 0  # what does not count is not sharp either
    sharpest = Trials(task, 900, sharpest=True, **how).task.target.image  # type: ignore[arg-type]
    assert np.array_equal(sharpest, image[0:32, 0:32])
