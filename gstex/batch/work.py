"""One material of a batch, from its files to the output and its record."""

import contextlib
import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gstex.batch.plans import Item
from gstex.batch.state import MapFigures, Record, State, fingerprint
from gstex.batch.thumbnail import thumbnail
from gstex.compare.codecs import CODECS
from gstex.encode.compress import Progress, compress
from gstex.errors import FormatError, MaterialError, OutputError
from gstex.files import replace_file
from gstex.format import read_bytes, write_bytes
from gstex.format.layout import mip_size
from gstex.format.metadata import SourceMap
from gstex.material.load import load_material
from gstex.material.material import Material
from gstex.metrics import lost_maps
from gstex.replace import check_replaced
from gstex.texture import Texture

__all__ = ["BLOCKS", "block_bytes", "copy_output", "make_output"]

# The codecs that outputs are compared with. Their bytes follow from the sizes of the images alone.
BLOCKS = ("bc1", "bc7", "astc-6x6", "astc-12x12")
# (codec, channels) -> the codec that engines use instead for images with that many channels.
_STANDS_IN = {("bc1", 1): "bc4", ("bc7", 1): "bc4", ("bc1", 4): "bc3"}


def make_output(
    item: Item, out: Path, *, force: bool = False, progress: Callable[[Progress], None] | None = None
) -> Record:
    """Compress a material and write its output, then the record of it.

    out: folder of the outputs. force: replace a file whatever it was made from.

    Raises:
        MaterialError: an input cannot be used, or it changed while it was read. OutputError: the output cannot be
        written, or an unrelated file is in its place. Also what `gstex.compress` raises.
    """
    started = time.perf_counter()
    if item.problem:
        raise MaterialError(item.problem)
    state, target = State(out), out / item.output
    _prepare(target.parent)
    key = fingerprint(item)
    material = load_material(item.source, overrides=item.maps, names=item.names, name=item.name,
                             only=item.files if item.source.is_dir() else None)  # fmt: skip
    arguments = item.options.arguments()
    if fingerprint(item) != key:
        raise MaterialError(f"{item.source}: its files changed while they were read; run the batch again when they are "
                            "at rest")  # fmt: skip
    if not force and not state.holds(state.load(item.output)):
        check_replaced(target, material)
    texture = compress(material, progress=progress, checkpoint=state.checkpoint(item.output), **arguments)
    data = write_bytes(texture.words, texture.metadata)
    texture.file_bytes = len(data)
    replace_file(target, data)
    record = _record(item, key, data, texture, material, time.perf_counter() - started)
    state.save(record)
    state.checkpoint(item.output).unlink(missing_ok=True)
    return record


def copy_output(item: Item, key: str, old: Record, out: Path) -> Record | None:
    """Make an output as a copy of another one with the same key: the material was moved or renamed.

    old: the record of the other output, which exists. Returns None if it cannot be read, or if a file is in the place
    of the output that no batch has made.
    """
    state, target = State(out), out / item.output
    if target.exists() and not state.holds(state.load(item.output)):
        return None
    try:
        data = (out / old.output).read_bytes()
        if item.name != old.name:
            words, metadata = read_bytes(data)
            metadata["material"]["name"] = item.name
            data = write_bytes(words, metadata)
    except (OSError, FormatError, KeyError, TypeError):
        return None
    _prepare(target.parent)
    replace_file(target, data)
    facts = {name: getattr(old, name) for name in Record.__struct_fields__}
    facts |= {"output": item.output, "name": item.name, "sha256": hashlib.sha256(data).hexdigest(),
              "file_bytes": len(data), "key": key}  # fmt: skip
    record = Record(**facts)
    state.save(record)
    return record


def block_bytes(codec: str, sources: Sequence[SourceMap], *, mips: bool) -> int:
    """Bytes of images in a block codec, each at its own size. mips: whether all mips count. With BC1 and BC7, images of
    one channel are BC4; with BC1, images of four channels are BC3."""
    total = 0
    for source in sources:
        codec_of = CODECS[_STANDS_IN.get((codec, source.channels), codec)]
        count = max(source.width, source.height).bit_length() if mips else 1
        total += sum(codec_of.size(mip_size(source.height, m), mip_size(source.width, m)) for m in range(count))
    return total


def _prepare(folder: Path) -> None:
    """Make the folder of an output, and check that a file can be made in it before hours of work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, prefix=".gstex-"):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written to ({error.strerror}); "
                          "check permissions and free space, or choose another folder") from None


def _record(item: Item, key: str, data: bytes, texture: Texture, material: Material, seconds: float) -> Record:
    report = texture.report
    roles = {source.file: "+".join(dict.fromkeys(c.role for c in material.channels if c.file == source.file))
             for source in material.sources}  # fmt: skip
    # A grey map in a file of three channels counts as one channel.
    counts = Counter(channel.file for channel in material.channels)
    images = [replace(source, channels=counts[source.file]) for source in material.sources if counts[source.file]]
    picture = ""
    with contextlib.suppress(OutputError):  # a page without a picture is better than no output
        picture = thumbnail(texture)
    return Record(
        output=item.output, key=key, sha256=hashlib.sha256(data).hexdigest(), file_bytes=len(data),
        gpu_bytes=report["gpu_bytes"], name=item.name, version=report["version"], width=material.width,
        height=material.height, channels=len(material.channels),
        maps=tuple(MapFigures(s.file, roles[s.file], s.width, s.height) for s in material.sources),
        bpp=report["bpp"], psnr=report["psnr"], psnr_by_map=report["psnr_by_map"],
        blocks={codec: block_bytes(codec, images, mips=item.options.mips) for codec in BLOCKS},
        warnings=tuple(lost_maps(report)),
        left_out=tuple(f"{file}: {reason}" for file, reason in material.ignored),
        seconds=round(seconds, 3), thumbnail=picture,
    )  # fmt: skip
