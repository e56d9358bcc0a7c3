"""A compressed material: decode it, sample it, save it, ask it what it holds."""

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gstex.arrays import F32Array, F64Array, U32Array
from gstex.decode import FileLevels, check_texels, decode_texels, expanded_words, sample_at, sample_grid
from gstex.errors import FormatError, UsageError
from gstex.format import GroupTable, MaterialTable, MipTable, open_file, palette_words, validate, write_file
from gstex.format.description import describe, describe_fit, describe_report
from gstex.format.layout import group_header_words, header_words, mip_size
from gstex.json_types import JsonObject, JsonView
from gstex.limits import MAX_SIZE
from gstex.material import MaterialMaps, plan_maps, write_maps

__all__ = ["Texture", "stripped_name"]


def stripped_name(metadata: JsonView) -> str | None:
    """The name of the material whose description `gstex strip` has taken out of a file; None if it is there."""
    name = metadata.get("stripped")
    return name if isinstance(name, str) and "material" not in metadata else None


class Texture:
    """One material as Gaussians, as `compress` makes it and `load` reads it.

    words: uint32 [n], the GPU section, read-only; or what `gstex.format.validate` made of it.
    table: what `gstex.format.validate` made of the words: the numbers in them, and the proof that they are sound.
    metadata: the JSON part of the file (docs/format.md, "Metadata").
    file_bytes: size on disk, None before it is saved or loaded.

    Raises:
        FormatError: the words break a rule of docs/format.md.
    """

    def __init__(
        self,
        words: U32Array | MaterialTable,
        metadata: JsonObject,
        *,
        file_bytes: int | None = None,
        run: JsonObject | None = None,
    ):
        self.table = words if isinstance(words, MaterialTable) else validate(words)
        self.words = self.table.words
        self.metadata = metadata
        self.file_bytes = file_bytes
        self._run = run or {}

    @property
    def width(self) -> int:
        """Texels of mip 0 across."""
        return self.table.header.width

    @property
    def height(self) -> int:
        """Texels of mip 0 down."""
        return self.table.header.height

    @property
    def channels(self) -> int:
        """Channels of the stack, constant ones included."""
        return len(self.table.header.channels)

    @property
    def mip_count(self) -> int:
        """Mips in the file."""
        return self.table.header.mip_count

    @property
    def wrap(self) -> str:
        """'repeat' or 'clamp'."""
        return "repeat" if self.table.header.repeat else "clamp"

    @property
    def sampling(self) -> str:
        """'direct' or 'bilinear': the way of sampling the file was fitted for."""
        return "bilinear" if self.table.header.bilinear else "direct"

    @property
    def stripped(self) -> str | None:
        """The name of the material if `gstex strip` has taken its description out of the file, else None."""
        return stripped_name(self.metadata)

    @property
    def report(self) -> JsonObject:
        """What was measured on the stored words (psnr, bpp, candidates and the like), file_bytes, and after
        `compress` how long it took and where it ran."""
        return {**describe_report(self._object("report"), self._facts), "file_bytes": self.file_bytes, **self._run}

    def decode(self, mip: int = 0, *, max_texels: int | None = None) -> F32Array:
        """Fetch all texels.

        Args:
            mip: level of detail, 0 .. mip_count - 1; from the first mip of the tail on if that alone was loaded.
            max_texels: the most texels, counted in every channel, that may be decoded; None for 2^28, which take
                1 GB. A small file can stand for many more.

        Returns:
            float32 [H, W, C] in 0..1, row 0 = top, in the encoding of the source maps (colour stays sRGB);
            channels in the order of material["channels"].

        Raises:
            UsageError: no such mip. LimitError: too many texels.
        """
        self._check_mip(mip)
        return decode_texels(self.table, mip, max_texels=max_texels)

    def expanded(self) -> U32Array:
        """The expanded form (docs/expanded.md), which shaders/gstex_expanded.glsl reads, as gstex_expand.h makes it.

        All threads work on it; `gstex.cuda.expand` makes the same words on a GPU.

        Returns:
            uint32 [n], n a multiple of 64.

        Raises:
            LimitError: a mip has too many Gaussians (2^22) or too many different features (2^19 to 2^20), or the
                form would have 2^30 words.
        """
        return expanded_words(self.table)

    def sample(
        self,
        uv: npt.ArrayLike,
        lod: npt.ArrayLike | None = None,
        *,
        duv: npt.ArrayLike | None = None,
        filter: str | None = None,
    ) -> F32Array:
        """Evaluate at arbitrary points: docs/format.md, "Sampling".

        Args:
            uv: float [M, 2], u across and v down, 0..1 over the texture; beyond it wraps or clamps as the
                file says.
            lod: level of detail, a number or [M]; between two levels both are blended. Clamped to
                0 .. mip_count - 1. Without lod and duv: 0.
            duv: float [M, 2, 2], instead of lod: the footprint of a pixel, duv[m, 0] = (du, dv) of a step to
                the right and duv[m, 1] = (du, dv) of a step down. A long footprint takes up to 8 taps.
            filter: inside a level, 'direct' (one evaluation at the point), 'bilinear' (four fetches) or None
                for what the file was fitted for.

        Returns:
            float32 [M, C] in 0..1, encoded like `decode`. Blends of levels and taps of sRGB channels are
            those of linear light.

        Raises:
            UsageError: an array has another shape or holds NaN or infinity, both lod and duv are given, or
                the filter is unknown.
        """
        points = _checked("uv", uv, (-1, 2))
        if lod is not None and duv is not None:
            raise UsageError("lod and duv: got both, expected one of them; drop one")
        count = len(points)
        if lod is not None:
            lod = np.broadcast_to(_checked("lod", lod, () if np.ndim(lod) == 0 else (count,)), (count,))
        if duv is not None:
            duv = _checked("duv", duv, (count, 2, 2))
        return sample_at(self._levels(filter), points, lod=lod, duv=duv)

    def resized(
        self, width: int, height: int, filter: str | None = None, *, max_texels: int | None = None
    ) -> F32Array:
        """The whole texture at another size, larger or smaller: every texel samples its centre with its own
        area as the footprint.

        Args:
            max_texels: see `decode`.

        Returns:
            float32 [height, width, C], encoded like `decode`.

        Raises:
            UsageError: a size beyond 1..16384, or an unknown filter. LimitError: too many texels.
        """
        if not (1 <= width <= MAX_SIZE and 1 <= height <= MAX_SIZE):
            raise UsageError(f"size: got {width}x{height}, expected 1..{MAX_SIZE} each")
        return sample_grid(self._levels(filter), width, height, max_texels=max_texels)

    def save(self, path: str | Path) -> int:
        """Write the file (through a temporary one beside it) and return its size in bytes.

        Raises:
            OutputError: it cannot be written; an older file at `path` is left as it was. UsageError: it is a tail.
        """
        if self.table.header.first_mip:
            raise UsageError("save: this texture is the tail of a file alone; load all of it with mips='all'")
        self.file_bytes = write_file(Path(path), self.words, self.metadata)
        return self.file_bytes

    def write_maps(
        self,
        out_dir: str | Path,
        *,
        mip: int = 0,
        size: tuple[int, int] | None = None,
        max_texels: int | None = None,
    ) -> list[Path]:
        """Write every map under its original file name into `out_dir` and return the paths.

        Args:
            mip: level of detail; a map that is smaller than the others stays smaller.
            size: (width, height) of every map instead, see `resized`; not together with a mip.
            max_texels: see `decode`; it limits the stack, and all maps together.

        Raises:
            UsageError: no such mip, a size out of range, or both. FormatError: the metadata does not describe
            the maps. LimitError: too many texels. OutputError: a file cannot be written.
        """
        if size is not None and mip:
            raise UsageError(f"mip and size: got mip {mip} and a size, expected one of them; drop one")
        self._check_mip(mip)
        # Before anything is allocated: the sizes of the maps come from the metadata.
        plan = self._plan_maps()
        shape = None if size is None else (size[1], size[0])
        check_texels(plan.texels(mip=mip, size=shape), f"{len(plan.sources)} maps to be written", max_texels)
        stack = self.decode(mip, max_texels=max_texels) if size is None else self.resized(*size, max_texels=max_texels)
        return write_maps(plan, stack, Path(out_dir), mip=mip, size=shape)

    @property
    def map_files(self) -> list[str]:
        """Names of the files that `write_maps` writes.

        Raises:
            FormatError: the metadata does not describe the maps.
        """
        return [source.output for source in self._plan_maps().sources]

    def _plan_maps(self) -> MaterialMaps:
        if self.stripped is not None:
            raise FormatError("metadata: the names of the maps were taken out of this file by `gstex strip`; decode "
                              f"the file that it was made from, of material {self.stripped!r}, or write its maps by "
                              "their roles with `gstex transcode`")
        if "material" not in self.metadata:
            raise FormatError("metadata: the file does not describe its maps (no \"material\"); `gstex transcode` "
                              "writes them by their roles")
        return plan_maps(self.material, self.channels)

    @property
    def material(self) -> JsonObject:
        """The description of the maps, as `gstex.material.Material.to_metadata` gives it; without sources if the file
        names none."""
        header = self.table.header
        return describe(self._object("material"), header.channels, width=header.width, height=header.height,
                        repeat=header.repeat)

    @property
    def fit(self) -> JsonObject:
        """The options of `compress` that the file was made with; the usual ones where it states none."""
        return describe_fit(self._object("fit"))

    def info(self) -> JsonObject:
        """What the file holds, as JSON types: sizes, layout of every level, candidates, report, maps."""
        stated = {
            "file_bytes": self.file_bytes,
            "generator": self.metadata.get("generator"),
            "stripped": self.stripped,
            "fit": self.fit,
            "report": self._object("report"),
            "maps": self.material["channels"],
        }
        return {**self._facts, **stated}

    @cached_property
    def _facts(self) -> JsonObject:
        """The part of `info` that the words of the GPU section state."""
        header = self.table.header
        held = range(header.first_mip, header.mip_count)
        mips = [self._mip_info(number) for number in held]
        return {
            "width": header.width,
            "height": header.height,
            "channels": self.channels,
            "constant": [channel.constant for channel in header.channels],
            "wrap": self.wrap,
            "sampling": self.sampling,
            "gpu_bytes": 4 * len(self.words),
            "mip_0_bytes": self.mip_0_words().nbytes if header.first_mip == 0 else None,
            "tail": self._tail_info(),
            "groups": [self._group_info(group) for group in self.table.groups],
            "mips": mips,
        }

    def _tail_info(self) -> JsonObject | None:
        """What can be decoded without the rest. bytes: of the resident part. mips: bytes of the blocks of each."""
        first = self.table.header.tail
        if first == self.mip_count:
            return None
        words = [sum(mips) for mips in zip(*([m.words for m in g.tail_mips] for g in self.table.groups), strict=True)]
        mips = [{"mip": first + number, "bytes": 4 * count} for number, count in enumerate(words)]
        return {"first": first, "bytes": 4 * self.table.header.resident_words, "mips": mips}

    def mip_0_words(self) -> U32Array:
        """What a decoder reads of mip 0, uint32 [n]: headers, palettes, and the blocks of the mip with indices and
        records. In a file of one mip that is the whole section.
        """
        if self.mip_count == 1:
            return self.words
        parts = [self.words[: header_words(self.table.header.channels, len(self.table.groups))]]
        for group in self.table.groups:
            bits, first = group.header.palette_bits, group.header_offset
            size = self._group_header_words(group) + palette_words(bits, len(group.header.members))
            block = group.mips[0]
            parts += [self.words[first : first + size], self.words[block.offset : block.offset + block.words]]
        return np.concatenate(parts)

    def _group_header_words(self, group: GroupTable) -> int:
        return group_header_words(len(group.header.members), self.mip_count, self.table.header.tail)

    def _group_info(self, group: GroupTable) -> JsonObject:
        """One entry of info()["groups"]. bytes: of its header, palettes and all of its mips that are here."""
        header = group.header
        members = len(header.members)
        tables = [4 * palette_words([bits], members) for bits in header.palette_bits]
        return {
            "channels": list(header.members),
            "channel_bits": header.channel_bits.tolist(),
            "palettes": [
                {"entries": 1 << bits, "bits": bits, "bytes": size}
                for bits, size in zip(header.palette_bits, tables, strict=True)
            ],
            "top_k": header.top_k,
            "candidates_max": group.candidates_max,
            "bytes": 4 * (self._group_header_words(group) + sum(mip.words for mip in _blocks(group))) + sum(tables),
        }

    def _mip_info(self, number: int) -> JsonObject:
        """One entry of info()["mips"]. bytes: of blocks, indices and records or texels, of all groups."""
        mean, most = self.table.candidate_stats(number)
        parts: list[JsonObject] = []
        for index, group in enumerate(self.table.groups):
            mip = group.mips[number]
            parts.append({
                "group": index,
                "bytes": 4 * mip.words,
                "stored_as": "texels" if mip.raw else "gaussians" if mip.filter is None else "mip 0",
                "gaussians": sum(level.count for level in mip.levels),
                "levels": [
                    {
                        "cells": [level.layout.cells_x, level.layout.cells_y],
                        "gaussians": level.count,
                        "regular": level.layout.regular,
                        "record_bits": level.layout.stride,
                        "position_bits": [level.layout.position_x_bits, level.layout.position_y_bits],
                        "rotation_bits": level.layout.rotation_bits,
                        "scale_bits": level.layout.scale_bits,
                        "amplitude_bits": level.layout.amplitude_bits,
                    }
                    for level in mip.levels
                ],
            })  # fmt: skip
        kinds = list(dict.fromkeys(part["stored_as"] for part in parts)) or ["constants"]
        return {
            "mip": number,
            "width": mip_size(self.width, number),
            "height": mip_size(self.height, number),
            "bytes": sum(part["bytes"] for part in parts),
            "stored_as": ", ".join(kinds),
            "gaussians": sum(part["gaussians"] for part in parts),
            "candidates_mean": mean,
            "candidates_max": most,
            "groups": parts,
        }

    def _object(self, key: str) -> JsonObject:
        """A part of the metadata; empty if it is missing or no JSON object, since a file may hold anything."""
        value = self.metadata.get(key)
        return value if isinstance(value, dict) else {}

    def _levels(self, filter: str | None) -> FileLevels:
        filter = filter or self.sampling
        if filter not in ("direct", "bilinear"):
            raise UsageError(f"filter: got {filter!r}, expected 'direct' or 'bilinear'")
        return FileLevels(self.table, four_fetches=filter == "bilinear")

    def _check_mip(self, mip: int) -> None:
        first, last = self.table.header.first_mip, self.mip_count - 1
        if not first <= mip <= last:
            allowed = f"only {last}" if first == last else f"{first}..{last}"
            raise UsageError(f"mip: got {mip}, this file holds {allowed}; see `gstex info`")


