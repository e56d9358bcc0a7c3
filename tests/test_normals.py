"""Normal maps: what stands in the place of Z decides how they are read; a normal map alone is one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stating_files import smooth, write_exr

from gstex.errors import AmbiguousError
from gstex.material import Material, load_material, table, write_maps

H, W = 40, 48


def bumps(slope: float = 0.5) -> np.ndarray:
    """Unit normals [H, W, 3] of a surface of waves, Z up."""
    y, x = np.mgrid[:H, :W]
    dx = slope * np.cos(2 * np.pi * x / 16) * np.sin(2 * np.pi * y / 20 + 0.3)
    dy = slope * np.sin(2 * np.pi * x / 24 + 1) * np.cos(2 * np.pi * y / 10)
    vectors = np.stack([dx, dy, np.ones((H, W))], axis=2)
    return vectors / np.sqrt((vectors**2).sum(axis=2, keepdims=True))


def occlusion() -> np.ndarray:
    """[H, W] in 0.3..1, of another shape than the bumps."""
    y, x = np.mgrid[:H, :W]
    return 0.65 + 0.35 * np.sin(2 * np.pi * (x / 48 + 0.2)) * np.cos(2 * np.pi * y / 40)


def codes(values: np.ndarray) -> np.ndarray:
    return np.rint(values * 255).astype(np.uint8)


def encoded(vectors: np.ndarray) -> np.ndarray:
    return codes(vectors * 0.5 + 0.5)


def put(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels.squeeze()).save(path)


def roles(material: Material) -> list[tuple[str, int]]:
    return [(f"{c.role}.{c.component}", c.file_channel) for c in material.channels]


def notes(material: Material) -> str:
    return " | ".join(r["note"] for r in table(material))


def written(material: Material, folder: Path) -> np.ndarray:
    (path,) = write_maps(material.to_metadata(), material.pixels, folder / "out")
    return np.asarray(Image.open(path))


PLAIN = [("normal.x", 0), ("normal.y", 1)]


@pytest.mark.parametrize("kind", ["exact", "steep", "jpeg", "averaged", "flat"])
def test_a_plain_map_stores_x_and_y(kind: str, tmp_path: Path) -> None:
    vectors = bumps({"steep": 3.0, "flat": 0.0}.get(kind, 0.5))
    if kind == "averaged":  # 2x2 means, not made of length 1 again, as photographs give them
        vectors = (vectors + np.roll(vectors, 1, 0) + np.roll(vectors, 1, 1) + np.roll(vectors, (1, 1), (0, 1))) / 4
    if kind == "jpeg":
        Image.fromarray(encoded(vectors)).save(tmp_path / "a_normal.jpg", quality=80)
    else:
        put(tmp_path / "a_normal.png", encoded(vectors))
    material = load_material(tmp_path)
    assert roles(material) == PLAIN and "Z is rebuilt" in notes(material)
    if kind == "exact":
        assert np.abs(written(material, tmp_path)[:, :, 2].astype(int) - encoded(vectors)[:, :, 2]).max() <= 2


@pytest.mark.parametrize("red", [0, 255])
@pytest.mark.parametrize("blue", ["empty", "green", "occlusion"])
def test_dxt5nm(red: int, blue: str, tmp_path: Path) -> None:
    stored = encoded(bumps())
    third = {"empty": np.full((H, W), red, np.uint8), "green": stored[:, :, 1], "occlusion": codes(occlusion())}[blue]
    pixels = np.stack([np.full((H, W), red, np.uint8), stored[:, :, 1], third, stored[:, :, 0]], axis=2)
    put(tmp_path / "a_normal.png", pixels)
    material = load_material(tmp_path)
    assert roles(material) == [("normal.x", 3), ("normal.y", 1)] + ([("mask.v", 2)] if blue == "occlusion" else [])
    assert np.array_equal(np.rint(material.pixels[:, :, 0] * 255), stored[:, :, 0])
    assert np.array_equal(np.rint(material.pixels[:, :, 1] * 255), stored[:, :, 1])
    assert "X in alpha, Y in green (DXT5nm)" in notes(material) and "Z is rebuilt" not in notes(material)
    assert np.array_equal(written(material, tmp_path), pixels)
    assert not material.ignored


def test_height_in_the_alpha_of_a_plain_map_is_no_dxt5nm(tmp_path: Path) -> None:
    vectors = bumps()
    vectors[:, :, 0] = 0
    vectors /= np.sqrt((vectors**2).sum(axis=2, keepdims=True))
    put(tmp_path / "a_normal.png", np.dstack([encoded(vectors), codes(occlusion())]))
    assert roles(load_material(tmp_path)) == [*PLAIN, ("height.v", 3)]


@pytest.mark.parametrize("kind", ["occlusion", "roughness", "occlusion in the length", "biased wrongly"])
def test_what_is_no_z_is_kept(kind: str, tmp_path: Path) -> None:
    vectors = bumps()
    stored = encoded(vectors)
    if kind == "occlusion":
        stored[:, :, 2] = codes(occlusion())
    elif kind == "roughness":
        stored[:, :, 2] = codes(1 - 0.8 * occlusion())
    elif kind == "biased wrongly":
        stored[:, :, 2] = codes(0.5 - 0.4 * vectors[:, :, 2])
    else:
        stored = encoded(vectors * occlusion()[:, :, None])
    put(tmp_path / "a_normal.png", stored)
    material = load_material(tmp_path)
    assert roles(material) == [*PLAIN, ("mask.v", 2)]
    assert np.array_equal(written(material, tmp_path), stored)
    assert "blue is not the Z of X and Y" in notes(material)
    normal, ao = "normal=a_normal.png:rg", "ao=a_normal.png:b"
    assert f"--map {normal} leaves it out, and --map {ao} too if it is AO" in notes(material)
    assert roles(load_material(tmp_path, overrides=[normal])) == PLAIN
    named = load_material(tmp_path, overrides=[normal, ao])
    assert roles(named) == [*PLAIN, ("ao.v", 2)] and "mask" not in notes(named)
    assert np.array_equal(written(named, tmp_path / "named"), stored)


def test_a_constant_in_the_place_of_z_comes_back(tmp_path: Path) -> None:
    for value in (0, 128):
        stored = encoded(bumps())
        stored[:, :, 2] = value
        put(tmp_path / "a_normal.png", stored)
        material = load_material(tmp_path)
        assert roles(material) == PLAIN and "blue is constant" in notes(material)
        assert np.array_equal(written(material, tmp_path), stored)


@pytest.mark.parametrize("kind", ["sphere", "box", "float"])
def test_normals_of_an_object_keep_three_values(kind: str, tmp_path: Path) -> None:
    y, x = (np.mgrid[:H, :W] + 0.5) / [[[H]], [[W]]]
    if kind == "box":
        vectors = np.zeros((H, W, 3))
        vectors[np.arange(H)[:, None], np.arange(W)[None], (4 * x).astype(int) % 3] = np.where(y < 0.5, 1, -1)
    else:
        angle, turn = np.pi * y, 2 * np.pi * x
        vectors = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], axis=2)
    if kind == "float":
        write_exr(tmp_path / "a_normal.exr", vectors)
    else:
        put(tmp_path / "a_normal.png", encoded(vectors))
    material = load_material(tmp_path)
    assert roles(material) == [("mask.r", 0), ("mask.g", 1), ("mask.b", 2)]
    assert np.abs(material.pixels * 2 - 1 - vectors).max() <= (1e-6 if kind == "float" else 1.01 / 255)
    assert "point all ways" in notes(material) and "kept as three values" in notes(material)
    if kind != "float":
        assert np.array_equal(written(material, tmp_path), encoded(vectors))


def test_two_channels(tmp_path: Path) -> None:
    stored = encoded(bumps())
    write_exr(tmp_path / "a_normal.exr", stored[:, :, :2] / 255, ("X", "Y"))
    assert roles(load_material(tmp_path)) == PLAIN
    (tmp_path / "a_normal.exr").unlink()
    put(tmp_path / "a_normal.png", stored[:, :, :2])
    with pytest.raises(AmbiguousError, match=r"if X is its grey and Y its alpha, type --map normal=a_normal.png:ra"):
        load_material(tmp_path)
    material = load_material(tmp_path, overrides=["normal=a_normal.png:ra"])
    assert roles(material) == PLAIN
    assert np.array_equal(written(material, tmp_path), stored[:, :, :2])


# ---- alone ----

@pytest.mark.parametrize("name", ["rock_normal.png", "T_Rock_N.png", "rock_nor_gl_2k.png"])
def test_a_normal_map_alone_is_one(name: str, tmp_path: Path) -> None:
    put(tmp_path / name, encoded(bumps()))
    material = load_material(tmp_path / name)
    assert roles(material) == PLAIN and {c.color_space for c in material.channels} == {"linear"}
    assert material.normal_convention == "gl" and material.wrap == "clamp"
    assert load_material(tmp_path / name, overrides=[f"albedo={name}"]).channels[0].color_space == "srgb"


def test_dxt5nm_alone(tmp_path: Path) -> None:
    stored = encoded(bumps())
    green = stored[:, :, 1]
    put(tmp_path / "a_n.png", np.stack([np.full_like(green, 255), green, green, stored[:, :, 0]], axis=2))
    assert roles(load_material(tmp_path / "a_n.png")) == [("normal.x", 3), ("normal.y", 1)]


@pytest.mark.parametrize(("name", "count", "expected"), [
    ("rock_rough.png", 1, "roughness"), ("rock_height.png", 3, "height"), ("rock_ao.png", 1, "ao"),
    ("rock_occlusionRoughnessMetallic.png", 0, "roughness metallic ao"),
    ("eileen normal.png", 0, "albedo albedo albedo"), ("robot_arm.png", 0, "albedo albedo albedo"),
    ("coffee_bump.png", 0, "albedo albedo albedo"), ("plan_r.png", 1, "albedo"), ("rock_col.png", 1, "albedo"),
])  # fmt: skip
def test_other_names_alone(name: str, count: int, expected: str, tmp_path: Path) -> None:
    """count: 1 or 3 channels that are grey; 0 for a picture."""
    put(tmp_path / name, smooth(H, W, 1).repeat(count, axis=2) if count else smooth(H, W, 3))
    assert " ".join(c.role for c in load_material(tmp_path / name).channels) == expected
