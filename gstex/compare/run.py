"""compare(): measure a material as a .gstex file, at other rates, and in block codecs, all in the same way."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import gstex
from gstex import metrics
from gstex.arrays import F32Array
from gstex.compare.advice import FAMILIES, advise
from gstex.compare.baselines import Baselines, Work, encode_baselines
from gstex.compare.cache import Cache
from gstex.compare.codecs import CODECS, choose_codecs
from gstex.compare.course import COARSE, DECODE, ENCODE, FLIP, MEASURE, PAGE, Course, Step, fit_name
from gstex.compare.encoding import zip_bytes
from gstex.compare.hull import Option, lower_hull, thin_out
from gstex.compare.judgement import judge, kept_detail
from gstex.compare.match import check_match
from gstex.compare.measuring import Task, measure_qualities
from gstex.compare.result import Comparison, Point
from gstex.compare.stored import Stored, assemble
from gstex.encode.settings import QUALITIES
from gstex.errors import BudgetError, UsageError
from gstex.material import Material, load_material
from gstex.texture import Texture

__all__ = ["DEFAULT_CODECS", "Step", "compare", "gpu_section"]

# From ASTC, the square blocks. The other eight would double the time and make the best mix 2-3 % smaller.
DEFAULT_CODECS = ("bc1", "bc7", "astc-4x4", "astc-5x5", "astc-6x6", "astc-8x8", "astc-10x10", "astc-12x12")
_CURVE = (0.5, 1.0, 2.0)  # multiples of the default rate
_MAX_RATE = 64.0
_NO_FLIP = "FLIP is measured for the points with pictures only"


@dataclass
class _Draft:
    """A point before it is measured. texture or parts: the source of its stack. usual: it is a usual stack. corner: it
    is a corner of its family's hull. shown: the result has a picture of it."""

    family: str
    label: str
    bytes: int
    zstd_bytes: int
    texture: Texture | None = None
    parts: tuple[Stored, ...] = ()
    usual: bool = False
    corner: bool = False
    shown: bool = False
    quality: metrics.Quality | None = None
    decoded: F32Array | None = None

    def stack(self, material: Material) -> F32Array:
        """What it decodes to. It is decoded once and kept."""
        if self.decoded is None:
            self.decoded = self.texture.decode() if self.texture else assemble(self.parts, material)
        return self.decoded


