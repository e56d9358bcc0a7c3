"""An OpenGL context without a window or a display, through EGL; and a check of any context."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

from gstex.errors import ExtraError, GraphicsError

__all__ = ["Context", "current_context", "import_gl", "surfaceless"]

PLATFORM_SURFACELESS_MESA, PLATFORM_DEVICE_EXT = 0x31DD, 0x313F
_NEEDED = {"gl": (4, 3), "es": (3, 0)}
_LABEL = {"gl": "OpenGL", "es": "OpenGL ES"}
_ADVICE = "install a driver that has it (on Debian without a GPU: apt-get install libegl1 libgl1-mesa-dri libgles2)"
_EARLY = ("PyOpenGL was imported before and looks for windows: import it inside `with surfaceless()`, or set the "
          "environment variable PYOPENGL_PLATFORM=egl; if that is no help, install a driver")


@dataclass(frozen=True)
class Context:
    """A description of the current context.

    api: 'gl' or 'es'. version: (major, minor). renderer: the GPU, or a name with 'llvmpipe' where the CPU draws.
    """

    api: str
    version: tuple[int, int]
    renderer: str

    @property
    def is_software(self) -> bool:
        """Whether the CPU draws, so that times do not apply to a GPU."""
        return any(name in self.renderer.lower() for name in ("llvmpipe", "softpipe", "swrast", "swiftshader"))


def import_gl() -> ModuleType:
    """The module OpenGL.GL.

    Raises:
        ExtraError: PyOpenGL is not installed. GraphicsError: it finds no OpenGL library.
    """
    try:
        from OpenGL import GL
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "OpenGL":
            raise ExtraError("OpenGL needs PyOpenGL: pip install gstex[view]") from error
        raise GraphicsError(f"OpenGL: no library found ({error}), expected OpenGL 4.3; {_ADVICE}") from error
    except Exception as error:  # PyOpenGL passes on exceptions of ctypes
        raise GraphicsError(f"OpenGL: no library found ({error}), expected OpenGL 4.3; {_ADVICE}") from error
    return GL


def current_context() -> Context:
    """The context that is current in this thread, whoever made it.

    Raises:
        GraphicsError: it is older than OpenGL 4.3 or OpenGL ES 3.0, or there is none.
    """
    gl = import_gl()
    try:
        text, renderer = (gl.glGetString(name).decode() for name in (gl.GL_VERSION, gl.GL_RENDERER))
    except Exception as error:
        raise GraphicsError(f"OpenGL: no context is current, expected OpenGL 4.3; {_ADVICE}") from error
    api = "es" if text.startswith("OpenGL ES") else "gl"
    number = text.removeprefix("OpenGL ES ").split()[0].split(".")
    version = int(number[0]), int(number[1])
    if version < _NEEDED[api]:
        needed = ".".join(map(str, _NEEDED[api]))
        raise GraphicsError(f"OpenGL: found {text} on {renderer}, expected {_LABEL[api]} {needed}; {_ADVICE}")
    return Context(api, version, renderer)


@contextmanager
def surfaceless(*, es: bool = False) -> Iterator[Context]:
    """A context that is current inside the `with` and draws only into framebuffers and buffers.

    Args:
        es: OpenGL ES 3 instead of the core profile of OpenGL.

    Raises:
        ExtraError: PyOpenGL is not installed. GraphicsError: there is no EGL, OpenGL 4.3 or OpenGL ES 3.0.
    """
    advice = _ADVICE
    if "OpenGL" not in sys.modules:
        os.environ["PYOPENGL_PLATFORM"] = "egl"  # PyOpenGL reads it on its first import
    elif os.environ.get("PYOPENGL_PLATFORM") != "egl":
        advice = _EARLY
    import_gl()
    api = "es" if es else "gl"
    needed = f"{_LABEL[api]} {'.'.join(map(str, _NEEDED[api]))}"
    try:
        from OpenGL import EGL

        display = _display(EGL)
        context = _create(EGL, display, es)
    except Exception as error:
        reason = getattr(error, "err", error)  # the text of an error of EGL has many lines
        problem = f"no context without a window ({getattr(reason, 'name', reason)})"
        raise GraphicsError(f"EGL: found {problem}, expected {needed}; {advice}") from error
    try:
        yield current_context()
    finally:
        EGL.eglMakeCurrent(display, EGL.EGL_NO_SURFACE, EGL.EGL_NO_SURFACE, EGL.EGL_NO_CONTEXT)
        EGL.eglDestroyContext(display, context)


def _display(egl: ModuleType) -> object:
    """An initialised display: Mesa's surfaceless platform, or else the first device that works (NVIDIA)."""
    from OpenGL.EGL.EXT.device_enumeration import eglQueryDevicesEXT

    def devices() -> list[tuple[int, object]]:
        handles, count = (egl.EGLDeviceEXT * 8)(), egl.EGLint()
        eglQueryDevicesEXT(len(handles), handles, count)
        return [(PLATFORM_DEVICE_EXT, handles[i]) for i in range(count.value)]

    failure = None
    for pick in (lambda: [(PLATFORM_SURFACELESS_MESA, egl.EGL_DEFAULT_DISPLAY)], devices):
        try:
            for platform, native in pick():
                display = egl.eglGetPlatformDisplayEXT(platform, native, None)
                egl.eglInitialize(display, None, None)
                return display
        except egl.EGLError as error:
            failure = error
    raise failure or RuntimeError("no display")


def _create(egl: ModuleType, display: object, es: bool) -> object:
    """Make a context current: of the needed version, or of another one that the error message can name."""
    renderable = egl.EGL_OPENGL_ES3_BIT if es else egl.EGL_OPENGL_BIT
    config_attributes = [egl.EGL_SURFACE_TYPE, egl.EGL_PBUFFER_BIT, egl.EGL_RENDERABLE_TYPE, renderable, egl.EGL_NONE]
    config, count = (egl.EGLConfig * 1)(), egl.EGLint()
    egl.eglChooseConfig(display, (egl.EGLint * len(config_attributes))(*config_attributes), config, 1, count)
    egl.eglBindAPI(egl.EGL_OPENGL_ES_API if es else egl.EGL_OPENGL_API)
    major, minor = _NEEDED["es" if es else "gl"]
    context_attributes = [egl.EGL_CONTEXT_MAJOR_VERSION, major, egl.EGL_CONTEXT_MINOR_VERSION, minor]
    if not es:
        context_attributes += [egl.EGL_CONTEXT_OPENGL_PROFILE_MASK, egl.EGL_CONTEXT_OPENGL_CORE_PROFILE_BIT]
    for attributes in ([*context_attributes, egl.EGL_NONE], [egl.EGL_NONE]):
        try:
            array = (egl.EGLint * len(attributes))(*attributes)
            context = egl.eglCreateContext(display, config[0], egl.EGL_NO_CONTEXT, array)
            egl.eglMakeCurrent(display, egl.EGL_NO_SURFACE, egl.EGL_NO_SURFACE, context)
            return context
        except egl.EGLError as error:
            failure = error
    raise failure
