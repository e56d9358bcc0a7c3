"""The side panel: what is shown, of what, how. Everything here has a key, too (`commands`)."""

from imgui_bundle import imgui

from gstex.view.inspector import draw_inspector
from gstex.view.state import OTHERS, SAMPLINGS, SHAPES, VIEWS, label_of
from gstex.view.viewer import Viewer

__all__ = ["PANEL_WIDTH", "draw_panel", "draw_toolbar"]

PANEL_WIDTH = 236.0
_VIEW_LABELS = {"map": "Map", "diff": "Diff", "split": "Split", "lit": "Lit", "gaussians": "Gaussians",
                "cells": "Cells", "heat": "Heat"}  # fmt: skip
_FIXED = (imgui.WindowFlags_.no_title_bar | imgui.WindowFlags_.no_resize | imgui.WindowFlags_.no_move
          | imgui.WindowFlags_.no_saved_settings | imgui.WindowFlags_.no_bring_to_front_on_focus
          | imgui.WindowFlags_.no_nav)  # fmt: skip


def draw_toolbar(viewer: Viewer, width: float) -> float:
    """The views in a row at the top; its height."""
    height = imgui.get_frame_height() + imgui.get_style().window_padding.y
    imgui.set_next_window_pos((0, 0))
    imgui.set_next_window_size((width, height))
    imgui.push_style_var(imgui.StyleVar_.window_padding, (6.0, imgui.get_style().window_padding.y / 2))
    imgui.push_style_var(imgui.StyleVar_.item_spacing, (3.0, 0.0))
    imgui.begin("views", None, _FIXED | imgui.WindowFlags_.no_scrollbar)
    for view in VIEWS:
        if _choice(_VIEW_LABELS[view], viewer.state.view == view):
            viewer.state.view = view
        imgui.same_line()
    right = sum(imgui.calc_text_size(t).x for t in ("Panel", "?")) + 4 * imgui.get_style().frame_padding.x + 16
    imgui.same_line(max(imgui.get_cursor_pos_x(), width - right))
    if _choice("Panel", viewer.panel):
        viewer.panel = not viewer.panel
    imgui.same_line()
    if _choice("?", viewer.help):
        viewer.help = not viewer.help
    imgui.end()
    imgui.pop_style_var(2)
    return height


def _choice(label: str, chosen: bool) -> bool:
    """A button that is lit when chosen."""
    accent = imgui.get_style_color_vec4(imgui.Col_.check_mark)
    if chosen:
        imgui.push_style_color(imgui.Col_.text, accent)
    else:
        imgui.push_style_color(imgui.Col_.button, (0.0, 0.0, 0.0, 0.0))
    pressed = imgui.button(label)
    imgui.pop_style_color()
    return pressed


def draw_panel(viewer: Viewer, left: float, top: float, width: float, height: float) -> None:
    """The panel in a rectangle of the window."""
    imgui.set_next_window_pos((left, top))
    imgui.set_next_window_size((width, height))
    imgui.begin("panel", None, _FIXED)
    imgui.push_item_width(-1.0)
    if viewer.document is None:
        imgui.text_wrapped("Drop a .gstex file here, or a folder of maps, which is then compressed.")
        if imgui.button("Open..."):
            viewer.dialog = "open"
    else:
        _draw_file(viewer)
        if viewer.state.flat and viewer.state.view != "heat":
            _draw_maps(viewer)
        inspecting = viewer.state.flat and viewer.state.pinned is not None
        if inspecting:
            draw_inspector(viewer)
        _draw_view(viewer)
        _draw_sampling(viewer)
        if not inspecting:
            draw_inspector(viewer)
    imgui.pop_item_width()
    imgui.end()


def _heading(text: str) -> None:
    imgui.spacing()
    imgui.text_disabled(text.upper())


def _draw_file(viewer: Viewer) -> None:
    document = viewer.document
    assert document
    info = document.info
    imgui.text_wrapped(document.name)
    texels = info["width"] * info["height"]
    bpp = document.texture.report.get("bpp")
    rate = bpp if isinstance(bpp, int | float) else 8 * info["gpu_bytes"] / texels
    imgui.text_disabled(f"{info['width']}x{info['height']}, {info['channels']} channels, {rate:.2f} bits per texel")
    psnr = document.texture.report.get("psnr")
    if isinstance(psnr, int | float):
        imgui.text_disabled(f"{psnr:.2f} dB, {info['mips'][0]['gaussians']} Gaussians")


