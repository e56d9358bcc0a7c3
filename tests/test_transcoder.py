"""Mips as blocks of BC: the maps of a material, and both transcoders against each other and the decoded material."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bc_blocks import blocks_of_all_kinds, decode_blocks, encode_by_cuda, plain_error
from cuda_host import HostDevice, run_sanitized
from glsl_materials import random_texture
from glsl_runner import context_or_skip
from make_golden import golden_file
from test_glsl_text import check

import gstex
from gstex import cuda, gl
from gstex.blocks import BlockMap, check_maps, plan_maps
from gstex.errors import GraphicsError, UsageError
from gstex.format import ChannelEntry
from gstex.gl.context import import_gl
from gstex.texture import Texture

ZERO, HALF, ONE, INVERTED = 256, 256 + 128, 256 + 255, 16
ALBEDO = [ChannelEntry("albedo", component, srgb=True) for component in "rgb"]
NORMAL = [ChannelEntry("normal", "x"), ChannelEntry("normal", "y", flipped=True)]


@pytest.fixture(scope="module")
def context() -> Iterator[None]:
    with context_or_skip():
        yield


# ---- Which maps -----------------------------------------------------------------------------------------------------


def planned(*entries: ChannelEntry, **options: str) -> dict[str, tuple]:
    return {m.name: (m.format, m.sources, m.srgb) for m in plan_maps(entries, **options)}


def test_the_maps_of_a_material() -> None:
    rest = [ChannelEntry(role) for role in ("opacity", "roughness", "metallic", "ao", "height")]
    entries = [*ALBEDO, rest[0], *NORMAL, *rest[1:]]
    assert planned(*entries) == {
        "albedo": ("bc7", (0, 1, 2, 3), True),
        "normal": ("bc5", (4, 5 + INVERTED, ZERO, ONE), False),
        "orm": ("bc7", (8, 6, 7, ONE), False),
        "height": ("bc4", (9, ZERO, ZERO, ONE), False),
    }
    down = planned(*entries, packed="bc1", normal_y="down")
    assert down["normal"][1] == (4, 5, ZERO, ONE) and down["orm"][0] == "bc1"
    apart = planned(*entries, packed="none")
    assert list(apart) == ["albedo", "normal", "roughness", "metallic", "ao", "height"]
    assert apart["ao"] == ("bc4", (8, ZERO, ZERO, ONE), False)


def test_what_is_missing_and_what_stands_in_for_it() -> None:
    found = planned(*[ChannelEntry("color", c, srgb=True) for c in "rgb"], ChannelEntry("ao"), ChannelEntry("gloss"))
    assert found == {
        "albedo": ("bc7", (0, 1, 2, ONE), True),
        "orm": ("bc7", (3, 4 + INVERTED, ZERO, ONE), False),
    }
    assert planned(ChannelEntry("metallic"), ChannelEntry("ao"))["orm"][1] == (1, HALF, 0, ONE)
    assert planned(ChannelEntry("albedo", srgb=True), ChannelEntry("opacity", constant=1.0)) == {
        "albedo": ("bc7", (0, 0, 0, ONE), True)  # grey; a constant opacity hides nothing
    }
    assert planned(ChannelEntry("roughness"))["roughness"][0] == "bc4"  # alone it is not packed
    lone = planned(ALBEDO[0], ALBEDO[1], NORMAL[1])
    assert lone == {
        "albedo_r": ("bc4", (0, ZERO, ZERO, ONE), True), "albedo_g": ("bc4", (1, ZERO, ZERO, ONE), True),
        "normal": ("bc4", (2, ZERO, ZERO, ONE), False),
    }  # fmt: skip


def test_other_colours_and_channels_without_a_role() -> None:
    glow = [ChannelEntry("emissive", c, srgb=True) for c in "rgb"]
    assert planned(*glow, ChannelEntry(), ChannelEntry(), ChannelEntry("mask")) == {
        "emissive": ("bc7", (0, 1, 2, ONE), True),
        "other_v": ("bc4", (3, ZERO, ZERO, ONE), False),
        "other_v_4": ("bc4", (4, ZERO, ZERO, ONE), False),
        "mask": ("bc4", (5, ZERO, ZERO, ONE), False),
    }


def test_maps_that_are_refused() -> None:
    with pytest.raises(UsageError, match="packed: got 'bc5', expected one of bc7, bc1, none"):
        plan_maps(ALBEDO, packed="bc5")
    with pytest.raises(UsageError, match="normal_y: got 'left', expected one of up, down"):
        plan_maps(ALBEDO, normal_y="left")
    with pytest.raises(UsageError, match="format of a: got 'bc6', expected one of rgba8, bc1, bc4, bc5, bc7"):
        BlockMap("a", "bc6", (0, 0, 0, 0))
    with pytest.raises(UsageError, match=r"sources of a: got .*, expected four of 0\.\.31 or 256\.\.511"):
        BlockMap("a", "bc4", (0, 0, 0, 32))
    one = BlockMap("a", "bc4", (3, ZERO, ZERO, ONE))
    with pytest.raises(UsageError, match=r"maps: got 17, expected 1\.\.16; write the others in another pass"):
        check_maps([one] * 17, 4)
    with pytest.raises(UsageError, match="maps: got 'a' twice, expected different names"):
        check_maps([one, one], 4)
    with pytest.raises(UsageError, match=r"sources of a: got channel 3, this material has 0\.\.2"):
        check_maps([one], 3)


# ---- Blocks of a mip ------------------------------------------------------------------------------------------------


def every_format(channels: int) -> list[BlockMap]:
    """A map of each format, of any channels, some turned round, and texels of all channels."""
    c = [i % channels for i in range(8)]
    maps = [
        BlockMap("bc1", "bc1", (c[0], c[1], c[2], ONE)), BlockMap("bc4", "bc4", (c[3], ZERO, ZERO, ONE)),
        BlockMap("bc5", "bc5", (c[4], c[5] + INVERTED, ZERO, ONE)), BlockMap("bc7", "bc7", (c[0], c[2], c[4], c[6])),
        BlockMap("opaque", "bc7", (c[7], HALF, c[1], ONE)),
    ]  # fmt: skip
    fours = range(0, channels, 4)
    return maps + [BlockMap(f"texels_{i}", "rgba8", tuple(min(i + k, channels - 1) for k in range(4))) for i in fours]


def texels_of(blocks: dict[str, np.ndarray], a_map: BlockMap, channels: int) -> np.ndarray:
    """uint8 [h, w, 4]: what a map should hold, from the RGBA8 of the same run."""
    rgba = [blocks[f"texels_{i}"].view(np.uint8) for i in range(0, channels, 4)]
    codes = np.concatenate(rgba, axis=2).astype(int)
    planes = []
    for source in a_map.sources:
        plane = np.full(codes.shape[:2], source & 255) if source >= 256 else codes[:, :, source % 16]
        planes.append(255 - plane if 16 <= source < 32 else plane)
    return np.stack(planes, axis=2).astype(np.uint8)


def in_blocks(texels: np.ndarray) -> np.ndarray:
    """[h, w, 4] -> [rows, columns, 16, 4], with the last row and column repeated."""
    height, width = texels.shape[:2]
    padded = np.pad(texels, ((0, -height % 4), (0, -width % 4), (0, 0)), mode="edge")
    rows, columns = padded.shape[0] // 4, padded.shape[1] // 4
    return padded.reshape(rows, 4, columns, 4, 4).transpose(0, 2, 1, 3, 4).reshape(rows, columns, 16, 4)


def assert_same(
    by_gl: dict[str, np.ndarray], by_cuda: dict[str, np.ndarray], maps: list[BlockMap], channels: int
) -> None:
    """The same blocks wherever both have decoded the same codes, and codes that differ by one in few texels: what lies
    within a rounding error of the middle between two codes."""
    for a_map in maps:
        ours, theirs = by_gl[a_map.name], by_cuda[a_map.name]
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype == np.uint32
        texels, others = texels_of(by_gl, a_map, channels), texels_of(by_cuda, a_map, channels)
        differ = texels != others
        assert np.abs(texels.astype(int) - others).max() <= 1 and differ.mean() < 2e-3
        if a_map.format != "rgba8":
            held = in_blocks(differ).any(axis=(2, 3))
            np.testing.assert_array_equal(ours[~held], theirs[~held])


CASES = [(3, 1, 0), (8, 2, 0), (13, 4, 0), (5, 1, 7)]  # channels, groups, top K


@pytest.mark.parametrize("channels, groups, top_k", CASES)
def test_every_mip_by_gl_and_cuda(channels: int, groups: int, top_k: int, context: None) -> None:
    texture = random_texture(channels, groups=groups, top_k=top_k, constant=[1])
    maps = every_format(channels)
    by_gl = gl.Transcoder(texture, maps)
    by_cuda = cuda.Transcoder(cuda.GpuTexture(texture, HostDevice()), maps)
    for mip in range(texture.mip_count):
        blocks = by_gl.blocks(mip)
        assert_same(blocks, by_cuda.blocks(mip), maps, channels)
        decoded = texture.decode(mip)
        for i in range(0, channels, 4):
            codes = blocks[f"texels_{i}"].view(np.uint8)[:, :, : channels - i]
            np.testing.assert_allclose(codes / 255, decoded[:, :, i : i + 4], rtol=0, atol=0.5 / 255 + 1e-5)
    by_gl.delete()


def test_blocks_hold_the_decoded_maps(context: None) -> None:
    """As well as by the textbook, or almost; at borders of odd mips the last texels are repeated."""
    texture = gstex.load(golden_file("shared"))
    maps = every_format(texture.channels)
    transcoder = gl.Transcoder(texture, maps)
    for mip in range(texture.mip_count):
        blocks = transcoder.blocks(mip)
        for a_map in maps[:5]:
            texels = in_blocks(texels_of(blocks, a_map, texture.channels))
            name = "bc7 opaque" if a_map.name == "opaque" else a_map.format
            found = decode_blocks(blocks[a_map.name].reshape(-1, blocks[a_map.name].shape[2]), name)
            channels = {"bc1": 3, "bc4": 1, "bc5": 2, "bc7": 4}[a_map.format]
            texels = texels.reshape(-1, 16, 4)[:, :, : 3 if a_map.name == "opaque" else channels]
            error = ((found[:, :, : texels.shape[2]] - texels) ** 2).sum()
            plain = sum(plain_error(block, name) for block in texels)
            assert error <= 1.15 * plain + 0.02 * texels.size, (mip, a_map.name)
    transcoder.delete()


@pytest.mark.parametrize("mip, rectangle", [(0, (0, 0, 4, 4)), (0, (8, 4, 20, 12)), (0, None), (1, None), (5, None)])
def test_a_rectangle_is_a_part_of_the_mip(mip: int, rectangle: tuple | None, context: None) -> None:
    texture = random_texture(8, groups=2)
    maps = every_format(8)
    height, width = texture.decode(mip).shape[:2]
    if rectangle is None:  # to the border, which is no multiple of 4
        left, top = width // 8 * 4, height // 8 * 4
        rectangle = left, top, width - left, height - top
    left, top, across, down = rectangle
    by_gl = gl.Transcoder(texture, maps)
    by_cuda = cuda.Transcoder(cuda.GpuTexture(texture, HostDevice()), maps)
    whole, part, other = by_gl.blocks(mip), by_gl.blocks(mip, rectangle), by_cuda.blocks(mip, rectangle)
    for a_map in maps:
        step = 1 if a_map.format == "rgba8" else 4
        rows, columns = (slice(a // step, -(-(a + n) // step)) for a, n in ((top, down), (left, across)))
        np.testing.assert_array_equal(part[a_map.name], whole[a_map.name][rows, columns])
    assert_same(part, other, maps, 8)
    by_gl.delete()


@pytest.mark.parametrize("rectangle, message", [
    ((2, 0, 8, 8), "expected multiples of 4, or a rectangle that reaches to the border of"),
    ((0, 0, 6, 8), "expected multiples of 4"),
    ((0, 0, 0, 8), "inside"), ((-4, 0, 8, 8), "inside"), ((0, 0, 400, 8), "inside"), ((0, 0, 8), "inside"),
])  # fmt: skip
def test_rectangles_that_are_refused(rectangle: tuple, message: str) -> None:
    transcoder = cuda.Transcoder(cuda.GpuTexture(random_texture(3), HostDevice()))
    with pytest.raises(UsageError, match=rf"rectangle: got .*{message}"):
        transcoder.blocks(0, rectangle)


def test_mips_that_are_refused_and_a_tail_alone(context: None) -> None:
    texture = random_texture(8, groups=2)
    tail = Texture(uploaded_part(texture), {})
    whole, alone = gl.Transcoder(texture), gl.Transcoder(tail)
    first = tail.table.header.first_mip
    assert first > 0
    with pytest.raises(UsageError, match=rf"mip: got {first - 1}, this file holds {first}\.\.5"):
        alone.blocks(first - 1)
    with pytest.raises(UsageError, match=r"mip: got 6, this file holds 0\.\.5"):
        whole.blocks(6)
    raw = [m for m in range(first, 6) if all(group.mips[m].raw for group in texture.table.groups)]
    for mip in raw:
        for name, blocks in whole.blocks(mip).items():
            np.testing.assert_array_equal(alone.blocks(mip)[name], blocks)


def uploaded_part(texture: Texture) -> np.ndarray:
    """The resident part, as a reader takes it."""
    return texture.words[: int(texture.words[5])]


def test_a_buffer_of_many_materials(context: None) -> None:
    textures = [random_texture(3), random_texture(8, groups=2)]
    words = gl.WordBuffer([texture.words for texture in textures])
    for texture, base in zip(textures, words.bases, strict=True):
        shared, own = gl.Transcoder(texture, words=words, base=base), gl.Transcoder(texture)
        for (name, found), expected in zip(shared.blocks(1).items(), own.blocks(1).values(), strict=True):
            np.testing.assert_array_equal(found, expected, err_msg=name)
        shared.delete()
        own.delete()
    words.delete()


def test_textures_hold_the_blocks(context: None) -> None:
    """Through the buffer, mip by mip: OpenGL decodes them to what the tests decode."""
    opengl = import_gl()
    texture = random_texture(8, groups=2)
    maps = every_format(8)[1:4] + every_format(8)[-1:]  # bc4, bc5, bc7, rgba8
    transcoder = gl.Transcoder(texture, maps)
    handles = transcoder.textures()
    for mip in (0, 3, 5):
        expected = transcoder.blocks(mip)
        height, width = texture.decode(mip).shape[:2]
        opengl.glPixelStorei(opengl.GL_PACK_ALIGNMENT, 1)
        for a_map in maps:
            opengl.glBindTexture(opengl.GL_TEXTURE_2D, handles[a_map.name])
            raw = opengl.glGetTexImage(opengl.GL_TEXTURE_2D, mip, opengl.GL_RGBA, opengl.GL_FLOAT)
            found = 255 * np.asarray(raw, np.float32).reshape(height, width, 4)
            if a_map.format == "rgba8":
                np.testing.assert_allclose(found, expected[a_map.name].view(np.uint8), atol=1e-3)
                continue
            blocks = decode_blocks(expected[a_map.name].reshape(-1, expected[a_map.name].shape[2]), a_map.format)
            rows, columns = expected[a_map.name].shape[:2]
            texels = blocks.reshape(rows, columns, 4, 4, -1).transpose(0, 2, 1, 3, 4).reshape(4 * rows, 4 * columns, -1)
            channels = texels.shape[2]
            np.testing.assert_allclose(found[:, :, :channels], texels[:height, :width], atol=1.01)  # Mesa's BC4 rounds
    opengl.glDeleteTextures(len(handles), list(handles.values()))
    transcoder.delete()


def test_es_is_refused() -> None:
    message = r"transcoding: found OpenGL ES, expected OpenGL 4\.3"
    with context_or_skip(es=True), pytest.raises(GraphicsError, match=message):
        gl.Transcoder(random_texture(3))


@pytest.mark.parametrize("vec4s, maps", [(1, 1), (2, 8), (4, 16)])
def test_reference_compiler_takes_the_pass(vec4s: int, maps: int, tmp_path: Path) -> None:
    defines = {"GSTEX_VEC4S": vec4s, "GSTEX_MAX_K": 0, "GSTEX_MAPS": maps}
    check(gl.read_shader("transcode.comp", defines), "comp", tmp_path)


def run_sanitized_cases() -> None:
    """Kernels at borders and at all formats; in the process of `test_kernels_touch_only_what_is_theirs`."""
    transcoder = cuda.Transcoder(cuda.GpuTexture(random_texture(3), HostDevice()), every_format(3))
    for mip, rectangle in ((0, (4, 8, 12, 8)), (4, None), (5, None)):
        transcoder.blocks(mip, rectangle)
    encode_by_cuda(blocks_of_all_kinds(), "bc7")
    print("done")


def test_kernels_touch_only_what_is_theirs() -> None:
    """Under the address and undefined-behaviour sanitizers: no sum of an encoder overflows, either."""
    assert "done" in run_sanitized("test_transcoder", "run_sanitized_cases")
