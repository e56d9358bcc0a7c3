"""`gstex transcode`: textures as DDS and KTX2, read back by libraries that are not ours, texel by texel."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from command import Command
from PIL import Image
from small_samples import crop_sample
from stating_files import smooth, write_exr

import gstex
from gstex.containers import BY_NAME, parse_dds, write_dds, write_ktx2
from gstex.errors import OutputError
from gstex.transcode import Source, open_source, plan_textures, transcode
from gstex.transcode.run import texels_of

decoder = pytest.importorskip("texture2ddecoder", reason="needs texture2ddecoder: pip install gstex[compare]")
pytest.importorskip("etcpak", reason="needs etcpak: pip install gstex[compare]")
pytest.importorskip("quicktex", reason="needs quicktex: pip install gstex[compare]")
pytest.importorskip("astc_encoder", reason="needs astc-encoder-py: pip install gstex[compare]")

H, W = 20, 32
DXGI = {"bc1": (71, 72), "bc4": (80, 80), "bc5": (83, 83), "bc7": (98, 99)}  # of dxgiformat.h, UNORM and sRGB


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    """Maps of all kinds: colour with an opacity, a normal, single channels, and a height of 16 bits."""
    folder = tmp_path / "wall"
    folder.mkdir()
    color = smooth(H, W, 4)
    color[:, :, 3] = np.linspace(20, 250, W).round()[None]
    Image.fromarray(color).save(folder / "wall_albedo.png")
    y, x = np.mgrid[:H, :W] / W - 0.3
    normal = np.stack([x * 0.8, y * 0.5, np.sqrt(1 - (x * 0.8) ** 2 - (y * 0.5) ** 2)], axis=2)
    Image.fromarray(np.rint(normal * 127.5 + 127.5).astype(np.uint8)).save(folder / "wall_normal.png")
    for seed, name in enumerate(("roughness", "metallic", "ao", "height")):
        Image.fromarray(smooth(H, W, 1, 7 * seed)[:, :, 0]).save(folder / f"wall_{name}.png")
    return folder


def read_dds(path: Path, level: int) -> np.ndarray:
    """A level as OpenImageIO reads it: uint8 [h, w, C]."""
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    image = oiio.ImageInput.open(str(path), config)
    assert image is not None, oiio.geterror()
    assert image.seek_subimage(0, level)
    spec = image.spec()
    return np.asarray(image.read_image(0, level, 0, spec.nchannels, oiio.UINT8)).reshape(spec.height, spec.width, -1)


def blocks_of(path: Path, source: Source) -> list[bytes]:
    """The levels of a DDS file by what Microsoft's guide says, without a reader of ours."""
    data = path.read_bytes()
    dxgi = struct.unpack_from("<I", data, 128)[0]
    size, place, levels = 8 if dxgi in (71, 72, 80) else 16, 148, []
    for mip in source.mips:
        height, width = mip.shape[:2]
        end = place + -(-width // 4) * -(-height // 4) * size
        levels.append(data[place:end])
        place = end
    assert place == len(data)
    return levels


def decoded(codec: str, data: bytes, height: int, width: int) -> np.ndarray:
    """uint8 [h, w, 4] by texture2ddecoder."""
    if codec.startswith("astc"):
        block = tuple(map(int, codec[5:].split("x")))
        pixels = decoder.decode_astc(data, width, height, *block)
    else:
        height, width, (h, w) = height + -height % 4, width + -width % 4, (height, width)
        pixels = getattr(decoder, f"decode_{codec}")(data, width, height)
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 4)[:h, :w, [2, 1, 0, 3]]
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 4)[:, :, [2, 1, 0, 3]]


# ---- DDS


