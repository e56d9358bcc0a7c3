"""Quality in numbers. float64 throughout; every metric says over which values and with which peak.

The words are those of the command line: `psnr` is measured at texel centres, `psnr_sampled` between them.
Colour under zero opacity has weight 0 and counts in no metric.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import import_module

import numpy as np

from gstex.arrays import F32Array, F64Array, FloatArray
from gstex.encode.loss import C1, C2, RADIUS
from gstex.encode.ops.cpu.windowed import windowed
from gstex.errors import ExtraError
from gstex.filtering import bilinear
from gstex.json_types import JsonObject, JsonView
from gstex.material import Material
from gstex.material.material import COLOR_ROLES
from gstex.material.restore import restored
from gstex.material.visible import opacity_at
from gstex.native import _core, maths
from gstex.shading import is_lit, render_plane_views
from gstex.srgb import linear_to_srgb

__all__ = [
    "Quality", "filtered", "flip", "lost_maps", "measure_quality", "mse", "normal_angles", "own_errors", "psnr",
    "psnr_by_map", "sample_points", "ssim", "to_psnr",
]  # fmt: skip

FLIP_SIDE = 1024  # texels: `measure_quality` takes FLIP of at most so many in both directions, about 2 s a picture
_NOISE = 2 / 255
_MUCH = 0.25  # share of the variance of a map; a map that loses more is reported
PIXELS_PER_DEGREE = 67.0  # FLIP's own default: a 0.7 m wide 4K monitor seen from 0.7 m


def mse(image: FloatArray, reference: FloatArray, weights: FloatArray | None = None) -> float:
    """Weighted mean of squared differences over all texels and channels.

    image, reference, weights: float [..., C] of the same shape; weights None means all ones.
    Returns 0.0 where the weights leave nothing to compare.
    """
    figures = _figures(image, reference, weights)
    total = figures[:, 1].sum()
    return float(figures[:, 0].sum() / total) if total > 0 else 0.0


def _figures(image: FloatArray, reference: FloatArray, weights: FloatArray | None) -> F64Array:
    """Of every channel, float64 [C, 6]: the sums of w (image - reference)^2, w, w reference and w reference^2, and the
    least and the largest reference where w > 0. Arguments as for `mse`."""
    arrays = [a for a in (image, reference, weights) if a is not None]
    kind = np.float32 if all(a.dtype == np.float32 for a in arrays) else np.float64
    shape = int(np.prod(image.shape[:-1])), image.shape[-1]
    figures = np.empty((shape[1], 6))
    flat = [np.ascontiguousarray(a, kind).reshape(shape) for a in arrays]
    _core.compare_channels(flat[0], flat[1], None if weights is None else flat[2], figures)
    return figures


def to_psnr(error: float) -> float:
    """10 log10(1 / mse) in dB for values in 0..1; infinite for a perfect match."""
    return float("inf") if error <= 0 else float(-10 * maths.log10(error))


def psnr(image: FloatArray, reference: FloatArray, weights: FloatArray | None = None) -> float:
    """PSNR in dB, peak 1, over all given channels together. Arguments as for `mse`."""
    return to_psnr(mse(image, reference, weights))


def psnr_by_map(
    image: FloatArray, reference: FloatArray, roles: Sequence[str], weights: FloatArray | None = None
) -> dict[str, float]:
    """PSNR in dB of the channels of each role. Arguments as for `mse`; roles: one per channel."""
    figures, result = _figures(image, reference, weights), {}
    for role in dict.fromkeys(roles):
        error, total = figures[[c for c, r in enumerate(roles) if r == role], :2].sum(axis=0)
        result[role] = to_psnr(error / total if total > 0 else 0.0)
    return result


def own_errors(
    image: FloatArray, reference: FloatArray, roles: Sequence[str], weights: FloatArray | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """The error of each role against its own values.

    PSNR does not tell that: a height map of 0.30 .. 0.33 that has become its mean has 36 dB or more. Arguments as for
    `psnr_by_map`.

    Returns:
        (root mean square error as a share of the range of the role's channels, squared error as a share of their
        variance: 0 is a perfect match, 1 is as bad as the mean). Channels of one value count in neither. A role whose
        values are within two 8-bit codes is not in the second.
    """
    of_range, of_signal = {}, {}
    figures = _figures(image, reference, weights)
    for role in dict.fromkeys(roles):
        error = variance = span = 0.0
        for c in [c for c, r in enumerate(roles) if r == role]:
            squares, total, first, second, least, most = figures[c]
            if not total > 0 or least == most:
                continue
            error += squares / total
            variance += max(second / total - (first / total) ** 2, 0.0)
            span += (most - least) ** 2
        if span:
            of_range[role] = float(np.sqrt(error / span))
            if span > _NOISE**2:
                of_signal[role] = float(error / variance)
    return of_range, of_signal


def sample_points(side: int = 256, seed: int = 0) -> F32Array:
    """The uv float32 [side * side, 2], 0..1, at which `psnr_sampled` is measured: one random point in each of
    side x side equal parts of the texture, row by row, so that they are spread evenly."""
    row, column = np.divmod(np.arange(side * side), side)
    within = np.random.default_rng(seed).random((side * side, 2))
    return ((np.stack([column, row], axis=1) + within) / side).astype(np.float32)


def filtered(image: FloatArray, uv: FloatArray, *, repeat: bool) -> F64Array:
    """What filtering [H, W, C] bilinearly gives at uv [M, 2], float64 [M, C]: the reference of `psnr_sampled`."""
    return bilinear(image, uv.astype(np.float64), repeat=repeat, dtype=np.float64)


def ssim(image: FloatArray, reference: FloatArray, weights: FloatArray | None = None) -> float:
    """Structural similarity, 1 for equal images: Wang et al. 2004, eq. 13, range 1, their window of 11x11, sigma 1.5.

    Arguments as for `mse`, [H, W, C], encoded as they are. Each channel by itself, then the mean over all texels
    whose window lies inside the image; along an axis of 10 texels or less windows are cut at the border instead.
    Weights of 0 are left out of the windows and of the mean. 1.0 where the weights leave nothing to compare.
    """
    inner = tuple(slice(RADIUS, n - RADIUS) if n > 2 * RADIUS else slice(None) for n in image.shape[:2])
    total = total_weight = 0.0
    for c in range(image.shape[2]):
        x, y = image[:, :, c].astype(np.float64), reference[:, :, c].astype(np.float64)
        w = None if weights is None else weights[:, :, c].astype(np.float64)
        similarity = _ssim_plane(x, y, w)
        total += float((similarity if w is None else similarity * w)[inner].sum())
        total_weight += float(similarity[inner].size if w is None else w[inner].sum())
    return total / total_weight if total_weight > 0 else 1.0


def _ssim_plane(x: F64Array, y: F64Array, w: F64Array | None) -> F64Array:
    """SSIM of every texel, all float64 [H, W]; without meaning where w is 0. w None means all ones."""
    inverse = _share(x.shape) if w is None else 1 / np.maximum(windowed(w), np.finfo(np.float64).tiny)

    def mean(a: F64Array) -> F64Array:
        return windowed(a if w is None else w * a) * inverse

    mean_x, mean_y = mean(x), mean(y)
    covariance = mean(x * y) - mean_x * mean_y
    variances = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return luminance * (2 * covariance + C2) / (variances + C2)


@lru_cache(maxsize=1)
def _share(shape: tuple[int, ...]) -> F64Array:
    """1 / the part of the window of each texel that lies inside the picture [H, W]."""
    return 1 / windowed(np.ones(shape))


def flip(image: FloatArray, reference: FloatArray, weights: FloatArray | None = None) -> float:
    """Mean of FLIP, 0 for equal pictures to 1 (Andersson et al. 2020; the authors' flip-evaluator, LDR).

    image, reference: float [H, W, 3] sRGB in 0..1, seen at PIXELS_PER_DEGREE. weights: [H, W]; texels of weight 0
    are made equal before and are left out of the mean. 0.0 where the weights leave nothing to compare.

    Raises:
        ExtraError: flip-evaluator is not installed.
    """
    try:
        library = import_module("flip_evaluator")
    except ImportError as error:
        raise ExtraError("FLIP needs flip-evaluator: pip install gstex[compare]") from error
    picture, truth = (np.ascontiguousarray(np.clip(a, 0, 1), np.float32) for a in (image, reference))
    visible = np.ones(picture.shape[:2], bool) if weights is None else weights > 0
    if not visible.any():
        return 0.0
    picture[~visible] = truth[~visible]
    errors, _, _ = library.evaluate(
        truth, picture, "LDR", applyMagma=False, computeMeanError=False, parameters={"ppd": PIXELS_PER_DEGREE}
    )
    return float(errors[visible].mean(dtype=np.float64))


def normal_angles(image: FloatArray, reference: FloatArray, weights: FloatArray | None = None) -> tuple[float, float]:
    """Mean and 99th percentile of the angle between normals, in degrees.

    image, reference: float [H, W, 2], X and Y of normals as stored (0..1 stands for -1..1). Z is rebuilt as
    sqrt(1 - x^2 - y^2), 0 where X and Y alone are too long. weights: [H, W]; texels of weight 0 are left out.
    (0.0, 0.0) where the weights leave nothing to compare.
    """
    a, b = _with_z(image), _with_z(reference)
    # atan2 of sine and cosine, whatever the lengths: arccos alone would lose small angles.
    angles = np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(axis=-1)))
    if weights is not None:
        angles = angles[weights > 0]
    return (float(angles.mean()), float(np.quantile(angles, 0.99))) if angles.size else (0.0, 0.0)


def _with_z(stored: FloatArray) -> F64Array:
    """Normals [..., 2] as stored -> float64 [..., 3], of unit length unless X and Y alone are longer."""
    xy = stored.astype(np.float64) * 2 - 1
    z = np.sqrt(np.maximum(1 - (xy**2).sum(axis=-1, keepdims=True), 0))
    return np.concatenate([xy, z], axis=-1)


@dataclass(frozen=True)
class Quality:
    """All that is measured of a stack. None stands for an exact match, a map that is missing or constant, or what
    `notes` says.

    psnr, psnr_by_map: dB at texel centres, over all channels that vary or those of a role; a map that is smaller than
    the stack is measured at its own size, see `own_size_psnr`. psnr_sampled: dB between texel centres. ssim_by_map: 1
    is equal. flip_albedo: of 'albedo', else of 'color'. normal_angle_mean, normal_angle_p99: degrees. shaded_psnr,
    shaded_flip: over the pictures of `shading.render_plane_views` together; materials only. notes: what was not
    measured, or of a part only, and why.
    """

    psnr: float | None
    psnr_sampled: float | None
    psnr_by_map: dict[str, float | None]
    ssim_by_map: dict[str, float]
    flip_albedo: float | None
    normal_angle_mean: float | None
    normal_angle_p99: float | None
    shaded_psnr: float | None
    shaded_flip: float | None
    notes: tuple[str, ...] = ()

    def to_json(self) -> JsonObject:
        """The fields as JSON types."""
        return {**asdict(self), "notes": list(self.notes)}


def own_size_psnr(stack: F32Array, material: Material) -> dict[str, float]:
    """PSNR by role of the maps whose sources have another size than the stack, at the size of the sources.

    What resampling has lost or mixed in counts here: the stack is brought to the size of the source as `gstex decode`
    does it. Colours count by the opacity over them. A role with channels of the stack's size is left out.

    Args:
        stack: float32 [H, W, C], encoded as `material.pixels`.
    """
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    opacity = next((i for i in varying if material.channels[i].role == "opacity"), None)
    colors = frozenset(i for i in varying if material.channels[i].role in COLOR_ROLES)
    repeat = material.wrap == "repeat"
    masks = [None if opacity is None else values[:, :, opacity] for values in (stack, material.pixels)]
    errors: dict[str, list[tuple[float, float]]] = {}  # role -> (squared error, weight) of every channel
    in_part = {material.channels[i].role for i in varying if i not in material.originals}
    for index in varying:
        if material.channels[index].role in in_part:
            continue
        original = material.originals[index]
        resized = restored(stack, [index], original.shape, masks[0], colors, repeat=repeat)[:, :, 0]
        weights = np.ones(original.shape)
        if masks[1] is not None and index in colors:
            weights = opacity_at(masks[1], original.shape, repeat=repeat).astype(np.float64)
        square = (np.clip(resized, 0, 1).astype(np.float64) - original) ** 2
        of_role = errors.setdefault(material.channels[index].role, [])
        of_role.append((float((square * weights).sum()), float(weights.sum())))
    totals = {role: np.sum(pairs, axis=0) for role, pairs in errors.items()}
    return {role: to_psnr(error / count) for role, (error, count) in totals.items() if count > 0}


def measure_quality(
    stack: F32Array,
    material: Material,
    *,
    filter_sampled: Callable[[F32Array], FloatArray] | None = None,
    flip: bool = True,
) -> Quality:
    """Measure a stack against the material it stands for.

    Args:
        stack: float32 [H, W, C], encoded as `material.pixels`.
        material: the original; its `wrap` is that of filtering.
        filter_sampled: uv float32 [M, 2] -> values [M, C] for psnr_sampled; None filters the stack bilinearly.
        flip: False leaves FLIP out, which takes most of the time: about 2 s for each of up to four pictures. Of larger
            materials it is taken of the middle FLIP_SIDE x FLIP_SIDE texels, with a note.
    """
    original = _prepare(material)
    roles = [material.channels[i].role for i in original.varying]
    picked, reference = stack[:, :, original.varying], material.pixels[:, :, original.varying]
    weights = original.weights

    sampled = filter_sampled or (lambda uv: filtered(stack, uv, repeat=material.wrap == "repeat"))
    values = sampled(original.uv)[:, original.varying]
    by_map: dict[str, float] = psnr_by_map(picked, reference, roles, weights) | own_size_psnr(stack, material)
    similarity = {}
    for role in by_map:
        mine = [c for c, r in enumerate(roles) if r == role]
        part = None if weights is None else weights[:, :, mine]
        similarity[role] = ssim(picked[:, :, mine], reference[:, :, mine], part)

    normal = [i for i, c in enumerate(material.channels) if c.role == "normal"]
    angles: tuple[float | None, float | None] = (None, None)
    if len(normal) >= 2 and "normal" in roles:
        angles = normal_angles(stack[:, :, normal[:2]], material.pixels[:, :, normal[:2]])

    views = _views(stack, material) if original.views else []
    squares = [mse(a, b) for a, b in zip(views, original.views, strict=True)]
    flips, notes = _flips(stack, material, roles, views, original.views) if flip else ((None, None), ())
    return Quality(
        psnr=_finite(psnr(picked, reference, weights)),
        psnr_sampled=_finite(psnr(values, original.sampled, original.sampled_weights)),
        psnr_by_map={role: _finite(value) for role, value in by_map.items()},
        ssim_by_map=similarity,
        flip_albedo=flips[0],
        normal_angle_mean=angles[0],
        normal_angle_p99=angles[1],
        shaded_psnr=_finite(to_psnr(float(np.mean(squares)))) if squares else None,
        shaded_flip=flips[1],
        notes=notes,
    )


@dataclass(frozen=True, eq=False)
class _Original:
    """What every measurement needs of the material: its varying channels, their values between texels, its views."""

    varying: list[int]
    weights: F32Array | None
    uv: F32Array
    sampled: F64Array
    sampled_weights: F64Array | None
    views: list[F32Array]


@lru_cache(maxsize=1)  # a comparison measures many stacks against one material
def _prepare(material: Material) -> _Original:
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    repeat = material.wrap == "repeat"
    weights = None if material.weights is None else material.weights[:, :, varying]
    uv = sample_points()
    return _Original(
        varying=varying,
        weights=weights,
        uv=uv,
        sampled=filtered(material.pixels[:, :, varying], uv, repeat=repeat),
        sampled_weights=None if weights is None else filtered(weights, uv, repeat=repeat),
        views=_views(material.pixels, material) if is_lit(material.to_metadata()["channels"]) else [],
    )


def _views(stack: F32Array, material: Material) -> list[F32Array]:
    return render_plane_views(stack, material.to_metadata()["channels"], material.normal_convention)


def _flips(
    stack: F32Array,
    material: Material,
    roles: Sequence[str],
    views: Sequence[F32Array],
    references: Sequence[F32Array],
) -> tuple[tuple[float | None, float | None], tuple[str, ...]]:
    """FLIP of the albedo and of the views, and notes. roles: of the channels that vary."""
    middle, notes = _middle(material)
    role = "albedo" if "albedo" in roles else "color"
    of_albedo = of_views = None
    try:
        if role in roles:
            picked = [i for i, c in enumerate(material.channels) if c.role == role][:3]
            weights = None if material.weights is None else material.weights[middle][:, :, picked[0]]
            picture, reference = (_as_picture(a[middle], picked, material) for a in (stack, material.pixels))
            of_albedo = flip(picture, reference, weights)
        if views:
            of_views = float(np.mean([flip(a[middle], b[middle]) for a, b in zip(views, references, strict=True)]))
    except ExtraError as error:
        return (None, None), (str(error),)
    return (of_albedo, of_views), notes


def _middle(material: Material) -> tuple[tuple[slice, slice], tuple[str, ...]]:
    """The part that FLIP is taken of, and a note if it is not the whole."""
    sizes = material.height, material.width
    starts = [max(0, (size - FLIP_SIDE) // 2) for size in sizes]
    y, x = (slice(start, start + min(size, FLIP_SIDE)) for start, size in zip(starts, sizes, strict=True))
    if max(sizes) <= FLIP_SIDE:
        return (y, x), ()
    part = f"{x.stop - x.start} x {y.stop - y.start}"
    return (y, x), (f"FLIP is that of the middle {part} texels, for the time it takes",)


def _as_picture(stack: F32Array, picked: Sequence[int], material: Material) -> F32Array:
    """A colour of one or three channels as [H, W, 3] sRGB."""
    values = np.clip(stack[:, :, picked], 0, 1)
    if material.channels[picked[0]].color_space == "linear":
        values = linear_to_srgb(values)
    return values if values.shape[2] == 3 else np.repeat(values[:, :, :1], 3, axis=2)


def lost_maps(report: JsonView) -> list[str]:
    """A line for each map that has lost much of its variance. report: of a Texture after `compress`."""
    lost = report.get("lost_by_map", {})
    return [f"{role} has lost {min(value, 1):.0%} of its signal" for role, value in lost.items() if value > _MUCH]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
