"""Words to bytes to files and back: the metadata, the part that is a tail alone, and the atomic write."""

import os
import struct
import zlib

import numpy as np
import pytest
from random_material import make_layout, make_material

from gstex import format as fmt
from gstex.errors import FormatError, OutputError


@pytest.fixture
def words():
    return fmt.pack(make_material(np.random.default_rng(0), mips=[[(make_layout(), 50)]]))


def test_file_round_trip(tmp_path, words):
    path = tmp_path / "wall.gstex"
    metadata = {"generator": "test", "report": {"psnr": 40.5}, "name": "кирпич"}
    assert fmt.write_file(path, words, metadata) == path.stat().st_size
    back, back_metadata = fmt.read_file(path)
    assert back.dtype == np.uint32 and not back.flags.writeable
    np.testing.assert_array_equal(back, words)
    assert back_metadata == metadata
    data = fmt.write_bytes(words, metadata)
    assert path.read_bytes() == data
    assert not fmt.read_bytes(bytearray(data))[0].flags.writeable
    for shift in range(4):  # words are aligned wherever the bytes stand
        moved = fmt.read_bytes(memoryview(bytes(shift) + data)[shift:])[0]
        assert moved.ctypes.data % 4 == 0
        np.testing.assert_array_equal(moved, words)


def test_round_trip_of_a_tail_alone(tmp_path):
    """The header of the file says where it ends and what its checksum is; nothing else of the GPU section is read."""
    mips = [[(make_layout(), 50)], [(make_layout(), 30)], 2.0, None]
    words = fmt.pack(make_material(np.random.default_rng(0), mips=mips, tail=2))
    path, resident = tmp_path / "wall.gstex", 4 * int(words[5])
    size = fmt.write_file(path, words, {"name": "wall"})
    data = bytearray(path.read_bytes())
    assert struct.unpack_from("<2I", data, 44) == (resident, zlib.crc32(data[256 : 256 + resident]))
    data[256 + resident + 4] ^= 1  # beyond the tail
    path.write_bytes(data)
    table, metadata, file_bytes = fmt.open_file(path, tail=True)
    assert (metadata, file_bytes, table.header.first_mip) == ({"name": "wall"}, size, 2)
    np.testing.assert_array_equal(table.words, words[: words[5]])
    with pytest.raises(FormatError, match="gpu_crc: got"):
        fmt.open_file(path)
    data[256 + resident - 1] ^= 1  # the last byte of its padding
    path.write_bytes(data)
    with pytest.raises(FormatError, match="resident_crc: got"):
        fmt.open_file(path, tail=True)


def test_a_file_without_a_tail_is_read_whole(tmp_path, words):
    fmt.write_file(tmp_path / "wall.gstex", words, {})
    table, _, _ = fmt.open_file(tmp_path / "wall.gstex", tail=True)
    assert table.header.first_mip == 0 and table.header.tail == table.header.mip_count == 1
    np.testing.assert_array_equal(table.words, words)


@pytest.mark.parametrize("step", ["replace", "fsync"])
@pytest.mark.parametrize("error, seen_as", [(OSError("disk full"), OutputError),
                                            (KeyboardInterrupt(), KeyboardInterrupt)])
def test_failed_write_leaves_the_old_file(tmp_path, words, monkeypatch, step, error, seen_as):
    path = tmp_path / "wall.gstex"
    path.write_bytes(b"old")

    def fail(*args):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(seen_as):
        fmt.write_file(path, words, {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["wall.gstex"]
    assert path.read_bytes() == b"old"


def test_bad_words_are_not_written(tmp_path, words):
    path = tmp_path / "wall.gstex"
    words[0] ^= 1
    with pytest.raises(FormatError, match="GPU section magic"):
        fmt.write_file(path, words, {})
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(tmp_path, words):
    with pytest.raises(OutputError, match=r"a\.gstex: cannot be written \(.*\); check that the folder"):
        fmt.write_file(tmp_path / "missing" / "a.gstex", words, {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="folder: is not a file"):
        fmt.write_file(tmp_path / "folder", words, {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(FormatError, match=r"missing\.gstex: no such file; check its name and folder"):
        fmt.read_file(tmp_path / "missing.gstex")
    with pytest.raises(FormatError, match=r"is a folder, not a \.gstex file"):
        fmt.read_file(tmp_path)


@pytest.mark.parametrize("metadata, message", [
    ({"a": float("nan")}, "metadata: cannot be written as JSON"),
    ({"a": object()}, "metadata: cannot be written as JSON"),
    ({"a": "\ud800"}, "metadata: cannot be written as JSON"),
    ([1], "metadata: got 3 bytes of list, expected a dict"),
    ({"a": "x" * 2**20}, "expected a dict of at most 1048576 bytes"),
])
def test_metadata_that_cannot_be_written(metadata, message):
    words = fmt.pack(make_material(np.random.default_rng(0), mips=[[]]))
    with pytest.raises(OutputError, match=message):
        fmt.write_bytes(words, metadata)


def test_public_names():
    assert len(fmt.__all__) == len(set(fmt.__all__))
    assert all(hasattr(fmt, name) for name in fmt.__all__)
