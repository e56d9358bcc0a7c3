"""samples/web in headless Chromium: what three.js gets of files and models, texel by texel against the reference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from command import Command
from glsl_materials import material_of, tied_texels
from hostile_cases import file_of, plain, put
from make_golden import DATA, GOLDEN
from random_material import make_material
from small_models import glb_bytes, model_bytes, png, read_glb, sample_image
from small_samples import crop_sample
from test_gltf import PANEL, PBR, panel_images, panel_material, shown, stack_of
from web_page import ROOT, Page, needs_web, opened_page, pixels_of

import gstex
from gstex import format as fmt
from gstex.json_types import JsonView

numbers = count()
LIMIT = 1 / 1024  # of float targets
REPEAT, CLAMP, MIRROR = 1000, 1001, 1002  # of three.js
NEAREST, LINEAR, TRILINEAR = 1003, 1006, 1008
pytestmark = needs_web


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text((Path(__file__).parent / "web_page.html").read_text())
    with opened_page(folder) as opened:
        opened.folder = folder  # type: ignore[attr-defined]
        yield opened
        assert opened.errors() == []


needs_wgsl = pytest.mark.skipif(not (ROOT / "shaders" / "gstex.wgsl").is_file(), reason="needs shaders/gstex.wgsl")


@pytest.fixture
def webgpu(page: Page) -> Page:
    if not page.call("hasWebGPU"):
        pytest.skip("no WebGPU in this browser")
    return page


def put_file(page: Page, name: str, data: bytes) -> str:
    """The address of a file; never the same, as browsers keep what they know."""
    (page.folder / name).write_bytes(data)  # type: ignore[attr-defined]
    return f"/{name}?{next(numbers)}"


def file_bytes(texture: gstex.Texture) -> bytes:
    return fmt.write_bytes(texture.words, texture.metadata)


WAYS = ((False, False), (True, True))


def check_channels(
    page: Page, texture: gstex.Texture, *, skip: np.ndarray | None = None, function: str = "channels",
    ways: Sequence[tuple[bool, bool]] = WAYS,
) -> None:  # fmt: skip
    """All channels of all mips. ways: whether the target has floats, and is upside down."""
    url = put_file(page, "file.gstex", file_bytes(texture))
    for is_float, flip in ways:
        textures = page.call(function, url, is_float, flip)
        assert len(textures) == -(-texture.channels // 4)
        for mip in range(texture.mip_count):
            right = texture.decode(mip)
            height, width, channels = right.shape
            dtype = "<f4" if is_float else "u1"
            found = np.concatenate([pixels_of(mips[mip], dtype).reshape(height, width, 4) for mips in textures], axis=2)
            found = (found[::-1] if flip else found).astype(float) / (1 if is_float else 255)
            assert (np.abs(found[:, :, channels:] - 0.25) < 0.01).all()
            apart = np.abs(found[:, :, :channels] - right).max(axis=2)
            if skip is not None and mip == 0:
                apart = apart[~skip]
            assert apart.max() <= (LIMIT if is_float else 1 / 255), (is_float, mip)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files(name: str, page: Page) -> None:
    texture = gstex.load(DATA / f"golden_v2_{name}.gstex")
    check_channels(page, texture, skip=tied_texels(material_of(texture), 0))


def small(name: str, tmp_path: Path, size: int = 48, **options: Any) -> gstex.Texture:
    crop_sample(name, tmp_path / name, size)
    return gstex.compress(tmp_path / name, effort="draft", gaussians=150, **options)


def test_a_fit(page: Page, tmp_path: Path) -> None:
    """Of Gaussians, with mips that are drawn from mip 0."""
    texture = small("scifi_panel", tmp_path)
    assert {mip["stored_as"] for mip in texture.info()["mips"]} >= {"gaussians", "mip 0"}
    check_channels(page, texture)


@needs_wgsl
@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files_by_webgpu(name: str, webgpu: Page) -> None:
    texture = gstex.load(DATA / f"golden_v2_{name}.gstex")
    ways = WAYS if name == "groups" else WAYS[1:]  # of 8 bits once: a browser takes long to compile
    check_channels(webgpu, texture, skip=tied_texels(material_of(texture), 0), function="gpuChannels", ways=ways)


@needs_wgsl
def test_a_loader_with_a_webgpu_renderer(webgpu: Page, tmp_path: Path) -> None:
    """Makes the textures that one with WebGL makes, within a code."""
    url = put_file(webgpu, "panel.gstex", file_bytes(small("scifi_panel", tmp_path)))
    one, other = webgpu.call("gpuLoaded", url)
    assert [row[:2] for row in one] == [row[:2] for row in other] and len(one) == 4
    for (*_, first), (*_, second) in zip(one, other, strict=True):
        assert np.abs(pixels_of(first, "u1").astype(int) - pixels_of(second, "u1")).max() <= 1


def light(codes: np.ndarray) -> np.ndarray:
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def check_fetched(found: JsonView, mips: list[int], right: list[np.ndarray], *, srgb: bool, flip: bool) -> None:
    """What a shader reads of a texture is what 8 bits of the reference say."""
    for text, mip in zip(found["mips"], mips, strict=True):
        codes = right[mip][::-1] if flip else right[mip]
        pixels = pixels_of(text, "<f4").reshape(*codes.shape[:2], 4)[:, :, : codes.shape[2]]
        for c in range(codes.shape[2]):
            of = (lambda x: x) if c == 3 or not srgb else light
            lo, hi = (of(np.clip(codes[:, :, c] + side / 255, 0, 1)) for side in (-1, 1))
            assert (pixels[:, :, c] >= lo - 1e-4).all() and (pixels[:, :, c] <= hi + 1e-4).all(), (mip, c)


def test_a_file_becomes_a_material(page: Page, tmp_path: Path) -> None:
    texture = small("scifi_panel", tmp_path, wrap="repeat")
    found = page.call("loaded", put_file(page, "panel.gstex", file_bytes(texture)), [0, 1, 5])
    assert found["error"] == 0 and not found["transparent"] and not any(found["half"])
    assert set(found["names"]) == {"map", "transparent", "normalMap", "aoMap", "roughnessMap", "metalnessMap",
                                   "roughness", "metalness", "emissiveMap", "emissive"}  # fmt: skip
    roles = [(channel.role, channel.component) for channel in texture.table.header.channels]
    albedo, emissive = ([roles.index((role, c)) for c in "rgb"] for role in ("albedo", "emissive"))
    packed = [roles.index((role, "v")) for role in ("ao", "roughness", "metallic")]
    stacks = [texture.decode(mip) for mip in range(texture.mip_count)]
    for name, channels in (("map", albedo), ("packedMap", packed), ("emissiveMap", emissive)):
        mine, srgb = found["textures"][name], name != "packedMap"
        check_fetched(mine, [0, 1, 5], [stack[:, :, channels] for stack in stacks], srgb=srgb, flip=True)
        assert (mine["colorSpace"], mine["wrap"], mine["levels"]) == ("srgb" if srgb else "", [REPEAT] * 2, len(stacks))
    x, y = (2.0 * stacks[0][:, :, roles.index(("normal", c))] - 1 for c in "xy")
    normal = np.stack([x, y, np.sqrt(np.maximum(1 - x * x - y * y, 0))], axis=2) / 2 + 0.5
    check_fetched({"mips": found["textures"]["normalMap"]["mips"][:1]}, [0], [normal], srgb=False, flip=True)


def test_alpha_and_directx_and_light(page: Page, tmp_path: Path) -> None:
    """An opacity, normals whose Y points down, gloss in place of roughness, light that is brighter than 1."""
    header = small("vine_leaves", tmp_path).table.header
    assert [channel.role for channel in header.channels][3] == "opacity"
    found = page.call("loaded", put_file(page, "leaves.gstex", file_bytes(small("vine_leaves", tmp_path / "2"))), [0])
    assert found["transparent"]
    rng = np.random.default_rng(3)
    folder = tmp_path / "maps"
    folder.mkdir()
    images = {"a_normal_dx": np.dstack([rng.integers(100, 156, (16, 16, 2)), np.full((16, 16), 250)]).astype(np.uint8),
              "a_gloss": rng.integers(0, 256, (16, 16, 1)).astype(np.uint8)}  # fmt: skip
    for name, image in images.items():
        (folder / f"{name}.png").write_bytes(png(image, folder))
    bright = rng.uniform(0, 3, (16, 16, 3)).astype(np.float32)
    assert oiio.ImageBuf(bright).write(str(folder / "a_emissive.exr"))
    texture = gstex.compress(folder, effort="draft")
    found = page.call("loaded", put_file(page, "odd.gstex", file_bytes(texture)), [0])
    stack, channels = texture.decode(), texture.table.header.channels
    at = {(channel.role, channel.component): i for i, channel in enumerate(channels)}
    assert channels[at["normal", "y"]].flipped
    read = {name: pixels_of(of["mips"][0], "<f4").reshape(16, 16, 4)[::-1] for name, of in found["textures"].items()}
    assert np.abs(read["normalMap"][:, :, 1] - (1 - stack[:, :, at["normal", "y"]])).max() <= 1 / 255
    assert np.abs(read["packedMap"][:, :, 1] - (1 - stack[:, :, at["gloss", "v"]])).max() <= 1 / 255
    assert (read["packedMap"][:, :, 0] == 1).all() and (read["packedMap"][:, :, 2] == 0).all()
    scale = channels[at["emissive", "r"]].scale
    right = stack[:, :, [at["emissive", c] for c in "rgb"]] * scale + channels[at["emissive", "r"]].bias
    assert scale > 2 and found["textures"]["emissiveMap"]["colorSpace"] == "srgb-linear"
    assert np.abs(read["emissiveMap"][:, :, :3] - right).max() <= 4 / 1024


@pytest.mark.parametrize("fallback", ["--no-fallback", "--fallback=8"])
def test_a_model(fallback: str, page: Page, command: Command, tmp_path: Path) -> None:
    images = panel_images()
    material = panel_material()
    transform = {"KHR_texture_transform": {"offset": [0.5, 0.25], "scale": [2, 3], "rotation": 0.5}}
    material[PBR]["baseColorTexture"]["extensions"] = transform
    samplers = [{"wrapS": 33071, "wrapT": 33648, "magFilter": 9728, "minFilter": 9984}, {}]
    textures = [{"source": n, "sampler": int(n > 0), "name": f"t{n}"} for n in range(5)]
    data = model_bytes([png(image, tmp_path) for image in images.values()], [material], textures=textures,
                       samplers=samplers, extensionsUsed=["KHR_texture_transform"])  # fmt: skip
    (tmp_path / "a.glb").write_bytes(data)
    ran = command("gltf", tmp_path / "a.glb", "-o", tmp_path / "b.glb", fallback)
    assert ran.code == 0, ran.err
    stack, document = stack_of(tmp_path / "b.glb", tmp_path)
    found = page.call("model", put_file(page, "model.glb", (tmp_path / "b.glb").read_bytes()), [0])
    [maps], error = found["materials"], found["error"]
    assert error == 0 and len(maps) == 6
    slots = {"map": 0, "normalMap": 1, "roughnessMap": 2, "metalnessMap": 2, "aoMap": 3, "emissiveMap": 4}
    for name, number in slots.items():
        mine, srgb = maps[name], name in ("map", "emissiveMap")
        check_fetched(mine, [0], [shown(stack, document["textures"][number])], srgb=srgb, flip=False)
        assert (mine["colorSpace"], mine["name"], mine["flipY"]) == ("srgb" if srgb else "", f"t{number}", False)
        assert mine["size"] == [16, 16] and mine["levels"] == 5
    assert maps["map"]["wrap"] == [CLAMP, MIRROR] and maps["map"]["filters"] == [NEAREST, 1004]
    assert maps["aoMap"]["wrap"] == [REPEAT, REPEAT] and maps["aoMap"]["filters"] == [LINEAR, TRILINEAR]
    assert (maps["map"]["offset"], maps["map"]["repeat"], maps["map"]["rotation"]) == ([0.5, 0.25], [2, 3], 0.5)
    assert maps["aoMap"]["repeat"] == [1, 1]


def test_models_that_break_a_rule(page: Page, command: Command, tmp_path: Path) -> None:
    data = model_bytes([png(sample_image(PANEL + "albedo", 16), tmp_path)], [{PBR: {"baseColorTexture": {"index": 0}}}])
    (tmp_path / "a.glb").write_bytes(data)
    assert command("gltf", tmp_path / "a.glb", "-o", tmp_path / "b.glb", "--no-fallback").code == 0
    for part, value, message in (
        ("components", [{"channel": 3}, {"channel": 0}, {"channel": 0}], "FormatError: components: got"),
        ("components", [{"value": 2}] * 3, "FormatError: components"),
        ("components", 3, "FormatError: components"), ("file", 1, "FormatError: GSTEX_texture: file 1"),
    ):  # fmt: skip
        document, chunk = read_glb(tmp_path / "b.glb")
        document["textures"][0]["extensions"]["GSTEX_texture"][part] = value
        refused = page.refused("model", put_file(page, "bad.glb", glb_bytes(document, chunk)), [0])
        assert refused.startswith(message), json.dumps(value)


def test_a_fallback_is_shown_for_a_file_that_is_not_sound(page: Page, command: Command, tmp_path: Path) -> None:
    image = sample_image(PANEL + "albedo", 16)
    (tmp_path / "a.glb").write_bytes(model_bytes([png(image, tmp_path)], [{PBR: {"baseColorTexture": {"index": 0}}}]))
    assert command("gltf", tmp_path / "a.glb", "-o", tmp_path / "b.glb", "--fallback", "4").code == 0
    data = (tmp_path / "b.glb").read_bytes()
    at = data.index(b"\x89GSTEX") + 300
    broken = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    for model, size in ((data, 16), (broken, 4)):
        [maps] = page.call("model", put_file(page, "fallback.glb", model), [])["materials"]
        assert maps["map"]["size"] == [size, size]
    complaints = page.errors()
    assert len(complaints) == 1 and "textures[0]: the fallback is shown; gpu_crc: got" in complaints[0]


def test_sampled_where_it_is_drawn(page: Page, tmp_path: Path) -> None:
    """A lit quad: the same as with textures, but for what 8 bits of them take away."""
    texture = small("scifi_panel", tmp_path)
    decoded, own = (pixels_of(text, "<f4").reshape(48, 48, 4)[:, :, :3] for text in
                    page.call("lit", put_file(page, "lit.gstex", file_bytes(texture)), 48))  # fmt: skip
    assert decoded.std() > 0.02 and own.max() < 20
    apart = np.abs(decoded - own) / (0.05 + decoded)
    assert apart.max() <= 0.12 and apart.mean() <= 0.01, (apart.max(), apart.mean())


def test_files_that_break_a_rule(page: Page) -> None:
    words = put((2, 0, 0, 16))(plain().copy())
    assert page.refused("parsed", put_file(page, "bad.gstex", file_of(words))) == (
        "FormatError: width: got 0, expected 1 .. 16384")  # fmt: skip
    cut = put_file(page, "cut.gstex", file_of(plain())[:300])
    assert page.refused("parsed", cut).startswith("FormatError: file_bytes")
    material = make_material(np.random.default_rng(0), width=16384, height=16384, channel_bits=(0,), mips=[[]])
    role = replace(material.channels[0], role="ao", component="v")
    huge = file_of(fmt.pack(replace(material, channels=(role,))))
    assert page.refused("parsed", put_file(page, "huge.gstex", huge)).startswith("LimitError: the file ")
    assert "call setRenderer" in page.refused("withoutRenderer", "/huge.gstex")
