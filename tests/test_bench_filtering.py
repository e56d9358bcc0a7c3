"""tools/bench.py filtering: the geometry of its views, their truth, and the tables it writes."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from random_material import make_layout, make_material

import gstex
from gstex.decode import sample_at
from gstex.format import pack
from gstex.material import load_material
from gstex.srgb import linear_to_srgb, srgb_to_linear
from gstex.texture import Texture

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import bench  # noqa: E402
import benches.filtering  # noqa: E402
from benches.filtering_views import VIEWS, View, make_view, supersample  # noqa: E402


def tile(folder: Path, albedo: np.ndarray, normal: np.ndarray, roughness: np.ndarray) -> Path:
    """A folder of maps, uint8 [H, W, ...]."""
    folder.mkdir(parents=True)
    for name, pixels in (("albedo", albedo), ("normal", normal), ("roughness", roughness)):
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"tile_{name}.png")
    return folder


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    return tile(tmp_path / "data" / "tile", rng.integers(0, 256, (16, 24, 3)), rng.integers(90, 160, (16, 24, 3)),
                rng.integers(0, 256, (16, 24)))  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
def test_steps_are_the_derivatives_of_the_texels(name: str, noise: Path) -> None:
    view = make_view(name, 40, 30, load_material(noise))
    points = view.pixels()
    for axis in (0, 1):
        small = np.eye(2)[axis] * 1e-5
        change = (view.texels(points + small) - view.texels(points - small)) / 2e-5
        np.testing.assert_allclose(view.steps(points)[:, axis], change, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(view.texels(np.array([[20.0, 15.0]])), [[12, 8]], atol=1e-9)


def test_what_the_views_show(noise: Path) -> None:
    middle = np.array([[20.0, 15.0]])
    of = {name: make_view(name, 40, 30, load_material(noise)).steps(middle)[0] for name in VIEWS}
    np.testing.assert_allclose(of["minified"], [[3.3, 0], [0, 3.3]])
    np.testing.assert_allclose(np.linalg.svd(of["rotated"])[1], [2, 2])
    assert np.degrees(np.arctan2(of["rotated"][0, 1], of["rotated"][0, 0])) == pytest.approx(30)
    np.testing.assert_allclose(of["grazing"], [[1.5, 0], [0, 1.5 / np.cos(np.deg2rad(80))]], atol=1e-9)


def test_the_truth_averages_light_data_and_directions(tmp_path: Path) -> None:
    """Stripes two texels wide under pixels of 4 x 4 texels; half of each pixel is the ramp between two stripes."""
    stripes = np.arange(16) // 2 % 2 * np.ones((16, 1), int)
    albedo, roughness = stripes[:, :, None] * [128, 255, 0], stripes * 200
    normal = np.where(stripes[:, :, None], [218, 128, 218], [128, 128, 255])  # 45 degrees to the right, and up
    material = load_material(tile(tmp_path / "stripes", albedo, normal, roughness))
    view = View("4 to 1", 4, 4, np.diag([4.0, 4.0, 1.0]))
    truth = supersample(material, view).reshape(4, 4, -1)
    by_role = {c.role + c.component: truth[:, :, i] for i, c in enumerate(material.channels)}
    np.testing.assert_allclose(by_role["albedor"], linear_to_srgb(srgb_to_linear(np.array(128 / 255)) / 2), atol=1e-6)
    np.testing.assert_allclose(by_role["roughnessv"], 100 / 255, atol=1e-6)
    # x has the mean 0.354, z on the ramps the mean 0.909: the integral of sqrt(1 - x^2) over 0 .. 0.707 by 0.707.
    x, z = 0.3536, (1 + 0.7071) / 4 + 0.9089 / 2
    np.testing.assert_allclose(by_role["normalx"] * 2 - 1, x / np.hypot(x, z), atol=4e-3)
    np.testing.assert_allclose(by_role["normaly"] * 2 - 1, 0, atol=6e-3)


def test_pictures_are_filtered_in_linear_light() -> None:
    mips = [np.array([[[0.0, 0.0], [1.0, 1.0]]], np.float32), np.array([[[0.5, 0.5]]], np.float32)]
    levels = benches.filtering.light_levels(mips, np.array([True, False]))
    assert (levels.width, levels.height, levels.channels, levels.last) == (2, 1, 2, 1)
    value = sample_at(levels, np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(value, [[0.5, 0.5]], atol=1e-6)  # light: half of it in both
    value = sample_at(levels, np.array([[0.5, 0.5]]), lod=np.array([1.0]))
    np.testing.assert_allclose(value, [[0.214, 0.5]], atol=1e-3)


def test_tables_and_pictures(noise: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("etcpak")
    asked = []

    def compress(material, **options):
        asked.append(options)
        levels = [(make_layout(stride=96), 30)]
        codes = make_material(np.random.default_rng(2), width=24, height=16, channel_bits=(6,) * len(material.channels),
                              mips=[levels, levels])  # fmt: skip
        return Texture(pack(codes), {"material": material.to_metadata()})

    monkeypatch.setattr(gstex, "compress", compress)
    monkeypatch.setattr(benches.filtering, "WIDTH", 20)
    monkeypatch.setattr(benches.filtering, "HEIGHT", 14)
    rng = np.random.default_rng(3)
    colors = rng.integers(0, 256, (2, 8, 8, 3))
    cut = tile(noise.parent / "cut", *colors, rng.integers(0, 256, (8, 8)))
    Image.fromarray(colors[0, :, :, 1].astype(np.uint8)).save(cut / "tile_opacity.png")
    arguments = ["filtering", "--data", str(noise.parent), "--results", str(tmp_path / "out"), "--bpp", "1,3",
                 "--material", "tile", "--material", "cut"]  # fmt: skip
    result = CliRunner().invoke(bench.bench, arguments)
    assert result.exit_code == 0, result.output
    assert "cut is left out: what a pixel that is partly transparent" in result.output
    assert asked == [{"bpp": rate, "effort": "normal", "sampling": "direct", "wrap": "repeat"} for rate in (1, 3)]

    with (tmp_path / "out" / "filtering.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["view"] for r in rows] == [name for name in VIEWS for _ in range(10)]
    assert [r["contender"] for r in rows[:10]] == [
        "uncompressed, 1 tap", "uncompressed, 8 taps", "uncompressed, 16 taps",
        "BC7, 16 taps", "BC1, 16 taps", "ASTC 12x12, 16 taps",
        "gstex 1 bpp direct, 8 taps", "gstex 1 bpp bilinear, 8 taps",
        "gstex 3 bpp direct, 8 taps", "gstex 3 bpp bilinear, 8 taps",
    ]  # fmt: skip
    for row in rows:
        if row["psnr_level0"]:
            level0, psnr, codec = (float(row[k]) for k in ("psnr_level0", "psnr", "psnr_codec"))
            assert float(row["loss"]) == pytest.approx(level0 - psnr, abs=0.011)
            assert float(row["gain_codec"]) == pytest.approx(codec - level0, abs=0.011)
    by_name = {(r["view"], r["contender"]): float(r["psnr"]) for r in rows}
    assert by_name["grazing", "uncompressed, 16 taps"] > by_name["grazing", "uncompressed, 1 tap"] + 3
    assert "--bpp 1,3" in json.loads((tmp_path / "out" / "filtering.json").read_text())["command"]
    for name in VIEWS:
        assert Image.open(tmp_path / "out" / f"filtering-{name}.png").mode == "RGB"


def test_all_samples_are_drawn_if_none_is_named(tmp_path):
    cases = benches.filtering._choose_cases(tmp_path / "no data", ())
    assert [case.name for case in cases] == sorted({path.parent.name for path in (ROOT / "samples").glob("*/*.png")})
    assert len(cases) == 5
