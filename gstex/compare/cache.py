"""A cache of encoded images between runs: files in the user's cache folder, named by a hash of what they depend on.

A damaged or unusable cache costs time and nothing else.
"""

import contextlib
import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["Cache", "default_folder"]

_LIMIT_BYTES = 2 << 30


def default_folder() -> Path:
    """$GSTEX_CACHE, or 'gstex' in the system's cache folder."""
    given = os.environ.get("GSTEX_CACHE")
    return Path(given) if given else user_cache_path("gstex", appauthor=False, opinion=False)


class Cache:
    """Byte strings by key (a hex digest). Contents are not checked here: they carry their own checksum."""

    def __init__(self, folder: Path | None = None):
        self._folder = folder or default_folder()

    def get(self, key: str) -> bytes | None:
        """The entry, None if there is none or it cannot be read."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            os.utime(path)  # mark as just used, so that `trim` deletes it last
        except OSError:
            return None
        return data

    def has(self, key: str) -> bool:
        """Whether there is an entry. The entry may be damaged."""
        return self._path(key).is_file()

    def put(self, key: str, data: bytes) -> None:
        """Store an entry. It appears complete or not at all."""
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise

    def trim(self, limit: int = _LIMIT_BYTES) -> None:
        """Delete the entries that were not used for longest until at most `limit` bytes are left."""
        entries = []
        for path in self._folder.glob("??/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= limit:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key
