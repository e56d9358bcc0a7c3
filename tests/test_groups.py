"""Groups of channels, the tail that stands first, and the brightness of mips that are drawn from mip 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gstex
from gstex.encode import groups as dividing
from gstex.encode import trials
from gstex.errors import FormatError, UsageError
from gstex.format.layout import FILE_HEADER_BYTES
from gstex.material import Channel, Material

QUICK = {"effort": "draft", "device": "cpu"}


def material_of(**maps: np.ndarray) -> Material:
    """A material of maps of one channel, by role."""
    channels = tuple(Channel(role, "v", "linear", f"{role}.png", 0, None, ()) for role in maps)
    pixels = np.stack(list(maps.values()), axis=2).astype(np.float32)
    height, width = pixels.shape[:2]
    return Material("wall", width, height, (), channels, pixels, None, "repeat")


@pytest.fixture(scope="module")
def rough_and_smooth() -> Material:
    """Noise, and a map of a few waves that a common set can not hold beside it."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[0:128, 0:128] / 128 * 2 * np.pi
    noise = 0.4 + 0.2 * rng.random((2, 128, 128))
    return material_of(roughness=noise[0], ao=noise[1], height=0.5 + 0.25 * np.sin(2 * x) * np.cos(3 * y + x))


def members(texture: gstex.Texture) -> list[list[int]]:
    return [group["channels"] for group in texture.info()["groups"]]


def test_maps_are_divided_as_asked(rough_and_smooth: Material) -> None:
    one = gstex.compress(rough_and_smooth, bpp=4, groups="1", effort="fast", device="cpu")
    two = gstex.compress(rough_and_smooth, bpp=4, groups=" height ; ao,roughness", effort="fast", device="cpu")
    rest = gstex.compress(rough_and_smooth, bpp=4, groups="height", effort="fast", device="cpu")
    assert members(one) == [[0, 1, 2]] and members(two) == members(rest) == [[2], [0, 1]]
    assert one.report["bpp"] <= 4 and two.report["bpp"] <= 4
    assert two.report["psnr_by_map"]["height"] > one.report["psnr_by_map"]["height"] + 3
    assert two.fit["groups"] == " height ; ao,roughness"
    decoded = two.decode()
    errors = np.mean((decoded - rough_and_smooth.pixels) ** 2, axis=(0, 1))
    assert -10 * np.log10(errors[2]) == pytest.approx(two.report["psnr_by_map"]["height"], abs=0.01)


def test_a_number_of_gaussians_is_divided_too(rough_and_smooth: Material) -> None:
    texture = gstex.compress(rough_and_smooth, gaussians=90, groups="height", **QUICK)
    assert members(texture) == [[2], [0, 1]]
    assert [part["gaussians"] for part in texture.info()["mips"][0]["groups"]] == [30, 60]


def test_a_target_keeps_all_maps_together(rough_and_smooth: Material) -> None:
    with pytest.raises(UsageError, match="groups: got 'height' with psnr or match, which keep all maps together"):
        gstex.compress(rough_and_smooth, psnr=30.0, groups="height", **QUICK)
    assert members(gstex.compress(rough_and_smooth, psnr=25.0, **QUICK)) == [[0, 1, 2]]


