"""Files that break docs/format.md: one for every rule (hostile_cases.py), truncations, and random damage.

Checksums are made right after the damage, so that the rule itself is reached and not the checksum.
"""

import json
import os
import re
import struct
import tracemalloc
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hostile_cases import (
    FILE_RULES,
    GROUP1,
    METADATA_RULES,
    MIP_OFFSETS,
    PALETTE_MIP,
    PALETTES,
    REGULAR_LEVEL0,
    RESIDENT,
    RESIDENT_RULES,
    SECTIONS,
    file_of,
    plain,
    put,
    with_a_curve,
    with_a_tail,
    with_palettes,
    with_regular_levels,
)
from random_material import make_layout, make_material

from gstex import format as fmt
from gstex.errors import FormatError, VersionError

CASES = [pytest.param(section, *case, id=f"{section.__name__}-{number}")
         for section, rules in SECTIONS for number, case in enumerate(rules)]  # fmt: skip
ALL_SECTIONS = [plain, with_palettes, with_regular_levels, with_a_tail, with_a_curve]


def refusal(words):
    """What is said about a section that is refused."""
    with pytest.raises(FormatError) as raised:
        fmt.validate(words)
    assert type(raised.value) is FormatError and "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("section, change, message", CASES)
def test_each_rule_of_the_gpu_section(section, change, message):
    words = change(section().copy())
    assert refusal(words).startswith(message)
    with pytest.raises(FormatError) as raised:
        fmt.read_bytes(file_of(words))
    if words[5] == section()[5]:  # what the file's header says of the resident part is looked at before
        assert str(raised.value).startswith(message)


@pytest.mark.parametrize("change, message", RESIDENT_RULES)
def test_the_tail_alone_is_proven_by_the_same_rules(change, message):
    assert refusal(change(with_a_tail()[:RESIDENT].copy())).startswith(message)


def test_rules_of_a_tail_alone():
    """It is a part of a longer section, of which it holds exactly the resident words."""
    sound = with_a_tail()[:RESIDENT].copy()
    table = fmt.validate(sound)
    assert table.header.first_mip == table.header.tail == 2
    for words in (0, 1, 64, RESIDENT - 1, RESIDENT):
        assert refusal(put((4, words))(sound.copy())).startswith("resident_words: got 128, expected a multiple of 64")
    for size in (64, 192, 256):
        longer = np.append(sound, np.zeros(192, np.uint32))[:size]
        assert refusal(longer).startswith("words: got 301, expected ")
    # What it cannot know: the candidates of the mips that are not here. It knows a part of them.
    assert fmt.validate(put((GROUP1 + 3, 4000))(sound.copy())).groups[1].candidates_max == 4000
    tail_of_gaussians = make_material(np.random.default_rng(0), width=4, height=2, tail=1, channel_bits=(3,),
                                      mips=[[], [(make_layout(3, 3, 64), [4, 4])]])  # fmt: skip
    words = fmt.pack(tail_of_gaussians)[:64]
    message = "group 0 candidates_max: got 1, expected 2, the largest number of candidates found in the index"
    assert refusal(put((12 + 3, 1))(words.copy())) == message


def test_a_tail_alone_is_no_file(tmp_path):
    """Decoders take it; a file has to hold what its header says."""
    part = with_a_tail()[:RESIDENT].copy()
    for call in (lambda: fmt.unpack(part), lambda: fmt.write_bytes(part, {}), lambda: fmt.read_bytes(file_of(part))):
        with pytest.raises(FormatError, match="GPU section: got a resident part, expected a whole section"):
            call()
    (tmp_path / "part.gstex").write_bytes(file_of(part))
    with pytest.raises(FormatError, match="GPU section: got a resident part, expected a whole section"):
        fmt.read_file(tmp_path / "part.gstex")


