"""Naming schemes of studios and libraries, packings, words of the user's own, UDIM sets; and every refusal shows a
command that works."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from command import Command
from PIL import Image
from stating_files import smooth, write_exr

import gstex
from gstex.errors import AmbiguousError, GstexError, MaterialError, UsageError
from gstex.material import find_tiles, load_material
from gstex.material.udim import tile_of, tiles_of
from gstex.view.stacks import Wanted, _read

SIZE = 8


def put(folder: Path, names: str, *, seed: int = 0) -> Path:
    """Images by name; a number after a colon is of channels, 3 if there is none."""
    folder.mkdir(exist_ok=True)
    for i, entry in enumerate(names.split()):
        name, _, count = entry.partition(":")
        pixels = smooth(SIZE, SIZE, int(count or 3), i + seed)
        if any(w in name.lower() for w in ("normal", "nor_", "_n.", "nrm", "ddn", "norm")):
            xy = pixels[:, :, :2] / 127.5 - 1
            z = np.sqrt(np.maximum(1 - (xy**2).sum(axis=2), 0))
            pixels[:, :, 2] = np.rint(z * 127.5 + 127.5)
        elif (pixels.shape[2] >= 3 and not any(w in name.lower() for w in PACKED_WORDS)
              and any(w in name.lower() for w in GREY_WORDS)):  # fmt: skip
            pixels[:, :, 1] = pixels[:, :, 2] = pixels[:, :, 0]
        Image.fromarray(pixels.squeeze()).save(folder / name)
    return folder


GREY_WORDS = ("ao", "rough", "gloss", "disp", "height", "bump", "metal", "opac", "occ", "cavity", "_h.", "_r.", "_m.")
PACKED_WORDS = ("orm", "arm", "rma", "mra", "ord", "hrm", "mask", "metallicrough", "occlusionrough",
                "metalrough", "mads")  # fmt: skip


def roles(folder: Path, **how: object) -> str:
    return " ".join(dict.fromkeys(c.role for c in load_material(folder, **how).channels))  # type: ignore[arg-type]


SCHEMES = {
    "ambientCG": ("a_1K_Color.png a_1K_NormalGL.png a_1K_NormalDX.png a_1K_Roughness.png:1 a_1K_AmbientOcclusion.png:1 "
                  "a_1K_Displacement.png:1", "albedo normal roughness ao height"),
    "Poly Haven, bump beside displacement": (
        "w_diff_1k.png w_nor_gl_1k.png w_rough_1k.png:1 w_disp_1k.png:1 w_bump_1k.png:1",
        "albedo normal roughness height"),
    "Megascans": ("x_4K_Albedo.png x_4K_Normal_LOD0.png x_4K_Roughness.png:1 x_4K_AO.png:1 x_4K_Displacement.png:1 "
                  "x_4K_Bump.png:1 x_4K_Cavity.png:1 x_4K_Gloss.png:1",
                  "albedo normal roughness ao height gloss mask"),
    "Megascans in Unreal": ("T_Rock_D.png T_Rock_N.png T_Rock_ORDp.png", "albedo normal roughness ao height"),
    "Unreal": ("T_Rock_BC.png T_Rock_N.png T_Rock_ORM.png", "albedo normal roughness metallic ao"),
    "Unreal, one letter": ("T_Rock_B.png T_Rock_N.png T_Rock_ORM.png", "albedo normal roughness metallic ao"),
    "height in red": ("T_Wall_BaseColor.png T_Wall_N.png T_Wall_HRM.png", "albedo normal roughness metallic height"),
    "height in the alpha of albedo": ("w_alb_ht.png:4 w_nrm.png", "albedo normal height"),
    "height in the alpha of the normals": ("w_alb.png w_nrm_ht.png:4", "albedo normal height"),
    "CryEngine": ("w_diff.png w_ddna.png:4 w_spec.png w_displ.png:1", "albedo normal height gloss specular"),
    "roughness in the alpha of albedo": ("w_AlbedoRoughness.png:4 w_Normal.png", "albedo normal roughness"),
    "Unity, smoothness in the alpha": ("w_AlbedoSmoothness.png:4 w_Normal.png", "albedo normal gloss"),
    "Unity": ("w_AlbedoTransparency.png:4 w_MetallicSmoothness.png:4 w_Normal.png w_Occlusion.png:1",
              None),
    "Unity HDRP": ("w_BaseMap.png w_MaskMap.png:4 w_NormalMap.png", "albedo normal metallic ao gloss mask"),
    "MADS": ("w_BaseMap.png w_MADS.png:4 w_Normal.png", "albedo normal metallic ao gloss mask"),
    "glTF": ("b_baseColor.png b_metallicRoughness.png b_normal.png b_occlusion.png:1 b_emissive.png",
             "albedo normal roughness metallic ao emissive"),
    "Substance Painter for Unreal": ("b_BaseColor.png b_Normal.png b_OcclusionRoughnessMetallic.png",
                                     "albedo normal roughness metallic ao"),
    "Godot": ("b_albedo.png b_normal.png b_orm.png", "albedo normal roughness metallic ao"),
    "RMA": ("b_albedo.png b_normal.png b_rma.png", "albedo normal roughness metallic ao"),
    "MRAO": ("b_albedo.png b_normal.png b_mrao.png", "albedo normal roughness metallic ao"),
    "3DTextures": ("W_001_basecolor.png W_001_normal.png W_001_ambientOcclusion.png:1 W_001_height.png:1 "
                   "W_001_roughness.png:1", "albedo normal roughness ao height"),
    "Textures.com": ("T_W_albedo.png T_W_normal.png T_W_roughness.png:1 T_W_metallic.png:1 T_W_height.png:1 "
                     "T_W_ao.png:1", "albedo normal roughness metallic ao height"),
    "cgbookcase": ("W01_2K_BaseColor.png W01_2K_Normal.png W01_2K_Roughness.png:1 W01_2K_AO.png:1 W01_2K_Height.png:1",
                   "albedo normal roughness ao height"),
    "Poliigon": ("W12_COL_VAR1_3K.png W12_NRM_3K.png W12_GLOSS_3K.png:1 W12_DISP_3K.png:1 W12_AO_3K.png:1",
                 "albedo normal ao height gloss"),
    "freepbr": ("oak-floor_albedo.png oak-floor_normal-ogl.png oak-floor_roughness.png:1 oak-floor_metallic.png:1 "
                "oak-floor_ao.png:1 oak-floor_height.png:1", "albedo normal roughness metallic ao height"),
    "V-Ray": ("w_Diffuse.png w_Reflection.png w_Glossiness.png:1 w_Normal.png w_Height.png:1",
              "albedo normal height gloss specular"),
    "Arnold": ("w_BaseColor.png w_Roughness.png:1 w_Metalness.png:1 w_Normal.png w_Height.png:1",
               "albedo normal roughness metallic height"),
    "Doom 3": ("crate_d.png crate_n.png crate_s.png crate_h.png:1", "albedo normal height specular"),
    "Skyrim": ("crate_d.png crate_n.png crate_m.png:1", "albedo normal metallic"),
    "letters": ("crate_d.png crate_n.png crate_r.png:1 crate_m.png:1", "albedo normal roughness metallic"),
    "the plain name is the colour": ("wall.png wall_n.png wall_r.png:1", "albedo normal roughness"),
    "specular of a letter, with something in its alpha": ("w_d.png w_n.png w_s.png:4", "albedo normal specular mask"),
    "role first": ("albedo_w.png normal_w.png roughness_w.png:1", "albedo normal roughness"),
    "spaces": ("wall.base.color.png wall.normal.map.png wall.roughness.png:1", "albedo normal roughness"),
    "upper case": ("WALL_DIFFUSE.png WALL_NORMAL.png WALL_GLOSSINESS.png:1", "albedo normal gloss"),
    "four in one": ("w_col.png w_normal.png w_ORMH.png:4", "albedo normal roughness metallic ao height"),
    "emission and opacity": ("w_col.png w_emission.png w_opacity.png:1", "albedo opacity emissive"),
    "only data": ("d_height.png:1 d_normal.png", "normal height"),
    "a metal called metal": ("ScratchedMetal.png ScratchedMetal_Normal.png", "albedo normal"),
    "one texel of metal": ("w_col.png w_met.png:1", "albedo metallic"),
}  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_are_read(scheme: str, tmp_path: Path) -> None:
    names, expected = SCHEMES[scheme]
    if expected is None:
        expected = "albedo opacity normal metallic ao gloss"
    assert roles(put(tmp_path / "w", names)) == expected


def test_what_takes_no_part_is_named(tmp_path: Path) -> None:
    material = load_material(put(tmp_path / "w", SCHEMES["Poly Haven, bump beside displacement"][0]))
    assert dict(material.ignored)["w_bump_1k.png"] == (
        "beside w_disp_1k.png; use it instead with --map height=w_bump_1k.png")
    used = load_material(tmp_path / "w", overrides=["height=w_bump_1k.png"])
    assert [c.file for c in used.channels if c.role == "height"] == ["w_bump_1k.png"]
    assert roles(put(tmp_path / "b", "b_col.png b_bump.png:1")) == "albedo height"


def test_a_packed_alpha_leaves_z_to_be_rebuilt(tmp_path: Path) -> None:
    material = load_material(put(tmp_path / "w", "w_diff.png w_ddna.png:4"))
    assert [list(p) for p in material.planes["w_ddna.png"]] == [["channel"], ["channel"], ["normal_z"], ["channel"]]
    assert material.ignored == ()


# ---- refusals ----

REFUSALS = {
    "packed beside files of its own": "w_col.png w_arm.png w_ao.png:1 w_rough.png:1",
    "all of them": "w_col.png w_nor_gl.png w_orm.png w_ao.png:1 w_rough.png:1 w_metal.png:1",
    "two colours": "w_col.png w_diff.png w_rough.png:1",
    "two sizes": "w_col_1k.png w_col_2k.png w_rough_1k.png:1 w_rough_2k.png:1",
    "no names": "one.png two.png three.png",
    "a roughness that is a picture": "w_col.png w_metallic.png w_tint_rough.png",
    "a packing and a picture": "w_col.png w_orm.png w_roughness.png",
    "grey normals": "w_col.png w_nrmgrey_normal.jpg:1",
    "too many": "w_col.png w_emission.png w_spec.png w_normal.png w_mask.png w_height.png:1 w_gloss.png:1 "
                "w_opacity.png:1 w_ao.png:1",
    "names with spaces": "my_col.png my_diff.png",
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_a_refusal_says_works(case: str, tmp_path: Path, command: Command) -> None:
    """The message shows one command; it runs as it stands there, and compresses."""
    folder = tmp_path / ("my wall" if "spaces" in case else "wall")
    if case == "grey normals":
        folder.mkdir()
        Image.fromarray(smooth(SIZE, SIZE, 3)).save(folder / "w_col.png")
        Image.fromarray(smooth(SIZE, SIZE, 1)[:, :, 0]).save(folder / "w_normal.png")
    else:
        put(folder, REFUSALS[case])
    if case in ("a roughness that is a picture", "a packing and a picture"):
        for name in ("w_metallic.png", "w_tint_rough.png", "w_roughness.png"):
            if (folder / name).exists():
                Image.fromarray(smooth(SIZE, SIZE, 3)).save(folder / name)
    if case == "names with spaces":
        for path in list(folder.iterdir()):
            path.rename(folder / path.name.replace("_", " "))
    with pytest.raises(AmbiguousError) as error:
        load_material(folder)
    assert "\n" not in str(error.value)
    _, mark, line = str(error.value).partition("for instance: gstex ")
    assert mark, str(error.value)
    ran = command(*shlex.split(line), "--effort", "fast", "--no-mips", "--json")
    assert ran.code == 0, ran.err
    assert next(Path.cwd().glob("*.gstex")).stat().st_size > 500


def test_a_command_keeps_what_was_given(tmp_path: Path) -> None:
    put(tmp_path / "w", "w_col.png w_arm.png w_rough.png:1 w_x.png:1")
    with pytest.raises(AmbiguousError) as error:
        load_material(tmp_path / "w", overrides=["height=w_x.png"])
    assert str(error.value).endswith(
        f"for instance: gstex compress {tmp_path / 'w'} --map height=w_x.png --map roughness=w_rough.png")


# ---- words of the user's own ----

NAMES = """
[words]
albedo = ["Farbe"]
roughness = ["rau heit"]

