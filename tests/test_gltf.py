"""`gstex gltf`: what is in the model afterwards, read back without gstex and by trimesh."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Command
from small_models import model_bytes, png, read_glb, sample_image
from small_samples import crop_sample

import gstex
from gstex.gltf import NAME, parse_model, plan_model, root_schema, texture_schema
from gstex.gltf.plan import Plan
from gstex.json_types import JsonObject, JsonView

VALIDATOR = Path(__file__).resolve().parent.parent / ".venv-test" / "node" / "node_modules" / "gltf-validator"
SIZE = 16  # such small materials are stored as texels, exact to 8 bits
DOCS = Path(__file__).resolve().parent.parent / "docs"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PANEL = "scifi_panel/scifi_panel_"
PBR = "pbrMetallicRoughness"


def panel_images(size: int = SIZE) -> dict[str, np.ndarray]:
    names = {"albedo": "albedo", "normal": "normal", "packed": "metalRoughness", "ao": "ao"}
    images = {key: sample_image(PANEL + name, size, 4) for key, name in names.items()}
    return {**images, "emissive": sample_image(PANEL + "emissive", size // 2, 4)}


def panel_material(**more: object) -> JsonObject:
    return {
        "name": "panel", "normalTexture": {"index": 1, "scale": 0.5}, "occlusionTexture": {"index": 3, "strength": 0.7},
        "emissiveTexture": {"index": 4}, "emissiveFactor": [1, 1, 1],
        PBR: {"baseColorTexture": {"index": 0}, "metallicRoughnessTexture": {"index": 2}}, **more,
    }  # fmt: skip


def write(path: Path, images: list[np.ndarray], materials: list[JsonObject], **more: Any) -> Path:
    path.write_bytes(model_bytes([png(image, path.parent) for image in images], materials, **more))
    return path


def gltf(command: Command, *arguments: str | Path, **options: object) -> JsonObject:
    ran = command("gltf", *arguments, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def stack_of(path: Path, tmp_path: Path, file: int = 0) -> tuple[np.ndarray, JsonObject]:
    """(mip 0 of a .gstex file in a model, the model)."""
    document, chunk = read_glb(path)
    view = document["bufferViews"][document["extensions"][NAME]["files"][file]["bufferView"]]
    data = chunk[view["byteOffset"] :][: view["byteLength"]]
    (tmp_path / "inside.gstex").write_bytes(data)
    return gstex.load(tmp_path / "inside.gstex").decode(), document


def parts(texture: JsonView) -> list[JsonObject]:
    found: list[JsonObject] = texture["extensions"][NAME]["components"]
    return found


def shown(stack: np.ndarray, texture: JsonView) -> np.ndarray:
    """The reference of docs/gltf.md: float [H, W, 3 or 4] of a texture."""
    planes = []
    for part in parts(texture):
        if "channel" in part:
            planes.append(stack[:, :, part["channel"]])
        elif "value" in part:
            planes.append(np.full(stack.shape[:2], part["value"]))
        else:
            x, y = (2 * stack[:, :, n].astype(float) - 1 for n in part["normalZ"])
            planes.append((1 + np.sqrt(np.maximum(1 - x * x - y * y, 0))) / 2)
    return np.stack(planes, axis=2)


def trimesh_materials(path: Path) -> list[Any]:
    """The materials of a model of cubes, as trimesh reads them."""
    trimesh = pytest.importorskip("trimesh", reason="needs trimesh: pip install trimesh")
    meshes = list(trimesh.load_scene(path).geometry.values())
    for mesh in meshes:
        assert len(mesh.vertices) >= 8 and len(mesh.faces) == 12 and np.ptp(mesh.visual.uv) == 1
    return [mesh.visual.material for mesh in meshes]


def check_images(path: Path, images: dict[str, np.ndarray], bound: float) -> None:
    """The pictures that trimesh finds in a model are these."""
    [material] = trimesh_materials(path)
    slots = {"albedo": "baseColorTexture", "normal": "normalTexture", "packed": "metallicRoughnessTexture",
             "ao": "occlusionTexture", "emissive": "emissiveTexture"}  # fmt: skip
    for name, image in images.items():
        found = np.asarray(getattr(material, slots[name]))
        assert found.shape[:2] == image.shape[:2], name
        assert np.abs(found[:, :, : image.shape[2]].astype(int) - image).max() <= bound, name


@pytest.mark.parametrize("fallback", [("--fallback", "4"), ("--no-fallback",)])
def test_there_and_back(fallback: tuple[str, ...], command: Command, tmp_path: Path) -> None:
    images = panel_images()
    path = write(tmp_path / "a.glb", list(images.values()), [panel_material()])
    report = gltf(command, path, "-o", tmp_path / "b.glb", *fallback)
    stack, document = stack_of(tmp_path / "b.glb", tmp_path)
    assert stack.shape == (SIZE, SIZE, 11) and report["left_alone"] == []
    channels = gstex.load(tmp_path / "inside.gstex").table.header.channels
    roles = [[channels[part["channel"]].role if "channel" in part else None for part in parts(texture)]
             for texture in document["textures"]]  # fmt: skip
    assert roles == [["albedo"] * 3, ["normal", "normal", None], [None, "roughness", "metallic"], ["ao"] * 3,
                     ["emissive"] * 3]  # fmt: skip
    for texture, (name, image) in zip(document["textures"], images.items(), strict=True):
        if name != "emissive":  # it is half as large
            found = shown(stack, texture)
            kinds = [part.keys() for part in parts(texture)]
            for c in range(3):
                exact = 0.51 if {"normalZ"} != kinds[c] else 8  # Z is what X and Y say
                assert np.abs(found[:, :, c] * 255 - image[:, :, c % image.shape[2]]).max() <= exact, (name, c)
    if "--no-fallback" in fallback:
        assert document["extensionsRequired"] == [NAME] and "images" not in document
        assert report["fallback_bytes"] == 0 and not any("source" in texture for texture in document["textures"])
        assert len(document["bufferViews"]) == 5 and document["buffers"][0]["byteLength"] < 7000
    else:
        assert "extensionsRequired" not in document
        check_images(tmp_path / "b.glb", {name: image[::4, ::4] for name, image in images.items() if name == "ao"}, 255)
        kept = [document["bufferViews"][image["bufferView"]]["byteLength"] for image in document["images"]]
        assert report["fallback_bytes"] == sum(kept) and report["fallback_images"] == 5
    back = gltf(command, tmp_path / "b.glb", "--decode", "-o", tmp_path / "c.glb")
    assert sorted((row["width"], row["height"]) for row in back["images"]) == [(8, 8), *[(16, 16)] * 4]
    images["normal"] = images["normal"][:, :, :2]
    check_images(tmp_path / "c.glb", {name: image for name, image in images.items() if name != "emissive"}, 1)
    check_images(tmp_path / "c.glb", {"emissive": images["emissive"]}, 24)  # there and back through the larger size
    plain, _ = read_glb(tmp_path / "c.glb")
    assert not {"extensions", "extensionsUsed", "extensionsRequired"} & plain.keys()
    assert [image["name"] for image in plain["images"]] == [f"picture{n}" for n in range(5)]


@pytest.mark.skipif(not (shutil.which("node") and VALIDATOR.is_dir()),
                    reason="needs tools/install/ktx_readers.sh .venv-test (needs npm)")  # fmt: skip
def test_the_validator_of_khronos(command: Command, tmp_path: Path) -> None:
    """No errors, and nothing that nobody uses is left in the files."""
    path = write(tmp_path / "a.glb", list(panel_images().values()), [panel_material()])
    gltf(command, path, "-o", tmp_path / "b.glb")
    gltf(command, path, "-o", tmp_path / "c.glb", "--no-fallback")
    for name in ("b", "c"):
        gltf(command, tmp_path / f"{name}.glb", "--decode", "-o", tmp_path / f"{name}_plain.glb")
    script = """
        const { validateBytes } = require(process.argv[1]), { readFileSync } = require('fs');
        Promise.all(process.argv.slice(2).map((path) => validateBytes(new Uint8Array(readFileSync(path)))))
            .then((all) => console.log(JSON.stringify(all.map((one) => one.issues))));
    """
    names = ("a", "b", "c", "b_plain", "c_plain")
    ran = subprocess.run(["node", "-e", script, VALIDATOR, *(tmp_path / f"{name}.glb" for name in names)],
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    first, *others = json.loads(ran.stdout)
    known = {issue["code"] for issue in first["messages"]}  # of the cube itself
    for name, issues in zip(names[1:], others, strict=True):
        new = [issue for issue in issues["messages"] if issue["code"] not in known]
        codes = {issue["code"] for issue in new}
        assert issues["numErrors"] == 0, (name, issues)
        if name.endswith("plain"):
            assert codes == set(), (name, new)
        else:
            assert codes == {"UNSUPPORTED_EXTENSION", "UNUSED_OBJECT"}  # ours, and the view of the file
            assert len(new) == 2


def test_everything_else_stays(command: Command, tmp_path: Path) -> None:
    """Transforms, samplers, sets of uv, extras and geometry."""
    transform = {"KHR_texture_transform": {"offset": [0.5, 0], "scale": [2, 3], "rotation": 0.3, "texCoord": 0}}
    material = panel_material(extras={"a": [1, "x"]}, doubleSided=True)
    material[PBR]["baseColorTexture"] |= {"texCoord": 0, "extensions": transform}
    material["emissiveTexture"] |= {"texCoord": 1}
    samplers = [{"wrapS": 10497, "wrapT": 33071, "magFilter": 9728, "minFilter": 9987}, {"wrapS": 33648}]
    textures = [{"source": n, "sampler": n % 2, "name": f"t{n}", "extras": n} for n in range(5)]
    path = write(tmp_path / "a.glb", list(panel_images().values()), [material], textures=textures, samplers=samplers,
                 extensionsUsed=["KHR_texture_transform"], cameras=[{"type": "perspective"}])  # fmt: skip
    report = gltf(command, path, "-o", tmp_path / "b.glb")
    assert any("different places" in note for note in report["notes"])
    (before, _), (after, chunk) = read_glb(path), read_glb(tmp_path / "b.glb")
    for key in before.keys() - {"bufferViews", "buffers", "images", "textures", "extensionsUsed"}:
        assert after[key] == before[key], key
    assert after["extensionsUsed"] == ["KHR_texture_transform", NAME]
    for one, other in zip(before["textures"], after["textures"], strict=True):
        assert {key: value for key, value in other.items() if key != "extensions"} == one
    assert [v["byteLength"] for v in after["bufferViews"][:4]] == [v["byteLength"] for v in before["bufferViews"][:4]]
    assert np.frombuffer(chunk, "<f4", 72, after["bufferViews"][0]["byteOffset"]).reshape(24, 3).min() == -1
    assert gstex.load(saved(after, chunk, tmp_path)).wrap == "clamp"  # of samplers that do not all repeat


def saved(document: JsonView, chunk: bytes, tmp_path: Path) -> Path:
    view = document["bufferViews"][document["extensions"][NAME]["files"][0]["bufferView"]]
    (tmp_path / "inside.gstex").write_bytes(chunk[view["byteOffset"] :][: view["byteLength"]])
    return tmp_path / "inside.gstex"


def test_files_that_are_elsewhere(command: Command, tmp_path: Path) -> None:
    """A .gltf file with data URIs and files beside it becomes one that stands alone."""
    images = panel_images()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "my base.png").write_bytes(png(images["albedo"], tmp_path))
    (tmp_path / "in" / "other.ktx2").write_bytes(b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(80))
    uris = {0: "my%20base.png", 3: "other.ktx2"}
    path = tmp_path / "in" / "a.gltf"
    files = [png(image, tmp_path) for image in images.values()]
    path.write_bytes(model_bytes(files, [panel_material()], uris=uris, glb=False))
    report = gltf(command, path, "-o", tmp_path / "b.glb")
    assert report["left_alone"] == [{"what": "images[3]", "why": "is image/ktx2, which is not read"}]
    assert [row["image"] for row in report["files"][0]["images"]] == [0, 1, 2, 4]
    assert report["bytes_before"] == sum(file.stat().st_size for file in path.parent.iterdir())
    document, chunk = read_glb(tmp_path / "b.glb")
    assert len(document["buffers"]) == 1 and not any("uri" in item for item in document["images"] + document["buffers"])
    view = document["bufferViews"][document["images"][3]["bufferView"]]
    assert chunk[view["byteOffset"] :][: view["byteLength"]] == (tmp_path / "in" / "other.ktx2").read_bytes()
    assert document["textures"][3] == {"source": 3} and document["images"][3]["mimeType"] == "image/ktx2"
    report = gltf(command, path, "-o", tmp_path / "c.glb", "--no-fallback")
    document, _ = read_glb(tmp_path / "c.glb")
    assert document["textures"][3] == {"source": 0} and [image["name"] for image in document["images"]] == ["picture3"]


def leaves(mode: str) -> JsonObject:
    return {"name": mode, "alphaMode": mode, "alphaCutoff": 0.4, PBR: {"baseColorTexture": {"index": 0},
            "baseColorFactor": [1, 1, 1, 0.8]}}  # fmt: skip


@pytest.mark.parametrize("modes, roles, components", [
    (["MASK"], ["albedo"] * 3 + ["opacity"], 4), (["OPAQUE"], ["albedo"] * 3, 3),
    (["BLEND", "OPAQUE"], ["albedo"] * 3 + ["mask"], 4),
])  # fmt: skip
def test_alpha(modes: list[str], roles: list[str], components: int, command: Command, tmp_path: Path) -> None:
    """An alpha that hides is an opacity; one that hides for some is kept, and hides nothing; others are left out."""
    image = sample_image("vine_leaves/vine_leaves_albedo", SIZE, 8)
    image[..., 3] = np.arange(SIZE * SIZE).reshape(SIZE, SIZE) % 256
    path = write(tmp_path / "a.glb", [image], [leaves(mode) for mode in modes])
    report = gltf(command, path, "-o", tmp_path / "b.glb")
    stack, document = stack_of(tmp_path / "b.glb", tmp_path)
    texture = gstex.load(tmp_path / "inside.gstex")
    assert [channel.role for channel in texture.table.header.channels] == roles
    assert len(document["textures"][0]["extensions"][NAME]["components"]) == components
    found = shown(stack, document["textures"][0])
    visible = image[..., 3:] > 0 if "opacity" in roles else np.ones_like(image[..., 3:], bool)
    assert np.abs((found * 255 - image[:, :, :components]) * visible).max() <= 0.51
    left_out = [note for note in report["notes"] if "images[0]: A varies" in note]
    assert bool(left_out) == (modes == ["OPAQUE"])
    fit = texture.fit
    assert (fit["alpha_test"] == pytest.approx(0.5)) if modes == ["MASK"] else fit["alpha_test"] is None


@pytest.mark.parametrize("kind, components", [
    ("half", [{"channel": 0}, {"channel": 1}, {"channel": 2}, {"value": pytest.approx(128 / 255)}]),
    ("opaque", [{"channel": 0}, {"channel": 1}, {"channel": 2}]),
    ("grey", [{"channel": 0}, {"channel": 0}, {"channel": 0}, {"channel": 1}]),
    ("flat", [{"channel": 0}] * 3),
])  # fmt: skip
def test_odd_images(kind: str, components: list[JsonObject], command: Command, tmp_path: Path) -> None:
    """An alpha that is the same everywhere, or 1; grey with alpha; one colour. All in a cut-out material."""
    color = panel_images()["albedo"][:, :, :3]
    of = {"half": np.dstack([color, np.full((SIZE, SIZE), 128, np.uint8)]),
          "opaque": np.dstack([color, np.full((SIZE, SIZE), 255, np.uint8)]),
          "grey": color[:, :, :2], "flat": np.full((SIZE, SIZE, 3), 77, np.uint8)}  # fmt: skip
    path = write(tmp_path / "a.glb", [of[kind]], [leaves("MASK")])
    gltf(command, path, "-o", tmp_path / "b.glb")
    stack, document = stack_of(tmp_path / "b.glb", tmp_path)
    assert parts(document["textures"][0]) == components
    rgba = of["grey"][:, :, [0, 0, 0, 1]] if kind == "grey" else of[kind][:, :, : len(components)]
    hidden = rgba[:, :, 3] == 0 if rgba.shape[2] == 4 else np.zeros((SIZE, SIZE), bool)
    assert np.abs(shown(stack, document["textures"][0]) * 255 - rgba)[~hidden].max() <= 0.51


def test_images_of_several_materials_and_textures(command: Command, tmp_path: Path) -> None:
    """An image is in one file, whoever shows it; textures that differ in their samplers show the same."""
    images = list(panel_images().values())
    textures = [{"source": 0}, {"source": 1}, {"source": 0, "sampler": 0}, {"source": 3}]
    two = {"name": "two", "normalTexture": {"index": 1}, PBR: {"baseColorTexture": {"index": 2}},
           "occlusionTexture": {"index": 3}}  # fmt: skip
    one = {"name": "one", "normalTexture": {"index": 1}, PBR: {"baseColorTexture": {"index": 0}}}
    path = write(tmp_path / "a.glb", images, [one, two], textures=textures, samplers=[{"wrapS": 33071}])
    report = gltf(command, path, "-o", tmp_path / "b.glb")
    assert [(file["name"], [row["image"] for row in file["images"]]) for file in report["files"]] == [
        ("one", [0, 1]), ("two", [3])]  # fmt: skip
    document, _ = read_glb(tmp_path / "b.glb")
    stated = [texture["extensions"][NAME] for texture in document["textures"]]
    assert stated[0] == stated[2] and [texture["file"] for texture in stated] == [0, 0, 0, 1]
    assert sum("shown by 1 more material" in note for note in report["notes"]) == 2
    back = gltf(command, tmp_path / "b.glb", "--decode", "-o", tmp_path / "c.glb")
    assert sorted(row["image"] for row in back["images"]) == [0, 1, 3]


def plan_of(materials: list[JsonObject], textures: list[JsonObject], **more: Any) -> Plan:
    return plan_model(parse_model(model_bytes([b"\x89PNG"] * 3, materials, textures=textures, **more), Path()))


@pytest.mark.parametrize("materials, textures, why", [
    ([{"normalTexture": {"index": 0}, PBR: {"baseColorTexture": {"index": 0}}}], [{"source": 0}],
     "is shown as baseColorTexture and as normalTexture, which store different things"),
    ([{"extensions": {"KHR_materials_clearcoat": {"clearcoatTexture": {"index": 0}}}}], [{"source": 0}],
     "is shown by extensions.KHR_materials_clearcoat.clearcoatTexture, of which nothing is known here"),
    ([{"normalTexture": {"index": 0}, "extensions": {"A": {"b": [{"cTexture": {"index": 0}}]}}}], [{"source": 0}],
     "is shown by extensions.A.b.0.cTexture too, of which nothing is known here"),
    ([{"normalTexture": {"index": 0}}], [{"extensions": {"KHR_texture_basisu": {"source": 0}}}],
     "has its image by KHR_texture_basisu, which is not read"),
    ([], [{"source": 0}], "is shown by no material"),
    ([{"normalTexture": {"index": 0}}], [{}], "has no image"),
])  # fmt: skip
def test_what_is_left_alone(materials: list[JsonObject], textures: list[JsonObject], why: str) -> None:
    plan = plan_of(materials, textures)
    assert plan.files == [] and [reason for _, reason in plan.left] == [why]


def test_pictures_of_the_web_are_left_alone(command: Command, tmp_path: Path) -> None:
    images = list(panel_images().values())
    path = write(tmp_path / "a.glb", images, [panel_material()], uris={0: "https://example.com/a.png"})
    report = gltf(command, path, "-o", tmp_path / "b.glb", "--no-fallback")
    assert report["left_alone"] == [{"what": "images[0]", "why": "is elsewhere, at https://example.com/a.png"}]
    document, _ = read_glb(tmp_path / "b.glb")
    assert document["images"] == [{"uri": "https://example.com/a.png", "name": "picture0"}]


def test_a_role_that_is_taken_goes_to_the_next_material() -> None:
    """Picture 1 is the albedo of the second material alone, although the first shows it as light."""
    first = {PBR: {"baseColorTexture": {"index": 0}}, "emissiveTexture": {"index": 1}}
    second = {PBR: {"baseColorTexture": {"index": 1}}, "emissiveTexture": {"index": 0}}
    plan = plan_of([first, second], [{"source": 0}, {"source": 1}])
    assert [[(item.image, item.roles) for item in file.images] for file in plan.files] == [
        [(0, {"albedo"}), (1, {"emissive"})]]  # fmt: skip
    both = {PBR: {"baseColorTexture": {"index": 0}}, "occlusionTexture": {"index": 0}}
    assert plan_of([both], [{"source": 0}]).files == []
    packed = {PBR: {"metallicRoughnessTexture": {"index": 0}}, "occlusionTexture": {"index": 1}}
    other = {"occlusionTexture": {"index": 0}}
    plan = plan_of([packed, other], [{"source": 0}, {"source": 1}])
    assert [[item.image for item in file.images] for file in plan.files] == [[0]]
    assert plan.left == [("images[1]", "has the same roles as another image of each of its materials")]


def test_extensions_that_may_name_images_keep_them(command: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "a.glb", [panel_images()["albedo"]], [{PBR: {"baseColorTexture": {"index": 0}}}],
                 extensionsUsed=["VRM"], extensions={"VRM": {"thumbnail": 0}})  # fmt: skip
    report = gltf(command, path, "-o", tmp_path / "b.glb", "--no-fallback")
    assert report["notes"] == ["the images stay in the file, because VRM may name them"]
    document, chunk = read_glb(tmp_path / "b.glb")
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    assert chunk[view["byteOffset"] :].startswith(b"\x89PNG") and document["extensions"]["VRM"] == {"thumbnail": 0}


def test_webp_and_grey_and_depth(command: Command, tmp_path: Path) -> None:
    """WebP is taken in place of an image that is not there; 16 bits come back as such."""
    images = panel_images()
    grey = images["ao"].astype(np.uint16) * 257
    files = [png(images["albedo"], tmp_path), png(grey, tmp_path)]
    webp = png(images["albedo"], tmp_path, "webp")
    textures = [{"extensions": {"EXT_texture_webp": {"source": 0}}}, {"source": 1}]
    path = tmp_path / "a.glb"
    material = {PBR: {"baseColorTexture": {"index": 0}}, "occlusionTexture": {"index": 1}}
    path.write_bytes(model_bytes([webp, files[1]], [material], textures=textures, extensionsUsed=["EXT_texture_webp"],
                                 extensionsRequired=["EXT_texture_webp"]))  # fmt: skip
    gltf(command, path, "-o", tmp_path / "b.glb")
    document, _ = read_glb(tmp_path / "b.glb")
    assert document["extensionsUsed"] == [NAME] and "extensionsRequired" not in document
    assert document["textures"][0]["extensions"].keys() == {NAME} and document["images"][0]["mimeType"] == "image/jpeg"
    gltf(command, tmp_path / "b.glb", "--decode", "-o", tmp_path / "c.glb")
    document, chunk = read_glb(tmp_path / "c.glb")
    view = document["bufferViews"][document["images"][1]["bufferView"]]
    (tmp_path / "c.png").write_bytes(chunk[view["byteOffset"] :][: view["byteLength"]])
    import OpenImageIO as oiio

    found = oiio.ImageBuf(str(tmp_path / "c.png"))
    assert str(found.spec().format) == "uint16" and found.nchannels == 3
    assert np.abs(found.get_pixels(oiio.UINT16).astype(int) - grey).max() <= 130  # half a code of 8 bits


def test_outputs_are_replaced_if_they_are_ours(command: Command, tmp_path: Path) -> None:
    images = [panel_images()["albedo"]]
    material = [{PBR: {"baseColorTexture": {"index": 0}}}]
    path = write(tmp_path / "a.glb", images, material)
    other = write(tmp_path / "other.glb", images, material)
    out = tmp_path / "b.glb"
    for _ in range(2):
        gltf(command, path, "-o", out)
    before = out.read_bytes()
    assert "was not made from 'other.glb'" in command("gltf", other, "-o", out).error()
    assert "was not made from" in command("gltf", path, "-o", other).error()
    assert "is a file of the input" in command("gltf", path, "-o", path).error()
    assert out.read_bytes() == before
    gltf(command, other, "-o", out, "--force")
    for _ in range(2):
        gltf(command, out, "--decode", "-o", tmp_path / "c.glb")
    assert "was not made from" in command("gltf", out, "--decode", "-o", path).error()


def test_ctrl_c_writes_nothing(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.glb", [panel_images()["albedo"]], [{PBR: {"baseColorTexture": {"index": 0}}}])

    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gstex.compress", stop)
    assert command("gltf", path, "-o", tmp_path / "b.glb").code == 130
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.glb", "here"]


@pytest.mark.parametrize("arguments, message", [
    (("-o", "b.gltf"), "expected a name that ends in .glb"),
    (("-o", "b.glb", "--fallback", "8", "--no-fallback"), "contradict"),
    (("-o", "b.glb", "--decode", "--bpp", "1"), "--bpp: is for compressing"),
    (("-o", "b.glb", "--max-texels", "9"), "goes with --decode"),
    (("-o", "b.glb", "--bpp", "1", "--psnr", "30"), "contradict"),
    (("-o", "b.glb", "--wrap", "repeat"), "No such option"),
])  # fmt: skip
def test_wrong_use(arguments: tuple[str, ...], message: str, command: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "a.glb", [panel_images()["albedo"]], [{PBR: {"baseColorTexture": {"index": 0}}}])
    ran = command("gltf", path, *arguments)
    assert ran.code == 2 and message in ran.err and not Path("b.glb").exists()


def test_schemas_in_the_documents_are_those_of_the_code() -> None:
    """After a change: json.dumps(gstex.gltf.texture_schema(), indent=2) is what the file has to hold."""
    for name, schema in ((NAME, root_schema()), (f"{NAME}.texture", texture_schema())):
        assert json.loads((DOCS / f"{name}.schema.json").read_text()) == json.loads(json.dumps(schema))




def test_python_of_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "chair.glb", [panel_images()["albedo"]], [{PBR: {"baseColorTexture": {"index": 0}}}])
    [block] = re.findall(r"^```python\n(.*?)^```$", (DOCS / "gltf.md").read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "gltf.md", "exec"), names)
    assert read_glb(tmp_path / "chair.gstex.glb")[0]["extensionsUsed"] == [NAME]
    assert [image[1:3] for image in names["plain"].images] == [(16, 16)]


def test_a_helmet(command: Command, tmp_path: Path) -> None:
    """Real maps, one of them packed: what trimesh sees after there and back is near to what it saw."""
    maps = SHARED_DATA / "flight_helmet_mat3"
    if not maps.is_dir():
        pytest.skip("the shared data is not on this machine; the samples run the same test")
    folder = crop_sample(str(maps), tmp_path / "maps", 128)
    files = {end: next(folder.glob(f"*_{end}.png")).read_bytes()
             for end in ("baseColor3", "normal3", "occlusionRoughnessMetallic3")}  # fmt: skip
    material = {"name": "helmet", "normalTexture": {"index": 1}, "occlusionTexture": {"index": 2},
                PBR: {"baseColorTexture": {"index": 0}, "metallicRoughnessTexture": {"index": 2}}}  # fmt: skip
    (tmp_path / "a.glb").write_bytes(model_bytes(list(files.values()), [material]))
    report = gltf(command, tmp_path / "a.glb", "-o", tmp_path / "b.glb", "--no-fallback", "--bpp", "2",
                  "--effort", "draft")  # fmt: skip
    assert report["files"][0]["report"]["psnr"] > 24 and report["gstex_bytes"] < report["image_bytes_before"] / 2
    assert report["left_alone"] == [] and report["files"][0]["images"][2]["slots"] == [
        "metallicRoughnessTexture", "occlusionTexture"]  # fmt: skip
    gltf(command, tmp_path / "b.glb", "--decode", "-o", tmp_path / "c.glb")
    [before], [after] = (trimesh_materials(tmp_path / name) for name in ("a.glb", "c.glb"))
    for slot in ("baseColorTexture", "normalTexture", "metallicRoughnessTexture", "occlusionTexture"):
        one, other = (np.asarray(getattr(of, slot))[:, :, :3].astype(int) for of in (before, after))
        assert one.shape == other.shape == (128, 128, 3) and 0 < np.abs(one - other).mean() < 12, slot
