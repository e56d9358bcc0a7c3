"""Plain sentences that say what a comparison means for a person who ships the material."""

from collections.abc import Sequence

import numpy as np

from gstex import metrics
from gstex.compare.hull import Option, bytes_for
from gstex.compare.result import Point
from gstex.compare.stored import count_texels, mse_by_role
from gstex.material import Material

__all__ = ["FAMILIES", "advise"]

FAMILIES = {"astc": "ASTC", "bc": "BC"}  # family -> its name in sentences
_LEVEL = 1.1  # ratio of bytes up to which both count as level, because a hardware format is worth more
_NOTED = 0.5  # dB by which one side has to be better for a map to be named


def advise(file: Point, hulls: dict[str, list[Option]], material: Material) -> tuple[str, ...]:
    """Sentences, the most important first.

    Args:
        file: the point of the .gstex file.
        hulls: by family of codecs, all corners of its hull; Option.choice is {image: Stored}.
    """
    psnr = file.quality["psnr"]
    if psnr is None:
        return (f"gstex keeps this material exactly, in {file.bpp:.2f} bits per texel.",)
    error = sum(count_texels(material).values()) * 10 ** (-psnr / 10)
    texels = material.width * material.height
    hulls = {family: hulls[family] for family in FAMILIES if family in hulls}
    needed = {family: bytes_for(hull, error) for family, hull in hulls.items()}
    parts = [f"gstex {file.bpp:.2f} bits per texel"]
    for family, count in needed.items():
        name = FAMILIES[family]
        if count is None:
            parts.append(f"no mix of {name} gets there")
        elif error >= hulls[family][0].error:
            parts.append(f"{name} at most {8 * count / texels:.2f}, its smallest mix")
        else:
            parts.append(f"{name} {8 * count / texels:.2f}")
    sentences = [f"For this material at {psnr:.1f} dB: {', '.join(parts)}."]
    sentences += [_verdict(FAMILIES[family], count, file.bytes) for family, count in needed.items()]
    for family, hull in hulls.items():
        sentences += _by_map(FAMILIES[family], hull, file, material)
    return tuple(sentences)


def _verdict(name: str, needed: float | None, file_bytes: int) -> str:
    if needed is None:
        return f"Against {name}: gstex; no mix of block sizes and resolutions reaches its quality."
    ratio = needed / file_bytes
    if ratio < 1 / _LEVEL:
        return (f"Against {name}: {name} is the better choice here, with {100 * ratio:.0f} % of the bytes of gstex "
                "at the same PSNR.")  # fmt: skip
    if ratio < _LEVEL:
        return (f"Against {name}: level at the same PSNR; {name} is the better choice where the GPU has it, because "
                "hardware decodes it.")  # fmt: skip
    return f"Against {name}: gstex is smaller, {name} needs {ratio:.1f} times its bytes for the same PSNR."


def _by_map(name: str, hull: Sequence[Option], file: Point, material: Material) -> list[str]:
    """Sentences on the maps that the best mix with the same bytes keeps better than the file, or worse."""
    if not hull[0].bytes <= file.bytes <= hull[-1].bytes:
        return []
    theirs = _psnr_by_role(hull, file.bytes, material)
    ours = {role: np.inf if value is None else value for role, value in file.quality["psnr_by_map"].items()}
    gain = {role: value - ours[role] for role, value in theirs.items() if np.isfinite(value) or np.isfinite(ours[role])}
    better = _listed({role: value for role, value in gain.items() if value >= _NOTED})
    worse = _listed({role: -value for role, value in gain.items() if value <= -_NOTED})
    sentences = []
    if better:
        sentences.append(f"{name} keeps {better} better at the same bytes.")
    if worse:
        sentences.append(f"gstex keeps {worse} better than {name} at the same bytes.")
    return sentences


def _listed(gains: dict[str, float]) -> str:
    """'roughness (+1.3 dB) and ao (+0.6 dB)', the largest first."""
    rows = [f"{role} ({'exactly' if np.isinf(gain) else f'+{gain:.1f} dB'})"
            for role, gain in sorted(gains.items(), key=lambda item: -item[1])]  # fmt: skip
    return " and ".join([", ".join(rows[:-1]), rows[-1]] if len(rows) > 1 else rows)


def _psnr_by_role(hull: Sequence[Option], byte_count: int, material: Material) -> dict[str, float]:
    """PSNR of each role at this number of bytes, with squared errors interpolated between the corners of the hull."""
    sizes, corners = [option.bytes for option in hull], [mse_by_role(option, material) for option in hull]
    errors = {role: float(np.interp(byte_count, sizes, [c[role] for c in corners])) for role in corners[0]}
    return {role: metrics.to_psnr(error) for role, error in errors.items()}
