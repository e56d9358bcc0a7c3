"""What `gstex --version --json` prints: everything that decides the bytes of outputs, found without importing it."""

import hashlib
import platform
from importlib import metadata, util
from pathlib import Path

from gstex.json_types import JsonObject
from gstex.version import __version__

__all__ = ["about"]

# The packages that read pictures and calculate, so that their versions can change outputs.
_PACKAGES = ("numpy", "OpenImageIO")
_SOURCES = frozenset([".py", ".cu", ".cuh", ".h"])


def about() -> JsonObject:
    """version: of gstex. code: a hash of the installed gstex; a cache of outputs is out of date when it changes.
    packages: versions of the packages that can change the bytes of outputs. python, system: for people."""
    return {
        "version": __version__, "code": _code(), "packages": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}",
    }  # fmt: skip


def _code() -> str:
    """SHA-256 of the sources in the package, GPU kernels included, and of its compiled core."""
    digest = hashlib.sha256()
    folder = Path(__file__).resolve().parent.parent
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _SOURCES):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    core = util.find_spec("gstex.native._core")
    if core is not None and core.origin is not None:
        digest.update(Path(core.origin).read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
