"""Tiling building blocks for procedural textures: noise, shapes, blur, and the maps a height field gives.

Everything here wraps: the right edge of each picture continues at its left edge, the bottom at its top.
A `Canvas` is drawn at `SUPERSAMPLE` times the size of the finished picture, so that edges come out
anti-aliased, and is averaged down at the end (`Canvas.reduce`). Coordinates and lengths, heights included,
are in texels of the finished picture; x runs right, y runs down, texel centres lie at +0.5.

Called by `make_samples.py`; not part of the gstex package.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SUPERSAMPLE = 2


class Canvas:
    """A tile of `width` x `height` texels with its own random stream.

    `x` and `y` are float64 [height * SUPERSAMPLE, width * SUPERSAMPLE], in texels. Every method that returns
    a picture returns that shape, `offset` apart; noise is about -1..1, distances are in texels and negative
    inside the shape.
    """

    def __init__(self, width: int, height: int, *, seed: int) -> None:
        self.width = width
        self.height = height
        self.rng = np.random.Generator(np.random.PCG64(seed))
        across = (np.arange(width * SUPERSAMPLE) + 0.5) / SUPERSAMPLE
        down = (np.arange(height * SUPERSAMPLE) + 0.5) / SUPERSAMPLE
        self.x, self.y = np.meshgrid(across, down)

    def noise(self, cells_x: int, cells_y: int, *, x: Array | None = None, y: Array | None = None) -> Array:
        """Perlin's gradient noise with cells_x by cells_y cells over the tile.

        `x`, `y` replace the canvas coordinates (texels): that is how a pattern is shifted or warped.
        """
        angle = self.rng.uniform(0.0, 2.0 * np.pi, (cells_y, cells_x))
        slope_x, slope_y = np.cos(angle), np.sin(angle)
        u = (self.x if x is None else x) * (cells_x / self.width)
        v = (self.y if y is None else y) * (cells_y / self.height)
        column, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
        u, v = u - column, v - row

        def corner(i: int, j: int) -> Array:
            at = (row + j) % cells_y, (column + i) % cells_x
            return slope_x[at] * (u - i) + slope_y[at] * (v - j)

        blend_x = u * u * u * (u * (u * 6.0 - 15.0) + 10.0)
        blend_y = v * v * v * (v * (v * 6.0 - 15.0) + 10.0)
        top = mix(corner(0, 0), corner(1, 0), blend_x)
        bottom = mix(corner(0, 1), corner(1, 1), blend_x)
        return 1.5 * mix(top, bottom, blend_y)

    def fractal(
        self, cells_x: int, cells_y: int, *, octaves: int = 4, gain: float = 0.5, ridged: bool = False,
        x: Array | None = None, y: Array | None = None,
    ) -> Array:  # fmt: skip
        """Sum of `octaves` noises, each of twice the frequency and `gain` times the height of the last.

        `ridged` folds each octave at zero, which gives sharp crests: 1 on a crest, -1 far from one.
        """
        total, weight, norm = np.zeros_like(self.x), 1.0, 0.0
        for octave in range(octaves):
            layer = self.noise(cells_x << octave, cells_y << octave, x=x, y=y)
            total += weight * (1.0 - 2.0 * np.abs(layer) if ridged else layer)
            norm += weight
            weight *= gain
        return total / norm if ridged else total

    def cells(self, cells_x: int, cells_y: int) -> tuple[Array, NDArray[np.int64]]:
        """Worley noise: distance to the nearest of cells_x * cells_y scattered points, and its number.

        The distance is in texels, so pits and grains of a stated radius are a comparison away.
        """
        jitter = self.rng.uniform(0.0, 1.0, (2, cells_y, cells_x))
        u, v = self.x * (cells_x / self.width), self.y * (cells_y / self.height)
        column, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
        best = np.full_like(u, np.inf)
        number = np.zeros_like(row)
        for j in (-1, 0, 1):
            for i in (-1, 0, 1):
                at = (row + j) % cells_y, (column + i) % cells_x
                apart_x = (column + i + jitter[0][at] - u) * (self.width / cells_x)
                apart_y = (row + j + jitter[1][at] - v) * (self.height / cells_y)
                distance = np.hypot(apart_x, apart_y)
                number = np.where(distance < best, at[0] * cells_x + at[1], number)
                best = np.minimum(best, distance)
        return best, number

    def offset(self, x: float, y: float) -> tuple[Array, Array]:
        """Displacement in texels from the point (x, y) to every texel, the short way round the tile.

        Returns a row [1, W * S] and a column [H * S, 1], which broadcast to a picture.
        """
        apart_x = (self.x[:1] - x + self.width / 2) % self.width - self.width / 2
        apart_y = (self.y[:, :1] - y + self.height / 2) % self.height - self.height / 2
        return apart_x, apart_y

    def disc(self, x: float, y: float, radius: float) -> Array:
        """Signed distance to a disc centred on (x, y)."""
        return np.hypot(*self.offset(x, y)) - radius

    def box(self, x: float, y: float, width: float, height: float, *, chamfer: float = 0.0) -> Array:
        """Signed distance (a bound, near corners) to a box centred on (x, y) with its corners cut off."""
        apart_x, apart_y = self.offset(x, y)
        apart_x, apart_y = np.abs(apart_x), np.abs(apart_y)
        straight = np.maximum(apart_x - width / 2, apart_y - height / 2)
        corner = (apart_x + apart_y - (width + height) / 2 + chamfer) / np.sqrt(2.0)
        return np.maximum(straight, corner)

    def blur(self, picture: Array, sigma: float) -> Array:
        """Gaussian blur of `sigma` texels that wraps."""
        along_y = np.fft.fftfreq(picture.shape[0], 1.0 / SUPERSAMPLE)[:, None]
        along_x = np.fft.rfftfreq(picture.shape[1], 1.0 / SUPERSAMPLE)
        response = np.exp(-2.0 * (np.pi * sigma) ** 2 * (along_x**2 + along_y**2))
        return np.fft.irfft2(np.fft.rfft2(picture) * response, picture.shape)

    def drip(self, picture: Array, length: float) -> Array:
        """Smear `picture` downwards with an exponential tail of `length` texels, as rain runs down a wall."""
        rows = picture.shape[0]
        tail = np.exp(-np.arange(rows) / (SUPERSAMPLE * length))
        response = np.fft.rfft(tail / tail.sum())[:, None]
        return np.fft.irfft(np.fft.rfft(picture, axis=0) * response, rows, axis=0)

    @staticmethod
    def reduce(picture: Array) -> Array:
        """Average [H * S, W * S, ...] down to [H, W, ...]."""
        rows, columns = picture.shape[0] // SUPERSAMPLE, picture.shape[1] // SUPERSAMPLE
        blocks = picture.reshape(rows, SUPERSAMPLE, columns, SUPERSAMPLE, *picture.shape[2:])
        return blocks.mean(axis=(1, 3))

    def reduce_color(self, color_srgb: Array) -> Array:
        """`reduce` for sRGB colour: averages light, not codes."""
        return srgb_from_linear(self.reduce(linear_from_srgb(np.clip(color_srgb, 0.0, 1.0))))


def mix(a: Array | float, b: Array | float, t: Array | float) -> Array:
    """a where t is 0, b where t is 1, a straight line between."""
    return np.asarray(a + (b - a) * t)


def mix_color(a: Array, b: Array, t: Array) -> Array:
    """`mix` for colours [..., 3] under a mask [H, W]."""
    return mix(a, b, t[..., None])


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between; low > high turns it round."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def rgb(code: str) -> Array:
    """sRGB colour 0..1 from 'rrggbb'."""
    return np.array([int(code[i : i + 2], 16) / 255.0 for i in (0, 2, 4)])


def ramp(t: Array, *codes: str) -> Array:
    """Colour [..., 3] from evenly spaced 'rrggbb' stops, for t in 0..1 (clamped)."""
    stops = np.array([rgb(code) for code in codes])
    at = np.linspace(0.0, 1.0, len(stops))
    return np.stack([np.interp(t, at, stops[:, channel]) for channel in range(3)], axis=-1)


def linear_from_srgb(color_srgb: Array) -> Array:
    """IEC 61966-2-1, 0..1."""
    return np.where(color_srgb <= 0.04045, color_srgb / 12.92, ((color_srgb + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(color_linear: Array) -> Array:
    """IEC 61966-2-1, 0..1."""
    curve = 1.055 * color_linear ** (1.0 / 2.4) - 0.055
    return np.where(color_linear <= 0.0031308, color_linear * 12.92, curve)


def slopes(height: Array) -> tuple[Array, Array]:
    """Central differences (dh/dx, dh/dy), y down, of a tiling height field [H, W] in steps of one texel."""
    along_x = (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1)) / 2.0
    along_y = (np.roll(height, -1, axis=0) - np.roll(height, 1, axis=0)) / 2.0
    return along_x, along_y


def normal_from_slopes(along_x: Array, along_y: Array) -> Array:
    """Tangent space normal map [H, W, 3], 0..1, OpenGL convention (green is up), from slopes with y down."""
    vector = np.stack([-along_x, along_y, np.ones_like(along_x)], axis=-1)
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True) * 0.5 + 0.5


def normal_from_height(height: Array) -> Array:
    """Normal map of a tiling height field [H, W] in texels (see `normal_from_slopes`)."""
    return normal_from_slopes(*slopes(height))


def occlusion_from_height(height: Array, *, radius: int = 14, strength: float = 1.0) -> Array:
    """Ambient occlusion [H, W], 1 = open, of a tiling height field in texels.

    Looks for the horizon in 12 directions out to `radius` texels, with a fall-off by distance; the share of
    light lost in one direction is taken as the sine of the horizon's angle.
    """
    reach = np.unique(np.rint(np.geomspace(1, radius, 7))).astype(int)
    lost = np.zeros_like(height)
    for angle in np.arange(12) * (2.0 * np.pi / 12):
        horizon = np.zeros_like(height)
        for step in reach:
            right, down = round(step * np.cos(angle)), round(step * np.sin(angle))
            rise = np.roll(height, (-down, -right), axis=(0, 1)) - height
            slope = np.maximum(rise, 0.0) / np.hypot(right, down)
            horizon = np.maximum(horizon, slope / np.hypot(slope, 1.0) * (1.0 - (step / (radius + 1)) ** 2))
        lost += horizon / 12
    return np.clip(1.0 - strength * lost, 0.0, 1.0)
