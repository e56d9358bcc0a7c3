"""Models that break a rule: a named error before anything is allocated, and nothing written."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Command
from small_models import glb_bytes, model_bytes, png, read_glb

import gstex.gltf.unpack
from gstex.errors import GstexError, LimitError, ModelError
from gstex.gltf import NAME, pack_model, parse_model, unpack_model

PBR = "pbrMetallicRoughness"
GOOD = model_bytes([b"\x89PNG\r\n\x1a\n" + bytes(40)], [{PBR: {"baseColorTexture": {"index": 0}}}])


def changed(path: str, value: object) -> Callable[[Path], bytes]:
    """The good model with another value at a path such as 'images.0.uri'; None takes the member out."""

    def make(folder: Path) -> bytes:
        (folder / "good.glb").write_bytes(GOOD)
        document, chunk = read_glb(folder / "good.glb")
        put(document, path, value)
        return glb_bytes(document, chunk)

    return make


def put(document: Any, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for name in parents:
        document = document[int(name) if name.isdigit() else name]
    if value is None:
        del document[last]
    else:
        document[int(last) if last.isdigit() else last] = value


def without_data(folder: Path) -> bytes:
    """An image in a buffer that is nowhere, as an extension might have one."""
    (folder / "good.glb").write_bytes(GOOD)
    document, chunk = read_glb(folder / "good.glb")
    document["buffers"].append({"byteLength": 9000})
    document["bufferViews"][4] = {"buffer": 1, "byteLength": 40}
    return glb_bytes(document, chunk)


def raw(data: bytes) -> Callable[[Path], bytes]:
    return lambda folder: data


def header(version: int = 2, total: int | None = None, rest: bytes = GOOD[12:]) -> bytes:
    return b"glTF" + struct.pack("<II", version, 12 + len(rest) if total is None else total) + rest


DEEP = b'{"asset":{"version":"2.0"},"extras":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
CASES: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "empty": (raw(b""), "is neither GLB nor JSON"),
    "no json": (raw(b"hello"), "is neither GLB nor JSON"),
    "short": (raw(GOOD[:14]), "is a GLB file of 14 bytes"),
    "cut off": (raw(GOOD[:-3]), "states"),
    "version 1": (raw(header(1)), "is a GLB file of version 1"),
    "huge total": (raw(header(2, 2**32 - 1)), "states 4294967295 bytes"),
    "huge chunk": (raw(header(rest=struct.pack("<II", 2**32 - 4, 0x4E4F534A) + b"{}  ")), "chunk 0: states 4294967292"),
    "half a chunk": (raw(header(rest=GOOD[12:] + b"123")), "for its head of 8"),
    "no json chunk": (raw(header(rest=struct.pack("<II", 4, 7) + b"{}  ")), "chunk 0: is not JSON"),
    "broken json": (raw(glb_bytes(b'{"asset":', b"")), "the JSON chunk is damaged"),
    "deep json": (raw(glb_bytes(DEEP, b"")), "the JSON chunk is damaged"),
    "list": (raw(b"[]"), "it has no asset"),
    "glTF 1": (raw(b'{"asset":{"version":"1.0"}}'), "asset.version: '1.0'"),
    "glTF 3": (changed("asset.minVersion", "2.1"), "asset.minVersion: '2.1'"),
    "images no list": (changed("images", {}), "images: is not a list"),
    "image no object": (changed("images.0", 3), "images: is not a list of objects"),
    "extensions": (changed("textures.0.extensions", 3), "textures[0].extensions: is not an object"),
    "used": (changed("extensionsUsed", [3]), "extensionsUsed: is not a list of names"),
    "texture index": (changed(f"materials.0.{PBR}.baseColorTexture.index", 1), "1 is not an index into textures"),
    "negative index": (changed(f"materials.0.{PBR}.baseColorTexture.index", -1), "-1 is not an index into textures"),
    "index that is true": (changed(f"materials.0.{PBR}.baseColorTexture.index", True), "True is not an index"),
    "no index": (changed(f"materials.0.{PBR}.baseColorTexture.index", None), "None is not an index"),
    "texture no object": (changed(f"materials.0.{PBR}.baseColorTexture", 0), "baseColorTexture: is not an object"),
    "pbr no object": (changed(f"materials.0.{PBR}", []), "pbrMetallicRoughness: is not an object"),
    "alpha mode": (changed("materials.0.alphaMode", "CUT"), "alphaMode: 'CUT'"),
    "source": (changed("textures.0.source", 9), "9 is not an index into images"),
    "sampler": (changed("textures.0.sampler", 0), "not an index into samplers (allowed: none, as there are no"),
    "image of nothing": (changed("images.0.bufferView", None), "has neither of uri and bufferView"),
    "image of both": (changed("images.0.uri", "a.png"), "has both of uri and bufferView"),
    "image of no view": (changed("images.0.bufferView", 99), "99 is not an index into bufferViews"),
    "view beyond": (changed("bufferViews.4.byteLength", 10**6), "ends at byte"),
    "offset beyond": (changed("bufferViews.4.byteOffset", 2**31), "ends at byte"),
    "huge view": (changed("bufferViews.4.byteLength", 2**63), "expected a whole number"),
    "view of halves": (changed("bufferViews.4.byteOffset", 0.5), "expected a whole number"),
    "view of nothing": (changed("bufferViews.4.byteLength", 0), "expected a whole number of 1"),
    "other view beyond": (changed("bufferViews.0.byteLength", 10**6), "bufferViews[0]: ends at byte"),
    "view of no buffer": (changed("bufferViews.4.buffer", 1), "1 is not an index into buffers"),
    "huge buffer": (changed("buffers.0.byteLength", 2**32 - 1), "states 4294967295"),
    "small buffer": (changed("buffers", [{"byteLength": 4}, {"byteLength": 9000}]), "of buffer 0, which has 4"),
    "view without data": (without_data, "bufferViews[4]: is in buffer 1, which has no data"),
    "uri of a number": (changed("buffers.0.uri", 4), "4 is not text"),
    "uri above": (changed("buffers.0.uri", "../a.bin"), "is not a file in the model's folder"),
    "uri above in code": (changed("buffers.0.uri", "%2e%2e/a.bin"), "is not a file in the model's folder"),
    "absolute uri": (changed("buffers.0.uri", "/etc/passwd"), "is not a file in the model's folder"),
    "uri of the web": (changed("buffers.0.uri", "https://example.com/a"), "is not a file in the model's folder"),
    "uri of a file": (changed("buffers.0.uri", "file:///etc/passwd"), "is not a file in the model's folder"),
    "missing file": (changed("buffers.0.uri", "gone.bin"), "'gone.bin' cannot be read"),
    "data of text": (changed("buffers.0.uri", "data:text/plain,abc"), "not in base64"),
    "broken data": (changed("buffers.0.uri", "data:a;base64,%%%"), "broken base64"),
    "damaged image": (raw(GOOD), "images[0]: damaged or truncated png file"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, command: Command, tmp_path: Path) -> None:
    make, message = CASES[name]
    path = tmp_path / "bad.glb"
    path.write_bytes(make(tmp_path))
    (tmp_path / "good.glb").unlink(missing_ok=True)
    error = command("gltf", path, "-o", tmp_path / "b.glb").error()
    assert message in error and str(path) in error
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bad.glb", "here"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A compressed model of one material."""
    folder = tmp_path_factory.mktemp("model")
    pixels = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    data = model_bytes([png(pixels, folder)], [{PBR: {"baseColorTexture": {"index": 0}}}])
    return pack_model(
        parse_model(data, folder), lambda material, wrap, *_: gstex.compress(material, wrap=wrap, effort="draft"),
        name="a.glb", fallback=None).data  # fmt: skip


