"""Small textures: stored as texels, where those take no more than a file of Gaussians does anyway."""

from collections.abc import Sequence

import numpy as np

from gstex.arrays import U8Array
from gstex.encode.problem import Task
from gstex.format.layout import raw_words

__all__ = ["as_texels", "suits_texels"]

# Up to this size a quality preset stores all mips as texels, which are exact to 8 bits: 32x32 of four channels. A fit
# of so few texels spends as much on its tables as on what it shows.
TEXEL_BYTES = 6144


def suits_texels(tasks: Sequence[Task]) -> bool:
    """Whether a quality preset stores texels: for few of them, and for ramps of one row or column, of which block
    codecs, with blocks of 4x4, take as many bytes."""
    height, width = tasks[0].target.image.shape[:2]
    return min(height, width) == 1 or 4 * _texel_words(tasks) <= TEXEL_BYTES


def _texel_words(tasks: Sequence[Task]) -> int:
    """Words of all mips if they are stored as texels."""
    count = -(-tasks[0].target.channels // 4)
    sizes = [task.target.image.shape[:2] for task in tasks]
    mips = sum(raw_words(width, height, count) for height, width in sizes)
    return mips


def as_texels(tasks: Sequence[Task]) -> list[U8Array]:
    """uint8 [h, w, C] of every mip."""
    return [np.rint(np.clip(task.target.image, 0, 1) * 255).astype(np.uint8) for task in tasks]
