"""Windows over the picture: the list of keys, files to open and to write, options and progress of compressing."""

from collections.abc import Callable
from pathlib import Path

from imgui_bundle import imgui

from gstex.encode.settings import QUALITIES
from gstex.errors import GstexError
from gstex.view import dialogs
from gstex.view.commands import listed
from gstex.view.recent import recent_files
from gstex.view.session import COMPRESS
from gstex.view.tasks import FitOptions
from gstex.view.viewer import Viewer
from gstex.view.widgets import heading, rows, tip

__all__ = ["draw_popups", "open_path"]

_EFFORTS = ("draft", "fast", "normal", "thorough")
_KEYS_WIDTH = 22.0  # width of a column of keys, in font sizes
_TITLES = {"open": "Open", "save": "Save as", "export": "Write the map"}
_ASKS = {
    "open": "A .gstex file; a folder or an image to compress; an .hdr or .exr panorama; a .glb or .gltf mesh:",
    "save": "A .gstex file to write:",
    "export": "An image file to write the map to, as the file decodes:",
}


def draw_popups(viewer: Viewer, width: float, height: float) -> None:
    """Draw the open popups. width, height: of the window, in units of the pointer."""
    if viewer.help:
        viewer.help = _draw_help(width, height)
    if viewer.dialog:
        _draw_dialog(viewer, width, height)
    if viewer.session.offered is not None:
        _draw_offer(viewer, viewer.session.offered, width, height)
    if COMPRESS in viewer.session.jobs:
        _draw_progress(viewer, width, height)


def _begin(title: str, width: float, height: float, wide: float, high: float) -> bool:
    """Begin a window in the middle. Returns whether it stays open."""
    imgui.set_next_window_pos((width / 2, height / 2), imgui.Cond_.always, (0.5, 0.5))
    imgui.set_next_window_size((min(wide, width - 16), min(high, height - 16) if high else 0))
    flags = imgui.WindowFlags_.no_collapse | imgui.WindowFlags_.no_saved_settings | imgui.WindowFlags_.no_resize
    _, stays = imgui.begin(title, True, flags)
    return bool(stays)


def _draw_help(width: float, height: float) -> bool:
    """Draw all keys, in up to four columns as the width allows. Returns whether the window stays open."""
    unit = imgui.get_font_size()
    groups = listed()
    columns = max(1, min(4, int((width - 32) / (_KEYS_WIDTH * unit))))
    stays = _begin("Keys", width, height, columns * _KEYS_WIDTH * unit + 2 * unit, height - 4 * unit)
    imgui.push_font(None, 0.86 * imgui.get_style().font_size_base)
    if imgui.begin_table("columns", columns):
        lines = sum(len(cells) + 2 for cells in groups.values())
        done, column = 0, 0
        imgui.table_next_column()
        for group, cells in groups.items():
            if column + 1 < columns and done + (len(cells) + 2) / 2 > lines * (column + 1) / columns:
                column += 1
                imgui.table_next_column()
            done += len(cells) + 2
            heading(group)
            rows(group, cells)
        imgui.end_table()
    imgui.pop_font()
    imgui.end()
    return stays


def _draw_dialog(viewer: Viewer, width: float, height: float) -> None:
    kind = viewer.dialog
    stays = _begin(_TITLES[kind], width, height, 40 * imgui.get_font_size(), 0)
    imgui.text_wrapped(_ASKS[kind])
    if imgui.is_window_appearing():
        imgui.set_keyboard_focus_here()
    browses = dialogs.why_not() == ""
    imgui.set_next_item_width(-6 * imgui.get_font_size() if browses else -1.0)
    entered, viewer.dialog_text = imgui.input_text("##path", viewer.dialog_text,
                                                   imgui.InputTextFlags_.enter_returns_true)  # fmt: skip
    if browses:
        imgui.same_line()
        if imgui.button("Browse..."):
            viewer.browser = dialogs.browse(kind, Path(viewer.dialog_text).expanduser())
        tip("Choose in a window of the system")
    if viewer.browser is not None and (chosen := viewer.browser.poll()) is not None:
        viewer.browser, viewer.dialog_text = None, chosen or viewer.dialog_text
    path = Path(viewer.dialog_text).expanduser()
    if kind == "open":
        stays &= not _draw_open(viewer, path, entered)
    else:
        stays &= not _draw_write(viewer, path, entered)
    imgui.same_line()
    if imgui.button("Cancel"):
        stays = False
    if kind == "open":
        stays &= not _draw_recent(viewer)
    imgui.end()
    if not stays:
        viewer.dialog, viewer.browser = "", None


