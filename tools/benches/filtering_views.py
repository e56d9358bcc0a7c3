"""Views of a tiled plane, with the footprint of every pixel, and their ground truth.

A view is a homography from the screen to the texels of mip 0, which covers every perspective view of a plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gstex.arrays import F64Array
from gstex.filtering import bilinear
from gstex.material import Material
from gstex.srgb import linear_to_srgb, srgb_to_linear

__all__ = ["VIEWS", "View", "make_view", "supersample"]

VIEWS = ("minified", "rotated", "grazing")
_GRAZING_DEGREES = 80  # between the normal of the plane and the ray through the middle of the screen
_FOCAL_WIDTHS = 4  # focal length by the width of the screen: 14 degrees across
_SAMPLES = 16  # a pixel is supersampled _SAMPLES x _SAMPLES times


@dataclass(frozen=True, eq=False)
class View:
    """A screen of width x height pixels.

    matrix: float64 [3, 3]; the screen's point (x, y), y down, pixel centres at .5, shows the texel position
    (a / c, b / c), (a, b, c) = matrix (x, y, 1).
    """

    name: str
    width: int
    height: int
    matrix: F64Array

    def pixels(self) -> F64Array:
        """Centres of all pixels, row by row: float64 [height * width, 2]."""
        y, x = np.mgrid[: self.height, : self.width] + 0.5
        return np.stack([x.ravel(), y.ravel()], axis=1)

    def texels(self, points: F64Array) -> F64Array:
        """Texel positions [M, 2] of screen positions [M, 2]."""
        abc = self._project(points)
        return abc[:, :2] / abc[:, 2:]

    def steps(self, points: F64Array) -> F64Array:
        """Exact derivatives [M, 2, 2] of `texels`, in texels: [m, 0] for a step of one pixel to the right, [m, 1] for
        one down."""
        abc = self._project(points)
        place = abc[:, :2] / abc[:, 2:]
        # (a / c)' = (a' - (a / c) c') / c
        columns = self.matrix[:2, :2].T - place[:, None, :] * self.matrix[2, :2][:, None]
        return columns / abc[:, 2, None, None]

    def _project(self, points: F64Array) -> F64Array:
        return np.concatenate([points, np.ones((len(points), 1))], axis=1) @ self.matrix.T


def make_view(name: str, width: int, height: int, material: Material) -> View:
    """One of VIEWS, with the middle of the material in the middle of the screen.

    minified: 3.3 texels per pixel. rotated: 2 texels per pixel, turned by 30 degrees. grazing: a floor that recedes to
    the top at 80 degrees from its normal, 1.5 texels per pixel across in the middle and 8.6 along.
    """
    middle = np.array([width / 2, height / 2])
    centre = np.array([material.width / 2, material.height / 2])
    matrix = np.eye(3)
    if name == "grazing":
        angle, focal = np.deg2rad(_GRAZING_DEGREES), _FOCAL_WIDTHS * width
        # A ray is (x, y, 1) in units of the focal length, and the camera is one unit above the floor. The middle ray
        # goes cos(angle) down and sin(angle) away; rays of lower pixels go further down.
        across = np.array([1, 0, -middle[0]]) / focal
        lower = np.array([0, 1, -middle[1]]) / focal
        down = np.array([0, 0, np.cos(angle)]) + lower * np.sin(angle)
        away = np.array([0, 0, np.sin(angle)]) - lower * np.cos(angle)
        unit = 1.5 * focal * np.cos(angle)  # texels
        # v grows to the bottom of the picture as it does in the texture.
        matrix = np.array([unit * across, -unit * away, down])
        place = matrix @ [*middle, 1]
        matrix[:2] += np.outer(centre - place[:2] / place[2], matrix[2])
    else:
        turn, scale = {"minified": (0.0, 3.3), "rotated": (np.deg2rad(30), 2.0)}[name]
        matrix[:2, :2] = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix[:2, 2] = centre - matrix[:2, :2] @ middle
    return View(name, width, height, matrix)


def supersample(material: Material, view: View) -> F64Array:
    """The ground truth of a view of the uncompressed material: the mean over the square of every pixel.

    Mip 0 is filtered bilinearly as by a texture unit, sRGB channels in linear light, at 16 x 16 points per pixel.
    Normals get their Z at each point and are averaged as vectors; the mean is scaled to unit length.

    Returns:
        float64 [height * width, C], encoded as the material's pixels.
    """
    srgb = [i for i, c in enumerate(material.channels) if c.color_space == "srgb"]
    xy = [i for i, c in enumerate(material.channels) if c.role == "normal"]
    light = material.pixels.copy()
    light[:, :, srgb] = srgb_to_linear(light[:, :, srgb])
    pixels = view.pixels()
    total, z_total = np.zeros((len(pixels), light.shape[2])), np.zeros(len(pixels))
    offsets = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    for dy in offsets:
        for dx in offsets:
            uv = view.texels(pixels + np.array([dx, dy])) / [material.width, material.height]
            values = bilinear(light, uv, repeat=True)
            total += values
            if xy:
                z_total += np.sqrt(np.maximum(1 - ((values[:, xy] * 2.0 - 1) ** 2).sum(axis=1), 0))
    total /= _SAMPLES**2
    if xy:
        x, y, z = total[:, xy[0]] * 2 - 1, total[:, xy[1]] * 2 - 1, z_total / _SAMPLES**2
        length = np.maximum(np.sqrt(x * x + y * y + z * z), 1e-9)
        total[:, xy[0]], total[:, xy[1]] = x / length * 0.5 + 0.5, y / length * 0.5 + 0.5
    total[:, srgb] = linear_to_srgb(total[:, srgb])
    return total
