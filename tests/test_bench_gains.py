"""tools/bench.py importance and restore: the regions, the damages, and the tables of real runs on small pictures."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import bench  # noqa: E402
import benches.importance  # noqa: E402
import benches.restore  # noqa: E402
import benches.strips  # noqa: E402


def picture(size=64):
    """Blurred noise beside a smooth half, uint8 [H, W, 3]."""
    noise = np.random.default_rng(0).random((size, size, 3))
    for axis in (0, 1):
        noise = (noise + np.roll(noise, 1, axis) + np.roll(noise, -1, axis)) / 3
    noise[:, : size // 2] = 0.5 + 0.3 * np.sin(np.mgrid[0:size, 0 : size // 2][0] / 9)[:, :, None]
    return np.rint(noise * 255).astype(np.uint8)


def run(tmp_path, *words):
    arguments = [*words, "--data", str(tmp_path), "--results", str(tmp_path / "results")]
    return CliRunner().invoke(bench.bench, arguments)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_regions_are_ellipses_and_boxes():
    region = benches.importance.Region("a", "a.png", "dots", 0, 0, ellipses=((4, 6, 2, 4),), boxes=((10, 1, 12, 4),))
    mask = region.mask(16, 12)
    assert mask[10:12, 1:4].all() and mask[2:6, 4:8].all() and mask[3:5, 2:10].all()
    assert not mask[2, 2] and not mask[1].any() and mask[9:].sum() == 6


def test_the_table_of_importance(tmp_path, monkeypatch):
    Image.fromarray(picture()).save(tmp_path / "rough.png")
    region = benches.importance.Region("rough", "rough.png", "corner", 0, 0, boxes=((36, 36, 60, 60),), shown=True)
    monkeypatch.setattr(benches.importance, "REGIONS", (region,))
    monkeypatch.setattr(benches.importance, "SIZE", 64)
    command = ("importance", "--effort", "fast", "--bpp", "3")
    result = run(tmp_path, *command)
    assert result.exit_code == 0, result.output
    row, mean = rows_of(tmp_path / "results" / "importance.csv")
    assert row["gpu_bytes"] == row["map_bytes"] == row["auto_bytes"] == "1536"
    assert float(row["share"]) == pytest.approx(100 * 24**2 / 64**2, abs=0.01)
    for side in ("in", "out"):
        gain = float(row[f"map_psnr_{side}"]) - float(row[f"psnr_{side}"])
        assert float(row[f"map_{side}_gain"]) == pytest.approx(gain, abs=0.011)
    assert float(row["map_in_gain"]) > 1 > 0 > float(row["map_out_gain"])
    assert mean["image"] == "mean" and mean["map_in_gain"] == row["map_in_gain"]
    about = json.loads((tmp_path / "results" / "importance.json").read_text())
    assert about["command"] == "python tools/bench.py importance --effort fast --bpp 3"
    drawn = np.asarray(Image.open(tmp_path / "results" / "importance.png"))
    assert drawn.shape == (24 + 32 * 2, 4 * 32 * 2 + 18, 3)
    first = (tmp_path / "results" / "importance.csv").read_text()
    again = run(tmp_path, *command)
    assert again.exit_code == 0 and "rough at" not in again.output
    assert (tmp_path / "results" / "importance.csv").read_text() == first


def test_damages():
    pixels = picture()
    noisy = benches.restore.damage(pixels, "noise 15")
    assert noisy.dtype == np.uint8 and np.std(noisy.astype(float) - pixels) == pytest.approx(15, rel=0.02)
    assert np.array_equal(noisy, benches.restore.damage(pixels, "noise 15"))
    errors = [np.std(benches.restore.damage(pixels, f"jpeg {q}").astype(float) - pixels) for q in (10, 20, 30)]
    assert errors[0] > errors[1] > errors[2] > 1


def test_blur():
    spot = np.zeros((33, 33, 1))
    spot[16, 16] = 1
    result = benches.restore.blurred(spot, 1.5)
    assert result.sum() == pytest.approx(1) and np.array_equal(benches.restore.blurred(spot, 0.0), spot)
    assert result[16, 19] / result[16, 16] == pytest.approx(np.exp(-0.5 * (3 / 1.5) ** 2))
    assert benches.restore.blurred(np.full((5, 4, 2), 0.3), 2.0) == pytest.approx(0.3)


def test_the_table_of_restore(tmp_path, monkeypatch):
    Image.fromarray(picture()).save(tmp_path / "waves.png")
    shown = benches.restore.Picture("waves", "waves.png", 0, 0, shown="noise 25")
    monkeypatch.setattr(benches.restore, "PICTURES", (shown,))
    monkeypatch.setattr(benches.restore, "SIZE", 48)
    monkeypatch.setattr(benches.restore, "PART", (0, 0, 24))
    monkeypatch.setattr(benches.restore, "DAMAGES", ("noise 25", "jpeg 10"))
    result = run(tmp_path, "restore", "--bpp", "2")
    assert result.exit_code == 0, result.output
    noise, jpeg, *means = rows_of(tmp_path / "results" / "restore.csv")
    for row in (noise, jpeg):
        gain = float(row["restored_psnr"]) - float(row["damaged_psnr"])
        assert float(row["restored_gain"]) == pytest.approx(gain, abs=0.011) and float(row["bpp"]) <= 2
        assert float(row["blur_gain"]) >= 0  # no blur is one of them
    assert float(noise["restored_gain"]) > 3 and [m["restored_gain"] for m in means] == [
        noise["restored_gain"], jpeg["restored_gain"]]  # fmt: skip
    drawn = np.asarray(Image.open(tmp_path / "results" / "restore.png"))
    assert drawn.shape == (24 + 24 * 4, 3 * 24 * 4 + 12, 3)
    assert np.array_equal(drawn[24 : 24 + 96 : 4, :96:4], picture()[:24, :24])  # the clean one, first


def test_pictures_survive_being_kept():
    assert np.array_equal(benches.strips.from_text(benches.strips.to_text(picture())), picture())


@pytest.mark.parametrize("table", ["importance", "restore"])
def test_nothing_to_measure(tmp_path, table):
    result = run(tmp_path, table)
    assert result.exit_code == 1 and "holds none of" in result.output and "--data DIR" in result.output
