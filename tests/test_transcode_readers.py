"""KTX2 files of `gstex transcode` in readers that are not ours: ktx-parse in Node, three.js' KTX2Loader in Chromium.

tools/install/ktx_readers.sh installs both with npm into .venv-test/node.
"""

import base64
import functools
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from test_report_browser import CHROMEDRIVER, CHROMIUM, Selenium, browser
from test_transcode import H, W, decoded, wall

from gstex.transcode import Source, Written, open_source, plan_textures, transcode
from gstex.transcode.run import texels_of

__all__ = ["wall"]

NODE = Path(__file__).resolve().parent.parent / ".venv-test" / "node"
MODULES = NODE / "node_modules"
needs_npm = "tools/install/ktx_readers.sh .venv-test (needs npm)"
# VkFormat (vulkan_core.h), colour model, and where the samples of the descriptor begin (Data Format Specification).
FORMATS = {
    "bc1": ((131, 132), 128, [(0, 63, 0)]), "bc4": ((139, 139), 131, [(0, 63, 0)]),
    "bc5": ((141, 141), 132, [(0, 63, 0), (64, 63, 1)]), "bc7": ((145, 146), 134, [(0, 127, 0)]),
    "astc-4x4": ((157, 158), 162, [(0, 127, 0)]), "astc-6x6": ((165, 166), 162, [(0, 127, 0)]),
    "astc-10x5": ((173, 174), 162, [(0, 127, 0)]), "astc-12x12": ((183, 184), 162, [(0, 127, 0)]),
}  # fmt: skip


def textures(wall: Path, folder: Path, to: str) -> tuple[Source, list[Written]]:
    source = open_source(wall)
    only = ["albedo", "normal"] if to not in ("auto", "astc-6x6") else []
    return source, transcode(source, plan_textures(source, to=to, only=only), folder, container="ktx2")


