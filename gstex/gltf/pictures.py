"""Images of a model: read by the rules of glTF, and reduced as fallbacks."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from gstex.arrays import IntArray
from gstex.errors import MaterialError, OutputError
from gstex.format.metadata import SourceMap
from gstex.material.images import ImageFile, read_info, read_pixels, write_image
from gstex.material.resample import resample

__all__ = ["MIME_TYPES", "Picture", "fallback_bytes", "mime_type", "read_picture", "why_not"]

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"\xabKTX 20\xbb\r\n\x1a\n": "image/ktx2",
}
MIME_TYPES = ("image/png", "image/jpeg", "image/webp")  # the kinds that are read
_FALLBACK_QUALITY = 85  # of JPEG


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as glTF reads it, without regard to colour profiles and gammas in the file.

    pixels: uint8 or uint16 [height, width, 4]. Grey is in all three colours, and a missing alpha is the largest code.
    mime_type: of the file. has_alpha: whether any texel is not opaque.
    """

    pixels: IntArray
    mime_type: str

    @property
    def has_alpha(self) -> bool:
        return bool((self.pixels[:, :, 3] != np.iinfo(self.pixels.dtype).max).any())

    @property
    def bit_depth(self) -> int:
        return 8 * self.pixels.dtype.itemsize

    def write(self, path: Path, channels: list[int]) -> None:
        """Write some of the channels as a PNG file."""
        height, width = self.pixels.shape[:2]
        source = SourceMap(path.name, width, height, len(channels), self.bit_depth, False, "png")
        write_image(path, self.pixels[:, :, channels], source)


def mime_type(data: bytes) -> str | None:
    """The MIME type of an image by its first bytes; None if glTF does not know it."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), None)


def why_not(data: bytes, where: str) -> str:
    """Why an image file is not compressed, by its header; "" if it is.

    Raises:
        MaterialError: it is damaged, or too large.
    """
    kind = mime_type(data)
    if kind not in MIME_TYPES:
        return f"is {kind or 'no PNG, JPEG or WebP'}, which is not read"
    with _opened(data, where) as (_, info):
        upright = info.stated.orientation == 1
    return "" if upright else "states an orientation, which viewers do not agree on; turn it upright"


@contextlib.contextmanager
def _opened(data: bytes, where: str) -> Iterator[tuple[Path, ImageFile]]:
    """Write an image to a temporary file and read its header. Errors name `where` instead of the file."""
    with tempfile.TemporaryDirectory(prefix="gstex-") as folder:
        path = Path(folder) / f"image.{str(mime_type(data)).removeprefix('image/')}"
        path.write_bytes(data)
        try:
            yield path, read_info(path)
        except MaterialError as error:
            raise MaterialError(f"{where}{str(error).removeprefix(path.name)}") from None


def read_picture(data: bytes, where: str) -> Picture:
    """Read an image file that `why_not` accepts.

    Raises:
        MaterialError: it is damaged.
    """
    kind = str(mime_type(data))
    with _opened(data, where) as (path, info):
        stored = read_pixels(path, info)
    pixels = np.full((*stored.shape[:2], 4), np.iinfo(stored.dtype).max, stored.dtype)
    pixels[:, :, :3] = stored[:, :, :3] if info.colors >= 3 else stored[:, :, :1]
    if info.channels in (2, 4):
        pixels[:, :, 3] = stored[:, :, -1]
    return Picture(pixels, kind)


def fallback_bytes(picture: Picture, size: int, *, alpha: bool) -> tuple[bytes, str]:
    """(file, MIME type): the image with at most `size` texels along each axis, as JPEG, or as PNG with alpha."""
    height, width = picture.pixels.shape[:2]
    unit = picture.pixels.astype(np.float32) / np.float32(np.iinfo(picture.pixels.dtype).max)
    factor = min(1.0, size / max(height, width))
    new_size = max(1, round(height * factor)), max(1, round(width * factor))
    if new_size != (height, width):
        unit = np.clip(resample(unit, *new_size, repeat=False), 0, 1)
    codes = np.rint(unit * 255).astype(np.uint8)[:, :, : 4 if alpha else 3]
    with tempfile.TemporaryDirectory(prefix="gstex-") as folder:
        path = Path(folder) / ("image.png" if alpha else "image.jpg")
        if alpha:
            write_image(path, codes, SourceMap(path.name, new_size[1], new_size[0], 4, 8, False, "png"))
        else:
            buffer = oiio.ImageBuf(np.ascontiguousarray(codes))
            buffer.specmod().attribute("compression", f"jpeg:{_FALLBACK_QUALITY}")
            buffer.specmod().attribute("jpeg:subsampling", "4:4:4")
            if not buffer.write(str(path)):
                raise OutputError(f"{path}: cannot be written ({buffer.geterror()}); check that there is room")
        return path.read_bytes(), "image/png" if alpha else "image/jpeg"
