"""From channels to a material in GLSL, against gstex.shading.read_surface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from format_builder import ChannelSpec, GroupSpec, MaterialSpec, RawMipSpec, build_words
from glsl_runner import LIMIT, Runner, context_or_skip

from gstex.format.layout import COMPONENTS, ROLE_CODES
from gstex.gl import channel_uniforms
from gstex.shading import read_surface
from gstex.texture import Texture

SIZE = 16
CONSTANT = 0.75
# role: components. Every map of the kind, in an order that no folder gives.
FULL = ("roughness", "normal", "normal", "ao", "emissive", "emissive", "emissive", "metallic", "albedo", "albedo",
        "albedo", "opacity")  # fmt: skip


@pytest.fixture(scope="module", params=["gl", "es"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    with context_or_skip(es=request.param == "es"):
        yield Runner(es=request.param == "es")


def described(roles: tuple[str, ...], constant: str | None) -> list[dict[str, Any]]:
    """A mapping a channel, as in the metadata; colours are sRGB but for the emissive."""
    rows = []
    for i, role in enumerate(roles):
        components = {"normal": "xy"}.get(role, "rgb" if roles.count(role) == 3 else "vv")
        rows.append({
            "role": role, "component": components[roles[:i].count(role)],
            "color_space": "srgb" if role in ("albedo", "color") else "linear",
            "constant": CONSTANT if role == constant else None,
        })  # fmt: skip
    return rows


@pytest.mark.parametrize("finds", [True, False], ids=["table", "uniforms"])
@pytest.mark.parametrize(
    ("roles", "convention", "constant"),
    [
        (FULL, "gl", None),
        (FULL, "dx", "opacity"),
        (FULL, "gl", "albedo"),
        (("gloss", "color", "color", "color"), "gl", None),
        (("albedo", "metallic"), "gl", None),  # grey
        (("height", "mask"), "gl", None),  # nothing that the surface knows
        (("color", "roughness", "emissive", "albedo", "roughness"), "gl", None),  # more than one for the same
    ],
    ids=["all", "directx", "constant colour", "gloss", "grey", "nothing", "twice"],
)
def test_surface_is_that_of_the_reference(roles, convention, constant, finds: bool, runner: Runner) -> None:
    rows = described(roles, constant)
    codes = np.random.default_rng(len(roles)).integers(0, 256, (SIZE, SIZE, len(roles)))
    codes[0, 0], codes[0, 1] = 0, 255  # also normals longer than 1
    stack, members = codes / 255, []
    for c, row in enumerate(rows):
        if row["constant"] is None:
            members.append(c)
        else:
            stack[:, :, c] = row["constant"]
    raw = RawMipSpec(codes[:, :, members].reshape(-1, len(members)).tolist())
    group = GroupSpec(members, [(0.0, 1 / 255, 8)] * len(members), [raw])
    channels = [
        ChannelSpec(
            ROLE_CODES.index(row["role"]), COMPONENTS.index(row["component"]), row["color_space"] == "srgb",
            convention == "dx" and row["component"] == "y", constant=row["constant"] or 0.0,
        )
        for row in rows
    ]  # fmt: skip
    texture = Texture(np.array(build_words(MaterialSpec(SIZE, SIZE, channels, [group])), np.uint32), {})
    runner.upload(np.zeros(64, np.uint32), texture.words)

    defines = {"FIND_CHANNELS": 1} if finds else {}
    uniforms = {} if finds else channel_uniforms(texture.table.header.channels)
    found = runner.draw("surface.frag", defines, (SIZE, SIZE), 4, base=64, **uniforms)

    expected = read_surface(stack, rows, convention)
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
