"""The maps of a file: which channels belong together, and how people see them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gstex.arrays import F32Array, FloatArray
from gstex.errors import UsageError
from gstex.json_types import JsonView
from gstex.srgb import linear_to_srgb

__all__ = ["LOOKS", "ShownMap", "find_map", "list_maps", "shown"]

# How channels become a colour. shaders/view/look.glsl uses the indices of these names.
LOOKS = ("grey", "color", "linear color", "normal", "pair")


@dataclass(frozen=True)
class ShownMap:
    """One map. channels: numbers in the stack. components: letters, as `Channel.component`. look: one of LOOKS."""

    name: str
    file: str
    channels: tuple[int, ...]
    components: tuple[str, ...]
    look: str

    def pick(self, channel: int | None) -> "ShownMap":
        """The map, or one of its channels as grey."""
        if channel is None or len(self.channels) == 1:
            return self
        channel = min(channel, len(self.channels) - 1)
        name = f"{self.name}.{self.components[channel]}"
        return ShownMap(name, self.file, (self.channels[channel],), (self.components[channel],), "grey")


def list_maps(material: JsonView, channel_count: int) -> list[ShownMap]:
    """The maps in the order of their channels.

    Args:
        material: metadata of a file, which may hold anything. A channel that it does not describe is a map of its own.
    """
    rows = material.get("channels")
    rows = rows if isinstance(rows, list) else []
    groups: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
    for number in range(channel_count):
        row = rows[number] if number < len(rows) and isinstance(rows[number], dict) else {}
        key = (str(row.get("role", f"channel {number}")), str(row.get("file", "")))
        groups.setdefault(key, []).append((number, str(row.get("component", "v")), str(row.get("color_space", ""))))
    names = [role for role, _ in groups]
    maps = []
    for (role, file), members in groups.items():
        name = role if names.count(role) == 1 else f"{role} ({file})"
        components = tuple(component for _, component, _ in members)
        maps.append(ShownMap(name, file, tuple(n for n, _, _ in members), components, _look(members)))
    return maps


def _look(members: Sequence[tuple[int, str, str]]) -> str:
    components = [component for _, component, _ in members]
    if components == ["x", "y"]:
        return "normal"
    if len(members) >= 3:
        return "linear color" if members[0][2] == "linear" and components[0] == "r" else "color"
    return "pair" if len(members) == 2 else "grey"


def find_map(maps: Sequence[ShownMap], name: str) -> int:
    """The number of a map. name: its name, its file or its number.

    Raises:
        UsageError: there is no such map.
    """
    for number, a_map in enumerate(maps):
        if name.lower() in (a_map.name.lower(), a_map.file.lower(), str(number)):
            return number
    raise UsageError(f"map: got {name!r}, expected one of {', '.join(a_map.name for a_map in maps)}")


def shown(stack: FloatArray, shown_map: ShownMap) -> F32Array:
    """The map as the viewer shows it: float32 [..., 3] sRGB in 0..1. The same as in shaders/view/look.glsl.

    stack: float [..., C], encoded as stored.
    """
    values = np.clip(stack[..., list(shown_map.channels)].astype(np.float32), 0, 1)
    if shown_map.look == "grey":
        return np.repeat(values[..., :1], 3, axis=-1)
    if shown_map.look == "pair":
        return np.concatenate([values, np.zeros_like(values[..., :1])], axis=-1)
    if shown_map.look == "normal":
        xy = values * 2 - 1
        z = np.sqrt(np.maximum(1 - (xy**2).sum(axis=-1, keepdims=True), 0))
        return np.concatenate([values, z * 0.5 + 0.5], axis=-1)
    values = values[..., :3]
    return linear_to_srgb(values) if shown_map.look == "linear color" else values
