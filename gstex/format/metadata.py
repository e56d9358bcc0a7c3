"""The rules for what a file says about its maps, in the long form that `description.describe` makes of the metadata."""

import os
import re
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, convert

from gstex.errors import FormatError
from gstex.format.layout import MAX_CHANNELS
from gstex.format.ranges import ValueRange
from gstex.limits import MAX_SIZE

__all__ = ["EXTENSIONS", "ImageFormat", "MapFile", "MapPlane", "MaterialMaps", "SourceMap", "plan_maps"]

EXTENSIONS = frozenset((
    ".png", ".jpg", ".jpeg", ".tga", ".webp", ".exr", ".tif", ".tiff", ".bmp", ".hdr", ".dds", ".ktx2",
    ".psd",
))
_READ_ONLY = (".dds", ".ktx2", ".psd")  # formats that nothing is written in
# format -> (bit depth, is float)
_DEPTHS = {
    "png": ((8, False), (16, False)), "jpeg": ((8, False),), "tga": ((8, False),), "webp": ((8, False),),
    "exr": ((16, True), (32, True)), "tiff": ((8, False), (16, False), (16, True), (32, True)),
    "bmp": ((8, False),), "hdr": ((32, True),),
}  # fmt: skip
_CHANNELS = {"jpeg": (1, 3), "webp": (3, 4), "bmp": (1, 3, 4), "hdr": (3,)}  # other formats take any number

ImageFormat = Literal["png", "jpeg", "tga", "webp", "exr", "tiff", "bmp", "hdr"]
Size = Annotated[int, Meta(ge=1, le=MAX_SIZE)]
Index = Annotated[int, Meta(ge=0, lt=MAX_CHANNELS)]
Real = Annotated[float, Meta(ge=-3.4e38, le=3.4e38)]


@dataclass(frozen=True)
class SourceMap:
    """One image file.

    file: name without directories. width, height: of the upright picture.
    channels: how many are read, with a palette expanded (grey 1, RGB 3, RGBA 4).
    bit_depth: 8 or 16 for integers, 16 (half) or 32 for floats.
    format: in which the map is written; that of the file, unless gstex does not write that.
    ranges: the value range of each channel of a float file; None for integers.
    alpha: whether the last of 2 or 4 channels is an alpha.
    associated: the file holds colours multiplied by its alpha; the stack holds them without.
    says_srgb: the file is a PNG of colours that says so in its chunks.
    """

    file: str
    width: Size
    height: Size
    channels: Annotated[int, Meta(ge=1, le=4)]
    bit_depth: int
    is_float: bool
    format: ImageFormat
    ranges: tuple[ValueRange, ...] | None = None
    alpha: bool = True
    associated: bool = False
    says_srgb: bool = False

    @property
    def output(self) -> str:
        """Name of the written file: that of the source, with a second extension if its format is another."""
        suffix = os.path.splitext(self.file)[1].lower()
        other = suffix in _READ_ONLY or (suffix == ".bmp" and self.format == "png")
        return f"{self.file}.{self.format}" if other else self.file

    @property
    def colors(self) -> int:
        """Channels that are no alpha."""
        return self.channels - (self.alpha and self.channels in (2, 4))


class MapPlane(Struct, frozen=True, forbid_unknown_fields=True):
    """What a channel of a file is made of: a channel of the stack, a value (of integers in 0 .. 1), or the Z
    of a normal whose X and Y are two channels of the stack that are in the same file."""

    channel: Index | UnsetType = UNSET
    fill: Real | UnsetType = UNSET
    normal_z: tuple[Index, Index] | UnsetType = UNSET

    def __post_init__(self) -> None:
        given = 3 - (self.channel, self.fill, self.normal_z).count(UNSET)
        _require(given == 1, f": {given} of channel, fill, normal_z, expected one")


