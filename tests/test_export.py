"""`gstex export`: what it writes is compiled and run, and decodes to the texels of the package."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command import Command
from glsl_runner import LIMIT, context_or_skip
from make_golden import golden_file
from shader_runners import build_metal, compute, glslang, wgpu_device
from small_samples import crop_sample

import gstex
from gstex.format import ChannelEntry
from gstex.gl import WordBuffer, compute_program
from gstex.gl.context import import_gl

# golden file -> name of the copy
FILES = {"clamp_k10": "my-wall 2", "raw": "2nd", "shared": "gl_thing", "groups": "has_height"}
PREFIXES = {"my-wall 2": "MY_WALL_2", "2nd": "M_2ND", "gl_thing": "M_GL_THING", "has_height": "HAS_HEIGHT"}


@pytest.fixture(params=FILES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copy(golden_file(request.param), tmp_path / f"{FILES[request.param]}.gstex"))


def constants(header: str) -> dict[str, str]:
    return dict(re.findall(r"^#define (\w+) +(\S+)", header, re.MULTILINE))


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_c_compiles_and_decodes(command: Command, file: Path, tmp_path: Path) -> None:
    ran = command("export", file, "--to", "c", "-o", tmp_path / "out", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    name, prefix = file.stem, PREFIXES[file.stem]
    assert [Path(found[k]).name for k in ("buffer", "header", "decoder")] == [f"{name}.bin", f"{name}.h", "gstex.h"]
    texture = gstex.load(file)
    names = [key for key in constants(Path(found["header"]).read_text()) if key.startswith(prefix)]
    numbers = [key for key in names if not key.endswith("_H")]
    say = " ".join(f'fprintf(stderr, "{key} %.9g\\n", (double){key});' for key in numbers)
    source = tmp_path / "out" / "main.c"
    source.write_text(f"""
#include <stdio.h>
#include <stdlib.h>
#include "{name}.h"
#define GSTEX_IMPLEMENTATION
#include "gstex.h"
int main(int count, char **paths) {{
    static uint32_t words[{prefix}_WORDS], scratch[GSTEX_SCRATCH_WORDS];
    static float texels[{prefix}_SIZE_X * {prefix}_SIZE_Y * {prefix}_CHANNELS];
    gstex_material material;
    gstex_error error;
    FILE *file = fopen(paths[count - 1], "rb");
    if (!file || fread(words, 4, {prefix}_WORDS, file) != {prefix}_WORDS || fgetc(file) != EOF) return 1;
    if (!gstex_validate(words, {prefix}_WORDS, scratch, GSTEX_SCRATCH_WORDS, &material, &error)) return 2;
    if (!gstex_decode(&material, 0, 0, 0, {prefix}_SIZE_X, {prefix}_SIZE_Y, texels,
                      {prefix}_SIZE_X * {prefix}_CHANNELS)) return 3;
    {say}
    fwrite(texels, sizeof texels, 1, stdout);
    return 0;
}}
""")
    built = subprocess.run(["gcc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", source, "-o",
                            tmp_path / "main", "-lm"], capture_output=True, text=True, check=False)  # fmt: skip
    assert built.returncode == 0, built.stderr
    done = subprocess.run([tmp_path / "main", found["buffer"]], capture_output=True, check=False)
    assert done.returncode == 0
    assert np.array_equal(np.frombuffer(done.stdout, np.float32), texture.decode().reshape(-1))
    said = {key: float(value) for key, value in re.findall(r"(\w+) (\S+)", done.stderr.decode())}
    header = texture.table.header
    assert (said[f"{prefix}_MIPS"], said[f"{prefix}_TAIL"]) == (header.mip_count, header.tail)
    assert said[f"{prefix}_RESIDENT_WORDS"] == header.resident_words
    for index, channel in enumerate(header.channels):
        part = "" if channel.component == "v" else f"_{channel.component.upper()}"
        keys = [key for key in numbers if re.fullmatch(rf"{prefix}_{channel.role.upper()}\d*{part}", key)]
        [key] = [key for key in keys if said[key] == index]
        role = key.removesuffix(part) if part else key
        assert said[f"{role}_SRGB"] == channel.srgb
        assert np.float32(said[f"{role}_SCALE"]) == np.float32(channel.scale)
        assert np.float32(said[f"{role}_BIAS"]) == np.float32(channel.bias)


@pytest.fixture
def gl() -> Iterator[None]:
    with context_or_skip():
        yield


def test_glsl_compiles_and_decodes(gl: None, command: Command, file: Path, tmp_path: Path) -> None:
    assert command("export", file, "--to", "glsl", "-o", tmp_path / "out").code == 0
    texture, prefix = gstex.load(file), PREFIXES[file.stem]
    folder = tmp_path / "out"
    channels = len(texture.table.header.channels)
    shader = tmp_path / "main.comp"
    shader.write_text("\n".join([
        (folder / f"{file.stem}.glsl").read_text(), (folder / "gstex.glsl").read_text(), f"""
