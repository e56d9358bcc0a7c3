"""The inspector: a texel's channels against the reference, and the Gaussians that make it."""

from dataclasses import replace

import numpy as np
from imgui_bundle import imgui

from gstex.view.colors import LEVEL_COLORS
from gstex.view.document import Document
from gstex.view.gaussians import MipGaussians
from gstex.view.inspect import Texel, explain_texel
from gstex.view.viewer import Viewer

__all__ = ["draw_inspector", "texel_facts"]


def texel_facts(document: Document, mip: int, texel: tuple[int, int], group: int | None) -> Texel:
    """A texel of a mip explained: the values of all channels, and the Gaussians of a group; of none without one."""
    table = document.texture.table
    value = np.array([channel.constant or 0.0 for channel in table.header.channels]).clip(0, 1)
    facts = Texel(value, 0, ())
    for number in range(len(table.groups)):
        mip_of_group = document.gaussians(mip, number)
        found = explain_texel(mip_of_group, *texel)
        value[list(mip_of_group.members)] = found.value[list(mip_of_group.members)]
        if number == group:
            facts = replace(found, value=value)
    return facts


def draw_inspector(viewer: Viewer) -> None:
    """A part of the panel."""
    document, state = viewer.document, viewer.state
    assert document
    imgui.spacing()
    imgui.text_disabled("TEXEL")
    mip = viewer.mip()
    texel = state.pinned_in(mip, document.mip_size(mip))
    if texel is None or not state.flat:
        imgui.text_wrapped("Click a texel, or K, to inspect it." if state.flat else "Inspect in a flat view.")
        return
    one = viewer.shown_map()
    group = None if one is None else document.group_of(one)
    facts = texel_facts(document, mip, texel, group)
    kind = "constant" if group is None else f"{facts.candidates} candidates"
    if group is not None and not document.gaussians(mip, group).count:
        kind = "plain texels"
    imgui.text(f"{texel[0]}, {texel[1]} of mip {mip}: {kind}")
    viewer.session.want("reference")
    stack = viewer.session.stacks.get("reference")
    _draw_channels(document, facts.value, None if stack is None else stack.values(mip, *texel))
    if facts.strongest and group is not None:
        _draw_gaussians(document.gaussians(mip, group), facts)


def _draw_channels(document: Document, value: np.ndarray, reference: np.ndarray | None) -> None:
    flags = imgui.TableFlags_.row_bg | imgui.TableFlags_.sizing_stretch_prop
    if not imgui.begin_table("channels", 4, flags):
        return
    for heading in ("channel", "file", "ref.", "error"):
        imgui.table_setup_column(heading)
    imgui.table_headers_row()
    for one in document.maps:
        for channel, component in zip(one.channels, one.components, strict=True):
            _cell(f"{one.name[:5]}.{component}" if len(one.channels) > 1 else one.name[:9])
            _cell(_value(value[channel]))
            _cell("" if reference is None else _value(reference[channel]))
            _cell("" if reference is None else f"{255 * (value[channel] - reference[channel]):+.1f}")
    imgui.end_table()


def _value(value: float) -> str:
    """In 255ths, as artists know them from 8-bit files."""
    return f"{255 * value:.1f}"


def _draw_gaussians(gaussians: MipGaussians, facts: Texel) -> None:
    imgui.text_disabled("STRONGEST GAUSSIANS")
    if not imgui.begin_table("gaussians", 4, imgui.TableFlags_.row_bg | imgui.TableFlags_.sizing_stretch_prop):
        return
    for heading in ("number", "level", "weight", "sigma"):
        imgui.table_setup_column(heading)
    imgui.table_headers_row()
    for part in facts.strongest:
        _cell(f"{part.gaussian}")
        imgui.table_next_column()
        imgui.text_colored((*LEVEL_COLORS[part.level], 1.0), f"{part.level}")
        _cell(f"{100 * part.share:.1f} %")
        sigma = gaussians.sigma[part.gaussian]
        _cell(f"{sigma[0]:.1f} x {sigma[1]:.1f}")
    imgui.end_table()


def _cell(text: str) -> None:
    imgui.table_next_column()
    imgui.text(text)
