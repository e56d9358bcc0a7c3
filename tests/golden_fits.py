"""Small fits of every kind, whose files are the same on every CPU: their digests stand in data/golden_fits.json.

    python tests/golden_fits.py [NAME ..]    print {name: digest} as JSON: of some, or of all
    python tests/golden_fits.py --write      write the digests of all; whoever changes what a fit gives says why

Inputs are made of whole numbers, so that no function of NumPy has a part in them.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import gstex
from gstex.json_types import JsonObject
from gstex.material import Channel, Material

__all__ = ["CASES", "GOLDEN", "QUICK", "digest"]

GOLDEN = Path(__file__).resolve().parent / "data" / "golden_fits.json"
RGB = [("albedo", c, "srgb") for c in "rgb"]


def hashed(height: int, width: int, salt: int) -> np.ndarray:
    """Whole numbers in 0..255 without order, [height, width]."""
    n = np.arange(height * width, dtype=np.uint64).reshape(height, width) + np.uint64(salt << 20)
    for factor in (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93):
        n = (n ^ (n >> np.uint64(32))) * np.uint64(factor)
    return (n >> np.uint64(56)).astype(np.int64)


def patches(height: int, width: int, salt: int) -> np.ndarray:
    """Patches of 8x8 with slopes and a little noise, in 0..255: [height, width]."""
    y, x = np.mgrid[:height, :width]
    base = hashed(height // 8 + 1, width // 8 + 1, salt)[y // 8, x // 8]
    slope = (x % 16 - 8) * (y % 24 - 12) // 3
    return np.clip(base // 2 + 64 + slope + hashed(height, width, salt + 1) // 32, 0, 255)


def disc(height: int, width: int) -> np.ndarray:
    """255 inside, 0 outside: [height, width]."""
    y, x = np.mgrid[:height, :width]
    return np.where((2 * y - height) ** 2 + (2 * x - width) ** 2 < (min(height, width) * 4 // 5) ** 2, 255, 0)


def material(planes: list[np.ndarray], roles: list[tuple[str, str, str]], wrap: str = "repeat") -> Material:
    channels = tuple(Channel(role, part, space, f"{role}.png", i, None, (0.0, 1.0))
                     for i, (role, part, space) in enumerate(roles))  # fmt: skip
    pixels = (np.stack(planes, axis=2) / 255).astype(np.float32)
    return Material("golden", pixels.shape[1], pixels.shape[0], (), channels, pixels, "gl", wrap)


def colours(height: int, width: int, wrap: str = "repeat") -> Material:
    return material([patches(height, width, 3 * i) for i in range(3)], RGB, wrap)


def stack(height: int, width: int) -> Material:
    roles = [*RGB, ("normal", "x", "linear"), ("normal", "y", "linear"), ("roughness", "v", "linear"),
             ("metallic", "v", "linear"), ("ao", "v", "linear")]  # fmt: skip
    planes = [patches(height, width, 3 * i // 2) for i in range(len(roles))]
    planes[6] = disc(height, width)
    return material(planes, roles)


def sprite(height: int, width: int) -> Material:
    planes = [patches(height, width, i) for i in range(3)]
    return material([*planes, disc(height, width)], [*RGB, ("opacity", "v", "linear")], "clamp")


def noise(height: int, width: int) -> Material:
    return material([hashed(height, width, i) for i in range(3)], RGB)


CASES: dict[str, tuple[Callable[[], Material], JsonObject]] = {
    "a stack of maps": (lambda: stack(40, 48), {"bpp": 4, "effort": "fast"}),
    "palettes, normal effort": (lambda: colours(64, 64), {"bpp": 3, "mips": False}),
    "noise, a grid": (lambda: noise(64, 64), {"bpp": 2, "effort": "fast", "mips": False}),
    "a sprite, bilinear": (lambda: sprite(37, 53), {"bpp": 4, "effort": "fast", "sampling": "bilinear"}),
    "one channel, many Gaussians": (lambda: material([patches(32, 32, 5)], [("height", "v", "linear")]),
                                    {"gaussians": 90, "effort": "fast", "seed": 7}),
    "perceptual": (lambda: colours(40, 32), {"bpp": 4, "effort": "fast", "loss": "perceptual", "mips": False}),
    "a draft": (lambda: stack(72, 80), {"bpp": 3, "effort": "draft"}),
    "restore": (lambda: colours(32, 40, "clamp"), {"loss": "restore", "bpp": 3.0, "mips": False}),
    "importance, kaiser": (lambda: colours(48, 40), {"bpp": 3, "effort": "fast", "importance": "auto",
                                                     "mip_filter": "kaiser"}),
    # Large enough for many tiles, and for shared mips that count.
    "a large stack": (lambda: stack(192, 224), {"bpp": 2, "effort": "fast"}),
}  # fmt: skip
# Of every kind of arithmetic some, for whoever has to wait.
QUICK = ("a stack of maps", "perceptual")


def digest(name: str) -> str:
    """SHA-256 of what a file of this case holds, without the version of gstex that wrote it."""
    make, options = CASES[name]
    texture = gstex.compress(make(), device="cpu", **options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "golden.gstex"
        texture.save(path)
        data = path.read_bytes()
    # The header holds checksums of what follows.
    return hashlib.sha256(data[64:].replace(f"gstex {gstex.__version__}".encode(), b"gstex")).hexdigest()


def main() -> None:
    write = "--write" in sys.argv[1:]
    digests = {name: digest(name) for name in [a for a in sys.argv[1:] if a != "--write"] or CASES}
    text = json.dumps(digests, indent=1)
    if write:
        GOLDEN.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
