"""Image files for the tests, made with Pillow and a bare PNG writer: nothing here goes through gstex."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def pattern(kind: str | int, height: int, width: int, seed: int) -> np.ndarray:
    """One channel, uint16 [height, width] over 0..65535.

    'wave' is seamless with a share of exact zeros and ones, 'ramp' has a seam, 'half' stays over one half, a
    number is that 8-bit code everywhere.
    """
    if isinstance(kind, int):
        return np.full((height, width), kind * 257, np.uint16)
    y, x = np.mgrid[0:height, 0:width] + 0.5
    if kind == "ramp":
        value = ((x / width + y / height) / 2) ** (1 + 0.2 * (seed % 7))
    else:
        phase = seed * 0.7
        wave_x, wave_y = np.sin(2 * np.pi * x / width + phase), np.cos(2 * np.pi * y / height + phase)
        value = 0.5 + 0.35 * wave_x + 0.35 * wave_y
        if kind == "half":
            value = 0.6 + 0.4 * value
    return np.rint(np.clip(value, 0, 1) * 65535).astype(np.uint16)


def channels(contents: tuple[str | int, ...], height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint16 [height, width, C]; the content 'grey' repeats the first channel, 'z' is the Z of the first two."""
    planes: list[np.ndarray] = []
    for i, c in enumerate(contents):
        if c == "z":
            x, y = (p / 32767.5 - 1 for p in planes[:2])
            planes.append(np.rint(np.sqrt(np.maximum(1 - x * x - y * y, 0)) * 32767.5 + 32767.5).astype(np.uint16))
        else:
            planes.append(pattern(contents[0] if c == "grey" else c, height, width, seed if c == "grey" else seed + i))
    return np.stack(planes, axis=2)


def to_8_bit(values: np.ndarray) -> np.ndarray:
    return np.rint(values / 257.0).astype(np.uint8)


def save(path: Path, mode: str, values: np.ndarray, **options: object) -> None:
    """Write uint16 values [H, W, C] as an image of a Pillow mode, or 'RGB16'."""
    if mode == "RGB16":
        path.write_bytes(png_bytes(values))
        return
    small = to_8_bit(values)
    if mode == "I;16":
        image = Image.fromarray(values[:, :, 0])
    elif mode == "P":
        image = Image.fromarray(small, "RGB").quantize(256)
    elif mode == "1":
        image = Image.fromarray(small[:, :, 0] > 127)
    else:
        image = Image.fromarray(small[:, :, 0] if mode == "L" else small).convert(mode)
    if path.suffix == ".jpg":
        options = {"quality": 95, "subsampling": 0, **options}
    image.save(path, **options)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bytes(values: np.ndarray, *, width: int | None = None, height: int | None = None) -> bytes:
    """A 16-bit PNG of uint16 [H, W, 1..4]. width and height lie about the size, for hostile headers."""
    h, w, c = values.shape
    rows = values.astype(">u2").tobytes()
    stride = w * c * 2
    raw = b"".join(b"\0" + rows[i * stride:(i + 1) * stride] for i in range(h))
    color = {1: 0, 2: 4, 3: 2, 4: 6}[c]
    size = (w if width is None else width, h if height is None else height)
    header = struct.pack(">IIBBBBB", *size, 16, color, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(raw)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks
