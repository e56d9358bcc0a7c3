"""The side panel: controls for the file, the map, the view and the sampling. Most of them have a key (`commands`)."""

import numpy as np
from imgui_bundle import ImVec2, imgui

from gstex.view import actions
from gstex.view.errors import MOST_GAIN
from gstex.view.inspector import draw_inspector
from gstex.view.session import SURROUNDINGS as SURROUNDINGS_JOB
from gstex.view.state import GSTEX, HIDDEN, OTHERS, OWN_MESH, SAMPLINGS, TONES, VIEWS
from gstex.view.viewer import Viewer
from gstex.view.widgets import choice, choices, heading, tip

__all__ = ["PANEL_WIDTH", "draw_panel", "draw_toolbar"]

PANEL_WIDTH = 276.0
_VIEWS = {
    "map": ("Map", "A map as it is (M)"),
    "diff": ("Diff", "Differences to what the file was made from (D)"),
    "split": ("Split", "The file left, what it is compared with right (S)"),
    "lit": ("Lit", "The material under light (L)"),
    "gaussians": ("Gaussians", "Gaussians as ellipses (G)"),
    "cells": ("Cells", "Cells of the pyramid (C)"),
    "heat": ("Heat", "How many Gaussians each texel looks at (H)"),
}
_FIXED = (imgui.WindowFlags_.no_title_bar | imgui.WindowFlags_.no_resize | imgui.WindowFlags_.no_move
          | imgui.WindowFlags_.no_saved_settings | imgui.WindowFlags_.no_bring_to_front_on_focus
          | imgui.WindowFlags_.no_nav)  # fmt: skip
_LOGARITHMIC = imgui.SliderFlags_.logarithmic


def draw_toolbar(viewer: Viewer, width: float) -> float:
    """Draw the views in a row at the top. Returns the height of the row."""
    height = imgui.get_frame_height() + imgui.get_style().window_padding.y
    imgui.set_next_window_pos((0, 0))
    imgui.set_next_window_size((width, height))
    imgui.push_style_var(imgui.StyleVar_.window_padding, (6.0, imgui.get_style().window_padding.y / 2))
    imgui.push_style_var(imgui.StyleVar_.item_spacing, (3.0, 0.0))
    imgui.begin("views", None, _FIXED | imgui.WindowFlags_.no_scrollbar)
    if choice("Open", False, "Open a file, a folder, a reference, a second file, a panorama or a mesh (Ctrl+O)"):
        actions.dialog("open")(viewer)
    imgui.same_line()
    for view in VIEWS:
        label, text = _VIEWS[view]
        if choice(label, viewer.state.view == view, text):
            viewer.state.view = view
        imgui.same_line()
    right = sum(imgui.calc_text_size(t).x for t in ("Panel", "?")) + 4 * imgui.get_style().frame_padding.x + 16
    imgui.same_line(max(imgui.get_cursor_pos_x(), width - right))
    if choice("Panel", viewer.panel, "The panel (P)"):
        viewer.panel = not viewer.panel
    imgui.same_line()
    if choice("?", viewer.help, "All keys (?)"):
        viewer.help = not viewer.help
    imgui.end()
    imgui.pop_style_var(2)
    return height


def draw_panel(viewer: Viewer, left: float, top: float, width: float, height: float) -> None:
    """Draw the panel in a rectangle of the window."""
    imgui.set_next_window_pos((left, top))
    imgui.set_next_window_size((width, height))
    imgui.begin("panel", None, _FIXED)
    imgui.push_item_width(-1.0)
    if viewer.document is None:
        imgui.text_wrapped("Drop a .gstex file here, or a folder of maps to compress.")
        if imgui.button("Open..."):
            actions.dialog("open")(viewer)
    else:
        _draw_file(viewer)
        if viewer.state.flat:
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


