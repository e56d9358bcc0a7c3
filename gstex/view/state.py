"""What is shown, as plain data: the same for the window, for screenshots and for tests."""

from dataclasses import dataclass, field

__all__ = ["OTHERS", "SAMPLINGS", "SHAPES", "VIEWS", "Lit", "ViewState", "label_of"]

VIEWS = ("map", "diff", "split", "lit", "gaussians", "cells", "heat")
# 'texels': the nearest texel, as fetched; the others as in docs/format.md, "Filtering inside a mip" and "Footprint".
SAMPLINGS = ("texels", "direct", "bilinear", "anisotropic")
SHAPES = ("sphere", "plane")
# What there is to compare with: the source, and names of gstex.compare.codecs.CODECS.
OTHERS = ("reference", "bc1", "bc7", "astc-4x4", "astc-5x5", "astc-6x6", "astc-8x8", "astc-10x10", "astc-12x12")


def label_of(other: str) -> str:
    """'astc-6x6' -> 'ASTC 6x6', 'reference' -> 'Reference'."""
    return "Reference" if other == "reference" else other.upper().replace("-", " ").replace("X", "x")


@dataclass
class Lit:
    """The lit view. Angles in degrees, lengths in half widths of the plane, which is the radius of the sphere.

    yaw, pitch: of the eye round the middle; distance: of the eye from it. light_yaw, light_pitch: of the movable
    light; strength: of it. tiling: copies of the material along an axis. split: the left part is the file, the right
    one what it is compared with. field_of_view: of the picture's height.
    """

    shape: str = "sphere"
    yaw: float = 0.0
    pitch: float = 0.0
    distance: float = 3.2
    light_yaw: float = -34.0
    light_pitch: float = 31.0
    strength: float = 1.0
    tiling: float = 2.0
    split: bool = False
    field_of_view: float = 40.0


@dataclass
class ViewState:
    """One picture.

    view: one of VIEWS. map: number of a map, see `maps.list_maps`. channel: of that map, None for all of them as they
    look. lod: level of detail, None to follow the zoom. zoom: pixels a texel, None to fit. center: (u, v) in the
    middle. sampling: one of SAMPLINGS. other: one of OTHERS, what 'split' and 'diff' compare with. split: place of the
    line, 0..1 of the width. gain: of differences. level: of Gaussians, None for all. sigmas: size of the ellipses.
    tiled: the texture goes on beyond its border. grid: lines between texels where these are large. pinned: (column,
    row) of the inspected texel, in texels of mip 0.
    """

    view: str = "map"
    map: int = 0
    channel: int | None = None
    lod: float | None = None
    zoom: float | None = None
    center: tuple[float, float] = (0.5, 0.5)
    sampling: str = "direct"
    other: str = "reference"
    split: float = 0.5
    gain: float = 8.0
    level: int | None = None
    sigmas: float = 1.0
    tiled: bool = False
    grid: bool = False
    pinned: tuple[int, int] | None = None
    lit: Lit = field(default_factory=Lit)

    @property
    def flat(self) -> bool:
        """Whether the view shows the texture itself, to pan and zoom."""
        return self.view != "lit"

    def pinned_in(self, mip: int, size: tuple[int, int]) -> tuple[int, int] | None:
        """The inspected texel of a mip of `size` texels."""
        if self.pinned is None:
            return None
        return min(max(self.pinned[0] >> mip, 0), size[0] - 1), min(max(self.pinned[1] >> mip, 0), size[1] - 1)

    def compares(self) -> tuple[bool, bool]:
        """(whether the reference is needed, whether `other` is) to draw this."""
        shows_other = self.view in ("split", "diff") or (self.view == "lit" and self.lit.split)
        return self.view == "diff" or (shows_other and self.other == "reference"), shows_other
