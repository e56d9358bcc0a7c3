"""Encode the textures of a plan, in processes, and write their files."""

import os
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gstex import __version__
from gstex.arrays import F32Array, U8Array
from gstex.compare.codecs import CODECS, Codec, encode, is_installed
from gstex.compare.pool import run_all
from gstex.containers import BY_NAME, parse_ktx2, write_dds, write_ktx2
from gstex.containers import dds as dds_file
from gstex.errors import ExtraError, OutputError, UsageError
from gstex.files import replace_file
from gstex.transcode.plan import TexturePlan
from gstex.transcode.source import Source

__all__ = ["Written", "check_outputs", "output_names", "transcode"]

_BAND = 240  # rows that are encoded at once, a multiple of every block's height
_SMALL_WORK = 1 << 16  # with fewer texels, the encoders finish before processes would have started
_MATERIAL = "gstexMaterial"  # key of a KTX2 file
_ALPHA_CUSTOM = 4  # DDS_ALPHA_MODE_CUSTOM: the fourth channel is not an opacity


@dataclass(frozen=True)
class Written:
    """A file that was written. format: 'BC7'. bytes: of the file."""

    path: Path
    plan: TexturePlan
    format: str
    width: int
    height: int
    mips: int
    bytes: int


def output_names(source: Source, plans: Sequence[TexturePlan], container: str) -> list[str]:
    """Names of the files, one for each plan."""
    return [f"{source.name}_{plan.name}.{container}" for plan in plans]


def check_outputs(folder: Path, source: Source, names: Sequence[str], *, force: bool) -> None:
    """Refuse to replace files that were not made by `transcode` from a material of the same name.

    Raises:
        OutputError: there is such a file, or the folder cannot be used.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is not a folder; give another name")
    try:  # checked before minutes of work, by a test file, as access rights alone do not show it
        there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
        with tempfile.TemporaryFile(dir=there, prefix=".gstex-"):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}); choose another place") from None
    for name in names:
        path = folder / name
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; give another output folder")
        if os.path.lexists(path) and not force and _made_from(path) != zlib.crc32(source.name.encode()):
            raise OutputError(f"{path}: already exists and was not made from {source.name!r} by this command; give "
                              "another folder, or --force to replace it")


def _made_from(path: Path) -> int | None:
    """The hash of the material's name in a file that `transcode` has written; None for any other file."""
    try:
        with open(path, "rb") as file:
            head, size = file.read(4096), path.stat().st_size
    except OSError:
        return None
    try:
        return dds_file.made_by(head) if head.startswith(b"DDS ") else zlib.crc32(
            parse_ktx2(head, size).values[_MATERIAL].encode())  # fmt: skip
    except (ValueError, KeyError):
        return None


def transcode(
    source: Source,
    plans: Sequence[TexturePlan],
    folder: str | Path,
    *,
    container: str,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    force: bool = False,
) -> list[Written]:
    """Write textures with all mips of the source.

    Args:
        plans: of `plan_textures`. container: 'dds' or 'ktx2'. processes: see `pool.run_all`.
        progress: called with (texels done, texels of all).
        force: replace files that were not made from a material of the same name.

    Raises:
        UsageError: the container does not hold a format. ExtraError: an encoder is missing.
        OutputError: a file cannot be written; then no file is written.
    """
    folder = Path(folder)
    names = output_names(source, plans, container)
    _check_formats(plans, container)
    check_outputs(folder, source, names, force=force)
    data = _encode(source, plans, processes, progress)
    files = [_pack(source, plan, levels, container) for plan, levels in zip(plans, data, strict=True)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".gstex-") as temporary:
            for name, content in zip(names, files, strict=True):
                replace_file(Path(temporary) / name, content)
            for name in names:
                os.replace(Path(temporary) / name, folder / name)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}); choose another place") from None
    height, width = source.mips[0].shape[:2]
    return [Written(folder / name, plan, CODECS[plan.codec].label, width, height, len(source.mips), len(content))
            for name, plan, content in zip(names, plans, files, strict=True)]  # fmt: skip


