"""glTF 2.0 files: the JSON document and its binary data.

Only the parts that gstex uses are read: buffers, buffer views, images, textures and materials. Their lengths, offsets
and indices are checked before use, and no size that a file states is allocated unchecked.
"""

import base64
import binascii
import struct
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from gstex.errors import ModelError
from gstex.json_types import JsonObject, JsonView

__all__ = ["MAGIC", "Model", "broken", "is_remote", "parse_model", "read_model", "whole", "write_glb"]

MAGIC = b"glTF"
_JSON, _BIN = 0x4E4F534A, 0x004E4942  # types of chunks
_MOST_BYTES = 2**32 - 1  # of a GLB file
_LISTS = ("buffers", "bufferViews", "images", "textures", "samplers", "materials")


@dataclass
class Model:
    """A model.

    document: the JSON, as Python objects. chunk: the binary chunk of a GLB file, or None.
    folder: of the file; external files lie in it. notes: lines on what is left out.
    """

    document: JsonObject
    chunk: bytes | None
    folder: Path
    notes: list[str] = field(default_factory=list)
    _files: dict[str, bytes] = field(default_factory=dict)

    def items(self, key: str) -> list[JsonObject]:
        """A list of the document, such as "images"; empty if the document has none."""
        entries: list[JsonObject] = self.document.get(key, [])
        return entries

    def index(self, value: object, key: str, where: str) -> int:
        """Check an index into a list and return it. where: what holds it, for the message."""
        count = len(self.items(key))
        if type(value) is not int or not 0 <= value < count:
            allowed = f"0..{count - 1}" if count else f"none, as there are no {key}"
            raise broken(f"{where}: {value!r:.40} is not an index into {key} (allowed: {allowed})")
        return value

    def buffer(self, index: int) -> bytes | None:
        """The bytes of a buffer; None if the file does not say where they are, which some extensions allow."""
        where = f"buffers[{index}]"
        buffer = self.items("buffers")[index]
        length = whole(buffer.get("byteLength"), f"{where}.byteLength", least=1)
        uri = buffer.get("uri")
        if uri is not None:
            data = self.read_uri(uri, f"{where}.uri")
        elif index == 0 and self.chunk is not None:
            data = self.chunk
        else:
            return None
        if len(data) < length:
            raise ModelError(f"{where}: has {len(data)} bytes and states {length}; it is cut off, export it again")
        return data

    def view_range(self, view: JsonView, where: str) -> tuple[int, int, int]:
        """(buffer, first byte, count) of a buffer view, or of an object with the same members."""
        index = self.index(view.get("buffer"), "buffers", f"{where}.buffer")
        offset = whole(view.get("byteOffset", 0), f"{where}.byteOffset")
        length = whole(view.get("byteLength"), f"{where}.byteLength", least=1)
        total = whole(self.items("buffers")[index].get("byteLength"), f"buffers[{index}].byteLength", least=1)
        if offset + length > total:
            raise broken(f"{where}: ends at byte {offset + length} of buffer {index}, which has {total}")
        return index, offset, length

    def check_views(self) -> None:
        """Check all buffer views, and that their buffers exist, before any work is done for the model.

        Raises:
            ModelError: a buffer view breaks a rule, or a file is missing.
        """
        for number, view in enumerate(self.items("bufferViews")):
            self.view_range(view, f"bufferViews[{number}]")
        for number in range(len(self.items("buffers"))):
            self.buffer(number)

    def view(self, index: object, where: str) -> bytes:
        """The bytes of a buffer view."""
        index = self.index(index, "bufferViews", where)
        buffer, offset, length = self.view_range(self.items("bufferViews")[index], f"bufferViews[{index}]")
        data = self.buffer(buffer)
        if data is None:
            raise broken(f"bufferViews[{index}]: is in buffer {buffer}, which has no data")
        return data[offset : offset + length]

    def image(self, index: int) -> bytes:
        """The bytes of an image file. Not for an image that `is_remote`."""
        image, where = self.items("images")[index], f"images[{index}]"
        if ("uri" in image) == ("bufferView" in image):
            present = "both" if "uri" in image else "neither"
            raise broken(f"{where}: has {present} of uri and bufferView, expected one of them")
        if "uri" in image:
            return self.read_uri(image["uri"], f"{where}.uri")
        return self.view(image["bufferView"], f"{where}.bufferView")

    def read_uri(self, uri: object, where: str) -> bytes:
        """The bytes of a data URI, or of a file in the model's folder."""
        if not isinstance(uri, str) or not uri:
            raise broken(f"{where}: {uri!r:.40} is not text")
        if uri not in self._files:
            self._files[uri] = _data_of(uri, where) if uri.startswith("data:") else self._read_file(uri, where)
        return self._files[uri]

    @property
    def external_bytes(self) -> int:
        """Total bytes of the external files that were read for the model."""
        return sum(len(data) for uri, data in self._files.items() if not uri.startswith("data:"))

    def _read_file(self, uri: str, where: str) -> bytes:
        name = unquote(uri)
        parts = name.replace("\\", "/").split("/")
        if is_remote(uri) or Path(name).is_absolute() or ".." in parts or "\0" in name:
            raise ModelError(f"{where}: {uri!r:.80} is not a file in the model's folder, and no other is opened; "
                             "put it there, or embed it")  # fmt: skip
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise ModelError(f"{where}: {name!r:.80} cannot be read ({error.strerror}); put it beside the "
                             "model") from None


