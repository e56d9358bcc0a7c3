"""The table of times: two gstex by turns, each run in a process of its own."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import benches.times
from benches.times import Job, times


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two small jobs; the folder for results."""
    source = tmp_path / "tiny.png"
    y, x = np.mgrid[:32, :32]
    Image.fromarray(np.stack([8 * x, 8 * y, 4 * (x + y)], axis=2).astype(np.uint8)).save(source)
    found = (Job("a fit", str(source), 8.0, "fast"), Job("a decode", str(source), 8.0, "fast", decode=True),
             Job("unasked", "nowhere", 1.0, "fast", usual=False))  # fmt: skip
    monkeypatch.setattr(benches.times, "JOBS", found)
    return tmp_path / "results"


def test_both_sides_are_measured(jobs: Path) -> None:
    arguments = ["--against", sys.executable, "--runs", "1", "--threads", "1", "--results", str(jobs)]
    ran = CliRunner().invoke(times, arguments)
    assert ran.exit_code == 0, ran.output
    rows = list(csv.DictReader((jobs / "times.csv").open()))
    assert [row["case"] for row in rows] == ["a fit", "a decode"]
    for row in rows:
        assert float(row["megabytes"]) > 20 and float(row["megabytes_before"]) > 20
        assert 0 <= float(row["serial"]) < float(row["time"]) + 1 and float(row["bar_off"]) >= 0
        assert row["psnr"] == row["psnr_before"] != "" and row["runs"] == "1"
    about = json.loads((jobs / "times.json").read_text())
    assert about["before"] in about["gstex"] and "against" not in about["command"]


def test_what_cannot_be_run_is_told(jobs: Path, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no gstex here >&2; exit 3\n")
    broken.chmod(0o755)
    ran = CliRunner().invoke(times, ["--against", str(broken), "--results", str(jobs)])
    assert ran.exit_code == 1 and "ended with 3:\nno gstex here" in ran.output
    assert not jobs.exists()