layout(local_size_x = 1) in;
layout(std430, binding = 1) writeonly buffer Out {{ float texels[]; }};
void main() {{
    ivec2 at = ivec2(gl_GlobalInvocationID.xy);
    GstexValue value = gstex_fetch(0u, at, 0);
    for (int c = 0; c < {prefix}_CHANNELS; ++c)
        texels[(at.y * {prefix}_SIZE_X + at.x) * {prefix}_CHANNELS + c] = value.v[c / 4][c % 4];
}}
"""]))  # fmt: skip
    program, api = compute_program(shader), import_gl()
    words = np.fromfile(folder / f"{file.stem}.bin", "<u4")
    assert np.array_equal(words, texture.words)
    buffer = WordBuffer([words])
    out = np.zeros((texture.height, texture.width, channels), np.float32)
    handle = api.glGenBuffers(1)
    api.glBindBuffer(api.GL_SHADER_STORAGE_BUFFER, handle)
    api.glBufferData(api.GL_SHADER_STORAGE_BUFFER, out.nbytes, out, api.GL_DYNAMIC_READ)
    api.glBindBufferBase(api.GL_SHADER_STORAGE_BUFFER, 1, handle)
    program.use()
    api.glDispatchCompute(texture.width, texture.height, 1)
    api.glMemoryBarrier(api.GL_BUFFER_UPDATE_BARRIER_BIT)
    api.glBindBuffer(api.GL_SHADER_STORAGE_BUFFER, handle)
    found = np.frombuffer(api.glGetBufferSubData(api.GL_SHADER_STORAGE_BUFFER, 0, out.nbytes), np.float32)
    assert np.abs(found.reshape(out.shape) - texture.decode()).max() <= LIMIT
    buffer.delete()
    api.glDeleteBuffers(1, [handle])
    program.delete()


# What follows wall.xxx and gstex.xxx: calls the decoder for every texel of mip 0.
DECODES = {
    "hlsl": """
RWStructuredBuffer<float> texels : register(u1);
[numthreads(1, 1, 1)] void main(uint3 id : SV_DispatchThreadID)
{
    GstexValue value = gstex_fetch(0, int2(id.xy), 0);
    for (int c = 0; c < PREFIX_CHANNELS; ++c)
        texels[(id.y * PREFIX_SIZE_X + id.x) * PREFIX_CHANNELS + c] = value.v[c / 4][c % 4];
}
""",
    "wgsl": """
@group(0) @binding(1) var<storage, read_write> texels: array<f32>;
@compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) {
    let value = gstex_fetch(0u, vec2i(id.xy), 0);
    for (var c = 0; c < PREFIX_CHANNELS; c++) {
        texels[(i32(id.y) * PREFIX_SIZE_X + i32(id.x)) * PREFIX_CHANNELS + c] = value.v[c / 4][c % 4];
    }
}
""",
    "metal": """