def test_every_rule_of_the_decoder_has_a_case():
    """Each text of GSTEX_RULES is what is said about one of the cases above."""
    source = (Path(fmt.__file__).parents[1] / "native" / "gstex.h").read_text(encoding="utf-8")
    rules = re.findall(r'X\(([A-Z_0-9]+),\s*"((?:[^"\\]|\\.)*)"\)', source)
    assert len(rules) > 90
    said = [refusal(change(section().copy())) for section, cases in SECTIONS for change, _ in cases]
    said += [refusal(np.zeros(63, np.uint32))]
    for data in (b"", file_of(plain())[:200], *(file_of(plain(), **fields) for fields, _ in FILE_RULES)):
        with pytest.raises(FormatError) as raised:
            fmt.read_bytes(data)
        said.append(str(raised.value))
    unsaid = []
    for name, text in rules:
        pattern = re.sub(r"%[a-zA-Z]", ".+?", re.escape(text).replace("\\%", "%"))
        if not any(re.fullmatch(rf"(group \d+ (mip \d+ (level \d+ )?)?)?{pattern}", line) for line in said):
            unsaid.append(name)
    assert unsaid == ["ALIGNMENT", "SCRATCH"]  # of memory; test_decoder_c.py has them


def test_raw_texels():
    """Spare bytes of every texel's last word, and less than all of them."""
    words = fmt.pack(make_material(np.random.default_rng(0), width=4, height=2, channel_bits=(8, 0, 5),
                                   mips=[None, [(make_layout(3, 3), 2)], None]))
    first = int(words[MIP_OFFSETS]) + 2
    for texel in range(8):
        message = "group 0 mip 0 spare bytes of the texels: got bits that are set, expected zeros"
        assert refusal(put((first + texel, 1, 16 + texel, 1))(words.copy())) == message
    for size in range(64, len(words), 64):
        refusal(words[:size])


def test_gaussians_beyond_the_last_cell_of_a_crowded_group():
    """9 cells, so that prefixes 9 .. 15 are all the total; the last Gaussian is moved to cell 15."""
    layout = make_layout(3, 3, 64)
    words = fmt.pack(make_material(np.random.default_rng(0), channel_bits=(3,), mips=[[(layout, [4] * 20)]]))
    prefixes = int(words[REGULAR_LEVEL0 + 1]) + 3
    assert words[prefixes : prefixes + 8].tolist() == [0, 0, 20 << 16, *[20 | 20 << 16] * 5]
    words[prefixes + 2 : prefixes + 8] = [19 << 16, *[19 | 19 << 16] * 5]
    assert refusal(words) == "group 0 mip 0 level 0 index counts beyond the last cell: got 1, expected 0"


def test_every_spare_byte_of_a_palette():
    for word in range(PALETTES, PALETTE_MIP):
        for bit in range(24, 32):
            words = put((word, 1, bit, 1))(with_palettes().copy())
            assert refusal(words) == "group 0 spare bytes of the palettes: got bits that are set, expected zeros"


def test_a_regular_level_that_only_claims_to_be_large():
    """Without an index, nothing but the records says that the cells are there."""
    words = put((REGULAR_LEVEL0, 8192 | 8192 << 16), (REGULAR_LEVEL0 + 3, 8192**2))(with_regular_levels().copy())
    tracemalloc.start()
    try:
        assert refusal(words).startswith("group 0 mip 0 level 0 count: 67108864 records: got 8388608 words")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("bad", [np.zeros(0, np.uint32), np.zeros(63, np.uint32), np.zeros(64, np.int32),
                                 np.zeros((1, 64), np.uint32), b"GSTM"])
def test_what_is_no_section(bad):
    with pytest.raises(FormatError, match=r"^GPU section: "):
        fmt.unpack(bad)


def test_newer_versions():
    message = "version: got {}, this gstex reads versions up to 2; update gstex"
    with pytest.raises(VersionError, match=message.format(7)):
        fmt.unpack(put((1, 7, 0, 16))(plain().copy()))
    with pytest.raises(VersionError, match=message.format(3)):
        fmt.read_bytes(file_of(plain(), version=3))
    # A newer version may change anything behind the number, so the number is looked at first.
    with pytest.raises(VersionError, match=message.format(2**32 - 1)):
        fmt.read_bytes(file_of(plain(), version=2**32 - 1, flags=1, gpu_offset=0))