def _draw_file(viewer: Viewer) -> None:
    document = viewer.document
    assert document
    files = viewer.session.neighbours()
    if len(files) > 1 and document.path is not None and document.path.resolve() in files:
        at = files.index(document.path.resolve())
        changed, number = imgui.combo("##file", at, [file.name for file in files], 20)
        tip(f"{document.path.resolve().parent}\nmaterial {at + 1} of {len(files)}; Left and Right go through them")
        if changed and number != at:
            viewer.session.drop(files[number])
            return
    else:
        imgui.text_wrapped(document.name)
    info = document.info
    bpp = document.texture.report.get("bpp")
    rate = bpp if isinstance(bpp, int | float) else 8 * info["gpu_bytes"] / (info["width"] * info["height"])
    imgui.text_disabled(f"{info['width']}x{info['height']}, {info['channels']} channels")
    imgui.text_disabled(f"{rate:.2f} bits per texel, {info['mips'][0]['gaussians']} Gaussians")
    psnr = document.texture.report.get("psnr")
    if isinstance(psnr, int | float):
        imgui.text_disabled(f"{psnr:.2f} dB over all maps")


def _draw_maps(viewer: Viewer) -> None:
    document, state = viewer.document, viewer.state
    assert document
    heading("Map")
    changed, number = imgui.combo("##map", state.map, [a_map.name for a_map in document.maps], 16)
    tip("Which map: its number, or . and ,")
    if changed:
        state.map, state.channel = number, None
    whole_map = document.maps[state.map]
    if len(whole_map.channels) > 1:
        for index, label in [(None, "All"), *enumerate(whole_map.components)]:
            if index is not None:
                imgui.same_line()
            text = f"{label.upper() if index is not None else label}##{index}"
            if choice(text, state.channel == index, "All channels, or one as grey (X)"):
                state.channel = index
    shown = viewer.shown_map()
    assert shown
    measured = viewer.session.stacks.get(GSTEX)
    if measured is not None and measured.errors is not None:
        psnr = measured.errors.psnr(shown.channels)
        imgui.text_disabled(f"{shown.name}: " + ("exact" if psnr is None else f"{psnr:.2f} dB"))
    _draw_values(viewer)
    if document.hides(whole_map):
        labels = ["hidden: hatched", "hidden: by opacity", "hidden: as stored"]
        _, at = imgui.combo("##hidden", HIDDEN.index(state.hidden), labels)
        tip("Colour under zero opacity, which nobody sees and no bit is spent on (U)")
        state.hidden = HIDDEN[at]


def _draw_values(viewer: Viewer) -> None:
    """Draw the histogram of the shown map, and the range of a grey map."""
    document, state, shown_map = viewer.document, viewer.state, viewer.shown_map()
    assert document and shown_map
    shares = document.histogram(shown_map)
    size = ImVec2(imgui.get_content_region_avail().x, 2.6 * imgui.get_font_size())
    place, draw = imgui.get_cursor_screen_pos(), imgui.get_window_draw_list()
    draw.add_rect_filled(place, (place.x + size.x, place.y + size.y), imgui.get_color_u32(imgui.Col_.frame_bg))
    colors = _CHANNELS if len(shown_map.channels) > 1 else [(0.75, 0.75, 0.75, 1.0)]
    highest = max(float(np.sort(shares, axis=1)[:, -3].max()), 1e-6)  # the two highest bins may be cut off
    step = size.x / shares.shape[1]
    for row, color in zip(shares, colors, strict=False):
        paint = imgui.color_convert_float4_to_u32(color)
        for at, share in enumerate(row):
            high = size.y * min(float(share) / highest, 1.0)
            x = place.x + at * step
            draw.add_rect_filled((x, place.y + size.y - high), (x + step, place.y + size.y), paint)
    imgui.dummy(size)
    tip("How often each value is there, from 0 to 1")
    if shown_map.look == "grey":
        low, high = document.value_range(shown_map)
        _, state.stretch = imgui.checkbox(f"{255 * low:.0f} .. {255 * high:.0f} as black .. white", state.stretch)
        tip("The range of values, in 255ths, over all of black to white (Shift+X)")


