"""The file around the GPU section: header, checksums, JSON metadata."""

import json
import os
import secrets
import stat
import struct
import zlib
from pathlib import Path

import numpy as np

from ..errors import FormatError, OutputError, VersionError
from .layout import ALIGN_WORDS, VERSION
from .rules import require, require_range
from .validate import check_version, validate

__all__ = ["read_bytes", "read_file", "write_bytes", "write_file"]

_MAGIC = b"\x89GSTEX\r\n"
_HEADER = struct.Struct("<8s9I")  # magic, version, flags, file, gpu offset and bytes, json likewise, two CRCs
_HEADER_BYTES = 256
_MAX_FILE_BYTES = 2**32 - 1
_MAX_JSON_BYTES = 1 << 20


def write_bytes(words: np.ndarray, metadata: dict) -> bytes:
    """Make the bytes of a .gstex file.

    Args:
        words: uint32 GPU section as pack returns it.
        metadata: JSON-able object; nothing a GPU decoder needs.

    Raises:
        FormatError: `words` breaks a rule of docs/format.md.
        OutputError: the metadata cannot be written as JSON or is too large, or the file would be.
    """
    validate(words)
    gpu = words.astype("<u4", copy=False).tobytes()
    text = _encode_metadata(metadata)
    json_offset = _HEADER_BYTES + len(gpu)
    file_bytes = json_offset + len(text)
    if file_bytes > _MAX_FILE_BYTES:
        raise OutputError(f"file size: got {file_bytes} bytes, expected at most {_MAX_FILE_BYTES}; "
                          "use fewer Gaussians")
    header = _HEADER.pack(_MAGIC, VERSION, 0, file_bytes, _HEADER_BYTES, len(gpu), json_offset, len(text),
                          zlib.crc32(gpu), zlib.crc32(text))
    return header.ljust(_HEADER_BYTES, b"\0") + gpu + text


def read_bytes(data: bytes) -> tuple[np.ndarray, dict]:
    """Read and check the bytes of a .gstex file: (read-only uint32 words, metadata).

    Raises:
        VersionError: the file is of another version.
        FormatError: a rule of docs/format.md is broken.
    """
    gpu_bytes, gpu_crc, json_crc = _check_header(data[:_HEADER_BYTES], len(data))
    body = memoryview(data)[_HEADER_BYTES:]
    return _read_body(body[:gpu_bytes], body[gpu_bytes:], gpu_crc, json_crc)


def write_file(path: str | Path, words: np.ndarray, metadata: dict) -> int:
    """Write a .gstex file in one step: `path` is either untouched or the whole new file.

    Args:
        path, words, metadata: see write_bytes.

    Returns:
        Size of the file in bytes.

    Raises:
        FormatError, OutputError: as write_bytes.
        OutputError: the file cannot be written.
    """
    data = write_bytes(words, metadata)
    path = Path(path)
    # Beside the target, because a rename is atomic only within one file system.
    temporary = path.parent / f".gstex-{secrets.token_hex(8)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}); "
                          "check that the folder exists and that there is room") from error
    except BaseException:  # Ctrl-C too must leave nothing behind
        temporary.unlink(missing_ok=True)
        raise
    return len(data)


def read_file(path: str | Path) -> tuple[np.ndarray, dict]:
    """Read and check a .gstex file: (read-only uint32 words, metadata).

    Nothing is read into memory before the header has been found to agree with the size of the file.

    Raises:
        VersionError: the file is of another version.
        FormatError: the file cannot be read or breaks a rule of docs/format.md.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FormatError("not a regular file")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            gpu_bytes, gpu_crc, json_crc = _check_header(file.read(_HEADER_BYTES), size)
            gpu = file.read(gpu_bytes)
            text = file.read(size - _HEADER_BYTES - gpu_bytes)
        require(len(gpu) + len(text) == size - _HEADER_BYTES, "file size", "less than before",
                "a file that does not change while it is read")
        return _read_body(gpu, text, gpu_crc, json_crc)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error})") from error
    except VersionError as error:
        raise VersionError(f"{path}: {error}") from error
    except FormatError as error:
        raise FormatError(f"{path}: {error}; the file is damaged or not a .gstex file") from error


def _check_header(head: bytes, size: int) -> tuple[int, int, int]:
    """Check the first 256 bytes of a file of `size` bytes: (gpu_bytes, gpu_crc, json_crc)."""
    require(head[:8] == _MAGIC, "file magic", head[:8].hex(" ") or "an empty file", _MAGIC.hex(" "))
    require(len(head) == _HEADER_BYTES, "file size", f"{size} bytes",
            f"at least the {_HEADER_BYTES} bytes of the header")
    (_, version, flags, file_bytes, gpu_offset, gpu_bytes, json_offset, json_bytes, gpu_crc,
     json_crc) = _HEADER.unpack_from(head)
    check_version(version)
    require(flags == 0, "flags", flags, "0")
    require(file_bytes == size, "file_bytes", file_bytes, f"{size}, the size of the file")
    require(gpu_offset == _HEADER_BYTES, "gpu_offset", gpu_offset, str(_HEADER_BYTES))
    require(gpu_bytes > 0 and gpu_bytes % (4 * ALIGN_WORDS) == 0, "gpu_bytes", gpu_bytes,
            f"a positive multiple of {4 * ALIGN_WORDS}")
    require(json_offset == gpu_offset + gpu_bytes, "json_offset", json_offset,
            f"{gpu_offset + gpu_bytes}, right after the GPU section")
    require_range("json_bytes", json_bytes, 2, _MAX_JSON_BYTES)
    require(json_offset + json_bytes == size, "json_bytes", json_bytes,
            f"{size - json_offset}, what is left of the file")
    require(not any(head[_HEADER.size :]), "padding of the file header", "bytes that are set", "zeros")
    return gpu_bytes, gpu_crc, json_crc


def _read_body(gpu: bytes | memoryview, text: bytes | memoryview, gpu_crc: int,
               json_crc: int) -> tuple[np.ndarray, dict]:
    """Check the checksums and contents of both sections."""
    for name, data, stated in (("gpu_crc", gpu, gpu_crc), ("json_crc", text, json_crc)):
        found = zlib.crc32(data)
        require(found == stated, name, f"0x{stated:08X}", f"0x{found:08X}, the CRC-32 of the section")
    words = np.frombuffer(gpu, "<u4").astype(np.uint32, copy=False)
    words.flags.writeable = False
    validate(words)
    return words, _decode_metadata(bytes(text))


def _encode_metadata(metadata: dict) -> bytes:
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise OutputError(f"metadata: cannot be written as JSON ({error})") from error
    if not isinstance(metadata, dict) or len(text) > _MAX_JSON_BYTES:
        raise OutputError(f"metadata: got {len(text)} bytes of {type(metadata).__name__}, "
                          f"expected a dict of at most {_MAX_JSON_BYTES} bytes")
    return text


def _decode_metadata(text: bytes) -> dict:
    try:
        metadata = json.loads(text.decode())
        # Python reads more than JSON allows: NaN, 1e999 as infinity, halves of surrogate pairs. None of them
        # could be written again or printed.
        json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise FormatError(f"metadata: got text that cannot be read ({error}), "
                          "expected a JSON object in UTF-8") from error
    require(isinstance(metadata, dict), "metadata", f"a JSON {type(metadata).__name__}", "an object")
    return metadata
