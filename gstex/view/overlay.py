"""The text over and under the picture: labels of a split, legends, the inspected texel, messages, the status line."""

from collections.abc import Sequence
from itertools import pairwise

from imgui_bundle import ImVec2, imgui

from gstex.view import actions
from gstex.view.colors import LEVEL_COLORS, RAMP
from gstex.view.errors import MOST_ANGLE
from gstex.view.inspect import texel_facts
from gstex.view.maps import ShownMap
from gstex.view.pan import ZOOMS
from gstex.view.session import COMPRESS
from gstex.view.state import GSTEX
from gstex.view.viewer import Viewer

__all__ = ["draw_overlay", "draw_status"]


Color = tuple[float, float, float]
_TEXT: Color = (0.92, 0.92, 0.92)
_BUSY: Color = (0.95, 0.8, 0.5)
_ALARM: Color = (1.0, 0.6, 0.4)


def _rgb(color: Sequence[float], alpha: float = 1.0) -> int:
    return imgui.color_convert_float4_to_u32((color[0], color[1], color[2], alpha))


def _label(x: float, y: float, text: str, *, right: bool = False, color: Sequence[float] = _TEXT) -> float:
    """Draw text on a dark ground with a corner at (x, y), in units of the pointer. Returns its height."""
    size, pad = imgui.calc_text_size(text), imgui.get_style().frame_padding
    x = x - size.x - 2 * pad.x if right else x
    draw = imgui.get_background_draw_list()
    draw.add_rect_filled((x, y), (x + size.x + 2 * pad.x, y + size.y + pad.y), _rgb((0.05, 0.05, 0.05), 0.75), 3.0)
    draw.add_text(ImVec2(x + pad.x, y + pad.y / 2), _rgb(color), text)
    return size.y + pad.y


def draw_overlay(viewer: Viewer) -> None:
    """Draw everything over the picture."""
    left, top = viewer.left / viewer.scale, viewer.top / viewer.scale
    width, height = viewer.size[0] / viewer.scale, viewer.size[1] / viewer.scale
    gap = 6.0
    if viewer.document is None:
        hint = "" if viewer.session.jobs else "Drop a .gstex file or a folder of maps here, or press Ctrl+O"
        for number, line in enumerate(_wrapped(hint, width - 2 * gap)):
            size = imgui.calc_text_size(line)
            place = ImVec2(left + (width - size.x) / 2, top + height / 2 + (number - 1) * size.y)
            imgui.get_background_draw_list().add_text(place, _rgb((0.6, 0.6, 0.6)), line)
        _messages(viewer, left + gap, top + height - gap)
        return
    draw = imgui.get_background_draw_list()
    draw.push_clip_rect((left, top), (left + width, top + height))
    state = viewer.state
    if state.alone:
        _side(viewer, left + gap, top + gap, state.alone, width - 2 * gap)
    elif state.has_line():
        split = left + state.split * width
        _side(viewer, split - gap, top + gap, GSTEX, split - left - 2 * gap, right=True)
        _side(viewer, split + gap, top + gap, state.other, left + width - split - 2 * gap)
    elif state.view == "diff":
        _side(viewer, left + gap, top + gap, GSTEX, width - 2 * gap)
    elif state.view in ("gaussians", "cells"):
        _level_legend(viewer, left + gap, top + gap)
    elif state.view == "heat":
        _heat_legend(viewer, left + gap, top + gap)
    if state.view == "diff" and not state.alone and "reference" in viewer.session.stacks:
        _error_legend(viewer, left + gap, top + height)
    _box_pinned(viewer)
    draw.pop_clip_rect()
    _messages(viewer, left + gap, top + height - gap)


def _side(viewer: Viewer, x: float, y: float, name: str, room: float, *, right: bool = False) -> None:
    """Label a side of the picture: its name, rate and PSNR of the map, or that it is being made or is missing."""
    session, shown_map = viewer.session, viewer.shown_map()
    label, stack = session.label(name), session.stacks.get(name)
    if name in session.failed:
        texts, color = [f"{label}: not there, see below"], _ALARM
    elif stack is None and name != GSTEX:
        now = session.jobs[name].report if name in session.jobs else None
        share = f" {100 * now.step // max(now.steps, 1)} %" if now is not None and now.steps > 1 else ""
        texts, color = [f"{label} is on its way", f"{now.stage}{share}" if now is not None else "waiting"], _BUSY
    else:
        texts, color = [label, *_figures(viewer, name, shown_map)], _TEXT
    pad = 2 * imgui.get_style().frame_padding.x
    whole = "   ".join(texts)
    lines = [whole] if imgui.calc_text_size(whole).x + pad <= room else texts
    for text in lines:
        if imgui.calc_text_size(text).x + pad > room and text != texts[0]:
            continue
        y += _label(x, y, text, right=right, color=color) + 1


