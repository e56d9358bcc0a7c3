"""Encode mips of a material as BC blocks by shaders/transcode.comp, as an engine does on load or for a page.

The blocks stay in a GPU buffer. Textures take them from there without a copy through the CPU (`Transcoder.textures`),
or they are read back (`Transcoder.blocks`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from gstex.arrays import U32Array
from gstex.blocks import BlockMap, Rectangle, check_maps, check_rectangle, mip_shape, plan_maps
from gstex.errors import GraphicsError
from gstex.format.upload import uploaded_words
from gstex.gl.buffer import WordBuffer
from gstex.gl.context import current_context, import_gl
from gstex.gl.program import compute_program
from gstex.texture import Texture

__all__ = ["Transcoder"]

_GROUP = 16  # texels along an edge of a workgroup
_MAPS_BINDING, _BLOCKS_BINDING = 1, 2
_MAP_WORDS = 6  # size of GstexMap
# Internal formats of OpenGL: (linear, sRGB). BC4 and BC5 have no sRGB format.
_FORMATS = {
    "rgba8": ("GL_RGBA8", "GL_SRGB8_ALPHA8"),
    "bc1": ("GL_COMPRESSED_RGB_S3TC_DXT1_EXT", "GL_COMPRESSED_SRGB_S3TC_DXT1_EXT"),
    "bc4": ("GL_COMPRESSED_RED_RGTC1", "GL_COMPRESSED_RED_RGTC1"),
    "bc5": ("GL_COMPRESSED_RG_RGTC2", "GL_COMPRESSED_RG_RGTC2"),
    "bc7": ("GL_COMPRESSED_RGBA_BPTC_UNORM", "GL_COMPRESSED_SRGB_ALPHA_BPTC_UNORM"),
}
# Formats from extensions, which OpenGL.GL does not name.
_EXTENSIONS = {"GL_COMPRESSED_RGB_S3TC_DXT1_EXT": 0x83F0, "GL_COMPRESSED_SRGB_S3TC_DXT1_EXT": 0x8C4C}


class Transcoder:
    """Decodes mips of one material in the current context (OpenGL 4.3) and encodes all its maps, in one pass.

    texture: what to decode.
    maps: what to write; by default `gstex.blocks.plan_maps` of its channels.
    words, base: a buffer that holds the material already, and its base word there; by default a new buffer.
    buffer: the buffer object of OpenGL that `run` writes.

    Raises:
        UsageError: maps that `gstex.blocks.check_maps` refuses.
        GraphicsError: the context is OpenGL ES, which reads words from textures, or the driver's buffers are too small.
    """

    def __init__(
        self, texture: Texture, maps: Sequence[BlockMap] | None = None, words: WordBuffer | None = None, base: int = 0
    ):
        self.maps = check_maps(plan_maps(texture.table.header.channels) if maps is None else maps, texture.channels)
        self._gl = import_gl()
        if current_context().api == "es":
            raise GraphicsError("transcoding: found OpenGL ES, expected OpenGL 4.3; make a context of desktop OpenGL")
        self._texture = texture
        self._owned = words is None
        self._words, self._base = words or WordBuffer([uploaded_words(texture.table)]), base
        needed = {channel for a_map in self.maps for channel in a_map.channels}
        self._program = compute_program("transcode.comp", {
            "GSTEX_VEC4S": -(-texture.channels // 4),
            "GSTEX_CHANNELS": f"{sum(1 << channel for channel in needed)}u",
            "GSTEX_MAX_K": max((group.header.top_k for group in texture.table.groups), default=0),
            "GSTEX_MAPS": len(self.maps),
        })  # fmt: skip
        self._table, self.buffer = (int(handle) for handle in self._gl.glGenBuffers(2))

    def run(self, mip: int = 0, rectangle: Rectangle | None = None) -> dict[str, int]:
        """Write the blocks of all maps into `buffer`; the next run overwrites them.

        Args:
            mip: as of `Texture.decode`.
            rectangle: (left, top, width, height) in texels, multiples of 4 or up to the mip's border; None: all.

        Returns:
            For every map, the byte of the buffer where its blocks begin, row by row. Later OpenGL commands that read
            the buffer see them.

        Raises:
            UsageError: no such mip or rectangle. GraphicsError: the blocks exceed the driver's limit for storage
            buffers.
        """
        gl = self._gl
        height, width = self._size(mip)
        left, top, across, down = check_rectangle(rectangle, height, width)
        table = np.zeros((len(self.maps), _MAP_WORDS), np.uint32)
        starts, end = {}, 0
        for row, a_map in zip(table, self.maps, strict=True):
            row[:] = a_map.code, end, *a_map.sources
            starts[a_map.name] = 4 * end
            end += int(np.prod(a_map.shape(down, across)))
        most = int(gl.glGetIntegerv(gl.GL_MAX_SHADER_STORAGE_BLOCK_SIZE))
        if 4 * end > most:
            raise GraphicsError(f"storage buffer: {4 * end} bytes of blocks, this driver allows {most}; "
                                "transcode the mip in rectangles")  # fmt: skip
        for handle, binding, size, data in (
            (self._table, _MAPS_BINDING, table.nbytes, table),
            (self.buffer, _BLOCKS_BINDING, 4 * end, None),
        ):
            gl.glBindBuffer(gl.GL_SHADER_STORAGE_BUFFER, handle)
            gl.glBufferData(gl.GL_SHADER_STORAGE_BUFFER, size, data, gl.GL_STREAM_COPY)
            gl.glBindBufferBase(gl.GL_SHADER_STORAGE_BUFFER, binding, handle)
        self._words.bind()
        self._program.set(base=self._base, mip=mip, map_count=len(self.maps), corner=(left, top), size=(across, down),
                          mip_size=(width, height))  # fmt: skip
        gl.glDispatchCompute(-(-across // _GROUP), -(-down // _GROUP), 1)
        gl.glMemoryBarrier(gl.GL_ALL_BARRIER_BITS)
        return starts

    def blocks(self, mip: int = 0, rectangle: Rectangle | None = None) -> dict[str, U32Array]:
        """Run, and read the blocks back. Arguments and errors are those of `run`.

        Returns:
            For every map uint32 [rows, columns, 2 or 4], the little-endian words of its blocks of 8 or 16 bytes; of
            rgba8 uint32 [height, width, 1], with R in the lowest 8 bits. Row 0 is the top.
        """
        gl = self._gl
        starts = self.run(mip, rectangle)
        _, _, across, down = check_rectangle(rectangle, *self._size(mip))
        blocks = {}
        gl.glBindBuffer(gl.GL_SHADER_STORAGE_BUFFER, self.buffer)
        for a_map in self.maps:
            shape = a_map.shape(down, across)
            raw = gl.glGetBufferSubData(gl.GL_SHADER_STORAGE_BUFFER, starts[a_map.name], 4 * int(np.prod(shape)))
            blocks[a_map.name] = np.array(raw, np.uint8).view(np.uint32).reshape(shape)
        return blocks

    def textures(self) -> dict[str, int]:
        """Make a texture of every map, with all mips that the material holds, without a copy through the CPU.

        Returns:
            For every map, the name of a new texture object. Its level 0 is the first mip that the material holds. sRGB
            maps are sampled as linear light. Filtering is trilinear, and the wrap is that of the material.
        """
        from OpenGL.raw.GL.VERSION.GL_1_3 import glCompressedTexSubImage2D  # the wrapper allows no buffer offset

        gl, header = self._gl, self._texture.table.header
        first, end = header.first_mip, header.mip_count
        height, width = self._size(first)
        wrap = gl.GL_REPEAT if self._texture.wrap == "repeat" else gl.GL_CLAMP_TO_EDGE
        textures = {a_map.name: int(gl.glGenTextures(1)) for a_map in self.maps}
        for a_map in self.maps:
            gl.glBindTexture(gl.GL_TEXTURE_2D, textures[a_map.name])
            gl.glTexStorage2D(gl.GL_TEXTURE_2D, end - first, self._format(a_map), width, height)
            gl.glTexParameteri(gl.GL_TEXTURE_2D, gl.GL_TEXTURE_MIN_FILTER, gl.GL_LINEAR_MIPMAP_LINEAR)
            gl.glTexParameteri(gl.GL_TEXTURE_2D, gl.GL_TEXTURE_WRAP_S, wrap)
            gl.glTexParameteri(gl.GL_TEXTURE_2D, gl.GL_TEXTURE_WRAP_T, wrap)
        for mip in range(first, end):
            starts = self.run(mip)
            height, width = self._size(mip)
            gl.glBindBuffer(gl.GL_PIXEL_UNPACK_BUFFER, self.buffer)
            for a_map in self.maps:
                gl.glBindTexture(gl.GL_TEXTURE_2D, textures[a_map.name])
                place, start = (gl.GL_TEXTURE_2D, mip - first, 0, 0, width, height), ctypes.c_void_p(starts[a_map.name])
                if a_map.format == "rgba8":
                    gl.glTexSubImage2D(*place, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, start)
                else:
                    size = 4 * int(np.prod(a_map.shape(height, width)))
                    glCompressedTexSubImage2D(*place, self._format(a_map), size, start)
            gl.glBindBuffer(gl.GL_PIXEL_UNPACK_BUFFER, 0)
        return textures

    def delete(self) -> None:
        """Free the program and the buffers. Textures and a buffer of words that was passed in stay."""
        self._program.delete()
        self._gl.glDeleteBuffers(2, [self._table, self.buffer])
        if self._owned:
            self._words.delete()

    def _size(self, mip: int) -> tuple[int, int]:
        header = self._texture.table.header
        return mip_shape(header.height, header.width, mip, header.first_mip, header.mip_count - 1)

    def _format(self, a_map: BlockMap) -> int:
        name = _FORMATS[a_map.format][a_map.srgb]
        return _EXTENSIONS.get(name) or getattr(self._gl, name)