@pytest.mark.parametrize("version", [0, 1])
def test_older_versions_are_refused(version, tmp_path):
    """In one line, whatever else the file says: they had other words, and were in no release."""
    message = f"version: got {version}, expected 2; versions before it were in no release: compress the material again"
    with pytest.raises(VersionError, match=message):
        fmt.unpack(put((1, version, 0, 16))(plain().copy()))
    with pytest.raises(VersionError, match=message):
        fmt.read_bytes(file_of(plain(), version=version, flags=1))
    path = tmp_path / "old.gstex"
    path.write_bytes(file_of(plain(), version=version))
    with pytest.raises(VersionError, match=rf"old\.gstex: {message}$"):
        fmt.read_file(path)


def test_grids_that_would_cut_the_texture_into_billions_of_pieces():
    """The order of the levels keeps a few kilobytes of index from costing hours."""
    columns = [(make_layout(8192 - level, 3), [0]) for level in range(8)]
    rows = [(make_layout(3, 8192 - level), [0]) for level in range(8)]
    with pytest.raises(FormatError, match="group 0 mip 0 level 8 cells: got 3 x 8192, expected at most the 8185 x 3"):
        fmt.pack(make_material(np.random.default_rng(0), mips=[columns + rows]))
    thin = [(make_layout(8192 - level, 3), [0]) for level in range(16)]
    words = fmt.pack(make_material(np.random.default_rng(0), mips=[thin]))
    assert fmt.validate(words).candidates_max == 16


# Container


@pytest.mark.parametrize("fields, message", FILE_RULES)
def test_each_rule_of_the_container(tmp_path, fields, message):
    data = file_of(plain(), **fields)
    with pytest.raises(FormatError) as raised:
        fmt.read_bytes(data)
    assert str(raised.value).startswith(message)
    path = tmp_path / "bad.gstex"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=re.escape(message)):
        fmt.read_file(path)


@pytest.mark.parametrize("text, message", METADATA_RULES)
def test_bad_metadata(text, message):
    with pytest.raises(FormatError) as raised:
        fmt.read_bytes(file_of(plain(), text))
    assert str(raised.value).startswith(message)


def test_message_names_the_file(tmp_path):
    path = tmp_path / "bad.gstex"
    path.write_bytes(file_of(plain(), flags=1))
    with pytest.raises(FormatError, match=r"bad\.gstex: flags: got 1, expected 0; the file is damaged"):
        fmt.read_file(path)
    path.write_bytes(file_of(plain(), version=3))
    with pytest.raises(VersionError, match=r"bad\.gstex: version: got 3, .*; update gstex$"):
        fmt.read_file(path)


def test_file_that_shrinks_while_it_is_read(tmp_path, monkeypatch):
    data = file_of(plain())
    path = tmp_path / "bad.gstex"
    path.write_bytes(data[:-300])
    monkeypatch.setattr(os, "fstat", lambda _: SimpleNamespace(st_size=len(data)))
    with pytest.raises(FormatError, match="file size: got less than before, expected a file"):
        fmt.read_file(path)


def test_every_prefix_is_refused(tmp_path):
    data = fmt.write_bytes(plain(), {"generator": "test"})
    path = tmp_path / "cut.gstex"
    for size in range(len(data)):
        with pytest.raises(FormatError, match=r"file magic|file size|file_bytes"):
            fmt.read_bytes(data[:size])
        if size % 16 == 0:
            path.write_bytes(data[:size])
            with pytest.raises(FormatError, match=r"file magic|file size|file_bytes"):
                fmt.read_file(path)


def test_every_shorter_section_is_refused():
    """The header agrees with the cut; what is missing shows inside."""
    for section in (section() for section in ALL_SECTIONS):
        for used in range(1, int(section[4])):
            words = np.zeros(-(-used // 64) * 64, np.uint32)
            words[:used] = section[:used]
            words[4] = used
            if section[5] == len(section):
                words[5] = len(words)
            for call in (lambda: fmt.validate(words), lambda: fmt.read_bytes(file_of(words))):  # noqa: B023
                with pytest.raises(FormatError):
                    call()


def test_bytes_left_over():
    data = fmt.write_bytes(plain(), {})
    with pytest.raises(FormatError, match=f"file_bytes: got {len(data)}, expected {len(data) + 1}"):
        fmt.read_bytes(data + b"x")
    longer = np.append(plain(), np.zeros(64, np.uint32))
    assert refusal(longer) == "words: got 118, expected 129 .. 192 in a section of 192 words"


# Random damage

SPECIAL_WORDS = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 0x10000, 0x7F800000, 0x7FC00000)


def damage(rng, words):
    """A copy with one to three words changed; the words of headers and indices are hit most."""
    words = words.copy()
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, min(len(words), 120) if rng.integers(4) else len(words)))
        kind = rng.integers(4)
        if kind == 0:
            words[at] = SPECIAL_WORDS[rng.integers(len(SPECIAL_WORDS))]
        elif kind == 1:
            words[at] ^= np.uint32(1 << int(rng.integers(32)))
        elif kind == 2:
            words[at] = (int(words[at]) + int(rng.integers(-3, 4))) % 2**32
        else:
            words[at] = words[int(rng.integers(0, len(words)))]
    return words


