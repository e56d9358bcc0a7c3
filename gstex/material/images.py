"""Reading and writing image files through OpenImageIO, values untouched.

Pixels stay in the file's own type and encoding: no premultiplication, no colour conversion. They come upright, at the
place in the picture that the file states. Callers turn them into 0..1 with `to_unit` and back with `from_unit`.
"""

import contextlib
import os
import struct
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import OpenImageIO as oiio

from gstex.arrays import AnyArray, F32Array, U8Array
from gstex.errors import MaterialError, OutputError
from gstex.format.container import FILE_MAGIC
from gstex.format.metadata import EXTENSIONS, ImageFormat, SourceMap
from gstex.format.ranges import ValueRange
from gstex.limits import MAX_SIZE
from gstex.material.gpu_files import OWN, read_dds_header, read_gpu_level, state_gpu_file
from gstex.material.headers import read_psd_header
from gstex.material.stated import Stated, read_stated, upright

__all__ = [
    "EXTENSIONS", "FORMATS", "FORMAT_NAMES", "ImageFile", "SourceMap", "from_unit",
    "png_bytes", "read_info", "read_pixels", "to_unit", "write_image", "write_picture",
]

MAX_FILE_CHANNELS = 4

# format name -> OpenImageIO's name of the plugin
FORMATS = {
    "png": "png", "jpeg": "jpeg", "tga": "targa", "webp": "webp", "exr": "openexr", "tiff": "tiff",
    "bmp": "bmp", "hdr": "hdr",
}
_READ_ONLY = {"dds": "dds", "ktx2": "", "psd": "psd"}  # written as PNG, or as EXR if they hold floats
_ReadOnly = Literal["dds", "ktx2", "psd"]
FORMAT_NAMES = "PNG, JPEG, TGA, WebP, EXR, TIFF, BMP, HDR, DDS, KTX2 or PSD"
# numpy type -> (bit depth, is float)
_TYPES = {"uint8": (8, False), "uint16": (16, False), "half": (16, True), "float": (32, True)}


@dataclass(frozen=True)
class ImageFile(SourceMap):
    """An existing image file. stated: what it states besides the needs of its map, see `Stated`."""

    stated: Stated = field(default=Stated(), compare=False, repr=False)


_stderr_lock = threading.Lock()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send the process's stderr to nowhere: libpng prints its warnings and errors there by itself."""
    with _stderr_lock:
        try:
            saved = os.dup(2)
        except OSError:  # no stderr at all
            yield
            return
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)
            os.close(null)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _take_error(image: Any = None) -> str:
    """OpenImageIO's pending messages, which it would print at exit if nobody took them."""
    texts = []
    for owner in (image, oiio):
        if owner is not None:
            try:
                texts.append(owner.geterror())
            except UnicodeDecodeError:  # it quotes a damaged file's own bytes
                texts.append("unreadable names or values in the file")
    return "\n".join(t for t in texts if t)


