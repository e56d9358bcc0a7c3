"""gstex: texture compression for game engines with 2D Gaussians.

    texture = gstex.compress("material_folder", bpp=1.0)
    texture.save("material.gstex")
    stack = gstex.load("material.gstex").decode()
"""

from .compress import Progress, compress
from .errors import GstexError
from .texture import Texture, load
from .version import __version__

__all__ = ["GstexError", "Progress", "Texture", "__version__", "compress", "load"]
