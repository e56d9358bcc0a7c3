"""The viewer without a picture: maps, pan and zoom, the inspector, stacks, jobs, the session."""

import itertools
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from small_samples import crop_sample
from view_samples import SIZE, make_sample

import gstex
import gstex.cli.view
from gstex import metrics
from gstex.errors import MaterialError, MismatchError, UsageError
from gstex.material.images import write_picture
from gstex.texture import Texture
from gstex.view import pan
from gstex.view.commands import COMMANDS, listed
from gstex.view.document import Document, open_document
from gstex.view.environment import (
    HEIGHT,
    direction_of,
    filter_environment,
    harmonics,
    is_panorama,
    read_panorama,
)
from gstex.view.errors import MOST_ANGLE, chosen_gain, shown_error
from gstex.view.inspect import explain_texel
from gstex.view.jobs import Job, Report
from gstex.view.keys import Keys
from gstex.view.maps import find_map, list_maps, shown
from gstex.view.recent import recent_files
from gstex.view.screenshot import wanted_of
from gstex.view.session import Session
from gstex.view.stacks import encode_mix, encode_stack, load_reference, read_second, to_codes
from gstex.view.state import OTHERS, ViewState, label_of
from gstex.view.viewer import Viewer

DOCS = Path(__file__).resolve().parent.parent / "docs" / "viewer.md"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return make_sample(tmp_path_factory.mktemp("view"))


@pytest.fixture
def document(sample):
    return open_document(sample.file)


def wait_for(session: Session, done) -> None:
    for _ in range(1200):
        session.poll()
        if done():
            return
        time.sleep(0.1)
    raise AssertionError(f"never came: {session.notice} {session.failed}")


def test_maps_are_groups_of_channels_and_survive_any_metadata():
    rows = [("albedo", "a.png", c, "srgb") for c in "rgb"]
    rows += [("normal", "n.png", c, "linear") for c in "xy"] + [("mask", "m.png", "v", "linear")]
    rows += [("mask", "o.png", "v", "linear")]
    keys = ("role", "file", "component", "color_space")
    maps = list_maps({"channels": [dict(zip(keys, row, strict=True)) for row in rows]}, 8)
    assert [one.name for one in maps] == ["albedo", "normal", "mask (m.png)", "mask (o.png)", "channel 7"]
    assert [one.look for one in maps] == ["color", "normal", "grey", "grey", "grey"]
    assert maps[0].pick(2).channels == (2,) and maps[1].pick(None) is maps[1]
    assert find_map(maps, "NORMAL") == find_map(maps, "n.png") == find_map(maps, "1") == 1
    with pytest.raises(UsageError, match="got 'height', expected one of albedo, normal"):
        find_map(maps, "height")
    for broken in ({}, {"channels": 3}, {"channels": [None, {"role": 5}]}):
        assert sum(len(one.channels) for one in list_maps(broken, 2)) == 2


def test_a_normal_is_shown_with_its_z_and_linear_colour_encoded():
    normal, color = (list_maps({"channels": [{"role": "x", "component": c, "color_space": "linear"} for c in cs]},
                               len(cs))[0] for cs in ("xy", "rgb"))  # fmt: skip
    assert np.allclose(shown(np.array([0.5, 0.5]), normal), [0.5, 0.5, 1.0])
    assert np.allclose(shown(np.full(3, 0.2140), color), 0.5, atol=1e-3)


def test_zoom_keeps_what_is_under_the_pointer_and_fit_shows_all():
    state, size = ViewState(), (640, 400)
    placement = pan.place(state, 256, 128, 5, size)
    assert placement.zoom == 2.5 and (placement.left, placement.top) == (0, 40)  # fills the width
    before = placement.uv_at(500, 150)
    pan.zoom_at(state, placement, 4.0, 500, 150, size)
    after = pan.place(state, 256, 128, 5, size)
    assert after.zoom == 10 and np.allclose(after.uv_at(500, 150), before, atol=1 / (10 * 128))
    pan.move(state, after, 80, 0)
    moved = pan.place(state, 256, 128, 5, size)
    assert moved.left == after.left + 80
    for _ in range(100):
        pan.zoom_at(state, pan.place(state, 256, 128, 5, size), 2.0, 0, 0, size)
    assert state.zoom == pan.MOST_ZOOM
    assert pan.place(ViewState(zoom=0.25), 256, 128, 9, size).lod == 2
    assert pan.place(ViewState(zoom=0.001), 256, 128, 3, size).lod == 2
    assert pan.place(ViewState(lod=1.5), 256, 128, 5, size).lod == 1.5


