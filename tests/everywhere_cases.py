"""What lies between image files and the fit, and what is measured for the report of a file: a hash of each, as JSON.

tests/test_same_everywhere.py runs it as on several CPUs (everywhere.py). Inputs are made of whole numbers alone.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from gstex import metrics
from gstex.encode.bend import find_bend
from gstex.encode.problem import Target
from gstex.encode.tasks import tasks_of
from gstex.format.ranges import ValueRange
from gstex.material import Channel, Material, guess_wrap, load_material, make_mips
from gstex.material.bleed import bleed
from gstex.material.coverage import coverage, keep_coverage
from gstex.material.halve import halve
from gstex.material.images import to_unit
from gstex.material.importance import Importance, load_importance
from gstex.material.normals import read_normals
from gstex.material.profile import from_cicp, from_gamma, to_srgb
from gstex.material.resample import resample, restore_size
from gstex.material.saliency import estimate_saliency
from gstex.native import maths
from gstex.srgb import linear_to_srgb, srgb_to_linear

RNG = np.random.default_rng(11)
CHANNELS = [("albedo", "rgb", "srgb"), ("opacity", "v", "linear"), ("normal", "xy", "linear"),
            ("roughness", "v", "linear"), ("emissive", "v", "srgb")]  # fmt: skip


def noise(*shape: int) -> np.ndarray:
    """Smooth and rough parts, float32 in 0..1."""
    fine = RNG.integers(0, 65536, shape)
    coarse = RNG.integers(0, 65536, (-(-shape[0] // 8), -(-shape[1] // 8), *shape[2:]))
    coarse = coarse.repeat(8, axis=0).repeat(8, axis=1)[: shape[0], : shape[1]]
    return ((3 * coarse + fine) / (4 * 65535)).astype(np.float32)


def cut_out(height: int, width: int) -> Material:
    """A material of every role that is treated in a way of its own, under a part of which nothing is visible."""
    channels = [Channel(role, c, space, f"{role}.png", i, None, (0.0, 1.0))
                for role, components, space in CHANNELS for i, c in enumerate(components)]  # fmt: skip
    pixels = noise(height, width, len(channels))
    pixels[: height // 2, : width // 2, 3] = 0
    return Material("cut-out", width, height, (), tuple(channels), pixels, "gl", "repeat")


def cases(sample: Path) -> dict[str, list]:
    """By name, arrays and numbers."""
    material, image = cut_out(45, 70), noise(37, 53, 3)
    codes, wide = RNG.integers(0, 256, (9, 16), np.uint8), RNG.integers(0, 65536, (9, 16), np.uint16)
    found: dict[str, list] = {
        "sRGB": [srgb_to_linear(image), linear_to_srgb(image), srgb_to_linear(image.astype(float)),
                 linear_to_srgb(image.astype(float))],
        "integers and floats in 0..1": [to_unit(codes, None), to_unit(wide, None),
                                        to_unit(image, ValueRange.between(-0.3, 2.7)),
                                        to_unit(np.array([[-0.0, 1.0]], np.float32), ValueRange()),
                                        ValueRange.of_light(60000.0, 0.5).to_unit(image * 60000)],
        "resampling": [resample(image, 61, 20, repeat=True), restore_size(image, 20, 61, repeat=False)],
        "wrap": [guess_wrap([[image[:, :, 0]], [image[:, :, 1]]])],
        "coverage": [coverage(image[:, :, 0], 0.4, repeat=True),
                     keep_coverage(image[:, :, 0].astype(float), 0.4, 0.7, repeat=False)],
        "colour under no opacity": list(bleed(material.pixels, material.weights, repeat=True)),
        "saliency": [estimate_saliency(image, noise(37, 53, 3), repeat=wrap) for wrap in (True, False)],
    }  # fmt: skip
    found["profiles"] = [to_srgb(image.astype(float), p, linear=linear) for linear in (False, True)
                         for p in (from_cicp(9, 13, 0, 1), from_gamma(1.8, ())) if p]  # fmt: skip
    found["what a normal map holds"] = [str(read_normals(image)), maths.quantile(image, 0.95)]
    for filter in ("box", "kaiser"):
        found[f"halving, {filter}"] = [halve(image.astype(float), repeat=wrap, filter=filter) for wrap in (True, False)]
        levels = make_mips(material, repeat=True, filter=filter, alpha_test=0.5, roughness_from_normals=True)
        found[f"mips, {filter}"] = [a for level in levels for a in (level.pixels, level.weights) if a is not None]
    importance = load_importance(noise(12, 18, 4), 45, 70, repeat=True)
    weights = Importance("", image[:, :, 0]).weights([(37, 53), (18, 26)], repeat=True)
    found["importance"] = [importance.values, *weights]
    tasks = tasks_of(material, make_mips(material, repeat=True), [0, 1, 2, 4, 5], 1000, None, repeat=True)
    found["tasks"] = [
        a for t in tasks for a in (t.target.image, t.target.importance, t.target.plane, t.weight, np.array(t.ranges))
    ]

    found["bends"] = [find_bend(image, Target.of(noise(37, 53, 3), noise(37, 53, 3)))]
    other, uv = noise(45, 70, 8), metrics.sample_points(70)
    roles = [channel.role for channel in material.channels]
    found["PSNR"] = [
        *metrics.psnr_by_map(other, material.pixels, roles).values(),
        *metrics.psnr_by_map(other, material.pixels, roles, material.weights).values(),
        metrics.psnr(metrics.filtered(other, uv, repeat=True), metrics.filtered(material.pixels, uv, repeat=False)),
    ]
    loaded = load_material(sample)
    found["a folder"] = [loaded.pixels, loaded.wrap, json.dumps(loaded.to_metadata())]
    return found


def digest(values: list) -> str:
    parts = [v.encode() if isinstance(v, str) else np.ascontiguousarray(v).tobytes() for v in values]
    return hashlib.sha256(b"|".join(parts)).hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps({name: digest(values) for name, values in cases(Path(sys.argv[1])).items()}))
