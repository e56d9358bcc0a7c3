"""The inspector: a texel's channels against the reference, and the Gaussians that make it."""

from imgui_bundle import imgui

from gstex.arrays import F64Array
from gstex.view import actions
from gstex.view.colors import LEVEL_COLORS
from gstex.view.document import Document
from gstex.view.gaussians import MipGaussians
from gstex.view.inspect import Texel, texel_facts
from gstex.view.viewer import Viewer
from gstex.view.widgets import tip

__all__ = ["draw_inspector"]


def draw_inspector(viewer: Viewer) -> None:
    """Draw the inspector as a part of the panel."""
    document, state = viewer.document, viewer.state
    assert document
    imgui.spacing()
    imgui.text_disabled("TEXEL")
    mip = viewer.mip()
    texel = state.pinned_in(mip, document.mip_size(mip))
    if texel is None or not state.flat:
        imgui.text_wrapped("Click a texel, or K, to inspect it." if state.flat else "Inspect in a flat view.")
        return
    shown_map = viewer.shown_map()
    group = None if shown_map is None else document.group_of(shown_map)
    facts = texel_facts(document, mip, texel, group)
    kind = "constant" if group is None else f"{facts.candidates} candidates"
    if group is not None and not document.gaussians(mip, group).count:
        kind = "plain texels"
    imgui.text_wrapped(f"{texel[0]}, {texel[1]} of mip {mip}: {kind}")
    viewer.session.want("reference")
    stack = viewer.session.stacks.get("reference")
    hidden = [viewer.is_hidden(mip, texel, facts.value, a_map) for a_map in document.maps]
    _draw_channels(document, facts.value, None if stack is None else stack.values(mip, *texel), hidden)
    if imgui.button("Copy"):
        actions.copy_texel(viewer)
    tip("Copy these values, a line a channel (Ctrl+C)")
    if facts.strongest and group is not None:
        _draw_gaussians(document.gaussians(mip, group), facts)


def _draw_channels(
    document: Document, value: F64Array, reference: F64Array | None, hidden: list[bool]
) -> None:  # fmt: skip
    """Draw the table of channels. hidden: by map, whether zero opacity hides the texel: its error does not count."""
    flags = imgui.TableFlags_.row_bg | imgui.TableFlags_.sizing_fixed_fit
    if not imgui.begin_table("channels", 4, flags):
        return
    for heading in ("channel", "file", "ref.", "error"):
        imgui.table_setup_column(heading)
    imgui.table_headers_row()
    for a_map, is_hidden in zip(document.maps, hidden, strict=True):
        for channel, component in zip(a_map.channels, a_map.components, strict=True):
            _cell(f"{a_map.name}.{component}" if len(a_map.channels) > 1 else a_map.name)
            _cell(_value(value[channel]))
            _cell("" if reference is None else _value(reference[channel]))
            if is_hidden:
                _cell("hidden")
                continue
            _cell("" if reference is None else f"{255 * (value[channel] - reference[channel]):+.1f}")
    imgui.end_table()


def _value(value: float) -> str:
    """The value in units of 1/255, which artists know from 8-bit files."""
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
