"""A large drawn material of 8 channels: a mosaic of the pictures of make_samples.py.

The pictures are drawn at 256x256 and repeated, each time shifted, so that the material has as much detail per texel as
the samples. At a larger size the functions of make_samples.py would draw larger shapes, and a smooth picture says
nothing about a fit.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import make_samples
import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

__all__ = ["draw", "stacks", "write_material"]

_TILE = 256


@cache
def stacks() -> list[NDArray[np.uint8]]:
    """uint8 [256, 256, 9] each: colour, normal, then occlusion, roughness and one more map of the material."""
    steel, bricks = make_samples.rusted_steel(), make_samples.weathered_bricks()
    names = ("albedo", "normal", "ao", "roughness")
    maps = [bricks[f"weathered_bricks_{name}.png"] for name in names]
    height = (bricks["weathered_bricks_height.png"] >> 8).astype(np.uint8)
    stacks = [steel[f"RustedSteel_{name}.png"] for name in ("baseColor", "normal", "orm")], [*maps, height]
    return [np.dstack(stack).astype(np.uint8) for stack in stacks]


def draw(size: int) -> dict[str, NDArray[np.uint8]]:
    """The maps by file name, uint8 [size, size, 3] each. The same pixels every time."""
    rng, count = np.random.default_rng(7), -(-size // _TILE)
    rows = []
    for row in range(count):
        tiles = [stacks()[(row + column) % 2] for column in range(count)]
        rows.append(np.concatenate([np.roll(tile, rng.integers(0, _TILE, 2), (0, 1)) for tile in tiles], axis=1))
    whole = np.concatenate(rows)[:size, :size]
    names = ("basecolor", "normal", "orm")
    return {f"mosaic_{name}.png": np.ascontiguousarray(whole[:, :, 3 * k : 3 * k + 3]) for k, name in enumerate(names)}


def write_material(folder: Path, size: int) -> Path:
    """Write the maps into a folder unless they exist; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in draw(size).items():
        image = oiio.ImageBuf(pixels)
        image.specmod().attribute("png:compressionLevel", 1)
        if not (folder / name).exists() and not image.write(str(folder / name)):
            raise OSError(f"{folder / name}: {image.geterror()}")
    return folder