@pytest.mark.parametrize("to", ["auto", "bc7", "bc1"])
def test_dds_is_read_back_by_openimageio_and_pillow(to: str, wall: Path, tmp_path: Path) -> None:
    source = open_source(wall)
    plans = plan_textures(source, to=to)
    for written in transcode(source, plans, tmp_path / "out", container="dds"):
        plan, path = written.plan, written.path
        head = path.read_bytes()[:148]
        codec, color = plan.codec, plan.name in ("albedo",)
        assert head[84:88] == b"DX10"
        dxgi, dimension, _, slices, alpha = struct.unpack_from("<5I", head, 128)
        assert (dxgi, dimension, slices) == (DXGI[codec][color], 3, 1)
        assert alpha == (1 if plan.opacity else 3)
        assert struct.unpack_from("<3I", head, 8)[1:] == (H, W) and struct.unpack_from("<I", head, 28)[0] == 6
        count = len(plan.planes)
        for level, (mip, data) in enumerate(zip(source.mips, blocks_of(path, source), strict=True)):
            found, truth = read_dds(path, level), texels_of(plan, mip)
            assert found.shape[:2] == mip.shape[:2]
            apart = np.abs(found[:, :, :count].astype(int) - truth)
            assert apart.max() <= (30 if codec == "bc1" else 12 if codec == "bc7" else 3), (plan.name, level)
            other = decoded(codec, data, *mip.shape[:2])[:, :, :count].astype(int)
            assert np.abs(found[:, :, :count] - other).max() <= (2 if codec == "bc1" else 1)  # rounded down by some
        if dxgi == 72:  # BC1 sRGB, which Pillow does not know
            continue
        pillow = np.asarray(Image.open(path).convert("RGBA" if count > 2 else "RGB" if count == 2 else "L"))
        pillow = pillow.reshape(H, W, -1)[:, :, :count]
        assert np.abs(pillow.astype(int) - read_dds(path, 0)[:, :, :count]).max() <= (2 if codec == "bc1" else 1)


def test_mips_of_a_file_are_its_own(tmp_path: Path) -> None:
    crop_sample("rusted_steel", tmp_path / "steel", 32)
    texture = gstex.compress(tmp_path / "steel", gaussians=60, effort="draft", device="cpu")
    texture.save(tmp_path / "steel.gstex")
    source = open_source(tmp_path / "steel.gstex")
    assert [m.shape[0] for m in source.mips] == [32, 16, 8, 4, 2, 1]
    for mip, pixels in enumerate(source.mips):
        assert np.array_equal(pixels, texture.decode(mip))
    plans = plan_textures(source)
    assert [(p.name, p.codec, p.srgb) for p in plans] == [
        ("albedo", "bc7", True), ("normal", "bc5", False), ("roughness", "bc4", False), ("metallic", "bc4", False),
        ("ao", "bc4", False),
    ]  # fmt: skip
    [roughness] = transcode(source, [plans[2]], tmp_path / "out", container="dds")
    assert roughness.path.name == "steel_roughness.dds"
    for mip in range(6):
        codes = np.rint(texture.decode(mip)[:, :, 5] * 255)
        assert np.abs(read_dds(roughness.path, mip)[:, :, 0] - codes).max() <= 16, mip


def test_high_images_are_encoded_in_bands_without_a_seam(tmp_path: Path) -> None:
    from gstex.compare.codecs import CODECS, encode

    tall = (smooth(500, 12, 1)[:, :, 0] / 255).astype(np.float32)[:, :, None]
    source = Source("tall", (gstex.format.ChannelEntry(role="height"),), (tall,))
    for to in ("bc4", "astc-10x8", "astc-5x5"):
        plans = plan_textures(source, to=to)
        container = "dds" if to == "bc4" else "ktx2"
        [written] = transcode(source, plans, tmp_path, container=container)
        whole = encode(CODECS[to], texels_of(plans[0], tall))
        assert written.path.read_bytes().endswith(whole)


# ---- What goes where


def constant_source(**values: float) -> Source:
    """8x8 texels, each channel of one value. Y of the normal points up."""
    roles = [("albedo", "r"), ("albedo", "g"), ("albedo", "b"), ("normal", "x"), ("normal", "y"), ("roughness", "v"),
             ("metallic", "v"), ("ao", "v"), ("gloss", "v")]  # fmt: skip
    entries, planes = [], []
    for role, component in roles:
        key = f"{role}_{component}"
        if key in values:
            flipped = values.get("flipped") == 1 and key == "normal_y"
            srgb = role == "albedo"
            entries.append(gstex.format.ChannelEntry(role=role, component=component, srgb=srgb, flipped=flipped))
            planes.append(np.full((8, 8), values[key], np.float32))
    return Source("c", tuple(entries), (np.stack(planes, axis=2),))


