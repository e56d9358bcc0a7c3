"""The plan of the BC maps that gstex.gl and gstex.cuda make of a material, from the channel table of its header.

A block holds 4x4 texels; texels beyond a mip repeat its last row and column. The shaders and kernels that encode are
shaders/bc.glsl, bc7.glsl and transcode.comp, and cuda/transcode.

    map                                   format   R, G, B, A
    albedo, or a picture in its place     bc7      its colour, and the opacity
    normal                                bc5      X, Y
    orm: ao, roughness, metallic          bc7      ao, roughness, metallic, if there are two of them
    emissive, specular and other colours  bc7      as stored
    everything else                       bc4      one map a channel
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gstex.errors import UsageError
from gstex.format import ChannelEntry
from gstex.format.layout import mip_size

__all__ = ["FORMATS", "MOST_MAPS", "BlockMap", "Rectangle", "check_maps", "check_rectangle", "mip_shape", "plan_maps"]

# Format -> (its number in shaders/bc7.glsl, words of a block). rgba8 has no blocks: every texel is one word.
_CODES = {"rgba8": (0, 1), "bc1": (1, 2), "bc4": (4, 2), "bc5": (5, 4), "bc7": (7, 4)}
_OPAQUE_BC7 = 8
FORMATS = tuple(_CODES)
MOST_MAPS = 16  # of one pass; GSTEX_MAPS in shaders/transcode.comp
_INVERTED, _CODE = 16, 256
_ZERO, _HALF, _ONE = _CODE, _CODE + 128, _CODE + 255

Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True)
class BlockMap:
    """One map to be written.

    name: 'albedo', 'normal', 'orm', or the role of its channels, with a component where one role gives more maps.
    format: one of FORMATS. BC4 holds R, BC5 R and G, BC1 R, G and B.
    sources: where R, G, B and A come from: a channel 0 .. 15; 16 + a channel for 1 - its value; 256 + a code 0 .. 255.
    srgb: the blocks hold sRGB codes, so they are read in an sRGB format (BC7_UNORM_SRGB).

    Raises UsageError for another format or other sources.
    """

    name: str
    format: str
    sources: tuple[int, int, int, int]
    srgb: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise UsageError(f"format of {self.name}: got {self.format!r}, expected one of {', '.join(FORMATS)}")
        if len(self.sources) != 4 or not all(0 <= s < 32 or _CODE <= s < 2 * _CODE for s in self.sources):
            raise UsageError(f"sources of {self.name}: got {self.sources}, expected four of 0..31 or 256..511")

    @property
    def channels(self) -> list[int]:
        """The channels of the material that the map needs."""
        return sorted({source % _INVERTED for source in self.sources if source < _CODE})

    @property
    def code(self) -> int:
        """The format's number in shaders/bc7.glsl. BC7 whose alpha is 1 everywhere has a number of its own."""
        return _OPAQUE_BC7 if self.format == "bc7" and self.sources[3] == _ONE else _CODES[self.format][0]

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(rows, columns, words of each) of the blocks of height x width texels; for rgba8, of the texels."""
        size = 1 if self.format == "rgba8" else 4
        return -(-height // size), -(-width // size), _CODES[self.format][1]


def plan_maps(entries: Sequence[ChannelEntry], *, packed: str = "bc7", normal_y: str = "up") -> list[BlockMap]:
    """The maps of a material, each in the format that engines use for it.

    Values are stored as they are, colours and data alike. Constant channels are written too, but for an opacity beside
    an albedo. What `orm` lacks is filled: ao 1, roughness 0.5 (or 1 - gloss), metallic 0. The scale and bias of a
    channel are left to the engine.

    Args:
        entries: `Texture.table.header.channels`.
        packed: 'bc7' or 'bc1' for one map of ao, roughness and metallic; 'none' for a BC4 each.
        normal_y: 'up' (OpenGL) or 'down' (DirectX): which way Y of the normals points in the blocks. Y is
            inverted where the file has the other direction.

    Returns:
        Maps with different names, in the order of the table above.

    Raises:
        UsageError: another `packed` or `normal_y`.
    """
    for name, value, allowed in (("packed", packed, ("bc7", "bc1", "none")), ("normal_y", normal_y, ("up", "down"))):
        if value not in allowed:
            raise UsageError(f"{name}: got {value!r}, expected one of {', '.join(allowed)}")
    left = dict(enumerate(entries))  # channels that are in no map yet

    def take(role: str, *components: str) -> int | None:
        """Take the first channel of a role out of `left`; None if there is none."""
        for c, e in left.items():
            if e.role == role and (not components or e.component in components):
                del left[c]
                return c
        return None

    def color(role: str) -> tuple[int, int, int] | None:
        """Take a whole colour out of `left`: red, green and blue, or one grey for all three; None if one is missing."""
        components = {e.component for e in left.values() if e.role == role}
        if not ("v" in components or {"r", "g", "b"} <= components):
            return None
        r, g, b = [take(role, "v")] * 3 if "v" in components else [take(role, component) for component in "rgb"]
        assert r is not None and g is not None and b is not None
        return r, g, b

    maps = []
    albedo = color("albedo") or color("color")
    if albedo:
        opacity = take("opacity")
        if opacity is not None and entries[opacity].constant is not None:
            opacity = None  # a constant opacity hides nothing
        maps.append(BlockMap("albedo", "bc7", (*albedo, _ONE if opacity is None else opacity), entries[albedo[0]].srgb))
    if {"x", "y"} <= {e.component for e in left.values() if e.role == "normal"}:
        x, y = take("normal", "x"), take("normal", "y")
        assert x is not None and y is not None
        turned = entries[y].flipped != (normal_y == "down")
        maps.append(BlockMap("normal", "bc5", (x, y + _INVERTED * turned, _ZERO, _ONE)))
    present = {e.role for e in left.values()}
    if packed != "none" and len(present & {"ao", "metallic"}) + bool(present & {"roughness", "gloss"}) >= 2:
        ao, metallic, roughness = take("ao"), take("metallic"), take("roughness")
        gloss = take("gloss") if roughness is None else None
        rough = _HALF if gloss is None else gloss + _INVERTED
        rough = rough if roughness is None else roughness
        sources = _ONE if ao is None else ao, rough, _ZERO if metallic is None else metallic, _ONE
        maps.append(BlockMap("orm", packed, sources))
    for role in dict.fromkeys(e.role for e in left.values()):
        rgb = color(role) if any(e.role == role and e.component == "b" for e in left.values()) else None
        if rgb:
            maps.append(BlockMap(role, "bc7", (*rgb, _ONE), entries[rgb[0]].srgb))
        alone = [c for c, e in left.items() if e.role == role]
        for c in alone:
            component = entries[c].component
            name = role if len(alone) == 1 and not rgb else f"{role}_{component}"
            name = name if name not in {m.name for m in maps} else f"{name}_{c}"
            maps.append(BlockMap(name, "bc4", (c, _ZERO, _ZERO, _ONE), entries[c].srgb))
    return maps


def check_maps(maps: Sequence[BlockMap], channels: int) -> list[BlockMap]:
    """Check the maps of a pass and return them as a list.

    Raises:
        UsageError: there are none or more than 16, two have one name, or one needs a channel that is not there.
    """
    if not 1 <= len(maps) <= MOST_MAPS:
        raise UsageError(f"maps: got {len(maps)}, expected 1..{MOST_MAPS}; write the others in another pass")
    names = [a_map.name for a_map in maps]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"maps: got {twice[0]!r} twice, expected different names")
    for a_map in maps:
        if missing := [channel for channel in a_map.channels if channel >= channels]:
            raise UsageError(f"sources of {a_map.name}: got channel {missing[0]}, this material has 0..{channels - 1}")
    return list(maps)


def check_rectangle(rectangle: Rectangle | None, height: int, width: int) -> Rectangle:
    """Check a rectangle of a mip of this size and return it; None stands for the whole mip.

    Args:
        rectangle: (left, top, width, height) in texels. Left and top are multiples of 4; width and height too, unless
            they reach to the mip's border.

    Raises:
        UsageError: the rectangle is not aligned, empty, or not inside the mip.
    """
    if rectangle is None:
        return 0, 0, width, height
    numbers = tuple(int(number) for number in rectangle)
    inside = len(numbers) == 4 and min(numbers[:2]) >= 0 and min(numbers[2:]) > 0
    if not inside or numbers[0] + numbers[2] > width or numbers[1] + numbers[3] > height:
        raise UsageError(f"rectangle: got {numbers}, expected (left, top, width, height) inside {width}x{height} "
                         "texels")  # fmt: skip
    left, top, across, down = numbers
    aligned = left % 4 == top % 4 == 0
    if not aligned or (across % 4 and left + across < width) or (down % 4 and top + down < height):
        raise UsageError(f"rectangle: got {numbers}, expected multiples of 4, or a rectangle that reaches to the "
                         f"border of {width}x{height} texels")  # fmt: skip
    return left, top, across, down


def mip_shape(height: int, width: int, mip: int, first: int, last: int) -> tuple[int, int]:
    """(height, width) of a mip; those given are of mip 0. Raises UsageError if it is not in first .. last."""
    if not first <= mip <= last:
        allowed = f"only {last}" if first == last else f"{first}..{last}"
        raise UsageError(f"mip: got {mip}, this file holds {allowed}; see `gstex info`")
    return mip_size(height, mip), mip_size(width, mip)
