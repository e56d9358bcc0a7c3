"""tools/bench.py compare: its arithmetic by hand, its search, its tables and plots. Needs no real materials."""

import csv
import math
import sys
import xml.dom.minidom
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gstex.compare.codecs import CODECS, choose_codecs
from gstex.compare.stored import Stored

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import bench  # noqa: E402
import benches.compare  # noqa: E402
import benches.image_gs  # noqa: E402
from benches.plot import plot  # noqa: E402
from benches.ratios import CRITERIA, Dot, Needed, geometric_mean, lead, needed, worst_map  # noqa: E402


def curve(*pairs, criterion="psnr"):
    return [Dot(size, {criterion: quality}, {"albedo": quality + 1, "ao": quality - 1}) for size, quality in pairs]


def test_between_dots_bytes_grow_evenly():
    found = needed(curve((100, 30.0), (400, 36.0)), "psnr", 33.0)
    assert found.bytes == pytest.approx(200) and found.bound is None
    assert found.maps == pytest.approx({"albedo": 34.0, "ao": 32.0})
    assert needed(curve((100, 30.0), (400, 36.0)), "psnr", 36.0).bytes == pytest.approx(400)


def test_a_larger_dot_that_is_no_better_does_not_count():
    dots = curve((100, 30.0), (200, 29.0), (300, 30.0), (400, 32.0), (800, 34.0))
    assert needed(dots, "psnr", 31.0, is_choice=True).bytes == pytest.approx(200)
    assert needed(dots, "psnr", 33.0) == needed(dots, "psnr", 33.0, is_choice=True)


def test_fits_are_not_interpolated_across_one_that_does_not_count():
    """200 bytes have 29 dB, so 31 dB are sure at 400 bytes alone, though 100 bytes have 30 dB and 400 have 32."""
    dots = curve((100, 30.0), (200, 29.0), (400, 32.0), (800, 34.0))
    assert needed(dots, "psnr", 31.0) == Needed(400, dots[2].maps)
    assert needed(dots, "psnr", 33.0).bytes == pytest.approx(400 * 2**0.5)
    twice = curve((100, 30.0), (100, 30.0), (400, 36.0))  # two budgets end as the same grid
    assert needed(twice, "psnr", 33.0).bytes == pytest.approx(200)


def test_bytes_with_mips_follow_those_without():
    dots = [replace(dot, chain=1.25 * dot.bytes) for dot in curve((100, 30.0), (400, 36.0))]
    assert [needed(dots, "psnr", target).chain for target in (29.0, 33.0, 99.0)] == pytest.approx([125, 250, 500])


def test_mips_of_block_codecs_are_whole_blocks():
    """A 16x8 image as ASTC 6x6: 3x2 blocks, then 2x1 of 8x4 texels and one each of 4x2, 2x1 and 1x1."""
    image = Stored("albedo", (0, 1, 2), "astc-6x6", 1, height=8, width=16, zipped=b"")
    assert benches.compare.chain_bytes([image, image]) == 2 * 16 * (6 + 2 + 1 + 1 + 1)


def test_ends_of_a_curve_are_bounds():
    dots = curve((100, 30.0), (400, 36.0))
    assert needed(dots, "psnr", 30.0) == Needed(100, dots[0].maps, "most")
    assert needed(dots, "psnr", 36.5) == Needed(400, dots[1].maps, "least")
    with pytest.raises(ValueError, match="shaded"):
        needed(dots, "shaded", 30.0)


def test_dots_without_the_criterion_are_passed_over():
    dots = [*curve((100, 30.0)), *curve((200, 40.0), criterion="angle"), *curve((400, 36.0))]
    assert needed(dots, "psnr", 33.0).bytes == pytest.approx(200)


def test_criteria_in_decibels():
    quality = {"psnr": None, "shaded_psnr": 31.0, "normal_angle_mean": 0.5}
    assert CRITERIA["psnr"](quality) == 99.0 and CRITERIA["shaded"](quality) == 31.0
    assert CRITERIA["angle"](quality) == pytest.approx(20 * math.log10(2))


def test_the_worst_map_decides_whether_a_ratio_counts():
    theirs = {"albedo": 30.0, "ao": 40.0}
    assert worst_map({"albedo": 29.0, "ao": 38.0}, theirs) == ("ao", 2.0, True)
    assert worst_map({"albedo": 27.9, "ao": 44.0}, theirs) == ("albedo", pytest.approx(2.1), False)
    assert worst_map({"albedo": 31.0, "ao": 44.0}, theirs)[1:] == (-1.0, True)
    # What is lost below the rounding to 8 bits is lost on nobody.
    assert worst_map({"albedo": 57.9}, {"albedo": 99.0}) == ("albedo", pytest.approx(1.0), True)


