"""tools/bench.py disk: bytes by hand, what Basis is asked and how it is read back, the tables of a run.

A program that stands for basisu keeps the upper bits of each texel.
"""

import csv
import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gstex.compare.baselines import encode_baselines
from gstex.compare.codecs import CODECS
from gstex.compare.plans import make_plan
from gstex.errors import GstexError
from gstex.material import load_material

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import bench  # noqa: E402
import benches.disk  # noqa: E402
from benches.basis import SETTINGS, USUAL, Basisu, Setting, encode_plan  # noqa: E402
from benches.cases import small_cases  # noqa: E402

# A file of it is its width, height and number of channels, and what is kept of the texels; -q bits of each are.
FAKE = """#!{python}
import pathlib, sys, zlib
import numpy as np
from PIL import Image
words = sys.argv[1:]
after = lambda name: words[words.index(name) + 1]
if words == ["-version"]:
    sys.exit(print("Basis Universal System v9.8.7 (x64)"))
with open({log!r}, "a") as log:
    print(*words, file=log)
if "-broken" in words:
    sys.exit("first line\\nno such thing")
for path in [pathlib.Path(value) for name, value in zip(words, words[1:]) if name == "-file"]:
    start = pathlib.Path(after("-output_path")) / path.stem
    if "-unpack" in words:
        data = path.read_bytes()
        width, height, channels = data[:3]
        texels = np.frombuffer(zlib.decompress(data[3:]), np.uint8).reshape(height, width, channels)
        Image.fromarray(np.ascontiguousarray(texels[:, :, :3])).save(f"{{start}}_unpacked_rgb_X_0000.png")
        if channels == 4:
            opacity = np.repeat(texels[:, :, 3:], 3, axis=2)
            Image.fromarray(opacity).save(f"{{start}}_unpacked_a_X_0000.png")
            Image.fromarray(255 - texels).save(f"{{start}}_unpacked_rgba_X_0000.png")
    else:
        texels = np.asarray(Image.open(path))
        height, width, channels = texels.shape
        kept = texels & (0xFF00 >> int(after("-q")) & 0xFF)
        start.with_suffix(".ktx2").write_bytes(bytes([width, height, channels]) + zlib.compress(kept.tobytes(), 9))
"""


@pytest.fixture
def fake(tmp_path):
    """(path of the program, path of the list of what it was asked)."""
    path, log = tmp_path / "basisu", tmp_path / "log"
    path.write_text(FAKE.format(python=sys.executable, log=str(log)))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path, log


def bits(count, format="ETC1S"):
    return Setting(format, f"{count} bits", 7, ("-q", str(count)))


def material_of(folder, size=32):
    """Waves in colour, normals and three data maps."""
    folder.mkdir(parents=True)
    y, x = np.mgrid[0:size, 0:size]
    waves = np.stack([128 + 100 * np.sin(x / 3), 128 + 90 * np.cos(y / 4), np.where(x + y > size, 220, 30)], axis=2)
    Image.fromarray(waves.astype(np.uint8)).save(folder / "wall_albedo.png")
    normal = np.stack([128 + 40 * np.sin(x / 2), 128 + 40 * np.cos(y / 2), np.full_like(x, 230)], axis=2)
    Image.fromarray(normal.astype(np.uint8)).save(folder / "wall_normal.png")
    Image.fromarray(np.roll(waves, 7, axis=0).astype(np.uint8)).save(folder / "wall_orm.png")
    return folder


def test_bytes_by_hand():
    hulls = {"astc": [(100, 9.0), (200, 3.0)], "bc": [(300, 2.0), (400, 1.0)], "basis": [(50, 9.0), (70, 6.5)]}
    fit = {"bpp_asked": 1.0, "gstex_bytes": 75, "gstex_zstd": 70, "error": 6.0}
    row = benches.disk.at_rate(fit, hulls, counted=600.0)
    assert row["psnr"] == pytest.approx(20.0)
    assert (row["astc_zstd"], row["astc_ratio"]) == ("150", pytest.approx(2.0))
    assert (row["bc_zstd"], row["bc_ratio"]) == ("<=300", pytest.approx(4.0))  # the smallest is better than asked
    assert not {"basis", "basis_ratio", "basis_all", "basis_all_ratio"} & set(row)  # not reached; not there at all


