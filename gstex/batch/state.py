"""Records of what each output was made from: one small JSON file per output, in a folder beside the outputs.

A material is up to date if its record has the hash of its inputs, options and encoder, and if its output has the hash
that the record states. The output is written before its record, and each is replaced in one step. So a record never
describes an incomplete file, whatever ends a batch. If two batches write the same output, either the record fits the
file, or it does not and the material is compressed again. So no locks are needed.
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gstex.batch.plans import Item
from gstex.errors import MaterialError, OutputError
from gstex.files import TEMPORARY, replace_file
from gstex.json_types import JsonObject
from gstex.material.load import list_images
from gstex.material.own_mips import OwnMip
from gstex.material.vocabulary import NAMES_FILE
from gstex.version import __version__

__all__ = ["Listings", "MapFigures", "Record", "State", "Stopped", "fingerprint", "input_files"]

FOLDER = ".gstex-batch"
_CHUNK = 1 << 20
_OLD = 3600.0  # seconds: writing a file never takes this long
_OLD_FIT = 30 * 86400.0  # seconds


class Stopped(Exception):
    """The caller has stopped the hashing."""


class MapFigures(msgspec.Struct, frozen=True):
    """One image of a material: its file, its roles joined by '+', its size."""

    file: str
    role: str
    width: int
    height: int


class Record(msgspec.Struct, frozen=True):
    """What was made of one material.

    key: the fingerprint it was made from. sha256, file_bytes: of the output. name: of the material. maps: the images.
    psnr, psnr_by_map: dB, None where the match is perfect. blocks: bytes of the same images in block codecs. warnings:
    lines for people. left_out: files of the material that are no map of it, and why. thumbnail: a JPEG file in base64.
    """

    output: str
    key: str
    sha256: str
    file_bytes: int
    gpu_bytes: int
    name: str
    version: str
    width: int
    height: int
    channels: int
    maps: tuple[MapFigures, ...]
    bpp: float
    psnr: float | None
    psnr_by_map: dict[str, float | None]
    blocks: dict[str, int]
    warnings: tuple[str, ...]
    left_out: tuple[str, ...]
    seconds: float
    thumbnail: str = ""

    def figures(self) -> JsonObject:
        """All but the picture, as JSON types."""
        plain: JsonObject = msgspec.to_builtins(self)
        del plain["thumbnail"]
        return plain


class State:
    """The records of a folder of outputs. out: that folder."""

    def __init__(self, out: Path):
        self._out = out
        self._folder = out / FOLDER

    def load(self, output: str) -> Record | None:
        """The record of an output; None if there is none or it cannot be read."""
        return _decode(self._path(output))

    def all(self) -> Iterator[Record]:
        """Every record, in the order of their paths."""
        for path in sorted(self._folder.rglob("*.json")):
            if record := _decode(path):
                yield record

    def save(self, record: Record) -> None:
        """Keep a record in place of an older one of the same output.

        Raises:
            OutputError: it cannot be written.
        """
        path = self._path(record.output)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{path.parent}: cannot be made ({error.strerror}); "
                              "check permissions and free space") from None
        replace_file(path, msgspec.json.format(msgspec.json.encode(record), indent=1))

    def checkpoint(self, output: str) -> Path:
        """The checkpoint file that a long fit of an output writes."""
        return self._folder / f"{output}.fit"

    def holds(self, record: Record | None) -> bool:
        """Whether the output of a record exists with the size and hash that the record states."""
        if record is None:
            return False
        path = self._out / record.output
        try:
            return path.stat().st_size == record.file_bytes and _sha256(path) == record.sha256
        except OSError:
            return False

    def sweep(self, folders: set[Path]) -> None:
        """Delete the temporary files of killed processes that are over an hour old, and checkpoints that are over 30
        days old. folders: of the outputs."""
        folders = folders | {self._path(str(f.relative_to(self._out) / "x")).parent for f in folders}
        for folder in sorted(folders):
            with contextlib.suppress(OSError):
                for path in folder.glob(TEMPORARY.format("*")):
                    if time.time() - path.stat().st_mtime > _OLD:
                        path.unlink()
                for path in folder.glob("*.gstex.fit"):
                    if time.time() - path.stat().st_mtime > _OLD_FIT:
                        path.unlink()

    def _path(self, output: str) -> Path:
        return self._folder / f"{output}.json"


# By folder, what `list_images` returns; all materials of the folder share it.
Listings = dict[Path, tuple[Path, list[str], list[OwnMip], list[tuple[str, str]]]]


def fingerprint(item: Item, stop: threading.Event | None = None, listings: Listings | None = None) -> str:
    """Hash of everything that decides the bytes of an output except the name of the material: the bytes of the input
    files, the options, and the version of the encoder. The times and the location of the files do not count.

    stop: when set, ends the hashing early. listings: a cache that this fills, because a folder of thousands of files
    takes long to list again for each of its materials.

    Raises:
        MaterialError: an input is not there or cannot be read. Stopped: `stop` was set.
    """
    inputs = []
    for label, path in input_files(item, {} if listings is None else listings):
        try:
            inputs.append((label, _sha256(path, stop)))
        except OSError as error:
            raise MaterialError(f"{path}: cannot be read ({error.strerror}); "
                                "put it back, or make the plan again") from None
    options = item.options.given()
    parts = {"gstex": __version__, "inputs": inputs, "maps": item.maps, "options": options,
             "single": not item.source.is_dir()}  # fmt: skip
    if "importance" in options:
        options["importance"] = Path(options["importance"]).name
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def input_files(item: Item, listings: Listings) -> list[tuple[str, Path]]:
    """(label, path) of every file that the output depends on. listings: as for `fingerprint`.

    Raises:
        MaterialError: a file that the item names is missing, or the folder cannot be read.
    """
    if item.source not in listings:
        listings[item.source] = list_images(item.source)
    folder, images, own_mips, _ = listings[item.source]
    gone = sorted(set(item.files) - set(images))
    if gone:
        raise MaterialError(f"{folder / gone[0]}: does not exist; put it back, or make the plan again")
    files = [(f"map {name}", folder / name) for name in item.files]
    files += [(f"mip {own_mip.shown}", own_mip.path) for own_mip in own_mips if own_mip.map in item.files]
    if item.names is not None:
        files.append(("names", item.names))
    elif item.source.is_dir() and (folder / NAMES_FILE).is_file():
        files.append(("names", folder / NAMES_FILE))
    if item.options.importance not in (None, "auto"):
        files.append(("importance", Path(str(item.options.importance))))
    return files


def _sha256(path: Path, stop: threading.Event | None = None) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            if stop is not None and stop.is_set():
                raise Stopped
            digest.update(chunk)
    return digest.hexdigest()


def _decode(path: Path) -> Record | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except (OSError, ValueError, RecursionError):
        return None
