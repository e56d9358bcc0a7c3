"""Decode and sample on an NVIDIA GPU, with the same results as `gstex.Texture` on the CPU.

Arrays stay where they are: tensors of torch and arrays of CuPy on the GPU are read and written without a copy, in
torch's or CuPy's current stream. Nothing here is differentiable; tensors that come back have no gradient.

Every group has a kernel launch of its own, and all constant channels share one.
"""

from __future__ import annotations

import numpy as np

from gstex.arrays import GpuArray, U32Array
from gstex.blocks import Rectangle, check_rectangle, mip_shape
from gstex.constants import TILE
from gstex.cuda.arrays import ArrayOrTensor, Arrays, Numbers
from gstex.cuda.device import Device, open_device
from gstex.errors import UsageError
from gstex.format import GroupTable, validate
from gstex.format.upload import uploaded_words
from gstex.texture import Texture

__all__ = ["GpuTexture"]

_TILE_WIDTH, _TILE_HEIGHT, _TILES_OF_BLOCK = TILE, 2 * TILE, 4  # decode/mip.cu
_THREADS = 128  # decode/sample.cu, decode/constants.cu
_BLOCK = (32, 4)  # decode/fetch.cu


class GpuTexture:
    """One material on the GPU.

    texture: a `Texture`, or uint32 [n], the words of a GPU section or of its resident part alone.
    device: where to run; by default the GPU that `open_device` finds.
    table: the validated words, see `gstex.format.validate`. words: the words on the device.

    Raises:
        DeviceError: there is no working GPU. FormatError: the words break a rule of docs/format.md.
    """

    def __init__(self, texture: Texture | U32Array, device: Device | None = None):
        # Kernels do not check the words, so they are validated here.
        self.table = texture.table if isinstance(texture, Texture) else validate(texture)
        self.device = device or open_device("cuda")
        self._arrays = Arrays(self.device)
        header = self.table.header
        self.words = self.device.xp.asarray(uploaded_words(self.table))
        self.device.synchronize()  # kernels may run in streams other than that of this copy
        self.width, self.height, self.mip_count = header.width, header.height, header.mip_count
        self.channels = len(header.channels)
        self.gpu_bytes = self.words.nbytes

    def decode(self, mip: int = 0, *, out: ArrayOrTensor | None = None) -> ArrayOrTensor:
        """Decode all texels of a mip.

        Args:
            mip: as of `Texture.decode`.
            out: where to write: contiguous float32 [H, W, C], an array or a torch tensor on the device.

        Returns:
            `out`, or a new array of the device (CuPy): float32 [H, W, C] in 0..1, row 0 = top, in the encoding of the
            source maps, channels as in `Texture.decode`.

        Raises:
            UsageError: no such mip, or an `out` of another shape or kind.
        """
        height, width = self.mip_shape(mip)
        shape = height, width, self.channels
        out = self.device.xp.empty(shape, np.float32) if out is None else self._arrays.check_out(out, shape)
        tiles = -(-width // _TILE_WIDTH) * -(-height // _TILE_HEIGHT)
        for number, group in enumerate(self.table.groups):
            if _in_tiles(group, mip, width, height):
                kernel = self.device.kernel("decode/mip.cu", "decode_mip", {"MEMBERS": len(group.header.members)})
                kernel((-(-tiles // _TILES_OF_BLOCK),), (32 * _TILES_OF_BLOCK,), self.words, np.int32(number),
                       np.int32(mip), out)  # fmt: skip
            else:
                self._launch_texels("fetch", number, mip, width, height, out)
        self._write_constants(width * height, out)
        return out

    def decode_rectangle(self, mip: int, rectangle: Rectangle) -> GpuArray:
        """Decode a part of a mip, each texel by itself.

        Args:
            mip: as of `Texture.decode`.
            rectangle: (left, top, width, height) as for `gstex.blocks.check_rectangle`.

        Returns:
            As of `decode`, for the rectangle.

        Raises:
            UsageError: no such mip or rectangle.
        """
        left, top, width, height = check_rectangle(rectangle, *self.mip_shape(mip))
        out = self.device.xp.empty((height, width, self.channels), np.float32)
        for number, group in enumerate(self.table.groups):
            kernel = self.device.kernel("transcode/rectangle.cu", "fetch_rectangle", _defines(group))
            grid = -(-width // _BLOCK[0]), -(-height // _BLOCK[1])
            kernel(grid, _BLOCK, self.words, np.int32(number), np.int32(mip), np.int32(left), np.int32(top),
                   np.int32(width), np.int32(height), out)  # fmt: skip
        self._write_constants(width * height, out)
        return out

    def mip_shape(self, mip: int) -> tuple[int, int]:
        """(height, width) of a mip in texels. Raises: UsageError: the words do not hold it."""
        return mip_shape(self.height, self.width, mip, self.table.header.first_mip, self.mip_count - 1)

    def candidates(self, mip: int = 0) -> GpuArray:
        """The number of candidates of each texel, over all groups: int32 [H, W], an array of the device.

        A group that stores the mip as plain texels adds none.
        """
        height, width = self.mip_shape(mip)
        out = self.device.xp.zeros((height, width), np.int32)
        for number in range(len(self.table.groups)):
            self._launch_texels("count_candidates", number, mip, width, height, out)
        return out

    def sample(
        self, uv: Numbers, lod: Numbers | None = None, *, duv: Numbers | None = None, filter: str | None = None
    ) -> Numbers:
        """Evaluate at arbitrary points: docs/format.md, "Sampling". In float32, like a shader.

        Args:
            uv, lod, duv, filter: as of `Texture.sample`; uv [M, 2], lod a number or [M], duv [M, 2, 2]. They may be
                arrays of NumPy or CuPy or tensors of torch. Values on the GPU are not checked: a point that is not
                finite gives an arbitrary value of the texture.

        Returns:
            float32 [M, C] in 0..1 of the same kind as uv: CuPy for CuPy, a tensor on its device for a tensor, NumPy
            for NumPy and lists.

        Raises:
            UsageError: an array has another shape or, in NumPy, holds NaN or infinity; both lod and duv are given; or
                the filter is unknown.
        """
        if lod is not None and duv is not None:
            raise UsageError("lod and duv: got both, expected one of them; drop one")
        if filter not in (None, "direct", "bilinear"):
            raise UsageError(f"filter: got {filter!r}, expected 'direct' or 'bilinear'")
        bilinear = self.table.header.bilinear if filter is None else filter == "bilinear"
        arrays = self._arrays
        with self.device.on_stream_of(uv):
            points = arrays.floats("uv", uv, (None, 2))
            count = points.shape[0]
            mode, detail = 0, points  # mode 0 does not read it
            if duv is not None:
                mode, detail = 2, arrays.floats("duv", duv, (count, 2, 2))
            elif lod is not None:
                lod = np.full(count, lod, np.float64) if np.ndim(lod) == 0 else lod
                mode, detail = 1, arrays.floats("lod", lod, (count,))
            out = arrays.empty_like(points, (count, self.channels))
            if count:
                for number, group in enumerate(self.table.groups):
                    kernel = self.device.kernel("decode/sample.cu", "sample", {**_defines(group), "MODE": mode})
                    kernel((-(-count // _THREADS),), (_THREADS,), self.words, np.int32(number), points, detail,
                           np.int32(bilinear), np.int64(count), out)  # fmt: skip
                self._write_constants(count, out)
            return arrays.back(out, uv)

    # ---- Kernels ----------------------------------------------------------------------------------------------------

    def _launch_texels(self, name: str, group: int, mip: int, width: int, height: int, out: ArrayOrTensor) -> None:
        kernel = self.device.kernel("decode/fetch.cu", name, _defines(self.table.groups[group]))
        grid = -(-width // _BLOCK[0]), -(-height // _BLOCK[1])
        kernel(grid, _BLOCK, self.words, np.int32(group), np.int32(mip), out)

    def _write_constants(self, count: int, out: ArrayOrTensor) -> None:
        """Write the constant channels of `count` texels or points."""
        if any(channel.constant is not None for channel in self.table.header.channels):
            kernel = self.device.kernel("decode/constants.cu", "write_constants")
            kernel((-(-count // _THREADS),), (_THREADS,), self.words, np.int64(count), out)


def _defines(group: GroupTable) -> dict[str, int | str]:
    return {"MEMBERS": len(group.header.members), "TOP_K": int(group.header.top_k > 0)}


def _in_tiles(group: GroupTable, mip: int, width: int, height: int) -> bool:
    """Whether mip.cu can decode the mip. With cells smaller than texels, tiles read more cells than texels see."""
    table = group.mips[mip]
    if table.raw or group.header.top_k:
        return False
    levels = table.levels if table.filter is None else group.mips[0].levels
    return all(level.layout.cells_x <= width and level.layout.cells_y <= height for level in levels)
