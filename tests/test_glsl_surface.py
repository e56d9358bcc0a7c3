"""From channels to a material in GLSL, against gstex.shading.read_surface."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from format_builder import ChannelSpec, GroupSpec, MaterialSpec, RawMipSpec, build_words
from glsl_runner import LIMIT, SHADERS, Runner, context_or_skip

from gstex.format.layout import COMPONENTS, ROLE_CODES
from gstex.gl import channel_uniforms, draw_program, unit_uniforms
from gstex.gl.context import import_gl
from gstex.json_types import JsonObject
from gstex.resources import source_path
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


def described(roles: tuple[str, ...], constant: str | None) -> list[JsonObject]:
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


def raw_texture(channels: list[ChannelSpec], codes: np.ndarray, members: list[int]) -> Texture:
    """One raw mip. codes: int [SIZE, SIZE, C]. members: the channels that are not constant."""
    raw = RawMipSpec(codes[:, :, members].reshape(-1, len(members)).tolist())
    group = GroupSpec(members, [(0.0, 1 / 255, 8)] * len(members), [raw])
    return Texture(np.array(build_words(MaterialSpec(SIZE, SIZE, channels, [group])), np.uint32), {})


FINDS = pytest.mark.parametrize("finds", ["table", "channels", "all"])


def found_by(finds: str, texture: Texture) -> tuple[dict[str, int | str], dict[str, object]]:
    """Defines and uniforms of surface.frag. finds: what it finds in the table, or which of it is given."""
    if finds == "table":
        return {"FIND_CHANNELS": 1}, {}
    if finds == "channels":
        return {}, channel_uniforms(texture.table)
    return {"GIVEN_UNITS": 1}, channel_uniforms(texture.table) | unit_uniforms(texture.table)


@FINDS
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
def test_surface_is_that_of_the_reference(roles, convention, constant, finds: str, runner: Runner) -> None:
    rows = described(roles, constant)
    codes = np.random.default_rng(len(roles)).integers(0, 256, (SIZE, SIZE, len(roles)))
    codes[0, 0], codes[0, 1] = 0, 255  # also normals longer than 1
    stack, members = codes / 255, []
    for c, row in enumerate(rows):
        if row["constant"] is None:
            members.append(c)
        else:
            stack[:, :, c] = row["constant"]
    channels = [
        ChannelSpec(
            ROLE_CODES.index(row["role"]), COMPONENTS.index(row["component"]), row["color_space"] == "srgb",
            convention == "dx" and row["component"] == "y", constant=row["constant"] or 0.0,
        )
        for row in rows
    ]  # fmt: skip
    texture = raw_texture(channels, codes, members)
    runner.upload(np.zeros(64, np.uint32), texture.words)

    defines, uniforms = found_by(finds, texture)
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


@FINDS
def test_maps_that_were_not_in_0_to_1_come_in_their_units(finds: str, runner: Runner) -> None:
    """Light of 0.5 to 40.5, and a height of -3 to 17 metres; green with a curve, a constant blue, which has four
    numbers."""
    channels = [
        ChannelSpec(8, scale=20.0, bias=-3.0), ChannelSpec(9, 1, scale=40.0, bias=0.5),
        ChannelSpec(9, 2, scale=0.125, curve=1, stops=8.0),
        ChannelSpec(9, 3, constant=CONSTANT, scale=8.0, bias=-1.0, curve=1, stops=2.0), ChannelSpec(5),
    ]  # fmt: skip
    codes = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, len(channels)))
    texture = raw_texture(channels, codes, [0, 1, 2, 4])
    runner.upload(np.zeros(64, np.uint32), texture.words)
    defines, uniforms = found_by(finds, texture)
    found = runner.draw("surface.frag", defines, (SIZE, SIZE), 4, base=64, **uniforms)
    values = codes / 255
    np.testing.assert_allclose(found[..., 13], -3 + 20 * values[..., 0], atol=1e-4)
    np.testing.assert_allclose(found[..., 8], 0.5 + 40 * values[..., 1], atol=1e-4)
    np.testing.assert_allclose(found[..., 9], 0.125 * (np.exp2(8 * values[..., 2]) - 1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[..., 10], -1 + 8 * (2 ** (2 * CONSTANT) - 1), atol=1e-5)


def test_what_the_shader_does_not_decode_is_not_found() -> None:
    channels = [ChannelSpec(0)] * 3 + [ChannelSpec(1, c, srgb=True) for c in (1, 2, 3)] + [ChannelSpec(7)] * 3
    texture = raw_texture(channels, np.zeros((SIZE, SIZE, 9), np.int64), list(range(9)))
    found = [channel_uniforms(texture.table, "at", vec4s=vec4s) for vec4s in (1, 2, 3)]
    assert [of["at.albedo"] for of in found] == [[3, -1, -1], [3, 4, 5], [3, 4, 5]]
    assert [of["at.ao"] for of in found] == [-1, 6, 6]


CHANNELS = ("albedo", "emissive", "normal", "normal_directx", "roughness", "gloss", "metallic", "ao", "opacity",
            "height")  # fmt: skip
UNITS = {f"{colour}.{of}.{member}": f"{colour}[{i}].{member}" for colour in ("albedo", "emissive")
         for i, of in enumerate(("red", "green", "blue")) for member in ("scale", "bias", "stops", "srgb")}  # fmt: skip


@pytest.mark.parametrize(("struct", "block", "members", "bytes_of_it"), [
    ("gstex_channels", "GstexChannels channels", {name: name for name in CHANNELS}, 80),
    ("gstex_units", "GstexUnits units", UNITS | {"height.scale": "height.scale", "height.srgb": "height.srgb"}, 112),
])  # fmt: skip
def test_blocks_have_the_layout_of_the_shader(
    struct: str, block: str, members: dict[str, str], bytes_of_it: int, tmp_path: Path, runner: Runner
) -> None:
    """gstex_channels and gstex_units of gstex.h are copied into uniform blocks as they are. members: of the shader, and
    of the header."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    lines = "".join(f'printf("%zu ", offsetof({struct}, {name}));' for name in members.values())
    (tmp_path / "a.c").write_text(
        f'#include <stdio.h>\n#include "gstex.h"\nint main(void) {{ {lines} printf("%zu", sizeof({struct})); }}\n'
    )
    header = source_path("native/gstex.h")
    subprocess.run(["gcc", f"-I{header.parent}", tmp_path / "a.c", "-o", tmp_path / "a"], check=True)
    *offsets, size = map(int, subprocess.run([tmp_path / "a"], capture_output=True, check=True).stdout.split())

    text = (SHADERS / "surface.frag").read_text()
    assert text.count(f"uniform {block};\n") == 1
    text = text.replace(f"uniform {block};\n", f"layout(std140) uniform Block {{ {block}; }};\n")
    (tmp_path / "block.frag").write_text(text)
    gl = import_gl()
    defines = {"GIVEN_UNITS": 1} if struct == "gstex_units" else {}
    program = draw_program(SHADERS / "screen.vert", tmp_path / "block.frag", defines).handle
    found, value = {}, np.zeros(1, np.int32)
    for index in range(gl.glGetProgramiv(program, gl.GL_ACTIVE_UNIFORMS)):
        gl.glGetActiveUniformsiv(program, 1, np.array([index], np.uint32), gl.GL_UNIFORM_OFFSET, value)
        found[bytes(gl.glGetActiveUniform(program, index)[0]).rstrip(b"\0").decode()] = int(value[0])
    assert [found[f"{block.split()[1]}.{name}"] for name in members] == offsets
    gl.glGetActiveUniformBlockiv(program, 0, gl.GL_UNIFORM_BLOCK_DATA_SIZE, value)
    assert value[0] == size == bytes_of_it
