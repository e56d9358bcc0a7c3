"""What files state about their pixels is honoured, or refused with what to do; what is left out is named."""

import io
import struct
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image, ImageCms
from stating_files import (
    ADOBE,
    P3,
    chunks_of,
    gamma_curve,
    icc,
    png_with,
    smooth,
    with_orientation,
    write_associated_tiff,
    write_exr,
    write_parts,
    write_tga,
)

from gstex.errors import MaterialError
from gstex.format.ranges import ValueRange
from gstex.material import Material, load_material, table, write_maps
from gstex.srgb import linear_to_srgb, srgb_to_linear

H, W = 12, 20


def notes(material: Material) -> str:
    return " | ".join(f"{r['file']} {r['note']}" for r in table(material))


def again(material: Material, tmp_path: Path) -> Material:
    """What the files hold that are written from a material as it is."""
    write_maps(material.to_metadata(), material.pixels, tmp_path / "again")
    only = [p for p in (tmp_path / "again").iterdir()]
    return load_material(only[0] if len(only) == 1 else tmp_path / "again")


# ---- orientation ----

# What each orientation of EXIF does to what is stored, in NumPy's words.
TURNS = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
         5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, -1),
         7: lambda a: a[::-1, ::-1].transpose(1, 0, 2), 8: lambda a: np.rot90(a, 1)}  # fmt: skip


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", TURNS)
def test_pictures_are_upright(orientation: int, suffix: str, tmp_path: Path) -> None:
    pixels = smooth(H, W, 3)
    with_orientation(tmp_path / f"a{suffix}", pixels, orientation)
    material = load_material(tmp_path / f"a{suffix}")
    expected = TURNS[orientation](pixels)
    assert material.pixels.shape == expected.shape
    assert np.abs(material.pixels * 255 - expected).max() <= (3 if suffix == ".jpg" else 0)
    assert ("turned upright" in notes(material)) == (orientation > 1)
    if orientation == 6:
        out = again(material, tmp_path)
        assert np.abs(out.pixels - material.pixels).max() <= (3 / 255 if suffix == ".jpg" else 0)
        assert "upright" not in notes(out)


def test_maps_of_a_folder_are_turned_one_by_one(tmp_path: Path) -> None:
    rough = smooth(H, W, 1)
    with_orientation(tmp_path / "a_col.jpg", smooth(W, H, 3), 8)
    with_orientation(tmp_path / "a_rough.png", rough, 1)
    material = load_material(tmp_path)
    assert (material.width, material.height) == (W, H)
    assert np.array_equal(np.rint(material.pixels[:, :, 3] * 255), rough[:, :, 0])


# ---- association of alpha ----

def straight_rgba() -> np.ndarray:
    pixels = smooth(H, W, 4)
    pixels[:, :, 3] = np.linspace(0, 255, W).round()[None, :]
    return pixels


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_tiff_multiplied_by_its_alpha(kind: type, tmp_path: Path) -> None:
    straight = straight_rgba().astype(np.float64) / 255
    top = np.iinfo(kind).max
    stored = np.rint(np.concatenate([straight[:, :, :3] * straight[:, :, 3:], straight[:, :, 3:]], axis=2) * top)
    write_associated_tiff(tmp_path / "a.tif", stored.astype(kind))
    material = load_material(tmp_path / "a.tif")
    assert [c.role for c in material.channels] == ["albedo"] * 3 + ["opacity"]
    visible = straight[:, :, 3] > 0.1
    assert np.abs(material.pixels - straight)[visible].max() < (0.5 / 0.1 + 0.5) / top
    assert "multiplied by alpha" in notes(material)
    write_maps(material.to_metadata(), material.pixels, tmp_path / "out")
    file = oiio.ImageInput.open(str(tmp_path / "out" / "a.tif"))  # OpenImageIO itself expects multiplied colours
    assert not file.spec().get_int_attribute("oiio:UnassociatedAlpha", 0)
    assert np.abs(np.asarray(file.read_image(oiio.UNKNOWN)).astype(float) - stored).max() <= 1
    file.close()
    assert load_material(tmp_path / "out" / "a.tif").sources[0].associated