@pytest.mark.parametrize("mip", [0, 1, 5])
def test_the_inspector_explains_what_the_decoder_gives(document, mip):
    stack = document.texture.decode(mip)
    gaussians = document.gaussians(mip, 0)
    assert gaussians.count or document.info["mips"][mip]["stored_as"] == "texels"
    rng = np.random.default_rng(mip)
    height, width, _ = stack.shape
    for column, row in [(0, 0), (width - 1, height - 1), *rng.integers(0, [width, height], (20, 2))]:
        texel = explain_texel(gaussians, int(column), int(row))
        assert np.abs(texel.value - stack[row, column]).max() < 1e-5
        shares = [part.share for part in texel.strongest]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1 + 1e-9 if gaussians.count else texel.candidates == 0


def test_the_reference_has_the_values_of_its_files(sample, document):
    stack, nothing = load_reference(sample.source, wanted_of(document))
    assert nothing is None and len(stack.levels) == document.texture.mip_count
    pixels = np.asarray(Image.open(sample.source / "vine_leaves_albedo.png").convert("RGB"))
    assert np.array_equal(np.rint(stack.values(0, 7, 9)[:3] * 255), pixels[9, 7])


def test_a_folder_that_does_not_fit_is_refused(sample, document, tmp_path):
    wanted = wanted_of(document)
    with pytest.raises(MismatchError, match="is 40x40, the file 80x40"):
        load_reference(sample.source, type(wanted)(**{**wanted.__dict__, "width": 80}))
    Image.new("RGB", (SIZE, SIZE), (9, 200, 30)).save(tmp_path / "x_albedo.png")
    with pytest.raises(MismatchError, match="its maps are not those of the file"):
        load_reference(tmp_path, wanted)


def test_a_codec_stack_is_near_the_reference_and_counts_its_bits(sample, document, monkeypatch, tmp_path):
    pytest.importorskip("astc_encoder")
    pytest.importorskip("texture2ddecoder")
    monkeypatch.setenv("GSTEX_CACHE", str(tmp_path))
    steps = []
    stack = encode_stack(sample.source, wanted_of(document), "astc-8x8", lambda *at: steps.append(at), processes=1)
    reference, _ = load_reference(sample.source, wanted_of(document))
    assert [a.shape for a in stack.levels] == [a.shape for a in reference.levels]
    assert stack.psnr > 25 and steps[-1][1] == steps[-1][2]
    apart = np.abs(stack.levels[1].astype(float) - reference.levels[1]) / 65535
    assert 0 < apart.mean() < 0.1
    images = 8 * stack.bpp * SIZE * SIZE / 8 / 8 / (16 * 25)  # 25 blocks an image
    assert images == round(images) >= 3


def test_stacks_pack_four_channels_a_layer():
    pixels = np.arange(2 * 3 * 6).reshape(2, 3, 6) / 40
    codes = to_codes(pixels)
    assert codes.shape == (2, 2, 3, 4)
    assert codes[1, 1, 2, 1] == round(pixels[1, 2, 5] * 65535) and (codes[1, :, :, 2:] == 0).all()
    assert [label_of(name) for name in OTHERS[:4]] == ["Reference", "BC1", "BC7", "ASTC 4x4"]


def test_a_job_reports_gives_its_result_and_its_error_in_one_line():
    good, bad, dead = Job("a", double, 21), Job("b", fail), Job("c", vanish)
    for job in (good, bad, dead):
        while not job.poll():
            time.sleep(0.02)
    assert good.result == 42 and good.error is None and good.report.stage == "doubling"
    assert bad.error == "bad: no such thing"
    assert dead.error.startswith("c: its process ended without a result")


def double(number, report):
    report(Report("doubling", 1, 2))
    return 2 * number


def fail(report):
    raise UsageError("bad: no such thing")


def vanish(report):
    os._exit(3)


