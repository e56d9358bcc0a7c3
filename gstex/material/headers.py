"""What headers of BMP, PSD and Radiance HDR files state and OpenImageIO does not report."""

import struct
from dataclasses import dataclass
from pathlib import Path

from gstex.errors import MaterialError

__all__ = ["BmpHeader", "HdrHeader", "PsdHeader", "read_bmp_header", "read_hdr_header", "read_psd_header"]

_BITFIELDS = (3, 6)  # BI_BITFIELDS, BI_ALPHABITFIELDS
_PSD_MODES = {0: "bitmap", 1: "grey", 2: "indexed", 3: "RGB", 4: "CMYK", 7: "multichannel", 8: "duotone", 9: "Lab"}
_PSD_READ = (0, 1, 2, 3)
_VERSION_INFO = 1057  # image resource that says whether there is a merged picture
_MOST_HEADER = 1 << 16  # bytes of the text before the pixels of an HDR file


@dataclass(frozen=True)
class BmpHeader:
    """order: where red, green, blue and alpha of 32-bit pixels are among the channels that OpenImageIO reads.
    empty_alpha: the fourth of them is padding."""

    order: tuple[int, ...]
    empty_alpha: bool


def read_bmp_header(path: Path) -> BmpHeader:
    """Read what the channel masks of a BMP file state.

    Raises:
        MaterialError: the masks of 32-bit pixels are no whole bytes.
    """
    with open(path, "rb") as file:
        head = file.read(70).ljust(70, b"\0")
    size, _, _, _, bits, packing = struct.unpack_from("<IiiHHI", head, 14)
    masks = struct.unpack_from("<3I", head, 54)
    alpha = struct.unpack_from("<I", head, 66)[0] if size >= 56 or packing == 6 else 0
    if bits != 32 or packing not in _BITFIELDS:
        return BmpHeader((0, 1, 2, 3), not (size >= 56 and alpha))
    bytes_of = {0xFF << 8 * i: i for i in range(4)}
    places = [bytes_of.get(mask) for mask in masks]
    byte_places = [place for place in places if place is not None]
    if len(set(byte_places)) < 3 or (alpha and (alpha not in bytes_of or bytes_of[alpha] in byte_places)):
        shown = " ".join(f"{mask:08X}" for mask in masks)
        raise MaterialError(f"{path.name}: pixels of 32 bits with the masks {shown}; allowed are masks of whole bytes: "
                            "export it as PNG")  # fmt: skip
    byte_places.append(({0, 1, 2, 3} - set(byte_places)).pop())
    # OpenImageIO takes byte 2 as red, 1 as green, 0 as blue and 3 as alpha.
    return BmpHeader(tuple((2, 1, 0, 3)[place] for place in byte_places), not alpha)


@dataclass(frozen=True)
class PsdHeader:
    """channels: of the merged picture, extra ones included."""

    channels: int


def read_psd_header(path: Path) -> PsdHeader:
    """Check that a PSD file holds a merged picture of grey or RGB colours.

    Raises:
        MaterialError: it does not.
    """
    with open(path, "rb") as file:
        head = file.read(26)
        if len(head) < 26:
            raise MaterialError(f"{path.name}: damaged or truncated psd file (no header); export it again")
        channels, _, _, _, mode = struct.unpack_from(">HIIHH", head, 12)
        if mode not in _PSD_READ:
            kind = _PSD_MODES.get(mode, f"mode {mode}")
            raise MaterialError(f"{path.name}: {kind} colours; allowed are grey, indexed and RGB"
                                ": convert it to RGB and save it again")  # fmt: skip
        end = path.stat().st_size
        file.seek(struct.unpack(">I", file.read(4).rjust(4, b"\0"))[0], 1)  # the palette
        (size,) = struct.unpack(">I", file.read(4).rjust(4, b"\0"))
        stop = min(file.tell() + size, end)
        while file.tell() + 12 <= stop:
            kind, number, name = struct.unpack(">4sHB", file.read(7))
            file.seek(name + (name + 1) % 2, 1)  # a name and its length take an even number of bytes
            size_text = file.read(4)
            if kind not in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR") or len(size_text) < 4:
                break
            (length,) = struct.unpack(">I", size_text)
            if number == _VERSION_INFO and length >= 5 and file.read(5)[4:] == b"\0":
                raise MaterialError(f"{path.name}: its layers were saved without a merged picture; save it with "
                                    "\"Maximize Compatibility\", or export the picture as PNG")  # fmt: skip
            if number == _VERSION_INFO:
                break
            file.seek(length + length % 2, 1)
    return PsdHeader(channels)


@dataclass(frozen=True)
class HdrHeader:
    """orientation: as of EXIF. exposure: what the stored values are to be divided by. chromaticities: x and y of red,
    green, blue and white, () if they are not stated."""

    orientation: int
    exposure: float
    chromaticities: tuple[float, ...]


# Signs and axes of the resolution line -> orientation of EXIF (file format of Radiance, radsite.lbl.gov).
_RESOLUTIONS = {"-Y+X": 1, "-Y-X": 2, "+Y-X": 3, "+Y+X": 4, "+X-Y": 5, "-X-Y": 6, "-X+Y": 7, "+X+Y": 8}


def read_hdr_header(path: Path) -> HdrHeader:
    """Read the text before the pixels of a Radiance HDR file.

    Raises:
        MaterialError: damaged, or colours that are not stated in red, green and blue.
    """
    with open(path, "rb") as file:
        text = file.read(_MOST_HEADER)
    head, blank, rest = text.partition(b"\n\n")
    words = rest.partition(b"\n")[0].decode("latin-1").split()
    orientation = _RESOLUTIONS.get("".join(words[0::2])) if len(words) == 4 else None
    if not blank or orientation is None:
        raise MaterialError(f"{path.name}: damaged or truncated hdr file (no resolution line); export it again")
    exposure = 1.0
    chromaticities: tuple[float, ...] = ()
    for line in head.decode("latin-1").splitlines()[1:]:
        key, _, value = line.partition("=")
        key, value = key.strip().upper(), value.strip()
        try:
            numbers = tuple(float(word) for word in value.split()) if key != "FORMAT" else ()
        except ValueError:
            numbers = ()
        if key == "FORMAT" and value != "32-bit_rle_rgbe":
            raise MaterialError(f"{path.name}: FORMAT {value[:40]}; allowed is 32-bit_rle_rgbe: convert it with "
                                "ra_xyze, or export it as EXR")  # fmt: skip
        if (key == "GAMMA" and numbers != (1.0,)) or (key == "COLORCORR" and numbers != (1.0, 1.0, 1.0)):
            raise MaterialError(f"{path.name}: {key} {value[:40]}; allowed are linear colours without a correction: "
                                "export it as EXR")  # fmt: skip
        if key == "EXPOSURE":
            if len(numbers) != 1 or not 1e-6 <= numbers[0] * exposure <= 1e6:
                raise MaterialError(f"{path.name}: EXPOSURE {value[:40]}, expected a positive number; export it again")
            exposure *= numbers[0]  # several multiply
        if key == "PRIMARIES" and len(numbers) == 8 and any(numbers):  # Photoshop writes zeros
            chromaticities = numbers
    return HdrHeader(orientation, exposure, chromaticities)