def _draw_open(viewer: Viewer, path: Path, entered: bool) -> bool:
    """Draw the buttons of the window to open a file. Returns whether one was pressed."""
    uses: list[tuple[str, str, Callable[[Path], None]]] = [("Open", "Show it (Enter)", lambda p: open_path(viewer, p))]
    session = viewer.session
    if viewer.document is not None:
        uses.append(("Take as reference", "It is what the file was made from", session.set_source))
        if path.suffix.lower() == ".gstex":
            uses.append(("Compare with it", "Show it beside the file", lambda p: compare_with(viewer, p)))
    for number, (label, text, use) in enumerate(uses):
        if number:
            imgui.same_line()
        pressed = imgui.button(label)
        tip(text)
        if pressed or (entered and number == 0):
            use(path)
            return True
    return False


def _draw_write(viewer: Viewer, path: Path, entered: bool) -> bool:
    """Draw the button of the windows to write a file. Returns whether the file was written."""
    replaces = path.is_file()
    if replaces:
        imgui.text_wrapped(f"{path.name} already exists.")
    pressed = imgui.button("Replace" if replaces else "Write")
    if not (pressed or entered):
        return False
    shown_map = viewer.shown_map()
    if viewer.dialog == "export" and shown_map is not None:
        return viewer.session.export(shown_map, viewer.mip(), path, replace=pressed)
    return viewer.session.save(path, replace=pressed)  # only the button replaces a file, not Enter


def _draw_recent(viewer: Viewer) -> bool:
    """Draw the list of the files shown last. Returns whether one was chosen."""
    if imgui.is_window_appearing():
        viewer.recent = recent_files()
    if viewer.recent:
        heading("Shown last")
    for path in viewer.recent:
        if imgui.selectable(f"{path.name}##{path}", False)[0]:
            open_path(viewer, path)
            return True
        tip(str(path))
    return False


def _draw_offer(viewer: Viewer, source: Path, width: float, height: float) -> None:
    """Draw the options to compress what was dropped."""
    choice = viewer.compression
    stays, appears = _begin("Compress", width, height, 26 * imgui.get_font_size(), 0), imgui.is_window_appearing()
    imgui.text_wrapped(f"{source.name} becomes a texture. Nothing is written before you save it.")
    imgui.push_item_width(-1.0)
    names = [*QUALITIES, "bits"]
    labels = [*(f"Quality {name}" for name in QUALITIES), "Bits per texel"]
    _, at = imgui.combo("##rate", names.index(choice.rate), labels)
    tip("What the file may take: by the number of its channels, or a rate of your own")
    choice.rate = names[at]
    if choice.rate == "bits":
        _, choice.bpp = imgui.slider_float("##bpp", choice.bpp, 0.1, 16.0, "%.2f bits per texel",
                                           imgui.SliderFlags_.logarithmic)  # fmt: skip
        tip("Of mip 0, all maps together")
    _, at = imgui.combo("##effort", _EFFORTS.index(choice.effort), [f"Effort {name}" for name in _EFFORTS])
    tip("How long to search: draft for a look, thorough for what is shipped")
    choice.effort = _EFFORTS[at]
    imgui.pop_item_width()
    pressed = imgui.button("Compress") or (not appears and imgui.is_key_pressed(imgui.Key.enter, False))
    imgui.same_line()
    stays &= not imgui.button("Cancel")
    imgui.end()
    if pressed:
        options: FitOptions = {"effort": choice.effort}
        options |= {"bpp": choice.bpp} if choice.rate == "bits" else {"quality": choice.rate}
        viewer.session.compress(source, options)
    if pressed or not stays:
        viewer.session.offered = None


def _draw_progress(viewer: Viewer, width: float, height: float) -> None:
    """Draw the progress of compressing, in the middle of the window."""
    job = viewer.session.jobs[COMPRESS]
    now = job.report
    stays = _begin(f"{job.title.capitalize()}###progress", width, height, 24 * imgui.get_font_size(), 0)
    share = now.step / now.steps if now.steps > 1 else 0.0
    left = "" if now.left is None else f", {round(now.left) // 60}:{round(now.left) % 60:02} left"
    imgui.progress_bar(share, (-1.0, 0.0), f"{100 * share:.0f} %{left}")
    imgui.text(now.stage if now.psnr is None else f"{now.stage}, {now.psnr:.1f} dB so far")
    if imgui.button("Stop") or not stays:
        viewer.session.stop(COMPRESS)
    imgui.end()


def open_path(viewer: Viewer, path: Path) -> None:
    """Open a path as if it was dropped, and show an error as a message."""
    try:
        viewer.session.drop(path)
    except GstexError as error:
        viewer.session.say(str(error), error=True)


def compare_with(viewer: Viewer, path: Path) -> None:
    """Show a second file beside the first."""
    viewer.session.set_second(path)
    if viewer.state.view not in ("split", "diff", "lit"):
        viewer.state.view = "split"
    viewer.state.lit.split |= viewer.state.view == "lit"
