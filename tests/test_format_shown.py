"""What people and programs are shown of groups, palettes and regular levels: `gstex info`, and the Gaussians of the
viewer."""

import json

import numpy as np
import pytest
from command import Command
from format_specs import built
from independent_reader import read
from make_golden import GOLDEN, golden_file

import gstex
from gstex.format import unpack
from gstex.view.gaussians import read_gaussians
from gstex.view.inspect import explain_texel

# The golden files have mips and levels of every kind; beside them the largest palette, and records of all kinds.
SHOWN = [
    *GOLDEN, "a palette of 4096 entries", "16 channels, half of them without codes", "regular levels between others",
    "records of one bit", "groups of fourteen channels and of one, shared mips with others in the tail",
]  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_info_counts_the_bytes_of_all_parts(name: str, tmp_path) -> None:
    """Nothing of the section is left out or counted twice."""
    path = tmp_path / "built.gstex"
    path.write_bytes(built(name))
    facts, ours = gstex.load(path).info(), read(path)
    assert facts["constant"] == [c.constant if c.entry["group"] == 7 else None for c in ours.channels]
    for group, of in zip(facts["groups"], ours.groups, strict=True):
        assert tuple(group["channels"]) == of.members and group["top_k"] == of.header["top_k"]
        assert [(p["entries"], 1 << p["bits"]) for p in group["palettes"]] == [(len(p), len(p)) for p in of.palettes]
    stored = 4 * ours.header["header_words"] + sum(group["bytes"] for group in facts["groups"])
    tail, resident = ours.header["tail"], 4 * ours.header["resident_words"]
    assert (facts["tail"] is not None) == (tail < len(facts["mips"]))
    if facts["tail"] is None:
        assert stored == 4 * (ours.header["words"] - 1)
    else:
        assert (facts["tail"]["first"], facts["tail"]["bytes"]) == (tail, resident)
        before = stored - 4 * (ours.header["words"] - 1) + resident
        assert before // 256 * 256 + 256 == resident  # what is left is the guard word and padding
        in_tail = sum(mip["bytes"] for mip in facts["tail"]["mips"])
        heads = min(offset for group in ours.groups for offset in group.tail_offset)
        assert before == 4 * heads + in_tail
    for number, of in enumerate(ours.groups):
        for mip in range(min(tail, len(of.mips)) - 1):
            size = of.mip_offset[mip + 1] - of.mip_offset[mip]
            assert facts["mips"][mip]["groups"][number]["bytes"] == 4 * size


def test_info_for_people(command: Command) -> None:
    ran = command("info", golden_file("palettes_and_codes"))
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    tables = "16 entries in 192 bytes, 2 entries in 24 bytes, 8 entries in 96 bytes, 4 entries in 48 bytes"
    assert f"  group 0     11 channels, 1.1 KiB (1160 bytes); palettes of {tables}" in lines
    table = lines.index(next(line for line in lines if line.startswith("CHANNEL")))
    bits = [line.removesuffix("-bit code").split()[-1] for line in lines[table + 1 : table + 14]]
    rest = ["palette", "palette", "5", "constant", "12", "palette", "2", "constant", "6", "palette", "1", "4"]
    assert bits == ["3", *rest]
    ran = command("info", golden_file("raw"))
    assert ran.code == 0 and "palette" not in ran.out.replace(str(golden_file("raw")), "")
    facts = json.loads(command("info", golden_file("palettes"), "--json").out)
    assert facts["groups"][0]["palettes"][1] == {"entries": 64, "bits": 6, "bytes": 512}


