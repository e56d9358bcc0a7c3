"""Textures on the GPU: the target that a scene draws into, and the stacks that it reads."""

import numpy as np

from gstex.arrays import U8Array
from gstex.errors import GraphicsError
from gstex.gl.context import import_gl
from gstex.view.environment import Environment
from gstex.view.stacks import Stack

__all__ = ["Target", "upload_environment", "upload_stack"]


class Target:
    """A framebuffer with one RGBA8 picture. size: (width, height) in pixels."""

    def __init__(self) -> None:
        self._gl = gl = import_gl()
        self.size = (0, 0)
        self._framebuffer = gl.glGenFramebuffers(1)
        self._picture = 0

    def bind(self, size: tuple[int, int]) -> None:
        """Make it the target of drawing, at this size."""
        gl = self._gl
        if size != self.size:
            most = int(gl.glGetIntegerv(gl.GL_MAX_TEXTURE_SIZE))
            if max(size) > most:
                raise GraphicsError(f"picture: got {size[0]}x{size[1]}, this driver allows {most}; ask for less")
            self._free_picture()
            self._picture = gl.glGenTextures(1)
            gl.glBindTexture(gl.GL_TEXTURE_2D, self._picture)
            gl.glTexStorage2D(gl.GL_TEXTURE_2D, 1, gl.GL_RGBA8, *size)
            gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._framebuffer)
            gl.glFramebufferTexture2D(gl.GL_FRAMEBUFFER, gl.GL_COLOR_ATTACHMENT0, gl.GL_TEXTURE_2D, self._picture, 0)
            self.size = size
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._framebuffer)
        gl.glViewport(0, 0, *size)

    def read(self) -> U8Array:
        """Read the picture: uint8 [height, width, 3], row 0 = top."""
        gl = self._gl
        width, height = self.size
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._framebuffer)
        gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
        raw = gl.glReadPixels(0, 0, width, height, gl.GL_RGB, gl.GL_UNSIGNED_BYTE)
        return np.frombuffer(raw, np.uint8).reshape(height, width, 3)[::-1].copy()

    def show(self, left: int, bottom: int, size: tuple[int, int]) -> None:
        """Copy the picture to the window, with its lower left corner at these pixels, scaled to `size`."""
        gl = self._gl
        width, height = size
        gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, self._framebuffer)
        gl.glBindFramebuffer(gl.GL_DRAW_FRAMEBUFFER, 0)
        gl.glBlitFramebuffer(0, 0, *self.size, left, bottom, left + width, bottom + height, gl.GL_COLOR_BUFFER_BIT,
                             gl.GL_NEAREST if size == self.size else gl.GL_LINEAR)  # fmt: skip
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, 0)

    def delete(self) -> None:
        """Free the framebuffer and its picture."""
        self._free_picture()
        self._gl.glDeleteFramebuffers(1, [self._framebuffer])

    def _free_picture(self) -> None:
        if self._picture:
            self._gl.glDeleteTextures(1, [self._picture])


def upload_stack(stack: Stack) -> int:
    """Make a texture array with all levels of a stack. Returns its handle."""
    gl = import_gl()
    layers, height, width, _ = stack.levels[0].shape
    most = int(gl.glGetIntegerv(gl.GL_MAX_TEXTURE_SIZE))
    if max(width, height) > most:
        raise GraphicsError(f"{stack.label}: is {width}x{height}, this driver allows {most}; show smaller maps")
    handle = int(gl.glGenTextures(1))
    gl.glBindTexture(gl.GL_TEXTURE_2D_ARRAY, handle)
    gl.glTexParameteri(gl.GL_TEXTURE_2D_ARRAY, gl.GL_TEXTURE_MIN_FILTER, gl.GL_NEAREST_MIPMAP_NEAREST)
    gl.glTexParameteri(gl.GL_TEXTURE_2D_ARRAY, gl.GL_TEXTURE_MAG_FILTER, gl.GL_NEAREST)
    gl.glTexStorage3D(gl.GL_TEXTURE_2D_ARRAY, len(stack.levels), gl.GL_RGBA16, width, height, layers)
    gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
    for level, codes in enumerate(stack.levels):
        _, height, width, _ = codes.shape
        gl.glTexSubImage3D(gl.GL_TEXTURE_2D_ARRAY, level, 0, 0, 0, width, height, layers, gl.GL_RGBA,
                           gl.GL_UNSIGNED_SHORT, np.ascontiguousarray(codes))  # fmt: skip
    return handle


def upload_environment(surroundings: Environment) -> int:
    """Make a texture with all levels of surroundings as mips. Returns its handle."""
    gl = import_gl()
    handle = int(gl.glGenTextures(1))
    gl.glBindTexture(gl.GL_TEXTURE_2D, handle)
    for name, value in (
        (gl.GL_TEXTURE_MIN_FILTER, gl.GL_LINEAR_MIPMAP_LINEAR), (gl.GL_TEXTURE_MAG_FILTER, gl.GL_LINEAR),
        (gl.GL_TEXTURE_WRAP_S, gl.GL_REPEAT), (gl.GL_TEXTURE_WRAP_T, gl.GL_CLAMP_TO_EDGE),
    ):  # fmt: skip
        gl.glTexParameteri(gl.GL_TEXTURE_2D, name, value)
    height, width, _ = surroundings.levels[0].shape
    gl.glTexStorage2D(gl.GL_TEXTURE_2D, len(surroundings.levels), gl.GL_RGB16F, width, height)
    gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
    for level, pixels in enumerate(surroundings.levels):
        height, width, _ = pixels.shape
        gl.glTexSubImage2D(gl.GL_TEXTURE_2D, level, 0, 0, width, height, gl.GL_RGB, gl.GL_FLOAT,
                           np.ascontiguousarray(pixels, np.float32))  # fmt: skip
    return handle
