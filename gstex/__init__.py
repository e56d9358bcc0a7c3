"""gstex: texture compression for game engines with 2D Gaussians.

    texture = gstex.compress("material_folder", bpp=1.0)
    texture.save("material.gstex")
    stack = gstex.load("material.gstex").decode()

Names are loaded when they are first used: `import gstex` itself takes milliseconds and compiles nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import GstexError
from .version import __version__

if TYPE_CHECKING:
    from .encode.compress import Progress, compress
    from .texture import Texture, load

__all__ = ["GstexError", "Progress", "Texture", "__version__", "compress", "load"]

_HOMES = {"Progress": ".encode.compress", "Texture": ".texture", "compress": ".encode.compress", "load": ".texture"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
