"""How much texels matter: a painted or an estimated map, as weights of the fit.

A map holds 0 (black) .. 1 (white). A texel of value v has the weight LEAST + (1 - LEAST) v, and all weights are
divided by their mean: a white texel counts 16 times as much as a black one, which still counts a little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gstex.arrays import AnyArray, F32Array
from gstex.errors import MaterialError, UsageError
from gstex.material.halve import halve
from gstex.material.images import FORMAT_NAMES, read_info, read_pixels, to_unit
from gstex.material.meaning import range_of
from gstex.material.resample import resample

__all__ = ["AUTO", "LEAST", "Importance", "load_importance"]

AUTO = "auto"
# Weight of black where white has 1. A white tenth of a picture gains about 3 dB (docs/benchmarks.md, "Importance").
LEAST = 1 / 16
# How far the sides of a map may be from those of the material: one texel of a 20 texel thumbnail.
_ASPECT = 1.05


@dataclass(frozen=True, eq=False)
class Importance:
    """How much each texel of a stack matters.

    name: file name without directories, 'array' or 'auto'; what the metadata of a file says.
    values: float32 [H, W] in 0..1, of the size of the stack.
    """

    name: str
    values: F32Array

    def weights(self, sizes: Sequence[tuple[int, int]], *, repeat: bool) -> list[F32Array]:
        """Weights in the loss of every mip, float32 [h, w, 1] with a mean of 1.

        sizes: (height, width) of the mips, full size first; the map of each is the mean of the one above.
        """
        values = self.values[:, :, None].astype(np.float64)
        result = []
        for size in sizes:
            if values.shape[:2] != size:
                values = halve(values, repeat=repeat, filter="box")
            weights = LEAST + (1 - LEAST) * values
            result.append((weights / weights.mean()).astype(np.float32))
        return result


def load_importance(source: str | Path | AnyArray, height: int, width: int, *, repeat: bool) -> Importance:
    """Read a map and bring it to the size of a stack (Lanczos, clipped to 0..1).

    Args:
        source: an image file of any type that a material may have, or an array [h, w] or [h, w, 1..4] of bools,
            unsigned integers (their largest code is white) or floats in 0..1. Values are taken as stored. Three
            channels are averaged; a second or fourth one is an opacity, under which the map is black.
        repeat: the texture tiles.

    Raises:
        MaterialError: the file is missing or no image, the map is black everywhere, or its aspect ratio is more
            than 5 % from that of the stack. UsageError: an array of another shape or type.
    """
    name, values = _read_array(source) if isinstance(source, np.ndarray) else _read_file(Path(source))
    found_height, found_width = values.shape
    aspect = found_width * height / (found_height * width)
    if not 1 / _ASPECT <= aspect <= _ASPECT:
        raise MaterialError(f"importance: {name} is {found_width}x{found_height} and the material {width}x{height}; "
                            "expected the same aspect ratio within 5 %; crop or stretch the map")  # fmt: skip
    if (found_height, found_width) != (height, width):
        values = resample(values[:, :, None], height, width, repeat=repeat)[:, :, 0]
    values = np.clip(values, 0.0, 1.0).astype(np.float32)
    if not values.any():
        raise MaterialError(f"importance: {name} is black everywhere, so nothing in it matters; paint what does white")
    return Importance(name, values)


def _read_file(path: Path) -> tuple[str, F32Array]:
    try:
        if not path.exists():
            raise MaterialError(f"{path}: no such file; give an image ({FORMAT_NAMES}) or '{AUTO}'")
        if path.is_dir():
            raise MaterialError(f"{path}: a folder; give one image ({FORMAT_NAMES}) or '{AUTO}'")
        info = read_info(path)
        pixels = read_pixels(path, info)
    except MaterialError as error:
        raise MaterialError(f"importance: {error}") from None
    return path.name, _grey(to_unit(pixels, range_of(pixels) if info.is_float else None))


def _read_array(array: AnyArray) -> tuple[str, F32Array]:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4 or not array.size:
        raise UsageError(f"importance: got an array of shape {array.shape}, expected [h, w] or [h, w, 1..4]")
    if array.dtype == bool:
        return "array", _grey(array.astype(np.float32))
    if array.dtype.kind == "u":
        return "array", _grey(to_unit(array, None))
    if array.dtype.kind != "f":
        raise UsageError(f"importance: got an array of {array.dtype}, expected bool, unsigned integers or floats")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):  # NaN too
        raise UsageError(f"importance: got values of {low:g} .. {high:g}, expected 0 .. 1; scale the array")
    return "array", _grey(array.astype(np.float32))


def _grey(pixels: F32Array) -> F32Array:
    """[h, w, 1..4] -> [h, w]: the mean of the colours times the opacity."""
    count = pixels.shape[2]
    colors = count - (count in (2, 4))
    grey = pixels[:, :, :colors].mean(axis=2)
    return grey if colors == count else grey * pixels[:, :, -1]