def _check_formats(plans: Sequence[TexturePlan], container: str) -> None:
    for plan in plans:
        codec = CODECS[plan.codec]
        if container == "dds" and codec.family == "astc":
            raise UsageError(f"--container dds: has no number for {codec.label}; take --container ktx2")
        if codec.encoders and not any(map(is_installed, codec.encoders)):
            raise ExtraError(f"{codec.label} needs {' or '.join(codec.encoders)}: pip install gstex[compare]")
        if codec.name == "bc7" and not is_installed("texture2ddecoder"):
            raise ExtraError("BC7 needs texture2ddecoder: pip install gstex[compare]")


def texels_of(plan: TexturePlan, mip: F32Array) -> U8Array:
    """The components of a texture: uint8 [h, w, components] of a mip [h, w, C]."""
    planes = []
    for plane in plan.planes:
        if plane.z_of is not None:
            x, y = (mip[:, :, c] * np.float32(2) - 1 for c in plane.z_of)
            values = np.sqrt(np.maximum(1 - x * x - y * y, 0)) * np.float32(0.5) + np.float32(0.5)
        elif plane.channel is not None:
            values = mip[:, :, plane.channel]
            values = 1 - values if plane.inverted else values
        else:
            values = np.full(mip.shape[:2], plane.fill, np.float32)
        planes.append(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))
    return np.stack(planes, axis=2)


@dataclass(frozen=True, eq=False)
class _Job:
    codec: Codec
    image: U8Array

    def run(self) -> bytes:
        return encode(self.codec, self.image)


def _encode(
    source: Source, plans: Sequence[TexturePlan], processes: int | None, progress: Callable[[int, int], None] | None
) -> list[list[bytes]]:  # fmt: skip
    """For each plan, the data of its levels, the largest first."""
    jobs, places = [], []
    for number, plan in enumerate(plans):
        for level, mip in enumerate(source.mips):
            image = texels_of(plan, mip)
            for top in range(0, image.shape[0], _BAND):
                jobs.append(_Job(CODECS[plan.codec], image[top : top + _BAND]))
                places.append((number, level))
    total = sum(job.image.shape[0] * job.image.shape[1] for job in jobs)
    done, results = 0, [b""] * len(jobs)
    if progress:
        progress(0, total)
    order = sorted(range(len(jobs)), key=lambda n: -jobs[n].image.size)  # the large images first
    count = 1 if total < _SMALL_WORK else processes
    for place, data in run_all(_Job.run, [jobs[n] for n in order], processes=count):
        job = order[place]
        results[job] = data
        done += jobs[job].image.shape[0] * jobs[job].image.shape[1]
        if progress:
            progress(done, total)
    levels: list[list[list[bytes]]] = [[[] for _ in source.mips] for _ in plans]
    for (number, level), data in zip(places, results, strict=True):
        levels[number][level].append(data)
    return [[b"".join(bands) for bands in mips] for mips in levels]


def _pack(source: Source, plan: TexturePlan, levels: Sequence[bytes], container: str) -> bytes:
    height, width = source.mips[0].shape[:2]
    format = BY_NAME[plan.codec]
    if container == "dds":
        alpha = _ALPHA_CUSTOM if len(plan.planes) == 4 else dds_file.OPAQUE
        alpha = dds_file.STRAIGHT if plan.opacity else alpha
        return write_dds(format, width, height, levels, srgb=plan.srgb, alpha_mode=alpha,
                         tag=zlib.crc32(source.name.encode()))  # fmt: skip
    values = {"KTXwriter": f"gstex {__version__}", _MATERIAL: source.name}
    values |= {f"gstexRange.{role}": f"{of.scale!r} {of.bias!r} {of.stops!r}" for role, of in plan.ranges}
    return write_ktx2(format, width, height, levels, srgb=plan.srgb, color=plan.color, values=values)