def compare(
    source: str | Path | Material,
    file: str | Path | Texture | None = None,
    *,
    codecs: Sequence[str] = DEFAULT_CODECS,
    rates: Sequence[float] | None = None,
    effort: str = "normal",
    exhaustive: bool = False,
    maps: Sequence[str] = (),
    processes: int | None = None,
    cache: Cache | None = None,
    page: bool = False,
    progress: Callable[[Step], None] = lambda step: None,
) -> Comparison:
    """Compare gstex with block codecs on one material.

    Args:
        source: a folder of maps, one image, or a Material.
        file: a .gstex file made from it; None compresses it.
        codecs: see `codecs.choose_codecs`.
        rates: bits per texel at which to compress as well, for a curve. Without `file`, the middle one is compared;
            None then takes half, once and twice the rate of `gstex compress`.
        effort: of these fits, see `gstex.compress`.
        exhaustive: astcenc's slowest setting instead of 'thorough'.
        maps: overrides, see `gstex.material.load_material`.
        processes: for the encoders, None for one per core; see `pool.run_all`.
        cache: where encoded images are kept; None for the user's cache folder.
        page: whether `write_report` follows, whose time the progress then includes.
        progress: called from time to time.

    Returns:
        All points measured, best mixes included, pictures of a few, advice.

    Raises:
        MismatchError: `file` was not made from `source`. ExtraError: no encoder is installed. UsageError: an
        unknown codec, or rates out of range.
    """
    chosen, notes = choose_codecs(codecs)
    for rate in rates or ():
        if not 0 < rate <= _MAX_RATE:
            raise UsageError(f"rates: got {rate:g}, expected numbers above 0 and up to {_MAX_RATE:g}")
    material = source if isinstance(source, Material) else load_material(source, overrides=maps)
    texture = decoded = None
    if file is not None:
        texture = file if isinstance(file, Texture) else gstex.load(file)
        decoded = check_match(texture, material, "the texture" if isinstance(file, Texture) else str(file))
        material = replace(material, wrap=texture.wrap)
    outlook: list[tuple[float, float]] = []
    outlooks = _outlook_rates(texture) if texture is not None and not rates else []
    usual = QUALITIES["normal"] * max(1, sum(c.constant is None for c in material.channels))
    fit_rates = sorted(rates or ()) if rates or texture is not None else [factor * usual for factor in _CURVE]
    work, cache = Work.of(material, chosen, exhaustive=exhaustive), cache or Cache()
    course = Course(material, [*((rate, "draft") for rate in outlooks), *((rate, effort) for rate in fit_rates)], work,
                    processes=processes, cache=cache, page=page, progress=progress)  # fmt: skip
    work.encode_coarse(processes=processes, cache=cache, progress=lambda *at: course.tell(COARSE, *at))
    if texture is not None and outlooks:
        outlook = _draft_curve(material, texture, outlooks, course)
    curve: list[Texture] = []
    for rate in fit_rates:
        # The smallest of the default rates is left out if it is too small for a single Gaussian.
        with contextlib.suppress(*((BudgetError,) if not rates and rate < usual else ())):
            curve.append(_fit(material, rate, effort, course))
    if texture is None:
        texture = curve[len(curve) // 2] if rates else curve[-2]
    baselines = encode_baselines(
        material, chosen, exhaustive=exhaustive, processes=processes, cache=cache, work=work,
        progress=lambda what, done, all: course.tell({"encode": ENCODE, "decode": DECODE}[what], done, all),
    )  # fmt: skip

    drafts = [_gstex_draft(t) for t in (curve if texture in curve else [*curve, texture])]
    file_draft = next(d for d in drafts if d.texture is texture)
    file_draft.decoded = decoded
    drafts += _codec_drafts(baselines)
    drafts.sort(key=lambda d: d.bytes)
    _choose_shown(drafts, file_draft)
    course.points(len(drafts), sum(draft.shown for draft in drafts))
    _measure(drafts, material, processes, course)

    points = [_point(d, material) for d in drafts]
    of_file = points[drafts.index(file_draft)]
    measured = [(p.bpp, p.quality["psnr"]) for p in points if p.family == "gstex" and p.quality["psnr"] is not None]
    judged = judge(kept_detail(file_draft.stack(material), material), of_file.quality, of_file.bpp, outlook or measured,
                   drafted=bool(outlook))  # fmt: skip
    if page:
        course.tell(PAGE, 0, 1)
    return Comparison(
        material=material.to_metadata(),
        points=tuple(points),
        hulls=_hulls(drafts),
        file=drafts.index(file_draft),
        pictures={i: d.stack(material) for i, d in enumerate(drafts) if d.shown},
        original=material.pixels,
        advice=(*judged, *advise(of_file, baselines.hulls, material)),
        notes=tuple(notes),
        file_sizes={name: texture.report.get(name) for name in ("mip_0_bytes", "gpu_bytes", "file_bytes")},
    )


def gpu_section(texture: Texture) -> bytes:
    """The words that a decoder reads for mip 0, as bytes: the headers, and mip 0 with its tables, index and records."""
    return texture.mip_0_words().astype("<u4", copy=False).tobytes()


def _fit(material: Material, rate: float, effort: str, course: Course) -> Texture:
    course.tell(fit_name(rate), 0, 1)
    return gstex.compress(material, bpp=rate, effort=effort,
                          progress=lambda now: course.tell(fit_name(rate), now.step, now.steps, now.psnr))  # fmt: skip


def _outlook_rates(texture: Texture) -> list[float]:
    """Bits per texel of the quick fits that estimate what more bits would bring; empty if the file does not state its
    figures or the rate would be too high."""
    bpp, psnr = texture.report.get("bpp"), texture.report.get("psnr")
    if not isinstance(bpp, int | float) or not isinstance(psnr, int | float) or 2 * bpp > _MAX_RATE:
        return []
    return [bpp, 2 * bpp]


def _draft_curve(
    material: Material, texture: Texture, rates: Sequence[float], course: Course
) -> list[tuple[float, float]]:  # fmt: skip
    """(bits per texel, PSNR) of the file and an estimate for twice its rate. Fits at effort draft have a lower PSNR,
    but they gain about as much from twice the rate."""
    bpp, psnr = rates[0], texture.report["psnr"]
    try:
        low, high = (_fit(material, rate, "draft", course).report for rate in rates)
    except BudgetError:
        return []
    if low["psnr"] is None or high["psnr"] is None or high["bpp"] <= low["bpp"]:
        return []
    gained = (high["psnr"] - low["psnr"]) / np.log2(high["bpp"] / low["bpp"])
    return [(bpp, psnr), (2 * bpp, psnr + float(gained))]


def _gstex_draft(texture: Texture) -> _Draft:
    data = gpu_section(texture)
    bpp = 8 * len(data) / (texture.width * texture.height)
    return _Draft("gstex", f"gstex {bpp:.2f} bpp", len(data), len(zip_bytes(data)), texture=texture)


def _codec_drafts(baselines: Baselines) -> list[_Draft]:
    """Drafts of the usual stacks and of the best mixes, which are the corners of the thinned-out hulls."""
    drafts = [_codec_draft(c.family, c.label, c.option, usual=True) for c in baselines.usual]
    for family, hull in baselines.hulls.items():
        known = {d.parts: d for d in drafts}
        for option in thin_out(hull):
            draft = known.get(tuple(option.choice.values()))
            if draft is None:
                draft = _codec_draft(family, _mix_label(family, option), option)
                drafts.append(draft)
            draft.corner = True
    return drafts


def _mix_label(family: str, option: Option) -> str:
    """'ASTC mix: albedo 8x8, normal 6x6, ao+roughness 12x12 at 1/2'."""
    parts = []
    for image, stored in option.choice.items():
        name = CODECS[stored.codec].label.removeprefix(f"{FAMILIES[family]} ")
        parts.append(f"{image} {name}" + (f" at 1/{stored.scale}" if stored.scale > 1 else ""))
    return f"{FAMILIES[family]} mix: {', '.join(parts)}"


def _codec_draft(family: str, label: str, option: Option, *, usual: bool = False) -> _Draft:
    parts = tuple(option.choice.values())
    return _Draft(family, label, option.bytes, sum(len(p.zipped) for p in parts), parts=parts, usual=usual)


def _choose_shown(drafts: Sequence[_Draft], file_draft: _Draft) -> None:
    """Choose the drafts with pictures: the file; of each family the smallest best mix that has at least the file's
    bytes, or else the largest; and two usual stacks, for BC the smallest and the largest, for ASTC the smallest and a
    middle one. drafts: sorted by bytes."""
    file_draft.shown = True
    for family in FAMILIES:
        mine = [d for d in drafts if d.family == family]
        usual = [d for d in mine if d.usual]
        if corners := [d for d in mine if d.corner]:
            next((d for d in corners if d.bytes >= file_draft.bytes), corners[-1]).shown = True
        for draft in (usual[0], usual[-1 if family == "bc" else len(usual) // 2]) if usual else ():
            draft.shown = True


def _measure(
    drafts: Sequence[_Draft], material: Material, processes: int | None, course: Course
) -> None:
    """Fill in the quality of every draft."""
    done, work = 0, sum(1 + FLIP * draft.shown for draft in drafts)

    def keep(draft: _Draft, quality: metrics.Quality) -> None:
        nonlocal done
        done += 1 + FLIP * draft.shown
        if not draft.shown:
            quality = replace(quality, notes=(*quality.notes, _NO_FLIP))
        draft.quality = quality
        course.tell(MEASURE, done, work)

    course.tell(MEASURE, 0, work)
    tasks = [_task(draft, material) for draft in drafts]
    for number, quality in measure_qualities(tasks, material, processes=processes):
        keep(drafts[number], quality)


def _task(draft: _Draft, material: Material) -> Task:
    """The task for a process: images, which the process decodes, or a stack, which is decoded here."""
    if draft.parts:
        return Task(parts=draft.parts, flip=draft.shown)
    sampled = draft.texture.sample(metrics.sample_points()) if draft.texture else None
    return Task(stack=draft.stack(material), sampled=sampled, flip=draft.shown)


def _point(draft: _Draft, material: Material) -> Point:
    assert draft.quality
    choice = {p.image: {"codec": p.codec, "scale": p.scale, "bytes": p.bytes} for p in draft.parts}
    bpp = 8 * draft.bytes / (material.width * material.height)
    return Point(draft.family, draft.label, draft.bytes, draft.zstd_bytes, bpp, choice, draft.quality.to_json())


def _hulls(drafts: Sequence[_Draft]) -> dict[str, list[int]]:
    """By family, the indices of the drafts on its hull. The corners of the codecs are known already."""
    codec_hulls = {family: [i for i, d in enumerate(drafts) if d.family == family and d.corner] for family in FAMILIES}
    gstex_options = [
        Option(d.bytes, 10 ** (-d.quality.psnr / 10) if d.quality and d.quality.psnr is not None else 0.0, {"": i})
        for i, d in enumerate(drafts) if d.texture
    ]  # fmt: skip
    by_family = {"gstex": [o.choice[""] for o in lower_hull(gstex_options)], **codec_hulls}
    return {family: numbers for family, numbers in by_family.items() if numbers}
