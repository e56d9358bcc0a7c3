"""Modules of the checkout for tools that run before the package can be imported, which needs the compiled core."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

__all__ = ["ROOT", "import_bare"]

ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("gstex", "gstex.cuda", "gstex.encode", "gstex.encode.ops", "gstex.encode.ops.cuda", "gstex.format")


def import_bare(*names: str) -> tuple[ModuleType, ...]:
    """Import modules of gstex by full name from this checkout, without running the __init__ of their packages."""
    outside = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "gstex"}
    for name in outside:
        del sys.modules[name]
    try:
        for name in _PACKAGES:
            package = ModuleType(name)
            package.__path__ = [str(ROOT / name.replace(".", "/"))]
            sys.modules[name] = package
        return tuple(import_module(name) for name in names)
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "gstex"]:
            del sys.modules[name]
        sys.modules.update(outside)
