"""The containers of textures that engines load, read and written by their specifications.

    formats   pixel formats, with their numbers in DXGI and Vulkan
    dds       DirectDraw Surface: Microsoft's "Programming Guide for DDS", with the header of DirectX 10
    ktx2      Khronos Texture 2.0: https://registry.khronos.org/KTX/specs/2.0/ktxspec.v2.html

No library on PyPI writes either container with mips and all block formats: Pillow writes DDS without mips and without
BC7, and pyktx has no wheels for Linux.
"""

from .dds import DdsFile, parse_dds, write_dds
from .formats import BY_NAME, PixelFormat, mip_count_of, mip_extent
from .ktx2 import Ktx2File, parse_ktx2, write_ktx2

__all__ = [
    "BY_NAME", "DdsFile", "Ktx2File", "PixelFormat", "mip_count_of", "mip_extent", "parse_dds", "parse_ktx2",
    "write_dds", "write_ktx2",
]
