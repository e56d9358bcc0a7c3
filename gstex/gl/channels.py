"""Uniforms of shaders/gstex.glsl: the channels of each map, their units, and the material block."""

from __future__ import annotations

import numpy as np

from gstex.arrays import U32Array
from gstex.format import MaterialTable
from gstex.gl.program import Uniforms

__all__ = ["channel_uniforms", "material_block", "unit_uniforms"]


def channel_uniforms(table: MaterialTable, name: str = "channels", *, vec4s: int = 4) -> Uniforms:
    """The result of gstex_find_channels as values of `uniform GstexChannels <name>`, for `Program.set(**...)`.

    Args:
        table: `Texture.table`.
        name: of the uniform.
        vec4s: GSTEX_VEC4S of the shader; channels beyond these are not found.

    A missing channel is -1. As in gstex.shading, a picture ('color') stands in for albedo, and a constant opacity hides
    nothing. `gstex_find_channels` of gstex.h finds them.
    """
    return {f"{name}.{member}": value for member, value in table.section.find_channels(vec4s).items()}


def unit_uniforms(table: MaterialTable, name: str = "units", *, vec4s: int = 4) -> Uniforms:
    """The result of gstex_find_units as values of `uniform GstexUnits <name>`, for `Program.set(**...)`.

    With both uniforms, gstex_surface_of makes a surface from decoded values, also from those of the expanded form.
    Arguments are those of `channel_uniforms`.
    """
    members = ("scale", "bias", "stops", "srgb")
    return {f"{name}.{of}.{member}": value for of, unit in table.section.find_units(vec4s).items()
            for member, value in zip(members, unit, strict=True)}  # fmt: skip


def material_block(table: MaterialTable, base: int = 0) -> U32Array:
    """The material block, for shaders that define GSTEX_MATERIAL_BLOCK: `gstex_material_block` of gstex.h makes it.

    Args:
        table: `Texture.table`.
        base: the base word of the material, from `WordBuffer.bases`.

    Returns:
        uint32 [n, 4], the contents of the uniform block GstexMaterialBlock (docs/shaders.md).
    """
    fours = table.section.material_block(base, np.zeros(0, np.uint32))
    words = np.zeros(4 * fours, np.uint32)
    table.section.material_block(base, words)
    return words.reshape(-1, 4)
