"""Small glTF models, written here byte by byte: a cube with the maps of samples."""

import base64
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
from small_samples import SAMPLES

from gstex.json_types import JsonObject, JsonView

__all__ = ["cube", "model_bytes", "png", "read_glb", "sample_image"]


def png(pixels: np.ndarray, folder: Path, format: str = "png") -> bytes:
    """An image file of uint8 or uint16 [h, w, C]."""
    path = folder / f"made.{format}"
    buffer = oiio.ImageBuf(np.ascontiguousarray(pixels))
    buffer.specmod().attribute("oiio:UnassociatedAlpha", 1)
    assert buffer.write(str(path)), buffer.geterror()
    data = path.read_bytes()
    path.unlink()
    return data


def sample_image(name: str, size: int, step: int = 1) -> np.ndarray:
    """The top left of a map of a sample, every `step`-th texel: 'scifi_panel/scifi_panel_ao' -> uint8 [h, w, C]."""
    [path] = SAMPLES.glob(f"{name}.png")
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    image = oiio.ImageBuf(str(path), 0, 0, config)
    return np.asarray(image.get_pixels(oiio.UINT8))[: size * step : step, : size * step : step]


def cube() -> tuple[list[bytes], JsonObject]:
    """(the bytes of four buffer views, accessors and attributes): a cube whose faces show the whole texture."""
    corners, normals, uvs, indices = [], [], [], []
    for axis in range(3):
        for sign in (-1, 1):
            for v in (-1, 1):
                for u in (-1, 1):
                    point = np.zeros(3)
                    point[axis], point[(axis + 1) % 3], point[(axis + 2) % 3] = sign, sign * u, v
                    corners.append(point)
                    normals.append(np.eye(3)[axis] * sign)
                    uvs.append(((u + 1) / 2, (1 - v) / 2))
            first = len(corners) - 4
            indices += [first + n for n in (0, 1, 2, 1, 3, 2)]
    views = [np.array(values, "<f4").tobytes() for values in (corners, normals, uvs)]
    views.append(np.array(indices, "<u2").tobytes())
    accessors = [
        {"bufferView": 0, "componentType": 5126, "count": 24, "type": "VEC3", "min": [-1] * 3, "max": [1] * 3},
        {"bufferView": 1, "componentType": 5126, "count": 24, "type": "VEC3"},
        {"bufferView": 2, "componentType": 5126, "count": 24, "type": "VEC2"},
        {"bufferView": 3, "componentType": 5123, "count": 36, "type": "SCALAR"},
    ]
    attributes = {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}
    return views, {"accessors": accessors, "attributes": attributes}


def model_bytes(
    images: list[bytes], materials: Sequence[JsonView], *, textures: Sequence[JsonView] | None = None,
    uris: dict[int, str] | None = None, glb: bool = True, **more: object,
) -> bytes:  # fmt: skip
    """A model of a cube for each material.

    images: files, put into buffer views; uris: by number, of those that are elsewhere. textures: one for each image
    unless they are given. more: of the document. glb: or a .gltf file with its buffer as a data URI.
    """
    views, mesh = cube()
    entries = []
    for number, image in enumerate(images):
        kind = "image/jpeg" if image.startswith(b"\xff\xd8") else "image/png"
        if uris and number in uris:
            entries.append({"uri": uris[number], "name": f"picture{number}"})
        else:
            entries.append({"bufferView": len(views), "mimeType": kind, "name": f"picture{number}"})
            views.append(image)
    chunk, places = b"", []
    for data in views:
        chunk += bytes(-len(chunk) % 4)
        places.append({"buffer": 0, "byteOffset": len(chunk), "byteLength": len(data)})
        chunk += data
    chunk += bytes(-len(chunk) % 4)
    primitives = [{"attributes": mesh["attributes"], "indices": 3, "material": n} for n in range(len(materials))]
    document = {
        "asset": {"version": "2.0", "generator": "tests"}, "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}], "meshes": [{"primitives": primitives}], "accessors": mesh["accessors"],
        "bufferViews": places, "buffers": [{"byteLength": len(chunk)}], "materials": materials, "images": entries,
        "textures": textures if textures is not None else [{"source": n} for n in range(len(images))], **more,
    }  # fmt: skip
    if not glb:
        uri = "data:application/octet-stream;base64," + base64.b64encode(chunk).decode()
        document["buffers"] = [{"byteLength": len(chunk), "uri": uri}]
        return json.dumps(document).encode()
    return glb_bytes(document, chunk)


def glb_bytes(document: JsonView | bytes, chunk: bytes) -> bytes:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    parts = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(chunk), 0x004E4942) + chunk
    return b"glTF" + struct.pack("<II", 2, 12 + len(parts)) + parts


def read_glb(path: Path) -> tuple[JsonObject, bytes]:
    """(document, binary chunk) of a GLB file, read without gstex."""
    data = path.read_bytes()
    assert data[:4] == b"glTF" and struct.unpack_from("<II", data, 4) == (2, len(data))
    length = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    rest = data[20 + length :]
    assert len(rest) >= 8 and struct.unpack_from("<I", rest)[0] == len(rest) - 8
    assert document["buffers"][0]["byteLength"] <= len(rest) - 8 < document["buffers"][0]["byteLength"] + 4
    return document, rest[8:]
