"""A folder of maps or one image file -> Material."""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gstex.errors import AmbiguousError, MaterialError
from gstex.material.discover import (
    ALPHA,
    Choice,
    Reading,
    parse_override,
    quote,
    read_alone,
    read_names,
    resolve,
)
from gstex.material.images import (
    EXTENSIONS,
    FORMAT_NAMES,
    SourceMap,
    read_info,
    read_pixels,
    to_unit,
)
from gstex.material.material import COLOR_ROLES, MAX_CHANNELS, Channel, Material
from gstex.material.meaning import convert_colors, divide_by_alpha, float_range_of, noted, straighten
from gstex.material.normals import looks_like_normals, read_normals
from gstex.material.own_mips import OwnMip, find_own_mips, read_own_mip
from gstex.material.resample import guess_wrap, resample
from gstex.material.roles import ALPHA_ROLE, ROLES
from gstex.material.visible import fill_hidden

__all__ = ["load_material"]

# Channels of a data map that differ by at most this much on average are one grey channel stored three times:
# a palette or JPEG's chroma leaves a level or two (texture_rock_depth: up to 2/255 in a few texels).
_GREY_MEAN_DIFFERENCE = 1.5 / 255
# Where they differ by more than that, but by what lossy compression of colour does, they are grey too, and a line says
# so: at most these on average, and in all texels but one in 200.
_COMPRESSED_MEAN, _COMPRESSED_MOST = 4 / 255, 10 / 255
_SAME = 0.5 / 255  # a level of a constant channel within half an 8-bit code is that constant
_LETTERS = "rgba"


@dataclass
class _Plane:
    """One channel of one file that goes into the stack."""

    role: str
    component: str
    file_channel: int


@dataclass
class _Map:
    """A chosen file with its pixels [h, w, C] as stored, and the planes it gives."""

    info: SourceMap
    choice: Choice
    pixels: np.ndarray
    planes: list[_Plane]
    copies: dict[int, int]      # file channel -> the file channel it repeats
    rebuild_z: bool = False     # the third channel is the Z of a normal
    own_mips: dict[int, np.ndarray] = field(default_factory=dict)  # by level, as stored

    @property
    def colors(self) -> int:
        return self.info.colors

    def unit_all(self) -> np.ndarray:
        return to_unit(self.pixels, self.info.float_range)

    def unit(self, channel: int, level: int = 0) -> np.ndarray:
        pixels = self.own_mips[level] if level else self.pixels
        return to_unit(pixels[:, :, channel], self.info.float_range)


def load_material(path: str | Path, *, overrides: Sequence[str] = ()) -> Material:
    """Load a folder of maps, or one image, as a stack of channels.

    Args:
        path: a folder whose images are one material's maps, or an image file. A single image is an albedo,
            with an opacity if its alpha varies, unless its name calls it a map and its pixels can be one. A
            folder may give smaller levels of its maps as `name.mip1.png` or `mip1/name.png` beside `name.png`; they
            become `Material.own_mips`.
        overrides: `role=file[:channels][@lo..hi]` as in "roughness=pack.png:g"; `ignore=file` drops a file.
    Returns:
        The material; channels in the order of `roles.ROLES`, maps resampled to the size of the largest.
    Raises:
        MaterialError: missing, empty or unreadable input, a broken image, a size out of range, more than 16
            channels, a smaller level that does not fit its map.
        AmbiguousError: several candidates for a role; the message shows the override to type.
        UsageError: an override that cannot be understood.
    """
    path = Path(path)
    folder, names, own_mips, ignored = _list_images(path)
    single = not path.is_dir()
    parsed = [parse_override(text, names) for text in overrides]
    dropped = {o.file for o in parsed if o.role == "ignore" and o.channels is None}
    infos = {n: read_info(folder / n) for n in names if n not in dropped}
    readings = {n: _read_single(path, infos.get(n)) for n in names} if single else read_names(names)
    counts = {n: infos[n].channels if n in infos else 0 for n in names}
    choices, left_out = resolve(readings, counts, parsed)
    ignored = left_out + ignored
    if not choices:
        raise MaterialError(f"{path}: no map is left; name one with --map role=file")

    order = list(ROLES)
    files = sorted(choices, key=lambda n: (min(order.index(r) for r in choices[n].roles()), n))
    maps: list[_Map] = []
    for name in files:
        item = _read_map(folder / name, infos[name], choices[name])
        taken = {p.role for m in maps for p in m.planes}.union(*(c.roles() for c in choices.values()))
        _plan_alpha(item, taken)
        _note_alpha(item, ignored)
        maps.append(item)
        ignored += [(f"{name}:{part}", reason) for part, reason in item.info.stated.unused]
        unused = "".join(_LETTERS[c] for c in _unused(item))
        if unused:
            ignored.append((f"{name}:{unused}", "not used; written back as its median"))
    _check_channel_count(maps)
    _read_own_mips(maps, own_mips, ignored)
    wrap = "clamp" if single else guess_wrap([m.unit(p.file_channel) for m in maps for p in m.planes])
    return _build(path, maps, wrap, ignored)


