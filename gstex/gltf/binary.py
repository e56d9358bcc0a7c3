"""Rewrite the binary chunk of a model: keep the used parts of the old buffers, and add new data."""


from gstex.gltf.container import Model
from gstex.json_types import JsonObject, JsonView

__all__ = ["Editor"]

_ALIGN = 16  # bytes; accessors need 4, and readers like more
_Part = tuple[int, int, int]  # a range of an old buffer: first byte, end, and first byte in the new buffer
_COMPRESSED = ("EXT_meshopt_compression", "KHR_meshopt_compression")  # they name a second range in a buffer view


class Editor:
    """Replaces the bytes of the images of a model.

    Buffer views keep their indices, because extensions may refer to them. may_free: whether the buffer views of removed
    images may be reused.
    """

    def __init__(self, model: Model, *, may_free: bool = True) -> None:
        self.model, self.may_free = model, may_free
        self.replaced: dict[int, bytes | None] = {}
        self.added: list[bytes] = []
        self._free: list[int] = []
        self._first = len(model.items("bufferViews"))  # index of the first added buffer view
        self._owners = _count_owners(model.document)

    def view(self, data: bytes) -> int:
        """Make a buffer view with these bytes. Returns its index."""
        if self._free:
            index = self._free.pop(0)
            self.replaced[index] = data
            return index
        self.added.append(data)
        return self._first + len(self.added) - 1

    def set_image(self, image: JsonObject, data: bytes, kind: str) -> None:
        """Give an image new bytes, in its own buffer view if nothing else uses that."""
        old = image.pop("bufferView", None)
        image.pop("uri", None)
        if old is not None and self._owners.get(old) == 1:
            self.replaced[old] = data
            image["bufferView"] = old
        else:
            image["bufferView"] = self.view(data)
        image["mimeType"] = kind

    def free(self, holder: JsonView) -> None:
        """Release the bytes of a removed image or .gstex file. holder: the object that names the buffer view."""
        old = holder.get("bufferView")
        if self.may_free and old is not None and self._owners.get(old) == 1 and old not in self.replaced:
            self.replaced[old] = None
            self._free.append(old)

    def finish(self) -> bytes:
        """Rewrite the buffers of the model. Returns the bytes of buffer 0."""
        return _rebuild(self.model, self.replaced, self.added)


def _count_owners(document: JsonView) -> dict[int, int]:
    """How often the document refers to each buffer view."""
    owners: dict[int, int] = {}
    left: list[object] = [document]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            view = value.get("bufferView")
            if type(view) is int:
                owners[view] = owners.get(view, 0) + 1
            left += value.values()
        elif isinstance(value, list):
            left += value
    return owners


def _rebuild(model: Model, replaced: dict[int, bytes | None], added: list[bytes]) -> bytes:
    """Give a model one buffer with all of its data. This changes the document and returns the bytes.

    Args:
        replaced: new bytes of buffer views; None for unused ones, which become views of one byte if others follow.
        added: bytes of further buffer views.
    """
    views = model.items("bufferViews")
    while not added and replaced.get(len(views) - 1, b"") is None:
        del replaced[len(views) - 1]
        views.pop()
    ranges = [_view_holders(view, number, replaced) for number, view in enumerate(views)]
    byte_ranges: dict[int, list[tuple[int, int]]] = {}
    for holders in ranges:
        for holder, where in holders:
            buffer, first, count = model.view_range(holder, where)
            byte_ranges.setdefault(buffer, []).append((first, first + count))
    chunk = bytearray()
    moved: dict[int, list[_Part]] = {}  # by buffer
    numbers: dict[int, int] = {}  # of buffers without data
    for buffer in sorted(byte_ranges):
        data = model.buffer(buffer)
        if data is None:
            numbers[buffer] = len(numbers)
            continue
        moved[buffer] = []
        for first, last in _merged(byte_ranges[buffer]):
            _pad(chunk, first % _ALIGN)
            moved[buffer].append((first, last, len(chunk)))
            chunk += data[first:last]
    for holders in ranges:
        for holder, where in holders:
            buffer, first, _ = model.view_range(holder, where)
            _move(holder, buffer, first, moved, numbers)
    new = {number: data for number, data in replaced.items() if data is not None}
    for number, data in [*new.items(), *((len(views) + n, data) for n, data in enumerate(added))]:
        _pad(chunk, 0)
        view = {"buffer": 0, "byteOffset": len(chunk), "byteLength": len(data)}
        chunk += data
        if number < len(views):
            views[number] = view
        else:
            model.document.setdefault("bufferViews", []).append(view)
            views = model.items("bufferViews")
    _stubs(views, replaced, chunk)
    _number_buffers(model, views, numbers, chunk)
    return bytes(chunk)


def _view_holders(view: JsonObject, number: int, replaced: dict[int, bytes | None]) -> list[tuple[JsonObject, str]]:
    """The objects in a buffer view that name a buffer range: the view and its compressed data; none if replaced."""
    if number in replaced:
        return []
    where = f"bufferViews[{number}]"
    holders: list[tuple[JsonObject, str]] = [(view, where)]
    extensions = view.get("extensions")
    for name in _COMPRESSED:
        if isinstance(extensions, dict) and isinstance(extensions.get(name), dict):
            holders.append((extensions[name], f"{where}.extensions.{name}"))
    return holders


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The union of ranges, in order. Views may share bytes, and no byte is copied twice."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def _move(
    holder: JsonObject, buffer: int, first: int, moved: dict[int, list[_Part]], numbers: dict[int, int]
) -> None:  # fmt: skip
    """Point a holder at the new place of its range. A buffer without data keeps its ranges and gets a new number."""
    if buffer in numbers:
        holder["buffer"] = ~numbers[buffer]  # a preliminary number: how many buffers come before it is not known yet
        return
    parts = moved[buffer]
    low, high = 0, len(parts) - 1
    while low < high:  # the last part that begins at or before `first`
        middle = (low + high + 1) // 2
        low, high = (middle, high) if parts[middle][0] <= first else (low, middle - 1)
    holder["buffer"] = 0
    holder["byteOffset"] = parts[low][2] + first - parts[low][0]


def _stubs(views: list[JsonObject], replaced: dict[int, bytes | None], chunk: bytearray) -> None:
    unused = [number for number, data in replaced.items() if data is None]
    if unused and not chunk:
        chunk.append(0)
    for number in unused:
        views[number] = {"buffer": 0, "byteOffset": 0, "byteLength": 1}


def _number_buffers(model: Model, views: list[JsonObject], numbers: dict[int, int], chunk: bytearray) -> None:
    old = model.items("buffers")
    buffers = [{"byteLength": len(chunk)}] if chunk else []
    before = len(buffers)
    buffers += [old[buffer] for buffer in numbers]
    for view in views:
        for holder, _ in _view_holders(view, 0, {}):
            if holder["buffer"] < 0:
                holder["buffer"] = before + ~holder["buffer"]
    if buffers:
        model.document["buffers"] = buffers
    else:
        model.document.pop("buffers", None)
    if not views:
        model.document.pop("bufferViews", None)


def _pad(chunk: bytearray, rest: int) -> None:
    """Append zeros until the length is `rest` more than a multiple of the alignment."""
    chunk += bytes((rest - len(chunk)) % _ALIGN)
