"""gstex compare: the numbers of its points, the check of the file, the advice, the command."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_samples import crop_sample

import gstex.compare
import gstex.report
from gstex import metrics
from gstex.compare import compare, measuring
from gstex.compare.advice import advise
from gstex.compare.baselines import usual_bytes
from gstex.compare.cache import Cache
from gstex.compare.codecs import CODECS, choose_codecs, decode, encode
from gstex.compare.hull import Option
from gstex.compare.match import check_match
from gstex.compare.result import Point
from gstex.compare.run import gpu_section
from gstex.compare.stored import Stored
from gstex.errors import MismatchError, UsageError
from gstex.material import Channel, Material, load_material
from gstex.texture import Texture

CODEC_NAMES = ["bc1", "bc7", "astc-6x6", "astc-12x12"]
if len(choose_codecs(sorted({codec.family for codec in CODECS.values()}))[0]) < len(CODECS):
    pytest.skip("an encoder of the extra 'compare' is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def cache(cache_folder):
    return Cache(cache_folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return crop_sample("vine_leaves", tmp_path_factory.mktemp("input") / "leaves", 36)


@pytest.fixture(scope="module")
def file(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "leaves.gstex"
    gstex.compress(folder, bpp=2.0, effort="fast").save(path)
    return path


@pytest.fixture(scope="module")
def material(folder, file):
    return replace(load_material(folder), wrap=gstex.load(file).wrap)


@pytest.fixture(scope="module")
def result(folder, file, cache):
    return compare(folder, file, codecs=CODEC_NAMES, cache=cache, processes=1)


def mse(point):
    return 10 ** (-point.quality["psnr"] / 10)


def test_the_file_is_a_point(result, file):
    texture = gstex.load(file)
    point = result.points[result.file]
    assert point.family == "gstex" and point.choice == {}
    assert point.bpp == pytest.approx(texture.report["bpp"]) and point.bytes == point.bpp * 36 * 36 / 8
    assert point.quality["psnr"] == pytest.approx(texture.report["psnr"], abs=0.0006)
    assert point.quality["psnr_sampled"] == pytest.approx(texture.report["psnr_sampled"], abs=0.0006)
    assert np.array_equal(result.pictures[result.file], texture.decode())


def test_a_usual_stack_is_what_the_codec_makes(result, material):
    """ASTC 12x12 of every image, encoded here once more."""
    point = next(p for p in result.points if p.label == "ASTC 12x12")
    assert list(point.choice) == ["albedo+opacity", "normal", "ao+roughness"]
    assert point.bytes == 3 * 3 * 3 * 16 == sum(row["bytes"] for row in point.choice.values())
    assert all(row["codec"] == "astc-12x12" and row["scale"] == 1 for row in point.choice.values())
    roles = [c.role for c in material.channels]
    codec, channels = CODECS["astc-12x12"], [roles.index("ao"), roles.index("roughness")]
    image = np.round(material.pixels[:, :, channels] * 255).astype(np.uint8)
    decoded = decode(codec, encode(codec, image), 36, 36, 2)
    for at, role in enumerate(("ao", "roughness")):
        expected = metrics.psnr(decoded[:, :, at], material.pixels[:, :, channels[at]])
        assert point.quality["psnr_by_map"][role] == pytest.approx(expected, abs=1e-9)


def test_bytes_of_the_usual_stacks_are_known_beforehand(result, material):
    expected = dict(usual_bytes(material, choose_codecs(CODEC_NAMES)[0]))
    assert list(expected) == ["BC1", "BC1 + BC5", "BC7 + BC5", "ASTC 6x6", "ASTC 12x12"]
    assert {p.label: p.bytes for p in result.points if p.label in expected} == expected


def test_pictures_are_what_was_measured(result, material):
    for number, picture in result.pictures.items():
        quality = metrics.measure_quality(picture, material, flip=False)
        assert quality.psnr == pytest.approx(result.points[number].quality["psnr"], abs=1e-9)
        assert not any("FLIP is measured" in note for note in result.points[number].quality["notes"])
    assert {result.points[i].label for i in result.pictures} >= {"ASTC 12x12", "ASTC 6x6", "BC1", "BC7 + BC5"}
    assert result.file in result.pictures and np.array_equal(result.original, material.pixels)


def test_hulls_lie_below_all_points(result):
    assert set(result.hulls) == {"gstex", "astc", "bc"}
    for family, numbers in result.hulls.items():
        points = [p for p in result.points if p.family == family]
        corners = [result.points[i] for i in numbers]
        sizes, errors = [c.bytes for c in corners], [mse(c) for c in corners]
        assert sizes == sorted(sizes) and errors == sorted(errors, reverse=True)
        for point in points:
            if sizes[0] <= point.bytes <= sizes[-1]:
                # Corners that make little difference were left out.
                assert mse(point) * 1.05 > np.interp(point.bytes, sizes, errors)


def test_the_best_mix_beats_the_usual_stack(result):
    usual = next(p for p in result.points if p.label == "ASTC 6x6")
    mixes = [p for p in result.points if p.family == "astc" and p.bytes <= usual.bytes]
    assert max(p.quality["psnr"] for p in mixes) >= usual.quality["psnr"]
    scales = {row["scale"] for p in result.points for row in p.choice.values()}
    assert scales == {1, 2, 4}


def test_points_are_sorted_and_json_holds_all(result):
    sizes = [p.bytes for p in result.points]
    assert sizes == sorted(sizes) and len({p.label for p in result.points}) == len(sizes)
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["points"][data["file"]]["label"] == result.points[result.file].label
    assert data["material"]["name"] == "leaves" and len(data["advice"]) >= 3
    assert data["file_sizes"]["mip_0_bytes"] == data["points"][data["file"]]["bytes"]


def test_mixes_are_called_by_what_they_are_and_the_shown_one_has_no_fewer_bytes(result):
    here = result.points[result.file]
    mixes = [p for p in result.points if " mix: " in p.label]
    assert {p.family for p in mixes} == {"astc", "bc"}
    for point in mixes:
        family, _, parts = point.label.partition(" mix: ")
        said = dict(part.split(" ", 1) for part in parts.split(", "))
        assert family.lower() == point.family and list(said) == list(point.choice)
        for image, row in point.choice.items():
            label = CODECS[row["codec"]].label.removeprefix("ASTC ")
            assert said[image] == label + (f" at 1/{row['scale']}" if row["scale"] > 1 else "")
    for family in ("astc", "bc"):
        corners = [i for i in result.hulls[family] if result.points[i].bytes >= here.bytes]
        assert not corners or corners[0] in result.pictures


def test_the_judgement_comes_first(result):
    assert result.advice[0].startswith(("Fine grain", "Detail of"))
    assert any(line.endswith(("judged by quick fits.", "to be estimated."))
               for line in result.advice)  # fmt: skip
    assert any(line.startswith("For this material at") for line in result.advice)


def test_stacks_are_measured_in_processes(file, material, monkeypatch):
    texture = gstex.load(file)
    stack = texture.decode()
    tasks = [measuring.Task(stack=stack, sampled=texture.sample(metrics.sample_points())),
             measuring.Task(stack=1 - stack)]  # fmt: skip
    monkeypatch.setattr(measuring, "SMALL_WORK", 0)
    found = dict(measuring.measure_qualities(tasks, material, processes=2))
    assert found[0] == metrics.measure_quality(stack, material, filter_sampled=texture.sample, flip=False)
    assert found[1] == metrics.measure_quality(1 - stack, material, flip=False)


def test_without_a_file_the_middle_rate_is_compared(folder, cache):
    result = compare(folder, codecs=["astc-12x12"], rates=[3.5, 2.0], effort="fast", cache=cache, processes=1)
    curve = [p for p in result.points if p.family == "gstex"]
    assert all(p.bpp <= rate for p, rate in zip(curve, (2.0, 3.5), strict=True)) and curve[0].bpp < curve[1].bpp
    assert result.points[result.file] is curve[1] and set(result.hulls) == {"gstex", "astc"}


def test_the_chain_is_not_counted(folder):
    whole, first = (gstex.compress(folder, bpp=2.0, effort="fast", mips=mips) for mips in (True, False))
    assert whole.mip_count > 1 and len(gpu_section(whole)) < 4 * len(whole.words)
    assert len(gpu_section(first)) == 4 * len(first.words)
    assert 8 * len(gpu_section(whole)) / 36**2 == pytest.approx(whole.report["bpp"])


def test_rates_and_codecs_out_of_range(folder):
    with pytest.raises(UsageError, match="rates: got 65, expected numbers above 0 and up to 64"):
        compare(folder, rates=[65.0])
    with pytest.raises(UsageError, match="codecs: got 'astc-7x7'"):
        compare(folder, codecs=["astc-7x7"])


# The check of the file.


def tampered(texture, **changes):
    """The texture with a changed description of its material."""
    return Texture(texture.words, {**texture.metadata, "material": {**texture.metadata["material"], **changes}})


def test_a_file_of_this_folder_passes(folder, file):
    check_match(gstex.load(file), load_material(folder), "leaves.gstex")


@pytest.mark.parametrize(
    "size, sample, message",
    [
        (36, "weathered_bricks", "vine_leaves_albedo.png is in the file alone"),
        (32, "vine_leaves", "vine_leaves_albedo.png is 32x32, 4 channels of 8-bit here, 36x36, 4 channels of 8-bit in"),
    ],
)
def test_a_file_of_another_folder(file, tmp_path, size, sample, message):
    other = load_material(crop_sample(sample, tmp_path / "other", size))
    with pytest.raises(MismatchError, match=r"^leaves.gstex: not made from other: ") as error:
        check_match(gstex.load(file), other, "leaves.gstex")
    assert message in str(error.value).replace("; weathered", "") or sample == "weathered_bricks"
    assert "\n" not in str(error.value) and "compress the folder again" in str(error.value)


def test_roles_that_differ(folder, file):
    swapped = load_material(folder, overrides=["metallic=vine_leaves_roughness.png"])
    with pytest.raises(MismatchError, match=r"is read as metallic here, 'vine_leaves_roughness.png' as 'roughness'"):
        check_match(gstex.load(file), swapped, "f")


def test_pictures_that_have_changed(folder, file):
    material = load_material(folder)
    pixels = material.pixels.copy()
    pixels[10:14, 10:14, 1] = 1.0
    with pytest.raises(MismatchError, match=r"the file states \d+\.\d\d dB, against them it has \d+\.\d\d dB"):
        check_match(gstex.load(file), replace(material, pixels=pixels), "f")


@pytest.mark.parametrize("material", [{"sources": None}, {"sources": [1]}, {"sources": "x"}, {"sources": []},
                                      {"sources": [{"file": 3, "planes": [0]}]}, {"sources": [{}]}])
def test_metadata_of_any_shape(folder, file, material):
    with pytest.raises(MismatchError):
        check_match(tampered(gstex.load(file), **material), load_material(folder), "f")
    texture = gstex.load(file)
    without = Texture(texture.words, {**texture.metadata, "report": {"psnr": "good"}})
    with pytest.raises(MismatchError, match="the file states no quality"):
        check_match(without, load_material(folder), "f")


# The advice.


def stack(roles=("albedo", "roughness"), size=10):
    channels = tuple(Channel(role, "v", "linear", "a.png", i, None, ()) for i, role in enumerate(roles))
    pixels = np.zeros((size, size, len(roles)), np.float32)
    return Material("m", size, size, (), channels, pixels, None, "clamp")


def point(byte_count, psnr, albedo, roughness):
    quality = {"psnr": psnr, "psnr_by_map": {"albedo": albedo, "roughness": roughness}}
    return Point("gstex", "gstex", byte_count, byte_count, 8 * byte_count / 100, {}, quality)


def corner(byte_count, albedo, roughness):
    """A corner with these PSNR."""
    errors = tuple(100 * 10 ** (-value / 10) for value in (albedo, roughness))
    stored = Stored("all", (0, 1), "bc5", 1, 10, 10, b"", errors)
    return Option(byte_count, sum(errors), {"all": stored})


def test_advice_when_gstex_is_smaller():
    # Both maps at 30 dB is 30 dB; the hull has that at 100 bytes.
    hulls = {"bc": [corner(50, 20.0, 20.0), corner(100, 30.0, 30.0)]}
    assert advise(point(50, 30.0, 33.0, 28.2), hulls, stack()) == (
        "For this material at 30.0 dB: gstex 4.00 bits per texel, BC 8.00.",
        "Against BC: gstex is smaller, BC needs 2.0 times its bytes for the same PSNR.",
        "gstex keeps albedo (+13.0 dB) and roughness (+8.2 dB) better than BC at the same bytes.",
    )


def test_advice_names_the_better_block_codec():
    hulls = {"astc": [corner(20, 28.0, 35.0), corner(50, 30.5, 40.0)]}
    lines = advise(point(50, 28.0, 31.2, 26.2), hulls, stack())
    assert lines[0] == "For this material at 28.0 dB: gstex 4.00 bits per texel, ASTC at most 1.60, its smallest mix."
    assert lines[1].startswith("Against ASTC: ASTC is the better choice here, with 40 % of the bytes of gstex")
    assert lines[2] == "ASTC keeps roughness (+13.8 dB) better at the same bytes."
    assert lines[3] == "gstex keeps albedo (+0.7 dB) better than ASTC at the same bytes."


def test_advice_at_the_ends():
    hulls = {"astc": [corner(60, 20.0, 20.0), corner(100, 30.0, 30.0)]}
    lines = advise(point(50, 35.0, 35.0, 35.0), hulls, stack())
    assert lines == (
        "For this material at 35.0 dB: gstex 4.00 bits per texel, no mix of ASTC gets there.",
        "Against ASTC: gstex; no mix of block sizes and resolutions reaches its quality.",
    )
    exact = advise(point(50, None, None, None), hulls, stack())
    assert exact == ("gstex keeps this material exactly, in 4.00 bits per texel.",)
    level = advise(point(96, 30.0, 30.0, 30.0), hulls, stack())
    assert level[1].startswith("Against ASTC: level at the same PSNR; ASTC is the better choice where the GPU has it")


# The command.


@pytest.fixture(autouse=True)
def user_cache(cache_folder, monkeypatch):
    monkeypatch.setenv("GSTEX_CACHE", str(cache_folder))


@pytest.fixture
def fast(monkeypatch, result):
    """The command computes nothing; what it asks for is kept."""
    asked = {}

    def compare(source, file, **options):
        options.pop("progress")(gstex.compare.Step("encode block codecs", 1, 2))
        asked.update(options, source=source, file=file)
        return result

    monkeypatch.setattr(gstex.compare, "compare", compare)
    return asked


def test_the_table(command, folder, file, result, fast):
    ran = command("compare", folder, file, "--codecs", "bc1, BC7", "--rates", "1,2.5", "--exhaustive", "--threads", 1)
    assert ran.code == 0
    assert fast == {"source": folder, "file": file, "codecs": ["bc1", "bc7"], "rates": [1.0, 2.5], "effort": "normal",
                    "exhaustive": True, "maps": (), "processes": 1, "page": False}  # fmt: skip
    lines = ran.out.splitlines()
    assert lines[0].split() == ["STORED", "AS", "BITS/TEXEL", "BYTES", "ZSTD", "PSNR", "SHADED", "ALBEDO", "OPACITY",
                                "NORMAL", "ROUGHNESS", "AO"]  # fmt: skip
    rows = lines[1 : lines.index("")]
    assert [row.split("  ")[0] for row in rows] == [p.label for p in result.points]
    assert sum("this file" in row for row in rows) == 1
    assert lines[lines.index("") + 1 :] == list(result.advice)
    assert "encode block codecs" in ran.err


def test_json(command, folder, file, result, fast):
    data = json.loads(command("compare", folder, file, "--json").out)
    assert data.pop("report") is None and data == json.loads(json.dumps(result.to_json()))
    assert fast["codecs"] == gstex.compare.DEFAULT_CODECS and fast["rates"] is None


def test_report(command, folder, file, tmp_path, monkeypatch, fast):
    monkeypatch.setattr(gstex.report, "write_report", lambda comparison, path: path.write_text("page"))
    page = tmp_path / "page.html"
    ran = command("compare", folder, file, "--report", page)
    assert ran.code == 0 and page.read_text() == "page"
    assert ran.out.splitlines()[0] == f"{page}: 4 bytes" and "For this material at" in ran.out


def test_a_report_replaces_only_a_report(command, folder, file, tmp_path, monkeypatch, fast):
    text = f"<title>any{gstex.report.MARK} and more"
    monkeypatch.setattr(gstex.report, "write_report", lambda comparison, path: path.write_text(text))
    page, own = tmp_path / "page.html", tmp_path / "notes.html"
    own.write_text("what I wrote")
    ran = command("compare", folder, file, "--report", own)
    assert ran.code == 1 and "not a report of gstex" in ran.error() and own.read_text() == "what I wrote"
    for _ in range(2):
        assert command("compare", folder, file, "--report", page).code == 0
    assert command("compare", folder, file, "--report", own, "--force").code == 0 and own.read_text() == text
    ran = command("compare", folder, file, "--report", tmp_path / "page.png")
    assert ran.code == 2 and "ends in .html" in ran.error() and "page.html" in ran.error()


def test_errors_of_the_command(command, folder, file, tmp_path):
    assert "expected some of bc1, bc7" in command("compare", folder, "--codecs", "dxt").error()
    assert command("compare", folder, "--codecs", "dxt").code == 2
    assert command("compare", folder, "--rates", "1,-1").code == 2
    assert "no such file or folder" in command("compare", tmp_path / "none").error()
    missing = command("compare", folder, tmp_path / "none.gstex")
    assert missing.code == 1 and "none.gstex" in missing.error()
    assert "does not exist" in command("compare", folder, file, "--report", tmp_path / "no" / "page.html").error()
    assert command("compare", folder, file, "--report", file).code == 2
    other = crop_sample("weathered_bricks", tmp_path / "bricks", 36)
    ran = command("compare", other, file)
    assert ran.code == 1 and "not made from bricks" in ran.error()


def test_a_missing_encoder_is_told(command, folder, file, monkeypatch):
    from gstex.compare import codecs

    has = codecs.is_installed
    monkeypatch.setattr(codecs, "is_installed", lambda package: package != "quicktex" and has(package))
    ran = command("compare", folder, file, "--codecs", "bc1,astc-12x12", "--threads", 1)
    assert ran.code == 0 and "ASTC 12x12" in ran.out and "BC1" not in ran.out
    assert "gstex: quicktex is not installed: BC1, BC3 left out; pip install gstex[compare]" in ran.err
