"""The input of transcoding: the channels of a material and their mips, from a .gstex file or from maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gstex.arrays import F32Array
from gstex.errors import UsageError
from gstex.format import ChannelEntry

__all__ = ["Source", "open_source"]


@dataclass(frozen=True, eq=False)
class Source:
    """A material.

    name: of the folder, image or file; outputs are called after it.
    channels: what each channel is; their values in 0..1 are encoded as `srgb` says.
    mips: float32 [h, w, C] in 0..1 each, row 0 = top, the largest first.
    """

    name: str
    channels: tuple[ChannelEntry, ...]
    mips: tuple[F32Array, ...]

    @property
    def flipped(self) -> bool:
        """Whether Y of the normals points down (the DirectX convention)."""
        return any(channel.flipped for channel in self.channels)


def open_source(
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    names: str | Path | None = None,
    max_texels: int | None = None,
    **mip_options: Any,
) -> Source:
    """Read a .gstex file, a folder of maps or an image.

    Args:
        path: a .gstex file, whose own mips are taken; or what `load_material` takes. Then `make_mips` makes the mips,
            and hidden colour is filled from visible colour, as for a fit.
        overrides, names: as of `load_material`. mip_options: filter, alpha_test, roughness_from_normals of
            `make_mips`. All of them are for maps only.
        max_texels: as of `Texture.decode`.

    Raises:
        UsageError: an option does not go with a .gstex file. FormatError, MaterialError: the input cannot be read.
        LimitError: the file stands for too many texels.
    """
    path = Path(path)
    if path.suffix.lower() == ".gstex" and not path.is_dir():
        return _open_file(path, bool(overrides or names or any(mip_options.values())), max_texels)
    from gstex.encode.packing import channel_entries
    from gstex.material import load_material, make_mips
    from gstex.material.bleed import bleed

    material = load_material(path, overrides=overrides, names=names)
    given = {name: value for name, value in mip_options.items() if value}
    repeat = material.wrap == "repeat"
    levels = make_mips(material, repeat=repeat, **given)
    mips = tuple(bleed(level.pixels, level.weights, repeat=repeat)[0] for level in levels)
    return Source(material.name, channel_entries(material), mips)


def _open_file(path: Path, options_given: bool, max_texels: int | None) -> Source:
    import gstex

    if options_given:
        raise UsageError(f"{path}: is a .gstex file, which has its maps and mips already; --map, --names, "
                         "--mip-filter, --alpha-test and --roughness-from-normals go with maps")  # fmt: skip
    texture = gstex.load(path)
    mips = tuple(texture.decode(mip, max_texels=max_texels) for mip in range(texture.mip_count))
    return Source(path.stem.removesuffix(".stripped"), texture.table.header.channels, mips)