def _figures(viewer: Viewer, name: str, shown_map: ShownMap | None) -> list[str]:
    """['1.00 bits per texel', 'normal 34.21 dB']."""
    document, stack = viewer.document, viewer.session.stacks.get(name)
    figures = []
    if stack is not None and stack.bpp is not None:
        figures.append(f"{stack.bpp:.2f} bits per texel")
    elif name == GSTEX and document is not None and isinstance(bpp := document.texture.report.get("bpp"), int | float):
        figures.append(f"{bpp:.2f} bits per texel")
    if stack is not None and stack.errors is not None:
        psnr = stack.errors.psnr(shown_map.channels) if shown_map is not None and viewer.state.flat else stack.psnr
        of = shown_map.name if shown_map is not None and viewer.state.flat else "all maps"
        figures.append(f"{of} " + ("exact" if psnr is None else f"{psnr:.2f} dB"))
    return figures


def _error_legend(viewer: Viewer, x: float, bottom: float) -> None:
    """Explain the colours of differences, above the messages."""
    shown_map, gain = viewer.shown_map(), viewer.gain()
    assert shown_map
    if viewer.state.error == "channels":
        _label(x, bottom - 5 * imgui.get_text_line_height(), f"error of each channel, times {gain:.3g}")
        return
    most = f"{MOST_ANGLE / gain:.3g} degrees" if shown_map.look == "normal" else f"{255 / gain:.3g} of 255"
    y = bottom - 5 * imgui.get_text_line_height()
    _ramp(x, y + _label(x, y, f"error: 0 .. {most}, and more") + 2)


def _ramp(x: float, y: float) -> None:
    draw, step = imgui.get_background_draw_list(), 18.0
    for number, (a, b) in enumerate(pairwise(RAMP)):
        draw.add_rect_filled_multi_color((x + number * step, y), (x + (number + 1) * step, y + 10), _rgb(a), _rgb(b),
                                         _rgb(b), _rgb(a))  # fmt: skip


def _level_legend(viewer: Viewer, x: float, y: float) -> None:
    assert viewer.document
    mip = viewer.gaussians()
    if mip is None or not len(mip.cells):
        _label(x, y, "this map is constant" if mip is None else "this mip is stored as plain texels")
        return
    if len(viewer.document.texture.table.groups) > 1:
        names = [a_map.name for a_map in viewer.document.maps if set(a_map.channels) & set(mip.members)]
        y += _label(x, y, f"Gaussians of {', '.join(names)}") + 1
    for level, (across, down) in enumerate(mip.cells):
        if viewer.state.level in (None, level):
            text = f"level {level}: {across}x{down} cells, {int((mip.level == level).sum())} Gaussians"
            y += _label(x, y, text, color=LEVEL_COLORS[level]) + 1


def _heat_legend(viewer: Viewer, x: float, y: float) -> None:
    document = viewer.document
    assert document
    group = document.group_of(document.maps[viewer.state.map])
    mean, most = document.candidates(viewer.mip(), group)
    of = f" by group {group}" if group is not None and len(document.texture.table.groups) > 1 else ""
    height = _label(x, y, f"Gaussians looked at{of}: {mean:.1f} on average, {most} at most")
    _ramp(x, y + height + 2)


def _box_pinned(viewer: Viewer) -> None:
    """Draw a frame around the inspected texel."""
    placement, document = viewer.placement(), viewer.document
    if placement is None or document is None:
        return
    mip = viewer.mip()
    size = document.mip_size(mip)
    texel = viewer.state.pinned_in(mip, size)
    if texel is None:
        return
    corners = [placement.point_at((texel[0] + i) / size[0], (texel[1] + i) / size[1]) for i in (0, 1)]
    (x0, y0), (x1, y1) = [((x + viewer.left) / viewer.scale, (y + viewer.top) / viewer.scale) for x, y in corners]
    grow = max(0.0, (5.0 - (x1 - x0)) / 2)  # so that the frame of a small texel is visible
    draw = imgui.get_background_draw_list()
    for color, more in (((0.0, 0.0, 0.0), 1.0), ((1.0, 1.0, 1.0), 0.0)):
        draw.add_rect((x0 - grow - more, y0 - grow - more), (x1 + grow + more, y1 + grow + more), _rgb(color))