def test_a_session_reads_a_changed_file_again_and_outlives_its_loss(sample, tmp_path, monkeypatch):
    now = itertools.count(step=60)  # a minute between any two looks at the clock
    monkeypatch.setattr("gstex.view.session.time", SimpleNamespace(monotonic=lambda: float(next(now))))
    file = tmp_path / "a.gstex"
    file.write_bytes(sample.file.read_bytes())
    session = Session(lambda document: ViewState(map=2))
    session.open(file, sample.source)
    first = session.document
    assert session.state.map == 2 and first.name == "a.gstex"
    session.poll()
    assert session.document is first

    Texture(first.texture.words, {**first.texture.metadata, "generator": "new"}).save(file)
    session.poll()
    assert session.document.info["generator"] == "new" and session.state.map == 2
    assert session.notice == "a.gstex: read again"

    shown_before = session.document
    file.write_bytes(b"nonsense")
    session.poll()
    assert session.document is shown_before and session.is_error and "a.gstex" in session.notice
    file.unlink()
    session.poll()
    assert session.notice == "a.gstex: no longer exists; its last version is shown"
    session.close()


def test_a_session_finds_the_source_beside_the_file_and_gets_its_stacks(sample):
    session = Session(lambda document: ViewState())
    session.open(sample.file)
    assert session.source == sample.source
    assert not session.want("reference")
    wait_for(session, lambda: session.want("reference"))
    assert session.stacks["reference"].values(0, 0, 0).shape == (8,)
    session.set_source(sample.source.parent / "nowhere")
    assert not session.want("reference")
    wait_for(session, lambda: "reference" in session.failed)
    assert "nowhere" in session.failed["reference"]
    session.close()


def test_without_the_encoders_a_codec_says_what_to_install(sample, document, monkeypatch):
    import gstex.compare.codecs as codecs
    from gstex.errors import ExtraError

    monkeypatch.setattr(codecs, "is_installed", lambda name: False)
    with pytest.raises(ExtraError, match=r"pip install gstex\[compare\]"):
        encode_stack(sample.source, wanted_of(document), "bc7")


def test_a_dropped_folder_is_compressed_and_shown_with_its_source(tmp_path):
    source = crop_sample("rusted_steel", tmp_path / "steel", 80)
    session = Session(lambda document: ViewState())
    session.drop(source)
    assert session.offered == source and not session.jobs  # the user is asked how
    session.compress(source, {"effort": "draft", "bpp": 3.0})
    wait_for(session, lambda: session.document is not None or session.is_error)
    assert session.document is not None, session.notice
    assert session.source == source and "Ctrl+S" in session.notice
    assert session.save(tmp_path / "saved.gstex")
    written = (tmp_path / "saved.gstex").stat().st_mtime_ns
    assert not session.save(tmp_path / "saved.gstex") and "already exists" in session.notice
    assert not session.save(tmp_path / "saved.png", replace=True) and "ends in .gstex" in session.notice
    assert (tmp_path / "saved.gstex").stat().st_mtime_ns == written and not (tmp_path / "saved.png").exists()
    assert session.save(tmp_path / "saved.gstex", replace=True)
    assert open_document(tmp_path / "saved.gstex").texture.width == 80
    own = session.document.path.parent
    session.close()
    assert not own.exists()


def viewer_of(document: Document) -> Viewer:
    session = Session(lambda document: ViewState())
    session.document = document
    return Viewer(session, size=(640, 400))


def press(viewer: Viewer, *keys: str) -> None:
    for key in keys:
        next(command for command in COMMANDS if key in command.keys).run(viewer)


def test_every_command_runs_with_and_without_a_file(document, monkeypatch):
    monkeypatch.setattr(Session, "reload", lambda self: None)
    empty = Viewer(Session(lambda document: ViewState()))
    for view in ("map", "lit", "gaussians"):
        viewer = viewer_of(document)
        viewer.state.view = view
        for command in COMMANDS:
            command.run(viewer)
            command.run(empty)
        assert viewer.closing and viewer.state.view in ("map", "lit", "split", "heat", "cells", "diff", "gaussians")


class Pointer:
    """GLFW, as far as keys ask it: a pointer that is moved."""

    def __init__(self):
        self._glfw = pytest.importorskip("glfw")
        self.at = (0.0, 0.0)

    def __getattr__(self, name):
        return getattr(self._glfw, name)

    def get_cursor_pos(self, window):
        return self.at


