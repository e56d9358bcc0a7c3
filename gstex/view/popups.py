"""Windows over the picture: the list of keys, and the names of files to open and to save."""

from pathlib import Path

from imgui_bundle import imgui

from gstex.errors import GstexError
from gstex.view.commands import listed
from gstex.view.viewer import Viewer

__all__ = ["draw_popups"]

def draw_popups(viewer: Viewer, width: float, height: float) -> None:
    """Draw those that are open. width, height: of the window, in units of the pointer."""
    if viewer.help:
        viewer.help = _draw_help(width, height)
    if viewer.dialog:
        _draw_dialog(viewer, width, height)


def _begin(title: str, width: float, height: float, wide: float, high: float) -> bool:
    """A window in the middle; whether it stays open."""
    imgui.set_next_window_pos((width / 2, height / 2), imgui.Cond_.always, (0.5, 0.5))
    imgui.set_next_window_size((min(wide, width - 16), min(high, height - 16) if high else 0))
    flags = imgui.WindowFlags_.no_collapse | imgui.WindowFlags_.no_saved_settings | imgui.WindowFlags_.no_resize
    _, stays = imgui.begin(title, True, flags)
    return bool(stays)


def _draw_help(width: float, height: float) -> bool:
    unit = imgui.get_font_size()
    stays = _begin("Keys", width, height, 40 * unit, 46 * unit)
    for group, rows in listed().items():
        _heading(group)
        _rows(group, rows)
    imgui.end()
    return stays


def _heading(text: str) -> None:
    imgui.spacing()
    imgui.text_disabled(text.upper())


def _rows(name: str, rows: list[tuple[str, str]]) -> None:
    if imgui.begin_table(name, 2, imgui.TableFlags_.row_bg):
        imgui.table_setup_column("keys", imgui.TableColumnFlags_.width_fixed, 8 * imgui.get_font_size())
        imgui.table_setup_column("what")
        for keys, text in rows:
            imgui.table_next_column()
            imgui.text(keys)
            imgui.table_next_column()
            imgui.text_wrapped(text)
        imgui.end_table()


def _draw_dialog(viewer: Viewer, width: float, height: float) -> None:
    is_open = viewer.dialog == "open"
    unit = imgui.get_font_size()
    stays = _begin("Open" if is_open else "Save as", width, height, 36 * unit, 0)
    imgui.text_wrapped("A .gstex file, or a folder or an image to compress:" if is_open else "A .gstex file to write:")
    if imgui.is_window_appearing():
        imgui.set_keyboard_focus_here()
    imgui.set_next_item_width(-1.0)
    entered, viewer.dialog_text = imgui.input_text("##path", viewer.dialog_text,
                                                   imgui.InputTextFlags_.enter_returns_true)  # fmt: skip
    path = Path(viewer.dialog_text).expanduser()
    replaces = not is_open and path.exists()
    if replaces:
        imgui.text_wrapped(f"{path.name} is there already.")
    pressed = imgui.button("Open" if is_open else "Replace" if replaces else "Save")
    if is_open and viewer.document is not None:
        imgui.same_line()
        if imgui.button("Take as reference"):
            viewer.session.set_source(path)
            stays = False
    imgui.same_line()
    if imgui.button("Cancel"):
        stays = False
    imgui.end()
    if is_open and (pressed or entered):
        stays = False
        open_path(viewer, path)
    elif pressed or entered:
        stays = not viewer.session.save(path, replace=pressed)  # the key Enter alone replaces nothing
    if not stays:
        viewer.dialog = ""


def open_path(viewer: Viewer, path: Path) -> None:
    """What a drop does."""
    try:
        viewer.session.drop(path)
    except GstexError as error:
        viewer.session.say(str(error), error=True)
