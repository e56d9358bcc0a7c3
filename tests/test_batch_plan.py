"""What gstex batch finds in a library, and its plan as a JSON file."""

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from batch_library import QUICK, QUICK_ARGUMENTS, ended, image, make_library, outputs, run_all
from command import Command
from msgspec import structs
from small_samples import SAMPLES

from gstex.batch import Item, Options, plan, read_manifest, write_manifest
from gstex.batch.manifest import schema
from gstex.cli.app import INTERRUPTED, TERMINATED
from gstex.errors import GstexError, MaterialError, UsageError
from gstex.json_types import JsonObject
from gstex.material.discover import split_name
from gstex.material.sets import find_sets

DOCS = SAMPLES.parent / "docs"

# Names in a folder -> name of each material and its files, and what is left out.
FOLDERS: dict[str, tuple[dict[str | None, str], str]] = {
    "w_albedo w_normal w_rough": ({None: "w_albedo w_normal w_rough"}, ""),
    "w_albedo w_normal f_albedo f_normal w_preview diagram": (
        {"f": "f_albedo f_normal", "w": "w_albedo w_normal w_preview"}, "diagram w_preview"),
    "a_albedo a_normal b_rough b_height": ({"a": "a_albedo a_normal", "b": "b_height b_rough"}, ""),
    "a_albedo b_rough": ({None: "a_albedo b_rough"}, ""),  # one map each: as gstex compress has it
    "w_1_albedo w_1_normal w_2_albedo w_2_normal": (
        {"w_1": "w_1_albedo w_1_normal", "w_2": "w_2_albedo w_2_normal"}, ""),
    "w_albedo_1 w_normal_1 w_albedo_2 w_normal_2": (
        {"w_1": "w_albedo_1 w_normal_1", "w_2": "w_albedo_2 w_normal_2"}, ""),
    "albedo_a normal_a albedo_b normal_b": ({"a": "albedo_a normal_a", "b": "albedo_b normal_b"}, ""),
    "T_Wall_D T_Wall_N T_Floor_D T_Floor_N": ({"T_Floor": "T_Floor_D T_Floor_N", "T_Wall": "T_Wall_D T_Wall_N"}, ""),
    "stone grass": ({"grass": "grass", "stone": "stone"}, ""),
    "stone": ({None: "stone"}, ""),
    "preview": ({}, "preview"),
    "r_albedo.1001 r_normal.1001 r_albedo.1002 r_normal.1002 sheet": (
        {"folder.1001": "r_albedo.1001 r_normal.1001", "folder.1002": "r_albedo.1002 r_normal.1002"}, "sheet"),
    "r_albedo.1001 s_albedo.1001 r_albedo.1002 s_albedo.1002": (
        {"r.1001": "r_albedo.1001", "r.1002": "r_albedo.1002",
         "s.1001": "s_albedo.1001", "s.1002": "s_albedo.1002"}, ""),
}  # fmt: skip


@pytest.mark.parametrize("names", FOLDERS)
def test_materials_of_one_folder(tmp_path: Path, names: str) -> None:
    expected, left_out = FOLDERS[names]
    for name in names.split():
        image(tmp_path / "folder" / f"{name}.png", 1 if "rough" in name or "height" in name else 3)
    found = find_sets(tmp_path / "folder")
    assert {one.name: " ".join(f.removesuffix(".png") for f in one.files) for one in found.sets} == expected
    assert " ".join(sorted(file.removesuffix(".png") for file, _ in found.left_out)) == left_out
    assert [one.problem for one in found.sets] == [""] * len(expected)


def test_what_cannot_be_told_apart_is_a_material_with_a_problem(tmp_path: Path) -> None:
    for name in ("a_rough", "a_roughness", "b_rough"):
        image(tmp_path / f"{name}.png", 1)
    for name in ("a_albedo", "b_albedo"):
        image(tmp_path / f"{name}.png")
    first, second = find_sets(tmp_path).sets
    assert (first.name, second.name, second.problem) == ("a", "b", "")
    assert first.problem.startswith("roughness: 2 files could hold it (a_rough.png, a_roughness.png)")
    assert first.problem.endswith('a manifest of gstex batch takes such maps under "maps"')


