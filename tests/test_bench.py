"""tools/bench.py: the tables it writes, what it keeps, when it computes again. Needs no real materials."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import gstex

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import bench  # noqa: E402
import benches.cases  # noqa: E402
import benches.run  # noqa: E402
import benches.store  # noqa: E402


def draw(path, rng, width, height, channels, noise=20):
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = rng.integers(20, 236, (height // 8 + 1, width // 8 + 1, channels))
    pixels = blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    pixels = (pixels + rng.integers(-noise, noise, pixels.shape)).astype(np.uint8)
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(path)


@pytest.fixture
def data(tmp_path):
    """Two materials and one single image, 24 to 40 texels wide."""
    rng = np.random.default_rng(5)
    draw(tmp_path / "data/brick/brick_albedo.png", rng, 40, 24, 3)
    draw(tmp_path / "data/brick/brick_roughness.png", rng, 40, 24, 1, noise=6)
    draw(tmp_path / "data/tile/tile_ao.png", rng, 32, 32, 1)
    draw(tmp_path / "data/images/a picture.png", rng, 24, 24, 3)
    return tmp_path / "data"


@pytest.fixture
def fake(monkeypatch):
    """Rows made up instead of fitted; returns the list of (material, settings) asked for."""
    calls = []

    def row(material, settings, progress):
        calls.append((material.name, settings))
        return {
            "width": material.width, "height": material.height, "channels": len(material.channels),
            "bpp_asked": settings["bpp"], "bpp": settings["bpp"] - 0.01, "gpu_bytes": 512, "file_bytes": 1000,
            "gaussians": 7, "psnr": 30.25, "psnr_sampled": None, "candidates_mean": 3.5, "candidates_max": 9,
            "seconds": 1.0, "psnr_all": 31.0, "psnr_albedo": 29.0,
        }  # fmt: skip

    monkeypatch.setattr(bench, "compute_row", row)
    monkeypatch.setattr(bench, "warm_up", lambda options: None)
    return calls


def run(data, *arguments):
    """Run `bench.py rd`; results go beside the data folder."""
    results = data.parent / "results"
    command = ["rd", "--data", str(data), "--results", str(results), *arguments]
    return CliRunner().invoke(bench.bench, command), results


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_markdown(path):
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_rows_of_real_fits(data):
    result, results = run(data, "--effort", "fast", "--bpp", "4", "--material", "brick", "--material", "tile")
    assert result.exit_code == 0, result.output
    rows = read_csv(results / "rd.csv")
    assert [row["material"] for row in rows] == ["brick", "tile"]
    brick = rows[0]
    assert (brick["width"], brick["height"], brick["channels"], brick["bpp_asked"]) == ("40", "24", "4", "4")
    # The rate is that of mip 0, the bytes are those of all mips and padded to pieces of 256.
    assert 3.8 < float(brick["bpp"]) <= 4
    first = float(brick["bpp"]) * 40 * 24 / 8
    assert first < int(brick["gpu_bytes"]) < first + 2 * 256
    assert int(brick["file_bytes"]) > int(brick["gpu_bytes"])
    assert int(brick["gaussians"]) > 0 and float(brick["seconds"]) > 0
    assert float(brick["candidates_mean"]) <= int(brick["candidates_max"])
    # albedo is three channels of four: the errors average to that of all
    by_map = [10 ** (-float(brick[f"psnr_{role}"]) / 10) for role in ("albedo", "roughness")]
    assert -10 * np.log10((3 * by_map[0] + by_map[1]) / 4) == pytest.approx(float(brick["psnr"]), abs=0.02)
    assert brick["psnr_albedo"] != brick["psnr_roughness"]
    assert brick["psnr_ao"] == "" and rows[1]["psnr_ao"] == rows[1]["psnr"]
    assert float(brick["psnr"]) > 15 and float(brick["psnr_sampled"]) > 15


def test_tables_agree(data, fake):
    _, results = run(data, "--bpp", "1,2.5")
    rows = read_csv(results / "rd.csv")
    assert rows == read_markdown(results / "rd.md")
    assert [row["material"] for row in rows] == ["brick", "brick", "tile", "tile", "a picture", "a picture"]
    assert rows[1] == {
        "material": "brick", "width": "40", "height": "24", "channels": "4", "bpp_asked": "2.5",
        "bpp": "2.4900", "gpu_bytes": "512", "file_bytes": "1000", "gaussians": "7", "psnr": "30.25",
        "psnr_sampled": "", "candidates_mean": "3.5", "candidates_max": "9", "seconds": "1.0",
        "psnr_albedo": "29.00",
    }  # fmt: skip


def test_header_says_how_the_table_was_made(data, fake):
    _, results = run(data, "--bpp", "1,2", "--loss", "perceptual", "--material", "a picture")
    about = json.loads((results / "rd.json").read_text())
    command = "python tools/bench.py rd --loss perceptual --bpp 1,2 --material 'a picture'"
    assert about["command"] == command
    assert about["settings"] == "effort normal, sampling direct, loss perceptual, seed 0"
    assert set(about) >= {"machine", "system", "python", "numpy", "gstex"}
    assert about["gstex"].startswith(gstex.__version__)
    markdown = (results / "rd.md").read_text()
    assert all(f"- {key}: {value}\n" in markdown for key, value in about.items() if key != "title")
    for path in results.iterdir():
        assert str(data.parent) not in path.read_text() and str(ROOT) not in path.read_text()


def test_finished_rows_are_not_computed_again(data, fake):
    first, results = run(data, "--bpp", "1,2")
    assert first.exit_code == 0 and len(fake) == 6
    tables = [(results / f"rd.{suffix}").read_text() for suffix in ("csv", "md")]
    again, _ = run(data, "--bpp", "1,2")
    assert again.exit_code == 0 and len(fake) == 6
    assert again.output.count("(kept)") == 6
    assert tables == [(results / f"rd.{suffix}").read_text() for suffix in ("csv", "md")]


@pytest.mark.parametrize(
    "change", [("--bpp", "2"), ("--effort", "fast"), ("--sampling", "bilinear"), ("--loss", "perceptual")]
)
def test_other_settings_are_computed(data, fake, change):
    run(data, "--bpp", "1")
    run(data, "--bpp", "1", *change)
    assert len(fake) == 6


def test_other_code_is_computed(data, fake, monkeypatch):
    run(data, "--bpp", "1")
    monkeypatch.setattr(bench, "code_version", lambda: "another")
    run(data, "--bpp", "1")
    assert len(fake) == 6


def test_other_pixels_or_channels_are_computed(data, fake):
    case = benches.cases.Case("brick", data / "brick", "whole")
    material = case.load()
    pixels = material.pixels.copy()
    pixels[3, 4, 1] += 0.25
    channels = (replace(material.channels[0], neutral=(0.5,)), *material.channels[1:])
    others = [replace(material, pixels=pixels), replace(material, channels=channels), material]
    keys = [benches.store.key_of(m, {"bpp": 1.0}, "code") for m in (material, *others)]
    assert len(set(keys)) == 3 and keys[0] == keys[3]


def test_a_stopped_run_goes_on(data, fake, monkeypatch):
    row = bench.compute_row

    def stop_at_third(*arguments):
        if len(fake) == 2:
            raise KeyboardInterrupt
        return row(*arguments)

    monkeypatch.setattr(bench, "compute_row", stop_at_third)
    stopped, results = run(data, "--bpp", "1,2")
    assert stopped.exit_code == 130 and "goes on from there" in stopped.output
    assert not (results / "rd.csv").exists()

    monkeypatch.setattr(bench, "compute_row", row)
    store = results / bench.STORE_NAME
    store.write_text(store.read_text() + '{"key": "cut o')  # killed in the middle of a line
    finished, _ = run(data, "--bpp", "1,2")
    assert finished.exit_code == 0 and len(fake) == 6
    assert len(read_csv(results / "rd.csv")) == 6
    run(data, "--bpp", "1,2")
    assert len(fake) == 6


def test_code_version_covers_what_compress_imports():
    """A module of the fit that is not hashed would let rows of older code pass for new ones."""
    script = "import sys, gstex.encode.compress; print(*(m for m in sys.modules if m.startswith('gstex.')))"
    command = [sys.executable, "-c", script]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    loaded = {name.split(".")[1] for name in printed.split()}
    hashed = {name.removesuffix(".py") for name in benches.store.SOURCES}
    assert loaded - hashed <= {"arrays", "containers", "errors", "json_types", "limits", "material", "version"}
    package = Path(gstex.__file__).parent
    assert all((package / name).exists() for name in benches.store.SOURCES)


def test_quick_compares_with_the_prototype(data, fake):
    rng = np.random.default_rng(6)
    draw(data / "moss/moss_albedo.png", rng, 300, 40, 3)
    draw(data / "moss/moss_orm.png", rng, 300, 40, 3)
    draw(data / "texture_rock/texture_rock_ao.png", rng, 20, 20, 1)
    result, results = run(data, "--quick", "--bpp", "1,4")
    assert result.exit_code == 0, result.output
    assert "left out, not in the data folder: trim_misc_1, flight_helmet_mat3" in result.output
    rows = read_csv(results / "rd-quick.csv")
    assert rows == read_markdown(results / "rd-quick.md")
    figures = [(r["material"], r["bpp_asked"], r["prototype"], r["difference"]) for r in rows]
    assert figures == [
        ("moss", "1", "57.10", "-26.10"), ("moss", "4", "", ""),
        ("texture_rock", "1", "18.60", "+12.40"), ("texture_rock", "4", "", ""),
    ]  # fmt: skip
    assert (rows[0]["width"], rows[0]["height"], rows[0]["channels"]) == ("256", "40", "4")
    assert fake[0][1] == {"effort": "thorough", "sampling": "bilinear", "loss": "l2", "seed": 0, "bpp": 1.0}


def test_psnr_all_counts_constant_channels(data):
    material = benches.cases.Case("brick", data / "brick", "whole").load()
    pixels = material.pixels.copy()
    pixels[:, :, 3] = 0.5
    flat = benches.cases.crop(replace(material, pixels=pixels), 0, 0, 24, 40)
    settings = {"bpp": 4.0, "effort": "fast", "sampling": "direct", "loss": "l2", "seed": 0}
    row = bench.compute_row(flat, settings)
    assert row["psnr_all"] == pytest.approx(row["psnr"] + 10 * np.log10(4 / 3), abs=0.0006)
    assert row["psnr"] == pytest.approx(row["psnr_albedo"])


@pytest.mark.parametrize(
    "part, size, start, length",
    [("quick", 2048, 888, 256), ("quick", 1024, 384, 256), ("quick", 666, 204, 256), ("quick", 90, 0, 90),
     ("centre", 2048, 768, 512), ("centre", 666, 77, 512), ("centre", 456, 0, 456)],
)  # fmt: skip
def test_parts(monkeypatch, part, size, start, length):
    ramp = np.arange(size, dtype=np.float32)[None, :, None] / 2048
    whole = benches.cases.load_material(ROOT / "samples/stylised_wood")
    whole = replace(whole, width=size, height=1, pixels=np.repeat(ramp, len(whole.channels), axis=2))
    monkeypatch.setattr(benches.cases, "load_material", lambda path, overrides: whole)
    cut = benches.cases.Case("any", Path("any"), part).load()
    assert (cut.width, cut.height, cut.wrap) == (length, 1, "clamp")
    assert cut.pixels[0, 0, 0] * 2048 == start and cut.pixels[0, -1, 0] * 2048 == start + length - 1


def test_a_crop_detects_constant_channels(data):
    material = benches.cases.Case("brick", data / "brick", "whole").load()
    pixels = material.pixels.copy()
    pixels[4:12, 8:20, 1] = 0.25
    cut = benches.cases.crop(replace(material, pixels=pixels), 4, 8, 8, 12)
    assert [c.constant for c in cut.channels] == [None, 0.25, None, None]
    assert cut.pixels.shape == (8, 12, 4)
    assert {(s.width, s.height) for s in cut.sources} == {(12, 8)}


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        ((), 1, "no such folder of materials; give one with --data DIR"),
        (("--bpp", "1,x"), 2, "got '1,x', expected numbers above 0 and up to 64"),
        (("--bpp", "0"), 2, "got '0', expected numbers above 0"),
    ],
)
def test_errors(tmp_path, arguments, code, message):
    result, results = run(tmp_path / "nowhere", *arguments)
    assert result.exit_code == code and message in result.output
    assert not results.exists()


def test_errors_name_what_is_there(data, fake):
    result, _ = run(data, "--material", "slate")
    assert result.exit_code == 2 and "'slate' is none of brick, tile, a picture" in result.output
    result, _ = run(data, "--quick")
    assert result.exit_code == 1 and "holds none of trim_misc_1, moss" in result.output
    (data / "broken").mkdir()
    (data / "broken" / "wall_albedo.png").write_bytes(b"no image")
    result, _ = run(data, "--material", "broken")
    assert result.exit_code == 1 and result.output.count("\n") == 1 and "wall_albedo.png" in result.output


@pytest.mark.parametrize("command", ["rd", "compare", "mips"])
def test_the_crops_are_asked_for_by_name(data, tmp_path, command):
    draw(data / "moss/moss_albedo.png", np.random.default_rng(6), 16, 16, 3)
    quick = () if command == "mips" else ("--quick",)
    arguments = [command, *quick, "--data", str(data), "--results", str(tmp_path / "results"), "--material", "brick"]
    result = CliRunner().invoke(bench.bench, arguments)
    assert result.exit_code == 2 and "'brick' is none of moss" in result.output


@pytest.mark.parametrize(
    "error, keeps, code, message",
    [
        (KeyboardInterrupt(), True, 130, "stopped; finished figures are kept, the same command goes on from there"),
        (KeyboardInterrupt(), False, 130, "stopped; nothing was kept"),
        (gstex.GstexError("what went wrong"), True, 1, "Error: what went wrong"),
        (OSError(28, "No space left on device"), True, 1, "Error: out: No space left on device; give another folder"),
    ],
)
def test_how_a_run_ends(error, keeps, code, message):
    @click.command()
    @click.pass_context
    def command(context):
        with benches.run.endings(context, Path("out"), keeps=keeps):
            raise error

    result = CliRunner().invoke(command)
    assert result.exit_code == code and message in result.output
