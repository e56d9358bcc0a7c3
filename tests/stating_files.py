"""Image files that state something about their pixels: orientation, windows, layers, alpha, profiles. Made with Pillow,
OpenImageIO's writers and bytes; nothing here goes through gstex."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
from PIL import Image


def smooth(height: int, width: int, count: int, seed: int = 0) -> np.ndarray:
    """uint8 [height, width, count], slopes that no two corners and no two channels share."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    planes = [40 + 150 * ((0.5 + 0.3 * i) * x + (0.9 - 0.2 * i) * y) / 2 + 5 * seed for i in range(count)]
    return np.stack(planes, axis=2).round().astype(np.uint8)


def with_orientation(path: Path, pixels: np.ndarray, orientation: int) -> None:
    """A JPEG, PNG, WebP or TIFF file that states an orientation."""
    image = Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[:, :, 0])
    if path.suffix == ".tif":
        image.save(path, tiffinfo={274: orientation})
        return
    exif = Image.Exif()
    exif[274] = orientation
    extra = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(path.suffix, {})
    image.save(path, exif=exif, **extra)


def write_exr(
    path: Path, pixels: np.ndarray, names: Sequence[str] = (), *, offset: tuple[int, int] = (0, 0),
    display: tuple[int, int, int, int] | None = None, half: bool = False, **attributes: object,
) -> None:  # fmt: skip
    """An OpenEXR file. offset: of the data window. display: x, y, width, height of the display window."""
    height, width, count = pixels.shape
    spec = oiio.ImageSpec(width, height, count, oiio.HALF if half else oiio.FLOAT)
    if names:
        spec.channelnames = tuple(names)
    spec.x, spec.y = offset
    if display is not None:
        spec.full_x, spec.full_y, spec.full_width, spec.full_height = display
    for name, value in attributes.items():
        if name == "chromaticities":
            spec.attribute(name, "float[8]", value)
        else:
            spec.attribute(name, value)
    image = oiio.ImageOutput.create("openexr")
    assert image.open(str(path), spec) and image.write_image(pixels.astype(np.float32)) and image.close()


def write_parts(path: Path, format: str, parts: Sequence[tuple[str, np.ndarray]]) -> None:
    """A file of several pictures (name, float [h, w, C])."""
    specs = []
    for name, pixels in parts:
        spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], oiio.FLOAT)
        spec.attribute("oiio:subimagename", name)
        specs.append(spec)
    image = oiio.ImageOutput.create(format)
    for i, (_, pixels) in enumerate(parts):
        opened = image.open(str(path), specs if format == "openexr" else specs[0]) if i == 0 else image.open(
            str(path), specs[i], "AppendSubimage")  # fmt: skip
        assert opened and image.write_image(pixels.astype(np.float32))
    assert image.close()


def write_associated_tiff(path: Path, pixels: np.ndarray) -> None:
    """A TIFF file of colours that are multiplied by alpha already (ExtraSamples 1), uint8 or uint16 [h, w, 4]."""
    kind = oiio.UINT8 if pixels.dtype == np.uint8 else oiio.UINT16
    image = oiio.ImageOutput.create("tiff")
    assert image.open(str(path), oiio.ImageSpec(pixels.shape[1], pixels.shape[0], 4, kind))
    assert image.write_image(pixels) and image.close()


def write_tga(path: Path, pixels: np.ndarray, *, attribute_bits: int, kind: int | None = None) -> None:
    """A 32-bit TGA file of uint8 [h, w, 4]. kind: of the alpha, in an extension area; None for none."""
    height, width = pixels.shape[:2]
    data = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, width, height, 32, 0x20 | attribute_bits)
    data += pixels[:, :, [2, 1, 0, 3]].tobytes()
    if kind is not None:
        start = len(data)
        data += struct.pack("<H", 495) + bytes(492) + bytes([kind])
        data += struct.pack("<II", start, 0) + b"TRUEVISION-XFILE.\0"
    path.write_bytes(data)


def png_with(path: Path, pixels: np.ndarray, *chunks: tuple[bytes, bytes], **options: object) -> None:
    """A PNG file with chunks of its own right after the header."""
    Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[:, :, 0]).save(path, **options)
    data = path.read_bytes()
    made = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    path.write_bytes(data[:33] + made + data[33:])


def chunks_of(path: Path) -> list[str]:
    """Names of the chunks of a PNG file."""
    data, place, found = path.read_bytes(), 8, []
    while place < len(data):
        size, name = struct.unpack(">I4s", data[place : place + 8])
        found.append(name.decode())
        place += 12 + size
    return found


def icc(space: bytes, columns: Sequence[Sequence[float]], curve: bytes) -> bytes:
    """An ICC profile (version 2) of a matrix, given by its columns (XYZ relative to D50), and one curve."""
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    def xyz(v: Sequence[float]) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(c * 65536) for c in v))

    tags = [(b"desc", text), (b"wtpt", xyz((0.9642, 1, 0.8249)))]
    if space == b"GRAY":
        tags.append((b"kTRC", curve))
    else:
        tags += [(k, xyz(v)) for k, v in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)]
        tags += [(k, curve) for k in (b"rTRC", b"gTRC", b"bTRC")]
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags:
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    size = start + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def gamma_curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