@pytest.mark.parametrize("name, base, numbers", [
    ("brick_wall_005_arm_1k.webp", "brick_wall_005", ""), ("fabric_07_col_1_1k.jpg", "fabric_07", "1"),
    ("Concrete042B_1K-JPG_AmbientOcclusion.jpg", "Concrete042B", ""),
    ("FlightHelmet_baseColor3.png", "FlightHelmet", "3"),
    ("albedo.png", "", ""), ("albedo_wall.png", "wall", ""), ("T_Wall_D.png", "T_Wall", ""), ("005.png", "005", ""),
])  # fmt: skip
def test_what_a_name_says_of_its_material(name: str, base: str, numbers: str) -> None:
    split = split_name(name)
    assert (split.text, " ".join(split.numbers)) == (base, numbers)


# ---- folders


def test_the_tree_is_kept(tmp_path: Path) -> None:
    library = make_library(tmp_path / "library")
    image(library / "top_albedo.png")
    image(library / "bricks/mip1/weathered_bricks_albedo.png")  # smaller levels are no material
    image(library / ".hidden/x_albedo.png")
    image(library / "out/a/x_albedo.png")  # where the outputs go
    (library / "empty").mkdir()
    (library / "bricks/notes.txt").write_text("")
    (library / "bricks/more.txt").write_text("")
    (library / "loop").symlink_to(library)
    made = plan(library, library / "out")
    assert [item.output for item in made.items] == [
        "a/deep/wood.gstex", "a/steel.gstex", "bricks.gstex", "library.gstex",
    ]  # fmt: skip
    bricks = made.items[2]
    assert (bricks.name, bricks.texels, bricks.source) == ("bricks", 256, library / "bricks")
    assert bricks.roles["weathered_bricks_ao.png"] == "ao"
    [(path, reason)] = made.left_out
    assert path == f"{library / 'bricks'}: more.txt, notes.txt" and "not a PNG" in reason


def test_a_folder_that_cannot_be_read_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = make_library(tmp_path / "library")
    (library / "bricks/gstex.toml").write_text("[words\n")
    made = plan(library, tmp_path / "out")
    assert [item.output for item in made.items if item.problem] == ["bricks.gstex"]
    assert ended(run_all(made, tmp_path / "out"))["bricks.gstex"] == "failed"


@pytest.mark.parametrize("given, found", [
    (["library"], ["a/deep/wood", "a/steel", "bricks"]),
    (["library/bricks"], ["bricks"]),
    (["library/a", "library/bricks"], ["a/deep/wood", "a/steel", "bricks"]),
    (["library/*"], ["a/deep/wood", "a/steel", "bricks"]),
    (["library/**/steel"], ["steel"]),
    (["@list"], ["a/deep/wood", "a/steel", "bricks"]),
    (["library", "library/a/steel"], ["a/deep/wood", "a/steel", "bricks"]),
    (["library/bricks/weathered_bricks_ao.png"], ["weathered_bricks_ao"]),
])  # fmt: skip
def test_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], found: list[str]) -> None:
    make_library(tmp_path / "library")
    (tmp_path / "list").write_text("library/a\n\nlibrary/bricks\n")
    monkeypatch.chdir(tmp_path)
    assert [item.output for item in plan(given, "out").items] == [f"{name}.gstex" for name in found]


@pytest.mark.parametrize("given, error, said", [
    ("nowhere", MaterialError, "nowhere: no such file or folder"),
    ("no*where", UsageError, "no path matches the pattern"),
    ("@nowhere", UsageError, "the list cannot be read (No such file or directory)"),
    ("empty", MaterialError, "empty: no material was found; give folders that hold maps"),
])  # fmt: skip
def test_inputs_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, error: type[GstexError], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        plan(given, "out")
    assert said in str(caught.value)


def test_of_two_materials_with_one_output_the_second_has_a_problem(tmp_path: Path) -> None:
    for name in ("wall_albedo", "wall_normal", "floor_albedo", "floor_normal", "wall/x_albedo"):
        image(tmp_path / "library" / f"{name}.png")
    items = plan(tmp_path / "library", tmp_path / "out", options=QUICK).items
    assert [(item.output, bool(item.problem)) for item in items] == [
        ("floor.gstex", False), ("wall.gstex", False), ("wall.gstex", True),
    ]  # fmt: skip
    assert 'give one of them another "output" in a manifest' in items[2].problem


# ---- the dry run and manifests


