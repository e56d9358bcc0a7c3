"""What an image file states about its pixels beside them: which way is up, which channels and parts there are, whether
the alpha counts, and what the colours mean.

`images.py` reads pixels as stated here. Nothing of it reaches a .gstex file, except what writing the file again needs.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from gstex.arrays import AnyArray
from gstex.containers.dds import OPAQUE, PREMULTIPLIED, DdsFile
from gstex.errors import MaterialError
from gstex.material.headers import read_bmp_header, read_hdr_header, read_psd_header
from gstex.material.profile import Profile, from_chromaticities, from_cicp, from_gamma, from_icc

__all__ = ["Stated", "read_stated", "upright"]

# Gammas of PNG files that stand for sRGB; the format itself advises to write 0.45455 beside it.
_SRGB_GAMMA = (0.43, 0.48)
# Channels of an OpenEXR layer that make a picture, best first, in any case of letters.
_PICTURES = (("r", "g", "b", "a"), ("r", "g", "b"), ("x", "y", "z"), ("x", "y"), ("y", "a"), ("y",), ("r", "g"))
_SHOWN = 4  # names in a line about what is left out


@dataclass(frozen=True)
class Stated:
    """What a file states.

    container: the format of the file. stored: width, height and channels of its pixels. levels: how many it holds.
    orientation: 1..8 as in EXIF; 1 is upright.
    picked: the channels that are read. alpha: whether the last of them is an alpha.
    offset, full: (x, y) of the stored pixels in the picture and (width, height) of the picture.
    associated: whether colours are stored multiplied by alpha; None where the format asks for it but many programs do
        not follow (OpenEXR), so that the values decide.
    empty_alpha: the file says that its alpha bytes mean nothing.
    profile: what the colours mean; None for sRGB, or linear Rec. 709 in float files, or where nothing is stated.
    says_srgb: a PNG file states its colours in chunks.
    unused: (part of the file, reason) of what is left out. notes: lines on what was done, for the table.
    exposure: what values are divided by when they are read.
    """

    container: str = ""
    stored: tuple[int, int, int] = (0, 0, 0)
    levels: int = 1
    orientation: int = 1
    picked: tuple[int, ...] = ()
    alpha: bool = False
    offset: tuple[int, int] = (0, 0)
    full: tuple[int, int] = (0, 0)
    associated: bool | None = False
    empty_alpha: bool = False
    profile: Profile | None = None
    says_srgb: bool = False
    unused: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    exposure: float = 1.0

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture."""
        width, height = self.full
        return (height, width) if self.orientation > 4 else (width, height)


def read_stated(path: Path, format: str, image: oiio.ImageInput, dds: DdsFile | None = None) -> Stated:
    """Read what an opened file states, from its header alone. The image must not be used afterwards. dds: the
    header of a DDS file.

    Raises:
        MaterialError: several layers, none of which is the picture; no channels that make a picture.
    """
    spec = image.spec()
    notes: list[str] = []
    picked, alpha, unused = _pick(path, format, spec)
    offset, full = (0, 0), (spec.width, spec.height)
    if format == "exr":
        offset = (spec.x - spec.full_x, spec.y - spec.full_y)
        full = (spec.full_width, spec.full_height)
        if (offset, full) != ((0, 0), (spec.width, spec.height)):
            notes.append(f"data window {spec.width}x{spec.height} at {offset[0]},{offset[1]} of {full[0]}x{full[1]}")
    orientation = spec.get_int_attribute("Orientation", 1)
    if not 1 <= orientation <= 8:
        orientation = 1
    associated: bool | None = False
    empty_alpha = False
    if format == "exr" and alpha:
        associated = None
    elif format == "tiff" and alpha:
        associated = not spec.get_int_attribute("oiio:UnassociatedAlpha", 0)
    elif format == "tga" and alpha:
        associated, empty_alpha = _tga_alpha(path)
    levels, exposure = 1, 1.0
    if dds is not None:
        levels, associated = dds.level_count, dds.alpha_mode == PREMULTIPLIED and alpha
        empty_alpha = alpha and dds.alpha_mode == OPAQUE
        if spec.get_string_attribute("compression") in ("DXT2", "DXT4"):
            notes.append("colours were multiplied by alpha")  # OpenImageIO has taken it out
    profile, says_srgb = _profile(path, format, spec)
    if format == "bmp" and len(picked) == 4:
        bmp = read_bmp_header(path)
        picked, empty_alpha = bmp.order, bmp.empty_alpha
    elif format == "psd":
        more = read_psd_header(path).channels - spec.nchannels
        if more > 0:
            unused.append((f"{more} more", "not used: channels beside the merged picture; save them as files of their "
                                           "own"))  # fmt: skip
    elif format == "hdr":
        hdr = read_hdr_header(path)
        orientation, exposure = hdr.orientation, hdr.exposure
        if exposure != 1:
            notes.append(f"divided by its EXPOSURE of {exposure:g}")
        if hdr.chromaticities:
            profile = from_chromaticities(hdr.chromaticities)
    if orientation > 1:
        notes.append(f"turned upright (orientation {orientation})")
    stored = (spec.width, spec.height, spec.nchannels)
    unused += _other_parts(format, image)
    return Stated(format, stored, levels, orientation, picked, alpha, offset, full, associated, empty_alpha, profile,
                  says_srgb, tuple(unused), tuple(notes), exposure)  # fmt: skip


