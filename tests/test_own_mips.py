"""Smaller levels given as files: which files they are, what they become, and what is refused."""

import re
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from odd_images import channels, save

from gstex.errors import MaterialError
from gstex.material import Material, load_material, make_mips, table

RGB = ("wave", "wave", "wave")
GREY = ("wave",)
H, W = 12, 16


def put(path: Path, mode: str, contents: tuple[str | int, ...], height: int, width: int, seed: int = 0) -> np.ndarray:
    """Write an image; its values as uint16 [H, W, C]."""
    path.parent.mkdir(exist_ok=True)
    values = channels(contents, height, width, seed)
    save(path, mode, values)
    return values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A colour and a roughness of 16x12."""
    put(tmp_path / "a_col.png", "RGB", RGB, H, W)
    put(tmp_path / "a_rough.png", "L", GREY, H, W, 5)
    return tmp_path


def given(material: Material, level: int) -> list[bool]:
    """By channel, whether the material gives this level."""
    own = material.own_mips[level - 1]
    return [False] * len(material.channels) if own is None else (~np.isnan(own).any(axis=(0, 1))).tolist()


@pytest.mark.parametrize("name", ["a_col.mip2.png", "a_col.mip2.tga", "a_col.MIP02.png", "mip2/a_col.png",
                                  "Mip2/a_col.tiff", "mip02/a_col.png"])
def test_names_of_smaller_levels(name: str, folder: Path) -> None:
    values = put(folder / name, "RGB", RGB, 3, 4, 9)
    material = load_material(folder)
    assert [c.role for c in material.channels] == ["albedo"] * 3 + ["roughness"] and not material.ignored
    assert material.own_mips[0] is None and given(material, 2) == [True, True, True, False]
    own = material.own_mips[1]
    assert own is not None and own.dtype == np.float32 and not own.flags.writeable
    assert np.array_equal(np.rint(own[:, :, :3] * 255), np.rint(values / 257))
    assert np.array_equal(make_mips(material, repeat=True)[2].pixels[:, :, :3], own[:, :, :3])
    assert [r["note"] for r in table(material)] == ["own mips 2", ""]


def test_without_them_there_are_none(folder: Path) -> None:
    assert load_material(folder).own_mips == ()


def test_levels_may_be_deeper_than_their_map(folder: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (6, 8, 3), dtype=np.uint16)
    save(folder / "a_col.mip1.png", "RGB16", values)
    own = load_material(folder).own_mips[0]
    assert own is not None and np.array_equal(np.rint(own[:, :, :3].astype(np.float64) * 65535), values)


def test_a_smaller_map_has_smaller_levels(folder: Path) -> None:
    put(folder / "a_ao.png", "L", GREY, H // 2, W // 2, 2)
    put(folder / "a_ao.mip1.png", "L", GREY, H // 4, W // 4, 2)
    put(folder / "a_ao.mip4.png", "L", (51,), 1, 1)
    material = load_material(folder)
    assert given(material, 1) == [False, False, False, False, True] and material.own_mips[1:3] == (None, None)
    own = material.own_mips[0]
    assert own is not None and own.shape == (H // 2, W // 2, 5)
    exact = channels(GREY, H // 2, W // 2, 2)[:, :, 0] / 65535  # the wave, whatever its size
    assert np.abs(own[:, :, 4] - exact).max() < 0.1
    assert make_mips(material, repeat=True)[4].pixels[0, 0, 4] == np.float32(0.2)


def test_all_levels_of_a_packed_map_and_of_a_grey_one(folder: Path) -> None:
    put(folder / "a_orm.png", "RGB", RGB, H, W)
    put(folder / "a_orm.mip1.png", "RGB", (0, 51, 255), H // 2, W // 2)
    material = load_material(folder, overrides=["ignore=a_rough.png"])
    roles = [c.role for c in material.channels]
    own = material.own_mips[0]
    assert own is not None and roles[3:] == ["roughness", "metallic", "ao"]
    assert np.allclose(own[0, 0, 3:], [0.2, 1.0, 0.0])


def test_float_levels_take_the_range_of_their_map(folder: Path) -> None:
    for name, values in (("a_height.exr", np.linspace(-1, 3, H * W)), ("a_height.mip1.exr", np.linspace(0, 5, 48))):
        image = oiio.ImageOutput.create(name)
        size = (W, H) if values.size == H * W else (8, 6)
        assert image.open(str(folder / name), oiio.ImageSpec(*size, 1, oiio.FLOAT))
        assert image.write_image(values.astype(np.float32).reshape(size[1], size[0], 1)) and image.close()
    own = load_material(folder).own_mips[0]
    assert own is not None and own[0, 0, -1] == 0.25 and own[-1, -1, -1] == 1  # 5 is beyond the range


def test_a_constant_map_varies_if_its_levels_do(folder: Path) -> None:
    put(folder / "a_metal.png", "L", (51,), H, W)
    put(folder / "a_metal.mip1.png", "L", (51,), H // 2, W // 2)
    material = load_material(folder)
    assert material.channels[4].constant == pytest.approx(0.2)
    put(folder / "a_metal.mip2.png", "L", (102,), H // 4, W // 4)
    material = load_material(folder)
    assert material.channels[4].constant is None
    assert [p.pixels[0, 0, 4] for p in make_mips(material, repeat=True)] == pytest.approx([0.2, 0.2, 0.4, 0.4, 0.4])


def test_files_that_fit_no_map_are_listed(folder: Path) -> None:
    for name in ("b_col.mip1.png", "a_col.mip0.png", "mip15/a_col.png", "a_nm.mip1.png", "mip1/c.png"):
        put(folder / name, "RGB", RGB, 6, 8)
    put(folder / "a_nm.png", "RGB", RGB, H, W)
    (folder / "mip1" / "notes.txt").write_text("box")
    material = load_material(folder, overrides=["ignore=a_nm.png"])
    assert material.own_mips == ()
    outside = "smaller levels are mip1 to mip14; level 0 has the plain name"
    assert dict(material.ignored) == {
        "a_nm.png": "left out by --map",
        "b_col.mip1.png": "level 1 of b_col, which is not there",
        "mip1/c.png": "level 1 of c, which is not there",
        "mip1/notes.txt": "not a PNG, JPEG, TGA, WebP, EXR, TIFF, BMP, HDR, DDS, KTX2 or PSD image",
        "a_col.mip0.png": outside,
        "mip15/a_col.png": outside,
        "a_nm.mip1.png": "level 1 of a_nm.png, which is left out",
    }


def test_of_two_maps_of_one_name_the_one_of_the_same_kind_has_the_level(folder: Path) -> None:
    put(folder / "a_col.jpg", "RGB", RGB, H, W)
    put(folder / "a_col.mip1.png", "RGB", RGB, 6, 8)
    assert load_material(folder, overrides=["ignore=a_col.png"]).own_mips == ()
    assert given(load_material(folder, overrides=["ignore=a_col.jpg"]), 1) == [True, True, True, False]


def test_a_single_image_has_no_own_levels(folder: Path) -> None:
    put(folder / "a_col.mip1.png", "RGB", RGB, 6, 8)
    assert load_material(folder / "a_col.png").own_mips == ()
    assert load_material(folder / "a_col.mip1.png").width == 8


@pytest.mark.parametrize(("name", "mode", "contents", "size", "message"), [
    ("a_col.mip1.png", "RGB", RGB, (6, 7),
     "a_col.mip1.png: size 7x6; level 1 of a_col.png (16x12) is 8x6: resize it or take it away"),
    ("mip3/a_col.png", "RGB", RGB, (12, 16),
     "mip3/a_col.png: size 16x12; level 3 of a_col.png (16x12) is 2x1: resize it or take it away"),
    ("a_col.mip5.png", "RGB", RGB, (1, 1),
     "a_col.mip5.png: level 5, but the levels of 16x12 are 1..4; take it away"),
    ("mip1/a_col.png", "L", GREY, (6, 8),
     "mip1/a_col.png: 1 integer channels; a_col.png has 3 integer channels: save all levels alike"),
])
def test_levels_that_do_not_fit(
    name: str, mode: str, contents: tuple[str | int, ...], size: tuple[int, int], message: str, folder: Path
) -> None:
    put(folder / name, mode, contents, *size)
    with pytest.raises(MaterialError, match=re.escape(message)):
        load_material(folder)


def test_a_level_given_twice_broken_or_without_its_map(folder: Path) -> None:
    put(folder / "mip1/a_col.png", "RGB", RGB, 6, 8)
    put(folder / "a_col.mip1.tga", "RGB", RGB, 6, 8)
    with pytest.raises(MaterialError, match=re.escape(
        "level 1 of a_col.png is there twice (a_col.mip1.tga, mip1/a_col.png); keep one"
    )):
        load_material(folder)
    (folder / "a_col.mip1.tga").unlink()
    data = (folder / "mip1/a_col.png").read_bytes()
    (folder / "mip1/a_col.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(MaterialError, match=r"mip1/a_col.png: damaged or truncated png"):
        load_material(folder)
    put(folder / "alone/a_col.mip1.png", "RGB", RGB, 6, 8)
    with pytest.raises(MaterialError, match=r"only smaller levels such as a_col.mip1.png; put level 0"):
        load_material(folder / "alone")