def test_dry_run_prints_and_makes_nothing(tmp_path: Path, command: Command) -> None:
    library = make_library(tmp_path / "library")
    (library / "bricks/notes.txt").write_text("")
    ran = command("batch", library, "-o", "out", "--dry-run")
    assert (ran.code, ran.err) == (0, "") and not Path("out").exists()
    lines = ran.out.splitlines()
    assert lines[0].split() == ["OUTPUT", "MAPS"] and lines[3].startswith("bricks.gstex ")
    assert "height weathered_bricks_height.png" in lines[3]
    assert lines[4].startswith(f"left out: {library}/bricks/notes.txt: not a PNG")
    assert lines[5].startswith("3 materials; --save-manifest FILE writes this plan")
    rows = [json.loads(line) for line in command("batch", library, "-o", "out", "--dry-run", "--json").out.splitlines()]
    assert [row["event"] for row in rows] == ["planned"] * 3 + ["left-out"]
    assert rows[1]["roles"]["RustedSteel_normal.png"] == "normal"


def test_a_manifest_comes_back_as_it_was(tmp_path: Path, command: Command) -> None:
    library = make_library(tmp_path / "library")
    image(library / "shared/a_albedo.png")
    image(library / "shared/b_albedo.png")
    options = structs.replace(QUICK, importance=str(library / "shared/a_albedo.png"))
    made = plan(library, tmp_path / "out", options=options)
    (tmp_path / "plans").mkdir()
    write_manifest(made, tmp_path / "plans/plan.json")
    assert read_manifest(tmp_path / "plans/plan.json", tmp_path / "out") == made
    saved = json.loads((tmp_path / "plans/plan.json").read_text())
    assert saved["options"] == {"gaussians": 20, "effort": "draft", "mips": False, "device": "cpu",
                                "importance": "../library/shared/a_albedo.png"}  # fmt: skip
    assert saved["materials"][1]["source"] == "../library/a/steel"  # so that both can be moved together
    assert str(tmp_path) not in (tmp_path / "plans/plan.json").read_text()


def test_a_manifest_keeps_what_a_material_has_of_its_own(tmp_path: Path) -> None:
    library = make_library(tmp_path / "library")
    (tmp_path / "words.toml").write_text("")
    made = plan(library, tmp_path / "out", options=QUICK, names=tmp_path / "words.toml")
    own = {"maps": ("ignore=RustedSteel_orm.png",), "options": Options(), "name": "iron", "output": "x/iron.gstex"}
    steel = Item(**{**vars(made.items[1]), **own})
    write_manifest(replace(made, items=(made.items[0], steel, made.items[2])), tmp_path / "plan.json")
    _, read, last = read_manifest(tmp_path / "plan.json", tmp_path / "out").items
    assert {name: getattr(read, name) for name in own} == own
    assert (read.names, last.options) == (tmp_path / "words.toml", QUICK)


def test_a_plan_of_ones_own(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    library = make_library(tmp_path / "library")
    manifest = {
        "gstex_batch": 1,
        "options": QUICK.given(),
        "materials": [
            {"source": "library/a/steel", "output": "x/iron.gstex", "name": "iron",
             "maps": ["ignore=RustedSteel_orm.png"]},
            {"source": "library/bricks", "output": "b.gstex", "options": {**QUICK.given(), "gaussians": 30},
             "files": ["weathered_bricks_albedo.png", "weathered_bricks_ao.png"]},
        ],
    }  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(manifest).encode())))
    ran = command("batch", "--manifest", "-", "-o", "out", "--json", "--jobs", "1")
    assert ran.code == 0, ran.err
    done = {e["output"]: e for e in map(json.loads, ran.out.splitlines()) if e["event"] == "done"}
    assert done.keys() == outputs(tmp_path / "out").keys() == {"x/iron.gstex", "b.gstex"}
    assert done["x/iron.gstex"]["psnr_by_map"].keys() == {"albedo", "normal"}
    assert done["b.gstex"]["psnr_by_map"].keys() == {"albedo", "ao"}
    assert library.is_dir()