kernel void decode(device const uint *words [[buffer(0)]], device float *texels [[buffer(1)]],
                   uint2 id [[thread_position_in_grid]])
{
    GstexContext gstex;
    gstex.words = words;
    GstexValue value = gstex_fetch(gstex, 0, int2(id), 0);
    for (int c = 0; c < PREFIX_CHANNELS; ++c)
        texels[(id.y * PREFIX_SIZE_X + id.x) * PREFIX_CHANNELS + c] = value.v[c / 4][c % 4];
}
""",
}
METAL_HOST = """
#include <cstdio>
static uint words[PREFIX_WORDS];
static float texels[PREFIX_SIZE_X * PREFIX_SIZE_Y * PREFIX_CHANNELS];
int main() {
    if (std::fread(words, 4, PREFIX_WORDS, stdin) != PREFIX_WORDS) return 1;
    for (uint y = 0; y < PREFIX_SIZE_Y; ++y)
        for (uint x = 0; x < PREFIX_SIZE_X; ++x) decode(words, texels, uint2(x, y));
    return std::fwrite(texels, sizeof texels, 1, stdout) == 1 ? 0 : 1;
}
"""


@pytest.mark.parametrize("target", list(DECODES))
def test_other_shaders_compile_and_decode(target: str, command: Command, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = command("export", file, "--to", target, "-o", out, "--json")
    assert ran.code == 0, ran.err
    found, texture, prefix = json.loads(ran.out), gstex.load(file), PREFIXES[file.stem]
    names = [f"{file.stem}.bin", f"{file.stem}.{target}", f"gstex.{target}"]
    assert [Path(found[key]).name for key in ("buffer", "header", "decoder")] == names
    header, decoder = (Path(found[key]).read_text() for key in ("header", "decoder"))
    code, expected = DECODES[target].replace("PREFIX", prefix), texture.decode()
    words = np.fromfile(found["buffer"], "<u4")
    if target == "metal":
        program = build_metal(tmp_path, code, METAL_HOST.replace("PREFIX", prefix), header + decoder)
        done = subprocess.run([program], input=words.tobytes(), capture_output=True, check=True)
        texels = np.frombuffer(done.stdout, np.float32)
    else:
        device = wgpu_device()
        text = header + decoder + code
        texels = compute(device, text if target == "wgsl" else glslang(text), [words], expected.size,
                         (texture.width, texture.height))  # fmt: skip
    assert np.abs(texels.reshape(expected.shape) - expected).max() <= LIMIT


def test_wgsl_is_written_for_all_materials_of_a_folder(command: Command, tmp_path: Path) -> None:
    """The decoder keeps the larger options of an earlier one; a header without such a decoder does not compile."""
    files = {name: Path(shutil.copy(golden_file(name), tmp_path / f"{name}.gstex")) for name in ("groups", "shared")}
    both, alone = tmp_path / "both", tmp_path / "alone"
    for name in ("groups", "shared"):
        assert command("export", files[name], "--to", "wgsl", "-o", both).code == 0
    assert command("export", files["shared"], "--to", "wgsl", "-o", alone).code == 0
    decoders = [(folder / "gstex.wgsl").read_text() for folder in (both, alone)]
    options = [re.findall(r"^const (GSTEX_VEC4S|GSTEX_MAX_K): i32 = (\d+);", text, re.MULTILINE) for text in decoders]
    assert options == [[("GSTEX_VEC4S", "3"), ("GSTEX_MAX_K", "3")], [("GSTEX_VEC4S", "1"), ("GSTEX_MAX_K", "0")]]
    device, header = wgpu_device(), (both / "groups.wgsl").read_text()
    device.create_shader_module(code=header + (both / "shared.wgsl").read_text() + decoders[0])
    with pytest.raises(Exception, match=r"const_assert.* failure"):
        device.create_shader_module(code=header + decoders[1])


def test_a_shader_with_too_small_a_define_does_not_compile(gl: None, tmp_path: Path) -> None:
    from gstex.errors import GraphicsError
    from gstex.transcode.export import export

    texture = gstex.load(golden_file("clamp_k10"))
    [_, header, _] = export(texture, tmp_path, "wall", target="glsl")
    defines = constants(header.read_text())
    assert defines["GSTEX_MAX_K"] == "10" == defines["WALL_MAX_K"]
    shader = tmp_path / "main.comp"
    shader.write_text(header.read_text() + "layout(local_size_x = 1) in;\nvoid main() {}\n")
    compute_program(shader).delete()
    with pytest.raises(GraphicsError, match="GSTEX_MAX_K is too small"):
        compute_program(shader, {"GSTEX_MAX_K": 9})


def test_constants_of_channels() -> None:
    from gstex.transcode.export import _channels

    rows = _channels((
        ChannelEntry("normal", "x"), ChannelEntry("normal", "y", flipped=True), ChannelEntry("mask", "v", constant=1.5),
        ChannelEntry("mask", "v"), ChannelEntry("height", "v", scale=1e-7, bias=-3.25),
    ), "W", "c")  # fmt: skip
    found = {key: value for key, value, _ in rows}
    assert (found["W_NORMAL_X"], found["W_NORMAL_Y"], found["W_NORMAL_FLIPPED"]) == ("0", "1", "1")
    assert (found["W_MASK"], found["W_MASK2"], found["W_HEIGHT"]) == ("2", "3", "4")
    assert (found["W_HEIGHT_SCALE"], found["W_HEIGHT_BIAS"]) == ("1.0e-07f", "(-3.25f)")
    assert dict((key, note) for key, _, note in rows)["W_MASK"] == "constant 1.0"


def test_files_of_others_are_kept(command: Command, tmp_path: Path) -> None:
    first, second = (Path(shutil.copy(golden_file(name), tmp_path / "wall.gstex")) for name in ("raw", "shared"))
    shutil.copy(golden_file("raw"), first)
    out = tmp_path / "out"
    assert command("export", first, "--to", "c", "-o", out).code == 0
    shutil.copy(golden_file("shared"), second)  # compressed again
    assert command("export", second, "--to", "c", "-o", out).code == 0
    assert (out / "wall.bin").read_bytes() == gstex.load(second).words.tobytes()
    for name in ("wall.h", "gstex.h"):
        before = (out / name).read_bytes()
        (out / name).write_text("mine\n")
        assert "was not exported from a file of this name" in command("export", second, "--to", "c", "-o", out).error()
        assert (out / name).read_text() == "mine\n"
        assert command("export", second, "--to", "c", "-o", out, "--force").code == 0
        assert (out / name).read_bytes() == before
    (out / "file").write_text("x")
    assert "cannot be made" in command("export", second, "--to", "c", "-o", out / "file").error()
    shutil.copy(golden_file("raw"), tmp_path / "gstex.gstex")
    assert "name of the decoder" in command("export", tmp_path / "gstex.gstex", "--to", "c", "-o", out).error()


DOCUMENT = (Path(__file__).resolve().parents[1] / "docs" / "transcode.md").read_text()


def steel(folder: Path) -> Path:
    """`wall.gstex`, of a material with all common maps."""
    crop_sample("rusted_steel", folder / "steel", 16)
    texture = gstex.compress(folder / "steel", gaussians=20, effort="draft", device="cpu")
    texture.save(folder / "wall.gstex")
    return folder / "wall.gstex"


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_the_document_in_c_runs(command: Command, tmp_path: Path) -> None:
    [code] = re.findall(r"```c\n(.*?)```", DOCUMENT, re.DOTALL)
    file = steel(tmp_path)
    assert command("export", file, "--to", "c", "-o", tmp_path / "out").code == 0
    (tmp_path / "out" / "main.c").write_text(code)
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "main.c", "-o", "main", "-lm"], check=True,
                   cwd=tmp_path / "out")  # fmt: skip
    done = subprocess.run(["./main"], capture_output=True, text=True, check=True, cwd=tmp_path / "out")
    right = gstex.load(file).sample(np.array([[0.5, 0.25]]))[0, 5]
    assert float(done.stdout.split()[1]) == pytest.approx(right, abs=2e-6)


def test_the_document_in_glsl_compiles(gl: None, command: Command, tmp_path: Path) -> None:
    [code] = re.findall(r"```glsl\n(.*?)```", DOCUMENT, re.DOTALL)
    out = tmp_path / "out"
    assert command("export", steel(tmp_path), "--to", "glsl", "-o", out).code == 0
    text = re.sub(r'#include "(.*)"', lambda match: (out / match[1]).read_text(), code)
    shader = tmp_path / "main.comp"
    shader.write_text(text + """
layout(local_size_x = 1) in;
layout(std430, binding = 1) writeonly buffer Out { float found; };
void main() { found = roughness_at(0u, vec2(0.5)); }
""")
    compute_program(shader).delete()
