"""The viewer's shaders: variants for each sampling and view, compiled when they are first needed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gstex.gl import Program, draw_program
from gstex.gl.context import import_gl
from gstex.view.errors import MOST_ANGLE
from gstex.view.maps import LOOKS
from gstex.view.state import TONES

__all__ = ["Programs", "bind_stacks", "set_array"]

_NAMES: dict[str, Any] = {
    "SAMPLING_TEXELS": 0, "SAMPLING_POINT": 1, "SAMPLING_GRAD": 2,
    **{f"LOOK_{name.upper().replace(' ', '_')}": number for number, name in enumerate(LOOKS)},
    "MOST_ANGLE": MOST_ANGLE, "SHAPE_SPHERE": 0, "SHAPE_CUBE": 1, "SHAPE_PLANE": 2,
    **{f"TONE_{name.upper()}": number for number, name in enumerate(TONES)},
}  # fmt: skip

_PLAIN = ("environment", "mesh_surface", "mesh_footprint")


class Programs:
    """Programs for files with up to `vec4s` groups of four channels and a K of up to `top_k` (0: all are blended)."""

    def __init__(self, vec4s: int, top_k: int):
        self._of_file = {"GSTEX_VEC4S": vec4s, "GSTEX_MAX_K": top_k}
        self._made: dict[tuple[object, ...], Program] = {}

    def get(self, vertex: str, fragment: str, **defines: int | str) -> Program:
        """The program of two files of shaders/view with these defines. A string names a constant: SAMPLING="point"
        defines SAMPLING as SAMPLING_POINT."""
        key = (vertex, fragment, *sorted(defines.items()))
        if key not in self._made:
            named = {k: f"{k}_{v.upper()}" if isinstance(v, str) else v for k, v in defines.items()}
            self._made[key] = draw_program(
                f"view/{vertex}", f"view/{fragment}", {**_NAMES, **self._of_file, **named}
            )
        return self._made[key]

    def delete(self) -> None:
        """Free all programs."""
        for program in self._made.values():
            program.delete()
        self._made.clear()


def set_array(program: Program, **uniforms: npt.ArrayLike) -> None:
    """Set array uniforms: int [n, 2] for ivec2, float [n, 3] for vec3. Unused ones are ignored."""
    gl = import_gl()
    program.use()
    for name, values in uniforms.items():
        location = gl.glGetUniformLocation(program.handle, name)
        array = np.asarray(values)
        if location < 0 or not len(array):
            continue
        if array.dtype.kind == "i":
            gl.glUniform2iv(location, len(array), np.ascontiguousarray(array, np.int32))
        else:
            gl.glUniform3fv(location, len(array), np.ascontiguousarray(array, np.float32))


def bind_stacks(textures: Mapping[str, int], program: Program) -> None:
    """Bind textures to the samplers of their names: 2D textures for the names in _PLAIN, texture arrays otherwise."""
    gl = import_gl()
    for unit, (name, handle) in enumerate(textures.items()):
        gl.glActiveTexture(gl.GL_TEXTURE0 + unit)
        gl.glBindTexture(gl.GL_TEXTURE_2D if name in _PLAIN else gl.GL_TEXTURE_2D_ARRAY, handle)
        program.set(**{name: unit})
    gl.glActiveTexture(gl.GL_TEXTURE0)
