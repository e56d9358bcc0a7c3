"""Which channel belongs to which map: the uniform struct GstexChannels of shaders/gstex.glsl from the channel table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gstex.format import ChannelEntry

__all__ = ["channel_uniforms"]


def channel_uniforms(entries: Sequence[ChannelEntry], name: str = "channels") -> dict[str, Any]:
    """What gstex_find_channels finds, as values of `uniform GstexChannels <name>` for `Program.set(**...)`.

    Args:
        entries: `Texture.table.header.channels`.

    What is missing is -1. As in gstex.shading a picture ('color') stands in for albedo, and a constant opacity hides
    nothing.
    """

    def first(role: str, *components: str) -> int:
        found = [i for i, c in enumerate(entries) if c.role == role and (not components or c.component in components)]
        return (found or [-1])[0]

    def color(role: str) -> tuple[int, ...]:
        return tuple(first(role, "v", component) for component in "rgb")

    albedo, normal, opacity = color("albedo"), (first("normal", "x"), first("normal", "y")), first("opacity")
    values = {
        "albedo": color("color") if albedo[0] < 0 else albedo,
        "emissive": color("emissive"),
        "normal": normal,
        "normal_directx": int(normal[1] >= 0 and entries[normal[1]].flipped),
        **{role: first(role) for role in ("roughness", "gloss", "metallic", "ao")},
        "opacity": -1 if opacity >= 0 and entries[opacity].constant is not None else opacity,
    }
    return {f"{name}.{member}": value for member, value in values.items()}
