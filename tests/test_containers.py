"""DDS, PSD, BMP and HDR as sources: the right values, the mips that they bring, and what is refused."""

import struct
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image
from stating_files import smooth

import gstex
from gstex.errors import MaterialError
from gstex.material import Material, load_material, make_mips, write_maps

H, W = 16, 24


def dds(
    levels: list[np.ndarray], size: tuple[int, int], *, code: bytes = b"\0\0\0\0", flags: int = 0x41, bits: int = 32,
    masks: tuple[int, ...] = (0xFF, 0xFF00, 0xFF0000, 0xFF000000), dxgi: int = 0, alpha: int = 0, caps: int = 0,
    slices: int = 1,
) -> bytes:  # fmt: skip
    """A DDS file of the bytes of its levels. dxgi: for the header of DirectX 10."""
    height, width = size
    if dxgi:
        code, flags = b"DX10", 4
    head = struct.pack("<7I44x", 124, 0x21007, height, width, 0, 0, len(levels))
    head += struct.pack("<2I4s5I", 32, flags, code, bits, *masks) + struct.pack("<5I", 0x401008, caps, 0, 0, 0)
    if dxgi:
        head += struct.pack("<5I", dxgi, 3, 0, slices, alpha)
    return b"DDS " + head + b"".join(level.tobytes() for level in levels)


def codes(material: Material) -> np.ndarray:
    return np.rint(material.pixels * 255).astype(int)


def rgba(height: int = H, width: int = W, seed: int = 0) -> np.ndarray:
    pixels = smooth(height, width, 4, seed)
    pixels[:, :, 3] |= 1  # nothing is hidden
    return pixels


def test_an_uncompressed_dds_with_mips_keeps_them(tmp_path: Path) -> None:
    levels = [rgba(max(1, H >> m), max(1, W >> m), seed=3 * m) for m in range(5)]  # not the mips of level 0
    (tmp_path / "wall_col.dds").write_bytes(dds(levels, (H, W)))
    Image.fromarray(smooth(H, W, 1)[:, :, 0]).save(tmp_path / "wall_rough.png")
    material = load_material(tmp_path)
    assert [c.role for c in material.channels] == ["albedo"] * 3 + ["opacity", "roughness"]
    assert np.array_equal(codes(material)[:, :, :4], levels[0])
    for mip, level in enumerate(make_mips(material, repeat=False)[1:], start=1):
        assert np.array_equal(np.rint(level.pixels[:, :, :4] * 255), levels[mip])
    texture = gstex.compress(tmp_path, effort="fast", device="cpu")
    assert np.abs(texture.decode(2)[:, :, :4] * 255 - levels[2]).max() < 0.6
    paths = texture.write_maps(tmp_path / "out")
    assert [p.name for p in paths] == ["wall_col.dds.png", "wall_rough.png"]
    assert np.abs(np.asarray(Image.open(paths[0])).astype(int) - levels[0]).max() <= 1


