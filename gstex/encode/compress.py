"""compress(): from a folder of maps to a Texture, with everything measured on the words that are stored."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gstex import metrics
from gstex.cuda.device import Device, device_errors, open_device
from gstex.encode.cutouts import COVERAGE_ROUNDS, Cutout, opacity_index
from gstex.encode.draft import DraftSchedule
from gstex.encode.mip_chain import TEXELS_SHARE, Mip, fit_chain
from gstex.encode.ops.cuda.array_work import array_work
from gstex.encode.ops.cuda.engine import GpuEngine
from gstex.encode.ops.cuda.sources import sources_of_fit
from gstex.encode.packing import pack_mips
from gstex.encode.problem import BudgetTooSmall, Result, Target, Task, planes_of
from gstex.encode.rate_options import MAX_BPP, MAX_PSNR, MOST_RATE, check_rate, check_roles, target_report
from gstex.encode.schedule import Schedule
from gstex.encode.settings import EFFORTS, QUALITIES, Settings, make_settings, rate_of
from gstex.encode.shared_mips import SHARED_MIPS
from gstex.encode.small import as_texels, suits_texels
from gstex.encode.target import Goal, fit_to_goal
from gstex.errors import BudgetError, DeviceError, UsageError
from gstex.format import header_words, pack
from gstex.format.layout import ALIGN_WORDS, HEADER_FIXED_WORDS
from gstex.material import Material, load_material
from gstex.material.bleed import bleed
from gstex.material.halve import FILTERS
from gstex.material.importance import AUTO, Importance, load_importance
from gstex.material.mips import MipLevel, make_mips
from gstex.material.saliency import estimate_saliency
from gstex.texture import Texture
from gstex.version import __version__

# What a squared error counts in the fit, by map; 1 for others. The normals decide how a lit surface looks: on two crops
# at 1.4 bits per texel a weight of 2 costs 0.0 and 0.15 dB over all maps and gives 0.6 dB of the lit picture; one of 3
# cost a third crop 0.9 dB.
ROLE_WEIGHTS = {"normal": 2.0}
# What `quality` gives the smallest pictures: 64x64 texels get 1 bit each, at whatever quality.
LEAST_BYTES = 512
# psnr_sampled is measured at so many points along both axes, and at so many for effort draft.
SIDE, DRAFT_SIDE = 256, 128
# Of the time of all, what measuring the result takes.
MEASURING = 0.04


@dataclass(frozen=True)
class Progress:
    """How far a compression is. stage: 'fit', 'quantise', 'mip 1' .. or 'measure'. step of steps: how much of the whole
    job is done, in parts of about the same time. psnr: dB, an estimate while fitting the mip in hand, None before the
    first step."""

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
    mip_filter: str = "box",
    roughness_from_normals: bool = False,
    alpha_test: float | None = None,
    sampling: str = "direct",
    loss: str = "l2",
    importance: str | Path | np.ndarray | None = None,
    maps: Sequence[str] = (),
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    notes: Callable[[str], None] | None = None,
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
        match: a block codec, 'bc1', 'bc7' or 'astc-4x4' .. 'astc-12x12': as psnr, of what the codec reaches on this
            material at full size. Needs the extra 'compare'.
        max_bpp: what bpp may be at most for psnr and match; None allows 2 bits per texel and varying channel.
        weights: by role, what the squared error of a map counts in the fit, in 0.05..20; 1 for others. With 0.5 a map
            may be as much worse, with 2 it has to be better. No metric knows of them.
        effort: 'draft', 'fast', 'normal' or 'thorough': steps of the fit; with loss 'restore' always those of 'fast'.
            A draft is for previews and trials: a fifth of the time of 'fast' for 0.2 to 5 dB less, and
            psnr_sampled is measured at fewer points.
        device: where to fit: 'cpu', 'cuda' for an NVIDIA GPU (needs CuPy), or 'auto' for that where it works and
            otherwise the CPU.
        wrap: 'repeat' or 'clamp'; None takes the material's own guess.
        mips: the whole chain down to 1x1, for at most 1.1 times the bytes of mip 0 (1.4 if mips 1 to 4 are given
            with the material); False: mip 0 alone.
        mip_filter: 'box' or 'kaiser', how mips are made (see gstex.material.mips.make_mips).
        roughness_from_normals: widen roughness in the mips by the variance that their normals lose.
        alpha_test: in (0, 1]: opacity in the mips keeps the coverage that mip 0 has at this threshold.
        sampling: 'direct' fits for one evaluation at any uv, 'bilinear' for four fetches and bilinear
            filtering.
        loss: 'l2' for PSNR, 'perceptual' (L1 + SSIM) for looks, 'restore' for a picture that is cleaner than its
            source, which JPEG or noise has damaged.
        importance: what matters: an image or array in which it is white (see
            gstex.material.importance.load_importance), or 'auto' for an estimate. A white texel counts 16 times as
            much as a black one, in all maps and mips.
        maps: overrides 'role=file[:channels]' (see gstex.material.load_material).
        seed: the same seed gives the same bytes, whatever the number of threads; a GPU gives others than the CPU.
        progress: called after every step.
        notes: called with a line for people on where the fit runs, if `device` is not 'cpu'.

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
    _check_choice("sampling", sampling, ("direct", "bilinear"))
    _check_choice("loss", loss, ("l2", "perceptual", "restore"))
    _check_choice("mip_filter", mip_filter, FILTERS)
    if wrap is not None:
        _check_choice("wrap", wrap, ("repeat", "clamp"))
    check_options(bpp=bpp, gaussians=gaussians, seed=seed, alpha_test=alpha_test, quality=quality, psnr=psnr,
                  match=match, max_bpp=max_bpp, weights=weights, loss=loss)  # fmt: skip

    note = notes or (lambda line: None)
    gpu = _open_gpu(device, note)
    material = source if isinstance(source, Material) else load_material(source, overrides=maps)
    repeat = (wrap or material.wrap) == "repeat"
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
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
    settings = make_settings(effort, sampling, loss)
    draft = effort == "draft" and loss != "restore"
    if gpu and varying:
        # While mips are made.
        gpu.prepare(sources_of_fit(len(varying), settings.loss), array_work(gpu.xp, len(varying)))

    levels = [MipLevel(material.pixels, material.weights)]
    if mips:
        levels = make_mips(material, repeat=repeat, filter=mip_filter, alpha_test=alpha_test,
                           roughness_from_normals=roughness_from_normals)  # fmt: skip

    def report_step(stage: str, part: float, mse: float) -> None:
        if progress:
            step = round((1 - MEASURING) * part * settings.steps)
            progress(Progress(stage, step, settings.steps, metrics.to_psnr(mse)))

    fitted: list[Mip] = [None] * len(levels)
    budget = _budget_words(bpp or MAX_BPP, material, len(levels))
    tasks = tasks_of(material, levels, varying, budget, gaussians, repeat=repeat, weights=weights)
    matters = None if importance is None else _importance_of(importance, tasks[0])
    if matters:
        if np.ptp(matters.values):
            settings = replace(settings, grid=False)  # as fine everywhere, so nothing would go where the map is white
        planes = matters.weights([task.target.image.shape[:2] for task in tasks], repeat=repeat)
        targets = [replace(t.target, importance=t.target.importance * w) for t, w in zip(tasks, planes, strict=True)]
        tasks = [replace(task, target=t) for task, t in zip(tasks, targets, strict=True)]
    how: dict[str, Any] = {"sharing": _sharing(material), "seed": seed, "progress": report_step,
                           "schedule": DraftSchedule if draft else Schedule}  # fmt: skip
    if target is not None:
        measured = partial(_stored_psnr, material=material, repeat=repeat)
        how["fit_first"] = partial(fit_to_goal, goal=Goal(target, measured, budget))
    if varying and preset and target is None and loss != "restore" and suits_texels(tasks):
        fitted, gpu = list(as_texels(tasks)), None
    elif varying:
        try:
            fitted, gpu = _fit(tasks, settings, gpu, device, note, **how)
        except BudgetTooSmall as error:
            if preset:  # there is no smaller file of Gaussians, so texels are the cheaper one
                fitted, gpu = list(as_texels(tasks)), None
            else:
                least = error.words + header_words(len(material.channels), len(levels)) + 1
                needed = 32 * -(-least // ALIGN_WORDS) * ALIGN_WORDS / (material.width * material.height)
                option = "--bpp" if target is None else "--max-bpp"
                raise BudgetError(
                    f"{bpp:g} bits per texel do not hold a single Gaussian with its tables; "
                    f"give {option} {needed:.4g} or more, or --gaussians"
                ) from None
    if target is not None and preset and isinstance(fitted[0], Result) and suits_texels(tasks) and (
        measured(fitted[0]) < target
    ):  # fmt: skip
        fitted, gpu = list(as_texels(tasks)), None  # exact to 8 bits
    if target is not None or isinstance(fitted[0], np.ndarray):
        bpp = None  # texels take what they take
    words = pack(pack_mips(material, fitted, repeat=repeat, bilinear=sampling == "bilinear"))
    if alpha_test is not None and mips and isinstance(fitted[0], Result):
        tuned = Cutout(material, alpha_test, varying, repeat=repeat)
        for _ in range(COVERAGE_ROUNDS):
            changes = tuned.improve(Texture(words, {}), fitted, tasks)
            if changes is None:
                break
            how |= {"sharing": changes.sharing, "first": fitted[0], "texels_share": TEXELS_SHARE}
            tasks = changes.tasks
            fitted, gpu = _fit(tasks, settings, gpu, device, note, **how)
            words = pack(pack_mips(material, fitted, repeat=repeat, bilinear=sampling == "bilinear"))
    words.flags.writeable = False

    # What was not asked for is not written: files of those who do not know of it stay as they were.
    asked = {"psnr": psnr, "match": match, "max_bpp": max_bpp, "weights": weights}
    backend, where = ("cuda", gpu.name) if gpu else ("cpu", "cpu")
    metadata: dict[str, Any] = {
        "generator": f"gstex {__version__}",
        "material": material.to_metadata(),
        "fit": {**asdict(settings), "loss": loss, "bpp": bpp, "gaussians": gaussians, "effort": effort,
                "sampling": sampling, "mip_filter": mip_filter if mips else None,
                "roughness_from_normals": roughness_from_normals, "alpha_test": alpha_test,
                "importance": matters.name if matters else None, "seed": seed, "backend": backend,
                **{name: value for name, value in asked.items() if value}},
    }  # fmt: skip
    if progress:
        progress(Progress("measure", round((1 - MEASURING) * settings.steps), settings.steps, None))
    values = matters.values if matters else None
    texture = Texture(words, metadata)
    decoded = texture.decode()
    metadata["report"] = measure(texture, material, levels, values, decoded=decoded, side=DRAFT_SIDE if draft else SIDE)
    if alpha_test is not None and opacity_index(material) is not None:
        metadata["report"]["coverage"] = Cutout(material, alpha_test, varying, repeat=repeat).coverage(texture)
    if target is not None:
        reached = target_report(metadata["report"], target, match, max_bpp)
        metadata["report"]["target"] = reached
        if "note" in reached:
            note(reached["note"])
    # The time would make the bytes of equal fits differ, so it stays out of what is written.
    of_range, of_signal = own_errors(decoded, material)
    run = {"error_of_range_by_map": of_range, "lost_by_map": of_signal,
           "seconds": time.perf_counter() - started, "device": where, "backend": backend, "seed": seed,
           "version": __version__}  # fmt: skip
    return Texture(words, metadata, run=run)


def check_options(
    *, bpp: float | None = None, gaussians: int | None = None, seed: int = 0, alpha_test: float | None = None,
    **rate: Any,
) -> None:  # fmt: skip
    """Refuse numbers that `compress` takes for no input. rate: of `rate_options.check_rate`.

    Raises:
        UsageError: one is out of range, or options contradict each other.
    """
    check_rate(bpp=bpp, gaussians=gaussians, **rate)
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
        note(f"fits on the CPU; {error}")
        return None
    note(f"fits on {gpu.name}")
    return gpu


def _fit(
    tasks: Sequence[Task], settings: Settings, gpu: Device | None, device: str, note: Callable[[str], None], **how: Any
) -> tuple[list[Mip], Device | None]:
    """The fits of all mips, and the GPU that made them, None for the CPU. how: of fit_chain."""
    if gpu:
        try:
            with device_errors(device):
                return fit_chain(tasks, settings, make_engine=partial(GpuEngine, device=gpu), **how), gpu
        except DeviceError as error:
            if device == "cuda":
                raise
            note(f"goes on from the start on the CPU; {error}")
    return fit_chain(tasks, settings, **how), None


def _psnr_of_codec(name: str, material: Material, note: Callable[[str], None]) -> float:
    """The PSNR to match, in dB."""
    from gstex.compare.codec_quality import codec_psnr  # what compares is above what fits; only this needs it

    found = min(codec_psnr(material, name), MAX_PSNR)
    note(f"{name} has {found:.2f} dB on this material")
    return found


def _stored_psnr(mip: Result, *, material: Material, repeat: bool) -> float:
    """PSNR of mip 0 as a file shows it, as in `measure`."""
    words = pack(pack_mips(material, [mip], repeat=repeat, bilinear=False))
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    weights = None if material.weights is None else _of(material.weights, varying)
    return metrics.psnr(_of(Texture(words, {}).decode(), varying), _of(material.pixels, varying), weights)


def _importance_of(source: str | Path | np.ndarray, task: Task) -> Importance:
    """The map to use for the stack that a task fits."""
    target = task.target
    if isinstance(source, str) and source == AUTO:
        return Importance(AUTO, estimate_saliency(target.image, target.weighted(task.weights), repeat=task.repeat))
    return load_importance(source, *target.image.shape[:2], repeat=task.repeat)


def measure(
    texture: Texture, material: Material, levels: Sequence[MipLevel], importance: np.ndarray | None = None, *,
    decoded: np.ndarray, side: int = SIDE,
) -> dict[str, Any]:
    """The figures of `gstex compress --json` that depend on the stored words alone.

    levels: the pictures that the mips stand for. decoded: mip 0 of the texture. psnr and psnr_sampled are of mip 0;
    they are None where the match is perfect or no channel varies. importance: float32 [H, W] in 0..1; with it there is
    psnr_important, in which each texel of mip 0 counts by its value. side: psnr_sampled is measured at side * side
    points.
    """
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    roles = [material.channels[i].role for i in varying]
    weights = None if material.weights is None else _of(material.weights, varying)
    decoded, reference = _of(decoded, varying), _of(material.pixels, varying)
    uv = metrics.sample_points(side)
    repeat = texture.wrap == "repeat"
    sampled = texture.sample(uv)[:, varying]
    sampled_weights = None if weights is None else metrics.filtered(weights, uv, repeat=repeat)
    sampled_reference = metrics.filtered(reference, uv, repeat=repeat)

    info = texture.info()
    texels = texture.width * texture.height
    chain = [{"psnr": _finite(metrics.psnr(decoded, reference, weights)), **_mip_facts(info["mips"][0])}]
    for number, level in enumerate(levels[1:], start=1):
        part = None if level.weights is None else level.weights[:, :, varying]
        value = metrics.psnr(texture.decode(number)[:, :, varying], level.pixels[:, :, varying], part)
        chain.append({"psnr": _finite(value), **_mip_facts(info["mips"][number])})
    # Of mip 0 and the header; without mips below it the padding belongs to it.
    first_bytes = 4 * int(texture.words[HEADER_FIXED_WORDS + 1]) if texture.mip_count > 1 else info["gpu_bytes"]
    important = {}
    if importance is not None:
        part = np.broadcast_to(importance[:, :, None], decoded.shape) * (1 if weights is None else weights)
        important["psnr_important"] = _finite(metrics.psnr(decoded, reference, part))
    return {
        "gpu_bytes": info["gpu_bytes"],
        "width": texture.width,
        "height": texture.height,
        "channels": texture.channels,
        "gaussians": info["mips"][0]["gaussians"],
        "bpp": 8 * first_bytes / texels,
        "bppc": 8 * first_bytes / texels / texture.channels,
        "psnr": chain[0]["psnr"],
        "psnr_sampled": _finite(metrics.psnr(sampled, sampled_reference, sampled_weights)),
        **important,
        "psnr_by_map": {k: _finite(v) for k, v in metrics.psnr_by_map(decoded, reference, roles, weights).items()},
        "candidates_mean": info["mips"][0]["candidates_mean"],
        "candidates_max": info["mips"][0]["candidates_max"],
        "mips": chain,
    }


def own_errors(decoded: np.ndarray, material: Material) -> tuple[dict[str, float], dict[str, float]]:
    """`metrics.own_errors` of mip 0."""
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    weights = None if material.weights is None else _of(material.weights, varying)
    roles = [material.channels[i].role for i in varying]
    return metrics.own_errors(_of(decoded, varying), _of(material.pixels, varying), roles, weights)


def _mip_facts(mip: dict[str, Any]) -> dict[str, Any]:
    names = ("width", "height", "bytes", "stored_as", "gaussians", "candidates_mean", "candidates_max")
    return {name: mip[name] for name in names}


def _budget_words(bpp: float, material: Material, mips: int) -> int:
    """Words of mip 0 that bpp pays for. Alone in its section it pays for guard word and padding too."""
    words = int(bpp * material.width * material.height / 32)
    if mips == 1:
        words = words // ALIGN_WORDS * ALIGN_WORDS - 1
    return words - header_words(len(material.channels), mips)


def _sharing(material: Material) -> int:
    """How many mips may share the Gaussians of mip 0: those before the first that the user gives."""
    given = [mip for mip, level in enumerate(material.own_mips, start=1) if level is not None]
    return min([SHARED_MIPS, *(mip - 1 for mip in given)])


def tasks_of(
    material: Material, levels: Sequence[MipLevel], varying: list[int], budget: int, count: int | None, *, repeat: bool,
    weights: Mapping[str, float] | None = None,
) -> list[Task]:
    """What to fit for every mip: colour under zero opacity goes on from the visible. weights: of `compress`."""
    roles = [material.channels[i].role for i in varying]
    asked = np.array([(weights or {}).get(role, 1.0) for role in roles])
    weight = np.array([ROLE_WEIGHTS.get(role, 1.0) for role in roles], np.float32) * asked.astype(np.float32)
    weight *= len(varying) / max(weight.sum(), 1e-9)
    maps = np.array([roles.index(role) for role in roles])
    pictures = [bleed(level.pixels, level.weights, repeat=repeat) for level in levels]
    # Of rows first: an axis at a time is a fifth of the time of both.
    lows = np.min([pixels.min(axis=0).min(axis=0) for pixels, _ in pictures], axis=0)
    highs = np.max([pixels.max(axis=0).max(axis=0) for pixels, _ in pictures], axis=0)
    plane, firsts = planes_of([visible[:, :, varying] for _, visible in pictures])
    firsts = [varying[i] for i in firsts]
    return [
        Task(
            target=Target(
                np.ascontiguousarray(_of(pixels, varying)), np.ascontiguousarray(visible[:, :, firsts]), plane
            ),
            weight=weight,
            maps=maps,
            asked=asked if weights else None,
            ranges=[(float(lows[i]), float(highs[i])) for i in varying],
            neutral=[material.channels[i].neutral for i in varying],
            repeat=repeat,
            budget_words=budget,
            count=count,
        )
        for pixels, visible in pictures
    ]


def _of(stack: np.ndarray, channels: list[int]) -> np.ndarray:
    """Some channels of a stack [H, W, C], without a copy where it is all of them."""
    return stack if len(channels) == stack.shape[2] else stack[:, :, channels]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _check_choice(name: str, value: str, allowed) -> None:
    if value not in allowed:
        raise UsageError(f"{name}: got {value!r}, expected one of {', '.join(allowed)}")