STATED = f"textures.0.extensions.{NAME}"
DECODING: dict[str, tuple[str, object, str]] = {
    "none": (f"extensions.{NAME}", None, "has no materials"),
    "no list": (f"extensions.{NAME}.files", {}, "expected `array`"),
    "no files": (f"extensions.{NAME}.files", [], "length >= 1"),
    "file of both": (f"extensions.{NAME}.files.0.uri", "a", "expected one of bufferView and uri"),
    "no such file": (f"{STATED}.file", 1, "1, and the model has 1"),
    "negative file": (f"{STATED}.file", -1, ">= 0"),
    "view": (f"extensions.{NAME}.files.0.bufferView", 77, "77 is not an index"),
    "other bytes": (f"extensions.{NAME}.files.0.bufferView", 0, "file magic"),
    "outside": (f"extensions.{NAME}.files.0", {"uri": "../x.gstex"}, "is not a file in the model's folder"),
    "channel beyond": (f"{STATED}.components.0.channel", 3, "channel 3, expected 0..2"),
    "channel 16": (f"{STATED}.components.0.channel", 16, "<= 15"),
    "two components": (f"{STATED}.components", [{"value": 0}] * 2, "length >= 3"),
    "component of both": (f"{STATED}.components.0.value", 1, "expected one of channel, value and normalZ"),
    "component of none": (f"{STATED}.components.0", {}, "expected one of channel, value and normalZ"),
    "value of 2": (f"{STATED}.components.0", {"value": 2}, "<= 1"),
    "Z of others": (f"{STATED}.components", [{"value": 0}, {"channel": 0}, {"normalZ": [0, 1]}], "not in the same"),
    "Z of one": (f"{STATED}.components.0", {"normalZ": [0]}, "length 2"),
    "huge image": (f"{STATED}.image.width", 16385, "<= 16384"),
    "larger than the file": (f"{STATED}.image.width", 9, "at most as many texels"),
    "kind": (f"{STATED}.image.mimeType", "image/gif", "matching regex"),
    "depth": (f"{STATED}.image.bitDepth", 9, "png has no 9-bit integers"),
    "depth of jpeg": (f"{STATED}.image", {"width": 8, "height": 8, "mimeType": "image/jpeg", "bitDepth": 16}, "jpeg"),
}  # fmt: skip


