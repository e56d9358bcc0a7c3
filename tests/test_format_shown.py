"""What people and programs are shown of palettes and regular levels: `gstex info`, and the Gaussians of the viewer."""

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
    "records of no field",
]  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_info_counts_the_bytes_of_palettes(name: str, tmp_path) -> None:
    """Nothing of the section is left out or counted twice."""
    path = tmp_path / "built.gstex"
    path.write_bytes(built(name))
    texture, ours = gstex.load(path), read(path)
    facts = texture.info()
    assert facts["varying"] == ours.varying.tolist()
    assert [(p["entries"], 1 << p["bits"]) for p in facts["palettes"]] == [(len(p), len(p)) for p in ours.palettes]
    header = 4 * ours.header["header_words"]
    stored = header + sum(p["bytes"] for p in facts["palettes"]) + sum(m["bytes"] for m in facts["mips"])
    assert stored == 4 * (ours.header["words"] - 1)


def test_info_for_people(command: Command) -> None:
    ran = command("info", golden_file("palettes_and_codes"))
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert ("  palettes    16 entries in 192 bytes, 2 entries in 24 bytes, 8 entries in 96 bytes, "
            "4 entries in 48 bytes") in lines  # fmt: skip
    table = lines.index(next(line for line in lines if line.startswith("CHANNEL")))
    bits = [line.split()[1] for line in lines[table + 1 : table + 14]]
    rest = ["palettes", "palettes", "5", "constant", "12", "palettes", "2", "constant", "6", "palettes", "1", "4"]
    assert bits == ["3", *rest]
    ran = command("info", golden_file("raw"))
    assert ran.code == 0 and "palettes" not in ran.out.replace(str(golden_file("raw")), "")
    facts = json.loads(command("info", golden_file("palettes"), "--json").out)
    assert facts["palettes"][1] == {"entries": 64, "bits": 6, "bytes": 512}


def test_info_of_regular_levels(command: Command) -> None:
    ran = command("info", golden_file("regular"))
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split() for line in ran.out.splitlines()]
    table = lines[lines.index(next(line for line in lines if line[1:2] == ["LEVEL"])) + 1 :]
    bare = ["0+0", "0", "0", "0"]
    assert table == [
        ["0", "0", "9x7", "one", "a", "cell", "12", *bare],
        ["0", "1", "6x5", "30", "36", "4+4", "5", "4", "3"],
        ["0", "2", "4x4", "one", "a", "cell", "28", "0+3", "0", "4", "2"],
        ["0", "3", "2x3", "9", "20", "5+0", "0", "0", "0"],
        ["2", "0", "3x2", "one", "a", "cell", "16", *bare],
    ]
    levels = json.loads(command("info", golden_file("regular"), "--json").out)["mips"][0]["levels"]
    assert [(level["regular"], level["gaussians"]) for level in levels] == [
        (True, 63), (False, 30), (True, 16), (False, 9)
    ]  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_the_viewer_reads_the_same_values(name: str, tmp_path) -> None:
    path = tmp_path / "built.gstex"
    path.write_bytes(built(name))
    texture, ours = gstex.load(path), read(path)
    for number, mip in enumerate(ours.mips):
        shown = read_gaussians(texture.words, number)
        expected = [ours.channel_lo + level.summed * ours.channel_step for level in mip.levels]
        expected = np.concatenate([np.zeros((0, len(ours.channel_lo))), *expected])
        np.testing.assert_allclose(shown.features, expected, rtol=0, atol=1e-12)
        if mip.texels is not None:
            assert np.array_equal(shown.texels[:, :, ours.varying], mip.texels)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_inspector_explains_texels(name: str) -> None:
    texture = gstex.load(golden_file(name))
    for mip in range(texture.mip_count):
        stack, shown = texture.decode(mip), read_gaussians(texture.words, mip)
        for row, column in np.ndindex(stack.shape[:2]):
            texel = explain_texel(shown, column, row)
            assert np.abs(texel.value - stack[row, column]).max() < 1e-5


def test_channels_of_palettes_alone_vary() -> None:
    packed = unpack(gstex.load(golden_file("palettes")).words)
    assert not packed.channel_bits.any() and packed.varying.sum() == 5
