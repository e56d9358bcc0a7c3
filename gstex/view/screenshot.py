"""One picture without a window: for scripts and for tests."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gstex.gl import surfaceless
from gstex.view.document import Document
from gstex.view.pan import place
from gstex.view.scene import Scene
from gstex.view.stacks import Stack, Wanted, encode_stack, load_reference
from gstex.view.state import ViewState
from gstex.view.target import Target

__all__ = ["describe", "load_stacks", "render", "wanted_of"]


def wanted_of(document: Document) -> Wanted:
    """What a stack has to fit to be compared with a document."""
    texture = document.texture
    fit = texture.metadata.get("fit")
    material = texture.material or {"channels": texture.channel_rows}  # of a stripped file the roles alone
    return Wanted(material, fit if isinstance(fit, dict) else {}, texture.width, texture.height,
                  texture.channels, texture.mip_count, texture.wrap == "repeat")  # fmt: skip


def load_stacks(document: Document, state: ViewState, source: Path) -> dict[str, Stack]:
    """The stacks that a state needs, read and encoded here and now. Raises what `stacks` does."""
    reference, other = state.compares()
    stacks = {}
    if reference:
        stacks["reference"] = load_reference(source, wanted_of(document))
    if other and state.other != "reference":
        stacks[state.other] = encode_stack(source, wanted_of(document), state.other)
    return stacks


def render(
    document: Document, state: ViewState, size: tuple[int, int], stacks: Mapping[str, Stack] | None = None
) -> np.ndarray:  # fmt: skip
    """Draw a state in a context of its own.

    Returns:
        uint8 [height, width, 3] sRGB, row 0 = top.

    Raises:
        ExtraError: PyOpenGL is missing. GraphicsError: there is no OpenGL 4.3.
    """
    with surfaceless():
        scene, target = Scene(document), Target()
        for name, stack in (stacks or {}).items():
            scene.set_stack(name, stack)
        scene.draw(state, target, size)
        picture = target.read()
        scene.delete()
        target.delete()
    return picture


def describe(
    document: Document, state: ViewState, size: tuple[int, int], stacks: Mapping[str, Stack]
) -> dict[str, Any]:  # fmt: skip
    """What a picture shows, as JSON types."""
    texture = document.texture
    facts: dict[str, Any] = {"view": state.view, "size": list(size), "sampling": state.sampling}
    if state.flat:
        placement = place(state, texture.width, texture.height, texture.mip_count, size)
        facts |= {
            "map": document.maps[min(state.map, len(document.maps) - 1)].pick(state.channel).name,
            "lod": placement.lod, "zoom": placement.zoom, "center": list(state.center),
            "corner": [placement.left, placement.top],
        }  # fmt: skip
    if any(state.compares()):
        other = stacks[state.other]
        facts |= {"other": state.other, "other_bpp": other.bpp, "other_psnr": other.psnr, "gain": state.gain}
    if state.view in ("gaussians", "cells", "heat"):
        mip = document.info["mips"][int(facts["lod"] + 0.5)]
        facts |= {key: mip[key] for key in ("gaussians", "candidates_mean", "candidates_max")}
    if state.view == "lit":
        facts |= {"lit": asdict(state.lit)}
    return facts