def components(source: Source, **options: str) -> dict[str, list[int]]:
    """The value of every texture's components, 0..255."""
    return {p.name: texels_of(p, source.mips[0])[0, 0].tolist() for p in plan_textures(source, **options)}


def test_packs() -> None:
    source = constant_source(normal_x=0.6, normal_y=0.8, roughness_v=0.2, metallic_v=0.4, ao_v=1.0)
    z = round((np.sqrt(1 - 0.2**2 - 0.6**2) / 2 + 0.5) * 255)
    assert components(source) == {"normal": [153, 204], "roughness": [51], "metallic": [102], "ao": [255]}
    assert components(source, pack="unreal") == {"Normal": [153, 51], "ORM": [255, 51, 102]}
    assert components(source, pack="gltf") == {"normal": [153, 204, z], "occlusionRoughnessMetallic": [255, 51, 102]}
    assert components(source, pack="unity") == {
        "Normal": [153, 204], "Occlusion": [255] * 3, "MetallicSmoothness": [102, 102, 102, 204],
    }  # fmt: skip
    assert components(source, to="bc7")["roughness"] == [51] * 3
    assert components(source, to="bc7")["normal"] == [153, 204, z]


def test_packs_of_directx_normals_gloss_and_missing_maps() -> None:
    source = constant_source(normal_x=0.6, normal_y=0.8, gloss_v=0.2, flipped=1)
    assert components(source, pack="unreal") == {"Normal": [153, 204], "ORM": [255, 204, 0]}
    assert components(source, pack="unity") == {"Normal": [153, 51], "MetallicSmoothness": [0, 0, 0, 51]}
    notes = {p.name: p.notes for p in plan_textures(source, pack="unreal")}
    assert notes["ORM"] == ("metallic 0, which the material does not have", "ao 1, which the material does not have")
    assert "DirectX (Y down)" in notes["Normal"]
    assert "green turned" in plan_textures(source, pack="gltf")[0].notes[0]
    bare = constant_source(roughness_v=0.2)
    assert components(bare, pack="unreal") == {"ORM": [255, 51, 0]}
    assert components(constant_source(albedo_r=0.2), pack="unity") == {"Albedo": [51] * 3}


def test_an_opacity_goes_into_the_alpha_where_the_format_has_one(wall: Path) -> None:
    source = open_source(wall)
    for to, names in (("auto", ["albedo"]), ("astc-8x8", ["albedo"]), ("bc1", ["albedo", "opacity"])):
        plans = [p for p in plan_textures(source, to=to) if p.name in ("albedo", "opacity")]
        assert [p.name for p in plans] == names, to
        assert plans[0].opacity is (to != "bc1") and len(plans[0].planes) == (3 if to == "bc1" else 4)


def test_ranges_are_told(tmp_path: Path, command: Command) -> None:
    values = np.linspace(-3, 17, 256, dtype=np.float32).reshape(16, 16)
    image = oiio.ImageOutput.create("exr")
    assert image.open(str(tmp_path / "dunes_height.exr"), oiio.ImageSpec(16, 16, 1, oiio.FLOAT))
    assert image.write_image(values) and image.close()
    ran = command("transcode", tmp_path / "dunes_height.exr", "-o", "t", "--container", "ktx2")
    assert ran.code == 0 and "height: 0..1 stands for -3 .. 17" in ran.out, ran.err
    assert b"gstexRange.height\0" + b"20.0 -3.0 0.0\0" in next(Path("t").iterdir()).read_bytes()
    found = json.loads(command("transcode", tmp_path / "dunes_height.exr", "-o", "t", "--json").out)
    assert found["files"][0]["ranges"] == {"height": {"scale": 20.0, "bias": -3.0, "stops": 0.0}}


