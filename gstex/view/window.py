"""The window: GLFW, the loop, and when to draw. The picture is drawn again only if something has changed."""

import contextlib
import os
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from gstex.errors import ExtraError, GraphicsError, GstexError
from gstex.view.document import Document, open_document
from gstex.view.environment import Environment, read_panorama
from gstex.view.screenshot import load_mesh
from gstex.view.session import Session
from gstex.view.stacks import Stack
from gstex.view.state import GSTEX, ViewState

__all__ = ["run"]

Window: TypeAlias = object
"""A window of GLFW, which only GLFW itself looks into."""

_INSTALL = 'the window needs OpenGL, GLFW and Dear ImGui: pip install "gstex[view]"'
_ADVICE = "; --screenshot OUT.png draws without a window"
_IDLE_SECONDS = 0.25  # between checks of jobs and of the file
_SLOW_MS = 90.0  # a picture that takes longer to draw is coarser while something moves
_FLICKER_SECONDS = 0.5  # for each picture
_MOVING_SECONDS = 0.35  # how long movement lasts after the last change
_TITLE = "gstex view"


def run(
    file: Path | None, reference: Path | None, size: tuple[int, int], make_state: Callable[[Document], ViewState],
    second: Path | None = None, panorama: Path | None = None, model: Path | None = None,
) -> None:  # fmt: skip
    """Open a window and run until it is closed.

    second: another file to compare with. panorama, model: files for the lit view.

    size: of the window, in units of the screen. make_state: makes the first state for a file.

    Raises:
        ExtraError: the extra is missing. GraphicsError: no display, or no OpenGL 4.3. GstexError: the file cannot be
        read.
    """
    glfw = _import_glfw()
    session = Session(make_state)
    if file is not None and file.is_file():
        session.open(file, reference)
    elif file is not None and not file.is_dir():
        session.open(file)  # raises with the reason
    session.second, session.panorama, session.model = second, panorama, model
    if second is not None:
        open_document(second)  # raises with the reason
    if panorama is not None:
        read_panorama(panorama)
    if model is not None:
        session.mesh = load_mesh(model)
    window = _open_window(glfw, size)
    try:
        if file is not None and file.is_dir():
            session.drop(file)
        _Loop(glfw, window, session).run()
    finally:
        session.close()
        glfw.terminate()


def _import_glfw() -> ModuleType:
    """Import GLFW and check that the other packages of the extra are installed."""
    # The window has an EGL context on Linux, both on X11 and Wayland, so PyOpenGL must load functions through EGL too.
    if sys.platform.startswith("linux") and "OpenGL" not in sys.modules:
        os.environ["PYOPENGL_PLATFORM"] = "egl"
    try:
        import glfw
        import imgui_bundle  # noqa: F401
    except ImportError as error:
        raise ExtraError(_INSTALL) from error
    from gstex.gl.context import import_gl

    import_gl()
    return glfw


def _open_window(glfw: Any, size: tuple[int, int]) -> Window:
    glfw.ERROR_REPORTING = "ignore"
    if not glfw.init():
        raise GraphicsError(f"no display to open a window on ({_reason(glfw)}){_ADVICE}")
    hints = {
        glfw.CONTEXT_VERSION_MAJOR: 4, glfw.CONTEXT_VERSION_MINOR: 3, glfw.OPENGL_PROFILE: glfw.OPENGL_CORE_PROFILE,
        glfw.SCALE_TO_MONITOR: glfw.TRUE,
    }  # fmt: skip
    if sys.platform.startswith("linux"):
        hints[glfw.CONTEXT_CREATION_API] = glfw.EGL_CONTEXT_API
    for hint, value in hints.items():
        glfw.window_hint(hint, value)
    window = glfw.create_window(*size, _TITLE, None, None)
    if not window:
        reason = _reason(glfw)
        glfw.terminate()
        raise GraphicsError(f"no window with OpenGL 4.3 ({reason}){_ADVICE}")
    glfw.set_window_size_limits(window, 320, 240, glfw.DONT_CARE, glfw.DONT_CARE)
    glfw.make_context_current(window)
    glfw.swap_interval(1)
    return window


def _reason(glfw: ModuleType) -> str:
    _, text = glfw.get_error()
    return text.decode(errors="replace") if text else "GLFW gives no reason"


