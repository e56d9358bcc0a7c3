"""A .gstex file that is shown: its texture, its maps, and where its source may be."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

import gstex
from gstex.arrays import F32Array
from gstex.format.layout import mip_size
from gstex.json_types import JsonObject
from gstex.material.material import COLOR_ROLES
from gstex.texture import Texture
from gstex.view.gaussians import MipGaussians, read_gaussians
from gstex.view.maps import ShownMap, list_maps

__all__ = ["Document", "open_document"]

_OVERVIEW = 1024  # texels along an edge, at most, of the mip that histograms count
Stamp = tuple[int, int, int]  # inode, size and modification time of a file


@dataclass(frozen=True, eq=False)
class Document:
    """One file. stamp: of the file when it was read, None for a texture that is in no file."""

    texture: Texture
    path: Path | None
    stamp: Stamp | None

    @property
    def name(self) -> str:
        """The name of the file; without a file, that of the material."""
        return self.path.name if self.path else str(self.texture.material.get("name", "material"))

    @cached_property
    def maps(self) -> list[ShownMap]:
        """Its maps."""
        return list_maps(self.texture.material, self.texture.channels)

    @cached_property
    def info(self) -> JsonObject:
        """`Texture.info()`."""
        return self.texture.info()

    @property
    def roles(self) -> list[JsonObject]:
        """One mapping per channel with role, component, color_space and constant."""
        return self.texture.material["channels"]

    @cached_property
    def opacity(self) -> int | None:
        """The opacity channel, under which colour can be hidden; None without one or if it is constant."""
        rows = enumerate(self.roles)
        return next((i for i, row in rows if row["role"] == "opacity" and row["constant"] is None), None)

    @cached_property
    def height(self) -> int | None:
        """The height channel; None without one or if it is constant."""
        rows = enumerate(self.roles)
        return next((i for i, row in rows if row["role"] == "height" and row["constant"] is None), None)

    def hides(self, shown_map: ShownMap) -> bool:
        """Whether a map has texels that zero opacity may hide (`Material.weights`)."""
        return self.opacity is not None and self.roles[shown_map.channels[0]]["role"] in COLOR_ROLES

    def value_range(self, shown_map: ShownMap) -> tuple[float, float]:
        """The least and the largest value of the first channel of a map, at least 1/255 apart."""
        plane = self._overview[:, :, shown_map.channels[0]]
        low, high = float(plane.min()), float(plane.max())
        return low, max(high, low + 1 / 255)

    def histogram(self, shown_map: ShownMap, bins: int = 64) -> F32Array:
        """float32 [channels of the map, bins]: the share of the texels in each bin of values from 0 to 1."""
        counts = [np.histogram(self._overview[:, :, c], bins, (0.0, 1.0))[0] for c in shown_map.channels]
        return np.array(counts, np.float32) / (self._overview.shape[0] * self._overview.shape[1])

    @cached_property
    def _overview(self) -> F32Array:
        """The largest mip of at most _OVERVIEW texels along an edge, or else the smallest mip: [h, w, C]."""
        texture = self.texture
        small = (m for m in range(texture.mip_count) if max(self.mip_size(m)) <= _OVERVIEW)
        return texture.decode(next(small, texture.mip_count - 1))

    def mip_size(self, mip: int) -> tuple[int, int]:
        """(width, height) of a mip in texels."""
        return mip_size(self.texture.width, mip), mip_size(self.texture.height, mip)

    def group_of(self, shown_map: ShownMap) -> int | None:
        """The group of a map's first channel that is in a group; None for a constant map."""
        groups = self.texture.table.groups
        return next((g for c in shown_map.channels for g, group in enumerate(groups) if c in group.header.members),
                    None)  # fmt: skip

    def candidates(self, mip: int, group: int | None) -> tuple[float, int]:
        """Candidates of a texel of a mip in a group, or in all groups for None: (mean, maximum)."""
        if group is None:
            return self.texture.table.candidate_stats(mip)
        if (mip, group) not in self._candidates:
            self._candidates[mip, group] = self.texture.table.section.candidate_stats(group, mip)
        return self._candidates[mip, group]

    @cached_property
    def _candidates(self) -> dict[tuple[int, int], tuple[float, int]]:
        return {}

    def gaussians(self, mip: int, group: int) -> MipGaussians:
        """The Gaussians with which a group draws a mip. They are kept: the inspector asks at every mouse move."""
        if (mip, group) not in self._gaussians:
            self._gaussians[mip, group] = read_gaussians(self.texture.table, mip, group)
        return self._gaussians[mip, group]

    @cached_property
    def _gaussians(self) -> dict[tuple[int, int], MipGaussians]:
        return {}

    def source_folder(self) -> Path | None:
        """The folder or image that the file was made from, if it lies beside the file or in the current folder."""
        sources = self.texture.material.get("sources")
        rows = sources if isinstance(sources, list) else []
        files = [row["file"] for row in rows if isinstance(row, dict) and isinstance(row.get("file"), str)]
        if not files or any(Path(file).is_absolute() or ".." in Path(file).parts for file in files):
            return None
        name = str(self.texture.material.get("name", ""))
        around = [Path.cwd(), *([self.path.resolve().parent] if self.path else [])]
        for folder in around:
            for candidate in (folder / Path(name).name, folder):
                if all((candidate / file).is_file() for file in files):
                    return candidate / files[0] if len(files) == 1 and candidate == folder else candidate
        return None


def open_document(path: Path) -> Document:
    """Read a file.

    Raises:
        GstexError: it cannot be read, or breaks a rule of the format.
    """
    stamp = read_stamp(path)
    return Document(gstex.load(path), path, stamp)


def read_stamp(path: Path) -> Stamp | None:
    """A stamp that changes when the file changes; None if the file does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