_CHANNELS = [(0.9, 0.3, 0.3, 0.55), (0.3, 0.8, 0.35, 0.55), (0.35, 0.5, 0.95, 0.55), (0.8, 0.8, 0.8, 0.5)]


def _draw_view(viewer: Viewer) -> None:
    """Draw the controls of the current view."""
    state, lit = viewer.state, viewer.state.lit
    if state.view == "lit":
        _draw_lit(viewer)
    if state.view in ("split", "diff") or (state.view == "lit" and lit.split) or viewer.flickers:
        _draw_compare(viewer)
    if state.view == "diff":
        changed, gain = imgui.slider_float("##gain", viewer.gain(), 1.0, MOST_GAIN, "gain %.0f", _LOGARITHMIC)
        tip("How strong differences are shown (E, Shift+E)")
        if changed:
            state.gain = gain
        changed, automatic = imgui.checkbox("By their size", state.gain is None)
        tip("The gain that leaves 99 % of the differences in range (Shift+A)")
        if changed:
            state.gain = None if automatic else viewer.gain()
        imgui.same_line()
        changed, by_channel = imgui.checkbox("By channel", state.error == "channels")
        tip("Differences in the colours of the channels, not as one size (Shift+D)")
        if changed:
            state.error = "channels" if by_channel else "heat"
    if state.view in ("gaussians", "cells"):
        heading("Levels")
        assert viewer.document
        mip = viewer.gaussians()
        count = 0 if mip is None else len(mip.cells)
        labels = ["All levels", *(f"Level {level}" for level in range(count))]
        at = 0 if state.level is None else min(state.level + 1, count)
        changed, number = imgui.combo("##level", at, labels)
        tip("One level of the pyramid alone (V)")
        if changed:
            state.level = number - 1 if number else None
    if state.view == "gaussians":
        _, state.sigmas = imgui.slider_float("##sigmas", state.sigmas, 0.25, 4.0, "ellipses at %.2f sigma")
        tip("Size of the ellipses (; and ')")


def _draw_lit(viewer: Viewer) -> None:
    session, lit = viewer.session, viewer.state.lit
    heading("Shape")
    there = actions.shapes(viewer)
    at = there.index(lit.shape) if lit.shape in there else 0
    model = "Mesh" if session.model is None else session.model.name
    shapes = [model if shape == OWN_MESH else shape.capitalize() for shape in there]
    text = "What wears the material (B); drop a .glb or .gltf model for one of yours"
    number = choices(shapes, at, [text] * len(there))
    if number != at:
        actions.set_shape(viewer, there[number])
    if lacking := session.flat():
        imgui.text_disabled("no height map: not displaced")
        tip(lacking)
    elif viewer.document is not None:
        _, lit.displace = imgui.slider_float("##displace", lit.displace, -0.5, 0.5, "displaced by %.2f")
        tip("By height: how far its least and largest values are apart, in radii of the sphere (Shift+B, Ctrl+B)")
    _, lit.tiling = imgui.slider_float("##tiling", lit.tiling, 1.0, 8.0, "%.0f copies")
    tip("Copies of the material along a side, where it repeats (T)")
    lit.tiling = round(lit.tiling)
    heading("Light")
    names = ["sky", "even", *(["file"] if session.panorama else [])]
    labels = {"sky": "Sky", "even": "Even, as in reports", "file": session.panorama.name if session.panorama else ""}
    changed, number = imgui.combo("##around", names.index(lit.surroundings), [labels[name] for name in names])
    tip("What lights the material from all around (Shift+L); drop an .hdr or .exr panorama for one of yours")
    if changed:
        actions.set_surroundings(viewer, names[number])
    if SURROUNDINGS_JOB in session.failed:
        imgui.text_wrapped(session.failed[SURROUNDINGS_JOB])
    _, lit.exposure = imgui.slider_float("##exposure", lit.exposure, -6.0, 6.0, "exposure %+.1f stops")
    tip("Lighter or darker picture (< and >)")
    _, at = imgui.combo("##tone", TONES.index(lit.tone), ["Tone: neutral", "Tone: filmic", "Tone: clip"])
    tip("From light to the screen: colours kept, as films do, or cut off (Shift+T)")
    lit.tone = TONES[at]
    _, lit.strength = imgui.slider_float("##strength", lit.strength, 0.0, 8.0, "lamp %.2f")
    tip("Strength of the lamp (J, Shift+J)")
    _, lit.light_yaw = imgui.slider_float("##yaw", lit.light_yaw, -180.0, 180.0, "light turned %.0f deg")
    tip("Turns the lamp and the surroundings; drag with the right button")
    _, lit.light_pitch = imgui.slider_float("##pitch", lit.light_pitch, -89.0, 89.0, "lamp up %.0f deg")
    tip("How high the lamp stands; drag with the right button")
    _, lit.split = imgui.checkbox("Split", lit.split)
    tip("The file left, what it is compared with right (S)")


