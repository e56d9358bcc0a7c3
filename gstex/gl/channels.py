"""Which channel belongs to which map: the uniform struct GstexChannels of shaders/gstex.glsl."""

from __future__ import annotations

from typing import Any

from gstex.format import MaterialTable

__all__ = ["channel_uniforms"]


def channel_uniforms(table: MaterialTable, name: str = "channels", *, vec4s: int = 4) -> dict[str, Any]:
    """What gstex_find_channels finds, as values of `uniform GstexChannels <name>` for `Program.set(**...)`.

    Args:
        table: `Texture.table`.
        name: of the uniform.
        vec4s: GSTEX_VEC4S of the shader; channels beyond these are not found.

    What is missing is -1. As in gstex.shading a picture ('color') stands in for albedo, and a constant opacity hides
    nothing. `gstex_find_channels` of gstex.h does it.
    """
    return {f"{name}.{member}": value for member, value in table.section.find_channels(vec4s).items()}