@pytest.mark.skipif(not (shutil.which("node") and (MODULES / "ktx-parse").is_dir()), reason=f"needs {needs_npm}")
@pytest.mark.parametrize("to", ["auto", "bc1", "astc-4x4", "astc-6x6", "astc-10x5", "astc-12x12"])
def test_ktx_parse(to: str, wall: Path, tmp_path: Path) -> None:
    source, files = textures(wall, tmp_path / "out", to)
    script = """
        const { read } = require(process.argv[1]);
        const all = process.argv.slice(2).map((path) => {
            const c = read(require('fs').readFileSync(path));
            const levels = c.levels.map((l) => ({ data: Buffer.from(l.levelData).toString('base64'),
                                                  bytes: l.uncompressedByteLength }));
            return { ...c, levels, globalData: null };
        });
        console.log(JSON.stringify(all, (key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value));
    """
    ran = subprocess.run(["node", "-e", script, MODULES / "ktx-parse" / "dist" / "ktx-parse.cjs",
                          *(f.path for f in files)], capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    for written, found in zip(files, json.loads(ran.stdout), strict=True):
        plan = written.plan
        numbers, model, samples = FORMATS[plan.codec]
        assert found["vkFormat"] == numbers[plan.srgb]
        assert (found["pixelWidth"], found["pixelHeight"], found["pixelDepth"]) == (W, H, 0)
        assert (found["typeSize"], found["layerCount"], found["faceCount"]) == (1, 0, 1)
        assert found["supercompressionScheme"] == 0
        [descriptor] = found["dataFormatDescriptor"]
        assert (descriptor["colorModel"], descriptor["transferFunction"]) == (model, 2 if plan.srgb else 1)
        assert (descriptor["colorPrimaries"], descriptor["flags"]) == (int(plan.color), 0)
        block = [int(n) - 1 for n in plan.codec.partition("-")[2].split("x")] if "-" in plan.codec else [3, 3]
        assert descriptor["texelBlockDimension"] == [*block, 0, 0]
        assert [(s["bitOffset"], s["bitLength"], s["channelType"]) for s in descriptor["samples"]] == samples
        values = found["keyValue"]
        assert values["KTXorientation"].rstrip("\0") == "rd" and values["KTXwriter"].startswith("gstex ")
        assert len(found["levels"]) == len(source.mips)
        for level, mip in zip(found["levels"], source.mips, strict=True):
            data = base64.b64decode(level["data"])
            assert len(data) == level["bytes"]
            truth = texels_of(plan, mip)
            pixels = decoded(plan.codec, data, *mip.shape[:2])[:, :, : truth.shape[2]]
            apart = np.abs(pixels.astype(int) - truth)
            if len(plan.planes) == 1:
                apart = apart[:, :, :1]
            bound = {"bc1": 30, "bc7": 12, "bc4": 3, "bc5": 3, "astc-4x4": 12}.get(plan.codec, 60)
            assert apart.max() <= bound and apart.mean() <= 10, (plan.name, apart.max(), apart.mean())


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Selenium]:
    """Chromium at a page with three.js, served on localhost, whose folder is tmp_path."""
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "index.html").write_text("""<!doctype html><meta charset="utf-8"><canvas></canvas>
<script type="importmap">{"imports": {"three": "./node_modules/three/build/three.module.js"}}</script>
<script type="module">
import * as THREE from 'three';
import { KTX2Loader } from './node_modules/three/examples/jsm/loaders/KTX2Loader.js';
const renderer = new THREE.WebGLRenderer({ canvas: document.querySelector('canvas') });
const loader = new KTX2Loader().setTranscoderPath('none/').detectSupport(renderer);
window.texels = async (url, lod, width, height) => {
    const texture = await loader.loadAsync(url);
    texture.minFilter = THREE.NearestMipmapNearestFilter;
    texture.magFilter = THREE.NearestFilter;
    const material = new THREE.ShaderMaterial({
        glslVersion: THREE.GLSL3, uniforms: { map: { value: texture }, lod: { value: lod } },
        vertexShader: 'void main() { gl_Position = vec4(position.xy, 0.0, 1.0); }',
        fragmentShader: `uniform sampler2D map; uniform int lod; out vec4 color;
            void main() { color = texelFetch(map, ivec2(gl_FragCoord.xy), lod); }`,
    });
    const quad = new THREE.Mesh(new THREE.PlaneGeometry(2, 2), material);
    const target = new THREE.WebGLRenderTarget(width, height, { type: THREE.FloatType, depthBuffer: false });
    const scene = new THREE.Scene();
    scene.add(quad);
    renderer.setRenderTarget(target);
    renderer.render(scene, new THREE.Camera());
    const pixels = new Float32Array(4 * width * height);
    renderer.readRenderTargetPixels(target, 0, 0, width, height, pixels);
    return { pixels: Array.from(pixels), colorSpace: texture.colorSpace, levels: texture.mipmaps.length,
             error: renderer.getContext().getError() };
};
window.ready = true;
</script>""")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    handler.log_message = lambda *a: None  # type: ignore[attr-defined]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with browser("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist") as driver:
            driver.get(f"http://127.0.0.1:{server.server_port}/index.html")
            for _ in range(100):
                if driver.execute_script("return window.ready === true"):
                    break
                driver.implicitly_wait(0.1)
                driver.execute_async_script("setTimeout(arguments[0], 100)")
            assert driver.execute_script("return window.ready === true"), driver.get_log("browser")
            yield driver
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs chromium and chromedriver")
@pytest.mark.skipif(not (MODULES / "three").is_dir(), reason=f"needs {needs_npm}")
def test_three_js_shows_the_same_texels(page: Selenium, wall: Path, tmp_path: Path) -> None:
    """Every level, as a shader fetches it: sRGB comes as light, row 0 at the bottom of the target as WebGL counts."""
    seen = set()
    for to in ("auto", "astc-6x6", "bc1"):
        source, files = textures(wall, tmp_path / to, to)
        for written in files:
            plan = written.plan
            url = f"{to}/{written.path.name}"
            for level, mip in enumerate(source.mips):
                height, width = mip.shape[:2]
                found = page.execute_async_script(
                    "const done = arguments[4]; texels(...Array.from(arguments).slice(0, 4))"
                    ".then(done, (e) => done({ failed: String(e) }))", url, level, width, height)  # fmt: skip
                assert "failed" not in found, (url, found)
                assert found["error"] == 0 and found["levels"] == len(source.mips)
                assert found["colorSpace"] == ("srgb" if plan.srgb else "srgb-linear" if plan.color else "")
                pixels = np.array(found["pixels"]).reshape(height, width, 4)
                if plan.srgb:
                    low = pixels[:, :, :3] * 12.92
                    high = 1.055 * np.maximum(pixels[:, :, :3], 1e-9) ** (1 / 2.4) - 0.055
                    pixels[:, :, :3] = np.where(pixels[:, :, :3] <= 0.0031308, low, high)
                count = len(plan.planes)
                right = decoded(plan.codec, blocks(written, level), height, width)[:, :, :count]
                apart = np.abs(pixels[:, :, :count] * 255 - right)
                # texture2ddecoder rounds BC4 and BC5 down to 8 bits, and 8 bits of sRGB are light of more.
                assert apart.max() <= 1.6, (url, level, apart.max())
                seen.add(plan.codec)
    assert seen == {"bc1", "bc4", "bc5", "bc7", "astc-6x6"}


def blocks(written: Written, level: int) -> bytes:
    """The data of a level, from the index of levels of a KTX2 file."""
    data = written.path.read_bytes()
    offset, size = np.frombuffer(data, "<u8", 3, 80 + 24 * level)[:2].tolist()
    return data[offset : offset + size]
