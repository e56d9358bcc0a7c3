"""Labelled pictures side by side, for the benches that show what they measure."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from contact_sheet import label_strip
from PIL import Image

from gstex.arrays import U8Array

__all__ = ["from_text", "sheet", "to_text"]

_GAP = 6
_GREY = 24


def sheet(rows: Sequence[Sequence[tuple[str, U8Array]]], *, times: int) -> U8Array:
    """Draw rows of (label, picture uint8 [h, w, 3]), each texel `times` x `times` pixels: uint8 [h, w, 3]."""
    drawn = []
    for row in rows:
        cells = [np.pad(_cell(label, picture, times), ((0, 0), (0, _GAP), (0, 0)), constant_values=_GREY)
                 for label, picture in row]  # fmt: skip
        drawn.append(np.concatenate(cells, axis=1)[:, :-_GAP])
    width = max(row.shape[1] for row in drawn)
    padded = [np.pad(r, ((0, _GAP), (0, width - r.shape[1]), (0, 0)), constant_values=_GREY) for r in drawn]
    return np.concatenate(padded, axis=0)[:-_GAP]


def _cell(label: str, picture: U8Array, times: int) -> U8Array:
    large = picture.repeat(times, axis=0).repeat(times, axis=1)
    return np.concatenate([label_strip(label, large.shape[1]), large], axis=0)


def to_text(picture: U8Array) -> str:
    """A picture uint8 [h, w, 3] as text that a stored row can hold."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def from_text(text: str) -> U8Array:
    """The inverse of `to_text`: uint8 [h, w, 3]."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
