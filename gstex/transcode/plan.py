"""Which channels go into which texture, and in which format."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gstex.compare.codecs import ASTC_BLOCKS, CODECS
from gstex.errors import UsageError
from gstex.format import ChannelEntry
from gstex.format.ranges import ValueRange
from gstex.transcode.source import Source

__all__ = ["PACKS", "TARGETS", "Plane", "TexturePlan", "map_channels", "map_names", "plan_textures"]

TARGETS = ("auto", "bc7", "bc5", "bc4", "bc1", *(f"astc-{w}x{h}" for w, h in ASTC_BLOCKS))
PACKS = ("unreal", "unity", "gltf")
_COLORS = ("albedo", "color", "emissive", "specular")
_BY_CHANNELS = {1: "bc4", 2: "bc5", 3: "bc7", 4: "bc7"}  # what engines use
# The value of a channel that a material lacks, as in docs/shaders.md.
_MISSING = {"ao": 1.0, "roughness": 0.5, "metallic": 0.0}
# Names of textures by pack; other roles keep their own.
_NAMES = {
    "unreal": {"albedo": "BaseColor", "normal": "Normal", "emissive": "Emissive", "height": "Height",
               "opacity": "Opacity", "packed": "ORM"},
    "unity": {"albedo": "Albedo", "normal": "Normal", "emissive": "Emission", "height": "Height",
              "opacity": "Opacity", "ao": "Occlusion", "packed": "MetallicSmoothness"},
    "gltf": {"albedo": "baseColor", "packed": "occlusionRoughnessMetallic"},
}  # fmt: skip


@dataclass(frozen=True)
class Plane:
    """A component of a texture: a channel of the source, 1 minus a channel, the Z of a normal whose X and Y are two
    channels, or a constant value (`fill`)."""

    channel: int | None = None
    inverted: bool = False
    z_of: tuple[int, int] | None = None
    fill: float = 0.0


@dataclass(frozen=True)
class TexturePlan:
    """A texture to be written.

    name: without the name of the material and the extension. roles: of its channels. planes: its 1 to 4 components.
    codec: a name in `CODECS`. srgb: the values are sRGB-encoded. color: the values are colours. opacity: the fourth
    component is an opacity. ranges: (role, what 0..1 stands for), if that is not 0..1 itself.
    notes: lines for people.
    """

    name: str
    roles: tuple[str, ...]
    planes: tuple[Plane, ...]
    codec: str
    srgb: bool = False
    color: bool = False
    opacity: bool = False
    ranges: tuple[tuple[str, ValueRange], ...] = ()
    notes: tuple[str, ...] = ()


def plan_textures(
    source: Source, *, to: str = "auto", pack: str | None = None, only: Sequence[str] = ()
) -> list[TexturePlan]:
    """Plan the textures of a material.

    Args:
        to: one of TARGETS; 'auto' takes BC7 for colours and packed maps, BC5 for normals, and BC4 for single channels.
        pack: one of PACKS, or None for a texture for each map.
        only: roles; textures without any of them are left out.

    Raises:
        UsageError: an unknown role, or a map that the format cannot hold.
    """
    there = dict.fromkeys(channel.role for channel in source.channels)
    for role in only:
        if role not in there:
            raise UsageError(f"--only: got {role!r}, expected some of {', '.join(there)}")
    plans = _Planner(source, to, pack).plans()
    if only:
        plans = [plan for plan in plans if set(plan.roles) & set(only)]
    codec_channels = {"bc4": 1, "bc5": 2}.get(to)
    wrong = [plan for plan in plans if codec_channels and len(plan.planes) != codec_channels]
    if wrong:
        right = [role for plan in plans if plan not in wrong for role in plan.roles]
        what = "a single channel" if to == "bc4" else "two channels"
        todo = f"give {' '.join(f'--only {role}' for role in right)}, or --to auto" if right else "take --to auto"
        raise UsageError(f"--to {to}: holds {what}, and {wrong[0].name} has {len(wrong[0].planes)}; {todo}")
    return plans


class _Planner:
    def __init__(self, source: Source, to: str, pack: str | None) -> None:
        self.channels, self.to, self.pack = source.channels, to, pack
        self.source_flipped = source.flipped
        self.used: set[int] = set()

    def plans(self) -> list[TexturePlan]:
        packed = self._packed()
        plans: list[TexturePlan] = []
        for indices in map_channels(self.channels):
            if not self.used.intersection(indices):
                plans.append(self._map(indices))
        plans += [packed] if packed else []
        names = map_names([plan.name for plan in plans])
        return [replace(plan, name=name) for plan, name in zip(plans, names, strict=True)]

    def _first(self, role: str) -> int | None:
        return next((i for i, channel in enumerate(self.channels) if channel.role == role), None)

    def _opacity(self) -> int | None:
        """The opacity channel that goes into the alpha of a colour; None if there is none or it is constant."""
        index = self._first("opacity")
        return index if index is not None and self.channels[index].constant is None else None

    def _map(self, indices: list[int]) -> TexturePlan:
        first = self.channels[indices[0]]
        role = first.role
        planes = [Plane(i) for i in indices]
        notes: list[str] = []
        if role == "normal" and len(indices) == 2:
            planes, notes = self._normal(indices)
        roles, opacity = [role], False
        base = "albedo" if self._first("albedo") is not None else "color"
        if role == base and len(planes) in (1, 3) and self.to not in ("bc1", "bc4", "bc5"):
            index = self._opacity()
            if index is not None:
                planes = [planes[0]] * 3 if len(planes) == 1 else planes
                planes.append(Plane(index))
                self.used.add(index)
                roles.append("opacity")
                opacity = True
        if first.srgb and len(planes) == 1:  # no format of one channel is sRGB
            planes = planes * 3
        if self.pack == "unity" and role in ("ao", "height"):
            planes = planes * 3  # Unity reads their green
        planes = self._expanded(planes)
        return TexturePlan(
            _NAMES.get(self.pack or "", {}).get(role, role), tuple(roles), tuple(planes), self._codec(planes),
            srgb=first.srgb, color=role in _COLORS, opacity=opacity, ranges=self._ranges(roles), notes=tuple(notes),
        )  # fmt: skip

    def _normal(self, indices: list[int]) -> tuple[list[Plane], list[str]]:
        """X and Y of a normal map, and Z if the format or the engine needs it; with a note on the convention."""
        x, y = indices
        down = self.source_flipped if self.pack is None else self.pack == "unreal"
        turn = down != self.source_flipped
        planes = [Plane(x), Plane(y, inverted=turn)]
        if self.pack == "gltf" or self.to not in ("auto", "bc5", "bc4"):
            planes.append(Plane(z_of=(x, y)))
        return planes, [("DirectX (Y down)" if down else "OpenGL (Y up)") + (", green turned" if turn else "")]

    def _packed(self) -> TexturePlan | None:
        """The packed texture of an engine; None if the material has no channel for it."""
        if self.pack is None or self.to in ("bc4", "bc5"):
            return None
        ao, metallic, roughness, gloss = map(self._first, ("ao", "metallic", "roughness", "gloss"))
        has_ao = ao is not None and self.pack != "unity"
        if roughness is None and metallic is None and gloss is None and not has_ao:
            return None
        smooth = self.pack == "unity"
        notes: list[str] = []

        def plane(role: str, index: int | None) -> Plane:
            if index is None:
                notes.append(f"{role} {_MISSING[role]:g}, which the material does not have")
                return Plane(fill=_MISSING[role])
            self.used.add(index)
            return Plane(index)

        if roughness is not None or gloss is None:
            rough = plane("roughness", roughness)
            rough = replace(rough, inverted=smooth, fill=1 - rough.fill if smooth else rough.fill)
        else:
            self.used.add(gloss)
            rough = Plane(gloss, inverted=not smooth)
        metal = plane("metallic", metallic)
        if smooth:
            if self.to == "bc1":
                raise UsageError("--pack unity: has the smoothness in an alpha, which BC1 does not hold; take --to bc7 "
                                 "or auto")
            planes = [metal, metal, metal, rough]
        else:
            planes = [plane("ao", ao), rough, metal]
        roles = tuple(self.channels[i].role for i in sorted(self.used))
        return TexturePlan(_NAMES[self.pack]["packed"], roles, tuple(planes), self._codec(planes), notes=tuple(notes),
                           ranges=self._ranges(roles))  # fmt: skip

    def _expanded(self, planes: list[Plane]) -> list[Plane]:
        """At least three components if the codec stores colours: one is repeated as grey, and two get an empty blue."""
        if self.to == "bc1" or self.to == "bc7" or self.to.startswith("astc"):
            if len(planes) == 1:
                return planes * 3
            if len(planes) == 2:
                return [*planes, Plane()]
        return planes

    def _codec(self, planes: Sequence[Plane]) -> str:
        return _BY_CHANNELS[len(planes)] if self.to == "auto" else self.to

    def _ranges(self, roles: Sequence[str]) -> tuple[tuple[str, ValueRange], ...]:
        by_role = {c.role: (c.role, ValueRange.of(c)) for c in self.channels
                 if c.role in roles and c.role != "normal" and c.is_ranged}  # fmt: skip
        return tuple(by_role.values())


def map_channels(channels: Sequence[ChannelEntry]) -> list[list[int]]:
    """The channels of each map: consecutive channels of one role, until a component repeats."""
    maps: list[list[int]] = []
    for index, channel in enumerate(channels):
        mine = maps[-1] if maps and channels[maps[-1][0]].role == channel.role else None
        if mine is None or channel.component in ("v", *(channels[i].component for i in mine)):
            maps.append([index])
        else:
            mine.append(index)
    return maps


def map_names(names: Sequence[str]) -> list[str]:
    """The same names, made unique with numbers: mask, mask2, .."""
    counts: dict[str, int] = {}
    result = []
    for name in names:
        counts[name] = count = counts.get(name, 0) + 1
        result.append(name if count == 1 else f"{name}{count}")
    return result


assert all(name in CODECS for name in TARGETS[1:])
