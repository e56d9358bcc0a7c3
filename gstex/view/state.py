"""The view state as plain data, for the window, screenshots and tests."""

from dataclasses import dataclass, field

__all__ = ["CUBE_ORBIT", "ERRORS", "GSTEX", "HIDDEN", "MIXES", "MODELS", "OTHERS", "OWN_MESH", "SAMPLINGS",
           "SHAPES", "SURROUNDINGS", "TONES", "VIEWS", "Lit", "ViewState", "label_of"]  # fmt: skip

VIEWS = ("map", "diff", "split", "lit", "gaussians", "cells", "heat")
# 'texels': the nearest texel, as fetched; the others as in docs/format.md, "Filtering inside a mip" and "Footprint".
SAMPLINGS = ("texels", "direct", "bilinear", "anisotropic")
SHAPES = ("sphere", "cube", "rounded cube", "plane")
OWN_MESH = "mesh"  # the shape that shows the user's model
MODELS = (".glb", ".gltf")
# Surroundings: a sky; the even light of reports, which fades from above to below; or the user's panorama.
SURROUNDINGS = ("sky", "even", "file")
# Tone mapping: Khronos PBR Neutral, which keeps colours; a film curve; or clipping.
TONES = ("neutral", "filmic", "clip")
# The best mix of a family of codecs at the bytes of the file: name -> family.
MIXES = {"bc-mix": "bc", "astc-mix": "astc"}
# What the file can be compared with: the source, codecs of gstex.compare.codecs.CODECS, mixes, and a second file.
OTHERS = ("reference", "bc1", "bc7", "astc-4x4", "astc-5x5", "astc-6x6", "astc-8x8", "astc-10x10", "astc-12x12", *MIXES,
          "second")  # fmt: skip
GSTEX = "gstex"  # the file itself, as a name beside those of OTHERS
# How differences look: one colour for their size, or each channel in the colours of the map.
ERRORS = ("heat", "channels")
# How hidden colour is shown: hatched; with all colour blended by its opacity; or as it is stored.
HIDDEN = ("hatched", "opacity", "shown")


def label_of(other: str) -> str:
    """'astc-6x6' -> 'ASTC 6x6', 'reference' -> 'Reference'."""
    if other in ("reference", "second"):
        return {"reference": "Reference", "second": "Second file"}[other]
    if other in MIXES:
        return f"{MIXES[other].upper()} mix of the same bytes"
    return other.upper().replace("-", " ").replace("X", "x")


CUBE_ORBIT = (32.0, 24.0)  # yaw and pitch from which three sides of a cube are seen


@dataclass
class Lit:
    """The lit view. Angles in degrees, lengths in half widths of the plane, which is the radius of the sphere.

    yaw, pitch: of the eye round the middle; distance: of the eye from it. light_yaw, light_pitch: of the movable
    light; strength: of it. surroundings: one of SURROUNDINGS, which turn with the light. exposure: in stops. tone: one
    of TONES. tiling: copies of the material along an axis. shape: one of SHAPES, or OWN_MESH. displace: how far the
    least and the largest height are apart, 0 for a smooth shape. split: the left part is the file, the right
    one what it is compared with. field_of_view: of the picture's height.
    """

    shape: str = "sphere"
    yaw: float = 0.0
    pitch: float = 0.0
    distance: float = 3.2
    light_yaw: float = -34.0
    light_pitch: float = 31.0
    strength: float = 1.0
    surroundings: str = "sky"
    exposure: float = 0.0
    tone: str = "neutral"
    tiling: float = 2.0
    displace: float = 0.0
    split: bool = False
    field_of_view: float = 40.0


@dataclass
class ViewState:
    """One picture.

    view: one of VIEWS. map: number of a map, see `maps.list_maps`. channel: of that map, None for all of them as they
    look. lod: level of detail, None to follow the zoom. zoom: pixels per texel, None to fit. center: (u, v) in the
    middle. sampling: one of SAMPLINGS. other: one of OTHERS, what 'split' and 'diff' compare with. split: place of the
    line, 0..1 of the width. alone: GSTEX or one of OTHERS, which takes the whole picture for as long as it is set.
    gain: of differences, None for one that suits their size. error: one of ERRORS. hidden: one of HIDDEN. stretch:
    whether a grey map goes from black at its least value to white at its largest. level: of Gaussians, None for all.
    sigmas: size of the ellipses. tiled: the texture goes on beyond its border. grid: lines between texels where these
    are large. pinned: (column, row) of the inspected texel, in texels of mip 0.
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
    alone: str = ""
    gain: float | None = None
    error: str = "heat"
    hidden: str = "hatched"
    stretch: bool = False
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
        """Which stacks this state needs: (whether the reference, whether `beside()`)."""
        is_diff = self.view == "diff" and not self.alone
        shows_other = self.has_line() or is_diff or self.alone in OTHERS
        return is_diff or (shows_other and self.beside() == "reference"), shows_other

    def has_line(self) -> bool:
        """Whether a line divides the picture."""
        if self.alone:
            return False
        return (self.view == "split" or (self.view == "diff" and self.other != "reference")
                or (self.view == "lit" and self.lit.split))  # fmt: skip

    def beside(self) -> str:
        """The name of the stack that is drawn beside the file or in its place."""
        return self.alone if self.alone in OTHERS else self.other