def test_a_targa_multiplied_by_its_alpha(tmp_path: Path) -> None:
    straight = straight_rgba()
    stored = straight.copy()
    stored[:, :, :3] = np.rint(straight[:, :, :3] * (straight[:, :, 3:] / 255.0))
    write_tga(tmp_path / "a.tga", stored, attribute_bits=8, kind=4)
    pixels = load_material(tmp_path / "a.tga").pixels * 255
    visible = straight[:, :, 3] > 50
    assert np.abs(pixels - straight)[visible].max() < 3.5
    write_tga(tmp_path / "b.tga", straight, attribute_bits=8, kind=3)
    assert np.array_equal(np.rint(load_material(tmp_path / "b.tga").pixels * 255), straight)


@pytest.mark.parametrize("multiplied", [True, False])
def test_an_exr_says_by_its_values_whether_it_is_multiplied(multiplied: bool, tmp_path: Path) -> None:
    straight = straight_rgba() / np.float32(255)
    stored = straight.copy()
    if multiplied:
        stored[:, :, :3] *= straight[:, :, 3:]
    write_exr(tmp_path / "a.exr", stored)
    material = load_material(tmp_path / "a.exr")
    visible = straight[:, :, 3] > 0
    assert np.abs(material.pixels - straight)[visible].max() < 1e-5
    assert ("colours were multiplied by alpha" if multiplied else "straight alpha, by its values") in notes(material)
    write_maps(material.to_metadata(), material.pixels, tmp_path / "out")
    assert np.abs(load_material(tmp_path / "out" / "a.exr").pixels - straight)[visible].max() < 1e-5


def test_the_alpha_of_data_in_an_exr_multiplies_nothing(tmp_path: Path) -> None:
    stored = straight_rgba() / np.float32(255) * np.float32([0.1, 0.2, 0.1, 1])
    write_exr(tmp_path / "a_orm.exr", stored)
    material = load_material(tmp_path)
    assert np.allclose(material.pixels[:, :, [2, 0, 1, 3]], stored)


# ---- alpha that means nothing ----

def test_a_targa_without_attribute_bits_is_opaque(tmp_path: Path) -> None:
    pixels = smooth(H, W, 4)
    write_tga(tmp_path / "a.tga", pixels, attribute_bits=0)
    material = load_material(tmp_path / "a.tga")
    assert [c.role for c in material.channels] == ["albedo"] * 3
    assert dict(material.ignored)["a.tga:a"].startswith("opaque: the file says that it has no alpha")
    write_maps(material.to_metadata(), material.pixels, tmp_path / "out")
    out = np.asarray(Image.open(tmp_path / "out" / "a.tga"))
    assert np.array_equal(out[:, :, :3], pixels[:, :, :3]) and (out[:, :, 3] == 255).all()
    asked = load_material(tmp_path / "a.tga", overrides=["opacity=a.tga:a"])
    assert np.array_equal(np.rint(asked.pixels[:, :, 3] * 255), pixels[:, :, 3])


@pytest.mark.parametrize(("bits", "kind", "opaque"), [(8, None, False), (0, 3, False), (8, 1, True), (8, 2, True)])
def test_the_extension_area_of_a_targa_leads(bits: int, kind: int | None, opaque: bool, tmp_path: Path) -> None:
    write_tga(tmp_path / "a.tga", smooth(H, W, 4), attribute_bits=bits, kind=kind)
    assert len(load_material(tmp_path / "a.tga").channels) == (3 if opaque else 4)


@pytest.mark.parametrize("name", ["a.png", "a.tga", "a.webp"])
def test_an_alpha_of_zeros_is_opaque_and_said_so(name: str, tmp_path: Path) -> None:
    pixels = smooth(H, W, 4)
    pixels[:, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / name, **({"lossless": True, "exact": True} if name == "a.webp" else {}))
    material = load_material(tmp_path / name)
    assert np.array_equal(np.rint(material.pixels * 255), pixels[:, :, :3])
    assert "zero in all texels" in dict(material.ignored)[f"{name}:a"]


