"""File names -> roles, and `--map`; no image is opened here."""

import pytest

from gstex.errors import AmbiguousError, UsageError
from gstex.material.discover import Choice, parse_override, read_names, resolve
from gstex.material.roles import PACKED, ROLES

# name in the wild -> role of the file, or the roles of its channels joined by commas ('' = unused channel)
WILD = [
    ("ambientCG", {"Wood_2K-JPG_Color.jpg": "albedo", "Wood_2K-JPG_NormalGL.jpg": "normal",
                   "Wood_2K-JPG_NormalDX.jpg": None, "Wood_2K-JPG_AmbientOcclusion.jpg": "ao",
                   "Wood_2K-JPG_Displacement.jpg": "height", "Wood.png": None}),
    ("Poly Haven", {"rock_wall_diff_4k.jpg": "albedo", "rock_wall_nor_gl_4k.exr": "normal",
                    "rock_wall_rough_4k.exr": "roughness", "rock_wall_disp_4k.png": "height",
                    "rock_wall_ao_4k.jpg": "ao"}),
    ("Poliigon", {"Bricks12_COL_VAR1_3K.jpg": "albedo", "Bricks12_NRM_3K.jpg": "normal",
                  "Bricks12_GLOSS_3K.jpg": "gloss", "Bricks12_REFL_3K.jpg": "specular",
                  "Bricks12_DISP16_3K.tif": "height"}),
    ("freepbr", {"oak-floor_albedo.png": "albedo", "oak-floor_normal-ogl.png": "normal",
                 "oak-floor_normal-dx.png": None, "oak-floor_metallic.png": "metallic",
                 "oak-floor_ao.png": "ao", "oak-floor_preview.jpg": None}),
    ("glTF", {"Boom_baseColor.png": "albedo", "Boom_metallicRoughness.png": ",roughness,metallic",
              "Boom_normal.jpg": "normal", "Boom_emissive.png": "emissive", "Boom_occlusion.png": "ao"}),
    ("glTF with occlusion", {"Cup_baseColor.png": "albedo",
                             "Cup_occlusionRoughnessMetallic.png": "ao,roughness,metallic"}),
    ("Unreal", {"T_Crate_BC.tga": "albedo", "T_Crate_N.tga": "normal",
                "T_Crate_ORM.tga": "ao,roughness,metallic"}),
    ("Unity", {"Crate_AlbedoTransparency.png": "albedo",
               "Crate_MetallicSmoothness.png": "metallic", "Crate_Normal.png": "normal"}),
    ("Unity HDRP", {"Crate_BaseMap.png": "albedo", "Crate_MaskMap.png": "metallic,ao,mask,gloss"}),
    ("without a suffix", {"wall2.jpg": "albedo", "wall2_nm.png": "normal"}),
    ("a material called metal", {"ScratchedMetal.png": "albedo", "ScratchedMetal_Normal.png": "normal"}),
    ("a word that another name goes on from", {"crate_metal.png": "metallic", "crate_color.png": "albedo",
                                               "crate_metal_normal.png": "normal"}),
    ("marks apart", {"a_col.png": "albedo", "a_normal_map_OpenGL.png": "normal",
                     "a_normal_map_DirectX.png": None}),
    ("a robot arm", {"robot_arm.png": "albedo", "robot_arm_n.png": "normal", "robot_arm_r.png": "roughness"}),
    ("bare", {"baseColor.png": "albedo", "normalMap.png": "normal", "roughnessMap.png": "roughness"}),
    ("role first", {"albedo_wall.png": "albedo", "normal_wall.png": "normal", "height_wall.png": "height"}),
    ("colour space in the name", {"Rock_BaseColor_sRGB.png": "albedo", "Rock_Normal_Raw.png": "normal"}),
    ("one part", {"rock_normaldx.png": "normal", "rock_basecolor.png": "albedo",
                  "rock_glossmap.png": "gloss"}),
    ("letters", {"crate_d.png": "albedo", "crate_n.png": "normal", "crate_s.png": "specular",
                 "crate_h.png": "height", "crate_e.png": "emissive"}),
    ("emissive and opacity", {"sign_col.png": "albedo", "sign_emission.png": "emissive",
                              "sign_alpha.png": "opacity", "sign_thickness.png": "mask"}),
    ("only data maps", {"dunes_height.exr": "height", "dunes_nor.png": "normal"}),
    ("upper case", {"WALL_DIFFUSE.TGA": "albedo", "WALL_BUMP.TGA": "height", "WALL_SPEC.TGA": "specular"}),
]