def _draw_compare(viewer: Viewer) -> None:
    state, session = viewer.state, viewer.session
    heading("Compared with")
    names = [name for name in OTHERS if name != "second" or session.second is not None]
    if state.other not in names:
        names.append(state.other)
    changed, number = imgui.combo("##other", names.index(state.other), [session.label(name) for name in names], 16)
    tip("What stands beside the file (O). A mix gives each map the codec\n"
        "and the resolution that make the whole best in the bytes of the file.")  # fmt: skip
    if changed:
        state.other = names[number]
    if (stack := session.stacks.get(state.other)) is not None and stack.bpp is not None:
        psnr = "" if stack.errors is None else ", exact" if stack.psnr is None else f", {stack.psnr:.2f} dB"
        imgui.text_disabled(f"{stack.bpp:.2f} bits per texel{psnr}")
    if choice("Flicker", viewer.flickers, "The file and the other in turn, twice a second (N)"):
        actions.flicker(viewer)
    imgui.same_line()
    imgui.button("Reference")
    tip("Shows the reference alone while it is held (Q)")
    if imgui.is_item_activated():
        actions.hold("reference")(viewer)
    if imgui.is_item_deactivated():
        actions.let_go(viewer)
    if state.other in session.failed and imgui.button("Try again"):
        session.retry()


def _draw_sampling(viewer: Viewer) -> None:
    document, state = viewer.document, viewer.state
    assert document
    heading("Sampling")
    if state.view != "heat":
        changed, number = imgui.combo("##sampling", SAMPLINGS.index(state.sampling), list(SAMPLINGS))
        tip("Nearest texels, one evaluation at the point, four fetches, or up to 8 taps over a footprint (I)")
        if changed:
            state.sampling = SAMPLINGS[number]
    if state.flat:
        placement = viewer.placement()
        assert placement
        last = document.texture.mip_count - 1.0
        label = f"{'auto' if state.lod is None else 'level of detail'} {placement.lod:.2f}"
        changed, lod = imgui.slider_float("##lod", placement.lod, 0.0, max(last, 1e-3), label)
        tip("Level of detail: which mips are shown (PageUp, PageDown)")
        if changed:
            state.lod = min(lod, last)
        automatic = state.lod is None
        changed, automatic = imgui.checkbox("By the zoom", automatic)
        tip("The level of detail that the zoom asks for (A)")
        if changed:
            state.lod = None if automatic else placement.lod
        imgui.same_line()
        _, state.tiled = imgui.checkbox("Tile", state.tiled)
        tip("Go on beyond the border (T)")
        imgui.same_line()
        _, state.grid = imgui.checkbox("Grid", state.grid)
        tip("Lines between texels where these are large (Y)")
