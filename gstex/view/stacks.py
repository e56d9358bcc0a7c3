"""The stacks that a file is compared with: its source, and the same maps in block codecs, with all mips.

The GPU filters them, so that both sides of a split are drawn by the same rules.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gstex.arrays import F32Array, F64Array, FloatArray, U16Array
from gstex.errors import AmbiguousError, GstexError, MismatchError
from gstex.json_types import JsonObject, JsonView
from gstex.material import Material, MipLevel, find_tiles, load_material, make_mips
from gstex.material.bleed import bleed
from gstex.material.udim import tile_of
from gstex.texture import Texture
from gstex.view.errors import Errors, measure_errors
from gstex.view.maps import list_maps
from gstex.view.state import MIXES, label_of

__all__ = ["Stack", "Wanted", "encode_mix", "encode_stack", "load_reference", "read_second", "to_codes"]

# The codecs that engines use, by the number of channels of an image.
_BC = {
    "bc1": {1: "bc4", 2: "bc5", 3: "bc1", 4: "bc3"},
    "bc7": {1: "bc4", 2: "bc5", 3: "bc7", 4: "bc7"},
}


@dataclass(frozen=True, eq=False)
class Stack:
    """One stack with its mips.

    levels: uint16 [layers, h, w, 4] each, value = code / 65535; channel c is component c % 4 of layer c // 4. Empty for
    the file itself, which the shader decodes.
    bpp: bits per texel of mip 0, None for the reference. errors: against the reference, None if that is not known.
    varying: the channels that are not constant.
    """

    label: str
    levels: tuple[U16Array, ...]
    bpp: float | None = None
    errors: Errors | None = None
    varying: tuple[int, ...] = ()

    @property
    def psnr(self) -> float | None:
        """PSNR in dB of all channels that vary; None if exact or unknown."""
        return None if self.errors is None else self.errors.psnr(self.varying)

    def values(self, mip: int, column: int, row: int) -> F64Array:
        """float64 [4 * layers]: the values of a texel, channels in order."""
        return self.levels[mip][:, row, column].reshape(-1) / 65535.0


@dataclass(frozen=True)
class Wanted:
    """What a stack must match: the description of a material and how its mips were made, from a file's metadata.

    byte_count: the bytes of the file that a GPU reads for mip 0.
    """

    material: JsonObject
    fit: JsonObject
    width: int
    height: int
    channels: int
    mip_count: int
    repeat: bool
    byte_count: int = 0

    @property
    def varying(self) -> tuple[int, ...]:
        """The channels that are not constant."""
        return tuple(i for i, row in enumerate(self.material["channels"]) if row["constant"] is None)

    @property
    def texels(self) -> int:
        """The number of texels of mip 0."""
        return self.width * self.height


def to_codes(pixels: FloatArray) -> U16Array:
    """float [h, w, C] in 0..1 -> uint16 [ceil(C / 4), h, w, 4]."""
    height, width, channels = pixels.shape
    layers = -(-channels // 4)
    codes = np.zeros((layers, height, width, 4), np.uint16)
    for c in range(channels):
        codes[c // 4, :, :, c % 4] = np.rint(np.clip(pixels[:, :, c], 0, 1) * np.float32(65535))
    return codes


def load_reference(source: Path, spec: Wanted, texture: Texture | None = None) -> tuple[Stack, Stack | None]:
    """Read the source of a file and make its mips. Returns (reference, stack with the errors of the file or None).

    texture: the file; None measures nothing.

    Raises:
        MismatchError: the source does not match the file. MaterialError: it cannot be read.
    """
    material, levels = _load(source, spec)
    reference = Stack(f"{material.name}, the reference", tuple(to_codes(level.pixels) for level in levels))
    if texture is None:
        return reference, None
    return reference, Stack("gstex", (), _bpp(spec.byte_count, spec), _errors(texture.decode(), material, spec),
                            spec.varying)  # fmt: skip


def read_second(second: Texture, name: str, source: Path | None, spec: Wanted) -> Stack:
    """Decode another file of the same material, with the channels in the order of the first file.

    name: its label. source: the source of the first file, to measure against; None measures nothing.

    Raises:
        MismatchError: it holds other maps, or has another size. MaterialError: the source cannot be read.
    """
    from gstex.compare.scaling import shrink

    size, second_size = (spec.width, spec.height), (second.width, second.height)
    if size != second_size:
        raise MismatchError(f"{name}: is {second_size[0]}x{second_size[1]}, the first file {size[0]}x{size[1]}; "
                            "give one of its size")  # fmt: skip
    theirs, ours = _roles(second.material), _roles(spec.material)
    missing = [f"{role}.{component}" for role, component in ours if (role, component) not in theirs]
    if missing:
        raise MismatchError(f"{name}: has no {', '.join(missing[:3])}; give a file of the same maps")
    order = [theirs.index(channel) for channel in ours]
    decoded = [second.decode(mip)[:, :, order] for mip in range(min(second.mip_count, spec.mip_count))]
    while len(decoded) < spec.mip_count:  # otherwise the GPU would have too few mips to filter with
        decoded.append(shrink(decoded[-1], 2))
    errors = None
    if source is not None:
        errors = _errors(decoded[0], _load(source, spec)[0], spec)
    return Stack(name, tuple(map(to_codes, decoded)), _bpp(second.mip_0_words().nbytes, spec), errors, spec.varying)


Progress = Callable[[str, int, int], None]


def encode_stack(
    source: Path, spec: Wanted, codec: str, progress: Progress = lambda *at: None, processes: int | None = None
) -> Stack:  # fmt: skip
    """The source in a block codec, in the packing that engines use, every mip encoded by itself.

    codec: a key of `compare.codecs.CODECS`. progress: called with (stage, done, all). processes: see
    `compare.pool.run_all`.

    Raises:
        ExtraError: the encoders are not installed.
    """
    from gstex.compare.codecs import choose_codecs
    from gstex.compare.plans import make_plan

    choose_codecs([codec])  # says what is missing
    progress("reading the maps", 0, 1)
    material, levels = _load(source, spec)
    images = [image for group in make_plan(material) for image in group[0]]
    plan = [_Image(i.channels, _BC[codec][len(i.channels)] if codec in _BC else codec, 1, i.alpha_weighted)
            for i in images]  # fmt: skip
    return _encode(plan, label_of(codec), material, levels, spec, progress, processes)


def encode_mix(
    source: Path, spec: Wanted, name: str, progress: Progress = lambda *at: None, processes: int | None = None
) -> Stack:  # fmt: skip
    """The best mix of a family of codecs that takes no more bytes than the file, with a codec and a resolution for each
    image; the smallest mix if all take more.

    name: a key of `state.MIXES`. The rest as for `encode_stack`.
    """
    from gstex.compare.baselines import encode_baselines
    from gstex.compare.cache import Cache
    from gstex.compare.codecs import choose_codecs
    from gstex.compare.plans import make_plan
    from gstex.compare.run import DEFAULT_CODECS

    family = MIXES[name]
    codecs, _ = choose_codecs([codec for codec in DEFAULT_CODECS if codec.startswith(family)])
    progress("reading the maps", 0, 1)
    material, levels = _load(source, spec)
    baselines = encode_baselines(
        material, codecs, processes=processes, cache=Cache(),
        progress=lambda what, done, total: progress(f"{what} every codec", done, total),
    )  # fmt: skip
    hull = baselines.hulls[family]
    option = next((o for o in reversed(hull) if o.bytes <= spec.byte_count), hull[0])
    weighted = {i.name: i.alpha_weighted for group in make_plan(material) for way in group for i in way}
    plan = [_Image(s.channels, s.codec, s.scale, weighted[s.image]) for s in option.choice.values()]
    return _encode(plan, f"{family.upper()} mix", material, levels, spec, progress, processes)


@dataclass(frozen=True)
class _Image:
    """Channels that are stored together. scale: how much smaller than the stack the image is."""

    channels: tuple[int, ...]
    codec: str
    scale: int
    alpha_weighted: bool


def _encode(
    plan: Sequence[_Image], label: str, material: Material, levels: Sequence[MipLevel], spec: Wanted,
    progress: Progress, processes: int | None,
) -> Stack:  # fmt: skip
    """Encode the images of a plan, every mip by itself. Mips larger than a reduced image are stored at its size."""
    from gstex.compare.cache import Cache
    from gstex.compare.codecs import CODECS, decode
    from gstex.compare.encoding import Job, encode_all, unzip
    from gstex.compare.scaling import shrink, stretch

    jobs = []
    for mip, level in enumerate(levels):
        filled = bleed(level.pixels, level.weights, repeat=spec.repeat)[0]
        for image in plan:
            small = shrink(filled[:, :, image.channels], max(1, image.scale >> mip))
            jobs.append(Job(image.codec, np.round(small * 255).astype(np.uint8), image.alpha_weighted))
    data = encode_all(jobs, cache=Cache(), processes=processes,
                      progress=lambda done, total: progress(f"encoding {label}", done, total))  # fmt: skip
    stacks, byte_count = [], 0
    for mip, level in enumerate(levels):
        stack = np.array(level.pixels)  # constant channels stay
        for index, image in enumerate(plan):
            job, packed = jobs[mip * len(plan) + index], data[mip * len(plan) + index]
            height, width, channels = job.image.shape
            pixels = decode(CODECS[job.codec], unzip(packed), height, width, channels)
            stack[:, :, list(image.channels)] = stretch(pixels, *stack.shape[:2], repeat=spec.repeat)
            byte_count += CODECS[job.codec].size(height, width) if mip == 0 else 0
        stacks.append(stack)
    return Stack(label, tuple(map(to_codes, stacks)), _bpp(byte_count, spec), _errors(stacks[0], material, spec),
                 spec.varying)  # fmt: skip


def _bpp(byte_count: int, spec: Wanted) -> float:
    return 8 * byte_count / spec.texels


def _errors(stack: F32Array, material: Material, spec: Wanted) -> Errors:
    return measure_errors(stack, material.pixels, material.weights, list_maps(spec.material, spec.channels))


def _load(source: Path, spec: Wanted) -> tuple[Material, Sequence[MipLevel]]:
    """The matching material, and as many of its mips as the file has."""
    material = _read(source, spec)
    levels = [MipLevel(material.pixels, material.weights)]
    if spec.mip_count > 1:
        fit = spec.fit
        filter = fit["mip_filter"] if fit.get("mip_filter") in ("box", "kaiser") else "box"
        alpha_test = fit["alpha_test"] if isinstance(fit.get("alpha_test"), float) else None
        levels = make_mips(material, repeat=spec.repeat, filter=filter, alpha_test=alpha_test,
                           roughness_from_normals=fit.get("roughness_from_normals") is True)  # fmt: skip
    return material, levels[: spec.mip_count]


def _read(source: Path, spec: Wanted) -> Material:
    """Read the source in the way in which it was read for the file."""
    tile = _tile(source, spec.material)
    try:
        material = load_material(source, tile=tile)
    except AmbiguousError:
        material = load_material(source, overrides=_overrides(spec.material), tile=tile)
    if "sources" in spec.material and _reading(material.to_metadata()) != _reading(spec.material):
        try:
            material = load_material(source, overrides=_overrides(spec.material), tile=tile)
        except GstexError as error:
            raise MismatchError(f"{source}: its maps are not those of the file: {error}") from None
    size, given_size = (spec.width, spec.height), (material.width, material.height)
    if size != given_size:
        raise MismatchError(f"{source}: is {given_size[0]}x{given_size[1]}, the file {size[0]}x{size[1]}; "
                            "give its own source")  # fmt: skip
    if len(material.channels) != spec.channels or _roles(material.to_metadata()) != _roles(spec.material):
        raise MismatchError(f"{source}: its maps are not those of the file; give its own source")
    return material


def _tile(source: Path, material: JsonView) -> int | None:
    """The tile of a UDIM set that a file was made from; None if the source is not a UDIM set."""
    tiles = find_tiles(source)
    names = [row.get("file") for row in material.get("sources") or () if isinstance(row, dict)]
    tiles_named = (tile_of(name) for name in names if isinstance(name, str))
    return next((f[1] for f in tiles_named if f and f[1] in tiles), tiles[0]) if tiles else None


def _reading(material: JsonView) -> tuple[object, object]:
    """How the maps of a material were read: their roles, and the ranges of floats."""
    rows = [row for row in material.get("channels") or () if isinstance(row, dict)]
    ranges = [tuple(row.get(name) for name in ("scale", "bias", "stops")) for row in rows]
    return _roles(material), ranges


def _roles(material: JsonView) -> list[tuple[object, object]]:
    rows = material.get("channels")
    return [(row.get("role"), row.get("component")) for row in rows if isinstance(row, dict)] if isinstance(
        rows, list) else []  # fmt: skip


def _overrides(material: JsonView) -> list[str]:
    """The `--map` options that describe how a file's maps were read."""
    rows = [row for row in material.get("channels") or () if isinstance(row, dict)]
    sources = {row.get("file"): row.get("channels") for row in material.get("sources") or () if isinstance(row, dict)}
    floats = {row.get("file") for row in material.get("sources") or () if isinstance(row, dict) and row.get("is_float")}
    options = []
    for key in dict.fromkeys((row.get("role"), row.get("file")) for row in rows):
        letters = "".join("rgba"[int(row.get("file_channel", 0)) % 4]
                          for row in rows if (row.get("role"), row.get("file")) == key)  # fmt: skip
        alone = len({row.get("role") for row in rows if row.get("file") == key[1]}) == 1
        row = next(row for row in rows if (row.get("role"), row.get("file")) == key)
        of_floats = ""
        if key[1] in floats and not row["stops"]:
            of_floats = f"@{row['bias']!r}..{row['bias'] + row['scale']!r}"
        options.append(f"{key[0]}={key[1]}" + ("" if alone or sources.get(key[1]) == 1 else f":{letters}") + of_floats)
    ignored = material.get("ignored")
    for row in ignored if isinstance(ignored, list) else ():
        if isinstance(row, list) and row and ":" not in str(row[0]):
            options.append(f"ignore={row[0]}")
    return options
