"""Every kernel of the fit on small odd cases, for a process in which the sanitizers watch.

It runs nothing of torch, which they do not expect.
"""

import numpy as np
from cuda_host.device import HostDevice
from random_gaussians import Scene, random_scene

from gstex.encode.cell_pyramid import Pyramid
from gstex.encode.ops.cuda.adam import Knobs, adam
from gstex.encode.ops.cuda.cell_pyramid import keep_inside, place, thin_out
from gstex.encode.ops.cuda.codebooks import store, train
from gstex.encode.ops.cuda.perceptual_loss import Perceptual
from gstex.encode.ops.cuda.quantisation import GpuQuantiser
from gstex.encode.ops.cuda.refine_features import refine_features
from gstex.encode.ops.cuda.refine_geometry import refine_geometry
from gstex.encode.ops.cuda.sample_points import collect
from gstex.encode.ops.cuda.shared_view import GpuSharedView
from gstex.encode.ops.cuda.sums import Follower
from gstex.encode.ops.cuda.view import GpuView
from gstex.encode.problem import Target
from gstex.encode.quantisation import Coding
from gstex.format.layout import LevelLayout

JITTER = np.array([0.3, -0.4], np.float32)


def run() -> None:
    device = HostDevice()
    for width, height, count, channels, repeat in [(9, 12, 60, 5, True), (17, 3, 40, 8, False), (1, 1, 3, 1, True)]:
        scene = random_scene(1, width, height, count, channels, repeat=repeat, sigma=(0.3, 20.0))
        backend = GpuView(scene.pyramid, device, scale=(1.0, 0.9), filter_sigma=0.5)
        backend.set_target(scene.wanted, scene.weight)
        backend.place(scene.placement, scene.geometry)
        loss, v_geometry, _ = backend.step(*scene.parameters, JITTER)
        picture = backend.render(*scene.parameters, JITTER)
        backend.backward(*scene.parameters, picture[0])
        backend.removal_cost(*scene.parameters)
        backend.squared_errors(*scene.parameters)
        backend.targets(JITTER)
        Follower(device).update(loss, 0.5)
        Perceptual(device, height, width, channels)(*picture)
        train(device, scene.features, np.arange(count), (2, 1), np.random.default_rng(3))

        geometry = scene.geometry.copy()
        keep_inside(device, scene.pyramid, geometry, sigma_min=0.3)
        placement = place(device, scene.pyramid, geometry)
        thin_out(device, scene.pyramid, geometry, placement)
        knobs = Knobs(device, 0.9, 0.99)
        for step in (1, 2):
            knobs.set(JITTER, 1.0, step)
            moments = np.zeros_like(geometry), np.zeros_like(geometry)
            adam(device, knobs, geometry, v_geometry, *moments, np.ones(6, np.float32))
        keep_inside(device, scene.pyramid, geometry, sigma_min=0.3)
        _codes(device, scene.pyramid, place(device, scene.pyramid, geometry), geometry, scene.features)
        _refine(device, scene)
    print("done")


def _refine(device: HostDevice, scene: Scene):
    backend = GpuView(scene.pyramid, device)
    backend.set_target(scene.wanted, scene.weight)
    half = Target(scene.target[::2, ::2].copy(), scene.planes[::2, ::2].copy(), scene.plane)
    view = GpuSharedView(device, scene.pyramid, 1, half, scene.weight)
    quantiser = GpuQuantiser(device, _coding(scene.pyramid, scene.features.shape[1]), scene.placement)
    stored, (codes, _) = store(quantiser, scene.features), quantiser.encode(scene.geometry)
    geometry = quantiser.decode(codes)
    for one in (backend, view):
        one.place(scene.placement, geometry)
    samples = collect(backend, [view], 0.3, [0.1])
    blend = samples.blend(geometry, stored.values(), scene.background)
    near = samples.only(blend.share > 1e-3)
    refine_features(near, blend, stored, codebooks_too=True)
    blend = samples.blend(geometry, stored.values(), scene.background)
    refine_geometry(near, blend, quantiser, codes, stored.values(), 0.3)


def _codes(device: HostDevice, pyramid: Pyramid, placement: np.ndarray, geometry: np.ndarray, features: np.ndarray):
    quantiser = GpuQuantiser(device, _coding(pyramid, features.shape[1]), placement)
    quantiser.round(geometry, np.empty_like(geometry))
    quantiser.decode(*quantiser.encode(geometry))
    entries = quantiser.choose_entries(features)
    quantiser.round_features(features, entries)


def _coding(pyramid: Pyramid, channels: int) -> Coding:
    layouts = tuple(LevelLayout(x, y, 64, 5, 6, 6, 5, 4, -6.0, 0.25) for x, y in pyramid.cells.tolist())
    palettes = tuple(np.random.default_rng(2).integers(0, 150, (k, channels)).astype(np.uint8) for k in (256, 2))
    return Coding(pyramid, layouts, -3.0, 0.4, np.zeros(channels, np.float32), np.full(channels, 1 / 300, np.float32),
                    np.arange(channels) % 3, (8, 1), palettes)  # fmt: skip
