"""Random sets of Gaussians, placed as the fit places them; for the tests of kernels, reference and cells."""

from dataclasses import dataclass

import numpy as np

from gstex.encode.cell_pyramid import Pyramid, keep_inside, make_pyramid, place


@dataclass(frozen=True)
class Scene:
    """A placed set of Gaussians with an image to fit: all arrays float32 but placement, int32."""

    pyramid: Pyramid
    placement: np.ndarray
    geometry: np.ndarray
    features: np.ndarray
    background: np.ndarray
    target: np.ndarray
    importance: np.ndarray

    @property
    def parameters(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.geometry, self.features, self.background


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
    size = (pyramid.height, pyramid.width, channels)
    return Scene(
        pyramid=pyramid,
        placement=place(pyramid, geometry),
        geometry=geometry,
        features=rng.uniform(0, 1, (len(geometry), channels)).astype(np.float32),
        background=rng.uniform(0, 1, channels).astype(np.float32),
        target=rng.uniform(0, 1, size).astype(np.float32),
        importance=np.maximum(rng.uniform(-0.5, 2, size), 0).astype(np.float32),
    )
