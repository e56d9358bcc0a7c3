"""The actions of the commands. A function that takes a step, factor or name returns the action for it."""

from collections.abc import Callable
from pathlib import Path

from gstex.view import orbit, pan
from gstex.view.errors import MOST_GAIN
from gstex.view.state import CUBE_ORBIT, OTHERS, OWN_MESH, SHAPES
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
    """Zoom around the pointer, as the wheel does; around the middle if the pointer is outside."""

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


def zoom_to(zoom: float) -> Action:
    """Set the zoom in pixels per texel, around the middle."""

    def run(viewer: Viewer) -> None:
        viewer.state.zoom = zoom

    return run


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


def next_other(step: int) -> Action:
    """Choose the next picture to compare with. The second file is a choice only if there is one."""

    def run(viewer: Viewer) -> None:
        names = [name for name in OTHERS if name != "second" or viewer.session.second is not None]
        at = names.index(viewer.state.other) if viewer.state.other in names else 0
        viewer.state.other = names[(at + step) % len(names)]

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
        viewer.state.gain = min(max(viewer.gain() * factor, 1.0), MOST_GAIN)

    return run


def auto_gain(viewer: Viewer) -> None:
    viewer.state.gain = None


def toggle(attribute: str) -> Action:
    """Toggle a flag of the view state."""

    def run(viewer: Viewer) -> None:
        setattr(viewer.state, attribute, not getattr(viewer.state, attribute))

    return run


def hold(name: str) -> Action:
    """Show one picture alone, such as the reference, until `let_go`."""

    def run(viewer: Viewer) -> None:
        viewer.state.alone = name

    return run


def let_go(viewer: Viewer) -> None:
    viewer.state.alone = ""


def flicker(viewer: Viewer) -> None:
    viewer.flickers = not viewer.flickers
    viewer.state.alone = ""


def step_file(step: int) -> Action:
    return lambda viewer: viewer.session.step_file(step)


def next_of_lit(attribute: str, choices: tuple[str, ...]) -> Action:
    def run(viewer: Viewer) -> None:
        lit = viewer.state.lit
        setattr(lit, attribute, choices[(choices.index(getattr(lit, attribute)) + 1) % len(choices)])
        viewer.state.view = "lit"

    return run


def next_surroundings(viewer: Viewer) -> None:
    """Choose the next surroundings. The panorama is a choice only if the user has given one."""
    lit, names = viewer.state.lit, ("sky", "even", *(("file",) if viewer.session.panorama else ()))
    set_surroundings(viewer, names[(names.index(lit.surroundings) + 1) % len(names)])
    viewer.state.view = "lit"


def set_surroundings(viewer: Viewer, name: str) -> None:
    session = viewer.session
    if name == "sky" and session.panorama is not None:
        session.set_panorama(None)
    viewer.state.lit.surroundings = name


def exposure(step: float) -> Action:
    def run(viewer: Viewer) -> None:
        viewer.state.lit.exposure = min(max(viewer.state.lit.exposure + step, -10.0), 10.0)

    return run


def copy_texel(viewer: Viewer) -> None:
    """Copy the values of the pinned texel, or of the texel under the pointer, to the clipboard."""
    text = viewer.texel_text()
    if text:
        viewer.clipboard = text
        viewer.session.say("copied: " + text.splitlines()[0])


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


def set_shape(viewer: Viewer, shape: str) -> None:
    """Set the shape. A cube is turned, because it would show one side only if seen straight on."""
    lit = viewer.state.lit
    if "cube" in shape and (lit.yaw, lit.pitch) == (0.0, 0.0):
        lit.yaw, lit.pitch = CUBE_ORBIT
    elif "cube" not in shape and (lit.yaw, lit.pitch) == CUBE_ORBIT:
        lit.yaw, lit.pitch = 0.0, 0.0
    lit.shape = shape


def shapes(viewer: Viewer) -> tuple[str, ...]:
    """The shapes to choose from. The mesh is one of them only if the user has given one."""
    return (*SHAPES, *((OWN_MESH,) if viewer.session.mesh is not None else ()))


def next_shape(viewer: Viewer) -> None:
    available, now = shapes(viewer), viewer.state.lit.shape
    set_shape(viewer, available[(available.index(now) + 1) % len(available)] if now in available else available[0])
    viewer.state.view = "lit"


def displace(step: float) -> Action:
    """Change the displacement by height; without a height map, show a message."""

    def run(viewer: Viewer) -> None:
        if lacking := viewer.session.flat():
            viewer.session.say(lacking)
        elif viewer.document is not None:
            lit = viewer.state.lit
            lit.displace = round(min(max(lit.displace + step, -1.0), 1.0), 3)
            viewer.state.view = "lit"

    return run


def strength(factor: float) -> Action:
    def run(viewer: Viewer) -> None:
        viewer.state.lit.strength = min(max(max(viewer.state.lit.strength, 0.1) * factor, 0.1), 8.0)

    return run


def flag(attribute: str) -> Action:
    def run(viewer: Viewer) -> None:
        setattr(viewer, attribute, not getattr(viewer, attribute))

    return run


def dialog(name: str) -> Action:
    def run(viewer: Viewer) -> None:
        if name == "export" and viewer.document is None:
            return
        viewer.dialog = name
        path = viewer.document.path if viewer.document else None
        viewer.dialog_text = str(Path.cwd() / (path.name if name == "save" and path else ""))
        if name == "open":
            viewer.dialog_text += "/"
        shown_map = viewer.shown_map()
        if name == "export" and shown_map is not None:
            viewer.dialog_text = str(Path.cwd() / Path(shown_map.file).name)

    return run


def picture(viewer: Viewer) -> None:
    if viewer.document:
        names = (Path(f"{Path(viewer.document.name).stem}_{viewer.state.view}_{n}.png") for n in range(1, 10000))
        viewer.picture_wanted = next((name for name in names if not name.exists()), None)


def escape(viewer: Viewer) -> None:
    """Close the topmost thing that is open; if nothing is open, let go of the pinned texel."""
    if viewer.session.offered is not None:
        viewer.session.offered = None
    elif viewer.dialog:
        viewer.dialog = ""
    elif viewer.help:
        viewer.help = False
    elif viewer.flickers:
        flicker(viewer)
    elif viewer.session.notice:
        viewer.session.say("")
    else:
        viewer.state.pinned = None


def close(viewer: Viewer) -> None:
    viewer.closing = True
