"""Blocks of 4x4 texels, the encoders of the shaders and kernels, decoders, and a plain encoder to be no worse than."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import texture2ddecoder
from cuda_host import HostDevice

from gstex.compare.bc4 import decode_bc4
from gstex.gl import compute_program
from gstex.gl.context import import_gl

Rounding = Callable[[np.ndarray], np.ndarray]

SHADERS = Path(__file__).parent / "glsl"
# Format: its number in shaders/bc7.glsl, the words of a block, the channels that it holds.
FORMATS = {"bc1": (1, 2, 3), "bc4": (4, 2, 1), "bc5": (5, 4, 2), "bc7": (7, 4, 4), "bc7 opaque": (8, 4, 3)}


def blocks_of_all_kinds() -> np.ndarray:
    """uint8 [n, 16, 4]: even ones, two colours, ramps, noise of any strength, and alpha of several kinds."""
    rng = np.random.default_rng(7)

    def colors(count: int) -> np.ndarray:
        return rng.integers(0, 256, (count, 1, 4))

    even = np.concatenate([np.broadcast_to(np.arange(0, 256, 5)[:, None, None], (52, 1, 4)), colors(60)])
    first, second, share = colors(120), colors(120), rng.integers(0, 2, (120, 16, 1))
    ramp = rng.integers(0, 16, (120, 16, 1)) / 15
    strength = np.exp2(rng.uniform(0, 7, (200, 1, 4)))
    noise = colors(200) + strength * rng.normal(size=(200, 16, 4))
    planes = colors(100) + np.cumsum(rng.normal(size=(100, 16, 4)) * 4, axis=1)
    kinds = [
        np.broadcast_to(even, (112, 16, 4)), first * share + second * (1 - share),
        first * ramp + second * (1 - ramp), noise, planes,
    ]  # fmt: skip
    blocks = np.clip(np.concatenate(kinds).round(), 0, 255).astype(np.uint8)
    blocks[::3, :, 3] = 255
    blocks[1::6, :, 3] = np.where(blocks[1::6, :, 3] > 127, 255, 0)
    return blocks


def encode_by_cuda(blocks: np.ndarray, name: str) -> np.ndarray:
    """uint32 [n, 2 or 4]: by cuda/transcode/blocks.cu on the host that stands in for a GPU."""
    code, words, _ = FORMATS[name]
    values = blocks.reshape(-1, 4, 4, 4).transpose(1, 0, 2, 3).reshape(4, -1, 4).astype(np.float32) / np.float32(255)
    out = np.full((len(blocks), words), 0xDDDDDDDD, np.uint32)
    sources = [np.int32(source) for source in (0, 1, 2, 3)]
    kernel = HostDevice().kernel("transcode/blocks.cu", "encode_blocks")
    kernel((-(-len(blocks) // 64),), (64,), np.ascontiguousarray(values), np.int32(4 * len(blocks)), np.int32(4),
           np.int32(4), np.int32(code), *sources, out)  # fmt: skip
    return out


def encode_by_glsl(blocks: np.ndarray, name: str) -> np.ndarray:
    """uint32 [n, 2 or 4]: by shaders/bc.glsl in the current context."""
    gl, (code, words, _) = import_gl(), FORMATS[name]
    program = compute_program(SHADERS / "bc_blocks.comp")
    texels, out = np.ascontiguousarray(blocks).view(np.uint32), np.zeros((len(blocks), 4), np.uint32)
    buffers = gl.glGenBuffers(2)
    for binding, (handle, data) in enumerate(zip(buffers, (texels, out), strict=True), 1):
        gl.glBindBuffer(gl.GL_SHADER_STORAGE_BUFFER, handle)
        gl.glBufferData(gl.GL_SHADER_STORAGE_BUFFER, data.nbytes, data, gl.GL_STATIC_DRAW)
        gl.glBindBufferBase(gl.GL_SHADER_STORAGE_BUFFER, binding, handle)
    program.set(format=code, count=len(blocks))
    gl.glDispatchCompute(-(-len(blocks) // 32), 1, 1)
    gl.glMemoryBarrier(gl.GL_ALL_BARRIER_BITS)
    found = np.array(gl.glGetBufferSubData(gl.GL_SHADER_STORAGE_BUFFER, 0, out.nbytes), np.uint8).view(np.uint32)
    gl.glDeleteBuffers(2, buffers)
    program.delete()
    return found.reshape(-1, 4)[:, :words]


def decode_blocks(encoded: np.ndarray, name: str) -> np.ndarray:
    """float [n, 16, channels], 0 .. 255, in the values of Direct3D 11: not rounded but in BC7."""
    if name == "bc1":
        return _decode_bc1(encoded)
    bytes_of = np.ascontiguousarray(encoded).view(np.uint8)
    height = 4 * len(encoded)
    if name.startswith("bc7"):
        bgra = texture2ddecoder.decode_bc7(bytes_of.tobytes(), 4, height)
        return np.frombuffer(bgra, np.uint8).reshape(-1, 16, 4)[:, :, [2, 1, 0, 3]].astype(float)
    halves = [bytes_of[:, 8 * c : 8 * c + 8] for c in range(FORMATS[name][2])]
    return np.stack([255.0 * decode_bc4(half, height, 4).reshape(-1, 16) for half in halves], axis=2)


def _decode_bc1(encoded: np.ndarray) -> np.ndarray:
    pair = np.stack([encoded[:, 0] & 0xFFFF, encoded[:, 0] >> 16], axis=1).astype(np.int64)  # [n, 2]
    r, g, b = pair >> 11, pair >> 5 & 63, pair & 31
    ends = np.stack([r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2], axis=2).astype(float)  # [n, 2, 3]
    four = (pair[:, 0] > pair[:, 1])[:, None]
    lo, hi = ends[:, 0], ends[:, 1]
    palette = np.stack([lo, hi, np.where(four, (2 * lo + hi) / 3, (lo + hi) / 2), (lo + 2 * hi) / 3 * four], axis=1)
    index = encoded[:, 1:2] >> np.arange(0, 32, 2, dtype=np.uint32) & 3
    return np.take_along_axis(palette, index.astype(np.int64)[:, :, None], axis=1)


def plain_error(texels: np.ndarray, name: str) -> float:
    """The squared error of one block [16, channels] by the textbook: the axis of the singular value decomposition, its
    ends at the outermost texels and rounded, and the nearest value for every texel. BC7 in mode 6 alone."""
    texels = texels.astype(float)
    if name in ("bc4", "bc5"):
        return sum(_plain_line(texels[:, c : c + 1], np.round, np.round, 7) for c in range(texels.shape[1]))
    if name == "bc1":
        return _plain_line(texels, _as_565, _as_565, 3)
    ways = [lambda x: 2 * np.clip(np.round(x / 2), 0, 127), lambda x: 2 * np.clip(np.round((x - 1) / 2), 0, 127) + 1]
    return min(_plain_line(texels, of_lo, of_hi, 15) for of_lo in ways for of_hi in ways)


def _as_565(color: np.ndarray) -> np.ndarray:
    bits = np.array([5, 6, 5])
    code = np.round(color / 255 * (2**bits - 1)).astype(int)
    return (code << (8 - bits) | code >> (2 * bits - 8)).astype(float)


def _plain_line(texels: np.ndarray, of_lo: Rounding, of_hi: Rounding, n: int) -> float:
    mean = texels.mean(axis=0)
    axis = np.linalg.svd(texels - mean)[2][0]
    along = (texels - mean) @ axis
    lo, hi = (np.clip(mean + reach * axis, 0, 255) for reach in (along.min(), along.max()))
    share = np.arange(n + 1)[:, None] / n
    if n == 15:  # BC7 has its shares in 64ths
        share = np.floor(share * 64 + 0.5) / 64
    values = of_lo(lo) * (1 - share) + of_hi(hi) * share  # [n + 1, channels]
    if n == 15:
        values = np.round(values)
    return float(((texels[:, None] - values) ** 2).sum(axis=2).min(axis=1).sum())
