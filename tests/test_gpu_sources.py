"""DDS of wide channels and KTX2 as sources, and what headers of PSD, BMP and HDR state. All files are made here."""

import random
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stating_files import smooth
from test_containers import H, W, codes, dds, psd, rgba

from gstex.errors import MaterialError
from gstex.material import Material, load_material, make_mips, write_maps

SIZES = [(max(1, H >> m), max(1, W >> m)) for m in range(5)]


def values(kind: str, channels: int, level: int = 0) -> np.ndarray:
    """A level [h, w, channels] of a type of NumPy, unlike the mips of level 0; an alpha hides nothing."""
    pixels = smooth(*SIZES[level], channels, seed=3 * level).astype(np.float64) / 255
    return (pixels * {"u1": 255, "u2": 65535}.get(kind, 1)).astype(f"<{kind}")


def unit(pixels: np.ndarray) -> np.ndarray:
    top = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    return pixels.astype(np.float64) / top


def assert_levels(material: Material, levels: list[np.ndarray]) -> None:
    """The channels and all mips of a material are these."""
    for mip, (found, right) in enumerate(zip(make_mips(material, repeat=False), levels, strict=True)):
        assert np.abs(found.pixels - unit(right)).max() < 1e-6, mip


# ---- DDS

# DXGI number (dxgiformat.h) or code of D3DFORMAT -> type and channels.
WIDE = {61: ("u1", 1), 49: ("u1", 2), 56: ("u2", 1), 35: ("u2", 2), 11: ("u2", 4), 54: ("f2", 1), 34: ("f2", 2),
        10: ("f2", 4), 41: ("f4", 1), 16: ("f4", 2), 6: ("f4", 3), 2: ("f4", 4)}  # fmt: skip
LEGACY = {36: ("u2", 4), 111: ("f2", 1), 112: ("f2", 2), 113: ("f2", 4), 114: ("f4", 1), 115: ("f4", 2), 116: ("f4", 4)}


@pytest.mark.parametrize(("legacy", "number"), [(False, n) for n in WIDE] + [(True, n) for n in LEGACY])
def test_dds_of_wide_channels_with_mips(legacy: bool, number: int, tmp_path: Path) -> None:
    kind, channels = (LEGACY if legacy else WIDE)[number]
    levels = [values(kind, channels, m) for m in range(5)]
    how = {"code": struct.pack("<I", number), "flags": 4} if legacy else {"dxgi": number}
    (tmp_path / "a_mask.dds").write_bytes(dds(levels, (H, W), **how))
    material = load_material(tmp_path / "a_mask.dds", overrides=["mask=a_mask.dds"])
    assert len(material.channels) == channels
    source = material.sources[0]
    assert (source.bit_depth, source.is_float) == (8 * levels[0].dtype.itemsize, kind[0] == "f")
    assert_levels(material, levels)
    (path,) = write_maps(material.to_metadata(), material.pixels, tmp_path / "out")
    assert path.name == f"a_mask.dds.{'exr' if kind[0] == 'f' else 'png'}"
    if channels != 2:
        assert np.abs(load_material(path, overrides=[f"mask={path.name}"]).pixels - material.pixels).max() < 1e-6


@pytest.mark.parametrize(("masks", "bits", "flags", "channels"), [
    ((0xFFFF, 0, 0, 0), 16, 0x20000, 1), ((0xFFFF, 0xFFFF0000, 0, 0), 32, 0x40, 2),
])  # fmt: skip
def test_dds_of_16_bit_masks(masks: tuple[int, ...], bits: int, flags: int, channels: int, tmp_path: Path) -> None:
    levels = [values("u2", channels, m) for m in range(5)]
    (tmp_path / "a_mask.dds").write_bytes(dds(levels, (H, W), masks=masks, bits=bits, flags=flags))
    assert_levels(load_material(tmp_path / "a_mask.dds", overrides=["mask=a_mask.dds"]), levels)


def test_dds_bgra_and_a_premultiplied_float(tmp_path: Path) -> None:
    pixels = rgba()
    (tmp_path / "a.dds").write_bytes(dds([pixels[:, :, [2, 1, 0, 3]]], (H, W), dxgi=87))
    assert np.array_equal(codes(load_material(tmp_path / "a.dds")), pixels)
    straight = values("f4", 4)
    straight[:, :, 3] = np.linspace(0.25, 1, W)
    stored = straight.copy()
    stored[:, :, :3] *= straight[:, :, 3:]
    (tmp_path / "b.dds").write_bytes(dds([stored], (H, W), dxgi=2, alpha=2))
    assert np.abs(load_material(tmp_path / "b.dds").pixels - straight).max() < 1e-5