def describe(choice: Choice) -> str:
    if choice.whole is not None:
        return choice.whole
    return ",".join(r or "" for _, r in sorted(choice.channels.items()))


def choose(names: list[str], *maps: str, channels: int = 4) -> tuple[dict[str, str], dict[str, str]]:
    counts = dict.fromkeys(names, channels)
    choices, ignored = resolve(read_names(names), counts, [parse_override(m, names) for m in maps])
    return {n: describe(c) for n, c in choices.items()}, dict(ignored)


@pytest.mark.parametrize("expected", [row[1] for row in WILD], ids=[row[0] for row in WILD])
def test_names_in_the_wild(expected: dict[str, str | None]) -> None:
    found, ignored = choose(sorted(expected))
    assert found == {n: r for n, r in expected.items() if r is not None}
    assert set(ignored) == {n for n, r in expected.items() if r is None}


def test_no_word_stands_for_two_roles() -> None:
    words = [w for role in ROLES.values() for w in role.words]
    assert len(words) == len(set(words))
    assert not set(words) & set(PACKED)


def test_convention_comes_from_the_name() -> None:
    names = ["a_col.png", "a_normal_dx.png"]
    assert read_names(names)["a_normal_dx.png"].convention == "dx"
    assert choose(names)[0]["a_normal_dx.png"] == "normal"  # the only one there is
    assert read_names(["Wood_NormalGL.png"])["Wood_NormalGL.png"].convention == "gl"
    assert read_names(["wood_normalopengl.png"])["wood_normalopengl.png"].convention == "gl"
    assert read_names(["wood_normal.png"])["wood_normal.png"].convention is None


def test_a_packed_name_on_a_grey_file_is_no_packed_map() -> None:
    found, _ = choose(["crate_col.png", "crate_orm.png"], channels=1)
    assert found == {"crate_col.png": "albedo"}


@pytest.mark.parametrize(("names", "message"), [
    (["a_col.png", "a_diff.png"], r"albedo: 2 files could hold .*--map albedo=a_col.png or --map albedo=a_d"),
    (["a_arm.png", "a_rough.png"], r"roughness: .*map roughness=a_arm.png:g or --map roughness=a_rough.png"),
    (["a_col_1k.png", "a_col_2k.png"], r"albedo: 2 files .*--map albedo=a_col_1k.png"),
    (["one.png", "two.png"], r"albedo: 2 files name no known map .*--map albedo=one.png"),
    (["my rock.png", "your moss.png"], r'--map "albedo=my rock.png"'),
    (["a_height.png", "a_disp.png"], r"height: .*--map height=a_disp.png or --map height=a_height.png"),
])
def test_ambiguity_shows_the_override_to_type(names: list[str], message: str) -> None:
    with pytest.raises(AmbiguousError, match=message) as error:
        choose(sorted(names))
    assert "\n" not in str(error.value)


def test_every_override_that_is_shown_solves_the_ambiguity() -> None:
    names = ["a_arm.png", "a_col.png", "a_rough.png"]
    found, ignored = choose(names, "roughness=a_arm.png:g")
    assert found == {"a_arm.png": "ao,roughness,metallic", "a_col.png": "albedo"}
    assert "a_rough.png" in ignored
    found, ignored = choose(names, "roughness=a_rough.png")
    assert found == {"a_arm.png": "ao,metallic", "a_col.png": "albedo", "a_rough.png": "roughness"}
    assert choose(names, "ignore=a_arm.png")[0] == {"a_col.png": "albedo", "a_rough.png": "roughness"}
    assert choose(["one.png", "two.png"], "albedo=two.png") == (
        {"two.png": "albedo"}, {"one.png": "no known map name; use it with --map ROLE=one.png"})


