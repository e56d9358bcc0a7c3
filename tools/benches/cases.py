"""What the benchmarks measure: which materials, which part of them, and the figures of the prototype.

Materials are not part of the repository. They lie in a data folder, which has one folder per material and single images
in `images/`. Nothing here fits or measures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gstex.material import Material, load_material

__all__ = ["PROTOTYPE", "Case", "crop", "list_cases", "quick_cases", "small_cases"]

_IMAGE_FOLDER = "images"
_IMAGE_TYPES = {".png", ".jpg", ".jpeg", ".tga", ".webp", ".exr", ".tif", ".tiff"}
_QUICK_SIZE = 256
_CENTRE_SIZE = 512

# PSNR in dB, by bits per texel, of the prototype with which the design was measured: the floor for the quick crops at
# effort thorough and sampling bilinear. Over all channels of the list below, constant ones included, and all texels,
# those of zero opacity included.
PROTOTYPE: dict[str, dict[float, float]] = {
    "trim_misc_1": {1.0: 40.6, 2.0: 43.2},
    "moss": {1.0: 57.1, 2.0: 58.2},
    "flight_helmet_mat3": {1.0: 35.4, 2.0: 37.7},
    "corrugated_steel007b": {1.0: 27.3, 2.0: 30.6},
    "metal_walkway006": {1.0: 28.0, 2.0: 30.6},
    "fabric_pattern_07": {1.0: 24.9, 2.0: 27.1},
    "texture_rock": {1.0: 18.6, 2.0: 19.0},
}

# Overrides that select the channels the prototype was measured with: albedo RGB, normal XY and
#     trim, flight_helmet, fabric  ao, roughness, metallic
#     steel                        ao, roughness, metallic, without height
#     walkway                      opacity, roughness, metallic, without height; opacity is read as a mask, so
#                                  that colour counts in every texel
#     rock                         ao, height, metallic
#     moss                         height, roughness, without the constant channels of its ORM map
_QUICK_OVERRIDES: dict[str, tuple[str, ...]] = {
    "corrugated_steel007b": ("ignore=CorrugatedSteel007B_1K-JPG_Displacement.jpg",),
    "metal_walkway006": (
        "ignore=MetalWalkway006_1K-PNG_Displacement.png",
        "mask=MetalWalkway006_1K-PNG_Opacity.png",
    ),
    "moss": ("roughness=moss_orm.png:g", "ignore=moss_orm.png:rb"),
}


@dataclass(frozen=True)
class Case:
    """One input of a benchmark: a folder or image, how it is read, and which part of it is used.

    part: 'quick' (the prototype's 256x256 crop), 'small' (256x256 from the centre), 'centre' (512x512) or 'whole'.
    """

    name: str
    path: Path
    part: str
    overrides: tuple[str, ...] = ()

    def load(self) -> Material:
        """Read the maps and cut out the part. Raises GstexError if the maps cannot be read."""
        material = load_material(self.path, overrides=self.overrides)
        if self.part == "whole":
            return material
        height, width = (min(n, self._size) for n in (material.height, material.width))
        row, column = self._start(material.height), self._start(material.width)
        return crop(material, row, column, height, width)

    @property
    def _size(self) -> int:
        return _QUICK_SIZE if self.part in ("quick", "small") else _CENTRE_SIZE

    def _start(self, size: int) -> int:
        """First row or column of the part, 0 where the axis is shorter than it."""
        spare = max(size - self._size, 0)
        return spare // 24 * 12 if self.part == "quick" else spare // 2


def crop(material: Material, row: int, column: int, height: int, width: int) -> Material:
    """Cut a rectangle of texels out of a material, as a material with wrap 'clamp'.

    Channels that are constant in the rectangle become constant channels. Every source is given the size
    of the rectangle, so that the result can be saved and written back.
    """
    pixels = np.ascontiguousarray(material.pixels[row : row + height, column : column + width])
    pixels.flags.writeable = False
    low, high = pixels.min(axis=(0, 1)), pixels.max(axis=(0, 1))
    channels = tuple(
        replace(channel, constant=float(low[i]) if low[i] == high[i] else None)
        for i, channel in enumerate(material.channels)
    )
    sources = tuple(replace(source, width=width, height=height) for source in material.sources)
    return replace(
        material, width=width, height=height, pixels=pixels, channels=channels, sources=sources, wrap="clamp",
        originals={},
    )


def list_cases(data: Path, part: str) -> list[Case]:
    """Every material of a data folder, folders first, each in the order of its name."""
    entries = [e for e in sorted(data.iterdir()) if not e.name.startswith(".")]
    cases = [Case(e.name, e, part) for e in entries if e.is_dir() and e.name != _IMAGE_FOLDER]
    images = data / _IMAGE_FOLDER
    if images.is_dir():
        files = [f for f in sorted(images.iterdir()) if f.suffix.lower() in _IMAGE_TYPES]
        cases += [Case(f.stem, f, part) for f in files]
    return cases


def quick_cases(data: Path) -> list[Case]:
    """The prototype's materials that a data folder has, in the order of PROTOTYPE."""
    return [
        Case(name, data / name, "quick", _QUICK_OVERRIDES.get(name, ()))
        for name in PROTOTYPE
        if (data / name).is_dir()
    ]


def small_cases(data: Path) -> list[Case]:
    """The quick cases, and 256x256 texels from the centre of every other material of a data folder."""
    others = [case for case in list_cases(data, "small") if case.path.is_dir() and case.name not in PROTOTYPE]
    return quick_cases(data) + others
