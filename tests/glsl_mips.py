"""Whole mips decoded by shaders/decode.comp, as an engine would run it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gstex.decode import shape
from gstex.gl import WordBuffer, compute_program
from gstex.gl.context import import_gl

_GROUP = 8  # texels along each side of a work group of decode.comp


def decode_mips(words: np.ndarray, mips: Sequence[int] | None = None) -> list[np.ndarray]:
    """Fetch every texel of some mips, as `gstex.decode.decode_texels` does on the CPU.

    Args:
        words: uint32, a validated GPU section.
        mips: levels of detail, 0 .. mip count - 1 each; None for all.

    Returns:
        float32 [H, W, C] in 0..1 for each, row 0 = top.
    """
    gl = import_gl()
    channels = shape(words, 0)[2]
    layers = -(-channels // 4)
    program = compute_program("decode.comp", {"GSTEX_VEC4S": layers})
    buffer = WordBuffer([words])
    decoded = []
    for mip in range(int(words[3]) >> 8 & 0xFF) if mips is None else mips:
        height, width, _ = shape(words, mip)
        target = gl.glGenTextures(1)
        gl.glBindTexture(gl.GL_TEXTURE_2D_ARRAY, target)
        gl.glTexStorage3D(gl.GL_TEXTURE_2D_ARRAY, 1, gl.GL_RGBA32F, width, height, layers)
        gl.glBindImageTexture(0, target, 0, gl.GL_TRUE, 0, gl.GL_WRITE_ONLY, gl.GL_RGBA32F)
        program.set(base=buffer.bases[0], mip=mip)
        gl.glDispatchCompute(-(-width // _GROUP), -(-height // _GROUP), 1)
        gl.glMemoryBarrier(gl.GL_TEXTURE_UPDATE_BARRIER_BIT)
        texels = np.empty((layers, height, width, 4), np.float32)
        gl.glGetTexImage(gl.GL_TEXTURE_2D_ARRAY, 0, gl.GL_RGBA, gl.GL_FLOAT, texels)
        gl.glDeleteTextures(1, [target])
        decoded.append(np.moveaxis(texels, 0, 2).reshape(height, width, 4 * layers)[:, :, :channels])
    buffer.delete()
    program.delete()
    return decoded