def test_overrides_take_roles_and_channels() -> None:
    names = ["a_col.png", "a_pack.png"]
    found, _ = choose(names, "roughness=a_pack.png:r", "metallic=a_pack.png:b", "opacity=a_pack.png:a")
    assert found == {"a_col.png": "albedo", "a_pack.png": "roughness,metallic,opacity"}
    assert choose(["a_col.png", "b.png"], "height=a_col.png")[0] == {"a_col.png": "height", "b.png": "albedo"}
    assert choose(["wall.png", "wall_n.png"], "opacity=wall.png:a")[0]["wall.png"] == "albedo"
    assert choose(["a_col.png", "a_pack.png"], "ignore=a_pack.png")[1]["a_pack.png"] == "left out by --map"
    found, _ = choose(["a_mask.png", "a_pack.png", "a_col.png"], "mask=a_pack.png")  # masks may be many
    assert found == {"a_mask.png": "mask", "a_pack.png": "mask", "a_col.png": "albedo"}


def test_an_override_says_which_way_normals_point() -> None:
    names = ["a_col.png", "a_n.png", "b_normal_gl.png"]
    readings = read_names(names[:2])
    for text, convention in [("normal=a_n.png", None), ("normal_dx=a_n.png", "dx"), ("normal_gl=a_n.png:rg", "gl")]:
        choices, _ = resolve(readings, dict.fromkeys(names, 3), [parse_override(text, names)])
        assert choices["a_n.png"].roles() == {"normal"} and choices["a_n.png"].convention == convention
    upper = parse_override("NORMAL_DX=b_normal_gl.png", names)
    choices, _ = resolve(read_names(names[::2]), dict.fromkeys(names, 3), [upper])
    assert choices["b_normal_gl.png"].convention == "dx"
    with pytest.raises(UsageError, match="contradicts"):
        both = [parse_override(f"{role}=a_n.png", names) for role in ("normal_dx", "normal")]
        resolve(readings, dict.fromkeys(names, 3), both)


def test_file_names_with_equals_signs_and_colons() -> None:
    names = ["a=b_col.png", "c:g", "c", "odd:name.png"]
    assert parse_override("albedo=a=b_col.png", names).file == "a=b_col.png"
    assert parse_override("height=odd:name.png", names).channels is None
    assert parse_override("height=odd:name.png:g", names).channels == (1,)
    assert parse_override("height=c:g", names).file == "c:g"  # a file of that very name wins
    assert parse_override("height=c:r", names).channels == (0,)


@pytest.mark.parametrize(("text", "message"), [
    ("a_col.png", r"expected role=file"),
    ("=a_col.png", r"expected role=file"),
    ("albedo=", r"expected role=file"),
    ("shiny=a_col.png", r"unknown role 'shiny'; allowed are albedo, .* or ignore"),
    ("albedo=nothing.png", r"no image 'nothing.png' in the input; it has a_col.png"),
    ("albedo=a_col.png:xyz", r"channels 'xyz'; allowed are letters of rgba"),
    ("albedo=a_col.png:", r"channels ''"),
    ("roughness=a_col.png:rg", r"roughness takes 1 channels, got 2"),
    ("albedo=a_col.png:rg", r"albedo takes 1 or 3 channels, got 2"),
])
def test_an_override_that_cannot_be_understood(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_override(text, ["a_col.png"])


@pytest.mark.parametrize("maps", [
    ("height=a_x.png", "height=a_y.png"),
    ("height=a_x.png", "roughness=a_x.png"),
    ("height=a_x.png:g", "roughness=a_x.png:g"),
])
def test_overrides_that_contradict_each_other(maps: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="contradicts"):
        choose(["a_col.png", "a_x.png", "a_y.png"], *maps)
