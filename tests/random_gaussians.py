"""Random sets of Gaussians, placed as the fit places them; for the tests of kernels, reference and cells."""

from dataclasses import dataclass

import numpy as np

from gstex.encode.cell_pyramid import Pyramid, keep_inside, make_pyramid, place
from gstex.encode.problem import Target


@dataclass(frozen=True)
class Scene:
    """A placed set of Gaussians with an image to fit: all arrays float32 but placement and plane, int32.

    planes, plane: as in Target; the first and the last channel have the same of two or more. weight: of the channels.
    """

    pyramid: Pyramid
    placement: np.ndarray
    geometry: np.ndarray
    features: np.ndarray
    background: np.ndarray
    target: np.ndarray
    planes: np.ndarray
    plane: np.ndarray
    weight: np.ndarray

    @property
    def parameters(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.geometry, self.features, self.background

    @property
    def wanted(self) -> Target:
        return Target(self.target, self.planes, self.plane)

    @property
    def importance(self) -> np.ndarray:
        """What the squared error of every channel counts, float32 [H, W, C]."""
        return self.wanted.weighted(self.weight)


def random_geometry(rng, count, width, height, *, sigma=(0.4, 6.0), amplitude=1.0) -> np.ndarray:
    """Centres anywhere, sigmas log-uniform between the two of `sigma` (texels), any rotation."""
    geometry = np.empty((count, 6), np.float32)
    geometry[:, :2] = rng.uniform(0, 1, (count, 2)) * [width, height]
    geometry[:, 2] = rng.uniform(-4, 4, count)
    geometry[:, 3:5] = rng.uniform(*np.log(sigma), (count, 2))
    geometry[:, 5] = rng.normal(0, amplitude, count)
    return geometry


def random_scene(seed, width, height, count, channels, *, repeat, cell=6.0, **kind) -> Scene:
    """kind: of random_geometry."""
    rng = np.random.default_rng(seed)
    pyramid = make_pyramid(width, height, repeat=repeat, cell=cell)
    geometry = random_geometry(rng, count, width, height, **kind)
    keep_inside(pyramid, geometry, sigma_min=0.2)
    return scene_of(rng, pyramid, geometry, channels)


def scene_of(rng, pyramid: Pyramid, geometry: np.ndarray, channels: int) -> Scene:
    """Random features, target and importance (a fifth of it 0) for given Gaussians."""
    size, planes = (pyramid.height, pyramid.width, channels), max(1, channels - 1)
    return Scene(
        pyramid=pyramid,
        placement=place(pyramid, geometry),
        geometry=geometry,
        features=rng.uniform(0, 1, (len(geometry), channels)).astype(np.float32),
        background=rng.uniform(0, 1, channels).astype(np.float32),
        target=rng.uniform(0, 1, size).astype(np.float32),
        planes=np.maximum(rng.uniform(-0.5, 2, size)[:, :, :planes], 0).astype(np.float32),
        plane=np.arange(channels, dtype=np.int32)[::-1].copy() % planes,
        weight=np.linspace(1.25, 0.75, channels, dtype=np.float32),
    )
