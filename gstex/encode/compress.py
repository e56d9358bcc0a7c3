"""compress(): from a folder of maps to a Texture, with everything measured on the words that are stored."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gstex import metrics
from gstex.arrays import AnyArray
from gstex.cuda.device import Device, has_driver, open_device
from gstex.encode.checkpoint import Checkpoint, key_of
from gstex.encode.cutouts import COVERAGE_ROUNDS, Cutout, opacity_index
from gstex.encode.division import Division, split_budget
from gstex.encode.draft import DraftSchedule
from gstex.encode.group_fits import fit_groups, on_device
from gstex.encode.groups import check_groups
from gstex.encode.measure import DRAFT_SIDE, SIDE, measure, own_errors
from gstex.encode.mip_chain import TEXELS_SHARE
from gstex.encode.ops.cuda.array_work import array_work
from gstex.encode.ops.cuda.sources import sources_of_fit
from gstex.encode.packing import FittedGroup, channel_entries, pack_groups
from gstex.encode.plan import is_high_rate, make_plan
from gstex.encode.problem import BudgetTooSmall, Result, Task
from gstex.encode.rate_options import (
    MAX_BPP,
    MAX_PSNR,
    MOST_RATE,
    check_rate,
    check_roles,
    least_words,
    needed_bpp,
    target_report,
)
from gstex.encode.schedule import Schedule
from gstex.encode.settings import EFFORTS, QUALITIES, for_sampling, make_settings, rate_of
from gstex.encode.shared_mips import SHARED_MIPS
from gstex.encode.small import as_texels, suits_texels
from gstex.encode.target import Goal, fit_to_goal
from gstex.encode.tasks import channels_of, tasks_of, varying_channels
from gstex.errors import BudgetError, DeviceError, UsageError
from gstex.format import group_header_words, header_words
from gstex.format.description import brief_fit, brief_material, brief_report
from gstex.format.layout import ALIGN_WORDS, MAX_MIPS
from gstex.json_types import JsonObject
from gstex.material import Material, load_material
from gstex.material.halve import FILTERS
from gstex.material.importance import AUTO, Importance, load_importance
from gstex.material.mips import MipLevel, make_mips
from gstex.material.saliency import estimate_saliency
from gstex.texture import Texture
from gstex.version import __version__

# The least size that `quality` gives: 64x64 texels get 1 bit each, at whatever quality.
LEAST_BYTES = 512
# The first mip of the tail, if mip 0 takes at least so many bytes; in a smaller file its padding costs too much.
TAIL, LEAST_TAILED = 3, 16384
# Share of the whole time that trial fits take, where there are any.
TRYING = 0.12
# Share of the whole time that measuring the result takes.
MEASURING = 0.04


@dataclass(frozen=True)
class Progress:
    """How far a compression is.

    stage: 'trials', 'fit', 'grid', 'quantise', 'refine', 'mip 1' .. or 'measure'. step, steps: how many parts of the
    whole job are done, and how many there are; they take about the same time. psnr: an estimate of the best PSNR of
    mip 0 so far, in dB; None before the first step. step and psnr never fall.
    """

    stage: str
    step: int
    steps: int
    psnr: float | None


def compress(
    source: str | Path | Material,
    *,
    bpp: float | None = None,
    gaussians: int | None = None,
    quality: str | None = None,
    psnr: float | None = None,
    match: str | None = None,
    max_bpp: float | None = None,
    weights: Mapping[str, float] | None = None,
    effort: str = "normal",
    device: str = "auto",
    wrap: str | None = None,
    mips: bool = True,
    tail: int | None = None,
    groups: str = "auto",
    mip_filter: str = "box",
    roughness_from_normals: bool = False,
    alpha_test: float | None = None,
    sampling: str = "auto",
    loss: str = "l2",
    importance: str | Path | AnyArray | None = None,
    maps: Sequence[str] = (),
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    notes: Callable[[str], None] | None = None,
    checkpoint: str | Path | None = None,
) -> Texture:
    """Compress a material.

    Args:
        source: a folder of maps, one image, or a Material.
        bpp: bits per texel of the whole stack that mip 0 and the header may take (never exceeded), up to 64.
        gaussians: number of Gaussians, instead of bpp.
        quality: 'draft', 'normal' or 'high': 1/16, 1/8 or 1/4 bit per texel and varying channel, 8 times that with
            loss 'restore', and at least 512 bytes; None is 'normal', and used when nothing else says what the size
            is. Textures whose texels take up to 6 KB with all mips, and ramps of one row or column, are stored as
            texels.
        psnr: what `report['psnr']` should come to, in dB above 0 and up to 100: about 0.2 dB above it at most, with as
            few bytes as a search finds in two to three times the time. `report['target']` says whether it is reached.
        match: a block codec, 'bc1', 'bc7' or 'astc-4x4' .. 'astc-12x12': as psnr, with the PSNR that the codec reaches
            on this material at full size. Needs the extra 'compare'.
        max_bpp: what bpp may be at most for psnr and match; None allows 2 bits per texel and varying channel.
        weights: by role, what the squared error of a map counts in the fit, in 0.05..20; 1 for others. With 0.5 a map
            may be as much worse, with 2 it has to be better. No metric takes them into account.
        effort: 'draft', 'fast', 'normal' or 'thorough': steps of the fit; with loss 'restore' always those of 'fast'.
            A draft is for previews and trials: a fifth of the time of 'fast' for 0.2 to 5 dB less, and
            psnr_sampled is measured at fewer points.
        device: where to fit: 'cpu', 'cuda' for an NVIDIA GPU (needs CuPy), or 'auto' for the GPU where it works
            and otherwise the CPU.
        wrap: 'repeat' or 'clamp'; None takes the material's own guess.
        mips: the whole chain down to 1x1, for at most 1.15 times the bytes of mip 0 (1.4 if mips 1 to 4 are given
            with the material); False: mip 0 alone.
        tail: the first mip that can be decoded without those before it, from the beginning of the file, 1..14; None
            for 3, or for none where mip 0 takes less than 16 KB. If there is no such mip there is no tail.
        groups: how channels are divided into groups, each with Gaussians of its own: 'auto' finds it by short trial
            fits, '1' keeps all in one group, and "albedo,roughness;normal" names the maps of each group by their roles,
            ';' between groups; maps that are not named form a group of their own.
        mip_filter: 'box' or 'kaiser', how mips are made (see gstex.material.mips.make_mips).
        roughness_from_normals: widen roughness in the mips by the variance that their normals lose.
        alpha_test: in (0, 1]: opacity in the mips keeps the coverage that mip 0 has at this threshold.
        sampling: 'direct' fits for one evaluation at any uv, 'bilinear' for four fetches and bilinear filtering. 'auto'
            takes bilinear where a trial fit gains 1 dB by it: above quality 'normal' where edges are sharp. It takes
            direct without a trial for `gaussians`, `psnr`, `match` and loss 'restore', and where the fit is short: at
            effort draft, and below 500x500 texels at effort normal or 1000x1000 at effort fast.
        loss: 'l2' for PSNR, 'perceptual' (L1 + SSIM) for looks, 'restore' for a picture that is cleaner than its
            source, which JPEG or noise has damaged.
        importance: an image or array that is white where texels matter (see
            gstex.material.importance.load_importance), or 'auto' for an estimate. A white texel counts 16 times as
            much as a black one, in all maps and mips.
        maps: overrides 'role=file[:channels]' (see gstex.material.load_material).
        seed: the same seed gives the same bytes, whatever the number of threads; a GPU gives others than the CPU.
        progress: called after every step.
        notes: called with lines for people: where the fit runs (if `device` is not 'cpu' and there is an NVIDIA
            driver), what `match` asks for, and which options could not be followed.
        checkpoint: a file that a long fit writes from time to time, at least 20 seconds apart, so that the same call
            goes on from there after it was killed, to the same bytes. A file of another fit is replaced. Delete it once
            the texture is saved. Fits on a GPU and drafts write none, and a fit for a PSNR only when mip 0 is done.

    Returns:
        Texture, not yet saved; its `report` holds the measurements.

    Raises:
        UsageError: an option is out of range. MaterialError: the input cannot be used. BudgetError: bpp is too
        small for a single Gaussian. ExtraError: match needs a package that is missing. DeviceError: device is 'cuda',
        and there is no GPU that can do it.
    """
    started = time.perf_counter()
    if quality is not None:
        _check_choice("quality", quality, QUALITIES)
    _check_choice("effort", effort, EFFORTS)
    _check_choice("device", device, ("auto", "cpu", "cuda"))
    _check_choice("sampling", sampling, ("auto", "direct", "bilinear"))
    _check_choice("loss", loss, ("l2", "perceptual", "restore"))
    _check_choice("mip_filter", mip_filter, FILTERS)
    if wrap is not None:
        _check_choice("wrap", wrap, ("repeat", "clamp"))
    check_options(bpp=bpp, gaussians=gaussians, seed=seed, alpha_test=alpha_test, tail=tail, groups=groups,
                  quality=quality, psnr=psnr, match=match, max_bpp=max_bpp, weights=weights, loss=loss)  # fmt: skip

    note = notes or (lambda line: None)
    gpu = _open_gpu(device, note)
    material = source if isinstance(source, Material) else load_material(source, overrides=maps)
    check_groups(groups, material)
    repeat = (wrap or material.wrap) == "repeat"
    varying = varying_channels(material)
    weights = {} if weights is None else check_roles(weights, material)
    preset = False
    least = 8 * LEAST_BYTES / (material.width * material.height)
    target = psnr
    if match is not None:
        target = _psnr_of_codec(match, material, note)
    if target is not None:
        preset = max_bpp is None
        bpp = max_bpp or min(max(MOST_RATE * len(varying), 4 * least), MAX_BPP)
    elif bpp is None and gaussians is None:
        bpp = max(rate_of(quality or "normal", loss) * max(1, len(varying)), least)
        preset = True
    if sampling == "auto" and (target is not None or loss == "restore" or not is_high_rate(bpp, len(varying))):
        sampling = "direct"
    settings = make_settings(effort, "direct" if sampling == "auto" else sampling, loss)
    draft = effort == "draft" and loss != "restore"
    if gpu and varying:
        # While mips are made.
        gpu.prepare(sources_of_fit(len(varying), settings.loss), array_work(gpu.xp, len(varying)))

    levels = [MipLevel(material.pixels, material.weights)]
    if mips:
        levels = make_mips(material, repeat=repeat, filter=mip_filter, alpha_test=alpha_test,
                           roughness_from_normals=roughness_from_normals)  # fmt: skip

    report_step = _Reporter(settings.steps, progress or (lambda now: None))

    texels = material.width * material.height
    budget = int((bpp or MAX_BPP) * texels / 32)
    if len(levels) == 1:  # alone in its section, mip 0 pays for guard word and padding too
        budget = budget // ALIGN_WORDS * ALIGN_WORDS - 1
    if tail is None:
        tail = TAIL if 4 * budget >= LEAST_TAILED else MAX_MIPS
    tail = min(tail, len(levels))
    tasks = tasks_of(material, levels, varying, budget, gaussians, repeat=repeat, weights=weights)
    matters = None if importance is None else _importance_of(importance, tasks[0])
    if matters:
        if np.ptp(matters.values):
            settings = replace(settings, grid=False)  # a grid is equally fine everywhere, also where the map is black
        planes = matters.weights([task.target.image.shape[:2] for task in tasks], repeat=repeat)
        targets = [replace(t.target, importance=t.target.importance * w) for t, w in zip(tasks, planes, strict=True)]
        tasks = [replace(task, target=t) for task, t in zip(tasks, targets, strict=True)]
    how: dict[str, Any] = {"sharing": _sharing(material), "seed": seed,
                           "tail": tail if tail < len(levels) else None,
                           "schedule": DraftSchedule if draft else Schedule}  # fmt: skip
    checkpoint_file: Checkpoint | None = None
    if checkpoint is not None and gpu is None and not draft and varying:
        roles = [material.channels[c].role for c in varying]
        key = key_of(tasks, settings, how, groups, sampling, roles, bpp, target, max_bpp, loss,
                     channel_entries(material))  # fmt: skip
        checkpoint_file = Checkpoint(Path(checkpoint), key, note)
        how["checkpoint"] = checkpoint_file
    entries = channel_entries(material)
    in_texels = [FittedGroup(varying, as_texels(tasks), tasks)] if varying else []
    fitted: list[FittedGroup] = []
    if varying and preset and target is None and loss != "restore" and suits_texels(tasks):
        fitted, gpu = in_texels, None
    elif varying:
        sizes: dict[str, Any] = {"entries": entries, "mip_count": len(levels), "tail": tail}
        fewest = least_words(entries, len(varying), len(levels), tail)
        if bpp is not None and not preset and budget < fewest:
            raise _too_small(bpp, fewest, texels, len(levels), target)
        division = Division.one(len(varying))
        if target is None:
            roles = [material.channels[c].role for c in varying]
            find = partial(make_plan, "1" if groups == "auto" and loss == "restore" else groups, sampling, roles,
                           tasks[0], settings, budget, seed=seed, progress=report_step, **sizes)  # fmt: skip
            kept = checkpoint_file.plan(len(varying)) if checkpoint_file else None
            plan, gpu = (kept, gpu) if kept else on_device(find, gpu, device, note)
            if checkpoint_file:
                checkpoint_file.planned(plan)
            if (sampling, plan.sampling) == ("auto", "bilinear"):
                settings = for_sampling(settings, plan.sampling)
                note("fits for bilinear sampling, which is better here: a sample in a shader costs four evaluations; "
                     "--sampling direct fits for one")
            division, sampling = plan.division, plan.sampling
        else:
            most = split_budget(division, budget, **sizes)[0]
            measured = partial(_stored_psnr, material=material, task=tasks[0], repeat=repeat)
            how["fit_first"] = partial(fit_to_goal, goal=Goal(target, measured, most))
        budgets = split_budget(division, budget, **sizes)
        how["sections"] = len(division.groups)
        how["head_words"] = header_words(entries, len(division.groups)) // len(division.groups)
        try:
            fit = partial(fit_groups, tasks, division, budgets, varying, settings, progress=report_step, **how)
            fitted, gpu = on_device(fit, gpu, device, note)
        except BudgetTooSmall as error:
            if preset:  # there is no smaller file of Gaussians, so texels are the cheaper one
                fitted, gpu = in_texels, None
            else:
                heads = sum(group_header_words(len(group), len(levels), tail) for group in division.groups)
                fewest = error.words + header_words(entries, len(division.groups)) + heads
                raise _too_small(bpp or MAX_BPP, fewest, texels, len(levels), target) from None
    if target is not None and preset and fitted and isinstance(fitted[0].mips[0], Result) and suits_texels(tasks) and (
        measured(fitted[0].mips[0]) < target
    ):  # fmt: skip
        fitted, gpu = in_texels, None  # exact to 8 bits
    if target is not None or fitted is in_texels:
        bpp = None  # no rate has decided the size
    if fitted is in_texels and groups not in ("auto", "1"):
        note(f"groups: {groups!r} is not followed: so few texels are stored as they are, all maps in one group; --bpp "
             "or --gaussians fits Gaussians")
    stored = partial(pack_groups, material, mip_count=len(levels), tail=tail, repeat=repeat,
                     bilinear=sampling == "bilinear")  # fmt: skip
    words = stored(fitted)
    if alpha_test is not None and mips and fitted and fitted is not in_texels:
        opacity = opacity_index(material)
        number = next((n for n, group in enumerate(fitted) if opacity in group.channels), 0)
        tuned = Cutout(material, alpha_test, fitted[number].channels, repeat=repeat)
        for _ in range(COVERAGE_ROUNDS):
            changes = tuned.improve(Texture(words, {}), fitted[number].mips, fitted[number].tasks)
            if changes is None:
                break
            again = how | {"sharing": changes.sharing, "texels_share": TEXELS_SHARE}
            again.pop("fit_first", None)
            again.pop("checkpoint", None)
            undivided = Division.one(len(fitted[number].channels))
            fit = partial(fit_groups, changes.tasks, undivided, [budgets[number]], fitted[number].channels, settings,
                          progress=report_step, first=[fitted[number]], **again)  # fmt: skip
            refitted, gpu = on_device(fit, gpu, device, note)
            fitted[number] = refitted[0]
            words = stored(fitted)
    words.flags.writeable = False

    # Options that are not used are not written, so that they do not change other files.
    options = {"psnr": psnr, "match": match, "max_bpp": max_bpp, "weights": weights}
    backend, where = ("cuda", gpu.name) if gpu else ("cpu", "cpu")
    metadata: JsonObject = {
        "generator": f"gstex {__version__}",
        "material": brief_material(material.to_metadata()),
        "fit": brief_fit({
            "effort": effort, "loss": loss, "bpp": bpp, "gaussians": gaussians, "mip_filter": mip_filter,
            "roughness_from_normals": roughness_from_normals, "alpha_test": alpha_test,
            "importance": matters.name if matters else None, "groups": groups, "seed": seed, "backend": backend,
            **{name: value for name, value in options.items() if value},
        }),
    }  # fmt: skip
    report_step("measure", 1.0, math.inf)
    values = matters.values if matters else None
    texture = Texture(words, metadata)
    decoded = texture.decode()
    report = measure(texture, material, levels, values, decoded=decoded, side=DRAFT_SIDE if draft else SIDE)
    if alpha_test is not None and opacity_index(material) is not None:
        report["coverage"] = Cutout(material, alpha_test, varying, repeat=repeat).coverage(texture)
    if target is not None:
        reached = target_report({**texture.report, **report}, target, match, max_bpp)
        report["target"] = reached
        if "note" in reached:
            note(reached["note"])
    metadata["report"] = brief_report(report)
    # The time would make the bytes of equal fits differ, so it stays out of what is written.
    of_range, of_signal = own_errors(decoded, material)
    run = {"error_of_range_by_map": of_range, "lost_by_map": of_signal,
           "seconds": time.perf_counter() - started, "device": where, "backend": backend, "seed": seed,
           "version": __version__}  # fmt: skip
    return Texture(words, metadata, run=run)


def _too_small(bpp: float, words: int, texels: int, mips: int, target: float | None) -> BudgetError:
    """The error of a rate that does not pay for these words."""
    needed = needed_bpp(words, texels, whole_pieces=mips == 1)
    option = "--bpp" if target is None else "--max-bpp"
    return BudgetError(f"{bpp:g} bits per texel do not hold a single Gaussian with its tables; "
                       f"give {option} {needed:.4g} or more, or --gaussians")  # fmt: skip


class _Reporter:
    """Turns the progress of the parts of a compression into the progress of the whole, for the caller."""

    def __init__(self, steps: int, progress: Callable[[Progress], None]):
        self._steps, self._progress = steps, progress
        self._tried = self._part = 0.0  # shares of the whole: that trials took, and that is reported
        self._least = math.inf

    def __call__(self, stage: str, part: float, mse: float) -> None:
        """As `gstex.encode.work.Progress`. Errors of trial fits are not reported."""
        if stage == "trials":
            self._tried = part = TRYING * part
        else:
            part = self._tried + (1 - self._tried) * part
            self._least = min(self._least, mse)
        self._part = max(self._part, part)
        psnr = metrics.to_psnr(self._least) if 0 < self._least < math.inf else None
        self._progress(Progress(stage, round((1 - MEASURING) * self._part * self._steps), self._steps, psnr))


def check_options(
    *, bpp: float | None = None, gaussians: int | None = None, seed: int = 0, alpha_test: float | None = None,
    tail: int | None = None, groups: str = "auto", **rate: Any,
) -> None:  # fmt: skip
    """Refuse options that `compress` accepts for no input. rate: those of `rate_options.check_rate`.

    Raises:
        UsageError: one is out of range, or options contradict each other.
    """
    check_rate(bpp=bpp, gaussians=gaussians, **rate)
    if groups not in ("auto", "1") and (rate.get("psnr") is not None or rate.get("match") is not None):
        raise UsageError(f"groups: got {groups!r} with psnr or match, which keep all maps together; drop one of them")
    if tail is not None and not 1 <= tail < MAX_MIPS:
        raise UsageError(f"tail: got {tail}, expected 1..{MAX_MIPS - 1}, the first mip of the tail")
    if alpha_test is not None and not 0 < alpha_test <= 1:
        raise UsageError(f"alpha_test: got {alpha_test:g}, expected a number above 0 and up to 1")
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed: got {seed}, expected 0..2^63-1")


def _open_gpu(device: str, note: Callable[[str], None]) -> Device | None:
    """The GPU to fit on; None for the CPU."""
    if device == "cpu":
        return None
    try:
        gpu = open_device(device)
    except DeviceError as error:
        if device == "cuda":
            raise
        if has_driver():
            note(f"fits on the CPU; {error}")
        return None
    note(f"fits on {gpu.name}")
    return gpu


def _psnr_of_codec(name: str, material: Material, note: Callable[[str], None]) -> float:
    """The PSNR to match, in dB."""
    from gstex.compare.codec_quality import codec_psnr  # gstex.compare stands above gstex.encode; only this needs it

    psnr = min(codec_psnr(material, name), MAX_PSNR)
    note(f"{name} has {psnr:.2f} dB on this material")
    return psnr


def _stored_psnr(mip: Result, *, material: Material, task: Task, repeat: bool) -> float:
    """PSNR of mip 0 as a file shows it, as in `measure`."""
    varying = varying_channels(material)
    words = pack_groups(material, [FittedGroup(varying, [mip], [task])], 1, tail=1, repeat=repeat, bilinear=False)
    weights = None if material.weights is None else channels_of(material.weights, varying)
    decoded = channels_of(Texture(words, {}).decode(), varying)
    return metrics.psnr(decoded, channels_of(material.pixels, varying), weights)


def _importance_of(source: str | Path | AnyArray, task: Task) -> Importance:
    """The map to use for the stack that a task fits."""
    target = task.target
    if isinstance(source, str) and source == AUTO:
        return Importance(AUTO, estimate_saliency(target.image, target.weighted(task.weights), repeat=task.repeat))
    return load_importance(source, *target.image.shape[:2], repeat=task.repeat)


def _sharing(material: Material) -> int:
    """How many mips may share the Gaussians of mip 0: those before the first that the user gives. None may where a
    channel has a curve, since mip 0 averages values of the curve and a mip averages light."""
    if any(channel.range.stops and channel.constant is None for channel in material.channels):
        return 0
    given = [mip for mip, level in enumerate(material.own_mips, start=1) if level is not None]
    return min([SHARED_MIPS, *(mip - 1 for mip in given)])


def _check_choice(name: str, value: str, allowed) -> None:
    if value not in allowed:
        raise UsageError(f"{name}: got {value!r}, expected one of {', '.join(allowed)}")
