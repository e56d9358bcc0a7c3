"""What is written over and under the picture: labels of a split, legends, the inspected texel, messages, the status."""

from collections.abc import Sequence
from itertools import pairwise

from imgui_bundle import ImVec2, imgui

from gstex.view.colors import LEVEL_COLORS, RAMP
from gstex.view.inspector import texel_facts
from gstex.view.state import label_of
from gstex.view.viewer import Viewer

__all__ = ["draw_overlay", "draw_status"]


Color = tuple[float, float, float]
_TEXT: Color = (0.92, 0.92, 0.92)


def _rgb(color: Sequence[float], alpha: float = 1.0) -> int:
    return imgui.color_convert_float4_to_u32((color[0], color[1], color[2], alpha))


def _label(x: float, y: float, text: str, *, right: bool = False, color: Sequence[float] = _TEXT) -> float:
    """Text on a dark ground, its corner at (x, y), in units of the pointer; its height."""
    size, pad = imgui.calc_text_size(text), imgui.get_style().frame_padding
    x = x - size.x - 2 * pad.x if right else x
    draw = imgui.get_background_draw_list()
    draw.add_rect_filled((x, y), (x + size.x + 2 * pad.x, y + size.y + pad.y), _rgb((0.05, 0.05, 0.05), 0.75), 3.0)
    draw.add_text(ImVec2(x + pad.x, y + pad.y / 2), _rgb(color), text)
    return size.y + pad.y


def draw_overlay(viewer: Viewer) -> None:
    """Over the picture."""
    left, top = viewer.left / viewer.scale, viewer.top / viewer.scale
    width, height = viewer.size[0] / viewer.scale, viewer.size[1] / viewer.scale
    gap = 6.0
    if viewer.document is None:
        hint = "" if viewer.session.jobs else "Drop a .gstex file or a folder of maps here"
        size = imgui.calc_text_size(hint)
        place = ImVec2(left + (width - size.x) / 2, top + (height - size.y) / 2)
        imgui.get_background_draw_list().add_text(place, _rgb((0.6, 0.6, 0.6)), hint)
        _messages(viewer, left + gap, top + height - gap)
        return
    draw = imgui.get_background_draw_list()
    draw.push_clip_rect((left, top), (left + width, top + height))
    state = viewer.state
    split = left + state.split * width
    ready = viewer.other_ready()
    if ready and (state.view == "split" or (state.view == "lit" and state.lit.split)):
        _label(split - gap, top + gap, "gstex", right=True)
        _label(split + gap, top + gap, label_of(state.other))
    elif ready and state.view == "diff":
        if state.other == "reference":
            _label(left + gap, top + gap, f"error of gstex x {state.gain:.3g}")
        else:
            _label(split - gap, top + gap, f"error of gstex x {state.gain:.3g}", right=True)
            _label(split + gap, top + gap, f"of {label_of(state.other)}")
    elif state.view in ("gaussians", "cells"):
        _level_legend(viewer, left + gap, top + gap)
    elif state.view == "heat":
        _heat_legend(viewer, left + gap, top + gap)
    _box_pinned(viewer)
    draw.pop_clip_rect()
    _messages(viewer, left + gap, top + height - gap)


def _level_legend(viewer: Viewer, x: float, y: float) -> None:
    assert viewer.document
    mip = viewer.gaussians()
    if mip is None or not len(mip.cells):
        _label(x, y, "this map is constant" if mip is None else "this mip is stored as plain texels")
        return
    if len(viewer.document.texture.table.groups) > 1:
        names = [one.name for one in viewer.document.maps if set(one.channels) & set(mip.members)]
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
    draw, step = imgui.get_background_draw_list(), 18.0
    y += height + 2
    for number, (a, b) in enumerate(pairwise(RAMP)):
        draw.add_rect_filled_multi_color((x + number * step, y), (x + (number + 1) * step, y + 10), _rgb(a), _rgb(b),
                                         _rgb(b), _rgb(a))  # fmt: skip


def _box_pinned(viewer: Viewer) -> None:
    """A frame round the inspected texel."""
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
    grow = max(0.0, (5.0 - (x1 - x0)) / 2)  # seen however small the texel
    draw = imgui.get_background_draw_list()
    for color, more in (((0.0, 0.0, 0.0), 1.0), ((1.0, 1.0, 1.0), 0.0)):
        draw.add_rect((x0 - grow - more, y0 - grow - more), (x1 + grow + more, y1 + grow + more), _rgb(color))


def _messages(viewer: Viewer, x: float, y: float) -> None:
    """Jobs with their progress, what is missing, the last message: from the bottom up."""
    session, line = viewer.session, imgui.get_text_line_height() + imgui.get_style().frame_padding.y + 2
    texts = []
    state = viewer.state
    wanted = ["reference"] * (state.compares()[0] or state.pinned is not None) + [state.other] * state.compares()[1]
    for name in dict.fromkeys(wanted):
        if name in session.failed:
            texts.append((f"{label_of(name)}: {session.failed[name]}", (1.0, 0.6, 0.4)))
    for job in session.jobs.values():
        now = job.report
        figures = f" {100 * now.step // max(now.steps, 1)} %" if now.steps > 1 else ""
        quality = f", {now.psnr:.1f} dB" if now.psnr is not None else ""
        texts.append((f"{job.title}: {now.stage}{figures}{quality}", (0.95, 0.8, 0.5)))
    if viewer.preparing:
        texts.append(("preparing the shaders", (0.95, 0.8, 0.5)))
    if session.notice:
        texts.append((session.notice, (1.0, 0.6, 0.4) if session.is_error else (0.8, 0.9, 0.8)))
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
    """The line at the bottom: what is under the pointer; zoom and times."""
    draw, pad = imgui.get_background_draw_list(), imgui.get_style().frame_padding
    draw.add_rect_filled((0, top), (width, top + height), _rgb((0.085, 0.085, 0.085)))
    y = top + (height - imgui.get_text_line_height()) / 2
    right = f"decode {viewer.decode_ms:.1f} ms   frame {viewer.frame_ms:.1f} ms"
    if placement := viewer.placement():
        right = f"{_zoom(placement.zoom)}   mip {placement.lod:.3g}   {right}"
    right_size = imgui.calc_text_size(right).x
    draw.add_text(ImVec2(width - right_size - pad.x, y), _rgb((0.6, 0.6, 0.6)), right)
    room = width - right_size - 4 * pad.x
    left = _under_pointer(viewer)
    while left and imgui.calc_text_size(left).x > room:
        left = left[:-1]
    draw.add_text(ImVec2(pad.x, y), _rgb((0.85, 0.85, 0.85)), left)


def _zoom(zoom: float) -> str:
    return f"{100 * zoom:.0f} %" if zoom < 10 else f"{zoom:.0f}x"


def _under_pointer(viewer: Viewer) -> str:
    one, document = viewer.shown_map(), viewer.document
    if document is None or one is None:
        return ""
    if viewer.pointer is None or (texel := viewer.texel_under(viewer.pointer)) is None:
        return one.name if viewer.state.flat else document.name
    mip = viewer.mip()
    size = document.mip_size(mip)
    at = min(texel[0] >> mip, size[0] - 1), min(texel[1] >> mip, size[1] - 1)
    facts = texel_facts(document, mip, at, None)
    values = "  ".join(f"{255 * facts.value[c]:.0f}" for c in one.channels)
    return f"{at[0]}, {at[1]}   {one.name} {values}"
