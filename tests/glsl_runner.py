"""Runs the functions of shaders/gstex.glsl at many points on whatever OpenGL there is, mostly llvmpipe.

Draws one pixel a point into integer textures, which OpenGL 4.3 and OpenGL ES 3.0 can both do, so that the same tests
run the two readings of the decoder's text: words in a storage buffer, and words in a texture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gstex.errors import GraphicsError
from gstex.gl import Program, WordBuffer, draw_program, join_words, surfaceless
from gstex.gl.context import import_gl

SHADERS = Path(__file__).parent / "glsl"
LIMIT = 1 / 1024
_WIDTH = 256  # of the targets, and of the texture of words; small, so that words wrap into rows
_FETCH, _SAMPLE, _BILINEAR, _GRAD = "CALL_FETCH", "CALL_SAMPLE", "CALL_BILINEAR", "CALL_GRAD"
_STOCHASTIC = "CALL_STOCHASTIC"


@contextmanager
def context_or_skip(*, es: bool = False) -> Iterator[None]:
    """A context without a window; the test is skipped where there is none, and fails if it leaves a GL error."""
    opened = surfaceless(es=es)
    try:
        opened.__enter__()
    except GraphicsError as error:
        pytest.skip(f"no OpenGL without a window here: {error}")
    try:
        yield
        assert import_gl().glGetError() == 0
    finally:
        opened.__exit__(None, None, None)


class Runner:
    """Programs for one context, compiled when they are first called; uploads materials and reads them at points."""

    def __init__(self, *, es: bool = False):
        self.gl = import_gl()
        self.es = es
        self._programs: dict[tuple, Program] = {}
        self._words: Any = None
        self.bases: list[int] = []
        self.gl.glBindVertexArray(self.gl.glGenVertexArrays(1))
        self.gl.glBindFramebuffer(self.gl.GL_FRAMEBUFFER, self.gl.glGenFramebuffers(1))

    def upload(self, *materials: np.ndarray) -> None:
        """Replace the words by those of these materials; their base words are in `bases`."""
        if self.es:
            if self._words is not None:
                self.gl.glDeleteTextures(1, [self._words])
            joined, self.bases = join_words(materials)
            rows = np.zeros((-(-len(joined) // _WIDTH), _WIDTH), np.uint32)
            rows.reshape(-1)[: len(joined)] = joined
            gl = self.gl
            self._words = self._texture(0, rows, gl.GL_R32UI, gl.GL_RED_INTEGER, gl.GL_UNSIGNED_INT)
            return
        if self._words is not None:
            self._words.delete()
        self._words = WordBuffer(materials)
        self.bases = self._words.bases

    def fetch(
        self, columns: np.ndarray, rows: np.ndarray, mip: int, *, vec4s: int = 4, base: int = 0, **defines: int | str
    ) -> np.ndarray:
        """gstex_fetch of texels -> float32 [M, 4 vec4s]. defines: more of them for the shader."""
        points = np.stack([columns, rows, np.full(len(columns), mip), np.zeros(len(columns))], axis=1)
        return self._run(_FETCH, points, None, vec4s, base, **defines)

    def sample(
        self, uv: np.ndarray, lod: float | np.ndarray = 0.0, *, bilinear: bool = False, vec4s: int = 4, base: int = 0,
        **defines: int | str,
    ) -> np.ndarray:
        """gstex_sample or gstex_sample_bilinear at uv [M, 2] and lod (a number or [M]) -> float32 [M, 4 vec4s]."""
        lod = np.broadcast_to(lod, (len(uv),))
        points = np.concatenate([uv, lod[:, None], np.zeros((len(uv), 1))], axis=1)
        return self._run(_BILINEAR if bilinear else _SAMPLE, points, None, vec4s, base, **defines)

    def sample_grad(
        self, uv: np.ndarray, duv: np.ndarray, *, vec4s: int = 4, base: int = 0, **defines: int | str
    ) -> np.ndarray:
        """gstex_sample_grad at uv [M, 2] with the steps duv [M, 2, 2] -> float32 [M, 4 vec4s]."""
        points = np.concatenate([uv, np.zeros((len(uv), 2))], axis=1)
        return self._run(_GRAD, points, duv.reshape(-1, 4), vec4s, base, **defines)

    def sample_stochastic(
        self, uv: np.ndarray, duv: np.ndarray, noise: np.ndarray, *, vec4s: int = 4, base: int = 0
    ) -> np.ndarray:
        """gstex_sample_stochastic at uv [M, 2] with the steps duv [M, 2, 2] and noise [M] -> float32 [M, 4 vec4s]."""
        points = np.concatenate([uv, noise[:, None], np.zeros((len(uv), 1))], axis=1)
        return self._run(_STOCHASTIC, points, duv.reshape(-1, 4), vec4s, base)

    def draw(
        self, fragment: str, defines: dict[str, int | str], size: tuple[int, int], layers: int, **uniforms: object
    ) -> np.ndarray:
        """Run a shader of tests/glsl, or of a path, once a pixel of `layers` targets of size (width, height).

        Returns the floats whose bits it wrote: float32 [H, W, 4 layers].
        """
        gl, key = self.gl, (fragment, *sorted(defines.items()))
        if key not in self._programs:
            width = {"GSTEX_WIDTH": _WIDTH, "GSTEX_EXPANDED_WIDTH": _WIDTH} if self.es else {}
            self._programs[key] = draw_program(SHADERS / "screen.vert", SHADERS / fragment, {**defines, **width})
        targets = []
        for layer in range(4):
            target = 0
            if layer < layers:
                empty = np.zeros((size[1], size[0], 4), np.uint32)
                target = self._texture(3, empty, gl.GL_RGBA32UI, gl.GL_RGBA_INTEGER, gl.GL_UNSIGNED_INT)
                targets.append(target)
            attachment = gl.GL_COLOR_ATTACHMENT0 + layer
            gl.glFramebufferTexture2D(gl.GL_FRAMEBUFFER, attachment, gl.GL_TEXTURE_2D, target, 0)
        attachments = [gl.GL_COLOR_ATTACHMENT0 + layer for layer in range(layers)]
        gl.glDrawBuffers(layers, np.array(attachments, np.uint32))
        assert gl.glCheckFramebufferStatus(gl.GL_FRAMEBUFFER) == gl.GL_FRAMEBUFFER_COMPLETE
        gl.glViewport(0, 0, *size)
        self._programs[key].set(**{"gstex_words": 0, "gstex_expanded_words": 0, **uniforms})
        gl.glDrawArrays(gl.GL_TRIANGLES, 0, 3)
        pixels = np.empty((layers, size[1], size[0], 4), np.uint32)
        for layer, attachment in enumerate(attachments):
            gl.glReadBuffer(attachment)
            gl.glReadPixels(0, 0, *size, gl.GL_RGBA_INTEGER, gl.GL_UNSIGNED_INT, pixels[layer])
        gl.glDeleteTextures(layers, targets)
        return np.moveaxis(pixels.view(np.float32), 0, 2).reshape(size[1], size[0], 4 * layers)

    def _run(
        self, call: str, points: np.ndarray, steps: np.ndarray | None, vec4s: int, base: int, **defines: int | str
    ) -> np.ndarray:
        gl, rows = self.gl, -(-len(points) // _WIDTH)
        inputs = [
            self._texture(unit, _pixels(values, rows), gl.GL_RGBA32F, gl.GL_RGBA, gl.GL_FLOAT)
            for unit, values in ((1, points), (2, steps))
            if values is not None
        ]
        uniforms = {"point_texels": 1, "step_texels": 2, "base": base}
        found = self.draw("points.frag", {"GSTEX_VEC4S": vec4s, call: 1, **defines}, (_WIDTH, rows), vec4s, **uniforms)
        gl.glDeleteTextures(len(inputs), inputs)
        return found.reshape(-1, 4 * vec4s)[: len(points)]

    def _texture(self, unit: int, pixels: np.ndarray, internal: int, layout: int, kind: int) -> int:
        gl = self.gl
        handle = gl.glGenTextures(1)
        gl.glActiveTexture(gl.GL_TEXTURE0 + unit)
        gl.glBindTexture(gl.GL_TEXTURE_2D, handle)
        for name in (gl.GL_TEXTURE_MIN_FILTER, gl.GL_TEXTURE_MAG_FILTER):
            gl.glTexParameteri(gl.GL_TEXTURE_2D, name, gl.GL_NEAREST)
        gl.glTexImage2D(gl.GL_TEXTURE_2D, 0, internal, pixels.shape[1], len(pixels), 0, layout, kind, pixels)
        return handle


def _pixels(values: np.ndarray, rows: int) -> np.ndarray:
    padded = np.zeros((rows * _WIDTH, 4), np.float32)
    padded[: len(values)] = values
    return padded.reshape(rows, _WIDTH, 4)