def test_random_damage():
    """Damaged sections are refused or sound, and never cost more memory than their size allows."""
    rng = np.random.default_rng(7)
    clamped = make_material(rng, width=9, height=2, repeat=False, channel_bits=(12,) * 9 + (0,) * 7, mips=[
        [(make_layout(5, 1, 320), 7), (make_layout(1, 1, 160, (15, 15, 3, 1, 12)), 40)], [], []])
    dense = make_material(rng, channel_bits=(1,), mips=[[(make_layout(9, 5, 12, (1, 1, 2, 2, 0)), 300)]])
    picture = make_material(rng, channel_bits=(4,), mips=[
        [(make_layout(40, 30, 4, (0, 0, 0, 0, 0), regular=True), None), (make_layout(7, 9, 12, (0, 2, 0, 2, 0)), 80)]])
    sections = [*(section() for section in ALL_SECTIONS), with_a_tail(), with_a_tail()[:RESIDENT],
                *(fmt.pack(material) for material in (clamped, dense, picture))]
    refused = sound = 0
    tracemalloc.start()
    try:
        for _ in range(700):
            words = damage(rng, sections[rng.integers(len(sections))])
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                table = fmt.validate(words)
                # There is one way to write a material: what was accepted comes out as it went in.
                if table.header.first_mip == 0:
                    fmt.read_bytes(file_of(words))
                    np.testing.assert_array_equal(fmt.pack(fmt.unpack(words)), words)
            except FormatError as error:
                assert "\n" not in str(error)
                refused += 1
            else:
                sound += 1
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < 2**20 + 200 * words.nbytes, f"{peak} bytes for a section of {words.nbytes}"
    finally:
        tracemalloc.stop()
    assert refused > 350 and sound > 140


@pytest.mark.parametrize("section", ALL_SECTIONS)
def test_what_is_accepted_is_written_the_same_way(section):
    """Every word with its last bit changed, and as the zero that has a sign."""
    accepted = 0
    for at in range(len(section())):
        for word in (int(section()[at]) ^ 1, 1 << 31):
            words = put((at, word))(section().copy())
            try:
                material = fmt.unpack(words)
            except FormatError:
                continue
            np.testing.assert_array_equal(fmt.pack(material), words)
            accepted += 1
    assert accepted > (40 if section is not with_a_curve else 7)  # which has but a header


def test_random_damage_of_whole_files():
    """Any bytes: an error of the tree or a readable file."""
    rng = np.random.default_rng(8)
    section = with_a_tail()
    data = np.frombuffer(fmt.write_bytes(section, {"report": {"psnr": 40.25}, "name": "a"}), np.uint8)
    for _ in range(1500):
        bad = data.copy()
        for at in rng.integers(0, len(bad), rng.integers(1, 4)):
            bad[at] = rng.integers(256)
        gpu, text = bad[256 : 256 + section.nbytes].tobytes(), bad[256 + section.nbytes :].tobytes()
        if rng.integers(2):
            bad[36:44] = np.frombuffer(struct.pack("<2I", zlib.crc32(gpu), zlib.crc32(text)), np.uint8)
            bad[48:52] = np.frombuffer(struct.pack("<I", zlib.crc32(gpu[: 4 * RESIDENT])), np.uint8)
        try:
            words, metadata = fmt.read_bytes(bad.tobytes())
        except FormatError:
            continue
        fmt.unpack(words)
        json.dumps(metadata, allow_nan=False)
