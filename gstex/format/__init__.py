"""The .gstex file format (docs/format.md): codes in memory to bytes on disk and back.

    layout      shapes in memory and sizes in words
    rules       the allowed range of every number, for the writer
    bits        records as a bit stream
    index       the cell index
    words       pack and unpack the GPU section
    table       what a checked GPU section says about itself
    upload      the words as shaders and kernels take them
    description what the metadata leaves out, because the header says it or it is usual
    metadata    the schema of what the metadata says about the maps
    container   the file: header, checksums, metadata

gstex/native/gstex.h checks, decodes and samples what is read.
"""

from .container import open_file, read_bytes, read_file, write_bytes, write_file
from .layout import (
    VERSION,
    ChannelEntry,
    LevelLayout,
    PackedGroup,
    PackedLevel,
    PackedMaterial,
    PackedMip,
    PackedRawMip,
    PackedSharedMip,
    group_header_words,
    header_words,
    index_words,
    mip_block_words,
    mip_size,
    palette_words,
    raw_texel_words,
    raw_words,
    record_words,
    shared_words,
)
from .table import GroupTable, LevelTable, MaterialTable, MipTable, validate
from .words import pack, unpack

__all__ = [
    "VERSION",
    "ChannelEntry",
    "GroupTable",
    "LevelLayout",
    "LevelTable",
    "MaterialTable",
    "MipTable",
    "PackedGroup",
    "PackedLevel",
    "PackedMaterial",
    "PackedMip",
    "PackedRawMip",
    "PackedSharedMip",
    "group_header_words",
    "header_words",
    "index_words",
    "mip_block_words",
    "mip_size",
    "open_file",
    "pack",
    "palette_words",
    "raw_texel_words",
    "raw_words",
    "read_bytes",
    "read_file",
    "record_words",
    "shared_words",
    "unpack",
    "validate",
    "write_bytes",
    "write_file",
]