[packings]
hsg = ["height", "", "gloss"]
orm = ["roughness", "ao", "metallic"]
labs = ["specular", "specular", "specular", "emissive"]
s = ["gloss", "specular", "mask", "emissive"]
"""


@pytest.mark.parametrize("where", ["in the folder", "given"])
def test_words_and_packings_of_the_users_own(where: str, tmp_path: Path, command: Command) -> None:
    put(tmp_path / "w", "w_farbe.png w_rauheit.png:1 w_HSG.png w_labs.png:4")
    place = (tmp_path / "w" if where == "in the folder" else tmp_path) / "gstex.toml"
    place.write_text(NAMES)
    names = None if where == "in the folder" else place
    material = load_material(tmp_path / "w", names=names)
    found = {(c.role, c.file, c.file_channel) for c in material.channels}
    assert {("albedo", "w_farbe.png", 0), ("roughness", "w_rauheit.png", 0), ("height", "w_HSG.png", 0),
            ("gloss", "w_HSG.png", 2), ("specular", "w_labs.png", 2), ("emissive", "w_labs.png", 3)} <= found
    stone = load_material(put(tmp_path / "s", "stone.png stone_s.png:4"), names=place)
    assert [(c.role, c.file_channel) for c in stone.channels[3:]] == [("emissive", 3), ("gloss", 0), ("specular", 1),
                                                                      ("mask", 2)]
    assert "gstex.toml" not in dict(material.ignored)
    put(tmp_path / "o", "o_farbe.png o_orm.png")
    orders = {c.role: c.file_channel for c in load_material(tmp_path / "o", names=place).channels[3:]}
    assert orders == {"roughness": 0, "ao": 1, "metallic": 2}  # the user's meaning counts
    if where == "given":
        ran = command("compress", tmp_path / "w", "--names", place, "--effort", "fast", "--no-mips")
        assert ran.code == 0, ran.err


@pytest.mark.parametrize(("text", "message"), [
    ("[words", r"not TOML \(.*\); see docs/inputs.md"),
    ("[word]\nalbedo = ['a']", r"'word'; allowed are the tables \[words\] and \[packings\]"),
    ("words = 3", r"words is int, expected a table: \[words\]"),
    ("[words]\nshiny = ['a']", r"words of 'shiny'; allowed are the roles albedo, "),
    ("[words]\nalbedo = 'a'", r"words.albedo = 'a', expected strings"),
    ("[words]\nalbedo = ['a1']", r"the word 'a1'; allowed are letters a to z"),
    ("[packings]\nxy = ['height', 'shiny']", r"packings.xy has role 'shiny'; allowed are 2 to 4 of albedo, "),
    ("[packings]\nxy = ['height']", r"packings.xy has 1 channels; allowed are 2 to 4"),
    ("[packings]\nxy = ['', '']", r"packings.xy has 2 channels; allowed are 2 to 4"),
])
def test_a_file_of_names_that_cannot_be_understood(text: str, message: str, tmp_path: Path) -> None:
    put(tmp_path / "w", "w_col.png")
    (tmp_path / "w" / "gstex.toml").write_text(text)
    with pytest.raises(MaterialError, match=message) as error:
        load_material(tmp_path / "w")
    assert "\n" not in str(error.value)
    with pytest.raises(MaterialError, match="cannot be read"):
        load_material(tmp_path / "w", names=tmp_path / "none.toml")


# ---- UDIM ----

@pytest.mark.parametrize(("name", "expected"), [
    ("rock_albedo.1001.png", ("rock_albedo", 1001)), ("rock_albedo_1012.png", ("rock_albedo", 1012)),
    ("rock.1002.albedo.png", ("rock.albedo", 1002)), ("rock_u1_v1_col.png", ("rock_col", 1001)),
    ("rock_col_u3_v2.png", ("rock_col", 1013)), ("rock_albedo_2048.png", None), ("rock.png", None),
    ("rock_1000.png", None),
])  # fmt: skip
def test_tiles_of_names(name: str, expected: tuple[str, int] | None) -> None:
    assert tile_of(name) == expected


def test_sizes_and_single_tiles_are_no_set() -> None:
    assert tiles_of(["a_col_1024.png", "a_rough_1024.png"]) == {}
    assert tiles_of(["a_col.1001.png", "a_rough.1001.png"]) == {}
    assert tiles_of(["a_col_1024.png", "a_col_1536.png"]) == {}
    found = tiles_of(["a_col.1001.png", "a_col.1002.png", "a_rough.1001.png"])
    assert found == {1001: ["a_col.1001.png", "a_rough.1001.png"], 1002: ["a_col.1002.png"]}


def test_a_udim_set_makes_one_file_a_tile(tmp_path: Path, command: Command) -> None:
    names = " ".join(f"r_{m}.{t}.png{c}" for t in (1001, 1002, 1011) for m, c in (("albedo", ""), ("rough", ":1")))
    folder = put(tmp_path / "rock", names + " detail.png")
    assert find_tiles(folder) == [1001, 1002, 1011]
    with pytest.raises(MaterialError, match=r"a UDIM set of 3 tiles \(1001 1002 1011\), each a material of its own"):
        load_material(folder)
    with pytest.raises(UsageError, match=r"tile: got 1003, expected one that is there \(1001 1002 1011\)"):
        load_material(folder, tile=1003)
    material = load_material(folder, tile=1002, overrides=["metallic=r_rough.1002.png", "height=r_rough.1001.png"])
    assert material.name == "rock.1002" and {s.file for s in material.sources} == {"r_albedo.1002.png",
                                                                                   "r_rough.1002.png"}
    assert {c.role for c in material.channels} == {"albedo", "metallic"}
    assert ("detail.png", "no tile of the UDIM set in its name") in material.ignored

    out = tmp_path / "out.gstex"
    ran = command("compress", folder, "-o", out, "--json")
    assert ran.code == 0, ran.err
    made = sorted(p.name for p in tmp_path.glob("*.gstex"))
    assert made == ["out.1001.gstex", "out.1002.gstex", "out.1011.gstex"]
    reports = json.loads(ran.out)["tiles"]
    assert [Path(r["output"]).name for r in reports] == made
    assert "a UDIM set of 3 tiles" in ran.err
    for tile, name in zip((1001, 1002, 1011), made, strict=True):
        decoded = gstex.load(tmp_path / name).decode()
        assert np.abs(decoded - load_material(folder, tile=tile).pixels).max() < 0.51 / 255


def test_the_viewer_finds_the_tile_and_the_ranges_that_a_file_was_made_with(tmp_path: Path) -> None:
    folder = put(tmp_path / "rock", "r_albedo.1001.png r_albedo.1002.png r_n.1001.png r_n.1002.png")
    material = load_material(folder, tile=1002)
    write_exr(tmp_path / "sea_height.exr", np.linspace(-3, 17, 64, dtype=np.float32).reshape(8, 8, 1))
    sea = load_material(tmp_path / "sea_height.exr", overrides=["height=sea_height.exr@-10..30"])
    for made, source in ((material, folder), (sea, tmp_path / "sea_height.exr")):
        wanted = Wanted(made.to_metadata(), {}, made.width, made.height, len(made.channels), 1, False)
        assert np.array_equal(_read(source, wanted).pixels, made.pixels)


def test_errors_are_errors_of_gstex(tmp_path: Path) -> None:
    with pytest.raises(GstexError, match="no such file or folder"):
        load_material(tmp_path / "nothing")
    assert find_tiles(tmp_path / "nothing") == []