def _messages(viewer: Viewer, x: float, y: float) -> None:
    """Draw the messages from the bottom up: the last message, jobs with their progress, and what is missing."""
    session, line = viewer.session, imgui.get_text_line_height() + imgui.get_style().frame_padding.y + 2
    texts = []
    names = [*viewer.needed(), *(["reference"] if viewer.state.pinned is not None else [])]
    for name in dict.fromkeys(names):
        if name in session.failed:
            texts.append((f"{session.label(name)}: {session.failed[name]}", _ALARM))
    for name, job in session.jobs.items():
        if name == COMPRESS:
            continue  # it has a window of its own
        now = job.report
        figures = f" {100 * now.step // max(now.steps, 1)} %" if now.steps > 1 else ""
        quality = f", {now.psnr:.1f} dB" if now.psnr is not None else ""
        texts.append((f"{job.title}: {now.stage}{figures}{quality}", _BUSY))
    if viewer.preparing:
        texts.append(("preparing the shaders", _BUSY))
    if session.notice:
        texts.append((session.notice, _ALARM if session.is_error else (0.8, 0.9, 0.8)))
    room = viewer.size[0] / viewer.scale - 12.0
    for text, color in reversed(texts):
        for part in reversed(_wrapped(text, room)):
            y -= line
            _label(x, y, part, color=color)


def _wrapped(text: str, width: float) -> list[str]:
    """The text in lines of at most `width`."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and imgui.calc_text_size(longer).x > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def draw_status(viewer: Viewer, top: float, width: float, height: float) -> None:
    """Draw the line at the bottom: what is under the pointer, the zoom with a list to choose from, and times."""
    imgui.set_next_window_pos((0, top))
    imgui.set_next_window_size((width, height))
    imgui.push_style_var(imgui.StyleVar_.window_padding, (0.0, 0.0))
    imgui.push_style_var(imgui.StyleVar_.window_min_size, (1.0, 1.0))
    imgui.push_style_var(imgui.StyleVar_.item_spacing, (0.0, 0.0))
    flags = (imgui.WindowFlags_.no_decoration | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_saved_settings
             | imgui.WindowFlags_.no_bring_to_front_on_focus | imgui.WindowFlags_.no_nav)  # fmt: skip
    imgui.begin("status", None, flags)
    pad = imgui.get_style().frame_padding
    times = f"decode {viewer.decode_ms:.1f} ms   frame {viewer.frame_ms:.1f} ms"
    if placement := viewer.placement():
        times = f"mip {placement.lod:.3g}   {times}"
    left_of_times = width - imgui.calc_text_size(times).x - pad.x
    room = left_of_times
    if placement:
        label = _zoom(placement.zoom)
        room -= imgui.calc_text_size(label).x + 5 * pad.x
        imgui.set_cursor_pos((room + pad.x, 0.0))
        imgui.push_style_color(imgui.Col_.button, (0.0, 0.0, 0.0, 0.0))
        if imgui.button(f"{label}##zoom", (0.0, height)):
            imgui.open_popup("zooms")
        imgui.pop_style_color()
        imgui.set_item_tooltip("Another zoom (F, Ctrl+1, Ctrl+2, Ctrl+4, Ctrl+8)")
    imgui.set_cursor_pos((left_of_times, (height - imgui.get_text_line_height()) / 2))
    imgui.text_disabled(times)
    left = _under_pointer(viewer)
    while left and imgui.calc_text_size(left).x > room - 2 * pad.x:
        left = left[:-1]
    imgui.set_cursor_pos((pad.x, (height - imgui.get_text_line_height()) / 2))
    imgui.text(left)
    imgui.pop_style_var(3)
    if imgui.begin_popup("zooms"):
        for label, action in (("Fit", actions.fit), *((_zoom(zoom), actions.zoom_to(zoom)) for zoom in ZOOMS)):
            if imgui.selectable(label, False)[0]:
                action(viewer)
        imgui.end_popup()
    imgui.end()


def _zoom(zoom: float) -> str:
    return f"{100 * zoom:.0f} %" if zoom < 10 else f"{zoom:.0f}x"


def _under_pointer(viewer: Viewer) -> str:
    shown_map, document = viewer.shown_map(), viewer.document
    if document is None or shown_map is None:
        return ""
    if viewer.pointer is None or (texel := viewer.texel_under(viewer.pointer)) is None:
        return shown_map.name if viewer.state.flat else document.name
    mip = viewer.mip()
    size = document.mip_size(mip)
    at = min(texel[0] >> mip, size[0] - 1), min(texel[1] >> mip, size[1] - 1)
    facts = texel_facts(document, mip, at, None)
    if viewer.is_hidden(mip, at, facts.value, shown_map):
        return f"{at[0]}, {at[1]}   {shown_map.name} hidden"
    values = "  ".join(f"{255 * facts.value[c]:.0f}" for c in shown_map.channels)
    return f"{at[0]}, {at[1]}   {shown_map.name} {values}"
