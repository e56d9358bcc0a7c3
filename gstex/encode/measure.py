"""The quality of a texture, measured on the words that are stored."""

from collections.abc import Sequence

import numpy as np

from gstex import metrics
from gstex.arrays import F32Array
from gstex.encode.tasks import channels_of, varying_channels
from gstex.json_types import JsonObject
from gstex.material import Material
from gstex.material.mips import MipLevel
from gstex.texture import Texture

__all__ = ["DRAFT_SIDE", "SIDE", "measure", "own_errors"]

# psnr_sampled is measured at so many points along both axes, and at so many for effort draft.
SIDE, DRAFT_SIDE = 256, 128


def measure(
    texture: Texture, material: Material, levels: Sequence[MipLevel], importance: F32Array | None = None, *,
    decoded: F32Array, side: int = SIDE,
) -> JsonObject:
    """How near the decoded mips come to their pictures, in dB.

    levels: the pictures that the mips stand for. decoded: mip 0 of the texture, float32 [H, W, C]. psnr and
    psnr_sampled are of mip 0, mips has the psnr of each; they are None where the match is perfect or no channel varies.
    importance: float32 [H, W] in 0..1; with it there is psnr_important, in which each texel of mip 0 counts by its
    value. side: psnr_sampled is measured at side * side points.
    """
    varying = varying_channels(material)
    roles = [material.channels[i].role for i in varying]
    weights = None if material.weights is None else channels_of(material.weights, varying)
    whole, decoded, reference = decoded, channels_of(decoded, varying), channels_of(material.pixels, varying)
    uv = metrics.sample_points(side)
    repeat = texture.wrap == "repeat"
    sampled = texture.sample(uv)[:, varying]
    sampled_weights = None if weights is None else metrics.filtered(weights, uv, repeat=repeat)
    sampled_reference = metrics.filtered(reference, uv, repeat=repeat)

    chain = [_finite(metrics.psnr(decoded, reference, weights))]
    for number, level in enumerate(levels[1:], start=1):
        part = None if level.weights is None else level.weights[:, :, varying]
        value = metrics.psnr(texture.decode(number)[:, :, varying], level.pixels[:, :, varying], part)
        chain.append(_finite(value))
    by_map = metrics.psnr_by_map(decoded, reference, roles, weights) | metrics.own_size_psnr(whole, material)
    important = {}
    if importance is not None:
        part = np.broadcast_to(importance[:, :, None], decoded.shape) * (1 if weights is None else weights)
        important["psnr_important"] = _finite(metrics.psnr(decoded, reference, part))
    return {
        "psnr": chain[0],
        "psnr_sampled": _finite(metrics.psnr(sampled, sampled_reference, sampled_weights)),
        **important,
        "psnr_by_map": {k: _finite(v) for k, v in by_map.items()},
        "mips": chain,
    }


def own_errors(decoded: F32Array, material: Material) -> tuple[dict[str, float], dict[str, float]]:
    """`metrics.own_errors` of mip 0; decoded: float32 [H, W, C]."""
    varying = varying_channels(material)
    weights = None if material.weights is None else channels_of(material.weights, varying)
    roles = [material.channels[i].role for i in varying]
    return metrics.own_errors(channels_of(decoded, varying), channels_of(material.pixels, varying), roles, weights)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
