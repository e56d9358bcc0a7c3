"""Files that are written whole or not at all."""

import os
import secrets
from pathlib import Path

from gstex.errors import OutputError

__all__ = ["TEMPORARY", "replace_file"]

TEMPORARY = ".gstex-{}.tmp"  # name of a file that is being written


def replace_file(path: Path, data: bytes) -> None:
    """Write a file in one step: `path` is either untouched or the whole new file.

    Raises:
        OutputError: the file cannot be written, or `path` is something else than a file.
    """
    if path.exists() and not path.is_file():  # a rename would replace a device
        raise OutputError(f"{path}: is not a file; give another name")
    # Beside the target, because a rename is atomic only within one file system.
    temporary = path.parent / TEMPORARY.format(secrets.token_hex(8))
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}); "
                          "check that the folder exists and that there is room") from error
    except BaseException:  # Ctrl-C too must leave nothing behind
        temporary.unlink(missing_ok=True)
        raise
