"""A triangle mesh on the GPU, drawn to pictures of its surface that shaders/view/lit.frag lights (define MESH)."""

import ctypes

import numpy as np

from gstex.errors import GraphicsError
from gstex.gl import Program
from gstex.gl.context import import_gl
from gstex.gltf.mesh import Mesh

__all__ = ["Triangles"]

_FINER = 2  # samples per pixel along each axis, for smooth outlines


class Triangles:
    """One mesh, and the two pictures of uint32 [4] that shaders/view/mesh.frag draws. Needs a current context."""

    def __init__(self) -> None:
        self._gl = gl = import_gl()
        self._array = gl.glGenVertexArrays(1)
        self._vertices, self._indices = gl.glGenBuffers(2)
        self._framebuffer = gl.glGenFramebuffers(1)
        self._pictures: list[int] = []
        self._depth = 0
        self._size = (0, 0)
        self._count = 0
        self._key: tuple[object, ...] | None = None
        gl.glBindVertexArray(self._array)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._vertices)
        for place, (width, start) in enumerate(((3, 0), (3, 12), (2, 24))):
            gl.glEnableVertexAttribArray(place)
            gl.glVertexAttribPointer(place, width, gl.GL_FLOAT, gl.GL_FALSE, 32, ctypes.c_void_p(start))
        gl.glBindBuffer(gl.GL_ELEMENT_ARRAY_BUFFER, self._indices)
        gl.glBindVertexArray(0)

    def holds(self, key: tuple[object, ...] | None) -> bool:
        """Whether the last mesh given to `set` has this key."""
        return bool(key == self._key)

    def set(self, key: tuple[object, ...] | None, mesh: Mesh) -> None:
        """Upload a mesh. key: what it was made from."""
        gl = self._gl
        rows = np.concatenate([mesh.positions, mesh.normals, mesh.uv], axis=1).astype(np.float32)
        numbers = np.ascontiguousarray(mesh.triangles, np.uint32)
        gl.glBindVertexArray(self._array)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._vertices)
        gl.glBufferData(gl.GL_ARRAY_BUFFER, rows.nbytes, rows, gl.GL_DYNAMIC_DRAW)
        gl.glBufferData(gl.GL_ELEMENT_ARRAY_BUFFER, numbers.nbytes, numbers, gl.GL_DYNAMIC_DRAW)
        gl.glBindVertexArray(0)
        self._key, self._count = key, numbers.size

    def draw(self, program: Program, size: tuple[int, int]) -> tuple[int, int]:
        """Draw into the two pictures and return their handles. size: of the lit picture. This changes the framebuffer
        and the viewport, and the caller has to restore them."""
        gl = self._gl
        self._resize((_FINER * size[0], _FINER * size[1]))
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._framebuffer)
        gl.glViewport(0, 0, *self._size)
        for number in range(2):
            gl.glClearBufferuiv(gl.GL_COLOR, number, np.zeros(4, np.uint32))
        gl.glDepthMask(gl.GL_TRUE)
        gl.glClearBufferfv(gl.GL_DEPTH, 0, np.ones(1, np.float32))
        gl.glDisable(gl.GL_CULL_FACE)
        gl.glEnable(gl.GL_DEPTH_TEST)
        gl.glDepthFunc(gl.GL_LESS)
        program.use()
        gl.glBindVertexArray(self._array)
        gl.glDrawElements(gl.GL_TRIANGLES, self._count, gl.GL_UNSIGNED_INT, None)
        gl.glBindVertexArray(0)
        gl.glDisable(gl.GL_DEPTH_TEST)
        return self._pictures[0], self._pictures[1]

    def delete(self) -> None:
        """Free everything."""
        gl = self._gl
        self._free()
        gl.glDeleteFramebuffers(1, [self._framebuffer])
        gl.glDeleteBuffers(2, [self._vertices, self._indices])
        gl.glDeleteVertexArrays(1, [self._array])

    def _resize(self, size: tuple[int, int]) -> None:
        gl = self._gl
        if size == self._size:
            return
        most = int(gl.glGetIntegerv(gl.GL_MAX_TEXTURE_SIZE))
        if max(size) > most:
            raise GraphicsError(f"picture: got {size[0] // _FINER}x{size[1] // _FINER}, this driver allows "
                                f"{most // _FINER} for a mesh; ask for less")  # fmt: skip
        self._free()
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._framebuffer)
        for number in range(2):
            handle = int(gl.glGenTextures(1))
            self._pictures.append(handle)
            gl.glBindTexture(gl.GL_TEXTURE_2D, handle)
            for name in (gl.GL_TEXTURE_MIN_FILTER, gl.GL_TEXTURE_MAG_FILTER):
                gl.glTexParameteri(gl.GL_TEXTURE_2D, name, gl.GL_NEAREST)
            gl.glTexStorage2D(gl.GL_TEXTURE_2D, 1, gl.GL_RGBA32UI, *size)
            gl.glFramebufferTexture2D(gl.GL_FRAMEBUFFER, gl.GL_COLOR_ATTACHMENT0 + number, gl.GL_TEXTURE_2D, handle, 0)
        self._depth = int(gl.glGenRenderbuffers(1))
        gl.glBindRenderbuffer(gl.GL_RENDERBUFFER, self._depth)
        gl.glRenderbufferStorage(gl.GL_RENDERBUFFER, gl.GL_DEPTH_COMPONENT24, *size)
        gl.glFramebufferRenderbuffer(gl.GL_FRAMEBUFFER, gl.GL_DEPTH_ATTACHMENT, gl.GL_RENDERBUFFER, self._depth)
        gl.glDrawBuffers(2, [gl.GL_COLOR_ATTACHMENT0, gl.GL_COLOR_ATTACHMENT1])
        self._size = size

    def _free(self) -> None:
        gl = self._gl
        if self._pictures:
            gl.glDeleteTextures(len(self._pictures), self._pictures)
            gl.glDeleteRenderbuffers(1, [self._depth])
        self._pictures, self._depth, self._size = [], 0, (0, 0)
