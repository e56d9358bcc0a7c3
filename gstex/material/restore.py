"""A decoded stack -> the original files. The metadata comes from a file and is trusted in nothing."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gstex.errors import FormatError, OutputError
from gstex.limits import MAX_SIZE
from gstex.material.images import EXTENSIONS, FORMATS, SourceMap, from_unit, write_image
from gstex.material.material import COLOR_ROLES, MAX_CHANNELS
from gstex.material.meaning import premultiply
from gstex.material.resample import restore_size
from gstex.material.visible import fill_hidden

__all__ = ["MapPlan", "plan_maps", "write_maps"]

_DEPTHS = {
    "png": ((8, False), (16, False)), "jpeg": ((8, False),), "tga": ((8, False),), "webp": ((8, False),),
    "bmp": ((8, False),), "hdr": ((32, True),), "exr": ((16, True), (32, True)),
    "tiff": ((8, False), (16, False), (16, True), (32, True)),
}


@dataclass(frozen=True)
class MapPlan:
    """The files of a material as checked metadata describes them.

    repeat: whether the texture repeats. sources: every file with its planes, see `Material.planes`.
    opacity: the channel that hides colour; None if none does. colors: the channels that it hides.
    """

    repeat: bool
    sources: list[tuple[SourceMap, list[dict[str, Any]]]]
    opacity: int | None = None
    colors: frozenset[int] = frozenset()

    def texels(self, *, mip: int = 0, size: tuple[int, int] | None = None) -> int:
        """Texels of all files, counted in every channel; mip and size as of `write_maps`."""
        shapes = [(*(size or _mip_size(source, mip)), source.channels) for source, _ in self.sources]
        return sum(height * width * channels for height, width, channels in shapes)


def plan_maps(metadata: Any, channel_count: int, *, size: tuple[int, int] | None = None) -> MapPlan:
    """Check the description of a material's maps.

    Args:
        metadata: as `Material.to_metadata` gives it, or anything else; every field that is used is checked.
        channel_count: of the stack.
        size: (width, height) of the texture, which the metadata must agree with; None if it is not known.

    Raises:
        FormatError: the metadata breaks a rule, such as a name with a directory in it, or a source with more texels
        than the material: the largest map gives the material its size.
    """
    if not isinstance(metadata, dict):
        raise _broken(f"the material is {type(metadata).__name__}, expected an object")
    found = tuple(_integer(metadata.get(name), name, 1, MAX_SIZE) for name in ("width", "height"))
    if size is not None and found != size:
        raise _broken(f"size: {found[0]}x{found[1]}, expected {size[0]}x{size[1]} as in the header of the file")
    wrap = metadata.get("wrap")
    if wrap not in ("repeat", "clamp"):
        raise _broken(f"wrap: {_show(wrap)}, expected 'repeat' or 'clamp'")
    rows = metadata.get("sources")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_CHANNELS:
        raise _broken(f"sources: expected a list of 1..{MAX_CHANNELS} files")
    sources = [_source(row, channel_count) for row in rows]
    seen: set[str] = set()
    for source, _ in sources:
        if source.output.lower() in seen:
            raise _broken(f"file: {source.output!r} stands there twice")
        seen.add(source.output.lower())
        if source.width * source.height > found[0] * found[1]:
            raise _broken(f"{source.file} size: {source.width}x{source.height}, expected at most as many texels as the "
                          f"material of {found[0]}x{found[1]} has")
    return MapPlan(wrap == "repeat", sources, *_hiding(metadata.get("channels"), channel_count))


def _hiding(rows: Any, channel_count: int) -> tuple[int | None, frozenset[int]]:
    """(the channel of a varying opacity, the channels of colours): (None, nothing) if the rows are no such list."""
    if not isinstance(rows, list) or len(rows) != channel_count or not all(isinstance(r, dict) for r in rows):
        return None, frozenset()
    opacity = next((i for i, r in enumerate(rows) if r.get("role") == "opacity" and r.get("constant") is None), None)
    colors = (i for i, r in enumerate(rows) if isinstance(r.get("role"), str) and r["role"] in COLOR_ROLES)
    return opacity, frozenset(colors)


def write_maps(
    metadata: dict[str, Any] | MapPlan,
    stack: np.ndarray,
    out_dir: str | Path,
    *,
    mip: int = 0,
    size: tuple[int, int] | None = None,
) -> list[Path]:
    """Write every source file of a material under its own name, size, depth and format.

    A normal's Z is rebuilt as sqrt(1 - x^2 - y^2); channels not stored get their constant or median.
    Files appear complete or not at all, and only in `out_dir`.

    Args:
        metadata: as `Material.to_metadata` gives it, or what `plan_maps` made of it.
        stack: [H, W, C] float32 in 0..1, encoded as the material's pixels.
        out_dir: made if it is missing; existing files of these names are replaced.
        mip: level of detail of the stack: a source of n texels gets max(1, n >> mip) along each axis.
        size: (height, width) of all files instead.
    Returns:
        The paths written, in the order of the sources.
    Raises:
        FormatError: see `plan_maps`. OutputError: the folder or a file cannot be written.
    """
    plan = metadata if isinstance(metadata, MapPlan) else plan_maps(metadata, stack.shape[2])
    sources = plan.sources
    out = Path(out_dir)
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".gstex-", dir=out))
    except OSError as error:
        raise OutputError(f"{out}: cannot be written to ({error.strerror}); choose another folder") from None
    done = False
    try:
        for source, planes in sources:
            pixels = _map_pixels(source, planes, stack, size or _mip_size(source, mip), plan)
            stored = from_unit(pixels, source)
            write_image(temporary / source.output, premultiply(stored) if source.associated else stored, source)
        for source, _ in sources:
            os.replace(temporary / source.output, out / source.output)
        done = True
    except OSError as error:
        raise OutputError(f"{out}: cannot be written to ({error.strerror}); choose another folder") from None
    finally:
        for source, _ in sources:
            (temporary / source.output).unlink(missing_ok=True)
        temporary.rmdir()
        if made and not done:
            with contextlib.suppress(OSError):  # somebody else's files are in it by now
                out.rmdir()
    return [out / source.output for source, _ in sources]


def _mip_size(source: SourceMap, mip: int) -> tuple[int, int]:
    return max(1, source.height >> mip), max(1, source.width >> mip)


def _map_pixels(
    source: SourceMap, planes: list[dict[str, Any]], stack: np.ndarray, size: tuple[int, int], plan: MapPlan
) -> np.ndarray:
    """The channels of one file, float32 [*size, channels] in 0..1."""
    height, width = size
    result = np.empty((height, width, len(planes)), np.float32)
    stored = [i for i, p in enumerate(planes) if "channel" in p]
    if stored:
        wanted = stack[:, :, [planes[i]["channel"] for i in stored]].astype(np.float32, copy=False)
        if wanted.shape[:2] != (height, width):
            hidden = [k for k, i in enumerate(stored) if planes[i]["channel"] in plan.colors]
            if plan.opacity is not None and hidden:
                opacity = np.clip(stack[:, :, plan.opacity].astype(np.float32), 0.0, 1.0)
                wanted[:, :, hidden] = fill_hidden(wanted[:, :, hidden], opacity, repeat=plan.repeat)
            wanted = restore_size(wanted, height, width, repeat=plan.repeat)
        result[:, :, stored] = wanted
    for i, plane in enumerate(planes):
        if "fill" in plane:
            result[:, :, i] = plane["fill"]
        elif "normal_z" in plane:
            xy = [next(k for k in stored if planes[k]["channel"] == c) for c in plane["normal_z"]]
            x, y = (result[:, :, k].astype(np.float64) * 2 - 1 for k in xy)
            result[:, :, i] = np.sqrt(np.maximum(1 - x * x - y * y, 0)) * 0.5 + 0.5
    return result


def _source(row: Any, channel_count: int) -> tuple[SourceMap, list[dict[str, Any]]]:
    if not isinstance(row, dict):
        raise _broken(f"sources: {_show(row)}, expected an object")
    name = _file_name(row.get("file"))
    width = _integer(row.get("width"), f"{name} width", 1, MAX_SIZE)
    height = _integer(row.get("height"), f"{name} height", 1, MAX_SIZE)
    channels = _integer(row.get("channels"), f"{name} channels", 1, 4)
    format, is_float = row.get("format"), row.get("is_float")
    if not isinstance(format, str) or format not in FORMATS:
        raise _broken(f"{name} format: {_show(format)}, expected {' '.join(FORMATS)}")
    depth = _integer(row.get("bit_depth"), f"{name} bit_depth", 1, 32)
    if not isinstance(is_float, bool) or (depth, is_float) not in _DEPTHS[format]:
        raise _broken(f"{name} bit_depth: {format} has no {depth}-bit {'floats' if is_float else 'integers'}")
    float_range = None
    if is_float:
        pair = row.get("float_range")
        if not isinstance(pair, list) or len(pair) != 2:
            raise _broken(f"{name} float_range: {_show(pair)}, expected [lo, hi]")
        lo, hi = (_number(v, f"{name} float_range", -3.4e38, 3.4e38) for v in pair)
        if lo >= hi:
            raise _broken(f"{name} float_range: {lo} .. {hi} is empty")
        float_range = (lo, hi)
    rare = {"alpha": True, "associated": False, "says_srgb": False}
    for key in rare:
        rare[key] = _boolean(row.get(key, rare[key]), f"{name} {key}")
    if rare["associated"] and (not rare["alpha"] or channels not in (2, 4)):
        raise _broken(f"{name} associated: it has no alpha")
    counts = {"jpeg": (1, 3), "webp": (3, 4), "bmp": (1, 3, 4), "hdr": (3,)}.get(format, (1, 2, 3, 4))
    if channels not in counts:
        raise _broken(f"{name} channels: {format} has no images of {channels} channels")
    planes = row.get("planes")
    if not isinstance(planes, list) or len(planes) != channels:
        raise _broken(f"{name} planes: expected a list of {channels}")
    for plane in planes:
        _check_plane(plane, name, channel_count)
    direct = {p["channel"] for p in planes if "channel" in p}
    for plane in planes:
        if "normal_z" in plane and not direct.issuperset(plane["normal_z"]):
            raise _broken(f"{name} normal_z: X and Y are not in the same file")
    return SourceMap(name, width, height, channels, depth, is_float, format, float_range,
                     rare["alpha"], rare["associated"], rare["says_srgb"]), planes  # fmt: skip


def _check_plane(plane: Any, name: str, channel_count: int) -> None:
    if not isinstance(plane, dict) or len(plane) != 1:
        raise _broken(f"{name} planes: {_show(plane)}, expected one of channel, fill, normal_z")
    key, value = next(iter(plane.items()))
    if key == "channel":
        _integer(value, f"{name} channel", 0, channel_count - 1)
    elif key == "fill":
        _number(value, f"{name} fill", 0.0, 1.0)
    elif key == "normal_z" and isinstance(value, list) and len(value) == 2:
        for index in value:
            _integer(index, f"{name} normal_z", 0, channel_count - 1)
    else:
        raise _broken(f"{name} planes: {_show(plane)}, expected one of channel, fill, normal_z")


def _file_name(value: Any) -> str:
    """A name that can only land in the output folder, on any system."""
    good = (
        isinstance(value, str)
        and value.isprintable()
        and 0 < len(value.encode("utf-8")) <= 255
        and not value.startswith(".")
        and not any(c in value for c in "/\\")
        and not (os.name == "nt" and (":" in value or value.endswith((" ", "."))))
        and os.path.splitext(value)[1].lower() in EXTENSIONS
    )
    if not good:
        raise _broken(f"file: {_show(value)} is no plain image file name")
    return str(value)


def _integer(value: Any, what: str, lowest: int, highest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise _broken(f"{what}: {_show(value)}, expected {lowest}..{highest}")
    return value


def _boolean(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise _broken(f"{what}: {_show(value)}, expected true or false")
    return value


def _number(value: Any, what: str, lowest: float, highest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise _broken(f"{what}: {_show(value)}, expected {lowest:g}..{highest:g}")
    return float(value)


def _broken(what: str) -> FormatError:
    return FormatError(f"metadata: {what}; the file is damaged, compress the material again")


def _show(value: Any) -> str:
    return repr(value)[:80]
