"""tools/bench.py rate, jobs, checkpoint and scale: their tables on small pictures."""

import csv
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_samples import crop_sample

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import bench
import benches.library
import benches.scale

from gstex.encode import checkpoint

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"


def table(results: Path, *arguments: str) -> list[dict[str, str]]:
    """The rows that a command writes."""
    ran = CliRunner().invoke(bench.bench, [*arguments, "--results", str(results)], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    with open(results / f"{arguments[0]}.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crop:
        name = "steel"

        def load(self):
            return benches.library.load_material(crop_sample("rusted_steel", tmp_path / "steel", 32))

    monkeypatch.setattr(benches.library, "choose_cases", lambda *asked: [Crop()])
    [row] = table(tmp_path, "rate", "--effort", "draft", "--bpp", "3")
    assert float(row["above"]) == pytest.approx(float(row["psnr"]) - float(row["psnr_asked"]), abs=0.011)
    assert float(row["above"]) > -0.02 and float(row["times"]) > 0


def test_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benches.library, "SIDES", (16,))
    [row] = table(tmp_path, "jobs", "--materials", "3", "--jobs", "1", "--effort", "draft")
    assert row["materials"] == "3" and 0 < float(row["busy"]) <= 1.01


def test_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "COST", 0.0)
    how = ("--side", "128", "--every", "0", "--effort", "fast", "--material", "rusted_steel")
    usual = checkpoint.EVERY
    [row] = table(tmp_path, "checkpoint", *how)
    assert int(row["checkpoints"]) > 0 and int(row["largest_bytes"]) > 1000
    assert 0 < float(row["writing_seconds"]) < float(row["seconds"])
    assert usual == checkpoint.EVERY


def test_scale(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("case,time,serial,megabytes\nfit 2048x2048 fast,60,10,1024\n"
                                        "fit 512x512 normal,20,2,100\n")  # fmt: skip
    fit = {"size": 2048, "effort": "fast", "seconds": 99.0, "gpu_bytes_held": 2**30}
    fits = [fit, {**fit, "seconds": 9.0}, {**fit, "effort": "normal", "seconds": 18.0}]
    (tmp_path / benches.scale._GPU).write_text(json.dumps({"parts": {"fits": {"result": {"rows": fits}}}}))
    rows = benches.scale.scale_rows(tmp_path, 100, 10, 2)
    assert [row["seconds_each"] for row in rows] == [110, 16 * 38, 9, 18]  # two threads for 50 s, and one for 10
    assert [round(3600 * row["hours"]) for row in rows] == [1100, 6080, 450, 900]
    assert [row["gigabytes"] for row in rows] == [10, 10, 2, 2]


def test_the_document_has_the_figures_of_the_table() -> None:
    text = (RESULTS.parent.parent / "docs/scale.md").read_text("utf-8")
    rows = benches.scale.scale_rows(RESULTS, 10000, 64, 8)
    with open(RESULTS / "scale.csv", newline="") as file:
        stored = [float(row["hours"]) for row in csv.DictReader(file)]
    assert stored == pytest.approx([row["hours"] for row in rows], abs=0.01)
    for row in rows:
        each, hours = row["seconds_each"], row["hours"]
        assert f"| {each:.0f} s" in text or f"| {each:.1f} s" in text, each
        assert f"| {hours:.1f} hours |" in text or f"| {hours:.0f} hours |" in text, hours
