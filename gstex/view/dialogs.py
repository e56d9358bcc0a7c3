"""The system's own windows to choose a file in: portable-file-dialogs, which comes with Dear ImGui Bundle.

On Linux it asks zenity, kdialog, matedialog or qarma; without any of them a path is typed.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

__all__ = ["Browser", "browse", "why_not"]

_PROGRAMS = ("zenity", "kdialog", "matedialog", "qarma")


def why_not() -> str:
    """Why there are no such windows here; '' if there are."""
    try:
        from imgui_bundle import portable_file_dialogs  # noqa: F401
    except ImportError:
        return "this Dear ImGui Bundle has no portable-file-dialogs"
    if sys.platform.startswith("linux") and not any(shutil.which(program) for program in _PROGRAMS):
        return f"needs one of {', '.join(_PROGRAMS)}"
    return ""


class Browser:
    """A window that is open."""

    def __init__(self, dialog: Any):
        self._dialog = dialog

    def poll(self) -> str | None:
        """None as long as it is open; then the path chosen, '' if none was."""
        if not self._dialog.ready():
            return None
        result = self._dialog.result()
        return (result[0] if result else "") if isinstance(result, list) else str(result)


def browse(kind: str, start: Path) -> Browser:
    """kind: 'open', 'save' or 'export'. start: a path to begin at."""
    from imgui_bundle import portable_file_dialogs as system

    if kind == "open":
        filters = ["Textures, images, panoramas", "*.gstex *.png *.tga *.tif *.jpg *.exr *.hdr", "All files", "*"]
        return Browser(system.open_file("Open", str(start), filters))
    filters = ["gstex texture", "*.gstex"] if kind == "save" else ["Image", f"*{start.suffix}"]
    return Browser(system.save_file("Save as" if kind == "save" else "Write the map", str(start), filters))
