"""Folders of odd images -> materials: what the pixels decide, overrides, weights, sizes, first errors."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from odd_images import channels, pattern, save

from gstex.errors import AmbiguousError, MaterialError, UsageError
from gstex.format.ranges import ValueRange
from gstex.material import Material, load_material, table
from gstex.material.resample import guess_wrap, resample, restore_size

H, W = 24, 32
WAVES = ("wave", "wave", "wave", "wave")
RGB = ("wave", "wave", "wave")
XYZ = ("wave", "wave", "z")


Files = dict[str, tuple[str, tuple[str | int, ...]]]


def put(folder: Path, files: Files, height: int = H, width: int = W) -> Path:
    """Make images from {name: (Pillow mode, contents by channel)}, each with waves of its own."""
    folder.mkdir(exist_ok=True)
    for seed, (name, (mode, contents)) in enumerate(files.items()):
        save(folder / name, mode, channels(contents, height, width, seed * 5))
    return folder


def roles(material: Material) -> list[str]:
    return [f"{c.role}.{c.component}" for c in material.channels]


def test_the_order_of_the_stack_and_of_the_sources(tmp_path: Path) -> None:
    put(tmp_path, {"a_orm.png": ("RGB", RGB), "a_n.png": ("RGB", XYZ), "a.png": ("RGBA", WAVES)})
    material = load_material(tmp_path)
    assert roles(material) == ["albedo.r", "albedo.g", "albedo.b", "opacity.v", "normal.x", "normal.y",
                               "roughness.v", "metallic.v", "ao.v"]
    assert [s.file for s in material.sources] == ["a.png", "a_n.png", "a_orm.png"]
    assert [c.file_channel for c in material.channels] == [0, 1, 2, 3, 0, 1, 1, 2, 0]
    assert [c.color_space for c in material.channels] == ["srgb"] * 3 + ["linear"] * 6
    assert not material.pixels.flags.writeable
    assert material.name == tmp_path.name


@pytest.mark.parametrize(("name", "mode", "contents", "expected"), [
    ("a_col.png", "L", ("wave",), ["albedo.v"]),
    ("a_col.png", "1", ("wave",), ["albedo.v"]),
    ("a_col.png", "RGB", ("wave", "grey", "grey"), ["albedo.v"]),
    ("a_col.png", "RGBA", (*RGB, 255), ["albedo.r", "albedo.g", "albedo.b"]),
    ("a_col.png", "RGBA", (*RGB, 0), ["albedo.r", "albedo.g", "albedo.b"]),
    ("a_col.png", "LA", WAVES, ["albedo.v", "opacity.v"]),
    ("a_nm.png", "RGBA", (*XYZ, "wave"), ["normal.x", "normal.y", "height.v"]),
    ("a_metallicSmoothness.png", "RGBA", ("wave", "grey", "grey", "wave"), ["metallic.v", "gloss.v"]),
    ("a_orm.png", "RGBA", WAVES, ["roughness.v", "metallic.v", "ao.v", "mask.v"]),
    ("a_MaskMap.png", "RGBA", WAVES, ["metallic.v", "ao.v", "gloss.v", "mask.v"]),
    ("a_metallicRoughness.png", "RGB", RGB, ["roughness.v", "metallic.v"]),
    ("a_rough.png", "RGB", ("wave", "grey", "grey"), ["roughness.v"]),
    ("a_spec.png", "RGB", RGB, ["specular.r", "specular.g", "specular.b"]),
    ("a_spec.png", "L", ("wave",), ["specular.v"]),
    ("a_mask.png", "RGB", RGB, ["mask.r", "mask.g", "mask.b"]),
    ("a_gloss.tga", "L", ("wave",), ["gloss.v"]),
    ("a_emissive.webp", "RGB", RGB, ["emissive.r", "emissive.g", "emissive.b"]),
    ("a_opacity.png", "1", ("wave",), ["opacity.v"]),
])
def test_what_the_pixels_decide(
    name: str, mode: str, contents: tuple[str | int, ...], expected: list[str], tmp_path: Path
) -> None:
    put(tmp_path, {name: (mode, contents)})
    assert roles(load_material(tmp_path)) == expected


def test_a_colour_that_is_nearly_grey_keeps_its_channels(tmp_path: Path) -> None:
    pixels = channels(("wave", "grey", "grey"), H, W)
    pixels[3, 4, 1] ^= 0x100
    save(tmp_path / "a_col.png", "RGB", pixels)
    save(tmp_path / "a_rough.png", "RGB", pixels)
    assert roles(load_material(tmp_path)) == ["albedo.r", "albedo.g", "albedo.b", "roughness.v"]


def test_hidden_files_are_no_maps(tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGB", RGB)})
    (tmp_path / "._a_col.png").write_bytes(b"resource fork of another system")
    material = load_material(tmp_path)
    assert len(material.channels) == 3 and material.ignored == ()


def test_color_spaces(tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGB", RGB), "a_emit.png": ("RGB", RGB), "a_spec.png": ("L", ("wave",))})
    spaces = {c.role: c.color_space for c in load_material(tmp_path).channels}
    assert spaces == {"albedo": "srgb", "emissive": "srgb", "specular": "linear"}


def test_a_float_albedo_is_linear_and_a_float_height_keeps_its_range(tmp_path: Path) -> None:
    for name, lo, hi in (("a_col.exr", 0.1, 0.9), ("a_height.exr", -3.0, 17.0)):
        image = oiio.ImageOutput.create(str(tmp_path / name))
        count = 3 if "col" in name else 1
        values = np.linspace(lo, hi, H * W * count, dtype=np.float32).reshape(H, W, count)
        assert image.open(str(tmp_path / name), oiio.ImageSpec(W, H, count, oiio.FLOAT))
        assert image.write_image(values) and image.close()
    material = load_material(tmp_path)
    assert {c.color_space for c in material.channels} == {"linear"}
    assert [c.range for c in material.channels] == [ValueRange()] * 3 + [ValueRange(20.0, -3.0)]
    height = material.pixels[:, :, -1]
    assert height.min() == 0 and height.max() == 1


def test_neutral_values(tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGB", RGB), "a_nm.png": ("RGB", XYZ)})
    put(tmp_path / "deep", {"a_nm.png": ("RGB16", XYZ)})
    neutral = {c.role: c.neutral for c in load_material(tmp_path).channels}
    assert neutral == {"albedo": (0.0, 1.0), "normal": (128 / 255,)}
    assert load_material(tmp_path / "deep").channels[0].neutral == (32768 / 65535,)


def test_16_bits_reach_the_stack(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (H, W, 3), dtype=np.uint16)
    save(tmp_path / "a_nor_dx.png", "RGB16", values)
    material = load_material(tmp_path)
    assert material.normal_convention == "dx"
    assert np.array_equal(np.rint(material.pixels[:, :, :2].astype(np.float64) * 65535), values[:, :, :2])


def test_constants_and_unused_channels(tmp_path: Path) -> None:
    put(tmp_path, {"a_orm.png": ("RGB", (255, "wave", 51))})
    put(tmp_path / "b", {"b_metallicRoughness.png": ("RGB", ("ramp", 10, 20))})
    found = {c.role: c.constant for c in load_material(tmp_path).channels}
    assert found == {"ao": 1.0, "roughness": None, "metallic": pytest.approx(0.2)}
    material = load_material(tmp_path / "b")
    assert [c.role for c in material.channels] == ["roughness", "metallic"]
    assert material.ignored == (("b_metallicRoughness.png:r", "not used; written back as its median"),)
    assert np.ptp(material.pixels, axis=(0, 1)).tolist() == [0, 0]


def test_an_alpha_whose_role_is_taken_becomes_a_mask(tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGBA", WAVES), "a_opacity.png": ("L", ("wave",))})
    material = load_material(tmp_path)
    found = [(c.role, c.file) for c in material.channels[3:]]
    assert found == [("opacity", "a_opacity.png"), ("mask", "a_col.png")]


def test_weights(tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGBA", WAVES), "a_emit.png": ("RGB", RGB), "a_nm.png": ("RGB", XYZ)})
    material = load_material(tmp_path)
    weights = material.weights
    assert weights is not None and weights.dtype == np.float32 and weights.shape == material.pixels.shape
    hidden = material.pixels[:, :, 3] == 0
    assert 0 < hidden.sum() < hidden.size
    for index, channel in enumerate(material.channels):
        expected = np.where(hidden, 0, 1) if channel.role in ("albedo", "emissive") else 1
        assert np.array_equal(weights[:, :, index], np.broadcast_to(expected, hidden.shape)), channel


@pytest.mark.parametrize("content", [0, 255, "half"])
def test_no_weights_where_nothing_is_hidden(content: str | int, tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGB", RGB), "a_opacity.png": ("L", (content,))})
    assert load_material(tmp_path).weights is None


def test_a_single_image_is_an_albedo_unless_its_name_and_its_pixels_are_a_map(tmp_path: Path) -> None:
    put(tmp_path, {"eileen normal.png": ("RGBA", WAVES), "other_normal.png": ("RGB", XYZ)})
    material = load_material(tmp_path / "eileen normal.png")
    assert roles(material) == ["albedo.r", "albedo.g", "albedo.b", "opacity.v"]
    assert (material.wrap, material.name) == ("clamp", "eileen normal")
    forced = load_material(tmp_path / "other_normal.png", overrides=["normal=other_normal.png"])
    assert roles(forced) == ["normal.x", "normal.y"]


def test_overrides_reach_the_channels(tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGBA", WAVES), "pack.png": ("RGB", RGB)})
    maps = ["roughness=pack.png:b", "ao=pack.png:r", "mask=a_col.png:a"]
    material = load_material(tmp_path, overrides=maps)
    assert roles(material)[3:] == ["roughness.v", "ao.v", "mask.v"]
    assert [c.file_channel for c in material.channels[3:]] == [2, 0, 3]
    swapped = load_material(tmp_path, overrides=["albedo=pack.png:bgr", "ignore=a_col.png"])
    assert [(c.component, c.file_channel) for c in swapped.channels] == [("r", 2), ("g", 1), ("b", 0)]
    with pytest.raises(MaterialError, match=r"pack.png: has 3 channels, the override asks for 'a'"):
        load_material(tmp_path, overrides=["opacity=pack.png:a"])
    with pytest.raises(UsageError, match="no image"):
        load_material(tmp_path, overrides=["opacity=missing.png"])


def test_the_alpha_of_an_image_can_be_left_out(tmp_path: Path) -> None:
    put(tmp_path, {"a.png": ("RGBA", WAVES)})
    material = load_material(tmp_path, overrides=["ignore=a.png:a"])
    assert roles(material) == ["albedo.r", "albedo.g", "albedo.b"]
    assert material.ignored == (("a.png:a", "not used; written back as its median"),)


def test_the_letter_a_is_the_alpha_of_a_grey_image_too(tmp_path: Path) -> None:
    put(tmp_path, {"a=b.png": ("LA", WAVES)})
    material = load_material(tmp_path, overrides=["mask=a=b.png:a"])
    assert [(c.role, c.file_channel) for c in material.channels] == [("albedo", 0), ("mask", 1)]
    assert [r["channels"] for r in table(material)] == ["v", "a"]


def test_the_table(tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGB", RGB), "a_metal.png": ("L", (0,)), "a.png": ("RGB", RGB)})
    put(tmp_path, {"a_gloss.png": ("L", ("wave",))}, H // 2, W // 2)
    (tmp_path / "licence.txt").write_text("CC0")
    rows = table(load_material(tmp_path))
    assert {r["file"]: (r["role"], r["note"]) for r in rows} == {
        "a_col.png": ("albedo", ""),
        "a_metal.png": ("metallic", "constant 0"),
        "a_gloss.png": ("gloss", "resampled to 32x24; roughness = 1 - gloss"),
        "a.png": ("-", "preview picture: the plain name beside a named albedo"),
        "licence.txt": ("-", "not a PNG, JPEG, TGA, WebP, EXR, TIFF, BMP, HDR, DDS, KTX2 or PSD image"),
    }


# ---- sizes and borders ----

def test_maps_of_different_sizes_meet_at_the_largest(tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGB", RGB)}, 24, 32)
    put(tmp_path, {"a_nm.png": ("RGB16", XYZ)}, 12, 16)
    put(tmp_path, {"a_rough.png": ("L", ("wave",))}, 9, 40)
    material = load_material(tmp_path)
    assert (material.width, material.height, material.wrap) == (32, 24, "repeat")
    notes = {row["file"]: row["note"] for row in table(material)}
    assert "resampled to 32x24" in notes["a_nm.png"] and "stretched" not in notes["a_nm.png"]
    assert notes["a_rough.png"] == "stretched to 32x24, as its sides have another ratio: is it the right file?"
    exact = channels(RGB, 24, 32)[:, :, :2] / 65535
    inside = (exact > 0.15) & (exact < 0.85)  # clipped waves have corners, which no filter keeps
    error = np.abs(material.pixels[:, :, 3:5] - exact)
    assert error[inside].max() < 0.01
    assert material.pixels.min() >= 0 and material.pixels.max() <= 1


@pytest.mark.parametrize("repeat", [False, True])
def test_resampling_keeps_constants_ramps_and_centres(repeat: bool) -> None:
    flat = np.full((5, 7, 2), 0.3, np.float32)
    assert np.allclose(resample(flat, 13, 4, repeat=repeat), 0.3, atol=1e-6)
    x = np.arange(32, dtype=np.float32) + 0.5
    ramp = np.broadcast_to(x[None, :, None], (4, 32, 1))
    double = resample(ramp, 4, 64, repeat=repeat)[0, :, 0]
    centres = (np.arange(64) + 0.5) / 2
    assert np.abs(double - centres)[8:-8].max() < 0.02
    half = resample(ramp, 4, 16, repeat=repeat)[0, :, 0]
    assert np.abs(half - (np.arange(16) + 0.5) * 2)[4:-4].max() < 0.02


def test_resampling_wraps_only_where_the_texture_repeats() -> None:
    edge = np.zeros((1, 16, 1), np.float32)
    edge[0, 0] = 1.0
    assert abs(resample(edge, 1, 32, repeat=True)[0, -1, 0]) > 0.1
    assert abs(resample(edge, 1, 32, repeat=False)[0, -1, 0]) < 1e-6


@pytest.mark.parametrize("scale", [1.5, 2, 4])
def test_a_resampled_map_comes_back(scale: float) -> None:
    noise = np.random.default_rng(2).random((20, 28, 1)).astype(np.float32)
    large = resample(noise, int(20 * scale), int(28 * scale), repeat=True)
    back = restore_size(large, 20, 28, repeat=True)
    once = restore_size(large, 20, 28, repeat=True, steps=0)
    assert np.mean((back - noise) ** 2) < 1e-4  # white noise, the worst case: 44 dB
    assert np.mean((once - noise) ** 2) > 1e-3  # without the steps: 21 dB


def test_the_guess_of_the_wrap() -> None:
    wave = pattern("wave", 40, 60, 1) / np.float32(65535)
    ramp = pattern("ramp", 40, 60, 1) / np.float32(65535)
    flat = np.zeros((8, 8), np.float32)
    assert guess_wrap([[wave]]) == "repeat"
    assert guess_wrap([[ramp]]) == "clamp"
    assert guess_wrap([[wave], [wave], [ramp]]) == "repeat"  # one map that does not tile
    assert guess_wrap([[wave], [ramp], [ramp]]) == "clamp"
    assert guess_wrap([[wave, wave, ramp]]) == "clamp"  # a channel of a map that does not
    assert guess_wrap([[wave], [wave, wave, ramp], [wave, ramp]]) == "clamp"
    assert guess_wrap([[ramp], [flat], [flat, flat]]) == "clamp"  # constants say nothing
    assert guess_wrap([[flat]]) == "repeat"
    assert guess_wrap([[np.arange(12, dtype=np.float32).reshape(1, 12) / 12]]) == "clamp"


# ---- first errors ----

def test_missing_and_empty_inputs(tmp_path: Path) -> None:
    with pytest.raises(MaterialError, match="no such file or folder"):
        load_material(tmp_path / "nothing")
    with pytest.raises(MaterialError, match=r"no PNG, JPEG, .* or PSD image in this folder; put"):
        load_material(tmp_path)
    put(tmp_path / "textures", {"a_col.png": ("RGB", RGB)})
    with pytest.raises(MaterialError, match="its folder 'textures' has some"):
        load_material(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(MaterialError, match=r"a.png: the file is empty"):
        load_material(tmp_path)


def test_an_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(MaterialError, match=r"cannot be read \(Permission denied\)"):
        load_material(tmp_path)


def test_not_an_image(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("bread, butter")
    with pytest.raises(MaterialError, match=r"notes.txt: not an image"):
        load_material(tmp_path / "notes.txt")


def test_a_broken_image_in_a_folder_names_the_file_and_can_be_left_out(tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGB", RGB), "a_rough.png": ("L", ("wave",))})
    data = (tmp_path / "a_rough.png").read_bytes()
    (tmp_path / "a_rough.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(MaterialError, match=r"a_rough.png: damaged or truncated png"):
        load_material(tmp_path)
    assert len(load_material(tmp_path, overrides=["ignore=a_rough.png"]).channels) == 3


def test_17_channels(tmp_path: Path) -> None:
    files = {f"a_{word}.png": ("RGB", XYZ if word == "nm" else RGB) for word in ("col", "emit", "spec", "nm", "orm")}
    files |= {"a_height.png": ("L", ("wave",)), "a_opacity.png": ("L", ("wave",))}
    put(tmp_path, files)
    assert len(load_material(tmp_path).channels) == 16
    put(tmp_path, {"a_gloss.png": ("L", ("wave",))})
    with pytest.raises(MaterialError, match=r"17 channels found \(a_col.png 3, .*\); at most 16.*ignore"):
        load_material(tmp_path)


def test_files_whose_channels_do_not_fit_their_role(tmp_path: Path) -> None:
    put(tmp_path, {"a_rough.png": ("RGB", RGB)})
    with pytest.raises(AmbiguousError, match=r"--map roughness=a_rough.png:r \(or g, b\)"):
        load_material(tmp_path)
    assert roles(load_material(tmp_path, overrides=["roughness=a_rough.png:g"])) == ["roughness.v"]
    put(tmp_path / "b", {"b_nm.png": ("L", ("wave",))})
    with pytest.raises(AmbiguousError, match=r"a normal map with 1 channel.*--map height=b_nm.png"):
        load_material(tmp_path / "b")
    assert roles(load_material(tmp_path / "b", overrides=["height=b_nm.png"])) == ["height.v"]


def test_nothing_left(tmp_path: Path) -> None:
    put(tmp_path, {"a_col.png": ("RGB", RGB)})
    with pytest.raises(MaterialError, match="no map is left"):
        load_material(tmp_path, overrides=["ignore=a_col.png"])


def test_names_that_would_break_a_line_are_refused(tmp_path: Path) -> None:
    put(tmp_path, {"a\nb.png": ("RGB", RGB)})
    with pytest.raises(MaterialError, match="unprintable") as error:
        load_material(tmp_path)
    assert "\n" not in str(error.value)