def test_gstex_at_the_quality_of_etc1s():
    fits = [{"gstex_bytes": 400, "error": 0.01}, {"gstex_bytes": 100, "error": 1.0}]  # 40 and 20 dB of 100 values
    assert benches.disk.at_etc1s(fits, (300, 0.1), 100.0) == {
        "psnr": pytest.approx(30.0), "etc1s": 300, "gstex_bytes": "200", "etc1s_ratio": pytest.approx(1.5)
    }  # fmt: skip
    assert benches.disk.at_etc1s(fits, (300, 0.001), 100.0)["gstex_bytes"] == ">400"
    assert benches.disk.at_etc1s(fits, (300, 2.0), 100.0)["gstex_bytes"] == "<=100"


def test_means_are_of_what_is_there():
    rows = [{"bpp_asked": 1, "astc_ratio": 2.0}, {"bpp_asked": 1, "astc_ratio": 8.0, "bc_ratio": 3.0}, {"bpp_asked": 2}]
    means = benches.disk.with_means(rows)[3:]
    assert [(m["material"], m["bpp_asked"], m["astc_ratio"], m["bc_ratio"]) for m in means] == [
        ("geometric mean", 1, pytest.approx(4.0), pytest.approx(3.0)), ("geometric mean", 2, None, None)
    ]  # fmt: skip


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_come_back_channel_by_channel(fake, channels):
    random = np.random.default_rng(channels)
    images = [random.integers(0, 256, (*size, channels), np.uint8) for size in ((5, 7), (24, 16))]
    found = Basisu(fake[0]).encode(images, bits(8))
    for image, (_, decoded) in zip(images, found, strict=True):
        assert decoded.dtype == np.float32 and np.array_equal(decoded, image / np.float32(255))
    rough = Basisu(fake[0]).encode(images, bits(3))
    for image, (_, decoded) in zip(images, rough, strict=True):
        assert np.array_equal(np.rint(decoded * 255), image & 0xE0)
    assert rough[1][0] < found[1][0] and found[0][0] < found[1][0]


def test_every_image_is_taken_for_numbers(fake):
    path, log = fake
    Basisu(path).encode([np.zeros((4, 4, 3), np.uint8)], bits(8))
    encoded, unpacked = log.read_text().splitlines()
    assert "-linear" in encoded.split() and "-mipmap" not in encoded and "-unpack -format_only 7 " in unpacked
    assert all("-linear" not in setting.arguments for setting in SETTINGS)  # said once


def test_what_the_tool_says_is_told(fake, tmp_path):
    tool = Basisu(fake[0])
    assert tool.version == "9.8.7"
    with pytest.raises(GstexError, match="ended with code 1: no such thing"):
        tool.encode([np.zeros((4, 4, 3), np.uint8)], Setting("ETC1S", "broken", 1, ("-broken",)))
    with pytest.raises(GstexError, match="cannot be run"):
        Basisu(tmp_path / "missing")
    other = tmp_path / "other"
    other.write_text(f"#!{sys.executable}\nprint('hello')\n")
    other.chmod(0o755)
    with pytest.raises(GstexError, match="does not say its version"):
        Basisu(other)


def test_options_are_the_bytes_and_errors_of_every_size(fake, tmp_path):
    material = load_material(material_of(tmp_path / "wall"))
    plan = make_plan(material)
    found = encode_plan(Basisu(fake[0]), plan, material, (bits(8), bits(4), bits(6)))
    names = {image.name for group in plan for way in group for image in way}
    assert set(found) == names
    ways = [(option, *option.choice["albedo"]) for option in found["albedo"]]
    albedo = {(setting.name, scale): option for option, setting, scale in ways}
    assert set(albedo) == {(f"{count} bits", scale) for count in (8, 4, 6) for scale in (1, 2, 4)}
    assert albedo["8 bits", 1].error == 0
    texels = np.rint(material.pixels[:, :, :3].astype(np.float64) * 255).astype(int)
    by_hand = ((texels & 0x0F) / 255) ** 2
    assert albedo["4 bits", 1].error == pytest.approx(by_hand.sum(), rel=1e-5)
    assert albedo["4 bits", 1].bytes < albedo["8 bits", 1].bytes
    assert albedo["8 bits", 2].bytes < albedo["8 bits", 1].bytes and albedo["8 bits", 2].error > 0


def test_small_cases_are_quick_crops_and_the_centres_of_others(tmp_path):
    for name in ("moss", "wall"):
        material_of(tmp_path / name, 280)
    (tmp_path / "images").mkdir()
    quick, other = small_cases(tmp_path)
    assert (quick.name, quick.part, other.name) == ("moss", "quick", "wall")
    cut, whole = other.load(), load_material(tmp_path / "wall")
    assert (cut.width, cut.height) == (256, 256) and np.array_equal(cut.pixels, whole.pixels[12:268, 12:268])