def _read_single(path: Path, info: SourceMap | None) -> Reading:
    """The role of an image by itself: that of its name if the pixels can be that, else albedo.

    A name alone says little: any picture may be called "new normal" or "arm".
    """
    picture = Reading(role="albedo")
    named = read_alone(path.name)
    if named is None or info is None:
        return picture
    pixels = read_pixels(path, info)
    if named.role == "normal":
        float_range = (0.0, 1.0)
        if info.is_float:
            with contextlib.suppress(MaterialError):
                float_range = float_range_of(pixels[:, :, : info.colors], {"normal"})
        unit = to_unit(pixels, float_range if info.is_float else None)
        return named if info.colors == 2 or (info.colors == 3 and looks_like_normals(unit)) else picture
    if named.packed is not None:
        return named if info.colors == 3 else picture
    item = _Map(replace(info, float_range=(0.0, 1.0) if info.is_float else None), Choice(), pixels, [], {})
    return named if info.colors == 1 or (info.colors == 3 and _is_grey(item, exact=False)) else picture


def _list_images(path: Path) -> tuple[Path, list[str], list[OwnMip], list[tuple[str, str]]]:
    """The folder, the names of its maps in sorted order, their smaller levels, and (name, reason) of other files."""
    try:
        if not path.exists():
            raise MaterialError(f"{path}: no such file or folder; give a folder of maps or an image")
        if not path.is_dir():
            return path.parent, [path.name], [], []
        entries = sorted(path.iterdir())
        files = [e for e in entries if e.is_file() and not e.name.startswith(".")]
    except OSError as error:
        raise MaterialError(f"{path}: cannot be read ({error.strerror}); check its rights") from None
    names = [e.name for e in files if e.suffix.lower() in EXTENSIONS]
    ignored = [(e.name, f"not a {FORMAT_NAMES} image") for e in files if e.name not in names]
    if not names:
        raise MaterialError(f"{path}: no {FORMAT_NAMES} image in this folder; {_folder_hint(entries)}")
    odd = [n for n in names if not n.isprintable()]
    if odd:
        raise MaterialError(f"{path}: the file name {odd[0]!r} holds unprintable characters; rename it")
    maps, own_mips, left_out = find_own_mips(path, names, entries)
    if not maps:
        raise MaterialError(f"{path}: only smaller levels such as {names[0]}; put level 0 of the maps beside them")
    return path, maps, own_mips, left_out + ignored


def _folder_hint(entries: Sequence[Path]) -> str:
    for entry in entries:
        with contextlib.suppress(OSError):
            if entry.is_dir() and any(f.suffix.lower() in EXTENSIONS for f in entry.iterdir()):
                return f"its folder {entry.name!r} has some: give that one"
    return "put the maps of one material into it"


def _read_map(path: Path, info: SourceMap, choice: Choice) -> _Map:
    pixels, info = _read_meaning(path, info, choice)
    if info.is_float:
        try:
            used = pixels[:, :, : info.colors] if choice.whole else pixels
            float_range = choice.float_range or float_range_of(used, choice.roles())
        except MaterialError as error:
            raise MaterialError(
                f"{info.file}: {error}; state what they are, for 0..255 with "
                f"--map {quote(f'normal={info.file}@0..255')}"
            ) from None
        info = replace(info, float_range=float_range)
        info = noted(info, *_range_notes(used, float_range, stated=choice.float_range is not None))
    elif choice.float_range is not None:
        raise MaterialError(f"{info.file}: holds integers of {info.bit_depth} bits, and a range is stated; "
                            "a range is for float files: leave it out")
    item = _Map(info, choice, pixels, [], {})
    named = {_file_index(c, info): r for c, r in choice.channels.items()}
    for index in named:
        if index >= info.channels:
            raise MaterialError(
                f"{info.file}: has {info.channels} channels, the override asks for {_LETTERS[index]!r}"
            )
    if choice.whole is not None:
        _plan_whole(item, [c for c in range(item.colors) if c not in named])
    for role in dict.fromkeys(r for r in named.values() if r is not None):
        indices = [c for c, r in named.items() if r == role]
        _plan_role(item, role, indices)
    return item