@pytest.mark.parametrize(("groups", "message"), [
    ("height;", "groups: got '', expected 'auto', '1', or maps of ao, height, roughness with ',' in a group"),
    ("bark", "groups: got 'bark', expected"),
    ("height;ao,height", "groups: got 'height' twice, expected each map in one group"),
])  # fmt: skip
def test_a_division_that_makes_no_sense_is_refused(rough_and_smooth: Material, groups: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        gstex.compress(rough_and_smooth, bpp=1, groups=groups, **QUICK)


def test_more_groups_than_the_format_has_are_refused() -> None:
    roles = ("albedo", "roughness", "metallic", "ao", "height")
    material = material_of(**{role: np.full((4, 4), 0.5) for role in roles})
    with pytest.raises(UsageError, match="groups: got more than 4, expected at most 4"):
        dividing.check_groups("albedo;roughness;metallic;ao", material)
    dividing.check_groups("albedo;roughness;metallic", material)


def test_auto_finds_the_smooth_map(rough_and_smooth: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "LEAST_WORK", 0)
    steps: list[gstex.Progress] = []
    texture = gstex.compress(rough_and_smooth, bpp=4, effort="fast", device="cpu", progress=steps.append)
    assert members(texture) == [[2], [0, 1]]
    assert steps[0].stage == "trials" and [s.step for s in steps] == sorted(s.step for s in steps)
    assert texture.info()["groups"][0]["bytes"] < texture.info()["groups"][1]["bytes"] / 4


def test_auto_keeps_maps_together_that_share_their_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "LEAST_WORK", 0)
    y, x = np.mgrid[0:128, 0:128]
    bricks = ((x // 20 + y // 9) % 3) / 3 + 0.1
    texture = gstex.compress(material_of(roughness=bricks, ao=0.9 - bricks / 2, height=bricks / 3), bpp=1,
                             effort="fast", device="cpu")  # fmt: skip
    assert members(texture) == [[0, 1, 2]]


# ---- The tail


@pytest.fixture(scope="module")
def tailed(rough_and_smooth: Material) -> gstex.Texture:
    return gstex.compress(rough_and_smooth, bpp=4, groups="height", tail=2, **QUICK)


def test_the_tail_is_read_alone(tailed: gstex.Texture, tmp_path: Path) -> None:
    path = tmp_path / "wall.gstex"
    tailed.save(path)
    whole, tail = gstex.load(path), gstex.load(path, mips="tail")
    facts = tailed.info()["tail"]
    assert facts["first"] == 2 and facts["bytes"] == 4 * len(tail.words) < 4 * len(whole.words)
    assert np.array_equal(tail.words, whole.words[: len(tail.words)]) and tail.metadata == whole.metadata
    for mip in range(2, 8):
        assert tail.decode(mip).shape == whole.decode(mip).shape
        if whole.info()["mips"][mip]["stored_as"] != "mip 0":
            assert np.array_equal(tail.decode(mip), whole.decode(mip))
    uv = np.random.default_rng(0).random((50, 2))
    assert np.array_equal(tail.sample(uv, 0.5), tail.sample(uv, 2.0))
    assert np.array_equal(tail.sample(uv, 6.5, filter="bilinear"), whole.sample(uv, 6.5, filter="bilinear"))
    assert [mip["mip"] for mip in tail.info()["mips"]] == list(range(2, 8))
    with pytest.raises(UsageError, match=r"mip: got 1, this file holds 2\.\.7"):
        tail.decode(1)
    with pytest.raises(UsageError, match="this texture is the tail of a file alone"):
        tail.save(tmp_path / "other.gstex")
    with pytest.raises(UsageError, match="mips: got 'some', expected 'all' or 'tail'"):
        gstex.load(path, mips="some")


def test_a_file_without_a_tail_is_read_whole(rough_and_smooth: Material, tmp_path: Path) -> None:
    texture = gstex.compress(rough_and_smooth, bpp=1, **QUICK)
    texture.save(tmp_path / "wall.gstex")
    assert texture.info()["tail"] is None
    assert np.array_equal(gstex.load(tmp_path / "wall.gstex", mips="tail").words, texture.words)


@pytest.mark.parametrize("place", ["tail", "rest", "metadata"])
def test_damage_is_found_in_what_is_read(tailed: gstex.Texture, place: str, tmp_path: Path) -> None:
    path = tmp_path / "wall.gstex"
    tailed.save(path)
    data = bytearray(path.read_bytes())
    rest = FILE_HEADER_BYTES + tailed.info()["tail"]["bytes"]
    data[{"tail": rest - 300, "rest": rest + 9, "metadata": -5}[place]] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError):
        gstex.load(path)
    if place == "rest":
        gstex.load(path, mips="tail")
    else:
        with pytest.raises(FormatError, match={"tail": "resident_crc", "metadata": "json_crc"}[place]):
            gstex.load(path, mips="tail")


def test_a_tail_that_is_out_of_range_is_refused(rough_and_smooth: Material) -> None:
    for tail in (0, 15):
        with pytest.raises(UsageError, match=rf"tail: got {tail}, expected 1\.\.14"):
            gstex.compress(rough_and_smooth, bpp=1, tail=tail, **QUICK)
    assert gstex.compress(rough_and_smooth, bpp=1, tail=8, **QUICK).info()["tail"] is None


# ---- Brightness


def checks(shape: str) -> np.ndarray:
    y, x = np.mgrid[0:64, 0:64] // 2
    picture = np.zeros((64, 64, 3), np.float32)
    if shape == "stripes":
        picture[x % 2 == 1] = 1
    else:
        picture[(x + y) % 2 == 0, 0] = picture[(x + y) % 2 == 1, 1] = 1
    return picture


@pytest.mark.parametrize("shape", ["stripes", "red and green"])
def test_mips_are_as_bright_as_light(shape: str) -> None:
    """What is too fine for a mip is a mean of light: 188 of black and white."""
    channels = tuple(Channel("albedo", c, "srgb", "a.png", i, None, ()) for i, c in enumerate("rgb"))
    picture = checks(shape)
    if shape != "stripes":
        channels = channels[:2]
        picture = picture[:, :, :2].copy()
    material = Material("wall", 64, 64, (), channels, picture, None, "repeat")
    texture = gstex.compress(material, bpp=4, effort="fast", device="cpu")
    assert [mip["stored_as"] for mip in texture.info()["mips"][1:5]] == ["mip 0"] * 4
    for mip in range(2, texture.mip_count):
        mean = 255 * texture.decode(mip).mean(axis=(0, 1))
        assert np.abs(mean - 188).max() < 3, mip


def test_groups_of_a_texture_that_is_stored_as_texels() -> None:
    """A quality stores a small texture as texels, and says that the division is not followed."""
    notes: list[str] = []
    ramp = np.linspace(0, 1, 64).reshape(8, 8)
    tiny = material_of(roughness=ramp, height=ramp.T)
    texture = gstex.compress(tiny, groups="height", notes=notes.append, **QUICK)
    assert len(texture.table.groups) == 1 and texture.info()["mips"][0]["stored_as"] == "texels"
    assert [note for note in notes if note.startswith("groups: 'height' is not followed")] == notes
    notes.clear()
    gstex.compress(tiny, notes=notes.append, **QUICK)
    assert notes == []