def _reason(text: str) -> str:
    """The first line of OpenImageIO's message, without a long tail."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:160] if lines else "no reason given"


def _damaged(path: Path, format: str, text: str) -> MaterialError:
    reason = _reason(text)
    return MaterialError(f"{path.name}: damaged or truncated {format} file ({reason}); export it again")


def _sniff(path: Path) -> ImageFormat | _ReadOnly:
    """The format of a file by its first bytes; TGA, which has none of its own, by its extension."""
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError as error:
        raise MaterialError(f"{path.name}: cannot be read ({error.strerror}); check its permissions") from None
    if not head:
        raise MaterialError(f"{path.name}: the file is empty; allowed are {FORMAT_NAMES} images")
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"\x76\x2f\x31\x01"):
        return "exr"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if head.startswith(b"DDS "):
        return "dds"
    if head.startswith(b"8BPS"):
        return "psd"
    if head.startswith((b"#?RADIANCE", b"#?RGBE")):
        return "hdr"
    if head.startswith(b"BM") and path.suffix.lower() != ".tga":
        return "bmp"
    if head.startswith(b"\xabKTX 20\xbb"):
        return "ktx2"
    if head.startswith(b"\xabKTX 11\xbb"):
        raise MaterialError(f"{path.name}: a KTX file of version 1, which is not read; allowed are {FORMAT_NAMES}: "
                            "convert it with ktx2ktx2")
    if path.suffix.lower() == ".tga":
        return "tga"
    if head.startswith(FILE_MAGIC):
        raise MaterialError(f"{path.name}: is a .gstex file; give the folder of maps or the image that it was made "
                            "from")
    raise MaterialError(f"{path.name}: not an image by its content, whatever its name; allowed are {FORMAT_NAMES}: "
                        "export it again")


@contextlib.contextmanager
def _opened(path: Path, format: str) -> Iterator[oiio.ImageInput]:
    """Open an image with alpha left as stored; call inside `_quiet`."""
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    image = oiio.ImageInput.open(str(path), config)
    if image is None or image.format_name() != (FORMATS | _READ_ONLY)[format]:
        raise _damaged(path, format, _take_error(image))
    try:
        yield image
    finally:
        image.close()
        _take_error(image)


def read_info(path: Path) -> ImageFile:
    """Read an image's header and check it, before anything of the image's size is allocated.

    Returns:
        The file's description; `ranges` are 0..1 for float files until the pixels are known.
    Raises:
        MaterialError: not an image, damaged, or a size, channel count or pixel type out of range.
    """
    format = _sniff(path)
    if format == "dds" or format == "ktx2":
        stated_and_type = state_gpu_file(path, format)  # says better than OpenImageIO what cannot be read
        if stated_and_type is not None:
            return _described(path, format, *stated_and_type)
    dds = read_dds_header(path) if format == "dds" else None
    if format == "psd":
        read_psd_header(path)
    with _quiet(), _opened(path, format) as image:
        spec = image.spec()
        sizes = [(spec.width, spec.height)] + ([(spec.full_width, spec.full_height)] if format == "exr" else [])
        depth, count, pixel_type, deep = spec.depth, spec.nchannels, str(spec.format), spec.deep
        for width, height in sizes:
            if not (1 <= width <= MAX_SIZE and 1 <= height <= MAX_SIZE):
                raise MaterialError(f"{path.name}: size {width}x{height}; allowed are 1..{MAX_SIZE} along each axis: "
                                    "resize it")
        if deep or depth > 1:
            raise MaterialError(f"{path.name}: a deep or volume image; export it as a flat image")
        if count < 1 or (count > MAX_FILE_CHANNELS and format != "exr"):
            raise MaterialError(
                f"{path.name}: {count} channels in one file; allowed are 1..{MAX_FILE_CHANNELS}; split it"
            )
        if pixel_type not in _TYPES:
            raise MaterialError(
                f"{path.name}: pixels are {pixel_type}; allowed are 8 and 16 bit integers, half and float: export it "
                "as one of them"
            )
        stated = read_stated(path, format, image, dds)
    return _described(path, format, stated, pixel_type)


def _described(path: Path, format: ImageFormat | _ReadOnly, stated: Stated, pixel_type: str) -> ImageFile:
    """What is known of a file from its header, as an image of a material."""
    bits, is_float = _TYPES[pixel_type]
    if format == "dds" or format == "ktx2" or format == "psd":
        format = "exr" if is_float else "png"
    elif format == "bmp" and stated.alpha and not stated.empty_alpha:
        format = "png"  # OpenImageIO writes BMP files whose alpha means nothing
    channels = len(stated.picked)
    ranges = (ValueRange(),) * channels if is_float else None
    alpha = stated.alpha or channels not in (2, 4)
    return ImageFile(path.name, *stated.size, channels, bits, is_float, format, ranges, alpha, stated=stated)


def read_pixels(path: Path, info: ImageFile, level: int = 0) -> AnyArray:
    """Read the channels of an image.

    Args:
        info: what `read_info` said of the same file. level: one of those in the file, see `Stated.levels`.
    Returns:
        [height, width, channels] uint8, uint16 or float32 (half and float files), row 0 = top, as stored. What an
        OpenEXR file leaves out of its picture is 0.
    Raises:
        MaterialError: the data is damaged, truncated, changed since, or holds NaN or infinity.
    """
    stated = info.stated
    if stated.container in OWN:
        texels = read_gpu_level(path, stated, level, _read_dds)
        return _finite(path, upright(texels.astype(np.float32) if info.is_float else texels, stated.orientation))
    with _quiet(), _opened(path, stated.container or info.format) as image:
        spec = image.spec()
        if (spec.width, spec.height, spec.nchannels) != stated.stored:
            raise MaterialError(f"{path.name}: the file changed while it was read; try again")
        first, last = min(stated.picked), max(stated.picked) + 1
        if level:
            image.seek_subimage(0, level)
            spec = image.spec()
        pixels = image.read_image(0, level, first, last, oiio.FLOAT if info.is_float else spec.format)
        width, height = spec.width, spec.height
        error = _take_error(image)
    # A truncated JPEG comes back complete, its lower part grey, with nothing but a message.
    if pixels is None or error:
        raise _damaged(path, stated.container or info.format, error)
    pixels = np.asarray(pixels).reshape(height, width, last - first)
    if stated.picked != tuple(range(first, last)):
        pixels = pixels[:, :, [c - first for c in stated.picked]]
    if not level:
        pixels = _placed(pixels, stated.offset, stated.full)
    if stated.exposure != 1:
        pixels = pixels / np.float32(stated.exposure)
    return _finite(path, upright(pixels, stated.orientation))


def _finite(path: Path, pixels: AnyArray) -> AnyArray:
    """The same pixels, if none is NaN or infinite."""
    bad = int(pixels.size - np.isfinite(pixels).sum()) if pixels.dtype.kind == "f" else 0
    if bad:
        raise MaterialError(f"{path.name}: {bad} values are NaN or infinite; fill them, export it again")
    return pixels


def _read_dds(path: Path, channels: int) -> AnyArray:
    """The first channels of a DDS file [h, w, channels] as OpenImageIO decodes it, uint8 or float32.

    Raises:
        MaterialError: damaged.
    """
    with _quiet(), _opened(path, "dds") as image:
        spec = image.spec()
        pixels = image.read_image(0, 0, 0, channels, spec.format if str(spec.format) == "uint8" else oiio.FLOAT)
        error = _take_error(image)
    if pixels is None or error:
        raise _damaged(path, "dds", error)
    return np.asarray(pixels).reshape(spec.height, spec.width, channels)


def _placed(pixels: AnyArray, offset: tuple[int, int], full: tuple[int, int]) -> AnyArray:
    """Pixels [h, w, C] in their picture, whose size is `full`: 0 where there are none, cut at its borders."""
    height, width = pixels.shape[:2]
    if (offset, full) == ((0, 0), (width, height)):
        return pixels
    x, y = offset
    result = np.zeros((full[1], full[0], pixels.shape[2]), pixels.dtype)
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, full[0]), min(y + height, full[1])
    if left < right and top < bottom:
        result[top:bottom, left:right] = pixels[top - y : bottom - y, left - x : right - x]
    return result


def to_unit(pixels: AnyArray, values: ValueRange | None) -> F32Array:
    """Stored values [...] -> float32 in 0..1: integers by their largest code, floats by their range, cut to it."""
    if values is None:
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return values.to_unit(pixels)


def from_unit(unit: F32Array, source: SourceMap) -> AnyArray:
    """float32 [..., C] in 0..1 -> the file's own values: the inverse of `to_unit`, rounded to the nearest code."""
    if source.ranges is not None:
        planes = [values.from_unit(unit[..., c]) for c, values in enumerate(source.ranges)]
        return np.stack(planes, axis=-1)
    unit = np.clip(unit, 0.0, 1.0).astype(np.float64)
    top = 255 if source.bit_depth == 8 else 65535
    codes = np.rint(unit * top)
    return codes.astype(np.uint8 if source.bit_depth == 8 else np.uint16)


