"""A material: a stack of aligned channels with the files they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property

import numpy as np
from msgspec import json

from gstex.arrays import F32Array
from gstex.format.layout import MAX_CHANNELS
from gstex.format.metadata import SourceMap
from gstex.format.ranges import ValueRange
from gstex.json_types import JsonObject
from gstex.material.images import ImageFile

__all__ = ["COLOR_ROLES", "HIDDEN_BELOW", "MAX_CHANNELS", "Channel", "Material", "stretched_note", "table",
           "visible_weights"]

_SAME_RATIO = 0.02  # up to which ratios of width to height count as the same: a texel of 50

_UNIT = ValueRange()
_TOLD = ("role", "component", "color_space", "file", "file_channel", "constant")
COLOR_ROLES = ("albedo", "color", "emissive")  # what an opacity of 0 hides
HIDDEN_BELOW = np.float32(0.5 / 255)  # an opacity below this is 0 in 8 bits


@dataclass(frozen=True)
class Channel:
    """One channel of the stack.

    role: a key of `roles.ROLES`. component: 'r' 'g' 'b' of a colour, 'x' 'y' of a normal, 'v' for one value.
    color_space: 'srgb' | 'linear', the encoding of the values in the stack.
    file, file_channel: where it comes from. constant: the value in 0..1 if it is the same in every texel.
    neutral: values in 0..1 that have to decode exactly. range: what 0..1 stands for.
    """

    role: str
    component: str
    color_space: str
    file: str
    file_channel: int
    constant: float | None
    neutral: tuple[float, ...]
    range: ValueRange = _UNIT


@dataclass(frozen=True, eq=False)
class Material:
    """A stack of up to 16 aligned channels.

    width, height: of the stack, those of the map with the most texels.
    pixels: float32 [height, width, channels] in 0..1, row 0 = top, encoded as stored (sRGB stays sRGB, floats
        are scaled by their channel's range). Read-only.
    normal_convention: 'gl' | 'dx', None without a normal map; 'gl' where the name says nothing.
    wrap: 'repeat' | 'clamp', a guess from the borders; 'clamp' for a single image.
    ignored: (file, reason) of what was left out; "file:channels" in place of the file names a part of it.
    planes: by source file, what each channel of the file is made of when maps are written back:
        {"channel": i} of the stack, {"fill": value in 0..1} or {"normal_z": [i, j]}.
    own_mips: smaller levels that the input gives, entry m - 1 for level m: float32 [h, w, channels] in 0..1
        with h = max(1, height >> m), encoded as the pixels, NaN in channels that are not given; None for a level of
        which no channel is given. A constant channel has its value in these levels too, within half an 8-bit code.
    originals: channel number -> float32 [h, w] in 0..1 at its own size, for maps of another size than the stack.
    """

    name: str
    width: int
    height: int
    sources: tuple[SourceMap, ...]
    channels: tuple[Channel, ...]
    pixels: F32Array
    normal_convention: str | None
    wrap: str
    ignored: tuple[tuple[str, str], ...] = ()
    planes: Mapping[str, tuple[JsonObject, ...]] = field(default_factory=dict)
    own_mips: tuple[F32Array | None, ...] = ()
    originals: Mapping[int, F32Array] = field(default_factory=dict)

    @cached_property
    def weights(self) -> F32Array | None:
        """float32 [height, width, channels]: 0 for colour under zero opacity, else 1. None if all are 1."""
        return visible_weights(self.pixels, self.channels)

    def to_metadata(self) -> JsonObject:
        """All but the pixels, as JSON types: what `write_maps` and `gstex info` need."""
        described = {
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "normal_convention": self.normal_convention,
            "wrap": self.wrap,
            "channels": [{**{name: getattr(c, name) for name in _TOLD}, **asdict(c.range)} for c in self.channels],
            "sources": [{**{f.name: getattr(s, f.name) for f in fields(SourceMap)}, "planes": self.planes[s.file]}
                        for s in self.sources],
            "ignored": self.ignored,
        }
        return json.decode(json.encode(described))


def visible_weights(pixels: F32Array, channels: Sequence[Channel]) -> F32Array | None:
    """Weights of a stack or a smaller level of it, [H, W, C]: 0 for colour under zero opacity, else 1.

    Zero is what rounds to 0 in 8 bits. A constant opacity hides nothing: it is more often an unused map.

    Returns:
        float32 [H, W, C], read-only; None if all are 1.
    """
    opacity = [i for i, c in enumerate(channels) if c.role == "opacity" and c.constant is None]
    color = [i for i, c in enumerate(channels) if c.role in COLOR_ROLES]
    if not opacity or not color:
        return None
    hidden = pixels[:, :, opacity[0]] < HIDDEN_BELOW
    if not hidden.any():
        return None
    result = np.ones(pixels.shape, np.float32)
    for index in color:
        result[:, :, index][hidden] = 0.0
    result.flags.writeable = False
    return result


def table(material: Material) -> list[dict[str, str]]:
    """Rows for printing what was chosen, one for each role in each file, then the files left out.

    Keys of a row: file, role ('-' if left out), channels (letters of the file's channels), color_space,
    bits ('8', '16', '16f', '32f'), size ('1024x1024'), note.
    """
    rows: list[dict[str, str]] = []
    for source in material.sources:
        letters = "va" if source.colors == 1 else "rgba"
        mine = [c for c in material.channels if c.file == source.file]
        for role in dict.fromkeys(c.role for c in mine):
            part = [c for c in mine if c.role == role]
            rows.append({
                "file": source.file,
                "role": role,
                "channels": "".join(letters[c.file_channel] for c in part),
                "color_space": part[0].color_space,
                "bits": f"{source.bit_depth}{'f' if source.is_float else ''}",
                "size": f"{source.width}x{source.height}",
                "note": _note(material, source, part),
            })
        if isinstance(source, ImageFile) and source.stated.notes and rows and rows[-1]["file"] == source.file:
            first = next(r for r in rows if r["file"] == source.file)
            first["note"] = "; ".join(filter(None, (first["note"], *source.stated.notes)))
    for file, reason in material.ignored:
        rows.append(dict.fromkeys(("channels", "color_space", "bits", "size"), "") | {
            "file": file, "role": "-", "note": reason,
        })
    return rows


def _z_note(material: Material, source: SourceMap) -> str:
    planes = material.planes.get(source.file, ())
    return ", Z is rebuilt" if len(planes) < 3 or any("normal_z" in p for p in planes) else ""


def stretched_note(material: Material, source: SourceMap) -> str:
    """What to say of a map whose sides have another ratio than those of the material; empty for other maps."""
    ratio = source.width * material.height / (source.height * material.width)
    if abs(ratio - 1) <= _SAME_RATIO:
        return ""
    return f"stretched to {material.width}x{material.height}, as its sides have another ratio: is it the right file?"


def _note(material: Material, source: SourceMap, part: list[Channel]) -> str:
    notes = []
    index = material.channels.index(part[0])
    if part[0].role == "normal":
        notes.append({"gl": "OpenGL", "dx": "DirectX"}[material.normal_convention or "gl"] + _z_note(material, source))
    if all(c.constant is not None for c in part):
        notes.append("constant " + " ".join(f"{c.constant:.4g}" for c in part))
    if stretched := stretched_note(material, source):
        notes.append(stretched)
    elif (source.width, source.height) != (material.width, material.height):
        notes.append(f"resampled to {material.width}x{material.height}")
    if part[0].role == "gloss":
        notes.append("roughness = 1 - gloss")
    mips = [m for m, level in enumerate(material.own_mips, 1) if level is not None and not np.isnan(level[0, 0, index])]
    if mips:
        notes.append("own mips " + " ".join(map(str, mips)))
    return "; ".join(notes)
