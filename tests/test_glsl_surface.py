"""From channels to a material in GLSL, against gstex.shading.read_surface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from format_builder import MaterialSpec, MipSpec, RawMipSpec, build_words
from glsl_runner import LIMIT, Runner, context_or_skip

from gstex.gl import channel_uniforms
from gstex.shading import read_surface

SIZE = 16
# role: components. Every map of the kind, in an order that no folder gives.
FULL = ("roughness", "normal", "normal", "ao", "emissive", "emissive", "emissive", "metallic", "albedo", "albedo",
        "albedo", "opacity")  # fmt: skip


@pytest.fixture(scope="module", params=["gl", "es"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    with context_or_skip(es=request.param == "es"):
        yield Runner(es=request.param == "es")


def described(roles: tuple[str, ...], convention: str, constant: str | None = None) -> dict[str, Any]:
    """The part of the metadata that matters here; colours are sRGB but for the emissive."""
    srgb = ("albedo", "color")
    return {
        "normal_convention": convention,
        "channels": [
            {"role": role, "color_space": "srgb" if role in srgb else "linear",
             "constant": 0.5 if role == constant else None}
            for role in roles
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("roles", "convention", "constant"),
    [
        (FULL, "gl", None),
        (FULL, "dx", "opacity"),
        (("gloss", "color", "color", "color"), "gl", None),
        (("albedo", "metallic"), "gl", None),  # grey
        (("height",), "gl", None),  # nothing that the surface knows
    ],
    ids=["all", "directx", "gloss", "grey", "nothing"],
)
def test_surface_is_that_of_the_reference(roles, convention, constant, runner: Runner) -> None:
    material = described(roles, convention, constant)
    codes = np.random.default_rng(len(roles)).integers(0, 256, (SIZE, SIZE, len(roles)))
    codes[0, 0], codes[0, 1] = 0, 255  # also normals longer than 1
    srgb = sum(1 << i for i, c in enumerate(material["channels"]) if c["color_space"] == "srgb")
    raw = RawMipSpec(codes.reshape(-1, len(roles)).tolist())
    channels = [(0.0, 1 / 255, 8)] * len(roles)
    smaller = [MipSpec([0.5] * len(roles))]
    runner.upload(np.array(build_words(MaterialSpec(SIZE, SIZE, channels, [raw, *smaller], srgb=srgb)), np.uint32))

    found = runner.draw("surface.frag", {}, (SIZE, SIZE), 4, base=0, **channel_uniforms(material))

    expected = read_surface(codes / 255, material["channels"], convention)
    alpha = np.maximum(found[..., 3] ** 2, 0.02)
    pairs = {
        "albedo": (found[..., :3], np.moveaxis(expected.base, 0, -1)),
        "roughness": (alpha, expected.alpha),
        "normal": (found[..., 4:7], np.moveaxis(expected.normal, 0, -1)),
        "metallic": (found[..., 7], expected.metallic),
        "emissive": (found[..., 8:11], np.moveaxis(expected.emissive, 0, -1)),
        "ao": (found[..., 11], expected.ao),
        "opacity": (found[..., 12], expected.opacity),
    }
    for name, (value, reference) in pairs.items():
        np.testing.assert_allclose(value, reference, atol=LIMIT, err_msg=name)