def _read_meaning(path: Path, info: SourceMap, choice: Choice) -> tuple[np.ndarray, SourceMap]:
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
    elif profile is not None:
        info = noted(info, f"taken as data, not as colours of {profile.name}")
    return pixels, info


def _range_notes(used: np.ndarray, float_range: tuple[float, float], *, stated: bool) -> list[str]:
    lo, hi = float_range
    beyond = used[(used < lo) | (used > hi)]
    notes = []
    if stated or float_range != (0.0, 1.0):
        notes.append(f"range {lo:.4g} .. {hi:.4g}")
    if beyond.size:
        notes.append(f"{beyond.size} values of {beyond.min():.4g} .. {beyond.max():.4g} cut to {lo:g} .. {hi:g}")
    return notes


def _file_index(letter: int, info: SourceMap) -> int:
    """Index in the file of a letter of rgba: the alpha of a grey image is its second channel."""
    return 1 if letter == ALPHA and info.channels == 2 and info.alpha else letter


def _plan_whole(item: _Map, indices: list[int]) -> None:
    """Plan the colour channels of a file that is one role as a whole."""
    role, name = str(item.choice.whole), item.info.file
    if role == "normal":
        if len(indices) < 2:
            layout = f"; if X is its grey and Y its alpha, type --map {quote(f'normal={name}:ra')}"
            raise AmbiguousError(
                f"{name}: a normal map with 1 channel, expected 2 or more; if it is a height map type "
                f"--map {quote('height=' + name)}{layout if item.info.channels == 2 else ''}"
            )
        if len(indices) == 3:
            _plan_normal(item)
            return
    elif len(indices) == 2 and ROLES[role].colors == 3 and role != "mask":
        raise AmbiguousError(
            f"{name}: {role} is a colour, and the file has two channels that are no grey and alpha; choose one with "
            f"--map {quote(f'{role}={name}:r')} (or g)"
        )
    elif len(indices) == 3 and _is_grey(item, exact=ROLES[role].colors == 3):
        item.copies.update({c: indices[0] for c in indices[1:]})
        indices = indices[:1]
    elif ROLES[role].colors == 1 and len(indices) > 1:
        raise AmbiguousError(
            f"{name}: {role} is one value a texel but its {len(indices)} channels differ; choose one with "
            f"--map {quote(f'{role}={name}:r')} (or g, b)"
        )
    _plan_role(item, role, indices)


def _plan_normal(item: _Map) -> None:
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
    item.planes += [_Plane("normal", "x", reading.x), _Plane("normal", "y", reading.y)]
    item.rebuild_z = reading.rebuild_z
    if reading.keep_blue:
        file = item.info.file
        letters = "ag" if reading.x == 3 else "rg"
        example = f"--map {quote(f'normal={file}:{letters}')} --map {quote(f'ao={file}:b')}"
        item.info = noted(item.info, f"kept as a mask; name it, as in {example}")
        item.planes.append(_Plane("mask", "v", 2))
    elif reading.x == 3 and _constant(item, 2) is None:
        item.copies[2] = 1


def _plan_role(item: _Map, role: str, indices: list[int]) -> None:
    if role == "normal":
        components = "xy"
        indices = indices[:2]
    elif len(indices) > 1 and ROLES[role].colors == 3:
        components = "rgba"
    else:
        components = "v"
    for component, index in zip(components, indices, strict=False):
        item.planes.append(_Plane(role, component, index))


def _plan_alpha(item: _Map, taken: set[str]) -> None:
    """Give a varying alpha that nothing names the role its file implies, or 'mask' if a file has that."""
    alpha = item.colors
    named = {_file_index(c, item.info) for c in item.choice.channels} | {p.file_channel for p in item.planes}
    if alpha == item.info.channels or alpha in named:
        return
    if _constant(item, alpha) is not None or item.info.stated.empty_alpha:
        return
    role = ALPHA_ROLE.get(item.choice.whole or "", "mask")
    item.planes.append(_Plane("mask" if role in taken else role, "v", alpha))


