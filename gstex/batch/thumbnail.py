"""A small picture of a material for its row of the page."""

import base64
import tempfile
from pathlib import Path

import numpy as np

from gstex.material.images import write_picture
from gstex.texture import Texture

__all__ = ["SIDE", "thumbnail"]

SIDE = 64  # pixels of the longer side
_FIRST = ("albedo", "color", "emissive", "specular", "normal")


def thumbnail(texture: Texture) -> str:
    """The first map of _FIRST that the material has, else its first map, as a JPEG file in base64 of about 2 KB.

    Raises:
        OutputError: there is no room for a temporary file.
    """
    longest = max(texture.width, texture.height)
    width, height = (max(1, round(SIDE * side / longest)) for side in (texture.width, texture.height))
    stack = texture.resized(width, height)
    channels = texture.material["channels"]
    roles = [channel["role"] for channel in channels]
    role = next((role for role in _FIRST if role in roles), roles[0])
    picked = [i for i, r in enumerate(roles) if r == role][:3]
    picture = np.clip(stack[:, :, picked], 0, 1)
    if picture.shape[2] == 2:  # X and Y of a normal
        xy = 2 * picture - 1
        z = np.sqrt(np.clip(1 - (xy**2).sum(axis=2, keepdims=True), 0, 1))
        picture = np.concatenate([picture, (z + 1) / 2], axis=2)
    codes = np.rint(picture * 255).astype(np.uint8)
    with tempfile.TemporaryDirectory(prefix="gstex-") as folder:
        path = Path(folder) / "thumbnail.jpg"
        write_picture(path, codes)
        return base64.b64encode(path.read_bytes()).decode()