def test_block_codecs_are_counted_as_zstd_packs_them(tmp_path):
    material = load_material(material_of(tmp_path / "wall"))
    codecs = [CODECS["bc4"], CODECS["bc5"], CODECS["bc7"]]
    packed = encode_baselines(material, codecs, on_disk=True, processes=1).hulls["bc"]
    for corner in packed:
        assert corner.bytes == sum(len(stored.zipped) for stored in corner.choice.values())
    plain = encode_baselines(material, codecs, processes=1).hulls["bc"]
    assert packed[-1].bytes < plain[-1].bytes and packed[-1].error == plain[-1].error


@pytest.fixture(autouse=True)
def few_codecs(monkeypatch, tmp_path):
    some = [CODECS[name] for name in ("bc4", "bc5", "bc7", "astc-4x4", "astc-8x8")]
    monkeypatch.setattr(benches.disk, "choose_codecs", lambda names: (some, []))
    monkeypatch.setenv("GSTEX_CACHE", str(tmp_path / "cache"))


def run(tmp_path, *words):
    command = ["disk", "--data", str(tmp_path / "data"), "--results", str(tmp_path / "results"), *words]
    return CliRunner().invoke(bench.bench, command)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_tables_of_a_run(fake, tmp_path, monkeypatch):
    material_of(tmp_path / "data" / "wall")
    usual = Setting("ETC1S", USUAL.name, 1, ("-q", "2"))
    monkeypatch.setattr(benches.disk, "SETTINGS", (usual, bits(8), bits(5, "XUASTC")))
    monkeypatch.setattr(benches.disk, "USUAL", usual)
    result = run(tmp_path, "--basisu", str(fake[0]), "--bpp", "0.01,3,6", "--effort", "draft")
    assert result.exit_code == 0, result.output
    low, high, *means = rows_of(tmp_path / "results" / "disk.csv")  # 1 byte holds no Gaussian
    assert [low["bpp_asked"], high["bpp_asked"]] == ["3", "6"] and float(low["psnr"]) < float(high["psnr"])
    for row in (low, high):
        for column, family in benches.disk.RIVALS.items():
            ratio = float(row[column].removeprefix("<=")) / int(row["gstex_bytes"])
            assert float(row[f"{family}_ratio"]) == pytest.approx(ratio, abs=0.006), family
        assert float(row["basis_all_ratio"]) <= float(row["basis_ratio"])
    assert int(high["basis_all"]) < int(high["basis"]), (low, high)  # what it has more is of use
    assert [row["material"] for row in means] == ["geometric mean"] * 2
    (etc1s, mean) = rows_of(tmp_path / "results" / "disk-etc1s.csv")
    assert etc1s["material"] == "wall" and mean["etc1s_ratio"] == etc1s["etc1s_ratio"]
    material = load_material(tmp_path / "data" / "wall")
    packed = [image for group in make_plan(material) for image in group[0]]
    texels = [np.rint(material.pixels[:, :, image.channels] * 255).astype(np.uint8) for image in packed]
    assert int(etc1s["etc1s"]) == sum(size for size, _ in Basisu(fake[0]).encode(texels, usual))
    about = json.loads((tmp_path / "results" / "disk.json").read_text())
    assert about["command"] == "python tools/bench.py disk --bpp 0.01,3,6 --effort draft" and about["basisu"] == "9.8.7"
    asked = len(fake[1].read_text().splitlines())
    again = run(tmp_path, "--basisu", str(fake[0]), "--bpp", "0.01,3,6", "--effort", "draft")
    assert again.exit_code == 0 and "gstex at" not in again.output
    assert len(fake[1].read_text().splitlines()) == asked


def test_without_basisu_its_columns_are_left_out_if_asked(tmp_path, monkeypatch):
    material_of(tmp_path / "data" / "wall", 16)
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run(tmp_path, "--bpp", "8", "--effort", "draft")
    assert result.exit_code == 1 and "no basisu on PATH; give one with --basisu PATH" in result.output
    result = run(tmp_path, "--bpp", "8", "--effort", "draft", "--no-basis")
    assert result.exit_code == 0, result.output
    row, _ = rows_of(tmp_path / "results" / "disk.csv")
    assert row["basis"] == row["basis_all"] == row["basis_ratio"] == "" and row["astc_zstd"]
    assert not (tmp_path / "results" / "disk-etc1s.csv").exists()


def test_a_tool_that_is_missing_is_told(tmp_path):
    material_of(tmp_path / "data" / "wall", 16)
    result = run(tmp_path, "--basisu", str(tmp_path / os.devnull.strip("/")))
    assert result.exit_code == 1 and "cannot be run" in result.output