def is_remote(uri: object) -> bool:
    """Whether a URI is neither data nor a file beside the model, such as one of the web."""
    if not isinstance(uri, str) or uri.startswith("data:"):
        return False
    try:
        parts = urlsplit(uri)
    except ValueError:
        return True
    return bool(parts.scheme or parts.netloc)


def read_model(path: str | Path) -> Model:
    """Read a .glb or .gltf file. Its first bytes tell which of them it is.

    Raises:
        ModelError: it cannot be read, or breaks a rule of glTF 2.0 that matters here.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); give a .glb or .gltf file") from None
    try:
        return parse_model(data, path.parent)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def parse_model(data: bytes, folder: Path) -> Model:
    """Like `read_model`, but from the bytes of a file. folder: where external files lie."""
    notes: list[str] = []
    text, chunk = _chunks(data, notes) if data.startswith(MAGIC) else (data, None)
    try:
        document = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        what = "is neither GLB nor JSON" if text is data else "the JSON chunk is damaged"
        raise ModelError(f"{what} ({error}); give a .glb or .gltf file of glTF 2.0") from None
    if not isinstance(document, dict) or not isinstance(document.get("asset"), dict):
        raise ModelError("is JSON, but no glTF: it has no asset; give a .glb or .gltf file of glTF 2.0")
    asset = document["asset"]
    for key, version in (("version", asset.get("version")), ("minVersion", asset.get("minVersion", "2.0"))):
        if not isinstance(version, str) or not version.startswith("2.") or (key == "minVersion" and version != "2.0"):
            raise ModelError(f"asset.{key}: {version!r:.40}, and glTF 2.0 is read; convert the model")
    for key in _LISTS:
        items = document.get(key, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise broken(f"{key}: is not a list of objects")
        for number, item in enumerate([document, *items]):
            if not isinstance(item.get("extensions", {}), dict):
                where = f"{key}[{number - 1}]." if number else ""
                raise broken(f"{where}extensions: is not an object")
    for key in ("extensionsUsed", "extensionsRequired"):
        names = document.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise broken(f"{key}: is not a list of names")
    return Model(document, chunk, folder, notes)


def write_glb(document: JsonView, chunk: bytes) -> bytes:
    """The bytes of a GLB file. chunk: the bytes of buffer 0; may be empty."""
    text = msgspec.json.encode(document)
    text += b" " * (-len(text) % 4)
    parts = [struct.pack("<II", len(text), _JSON), text]
    if chunk:
        padded = chunk + bytes(-len(chunk) % 4)
        parts += [struct.pack("<II", len(padded), _BIN), padded]
    total = 12 + sum(map(len, parts))
    if total > _MOST_BYTES:
        raise ModelError(f"the model would take {total} bytes, and a GLB file holds {_MOST_BYTES} at most; split it")
    return b"".join([MAGIC, struct.pack("<II", 2, total), *parts])


def broken(what: str) -> ModelError:
    """Make the error of a model that breaks a rule."""
    return ModelError(f"{what}; export the model again")


def whole(value: object, where: str, *, least: int = 0) -> int:
    """Check that a value is a whole number of at least `least` and return it."""
    if type(value) is not int or not least <= value <= _MOST_BYTES:
        raise broken(f"{where}: {value!r:.40}, expected a whole number of {least}..{_MOST_BYTES}")
    return value


def _chunks(data: bytes, notes: list[str]) -> tuple[bytes, bytes | None]:
    """The JSON and the binary chunk of a GLB file."""
    if len(data) < 20:
        raise broken(f"is a GLB file of {len(data)} bytes, which is too short")
    version, total = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise ModelError(f"is a GLB file of version {version}, and version 2 is read; convert the model")
    if total != len(data):
        raise broken(f"is a GLB file that states {total} bytes and has {len(data)}")
    chunks: list[tuple[int, bytes]] = []
    place = 12
    while place < total:
        if total - place < 8:
            raise broken(f"chunk {len(chunks)}: {total - place} bytes are left for its head of 8")
        length, kind = struct.unpack_from("<II", data, place)
        if length > total - place - 8:
            raise broken(f"chunk {len(chunks)}: states {length} bytes and {total - place - 8} are left")
        chunks.append((kind, data[place + 8 : place + 8 + length]))
        place += 8 + length
    if chunks[0][0] != _JSON:
        raise broken("chunk 0: is not JSON")
    chunk = chunks[1][1] if len(chunks) > 1 and chunks[1][0] == _BIN else None
    others = len(chunks) - 1 - (chunk is not None)
    if others:
        notes.append(f"{others} chunks of unknown kinds are left out")
    return chunks[0][1], chunk


def _data_of(uri: str, where: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma or not head.endswith(";base64"):
        raise broken(f"{where}: is a data URI that is not in base64")
    try:
        return base64.b64decode(unquote(body) if "%" in body else body, validate=True)
    except (binascii.Error, ValueError):
        raise broken(f"{where}: is a data URI with broken base64") from None
