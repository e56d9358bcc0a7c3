"""tools/bench.py images: the search for the best file within a budget, the table of a real run."""

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, features

from gstex import metrics

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import bench  # noqa: E402
import benches.images  # noqa: E402


def picture(width=96, height=64):
    """Waves and a hard edge, uint8 [H, W, 3]."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 100 * np.sin(x / 7), np.where(x + y > 80, 220, 30), 128 + 60 * np.cos((x - y) / 5)]
    return np.stack(planes, axis=2).astype(np.uint8)


def as_file(pixels, quality, subsampling):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling, optimize=True,
                                 progressive=True)  # fmt: skip
    return file.getvalue()


@pytest.mark.parametrize("at", [7, 22, 40, 61, 95])
def test_the_best_jpeg_within_a_budget(at):
    pixels = picture()
    sizes = {(s, q): as_file(pixels, q, s) for s in ("4:2:0", "4:4:4") for q in range(1, 96)}
    budget = len(sizes["4:4:4", at])
    fitting = {key: data for key, data in sizes.items() if len(data) <= budget}
    decoded = {key: np.asarray(Image.open(io.BytesIO(data))) for key, data in fitting.items()}
    best = max(metrics.psnr(image / 255, pixels / 255) for image in decoded.values())
    found = benches.images.best_coded(pixels, "JPEG", budget, (1,))
    assert found.bytes <= budget and found.psnr == pytest.approx(best, abs=0.3)
    assert found.how in {f"{s} q{q}" for s, q in fitting}
    subsampling, quality = found.how.split(" q")
    assert (subsampling, int(quality) + 1) not in fitting


def test_what_does_not_fit_is_stored_smaller():
    pixels = picture()
    budget = len(as_file(pixels, 1, "4:2:0")) - 1
    assert benches.images.best_coded(pixels, "JPEG", budget, (1,)) is None
    found = benches.images.best_coded(pixels, "JPEG", budget, (2, 4))
    assert found.how.startswith(("1/2 4:", "1/4 4:")) and found.bytes <= budget and found.psnr > 10


def test_noise_of_the_highest_quality_takes_more_than_a_byte_per_texel():
    noise = np.random.default_rng(0).integers(0, 256, (384, 384, 3), np.uint8)
    coded = benches.images.best_coded(noise, "JPEG", noise.size, (1,))
    assert coded is not None and coded.bytes > 384 * 384 and coded.how.endswith("q95")


def test_opacity_is_laid_over_white(tmp_path):
    Image.fromarray(np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8)).save(tmp_path / "a.png")
    assert benches.images.read_opaque(tmp_path / "a.png").tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_means_are_over_what_both_have():
    rows = [{"bpp_asked": 0.1, "jpeg_gain": 1.0}, {"bpp_asked": 0.1, "jpeg_gain": 4.0, "avif_gain": -2.0},
            {"bpp_asked": 0.1}, {"bpp_asked": 0.2}]  # fmt: skip
    assert benches.images.with_means(rows)[4:] == [
        {"image": "mean", "bpp_asked": 0.1, "jpeg_gain": 2.5, "avif_gain": -2.0}, {"image": "mean", "bpp_asked": 0.2}
    ]  # fmt: skip


def test_the_table_of_a_real_run(tmp_path, monkeypatch):
    (tmp_path / "data" / "images").mkdir(parents=True)
    Image.fromarray(picture()).save(tmp_path / "data" / "images" / "waves.png")
    fits = []
    compress = benches.images.gstex.compress
    monkeypatch.setattr(benches.images.gstex, "compress", lambda *a, **k: fits.append(k["bpp"]) or compress(*a, **k))
    fit_image_gs = benches.images.fit_image_gs
    monkeypatch.setattr(benches.images, "fit_image_gs", lambda m, b: fit_image_gs(m, b, steps=5))
    command = ["images", "--data", str(tmp_path / "data"), "--results", str(tmp_path / "results"),
               "--effort", "fast", "--bpp", "0.01,2", "--image-gs"]  # fmt: skip
    result = CliRunner().invoke(bench.bench, command)
    assert result.exit_code == 0, result.output
    with (tmp_path / "results" / "images.csv").open(newline="") as file:
        tiny, row, mean, _ = csv.DictReader(file)
    assert tiny["gstex_psnr"] == tiny["jpeg_psnr"] == tiny["image_gs_psnr"] == ""  # 7 bytes hold nothing
    assert 1.5 < float(row["gstex_bpp"]) <= 2 and float(row["gstex_file_bpp"]) > float(row["gstex_bpp"])
    for rival in ("jpeg", "jpeg_small", "image_gs", *(["avif"] if features.check("avif") else [])):
        gain = float(row["gstex_psnr"]) - float(row[f"{rival}_psnr"])
        assert float(row[f"{rival}_gain"]) == pytest.approx(gain, abs=0.011)
        assert rival == "image_gs" or 1 < float(row[f"{rival}_bpp"]) <= 2
    about = json.loads((tmp_path / "results" / "images.json").read_text())
    assert about["command"] == "python tools/bench.py images --effort fast --bpp 0.01,2 --image-gs"
    assert mean["image"] == "mean" and fits == [0.01, 2.0]
    again = CliRunner().invoke(bench.bench, command)
    assert again.exit_code == 0 and "at 2 bpp" not in again.output and fits == [0.01, 2.0]


def test_errors(tmp_path):
    result = CliRunner().invoke(bench.bench, ["images", "--data", str(tmp_path)])
    assert result.exit_code == 1 and "holds no folder 'images'" in result.output
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_text("no picture")
    result = CliRunner().invoke(bench.bench, ["images", "--data", str(tmp_path), "--results", str(tmp_path / "r")])
    assert result.exit_code == 1 and "a.png" in result.output and "--results" not in result.output
    result = CliRunner().invoke(bench.bench, ["images", "--data", str(tmp_path), "--material", "b"])
    assert result.exit_code == 2 and "'b' is none of a" in result.output