def test_the_curve_of_light_is_told(tmp_path: Path, command: Command) -> None:
    values = np.geomspace(0.01, 1000, 256, dtype=np.float32).reshape(16, 16, 1).repeat(3, axis=2)
    values[0, 0] = 0.5, 1, 2
    write_exr(tmp_path / "lamp_emissive.exr", values)
    ran = command("transcode", tmp_path / "lamp_emissive.exr", "-o", "t", "--json")
    (of,) = json.loads(ran.out)["files"][0]["ranges"].values()
    assert of["stops"] > 4 and of["scale"] * (2 ** of["stops"] - 1) == pytest.approx(1000, rel=1e-4)
    ran = command("transcode", tmp_path / "lamp_emissive.exr", "-o", "t")
    assert "albedo: 0..1 stands for 0 .. 1000, by bias + scale (2^(" in ran.out


def test_hidden_colour_is_no_fringe(tmp_path: Path) -> None:
    picture = np.zeros((16, 16, 4), np.uint8)
    picture[4:12, 4:12] = (200, 150, 50, 255)  # around it black, with an opacity of 0
    Image.fromarray(picture).save(tmp_path / "leaf.png")
    source = open_source(tmp_path / "leaf.png")
    [plan] = plan_textures(source)
    for mip in source.mips:
        texels = texels_of(plan, mip).astype(int)
        assert np.abs(texels[:, :, :3] - (200, 150, 50)).max() <= 1
    assert texels_of(plan, source.mips[0])[:, :, 3].tolist() == picture[:, :, 3].tolist()


# ---- The command


def test_the_command_writes_and_tells(command: Command, wall: Path) -> None:
    ran = command("transcode", wall, "-o", "t", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert [(f["file"], f["format"], f["color_space"]) for f in found["files"]] == [
        ("wall_albedo.dds", "BC7", "srgb"), ("wall_normal.dds", "BC5", "linear"),
        *((f"wall_{role}.dds", "BC4", "linear") for role in ("roughness", "metallic", "ao", "height")),
    ]  # fmt: skip
    assert all(f["bytes"] == (Path("t") / f["file"]).stat().st_size and f["mips"] == 6 for f in found["files"])
    assert sorted(os.listdir("t")) == sorted(f["file"] for f in found["files"])
    ran = command("transcode", wall, "-o", "t", "--only", "normal", "--to", "bc5")
    assert ran.code == 0 and "OpenGL (Y up)" in ran.out


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (("--to", "bc5"), 2, "--to bc5: holds two channels, and albedo has 3; give --only normal, or --to auto"),
    (("--to", "bc4"), 2, "--to bc4: holds a single channel, and albedo has 3; give --only opacity --only roughness"),
    (("--to", "astc-6x6", "--container", "dds"), 2, "has no number for ASTC 6x6; take --container ktx2"),
    (("--only", "gloss"), 2, "--only: got 'gloss', expected some of albedo, opacity, normal"),
    (("--to", "bc1", "--pack", "unity"), 2, "--pack unity: has the smoothness in an alpha"),
    (("--to", "bc9"), 2, "'bc9' is not one of"),
    (("--alpha-test", "2"), 2, "alpha test: got 2, expected a number above 0"),
])  # fmt: skip
def test_errors(arguments: tuple[str, ...], code: int, message: str, command: Command, wall: Path) -> None:
    ran = command("transcode", wall, "-o", "t", *arguments)
    assert ran.code == code and message in ran.error()
    assert not Path("t").exists()


def test_an_output_that_cannot_be_is_refused_before_the_work(command: Command, wall: Path) -> None:
    Path("file").write_text("x")
    for output, message in (("file", "is not a folder"), ("/proc/none/here", "cannot be written")):
        ran = command("transcode", wall, "-o", output)
        assert message in ran.error() and "encode" not in ran.err


