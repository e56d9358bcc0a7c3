"""One picture of a material before and after: original, decoded and error, a row for every map.

The picture is for people: colours are shown as they look, normals with their Z, data as grey. Nothing is measured here.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import OpenImageIO as oiio

from gstex.arrays import F32Array, U8Array
from gstex.json_types import JsonView
from gstex.view.maps import list_maps, shown

__all__ = ["contact_sheet", "label_strip"]

_WIDTH = 1600  # pixels at most: three columns and the gaps between them
_HEIGHT = 2048  # pixels of one map, at most
_GAP = 8
_LABEL = 26  # pixels, height of a line of text
_GREY = 24  # background of the sheet, 0..255
_GAINS = (1, 2, 4, 8, 16, 32, 64)


def contact_sheet(
    original: F32Array,
    decoded: F32Array,
    channels: Sequence[JsonView],
    psnr_by_map: Mapping[str, float | None] | None = None,
) -> U8Array:
    """Draw original, decoded and error of every map, a row each.

    Args:
        original: [H, W, C] float32 in 0..1, as `Material.pixels`; row 0 = top.
        decoded: the result of `Texture.decode`, in the same form.
        channels: one mapping per channel with role, component, color_space and file, as in
            `Material.to_metadata()["channels"]`.
        psnr_by_map: dB by role, for the labels; None stands for an exact map.

    Returns:
        [h, w, 3] uint8 sRGB, at most 1600 wide and 2048 a map high: small maps are enlarged by whole numbers,
        large ones shrunk. The error is the absolute difference of what is shown times the gain in its label.
    """
    rows = []
    for a_map in list_maps({"channels": list(channels)}, len(channels)):
        role = channels[a_map.channels[0]]["role"]
        before, after = shown(original, a_map), shown(decoded, a_map)
        error = np.abs(after - before)
        gain = _gain(error)
        quality = ""
        if psnr_by_map is not None and role in psnr_by_map:
            psnr = psnr_by_map[role]
            quality = ": exact" if psnr is None else f": {psnr:.1f} dB"
        labels = (f"{role}: {a_map.file}", f"decoded{quality}", f"error x {gain}")
        cells = [_cell(picture, label) for picture, label in
                 zip((before, after, np.minimum(error * gain, 1)), labels, strict=True)]
        rows.append(_join(cells, axis=1))
    return _join(rows, axis=0)


def label_strip(
    text: str, width: int, height: int = 24, *, at: tuple[int, int] = (4, 17), size: int = 14
) -> U8Array:
    """A line of text on dark grey, uint8 [height, width, 3]. at: (x, y) where its baseline begins."""
    strip = oiio.ImageBuf(np.full((height, width, 3), _GREY, np.uint8))
    # The font comes with OpenImageIO. The strip stays empty if the font is missing.
    oiio.ImageBufAlgo.render_text(strip, *at, text, size, "DroidSans", (0.9, 0.9, 0.9))
    strip.geterror()
    return np.asarray(strip.get_pixels(oiio.UINT8))


def _gain(error: F32Array) -> int:
    """The largest gain that leaves 99 % of the errors inside the picture's range."""
    high = float(np.quantile(error, 0.99))
    return max((g for g in _GAINS if g * high <= 1), default=1)


def _cell(picture: F32Array, label: str) -> U8Array:
    """A labelled picture [h, w, 3] uint8 that fits one of the three columns."""
    column = (_WIDTH - 2 * _GAP) // 3
    pixels = _scaled(picture, column, _HEIGHT)
    height, width = pixels.shape[:2]
    cell = np.full((height + _LABEL, max(width, 240), 3), _GREY, np.uint8)
    cell[:_LABEL] = label_strip(label, cell.shape[1], _LABEL, at=(2, 18), size=16)
    cell[_LABEL:, :width] = np.rint(pixels * 255).astype(np.uint8)
    return cell


def _scaled(picture: F32Array, column: int, row: int) -> F32Array:
    """The picture in `column` x `row` pixels: enlarged by repeating texels or shrunk by averaging blocks."""
    height, width = picture.shape[:2]
    times = min(column // width, row // height)
    if times > 0:
        return picture.repeat(times, axis=0).repeat(times, axis=1)
    block = max(math.ceil(width / column), math.ceil(height / row))
    down, across = min(block, height), min(block, width)
    blocks = picture[: height // down * down, : width // across * across]
    blocks = blocks.reshape(height // down, down, width // across, across, 3)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def _join(parts: Sequence[U8Array], axis: int) -> U8Array:
    """Pictures [h, w, 3] side by side (axis 1) or one below the other (axis 0), with gaps."""
    other = 1 - axis
    length = max(p.shape[other] for p in parts)
    padded = []
    for number, part in enumerate(parts):
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[other] = (0, length - part.shape[other])
        pad[axis] = (_GAP if number else 0, 0)
        padded.append(np.pad(part, pad, constant_values=_GREY))
    return np.concatenate(padded, axis=axis)