def test_info_of_groups(command: Command) -> None:
    ran = command("info", golden_file("groups"))
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert "  tail        mips from 2 on, in the first 1.2 KiB (1280 bytes) on the GPU" in lines
    table = lines.index(next(line for line in lines if line.startswith("CHANNEL")))
    assert [line.removesuffix("-bit code").split()[4:] for line in lines[table + 1 : table + 13]] == [
        ["0", "3"], ["3", "8"], ["0", "3"], ["1", "7"], ["1", "7"], ["0", "palette"], ["constant"], ["0", "1"],
        ["3", "8"], ["0", "palette"], ["2", "4"], ["constant"],
    ]  # fmt: skip
    mips = json.loads(command("info", golden_file("groups"), "--json").out)["mips"]
    kinds = [[group["stored_as"] for group in mip["groups"]] for mip in mips]
    assert kinds == [
        ["gaussians", "gaussians", "gaussians", "texels"], ["mip 0", "gaussians", "gaussians", "texels"],
        ["mip 0", "gaussians", "gaussians", "texels"], ["texels", "gaussians", "texels", "texels"],
    ]  # fmt: skip


def test_info_of_constants(command: Command) -> None:
    """There is no group, and nothing is stored for a mip."""
    ran = command("info", golden_file("constants"))
    assert (ran.code, ran.err) == (0, "") and "group" not in ran.out.replace(str(golden_file("constants")), "")
    facts = json.loads(command("info", golden_file("constants"), "--json").out)
    assert facts["groups"] == [] and facts["constant"] == [0.375, 1.5, -0.5]
    assert [(mip["bytes"], mip["candidates_max"]) for mip in facts["mips"]] == [(0, 0)] * 2


def test_info_of_regular_levels(command: Command) -> None:
    assert "LEVEL" not in command("info", golden_file("regular")).out
    ran = command("info", golden_file("regular"), "--levels")
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split() for line in ran.out.splitlines()]
    table = lines[lines.index(next(line for line in lines if line[2:3] == ["LEVEL"])) + 1 :]
    bare = ["0+0", "0", "0", "0"]
    assert table == [
        ["0", "0", "0", "9x7", "one", "per", "cell", "12", *bare],
        ["0", "0", "1", "6x5", "30", "36", "4+4", "5", "4", "3"],
        ["0", "0", "2", "4x4", "one", "per", "cell", "28", "0+3", "0", "4", "2"],
        ["0", "0", "3", "2x3", "9", "20", "5+0", "0", "0", "0"],
        ["2", "0", "0", "3x2", "one", "per", "cell", "16", *bare],
    ]
    (group,) = json.loads(command("info", golden_file("regular"), "--json").out)["mips"][0]["groups"]
    assert [(level["regular"], level["gaussians"]) for level in group["levels"]] == [
        (True, 63), (False, 30), (True, 16), (False, 9)
    ]  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_the_viewer_reads_the_same_values(name: str, tmp_path) -> None:
    path = tmp_path / "built.gstex"
    path.write_bytes(built(name))
    texture, ours = gstex.load(path), read(path)
    for number, group in enumerate(ours.groups):
        members = list(group.members)
        for m, mip in enumerate(group.mips):
            shown = read_gaussians(texture.table, m, number)
            expected = [group.channel_lo + level.summed * group.channel_step for level in mip.levels]
            expected = np.concatenate([np.zeros((0, len(members))), *expected])
            np.testing.assert_allclose(shown.features[:, members], expected, rtol=0, atol=1e-12)
            assert shown.members == group.members and shown.top_k == group.header["top_k"]
            if mip.texels is not None:
                assert np.array_equal(shown.texels[:, :, members], mip.texels)
            if mip.bend is not None:
                assert np.array_equal(shown.bend[members], mip.bend)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_inspector_explains_texels(name: str) -> None:
    texture = gstex.load(golden_file(name))
    for mip in range(texture.mip_count):
        stack = texture.decode(mip)
        for number, group in enumerate(texture.table.groups):
            shown, members = read_gaussians(texture.table, mip, number), list(group.header.members)
            for row, column in np.ndindex(stack.shape[:2]):
                texel = explain_texel(shown, column, row)
                assert np.abs(texel.value - stack[row, column])[members].max() < 1e-5


def test_channels_of_palettes_alone_vary() -> None:
    (group,) = unpack(gstex.load(golden_file("palettes")).words).groups
    assert not group.channel_bits.any() and group.members == (0, 1, 3, 4, 5)
