"""glTF models whose materials are .gstex files: docs/gltf.md.

`container` reads and writes files, `pictures` reads and writes their images, and `binary` edits buffers. `plan` chooses
the images of each .gstex file, `pack` compresses, and `unpack` decodes. `extension` defines the glTF extension, and
`mesh` reads triangles.
"""

from gstex.gltf.container import Model, parse_model, read_model, write_glb
from gstex.gltf.extension import NAME, root_schema, texture_schema
from gstex.gltf.pack import Packed, pack_model
from gstex.gltf.plan import plan_model
from gstex.gltf.unpack import Unpacked, unpack_model

__all__ = [
    "NAME", "Model", "Packed", "Unpacked", "pack_model", "parse_model", "plan_model", "read_model", "root_schema",
    "texture_schema", "unpack_model", "write_glb",
]
