"""A small compressed material with its source, and what the tests of the viewer share."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from small_samples import crop_sample

import gstex
from gstex.errors import GstexError

SIZE = 40


@dataclass(frozen=True)
class Sample:
    """file: a .gstex of 40x40 texels with 8 channels that repeats. source: the folder that it was made from."""

    file: Path
    source: Path


def make_sample(folder: Path) -> Sample:
    source = crop_sample("vine_leaves", folder / "leaves", SIZE)
    texture = gstex.compress(source, bpp=6, effort="fast", wrap="repeat")
    texture.save(folder / "leaves.gstex")
    return Sample(folder / "leaves.gstex", source)


@cache
def why_no_gl() -> str:
    """Why nothing can be drawn here; '' if it can."""
    from gstex.gl import surfaceless

    try:
        with surfaceless():
            return ""
    except GstexError as error:
        return f"needs EGL and OpenGL 4.3: {error}"


def need_gl() -> None:
    """Skip what draws where nothing can."""
    if reason := why_no_gl():
        pytest.skip(reason)


def to_bytes(picture: np.ndarray) -> np.ndarray:
    """float [..., 3] in 0..1 -> int [..., 3] in 0..255."""
    return np.rint(np.clip(picture, 0, 1) * 255).astype(int)
