"""The file around the GPU section: header, checksums, JSON metadata.

The rules for reading stand in gstex/native/gstex.h; this module gives them the parts of a file on disk.
"""

import json
import os
import stat
import struct
import zlib
from pathlib import Path

import msgspec
import numpy as np

from gstex.arrays import U8Array, U32Array
from gstex.errors import FormatError, OutputError, VersionError
from gstex.files import replace_file
from gstex.format.layout import FILE_HEADER_BYTES, MAX_JSON_BYTES, VERSION
from gstex.format.rules import require
from gstex.format.table import MaterialTable, validate
from gstex.native import _core

__all__ = ["FILE_MAGIC", "open_file", "read_bytes", "read_file", "write_bytes", "write_file"]

FILE_MAGIC = b"\x89GSTEX\r\n"
# Beginnings of files that people take for a .gstex file.
_OTHERS = {
    b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"RIFF": "WebP", b"\x76\x2f\x31\x01": "OpenEXR", b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}  # fmt: skip
# magic, version, flags, file, gpu offset and bytes, json likewise, two CRCs, resident bytes and CRC
_HEADER = struct.Struct("<8s11I")
_MAX_FILE_BYTES = 2**32 - 1


def write_bytes(words: U32Array, metadata: dict) -> bytes:
    """Make the bytes of a .gstex file.

    Args:
        words: uint32 [n], the GPU section as pack returns it.
        metadata: JSON-able object; nothing a GPU decoder needs.

    Raises:
        FormatError: `words` breaks a rule of docs/format.md.
        OutputError: the metadata cannot be written as JSON or is too large, or the file would be.
    """
    table_header = validate(words).header
    require(table_header.first_mip == 0, "GPU section", "a resident part", "a whole section")
    gpu = words.astype("<u4", copy=False).tobytes()
    resident = 4 * table_header.resident_words
    text = _encode_metadata(metadata)
    json_offset = FILE_HEADER_BYTES + len(gpu)
    file_bytes = json_offset + len(text)
    if file_bytes > _MAX_FILE_BYTES:
        raise OutputError(f"file size: got {file_bytes} bytes, expected at most {_MAX_FILE_BYTES}; "
                          "use fewer Gaussians")
    header = _HEADER.pack(FILE_MAGIC, VERSION, 0, file_bytes, FILE_HEADER_BYTES, len(gpu), json_offset, len(text),
                          zlib.crc32(gpu), zlib.crc32(text), resident, zlib.crc32(gpu[:resident]))
    return header.ljust(FILE_HEADER_BYTES, b"\0") + gpu + text


def read_bytes(data: bytes | bytearray | memoryview) -> tuple[U32Array, dict]:
    """Read and check the bytes of a .gstex file: (words, read-only uint32 [n], metadata).

    Raises:
        VersionError: the file is of another version.
        FormatError: a rule of docs/format.md is broken.
    """
    everything = np.frombuffer(data, np.uint8)
    sections = _core.read_header(everything[:FILE_HEADER_BYTES], len(everything))
    body = everything[FILE_HEADER_BYTES:]
    gpu, text = body[: sections[0]], body[sections[0] :]
    if not isinstance(data, bytes) or gpu.ctypes.data % 4:
        gpu = gpu.copy()  # what is checked must not change, and words are aligned
    table, metadata = _read_body(gpu, text, sections)
    return table.words, metadata


def write_file(path: str | Path, words: U32Array, metadata: dict) -> int:
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
    replace_file(Path(path), data)
    return len(data)


def read_file(path: str | Path) -> tuple[U32Array, dict]:
    """Read and check a .gstex file: (words, read-only uint32 [n], metadata); see open_file."""
    table, metadata, _ = open_file(path)
    return table.words, metadata


def open_file(path: str | Path, *, tail: bool = False) -> tuple[MaterialTable, dict, int]:
    """Read and check a .gstex file: (its checked GPU section, metadata, size of the file in bytes).

    Nothing is read into memory before the header has been found to agree with the size of the file.

    Args:
        tail: read the resident part of the GPU section alone, and the metadata. A file without a tail is read whole.

    Raises:
        VersionError: the file is of another version.
        FormatError: the file cannot be read or breaks a rule of docs/format.md.
    """
    path, head = Path(path), b""
    try:
        if path.is_dir():
            raise IsADirectoryError
        if not stat.S_ISREG(path.stat().st_mode):
            raise FormatError("not a regular file")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(FILE_HEADER_BYTES)
            sections = _core.read_header(np.frombuffer(head, np.uint8), size)
            gpu = np.empty(sections[4] if tail else sections[0], np.uint8)
            text = np.empty(sections[2], np.uint8)
            bytes_read = file.readinto(gpu.data)
            file.seek(FILE_HEADER_BYTES + sections[0])
            bytes_read += file.readinto(text.data)
        require(bytes_read == len(gpu) + len(text), "file size", "less than before",
                "a file that does not change while it is read")
        return *_read_body(gpu, text, sections), size
    except FileNotFoundError as error:
        raise FormatError(f"{path}: no such file; check its name and folder") from error
    except IsADirectoryError as error:
        raise FormatError(f"{path}: is a folder, not a .gstex file; `gstex compress` makes a .gstex file of a folder "
                          "of maps") from error
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error}); give a .gstex file that may be "
                          "read") from error
    except VersionError as error:
        raise VersionError(f"{path}: {error}") from error
    except FormatError as error:
        if kind := next((name for start, name in _OTHERS.items() if head.startswith(start)), None):
            raise FormatError(f"{path}: is a {kind} file, not a .gstex file; `gstex compress` makes a .gstex file of "
                              "it, or of the folder of maps that it is in") from error
        raise FormatError(f"{path}: {error}; the file is damaged or is not a .gstex file: copy it again, or compress "
                          "its maps again") from error


def _read_body(
    gpu: U8Array, text: U8Array, sections: tuple[int, int, int, int, int, int]
) -> tuple[MaterialTable, dict]:
    """Check the checksums and contents of both sections, uint8 [n] each."""
    if len(gpu) < sections[0]:
        _core.check_resident(sections, gpu)
        right = zlib.crc32(text.tobytes()) == sections[3]
        require(right, "json_crc", f"0x{sections[3]:08X}", "the CRC-32 of the metadata")
    else:
        _core.check_crcs(sections, gpu, text)
    words = gpu.view("<u4").astype(np.uint32, copy=False)
    words.flags.writeable = False
    table = validate(words)
    require(table.header.first_mip == 0 or len(gpu) < sections[0], "GPU section", "a resident part", "a whole section")
    return table, _decode_metadata(text.tobytes())


def _encode_metadata(metadata: dict) -> bytes:
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise OutputError(f"metadata: cannot be written as JSON ({error})") from error
    if not isinstance(metadata, dict) or len(text) > MAX_JSON_BYTES:
        raise OutputError(f"metadata: got {len(text)} bytes of {type(metadata).__name__}, "
                          f"expected a dict of at most {MAX_JSON_BYTES} bytes")
    return text


def _decode_metadata(text: bytes) -> dict:
    try:
        metadata = msgspec.json.decode(text)  # as strict as RFC 8259: no NaN, no infinity, no halves of surrogate pairs
    except (ValueError, RecursionError) as error:
        raise FormatError(f"metadata: got text that cannot be read ({error}), "
                          "expected a JSON object in UTF-8") from error
    require(isinstance(metadata, dict), "metadata", f"a JSON {type(metadata).__name__}", "an object")
    return metadata
