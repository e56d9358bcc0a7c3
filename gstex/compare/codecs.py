"""The block codecs that engines ship, each at the best setting of the best free encoder: image -> bytes -> image.

    bc1     quicktex level 18
    bc3     quicktex level 18 for the colour, the search of bc4.py for the alpha
    bc4/5   the search of bc4.py
    bc7     per block the better of ispc_texcomp 'slow' and etcpak (linear weights, uber level 4)
    astc-*  astcenc 'thorough' or 'exhaustive', all 14 two-dimensional block sizes

The encoders are optional packages, imported on first use. One image has 1 to 4 channels of 8 bits. This table shows how
they fill the texel of a codec; unused components do not count and cost no further bytes:

    channels   bc1     bc3    bc4   bc5   bc7      astc (swizzle, read back)
    1          -       -      R     -     -        RRR1, R
    2          R G 0   -      -     R G   R G 0 1  RRRG, R and A
    3          RGB     -      -     -     RGB 1    RGB1, RGB
    4          -       RGBA   -     -     RGBA     RGBA

Decoding: texture2ddecoder; bc4.py for BC4, BC5 and the alpha of BC3, which texture2ddecoder rounds down.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from types import ModuleType

import numpy as np

from gstex.arrays import F32Array, U8Array
from gstex.compare.bc4 import decode_bc4, encode_bc4
from gstex.errors import ExtraError, UsageError

__all__ = ["ASTC_BLOCKS", "CODECS", "Codec", "choose_codecs", "decode", "encode", "versions"]

ASTC_BLOCKS = (
    (4, 4), (5, 4), (5, 5), (6, 5), (6, 6), (8, 5), (8, 6), (10, 5), (10, 6), (8, 8), (10, 8), (10, 10), (12, 10),
    (12, 12),
)  # fmt: skip

# Import name -> name to install.
_PACKAGES = {
    "texture2ddecoder": "texture2ddecoder", "quicktex": "quicktex", "ispc_texcomp": "ispc_texcomp",
    "etcpak": "etcpak", "astc_encoder": "astc-encoder-py",
}  # fmt: skip
_INSTALL = "pip install gstex[compare]"


@dataclass(frozen=True)
class Codec:
    """One block format.

    name: 'bc7', 'astc-6x6'. family: 'bc' | 'astc'. block: texels across and down. block_bytes: bytes of a block.
    channels: how many channels an image may have. encoders: packages, any of which can encode it; empty if gstex
    does it itself.
    """

    name: str
    family: str
    block: tuple[int, int]
    block_bytes: int
    channels: tuple[int, ...]
    encoders: tuple[str, ...]

    @property
    def label(self) -> str:
        """'BC7', 'ASTC 6x6'."""
        return self.name.upper().replace("-", " ").replace("X", "x")

    def size(self, height: int, width: int) -> int:
        """Bytes of an image; blocks over its edges are whole ones."""
        return -(-width // self.block[0]) * -(-height // self.block[1]) * self.block_bytes


CODECS: dict[str, Codec] = {
    codec.name: codec
    for codec in (
        Codec("bc1", "bc", (4, 4), 8, (2, 3), ("quicktex",)),
        Codec("bc3", "bc", (4, 4), 16, (4,), ("quicktex",)),
        Codec("bc4", "bc", (4, 4), 8, (1,), ()),
        Codec("bc5", "bc", (4, 4), 16, (2,), ()),
        Codec("bc7", "bc", (4, 4), 16, (2, 3, 4), ("ispc_texcomp", "etcpak")),
        *(Codec(f"astc-{w}x{h}", "astc", (w, h), 16, (1, 2, 3, 4), ("astc_encoder",)) for w, h in ASTC_BLOCKS),
    )
}
# What `--codecs` may name, and what comes with it: BC1 and BC7 are not used for single channels, and engines store
# normals as BC5.
_GROUPS: dict[str, tuple[str, ...]] = {
    "bc1": ("bc1", "bc3", "bc4", "bc5"),
    "bc7": ("bc7", "bc4", "bc5"),
    **{name: (name,) for name in CODECS if name.startswith("astc")},
    "bc": ("bc1", "bc3", "bc4", "bc5", "bc7"),
    "astc": tuple(name for name in CODECS if name.startswith("astc")),
}


def choose_codecs(names: Sequence[str]) -> tuple[list[Codec], list[str]]:
    """Codecs by the names that `--codecs` takes: 'bc1', 'bc7', 'astc-6x6', ..., 'bc' and 'astc' for all of them.

    Returns:
        (codecs that can be used here, one sentence for each package that is missing).
    Raises:
        UsageError: an unknown name. ExtraError: nothing is left.
    """
    for name in names:
        if name not in _GROUPS:
            raise UsageError(f"codecs: got {name!r}, expected some of bc1, bc7, bc, astc, "
                             + ", ".join(n for n in CODECS if n.startswith("astc")))  # fmt: skip
    codec_names = dict.fromkeys(part for name in names for part in _GROUPS[name])
    chosen = [codec for codec in CODECS.values() if codec.name in codec_names]
    if chosen and not is_installed("texture2ddecoder"):
        raise ExtraError(f"comparing with block codecs needs texture2ddecoder: {_INSTALL}")
    missing = dict.fromkeys(p for codec in chosen for p in codec.encoders if not is_installed(p))
    usable = [codec for codec in chosen if not codec.encoders or any(is_installed(p) for p in codec.encoders)]
    lost = [codec for codec in chosen if codec not in usable]
    notes = []
    for package in missing:
        gone = [codec.label for codec in lost if package in codec.encoders]
        what = f"{_list(gone)} left out" if gone else "BC7 is encoded by the other encoder alone, up to 0.7 dB worse"
        notes.append(f"{_PACKAGES[package]} is not installed: {what}; {_INSTALL}")
    if lost and not any(codec.encoders for codec in usable):
        raise ExtraError(f"no encoder is installed for {_list([codec.label for codec in lost])}: {_INSTALL}")
    return usable, notes


def _list(labels: Sequence[str]) -> str:
    return f"{labels[0]} to {labels[-1]}" if len(labels) > 3 else ", ".join(labels)


def encode(codec: Codec, image: U8Array, *, alpha_weighted: bool = False, exhaustive: bool = False) -> bytes:
    """Encode one image.

    Args:
        codec: one that takes as many channels as the image has.
        image: uint8 [h, w, C], row 0 = top. Sizes that are no multiple of the block are padded with the last row
            and column.
        alpha_weighted: channel 3 says how much the others matter (ASTC only; other encoders have no such option).
        exhaustive: the slowest setting of astcenc, 0.1-0.4 dB better than 'thorough'.

    Returns:
        The codec's blocks, row by row, `codec.size(h, w)` bytes.
    """
    height, width, channels = image.shape
    if codec.family == "astc":
        return _encode_astc(codec, image, alpha_weighted=alpha_weighted, exhaustive=exhaustive)
    pad = [(0, -height % 4), (0, -width % 4), (0, 0)]
    image = np.pad(image, pad, mode="edge")
    if codec.name == "bc1":
        return _encode_bc1(_rgba(image), three_colors=True)
    if codec.name == "bc7":
        return _encode_bc7(_rgba(image))
    parts = [encode_bc4(image[:, :, c]) for c in range(channels)] if codec.name != "bc3" else [
        encode_bc4(image[:, :, 3]),
        np.frombuffer(_encode_bc1(_rgba(image), three_colors=False), np.uint8).reshape(-1, 8),
    ]  # fmt: skip
    return np.concatenate(parts, axis=1).tobytes()


def decode(codec: Codec, data: bytes, height: int, width: int, channels: int) -> F32Array:
    """Decode what `encode` returned -> float32 [height, width, channels] in 0..1."""
    if codec.family == "astc":
        rgba = _decode_rgba("astc", data, height, width, codec.block)
        return _unit(rgba[:, :, [0, 3] if channels == 2 else list(range(channels))])
    padded_height, padded_width = height + -height % 4, width + -width % 4
    blocks = np.frombuffer(data, np.uint8).reshape(-1, codec.block_bytes)
    if codec.name in ("bc4", "bc5"):
        planes = [decode_bc4(blocks[:, 8 * c : 8 * c + 8], padded_height, padded_width) for c in range(channels)]
        return np.stack(planes, axis=2)[:height, :width]
    result = _unit(_decode_rgba(codec.name, data, padded_height, padded_width)[:, :, :channels])
    if codec.name == "bc3":
        result[:, :, 3] = decode_bc4(blocks[:, :8], padded_height, padded_width)
    return result[:height, :width]


def versions(codec: Codec) -> dict[str, str]:
    """Versions of the packages that decide the codec's bytes, for cache keys. '1' is that of gstex's own search."""
    packages = {name: metadata.version(_PACKAGES[name]) for name in codec.encoders if is_installed(name)}
    return packages | ({"bc4": "1"} if codec.name in ("bc3", "bc4", "bc5") else {})


@cache
def _load(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def is_installed(name: str) -> bool:
    """Whether a package of encoders or decoders, by the name of its module, can be used."""
    return _load(name) is not None


def _module(name: str) -> ModuleType:
    module = _load(name)
    if module is None:
        raise ExtraError(f"needs {_PACKAGES[name]}: {_INSTALL}")
    return module


def _unit(image: U8Array) -> F32Array:
    return image.astype(np.float32) / np.float32(255)


def _rgba(image: U8Array) -> U8Array:
    """uint8 [h, w, C] -> [h, w, 4], missing colours 0 and missing alpha 255."""
    result = np.zeros((*image.shape[:2], 4), np.uint8)
    result[:, :, 3] = 255
    result[:, :, : image.shape[2]] = image
    return result


def _encode_bc1(rgba: U8Array, *, three_colors: bool) -> bytes:
    """Encode BC1 blocks. three_colors: whether blocks of three colours and black may be used, which BC3 does not allow.

    Their black has an alpha of 0, which is not read.
    """
    quicktex, bc1 = _module("quicktex"), _module("quicktex.s3tc.bc1")
    rgba = rgba.copy()
    rgba[:, :, 3] = 255
    height, width = rgba.shape[:2]
    mode = bc1.BC1Encoder.ColorMode
    encoder = bc1.BC1Encoder(18, mode.ThreeColorBlack if three_colors else mode.FourColor)
    return encoder.encode(quicktex.RawTexture.frombytes(rgba.tobytes(), width, height)).tobytes()


def _encode_bc7(rgba: U8Array) -> bytes:
    """For each block the better result of two encoders, since each finds solutions that the other misses."""
    height, width = rgba.shape[:2]
    tries = []
    if is_installed("ispc_texcomp"):
        ispc = _module("ispc_texcomp")
        settings = ispc.BC7EncSettings.from_profile("slow" if (rgba[:, :, 3] == 255).all() else "alpha_slow")
        tries.append(ispc.compress_blocks_bc7(ispc.RGBASurface(rgba.tobytes(), width, height), settings))
    if is_installed("etcpak"):
        etcpak = _module("etcpak")
        settings = etcpak.BC7CompressBlockParams()
        settings.init_linear_weights()  # the default is perceptual weights, 0.4-1.1 dB worse
        settings.m_uber_level = 4
        settings.m_mode17_partition_estimation_filterbank = False
        tries.append(etcpak.compress_bc7(rgba.tobytes(), width, height, settings))
    blocks = np.stack([np.frombuffer(data, np.uint8).reshape(-1, 16) for data in tries])  # [tries, n, 16]
    errors = []
    for data in tries:
        difference = _decode_rgba("bc7", data, height, width).astype(np.int64) - rgba
        squared = (difference**2).sum(axis=2).reshape(height // 4, 4, width // 4, 4)
        errors.append(squared.sum(axis=(1, 3)).ravel())
    best = np.argmin(errors, axis=0)  # [n]
    return blocks[best, np.arange(blocks.shape[1])].tobytes()


def _encode_astc(codec: Codec, image: U8Array, *, alpha_weighted: bool, exhaustive: bool) -> bytes:
    astc = _module("astc_encoder")
    height, width, channels = image.shape
    # Two channels are stored as luminance and alpha, which astcenc expects of a normal map: it then counts the
    # error of those two alone, and searches harder.
    flags = astc.ASTCConfigFlags.USE_DECODE_UNORM8
    if channels == 2:
        flags |= astc.ASTCConfigFlags.MAP_NORMAL
    if alpha_weighted:
        flags |= astc.ASTCConfigFlags.USE_APLHA_WEIGHT  # spelt so
    preset = astc.ASTCQualityPreset.EXHAUSTIVE if exhaustive else astc.ASTCQualityPreset.THOROUGH
    config = astc.ASTCConfig(astc.ASTCProfile.LDR, *codec.block, 1, preset, flags)
    # from_str changes its argument to upper case in place, so the argument must be upper case already.
    swizzle = astc.ASTCSwizzle.from_str(("RRR1", "RRRG", "RGB1", "RGBA")[channels - 1])
    source = astc.ASTCImage(astc.ASTCType.U8, width, height, 1, _rgba(image).tobytes())
    return astc.ASTCContext(config, threads=1).compress(source, swizzle)


def _decode_rgba(name: str, data: bytes, height: int, width: int, block: tuple[int, int] | None = None) -> U8Array:
    """uint8 [height, width, 4], by texture2ddecoder, which returns BGRA."""
    decoder = getattr(_module("texture2ddecoder"), f"decode_{name}")
    bgra = np.frombuffer(decoder(data, width, height, *(block or ())), np.uint8)
    return bgra.reshape(height, width, 4)[:, :, [2, 1, 0, 3]]
