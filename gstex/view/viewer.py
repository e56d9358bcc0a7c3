"""The state that keys, mouse and panel work on: the session, the interface, and the place of the picture."""

from dataclasses import dataclass, field
from pathlib import Path

from gstex.arrays import F64Array
from gstex.material.material import HIDDEN_BELOW
from gstex.view import pan
from gstex.view.dialogs import Browser
from gstex.view.document import Document
from gstex.view.errors import chosen_gain
from gstex.view.gaussians import MipGaussians
from gstex.view.inspect import texel_facts
from gstex.view.maps import ShownMap
from gstex.view.pan import Placement
from gstex.view.session import Session
from gstex.view.state import ViewState

__all__ = ["Compression", "Viewer"]


@dataclass
class Compression:
    """How the window compresses. rate: a quality of `gstex.compress`, or 'bits' for bpp bits per texel."""

    rate: str = "normal"
    bpp: float = 1.0
    effort: str = "fast"


@dataclass
class Viewer:
    """The window's own state.

    size: of the picture in pixels; left, top: its corner in the window, in pixels. scale: pixels per unit of the
    pointer. content_scale: of the screen. panel, help: whether they are open. dialog: '', 'open',
    'save' or 'export'. flickers: whether the file and the other picture alternate. clipboard: text to copy there.
    browser: the open file dialog of the system. recent: files shown last. compression: the last options. pointer: the
    pixel of the picture under the pointer, None outside. closing: whether to end. decode_ms, frame_ms: measured times.
    picture_wanted: a file to write the picture to. preparing: frames that have waited for shaders to compile, so that
    the window can show a message first.
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
    flickers: bool = False
    clipboard: str = ""
    browser: Browser | None = None
    recent: list[Path] = field(default_factory=list)
    compression: Compression = field(default_factory=Compression)
    picture_wanted: Path | None = None
    preparing: int = 0
    drag: str = field(default="", repr=False)

    @property
    def state(self) -> ViewState:
        """The view state."""
        return self.session.state

    @property
    def document(self) -> Document | None:
        """The file that is shown."""
        return self.session.document

    def pixel_at(self, x: float, y: float) -> tuple[float, float] | None:
        """The pixel of the picture at a point of the window, in units of the pointer; None outside of the picture."""
        x, y = x * self.scale - self.left, y * self.scale - self.top
        return (x, y) if 0 <= x < self.size[0] and 0 <= y < self.size[1] else None

    def placement(self) -> Placement | None:
        """Where the texture lies; None in the lit view or without a file."""
        if self.document is None or not self.state.flat:
            return None
        texture = self.document.texture
        return pan.place(self.state, texture.width, texture.height, texture.mip_count, self.size)

    def mip(self) -> int:
        """The mip whose texels the pointer inspects."""
        placement = self.placement()
        return int(placement.lod + 0.5) if placement else 0

    def texel_under(self, pointer: tuple[float, float]) -> tuple[int, int] | None:
        """(column, row) of mip 0 under a pixel of the picture; None outside of the texture."""
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
        """The shown map, or the shown channel of it."""
        if self.document is None:
            return None
        maps = self.document.maps
        return maps[min(self.state.map, len(maps) - 1)].pick(self.state.channel)

    def gaussians(self) -> MipGaussians | None:
        """The Gaussians that draw the shown mip and map; None for a constant map."""
        shown_map = self.shown_map()
        group = self.document.group_of(shown_map) if self.document and shown_map else None
        return None if self.document is None or group is None else self.document.gaussians(self.mip(), group)

    def needed(self) -> list[str]:
        """The names of the stacks that the view needs."""
        reference, other = self.state.compares()
        names = ["reference"] * reference + [self.state.beside()] * other
        if self.flickers:
            names.append(self.state.other)
        shown_map = self.shown_map()
        knows_source = self.session.source is not None
        if self.document and shown_map and self.state.flat and self.document.hides(shown_map) and knows_source:
            names.append("reference")  # it shows exactly what is hidden
        return list(dict.fromkeys(names))

    def other_ready(self) -> bool:
        """Whether all stacks that the view needs are ready. Starts the jobs of those that are not."""
        return all([self.session.want(name) for name in self.needed()])

    def gain(self) -> float:
        """The gain of differences in the shown map."""
        return chosen_gain(self.state.gain, self.session.errors(), self.state.map)

    def is_hidden(self, mip: int, texel: tuple[int, int], value: F64Array, shown_map: ShownMap) -> bool:
        """Whether zero opacity hides a texel of a map. value: [C], all channels in the file, for use without a
        reference."""
        if self.document is None or not self.document.hides(shown_map):
            return False
        stack = self.session.stacks.get("reference")
        values = value if stack is None else stack.values(mip, *texel)
        return bool(values[self.document.opacity] < HIDDEN_BELOW)

    def inspected(self) -> tuple[int, tuple[int, int]] | None:
        """(mip, (column, row)) of the pinned texel, or of the one under the pointer."""
        mip, document = self.mip(), self.document
        if document is None or not self.state.flat:
            return None
        size = document.mip_size(mip)
        texel = self.state.pinned_in(mip, size)
        if texel is None and self.pointer is not None and (under := self.texel_under(self.pointer)) is not None:
            texel = min(under[0] >> mip, size[0] - 1), min(under[1] >> mip, size[1] - 1)
        return None if texel is None else (mip, texel)

    def texel_text(self) -> str:
        """The values of the inspected texel as text: one line per channel, separated by tabs; '' without a texel."""
        mip_and_texel = self.inspected()
        if mip_and_texel is None or self.document is None:
            return ""
        mip, texel = mip_and_texel
        value = texel_facts(self.document, mip, texel, None).value
        stack = self.session.stacks.get("reference")
        reference = None if stack is None else stack.values(mip, *texel)
        lines = [f"{texel[0]}\t{texel[1]}\tmip {mip}\t{self.document.name}"]
        for a_map in self.document.maps:
            hidden = self.is_hidden(mip, texel, value, a_map)
            for channel, component in zip(a_map.channels, a_map.components, strict=True):
                fields = [f"{a_map.name}.{component}", f"{value[channel]:.5f}"]
                fields += [] if reference is None else [f"{reference[channel]:.5f}"]
                lines.append("\t".join([*fields, "hidden"] if hidden else fields))
        return "\n".join(lines)
