"""A decoded stack -> the original files. The metadata comes from a file: nothing in it is trusted."""

import contextlib
import os
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from gstex.arrays import F32Array
from gstex.errors import OutputError
from gstex.format.metadata import UNSET, MapFile, MaterialMaps, plan_maps
from gstex.json_types import JsonView
from gstex.material.images import from_unit, write_image
from gstex.material.material import COLOR_ROLES
from gstex.material.meaning import premultiply
from gstex.material.resample import restore_size
from gstex.material.visible import fill_hidden

__all__ = ["restored", "write_maps"]
def write_maps(
    metadata: JsonView | MaterialMaps,
    stack: F32Array,
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
    maps = metadata if isinstance(metadata, MaterialMaps) else plan_maps(metadata, stack.shape[2])
    sources = maps.sources
    out = Path(out_dir)
    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".gstex-", dir=out))
    except OSError as error:
        raise OutputError(f"{out}: cannot be written to ({error.strerror}); choose another folder") from None
    done = False
    try:
        for source in sources:
            pixels = _map_pixels(source, stack, size or source.mip_size(mip), maps)
            stored = from_unit(pixels, source)
            for channel, plane in enumerate(source.planes):
                if source.is_float and plane.fill is not UNSET:
                    stored[:, :, channel] = plane.fill
            write_image(temporary / source.output, premultiply(stored) if source.associated else stored, source)
        for source in sources:
            os.replace(temporary / source.output, out / source.output)
        done = True
    except OSError as error:
        raise OutputError(f"{out}: cannot be written to ({error.strerror}); choose another folder") from None
    finally:
        for source in sources:
            (temporary / source.output).unlink(missing_ok=True)
        temporary.rmdir()
        if is_new and not done:
            with contextlib.suppress(OSError):  # somebody else's files are in it by now
                out.rmdir()
    return [out / source.output for source in sources]


def _map_pixels(source: MapFile, stack: F32Array, size: tuple[int, int], maps: MaterialMaps) -> F32Array:
    """The channels of one file, float32 [*size, channels] in 0..1."""
    repeat = maps.wrap == "repeat"
    result = np.empty((*size, source.channels), np.float32)
    direct = [(i, p.channel) for i, p in enumerate(source.planes) if p.channel is not UNSET]
    if direct:
        opacity, colors = _hiding(maps.channels, stack.shape[2])
        mask = None if opacity is None else stack[:, :, opacity]
        channels = [channel for _, channel in direct]
        result[:, :, [i for i, _ in direct]] = restored(stack, channels, size, mask, colors, repeat=repeat)
    for i, plane in enumerate(source.planes):
        if plane.fill is not UNSET:
            result[:, :, i] = plane.fill
        elif plane.normal_z is not UNSET:
            places = {channel: k for k, channel in direct}
            x, y = (result[:, :, places[c]].astype(np.float64) * 2 - 1 for c in plane.normal_z)
            result[:, :, i] = np.sqrt(np.maximum(1 - x * x - y * y, 0)) * 0.5 + 0.5
    return result


def restored(
    stack: F32Array, channels: Sequence[int], size: tuple[int, int], opacity: F32Array | None,
    colors: Collection[int], *, repeat: bool,
) -> F32Array:  # fmt: skip
    """Channels of a stack [H, W, C] at the size of their file, float32 [*size, channels].

    opacity: [H, W], hides the channels in `colors`; None if nothing does.
    """
    pixels = stack[:, :, list(channels)].astype(np.float32, copy=False)
    if pixels.shape[:2] == size:
        return pixels
    hidden = [k for k, channel in enumerate(channels) if channel in colors]
    if opacity is not None and hidden:
        mask = np.clip(opacity.astype(np.float32), 0.0, 1.0)
        pixels[:, :, hidden] = fill_hidden(pixels[:, :, hidden], mask, repeat=repeat)
    return restore_size(pixels, *size, repeat=repeat)


def _hiding(rows: object, channel_count: int) -> tuple[int | None, frozenset[int]]:
    """(the channel of a varying opacity, the channels of colours): (None, nothing) if the rows are no such list."""
    if not isinstance(rows, list) or len(rows) != channel_count or not all(isinstance(r, dict) for r in rows):
        return None, frozenset()
    opacity = next((i for i, r in enumerate(rows) if r.get("role") == "opacity" and r.get("constant") is None), None)
    colors = (i for i, r in enumerate(rows) if isinstance(r.get("role"), str) and r["role"] in COLOR_ROLES)
    return opacity, frozenset(colors)
