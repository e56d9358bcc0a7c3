"""Draws a .gstex file with a fragment shader, without a display, and compares the pixels with gstex itself.

    python samples/opengl/check.py bricks.gstex

It needs the extra `view` and OpenGL 4.3; a driver that draws on the CPU (Mesa's llvmpipe) is enough. Put your own
shader in the place of channels.frag to try it.
"""

import sys
from pathlib import Path

import numpy as np

import gstex
from gstex import gl

HERE = Path(__file__).parent


def draw(texture: gstex.Texture) -> np.ndarray:
    """All channels of mip 0 as the shader returns them: float32 [H, W, C]."""
    height, width, channels = texture.decode().shape
    vec4s = (channels + 3) // 4
    with gl.surfaceless():
        from OpenGL import GL  # only here: PyOpenGL decides on its first import whether it looks for windows

        words = gl.WordBuffer([texture.words])  # the storage buffer at binding 0
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, GL.glGenFramebuffers(1))
        outputs = [GL.GL_COLOR_ATTACHMENT0 + i for i in range(vec4s)]
        for output in outputs:
            GL.glBindTexture(GL.GL_TEXTURE_2D, target := GL.glGenTextures(1))
            GL.glTexStorage2D(GL.GL_TEXTURE_2D, 1, GL.GL_RGBA32F, width, height)
            GL.glFramebufferTexture2D(GL.GL_FRAMEBUFFER, output, GL.GL_TEXTURE_2D, target, 0)
        GL.glDrawBuffers(vec4s, outputs)
        GL.glViewport(0, 0, width, height)
        GL.glBindVertexArray(GL.glGenVertexArrays(1))
        defines = {"GSTEX_VEC4S": vec4s, "GSTEX_MAX_K": 0}
        program = gl.draw_program(HERE / "picture.vert", HERE / "channels.frag", defines)
        program.set(base=words.bases[0])
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)
        drawn = []
        for output in outputs:
            GL.glReadBuffer(output)
            pixels = GL.glReadPixels(0, 0, width, height, GL.GL_RGBA, GL.GL_FLOAT, outputType=None)
            drawn.append(np.array(pixels, np.float32).reshape(height, width, 4))
    return np.concatenate(drawn, axis=2)[:, :, :channels]


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    try:
        texture = gstex.load(sys.argv[1])
        difference = np.abs(draw(texture) - texture.decode()).max()
    except gstex.GstexError as error:
        sys.exit(str(error))
    print(f"largest difference of a channel: {difference:.1e}")
