"""Prints a hash of everything that the CPU backend and the perceptual loss compute for one scene.

Run as a script with another number of threads (NUMBA_NUM_THREADS), it must print the same.
"""

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numba
import numpy as np
from random_gaussians import random_scene

from gstex.fit.cpu import CpuBackend
from gstex.fit.loss import perceptual


def fingerprint() -> str:
    scene = random_scene(12, 40, 33, 300, 5, repeat=True, sigma=(0.4, 12.0))
    jitter = np.array([0.29, -0.43], np.float32)
    backend = CpuBackend(scene.pyramid)
    backend.set_target(scene.target, scene.importance)
    backend.place(scene.placement, scene.geometry)
    loss, *gradients = backend.step(*scene.parameters, jitter)
    results = [np.float64(loss), *(a.copy() for a in gradients)]
    image, target, _ = backend.render(*scene.parameters, jitter)
    loss, v_image = perceptual(image, target, scene.importance)
    results += [image, target, np.float64(loss), v_image]
    results += [a.copy() for a in backend.backward(*scene.parameters, v_image)]
    results += backend.removal_cost(*scene.parameters)
    if "-v" in sys.argv:
        for a in results:
            print(hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()[:8], end=" ")
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in results)).hexdigest()


if __name__ == "__main__":
    print(numba.get_num_threads(), fingerprint())
