"""Keys: from their names in `commands` to those of Dear ImGui."""

from functools import cache

from imgui_bundle import imgui

from gstex.view.commands import COMMANDS
from gstex.view.viewer import Viewer

__all__ = ["run_keys"]

_NAMES = {
    "=": "equal", "-": "minus", "[": "left_bracket", "]": "right_bracket", ";": "semicolon", "'": "apostrophe",
    ",": "comma", ".": "period", "Left": "left_arrow", "Right": "right_arrow", "Up": "up_arrow", "Down": "down_arrow",
    "PageUp": "page_up", "PageDown": "page_down", "Esc": "escape", "Keypad+": "keypad_add",
    "Keypad-": "keypad_subtract",
}  # fmt: skip


@cache
def _parse(keys: str) -> tuple[imgui.Key, bool, bool]:
    """'Shift+E' -> (key, with Ctrl, with Shift)."""
    if keys == "?":
        return imgui.Key.slash, False, True
    *modifiers, name = keys.split("+") if len(keys) > 1 and not keys.endswith("+") else [keys]
    plain = _NAMES.get(name) or (f"_{name}" if name.isdigit() else name.lower())
    return getattr(imgui.Key, plain), "Ctrl" in modifiers, "Shift" in modifiers


def run_keys(viewer: Viewer) -> None:
    """Do what the keys of this frame ask for. While text is typed, Esc alone counts."""
    io = imgui.get_io()
    for command in COMMANDS:
        for keys in command.keys:
            key, ctrl, shift = _parse(keys)
            if io.want_text_input and keys != "Esc":
                continue
            if io.key_ctrl != ctrl or io.key_shift != shift or io.key_alt:
                continue
            if imgui.is_key_pressed(key, command.repeat):
                command.run(viewer)