@pytest.mark.parametrize(("name", "dxgi", "block"), [
    ("bc1", 71, 8), ("bc3", 77, 16), ("bc4", 80, 8), ("bc5", 83, 16), ("bc7", 98, 16),
])  # fmt: skip
def test_block_codecs_are_read_as_another_decoder_reads_them(
    name: str, dxgi: int, block: int, tmp_path: Path
) -> None:
    decoder = pytest.importorskip("texture2ddecoder")
    blocks = np.random.default_rng(1).integers(0, 256, (H // 4 * (W // 4), block), dtype=np.uint8)
    if name == "bc7":
        blocks[:, 0] = (blocks[:, 0] & 0x80) | 0x40  # mode 6
    if name == "bc3":  # texture2ddecoder has a mode of BC1 here that BC3 has not: the first colour is to be the larger
        ends = blocks[:, 8:12].copy().view("<u2")
        blocks[:, 8:12] = np.sort(ends, axis=1)[:, ::-1].copy().view(np.uint8)
    (tmp_path / "a_mask.dds").write_bytes(dds([blocks], (H, W), dxgi=dxgi))
    decode = getattr(decoder, f"decode_{name}")
    right = np.frombuffer(decode(blocks.tobytes(), W, H), np.uint8).reshape(H, W, 4)[:, :, [2, 1, 0, 3]].astype(int)
    material = load_material(tmp_path / "a_mask.dds", overrides=["mask=a_mask.dds"])
    found = codes(material)
    channels = [c.file_channel for c in material.channels]
    count = {"bc4": 1, "bc5": 2}.get(name, 3)
    assert channels[:count] == list(range(count))
    visible = np.ones((H, W), bool) if name != "bc1" else right[:, :, 3] > 0
    assert np.abs(found[:, :, :count] - right[:, :, :count])[visible].max() <= 1


def test_a_two_channel_dds_is_a_normal_map(tmp_path: Path) -> None:
    blocks = np.random.default_rng(2).integers(0, 256, (H // 4 * (W // 4), 16), dtype=np.uint8)
    (tmp_path / "a_normal.dds").write_bytes(dds([blocks], (H, W), code=b"ATI2", flags=4))
    material = load_material(tmp_path / "a_normal.dds")
    assert [c.component for c in material.channels] == ["x", "y"] and material.channels[0].role == "normal"
    Image.fromarray(smooth(H, W, 3)).save(tmp_path / "a_col.png")
    (path,) = [p for p in write_maps(load_material(tmp_path).to_metadata(), load_material(tmp_path).pixels,
                                     tmp_path / "out") if "normal" in p.name]  # fmt: skip
    assert path.name == "a_normal.dds.png"


@pytest.mark.parametrize("how", ["DX10 alpha mode", "straight"])
def test_dds_colours_multiplied_by_alpha(how: str, tmp_path: Path) -> None:
    straight = rgba()
    straight[:, :, 3] = np.linspace(60, 255, W).round()[None]
    stored = straight.copy()
    if how != "straight":
        stored[:, :, :3] = np.rint(straight[:, :, :3] * (straight[:, :, 3:] / 255))
    (tmp_path / "a.dds").write_bytes(dds([stored], (H, W), dxgi=28, alpha=1 if how == "straight" else 2))
    assert np.abs(codes(load_material(tmp_path / "a.dds")) - straight).max() <= (0 if how == "straight" else 3)


@pytest.mark.parametrize(("options", "message"), [
    ({"caps": 0xFE00}, "a cube map; allowed are plain 2D"),
    ({"caps": 0x200000}, "a volume; allowed are plain 2D"),
    ({"dxgi": 28, "slices": 3}, "an array of 3; allowed are plain 2D"),
    ({"dxgi": 24}, "DXGI format 24; allowed are BC1 to BC7"),  # 10 bits, which OpenImageIO reads as 8
    ({"dxgi": 85}, "DXGI format 85; allowed are BC1 to BC7"),
    ({"flags": 0x20000, "bits": 16, "masks": (0xFFF, 0, 0, 0)}, "uncompressed channels of 12 bits in pixels of 16"),
    ({"masks": (0x3FF, 0xFFC00, 0x3FF00000, 0xC0000000)}, "uncompressed channels of 10 bits in pixels of 32"),
])  # fmt: skip
def test_dds_files_that_are_no_plain_maps(options: dict, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.dds").write_bytes(dds([rgba()] * 6, (H, W), **options))
    with pytest.raises(MaterialError, match=message) as error:
        load_material(tmp_path / "a.dds")
    assert "\n" not in str(error.value)


def test_damaged_dds_files(tmp_path: Path) -> None:
    data = dds([rgba()], (H, W))
    for share in (0.02, 0.05, 0.08):
        (tmp_path / "a.dds").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(MaterialError, match=r"a\.dds: "):
            load_material(tmp_path / "a.dds")


def psd(pixels: np.ndarray) -> bytes:
    """A PSD file of a merged picture without layers: uint8 or uint16 [h, w, 3 or 4]."""
    height, width, count = pixels.shape
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, count, height, width, 8 * pixels.dtype.itemsize, 3)
    planes = pixels.transpose(2, 0, 1).astype(pixels.dtype.newbyteorder(">")).tobytes()
    return head + struct.pack(">III", 0, 0, 0) + struct.pack(">H", 0) + planes


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_psd(kind: type, tmp_path: Path) -> None:
    pixels = smooth(H, W, 3).astype(kind) * (257 if kind == np.uint16 else 1)
    (tmp_path / "a_col.psd").write_bytes(psd(pixels))
    material = load_material(tmp_path)
    assert np.array_equal(np.rint(material.pixels * np.iinfo(kind).max), pixels)
    assert material.sources[0].bit_depth == 8 * pixels.dtype.itemsize
    (path,) = write_maps(material.to_metadata(), material.pixels, tmp_path / "out")
    assert path.name == "a_col.psd.png"
    assert np.array_equal(load_material(path).pixels, material.pixels)


def test_bmp(tmp_path: Path) -> None:
    for name, count in (("a_col.bmp", 3), ("a_rough.bmp", 1)):
        Image.fromarray(smooth(H, W, count).squeeze()).save(tmp_path / name)
    material = load_material(tmp_path)
    assert np.array_equal(codes(material)[:, :, :3], smooth(H, W, 3))
    for path in write_maps(material.to_metadata(), material.pixels, tmp_path / "out"):
        assert path.suffix == ".bmp"
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(Image.open(tmp_path / path.name)))


def test_the_fourth_byte_of_a_bmp(tmp_path: Path) -> None:
    pixels = rgba()
    Image.fromarray(pixels).save(tmp_path / "a.bmp")  # a header of version 3, whose fourth byte is padding
    material = load_material(tmp_path / "a.bmp")
    assert len(material.channels) == 3 and "opaque" in dict(material.ignored)["a.bmp:a"]
    head = b"BM" + struct.pack("<IHHI", 14 + 108 + 4 * H * W, 0, 0, 14 + 108)
    head += struct.pack("<IiiHHIIiiII", 108, W, -H, 1, 32, 3, 4 * H * W, 0, 0, 0, 0)
    head += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    (tmp_path / "b.bmp").write_bytes(head + pixels[:, :, [2, 1, 0, 3]].tobytes())
    material = load_material(tmp_path / "b.bmp")
    assert np.array_equal(codes(material), pixels)
    (path,) = write_maps(material.to_metadata(), material.pixels, tmp_path / "out")
    assert path.name == "b.bmp.png" and np.array_equal(np.asarray(Image.open(path)), pixels)


def test_radiance_hdr(tmp_path: Path) -> None:
    values = (smooth(H, W, 3) / 20.0).astype(np.float32)
    image = oiio.ImageOutput.create("hdr")
    assert image.open(str(tmp_path / "sky.hdr"), oiio.ImageSpec(W, H, 3, oiio.FLOAT))
    assert image.write_image(values) and image.close()
    material = load_material(tmp_path / "sky.hdr")
    of = material.channels[0].range
    assert of.stops > 2 and of.from_unit(np.array([1.0])) == pytest.approx(values.max(), rel=0.01)
    assert np.abs(of.from_unit(material.pixels) - values).max() <= values.max() / 128  # 8 bits of mantissa
    assert {c.color_space for c in material.channels} == {"linear"}
    (path,) = write_maps(material.to_metadata(), material.pixels, tmp_path / "out")
    assert path.name == "sky.hdr"
    again = load_material(path)
    assert np.abs(again.pixels - material.pixels).max() < 0.01


def test_ktx_files_of_version_1_are_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.ktx2").write_bytes(b"\xabKTX 11\xbb\r\n\x1a\n" + bytes(100))
    with pytest.raises(MaterialError, match=r"a KTX file of version 1, which is not read; .* convert it with ktx2ktx2"):
        load_material(tmp_path / "a.ktx2")
    (tmp_path / "a.ktx2").rename(tmp_path / "a.ktx")
    Image.fromarray(smooth(H, W, 3)).save(tmp_path / "a_col.png")
    assert "not a PNG" in dict(load_material(tmp_path).ignored)["a.ktx"]
