"""The CUDA decoder on every device there is: the same values as the decoder on the CPU, everywhere.

Without a GPU it runs on the host in place of one. Arrays of a GPU: test_cuda_gpu.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from cuda_decode_cases import (
    crowded_words,
    grouped_words,
    picture_words,
    points,
    random_words,
    resident_part,
    steps,
    words_of,
)
from cuda_devices import DEVICE, each_device  # noqa: F401
from cuda_host import HostDevice, run_sanitized
from format_builder import Gaussian, LevelSpec, build
from format_specs import SPECS, WIDE, built, material, tie_across_the_border, wide
from make_golden import GOLDEN, golden_file

import gstex
from gstex import decode
from gstex.cuda import Device, GpuTexture
from gstex.errors import FormatError, UsageError
from gstex.format import PackedMip, PackedSharedMip, pack, unpack, validate
from gstex.format.container import read_bytes

# The worst of these tests: 2.1e-6 at texels, 5.7e-7 at points. On other random files points came to 2e-5: float32 says
# where a tap stands to 1e-5 of a texel in 256, and neighbours in a noisy mip of texels may be 1 apart.
LIMIT = 1e-5
RANDOM_LIMIT = 2e-5  # texels of 40 random materials: 1.1e-5 in one, where all Gaussians are far off
COUNT = 400


@pytest.fixture
def device() -> Device:
    return DEVICE.chosen


def assert_mips_match(words: np.ndarray, device: Device, limit: float = LIMIT) -> None:
    texture = GpuTexture(words, device)
    for mip in range(validate(words).header.first_mip, texture.mip_count):
        expected = decode.decode_texels(words, mip)
        np.testing.assert_allclose(texture.decode(mip), expected, rtol=0, atol=limit, err_msg=f"mip {mip}")
        np.testing.assert_array_equal(texture.candidates(mip), decode.count_candidates(words, mip))


# ---- Texels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", range(1, 17))
def test_every_mip_with_any_number_of_members(members: int, device: Device) -> None:
    constants = [members // 2] if members % 3 == 0 else []
    words = words_of(members + len(constants), repeat=members % 2 == 0, constants=constants)
    ran = launches_of(lambda: assert_mips_match(words, device))
    assert ran["decode_mip"] == 4 and ran["fetch"] == 2  # four mips of Gaussians, two of texels


def launches_of(work: Callable[[], None]) -> dict[str, int]:
    before = dict(DEVICE.launches)
    work()
    return {name: count - before.get(name, 0) for name, count in DEVICE.launches.items()}


@pytest.mark.parametrize("repeat", [False, True])
def test_groups_whose_members_alternate(repeat: bool, device: Device) -> None:
    ran = launches_of(lambda: assert_mips_match(grouped_words(repeat=repeat), device))
    # In tiles: mips 0 .. 3 of the first group, and 0, 2 and 3 of the third.
    assert ran["decode_mip"] == 7 and ran["fetch"] == 11 and ran["write_constants"] == 6


@pytest.mark.parametrize("tail", [3, 5])
def test_a_tail_alone(tail: int, device: Device) -> None:
    """Its mips are those of the whole file, and what would lie before them is the first of them."""
    words = grouped_words(tail=tail)
    whole, alone = GpuTexture(words, device), GpuTexture(resident_part(words), device)
    assert_mips_match(resident_part(words), device)
    assert alone.gpu_bytes < whole.gpu_bytes and alone.mip_count == whole.mip_count == 6
    for mip in range(tail, 6):
        np.testing.assert_array_equal(alone.decode(mip), whole.decode(mip))
    held = "only 5" if tail == 5 else f"{tail}..5"
    with pytest.raises(UsageError, match=f"mip: got {tail - 1}, this file holds {held}"):
        alone.decode(tail - 1)
    uv, lod = points(np.random.default_rng(5), COUNT), np.linspace(-1, 7, COUNT, dtype=np.float32)
    np.testing.assert_array_equal(alone.sample(uv, lod), whole.sample(uv, np.maximum(lod, tail)))
    np.testing.assert_array_equal(alone.sample(uv), whole.sample(uv, tail))
    small = steps(np.random.default_rng(6), COUNT) / 256
    np.testing.assert_array_equal(alone.sample(uv, duv=small), whole.sample(uv, tail))


def test_what_stands_in_the_tail_for_a_shared_mip(device: Device) -> None:
    """Texels where the tail alone is at hand, the Gaussians of mip 0 where all of the file is."""
    words = grouped_words(tail=2)
    assert_mips_match(words, device)
    assert_mips_match(resident_part(words), device)
    whole, alone = (GpuTexture(part, device).decode(2) for part in (words, resident_part(words)))
    differs = (np.abs(whole - alone) > 0.1).any(axis=(0, 1))
    shared = [c for group in unpack(words).groups if isinstance(group.mips[2], PackedSharedMip) for c in group.members]
    assert len(shared) == 10 and differs.nonzero()[0].tolist() == sorted(shared)


def test_kernels_read_the_first_mip_that_is_there_for_those_before(device: Device) -> None:
    words = resident_part(words_of(4)).copy()
    words[3] |= 3 << 26  # first_mip
    expected = GpuTexture(resident_part(words_of(4)), device).decode(3)
    for file, name, defines, grid, block in (
        ("decode/mip.cu", "decode_mip", {"MEMBERS": 4}, (1,), (128,)),
        ("decode/fetch.cu", "fetch", {"MEMBERS": 4, "TOP_K": 0}, (1, 1), (32, 4)),
    ):
        out = np.zeros_like(expected)
        device.kernel(file, name, defines)(grid, block, words, np.int32(0), np.int32(0), out)
        np.testing.assert_allclose(out, expected, rtol=0, atol=LIMIT)


@pytest.mark.parametrize("where", [0, 1, 2])
def test_a_bend_is_signed_and_moves_values_at_its_place(where: int, device: Device) -> None:
    """Of values around 0, 1/2 and 1 the low, the middle and the high number moves one set the most, either way."""
    material = unpack(words_of(5))
    group = material.groups[0]

    def decoded(bend: int) -> np.ndarray:
        bends = np.zeros((5, 3), np.int64)
        bends[:, where] = bend
        mips = group.mips[0], replace(group.mips[1], bend=bends), *group.mips[2:]
        words = pack(replace(material, groups=(replace(group, mips=mips),)))
        return GpuTexture(words, device).decode(1)

    flat, up, down = decoded(0), decoded(511), decoded(-511)
    shape = ((1 - flat), 4 * flat * (1 - flat), flat)[where]
    np.testing.assert_allclose(up, np.clip(flat + 511 / 1024 * shape, 0, 1), rtol=0, atol=LIMIT)
    np.testing.assert_allclose(down, np.clip(flat - 511 / 1024 * shape, 0, 1), rtol=0, atol=LIMIT)
    assert (up > flat + 0.2).any() and (down < flat - 0.2).any()


@pytest.mark.parametrize("palette_bits, repeat", [((3,), False), ((12, 1), True), ((4, 5, 6), False),
                                                  ((2, 2, 2, 2), True)])  # fmt: skip
def test_palettes(palette_bits: tuple[int, ...], repeat: bool, device: Device) -> None:
    assert_mips_match(words_of(8, repeat=repeat, palette_bits=palette_bits, constants=[1]), device)


@pytest.mark.parametrize("top_k, repeat", [(1, False), (1, True), (10, True), (32, False)])
def test_only_the_heaviest(top_k: int, repeat: bool, device: Device) -> None:
    assert_mips_match(words_of(4, top_k=top_k, repeat=repeat), device)
    assert_mips_match(words_of(5, top_k=top_k, repeat=repeat, palette_bits=(3, 4), constants=[0]), device)


def test_of_equal_weights_the_first_in_the_file_counts(device: Device) -> None:
    file, columns = tie_across_the_border()
    texture = GpuTexture(read_bytes(file)[0], device)
    np.testing.assert_allclose(texture.decode()[:, :3, 0], np.tile(columns, (9, 1)), atol=LIMIT)
    twins = material(4, 4, LevelSpec(1, 1, [wide(0, 3), wide(0, 12)], **WIDE), top_k=1)
    texture = GpuTexture(read_bytes(build(twins))[0], device)
    np.testing.assert_allclose(texture.decode(), 3 / 15, atol=LIMIT)


@pytest.mark.parametrize("upright", [False, True])
def test_what_is_faint_counts_where_nothing_else_is(upright: bool, device: Device) -> None:
    """Two lines in one tile, e^23 apart in weight: the faint one must not be dropped because of the other's sum.

    The strong one is there 40 times, so that it has been added when the faint one is looked at.
    """

    def line(place: int, amplitude: int, feature: int, count: int) -> LevelSpec:
        x, y, scale_u, scale_v = (place, 8, 15, 0) if upright else (8, place, 0, 15)  # sigma 0.54 or 65536
        only = Gaussian(0, x, y, 16, scale_u, scale_v, amplitude, (feature,))
        return LevelSpec(1, 1, [only] * count, scale_lo=-16.0, scale_step=1.125)

    spec = material(8, 16, line(2, 7, 15, 40), line(13, 0, 12, 1), amplitude_lo=-16.0, amplitude_step=3.375)
    words = read_bytes(build(spec))[0]
    assert_mips_match(words, device)
    faint = GpuTexture(words, device).decode()[13, 6, 0]
    assert faint == pytest.approx(12 / 15, abs=0.02)


@pytest.mark.parametrize("size, repeat", [((1, 1), False), ((1, 1), True), ((1, 40), True), ((41, 1), False),
                                          ((8, 16), True), ((9, 17), False), ((7, 15), True), ((130, 3), False)])
def test_odd_sizes(size: tuple[int, int], repeat: bool, device: Device) -> None:
    assert_mips_match(words_of(3, size=size, repeat=repeat), device)


@pytest.mark.parametrize("size, repeat", [((8, 16), False), ((40, 33), True), ((3, 70), True), ((3, 70), False)])
def test_a_gaussian_a_texel_without_geometry(size: tuple[int, int], repeat: bool, device: Device) -> None:
    assert_mips_match(picture_words(size, repeat=repeat), device)
    assert_mips_match(picture_words(size, repeat=repeat, palette_bits=(3, 2)), device)


RANDOM_SEEDS = range(6)


@pytest.mark.parametrize("seed", RANDOM_SEEDS)
def test_random_materials(seed: int, device: Device) -> None:
    """Among their levels are regular ones, and ones that lack some or all fields of geometry."""
    assert_mips_match(random_words(seed), device, RANDOM_LIMIT)


def test_random_materials_have_regular_levels_and_fields_of_no_bits() -> None:
    layouts = [
        level.layout
        for seed in RANDOM_SEEDS
        for group in unpack(random_words(seed)).groups
        for mip in group.mips
        if isinstance(mip, PackedMip)
        for level in mip.levels
    ]
    for is_regular in (False, True):
        some = [layout for layout in layouts if layout.regular == is_regular]
        assert all(any(layout.geometry_widths[field] == 0 for layout in some) for field in range(6))
    assert len({layout.regular for layout in layouts}) == 2


@pytest.mark.parametrize("name", sorted(SPECS.keys() - GOLDEN.keys()))
def test_files_that_are_extreme(name: str, device: Device) -> None:
    """Among them: more cells than texels, only constants, 16 levels, records with 64 bits of geometry."""
    assert_mips_match(read_bytes(built(name))[0], device)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files(name: str, device: Device) -> None:
    """Against the texels of the golden file, and what the CPU makes of it."""
    file = gstex.load(golden_file(name))
    assert_mips_match(file.words, device)
    texture = GpuTexture(file, device)
    expected = np.load(golden_file(name).with_suffix(".npz"))
    for mip in range(texture.mip_count):
        np.testing.assert_allclose(texture.decode(mip), expected[f"mip{mip}"], rtol=0, atol=LIMIT)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 4096])
def test_one_cell_that_holds_all(count: int, device: Device) -> None:
    assert_mips_match(crowded_words(count), device)


@pytest.mark.parametrize("order", [1, 5])
def test_the_order_of_threads_changes_nothing(order: int) -> None:
    words = words_of(8, repeat=True, palette_bits=(5, 3), constants=[1])
    texture, other = GpuTexture(words, HostDevice()), GpuTexture(words, HostDevice(order=order))
    for mip in range(texture.mip_count):
        np.testing.assert_array_equal(texture.decode(mip), other.decode(mip))


def test_kernels_pass_the_sanitizers() -> None:
    assert run_sanitized("cuda_decode_cases", "run_sanitized_cases").strip() == "done"


# ---- Points ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filter", ["direct", "bilinear"])
@pytest.mark.parametrize(
    "options",
    [
        {"channels": 4, "repeat": True, "constants": [1]},
        {"channels": 5, "palette_bits": (3, 5), "size": (37, 64)},
        {"channels": 4, "top_k": 10},
        {"channels": 2, "constants": [0, 1]},
    ],
)
def test_points(options: dict, filter: str, device: Device) -> None:
    assert_points_match(words_of(**options), filter, device)


@pytest.mark.parametrize("filter", ["direct", "bilinear"])
def test_points_of_groups(filter: str, device: Device) -> None:
    assert_points_match(grouped_words(repeat=True), filter, device)
    assert_points_match(resident_part(grouped_words(tail=2)), filter, device)


def assert_points_match(words: np.ndarray, filter: str, device: Device) -> None:
    rng = np.random.default_rng(2)
    texture, levels = GpuTexture(words, device), decode.FileLevels(words, four_fetches=filter == "bilinear")
    uv, duv = points(rng, COUNT), steps(rng, COUNT)
    lod = rng.uniform(-1, texture.mip_count + 1, COUNT).astype(np.float32)
    lod[:20] = np.arange(20) % texture.mip_count
    wide = uv.astype(np.float64)
    arguments: dict
    for arguments in ({}, {"lod": lod}, {"duv": duv}):
        # Where the number of taps hangs by a rounding error there are two right answers.
        clear = clear_taps(duv, texture) if "duv" in arguments else np.ones(COUNT, bool)
        found = texture.sample(uv, **arguments, filter=filter)
        expected = decode.sample_at(levels, wide, **arguments)
        np.testing.assert_allclose(found[clear], expected[clear], rtol=0, atol=LIMIT, err_msg=str(list(arguments)))


def clear_taps(duv: np.ndarray, texture: GpuTexture) -> np.ndarray:
    """bool [M]: footprints that keep their taps when they grow or shrink by a rounding error."""
    around = [decode.footprints(duv * (1 + e), texture.width, texture.height)[1] for e in (-1e-5, 0, 1e-5)]
    clear = (around[0] == around[1]) & (around[1] == around[2])
    assert clear.mean() > 0.98
    return clear


def test_a_lod_for_all_and_the_filter_of_the_file(device: Device) -> None:
    words, uv = words_of(4, repeat=True, constants=[1]), points(np.random.default_rng(3), 50)
    texture = GpuTexture(words, device)
    assert validate(words).header.bilinear
    one, each = texture.sample(uv, 1.5), texture.sample(uv, np.full(50, 1.5), filter="bilinear")
    np.testing.assert_array_equal(one, each)
    assert (one != texture.sample(uv, 1.5, filter="direct")).any()
    assert texture.sample(np.zeros((0, 2))).shape == (0, 4)


def test_points_that_are_no_numbers_stay_inside(device: Device) -> None:
    texture = GpuTexture(words_of(4, repeat=True, constants=[1]), device)
    uv = np.array([(x, 0.3) for x in (np.nan, np.inf, -np.inf, 1e30, -1e-30)], np.float32)
    # An array that is on the device already: nobody looks at its numbers.
    values = texture.sample(uv, np.full(5, np.nan, np.float32), filter="direct")
    np.testing.assert_allclose(values[:3], texture.sample([[0, 0.3]] * 3, 0, filter="direct"), atol=LIMIT)
    assert ((values >= 0) & (values <= 1)).all()


# ---- Arrays and errors ----------------------------------------------------------------------------------------------


def test_tensors_come_back_as_tensors(device: Device) -> None:
    torch = pytest.importorskip("torch")
    texture = GpuTexture(words_of(4), device)
    uv = np.random.default_rng(4).random((30, 2))
    points_there = torch.tensor(uv, requires_grad=True)  # float64
    values = texture.sample(points_there, torch.full((30,), 0.7), filter="direct")
    assert isinstance(values, torch.Tensor) and values.dtype == torch.float32 and not values.requires_grad
    np.testing.assert_array_equal(values.numpy(), texture.sample(uv, 0.7, filter="direct"))
    out = torch.empty(texture.height, texture.width, 4)
    assert texture.decode(out=out) is out
    np.testing.assert_array_equal(out.numpy(), texture.decode())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"uv": [[0, 0, 0]]}, r"uv: got an array of shape \[1, 3\], expected numbers of shape \[M, 2\]"),
        ({"uv": [[0, np.nan]]}, "uv: got NaN or infinity"),
        ({"uv": [[0, 1e39]]}, "uv: got NaN or infinity"),
        ({"uv": [[0, 0]], "lod": [1, 2]}, r"lod: got an array of shape \[2\], expected numbers of shape \[1\]"),
        ({"uv": [[0, 0]], "duv": [1, 2]}, r"duv: got an array of shape \[2\], .* \[1, 2, 2\]"),
        ({"uv": [[0, 0]], "lod": 1, "duv": np.zeros((1, 2, 2))}, "lod and duv: got both"),
        ({"uv": [[0, 0]], "filter": "cubic"}, "filter: got 'cubic'"),
    ],
)
def test_arguments_that_are_refused(arguments: dict, message: str, device: Device) -> None:
    texture = GpuTexture(words_of(4), device)
    with pytest.raises(UsageError, match=message):
        texture.sample(arguments.pop("uv"), **arguments)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.empty((37, 53, 3), np.float32), r"out: got an array of shape \[37, 53, 3\], .* \[37, 53, 4\]"),
        (np.empty((37, 53, 4)), "out: got float64, expected contiguous float32"),
        (np.empty((37, 53, 8), np.float32)[:, :, ::2], "out: got float32 with gaps"),
        ([], "out: got list, expected an array or a tensor on "),
    ],
)
def test_outputs_that_are_refused(out: object, message: str, device: Device) -> None:
    texture = GpuTexture(words_of(4), device)
    with pytest.raises(UsageError, match=message):
        texture.decode(out=out)


def test_mips_and_words_that_are_refused(device: Device) -> None:
    words = words_of(4)
    with pytest.raises(UsageError, match=r"mip: got 6, this file holds 0\.\.5"):
        GpuTexture(words, device).decode(6)
    broken = words.copy()
    broken[validate(words).groups[0].header_offset + 3] += 1
    with pytest.raises(FormatError, match="candidates_max"):
        GpuTexture(broken, device)
