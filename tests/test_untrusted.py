"""What a file costs that nobody vouches for: memory follows its size, and what it claims is checked before it is paid.

Memory is the peak of a process of its own, above what the imports take. The bounds are generous: what they keep out is
ten times more and beyond.
"""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from command import Command
from format_builder import MipSpec, build_file, build_words, one_group
from random_material import make_layout, make_material

import gstex
from gstex import format as fmt
from gstex.errors import FormatError, LimitError
from gstex.json_types import JsonObject
from gstex.material import Material, SourceMap, plan_maps
from gstex.material.resample import resample
from gstex.texture import Texture

resource = pytest.importorskip("resource", reason="memory is measured with getrusage, which this system lacks")

MEGABYTE = 2**20
CONSTANT = 40 * MEGABYTE  # what a call may take beside what follows from the size of a file


def peak_of(code: str, *arguments: str | Path) -> tuple[int, str]:
    """(bytes that the peak of a Python process rises by while it runs `code`, what it prints)."""
    program = f"""
import resource, sys
import numpy as np
import gstex, gstex.cli
from gstex.errors import GstexError
scale = 1 if sys.platform == "darwin" else 1024
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{code}
print("PEAK", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * scale)
"""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    printed, _, peak = ran.stdout.rpartition("PEAK ")
    return int(peak), printed.strip()


def empty_words(width: int, height: int, channels: int) -> np.ndarray:
    """A section of one mip without Gaussians, which takes 256 bytes however large it claims to be."""
    spec = one_group(width, height, [(0.0, 1 / 255, 8)] * channels, [MipSpec([0.25] * channels)])
    return np.array(build_words(spec), np.uint32)


def metadata_of(width: int, height: int, /, *, files: int = 1, **changes: object) -> JsonObject:
    """The metadata of a material of grey PNG files; `changes` go into the first source."""
    sources = [{"file": f"{i}.png", "width": width, "height": height, "planes": [0]} for i in range(files)]
    sources[0].update(changes)
    return {"material": {"sources": sources}}


# ---- Sizes that are claimed


