"""Decode the .gstex files of a model to ordinary images."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gstex.arrays import F32Array
from gstex.decode import check_texels
from gstex.errors import FormatError, ModelError
from gstex.format.container import read_bytes
from gstex.gltf.binary import Editor
from gstex.gltf.container import Model, broken, write_glb
from gstex.gltf.extension import NAME, Component, File, Image, Texture, read_root, read_texture
from gstex.gltf.plan import image_sources
from gstex.json_types import JsonObject
from gstex.material import plan_maps, write_maps
from gstex.texture import Texture as Compressed

__all__ = ["MODEL", "Unpacked", "unpack_model"]

MODEL = "gstexModel"  # key in asset.extras: the name of the file that was decoded


@dataclass
class Unpacked:
    """A model with ordinary images.

    data: the GLB file. images: (index, width, height, MIME type, bytes) of the decoded images.
    """

    data: bytes = b""
    images: list[tuple[int, int, int, str, int]] = field(default_factory=list)


def unpack_model(model: Model, *, name: str, max_texels: int | None = None) -> Unpacked:
    """Decode every compressed texture. This changes the model's document.

    Args:
        name: of the model's file. The result stores it, so that the command recognises its own outputs.
        max_texels: the limit for all images together, counted in every channel; None for 2^28.

    Raises:
        ModelError: the model breaks a rule, or holds no .gstex file. FormatError: a .gstex file in it breaks a rule.
        LimitError: too many texels.
    """
    document = model.document
    extensions = document.get("extensions", {})
    if NAME not in extensions:
        raise ModelError(f"has no materials that `gstex gltf` has compressed ({NAME}); nothing was written: give a "
                         "model that `gstex gltf` has written")
    files = read_root(extensions[NAME]).files
    model.check_views()
    jobs = _jobs(model, len(files))
    opened: dict[File, Compressed] = {}  # by place, because several entries may name one file
    by_file: dict[File, list[_Job]] = {}
    texels = 0
    for job in jobs:
        entry = files[job[0].file]
        place = File(bufferView=entry.bufferView, uri=entry.uri)
        if place not in opened:
            opened[place] = texture = _open(model, place, job[0].file)
            texels += texture.width * texture.height * texture.channels
        by_file.setdefault(place, []).append(job)
        if isinstance(job[0].image, Image):
            texels += job[0].image.width * job[0].image.height * len(job[0].components)
    check_texels(texels, f"{len(jobs)} images", max_texels)
    result, editor, shown_by = Unpacked(), Editor(model), _shown_by(model)
    for place, texture in opened.items():
        stack = texture.decode(max_texels=max_texels)
        if place.bufferView is not msgspec.UNSET:
            editor.free({"bufferView": place.bufferView})
        for stated, textures in by_file[place]:
            data, kind, size = _image_bytes(texture, stack, stated)
            index = _set_image(model, editor, shown_by, textures, data, kind, stated)
            result.images.append((index, *size, kind, len(data)))
    for texture_item in model.items("textures"):
        texture_item.get("extensions", {}).pop(NAME, None)
        _drop_empty(texture_item, "extensions")
    del extensions[NAME]
    _drop_empty(document, "extensions")
    for key in ("extensionsUsed", "extensionsRequired"):
        document[key] = [other for other in document.get(key, []) if other != NAME]
        _drop_empty(document, key)
    extras = document["asset"].setdefault("extras", {})
    if isinstance(extras, dict):
        extras[MODEL] = name
    result.data = write_glb(document, editor.finish())
    return result


_Job = tuple[Texture, list[int]]  # an image to decode, and the textures that show it


def _jobs(model: Model, files: int) -> list[_Job]:
    """The images to decode. Several textures may show the same image with different samplers."""
    jobs: dict[bytes, _Job] = {}
    for number, texture in enumerate(model.items("textures")):
        value = texture.get("extensions", {}).get(NAME)
        if value is not None:
            stated = read_texture(value, f"textures[{number}].extensions.{NAME}", files=files)
            jobs.setdefault(msgspec.json.encode(stated), (stated, []))[1].append(number)
    return list(jobs.values())


def _shown_by(model: Model) -> dict[int, set[int]]:
    """For each image, the textures that name it."""
    textures: dict[int, set[int]] = {}
    for number in range(len(model.items("textures"))):
        for image in image_sources(model, number).values():
            textures.setdefault(image, set()).add(number)
    return textures


def _open(model: Model, file: File, number: int) -> Compressed:
    where = f"extensions.{NAME}.files[{number}]"
    has_view = file.bufferView is not msgspec.UNSET
    data = model.view(file.bufferView, f"{where}.bufferView") if has_view else model.read_uri(file.uri, f"{where}.uri")
    try:
        return Compressed(*read_bytes(data), file_bytes=len(data))
    except FormatError as error:
        raise type(error)(f"{where}: {error}") from None


def _image_bytes(texture: Compressed, stack: F32Array, stated: Texture) -> tuple[bytes, str, tuple[int, int]]:
    """(file, MIME type, (width, height)) of the image that a texture shows."""
    image = stated.image if isinstance(stated.image, Image) else Image(texture.width, texture.height)
    format = image.mimeType.removeprefix("image/")
    source = {
        "file": f"image.{format}", "width": image.width, "height": image.height, "channels": len(stated.components),
        "bit_depth": image.bitDepth, "is_float": False, "format": format,
        "planes": [_plane(part) for part in stated.components],
    }  # fmt: skip
    try:
        maps = plan_maps({**texture.material, "sources": [source]}, texture.channels)
    except FormatError as error:
        raise broken(f"textures: {str(error).removeprefix('metadata: ').partition(';')[0]}") from None
    with tempfile.TemporaryDirectory(prefix="gstex-") as folder:
        [path] = write_maps(maps, stack, Path(folder))
        return path.read_bytes(), image.mimeType, (image.width, image.height)


def _plane(part: Component) -> JsonObject:
    if part.normalZ is not msgspec.UNSET:
        return {"normal_z": list(part.normalZ)}
    return {"channel": part.channel} if part.value is msgspec.UNSET else {"fill": part.value}


def _set_image(
    model: Model, editor: Editor, shown_by: dict[int, set[int]], textures: list[int], data: bytes, kind: str,
    stated: Texture,
) -> int:  # fmt: skip
    """Put an image in the place of the fallback; at the end of the list without one, or if other textures show it."""
    items = model.items("textures")
    index = items[textures[0]].get("source")
    if index is None or shown_by[index] - set(textures):
        images = model.document.setdefault("images", [])
        named = isinstance(stated.image, Image) and isinstance(stated.image.name, str)
        images.append({"name": stated.image.name} if named else {})  # type: ignore[union-attr]
        index = len(images) - 1
    editor.set_image(model.items("images")[index], data, kind)
    for number in textures:
        items[number]["source"] = index
    return int(index)


def _drop_empty(holder: JsonObject, key: str) -> None:
    if key in holder and not holder[key]:
        del holder[key]
