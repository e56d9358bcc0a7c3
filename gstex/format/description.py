"""The JSON of a file about its maps and its fit: the brief form on disk, and the long form that is used in memory.

The file leaves out what its header says and what is usual, so a description takes some 600 bytes. Everything that
reads a description takes the long form, which `describe`, `describe_fit` and `describe_report` make of it.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gstex.format.layout import ChannelEntry
from gstex.format.ranges import ValueRange
from gstex.json_types import JsonObject, JsonView

__all__ = ["brief_fit", "brief_material", "brief_report", "describe", "describe_fit", "describe_report"]

# The format in which a map is written where nothing else is said, by the extension of its name.
_FORMATS = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".tga": "tga", ".webp": "webp", ".exr": "exr", ".tif": "tiff",
    ".tiff": "tiff", ".bmp": "bmp", ".hdr": "hdr",
}  # fmt: skip

# What a source and a fit are where nothing else is said.
_SOURCE = {"bit_depth": 8, "is_float": False, "alpha": True, "associated": False,
           "says_srgb": False}  # fmt: skip
_FIT = {"effort": "normal", "loss": "l2", "bpp": None, "gaussians": None, "mip_filter": "box",
        "roughness_from_normals": False, "alpha_test": None, "importance": None, "groups": "auto", "seed": 0,
        "backend": "cpu"}  # fmt: skip


def brief_material(material: JsonView) -> JsonObject:
    """The part `material` of a file. material: `gstex.material.Material.to_metadata()`."""
    result = {"name": material["name"], "sources": [_brief_source(row, material) for row in material["sources"]]}
    if material["ignored"]:
        result["ignored"] = [file for file, _ in material["ignored"]]
    return result


def describe(
    material: object, channels: Sequence[ChannelEntry], *, width: int, height: int, repeat: bool
) -> JsonObject:
    """The long form of the part `material` of a file, as `gstex.material.Material.to_metadata` gives it.

    Args:
        material: may hold anything. What is no part of a description stays as it is, for `plan_maps` to refuse.
        channels, width, height, repeat: of the header.

    Returns:
        A dict. Its sources are missing where the file names none.
    """
    fields = dict(material) if isinstance(material, dict) else {}
    normals = [c for c in channels if (c.role, c.component) == ("normal", "y")]
    if isinstance(fields.get("sources"), list):
        fields["sources"] = [_describe_source(row, channels, width, height) for row in fields["sources"]]
    ignored = fields.get("ignored")
    return {
        **fields,
        "width": width,
        "height": height,
        "wrap": "repeat" if repeat else "clamp",
        "normal_convention": ("dx" if normals[0].flipped else "gl") if normals else None,
        "channels": [_describe_channel(c, *_place(i, fields.get("sources"))) for i, c in enumerate(channels)],
        "ignored": [[file, ""] for file in ignored] if isinstance(ignored, list) else [],
    }


def brief_fit(fit: JsonView) -> JsonObject:
    """The part `fit` of a file: of the options of `compress` those that are not the usual ones."""
    return {name: value for name, value in fit.items() if name not in _FIT or value != _FIT[name]}


def describe_fit(fit: JsonView) -> JsonObject:
    """The options of `compress` of which `brief_fit` made a part of a file; the usual ones for what is missing."""
    return {**_FIT, **fit}


def brief_report(report: JsonView) -> JsonObject:
    """The part `report` of a file: figures in thousandths."""
    return {name: _rounded(value) for name, value in report.items()}


def describe_report(report: JsonView, facts: JsonView) -> JsonObject:
    """The part `report` of a file together with what the words say.

    Args:
        report: may hold anything. facts: the part of `Texture.info()` that the words state.
    """
    stated = report.get("mips")
    values = stated if isinstance(stated, list) else []
    mips = []
    for mip in facts["mips"]:
        psnr = {"psnr": values[mip["mip"]]} if mip["mip"] < len(values) else {}
        mips.append({**psnr, **{name: mip[name] for name in (
            "width", "height", "bytes", "stored_as", "gaussians", "candidates_mean", "candidates_max")}})  # fmt: skip
    result = {name: facts[name] for name in ("gpu_bytes", "mip_0_bytes", "width", "height", "channels")}
    if facts["mip_0_bytes"] is not None:
        rate = 8 * facts["mip_0_bytes"] / (facts["width"] * facts["height"])
        result |= {"gaussians": mips[0]["gaussians"], "bpp": rate, "bppc": rate / facts["channels"],
                   "candidates_mean": mips[0]["candidates_mean"], "candidates_max": mips[0]["candidates_max"]}
    return {**report, **result, "mips": mips}


def _brief_source(row: JsonView, material: JsonView) -> JsonObject:
    usual = _usual(row["file"], len(row["planes"]), material["width"], material["height"])
    rest = {name: value for name, value in row.items() if name not in ("file", "planes", "ranges")}
    return {"file": row["file"], "planes": [_brief_plane(plane) for plane in row["planes"]],
            **{name: value for name, value in rest.items() if value != usual[name]}}  # fmt: skip


def _describe_source(row: object, channels: Sequence[ChannelEntry], width: int, height: int) -> object:
    if not isinstance(row, dict) or not isinstance(row.get("planes"), list):
        return row
    planes = [_describe_plane(plane) for plane in row["planes"]]
    ranges = [_range_of(plane, channels) for plane in planes] if row.get("is_float") is True else None
    return {**_usual(row.get("file"), len(planes), width, height), **row, "planes": planes, "ranges": ranges}


def _range_of(plane: object, channels: Sequence[ChannelEntry]) -> dict[str, float]:
    """The range of a plane: that of its channel, or of X for the Z of a normal."""
    of = plane if isinstance(plane, dict) else {}
    pair = of.get("normal_z")
    channel: Any = of.get("channel", pair[0] if isinstance(pair, list) and pair else None)
    known = isinstance(channel, int) and 0 <= channel < len(channels)
    return asdict(ValueRange.of(channels[channel]) if known else ValueRange())


def _usual(file: object, planes: int, width: int, height: int) -> JsonObject:
    suffix = os.path.splitext(file)[1].lower() if isinstance(file, str) else ""
    return {**_SOURCE, "width": width, "height": height, "channels": planes, "format": _FORMATS.get(suffix, "png")}


def _brief_plane(plane: JsonView) -> object:
    """{"channel": 3} -> 3, {"normal_z": [3, 4]} -> [3, 4]; {"fill": 0.5} stays."""
    return plane.get("channel", plane.get("normal_z", plane))


def _describe_plane(plane: object) -> object:
    if isinstance(plane, list):
        return {"normal_z": plane}
    return {"channel": plane} if isinstance(plane, int) and not isinstance(plane, bool) else plane


def _place(channel: int, sources: object) -> tuple[str, int]:
    """The file of a channel, and which of the file's channels it is; ("", 0) if no file has it."""
    for row in sources if isinstance(sources, list) else ():
        planes = row.get("planes") if isinstance(row, dict) else None
        for number, plane in enumerate(planes if isinstance(planes, list) else ()):
            if plane == {"channel": channel}:
                return str(row.get("file")), number
    return "", 0


def _describe_channel(entry: ChannelEntry, file: str, file_channel: int) -> JsonObject:
    return {"role": entry.role, "component": entry.component, "color_space": "srgb" if entry.srgb else "linear",
            "file": file, "file_channel": file_channel, "constant": entry.constant,
            **asdict(ValueRange.of(entry))}  # fmt: skip


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
