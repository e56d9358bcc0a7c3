"""GSTEX_texture, the glTF extension: its objects in a model, and their JSON schemas."""

from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from gstex.format.layout import MAX_CHANNELS
from gstex.gltf.container import broken
from gstex.json_types import JsonObject
from gstex.limits import MAX_SIZE

if TYPE_CHECKING:
    _Object = TypeVar("_Object", bound=Struct)

__all__ = ["NAME", "Component", "File", "Image", "Root", "Texture", "read_root", "read_texture", "root_schema",
           "texture_schema"]  # fmt: skip

NAME = "GSTEX_texture"

Index = Annotated[int, Meta(ge=0, description="Index into a list of the model.")]
Channel = Annotated[int, Meta(ge=0, lt=MAX_CHANNELS, description="A channel of the .gstex file.")]


_Z = "Of channels x and y: (1 + sqrt(1 - (2x - 1)^2 - (2y - 1)^2)) / 2, the root of 0 where that is negative."
_NormalZ = Annotated[tuple[Channel, Channel], Meta(description=_Z)]


class File(Struct, omit_defaults=True, frozen=True):
    """A .gstex file: one of bufferView and uri."""

    bufferView: Annotated[Index, Meta(description="Holds the file.")] | UnsetType = UNSET
    uri: Annotated[str, Meta(min_length=1, description="Data, or a file beside the model.")] | UnsetType = UNSET
    name: Annotated[str, Meta(description="For people: mostly that of a material.")] | UnsetType = UNSET


class Root(Struct, omit_defaults=True, frozen=True):
    """In `extensions` of the model."""

    files: Annotated[list[File], Meta(min_length=1)]
    model: Annotated[str, Meta(description="Name of the file that was compressed.")] | UnsetType = UNSET


class Component(Struct, omit_defaults=True, frozen=True):
    """What R, G, B or A of a texture is: one of channel, value and normalZ."""

    channel: Channel | UnsetType = UNSET
    value: Annotated[float, Meta(ge=0, le=1, description="The same in every texel.")] | UnsetType = UNSET
    normalZ: _NormalZ | UnsetType = UNSET


class Image(Struct, omit_defaults=True, frozen=True):
    """The image that was compressed, for tools that make one again. The texture is as large as the .gstex file."""

    width: Annotated[int, Meta(ge=1, le=MAX_SIZE)]
    height: Annotated[int, Meta(ge=1, le=MAX_SIZE)]
    mimeType: Annotated[str, Meta(pattern="^image/(png|jpeg)$")] = "image/png"
    bitDepth: Annotated[int, Meta(ge=8, le=16, description="8 or 16; of PNG alone.")] = 8
    name: str | UnsetType = UNSET


class Texture(Struct, omit_defaults=True, frozen=True):
    """In `extensions` of a texture, whose `source` is a fallback."""

    file: Annotated[Index, Meta(description="Index into the extension's files.")]
    components: Annotated[list[Component], Meta(min_length=3, max_length=4, description="R, G, B and maybe A.")]
    image: Image | UnsetType = UNSET


def read_root(value: object) -> Root:
    """Check the extension of a model and return it.

    Raises:
        ModelError: it breaks a rule.
    """
    where = f"extensions.{NAME}"
    root = _convert(value, Root, where)
    for number, file in enumerate(root.files):
        if (file.bufferView is UNSET) == (file.uri is UNSET):
            raise broken(f"{where}.files[{number}]: expected one of bufferView and uri")
    return root


def read_texture(value: object, where: str, *, files: int) -> Texture:
    """Check the extension of a texture and return it. files: how many .gstex files the model has.

    Raises:
        ModelError: it breaks a rule.
    """
    texture = _convert(value, Texture, where)
    if texture.file >= files:
        raise broken(f"{where}.file: {texture.file}, and the model has {files}")
    for number, part in enumerate(texture.components):
        if (part.channel, part.value, part.normalZ).count(UNSET) != 2:
            raise broken(f"{where}.components[{number}]: expected one of channel, value and normalZ")
    return texture


def texture_schema() -> JsonObject:
    """The JSON schema of the extension in a texture."""
    return _schema(Texture)


def root_schema() -> JsonObject:
    """The JSON schema of the extension in a model."""
    return _schema(Root)


def _schema(kind: type) -> JsonObject:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(kind)}


def _convert(value: object, kind: "type[_Object]", where: str) -> "_Object":
    try:
        return msgspec.convert(value, kind)
    except (ValueError, RecursionError) as error:
        what, _, path = str(error).partition(" - at `$")
        raise broken(f"{where}{path.rstrip('`')}: {what[:1].lower()}{what[1:]}") from None
