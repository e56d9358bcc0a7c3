"""Light from all around: a computed sky or a panorama, filtered for the reflections of rough surfaces.

Directions: x right, y up, z towards the viewer. A panorama is equirectangular, its middle column at z, its top at y.
Radiance is linear RGB.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gstex.arrays import F32Array, F64Array
from gstex.errors import MaterialError

__all__ = ["PANORAMAS", "Environment", "direction_of", "filter_environment", "is_panorama", "make_sky", "read_panorama"]

PANORAMAS = (".hdr", ".exr")
HEIGHT = 256  # rows of the sharpest level
LEVELS = 6  # level k is what a surface of roughness k / (LEVELS - 1) mirrors
_SAMPLES = 96  # directions of a lobe
_BRIGHTEST = 512.0  # radiance: a panorama is clipped to it, because brighter lamps of a few texels would sparkle


@dataclass(frozen=True, eq=False)
class Environment:
    """name: for people. levels: float32 [h, 2 h, 3], each half as high as the last. irradiance: float32 [9, 3], the
    light that a white Lambert surface reflects, in spherical harmonics of its normal."""

    name: str
    levels: tuple[F32Array, ...]
    irradiance: F32Array


def direction_of(height: int) -> F32Array:
    """float32 [height, 2 height, 3]: the directions of the texels of a panorama, unit vectors."""
    longitude = (np.arange(2 * height) + 0.5) / height * np.pi - np.pi
    latitude = np.pi / 2 - (np.arange(height) + 0.5) / height * np.pi
    a, b = np.meshgrid(longitude, latitude)
    return np.stack([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)], axis=2).astype(np.float32)


def make_sky() -> F32Array:
    """A clear day over dry ground with a bank of clouds and a haze round the sun, float32 [HEIGHT, 2 HEIGHT, 3].

    The sun stands in the direction z, 31 degrees up; its disc is left to the lamp of the lit view.
    """
    way = direction_of(HEIGHT)
    up = way[:, :, 1:2]

    def color(*rgb: float) -> F32Array:
        return np.array(rgb, np.float32)

    height = np.clip(up, 0, 1) ** 0.55
    sky = color(0.95, 0.99, 1.02) * (1 - height) + color(0.16, 0.33, 0.72) * height
    depth = np.clip(-up, 0, 1) ** 0.4
    ground = color(0.30, 0.26, 0.21) * (1 - depth) + color(0.10, 0.085, 0.07) * depth
    x, y, z = np.moveaxis(way, 2, 0)
    waves = np.sin(5 * x + 3 * z) + np.sin(7 * z - 4 * x + 2)
    waves += 0.7 * np.sin(11 * x + 9 * y) + 0.6 * np.sin(13 * z + 17 * y)
    cloud = np.clip(waves[:, :, None] * 0.5 - 0.1, 0, 1) * np.clip(1 - np.abs(up - 0.28) / 0.3, 0, 1)
    sky = sky * (1 - cloud) + color(1.5, 1.45, 1.4) * cloud
    sun = math.radians(31.0)
    toward = (y * math.sin(sun) + z * math.cos(sun))[:, :, None]
    sky = sky + color(6.0, 5.2, 4.0) * np.exp(24 * (toward - 1)) + color(0.5, 0.42, 0.3) * np.exp(4 * (toward - 1))
    share = np.clip(up / 0.02 + 0.5, 0, 1)
    return (ground * (1 - share) + sky * share).astype(np.float32)


def is_panorama(path: Path) -> bool:
    """Whether a file is taken for surroundings and not for a map: an .hdr file, or an .exr twice as wide as high."""
    if path.suffix.lower() == ".hdr":
        return True
    if path.suffix.lower() not in PANORAMAS:
        return False
    import OpenImageIO as oiio

    file = oiio.ImageInput.open(str(path))
    if file is None:
        oiio.geterror()
        return False
    spec = file.spec()
    file.close()
    return bool(spec.width == 2 * spec.height)


def read_panorama(path: Path) -> F32Array:
    """A file of linear radiance, float32 [HEIGHT, 2 HEIGHT, 3].

    Raises:
        MaterialError: it cannot be read, or is not twice as wide as high.
    """
    import OpenImageIO as oiio

    image = oiio.ImageBuf(str(path))
    if not image.read(0, 0, True, oiio.FLOAT):
        raise MaterialError(f"{path}: cannot be read ({image.geterror()}); give a panorama as .hdr or .exr")
    width, height = image.spec().width, image.spec().height
    if width != 2 * height or height < 2:
        raise MaterialError(f"{path}: is {width}x{height}, expected a panorama twice as wide as high")
    size = oiio.ROI(0, 2 * HEIGHT, 0, HEIGHT, 0, 1, 0, image.nchannels)
    small = oiio.ImageBufAlgo.resize(image, filtername="box", roi=size)
    pixels = np.asarray(small.get_pixels(oiio.FLOAT), np.float32)
    pixels = np.repeat(pixels[:, :, :1], 3, axis=2) if pixels.shape[2] < 3 else pixels[:, :, :3]
    return np.clip(np.nan_to_num(pixels, nan=0.0, posinf=_BRIGHTEST, neginf=0.0), 0, _BRIGHTEST)


def filter_environment(name: str, panorama: F32Array) -> Environment:
    """Filter a panorama for all roughness levels and for diffuse light.

    panorama: float32 [HEIGHT, 2 HEIGHT, 3]. Lobes are as in Karis 2013, "Real Shading in Unreal Engine 4". Each sample
    reads a mip whose texels are as large as its share of the lobe (Krivanek and Colbert 2008).
    """
    chain = [panorama]
    while chain[-1].shape[0] > 4:
        half = chain[-1]
        chain.append(half.reshape(half.shape[0] // 2, 2, half.shape[1] // 2, 2, 3).mean(axis=(1, 3)))
    levels = [panorama]
    for k in range(1, LEVELS):
        levels.append(_mirrored(chain, k / (LEVELS - 1), HEIGHT >> k))
    return Environment(name, tuple(levels), _irradiance(chain[2]))


def _mirrored(chain: list[F32Array], roughness: float, height: int) -> F32Array:
    """The reflection of a surface seen along its normal, for every normal: float32 [height, 2 height, 3]."""
    normal = direction_of(height).reshape(-1, 3)
    x, y, _ = np.eye(3, dtype=np.float32)
    beside = np.where(np.abs(normal[:, 1:2]) < 0.9, y, x)
    tangent = np.cross(beside, normal)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    other = np.cross(normal, tangent)
    square = roughness**4
    sums, total = np.zeros_like(normal), 0.0
    for i in range(_SAMPLES):
        share, angle = (i + 0.5) / _SAMPLES, 2 * math.pi * ((i * 0.6180339887) % 1.0)
        cos = math.sqrt((1 - share) / (1 + (square - 1) * share))  # of the half vector, from GGX
        sin = math.sqrt(1 - cos * cos)
        to = np.array([2 * cos * sin * math.cos(angle), 2 * cos * sin * math.sin(angle), 2 * cos * cos - 1])
        if to[2] <= 0:
            continue
        bump = cos * cos * (square - 1) + 1
        density = square / (math.pi * bump * bump) / 4
        texel = 2 * math.pi**2 / (2 * HEIGHT * HEIGHT)
        mip = 0.5 * math.log2(max(1 / (_SAMPLES * density) / texel, 1.0)) + 0.5
        way = to[0] * tangent + to[1] * other + to[2] * normal
        sums += to[2] * _looked_up(chain[min(round(mip), len(chain) - 1)], way)
        total += to[2]
    return (sums / total).reshape(height, 2 * height, 3).astype(np.float32)


def _looked_up(panorama: F32Array, way: F64Array) -> F64Array:
    """Bilinear samples [n, 3] of a panorama in the directions `way` [n, 3]."""
    height, width = panorama.shape[:2]
    x = (np.arctan2(way[:, 0], way[:, 2]) / (2 * np.pi) + 0.5) * width - 0.5
    y = np.clip(np.arccos(np.clip(way[:, 1], -1, 1)) / np.pi * height - 0.5, 0, height - 1)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    a, b = (x - left)[:, None], (y - top)[:, None]
    right, left, below = (left + 1) % width, left % width, np.minimum(top + 1, height - 1)
    upper = panorama[top, left] * (1 - a) + panorama[top, right] * a
    return upper * (1 - b) + (panorama[below, left] * (1 - a) + panorama[below, right] * a) * b


def _irradiance(panorama: F32Array) -> F32Array:
    """Irradiance over pi, as coefficients [9, 3] of spherical harmonics (Ramamoorthi and Hanrahan 2001, "An Efficient
    Representation for Irradiance Environment Maps")."""
    height = panorama.shape[0]
    way = direction_of(height)
    area = np.sin((np.arange(height) + 0.5) / height * np.pi) * (2 * np.pi / (2 * height)) * (np.pi / height)
    basis = harmonics(way)  # [h, w, 9]
    sums = np.einsum("hwk,hwc,h->kc", basis, panorama, area)
    lobe = np.array([1.0, *[2 / 3] * 3, *[1 / 4] * 5])
    return (sums * lobe[:, None]).astype(np.float32)


def harmonics(way: F32Array) -> F32Array:
    """The first nine real spherical harmonics of unit vectors [..., 3]: [..., 9], as shaders/view/shading.glsl."""
    x, y, z = np.moveaxis(way, -1, 0)
    constant = np.full_like(x, 0.282095)
    return np.stack([constant, 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
                     0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y)], axis=-1)  # fmt: skip
