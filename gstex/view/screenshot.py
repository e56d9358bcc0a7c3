"""Draw one picture without a window, for scripts and tests."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import gstex
from gstex.arrays import U8Array
from gstex.errors import ModelError
from gstex.gl import surfaceless
from gstex.gltf.container import read_model
from gstex.gltf.mesh import Mesh, read_mesh
from gstex.json_types import JsonObject
from gstex.view.document import Document
from gstex.view.environment import Environment, filter_environment, make_sky, read_panorama
from gstex.view.errors import chosen_gain
from gstex.view.pan import place
from gstex.view.scene import Scene
from gstex.view.stacks import Stack, Wanted, encode_mix, encode_stack, load_reference, read_second
from gstex.view.state import GSTEX, MIXES, ViewState
from gstex.view.target import Target

__all__ = ["describe", "load_mesh", "load_stacks", "load_surroundings", "render", "wanted_of"]


def wanted_of(document: Document) -> Wanted:
    """The description that a stack must match to be compared with a document."""
    texture = document.texture
    return Wanted(texture.material, texture.fit, texture.width, texture.height, texture.channels, texture.mip_count,
                  texture.wrap == "repeat", texture.mip_0_words().nbytes)  # fmt: skip


def load_stacks(
    document: Document, state: ViewState, source: Path | None, second: Path | None = None
) -> dict[str, Stack]:  # fmt: skip
    """Read and encode the stacks that a state needs. Raises what the functions of `stacks` raise.

    source: what the file was made from; None if only a second file is needed.
    """
    needs_reference, needs_other = state.compares()
    spec, other = wanted_of(document), state.beside()
    stacks = {}
    if source is not None and (needs_reference or needs_other):
        stacks["reference"], file = load_reference(source, spec, document.texture)
        stacks |= {GSTEX: file} if file is not None else {}
    if needs_other and other == "second":
        assert second
        stacks[other] = read_second(gstex.load(second), second.name, source, spec)
    elif needs_other and other != "reference":
        assert source
        encode = encode_mix if other in MIXES else encode_stack
        stacks[other] = encode(source, spec, other)
    return stacks


def load_surroundings(state: ViewState, panorama: Path | None = None) -> Environment | None:
    """The surroundings that light a state; None if there are none. panorama: a file, for surroundings 'file'. Raises
    MaterialError if it cannot be read."""
    if state.view != "lit" or state.lit.surroundings == "even":
        return None
    if state.lit.surroundings == "file" and panorama is not None:
        return filter_environment(panorama.name, read_panorama(panorama))
    return filter_environment("sky", make_sky())


def load_mesh(path: Path) -> Mesh:
    """The triangles of a .glb or .gltf model. Raises ModelError: it breaks a rule or has no texture coordinates."""
    model = read_model(path)
    try:
        return read_mesh(model)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def render(
    document: Document, state: ViewState, size: tuple[int, int], stacks: Mapping[str, Stack] | None = None,
    surroundings: Environment | None = None, mesh: Mesh | None = None,
) -> U8Array:  # fmt: skip
    """Draw a state in a context of its own.

    surroundings: for the lit view, see `load_surroundings`. mesh: for the shape OWN_MESH, see `load_mesh`.

    Returns:
        uint8 [height, width, 3] sRGB, row 0 = top.

    Raises:
        ExtraError: PyOpenGL is missing. GraphicsError: there is no OpenGL 4.3.
    """
    with surfaceless():
        scene, target = Scene(document), Target()
        for name, stack in (stacks or {}).items():
            scene.set_stack(name, stack)
        scene.set_environment(surroundings)
        scene.set_mesh(mesh)
        scene.draw(state, target, size)
        picture = target.read()
        scene.delete()
        target.delete()
    return picture


def describe(
    document: Document, state: ViewState, size: tuple[int, int], stacks: Mapping[str, Stack]
) -> JsonObject:  # fmt: skip
    """A description of what a picture shows, as JSON types."""
    texture = document.texture
    facts: JsonObject = {"view": state.view, "size": list(size), "sampling": state.sampling}
    if state.flat:
        placement = place(state, texture.width, texture.height, texture.mip_count, size)
        facts |= {
            "map": document.maps[min(state.map, len(document.maps) - 1)].pick(state.channel).name,
            "lod": placement.lod, "zoom": placement.zoom, "center": list(state.center),
            "corner": [placement.left, placement.top],
        }  # fmt: skip
    if any(state.compares()):
        other = stacks[state.beside()]
        errors = [stack.errors for stack in stacks.values() if stack.errors is not None]
        facts |= {"other": state.beside(), "other_bpp": other.bpp, "other_psnr": other.psnr}
        facts["gain"] = chosen_gain(state.gain, errors, min(state.map, len(document.maps) - 1))
    if state.view in ("gaussians", "cells", "heat"):
        mip = document.info["mips"][int(facts["lod"] + 0.5)]
        facts |= {key: mip[key] for key in ("gaussians", "candidates_mean", "candidates_max")}
    if state.view == "lit":
        facts |= {"lit": asdict(state.lit)}
    return facts
