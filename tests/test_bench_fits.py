"""tools/bench.py fits: the files it writes, and what compare --fits takes from them and refuses."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import gstex

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import bench  # noqa: E402
import benches.compare  # noqa: E402
import benches.fits  # noqa: E402
from benches.store import Store  # noqa: E402

RATES = (2.0, 4.0)
SETTINGS = {"mode": None, "effort": "fast", "sampling": "auto", "seed": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two materials of 64x64 texels."""
    folder = tmp_path_factory.mktemp("data")
    y, x = np.mgrid[:64, :64] / 64
    for number, name in enumerate(("plates", "waves")):
        (folder / name).mkdir()
        picture = np.stack([x, y, 0.5 + 0.5 * np.sin(9 * x * y + number)], axis=2)
        Image.fromarray((255 * picture).astype(np.uint8)).save(folder / name / f"{name}_albedo.png")
    return folder


def run(*arguments: object):
    return CliRunner().invoke(bench.bench, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `fits` makes of the materials at two rates, and at one that is too low."""
    out = tmp_path_factory.mktemp("out") / "fits"
    result = run("fits", "--effort", "fast", "--device", "cpu", "--bpp", "0.01,2,4", "--jobs", 2, "--data", data,
                 "--out", out)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "4 files written, 2 rates too low for a material, 0 not begun" in result.output
    assert "plates@0.01.gstex: 0.01 bits per texel do not hold" in result.output
    return out


def test_a_file_for_every_material_and_rate(folder: Path) -> None:
    names = {f"{name}@{rate:g}.gstex" for name in ("plates", "waves") for rate in RATES}
    assert {path.name for path in folder.iterdir()} == {*names, "fits.json"}
    for name in names:
        texture = gstex.load(folder / name)
        assert texture.mip_count > 1 and texture.width == 64
    low, high = (gstex.load(folder / f"waves@{rate:g}.gstex").words.nbytes for rate in RATES)
    assert 1.6 * low < high < 2 * low
    about = json.loads((folder / "fits.json").read_text())
    assert about["devices"] == ["cpu"] and about["settings"] == SETTINGS


def test_files_that_are_there_stay(folder: Path, data: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    arguments = ("fits", "--effort", "fast", "--bpp", "2,4", "--data", data, "--out")
    assert "0 files written, 0 rates too low for a material, 0 not begun" in run(*arguments, folder).output
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    late = run(*arguments, tmp_path / "late", "--seconds", 1e-9)
    assert "0 files written, 0 rates too low for a material, 4 not begun" in late.output


def test_compare_measures_the_files(folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benches.compare.gstex, "compress", None)  # nothing is fitted
    monkeypatch.setattr(benches.compare, "baseline_row", lambda *_: {"hulls": {}, "usual": {}})
    (case,) = benches.compare.choose_cases(data, None, ["waves"])
    fitted = benches.fits.Fitted(folder, SETTINGS)
    measured = benches.compare.Measured(
        case.load(), Store(tmp_path / "store"), {"effort": "fast"}, ["astc"], False, "", case.name, fitted)
    dots = [measured.fit(step) for step in (2, 4)]
    assert [dot.chain for dot in dots] == [
        gstex.load(folder / f"waves@{rate:g}.gstex").words.nbytes for rate in RATES]  # fmt: skip
    assert dots[0].qualities["psnr"] < dots[1].qualities["psnr"]
    with pytest.raises(TypeError, match="NoneType"):
        measured.fit(0)  # of which there is no file
    assert fitted.describe().startswith("on cpu with bench.py fits, gstex ")


def test_files_of_other_settings_or_code_are_refused(folder: Path, data: Path, tmp_path: Path) -> None:
    def refused(fits: Path, *more: str) -> str:
        arguments = ("compare", "--fits", fits, "--data", data, "--results", tmp_path / "results", *more)
        result = run(*arguments)
        assert result.exit_code == 1
        return result.output

    assert "'effort': 'fast', 'sampling': 'auto', 'seed': 0}, expected" in refused(folder, "--effort", "normal")
    assert "'sampling': 'bilinear'" in refused(folder, "--effort", "fast", "--sampling", "bilinear")
    (tmp_path / "empty").mkdir()
    assert "empty: holds no fits.json of 'bench.py fits'; make one first" in refused(tmp_path / "empty")
    about = json.loads((folder / "fits.json").read_text())
    (tmp_path / "empty" / "fits.json").write_text(json.dumps({**about, "code": "0"}))
    assert "fitted by other code" in refused(tmp_path / "empty", "--effort", "fast")
    assert "fitted by other code" in run(
        "fits", "--effort", "fast", "--data", data, "--out", tmp_path / "empty").output  # fmt: skip