def _draw_maps(viewer: Viewer) -> None:
    document, state = viewer.document, viewer.state
    assert document
    _heading("Map")
    changed, number = imgui.combo("##map", state.map, [one.name for one in document.maps], 16)
    if changed:
        state.map, state.channel = number, None
    one = document.maps[state.map]
    if len(one.channels) > 1:
        for index, label in [(None, "All"), *enumerate(one.components)]:
            if index is not None:
                imgui.same_line()
            if _choice(f"{label.upper() if index is not None else label}##{index}", state.channel == index):
                state.channel = index


def _draw_view(viewer: Viewer) -> None:
    """What the view in hand has of its own."""
    state, lit = viewer.state, viewer.state.lit
    if state.view == "lit":
        _heading("Shape and light")
        for number, shape in enumerate(SHAPES):
            if number:
                imgui.same_line()
            if _choice(shape.capitalize(), lit.shape == shape):
                lit.shape = shape
        _, lit.tiling = imgui.slider_float("##tiling", lit.tiling, 1.0, 8.0, "%.0f copies")
        lit.tiling = round(lit.tiling)
        _, lit.light_yaw = imgui.slider_float("##yaw", lit.light_yaw, -180.0, 180.0, "light turned %.0f deg")
        _, lit.light_pitch = imgui.slider_float("##pitch", lit.light_pitch, -89.0, 89.0, "light up %.0f deg")
        _, lit.strength = imgui.slider_float("##strength", lit.strength, 0.1, 8.0, "strength %.2f",
                                             imgui.SliderFlags_.logarithmic)  # fmt: skip
        _, lit.split = imgui.checkbox("Split", lit.split)
    if state.view in ("split", "diff") or (state.view == "lit" and lit.split):
        _draw_compare(viewer)
    if state.view == "diff":
        _, state.gain = imgui.slider_float("##gain", state.gain, 1.0, 256.0, "gain %.0f",
                                           imgui.SliderFlags_.logarithmic)  # fmt: skip
    if state.view in ("gaussians", "cells"):
        _heading("Levels")
        assert viewer.document
        mip = viewer.gaussians()
        count = 0 if mip is None else len(mip.cells)
        labels = ["All levels", *(f"Level {level}" for level in range(count))]
        at = 0 if state.level is None else min(state.level + 1, count)
        changed, number = imgui.combo("##level", at, labels)
        if changed:
            state.level = number - 1 if number else None
    if state.view == "gaussians":
        _, state.sigmas = imgui.slider_float("##sigmas", state.sigmas, 0.25, 4.0, "ellipses at %.2f sigma")


def _draw_compare(viewer: Viewer) -> None:
    state, session = viewer.state, viewer.session
    _heading("Compared with")
    changed, number = imgui.combo("##other", OTHERS.index(state.other), [label_of(name) for name in OTHERS], 16)
    if changed:
        state.other = OTHERS[number]
    if (stack := session.stacks.get(state.other)) is not None and stack.bpp is not None:
        quality = "exact" if stack.psnr is None else f"{stack.psnr:.2f} dB"
        imgui.text_disabled(f"{stack.bpp:.2f} bits per texel, {quality}")
    if state.other in session.failed and imgui.button("Try again"):
        session.retry()


def _draw_sampling(viewer: Viewer) -> None:
    document, state = viewer.document, viewer.state
    assert document
    _heading("Sampling")
    if state.view != "heat":
        changed, number = imgui.combo("##sampling", SAMPLINGS.index(state.sampling), list(SAMPLINGS))
        if changed:
            state.sampling = SAMPLINGS[number]
    if state.flat:
        placement = viewer.placement()
        assert placement
        last = document.texture.mip_count - 1.0
        label = f"{'auto' if state.lod is None else 'level of detail'} {placement.lod:.2f}"
        changed, lod = imgui.slider_float("##lod", placement.lod, 0.0, max(last, 1e-3), label)
        if changed:
            state.lod = min(lod, last)
        automatic = state.lod is None
        changed, automatic = imgui.checkbox("By the zoom", automatic)
        if changed:
            state.lod = None if automatic else placement.lod
        imgui.same_line()
        _, state.tiled = imgui.checkbox("Tile", state.tiled)
        imgui.same_line()
        _, state.grid = imgui.checkbox("Grid", state.grid)