def test_bytes_at_which_no_map_is_too_far_below():
    """ao is a dB below the whole, and theirs 4 above: 33 dB of both together take 36 dB, which a dot has exactly."""
    dots, theirs = curve((100, 30.0), (400, 36.0), (900, 40.0)), {"albedo": 30.0, "ao": 37.0}
    assert needed(dots, "psnr", 33.0, theirs).bytes == pytest.approx(400)
    assert needed(dots, "psnr", 36.5, theirs) == needed(dots, "psnr", 36.5)
    assert needed(dots, "psnr", 33.0, {"albedo": 60.0, "ao": 0.0}) == Needed(900, dots[2].maps, "least")
    assert lead(dots[0], "psnr", 33.0, theirs) == -6.0 and lead(dots[2], "psnr", 33.0, theirs) == 4.0
    assert lead(dots[0], "shaded", 33.0) == -math.inf


def test_geometric_mean():
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0) and geometric_mean([]) is None


class Line:
    """A material whose gstex curve is a straight line: 6 dB for each doubling, 30 dB at 1 bit per texel."""

    texels = 8000
    chain = 0.0  # bytes with mips by those without, where that is known

    def __init__(self, smallest=-6):
        self.asked, self.smallest, self.dots, self.others = [], smallest, {}, []
        self.usual = {"ASTC 12x12": Dot(4000, {"psnr": 35.0}, {"ao": 35.0})}
        # The best mix has 35 dB at 3000 bytes.
        self.hulls = {"astc": [Dot(1500, {"psnr": 29.0}, {"ao": 29.0}), Dot(3000, {"psnr": 35.0}, {"ao": 35.0})]}

    def fit(self, step):
        if step not in self.asked:
            self.asked.append(step)
        if step < self.smallest:
            return None
        size, quality = 1000 * 2 ** (step / 2), 30.0 + 3 * step
        self.dots[step] = Dot(size, {"psnr": quality}, {"ao": quality}, self.chain * size, 20.0 + step)
        return self.dots[step]

    @property
    def fits(self):
        return [self.dots[step] for step in sorted(self.dots)]


def test_the_search_brackets_the_target():
    line = Line()
    row = benches.compare.compare_material(line)[0]
    # 35 dB is 5/6 of a doubling over 1000 bytes: 1782 bytes; from a guess of 750 bytes, step -1.
    assert line.asked == [-1, 2, 1] and row["gstex_bpp"] == "1.782" and row["astc_bpp"] == "3.000"
    assert row["astc_ratio"] == pytest.approx(3000 / (1000 * 2 ** (5 / 6))) and row["counted"] == "yes"
    assert row["astc_usual_bpp"] == 4.0 and row["worst_map"] == "ao"
    assert row["candidates_mean"] == pytest.approx(20 + 5 / 3)  # between the rates, along the line of dB


def test_the_search_goes_on_until_no_map_is_too_far_below():
    """A map of the mix that has 41 dB is reached, within two, at 39 dB: three halves of a doubling over 1000 bytes."""
    line = Line()
    assert benches.compare.compare_material(line)[0]["gstex_bpp_within"] == "1.782"
    line = Line()
    line.hulls = {"astc": [replace(dot, maps={"ao": dot.maps["ao"] + 6}) for dot in line.hulls["astc"]]}
    line.usual["ASTC 12x12"] = replace(line.usual["ASTC 12x12"], bytes=8000)
    row = benches.compare.compare_material(line)[0]
    assert row["counted"] == "no" and row["gstex_bpp"] == "1.782" and line.asked == [-1, 2, 1, 3]
    assert row["gstex_bpp_within"] == "2.828" and row["astc_ratio_within"] == pytest.approx(3 / 2**1.5)


def test_the_ratio_with_mips():
    line = Line()
    assert "astc_ratio_mips" not in benches.compare.compare_material(line)[0]
    line = Line()
    line.chain = 1.1
    line.hulls = {"astc": [replace(dot, chain=4 / 3 * dot.bytes) for dot in line.hulls["astc"]]}
    row = benches.compare.compare_material(line)[0]
    assert row["astc_ratio_mips"] == pytest.approx(row["astc_ratio"] * 4 / 3 / 1.1)