def test_sources_larger_than_the_material_are_refused_before_anything_is_decoded(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("a.gstex")
    fmt.write_file(path, empty_words(64, 64, 3), metadata_of(64, 64, width=16384, height=16384))
    assert path.stat().st_size < 4096
    error = command("decode", path, "-o", "maps").error()
    assert error.startswith(
        "metadata: 0.png size: 16384x16384, expected at most as many texels as the material of 64x64 has"
    )
    assert not Path("maps").exists()
    refusal = "try:\n    gstex.load(sys.argv[1]).write_maps(sys.argv[2])\nexcept GstexError as error:\n    print(error)"
    peak, printed = peak_of(refusal, path, "maps")
    assert "expected at most as many texels" in printed and peak < CONSTANT


def test_sizes_larger_than_the_header_are_refused(tmp_path: Path) -> None:
    metadata = metadata_of(16384, 16384)
    metadata["material"] |= {"width": 16384, "height": 16384}  # which nobody asks
    texture = Texture(empty_words(64, 64, 3), metadata)
    for size in (None, (8, 8), (64, 64)):  # nor if the sizes in the metadata are not used
        with pytest.raises(FormatError, match="16384x16384, expected at most as many texels as the material of 64x64"):
            texture.write_maps(tmp_path / "maps", size=size)


def material_of_64(width: int, height: int) -> JsonObject:
    """The description of a material of 64x64 texels with a source of another size."""
    return Texture(empty_words(64, 64, 1), metadata_of(64, 64, width=width, height=height)).material


@pytest.mark.parametrize(("width", "height"), [(64, 64), (128, 32), (1, 4096), (2, 5)])
def test_sources_of_another_shape_are_allowed(width: int, height: int) -> None:
    """The map with the most texels gives the material its size; others may be longer along one axis."""
    plan = plan_maps(material_of_64(width, height), 1)
    assert plan.texels() == width * height
    with pytest.raises(FormatError, match=r"0\.png size: "):
        plan_maps(material_of_64(width, 4096 // width + 1), 1)


def test_what_artists_have_is_allowed() -> None:
    """What `load_material` writes down about maps of several sizes."""
    sources = tuple(
        SourceMap(f"{w}x{h}.png", w, h, 1, 8, False, "png") for w, h in ((300, 200), (100, 500), (600, 100), (1, 1))
    )
    planes = {s.file: ({"fill": 0.5},) for s in sources}
    material = Material("m", 300, 200, sources, (), np.zeros((200, 300, 0)), None, "repeat", planes=planes)
    assert len(plan_maps(json.loads(json.dumps(material.to_metadata())), 1).sources) == 4


# ---- The limit of texels


def test_a_small_file_that_stands_for_too_many_texels(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("a.gstex")
    fmt.write_file(path, empty_words(16384, 16384, 16), metadata_of(16384, 16384))
    ran = command("decode", path, "-o", "maps")
    assert ran.code == 1
    assert ran.error() == (
        "texels: got 4294967296 (16384x16384 in 16 channels), expected at most 268435456; if you trust the file, allow "
        "more with --max-texels (max_texels in Python)"
    )
    assert not Path("maps").exists()
    refusal = "try:\n    gstex.load(sys.argv[1]).decode()\nexcept GstexError as error:\n    print(error)"
    peak, printed = peak_of(refusal, path)
    assert printed.startswith("texels: got 4294967296") and peak < CONSTANT
    # What is not decoded costs nothing.
    assert gstex.load(path).sample([[0.5, 0.5]], filter="bilinear").shape == (1, 16)
    assert gstex.load(path).resized(2, 3).shape == (3, 2, 16)
    assert command("info", path).code == 0


def test_many_maps_of_one_channel_count_together(tmp_path: Path) -> None:
    texture = Texture(empty_words(64, 64, 1), metadata_of(64, 64, files=9))
    with pytest.raises(LimitError, match=r"texels: got 36864 \(9 maps to be written\), expected at most 36863"):
        texture.write_maps(tmp_path / "maps", max_texels=36863)
    assert not (tmp_path / "maps").exists()
    assert len(texture.write_maps(tmp_path / "maps", max_texels=36864)) == 9


def test_the_limit_can_be_moved(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fmt.write_file("a.gstex", empty_words(8, 4, 2), metadata_of(8, 4))
    texture = gstex.load("a.gstex")
    assert texture.decode(max_texels=64).shape == (4, 8, 2)
    assert texture.resized(16, 2, max_texels=64).shape == (2, 16, 2)
    for decode in (lambda: texture.decode(max_texels=63), lambda: texture.resized(16, 2, max_texels=63)):
        with pytest.raises(LimitError, match=r"texels: got 64 .* expected at most 63; .* --max-texels"):
            decode()
    assert "--max-texels" in command("decode", "a.gstex", "-o", "maps", "--max-texels", "63").error()
    assert command("decode", "a.gstex", "-o", "maps", "--size", "9x9", "--max-texels", "161").code == 1
    assert command("decode", "a.gstex", "-o", "maps", "--size", "9x9", "--max-texels", "162").code == 0
    assert command("decode", "a.gstex", "-o", "whole", "--max-texels", "64").code == 0
    assert command("decode", "a.gstex", "-o", "maps", "--max-texels", "0").code == 2


# ---- What an open file takes


@pytest.fixture(scope="module")
def nibbles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 8 MB with 16 million records, the most that fit: a regular level of a nibble each; and a small tail."""
    path = tmp_path_factory.mktemp("nibbles") / "a.gstex"
    cells = 4096
    rng = np.random.default_rng(0)
    words = fmt.pack(make_material(rng, width=cells, height=cells, channel_bits=(4,), mips=[[], []], tail=1))
    group = int(words[11])
    block = int(words[group + 6])
    entry = [cells | cells << 16, block + 10, block + 10, cells * cells, 4 | 1 << 29, 0, 0]
    head = np.concatenate([words[: block + 3], np.array(entry, np.uint32)])
    head[block], head[block + 1] = 1, cells * cells
    records = rng.integers(0, 2**32, cells * cells // 8, dtype=np.uint32)
    used = len(head) + len(records) + 1
    words = np.concatenate([head, records, np.zeros(-(-used // 64) * 64 - used + 1, np.uint32)])
    words[4], words[group + 3] = used, 9
    fmt.write_file(path, words, metadata_of(cells, cells))
    return path


def test_an_open_file_takes_its_own_size(nibbles: Path) -> None:
    size = nibbles.stat().st_size
    assert size > 8 * MEGABYTE
    for call in ("gstex.load(sys.argv[1])", "gstex.load(sys.argv[1]).info()",
                 "gstex.load(sys.argv[1]).sample([[0.1, 0.2]] * 100)",
                 "gstex.cli.main.__globals__['cli'].main(['info', sys.argv[1]], standalone_mode=False)"):  # fmt: skip
        peak, _ = peak_of(f"kept = {call}", nibbles)
        assert peak < 2 * size + CONSTANT, call


def test_the_tail_alone_costs_nothing_of_the_rest(nibbles: Path) -> None:
    peaks = {}
    for mips in ("all", "tail"):
        tracemalloc.start()
        try:
            texture = gstex.load(nibbles, mips=mips)
            peaks[mips] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peaks["all"] > 8 * MEGABYTE > MEGABYTE > peaks["tail"]
    assert texture.decode(1).shape == (2048, 2048, 1)


def test_metadata_of_the_largest_size(tmp_path: Path) -> None:
    """A megabyte of the values that take the most memory: empty lists."""
    text = b'{"a":[' + b"[]," * ((1 << 20) // 3 - 4) + b"[]]}"
    (tmp_path / "a.gstex").write_bytes(build_file(empty_words(8, 8, 1).tolist(), text))
    peak, _ = peak_of("gstex.load(sys.argv[1])", tmp_path / "a.gstex")
    assert peak < 100 * MEGABYTE


def test_candidates_are_counted_in_time_that_follows_the_index() -> None:
    """16 levels whose borders nearly all differ: 39 million pieces for 2 MB, near to the most that can be."""
    side = 400
    levels = [(make_layout(side - i, side - i, 4, (0, 0, 0, 0, 0)), [0, 5]) for i in range(16)]
    material = make_material(np.random.default_rng(0), channel_bits=(4,), mips=[levels])
    table = fmt.validate(fmt.pack(material))
    assert table.words.nbytes < 2 * MEGABYTE
    assert table.candidates_max == 16


def test_reading_takes_no_more_than_a_scratch(tmp_path: Path) -> None:
    """The grids of most borders, which need the whole scratch."""
    levels = [(make_layout(8192 - i, 3, 4, (0, 0, 0, 0, 0)), [0]) for i in range(16)]
    words = fmt.pack(make_material(np.random.default_rng(0), channel_bits=(4,), mips=[levels]))
    fmt.write_file(tmp_path / "a.gstex", words, {})
    peak, _ = peak_of("gstex.load(sys.argv[1]).info()", tmp_path / "a.gstex")
    assert peak < 2 * words.nbytes + CONSTANT


# ---- Maps of odd shapes


@pytest.mark.parametrize(("source", "target"), [((1, 4096), (4096, 1)), ((4096, 1), (1, 4096)), ((3, 900), (800, 2))])
def test_resampling_makes_nothing_larger_than_both_images(source: tuple[int, int], target: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*source, 2), np.float32)
    tracemalloc.start()
    try:
        found = resample(image, *target, repeat=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.shape == (*target, 2)
    assert peak < 4 * MEGABYTE  # 4096 x 4096 texels between the passes would be 128
    assert abs(float(found.mean()) - float(image.mean())) < 0.1


# ---- Words from anywhere


def test_words_are_proven_wherever_they_are_given() -> None:
    sound = fmt.pack(make_material(np.random.default_rng(0), mips=[[(make_layout(), 20)]]))
    bad = sound.copy()
    bad[int(bad[18]) + 6] = 2**31
    for call in (lambda: Texture(bad, {}), lambda: gstex.decode.decode_texels(bad), lambda: fmt.unpack(bad),
                 lambda: gstex.decode.count_candidates(bad), lambda: fmt.write_bytes(bad, {}),
                 lambda: gstex.decode.FileLevels(bad, four_fetches=True)):  # fmt: skip
        with pytest.raises(FormatError, match=r"mip_offset\[0\]: got 2147483648"):
            call()


def test_words_that_are_changed_later_do_no_harm() -> None:
    words = fmt.pack(make_material(np.random.default_rng(0), mips=[[(make_layout(), 20)]]))
    texture = Texture(words, {})
    before = texture.decode()
    words[:] = 2**32 - 1
    np.testing.assert_array_equal(texture.decode(), before)
    with pytest.raises(ValueError, match="read-only"):
        texture.words[0] = 0
