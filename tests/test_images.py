"""Image files: every format and depth read exactly, broken files refused in one line, nothing on stderr."""

import struct
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from odd_images import channels, png_bytes, save, to_8_bit
from PIL import Image

from gstex.errors import GstexError, MaterialError, OutputError
from gstex.format.ranges import ValueRange
from gstex.material import load_material
from gstex.material.images import (
    ImageFile,
    SourceMap,
    from_unit,
    read_info,
    read_pixels,
    to_unit,
    write_image,
    write_picture,
)
from gstex.material.meaning import range_of

H, W = 12, 20
NOISE = np.random.default_rng(3).integers(0, 65536, (H, W, 4), dtype=np.uint16)
NOISE[:4, :, 3] = 0  # transparent texels whose colour has to survive


def read(path: Path) -> tuple[ImageFile, np.ndarray]:
    info = read_info(path)
    return info, read_pixels(path, info)


def write_oiio(path: Path, pixels: np.ndarray, kind: oiio.BASETYPE) -> None:
    image = oiio.ImageOutput.create(str(path))
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], kind)
    spec.attribute("oiio:UnassociatedAlpha", 1)
    assert image.open(str(path), spec) and image.write_image(pixels) and image.close()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_16_bit_png_is_exact(count: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    values = NOISE[:, :, :count] if count != 2 else NOISE[:, :, [0, 3]]
    path.write_bytes(png_bytes(values))
    info, pixels = read(path)
    assert (info.bit_depth, info.channels, info.is_float) == (16, count, False)
    assert np.array_equal(pixels, values)


@pytest.mark.parametrize("name", ["a.png", "a.tga", "rle.tga", "a.webp", "a.tif"])
def test_alpha_leaves_the_colour_as_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    options = {"rle.tga": {"compression": "tga_rle"}, "a.webp": {"lossless": True, "exact": True}}
    save(path, "RGBA", NOISE, **options.get(name, {}))
    info, pixels = read(path)
    assert info.channels == 4
    assert np.array_equal(pixels, to_8_bit(NOISE))


@pytest.mark.parametrize(
    ("mode", "count"), [("1", 1), ("L", 1), ("LA", 2), ("P", 3), ("RGB", 3), ("RGBA", 4)]
)
def test_modes_of_png(mode: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save(path, mode, NOISE if mode in ("LA", "RGBA") else NOISE[:, :, :3])
    info, pixels = read(path)
    assert (info.channels, info.bit_depth) == (count, 8)
    image = Image.open(path)
    by_pillow = np.asarray(image.convert({"P": "RGB", "1": "L"}.get(mode, mode)))
    assert np.array_equal(pixels.reshape(by_pillow.shape), by_pillow)


def test_a_palette_with_transparency_gives_an_alpha(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save(path, "P", NOISE[:, :, :3], transparency=3)
    info, pixels = read(path)
    assert info.channels == 4
    assert set(np.unique(pixels[:, :, 3])) == {0, 255}


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg(mode: str, progressive: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    save(path, mode, channels(("wave", "ramp", "wave"), H, W), progressive=progressive)
    info, pixels = read(path)
    assert (info.format, info.channels) == ("jpeg", len(mode))
    by_pillow = np.asarray(Image.open(path)).reshape(pixels.shape).astype(int)
    assert np.abs(pixels - by_pillow).max() <= 3  # two decoders round the same coefficients


@pytest.mark.parametrize(("name", "kind", "depth"), [
    ("a.exr", oiio.FLOAT, 32), ("a.exr", oiio.HALF, 16), ("a.tif", oiio.FLOAT, 32)])
def test_floats(name: str, kind: oiio.BASETYPE, depth: int, tmp_path: Path) -> None:
    values = np.linspace(-3, 900, H * W * 3, dtype=np.float32).reshape(H, W, 3)
    if kind == oiio.HALF:
        values = values.astype(np.float16).astype(np.float32)
    write_oiio(tmp_path / name, values, kind)
    info, pixels = read(tmp_path / name)
    assert (info.bit_depth, info.is_float) == (depth, True)
    assert np.array_equal(pixels, values)
    of = range_of(pixels)
    assert of == ValueRange.between(values.min(), values.max())
    unit = to_unit(pixels, of)
    assert unit.min() == 0 and unit.max() == 1


def test_there_is_no_minus_zero():
    """Which of 0 and -0 is the least differs between CPUs, and the least is stored."""
    unit = to_unit(np.array([-0.0, 0.0, 1.0], np.float32), ValueRange())
    assert not np.signbit(unit).any()


def ends(values: ValueRange) -> tuple[float, float]:
    lo, hi = values.from_unit(np.array([0.0, 1.0]))
    return float(lo), float(hi)


def test_float_ranges() -> None:
    def of(values: list[float], role: str = "") -> tuple[float, float]:
        return ends(range_of(np.array([values], np.float32), role))

    assert of([0.25, 0.5]) == (0, 1)
    assert of([-0.5, 0.5], "normal") == (-1, 1)
    assert of([0.25, 0.5], "normal") == (0, 1)
    assert of([2, 6]) == (2, 6)
    assert of([5, 5]) == (5, 6)


# Of every format each number of channels and each depth.
WRITTEN = [("png", c, d, False) for c, d in ((1, 8), (2, 16), (3, 8), (4, 16))]
WRITTEN += [("tiff", c, d, False) for c, d in ((1, 16), (2, 8), (3, 16), (4, 8))]
WRITTEN += [("tga", c, 8, False) for c in (1, 3, 4)] + [("webp", 3, 8, False)]
WRITTEN += [("exr", c, d, True) for c, d in ((1, 16), (3, 32), (4, 16))]
WRITTEN += [("tiff", c, d, True) for c, d in ((1, 32), (3, 16), (4, 32))]


@pytest.mark.parametrize(("format", "count", "depth", "is_float"), WRITTEN)
def test_what_is_written_reads_back_the_same(
    format: str, count: int, depth: int, is_float: bool, tmp_path: Path
) -> None:
    ranges = (ValueRange(),) * count if is_float else None
    source = ImageFile(f"a.{format}", W, H, count, depth, is_float, format, ranges)
    values = from_unit(to_unit(NOISE[:, :, -count:], None), source)
    write_image(tmp_path / source.file, values, source)
    info, pixels = read(tmp_path / source.file)
    assert info == source
    tolerance = 2.0**-11 if is_float and depth == 16 else 0  # half's own rounding
    assert np.abs(pixels.astype(np.float64) - values).max() <= tolerance


def test_units_are_exact_both_ways() -> None:
    for depth, kind in ((8, np.uint8), (16, np.uint16)):
        codes = np.arange(2**depth, dtype=np.uint32).astype(kind)
        source = SourceMap("a.png", 1, 1, 1, depth, False, "png")
        unit = to_unit(codes, None)
        assert unit.dtype == np.float32 and unit[0] == 0 and unit[-1] == 1
        assert np.array_equal(from_unit(unit, source), codes)
    source = SourceMap("a.exr", 1, 1, 1, 32, True, "exr", (ValueRange.between(-2, 6),))
    assert from_unit(np.array([[[0], [0.25], [1]]], np.float32), source).ravel().tolist() == [-2, 0, 6]


# ---- broken files ----

def whole_files(folder: Path) -> dict[str, bytes]:
    """A good file of every format, noisy enough that no cut can go unseen."""
    big = np.random.default_rng(4).integers(0, 65536, (64, 48, 3), dtype=np.uint16)
    for name in ("a.png", "a.tga", "a.webp", "a.tif", "a.jpg", "a.bmp", "a.dds"):
        save(folder / name, "RGB", big, **({"lossless": True} if name == "a.webp" else {}))
    save(folder / "rle.tga", "RGB", big, compression="tga_rle")
    save(folder / "progressive.jpg", "RGB", big, progressive=True)
    (folder / "rgb16.png").write_bytes(png_bytes(big))
    write_oiio(folder / "a.exr", big.astype(np.float32) / 65535, oiio.HALF)
    write_oiio(folder / "a.hdr", big.astype(np.float32) / 65535, oiio.FLOAT)
    return {p.name: p.read_bytes() for p in folder.iterdir()}


NAMES = ["a.png", "rgb16.png", "a.tga", "rle.tga", "a.webp", "a.tif", "a.jpg", "progressive.jpg", "a.exr",
         "a.bmp", "a.dds", "a.hdr"]


@pytest.mark.parametrize("name", NAMES)
def test_truncated_files_are_refused(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "whole").mkdir()
    data = whole_files(tmp_path / "whole")[name]
    path = tmp_path / name
    tail = 64 if name == "rle.tga" else 0  # TGA ends with a footer that holds no pixels
    for share in (0.0, 0.01, 0.1, 0.5, 0.9, 0.995):
        path.write_bytes(data[: int((len(data) - tail) * share)])
        with pytest.raises(MaterialError) as error:
            read(path)
        assert "\n" not in str(error.value) and name in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.png", "rgb16.png"])
def test_a_flipped_bit_in_a_png_is_found(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "whole").mkdir()
    data = bytearray(whole_files(tmp_path / "whole")[name])
    data[len(data) // 2] ^= 0x10
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MaterialError, match="damaged or truncated png file"):
        read(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_warnings_of_libpng_stay_off_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(to_8_bit(NOISE[:, :, :3])).save(path, icc_profile=b"no profile" * 20)
    assert np.array_equal(read(path)[1], to_8_bit(NOISE[:, :, :3]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tga", "a.webp", "a.tif", "a.exr"])
def test_text_is_no_image(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("this is a shopping list: bread, butter, texture compression" * 4)
    with pytest.raises(MaterialError, match=f"{name}: (not an image|damaged)"):
        read_info(tmp_path / name)


def test_a_wrong_extension_does_not_matter(tmp_path: Path) -> None:
    Image.fromarray(to_8_bit(NOISE)).save(tmp_path / "a.tga", "PNG")
    info, pixels = read(tmp_path / "a.tga")
    assert info.format == "png"
    assert np.array_equal(pixels, to_8_bit(NOISE))


@pytest.mark.parametrize(("width", "height"), [(16385, 1), (1, 16385), (17000, 2)])
def test_sizes_out_of_range(width: int, height: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(np.zeros((height, width, 1), np.uint16)))
    with pytest.raises(MaterialError, match=rf"a.png: size {width}x{height}; allowed are 1..16384"):
        read_info(path)


def test_the_header_is_checked_before_pixels_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_reading(*_: object) -> None:
        raise AssertionError("pixels are read before the header is checked")

    monkeypatch.setattr("gstex.material.planes.read_pixels", no_reading)
    for width, height in ((100_000, 100_000), (16385, 16385), (2**31 - 1, 2**31 - 1), (0, 7)):
        (tmp_path / "a.png").write_bytes(png_bytes(NOISE, width=width, height=height))
        with pytest.raises(MaterialError, match=r"a\.png"):
            load_material(tmp_path)
    (tmp_path / "a.png").unlink()
    tga = bytearray(18 + 64)
    tga[2], tga[16] = 2, 32
    tga[12:16] = struct.pack("<HH", 65535, 65535)
    (tmp_path / "a.tga").write_bytes(tga)
    with pytest.raises(MaterialError, match=r"a\.tga"):
        load_material(tmp_path)


def test_channels_and_types_out_of_range(tmp_path: Path) -> None:
    write_oiio(tmp_path / "b.tif", np.zeros((4, 4, 17), np.float32), oiio.FLOAT)
    with pytest.raises(MaterialError, match=r"b.tif: 17 channels in one file; allowed are 1..4"):
        read_info(tmp_path / "b.tif")
    write_oiio(tmp_path / "a.tif", np.zeros((4, 4, 1), np.float64), oiio.DOUBLE)
    with pytest.raises(MaterialError, match=r"a.tif: pixels are double; allowed are"):
        read_info(tmp_path / "a.tif")


def test_nan_and_infinity_are_refused(tmp_path: Path) -> None:
    values = np.zeros((4, 4, 1), np.float32)
    values[0, 0, 0], values[1, 1, 0] = np.nan, np.inf
    write_oiio(tmp_path / "a.exr", values, oiio.FLOAT)
    with pytest.raises(MaterialError, match="2 values are NaN or infinite"):
        read(tmp_path / "a.exr")


def test_writing_where_one_cannot(tmp_path: Path) -> None:
    source = SourceMap("a.png", W, H, 4, 16, False, "png")
    with pytest.raises(OutputError, match=r"a.png: cannot be written"):
        write_image(tmp_path / "missing" / "a.png", NOISE, source)


def test_picture_file(tmp_path: Path) -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    write_picture(tmp_path / "a.png", picture)
    assert np.array_equal(oiio.ImageBuf(str(tmp_path / "a.png")).get_pixels(oiio.UINT8), picture)
    with pytest.raises(OutputError, match="cannot be written"):
        write_picture(tmp_path / "missing" / "a.png", picture)


@pytest.mark.parametrize("name", NAMES)
def test_mangled_files_raise_nothing_but_our_errors(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "whole").mkdir()
    data = whole_files(tmp_path / "whole")[name]
    random = np.random.default_rng(5)
    path = tmp_path / name
    for _ in range(40):
        mangled = bytearray(data)
        for place in random.integers(0, min(len(data), 400), 3):
            mangled[place] = int(random.integers(0, 256))
        path.write_bytes(mangled)
        try:
            read(path)
        except GstexError as error:
            assert "\n" not in str(error)
    assert capfd.readouterr() == ("", "")