def upright(pixels: AnyArray, orientation: int) -> AnyArray:
    """Pixels [h, w, C] as stored -> [H, W, C] as they are meant to be seen, by the EXIF orientation 1..8."""
    if orientation > 4:
        pixels = pixels.transpose(1, 0, 2)
        orientation = {5: 1, 6: 2, 7: 3, 8: 4}[orientation]
    rows = slice(None, None, -1) if orientation in (3, 4) else slice(None)
    columns = slice(None, None, -1) if orientation in (2, 3) else slice(None)
    return np.ascontiguousarray(pixels[rows, columns])


def _pick(path: Path, format: str, spec: oiio.ImageSpec) -> tuple[tuple[int, ...], bool, list[tuple[str, str]]]:
    """(the channels that make the picture, whether the last is an alpha, what is left out)."""
    names = list(spec.channelnames)
    count = len(names)
    if format != "exr":
        alpha = count in (2, 4) and (spec.alpha_channel == count - 1 or names[-1].upper() == "A")
        if count == 4 and not alpha:
            return (0, 1, 2), False, [(names[3], "not used: the file does not call this channel an alpha")]
        return tuple(range(count)), alpha, []
    if any(n.split(".")[-1].upper() in ("RY", "BY") for n in names):
        raise MaterialError(f"{path.name}: luminance and chroma channels; allowed are RGB channels: export it as RGB")
    layers: dict[str, dict[str, int]] = {}
    for index, name in enumerate(names):
        layer, _, channel = name.rpartition(".")
        layers.setdefault(layer, {})[channel.lower()] = index
    pictures = {layer: p for layer, channels in layers.items() if (p := _picture(channels)) is not None}
    if "" in pictures:
        chosen = ""
    elif len(pictures) == 1:
        chosen = next(iter(pictures))
    elif pictures:
        raise MaterialError(f"{path.name}: {len(pictures)} layers ({_some(list(pictures))}), expected one; "
                            "save the layer that is meant as a file of its own")
    elif count <= 4:  # one to four channels of other names
        return tuple(range(min(count, 3))), False, [(n, _EXTRA) for n in names[3:]]
    else:
        raise MaterialError(f"{path.name}: {count} channels ({_some(names)}), none of them R, G, B or Y; "
                            "save what is meant as a file of 1..4 channels")
    picture = pictures[chosen]
    picked = tuple(layers[chosen][c] for c in picture)
    rest = [n for i, n in enumerate(names) if i not in picked]
    unused = [(_some(rest), _EXTRA)] if rest else []
    return picked, picture[-1] == "a", unused


_EXTRA = "not used: channels beside the picture; save them as a file of their own"


