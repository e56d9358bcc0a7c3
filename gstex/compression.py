"""compress(): from a folder of maps to a Texture, with everything measured on the words that are stored."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import metrics
from .errors import UsageError
from .fit.fit import Result, Task, fit_mip
from .fit.settings import EFFORTS, QUALITIES, make_settings
from .format import PackedLevel, PackedMaterial, PackedMip, pack
from .format.layout import ALIGN_WORDS
from .material import Material, load_material
from .texture import Texture
from .version import __version__

MAX_BPP = 64.0
MAX_GAUSSIANS = 2**24


@dataclass(frozen=True)
class Progress:
    """How far a compression is. stage: 'fit', 'quantise' or 'measure'; step of steps over the whole job;
    psnr: dB, an estimate while fitting, None before the first step."""

    stage: str
    step: int
    steps: int
    psnr: float | None


def compress(
    source: str | Path | Material,
    *,
    bpp: float | None = None,
    gaussians: int | None = None,
    quality: str = "normal",
    effort: str = "normal",
    device: str = "auto",
    wrap: str | None = None,
    sampling: str = "direct",
    loss: str = "l2",
    maps: Sequence[str] = (),
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> Texture:
    """Compress a material.

    Args:
        source: a folder of maps, one image, or a Material.
        bpp: bits per texel of the whole stack that the GPU form may take (never exceeded), up to 64.
        gaussians: number of Gaussians, instead of bpp.
        quality: 'draft', 'normal' or 'high': 1/16, 1/8 or 1/4 bit per texel and varying channel; used when
            neither bpp nor gaussians is given.
        effort: 'fast', 'normal' or 'thorough': steps of the fit.
        device: 'auto' or 'cpu'.
        wrap: 'repeat' or 'clamp'; None takes the material's own guess.
        sampling: 'direct' fits for one evaluation at any uv, 'bilinear' for four fetches and bilinear
            filtering.
        loss: 'l2' for PSNR, 'perceptual' (L1 + SSIM) for looks.
        maps: overrides 'role=file[:channels]' (see gstex.material.load_material).
        seed: the same seed gives the same bytes, whatever the number of threads.
        progress: called after every step.

    Returns:
        Texture, not yet saved; its `report` holds the measurements.

    Raises:
        UsageError: an option is out of range. MaterialError: the input cannot be used. BudgetError: bpp is too
        small for a single Gaussian.
    """
    started = time.perf_counter()
    _check_choice("quality", quality, QUALITIES)
    _check_choice("effort", effort, EFFORTS)
    _check_choice("device", device, ("auto", "cpu"))
    _check_choice("sampling", sampling, ("direct", "bilinear"))
    _check_choice("loss", loss, ("l2", "perceptual"))
    if wrap is not None:
        _check_choice("wrap", wrap, ("repeat", "clamp"))
    if bpp is not None and gaussians is not None:
        raise UsageError("bpp and gaussians: got both, expected one of them; drop one")
    if bpp is not None and not 0 < bpp <= MAX_BPP:
        raise UsageError(f"bpp: got {bpp:g}, expected a number above 0 and up to {MAX_BPP:g}")
    if gaussians is not None and not 1 <= gaussians <= MAX_GAUSSIANS:
        raise UsageError(f"gaussians: got {gaussians}, expected 1..{MAX_GAUSSIANS}")
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed: got {seed}, expected 0..2^63-1")

    material = source if isinstance(source, Material) else load_material(source, overrides=maps)
    repeat = (wrap or material.wrap) == "repeat"
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    if bpp is None and gaussians is None:
        bpp = QUALITIES[quality] * max(1, len(varying))
    settings = make_settings(effort, sampling, loss)

    def report_step(stage: str, step: int, mse: float) -> None:
        if progress:
            progress(Progress(stage, step, settings.steps, metrics.to_psnr(mse)))

    result = None
    if varying:
        weights = np.ones(material.pixels.shape, np.float32) if material.weights is None else material.weights
        task = Task(
            image=np.ascontiguousarray(material.pixels[:, :, varying]),
            importance=np.ascontiguousarray(weights[:, :, varying]),
            neutral=[material.channels[i].neutral for i in varying],
            repeat=repeat,
            stack_channels=len(material.channels),
            budget_words=_budget_words(bpp or MAX_BPP, material),
            count=gaussians,
        )
        result = fit_mip(task, settings, seed=seed, progress=report_step)
    packed = _pack_result(material, varying, result, repeat=repeat, bilinear=sampling == "bilinear")
    words = pack(packed)
    words.flags.writeable = False

    metadata: dict[str, Any] = {
        "generator": f"gstex {__version__}",
        "material": material.to_metadata(),
        "fit": {**asdict(settings), "bpp": bpp, "gaussians": gaussians, "effort": effort, "sampling": sampling,
                "seed": seed, "backend": "cpu"},
    }  # fmt: skip
    if progress:
        progress(Progress("measure", settings.steps, settings.steps, None))
    metadata["report"] = measure(Texture(words, metadata), material)
    # The time would make the bytes of equal fits differ, so it stays out of what is written.
    run = {"seconds": time.perf_counter() - started, "device": "cpu", "backend": "cpu", "seed": seed,
           "version": __version__}  # fmt: skip
    return Texture(words, metadata, run=run)


def measure(texture: Texture, material: Material) -> dict[str, Any]:
    """The figures of `gstex compress --json` that depend on the stored words alone.

    psnr and psnr_sampled are None where the match is perfect or no channel varies.
    """
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    roles = [material.channels[i].role for i in varying]
    weights = None if material.weights is None else material.weights[:, :, varying]
    decoded, reference = texture.decode()[:, :, varying], material.pixels[:, :, varying]
    uv = metrics.sample_points()
    repeat = texture.wrap == "repeat"
    sampled = texture.sample(uv)[:, varying]
    sampled_weights = None if weights is None else metrics.filtered(weights, uv, repeat=repeat)
    sampled_reference = metrics.filtered(reference, uv, repeat=repeat)

    info = texture.info()
    texels = texture.width * texture.height
    return {
        "gpu_bytes": info["gpu_bytes"],
        "width": texture.width,
        "height": texture.height,
        "channels": texture.channels,
        "gaussians": info["mips"][0]["gaussians"],
        "bpp": 8 * info["gpu_bytes"] / texels,
        "bppc": 8 * info["gpu_bytes"] / texels / texture.channels,
        "psnr": _finite(metrics.psnr(decoded, reference, weights)),
        "psnr_sampled": _finite(metrics.psnr(sampled, sampled_reference, sampled_weights)),
        "psnr_by_map": {k: _finite(v) for k, v in metrics.psnr_by_map(decoded, reference, roles, weights).items()},
        "candidates_mean": info["mips"][0]["candidates_mean"],
        "candidates_max": info["mips"][0]["candidates_max"],
    }


def _budget_words(bpp: float, material: Material) -> int:
    """Words that bpp pays for; the section is padded to ALIGN_WORDS, and padding counts."""
    words = int(bpp * material.width * material.height / 32)
    return words // ALIGN_WORDS * ALIGN_WORDS


def _pack_result(
    material: Material, varying: list[int], result: Result | None, *, repeat: bool, bilinear: bool
) -> PackedMaterial:
    """Codes of the varying channels and constants of the others, in the order of the stack."""
    channels = len(material.channels)
    lo, step = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
    bits = np.zeros(channels, np.int64)
    background = np.zeros(channels, np.float32)
    for i, channel in enumerate(material.channels):
        if channel.constant is not None:
            lo[i] = background[i] = channel.constant
    levels = []
    amplitude_lo = amplitude_step = 0.0
    if result:
        coding = result.coding
        lo[varying], step[varying], bits[varying] = coding.channel_lo, coding.channel_step, coding.channel_bits
        background[varying] = result.background
        amplitude_lo, amplitude_step = coding.amplitude_lo, coding.amplitude_step
        for i, layout in enumerate(coding.levels):
            here = np.flatnonzero(result.placement[:, 0] == i)
            if layout is None or not len(here):
                continue
            cell = result.placement[here, 2].astype(np.int64) * layout.cells_x + result.placement[here, 1]
            order = np.argsort(cell, kind="stable")
            features = np.zeros((len(here), channels), np.uint32)
            features[:, varying] = result.features[here]
            levels.append(PackedLevel(layout, cell[order], result.geometry[here][order], features[order]))
    return PackedMaterial(
        width=material.width,
        height=material.height,
        repeat=repeat,
        bilinear=bilinear,
        top_k=0,
        amplitude_lo=amplitude_lo,
        amplitude_step=amplitude_step,
        channel_lo=lo,
        channel_step=step,
        channel_bits=bits,
        srgb=np.array([c.color_space == "srgb" for c in material.channels], bool),
        mips=(PackedMip(background, tuple(levels)),),
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _check_choice(name: str, value: str, allowed) -> None:
    if value not in allowed:
        raise UsageError(f"{name}: got {value!r}, expected one of {', '.join(allowed)}")