# ---- grey kept as colour ----

@pytest.mark.parametrize("suffix", [".png", ".tga", ".webp"])
@pytest.mark.parametrize("word", ["metallic", "rough", "height"])
def test_grey_kept_as_colour(suffix: str, word: str, tmp_path: Path) -> None:
    """Channels that were a JPEG once: they differ by up to 6 codes, and by 3 on average."""
    grey = smooth(H, W, 1).astype(int)
    apart = np.random.default_rng(1).integers(-3, 4, (H, W, 2))
    pixels = np.concatenate([grey, grey + apart[:, :, :1] + 3, grey + apart[:, :, 1:]], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a_{word}{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    material = load_material(tmp_path)
    assert len(material.channels) == 1
    assert np.abs(material.pixels[:, :, 0] * 255 - grey[:, :, 0]).max() < 0.01
    assert "grey: its channels differ by 6/255" in notes(material)


def test_a_packed_map_is_no_grey(tmp_path: Path) -> None:
    pixels = smooth(H, W, 3)
    pixels[2:4, 3:5, 1] = 255  # a packing that is grey but for a detail
    Image.fromarray(pixels).save(tmp_path / "a_metallic.png")
    with pytest.raises(MaterialError, match=r"its 3 channels differ; choose one with --map metallic=a_metallic.png:r"):
        load_material(tmp_path)


# ---- colour chunks and profiles ----

def test_data_maps_are_written_without_colour_chunks(tmp_path: Path) -> None:
    for name, count in (("a_normal.png", 3), ("a_rough.png", 1), ("a_col.png", 3)):
        Image.fromarray(smooth(H, W, count).squeeze()).save(tmp_path / name)
    material = load_material(tmp_path)
    for path in write_maps(material.to_metadata(), material.pixels, tmp_path / "out"):
        assert set(chunks_of(path)) == {"IHDR", "IDAT", "IEND"}


@pytest.mark.parametrize("chunks", [
    [(b"sRGB", b"\0")], [(b"gAMA", struct.pack(">I", 45455))],
    [(b"gAMA", struct.pack(">I", 45455)), (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000,
                                                                15000, 6000))],
    [(b"cICP", bytes([1, 13, 0, 1]))],
])  # fmt: skip
def test_colour_maps_say_srgb_where_the_source_did(chunks: list[tuple[bytes, bytes]], tmp_path: Path) -> None:
    pixels = smooth(H, W, 3)
    png_with(tmp_path / "a_col.png", pixels, *chunks)
    png_with(tmp_path / "a_rough.png", pixels[:, :, :1], *chunks)
    material = load_material(tmp_path)
    assert np.array_equal(np.rint(material.pixels[:, :, :3] * 255), pixels)
    color, data = write_maps(material.to_metadata(), material.pixels, tmp_path / "out")
    assert "sRGB" in chunks_of(color) and not {"eXIf", "oFFs"} & set(chunks_of(color))
    assert set(chunks_of(data)) == {"IHDR", "IDAT", "IEND"}


PROFILES = {"Adobe RGB": icc(b"RGB ", ADOBE, gamma_curve(2.19921875)), "P3": icc(b"RGB ", P3, gamma_curve(2.2))}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("name", PROFILES)
def test_profiles_are_converted_as_littlecms_does(name: str, suffix: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (4, 4, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    image = Image.fromarray(pixels)
    extra = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    image.save(tmp_path / f"a_col{suffix}", icc_profile=PROFILES[name], **extra)
    image.save(tmp_path / f"a_normal{suffix}", icc_profile=PROFILES[name], **extra)
    profile = ImageCms.getOpenProfile(io.BytesIO(PROFILES[name]))
    right = np.asarray(ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), renderingIntent=1))
    material = load_material(tmp_path)
    error = np.abs(material.pixels[:, :, :3] * 255 - right)
    # JPEG itself moves codes by up to 3, which Adobe RGB's dark colours stretch; LittleCMS works with 16-bit tables.
    assert np.quantile(error, 0.98) <= (6 if suffix == ".jpg" else 1.5)
    assert np.abs(pixels.astype(int) - right).max() > 10
    assert np.abs(material.pixels[:, :, 3:5] * 255 - pixels[:, :, :2]).max() <= (3 if suffix == ".jpg" else 0.01)
    assert "converted from" in notes(material) and "taken as data, not as colours" in notes(material)


def test_srgb_profiles_change_nothing(tmp_path: Path) -> None:
    pixels = smooth(H, W, 3)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
    material = load_material(tmp_path / "a.png")
    assert np.array_equal(np.rint(material.pixels * 255), pixels)
    assert "profile" not in notes(material) and "converted" not in notes(material)


def test_a_png_of_linear_light_is_converted(tmp_path: Path) -> None:
    pixels = smooth(H, W, 3)
    png_with(tmp_path / "a.png", pixels, (b"gAMA", struct.pack(">I", 100000)))
    found = load_material(tmp_path / "a.png").pixels
    assert np.abs(found - linear_to_srgb(pixels / 255)).max() < 0.51 / 255
    png_with(tmp_path / "b.png", pixels, (b"gAMA", struct.pack(">I", 55556)))
    found = load_material(tmp_path / "b.png").pixels
    assert np.abs(found - linear_to_srgb((pixels / 255) ** 1.8)).max() < 0.51 / 255


def test_grey_with_a_gamma_of_its_own(tmp_path: Path) -> None:
    pixels = smooth(H, W, 1)
    Image.fromarray(pixels[:, :, 0]).save(tmp_path / "a.png", icc_profile=icc(b"GRAY", (), gamma_curve(1.75)))
    found = load_material(tmp_path / "a.png").pixels
    assert np.abs(found - linear_to_srgb((pixels / 255) ** 1.75)).max() < 0.51 / 255


def test_the_primaries_of_an_exr(tmp_path: Path) -> None:
    """Display P3 -> Rec. 709, both of the white D65: a matrix that colour scientists print."""
    matrix = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    pixels = srgb_to_linear(smooth(H, W, 3) / 255)
    p3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
    write_exr(tmp_path / "a_col.exr", pixels, chromaticities=p3)
    material = load_material(tmp_path)
    assert np.abs(material.pixels - pixels @ matrix.T).max() < 5e-4
    assert "converted from its own primaries to Rec. 709" in notes(material)


@pytest.mark.parametrize("name", ["table.png", "pq.png", "point.png", "line.png", "lab.tif"])
def test_profiles_that_nothing_here_evaluates_are_refused(name: str, tmp_path: Path) -> None:
    if name == "table.png":
        profile = icc(b"RGB ", P3, b"mft2" + bytes(40))
        Image.fromarray(smooth(H, W, 3)).save(tmp_path / name, icc_profile=profile)
    elif name == "pq.png":
        png_with(tmp_path / name, smooth(H, W, 3), (b"cICP", bytes([9, 16, 0, 1])))
    elif name in ("point.png", "line.png"):  # primaries that span no colours
        points = (0,) * 8 if name == "point.png" else (31270, 32900, 60000, 30000, 50000, 30000, 20000, 30000)
        png_with(tmp_path / name, smooth(H, W, 3), (b"cHRM", struct.pack(">8I", *points)))
    else:
        profile = bytearray(PROFILES["P3"])
        profile[20:24] = b"Lab "
        Image.fromarray(smooth(H, W, 3)).save(tmp_path / name, icc_profile=bytes(profile))
    with pytest.raises(MaterialError, match=r"its colours are stated as .*; allowed are sRGB .*: convert it to sRGB"):
        load_material(tmp_path / name)
    assert load_material(tmp_path / name, overrides=[f"mask={name}"]).pixels.shape == (H, W, 3)


# ---- windows, parts and layers of OpenEXR ----

@pytest.mark.parametrize(("offset", "display"), [
    ((3, 2), (0, 0, 32, 24)),       # a crop inside the picture
    ((-4, -1), (0, 0, 12, 8)),      # overscan
    ((110, 57), (100, 50, 24, 24)),  # a picture that does not begin at 0, 0
])
def test_the_display_window_is_the_picture(
    offset: tuple[int, int], display: tuple[int, int, int, int], tmp_path: Path
) -> None:
    pixels = smooth(H, W, 3) / np.float32(255)
    write_exr(tmp_path / "a.exr", pixels, offset=offset, display=display)
    material = load_material(tmp_path / "a.exr")
    expected = np.zeros((display[3], display[2], 3), np.float32)
    for y in range(H):
        for x in range(W):
            row, column = y + offset[1] - display[1], x + offset[0] - display[0]
            if 0 <= row < display[3] and 0 <= column < display[2]:
                expected[row, column] = pixels[y, x]
    assert np.array_equal(material.pixels, expected)
    assert "data window 20x12" in notes(material)


@pytest.mark.parametrize(("name", "format"), [("a.exr", "openexr"), ("a.tif", "tiff")])
def test_other_parts_are_named(name: str, format: str, tmp_path: Path) -> None:
    first, second = smooth(H, W, 3) / np.float32(255), smooth(H, W, 1, 9) / np.float32(255)
    write_parts(tmp_path / name, format, [("beauty", first), ("mask", second), ("ids", second)])
    material = load_material(tmp_path / name)
    assert np.allclose(material.pixels, first)
    ((part, reason),) = material.ignored
    assert part == (f"{name}:mask ids" if format == "openexr" else f"{name}:part 2 part 3")
    assert "the first picture of the file is taken" in reason


@pytest.mark.parametrize(("names", "picked", "unused"), [
    (("R", "G", "B", "Z"), "RGB", "Z"),
    (("R", "G", "B", "A", "Z", "N.X", "N.Y", "N.Z"), "RGBA", "Z N.X N.Y N.Z"),
    (("diffuse.R", "diffuse.G", "diffuse.B"), "diffuse.R diffuse.G diffuse.B", ""),
    (("View.Combined.R", "View.Combined.G", "View.Combined.B", "View.Depth.Z"),
     "View.Combined.R View.Combined.G View.Combined.B", "View.Depth.Z"),
    (("Y", "Z"), "Y", "Z"),
    (("R", "G", "B", "id"), "RGB", "id"),
])
def test_channels_beside_the_picture_are_named(
    names: tuple[str, ...], picked: str, unused: str, tmp_path: Path
) -> None:
    pixels = smooth(H, W, len(names)) / np.float32(255)
    write_exr(tmp_path / "a.exr", pixels, names)
    material = load_material(tmp_path / "a.exr", overrides=["mask=a.exr"])
    wanted = picked.split() if " " in picked else list(picked)
    assert np.allclose(material.pixels, pixels[:, :, [names.index(n) for n in wanted]])
    assert [part for part, _ in material.ignored] == ([f"a.exr:{unused}"] if unused else [])


@pytest.mark.parametrize(("names", "message"), [
    (("a.R", "a.G", "a.B", "b.R", "b.G", "b.B"), r"2 layers \(a b\), expected one; save the layer"),
    (("c1", "c2", "c3", "c4", "c5"), r"5 channels \(c1 c2 c3 c4 and 1 more\), none of them R, G, B or Y"),
    (("Y", "RY", "BY"), "luminance and chroma channels; allowed are RGB"),
])
def test_layers_without_one_picture_are_refused(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    write_exr(tmp_path / "a.exr", smooth(H, W, len(names)) / 255, names)
    with pytest.raises(MaterialError, match=message):
        load_material(tmp_path / "a.exr")


# ---- the range of floats ----

def unit_normals() -> np.ndarray:
    """float32 [H, W, 3], vectors of length 1."""
    xy = (smooth(H, W, 2) / 255.0 - 0.5) * 0.9
    return np.concatenate([xy, np.sqrt(1 - (xy**2).sum(axis=2, keepdims=True))], axis=2).astype(np.float32)


@pytest.mark.parametrize("kind", ["0..1", "0..1 overshooting", "-1..1", "-1..1 flat", "-1..1 up", "two channels",
                                  "two signed channels"])  # fmt: skip
def test_the_range_of_normals(kind: str, tmp_path: Path) -> None:
    vectors = unit_normals()
    if kind == "-1..1 flat":
        vectors[:] = (0, 0, 1)
    elif kind == "-1..1 up":  # nothing is negative
        vectors[:, :, :2] = np.abs(vectors[:, :, :2])
    stored = vectors if "-1" in kind or "signed" in kind else vectors * 0.5 + 0.5
    if "overshooting" in kind:
        stored = stored.copy()
        stored[3, 4, 2] = 1.0039
    if "two" in kind:
        write_exr(tmp_path / "a_normal.exr", stored[:, :, :2], ("R", "G"))
    else:
        write_exr(tmp_path / "a_normal.exr", stored)
    material = load_material(tmp_path)
    assert [c.component for c in material.channels] == ["x", "y"]
    assert np.abs(material.pixels * 2 - 1 - vectors[:, :, :2]).max() < 1e-6
    assert ("range -1 .. 1" in notes(material)) == (stored is vectors or "signed" in kind)
    if "overshooting" in kind:
        assert "1 values of 1.004 .. 1.004 cut to 0 .. 1" in notes(material)


@pytest.mark.parametrize(("word", "extreme", "expected"), [
    ("rough", 1.0039, (0, 1)), ("col", 1.003, (0, 1)), ("ao", -0.004, (0, 1)),
    ("height", 1.0039, (0.1, 1.0039)), ("emissive", 1.5, (0.1, 1.5)), ("col", 1.5, (0.1, 1.5)),
])  # fmt: skip
def test_the_range_of_other_maps(
    word: str, extreme: float, expected: tuple[float, float], tmp_path: Path
) -> None:
    values = np.linspace(0.1, 0.9, H * W, dtype=np.float32).reshape(H, W, 1)
    values[2, 3] = extreme
    write_exr(tmp_path / f"a_{word}.exr", values, half=False)
    of = load_material(tmp_path).channels[0].range
    assert tuple(of.from_unit(np.array([0.0, 1.0]))) == pytest.approx(expected)


def test_a_stray_value_of_a_data_map_does_not_stretch_it(tmp_path: Path) -> None:
    values = np.linspace(0.1, 0.9, 64 * 64, dtype=np.float32).reshape(64, 64, 1)
    values[2, 3] = 40
    write_exr(tmp_path / "a_rough.exr", values)
    material = load_material(tmp_path)
    assert material.channels[0].range == ValueRange() and "1 values of 40 .. 40 cut" in notes(material)


def test_a_range_can_be_stated(tmp_path: Path) -> None:
    values = np.linspace(-3, 17, H * W, dtype=np.float32).reshape(H, W, 1)
    write_exr(tmp_path / "a_height.exr", values)
    material = load_material(tmp_path, overrides=["height=a_height.exr@-10..30"])
    assert np.allclose(material.pixels, (values + 10) / 40)
    assert "range -10 .. 30, as stated" in notes(material)
    assert "range -3 .. 17" in notes(load_material(tmp_path)) and "stated" not in notes(load_material(tmp_path))
    assert load_material(tmp_path, overrides=["height=a_height.exr:r@0..10"]).pixels.max() == 1
    Image.fromarray(smooth(H, W, 1)[:, :, 0]).save(tmp_path / "a_rough.png")
    with pytest.raises(MaterialError, match="a range is for float files: leave it out"):
        load_material(tmp_path, overrides=["roughness=a_rough.png@0..10"])


def test_normals_in_no_range_are_refused_with_what_to_type(tmp_path: Path) -> None:
    vectors = unit_normals()
    write_exr(tmp_path / "a_normal.exr", (vectors * 0.5 + 0.5) * 255)
    with pytest.raises(MaterialError, match=r"expected 0..1 or -1..1; .*--map normal=a_normal.exr@0..255"):
        load_material(tmp_path)
    material = load_material(tmp_path, overrides=["normal=a_normal.exr@0..255"])
    assert np.abs(material.pixels * 2 - 1 - vectors[:, :, :2]).max() < 1e-5
