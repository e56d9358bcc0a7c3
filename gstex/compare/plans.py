"""How an engine ships a stack of maps with block codecs: which channels share an image.

Only channels that vary are stored. A constant channel is a number in the material, for gstex and the codecs alike.
"""

from dataclasses import dataclass
from itertools import count

from gstex.arrays import F32Array
from gstex.material import Material
from gstex.material.bleed import bleed

__all__ = ["Group", "MapImage", "fill_hidden", "make_plan"]

_PACK = 3  # channels of a packed data map; BC1 cannot hold a fourth
# The usual order of packed maps; the others follow in the order of the stack.
_PACK_ORDER = ("ao", "roughness", "metallic")


@dataclass(frozen=True)
class MapImage:
    """One image of 1 to 4 channels.

    name: the roles in it, 'albedo', 'ao+roughness+metallic'; unlike all other images of a plan.
    channels: their numbers in the stack. alpha_weighted: the last one is the opacity of the others.
    """

    name: str
    channels: tuple[int, ...]
    alpha_weighted: bool = False


# Alternative ways to store the same channels, each as one or more images. The first way is the usual one.
Group = tuple[tuple[MapImage, ...], ...]


def make_plan(material: Material) -> list[Group]:
    """The images a material is shipped as, in groups of alternatives.

    - Albedo in one image; the opacity as its alpha or in an image of its own.
    - Normals as two channels.
    - Other colours (emissive, specular) in an image each.
    - Data maps of one channel packed by three, by four, or each alone. The best way depends on the maps and the codec.
    """
    by_role: dict[str, list[int]] = {}
    for index, channel in enumerate(material.channels):
        if channel.constant is None:
            by_role.setdefault(channel.role, []).append(index)
    opacity = by_role.pop("opacity", [])
    groups: list[Group] = []
    data: list[int] = []
    names = _Names(material)
    for role, channels in by_role.items():
        if role == "normal" or (len(channels) > 1 and role != "mask"):
            group: Group = ((names.image(channels),),)
        elif role not in ("albedo", "color"):
            data += channels
            continue
        else:
            group = ((names.image(channels),),)
        if opacity and role in ("albedo", "color"):
            together = names.image(channels + opacity, alpha_weighted=len(channels) == _PACK)
            group = ((together,), (*group[0], names.image(opacity)))
            opacity = []
        groups.append(group)
    data = opacity + data
    if data:
        groups.append(_pack_data(material, data, names))
    return groups


def _pack_data(material: Material, data: list[int], names: "_Names") -> Group:
    def place(index: int) -> tuple[int, int]:
        role = material.channels[index].role
        return (_PACK_ORDER.index(role) if role in _PACK_ORDER else len(_PACK_ORDER), index)

    data = sorted(data, key=place)
    sizes = [_PACK, 1] if len(data) > 1 else [1]
    if len(data) > _PACK:
        sizes.insert(1, _PACK + 1)
    return tuple(
        tuple(names.image(data[i : i + size]) for i in range(0, len(data), size)) for size in sizes
    )  # fmt: skip


class _Names:
    """Names images after their roles. Images with the same channels get the same name, all others different names."""

    def __init__(self, material: Material):
        self._material = material
        self._taken: dict[str, tuple[int, ...]] = {}

    def image(self, channels: list[int], *, alpha_weighted: bool = False) -> MapImage:
        base = "+".join(dict.fromkeys(self._material.channels[c].role for c in channels))
        key = tuple(channels)
        for number in count(1):
            name = base if number == 1 else f"{base}-{number}"
            if self._taken.setdefault(name, key) == key:
                return MapImage(name, key, alpha_weighted)
        raise AssertionError


def fill_hidden(material: Material) -> F32Array:
    """The stack [H, W, C] with hidden colour replaced by colour grown from visible texels, which is cheap for a codec.

    Hidden colour has no weight; see Material.weights.
    """
    if material.weights is None:
        return material.pixels
    return bleed(material.pixels, material.weights, repeat=material.wrap == "repeat")[0]
