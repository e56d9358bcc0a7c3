"""What every folder and image of the shared data has to be read as: the table of test_material_data.py.

Sizes are the real ones. `mode` is Pillow's, but for 'RGB16' (a 16-bit RGB PNG, which Pillow cannot make);
`content` says what a stand-in's channels hold: 'wave' (seamless), 'ramp' (a seam at the border), a number
(constant code), and 'grey' after the first channel for a copy of it, 'z' for the Z of a normal's X and Y.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Part:
    """One role in a file: letters of the file's channels ('v' = the only one), and the colour space."""

    role: str
    channels: str
    color_space: str = "linear"


@dataclass(frozen=True)
class File:
    name: str
    mode: str
    bits: int
    parts: tuple[Part, ...]  # empty: left out
    content: tuple[str | int, ...]
    reason: str = ""         # for a file left out, what the reason has to name
    constants: dict[str, float] = field(default_factory=dict)  # by role


@dataclass(frozen=True)
class Entry:
    path: str
    width: int
    height: int
    wrap: str
    convention: str | None
    files: tuple[File, ...]
    hidden: bool = False  # has colour under zero opacity


WAVE3 = ("wave", "wave", "wave")
GREY3 = ("wave", "grey", "grey")
RAMP3 = ("ramp", "ramp", "ramp")
XYZ = ("wave", "wave", "z")
XYZ_RAMP = ("ramp", "ramp", "z")
RGB = (Part("albedo", "rgb", "srgb"),)
NORMAL = (Part("normal", "rg"),)
ORM = (Part("roughness", "g"), Part("metallic", "b"), Part("ao", "r"))
RGBA_IMAGE = (Part("albedo", "rgb", "srgb"), Part("opacity", "a"))

TABLE = (
    Entry("corrugated_steel007b", 1024, 1024, "repeat", "gl", (
        File("CorrugatedSteel007B.png", "RGBA", 8, (), (*RAMP3, "wave"), "preview"),
        File("CorrugatedSteel007B_1K-JPG_AmbientOcclusion.jpg", "L", 8, (Part("ao", "v"),), ("wave",)),
        File("CorrugatedSteel007B_1K-JPG_Color.jpg", "RGB", 8, RGB, WAVE3),
        File("CorrugatedSteel007B_1K-JPG_Displacement.jpg", "L", 8, (Part("height", "v"),), ("wave",)),
        File("CorrugatedSteel007B_1K-JPG_Metalness.jpg", "L", 8, (Part("metallic", "v"),), ("wave",)),
        File("CorrugatedSteel007B_1K-JPG_NormalDX.jpg", "RGB", 8, (), XYZ, "DirectX"),
        File("CorrugatedSteel007B_1K-JPG_NormalGL.jpg", "RGB", 8, NORMAL, XYZ),
        File("CorrugatedSteel007B_1K-JPG_Roughness.jpg", "L", 8, (Part("roughness", "v"),), ("wave",)),
    )),
    Entry("fabric_pattern_07", 1024, 1024, "repeat", "gl", (
        File("fabric_pattern_07_arm_1k.jpg", "RGB", 8, ORM, WAVE3),
        File("fabric_pattern_07_col_1_1k.jpg", "RGB", 8, RGB, WAVE3),
        File("fabric_pattern_07_nor_gl_1k.jpg", "RGB", 8, NORMAL, XYZ),
    )),
    Entry("flight_helmet_mat3", 2048, 2048, "clamp", "gl", (
        File("FlightHelmet_baseColor3.png", "RGB", 8, RGB, RAMP3),
        File("FlightHelmet_normal3.png", "RGB", 8, NORMAL, XYZ_RAMP),
        File("FlightHelmet_occlusionRoughnessMetallic3.png", "RGB", 8, ORM, RAMP3),
    )),
    Entry("metal_walkway006", 1024, 1024, "repeat", "gl", (
        File("MetalWalkway006_1K-PNG_Color.png", "RGB", 8, RGB, WAVE3),
        File("MetalWalkway006_1K-PNG_Displacement.png", "I;16", 16, (Part("height", "v"),), ("wave",)),
        File("MetalWalkway006_1K-PNG_Metalness.png", "L", 8, (Part("metallic", "v"),), ("wave",)),
        File("MetalWalkway006_1K-PNG_NormalGL.png", "RGB16", 16, NORMAL, XYZ),
        File("MetalWalkway006_1K-PNG_Opacity.png", "L", 8, (Part("opacity", "v"),), ("wave",)),
        File("MetalWalkway006_1K-PNG_Roughness.png", "L", 8, (Part("roughness", "v"),), ("wave",)),
    ), hidden=True),
    Entry("moss", 2048, 2048, "repeat", "gl", (
        File("moss_albedo.png", "RGBA", 8, RGB, (*WAVE3, 255)),
        File("moss_depth.png", "RGB", 8, (Part("height", "r"),), GREY3),
        File("moss_normal.png", "RGB", 8, NORMAL, XYZ),
        File("moss_orm.png", "RGB", 8, ORM, (255, "wave", 255), constants={"ao": 1.0, "metallic": 1.0}),
    )),
    Entry("texture_rock", 1024, 666, "repeat", "gl", (
        File("texture_rock_albedo.png", "P", 8, RGB, WAVE3),
        File("texture_rock_ao.png", "P", 8, (Part("ao", "r"),), GREY3),
        File("texture_rock_depth.png", "P", 8, (Part("height", "r"),), GREY3),
        File("texture_rock_metal.png", "P", 8, (Part("metallic", "r"),), GREY3),
        File("texture_rock_normal.png", "P", 8, NORMAL, XYZ),
    )),
    Entry("trim_misc_1", 2048, 2048, "clamp", "gl", (
        File("trim_misc_1_albedo.png", "RGB", 8, RGB, RAMP3),
        File("trim_misc_1_normal.png", "RGB", 8, NORMAL, XYZ_RAMP),
        File("trim_misc_1_orm.png", "RGB", 8, ORM, RAMP3),
    )),
    Entry("images/bg club.jpg", 1280, 720, "clamp", None, (File("bg club.jpg", "RGB", 8, RGB, WAVE3),)),
    Entry("images/goblin.png", 2048, 2048, "clamp", None, (
        File("goblin.png", "RGBA", 8, RGBA_IMAGE, (*WAVE3, "wave")),
    ), hidden=True),
    Entry("images/kate-hazen-pop-m3lvin.png", 2048, 1152, "clamp", None, (
        File("kate-hazen-pop-m3lvin.png", "RGBA", 8, RGBA_IMAGE, (*WAVE3, "half")),
    )),
    Entry("images/kodim23.png", 768, 512, "clamp", None, (File("kodim23.png", "RGB", 8, RGB, WAVE3),)),
    Entry("images/sylvie green smile.png", 456, 700, "clamp", None, (
        File("sylvie green smile.png", "RGBA", 8, RGBA_IMAGE, (*WAVE3, "wave")),
    ), hidden=True),
)