@pytest.mark.parametrize(
    "quality, smallest, asked, expected",
    [
        (45.0, -6, [-1, 3, 5, 4], "5.657"),  # lacks 18 dB: a jump of four steps, one of two, then back to the neighbour
        (99.0, -6, [-1, 3, 6, 5], ">8.000"),  # never
        (20.0, -6, [-3, -4, -1, -2], "0.315"),  # then up to 27 dB, where no map is more than 2 below the mix
        (20.0, -2, [-3, 1, 0, -1, -2], "<=0.500"),  # the budget holds no Gaussian below
    ],
)
def test_the_search_goes_as_far_as_it_must(quality, smallest, asked, expected):
    line = Line(smallest)
    line.usual = {"ASTC 6x6": Dot(8000, {"psnr": quality}, {"ao": quality})}
    assert benches.compare.compare_material(line)[0]["gstex_bpp"] == expected
    assert line.asked == asked


def test_summary():
    def row(ratio, counted, bpp="1.0"):
        return {"quality": "ASTC 8x8", "criterion": "psnr", "astc_ratio": ratio, "bc_ratio": 2 * ratio,
                "astc_ratio_mips": 1.2 * ratio, "counted": counted, "gstex_bpp": bpp,
                "candidates_mean": 10 * ratio,
                "astc_ratio_within": ratio if counted == "yes" else ratio / 50}  # fmt: skip

    rows = [row(4.0, "yes"), row(1.0, "yes", ">2.0"), row(100.0, "no")]
    assert benches.compare.summarise(rows) == [{
        "quality": "ASTC 8x8", "criterion": "psnr", "materials": 3, "counted": 2, "bounds": 1,
        "astc_ratio": pytest.approx(2.0), "astc_ratio_least": 1.0, "bc_ratio": pytest.approx(4.0),
        "astc_ratio_mips": pytest.approx(2.4), "astc_ratio_within": pytest.approx(2.0),
        "candidates_mean": pytest.approx(350.0),
    }]  # fmt: skip


def test_the_plot_is_a_picture():
    panels = {"moss & co": {"gstex": [(0.5, 30.0), (2.0, 35.0)], "ASTC, one block size": [(1.0, 31.0)]}}
    text = plot("a < b", panels)
    (x0, y0), (x1, y1) = drawn(text, "moss & co: gstex")
    assert x0 < x1 and y0 > y1
    [(x, y)] = drawn(text, "moss & co: ASTC, one block size")
    assert x == pytest.approx((x0 + x1) / 2) and y == pytest.approx(y0 + 0.2 * (y1 - y0))
    assert ">moss &amp; co<" in text and ">a &lt; b<" in text
    assert "Image-GS" not in text  # the legend names what is there
    assert text == plot("a < b", panels)


def drawn(text, series):
    """The points of a series of a plot, (x, y) in its units."""
    groups = xml.dom.minidom.parseString(text).getElementsByTagName("g")
    [group] = [g for g in groups if g.getAttribute("id") == series]
    return [tuple(float(mark.getAttribute(axis)) for axis in "xy") for mark in group.getElementsByTagName("use")]


def test_the_plot_has_the_point_of_image_gs():
    line = Line()
    line.others = [Dot(1100, {"psnr": 27.5}, {"ao": 27.5})]
    for step in (1, 2):
        line.fit(step)
    series = benches.compare.series_of(line, "psnr")
    assert series["Image-GS"] == [(1.1, 27.5)] and "Image-GS" not in benches.compare.series_of(line, "shaded")
    [point] = drawn(plot("one", {"moss": series}), "moss: Image-GS")
    assert min(point) > 0


def test_image_gs_is_compared_at_the_rate_of_a_quality():
    fits = {1: Dot(140, {"psnr": 31.0}, {}), -1: Dot(70, {"psnr": 29.0}, {}), 2: Dot(200, {"psnr": 33.0}, {})}
    assert [benches.image_gs.choose_rate(fits, target) for target in (20.0, 30.0, 31.0, 99.0)] == [-1, 1, 1, 2]
    assert benches.image_gs.choose_rate({}, 30.0) is None