class _Loop:
    """The loop of one window."""

    def __init__(self, glfw: ModuleType, window: Window, session: Session):
        from imgui_bundle import imgui
        from imgui_bundle.python_backends.glfw_backend import GlfwRenderer

        from gstex.gl import current_context
        from gstex.gl.context import import_gl
        from gstex.view.keys import Keys
        from gstex.view.style import apply_style
        from gstex.view.target import Target
        from gstex.view.viewer import Viewer

        context = current_context()
        self._gl = import_gl()
        self._glfw, self._window, self._session, self._imgui = glfw, window, session, imgui
        imgui.create_context()
        imgui.get_io().set_ini_filename("")
        self._renderer = GlfwRenderer(window)
        self._viewer = Viewer(session, renderer=context.renderer)
        self._viewer.content_scale = max(glfw.get_window_content_scale(window)[0], 0.5)
        # Where the system scales windows itself, the framebuffer has more pixels than the window has units.
        self._viewer.scale = self._pixel_scale()
        apply_style(self._viewer.content_scale / self._viewer.scale)
        self._target = Target()
        self._scene: Any = None
        self._given: dict[str, Stack] = {}  # the stacks that were given to the scene
        self._drawn: tuple[object, ...] | None = None  # everything that the last drawn picture depends on
        self._coarse = False
        self._moved = 0.0
        self._around: Environment | None = None  # the surroundings that were given to the scene
        self._waited = False  # whether the picture skipped a frame, so that it and the panel show the same state
        self._warm: set[tuple[object, ...]] = set()
        self._keys = Keys(glfw, window)
        glfw.set_drop_callback(window, self._drop)
        glfw.set_key_callback(window, self._key)
        glfw.set_char_callback(window, self._character)

    def run(self) -> None:
        """Run until the window is closed."""
        glfw, viewer = self._glfw, self._viewer
        frames = 3
        while not glfw.window_should_close(self._window) and not viewer.closing:
            before = self._inputs()
            if frames > 0:
                glfw.poll_events()
            else:
                glfw.wait_events_timeout(_IDLE_SECONDS)
            started = time.perf_counter()
            if (self._session.poll() or self._inputs() != before or frames <= 0 or viewer.preparing or self._waited
                    or viewer.browser is not None):  # fmt: skip
                frames = 3  # the interface needs a few frames to settle
            frames -= 1
            self._frame()
            viewer.frame_ms += 0.3 * (1e3 * (time.perf_counter() - started) - viewer.frame_ms)
            glfw.swap_buffers(self._window)
        if self._scene is not None:
            self._scene.delete()

    def _inputs(self) -> tuple[object, ...]:
        return (*self._glfw.get_cursor_pos(self._window), self._glfw.get_framebuffer_size(self._window))

    def _frame(self) -> None:
        from gstex.view import overlay, panel, popups
        from gstex.view.mouse import run_mouse

        imgui, viewer, gl = self._imgui, self._viewer, self._gl
        viewer.scale = self._pixel_scale()
        self._renderer.process_inputs()
        imgui.new_frame()
        width, height = imgui.get_io().display_size.x, imgui.get_io().display_size.y
        # Mouse and keys come first, so that this frame already shows what they did.
        top, bottom = imgui.get_frame_height() + imgui.get_style().window_padding.y, imgui.get_text_line_height() + 6
        unit = imgui.get_font_size() / 15
        beside = min(panel.PANEL_WIDTH * unit, 0.5 * width) if viewer.panel else 0.0
        self._lay_out(width - beside, height, top, bottom)
        run_mouse(viewer)
        io = imgui.get_io()
        self._keys.run(viewer, typing=io.want_text_input, covered=io.want_capture_mouse)
        if viewer.flickers:
            turn = int(time.monotonic() / _FLICKER_SECONDS) % 2
            viewer.state.alone = viewer.state.other if turn else GSTEX
        before, shown = deepcopy(viewer.state), viewer.document
        beside = min(panel.PANEL_WIDTH * unit, 0.5 * width) if viewer.panel else 0.0
        self._lay_out(width - beside, height, top, bottom)
        panel.draw_toolbar(viewer, width)
        if viewer.panel:
            panel.draw_panel(viewer, width - beside, top, beside, height - top - bottom)
        popups.draw_popups(viewer, width, height)
        overlay.draw_overlay(viewer)
        overlay.draw_status(viewer, height - bottom, width, bottom)
        imgui.render()
        if viewer.clipboard:
            self._glfw.set_clipboard_string(self._window, viewer.clipboard)
            viewer.clipboard = ""

        # If a control has just changed the state, what was drawn before it is out of date, so the picture waits a
        # frame.
        changed = viewer.state != before or viewer.document is not shown
        self._waited = changed and not self._waited
        if not self._waited:
            self._draw_scene()
        framebuffer = self._glfw.get_framebuffer_size(self._window)
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, 0)
        gl.glViewport(0, 0, *framebuffer)
        gl.glClearColor(0.1, 0.1, 0.1, 1.0)
        gl.glClear(gl.GL_COLOR_BUFFER_BIT)
        if self._target.size != (0, 0):
            self._target.show(viewer.left, framebuffer[1] - viewer.top - viewer.size[1], viewer.size)
        self._renderer.render(imgui.get_draw_data())

    def _lay_out(self, width: float, height: float, top: float, bottom: float) -> None:
        """Place the picture between toolbar, panel and status line. Arguments are in units of the pointer."""
        viewer = self._viewer
        viewer.left, viewer.top = 0, round(top * viewer.scale)
        viewer.size = (max(1, round(width * viewer.scale)),
                       max(1, round((height - bottom) * viewer.scale) - viewer.top))  # fmt: skip

    def _draw_scene(self) -> None:
        """Draw into the target if something has changed; coarser while it moves, if drawing is slow."""
        viewer, session, moment = self._viewer, self._session, time.monotonic()
        document = session.document
        if document is None:
            return
        if self._scene is None or self._scene.document is not document:
            self._new_scene(document)
        ready = viewer.other_ready() or not session.jobs
        picture_path = viewer.picture_wanted if ready else None
        for name in [name for name in self._given if name not in session.stacks]:
            self._scene.set_stack(name, None)
            del self._given[name]
        for name, stack in session.stacks.items():
            if self._given.get(name) is not stack:
                self._scene.set_stack(name, stack)
                self._given[name] = stack
        lit = session.state.view == "lit"
        if lit and session.want_surroundings() and self._around is not session.surroundings:
            self._scene.set_environment(session.surroundings)
            self._around = session.surroundings
        self._scene.set_mesh(session.mesh)
        given = tuple((name, id(stack)) for name, stack in self._given.items())
        now = (deepcopy(session.state), viewer.size, id(document), given, id(self._around) if lit else 0,
               id(session.mesh))  # fmt: skip
        if now != self._drawn:
            self._moved = moment
        moving = moment - self._moved < _MOVING_SECONDS and bool(viewer.drag or self._coarse or now != self._drawn)
        moving &= picture_path is None  # a picture that is saved is drawn at full size
        if now == self._drawn and not (self._coarse and not moving) and picture_path is None:
            return
        if not self._prepare():
            return
        coarse = moving and self._drawn is not None and viewer.decode_ms > _SLOW_MS
        factor = min(4, 2 if viewer.decode_ms < 6 * _SLOW_MS else 4) if coarse else 1
        self._draw_at(factor)
        self._drawn, self._coarse = now, factor > 1
        if picture_path is not None:
            self._write_picture(picture_path)

    def _prepare(self) -> bool:
        """Compile the shaders for the current view, after a frame with a message. Drawing times do not include it."""
        viewer, state = self._viewer, self._session.state
        kind = (id(self._scene), state.view, state.sampling, self._scene.is_mesh(state))
        if kind in self._warm:
            return True
        if viewer.preparing < 2:
            viewer.preparing += 1
            return False
        viewer.preparing = 0
        self._warm.add(kind)
        self._try_draw(state, (4, 4), 1.0)
        return True

    def _draw_at(self, factor: int) -> None:
        """Draw at a resolution reduced by `factor`."""
        viewer, state, gl = self._viewer, self._session.state, self._gl
        size = (max(1, viewer.size[0] // factor), max(1, viewer.size[1] // factor))
        placement = viewer.placement()
        if factor > 1 and placement is not None:
            state = replace(state, zoom=placement.zoom / factor, lod=placement.lod)
        gl.glFinish()
        started = time.perf_counter()
        self._try_draw(state, size, viewer.content_scale / factor)
        gl.glFinish()
        if factor == 1:
            viewer.decode_ms = 1e3 * (time.perf_counter() - started)

    def _try_draw(self, state: ViewState, size: tuple[int, int], content_scale: float) -> None:
        try:
            self._scene.draw(state, self._target, size, content_scale)
        except GraphicsError as error:
            self._session.say(str(error).splitlines()[0], error=True)

    def _new_scene(self, document: Document) -> None:
        from gstex.view.scene import Scene

        if self._scene is not None:
            self._scene.delete()
        self._scene, self._given, self._drawn, self._around = Scene(document), {}, None, None
        self._glfw.set_window_title(self._window, f"{document.name} - {_TITLE}")

    def _write_picture(self, path: Path) -> None:
        from gstex.material.images import write_picture

        self._viewer.picture_wanted = None
        pixels = self._target.read()
        try:
            write_picture(path, pixels)
            self._session.say(f"wrote {path.resolve()}, {pixels.shape[1]}x{pixels.shape[0]} pixels")
        except GstexError as error:
            self._session.say(str(error), error=True)

    def _drop(self, window: Window, paths: list[str]) -> None:
        """GLFW's callback."""
        from gstex.view.popups import open_path

        for path in paths[:1]:
            open_path(self._viewer, Path(path))

    def _key(self, window: Window, *event: int) -> None:
        """GLFW's callback."""
        self._renderer.keyboard_callback(window, *event)
        self._keys.on_key(*event)

    def _character(self, window: Window, code: int) -> None:
        """GLFW's callback."""
        self._renderer.char_callback(window, code)
        self._keys.on_character(code)

    def _pixel_scale(self) -> float:
        """Pixels of the framebuffer per unit of the pointer."""
        with contextlib.suppress(ZeroDivisionError):
            return self._glfw.get_framebuffer_size(self._window)[0] / self._glfw.get_window_size(self._window)[0]
        return 1.0
