"""The system's file dialogs: portable-file-dialogs, which comes with Dear ImGui Bundle.

On Linux it needs zenity, kdialog, matedialog or qarma. Without any of them the user types a path.
"""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgui_bundle.portable_file_dialogs import open_file, save_file

__all__ = ["Browser", "browse", "why_not"]

_PROGRAMS = ("zenity", "kdialog", "matedialog", "qarma")


def why_not() -> str:
    """Why there are no file dialogs here; '' if there are."""
    try:
        from imgui_bundle import portable_file_dialogs  # noqa: F401
    except ImportError:
        return "this Dear ImGui Bundle has no portable-file-dialogs"
    if sys.platform.startswith("linux") and not any(shutil.which(program) for program in _PROGRAMS):
        return f"needs one of {', '.join(_PROGRAMS)}"
    return ""


class Browser:
    """An open file dialog."""

    def __init__(self, dialog: "open_file | save_file"):
        self._dialog = dialog

    def poll(self) -> str | None:
        """None while the dialog is open; then the chosen path, or '' if none was chosen."""
        if not self._dialog.ready():
            return None
        result = self._dialog.result()
        return (result[0] if result else "") if isinstance(result, list) else str(result)


def browse(kind: str, start: Path) -> Browser:
    """Open a file dialog. kind: 'open', 'save' or 'export'. start: the path at which it begins."""
    from imgui_bundle import portable_file_dialogs as system

    if kind == "open":
        filters = ["Textures, images, panoramas", "*.gstex *.png *.tga *.tif *.jpg *.exr *.hdr", "All files", "*"]
        return Browser(system.open_file("Open", str(start), filters))
    filters = ["gstex texture", "*.gstex"] if kind == "save" else ["Image", f"*{start.suffix}"]
    return Browser(system.save_file("Save as" if kind == "save" else "Write the map", str(start), filters))