def test_a_dds_that_says_it_is_opaque_has_no_opacity(tmp_path: Path) -> None:
    """As the BC1 of `gstex transcode`, whose blocks may mark black as transparent."""
    block = np.frombuffer(bytes.fromhex("0000ffff00ffffff"), np.uint8)  # three colours, and black that is transparent
    for mode, roles in ((1, ["albedo", "opacity"]), (3, ["albedo"])):  # grey: one channel
        (tmp_path / "a.dds").write_bytes(dds([np.tile(block, H // 4 * W // 4)], (H, W), dxgi=72, alpha=mode))
        assert [c.role for c in load_material(tmp_path / "a.dds").channels] == roles
    pixels = values("f4", 4)
    (tmp_path / "b.dds").write_bytes(dds([pixels], (H, W), dxgi=2, alpha=3))
    material = load_material(tmp_path / "b.dds")
    assert len(material.channels) == 3 and "opaque" in dict(material.ignored)["b.dds:a"]


# ---- KTX2

VULKAN = {9: ("u1", 1), 16: ("u1", 2), 23: ("u1", 3), 37: ("u1", 4), 43: ("u1", 4), 70: ("u2", 1), 77: ("u2", 2),
          84: ("u2", 3), 91: ("u2", 4), 76: ("f2", 1), 83: ("f2", 2), 90: ("f2", 3), 97: ("f2", 4), 100: ("f4", 1),
          103: ("f4", 2), 106: ("f4", 3), 109: ("f4", 4)}  # fmt: skip


def ktx2(
    levels: list[bytes], number: int, size: tuple[int, int] = (H, W), *, scheme: int = 0, pack: object = None,
    transfer: int = 2, primaries: int = 1, flags: int = 0, model: int = 1, faces: int = 1, layers: int = 0,
    depth: int = 0, values: dict[str, str] | None = None,
) -> bytes:  # fmt: skip
    """A KTX2 file by the specification, made without gstex. The descriptor has one sample, which readers pass over."""
    descriptor = struct.pack("<IIHHBBBB", 44, 0, 2, 40, model, primaries, transfer, flags) + bytes(28)
    pairs = b""
    for key, value in (values or {}).items():
        pair = f"{key}\0{value}\0".encode()
        pairs += struct.pack("<I", len(pair)) + pair + bytes(-len(pair) % 4)
    start = 80 + 24 * len(levels)
    head = b"\xabKTX 20\xbb\r\n\x1a\n" + struct.pack("<9I4I2Q", number, 1, size[1], size[0], depth, layers, faces,
                                                     len(levels), scheme, start, 44, start + 44, len(pairs), 0, 0)
    packed = [pack(level) if pack else level for level in levels]
    place, body, rows = start + 44 + len(pairs), b"", []
    for data, whole in zip(reversed(packed), reversed(levels), strict=True):
        body += bytes(-(place + len(body)) % 16)
        rows.insert(0, struct.pack("<3Q", place + len(body), len(data), len(whole)))
        body += data
    return head + b"".join(rows) + descriptor + pairs + body


@pytest.mark.parametrize("number", VULKAN)
def test_ktx2_of_plain_channels_with_mips(number: int, tmp_path: Path) -> None:
    kind, channels = VULKAN[number]
    levels = [values(kind, channels, m) for m in range(5)]
    transfer = 1 if kind[0] == "f" else 2
    (tmp_path / "a_mask.ktx2").write_bytes(ktx2([v.tobytes() for v in levels], number, transfer=transfer))
    material = load_material(tmp_path / "a_mask.ktx2", overrides=["mask=a_mask.ktx2"])
    assert len(material.channels) == channels
    assert_levels(material, levels)
    (path,) = write_maps(material.to_metadata(), material.pixels, tmp_path / "out")
    assert path.name == f"a_mask.ktx2.{'exr' if kind[0] == 'f' else 'png'}"


def zstd(data: bytes) -> bytes:
    return pytest.importorskip("zstandard", reason="needs zstandard").ZstdCompressor().compress(data)


@pytest.mark.parametrize(("scheme", "pack"), [(2, zstd), (3, zlib.compress)])
def test_supercompressed_ktx2(scheme: int, pack: object, tmp_path: Path) -> None:
    levels = [values("u1", 4, m) for m in range(5)]
    path = tmp_path / "wall_col.ktx2"
    path.write_bytes(ktx2([v.tobytes() for v in levels], 43, scheme=scheme, pack=pack))
    assert_levels(load_material(tmp_path), levels)
    bombs = {"more": lambda d: pack(d + bytes(10)), "less": lambda d: pack(d[:-1]), "cut": lambda d: pack(d)[:-6],
             "junk": lambda d: b"\x12" * 40, "bomb": lambda d: pack(bytes(1 << 28))}  # fmt: skip
    for name, bad in bombs.items():
        path.write_bytes(ktx2([levels[0].tobytes()], 43, scheme=scheme, pack=bad))
        with pytest.raises(MaterialError, match=r"wall_col\.ktx2: damaged .* \(a level unpacks to") as error:
            load_material(tmp_path)
        [unpacked] = re.findall(r"unpacks to (\d+) bytes", str(error.value))
        assert int(unpacked) <= (1 << 20) + len(levels[0].tobytes()), name  # and no more is ever in memory


BLOCKS = {"bc1": (132, 8, 3), "bc3": (138, 16, 4), "bc4": (139, 8, 1), "bc5": (141, 16, 2), "bc7": (146, 16, 4),
          "astc-4x4": (158, 16, 4), "astc-8x5": (168, 16, 4)}  # fmt: skip


@pytest.mark.parametrize("codec", BLOCKS)
def test_ktx2_of_blocks(codec: str, tmp_path: Path) -> None:
    """Random bits are blocks of all kinds; texture2ddecoder says what they hold."""
    decoder = pytest.importorskip("texture2ddecoder")
    number, size, channels = BLOCKS[codec]
    block = tuple(map(int, codec[5:].split("x"))) if codec.startswith("astc") else (4, 4)
    count = -(-W // block[0]) * -(-H // block[1])
    blocks = np.random.default_rng(1).integers(0, 256, (count, size), dtype=np.uint8)
    if codec == "bc7":
        blocks[:, 0] = (blocks[:, 0] & 0x80) | 0x40  # mode 6
    if codec in ("bc1", "bc3"):  # four colours
        ends = blocks[:, size - 8 : size - 4].copy().view("<u2")
        blocks[:, size - 8 : size - 4] = np.sort(ends, axis=1)[:, ::-1].copy().view(np.uint8)
    if codec.startswith("astc"):  # random bits are mostly errors: one colour a block
        blocks[:, :8] = np.frombuffer(bytes.fromhex("fcfdffffffffffff"), np.uint8)
    model = {"bc1": 128, "bc3": 130, "bc4": 131, "bc5": 132, "bc7": 134}.get(codec, 162)
    (tmp_path / "a_mask.ktx2").write_bytes(ktx2([blocks.tobytes()], number, model=model))
    name = "decode_astc" if codec.startswith("astc") else f"decode_{codec}"
    pixels = getattr(decoder, name)(blocks.tobytes(), W, H, *(block if codec.startswith("astc") else ()))
    right = np.frombuffer(pixels, np.uint8).reshape(H, W, 4)[:, :, [2, 1, 0, 3]].astype(int)
    material = load_material(tmp_path / "a_mask.ktx2", overrides=["mask=a_mask.ktx2"])
    assert [c.file_channel for c in material.channels] == list(range(channels))
    assert np.abs(codes(material) - right[:, :, :channels]).max() <= (2 if codec in ("bc1", "bc3") else 1)


def test_what_a_ktx2_file_states_is_honoured(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a_col.ktx2", rgba()
    pixels[:, :, 3] = np.linspace(60, 255, W).round()[None]
    mirrored = {"rd": pixels, "ru": pixels[::-1], "ld": pixels[:, ::-1], "lu": pixels[::-1, ::-1]}
    for text, stored in mirrored.items():
        path.write_bytes(ktx2([stored.tobytes()], 43, values={"KTXorientation": text}))
        assert np.array_equal(codes(load_material(path)), pixels), text
    multiplied = pixels.copy()
    multiplied[:, :, :3] = np.rint(pixels[:, :, :3] * (pixels[:, :, 3:] / 255))
    path.write_bytes(ktx2([multiplied.tobytes()], 43, flags=1))
    assert np.abs(codes(load_material(path)) - pixels).max() <= 3
    light = (pixels / 255.0) ** 2.2
    light[:, :, 3] = pixels[:, :, 3] / 255
    path.write_bytes(ktx2([np.rint(light * 65535).astype("<u2").tobytes()], 91, transfer=1))
    material = load_material(path)
    assert np.abs(codes(material) - pixels).max() <= 6  # 2.2 is not quite the curve of sRGB
    assert {c.color_space for c in material.channels[:3]} == {"srgb"}
    grey = pixels[:, :, 0]
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "a_rough.ktx2").write_bytes(ktx2([grey.tobytes()], 9, transfer=1))
    assert np.array_equal(codes(load_material(tmp_path / "r"))[:, :, 0], grey)  # data: no curve


@pytest.mark.parametrize(("options", "message"), [
    ({"faces": 6}, "a cube map; allowed are plain 2D"), ({"layers": 3}, "an array of 3; allowed"),
    ({"depth": 2}, "a volume; allowed"), ({"faces": 2}, "faceCount 2, expected 1 or 6"),
    ({"scheme": 1}, r"ETC1S \(BasisLZ\) of Basis Universal, which is not read; decode it with `ktx extract`"),
    ({"number": 0, "model": 166}, "UASTC of Basis Universal, which is not read"),
    ({"number": 64}, "VkFormat 64, which is not read; allowed are 8, 16 and 32 bits"),
    ({"scheme": 9}, "supercompression 9; allowed are none, Zstandard and ZLIB"),
    ({"number": 37, "transfer": 7}, "its colours are stated as 'PQ of a KTX2 file'"),
    ({"primaries": 10}, "its colours are stated as 'primaries 10"),
    ({"values": {"KTXorientation": "xx"}}, "KTXorientation 'xx'; allowed are rd, ld, lu, ru"),
    ({"values": {"KTXswizzle": "bgra"}}, "KTXswizzle 'bgra', channels that change places"),
    ({"size": (H + 1, W)}, r"level 0 has \d+ bytes, expected"),
    ({"size": (20000, 4)}, "size 4x20000; allowed are 1..16384"),
])  # fmt: skip
def test_ktx2_files_that_are_no_plain_maps(options: dict, message: str, tmp_path: Path) -> None:
    options = {"number": 43, **options}
    (tmp_path / "a_col.ktx2").write_bytes(ktx2([rgba().tobytes()], **options))
    with pytest.raises(MaterialError, match=rf"a_col\.ktx2: .*{message}") as error:
        load_material(tmp_path / "a_col.ktx2")
    assert "\n" not in str(error.value)


def test_what_transcode_writes_is_read_with_its_mips(tmp_path: Path) -> None:
    from gstex.transcode import open_source, plan_textures, transcode

    (tmp_path / "wall").mkdir()
    for name, count in (("col", 3), ("rough", 1)):
        Image.fromarray(smooth(H, W, count).squeeze()).save(tmp_path / "wall" / f"wall_{name}.png")
    source = open_source(tmp_path / "wall")
    for container in ("dds", "ktx2"):
        transcode(source, plan_textures(source), tmp_path / container, container=container)
        material = load_material(tmp_path / container)
        assert [c.role for c in material.channels] == ["albedo"] * 3 + ["roughness"]
        assert len(material.own_mips) == 4
        for right, found in zip(source.mips, make_mips(material, repeat=False), strict=True):
            assert np.abs(right - found.pixels).max() < 0.05


# ---- PSD, BMP, HDR


def psd_with(resources: bytes, pixels: np.ndarray, mode: int = 3) -> bytes:
    data = psd(pixels)
    return data[:24] + struct.pack(">HII", mode, 0, len(resources)) + resources + data[34:]


def version_info(merged: bool) -> bytes:
    """Image resources: one of another kind with a name, and the one that says whether there is a merged picture."""
    one = b"8BIM" + struct.pack(">H", 4000) + b"\3abc" + struct.pack(">I", 3) + b"xyz\0"
    content = struct.pack(">IB", 1, merged) + struct.pack(">III", 0, 0, 1)
    return one + b"8BIM" + struct.pack(">HHI", 1057, 0, len(content)) + content + bytes(len(content) % 2)


def test_a_psd_without_a_merged_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a_col.psd"
    pixels = smooth(H, W, 3)
    path.write_bytes(psd_with(version_info(True), pixels))
    assert np.array_equal(codes(load_material(path)), pixels)
    path.write_bytes(psd_with(version_info(False), np.full((H, W, 3), 255, np.uint8)))
    with pytest.raises(MaterialError, match='saved without a merged picture; save it with "Maximize Compatibility"'):
        load_material(path)
    for mode, name in ((4, "CMYK"), (7, "multichannel"), (9, "Lab")):
        path.write_bytes(psd_with(b"", smooth(H, W, 4), mode))
        with pytest.raises(MaterialError, match=rf"{name} colours; allowed are grey, indexed and RGB"):
            load_material(path)


def test_further_channels_of_a_psd_are_named(tmp_path: Path) -> None:
    (tmp_path / "a_col.psd").write_bytes(psd(smooth(H, W, 4)))
    material = load_material(tmp_path)
    assert np.array_equal(codes(material), smooth(H, W, 3))
    assert "beside the merged picture" in dict(material.ignored)["a_col.psd:1 more"]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 1, 0, 3), (3, 2, 1, 0), (1, 2, 3, 0)])
def test_masks_of_a_bmp(order: tuple[int, ...], tmp_path: Path) -> None:
    """order: which byte holds red, green, blue and alpha."""
    pixels, stored = rgba(), np.zeros((H, W, 4), np.uint8)
    stored[:, :, list(order)] = pixels
    masks = [0xFF << 8 * byte for byte in order]
    head = b"BM" + struct.pack("<IHHI", 14 + 108 + 4 * H * W, 0, 0, 14 + 108)
    head += struct.pack("<IiiHHIIiiII", 108, W, -H, 1, 32, 3, 4 * H * W, 0, 0, 0, 0) + struct.pack("<4I", *masks)
    (tmp_path / "a.bmp").write_bytes(head + b"BGRs" + bytes(48) + stored.tobytes())
    assert np.array_equal(codes(load_material(tmp_path / "a.bmp")), pixels)
    bad = head[:54] + struct.pack("<4I", 0x3FF00000, 0xFFC00, 0x3FF, 0) + head[70:]
    (tmp_path / "a.bmp").write_bytes(bad + b"BGRs" + bytes(48) + stored.tobytes())
    with pytest.raises(MaterialError, match="masks 3FF00000 000FFC00 000003FF; allowed are masks of whole bytes"):
        load_material(tmp_path / "a.bmp")


def hdr(pixels: np.ndarray, line: str = "-Y {h} +X {w}", *lines: str) -> bytes:
    """A Radiance file without run lengths, of pixels [lines, texels of a line, 3] as stored."""
    exponent = np.floor(np.log2(pixels.max(axis=2))) + 1
    codes = np.floor(pixels * (256 / 2.0**exponent)[:, :, None]).astype(np.uint8)
    stored = np.concatenate([codes, (exponent + 128).astype(np.uint8)[:, :, None]], axis=2)
    text = "\n".join(["#?RADIANCE", "FORMAT=32-bit_rle_rgbe", *lines])
    return f"{text}\n\n{line.format(h=len(pixels), w=pixels.shape[1])}\n".encode() + stored.tobytes()


@pytest.mark.parametrize("line", ["-Y {h} +X {w}", "+Y {h} +X {w}", "-Y {h} -X {w}", "+Y {h} -X {w}", "-X {h} +Y {w}",
                                  "+X {h} +Y {w}", "-X {h} -Y {w}", "+X {h} -Y {w}"])  # fmt: skip
def test_orientations_of_hdr(line: str, tmp_path: Path) -> None:
    """The first axis is that of the lines; -Y goes down, +X to the right."""
    picture = smooth(6, 5, 3) / 20.0
    axes = picture if line[1] == "Y" else picture.transpose(1, 0, 2)
    first, second = line.split()[0], line.split()[2]
    axes = axes if first in ("-Y", "+X") else axes[::-1]
    axes = axes if second in ("-Y", "+X") else axes[:, ::-1]
    (tmp_path / "a.hdr").write_bytes(hdr(axes, line))
    material = load_material(tmp_path / "a.hdr")
    assert material.pixels.shape == (6, 5, 3)
    assert np.abs(material.channels[0].range.from_unit(material.pixels) - picture).max() < picture.max() / 100


def test_exposure_of_hdr(tmp_path: Path) -> None:
    picture = smooth(6, 5, 3) / 20.0
    zeros = "PRIMARIES=0 0 0 0 0 0 0 0"
    (tmp_path / "a.hdr").write_bytes(hdr(picture * 4, "-Y {h} +X {w}", "EXPOSURE=2.0", "GAMMA=1", zeros, "EXPOSURE= 2"))
    material = load_material(tmp_path / "a.hdr")
    assert np.abs(material.channels[0].range.from_unit(material.pixels) - picture).max() < picture.max() / 100
    for bad in ("FORMAT=32-bit_rle_xyze", "GAMMA=2.2", "COLORCORR=1 0.5 1", "EXPOSURE=0", "EXPOSURE=nan"):
        (tmp_path / "a.hdr").write_bytes(hdr(picture, "-Y {h} +X {w}", bad))
        with pytest.raises(MaterialError, match=bad.partition("=")[0]):
            load_material(tmp_path / "a.hdr")


# ---- Damage


def victims() -> dict[str, bytes]:
    picture = smooth(H, W, 3)
    return {
        "a.dds": dds([values("u2", 4, m) for m in range(5)], (H, W), dxgi=11),
        "b.dds": dds([values("f2", 1, m) for m in range(5)], (H, W), code=struct.pack("<I", 111), flags=4),
        "c.dds": dds([rgba()], (H, W)),
        "d.dds": dds([np.zeros((H // 4 * W // 4, 16), np.uint8)], (H, W), dxgi=98),
        "a.ktx2": ktx2([values("u1", 4, m).tobytes() for m in range(5)], 43, values={"KTXorientation": "rd"}),
        "b.ktx2": ktx2([values("u2", 3, m).tobytes() for m in range(5)], 84, scheme=3, pack=zlib.compress),
        "c.ktx2": ktx2([bytes(16 * (H // 4) * (W // 4))], 146, model=134),
        "a.psd": psd_with(version_info(True), picture),
        "a.hdr": hdr(picture / 20.0, "-Y {h} +X {w}", "EXPOSURE=1"),
        "a.bmp": b"BM" + struct.pack("<IHHI", 66 + 4 * H * W, 0, 0, 66) + struct.pack(
            "<IiiHHIIiiII", 40, W, -H, 1, 32, 3, 4 * H * W, 0, 0, 0, 0) + struct.pack("<3I", 0xFF, 0xFF00, 0xFF0000)
        + rgba().tobytes(),
    }  # fmt: skip


@pytest.mark.parametrize("options", [{"code": b"DXT5", "flags": 4}, {}, {"dxgi": 10}, {"dxgi": 98}])
def test_sizes_are_proven_before_anything_is_allocated(options: dict, tmp_path: Path) -> None:
    """A file of a few bytes that claims 16384x16384 texels."""
    (tmp_path / "a.dds").write_bytes(dds([np.zeros(64, np.uint8)], (16384, 16384), **options))
    with pytest.raises(MaterialError, match=r"a\.dds: damaged or truncated dds file \(.* ends? at byte \d{9}"):
        load_material(tmp_path / "a.dds")
    number = {10: 97, 98: 146}.get(options.get("dxgi"), 43)
    data = bytearray(ktx2([rgba().tobytes()], number))
    size = {97: 8, 146: 1, 43: 4}[number] << 28
    data[20:28], data[88:104] = struct.pack("<2I", 16384, 16384), struct.pack("<2Q", size, size)
    (tmp_path / "a.ktx2").write_bytes(data)
    with pytest.raises(MaterialError, match=r"a\.ktx2: damaged or truncated ktx2 file \(level 0 ends at byte \d{9}"):
        load_material(tmp_path / "a.ktx2")


@pytest.mark.parametrize("name", victims())
def test_damaged_files_are_errors_of_their_own(name: str, tmp_path: Path) -> None:
    """Bits, bytes, extreme numbers and ends that are not there: a MaterialError, or a picture."""
    data, rng = victims()[name], random.Random(name)
    head = min(len(data), 320)
    refused = 0
    for _ in range(60):
        bad = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 4))):
            place, kind = rng.randrange(head), rng.randrange(4)
            if kind == 0:
                bad[place] ^= 1 << rng.randrange(8)
            elif kind == 1:
                bad[place] = rng.randrange(256)
            elif kind == 2:
                bad[place : place + 4] = rng.choice((b"\xff\xff\xff\xff", bytes(4), b"\0\0\0\x80", b"\xff\xff\xff\x7f"))
            else:
                del bad[rng.randrange(len(bad)) :]
                bad += b"\0"
                break
            head = min(head, len(bad) - 1) or 1
        head = min(len(data), 320)
        (tmp_path / name).write_bytes(bad)
        try:
            material = load_material(tmp_path / name)
        except MaterialError as error:
            refused += 1
            assert "\n" not in str(error)
        else:
            assert material.width <= 16384 and np.isfinite(material.pixels).all()
    assert refused >= 10
