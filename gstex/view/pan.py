"""Pan and zoom of the flat views: where the texture lies on the screen.

Pixels are those of the framebuffer, (0, 0) the top left corner of the picture. The corner of the texture is at a pixel
corner, so that at integer zooms a texel covers whole pixels.
"""

import math
from dataclasses import dataclass

from gstex.view.state import ViewState

__all__ = ["MOST_ZOOM", "ZOOMS", "Placement", "fit_zoom", "move", "place", "zoom_at"]

MOST_ZOOM = 1024.0
ZOOMS = (1.0, 2.0, 4.0, 8.0)  # those with keys and in the list at the bottom
LEAST_ZOOM = 1 / 64


@dataclass(frozen=True)
class Placement:
    """Where the texture lies. left, top: pixel of its corner. zoom: pixels per texel of mip 0. width, height: of the
    texture in texels. lod: level of detail shown."""

    left: int
    top: int
    zoom: float
    width: int
    height: int
    lod: float

    def uv_at(self, x: float, y: float) -> tuple[float, float]:
        """(u, v) under a point of the screen."""
        return (x - self.left) / (self.zoom * self.width), (y - self.top) / (self.zoom * self.height)

    def point_at(self, u: float, v: float) -> tuple[float, float]:
        """The point of the screen at (u, v)."""
        return self.left + u * self.zoom * self.width, self.top + v * self.zoom * self.height


def fit_zoom(width: int, height: int, size: tuple[int, int]) -> float:
    """Pixels per texel at which the whole texture just fits into a picture of `size` pixels."""
    return min(size[0] / width, size[1] / height)


def place(state: ViewState, width: int, height: int, mip_count: int, size: tuple[int, int]) -> Placement:
    """Where a texture of `width` x `height` texels lies in a picture of `size` pixels."""
    zoom = state.zoom or fit_zoom(width, height, size)
    left = round(size[0] / 2 - state.center[0] * zoom * width)
    top = round(size[1] / 2 - state.center[1] * zoom * height)
    lod = state.lod if state.lod is not None else -math.log2(zoom)
    return Placement(left, top, zoom, width, height, min(max(lod, 0.0) + 0.0, mip_count - 1.0))


def zoom_at(state: ViewState, placement: Placement, factor: float, x: float, y: float, size: tuple[int, int]) -> None:
    """Zoom by a factor. The place of the texture under the point (x, y) stays there."""
    u, v = placement.uv_at(x, y)
    zoom = min(max(placement.zoom * factor, LEAST_ZOOM), MOST_ZOOM)
    state.zoom = zoom
    _set_center(state, u + (size[0] / 2 - x) / (zoom * placement.width),
                v + (size[1] / 2 - y) / (zoom * placement.height))  # fmt: skip


def move(state: ViewState, placement: Placement, dx: float, dy: float) -> None:
    """Move the texture by pixels."""
    state.zoom = placement.zoom  # the picture no longer follows the size of the window
    _set_center(state, state.center[0] - dx / (placement.zoom * placement.width),
                state.center[1] - dy / (placement.zoom * placement.height))  # fmt: skip


def _set_center(state: ViewState, u: float, v: float) -> None:
    """Set the centre. That of a tiled texture wraps around; otherwise it stays inside the texture."""
    state.center = (u % 1.0, v % 1.0) if state.tiled else (min(max(u, 0.0), 1.0), min(max(v, 0.0), 1.0))
