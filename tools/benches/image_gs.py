"""Image-GS as published, at the byte budget of gstex: the `compare-image-gs` table of `bench.py compare`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benches.ratios import Dot
from benchmarks.image_gs import fit_image_gs
from gstex import metrics
from gstex.json_types import JsonObject, JsonView
from gstex.material import Material

__all__ = ["COLUMNS", "FIT_SOURCES", "IMAGE_GS_SOURCES", "choose_rate", "image_gs_row", "table_row", "with_means"]

# Sources on which the fit depends, and sources on which the figures depend.
FIT_SOURCES = ("../benchmarks/image_gs.py", "../benchmarks/image_gs_torch.py")
IMAGE_GS_SOURCES = (*FIT_SOURCES, "filtering.py", "encode/loss.py", "metrics.py", "shading.py", "srgb.py")
COLUMNS = (
    "material", "bpp_asked", "gstex_bpp", "image_gs_bpp", "image_gs_bpp_lists", "image_gs_gaussians", "gstex_psnr",
    "image_gs_psnr", "psnr_gain", "gstex_shaded", "image_gs_shaded", "shaded_gain", "gstex_angle", "image_gs_angle",
    "angle_gain",
)  # fmt: skip
_GAINS = ("psnr_gain", "shaded_gain", "angle_gain")


def choose_rate(fits: dict[int, Dot], target: float) -> int | None:
    """The lowest rate at which gstex has this PSNR, else the highest rate. fits: dots by rate; None without any."""
    good = [rate for rate, dot in sorted(fits.items()) if dot.qualities["psnr"] >= target]
    return good[0] if good else max(fits, default=None)


def image_gs_row(
    material: Material, settings: JsonView, draw: Callable[[str], None]
) -> tuple[int, int, int, JsonObject]:
    """Fit and return (bytes, bytes with tile lists, number of Gaussians, Quality as JSON). settings: for
    fit_image_gs."""

    def report(step: int, steps: int, psnr: float) -> None:
        draw(f"Image-GS {step}/{steps}, {psnr:.1f} dB")

    fit = fit_image_gs(material, progress=report, **settings)
    quality = metrics.measure_quality(fit.stack, material, flip=False).to_json()
    return fit.bytes, fit.bytes_with_lists, fit.gaussians, quality


def table_row(
    texels: int, rate: float, ours: Dot, theirs: Dot, bytes_with_lists: int, gaussians: int
) -> JsonObject:
    """A row without its material. rate: the limit for both, in bits per texel."""
    row: JsonObject = {
        "bpp_asked": rate,
        "gstex_bpp": 8 * ours.bytes / texels,
        "image_gs_bpp": 8 * theirs.bytes / texels,
        "image_gs_bpp_lists": 8 * bytes_with_lists / texels,
        "image_gs_gaussians": gaussians,
    }
    for criterion in ("psnr", "shaded", "angle"):
        if criterion in ours.qualities and criterion in theirs.qualities:
            values = ours.qualities[criterion], theirs.qualities[criterion]
            for name, value in zip(("gstex", "image_gs"), values, strict=True):
                row[f"{name}_{criterion}"] = 10 ** (-value / 20) if criterion == "angle" else value
            row[f"{criterion}_gain"] = values[0] - values[1]
    return row


def with_means(rows: Sequence[JsonView]) -> list[JsonView]:
    """The rows, and one more with the means of the gains."""
    means = {}
    for name in _GAINS:
        if values := [row[name] for row in rows if name in row]:
            means[name] = sum(values) / len(values)
    return [*rows, {"material": "mean", **means}] if rows else []
