"""The roles a map can have, and the words by which file names state them.

Data only: `discover.py` matches names against these tables, `load.py` turns roles into channels.
"""

from dataclasses import dataclass

__all__ = ["ALPHA_ROLE", "LESSER", "LETTERS", "NOISE", "PACKED", "PREVIEW", "ROLES", "WORDS", "Role"]


@dataclass(frozen=True)
class Role:
    """What one kind of map means.

    color_space: encoding of the values stored in integer files; float files hold linear values.
    colors: 3 = a colour (1 channel if the file is grey), 2 = a normal (X and Y), 1 = one value per texel.
    words: names of the role, lower case, parts and separators joined ("base_Color" -> "basecolor").
    """

    color_space: str
    colors: int
    words: tuple[str, ...]


# The order of this table is the order of the channels in a material's stack.
ROLES: dict[str, Role] = {
    "albedo": Role("srgb", 3, (
        "albedo", "alb", "basecolor", "basecolour", "base", "bc", "color", "colour", "col",
        "diffuse", "diff", "dif", "diffusecolor", "diffusecolour", "main",
        "albedotransparency", "albedoopacity", "basecoloropacity", "basecoloralpha",  # opacity in the alpha
    )),
    "color": Role("srgb", 3, ()),  # a picture that is no part of a PBR material; only by override
    "opacity": Role("linear", 1, ("opacity", "alpha", "transparency", "cutout", "alphamask", "opacitymask")),
    "normal": Role("linear", 2, (
        "normal", "normals", "nor", "norm", "nrm", "nrml", "nml", "nm", "nmap", "ddn", "bumpnormal",
    )),
    "roughness": Role("linear", 1, ("roughness", "rough", "rgh")),
    "metallic": Role("linear", 1, (
        "metallic", "metalness", "metallness", "metal", "metalic", "met",
        "metallicsmoothness", "metallicgloss", "metallicglossiness",  # the gloss is in the alpha
    )),
    "ao": Role("linear", 1, ("ao", "ambientocclusion", "occlusion", "occ", "ambient")),
    "height": Role("linear", 1, (
        "height", "heightmap", "displacement", "disp", "displ", "displace", "depth", "bump", "parallax", "hgt", "ht",
    )),
    "emissive": Role("srgb", 3, ("emissive", "emission", "emit", "emissivecolor", "glow", "selfillum")),
    "gloss": Role("linear", 1, ("gloss", "glossiness", "glossy", "smoothness", "smooth")),  # 1 - roughness
    "specular": Role("srgb", 3, (
        "specular", "spec", "specularcolor", "specularlevel", "speclevel", "refl", "reflection",
        "specularglossiness", "specgloss", "specularsmoothness",  # the gloss is in the alpha
    )),
    "mask": Role("linear", 3, (
        "mask", "masks", "thickness", "translucency", "transmission", "subsurface", "sss", "clearcoat",
        "sheen", "anisotropy", "cavity", "curvature",
    )),
}

WORDS: dict[str, str] = {word: name for name, role in ROLES.items() for word in role.words}

# A one-letter name counts only as a last part of its own: "crate_n.png", never "Steel007B.png".
LETTERS = {
    "d": "albedo", "n": "normal", "r": "roughness", "m": "metallic", "h": "height",
    "e": "emissive", "g": "gloss", "s": "specular",
}

_OCCLUSION = ("ao", "occlusion", "ambientocclusion", "occ")
_ROUGH = ("roughness", "rough")
_METAL = ("metallic", "metalness", "metal")

# The role of each channel of a packed file; None is a channel the packing does not use. glTF keeps roughness
# in G and metalness in B whatever the order of the words, and leaves R free unless occlusion is named.
PACKED: dict[str, tuple[str | None, ...]] = {
    "orm": ("ao", "roughness", "metallic"),
    "aorm": ("ao", "roughness", "metallic"),
    "arm": ("ao", "roughness", "metallic"),
    "rma": ("roughness", "metallic", "ao"),
    "rmao": ("roughness", "metallic", "ao"),
    "mra": ("metallic", "roughness", "ao"),
    "mrao": ("metallic", "roughness", "ao"),
    "orh": ("ao", "roughness", "height"),
    "arh": ("ao", "roughness", "height"),
    "orme": ("ao", "roughness", "metallic", "emissive"),
    "ord": ("ao", "roughness", "height"),
    "ordp": ("ao", "roughness", "height"),  # Megascans in Unreal
    "hrm": ("height", "roughness", "metallic"),
    "hrao": ("height", "roughness", "ao"),
    "rmo": ("roughness", "metallic", "ao"),
    "mro": ("metallic", "roughness", "ao"),
    "rah": ("roughness", "ao", "height"),
    "ormh": ("ao", "roughness", "metallic", "height"),
    "armh": ("ao", "roughness", "metallic", "height"),
    "maskmap": ("metallic", "ao", "mask", "gloss"),  # Unity HDRP
    "mads": ("metallic", "ao", "mask", "gloss"),
    # One role in the colours, another in the alpha.
    **{w: ("albedo", "albedo", "albedo", "height") for w in ("albht", "albedoheight", "colorheight", "diffuseheight")},
    **{w: ("albedo", "albedo", "albedo", "roughness") for w in ("albedoroughness", "basecolorroughness")},
    **{w: ("albedo", "albedo", "albedo", "gloss") for w in ("albedosmoothness", "basecolorsmoothness", "albedogloss")},
    "ddna": ("normal", "normal", "normal", "gloss"),  # CryEngine
    **{w: ("normal", "normal", "normal", "height") for w in ("normalheight", "nrmht", "normht", "nh")},
    **{w: ("normal", "normal", "normal", "roughness") for w in ("normalroughness", "normalrough")},
    "mr": (None, "roughness", "metallic"),
    **{m + r: (None, "roughness", "metallic") for m in _METAL for r in _ROUGH},
    **{r + m: (None, "roughness", "metallic") for m in _METAL for r in _ROUGH},
    **{o + r + m: ("ao", "roughness", "metallic") for o in _OCCLUSION for r in _ROUGH for m in _METAL},
}

# What a varying alpha means in a file of a role; in any other file it is a 'mask'.
ALPHA_ROLE = {
    "albedo": "opacity", "color": "opacity", "normal": "height", "metallic": "gloss", "specular": "gloss",
    "roughness": "mask",
}

# Words for files that another file of the same role replaces: they hold the same relief, coarser.
LESSER = frozenset(("bump", "parallax"))

# Trailing parts of a name that say nothing about the role (besides numbers and sizes such as "2k").
NOISE = frozenset((
    "map", "maps", "tex", "texture", "srgb", "linear", "lin", "raw", "noncolor", "png", "jpg", "jpeg", "tga",
    "exr", "tif", "tiff", "webp", "bit", "bits", "var", "v", "ver", "final", "tiled", "seamless", "px",
    "udim", "lod",
))

PREVIEW = frozenset((
    "preview", "previews", "thumb", "thumbnail", "render", "rendered", "sphere", "screenshot", "sample",
    "icon", "cover",
))
