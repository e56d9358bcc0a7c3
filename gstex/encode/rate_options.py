"""The options that decide the size of a file and the weights of maps: their checks, and the report on a target.

One of these decides: bits per texel, a number of Gaussians, a quality, a PSNR, or the PSNR of a block codec.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Context

import numpy as np

from gstex.encode.target import SHORT
from gstex.errors import UsageError
from gstex.format import ChannelEntry, group_header_words, header_words
from gstex.format.layout import ALIGN_WORDS, index_words, mip_block_words
from gstex.json_types import JsonObject, JsonView
from gstex.material import Material

__all__ = [
    "MAX_BPP", "MAX_GAUSSIANS", "MAX_PSNR", "MOST_RATE", "check_rate", "check_roles", "least_words", "needed_bpp",
    "target_report",
]  # fmt: skip

MAX_BPP = 64.0
MAX_GAUSSIANS = 2**24
MAX_PSNR = 100.0  # dB
# Bits per texel and varying channel that a target may take where the user sets no limit: 8 times those of quality
# 'high', and a quarter of 8-bit texels.
MOST_RATE = 2.0
# Bits of the record of a single Gaussian, about: those of its geometry, and those of each channel.
_GEOMETRY_BITS, _CHANNEL_BITS = 32, 4
# Least and largest weight of a map.
LEAST_WEIGHT, MOST_WEIGHT = 0.05, 20.0


def check_rate(
    *, bpp: float | None = None, gaussians: int | None = None, quality: str | None = None, psnr: float | None = None,
    match: str | None = None, max_bpp: float | None = None, weights: Mapping[str, float] | None = None,
    loss: str = "l2",
) -> None:  # fmt: skip
    """Refuse options that `compress` accepts for no input.

    Raises:
        UsageError: a number is out of range, or options contradict each other.
    """
    if bpp is not None and gaussians is not None:
        raise UsageError("bpp and gaussians: got both, expected one of them; drop one")
    for name, goal in (("psnr", psnr), ("match", match)):
        others: dict[str, float | str | None] = {"bpp": bpp, "gaussians": gaussians, "quality": quality}
        if name == "psnr":
            others["match"] = match
        for other, value in others.items():
            if goal is not None and value is not None:
                raise UsageError(f"{name} and {other}: got both, expected one of them; drop one")
        if goal is not None and loss == "restore":
            raise UsageError(f"{name} and loss: a restored picture is not meant to come near to its input; "
                             f"drop {name}, or take another loss")  # fmt: skip
    for name, rate in (("bpp", bpp), ("max_bpp", max_bpp)):
        if rate is not None and not 0 < rate <= MAX_BPP:
            raise UsageError(f"{name}: got {rate:g}, expected a number above 0 and up to {MAX_BPP:g}")
    if max_bpp is not None and psnr is None and match is None:
        raise UsageError("max_bpp: got it alone, expected psnr or match with it; give one of them, or bpp")
    if gaussians is not None and not 1 <= gaussians <= MAX_GAUSSIANS:
        raise UsageError(f"gaussians: got {gaussians}, expected 1..{MAX_GAUSSIANS}")
    if match is not None:
        from gstex.compare.codec_quality import check_match_name  # gstex.compare stands above gstex.encode

        check_match_name(match)
    if psnr is not None and not 0 < psnr <= MAX_PSNR:
        raise UsageError(f"psnr: got {psnr:g}, expected dB above 0 and up to {MAX_PSNR:g}")
    for role, weight in (weights or {}).items():
        if not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
            raise UsageError(
                f"weights: got {weight:g} for {role}, expected a number in {LEAST_WEIGHT:g}..{MOST_WEIGHT:g}"
            )


def check_roles(weights: Mapping[str, float], material: Material) -> dict[str, float]:
    """Check that the maps of the weights exist, and return the weights.

    Raises:
        UsageError: there is no such map.
    """
    roles = list(dict.fromkeys(channel.role for channel in material.channels))
    for role in weights:
        if role not in roles:
            raise UsageError(f"weights: got {role!r}, expected some of {', '.join(roles)}, the maps of this material")
    return {role: float(weight) for role, weight in weights.items()}


def least_words(entries: Sequence[ChannelEntry], members: int, mips: int, tail: int) -> int:
    """Words that the headers and a mip 0 of one Gaussian take, in one group.

    Args:
        entries: of all channels. members: how many of them vary. mips, tail: of the texture.
    """
    record = -(-(_GEOMETRY_BITS + _CHANNEL_BITS * members) // 32)
    heads = header_words(entries, 1) + group_header_words(members, mips, tail)
    return heads + mip_block_words(members, 1) + index_words(3, 3, np.zeros(9, np.int64)) + record


def needed_bpp(words: int, texels: int, *, whole_pieces: bool) -> float:
    """Bits per texel that pay for words, rounded up to four digits.

    whole_pieces: whether mip 0 is alone in its section, which grows in pieces and ends with a guard word.
    """
    if whole_pieces:
        words = -(-(words + 1) // ALIGN_WORDS) * ALIGN_WORDS
    return float(Context(prec=4, rounding=ROUND_CEILING).create_decimal_from_float(32 * words / texels))


def target_report(report: JsonView, psnr: float, match: str | None, max_bpp: float | None) -> JsonObject:
    """Whether a target is reached.

    Args:
        report: of the texture. psnr: the target in dB. match, max_bpp: as they were asked for.

    Returns:
        'psnr', 'reached' and, if it is not, 'note', a line for people; 'match' if there is one.
    """
    fit_psnr = report["psnr"]
    about: JsonObject = {"psnr": psnr, "reached": fit_psnr is None or fit_psnr >= psnr - SHORT}
    if match is not None:
        about["match"] = match
    if not about["reached"]:
        bound = "--max-bpp allows no more" if max_bpp else "--max-bpp may allow more"
        about["note"] = (f"{psnr:.2f} dB are out of reach: {fit_psnr:.2f} dB at {report['bpp']:.3f} bits per texel is "
                         f"the best that was found; {bound}")  # fmt: skip
    return about
