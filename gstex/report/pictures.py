"""The texels of a report: every map of every shown stack as PNG, within a budget of bytes.

Pictures are 8 bits per channel and lossless. If whole maps do not fit, the middle of the material is kept texel by
texel, and the whole material as an overview of block means.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from gstex.arrays import FloatArray, U8Array
from gstex.json_types import JsonView
from gstex.material.images import png_bytes

__all__ = ["Gallery", "MapView", "make_gallery", "map_views", "to_codes"]

_OVERVIEW_SHARE = 0.15  # largest share of the budget
_TRIAL = 192  # texels along an edge of the crop that is encoded to estimate the bytes of a texel
_GAINS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class MapView:
    """One map as the viewer shows it.

    role, file: as in the material's channels.
    kind: 'color' (sRGB) | 'light' (colour in linear light) | 'normal' (X and Y, Z is rebuilt) | 'data'.
    channels: indices in the stack, in the order in which they are shown.
    images: the number of channels of each picture: (3,) for R, G, B, otherwise 1 for each channel.
    """

    role: str
    file: str
    kind: str
    channels: tuple[int, ...]
    images: tuple[int, ...]


@dataclass(frozen=True)
class Gallery:
    """Pictures of some stacks, and which part of the material they show.

    crop: (x, y, width, height) in texels of the material, kept texel by texel.
    overview: side of the blocks averaged for the overview, 0 if there is none because the crop is everything.
    pictures: PNG by (stack, map, image, 'texels' | 'overview'), all of them indices but the last.
    gains: by map, the gain of the error picture: the largest that leaves 99 % of all shown errors in its range.
    """

    crop: tuple[int, int, int, int]
    overview: int
    pictures: dict[tuple[int, int, int, str], bytes]
    gains: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(map(len, self.pictures.values()))


def map_views(channels: Sequence[JsonView]) -> tuple[MapView, ...]:
    """The maps of `Material.to_metadata()["channels"]`, in the order of the stack."""
    views = []
    for role, file in dict.fromkeys((c["role"], c["file"]) for c in channels):
        picked = tuple(i for i, c in enumerate(channels) if (c["role"], c["file"]) == (role, file))
        components = "".join(channels[i]["component"] for i in picked)
        kind = "normal" if components == "xy" else "data"
        if components == "rgb" and role != "mask":
            kind = "color" if channels[picked[0]]["color_space"] == "srgb" else "light"
        images = (3,) if components == "rgb" else (1,) * len(picked)
        views.append(MapView(role, file, kind, picked, images))
    return tuple(views)


def to_codes(stack: FloatArray) -> U8Array:
    """Float values [...], clipped to 0..1, as the nearest of 256 codes, uint8 [...]."""
    return np.rint(np.clip(stack, 0, 1) * 255).astype(np.uint8)


def make_gallery(stacks: Sequence[U8Array], views: Sequence[MapView], budget: int) -> Gallery:
    """Pack stacks into at most `budget` bytes of PNG.

    Args:
        stacks: uint8 [H, W, C] each, the original first.
        views: maps to show.
        budget: bytes. It is exceeded only if a crop of one texel takes more.
    """
    height, width = stacks[0].shape[:2]
    gains = tuple(_gain(stacks, view) for view in views)
    trial = _middle(width, height, min(1.0, _TRIAL / max(width, height)))
    whole = _bytes(_encode(stacks, views, trial)) / (trial[2] * trial[3]) * width * height
    side = _side(budget, whole)
    if side == 1.0:
        pictures = _encode(stacks, views, (0, 0, width, height))
        if _bytes(pictures) <= budget:
            return Gallery((0, 0, width, height), 0, pictures, gains)
        whole = _bytes(pictures)
    overview, block = _overview(stacks, views, int(budget * _OVERVIEW_SHARE), whole)
    left = budget - _bytes(overview)
    side = _side(left, whole)
    while True:
        crop = _middle(width, height, side)
        pictures = _encode(stacks, views, crop)
        if _bytes(pictures) <= left or crop[2] * crop[3] == 1:
            return Gallery(crop, block, pictures | overview, gains)
        side *= _side(left, _bytes(pictures))


def _side(budget: int, size: float) -> float:
    """The factor for the sides of a picture of `size` bytes so that it fits: 1.0, or less with a margin."""
    return 1.0 if size <= budget else 0.97 * (budget / size) ** 0.5


def _middle(width: int, height: int, side: float) -> tuple[int, int, int, int]:
    """The middle part of a picture, (x, y, width, height), with its sides multiplied by `side`."""
    w, h = max(1, int(width * side)), max(1, int(height * side))
    return (width - w) // 2, (height - h) // 2, w, h


Pictures = dict[tuple[int, int, int, str], bytes]


def _bytes(pictures: Pictures) -> int:
    return sum(map(len, pictures.values()))


def _encode(stacks: Sequence[U8Array], views: Sequence[MapView], crop: tuple[int, int, int, int]) -> Pictures:
    x, y, width, height = crop
    return _pictures(stacks, views, "texels", lambda stack: stack[y : y + height, x : x + width])


def _overview(
    stacks: Sequence[U8Array], views: Sequence[MapView], budget: int, whole: float
) -> tuple[Pictures, int]:
    """An overview of block means that fits into `budget` bytes: (pictures, side of a block, which is a power of two).

    whole: about how many bytes all texels would take.
    """
    longest = max(stacks[0].shape[:2])
    block = 2
    while whole / block**2 > budget and block < longest:
        block *= 2
    while True:
        pictures = _pictures(stacks, views, "overview", partial(_block_means, block=block))
        if _bytes(pictures) <= budget or block >= longest:
            return pictures, block
        block *= 2


def _pictures(
    stacks: Sequence[U8Array], views: Sequence[MapView], name: str, cut: Callable[[U8Array], U8Array]
) -> Pictures:
    result = {}
    for s, stack in enumerate(stacks):
        part = cut(stack)
        for m, view in enumerate(views):
            first = 0
            for i, count in enumerate(view.images):
                picked = list(view.channels[first : first + count])
                result[s, m, i, name] = png_bytes(part[:, :, picked])
                first += count
    return result


def _block_means(codes: U8Array, block: int) -> U8Array:
    """Means of the codes of blocks of texels. Blocks at the lower and right border can be smaller."""
    height, width, channels = codes.shape
    down, across = -(-height // block), -(-width // block)
    padded = np.pad(codes, ((0, down * block - height), (0, across * block - width), (0, 0)))
    sums = padded.reshape(down, block, across, block, channels).sum(axis=(1, 3), dtype=np.uint64)
    rows = np.minimum(block, height - block * np.arange(down))
    columns = np.minimum(block, width - block * np.arange(across))
    return np.rint(sums / np.outer(rows, columns)[:, :, None]).astype(np.uint8)


def _gain(stacks: Sequence[U8Array], view: MapView) -> int:
    """The largest gain that keeps 99 % of the errors of a map in range, in every stack."""
    picked = list(view.channels)
    original = stacks[0][:, :, picked].astype(np.int16)
    high = max((np.quantile(np.abs(s[:, :, picked] - original).max(axis=2), 0.99) for s in stacks[1:]), default=0)
    return max((g for g in _GAINS if g * high <= 255), default=1)