def test_missing_encoders_are_named(command: Command, wall: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gstex.transcode import run

    for missing, to, message in (
        (("quicktex",), "bc1", "BC1 needs quicktex: pip install gstex[compare]"),
        (("ispc_texcomp", "etcpak"), "auto", "BC7 needs ispc_texcomp or etcpak: pip"),
        (("texture2ddecoder",), "bc7", "BC7 needs texture2ddecoder: pip"),
        (("astc_encoder",), "astc-4x4", "ASTC 4x4 needs astc_encoder: pip"),
    ):
        monkeypatch.setattr(run, "is_installed", lambda name, missing=missing: name not in missing)
        assert message in command("transcode", wall, "-o", "t", "--to", to).error()
    monkeypatch.setattr(run, "is_installed", lambda name: False)  # BC4 and BC5 are encoded by gstex itself
    assert command("transcode", wall, "-o", "t", "--only", "normal", "--only", "ao").code == 0


def test_the_folder_of_the_maps_takes_no_textures(command: Command, wall: Path) -> None:
    before = sorted(os.listdir(wall))
    assert "is the folder of the maps" in command("transcode", wall, "-o", wall).error()
    assert sorted(os.listdir(wall)) == before


def test_options_of_maps_do_not_go_with_a_file(command: Command, tmp_path: Path) -> None:
    crop_sample("rusted_steel", tmp_path / "s", 16)
    gstex.compress(tmp_path / "s", effort="draft", device="cpu").save(tmp_path / "s.gstex")
    assert "is a .gstex file" in command("transcode", tmp_path / "s.gstex", "-o", "t", "--alpha-test", "0.5").error()
    assert "--max-texels" in command("transcode", tmp_path / "s.gstex", "-o", "t", "--max-texels", "9").error()
    assert command("strip", tmp_path / "s.gstex", "-o", "s.gstex").code == 0
    found = {}
    for file, folder in ((tmp_path / "s.gstex", "whole"), (Path("s.gstex"), "stripped")):
        assert command("transcode", file, "-o", folder, "--only", "ao").code == 0
        found[folder] = (Path(folder) / "s_ao.dds").read_bytes()
    assert found["whole"] == found["stripped"]


@pytest.mark.parametrize("container", ["dds", "ktx2"])
def test_files_of_others_are_kept(container: str, tmp_path: Path) -> None:
    def run(name: str, value: float, **options: bool) -> None:
        channel = gstex.format.ChannelEntry(role="ao")
        source = Source(name, (channel,), (np.full((4, 4, 1), value, np.float32),))
        transcode(source, plan_textures(source), tmp_path, container=container, **options)

    run("wall", 0.5)
    path = tmp_path / f"wall_ao.{container}"
    first = path.read_bytes()
    run("wall", 0.7)  # its own output is replaced
    assert path.read_bytes() != first
    blocks = [bytes(8)]
    other = (write_dds(BY_NAME["bc4"], 4, 4, blocks, srgb=False, alpha_mode=1) if container == "dds"
             else write_ktx2(BY_NAME["bc4"], 4, 4, blocks, srgb=False, color=False, values={}))  # fmt: skip
    for content in (other, b"mine", b""):
        path.write_bytes(content)
        with pytest.raises(OutputError, match="already exists and was not made from 'wall'"):
            run("wall", 0.5)
        assert path.read_bytes() == content
    run("wall", 0.5, force=True)
    assert path.read_bytes() == first
    path.unlink()
    path.mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        run("wall", 0.5, force=True)


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "noise"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "noise_albedo.png")
    script = ("import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
              "from gstex.cli import main; main()")  # fmt: skip
    run = subprocess.Popen([sys.executable, "-c", script, "transcode", folder, "-o", tmp_path / "t", "--to", "bc1",
                            "--threads", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    line = ""
    while "gstex: encode: 0 %" not in line:
        line = run.stderr.readline()
        assert line and run.poll() is None
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130 and out == "" and "Traceback" not in err
    assert err.splitlines()[-1] == "gstex: error: stopped by Ctrl-C; no output was written"
    assert os.listdir(tmp_path) == ["noise"]


def test_what_is_written_is_parsed() -> None:
    data = write_dds(BY_NAME["bc7"], 4, 4, [bytes(16), bytes(16), bytes(16)], srgb=True, alpha_mode=3, tag=5)
    parsed = parse_dds(data[:148], len(data))
    assert parsed is not None and (parsed.format.name, parsed.srgb, len(parsed.levels)) == ("bc7", True, 3)
