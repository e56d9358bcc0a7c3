"""The lit view on triangles: shapes with their heights, and models of the user's."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_models import cube, model_bytes
from small_samples import crop_sample
from view_samples import need_gl

import gstex
from gstex.errors import ModelError
from gstex.gl import surfaceless
from gstex.gltf.mesh import Mesh, smooth_normals
from gstex.view import actions
from gstex.view.document import open_document
from gstex.view.meshes import MIDDLE, displace, divide, make_shape, weld
from gstex.view.screenshot import load_mesh
from gstex.view.session import Session
from gstex.view.state import OWN_MESH, SHAPES, Lit, ViewState
from gstex.view.viewer import Viewer

SIZE = (96, 96)
TINY = 1e-9  # displaced, and yet where it was


@pytest.fixture(scope="module")
def bricks(tmp_path_factory) -> Path:
    """A .gstex file of 40x40 texels with heights, which repeats."""
    folder = tmp_path_factory.mktemp("meshes")
    texture = gstex.compress(crop_sample("weathered_bricks", folder / "bricks"), bpp=6, effort="draft", wrap="repeat")
    texture.save(folder / "bricks.gstex")
    return folder / "bricks.gstex"


@pytest.fixture(scope="module")
def draw(bricks):
    need_gl()
    from gstex.view.scene import Scene
    from gstex.view.target import Target

    with surfaceless():
        scene, target = Scene(open_document(bricks)), Target()

        def run(lit: Lit, mesh: Mesh | None = None, size=SIZE, **state) -> np.ndarray:
            scene.set_mesh(mesh)
            scene.draw(ViewState(view="lit", lit=lit, **state), target, size)
            return target.read().astype(int)

        yield run
        scene.delete()


def seen(shape: str, **changes) -> Lit:
    return replace(Lit(shape=shape, yaw=32.0, pitch=24.0, surroundings="even"), **changes)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sampling", ["direct", "anisotropic"])
def test_triangles_show_what_rays_show(draw, shape, sampling):
    """Place, texture, footprint, normals and lights of a fine mesh are those of the shape that is hit by rays."""
    rays, triangles = (draw(seen(shape, displace=amount), sampling=sampling) for amount in (0.0, TINY))
    apart = np.abs(rays - triangles).max(axis=2)
    assert (rays != triangles).any()  # outlines are smoothed in another way
    assert apart.mean() < 1.5 and np.percentile(apart, 90) <= 3, (apart.mean(), np.percentile(apart, 90))
    assert np.abs(draw(seen(shape, yaw=40.0)) - rays).max(axis=2).mean() > 3 * apart.mean()


def test_a_plane_is_lit_from_behind_as_by_rays(draw):
    rays, triangles = (draw(seen("plane", yaw=150.0, displace=amount)) for amount in (0.0, TINY))
    assert np.abs(rays - triangles).mean() < 1.5


def test_displacement_moves_the_outline_and_nothing_else_by_default(draw):
    flat, high, low = (draw(seen("sphere", displace=amount)) for amount in (0.0, 0.4, -0.4))
    assert np.abs(high - flat).mean() > 5 and np.abs(low - high).mean() > 5
    assert np.array_equal(flat, draw(seen("sphere")))
    beyond = np.abs(high - flat)[:8].max()  # where the sphere does not reach
    assert beyond > 20 and np.array_equal(draw(seen("sphere", displace=0.4)), high)


def test_a_mesh_wears_the_material(draw, tmp_path):
    """The cube of a model is the cube of the viewer, but that it fills the sphere; seen straight on, from as near."""
    (tmp_path / "cube.glb").write_bytes(model_bytes([], [{}]))
    mesh = load_mesh(tmp_path / "cube.glb")
    small = Mesh((mesh.positions * (0.62 * 3**0.5)).astype(np.float32), mesh.normals, mesh.uv, mesh.triangles)
    own, shape = (draw(replace(seen(name), yaw=0.0, pitch=0.0, tiling=1.0), small) for name in (OWN_MESH, "cube"))
    assert np.abs(own - shape).mean() < 1.5
    assert np.abs(draw(seen(OWN_MESH, displace=0.2), mesh) - draw(seen(OWN_MESH), mesh)).mean() > 3
    assert np.array_equal(draw(seen(OWN_MESH)), draw(seen("sphere", tiling=2.0)))  # no mesh yet


def test_a_cube_of_a_model_keeps_its_sides(draw, tmp_path):
    """All sides of the cube are filled: none shows what is behind it."""
    (tmp_path / "cube.glb").write_bytes(model_bytes([], [{}]))
    mesh = load_mesh(tmp_path / "cube.glb")
    whole, less = (draw(seen(OWN_MESH, tiling=1.0), Mesh(mesh.positions, mesh.normals, mesh.uv, triangles))
                   for triangles in (mesh.triangles, mesh.triangles[:-2]))  # fmt: skip
    inner = slice(34, 62)
    assert (whole[inner, inner].max(axis=2) > 20).all()
    assert (whole != less).any()


def test_vertices_of_one_place_stay_together():
    """A cube that is displaced has no gaps, whatever heights its sides ask for."""
    mesh = make_shape("cube", 1.0, 0.015)
    groups = weld(mesh)
    heights = np.random.default_rng(3).random(len(mesh.positions))
    moved = displace(mesh, groups, heights, 0.3, new_normals=False)
    apart = np.zeros(groups.max() + 1)
    for axis in range(3):
        low, high = np.full(len(apart), np.inf), np.full(len(apart), -np.inf)
        np.minimum.at(low, groups, moved.positions[:, axis])
        np.maximum.at(high, groups, moved.positions[:, axis])
        apart = np.maximum(apart, high - low)
    assert len(apart) < len(mesh.positions) and apart.max() < 1e-5
    still = displace(mesh, groups, np.full(len(heights), MIDDLE), 0.3, new_normals=False)
    assert np.allclose(still.positions, mesh.positions, atol=1e-6)


def test_without_a_normal_map_normals_are_those_of_the_new_surface():
    mesh = make_shape("plane", 1.0, 0.0)
    slope = displace(mesh, weld(mesh), mesh.uv[:, 0], 0.5, new_normals=True)  # 0.5 up over a width of 2
    assert np.allclose(slope.normals, np.array([-0.25, 0.0, 1.0]) / np.hypot(0.25, 1.0), atol=1e-4)


def test_a_coarse_mesh_is_divided_and_stays_where_it_was():
    views, _ = cube()
    arrays = [np.frombuffer(view, "<f4") for view in views[:3]]
    points, normals, uv = (a.reshape(24, -1) for a in arrays)
    mesh = Mesh(points, normals, uv, np.frombuffer(views[3], "<u2").reshape(-1, 3).astype(np.int64))
    fine = divide(mesh)
    assert 5e4 <= len(fine.triangles) < 2e5 and np.abs(fine.positions).max() == 1
    assert np.allclose(np.abs(fine.positions).max(axis=1), 1)  # all of them on the sides
    areas = [np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1).sum() / 2
             for p in (mesh.positions[mesh.triangles], fine.positions[fine.triangles])]  # fmt: skip
    assert np.allclose(areas, 24)
    assert np.array_equal(np.abs(smooth_normals(fine.positions, fine.triangles) * fine.normals).sum(axis=1) > 0.99,
                          np.ones(len(fine.positions), bool))  # fmt: skip


def test_a_model_that_is_dropped_is_the_shape(bricks, tmp_path):
    (tmp_path / "cube.glb").write_bytes(model_bytes([], [{}]))
    (tmp_path / "bad.gltf").write_text("{}")
    session = Session(lambda document: ViewState())
    session.drop(tmp_path / "cube.glb")  # before there is a file
    session.open(bricks)
    assert (session.state.view, session.state.lit.shape, session.state.lit.tiling) == ("lit", OWN_MESH, 1.0)
    kept = session.mesh
    session.drop(tmp_path / "bad.gltf")
    assert session.is_error and "bad.gltf" in session.notice and session.mesh is kept
    session.close()


def test_a_screenshot_of_a_model_from_the_command_line(bricks, command, tmp_path):
    need_gl()
    (tmp_path / "cube.glb").write_bytes(model_bytes([], [{}]))
    out = tmp_path / "out.png"
    ran = command("view", bricks, "--view", "lit", "--shape", tmp_path / "cube.glb", "--displace", "0.1", "--size",
                  "64x48", "--screenshot", out, "--json")  # fmt: skip
    assert ran.code == 0 and out.is_file(), ran.err
    lit = json.loads(ran.out)["lit"]
    assert (lit["shape"], lit["displace"], lit["tiling"]) == ("mesh", 0.1, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--shape", "pyramid"], "got 'pyramid', expected one of sphere, cube", 2),
        (["--shape", "gone.glb", "--view", "lit"], "gone.glb: cannot be read", 1),
        (["--shape", "bare.glb", "--view", "lit"], "bare.glb: no triangles have texture coordinates", 1),
        (["--displace", "2"], "-1<=x<=1", 2),
    ],
)
def test_errors_of_models_are_one_line(bricks, command, tmp_path, monkeypatch, arguments, message, code):
    monkeypatch.chdir(tmp_path)
    bare = model_bytes([], [{}]).replace(b"TEXCOORD_0", b"TEXCOORD_1")
    Path("bare.glb").write_bytes(bare)
    ran = command("view", bricks, "--screenshot", "out.png", *arguments)
    assert ran.code == code and message in ran.error() and not Path("out.png").exists()


def test_a_file_without_heights_is_not_displaced(command, tmp_path):
    source = crop_sample("vine_leaves", tmp_path / "leaves", 16)
    gstex.compress(source, bpp=24, effort="draft").save(tmp_path / "flat.gstex")
    ran = command("view", tmp_path / "flat.gstex", "--view", "lit", "--displace", "0.1", "--screenshot",
                  tmp_path / "out.png")  # fmt: skip
    assert ran.code == 2 and ran.error() == "--displace: flat.gstex has no height map; leave the option out"


def test_the_window_says_that_a_file_without_heights_is_not_displaced(bricks, tmp_path):
    source = crop_sample("vine_leaves", tmp_path / "leaves", 16)
    gstex.compress(source, bpp=24, effort="draft").save(tmp_path / "flat.gstex")
    session = Session(lambda document: ViewState(view="lit", lit=Lit(displace=0.1)))
    session.open(tmp_path / "flat.gstex")
    why = "flat.gstex has no height map, so nothing is displaced; compress its folder again with a height map"
    assert session.notice == session.flat() == why and not session.is_error
    session.reload()
    assert session.notice == f"flat.gstex: read again; {why}"
    session.open(bricks)
    assert session.notice == session.flat() == ""
    session.close()


def test_the_keys_of_displacement_say_that_there_are_no_heights(bricks, tmp_path):
    source = crop_sample("vine_leaves", tmp_path / "leaves", 16)
    gstex.compress(source, bpp=24, effort="draft").save(tmp_path / "flat.gstex")
    viewer = Viewer(Session(lambda document: ViewState()))
    viewer.session.open(tmp_path / "flat.gstex")
    assert viewer.session.notice == ""  # nobody has asked for it
    actions.displace(0.02)(viewer)
    assert "flat.gstex has no height map" in viewer.session.notice and viewer.state.lit.displace == 0
    viewer.session.open(bricks)
    actions.displace(0.02)(viewer)
    assert viewer.session.notice == "" and viewer.state.lit.displace == 0.02
    viewer.session.close()


def test_a_model_says_its_name_in_its_errors(tmp_path):
    (tmp_path / "bare.glb").write_bytes(model_bytes([], [{}]).replace(b"TEXCOORD_0", b"TEXCOORD_1"))
    with pytest.raises(ModelError, match=r"bare\.glb: no triangles have texture coordinates"):
        load_mesh(tmp_path / "bare.glb")
