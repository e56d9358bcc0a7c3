"""The block codecs: sizes, padding, channels, our own BC4, what happens without an encoder."""

import hashlib

import numpy as np
import pytest
from same_bits import each_instruction_set, each_thread_count

from gstex.compare import codecs
from gstex.compare.bc4 import decode_bc4, encode_bc4
from gstex.compare.codecs import CODECS, choose_codecs, decode, encode
from gstex.errors import ExtraError, UsageError

# Every codec with every number of channels; but those of ASTC differ in the size of the block alone, so that one of
# them has all numbers and each of the others one.
ASTC = [name for name in CODECS if name.startswith("astc")]
EVERY = [(name, channels) for name, codec in CODECS.items() if name not in ASTC[1:] for channels in codec.channels]
EVERY += [(name, 1 + number % 4) for number, name in enumerate(ASTC[1:])]


@pytest.fixture(autouse=True)
def encoders(request):
    """Skip what needs an optional encoder that is not here."""
    name = getattr(request.node, "callspec", None) and request.node.callspec.params.get("name")
    if name and CODECS[name] not in choose_codecs([CODECS[name].family])[0]:
        pytest.skip(f"no encoder for {name} is installed (extra 'compare')")


def picture(height, width, channels, seed=0):
    """Smooth, different in every channel, uint8."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        127 + 60 * np.sin(x / (7.0 + c) + c) + 50 * np.cos(y / (5.0 + 2 * c) + seed) for c in range(channels)
    ]
    return np.round(np.stack(planes, axis=2)).astype(np.uint8)


def psnr(a, b):
    error = ((a.astype(np.float64) - b.astype(np.float64) / 255) ** 2).mean()
    return 10 * np.log10(1 / error) if error else np.inf


@pytest.mark.parametrize("name, channels", EVERY)
def test_every_codec_keeps_a_smooth_picture(name, channels):
    codec, image = CODECS[name], picture(32, 24, channels)
    data = encode(codec, image)
    assert len(data) == codec.size(32, 24)
    result = decode(codec, data, 32, 24, channels)
    assert result.shape == image.shape and result.dtype == np.float32
    least = 22 if name == "bc1" or codec.block[0] >= 8 else 28
    assert all(psnr(result[..., c], image[..., c]) > least for c in range(channels))


@pytest.mark.parametrize("name, channels, height, width", [
    ("bc1", 3, 1, 1), ("bc1", 3, 3, 13), ("bc3", 4, 13, 3), ("bc4", 1, 1, 1), ("bc4", 1, 13, 3), ("bc5", 2, 3, 13),
    ("bc7", 3, 1, 1), ("bc7", 3, 13, 3), ("astc-5x4", 2, 3, 13), ("astc-5x4", 2, 13, 3), ("astc-12x10", 4, 1, 1),
    ("astc-12x10", 4, 3, 13),
])
def test_sizes_that_are_no_multiple_of_the_block(name, channels, height, width):
    codec, image = CODECS[name], picture(height, width, channels)
    across, down = -(-width // codec.block[0]), -(-height // codec.block[1])
    data = encode(codec, image)
    assert len(data) == codec.size(height, width) == across * down * codec.block_bytes
    assert psnr(decode(codec, data, height, width, channels), image) > 20


@pytest.mark.parametrize("name, channels", [("bc1", 3), ("bc3", 4), ("bc4", 1), ("bc5", 2), ("bc7", 3),
                                            ("astc-6x5", 3)])
def test_padding_repeats_the_last_row_and_column(name, channels):
    codec, image = CODECS[name], picture(7, 9, channels)
    across, down = -(-9 // codec.block[0]) * codec.block[0], -(-7 // codec.block[1]) * codec.block[1]
    padded = np.pad(image, [(0, down - 7), (0, across - 9), (0, 0)], mode="edge")
    assert encode(codec, image) == encode(codec, padded)


def test_bits_a_texel():
    bits = {name: codec.size(480, 480) * 8 / 480**2 for name, codec in CODECS.items()}
    assert [bits[name] for name in ("bc1", "bc3", "bc4", "bc5", "bc7")] == [4, 8, 4, 8, 8]
    assert bits["astc-4x4"] == 8 and bits["astc-8x8"] == 2 and bits["astc-12x12"] == pytest.approx(128 / 144)
    assert len([name for name in CODECS if name.startswith("astc")]) == 14
    assert CODECS["bc7"].label == "BC7" and CODECS["astc-10x8"].label == "ASTC 10x8"


@pytest.mark.parametrize("name", ["bc7"])
def test_bc7_takes_the_better_block_of_two_encoders(name, monkeypatch):
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    image = np.where(np.arange(32)[:, None, None] < 16, noise, picture(32, 32, 3))
    both = psnr(decode(CODECS[name], encode(CODECS[name], image), 32, 32, 3), image)
    for alone in ("ispc_texcomp", "etcpak"):
        with monkeypatch.context() as patch:
            patch.setattr(codecs, "is_installed", lambda p, alone=alone: p == alone)
            one = psnr(decode(CODECS[name], encode(CODECS[name], image), 32, 32, 3), image)
        assert one < both


@pytest.mark.parametrize("name", ["astc-6x6"])
def test_alpha_weights_spend_less_on_colour_that_is_hardly_seen(name):
    image = picture(36, 36, 4)
    image[:, :, :3] = np.random.default_rng(0).integers(0, 256, (36, 36, 3))
    image[:, :, 3] = 5 + np.arange(36) % 7

    def kept(alpha_weighted):
        result = decode(CODECS[name], encode(CODECS[name], image, alpha_weighted=alpha_weighted), 36, 36, 4)
        return psnr(result[..., 3], image[..., 3]), psnr(result[..., :3], image[..., :3])

    (alpha, color), (alpha_weighted, color_weighted) = kept(False), kept(True)
    assert alpha_weighted > alpha + 3 and color_weighted < color


def brute_force(values):
    """Least squared error of 16 values over all pairs of endpoints of a BC4 block."""
    a, b = np.meshgrid(np.arange(256.0), np.arange(256.0), indexing="ij")
    seven = np.stack([((7 - i) * a + i * b) / 7 for i in range(8)])
    five = np.stack([((5 - i) * a + i * b) / 5 for i in range(6)] + [np.zeros_like(a), np.full_like(a, 255)])
    least = np.inf
    for palette, allowed in ((seven, a > b), (five, a <= b)):
        error = sum(((palette - v) ** 2).min(axis=0) for v in values)
        least = min(least, error[allowed].min())
    return least


def test_bc4_finds_nearly_the_best_endpoints():
    rng = np.random.default_rng(5)
    blocks = [
        rng.integers(0, 256, 16),  # noise
        rng.choice([66, 100, 160, 213], 16) + rng.integers(0, 4, 16),  # clusters
        rng.choice([0, 0, 128, 131, 255], 16),  # extremes
        np.clip(rng.normal(120, 6, 16), 0, 255),
        100 + np.arange(16) * 3,
        np.r_[np.full(15, 40), 200],
    ]
    for values in blocks:
        image = np.asarray(values, np.uint8).reshape(4, 4)
        decoded = decode_bc4(encode_bc4(image), 4, 4).astype(np.float64) * 255
        error, best = ((decoded - image) ** 2).sum(), brute_force(image.ravel().astype(float))
        assert best - 1e-3 <= error < best * 1.02 + 0.1


@pytest.mark.parametrize("values", [(7, 7), (0, 255), (0, 1), (254, 255)])
def test_bc4_blocks_of_two_values_are_exact(values):
    image = np.resize(np.array(values, np.uint8), (8, 4))
    assert np.array_equal(np.round(decode_bc4(encode_bc4(image), 8, 4) * 255), image)


def test_bc4_blocks_are_the_same_bytes_everywhere():
    """Pinned, because of equally good endpoints rounding chooses: noise, few values, ends of the range, a slope."""
    rng = np.random.default_rng(7)
    image = np.concatenate([
        rng.integers(0, 256, (32, 64)), rng.choice([66, 100, 160, 213], (32, 64)) + rng.integers(0, 4, (32, 64)),
        rng.choice([0, 0, 128, 131, 255], (32, 64)), np.arange(64) * 3 + rng.integers(0, 9, (32, 64)),
    ]).astype(np.uint8)  # fmt: skip
    found = {
        hashlib.sha256(encode_bc4(image).tobytes()).hexdigest()
        for _ in each_instruction_set() for _ in each_thread_count(1, 3)
    }  # fmt: skip
    assert found == {"efea5797113d29e87c841fbca729158f8e249082e871a9b365d24aee71cbbfe6"}


def test_bc4_is_what_other_decoders_read():
    """texture2ddecoder rounds the values between the endpoints down."""
    texture2ddecoder = pytest.importorskip("texture2ddecoder")
    image = picture(16, 12, 1)
    blocks = encode_bc4(image[:, :, 0])
    bgra = np.frombuffer(texture2ddecoder.decode_bc4(blocks.tobytes(), 12, 16), np.uint8).reshape(16, 12, 4)
    theirs = bgra[:, :, 2].astype(int)
    ours = decode_bc4(blocks, 16, 12) * 255
    assert (np.abs(np.floor(ours + 1e-3) - theirs) < 1e-3).all()


def test_names_of_codecs():
    chosen, notes = choose_codecs(["bc7", "astc-6x6"])
    assert [c.name for c in chosen if c.family == "bc"] == ["bc4", "bc5", "bc7"] or notes
    with pytest.raises(UsageError, match=r"codecs: got 'bc9', expected some of bc1, bc7, bc, astc, astc-4x4"):
        choose_codecs(["bc9"])


def test_missing_encoders_leave_the_rest(monkeypatch):
    monkeypatch.setattr(codecs, "is_installed", lambda package: package not in ("quicktex", "ispc_texcomp"))
    chosen, notes = choose_codecs(["bc", "astc-8x8"])
    assert [c.name for c in chosen] == ["bc4", "bc5", "bc7", "astc-8x8"]
    assert notes == [
        "quicktex is not installed: BC1, BC3 left out; pip install gstex[compare]",
        "ispc_texcomp is not installed: BC7 is encoded by the other encoder alone, up to 0.7 dB worse; "
        "pip install gstex[compare]",
    ]
    with pytest.raises(ExtraError, match=r"no encoder is installed for BC1, BC3: pip install gstex\[compare\]"):
        choose_codecs(["bc1"])
    monkeypatch.setattr(codecs, "is_installed", lambda package: package != "texture2ddecoder")
    with pytest.raises(ExtraError, match=r"needs texture2ddecoder: pip install gstex\[compare\]"):
        choose_codecs(["bc7"])
