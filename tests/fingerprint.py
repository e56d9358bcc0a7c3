"""Prints a hash of everything that the CPU backend, the perceptual loss and the improvement of what is stored compute
for one scene.

Run as a script with another number of threads (NUMBA_NUM_THREADS), it must print the same.
"""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numba
import numpy as np
from random_gaussians import random_scene

from gstex.encode.ops.cpu.perceptual_loss import perceptual_loss
from gstex.fit.cpu import CpuBackend
from gstex.fit.features import improve_features, store
from gstex.fit.palettes import to_grid, train
from gstex.fit.quantise import Precision, Quantiser, make_coding
from gstex.fit.samples import collect
from gstex.fit.search import improve_geometry


def fingerprint() -> str:
    scene = random_scene(12, 40, 33, 300, 5, repeat=True, sigma=(0.4, 12.0))
    jitter = np.array([0.29, -0.43], np.float32)
    backend = CpuBackend(scene.pyramid)
    backend.set_target(scene.target, scene.importance)
    backend.place(scene.placement, scene.geometry)
    loss, *gradients = backend.step(*scene.parameters, jitter)
    results = [np.float64(loss), *(a.copy() for a in gradients)]
    image, target, _ = backend.render(*scene.parameters, jitter)
    loss, v_image = perceptual_loss(image, target, scene.importance)
    results += [image, target, np.float64(loss), v_image]
    results += [a.copy() for a in backend.backward(*scene.parameters, v_image)]
    results += backend.removal_cost(*scene.parameters)
    results += stored_results(scene, backend, results[-2])
    if "-v" in sys.argv:
        for a in results:
            print(hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()[:8], end=" ")
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in results)).hexdigest()


def stored_results(scene, backend: CpuBackend, share: np.ndarray) -> list[np.ndarray]:
    """What is stored of a scene, with palettes and without."""
    results, channels = [], scene.features.shape[1]
    precision = Precision(position_step=0.2, rotation_bits=6, scale_bits=6, amplitude_bits=4, feature_step=1 / 40)
    for palette_bits in ((), (5, 4)):
        coding = make_coding(scene.pyramid, scene.placement, scene.geometry, precision, [(0.0, 1.0)] * channels,
                             [(0.0, 1.0)] * channels, palette_bits=palette_bits)  # fmt: skip
        if palette_bits:
            trained, entries = train(scene.features, share, palette_bits, np.random.default_rng(0))
            lo, step, palettes = to_grid(trained, [(0.0, 1.0)] * channels)
            results += [*trained, entries, lo, step, *palettes]
            coding = replace(coding, channel_lo=lo, channel_step=step, palettes=palettes)
        quantiser, stored = Quantiser(coding, scene.placement), store(coding, scene.features)
        geometry = quantiser.encode(scene.geometry)[0].astype(np.int64)
        results += [stored.entries.copy(), stored.codes.copy()]
        samples = collect(backend, [], 0.3, float(scene.importance.sum()), 1.0)
        for _ in range(2):
            blend = samples.blend(quantiser.decode(geometry), stored.values(), scene.background)
            improve_features(samples, blend, stored, palettes_too=True)
            blend = samples.blend(quantiser.decode(geometry), stored.values(), scene.background)
            improve_geometry(samples, blend, quantiser, geometry, stored.values(), 0.2)
        results += [geometry, stored.palettes, stored.entries, stored.codes]
    return results


if __name__ == "__main__":
    print(numba.get_num_threads(), fingerprint())