STEEL = {"source": "library/a/steel", "output": "s.gstex"}
BAD: dict[str, tuple[str | JsonObject, str]] = {
    "no JSON": ("{", "not a manifest (Input data was truncated)"),
    "another version": ({"gstex_batch": 2, "materials": [STEEL]}, "`$.gstex_batch`"),
    "an unknown field": ({"gstex_batch": 1, "materials": [{**STEEL, "roles": {}}]}, "`roles` - at `$.materials[0]`"),
    "an option out of range": ({"gstex_batch": 1, "materials": [{**STEEL, "options": {"bpp": 0}}]}, "options.bpp"),
    "two sizes": ({"gstex_batch": 1, "options": {"bpp": 1, "gaussians": 5}, "materials": [STEEL]}, "drop the others"),
    "nothing": ({"gstex_batch": 1, "materials": []}, "materials: got none, expected at least one"),
    "an output above": ({"gstex_batch": 1, "materials": [{**STEEL, "output": "../s.gstex"}]}, "materials[0].output"),
    "an absolute output": ({"gstex_batch": 1, "materials": [{**STEEL, "output": "/tmp/s.gstex"}]}, "below the folder"),
    "another kind of output": ({"gstex_batch": 1, "materials": [{**STEEL, "output": "s.png"}]}, "materials[0].output"),
    "one output twice": ({"gstex_batch": 1, "materials": [STEEL, STEEL]}, "'s.gstex' is that of materials[0] too"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_manifests_that_say_what_cannot_be(tmp_path: Path, command: Command, what: str) -> None:
    content, words = BAD[what]
    (tmp_path / "plan.json").write_text(content if isinstance(content, str) else json.dumps(content))
    ran = command("batch", "--manifest", tmp_path / "plan.json", "-o", "out")
    assert ran.code == 2
    said = ran.error()
    assert said.startswith(f"{tmp_path}/plan.json: ") and words in said
    assert not Path("out").exists()


@pytest.mark.parametrize("arguments, words", [
    (("-o", "out"), "give LIBRARY or --manifest"),
    (("a", "-o", "out", "--manifest", "b"), "not both"),
    (("a",), "Missing option '-o'"),
    (("a", "-o", "out", "-q", "-v"), "contradict each other"),
    (("a", "-o", "out", "--bpp", "1", "--quality", "high"), "--bpp and --quality contradict each other"),
    (("-o", "out", "--manifest", "b", "--bpp", "1"), "--bpp: goes with LIBRARY"),
    (("a", "-o", "out", "--save-manifest", "-"), "expected a file name, such as plan.json"),
    (("a", "-o", "out", "--bpp", "99"), "bpp: got 99"),
])  # fmt: skip
def test_usage(command: Command, arguments: tuple[str, ...], words: str) -> None:
    ran = command("batch", *arguments)
    assert ran.code == 2 and words in ran.error()


def test_save_manifest_and_read_it_again(tmp_path: Path, command: Command) -> None:
    library = make_library(tmp_path / "library")
    saved = command("batch", library, "-o", "out", *QUICK_ARGUMENTS, "--dry-run", "--save-manifest", "plan.json")
    assert saved.code == 0
    assert read_manifest("plan.json", "out") == plan(library, "out", options=QUICK)


def test_the_schema_in_the_documents_is_that_of_the_code() -> None:
    """After a change: json.dumps(gstex.batch.manifest.schema(), indent=2) is what the file has to hold."""
    assert json.loads((DOCS / "batch-manifest.schema.json").read_text()) == json.loads(json.dumps(schema()))
    options = schema()["$defs"]["Options"]["properties"]
    assert list(options) == list(Options.__struct_fields__)


def test_the_manifest_in_the_documents_can_be_read(tmp_path: Path) -> None:
    text = (DOCS / "batch.md").read_text().split("```json\n")[1].split("```")[0]
    (tmp_path / "plan.json").write_text(text)
    wall, floor = read_manifest(tmp_path / "plan.json", "out").items
    assert (wall.options, floor.options) == (Options(quality="high"), Options(bpp=2.0, effort="thorough"))
    assert floor.maps == ("albedo=floor_c.png", "roughness=floor_pack.png:g")


def test_the_table_of_exit_codes_has_all_of_them() -> None:
    rows = (DOCS / "exit-codes.md").read_text().splitlines()
    codes = {int(line.split("|")[1]) for line in rows if line.startswith("| ") and line.split("|")[1].strip().isdigit()}
    assert codes == {0, GstexError.exit_code, UsageError.exit_code, INTERRUPTED, TERMINATED}