def _note_alpha(item: _Map, ignored: list[tuple[str, str]]) -> None:
    """Say where an alpha that would hide everything, or is none, was taken as opaque."""
    alpha = item.colors
    if alpha == item.info.channels or alpha in {p.file_channel for p in item.planes}:
        return
    name = item.info.file
    if item.info.stated.empty_alpha:
        ignored.append((f"{name}:a", "opaque: the file says that it has no alpha; "
                                     f"--map {quote(f'opacity={name}:a')} takes what is there"))  # fmt: skip
    elif ALPHA_ROLE.get(item.choice.whole or "") == "opacity" and _constant(item, alpha) == 0:
        ignored.append((f"{name}:a", "opaque: zero in all texels, which would hide everything"))


def _unused(item: _Map) -> list[int]:
    """Channels of a file that hold something and go nowhere; a normal's Z, which is rebuilt, is none."""
    planned = {p.file_channel for p in item.planes} | set(item.copies)
    if item.rebuild_z:
        planned.add(2)
    if item.info.stated.empty_alpha:
        planned.add(item.colors)
    return [c for c in range(item.info.channels) if c not in planned and _constant(item, c) is None]


def _constant(item: _Map, channel: int) -> float | None:
    values = item.pixels[:, :, channel]
    return float(item.unit(channel).flat[0]) if values.min() == values.max() else None


def _is_grey(item: _Map, *, exact: bool) -> bool:
    """Whether the three colour channels are one. A colour has to be grey exactly, a data map nearly."""
    first = item.pixels[:, :, 0]
    others = [item.pixels[:, :, c] for c in (1, 2)]
    if all(np.array_equal(first, o) for o in others):
        return True
    if exact:
        return False
    apart = [np.abs(item.unit(c) - item.unit(0)) for c in (1, 2)]
    if all(float(a.mean()) <= _GREY_MEAN_DIFFERENCE for a in apart):
        return True
    if any(float(a.mean()) > _COMPRESSED_MEAN or float(np.quantile(a, 0.995)) > _COMPRESSED_MOST for a in apart):
        return False
    most = max(float(a.max()) for a in apart)
    item.info = noted(item.info, f"grey: its channels differ by {255 * most:.0f}/255 at most")
    return True


def _check_channel_count(maps: list[_Map]) -> None:
    count = sum(len(m.planes) for m in maps)
    if count > MAX_CHANNELS:
        found = ", ".join(f"{m.info.file} {len(m.planes)}" for m in maps)
        raise MaterialError(
            f"{count} channels found ({found}); at most {MAX_CHANNELS} fit: drop files with --map ignore=FILE"
        )


def _read_own_mips(maps: list[_Map], own_mips: list[OwnMip], ignored: list[tuple[str, str]]) -> None:
    """Read the smaller levels of the maps in use."""
    chosen = {m.info.file: m for m in maps}
    largest = _largest(maps)
    for own in own_mips:
        if own.map in chosen:
            item = chosen[own.map]
            pixels, found = read_own_mip(own, item.info, largest.width, largest.height)
            if item.info.associated:
                pixels = divide_by_alpha(pixels)
            if any(ROLES[p.role].color_space == "srgb" for p in item.planes):
                pixels = convert_colors(pixels, found)
            item.own_mips[own.level] = pixels
        else:
            ignored.append((own.shown, f"level {own.level} of {own.map}, which is left out"))


def _largest(maps: list[_Map]) -> SourceMap:
    return max(maps, key=lambda m: m.info.width * m.info.height).info


def _color_space(role: str, info: SourceMap, component: str) -> str:
    """Float files are linear; a specular map of one channel is an intensity, not a colour."""
    if info.is_float or (role == "specular" and component == "v"):
        return "linear"
    return ROLES[role].color_space


def _neutral(role: str, info: SourceMap) -> tuple[float, ...]:
    if role != "normal":
        return (0.0, 1.0)
    if info.is_float:
        return (0.5,)
    return (128 / 255,) if info.bit_depth == 8 else (32768 / 65535,)