def _picture(channels: dict[str, int]) -> tuple[str, ...] | None:
    picture = next((p for p in _PICTURES if channels.keys() >= set(p)), None)
    if picture is None and len(channels) == 1 and not channels.keys() & {"z", "a"}:
        return tuple(channels)  # one channel of whatever name
    return picture


def _other_parts(format: str, image: oiio.ImageInput) -> list[tuple[str, str]]:
    """The further pictures in a file, which OpenImageIO calls subimages."""
    names, index = [], 1
    while index < 1000 and image.seek_subimage(index, 0):
        name = image.spec().get_string_attribute("oiio:subimagename") or f"part {index + 1}"
        names.append(name if name.isprintable() else f"part {index + 1}")
        index += 1
    if not names:
        return []
    what = "the merged picture" if format == "psd" else "the first picture"
    return [(_some(names), f"not used: {what} of the file is taken; save the others as files of their own")]


def _tga_alpha(path: Path) -> tuple[bool, bool]:
    """(colours are multiplied by alpha, the alpha means nothing) of a 32-bit TGA file.

    The header states the attribute bits of a pixel; with 0 of them the fourth byte is padding. The extension area of
    version 2 states what the attribute is; where there is one it decides, unless it states that there is no alpha.
    """
    with open(path, "rb") as file:
        head = file.read(18)
        file.seek(0, 2)
        length = file.tell()
        kind = None
        if length >= 44:
            file.seek(length - 26)
            footer = file.read(26)
            start = struct.unpack("<I", footer[:4])[0] if footer[8:24] == b"TRUEVISION-XFILE" else 0
            if start and start + 495 <= length:
                file.seek(start + 494)
                kind = file.read(1)[0]
    if kind in (3, 4):
        return kind == 4, False
    return False, kind in (1, 2) or (len(head) == 18 and head[17] & 15 == 0)


def _profile(path: Path, format: str, spec: oiio.ImageSpec) -> tuple[Profile | None, bool]:
    """(what the colours of a file mean, whether a PNG file says so in chunks)."""
    chunks = _png_chunks(path) if format == "png" else {}
    stated = bool(chunks.keys() & {b"cICP", b"iCCP", b"sRGB", b"gAMA"})
    if len(chunks.get(b"cICP", b"")) == 4:
        return from_cicp(*chunks[b"cICP"]), stated
    icc = spec.getattribute("ICCProfile")
    if icc is not None:
        return from_icc(np.asarray(icc, np.uint8).tobytes(), spec.get_string_attribute(
            "ICCProfile:profile_description") or "an embedded profile"), stated  # fmt: skip
    if b"sRGB" in chunks:
        return None, stated
    points = [v / 100000 for v in struct.unpack(">8I", chunks[b"cHRM"])] if len(chunks.get(b"cHRM", b"")) == 32 else []
    if points:  # PNG starts with the white point
        points = points[2:] + points[:2]
    if len(chunks.get(b"gAMA", b"")) == 4:
        gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 100000
        exponent = None if _SRGB_GAMMA[0] <= gamma <= _SRGB_GAMMA[1] or gamma <= 0 else 1 / gamma
        return from_gamma(exponent, points), stated
    if points:
        return from_gamma(None, points), stated
    chromaticities = spec.getattribute("chromaticities")
    if format == "exr" and isinstance(chromaticities, Sequence) and len(chromaticities) == 8:
        return from_chromaticities([float(v) for v in chromaticities]), False
    return None, False


def _png_chunks(path: Path) -> dict[bytes, bytes]:
    """Name -> data of the chunks before the pixels of a PNG file. Large chunks are empty; damaged ones are missing."""
    chunks: dict[bytes, bytes] = {}
    with open(path, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            if kind == b"IDAT" or size > 2**31:
                break
            if size > 64:
                file.seek(size + 4, 1)
                chunks[kind] = b""
                continue
            data, check = file.read(size), file.read(4)
            if len(check) == 4 and zlib.crc32(kind + data) == struct.unpack(">I", check)[0]:
                chunks[kind] = data
    return chunks


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return " ".join(names[:_SHOWN]) + more