def _blocks(group: GroupTable) -> list[MipTable]:
    """Every block of a group once: a mip of the tail may have two."""
    return list({mip.offset: mip for mip in (*group.mips, *group.tail_mips) if mip.words}.values())


def _checked(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> F64Array:
    """Values as a float64 array of this shape, in which -1 is any number; all must be finite in float32."""
    array = np.asarray(values, np.float64)
    fits = array.ndim == len(shape) and all(e in (-1, n) for e, n in zip(shape, array.shape, strict=True))
    if not fits or not (np.abs(array) <= np.finfo(np.float32).max).all():
        sizes = ", ".join("M" if e == -1 else str(e) for e in shape)
        expected = f"finite numbers of shape [{sizes}]" if shape else "a finite number"
        raise UsageError(f"{name}: got an array of shape {array.shape}, expected {expected}")
    return array


def load(path: str | Path, *, mips: str = "all") -> Texture:
    """Read a .gstex file.

    Args:
        mips: 'all', or 'tail' for the small mips alone, which stand first in the file. They decode as usual, the level
            of detail is clamped to them, and the texture cannot be saved.

    Raises:
        FormatError: the file cannot be read or breaks a rule of docs/format.md. VersionError: it is of another
        version. UsageError: mips is something else.
    """
    if mips not in ("all", "tail"):
        raise UsageError(f"mips: got {mips!r}, expected 'all' or 'tail'")
    table, metadata, size = open_file(Path(path), tail=mips == "tail")
    return Texture(table, metadata, file_bytes=size)
