"""The quality of one block codec on a material, as an engine ships it: every map at full size, in its usual image."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gstex import metrics
from gstex.compare.cache import Cache
from gstex.compare.codecs import CODECS, choose_codecs
from gstex.compare.encoding import Job, encode_all
from gstex.compare.measuring import measure_errors
from gstex.compare.plans import fill_hidden, make_plan
from gstex.compare.stored import Stored, count_texels
from gstex.errors import ExtraError, UsageError
from gstex.material import Material

__all__ = ["MATCHES", "check_match_name", "codec_psnr"]

# The codecs that can be matched. With BC1 and BC7, engines use other codecs for some numbers of channels.
_BC = {"bc1": {1: "bc4", 2: "bc5", 3: "bc1", 4: "bc3"}, "bc7": {1: "bc4", 2: "bc5", 3: "bc7", 4: "bc7"}}
MATCHES = ("bc1", "bc7", *(name for name in CODECS if name.startswith("astc")))


def check_match_name(name: str) -> None:
    """Refuse a codec that cannot be matched. Raises: UsageError; ExtraError if a package is missing."""
    if name not in MATCHES:
        raise UsageError(f"match: got {name!r}, expected one of {', '.join(MATCHES)}")
    choose_codecs([name])


def codec_psnr(
    material: Material, name: str, *, processes: int | None = None, cache: Cache | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> float:  # fmt: skip
    """PSNR in dB over all channels that vary, at the texel centres of mip 0; infinite for a perfect match.

    Args:
        name: one of MATCHES. 'bc1' and 'bc7' store single channels as BC4, and pairs such as normals as BC5.
        processes: for the encoders, see `pool.run_all`.
        cache: where encoded images are kept; None for the user's cache folder.
        progress: called with (work done, all).

    Raises:
        UsageError: an unknown codec. ExtraError: a package of the extra 'compare' is missing.
    """
    check_match_name(name)
    usable, notes = choose_codecs([name])
    by_channels = _BC.get(name) or dict.fromkeys(range(1, 5), name)
    filled = fill_hidden(material)
    jobs, stored = [], []
    for image in (image for group in make_plan(material) for image in group[0]):
        codec = CODECS[by_channels[len(image.channels)]]
        if codec not in usable:
            raise ExtraError(f"match {name} needs {codec.label}: {'; '.join(notes)}")
        pixels = np.round(filled[:, :, image.channels] * 255).astype(np.uint8)
        jobs.append(Job(codec.name, pixels, image.alpha_weighted))
        stored.append(Stored(image.name, image.channels, codec.name, 1, material.height, material.width, b""))
    zipped = encode_all(jobs, processes=processes, cache=cache or Cache(), progress=progress)
    stored = [replace(item, zipped=data) for item, data in zip(stored, zipped, strict=True)]
    error = sum(sum(errors) for _, errors in measure_errors(stored, material, processes=processes))
    return metrics.to_psnr(error / max(sum(count_texels(material).values()), 1.0))
