"""Everything that can be done, with its keys: what the window listens to, what `?` lists and docs/viewer.md shows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gstex.view import orbit, pan
from gstex.view.state import OTHERS, SAMPLINGS, SHAPES
from gstex.view.viewer import Viewer

__all__ = ["COMMANDS", "MOUSE", "Command", "listed"]


@dataclass(frozen=True)
class Command:
    """keys: as written for people, 'Ctrl+Left', any of them does it. repeat: while it is held."""

    keys: tuple[str, ...]
    group: str
    text: str
    run: Callable[[Viewer], None]
    repeat: bool = False


def _set_view(name: str) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        viewer.state.view = name

    return run


def _set_map(number: int) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        if viewer.document and number < len(viewer.document.maps):
            viewer.state.map, viewer.state.channel = number, None

    return run


def _step_map(step: int) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        if viewer.document:
            viewer.state.map = (viewer.state.map + step) % len(viewer.document.maps)
            viewer.state.channel = None

    return run


def _next_channel(viewer: Viewer) -> None:
    if viewer.document:
        count = len(viewer.document.maps[viewer.state.map].channels)
        now = viewer.state.channel
        viewer.state.channel = (0 if now is None else now + 1) if count > 1 else None
        if viewer.state.channel is not None and viewer.state.channel >= count:
            viewer.state.channel = None


def _zoom(factor: float) -> Callable[[Viewer], None]:
    """Round the pointer, as the wheel does, or the middle."""

    def run(viewer: Viewer) -> None:
        if not viewer.state.flat:
            lit = viewer.state.lit
            lit.distance = min(max(lit.distance / factor**0.5, orbit.NEAREST), orbit.FARTHEST)
        elif placement := viewer.placement():
            x, y = viewer.pointer or (viewer.size[0] / 2, viewer.size[1] / 2)
            pan.zoom_at(viewer.state, placement, factor, x, y, viewer.size)

    return run


def _fit(viewer: Viewer) -> None:
    viewer.state.zoom, viewer.state.center = None, (0.5, 0.5)
    viewer.state.lit.distance, viewer.state.lit.yaw, viewer.state.lit.pitch = 3.2, 0.0, 0.0


def _one_to_one(viewer: Viewer) -> None:
    viewer.state.zoom = 1.0


def _move(x: int, y: int) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        if not viewer.state.flat:
            orbit.turn(viewer.state.lit, 5.0 * x, -5.0 * y)
        elif placement := viewer.placement():
            pan.move(viewer.state, placement, -x * viewer.size[0] / 16, -y * viewer.size[1] / 16)

    return run


def _move_light(x: int, y: int) -> Callable[[Viewer], None]:
    return lambda viewer: orbit.turn_light(viewer.state.lit, 5.0 * x, -5.0 * y)


def _move_pin(x: int, y: int) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        document, pinned = viewer.document, viewer.state.pinned
        if document and pinned:
            step = 1 << viewer.mip()
            viewer.state.pinned = (min(max(pinned[0] + x * step, 0), document.texture.width - 1),
                                   min(max(pinned[1] + y * step, 0), document.texture.height - 1))  # fmt: skip

    return run


def _pin(viewer: Viewer) -> None:
    if viewer.state.pinned is not None:
        viewer.state.pinned = None
    else:
        viewer.state.pinned = viewer.texel_under(viewer.pointer or (viewer.size[0] / 2, viewer.size[1] / 2))
        viewer.panel = viewer.panel or viewer.state.pinned is not None


def _step_lod(step: float) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        if viewer.document:
            now = viewer.state.lod
            if now is None:
                placement = viewer.placement()
                now = round(4 * placement.lod) / 4 if placement else 0.0
            viewer.state.lod = min(max(now + step, 0.0), viewer.document.texture.mip_count - 1.0)

    return run


def _auto_lod(viewer: Viewer) -> None:
    viewer.state.lod = None


def _next_of(attribute: str, choices: tuple[str, ...], step: int = 1) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        at = choices.index(getattr(viewer.state, attribute))
        setattr(viewer.state, attribute, choices[(at + step) % len(choices)])

    return run


def _move_split(step: float) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        viewer.state.split = min(max(viewer.state.split + step, 0.0), 1.0)

    return run


def _split(viewer: Viewer) -> None:
    if viewer.state.flat:
        viewer.state.view = "split" if viewer.state.view != "split" else "map"
    else:
        viewer.state.lit.split = not viewer.state.lit.split


def _gain(factor: float) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        viewer.state.gain = min(max(viewer.state.gain * factor, 1.0), 256.0)

    return run


def _next_level(viewer: Viewer) -> None:
    if viewer.document:
        count = len(viewer.document.gaussians(viewer.mip()).cells)
        now = viewer.state.level
        viewer.state.level = (0 if now is None else now + 1) if count else None
        if viewer.state.level is not None and viewer.state.level >= count:
            viewer.state.level = None


def _ellipse_size(factor: float) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        viewer.state.sigmas = min(max(viewer.state.sigmas * factor, 0.25), 4.0)

    return run


def _tile(viewer: Viewer) -> None:
    if viewer.state.flat:
        viewer.state.tiled = not viewer.state.tiled
    else:
        viewer.state.lit.tiling = viewer.state.lit.tiling + 1 if viewer.state.lit.tiling < 8 else 1.0


def _grid(viewer: Viewer) -> None:
    viewer.state.grid = not viewer.state.grid


def _next_shape(viewer: Viewer) -> None:
    lit = viewer.state.lit
    lit.shape = SHAPES[(SHAPES.index(lit.shape) + 1) % len(SHAPES)]
    viewer.state.view = "lit"


def _strength(factor: float) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        viewer.state.lit.strength = min(max(viewer.state.lit.strength * factor, 0.1), 8.0)

    return run


def _flag(attribute: str) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        setattr(viewer, attribute, not getattr(viewer, attribute))

    return run


def _dialog(name: str) -> Callable[[Viewer], None]:
    def run(viewer: Viewer) -> None:
        viewer.dialog = name
        path = viewer.document.path if viewer.document else None
        viewer.dialog_text = str(Path.cwd() / (path.name if name == "save" and path else ""))
        if name == "open":
            viewer.dialog_text += "/"

    return run


def _picture(viewer: Viewer) -> None:
    if viewer.document:
        names = (Path(f"{Path(viewer.document.name).stem}_{viewer.state.view}_{n}.png") for n in range(1, 10000))
        viewer.picture_wanted = next((name for name in names if not name.exists()), None)


def _escape(viewer: Viewer) -> None:
    """Close what lies on top."""
    if viewer.dialog:
        viewer.dialog = ""
    elif viewer.help:
        viewer.help = False
    elif viewer.session.notice:
        viewer.session.say("")
    else:
        viewer.state.pinned = None


def _close(viewer: Viewer) -> None:
    viewer.closing = True


COMMANDS = (
    Command(("M",), "View", "the map", _set_view("map")),
    Command(("D",), "View", "differences to what the file was made from", _set_view("diff")),
    Command(("S",), "View", "split: the file left, what it is compared with right; in the lit view too", _split),
    Command(("L",), "View", "lit: the material under light", _set_view("lit")),
    Command(("G",), "View", "Gaussians as ellipses", _set_view("gaussians")),
    Command(("C",), "View", "cells of the pyramid", _set_view("cells")),
    Command(("H",), "View", "heat map: Gaussians looked at for each texel", _set_view("heat")),
    *(Command((str(n + 1),), "Map", "map by its place", _set_map(n)) for n in range(9)),
    Command((".",), "Map", "next map", _step_map(1), True),
    Command((",",), "Map", "map before", _step_map(-1), True),
    Command(("X",), "Map", "next channel of the map, then all", _next_channel),
    Command(("F",), "Place", "fit", _fit),
    Command(("Z",), "Place", "a pixel a texel", _one_to_one),
    Command(("=", "Keypad+"), "Place", "nearer (wheel: to the pointer)", _zoom(2**0.5), True),
    Command(("-", "Keypad-"), "Place", "farther", _zoom(0.5**0.5), True),
    Command(("Left",), "Place", "move; in the lit view turn", _move(-1, 0), True),
    Command(("Right",), "Place", "move; in the lit view turn", _move(1, 0), True),
    Command(("Up",), "Place", "move; in the lit view turn", _move(0, -1), True),
    Command(("Down",), "Place", "move; in the lit view turn", _move(0, 1), True),
    Command(("T",), "Place", "tile: go on beyond the border; in the lit view more copies", _tile),
    Command(("Y",), "Place", "lines between texels", _grid),
    Command(("I",), "Sampling", "next way: texels, direct, bilinear, anisotropic", _next_of("sampling", SAMPLINGS)),
    Command(("A",), "Sampling", "level of detail by the zoom", _auto_lod),
    Command(("PageDown",), "Sampling", "coarser level of detail", _step_lod(0.25), True),
    Command(("PageUp",), "Sampling", "finer level of detail", _step_lod(-0.25), True),
    Command(("O",), "Compare", "next to compare with: reference, BC1, BC7, ASTC", _next_of("other", OTHERS)),
    Command(("Shift+O",), "Compare", "the one before", _next_of("other", OTHERS, -1)),
    Command(("[",), "Compare", "line of the split to the left", _move_split(-0.02), True),
    Command(("]",), "Compare", "line of the split to the right", _move_split(0.02), True),
    Command(("E",), "Compare", "differences twice as strong", _gain(2.0), True),
    Command(("Shift+E",), "Compare", "half as strong", _gain(0.5), True),
    Command(("V",), "Gaussians", "next level alone, then all", _next_level),
    Command((";",), "Gaussians", "smaller ellipses", _ellipse_size(0.5**0.5), True),
    Command(("'",), "Gaussians", "larger ellipses", _ellipse_size(2**0.5), True),
    Command(("K",), "Inspect", "pin the texel under the pointer, or in the middle; again: let go", _pin),
    Command(("Ctrl+Left",), "Inspect", "move the pinned texel", _move_pin(-1, 0), True),
    Command(("Ctrl+Right",), "Inspect", "move the pinned texel", _move_pin(1, 0), True),
    Command(("Ctrl+Up",), "Inspect", "move the pinned texel", _move_pin(0, -1), True),
    Command(("Ctrl+Down",), "Inspect", "move the pinned texel", _move_pin(0, 1), True),
    Command(("B",), "Light", "ball or plane", _next_shape),
    Command(("Shift+Left",), "Light", "move the light", _move_light(-1, 0), True),
    Command(("Shift+Right",), "Light", "move the light", _move_light(1, 0), True),
    Command(("Shift+Up",), "Light", "move the light", _move_light(0, -1), True),
    Command(("Shift+Down",), "Light", "move the light", _move_light(0, 1), True),
    Command(("J",), "Light", "stronger light", _strength(1.25), True),
    Command(("Shift+J",), "Light", "weaker light", _strength(0.8), True),
    Command(("P", "Tab"), "Window", "panel", _flag("panel")),
    Command(("?", "F1"), "Window", "these keys", _flag("help")),
    Command(("R", "F5"), "Window", "read the file again", lambda viewer: viewer.session.reload()),
    Command(("W", "F12"), "Window", "write the picture to a file in the current folder", _picture),
    Command(("Ctrl+O",), "Window", "open a file, a folder of maps or a reference", _dialog("open")),
    Command(("Ctrl+S",), "Window", "save the file", _dialog("save")),
    Command(("Esc",), "Window", "close what is on top", _escape),
    Command(("Ctrl+Q",), "Window", "end", _close),
)

MOUSE = (
    ("Wheel", "nearer and farther"),
    ("Left button", "drag: move, in the lit view turn; on the line of a split: move it; click: inspect a texel"),
    ("Right button", "drag in the lit view: move the light"),
    ("Drop", "a .gstex file, or a folder of maps to compress"),
)


def listed() -> dict[str, list[tuple[str, str]]]:
    """What `?` and the manual list: by group, (keys, text); commands of one text in one line."""
    groups: dict[str, dict[str, list[str]]] = {}
    for command in COMMANDS:
        groups.setdefault(command.group, {}).setdefault(command.text, []).extend(command.keys)
    rows = {group: [(_joined(keys), text) for text, keys in by_text.items()] for group, by_text in groups.items()}
    return rows | {"Mouse": list(MOUSE)}


def _joined(keys: list[str]) -> str:
    """'1' .. '9' -> '1 .. 9'; the four arrows with one modifier -> 'Ctrl+arrows'."""
    if len(keys) == 9:
        return f"{keys[0]} .. {keys[-1]}"
    arrows = ("Left", "Right", "Up", "Down")
    if len(keys) == 4 and all(key.endswith(arrow) for key, arrow in zip(keys, arrows, strict=True)):
        return f"{keys[0].removesuffix('Left')}arrows".capitalize()
    return ", ".join(keys)
