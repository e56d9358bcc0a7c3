"""What the keys, the mouse and the panel work on: the session, what of the interface is open, where the picture is."""

from dataclasses import dataclass, field
from pathlib import Path

from gstex.view import pan
from gstex.view.document import Document
from gstex.view.gaussians import MipGaussians
from gstex.view.maps import ShownMap
from gstex.view.pan import Placement
from gstex.view.session import Session
from gstex.view.state import ViewState

__all__ = ["Viewer"]


@dataclass
class Viewer:
    """The window's own state.

    size: of the picture in pixels; left, top: its corner in the window, in pixels. scale: pixels a unit of the
    pointer. content_scale: of the screen. panel, help: whether they are open. dialog: '', 'open' or 'save'.
    pointer: pixel of the picture under it, None outside. closing: whether to end. decode_ms, frame_ms: measured.
    picture_wanted: a file to write the picture to. preparing: frames
    for which shaders have been waiting to be compiled, so that the window can say so first.
    """

    session: Session
    size: tuple[int, int] = (1, 1)
    left: int = 0
    top: int = 0
    scale: float = 1.0
    content_scale: float = 1.0
    panel: bool = True
    help: bool = False
    dialog: str = ""
    dialog_text: str = ""
    pointer: tuple[float, float] | None = None
    closing: bool = False
    decode_ms: float = 0.0
    frame_ms: float = 0.0
    renderer: str = ""
    picture_wanted: Path | None = None
    preparing: int = 0
    drag: str = field(default="", repr=False)

    @property
    def state(self) -> ViewState:
        """What is shown."""
        return self.session.state

    @property
    def document(self) -> Document | None:
        """The file."""
        return self.session.document

    def pixel_at(self, x: float, y: float) -> tuple[float, float] | None:
        """The pixel of the picture at a place of the window in units of the pointer; None beside the picture."""
        x, y = x * self.scale - self.left, y * self.scale - self.top
        return (x, y) if 0 <= x < self.size[0] and 0 <= y < self.size[1] else None

    def placement(self) -> Placement | None:
        """Where the texture lies; None if nothing flat is shown."""
        if self.document is None or not self.state.flat:
            return None
        texture = self.document.texture
        return pan.place(self.state, texture.width, texture.height, texture.mip_count, self.size)

    def mip(self) -> int:
        """The mip whose texels the pointer finds."""
        placement = self.placement()
        return int(placement.lod + 0.5) if placement else 0

    def texel_under(self, pointer: tuple[float, float]) -> tuple[int, int] | None:
        """(column, row) of mip 0 under a pixel of the picture; None beside the texture."""
        placement = self.placement()
        if placement is None:
            return None
        u, v = placement.uv_at(*pointer)
        if self.state.tiled:
            u, v = u % 1.0, v % 1.0
        if not (0 <= u < 1 and 0 <= v < 1):
            return None
        return min(int(u * placement.width), placement.width - 1), min(int(v * placement.height), placement.height - 1)

    def shown_map(self) -> ShownMap | None:
        """The map or channel shown."""
        if self.document is None:
            return None
        maps = self.document.maps
        return maps[min(self.state.map, len(maps) - 1)].pick(self.state.channel)

    def gaussians(self) -> MipGaussians | None:
        """The Gaussians that draw the mip and map shown; None for a constant map."""
        one = self.shown_map()
        group = self.document.group_of(one) if self.document and one else None
        return None if self.document is None or group is None else self.document.gaussians(self.mip(), group)

    def other_ready(self) -> bool:
        """Whether all stacks that the view needs are there; asks for those that are not."""
        reference, other = self.state.compares()
        names = ["reference"] * reference + [self.state.other] * other
        return all([self.session.want(name) for name in dict.fromkeys(names)])