def test_a_key_acts_where_the_pointer_was_when_it_was_pressed(document):
    viewer, glfw = viewer_of(document), Pointer()
    keys = Keys(glfw, None)
    viewer.left, viewer.top = 0, 30
    viewer.pointer = (10.0, 10.0)  # of the last frame
    for glfw.at in ((400, 230), (5, 5)):
        keys.on_key(glfw.KEY_KP_ADD, 0, glfw.PRESS, 0)
    under = viewer.placement().uv_at(400, 200)
    keys.run(viewer, typing=False, covered=False)
    # First round its place in the picture; the second time it is over the toolbar, so round the middle.
    pan.zoom_at(viewer.state, viewer.placement(), 0.5**0.5, 320, 200, viewer.size)
    assert np.allclose(viewer.placement().uv_at(400, 200), under, atol=1e-3)


def test_keys_do_what_they_say(document):
    viewer = viewer_of(document)
    state = viewer.state
    press(viewer, "2", "X")
    assert (state.map, state.channel) == (1, None)  # the opacity has one channel
    press(viewer, "1", "X", "X", "X")
    assert (state.map, state.channel) == (0, 2)
    press(viewer, "X", ",")
    assert (state.map, state.channel) == (len(document.maps) - 1, None)
    press(viewer, "Z", "=", "=")
    assert state.zoom == pytest.approx(2)
    press(viewer, "PageDown", "PageDown")
    assert state.lod == 0.5
    press(viewer, "A", "I", "S", "O", "]", "E")
    assert (state.lod, state.sampling, state.view, state.other) == (None, "bilinear", "split", "bc1")
    assert (state.split, state.gain) == (0.52, 16.0)  # twice what suits errors that are not known
    press(viewer, "Shift+A", "Shift+D", "U", "Shift+X", "Ctrl+4")
    assert (state.gain, state.error, state.hidden, state.stretch, state.zoom) == (None, "channels", "opacity", True, 4)
    press(viewer, "Shift+O", "Shift+O")
    assert state.other == "astc-mix"  # there is no second file
    viewer.session.second = Path("other.gstex")
    press(viewer, "O")
    assert state.other == "second"
    press(viewer, "Z", "K", "Ctrl+Right", "Ctrl+Up")
    assert state.pinned == (SIZE // 2 + 1, SIZE // 2 - 1)
    press(viewer, "G", "V", "V")
    assert state.level == 1
    press(viewer, "B", "Shift+Left", "T", ">", ">", ">", "Shift+T", "Shift+L")
    assert (state.view, state.lit.shape, state.lit.light_yaw, state.lit.tiling) == ("lit", "cube", -39.0, 3.0)
    assert (state.lit.exposure, state.lit.tone, state.lit.surroundings) == (pytest.approx(1.0), "filmic", "even")
    keys = [key for command in COMMANDS for key in command.keys]
    assert len(keys) == len(set(keys))


def test_a_key_that_is_held_shows_the_reference_for_as_long(document):
    viewer, glfw = viewer_of(document), Pointer()
    glfw.down = True
    glfw.get_key = lambda window, key: glfw.PRESS if glfw.down else glfw.RELEASE
    glfw.get_key_name = lambda key, scancode: "q"
    keys = Keys(glfw, None)
    keys.on_key(glfw.KEY_Q, 0, glfw.PRESS, 0)
    for _ in range(3):
        keys.run(viewer, typing=False, covered=False)
        assert viewer.state.alone == "reference" and viewer.needed() == ["reference"]
    glfw.down = False
    keys.run(viewer, typing=False, covered=False)
    assert viewer.state.alone == "" and viewer.needed() == []


def test_the_values_of_a_texel_are_copied(sample, document):
    viewer = viewer_of(document)
    reference, _ = load_reference(sample.source, wanted_of(document))
    row, column = np.argwhere(reference.levels[0][0, :, :, 3] == 0)[0]
    viewer.state.pinned = int(column), int(row)
    press(viewer, "Ctrl+C")
    lines = [line.split("\t") for line in viewer.clipboard.splitlines()]
    assert lines[0] == [str(column), str(row), "mip 0", "leaves.gstex"]
    values = document.texture.decode()[row, column]
    assert np.abs([float(line[1]) for line in lines[1:]] - values).max() < 1e-4
    assert [line[0] for line in lines[1:5]] == ["albedo.r", "albedo.g", "albedo.b", "opacity.v"]
    viewer.session.stacks["reference"] = reference
    lines = [line.split("\t") for line in viewer.texel_text().splitlines()]
    assert [line[3:] for line in lines[1:5]] == [["hidden"]] * 3 + [[]]
    assert np.allclose([float(line[2]) for line in lines[1:]], reference.values(0, column, row)[:8], atol=1e-5)


def test_errors_are_those_of_the_metrics(sample, document):
    reference, file = load_reference(sample.source, wanted_of(document), document.texture)
    assert file.levels == () and file.psnr == pytest.approx(document.texture.report["psnr"], abs=0.01)
    original = np.moveaxis(reference.levels[0], 0, 2).reshape(SIZE, SIZE, -1)[:, :, :8] / 65535
    stack = document.texture.decode()
    number = [one.name for one in document.maps].index("normal")
    one = document.maps[number]
    mean, high = metrics.normal_angles(stack[:, :, list(one.channels)], original[:, :, list(one.channels)])
    assert file.errors.high[number] == pytest.approx(high / MOST_ANGLE, abs=1e-3)
    assert MOST_ANGLE * shown_error(stack, original, one).mean() == pytest.approx(mean, abs=0.02)
    apart = np.mean((stack[:, :, list(one.channels)] - original[:, :, list(one.channels)]) ** 2)
    assert file.errors.psnr(one.channels) == pytest.approx(metrics.to_psnr(apart), abs=0.01)
    gain = chosen_gain(None, [file.errors], number)
    assert file.errors.high[number] * gain <= 1 < 2 * file.errors.high[number] * gain
    assert chosen_gain(3.0, [file.errors], number) == 3.0


def test_a_second_file_is_decoded_and_measured_in_the_order_of_the_first(sample, document, tmp_path):
    other = gstex.compress(sample.source, bpp=2, effort="draft", wrap="repeat", mips=False)
    stack = read_second(other, "small.gstex", sample.source, wanted_of(document))
    assert stack.label == "small.gstex" and len(stack.levels) == document.texture.mip_count
    decoded = np.moveaxis(stack.levels[0], 0, 2).reshape(SIZE, SIZE, -1)[:, :, :8] / 65535
    assert np.abs(decoded - other.decode()).max() < 1e-4
    assert stack.psnr == pytest.approx(other.report["psnr"], abs=0.01)
    assert stack.bpp == pytest.approx(8 * other.mip_0_words().nbytes / SIZE**2)
    wanted = wanted_of(document)
    turned = replace(wanted, material={**wanted.material, "channels": wanted.material["channels"][::-1]})
    codes = read_second(other, "small.gstex", None, turned).levels[0]
    assert np.abs(np.moveaxis(codes, 0, 2).reshape(SIZE, SIZE, -1)[:, :, 7::-1] / 65535 - other.decode()).max() < 1e-4
    Image.new("RGB", (SIZE, SIZE), (9, 200, 30)).save(tmp_path / "x_albedo.png")
    alone = gstex.compress(tmp_path, bpp=2, effort="draft")
    with pytest.raises(MismatchError, match=r"a.gstex: has no opacity.v, normal.x, normal.y"):
        read_second(alone, "a.gstex", None, wanted_of(document))
    with pytest.raises(MismatchError, match="is 40x40, the first file 80x40"):
        read_second(other, "a.gstex", None, replace(wanted_of(document), width=80))


def test_a_mix_takes_no_more_than_the_file(sample, document, monkeypatch, tmp_path):
    pytest.importorskip("astc_encoder")
    pytest.importorskip("texture2ddecoder")
    monkeypatch.setenv("GSTEX_CACHE", str(tmp_path))
    monkeypatch.setattr("gstex.compare.run.DEFAULT_CODECS", ("bc1", "astc-6x6", "astc-12x12"))
    wanted = wanted_of(document)
    small, large = (encode_mix(sample.source, replace(wanted, byte_count=count), "astc-mix", processes=1)
                    for count in (1200, 3000))  # fmt: skip
    for stack, count in ((small, 1200), (large, 3000)):
        assert stack.label == "ASTC mix" and 0.4 * count < stack.bpp * SIZE**2 / 8 <= count
        assert len(stack.levels) == document.texture.mip_count
    assert large.psnr > small.psnr + 1


def test_a_session_goes_through_the_folder_and_remembers(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("GSTEX_STATE", str(tmp_path / "state"))
    files = [tmp_path / f"{name}.gstex" for name in "abc"]
    for file in files:
        file.write_bytes(sample.file.read_bytes())
    session = Session(lambda document: ViewState(map=1))
    session.open(files[0])
    for step, name in ((1, "b"), (1, "c"), (1, "a"), (-1, "c")):
        session.step_file(step)
        assert session.document.path.stem == name and session.state.map == 1
    assert [path.stem for path in recent_files()] == ["c", "a", "b"]
    files[2].unlink()
    assert [path.stem for path in recent_files()] == ["a", "b"]
    (tmp_path / "state" / "recent.json").write_text('{"not": "a list"}')
    assert recent_files() == []
    session.close()


def test_a_map_is_exported_as_decode_writes_it(sample, document, tmp_path):
    session = Session(lambda document: ViewState())
    session.open(sample.file)
    one = document.maps[find_map(document.maps, "normal")]
    target = tmp_path / "n.png"
    assert session.export(one, 0, target)
    document.texture.write_maps(tmp_path / "all")
    assert target.read_bytes() == (tmp_path / "all" / one.file).read_bytes()
    assert not session.export(one, 1, target) and "already exists" in session.notice
    assert session.export(one, 1, target, replace=True) and Image.open(target).size == (SIZE // 2, SIZE // 2)
    assert not session.export(one, 0, tmp_path / "n.exr") and "ends in .png" in session.notice
    session.close()


def test_surroundings_of_one_light_are_that_light():
    white = np.full((HEIGHT, 2 * HEIGHT, 3), 0.75, np.float32)
    found = filter_environment("white", white)
    assert all(np.allclose(level, 0.75, atol=1e-5) for level in found.levels)
    normals = np.random.default_rng(0).normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    assert np.allclose(harmonics(normals) @ found.irradiance, 0.75, atol=2e-3)
    lamp = white * 0
    lamp[direction_of(HEIGHT) @ np.array([0.6, 0.0, 0.8]) > 0.99] = 50
    found = filter_environment("lamp", lamp)
    for level in found.levels:  # rougher is wider and dimmer, in the same place
        brightest = np.unravel_index(level.sum(axis=2).argmax(), level.shape[:2])
        assert direction_of(level.shape[0])[brightest] @ np.array([0.6, 0.0, 0.8]) > 0.9
    highest = [level.max() for level in found.levels]
    assert highest == sorted(highest, reverse=True)
    light = harmonics(np.array([[0.6, 0.0, 0.8], [-0.6, 0.0, -0.8]])) @ found.irradiance
    assert light[0].min() > 3 * np.abs(light[1]).max()


def test_a_panorama_that_is_dropped_lights_the_material(sample, tmp_path):
    picture = np.zeros((8, 16, 3), np.float32)
    picture[:4] = 3.0
    for name, pixels in (("sky.hdr", picture), ("sky.exr", picture), ("map.exr", picture[:, :8])):
        write_picture(tmp_path / name, pixels)
    assert is_panorama(tmp_path / "sky.hdr") and is_panorama(tmp_path / "sky.exr")
    assert not is_panorama(tmp_path / "map.exr") and not is_panorama(sample.file)
    read = read_panorama(tmp_path / "sky.hdr")
    assert read.shape == (HEIGHT, 2 * HEIGHT, 3) and abs(read[10] - 3).max() < 0.02 and read[-10].max() == 0
    with pytest.raises(MaterialError, match="is 8x8, expected a panorama twice as wide as high"):
        read_panorama(tmp_path / "map.exr")
    session = Session(lambda document: ViewState())
    session.open(sample.file)
    session.drop(tmp_path / "sky.exr")
    lit = session.state.lit
    assert (session.state.view, lit.surroundings, lit.strength) == ("lit", "file", 0.0)
    wait_for(session, session.want_surroundings)
    assert session.surroundings.name == "sky.exr"
    session.close()


def test_the_manual_lists_every_key():
    text = DOCS.read_text(encoding="utf-8")
    for rows in listed().values():
        for keys, what in rows:
            assert f"| {keys} | {what} |" in text, keys
