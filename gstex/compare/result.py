"""The result of a comparison: figures for every way to store a material, and pictures of some of them.

`gstex compare` makes it and `gstex.report` shows it.
"""

from dataclasses import asdict, dataclass, field

from gstex.arrays import F32Array
from gstex.json_types import JsonObject

__all__ = ["Comparison", "Point"]


@dataclass(frozen=True)
class Point:
    """One way to store the whole stack.

    family: 'gstex' | 'bc' | 'astc'. label: for people: 'gstex 1.0 bpp', 'BC7 + BC5', 'ASTC 8x8'.
    bytes: what the GPU reads for mip 0, all maps; with the header for gstex. bpp: the same in bits per texel.
    zstd_bytes: zstd -19 of these bytes, each image by itself.
    choice: by image, named after its roles ('albedo', 'ao+roughness+metallic'): {'codec': 'astc-8x8', 'scale': 1, 2
    or 4 (how much smaller than the stack), 'bytes': n}; empty for gstex.
    quality: `metrics.Quality.to_json()`. A value of None is an exact match, or a metric that needs a map that the
    material lacks.
    """

    family: str
    label: str
    bytes: int
    zstd_bytes: int
    bpp: float
    choice: dict[str, JsonObject]
    quality: JsonObject


@dataclass(frozen=True, eq=False)
class Comparison:
    """All points of one material.

    material: `Material.to_metadata()`. hulls: by family, indices of the points on its lower convex hull of
    (bytes, mse), sorted by bytes. file: index of the point of the .gstex file under comparison.
    pictures: by index, the decoded stack [H, W, C] float32, encoded like `Material.pixels`, of the few points
    that are shown. original: the material's pixels, likewise. advice: sentences for people, most telling first.
    notes: what was left out and why. file_sizes: of the .gstex file, mip_0_bytes, gpu_bytes with all mips, and
    file_bytes with the description, None before it is saved.
    """

    material: JsonObject
    points: tuple[Point, ...]
    hulls: dict[str, list[int]]
    file: int
    pictures: dict[int, F32Array]
    original: F32Array
    advice: tuple[str, ...]
    notes: tuple[str, ...] = ()
    file_sizes: dict[str, int | None] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """All numbers and sentences, without the pictures, as JSON types."""
        return {
            "material": self.material,
            "points": [asdict(point) for point in self.points],
            "hulls": self.hulls,
            "file": self.file,
            "advice": list(self.advice),
            "notes": list(self.notes),
            "file_sizes": self.file_sizes,
        }
