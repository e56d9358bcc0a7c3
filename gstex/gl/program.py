"""Shader programs from files, with `#include`, defines, and errors that hold the compiler's log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gstex.errors import GraphicsError
from gstex.gl.context import current_context, import_gl
from gstex.resources import source_path

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Program", "Uniforms", "compute_program", "draw_program", "read_shader"]

Defines = Mapping[str, int | str]
Uniforms: TypeAlias = dict[str, Any]
"""Arguments of `Program.set` by name: numbers, sequences and arrays."""
_INCLUDE = re.compile(r'^\s*#include "([^"]+)"\s*(//.*)?$')
_VERSION = re.compile(r"^\s*#version\b")


def read_shader(name: str | Path, defines: Defines | None = None, *, version: str = "430 core") -> str:
    """The complete text of a shader for the compiler.

    A #version line of the file is left out. Each `#include "x.glsl"` is replaced by that file of shaders/. Lines keep
    their numbers; those of the n-th include are in source string n.

    Args:
        name: "decode.comp", a file of shaders/, or a Path.
        defines: inserted before the first line.
        version: after #version; "300 es" for OpenGL ES.
    """
    head = [f"#version {version}", *(f"#define {key} {value}" for key, value in (defines or {}).items())]
    if version.endswith("es"):
        head += ["precision highp float;", "precision highp int;"]
    path = name if isinstance(name, Path) else source_path(f"shaders/{name}")
    lines, includes = [], 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = _INCLUDE.match(line)
        if match is None:
            lines.append("" if _VERSION.match(line) else line)
            continue
        includes += 1
        included = source_path(f"shaders/{match[1]}").read_text(encoding="utf-8").rstrip("\n")
        lines += [f"#line 1 {includes}", included, f"#line {number + 1} 0"]
    return "\n".join([*head, "#line 1 0", *lines]) + "\n"


def compute_program(name: str | Path, defines: Defines | None = None) -> Program:
    """A compute shader, compiled and linked for the current context."""
    gl = import_gl()
    return Program({gl.GL_COMPUTE_SHADER: name}, defines)


def draw_program(vertex: str | Path, fragment: str | Path, defines: Defines | None = None) -> Program:
    """A vertex and a fragment shader, compiled and linked for the current context."""
    gl = import_gl()
    return Program({gl.GL_VERTEX_SHADER: vertex, gl.GL_FRAGMENT_SHADER: fragment}, defines)


class Program:
    """A linked program.

    stages: kind of shader -> file, as in `read_shader`.

    Raises GraphicsError with the log if a shader does not compile or the program does not link.
    """

    def __init__(self, stages: Mapping[int, str | Path], defines: Defines | None = None):
        self._gl = gl = import_gl()
        version = "300 es" if current_context().api == "es" else "430 core"
        self.handle = gl.glCreateProgram()
        for kind, name in stages.items():
            shader = self._compile(kind, name, defines, version)
            gl.glAttachShader(self.handle, shader)
            gl.glDeleteShader(shader)  # the shader lives as long as the program
        gl.glLinkProgram(self.handle)
        if not gl.glGetProgramiv(self.handle, gl.GL_LINK_STATUS):
            log = _text(gl.glGetProgramInfoLog(self.handle))
            raise GraphicsError(f"{', '.join(map(str, stages.values()))}: does not link\n{log}")
        self._uniforms = self._active_uniforms()

    def use(self) -> None:
        """Make this the current program."""
        self._gl.glUseProgram(self.handle)

    def set(self, **uniforms: Any) -> None:
        """Set uniforms and make the program current.

        uniforms: numbers, or sequences for vectors; matrices row by row as arrays of shape [n, n]. Unused uniforms are
        ignored, because compilers remove them. For members of structs: set(**{"at.ao": 6}).
        """
        gl = self._gl
        self.use()
        for name, value in uniforms.items():
            if name not in self._uniforms:
                continue
            location, setter, number = self._uniforms[name]
            array = np.ascontiguousarray(value, number)
            if array.ndim == 2:
                setter(location, 1, gl.GL_FALSE, np.ascontiguousarray(array.T))  # ES accepts matrices by columns only
            else:
                setter(location, 1, array)

    def delete(self) -> None:
        """Free it."""
        self._gl.glDeleteProgram(self.handle)

    def _compile(self, kind: int, name: str | Path, defines: Defines | None, version: str) -> int:
        gl = self._gl
        shader = gl.glCreateShader(kind)
        gl.glShaderSource(shader, read_shader(name, defines, version=version))
        gl.glCompileShader(shader)
        if not gl.glGetShaderiv(shader, gl.GL_COMPILE_STATUS):
            raise GraphicsError(f"{name}: does not compile\n{_text(gl.glGetShaderInfoLog(shader))}")
        return shader

    def _active_uniforms(self) -> dict[str, tuple[int, Callable[..., None], Any]]:
        """{name: (location, glUniform function, dtype of its numbers)}."""
        gl = self._gl
        setters = {
            "FLOAT": (gl.glUniform1fv, np.float32), "FLOAT_VEC2": (gl.glUniform2fv, np.float32),
            "FLOAT_VEC3": (gl.glUniform3fv, np.float32), "FLOAT_VEC4": (gl.glUniform4fv, np.float32),
            "FLOAT_MAT3": (gl.glUniformMatrix3fv, np.float32), "FLOAT_MAT4": (gl.glUniformMatrix4fv, np.float32),
            "INT": (gl.glUniform1iv, np.int32), "INT_VEC2": (gl.glUniform2iv, np.int32),
            "INT_VEC3": (gl.glUniform3iv, np.int32), "INT_VEC4": (gl.glUniform4iv, np.int32),
            "UNSIGNED_INT": (gl.glUniform1uiv, np.uint32), "UNSIGNED_INT_VEC2": (gl.glUniform2uiv, np.uint32),
            "BOOL": (gl.glUniform1iv, np.int32),
        }  # fmt: skip
        by_type = {int(getattr(gl, f"GL_{key}")): value for key, value in setters.items()}
        uniforms = {}
        for index in range(gl.glGetProgramiv(self.handle, gl.GL_ACTIVE_UNIFORMS)):
            raw, _, kind = gl.glGetActiveUniform(self.handle, index)
            name = _text(raw)
            setter, number = by_type.get(int(kind), (gl.glUniform1iv, np.int32))  # samplers and images
            uniforms[name] = gl.glGetUniformLocation(self.handle, name), setter, number
        return uniforms


def _text(raw: str | ReadableBuffer) -> str:
    """A text from PyOpenGL, which returns str, bytes or an array of characters."""
    if isinstance(raw, str):
        return raw.rstrip("\0\n")
    return bytes(raw).split(b"\0")[0].decode(errors="replace").rstrip()
