"""What the commands do. A function that takes a step or a name returns the action for it."""

from collections.abc import Callable
from pathlib import Path

from gstex.view import orbit, pan
from gstex.view.state import SHAPES
from gstex.view.viewer import Viewer

Action = Callable[[Viewer], None]


def set_view(name: str) -> Action:
    def run(viewer: Viewer) -> None:
        viewer.state.view = name

    return run


def set_map(number: int) -> Action:
    def run(viewer: Viewer) -> None:
        if viewer.document and number < len(viewer.document.maps):
            viewer.state.map, viewer.state.channel = number, None

    return run


def step_map(step: int) -> Action:
    def run(viewer: Viewer) -> None:
        if viewer.document:
            viewer.state.map = (viewer.state.map + step) % len(viewer.document.maps)
            viewer.state.channel = None

    return run


def next_channel(viewer: Viewer) -> None:
    if viewer.document:
        count = len(viewer.document.maps[viewer.state.map].channels)
        now = viewer.state.channel
        viewer.state.channel = (0 if now is None else now + 1) if count > 1 else None
        if viewer.state.channel is not None and viewer.state.channel >= count:
            viewer.state.channel = None


def zoom(factor: float) -> Action:
    """Round the pointer, as the wheel does, or the middle."""

    def run(viewer: Viewer) -> None:
        if not viewer.state.flat:
            lit = viewer.state.lit
            lit.distance = min(max(lit.distance / factor**0.5, orbit.NEAREST), orbit.FARTHEST)
        elif placement := viewer.placement():
            x, y = viewer.pointer or (viewer.size[0] / 2, viewer.size[1] / 2)
            pan.zoom_at(viewer.state, placement, factor, x, y, viewer.size)

    return run


def fit(viewer: Viewer) -> None:
    viewer.state.zoom, viewer.state.center = None, (0.5, 0.5)
    viewer.state.lit.distance, viewer.state.lit.yaw, viewer.state.lit.pitch = 3.2, 0.0, 0.0


def one_to_one(viewer: Viewer) -> None:
    viewer.state.zoom = 1.0


def move(x: int, y: int) -> Action:
    def run(viewer: Viewer) -> None:
        if not viewer.state.flat:
            orbit.turn(viewer.state.lit, 5.0 * x, -5.0 * y)
        elif placement := viewer.placement():
            pan.move(viewer.state, placement, -x * viewer.size[0] / 16, -y * viewer.size[1] / 16)

    return run


def move_light(x: int, y: int) -> Action:
    return lambda viewer: orbit.turn_light(viewer.state.lit, 5.0 * x, -5.0 * y)


def move_pin(x: int, y: int) -> Action:
    def run(viewer: Viewer) -> None:
        document, pinned = viewer.document, viewer.state.pinned
        if document and pinned:
            step = 1 << viewer.mip()
            viewer.state.pinned = (min(max(pinned[0] + x * step, 0), document.texture.width - 1),
                                   min(max(pinned[1] + y * step, 0), document.texture.height - 1))  # fmt: skip

    return run


def pin(viewer: Viewer) -> None:
    if viewer.state.pinned is not None:
        viewer.state.pinned = None
    else:
        viewer.state.pinned = viewer.texel_under(viewer.pointer or (viewer.size[0] / 2, viewer.size[1] / 2))
        viewer.panel = viewer.panel or viewer.state.pinned is not None


def step_lod(step: float) -> Action:
    def run(viewer: Viewer) -> None:
        if viewer.document:
            now = viewer.state.lod
            if now is None:
                placement = viewer.placement()
                now = round(4 * placement.lod) / 4 if placement else 0.0
            viewer.state.lod = min(max(now + step, 0.0), viewer.document.texture.mip_count - 1.0)

    return run


def auto_lod(viewer: Viewer) -> None:
    viewer.state.lod = None


def next_of(attribute: str, choices: tuple[str, ...], step: int = 1) -> Action:
    def run(viewer: Viewer) -> None:
        at = choices.index(getattr(viewer.state, attribute))
        setattr(viewer.state, attribute, choices[(at + step) % len(choices)])

    return run


def move_split(step: float) -> Action:
    def run(viewer: Viewer) -> None:
        viewer.state.split = min(max(viewer.state.split + step, 0.0), 1.0)

    return run


def split(viewer: Viewer) -> None:
    if viewer.state.flat:
        viewer.state.view = "split" if viewer.state.view != "split" else "map"
    else:
        viewer.state.lit.split = not viewer.state.lit.split


def gain(factor: float) -> Action:
    def run(viewer: Viewer) -> None:
        viewer.state.gain = min(max(viewer.state.gain * factor, 1.0), 256.0)

    return run


def next_level(viewer: Viewer) -> None:
    if viewer.document:
        mip = viewer.gaussians()
        count = 0 if mip is None else len(mip.cells)
        now = viewer.state.level
        viewer.state.level = (0 if now is None else now + 1) if count else None
        if viewer.state.level is not None and viewer.state.level >= count:
            viewer.state.level = None


def ellipse_size(factor: float) -> Action:
    def run(viewer: Viewer) -> None:
        viewer.state.sigmas = min(max(viewer.state.sigmas * factor, 0.25), 4.0)

    return run


def tile(viewer: Viewer) -> None:
    if viewer.state.flat:
        viewer.state.tiled = not viewer.state.tiled
    else:
        viewer.state.lit.tiling = viewer.state.lit.tiling + 1 if viewer.state.lit.tiling < 8 else 1.0


def grid(viewer: Viewer) -> None:
    viewer.state.grid = not viewer.state.grid


def next_shape(viewer: Viewer) -> None:
    lit = viewer.state.lit
    lit.shape = SHAPES[(SHAPES.index(lit.shape) + 1) % len(SHAPES)]
    viewer.state.view = "lit"


def strength(factor: float) -> Action:
    def run(viewer: Viewer) -> None:
        viewer.state.lit.strength = min(max(viewer.state.lit.strength * factor, 0.1), 8.0)

    return run


def flag(attribute: str) -> Action:
    def run(viewer: Viewer) -> None:
        setattr(viewer, attribute, not getattr(viewer, attribute))

    return run


def dialog(name: str) -> Action:
    def run(viewer: Viewer) -> None:
        viewer.dialog = name
        path = viewer.document.path if viewer.document else None
        viewer.dialog_text = str(Path.cwd() / (path.name if name == "save" and path else ""))
        if name == "open":
            viewer.dialog_text += "/"

    return run


def picture(viewer: Viewer) -> None:
    if viewer.document:
        names = (Path(f"{Path(viewer.document.name).stem}_{viewer.state.view}_{n}.png") for n in range(1, 10000))
        viewer.picture_wanted = next((name for name in names if not name.exists()), None)


def escape(viewer: Viewer) -> None:
    """Close what lies on top."""
    if viewer.dialog:
        viewer.dialog = ""
    elif viewer.help:
        viewer.help = False
    elif viewer.session.notice:
        viewer.session.say("")
    else:
        viewer.state.pinned = None


def close(viewer: Viewer) -> None:
    viewer.closing = True