def write_image(path: Path, pixels: AnyArray, source: SourceMap) -> None:
    """Write pixels [H, W, C] to `path` in the format and depth of `source`, whatever the path's extension.

    JPEG is written at quality 100 without chroma subsampling, WebP without loss.

    Raises:
        OutputError: the file cannot be written.
    """
    height, width, channels = pixels.shape
    kinds = {(8, False): oiio.UINT8, (16, False): oiio.UINT16, (16, True): oiio.HALF, (32, True): oiio.FLOAT}
    spec = oiio.ImageSpec(width, height, channels, kinds[source.bit_depth, source.is_float])
    if channels == 2:
        spec.channelnames = ("Y", "A") if source.alpha else ("R", "G")
        spec.alpha_channel = 1 if source.alpha else -1
    spec.attribute("oiio:UnassociatedAlpha", int(not source.associated))
    if source.format == "jpeg":
        spec.attribute("compression", "jpeg:100")
        spec.attribute("jpeg:subsampling", "4:4:4")
    elif source.format == "webp":
        spec.attribute("compression", "lossless:100")
    elif source.format == "tiff":
        spec.attribute("tiff:half", 1)  # OpenImageIO widens half to float otherwise
    elif source.format == "png":
        spec.attribute("png:compressionLevel", 4)  # half the time of the default for 13 % more bytes
        spec.attribute("oiio:ColorSpace", "srgb_rec709_scene" if source.says_srgb else "data")
    with _quiet():
        image = oiio.ImageOutput.create(FORMATS[source.format])
        done = (
            image is not None
            and image.open(str(path), spec)
            and image.write_image(np.ascontiguousarray(pixels))
            and image.close()
        )
        error = _take_error(image)
    if not done:
        raise OutputError(f"{path.name}: cannot be written ({_reason(error)}); check permissions and free space")
    if source.format == "png":
        _drop_chunks(path, (b"eXIf", b"oFFs"))


def _drop_chunks(path: Path, names: tuple[bytes, ...]) -> None:
    """Take chunks out of a PNG file that OpenImageIO has just written; it always writes some that say nothing."""
    data = path.read_bytes()
    parts, place = [data[:8]], 8
    while place < len(data):
        size, name = struct.unpack(">I4s", data[place : place + 8])
        if name not in names:
            parts.append(data[place : place + 12 + size])
        place += 12 + size
    path.write_bytes(b"".join(parts))


def write_picture(path: str | Path, picture: U8Array) -> None:
    """Write [h, w, 1 or 3] uint8, which is no map of a material; the path's extension says the format.

    Raises:
        OutputError: the file cannot be written.
    """
    buffer = oiio.ImageBuf(np.ascontiguousarray(picture))
    if not buffer.write(str(path)):
        raise OutputError(f"{path}: cannot be written ({buffer.geterror()}); choose another place")


def png_bytes(picture: U8Array) -> bytes:
    """[h, w, 1 or 3] uint8 as a PNG file."""
    with tempfile.TemporaryDirectory(prefix="gstex-") as folder:
        path = Path(folder) / "picture.png"
        write_picture(path, picture)
        return path.read_bytes()
