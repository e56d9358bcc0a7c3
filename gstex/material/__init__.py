"""Materials: a folder of image files -> a stack of aligned channels with roles, and back to files."""

from gstex.format.metadata import MaterialMaps, SourceMap, plan_maps
from gstex.material.load import find_tiles, load_material
from gstex.material.material import MAX_CHANNELS, Channel, Material, table
from gstex.material.mips import MipLevel, make_mips
from gstex.material.resample import guess_wrap
from gstex.material.restore import write_maps

__all__ = [
    "MAX_CHANNELS", "Channel", "Material", "MaterialMaps", "MipLevel", "SourceMap", "find_tiles", "guess_wrap",
    "load_material", "make_mips", "plan_maps", "table", "write_maps",
]
