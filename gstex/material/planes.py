"""One chosen file -> the channels that it gives the stack, by its roles and by what its pixels hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gstex.arrays import AnyArray, F32Array
from gstex.errors import AmbiguousError, MaterialError
from gstex.format.ranges import ValueRange
from gstex.material.discover import ALPHA, Choice, quote
from gstex.material.images import ImageFile, read_pixels, to_unit
from gstex.material.material import COLOR_ROLES
from gstex.material.meaning import convert_colors, noted, range_of, straighten
from gstex.material.normals import read_normals
from gstex.material.profile import LINEAR_LIGHT
from gstex.material.roles import ALPHA_ROLE, ROLES
from gstex.native import maths

__all__ = [
    "LETTERS", "Plane", "ReadMap", "constant_of", "is_grey", "note_alpha", "plan_alpha", "read_map", "unused_channels",
]

# Channels of a data map that differ by at most this much on average are one grey channel stored three times:
# a palette or JPEG's chroma leaves a level or two (texture_rock_depth: up to 2/255 in a few texels).
_GREY_MEAN_DIFFERENCE = 1.5 / 255
# Where they differ by more than that, but by what lossy compression of colour does, they are grey too, and a line says
# so: at most these on average, and in all texels but one in 200.
_COMPRESSED_MEAN, _COMPRESSED_MOST = 4 / 255, 10 / 255
LETTERS = "rgba"
_ROUNDING = 1e-5  # share of a range, which is float32: values that are this little beyond it count as inside


@dataclass
class Plane:
    """One channel of one file that goes into the stack."""

    role: str
    component: str
    file_channel: int


@dataclass
class ReadMap:
    """A chosen file with its pixels [h, w, C] as stored, and the planes it gives."""

    info: ImageFile
    choice: Choice
    pixels: AnyArray
    planes: list[Plane]
    copies: dict[int, int]      # file channel -> the file channel it repeats
    rebuild_z: bool = False     # the third channel is the Z of a normal
    own_mips: dict[int, AnyArray] = field(default_factory=dict)  # by level, as stored

    @property
    def colors(self) -> int:
        return self.info.colors

    def unit_all(self) -> F32Array:
        """All channels, [h, w, C] in 0..1."""
        return np.stack([self.unit(c) for c in range(self.info.channels)], axis=2)

    def unit(self, channel: int, level: int = 0) -> F32Array:
        """A channel of a level, [h, w] in 0..1."""
        pixels = self.own_mips[level] if level else self.pixels
        return to_unit(pixels[:, :, channel], self.info.ranges[channel] if self.info.ranges else None)


def read_map(path: Path, info: ImageFile, choice: Choice) -> ReadMap:
    pixels, info = _read_meaning(path, info, choice)
    named = {_file_index(c, info): r for c, r in choice.channels.items()}
    if info.is_float:
        info = _with_ranges(info, pixels, choice, named)
    elif choice.float_ranges:
        raise MaterialError(f"{info.file}: holds integers of {info.bit_depth} bits, and a range is stated; "
                            "a range is for float files: leave it out")
    item = ReadMap(info, choice, pixels, [], {})
    for index in named:
        if index >= info.channels:
            raise MaterialError(
                f"{info.file}: has {info.channels} channels, the override asks for {LETTERS[index]!r}"
            )
    if choice.whole is not None:
        _plan_whole(item, [c for c in range(item.colors) if c not in named])
    for role in dict.fromkeys(r for r in named.values() if r is not None):
        indices = [c for c, r in named.items() if r == role]
        _plan_role(item, role, indices)
    return item


def _read_meaning(path: Path, info: ImageFile, choice: Choice) -> tuple[AnyArray, ImageFile]:
    """Read a file and honour what it states about its alpha and its colours."""
    pixels = read_pixels(path, info)
    roles = choice.roles()
    alpha_role = choice.channels.get(ALPHA, "opacity")
    is_opacity = bool(roles & set(COLOR_ROLES)) and alpha_role == "opacity"
    if info.alpha and info.channels in (2, 4):
        pixels, info = straighten(pixels, info, is_opacity=is_opacity)
    profile = info.stated.profile
    if any(ROLES[r].color_space == "srgb" for r in roles):
        pixels = convert_colors(pixels, info)
        if profile is not None:
            info = noted(info, f"converted from {profile.name} to {'Rec. 709' if info.is_float else 'sRGB'}")
        info = replace(info, says_srgb=info.stated.says_srgb)
    elif profile is not None and profile is not LINEAR_LIGHT:
        info = noted(info, f"taken as data, not as colours of {profile.name}")
    return pixels, info


def _with_ranges(
    info: ImageFile, pixels: F32Array, choice: Choice, named: Mapping[int, str | None]
) -> ImageFile:
    """A float file with the range of every channel; channels of one role have the same."""
    roles = [named.get(c, choice.whole if c < info.colors else None) for c in range(info.channels)]
    ranges = [ValueRange()] * info.channels
    for role in dict.fromkeys(r for r in roles if r is not None):
        mine = [c for c, r in enumerate(roles) if r == role]
        used, stated = pixels[:, :, mine], choice.float_ranges.get(role)
        try:
            values = ValueRange.between(*stated) if stated else range_of(used, role)
        except MaterialError as error:
            raise MaterialError(
                f"{info.file}: {error}; state what they are, for 0..255 with "
                f"--map {quote(f'normal={info.file}@0..255')}"
            ) from None
        for channel in mine:
            ranges[channel] = values
        several = f"{role}: " if len({r for r in roles if r}) > 1 else ""
        info = noted(info, *(several + note for note in _range_notes(used, values, stated=stated is not None)))
    return replace(info, ranges=tuple(ranges))


def _range_notes(used: F32Array, values: ValueRange, *, stated: bool) -> list[str]:
    lo, hi = (float(end) for end in values.from_unit(np.array([0.0, 1.0])))
    slack = _ROUNDING * (hi - lo)
    beyond = used[(used < lo - slack) | (used > hi + slack)]
    how = ", as stated" if stated else f", in ratios above {values.scale:.2g}" if values.stops else ""
    notes = [f"range {lo:.4g} .. {hi:.4g}{how}"]
    if beyond.size:
        notes.append(f"{beyond.size} values of {beyond.min():.4g} .. {beyond.max():.4g} cut to {lo:g} .. {hi:g}")
    return notes


def _file_index(letter: int, info: ImageFile) -> int:
    """Index in the file of a letter of rgba: the alpha of a grey image is its second channel."""
    return 1 if letter == ALPHA and info.channels == 2 and info.alpha else letter


def _plan_whole(item: ReadMap, indices: list[int]) -> None:
    """Plan the colour channels of a file that is one role as a whole."""
    role, name = str(item.choice.whole), item.info.file
    if role == "normal":
        if len(indices) < 2:
            layout = f"; if X is its grey and Y its alpha, type --map {quote(f'normal={name}:ra')}"
            raise AmbiguousError(
                f"{name}: a normal map with 1 channel, expected 2 or more; if it is a height map type "
                f"--map {quote('height=' + name)}{layout if item.info.channels == 2 else ''}",
                maps=[f"normal={name}:ra" if item.info.channels == 2 else f"height={name}"],
            )
        if len(indices) == 3:
            _plan_normal(item)
            return
    elif len(indices) == 2 and ROLES[role].colors == 3 and role != "mask":
        raise AmbiguousError(
            f"{name}: {role} is a colour, and the file has two channels that are no grey and alpha; choose one with "
            f"--map {quote(f'{role}={name}:r')} (or g)",
            maps=[f"{role}={name}:r"],
        )
    elif len(indices) == 3 and is_grey(item, exact=ROLES[role].colors == 3):
        item.copies.update({c: indices[0] for c in indices[1:]})
        indices = indices[:1]
    elif ROLES[role].colors == 1 and len(indices) > 1:
        raise AmbiguousError(
            f"{name}: {role} is one value per texel but its {len(indices)} channels differ; choose one with "
            f"--map {quote(f'{role}={name}:r')} (or g, b)",
            maps=[f"{role}={name}:r"],
        )
    _plan_role(item, role, indices)


def _plan_normal(item: ReadMap) -> None:
    """Plan a file of three colours and maybe an alpha that is a normal map, by what its channels hold."""
    named = {_file_index(c, item.info) for c in item.choice.channels}
    colors = item.unit_all()
    reading = read_normals(colors[:, :, :3] if 3 in named else colors)
    if reading.note:
        item.info = noted(item.info, reading.note)
    if reading.x is None or reading.y is None:
        item.info = noted(item.info, "kept as three values")
        _plan_role(item, "mask", [0, 1, 2])
        return
    item.planes += [Plane("normal", "x", reading.x), Plane("normal", "y", reading.y)]
    item.rebuild_z = reading.rebuild_z
    if reading.keep_blue:
        file = item.info.file
        letters = "ag" if reading.x == 3 else "rg"
        normal, blue = f"--map {quote(f'normal={file}:{letters}')}", f"--map {quote(f'ao={file}:b')}"
        item.info = noted(item.info, f"kept as a mask; {normal} leaves it out, and {blue} too if it is AO")
        item.planes.append(Plane("mask", "v", 2))
    elif reading.x == 3 and constant_of(item, 2) is None:
        item.copies[2] = 1


def _plan_role(item: ReadMap, role: str, indices: list[int]) -> None:
    if role == "normal":
        components = "xy"
        indices = indices[:2]
    elif len(indices) > 1 and ROLES[role].colors == 3:
        components = "rgba"
    else:
        components = "v"
    for component, index in zip(components, indices, strict=False):
        item.planes.append(Plane(role, component, index))


def plan_alpha(item: ReadMap, taken: set[str]) -> None:
    """Give a varying alpha that nothing names the role its file implies, or 'mask' if another file has that role."""
    alpha = item.colors
    named = {_file_index(c, item.info) for c in item.choice.channels} | {p.file_channel for p in item.planes}
    if alpha == item.info.channels or alpha in named:
        return
    if constant_of(item, alpha) is not None or item.info.stated.empty_alpha:
        return
    role = item.choice.alpha or ALPHA_ROLE.get(item.choice.whole or "", "mask")
    if item.choice.alpha is not None:
        example = quote(f"emissive={item.info.file}:a")
        item.info = noted(item.info, f"alpha kept as a {role}; name it, as in --map {example}")
    item.planes.append(Plane("mask" if role in taken else role, "v", alpha))


def note_alpha(item: ReadMap, ignored: list[tuple[str, str]]) -> None:
    """Note an alpha that was taken as opaque: it would hide everything, or the file says that it has none."""
    alpha = item.colors
    if alpha == item.info.channels or alpha in {p.file_channel for p in item.planes}:
        return
    name = item.info.file
    if item.info.stated.empty_alpha and constant_of(item, alpha) != 1:
        ignored.append((f"{name}:a", "opaque: the file says that it has no alpha; "
                                     f"--map {quote(f'opacity={name}:a')} takes what is there"))  # fmt: skip
    elif ALPHA_ROLE.get(item.choice.whole or "") == "opacity" and constant_of(item, alpha) == 0:
        ignored.append((f"{name}:a", "opaque: zero in all texels, which would hide everything"))


def unused_channels(item: ReadMap) -> list[int]:
    """Channels of a file that vary and are not used. A normal's Z, which is rebuilt, counts as used."""
    planned = {p.file_channel for p in item.planes} | set(item.copies)
    if item.rebuild_z:
        planned.add(2)
    if item.info.stated.empty_alpha:
        planned.add(item.colors)
    return [c for c in range(item.info.channels) if c not in planned and constant_of(item, c) is None]


def constant_of(item: ReadMap, channel: int) -> float | None:
    values = item.pixels[:, :, channel]
    return float(item.unit(channel).flat[0]) if values.min() == values.max() else None


def is_grey(item: ReadMap, *, exact: bool) -> bool:
    """Whether the three colour channels are the same. A colour has to be grey exactly, a data map nearly."""
    first = item.pixels[:, :, 0]
    others = [item.pixels[:, :, c] for c in (1, 2)]
    if all(np.array_equal(first, o) for o in others):
        return True
    if exact:
        return False
    apart = [np.abs(item.unit(c) - item.unit(0)) for c in (1, 2)]
    if all(float(a.mean()) <= _GREY_MEAN_DIFFERENCE for a in apart):
        return True
    if any(float(a.mean()) > _COMPRESSED_MEAN or maths.quantile(a, 0.995) > _COMPRESSED_MOST for a in apart):
        return False
    most = max(float(a.max()) for a in apart)
    item.info = noted(item.info, f"grey: its channels differ by {255 * most:.0f}/255 at most")
    return True
