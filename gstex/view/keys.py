"""Keys: from GLFW's events to the names in `commands`.

Each key event is stored with the modifiers and the pointer at that moment. In the next frame Shift may be released and
the pointer elsewhere, and Dear ImGui spreads events over several frames, so that its pointer can lag. Letters are those
of the user's layout. Signs such as ? and [ are read as characters, wherever they are on the keyboard.
"""

from types import ModuleType

from gstex.view.commands import COMMANDS, Command
from gstex.view.viewer import Viewer

__all__ = ["Keys"]

_BY_NAME = {name: command for command in COMMANDS for name in command.keys}
_SIGNS = {name for name in _BY_NAME if len(name) == 1 and not name.isalnum()}
_MODIFIERS = {"Ctrl": "MOD_CONTROL", "Shift": "MOD_SHIFT", "Alt": "MOD_ALT"}  # in the order of their names
_NAMED = {
    "LEFT": "Left", "RIGHT": "Right", "UP": "Up", "DOWN": "Down", "PAGE_UP": "PageUp", "PAGE_DOWN": "PageDown",
    "TAB": "Tab", "ESCAPE": "Esc", "KP_ADD": "Keypad+", "KP_SUBTRACT": "Keypad-",
    **{f"F{number}": f"F{number}" for number in range(1, 13)},
}  # fmt: skip


class Keys:
    """The keys pressed since the last frame."""

    def __init__(self, glfw: ModuleType, window: object):
        self._glfw, self._window = glfw, window
        self._named = {getattr(glfw, f"KEY_{key}"): name for key, name in _NAMED.items()}
        self._pressed: list[tuple[str, bool, tuple[float, float], int]] = []
        self._repeats = False
        self._held: list[tuple[int, Command]] = []

    def on_key(self, key: int, scancode: int, action: int, modifiers: int) -> None:
        """Take GLFW's key event."""
        glfw = self._glfw
        self._repeats = action == glfw.REPEAT
        name = self._name(key, scancode)
        if action == glfw.RELEASE or name is None or modifiers & glfw.MOD_SUPER:
            return
        pressed = [word for word, bit in _MODIFIERS.items() if modifiers & getattr(glfw, bit)]
        self._append("+".join([*pressed, name]), key)

    def on_character(self, code: int) -> None:
        """Take GLFW's character event, which comes after the event of its key."""
        sign = "=" if chr(code) == "+" else chr(code)
        if sign in _SIGNS:
            self._append(sign, 0)

    def run(self, viewer: Viewer, *, typing: bool, covered: bool) -> None:
        """Run the commands of the keys pressed since the last call.

        typing: a text field has the keyboard, so only Esc counts. covered: the pointer is over a part of the interface.
        """
        pressed, self._pressed = self._pressed, []
        self._release(viewer)
        for name, repeats, pointer, key in pressed:
            command = _BY_NAME.get(name)
            if command is None or (repeats and not command.repeat):
                continue
            if name == "Esc" or not (typing or viewer.dialog or viewer.session.offered):
                viewer.pointer = None if covered else viewer.pixel_at(*pointer)
                command.run(viewer)
                if command.release is not None:
                    self._held.append((key, command))

    def _release(self, viewer: Viewer) -> None:
        """End the commands whose key is no longer down. When the window loses the keyboard, GLFW releases all keys."""
        for key, command in list(self._held):
            if self._glfw.get_key(self._window, key) == self._glfw.RELEASE:
                self._held.remove((key, command))
                if command.release is not None:
                    command.release(viewer)

    def _append(self, name: str, key: int) -> None:
        self._pressed.append((name, self._repeats, self._glfw.get_cursor_pos(self._window), key))

    def _name(self, key: int, scancode: int) -> str | None:
        """The key's name without modifiers; None for keys that are read as characters or that do nothing."""
        if key in self._named:
            return self._named[key]
        if self._glfw.KEY_0 <= key <= self._glfw.KEY_9:
            return chr(key)
        local = self._glfw.get_key_name(key, scancode)
        if isinstance(local, bytes):
            local = local.decode(errors="replace")
        return local.upper() if local and len(local) == 1 and local.isalpha() else None
