"""Images as Basis Universal stores them: KTX2 files of its command-line tool `basisu`, and what they decode to.

The option -linear says that an image holds numbers, so the encoder minimises the squared error and not a perceptual
one. An image of 1 to 4 channels goes to the tool as

    channels   1      2      3      4
    image      RRR    RRRG   RGB    RGBA
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gstex.arrays import F32Array, U8Array
from gstex.compare.baselines import Options
from gstex.compare.hull import Option
from gstex.compare.plans import Group, fill_hidden
from gstex.compare.scaling import SCALES, shrink, stretch
from gstex.compare.stored import errors_of
from gstex.errors import GstexError
from gstex.material import Material

__all__ = ["MIXES", "SETTINGS", "USUAL", "Basisu", "Setting", "encode_plan"]

# Numbers by which basisu knows GPU formats. They hold the stored values exactly, except the opacity of ETC1S.
_ETC2, _ASTC = 1, {"4x4": 10, "6x6": 31, "8x8": 36, "12x12": 40}
# By number of channels: the channels that the tool gets, and where the image's channels are in its output.
_SPREAD = {1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [0, 1, 2], 4: [0, 1, 2, 3]}
_READ_BACK = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}


@dataclass(frozen=True)
class Setting:
    """One way to call the encoder. format: an entry of MIXES. target: number of the GPU format that it is decoded
    to."""

    format: str
    name: str
    target: int
    arguments: tuple[str, ...]


def _etc1s(quality: int) -> Setting:
    return Setting("ETC1S", f"ETC1S q{quality}", _ETC2, ("-q", str(quality), "-comp_level", "2"))


def _uastc(rdo: float) -> Setting:
    lossy = ("-uastc_rdo_l", f"{rdo:g}", "-uastc_rdo_m") if rdo else ()
    return Setting("UASTC", f"UASTC {rdo:g}", _ASTC["4x4"], ("-uastc", "-ktx2_zstandard_level", "20", *lossy))


def _xuastc(block: str, quality: int) -> Setting:
    arguments = (f"-ldr_{block}i", "-quality", str(quality), "-effort", "1", "-xuastc_arith")
    return Setting("XUASTC", f"XUASTC {block} q{quality}", _ASTC[block], arguments)


# Formats of each mix: the two that glTF knows, and these with XUASTC, which is new in version 2.
MIXES = {"basis": ("ETC1S", "UASTC"), "basis_all": ("ETC1S", "UASTC", "XUASTC")}
USUAL = _etc1s(128)
SETTINGS = (
    _etc1s(1), _etc1s(32), USUAL, _etc1s(255),
    _uastc(0), _uastc(1), _uastc(4),
    _xuastc("4x4", 75), _xuastc("6x6", 60), _xuastc("8x8", 75), _xuastc("12x12", 75),
)  # fmt: skip


class Basisu:
    """The tool at a path. version: as the tool prints it, such as '2.50.0'."""

    def __init__(self, path: Path):
        self._path = path
        match = re.search(r"\bv(\d[\d.]*)", self._run("-version"))
        if not match:
            raise GstexError(f"{path} does not say its version, as basisu does; give the path of basisu with --basisu")
        self.version = match[1]

    def encode(self, images: Sequence[U8Array], setting: Setting) -> list[tuple[int, F32Array]]:
        """Encode images, each by itself, in one call, since the tool takes long to start.

        images: uint8 [h, w, C], of 1 to 4 channels.
        Returns for each (bytes of the KTX2 file, what it decodes to, float32 [h, w, C] in 0..1).
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for number, image in enumerate(images):
                spread = image[:, :, _SPREAD[image.shape[2]]]
                Image.fromarray(np.ascontiguousarray(spread)).save(folder / f"{number}.png")
            files = [folder / f"{number}.ktx2" for number in range(len(images))]
            self._run(*setting.arguments, "-linear", "-no_multithreading", "-output_path", name,
                      *_named(file.with_suffix(".png") for file in files))  # fmt: skip
            self._run("-unpack", "-format_only", str(setting.target), "-no_ktx", "-output_path", name, *_named(files))
            files_and_images = zip(files, images, strict=True)
            return [(file.stat().st_size, self._unpacked(file, image)) for file, image in files_and_images]

    def _unpacked(self, file: Path, image: U8Array) -> F32Array:
        """What was unpacked of a file, shaped as the image is."""
        height, width, channels = image.shape
        colour, opacity = (sorted(file.parent.glob(f"{file.stem}_unpacked_{kind}_*.png")) for kind in ("rgb", "a"))
        if not colour or (channels in (2, 4) and not opacity):
            raise GstexError(f"basisu {self.version} unpacked no picture that is known here; build version 2.50")
        planes = [np.asarray(Image.open(files[0]).convert("RGB")) for files in (colour, opacity) if files]
        rgba = np.concatenate(planes, axis=2)[:height, :width]
        return rgba[:, :, _READ_BACK[channels]].astype(np.float32) / np.float32(255)

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run([self._path, *arguments], capture_output=True, encoding="utf-8", errors="replace")
        except OSError as error:
            raise GstexError(f"{self._path} cannot be run: {error.strerror or error}") from None
        if done.returncode:
            lines = (done.stdout + done.stderr).strip().splitlines() or ["without a word"]
            raise GstexError(f"basisu {' '.join(arguments)} ended with code {done.returncode}: {lines[-1]}")
        return done.stdout


def _named(files: Iterable[Path]) -> list[str]:
    return [word for file in files for word in ("-file", str(file))]


def encode_plan(
    tool: Basisu, plan: Sequence[Group], material: Material, settings: Sequence[Setting],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Options:  # fmt: skip
    """For each image of a plan its options: every setting at full, half and quarter resolution.

    Option.bytes: of the KTX2 file. Option.choice: by image, (the setting, how much smaller it is).
    """
    filled = fill_hidden(material)
    images = {image.name: image for group in plan for way in group for image in way}.values()
    stored = [(image, scale) for image in images for scale in SCALES]
    small = [np.round(shrink(filled[:, :, image.channels], scale) * 255).astype(np.uint8) for image, scale in stored]

    def run(setting: Setting) -> Options:
        options: Options = {image.name: [] for image in images}
        for (image, scale), (size, decoded) in zip(stored, tool.encode(small, setting), strict=True):
            whole = stretch(decoded, material.height, material.width, repeat=material.wrap == "repeat")
            error = sum(errors_of(whole, image.channels, material))
            options[image.name].append(Option(size, error, {image.name: (setting, scale)}))
        return options

    by_image: Options = {image.name: [] for image in images}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the work is done by the tool's processes
        try:
            for done, options in enumerate(pool.map(run, settings), start=1):
                for name, row in options.items():
                    by_image[name] += row
                progress(done, len(settings))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return by_image
