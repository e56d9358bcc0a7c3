"""What to fit of a material: a task for every mip, of the channels that vary."""

from collections.abc import Mapping, Sequence

import numpy as np

from gstex.arrays import F32Array
from gstex.encode.problem import Target, Task, planes_of
from gstex.material import Material
from gstex.material.bleed import bleed
from gstex.material.mips import MipLevel

__all__ = ["channels_of", "tasks_of", "varying_channels"]

# What a squared error counts in the fit, by map; 1 for others. The normals decide how a lit surface looks: on two crops
# at 1.4 bits per texel a weight of 2 costs 0.0 and 0.15 dB over all maps and gives 0.6 dB of the lit picture; one of 3
# cost a third crop 0.9 dB.
ROLE_WEIGHTS = {"normal": 2.0}


def varying_channels(material: Material) -> list[int]:
    """The channels of the stack that are not constant."""
    return [i for i, c in enumerate(material.channels) if c.constant is None]


def tasks_of(
    material: Material, levels: Sequence[MipLevel], varying: list[int], budget: int, count: int | None, *, repeat: bool,
    weights: Mapping[str, float] | None = None,
) -> list[Task]:
    """The task of every mip. Hidden colour continues the visible colour around it. weights: of `compress`."""
    roles = [material.channels[i].role for i in varying]
    user_weights = np.array([(weights or {}).get(role, 1.0) for role in roles])
    weight = np.array([ROLE_WEIGHTS.get(role, 1.0) for role in roles], np.float32) * user_weights.astype(np.float32)
    weight *= len(varying) / max(weight.sum(), 1e-9)
    maps = np.array([roles.index(role) for role in roles])
    pictures = [bleed(level.pixels, level.weights, repeat=repeat) for level in levels]
    # One axis at a time: that takes a fifth of the time of both at once.
    lows = np.min([pixels.min(axis=0).min(axis=0) for pixels, _ in pictures], axis=0)
    highs = np.max([pixels.max(axis=0).max(axis=0) for pixels, _ in pictures], axis=0)
    plane, firsts = planes_of([counts[:, :, varying] for _, counts in pictures])
    firsts = [varying[i] for i in firsts]
    return [
        Task(
            target=Target(
                np.ascontiguousarray(channels_of(pixels, varying)), np.ascontiguousarray(counts[:, :, firsts]), plane,
                # Nobody asks for the mean of mip 0.
                channels_of(level.weights, varying) if number and level.weights is not None else None,
            ),
            weight=weight,
            maps=maps,
            asked=user_weights if weights else None,
            srgb=np.array([material.channels[i].color_space == "srgb" for i in varying]),
            ranges=[(float(lows[i]), float(highs[i])) for i in varying],
            neutral=[material.channels[i].neutral for i in varying],
            repeat=repeat,
            budget_words=budget,
            count=count,
        )
        for number, (level, (pixels, counts)) in enumerate(zip(levels, pictures, strict=True))
    ]


def channels_of(stack: F32Array, channels: list[int]) -> F32Array:
    """Some channels of a stack [H, W, C], without a copy where it is all of them."""
    return stack if len(channels) == stack.shape[2] else stack[:, :, channels]