def test_the_image_gs_row():
    ours = Dot(98, {"psnr": 31.0, "angle": 0.0}, {})
    theirs = Dot(96, {"psnr": 28.5, "angle": -20 * math.log10(2), "shaded": 20.0}, {})
    row = benches.image_gs.table_row(800, 1.0, ours, theirs, 200, 6)
    assert row == {
        "bpp_asked": 1.0, "gstex_bpp": 0.98, "image_gs_bpp": 0.96, "image_gs_bpp_lists": 2.0, "image_gs_gaussians": 6,
        "gstex_psnr": 31.0, "image_gs_psnr": 28.5, "psnr_gain": 2.5, "gstex_angle": 1.0,
        "image_gs_angle": pytest.approx(2.0), "angle_gain": pytest.approx(20 * math.log10(2)),
    }  # fmt: skip
    [*_, mean] = benches.image_gs.with_means([row, {**row, "psnr_gain": 0.5}])
    assert mean["material"] == "mean" and mean["psnr_gain"] == 1.5 and "shaded_gain" not in mean
    assert benches.image_gs.with_means([]) == []


@pytest.fixture
def data(tmp_path):
    """One material of 48x32 texels: albedo, normal and roughness."""
    rng = np.random.default_rng(5)
    for name, channels in (("albedo", 3), ("normal", 3), ("roughness", 1)):
        path = tmp_path / "data" / "brick" / f"brick_{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(60, 196, (4, 6, channels), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
        if name == "normal":
            slope = pixels[:, :, :2] / 127.5 - 1
            pixels[:, :, 2] = np.rint(np.sqrt(1 - (slope**2).sum(axis=2)) * 127.5 + 127.5)
        Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(path)
    return tmp_path / "data"


def run(data, *arguments):
    results = data.parent / "results"
    command = ["compare", "--data", str(data), "--results", str(results), *arguments]
    return CliRunner().invoke(bench.bench, command), results


def test_tables_of_a_real_run(data, monkeypatch, tmp_path):
    if len(choose_codecs(sorted({codec.family for codec in CODECS.values()}))[0]) < len(CODECS):
        pytest.skip("an encoder of the extra 'compare' is not installed")
    monkeypatch.setenv("GSTEX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(benches.compare, "QUALITIES", ("ASTC 12x12",))
    monkeypatch.setattr(benches.compare, "HIGHEST", 4)
    fits = []
    compress = benches.compare.gstex.compress
    monkeypatch.setattr(benches.compare.gstex, "compress", lambda *a, **k: fits.append(k["bpp"]) or compress(*a, **k))

    arguments = ("--effort", "fast", "--codecs", "bc1,astc-12x12", "--image-gs-steps", "20")
    result, results = run(data, *arguments)
    assert result.exit_code == 0, result.output
    with (results / "compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["quality"], row["criterion"]) for row in rows] == [
        ("ASTC 12x12", "psnr"), ("ASTC 12x12", "shaded"), ("ASTC 12x12", "angle")
    ]  # fmt: skip
    texels = 48 * 32
    assert all(float(row["astc_usual_bpp"]) == pytest.approx(8 * 3 * 4 * 3 * 16 / texels, abs=1e-4) for row in rows)
    assert float(rows[0]["astc_bpp"]) <= float(rows[0]["astc_usual_bpp"]) + 1e-4
    assert not any(row["astc_bpp"].startswith(">") for row in rows)  # the stack itself is one of the mixes, nearly
    assert {row["worst_map"] for row in rows} <= {"albedo", "normal", "roughness"}
    with (results / "compare-summary.csv").open(newline="") as file:
        assert [row["materials"] for row in csv.DictReader(file)] == ["1", "1", "1"]
    with (results / "compare-image-gs.csv").open(newline="") as file:
        brick, mean = csv.DictReader(file)
    assert brick["material"] == "brick" and mean["psnr_gain"] == brick["psnr_gain"] != ""
    size = float(brick["image_gs_bpp"]) * texels / 8
    assert size == pytest.approx(22 * int(brick["image_gs_gaussians"]), rel=1e-3)  # six channels
    assert float(brick["bpp_asked"]) - 22 * 8 / texels < float(brick["image_gs_bpp"]) <= float(brick["bpp_asked"])
    for name in ("compare-psnr.svg", "compare-shaded.svg"):
        xml.dom.minidom.parse(str(results / name))
        assert "Image-GS" in (results / name).read_text()

    count = len(fits)
    again, _ = run(data, *arguments)
    assert again.exit_code == 0 and len(fits) == count > 0  # all kept
    assert "gstex at" not in again.output and "Image-GS" not in again.output


def test_errors(data):
    result, results = run(data, "--material", "slate")
    assert result.exit_code == 2 and "'slate' is none of brick" in result.output
    result, _ = run(data, "--codecs", "dxt")
    assert result.exit_code == 1 and "expected some of bc1" in result.output
    assert not results.exists()
