"""The compression options of a material: the arguments of `gstex.compress` that a batch may set."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, ValidationError, convert, structs

from gstex.errors import UsageError
from gstex.json_types import JsonObject

__all__ = ["Options"]

_ONE_OF = ("bpp", "gaussians", "quality", "psnr", "match")


class Options(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Options of one material, as in `gstex.compress`: at most one of bpp, gaussians, quality, psnr and match."""

    bpp: Annotated[float, Meta(gt=0, le=64, description="bits per texel, all maps together")] | None = None
    gaussians: Annotated[int, Meta(ge=1, le=2**24, description="number of Gaussians")] | None = None
    quality: Literal["draft", "normal", "high"] | None = None
    psnr: Annotated[float, Meta(gt=0, le=100, description="dB over all maps, with as few bytes as it takes")] | None = (
        None
    )
    match: Annotated[str, Meta(description="a block codec whose PSNR is wanted, such as bc7 or astc-6x6")] | None = None
    max_bpp: Annotated[float, Meta(gt=0, le=64, description="most bits per texel for psnr and match")] | None = None
    weights: dict[str, Annotated[float, Meta(ge=0.05, le=20)]] | None = None
    effort: Literal["draft", "fast", "normal", "thorough"] = "normal"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    wrap: Literal["repeat", "clamp"] | None = None
    mips: bool = True
    tail: Annotated[int, Meta(ge=1, le=14, description="first mip of the tail")] | None = None
    groups: Annotated[str, Meta(min_length=1, description="auto, 1, or maps such as albedo,roughness;normal")] = "auto"
    mip_filter: Literal["box", "kaiser"] = "box"
    roughness_from_normals: bool = False
    alpha_test: Annotated[float, Meta(gt=0, le=1)] | None = None
    sampling: Literal["auto", "direct", "bilinear"] = "auto"
    loss: Literal["l2", "perceptual", "restore"] = "l2"
    importance: Annotated[str, Meta(min_length=1, description="an image that is white where it matters, or auto")] | (
        None
    ) = None
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0

    def __post_init__(self) -> None:
        given = [name for name in _ONE_OF if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)}: got {len(given)} of them, expected one; drop the others")

    def checked(self) -> "Options":
        """Return these options after a check of their values. Options from a manifest are checked already.

        Raises:
            UsageError: a value is not allowed.
        """
        try:
            return convert(self.given(), Options)
        except ValidationError as error:
            raise UsageError(f"options: {error}") from None

    def given(self) -> JsonObject:
        """The options that differ from the defaults."""
        usual = structs.asdict(Options())
        return {name: value for name, value in structs.asdict(self).items() if value != usual[name]}

    def arguments(self) -> JsonObject:
        """Keyword arguments of `gstex.compress`."""
        return structs.asdict(self)
