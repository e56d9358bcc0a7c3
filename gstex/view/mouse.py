"""The mouse over the picture: move, zoom, turn, light, the line of the split, the inspected texel."""

from imgui_bundle import imgui

from gstex.view import orbit, pan
from gstex.view.viewer import Viewer

__all__ = ["run_mouse"]

_GRIP = 8.0  # pixels on both sides of the line of a split
_DEGREES = 0.4  # turned per pixel of a drag
_CLICK = 4.0  # pixels: a shorter drag is a click
_WHEEL = 1.25


def run_mouse(viewer: Viewer) -> None:
    """Handle the mouse input of this frame."""
    io = imgui.get_io()
    x, y = io.mouse_pos.x * viewer.scale - viewer.left, io.mouse_pos.y * viewer.scale - viewer.top
    viewer.pointer = None if io.want_capture_mouse else viewer.pixel_at(io.mouse_pos.x, io.mouse_pos.y)
    inside = viewer.pointer is not None
    if viewer.document is None:
        return
    from_line = abs(x - viewer.state.split * viewer.size[0])
    near_line = inside and viewer.state.has_line() and from_line < _GRIP * viewer.content_scale
    if near_line or viewer.drag == "split":
        imgui.set_mouse_cursor(imgui.MouseCursor_.resize_ew)
    if inside:
        for button, kind in ((0, "split" if near_line else "move"), (1, "light"), (2, "move")):
            if imgui.is_mouse_clicked(button):
                viewer.drag = kind
        if io.mouse_wheel:
            _wheel(viewer, _WHEEL**io.mouse_wheel, x, y)
    if viewer.drag:
        _drag(viewer, io.mouse_delta.x * viewer.scale, io.mouse_delta.y * viewer.scale, x)
        if not any(imgui.is_mouse_down(button) for button in range(3)):
            if viewer.drag == "move" and imgui.is_mouse_released(0) and _travelled() < _CLICK:
                viewer.state.pinned = viewer.texel_under((x, y))
            viewer.drag = ""


def _travelled() -> float:
    """How far the left button has been dragged, in units of the pointer."""
    delta = imgui.get_mouse_drag_delta(0, 0.0)
    return abs(delta.x) + abs(delta.y)


def _wheel(viewer: Viewer, factor: float, x: float, y: float) -> None:
    lit = viewer.state.lit
    if not viewer.state.flat:
        lit.distance = min(max(lit.distance / factor**0.5, orbit.NEAREST), orbit.FARTHEST)
    elif placement := viewer.placement():
        pan.zoom_at(viewer.state, placement, factor, x, y, viewer.size)


def _drag(viewer: Viewer, dx: float, dy: float, x: float) -> None:
    state, degrees = viewer.state, _DEGREES / viewer.content_scale
    if viewer.drag == "split":
        state.split = min(max(x / viewer.size[0], 0.0), 1.0)
    elif not state.flat:
        turn = orbit.turn_light if viewer.drag == "light" else orbit.turn
        sign = 1.0 if viewer.drag == "light" else -1.0  # the surface follows the pointer
        turn(state.lit, sign * dx * degrees, -sign * dy * degrees)
    elif viewer.drag == "move" and (placement := viewer.placement()) and (dx or dy) and _travelled() >= _CLICK:
        pan.move(state, placement, dx, dy)