def _build(path: Path, maps: list[_Map], wrap: str, ignored: list[tuple[str, str]]) -> Material:
    """Stack the planned channels, resampled to the largest map, and note how each file is written back."""
    largest = _largest(maps)
    height, width = largest.height, largest.width
    order = list(ROLES)
    entries = sorted(
        ((m, p) for m in maps for p in m.planes), key=lambda e: order.index(e[1].role)
    )  # a stable sort: files and components keep their order
    opacity = next((e for e in entries if e[1].role == "opacity" and _constant(e[0], e[1].file_channel) is None), None)
    stack = np.empty((height, width, len(entries)), np.float32)
    channels = []
    for index, (item, plane) in enumerate(entries):
        unit = _sized((item, plane), 0, (height, width), opacity, repeat=wrap == "repeat")
        constant = _constant(item, plane.file_channel)
        stack[:, :, index] = unit[:, :, 0] if constant is None else constant
        channels.append(Channel(
            plane.role, plane.component, _color_space(plane.role, item.info, plane.component), item.info.file,
            plane.file_channel, constant, _neutral(plane.role, item.info),
        ))
    stack.flags.writeable = False
    own_mips = _stack_own_mips(entries, height, width, opacity, repeat=wrap == "repeat")
    for index, channel in enumerate(channels):
        value = channel.constant
        levels = [own[:, :, index] for own in own_mips if own is not None]
        if value is not None and any((np.abs(v - value) > _SAME).any() for v in levels):  # not where NaN
            channels[index] = replace(channel, constant=None)
    normals = [m for m in maps if any(p.role == "normal" for p in m.planes)]
    convention = (normals[0].choice.convention or "gl") if normals else None
    return Material(
        name=_material_name(path), width=width, height=height, sources=tuple(m.info for m in maps),
        channels=tuple(channels), pixels=stack, normal_convention=convention, wrap=wrap,
        ignored=tuple(ignored), planes={m.info.file: _planes_of(m, channels) for m in maps}, own_mips=own_mips,
    )


def _sized(
    entry: tuple[_Map, _Plane], level: int, size: tuple[int, int], opacity: tuple[_Map, _Plane] | None, *, repeat: bool
) -> np.ndarray:
    """A level of a plane in the size of the stack's, float32 [*size, 1]. Hidden colour does not count."""
    item, plane = entry
    unit = item.unit(plane.file_channel, level)[:, :, None]
    if unit.shape[:2] == size:
        return unit
    if opacity is not None and plane.role in COLOR_ROLES:
        mask, mask_plane = opacity
        own = level if level in mask.own_mips else 0
        unit = fill_hidden(unit, mask.unit(mask_plane.file_channel, own), repeat=repeat)
    return np.clip(resample(unit, *size, repeat=repeat), 0.0, 1.0)


def _stack_own_mips(
    entries: list[tuple[_Map, _Plane]], height: int, width: int, opacity: tuple[_Map, _Plane] | None, *, repeat: bool
) -> tuple[np.ndarray | None, ...]:
    """See `Material.own_mips`. A map smaller than the stack is resampled as its level 0 is."""
    last = max((level for item, _ in entries for level in item.own_mips), default=0)
    result: list[np.ndarray | None] = []
    for level in range(1, last + 1):
        size = max(1, height >> level), max(1, width >> level)
        stack = np.full((*size, len(entries)), np.nan, np.float32)
        for index, (item, plane) in enumerate(entries):
            if level in item.own_mips:
                unit = _sized((item, plane), level, size, opacity, repeat=repeat)
                stack[:, :, index] = unit[:, :, 0]
        stack.flags.writeable = False
        result.append(None if np.isnan(stack).all() else stack)
    return tuple(result)


def _planes_of(item: _Map, channels: list[Channel]) -> tuple[dict[str, Any], ...]:
    """What each channel of a file is made of when it is written back; see `Material.planes`."""
    mine = {c.file_channel: i for i, c in enumerate(channels) if c.file == item.info.file}
    xy = [i for i, c in enumerate(channels) if c.file == item.info.file and c.role == "normal"]
    result: list[dict[str, Any]] = []
    for index in range(item.info.channels):
        source = item.copies.get(index, index)
        if source in mine:
            result.append({"channel": mine[source]})
        elif xy and index == 2 and item.rebuild_z:
            result.append({"normal_z": xy})
        else:
            constant = _constant(item, index)
            fill = float(np.median(item.unit(index))) if constant is None else constant
            if index == item.colors and item.info.stated.empty_alpha:
                fill = 1.0
            result.append({"fill": fill})
    return tuple(result)


def _material_name(path: Path) -> str:
    path = path.resolve()
    name = path.name if path.is_dir() else path.stem
    return re.sub(r"\s+", " ", name).strip() or "material"
