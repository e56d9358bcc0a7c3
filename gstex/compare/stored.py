"""Images as a codec stores them, and the stack that is assembled from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gstex.arrays import F32Array
from gstex.compare.codecs import CODECS, decode
from gstex.compare.encoding import unzip
from gstex.compare.hull import Option
from gstex.compare.scaling import stretch
from gstex.material import Material

__all__ = ["Stored", "assemble", "count_texels", "errors_of", "mse_by_role", "squared_errors"]


@dataclass(frozen=True, eq=False)
class Stored:
    """One image of a plan in one codec.

    channels: numbers of its channels in the stack. scale: 1, 2 or 4, how much smaller than the stack it is.
    height, width: of the image. zipped: the codec's data, packed by zstd. errors: see `squared_errors`, empty before
    they are measured.
    """

    image: str
    channels: tuple[int, ...]
    codec: str
    scale: int
    height: int
    width: int
    zipped: bytes
    errors: tuple[float, ...] = ()

    @property
    def bytes(self) -> int:
        """The bytes that the GPU reads."""
        return CODECS[self.codec].size(self.height, self.width)


def _restore(stored: Stored, material: Material) -> F32Array:
    """The image at the size of the stack, float32 [H, W, channels]."""
    codec = CODECS[stored.codec]
    small = decode(codec, unzip(stored.zipped), stored.height, stored.width, len(stored.channels))
    return stretch(small, material.height, material.width, repeat=material.wrap == "repeat")


def assemble(parts: Iterable[Stored], material: Material) -> F32Array:
    """The stack that the parts give, float32 [H, W, C]; channels that do not vary keep their constant."""
    stack = np.array(material.pixels)
    for stored in parts:
        stack[:, :, list(stored.channels)] = _restore(stored, material)
    return stack


def squared_errors(stored: Stored, material: Material) -> tuple[float, ...]:
    """For each channel of the image: sum over all texels of weight x squared difference, values in 0..1."""
    return errors_of(_restore(stored, material), stored.channels, material)


def errors_of(image: F32Array, channels: Sequence[int], material: Material) -> tuple[float, ...]:
    """The same for an image [H, W, channels] at the size of the stack. channels: their numbers in the stack."""
    difference = image.astype(np.float64) - material.pixels[:, :, channels]
    squares = difference**2
    if material.weights is not None:
        squares *= material.weights[:, :, channels]
    return tuple(float(v) for v in squares.sum(axis=(0, 1)))


def count_texels(material: Material) -> dict[int, float]:
    """By number of each channel that varies, the sum of its weights: how many texels count."""
    texels = float(material.width * material.height)
    return {
        i: texels if material.weights is None else float(material.weights[:, :, i].sum(dtype=np.float64))
        for i, channel in enumerate(material.channels) if channel.constant is None
    }  # fmt: skip


def mse_by_role(option: Option, material: Material) -> dict[str, float]:
    """Mean squared error of the channels of each role. option.choice: by image, a Stored with its errors."""
    counted = count_texels(material)
    errors: dict[str, float] = {}
    texels: dict[str, float] = {}
    for stored in option.choice.values():
        for channel, error in zip(stored.channels, stored.errors, strict=True):
            role = material.channels[channel].role
            errors[role] = errors.get(role, 0.0) + error
            texels[role] = texels.get(role, 0.0) + counted[channel]
    return {role: errors[role] / max(texels[role], 1.0) for role in errors}