@pytest.mark.parametrize("name", DECODING)
def test_refused_when_decoding(name: str, packed: bytes, command: Command, tmp_path: Path) -> None:
    path, value, message = DECODING[name]
    (tmp_path / "bad.glb").write_bytes(packed)
    document, chunk = read_glb(tmp_path / "bad.glb")
    put(document, path, value)
    (tmp_path / "bad.glb").write_bytes(glb_bytes(document, chunk))
    assert message in command("gltf", tmp_path / "bad.glb", "--decode", "-o", tmp_path / "b.glb").error()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bad.glb", "here"]


def test_a_limit_of_texels(packed: bytes, command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.glb").write_bytes(packed)
    arguments = (tmp_path / "a.glb", "--decode", "-o", tmp_path / "b.glb", "--max-texels")
    assert "383" in command("gltf", *arguments, "383").error()
    assert command("gltf", *arguments, "384").code == 0  # 8x8x3 of the file, and of the image
    with pytest.raises(LimitError):
        unpack_model(parse_model(packed, tmp_path), name="a", max_texels=383)


def test_every_beginning_and_every_changed_byte(packed: bytes, tmp_path: Path) -> None:
    """Nothing but named errors."""
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(300):
        data = bytearray(packed)
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(12, len(data))] = rng.integers(0, 256)
        try:
            unpack_model(parse_model(bytes(data), tmp_path), name="a", max_texels=10**6)
        except GstexError:
            refused += 1
    assert refused > 100
    for end in range(0, len(packed), 7):
        with pytest.raises(ModelError):
            parse_model(packed[:end], tmp_path)


def test_a_file_that_is_named_often_is_opened_once(
    packed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (tmp_path / "a.glb").write_bytes(packed)
    document, chunk = read_glb(tmp_path / "a.glb")
    document["extensions"][NAME]["files"] *= 1000
    [texture] = document["textures"]
    document["textures"] = []
    for number in range(1000):
        stated = texture["extensions"][NAME] | {"file": number}
        document["textures"].append({"extensions": {NAME: stated}})
    opened = []
    read = gstex.gltf.unpack.read_bytes
    monkeypatch.setattr("gstex.gltf.unpack.read_bytes", lambda data: opened.append(len(data)) or read(data))
    unpacked = unpack_model(parse_model(glb_bytes(document, chunk), tmp_path), name="a")
    assert len(opened) == 1 and len(unpacked.images) == 1000


def test_shared_bytes_are_copied_once(tmp_path: Path) -> None:
    """A hundred thousand views of the same bytes make no large file."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    (tmp_path / "a.glb").write_bytes(model_bytes([png(pixels, tmp_path)], [{PBR: {"baseColorTexture": {"index": 0}}}]))
    document, chunk = read_glb(tmp_path / "a.glb")
    chunk += bytes(1 << 20)
    document["buffers"][0]["byteLength"] = len(chunk)
    document["bufferViews"] += [{"buffer": 0, "byteOffset": n % 5, "byteLength": 1 << 20} for n in range(20_000)]
    packed = pack_model(
        parse_model(glb_bytes(document, chunk), tmp_path),
        lambda material, wrap, *_: gstex.compress(material, wrap=wrap, effort="draft"),
        name="a", fallback=4)  # fmt: skip
    assert len(packed.data) < (1 << 20) + 20_000 * 90
