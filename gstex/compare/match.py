"""Check whether a .gstex file was made from a folder: by its metadata, then by the quality that it states."""

from collections.abc import Iterator

import numpy as np

from gstex import metrics
from gstex.arrays import F32Array
from gstex.errors import MismatchError
from gstex.json_types import JsonView
from gstex.material import Material
from gstex.texture import Texture

__all__ = ["check_match"]

_TOLERANCE = 0.01  # dB
_ADVICE = "compress the folder again, or give the folder and the --map that it was made from"


def check_match(texture: Texture, material: Material, name: str) -> F32Array:
    """Refuse a file that was not made from a material.

    Args:
        texture: the file. Its metadata may hold anything.
        material: the folder, as it was read.
        name: of the file, for the message.

    Returns:
        What the file decodes to, `texture.decode()`, float32 [H, W, C], so that the caller need not decode it again.

    Raises:
        MismatchError: maps, sizes or roles differ; or the file's quality, measured against this folder, is not the one
            that it states, because the pictures have changed since.
    """
    if texture.stripped is not None:
        raise MismatchError(f"{name}: `gstex strip` has taken out what says which maps it was made from; compare the "
                            "file from before")
    differences = list(_differences(texture.material, material.to_metadata()))
    if differences:
        more = f", and {len(differences) - 2} more" if len(differences) > 2 else ""
        raise MismatchError(f"{name}: not made from {material.name}: {'; '.join(differences[:2])}{more}; {_ADVICE}")
    stack = texture.decode()
    stated, measured = texture.report.get("psnr", np.nan), _psnr(stack, material)
    if not _equal(stated, measured):
        raise MismatchError(
            f"{name}: not made from these pictures of {material.name}: the file states {_decibels(stated)}, "
            f"against them it has {_decibels(measured)}; {_ADVICE}"
        )
    return stack


def _differences(file: JsonView, folder: JsonView) -> Iterator[str]:
    """The differences between the descriptions of two materials, as sentences, the most important first."""
    for what in ("sources", "channels"):
        rows = file.get(what)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            yield f"the file does not describe its {what}"
            return
    in_folder = {row["file"]: row for row in folder["sources"]}
    in_file = {row.get("file"): row for row in file["sources"]}
    for name in [*in_folder, *in_file]:
        if name not in in_file:
            yield f"{name} is not in the file"
        elif name not in in_folder:
            yield f"{name} is in the file alone"
    for name in in_folder:
        if name in in_file and _size(in_folder[name]) != _size(in_file[name]):
            yield f"{name} is {_size(in_folder[name])} here, {_size(in_file[name])} in the file"
    for key in ("width", "height"):
        if file.get(key) != folder[key]:
            yield f"{key} is {folder[key]} here, {file.get(key)!r} in the file"
    roles = [[(row.get("role"), row.get("file"), row.get("file_channel")) for row in side["channels"]]
             for side in (folder, file)]  # fmt: skip
    for a, b in zip(*roles, strict=False):
        if a != b:
            yield f"{a[1]} is read as {a[0]} here, {b[1]!r} as {b[0]!r} in the file"
    if len(roles[0]) != len(roles[1]):
        yield f"{len(roles[0])} channels here, {len(roles[1])} in the file"


def _size(source: JsonView) -> str:
    kind = " float" if source.get("is_float") else ""
    return (f"{source.get('width')}x{source.get('height')}, {source.get('channels')} channels of "
            f"{source.get('bit_depth')}-bit{kind}")  # fmt: skip


def _psnr(stack: F32Array, material: Material) -> float | None:
    varying = [i for i, c in enumerate(material.channels) if c.constant is None]
    weights = None if material.weights is None else material.weights[:, :, varying]
    value = metrics.psnr(stack[:, :, varying], material.pixels[:, :, varying], weights)
    return value if np.isfinite(value) else None


def _equal(stated: object, measured: float | None) -> bool:
    if stated is None or measured is None:
        return stated is None and measured is None
    return isinstance(stated, int | float) and abs(stated - measured) <= _TOLERANCE


def _decibels(value: object) -> str:
    if value is None:
        return "an exact match"
    return f"{value:.2f} dB" if isinstance(value, int | float) and np.isfinite(value) else "no quality"
