"""The channels of all files -> one stack of one size, and how each file is written back."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from gstex.arrays import AnyArray, F32Array
from gstex.errors import AmbiguousError
from gstex.format.ranges import ValueRange
from gstex.json_types import JsonObject
from gstex.material.images import ImageFile, read_pixels
from gstex.material.material import COLOR_ROLES, MAX_CHANNELS, Channel, Material
from gstex.material.meaning import convert_colors, divide_by_alpha
from gstex.material.own_mips import OwnMip, read_own_mip
from gstex.material.planes import Plane, ReadMap, constant_of
from gstex.material.resample import resample
from gstex.material.roles import ROLES
from gstex.material.visible import fill_hidden

__all__ = ["build_material", "check_channel_count", "read_own_mips"]

_Entry = tuple[ReadMap, Plane]

_SAME = 0.5 / 255  # a level of a constant channel within half an 8-bit code is that constant


def check_channel_count(maps: list[ReadMap]) -> None:
    count = sum(len(m.planes) for m in maps)
    if count > MAX_CHANNELS:
        counts = ", ".join(f"{m.info.file} {len(m.planes)}" for m in maps)
        dropped, left = [], list(maps)
        while left and sum(len(m.planes) for m in left) > MAX_CHANNELS:
            dropped.append(f"ignore={left.pop().info.file}")
        raise AmbiguousError(
            f"{count} channels found ({counts}); at most {MAX_CHANNELS} fit: drop files with --map ignore=FILE",
            maps=dropped,
        )


def read_own_mips(
    folder: Path, maps: list[ReadMap], own_mips: list[OwnMip], ignored: list[tuple[str, str]]
) -> None:
    """Read the smaller levels of the maps in use: those in the files themselves, and files of their own."""
    chosen = {m.info.file: m for m in maps}
    largest = _largest(maps)
    for item in maps:
        for level in range(1, min(item.info.stated.levels, max(largest.width, largest.height).bit_length())):
            _keep_level(item, level, read_pixels(folder / item.info.file, item.info, level), item.info)
    for mip in own_mips:
        if mip.map in chosen:
            item = chosen[mip.map]
            pixels, source = read_own_mip(mip, item.info, largest.width, largest.height)
            _keep_level(item, mip.level, pixels, source)
        else:
            ignored.append((mip.shown, f"level {mip.level} of {mip.map}, which is left out"))


def _keep_level(item: ReadMap, level: int, pixels: AnyArray, file: ImageFile) -> None:
    """Keep a smaller level, with its colours converted as those of level 0. file: the one that it is from."""
    if item.info.associated:
        pixels = divide_by_alpha(pixels)
    if any(ROLES[p.role].color_space == "srgb" for p in item.planes):
        pixels = convert_colors(pixels, file)
    item.own_mips[level] = pixels


def _largest(maps: list[ReadMap]) -> ImageFile:
    return max(maps, key=lambda m: m.info.width * m.info.height).info


def _color_space(role: str, info: ImageFile, component: str) -> str:
    """Float files are linear; a specular map of one channel is an intensity, not a colour."""
    if info.is_float or (role == "specular" and component == "v"):
        return "linear"
    return ROLES[role].color_space


def _neutral(role: str, info: ImageFile) -> tuple[float, ...]:
    if role != "normal":
        return (0.0, 1.0)
    if info.is_float:
        return (0.5,)
    return (128 / 255,) if info.bit_depth == 8 else (32768 / 65535,)


def build_material(material_name: str, maps: list[ReadMap], wrap: str, ignored: list[tuple[str, str]]) -> Material:
    """Stack the planned channels, resampled to the largest map, and note how each file is written back."""
    largest = _largest(maps)
    height, width = largest.height, largest.width
    order = list(ROLES)
    entries = sorted(
        ((m, p) for m in maps for p in m.planes), key=lambda e: order.index(e[1].role)
    )  # a stable sort: files and components keep their order
    masks = (e for e in entries if e[1].role == "opacity")
    opacity = next((e for e in masks if constant_of(e[0], e[1].file_channel) is None), None)
    stack = np.empty((height, width, len(entries)), np.float32)
    channels = []
    for index, (item, plane) in enumerate(entries):
        unit = _sized((item, plane), 0, (height, width), opacity, repeat=wrap == "repeat")
        constant = constant_of(item, plane.file_channel)
        stack[:, :, index] = unit[:, :, 0] if constant is None else constant
        channels.append(Channel(
            plane.role, plane.component, _color_space(plane.role, item.info, plane.component), item.info.file,
            plane.file_channel, constant, _neutral(plane.role, item.info),
            item.info.ranges[plane.file_channel] if item.info.ranges else ValueRange(),
        ))
    stack.flags.writeable = False
    own_mips = _stack_own_mips(entries, height, width, opacity, repeat=wrap == "repeat")
    for index, channel in enumerate(channels):
        value = channel.constant
        levels = [own_mip[:, :, index] for own_mip in own_mips if own_mip is not None]
        if value is not None and any((np.abs(v - value) > _SAME).any() for v in levels):  # NaN is never above
            channels[index] = replace(channel, constant=None)
    normals = [m for m in maps if any(p.role == "normal" for p in m.planes)]
    convention = (normals[0].choice.convention or "gl") if normals else None
    return Material(
        name=material_name, width=width, height=height, sources=tuple(m.info for m in maps),
        channels=tuple(channels), pixels=stack, normal_convention=convention, wrap=wrap,
        ignored=tuple(ignored), planes={m.info.file: _planes_of(m, channels) for m in maps}, own_mips=own_mips,
        originals={i: item.unit(plane.file_channel) for i, (item, plane) in enumerate(entries)
                   if (item.info.height, item.info.width) != (height, width)},
    )


def _sized(
    entry: _Entry, level: int, size: tuple[int, int], opacity: _Entry | None, *, repeat: bool
) -> F32Array:
    """A level of a plane at the size of that level of the stack, float32 [*size, 1]. Hidden colour does not count."""
    item, plane = entry
    unit = item.unit(plane.file_channel, level)[:, :, None]
    if unit.shape[:2] == size:
        return unit
    if opacity is not None and plane.role in COLOR_ROLES:
        mask, mask_plane = opacity
        mask_level = level if level in mask.own_mips else 0
        unit = fill_hidden(unit, mask.unit(mask_plane.file_channel, mask_level), repeat=repeat)
    return np.clip(resample(unit, *size, repeat=repeat), 0.0, 1.0)


def _stack_own_mips(
    entries: list[_Entry], height: int, width: int, opacity: _Entry | None, *, repeat: bool
) -> tuple[F32Array | None, ...]:
    """See `Material.own_mips`. A map smaller than the stack is resampled as its level 0 is."""
    last = max((level for item, _ in entries for level in item.own_mips), default=0)
    result: list[F32Array | None] = []
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


def _planes_of(item: ReadMap, channels: list[Channel]) -> tuple[JsonObject, ...]:
    """What each channel of a file is made of when it is written back; see `Material.planes`."""
    mine = {c.file_channel: i for i, c in enumerate(channels) if c.file == item.info.file}
    xy = [i for i, c in enumerate(channels) if c.file == item.info.file and c.role == "normal"]
    result: list[JsonObject] = []
    for index in range(item.info.channels):
        source = item.copies.get(index, index)
        if source in mine:
            result.append({"channel": mine[source]})
        elif xy and index == 2 and item.rebuild_z:
            result.append({"normal_z": xy})
        else:
            values = item.pixels[:, :, index] if item.info.is_float else item.unit(index)
            fill = float(np.median(values))
            if index == item.colors and item.info.stated.empty_alpha:
                fill = 1.0
            result.append({"fill": fill})
    return tuple(result)
