"""The .gstex file format (docs/format.md): codes in memory to bytes on disk and back.

    layout      shapes in memory and sizes in words
    rules       the allowed range of every number
    bits        records as a bit stream
    index       the cell index
    candidates  how many Gaussians a decoder looks at
    words       pack and unpack the GPU section
    validate    proof that a GPU section is sound
    container   the file: header, checksums, metadata
"""

from .candidates import candidate_stats
from .container import read_bytes, read_file, write_bytes, write_file
from .layout import (
    VERSION,
    LevelLayout,
    PackedLevel,
    PackedMaterial,
    PackedMip,
    PackedRawMip,
    PackedSharedMip,
    header_words,
    index_words,
    mip_block_words,
    mip_size,
    palette_words,
    raw_texel_words,
    raw_words,
    record_words,
)
from .validate import LevelTable, MaterialTable, MipTable, validate
from .words import pack, unpack

__all__ = [
    "VERSION",
    "LevelLayout",
    "LevelTable",
    "MaterialTable",
    "MipTable",
    "PackedLevel",
    "PackedMaterial",
    "PackedMip",
    "PackedRawMip",
    "PackedSharedMip",
    "candidate_stats",
    "header_words",
    "index_words",
    "mip_block_words",
    "mip_size",
    "pack",
    "palette_words",
    "raw_texel_words",
    "raw_words",
    "read_bytes",
    "read_file",
    "record_words",
    "unpack",
    "validate",
    "write_bytes",
    "write_file",
]