@dataclass(frozen=True, kw_only=True)
class MapFile(SourceMap):
    """One image file with its planes, one for each of its channels."""

    planes: tuple[MapPlane, ...]

    def mip_size(self, mip: int) -> tuple[int, int]:
        """(height, width) of the file at a level of detail."""
        return max(1, self.height >> mip), max(1, self.width >> mip)

    def __post_init__(self) -> None:
        _require(_is_plain_name(self.file), f".file: {self.file!r:.80} is no plain image file name")
        kind = f"{self.bit_depth}-bit {'floats' if self.is_float else 'integers'}"
        _require((self.bit_depth, self.is_float) in _DEPTHS[self.format], f".bit_depth: {self.format} has no {kind}")
        _require(self.channels in _CHANNELS.get(self.format, (self.channels,)),
                 f".channels: {self.format} has no images of {self.channels} channels")
        _require(len(self.planes) == self.channels, f".planes: {len(self.planes)}, expected {self.channels}")
        for plane in () if self.is_float else self.planes:
            _require(plane.fill is UNSET or 0 <= plane.fill <= 1, f".planes: fill {plane.fill}, expected 0 .. 1")
        _require(not self.associated or self.colors < self.channels, ".associated: it has no alpha")
        direct = {plane.channel for plane in self.planes}
        for plane in self.planes:
            _require(plane.normal_z is UNSET or direct.issuperset(plane.normal_z),
                     ".planes: X and Y of normal_z are not in the same file")


@dataclass(frozen=True)
class MaterialMaps:
    """The files of a material.

    width, height: of the stack; no file has more texels, and no two are written under the same name.
    channels: what the channels of the stack mean, as `Material.to_metadata` writes it, or anything else. It tells which
    colours an opacity hides, if it is well formed.
    """

    width: Size
    height: Size
    wrap: Literal["repeat", "clamp"]
    sources: Annotated[tuple[MapFile, ...], Meta(min_length=1, max_length=MAX_CHANNELS)]
    channels: Any = None

    def texels(self, *, mip: int = 0, size: tuple[int, int] | None = None) -> int:
        """Texels of all files, counted in every channel, at a level of detail, or with one (height, width) for all."""
        return sum(prod(size or source.mip_size(mip)) * source.channels for source in self.sources)

    def __post_init__(self) -> None:
        names = [source.output.lower() for source in self.sources]
        for source in self.sources:
            _require(names.count(source.output.lower()) == 1, f"file: {source.output!r} stands there twice")
            _require(source.width * source.height <= self.width * self.height,
                     f"{source.file} size: {source.width}x{source.height}, expected at most as many texels as the "
                     f"material of {self.width}x{self.height} has")


def plan_maps(material: object, channel_count: int) -> MaterialMaps:
    """Check the description of a material's maps.

    Args:
        material: as `gstex.material.Material.to_metadata` or `description.describe` give it, or anything else.
        channel_count: of the stack.

    Raises:
        FormatError: the description breaks a rule.
    """
    try:
        maps = convert(material, MaterialMaps)
    except (ValueError, RecursionError) as error:
        raise _broken(_explain(str(error), material)) from None
    for source in maps.sources:
        for plane in source.planes:
            for index in (plane.channel, *(plane.normal_z or ())):
                if index is not UNSET and index >= channel_count:
                    raise _broken(f"{source.file} planes: channel {index}, expected 0..{channel_count - 1}")
    return maps


def _explain(error: str, value: Any) -> str:
    """msgspec's message with the path in front and with the value that was found."""
    what, _, path = error.partition(" - at `$")
    path = path.rstrip("`")
    if not what[0].isupper():  # the message of a `_require`
        return f"{path}{what}".lstrip(".")
    for index, name in re.findall(r"\[(\d+)\]|\.(\w+)", path):
        value = value[int(index) if index else name]
    allowed = what.partition(", got")[0] if what.startswith("Expected") else what
    return f"{path.lstrip('.') or 'material'}: {value!r:.80}, {allowed[0].lower()}{allowed[1:]}"


def _broken(what: str) -> FormatError:
    return FormatError(f"metadata: {what}; the file is damaged, compress the material again")


def _require(ok: bool, what: str) -> None:
    """Raise an error to which msgspec adds a path. what: continues the text after the path, or stands alone."""
    if not ok:
        raise ValueError(what)


def _is_plain_name(name: str) -> bool:
    """Whether a name can only land in the output folder, on any system."""
    return (
        name.isprintable()
        and 0 < len(name.encode("utf-8")) <= 255
        and not name.startswith(".")
        and not any(c in name for c in "/\\")
        and not (os.name == "nt" and (":" in name or name.endswith((" ", "."))))
        and os.path.splitext(name)[1].lower() in EXTENSIONS
    )
