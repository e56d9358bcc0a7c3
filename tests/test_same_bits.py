"""The same bits from every instruction set and any number of threads, operation by operation, on every CPU.

Digests of what they give stand in data/golden_operations.json. `python tests/test_same_bits.py` writes it anew; whoever
changes what an operation gives says why.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_gaussians import random_scene
from same_bits import each_instruction_set, each_thread_count

from gstex import native
from gstex.encode.codebooks import to_grid
from gstex.encode.map_weights import coefficients, decorrelated
from gstex.encode.ops.cpu.adam import adam
from gstex.encode.ops.cpu.codebooks import store, train
from gstex.encode.ops.cpu.errors import squared_errors
from gstex.encode.ops.cpu.perceptual_loss import perceptual_loss
from gstex.encode.ops.cpu.quantisation import Quantiser
from gstex.encode.ops.cpu.refine_features import refine_features
from gstex.encode.ops.cpu.refine_geometry import refine_geometry
from gstex.encode.ops.cpu.sample_points import collect
from gstex.encode.ops.cpu.view import CpuView
from gstex.encode.problem import Target
from gstex.encode.quantisation import Precision, make_coding

GOLDEN = Path(__file__).resolve().parent / "data" / "golden_operations.json"
JITTER = np.array([0.29, -0.43], np.float32)


def results() -> dict[str, list[np.ndarray]]:
    """What every operation of the fit gives for a scene; copies."""
    scene = random_scene(12, 40, 33, 300, 5, repeat=True, sigma=(0.4, 12.0))
    view = CpuView(scene.pyramid, scale=(1.0, 1.0))
    view.set_target(scene.wanted, scene.weight)
    view.place(scene.placement, scene.geometry)
    found: dict[str, list] = {"scene": [scene.geometry, scene.placement]}
    lists = view.lists
    found["tile lists"] = [lists.start, lists.gaussian, lists.image, lists.faded, lists.slot]
    loss, *gradients = view.step(*scene.parameters, JITTER)
    found["step"] = [np.float64(loss), *gradients]
    values, moments = scene.geometry.copy(), [np.zeros_like(scene.geometry) for _ in range(2)]
    for step in (1, 2):
        adam(values, gradients[0], *moments, np.full(6, 0.01, np.float32), 0.5, (0.9, 0.97), step)
    found["adam"] = [values, *moments]
    image, target, importance = view.render(*scene.parameters, JITTER)
    loss, v_image = perceptual_loss(image, target, importance)
    found["render"] = [image, target, importance]
    found["perceptual loss"] = [np.float64(loss), v_image]
    found["backward"] = list(view.backward(*scene.parameters, JITTER, v_image))
    found["removal cost"] = list(view.removal_cost(*scene.parameters))
    found["errors"] = [squared_errors(image, scene.wanted)]
    found["map weights"] = [coefficients(scene.target), decorrelated(scene.target, np.array([0, 0, 0, 1, 1]))]
    half = CpuView(replace(scene.pyramid, width=20, height=16), scale=(0.5, 16 / 33), filter_sigma=0.5)
    smaller = Target(scene.target[:32:2, ::2].copy(), scene.planes[:32:2, ::2].copy(), scene.plane)
    half.set_target(smaller, scene.weight)
    half.place(scene.placement, scene.geometry)
    loss, *gradients = half.step(*scene.parameters, JITTER)
    found["shared mip"] = [np.float64(loss), *gradients]
    for bits in ((), (5, 4)):
        found[f"codebooks {bits}"] = _stored(scene, [view, half], found["removal cost"][1], bits)
    return {name: [np.array(a) for a in arrays] for name, arrays in found.items()}


def _stored(scene, views, share, bits) -> list[np.ndarray]:
    channels, made = scene.features.shape[1], []
    precision = Precision(position_step=0.2, rotation_bits=6, scale_bits=6, amplitude_bits=4, feature_step=1 / 40)
    coding = make_coding(scene.pyramid, scene.placement, scene.geometry, precision, [(0.0, 1.0)] * channels,
                         [(0.0, 1.0)] * channels, palette_bits=bits)  # fmt: skip
    if bits:
        trained, entries = train(scene.features, share, bits, np.random.default_rng(0))
        lo, step, palettes = to_grid(trained, [(0.0, 1.0)] * channels)
        made += [*trained, entries, lo, step, *palettes]
        coding = replace(coding, channel_lo=lo, channel_step=step, palettes=palettes)
    quantiser, stored = Quantiser(coding, scene.placement), store(coding, scene.features)
    geometry = quantiser.encode(scene.geometry)[0]
    made += [stored.entries.copy(), stored.codes.copy(), geometry.copy(), quantiser.round(scene.geometry.copy())]
    points = collect(views[0], views[1:], 0.3, [0.1])
    for _ in range(2):
        blend = points.blend(quantiser.decode(geometry), stored.values(), scene.background)
        made += [blend.total.copy(), blend.out.copy(), blend.share, np.float64(points.error(blend))]
        refine_features(points, blend, stored, codebooks_too=True)
        blend = points.blend(quantiser.decode(geometry), stored.values(), scene.background)
        refine_geometry(points, blend, quantiser, geometry, stored.values(), 0.2)
    return [*made, geometry, stored.codebooks, stored.entries, stored.codes]


def digest(arrays: list[np.ndarray]) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[:16]


def digests() -> dict[str, str]:
    return {name: digest(arrays) for name, arrays in results().items()}


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    return json.loads(GOLDEN.read_text())


def test_any_number_of_threads_gives_the_same_bits(expected):
    for _ in each_thread_count(1, 2, 5):
        assert digests() == expected


def test_every_instruction_set_gives_the_same_bits(expected):
    seen = []
    for name in each_instruction_set():
        seen.append(name)
        assert digests() == expected
    assert seen == list(native.instruction_sets()) and seen


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(digests(), indent=1) + "\n")
