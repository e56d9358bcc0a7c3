"""Runs the functions of gstex.wgsl, gstex.hlsl and gstex.metal at many points.

WGSL runs in wgpu, HLSL as SPIR-V of two compilers in the same, on whatever Vulkan there is, mostly lavapipe; WGSL in
Chromium's WebGPU too. Metal runs nowhere but on Apple's devices: a C++ compiler takes the text with a header that
stands in for Metal's.
"""

from __future__ import annotations

import base64
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from gstex.gl import join_words
from gstex.resources import source_path

Wgpu: TypeAlias = Any
"""A device or a pipeline of wgpu, which is loaded only where it is installed."""
Selenium: TypeAlias = Any
"""The driver of a browser, of Selenium, which is loaded only where it is installed."""
Compiled: TypeAlias = Any
"""What a runner makes of a call: a pipeline of wgpu, the number of the call, or WGSL."""

HERE = Path(__file__).parent / "shaders"
FETCH, SAMPLE, BILINEAR, GRAD, CANDIDATES, SURFACE, STOCHASTIC = range(7)
# What is read: the decoders that this takes, and what follows them in tests/shaders.
FORMS = {
    "packed": (["gstex"], "points"),
    "expanded": (["gstex_expanded"], "expanded_points"),
    "together": (["gstex", "gstex_expanded"], "together_points"),
}
# Bindings 1 to 3 have points, what is found, and arguments.
EXPANDED_AT = {"expanded": 0, "together": 4}


def with_options(text: str, **options: int) -> str:
    """gstex.wgsl with other options."""
    for name, value in options.items():
        text, found = re.subn(rf"(const {name}: \w+ =) \w+;", rf"\1 {value};", text)
        assert found == 1
    return text


def form_text(form: str, language: str) -> str:
    """The decoders of a form, and what follows them."""
    decoders, follows = FORMS[form]
    texts = [source_path(f"shaders/{name}.{language}").read_text() for name in decoders]
    if language == "wgsl":
        texts = [texts[0], *(re.sub(wgsl_common(), "", text) for text in texts[1:])]
    return "".join(texts) + (HERE / f"{follows}.{language}").read_text()


def wgsl_common() -> str:
    """What docs/expanded.md leaves out of the second of two decoders in WGSL."""
    document = Path(__file__).resolve().parents[1] / "docs" / "expanded.md"
    [found] = re.findall(r"const common = /(.*)/g;\n", document.read_text())
    return found


def wgsl_text(call: int, form: str = "packed", **options: int) -> str:
    text = form_text(form, "wgsl")
    declared = "@binding(1) var<storage, read> gstex_expanded_words"
    if form in EXPANDED_AT:
        assert text.count(declared) == 1
        text = text.replace(declared, declared.replace("1", str(EXPANDED_AT[form])))
    return with_options(text, **options) + f"const CALL: u32 = {call}u;\n"


class PointRunner:
    """Uploads materials and calls functions at points. A subclass compiles the calls and runs them."""

    def __init__(self, form: str = "packed", **options: int) -> None:
        self.form, self.options = form, options
        self.expanded = np.zeros(0, np.uint32)  # words of a second buffer, of "together"
        self.bases: list[int] = []
        self.words = np.zeros(1, np.uint32)
        self._compiled: dict[int, Compiled] = {}

    def upload(self, *materials: np.ndarray) -> None:
        """Replace the words by those of these materials; their base words are in `bases`."""
        self.words, self.bases = join_words(materials)

    def call(self, what: int, points: np.ndarray, steps: np.ndarray | None = None, *, base: int = 0) -> np.ndarray:
        """points: [M, 3], x, y and mip or lod; [M, 4], with noise. steps: [M, 4], dx and dy -> float32 [M, 16]."""
        inputs = np.zeros((len(points), 2, 4), np.float32)
        inputs[:, 0, : points.shape[1]] = points
        if steps is not None:
            inputs[:, 1] = steps
        if what not in self._compiled:
            self._compiled[what] = self.compiled(what)
        return self.run(self._compiled[what], inputs, np.array([base, len(points)], np.uint32)).reshape(-1, 16)

    def compiled(self, what: int) -> Compiled:
        raise NotImplementedError

    def run(self, compiled: Compiled, inputs: np.ndarray, arguments: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class WgpuRunner(PointRunner):
    """language: wgsl, or HLSL with the name of its compiler: glslang or dxc."""

    def __init__(self, language: str, form: str = "packed", **options: int):
        super().__init__(form, **options)
        self.device = wgpu_device()
        self.language = language

    def compiled(self, what: int) -> Wgpu:
        if self.language == "wgsl":
            code: str | bytes = wgsl_text(what, self.form, **self.options)
        else:
            compile_hlsl = glslang if self.language == "glslang" else dxc
            code = compile_hlsl(hlsl_text(self.form), CALL=what, **self.options)
        return pipeline(self.device, code)

    def run(self, compiled: Compiled, inputs: np.ndarray, arguments: np.ndarray) -> np.ndarray:
        data = [self.words, inputs, 16 * len(inputs), arguments, *([self.expanded] if len(self.expanded) else [])]
        return dispatch(self.device, compiled, data, (-(-len(inputs) // 64),))


class MetalRunner(PointRunner):
    """One program for all calls."""

    def __init__(self, folder: Path, form: str = "packed", **options: int):
        super().__init__(form, **options)
        self.program = build_metal(folder, "", decoder=form_text(form, "metal"), **options)

    def compiled(self, what: int) -> int:
        return what

    def run(self, compiled: Compiled, inputs: np.ndarray, arguments: np.ndarray) -> np.ndarray:
        words = np.concatenate([self.expanded, self.words])
        arguments = arguments + np.array([len(self.expanded), 0], np.uint32)
        parts = (np.array([len(words)], np.uint32), words, np.append(arguments, np.uint32(compiled)), inputs)
        given = b"".join(part.tobytes() for part in parts)
        done = subprocess.run([self.program], input=given, capture_output=True, check=True)
        return np.frombuffer(done.stdout, np.float32)


def wgpu_device() -> Wgpu:
    """A device of wgpu; the test is skipped where there is none."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())  # its loader complains otherwise
    wgpu = pytest.importorskip("wgpu", reason="wgpu is not installed: pip install wgpu")
    try:
        return wgpu.gpu.request_adapter_sync().request_device_sync()
    except (RuntimeError, ValueError) as error:
        pytest.skip(f"no Vulkan here (Debian: mesa-vulkan-drivers): {error}")


def pipeline(device: Wgpu, code: str | bytes) -> Wgpu:
    """A compute pipeline of WGSL or SPIR-V."""
    module = device.create_shader_module(code=code)
    return device.create_compute_pipeline(layout="auto", compute={"module": module, "entry_point": "main"})


def dispatch(device: Wgpu, compiled: Wgpu, data: Sequence[np.ndarray | int], groups: tuple[int, ...]) -> np.ndarray:
    """Run a pipeline. data: of the storage buffers from binding 0 on; a number is that of the floats to return."""
    usage = 0x80 | 0x4 | 0x8  # storage, and copies from and to it
    buffers = [
        device.create_buffer(size=4 * one, usage=usage) if isinstance(one, int) else
        device.create_buffer_with_data(data=np.ascontiguousarray(one), usage=usage)
        for one in data
    ]  # fmt: skip
    entries = [{"binding": i, "resource": {"buffer": one, "offset": 0, "size": one.size}}
               for i, one in enumerate(buffers)]  # fmt: skip
    group = device.create_bind_group(layout=compiled.get_bind_group_layout(0), entries=entries)
    encoder = device.create_command_encoder()
    compute_pass = encoder.begin_compute_pass()
    compute_pass.set_pipeline(compiled)
    compute_pass.set_bind_group(0, group)
    compute_pass.dispatch_workgroups(*groups)
    compute_pass.end()
    device.queue.submit([encoder.finish()])
    [found] = [buffer for buffer, one in zip(buffers, data, strict=True) if isinstance(one, int)]
    return np.frombuffer(device.queue.read_buffer(found), np.float32)


def compute(
    device: Wgpu, code: str | bytes, inputs: Sequence[np.ndarray], floats: int, groups: tuple[int, ...]
) -> np.ndarray:
    """Compile and run a shader once. inputs: bindings 0 and on; the floats it writes are behind them."""
    return dispatch(device, pipeline(device, code), [*inputs, floats], groups)


def hlsl_text(form: str = "packed") -> str:
    here = f"#define GSTEX_EXPANDED_REGISTER t{EXPANDED_AT[form]}\n" if form in EXPANDED_AT else ""
    return here + form_text(form, "hlsl")


def glslang(text: str, stage: str = "comp", **options: int | str) -> bytes:
    """HLSL -> SPIR-V, by the compiler of Khronos; the test is skipped where it is missing."""
    if shutil.which("glslangValidator") is None:
        pytest.skip("glslangValidator is not installed (Debian: glslang-tools)")
    command = ["glslangValidator", "-D", "-V", "-S", stage, "-e", "main", "-o"]
    return _compiled(command, text, options)


def dxc(
    text: str, profile: str = "cs_6_0", *, spirv: bool = True, flags: Sequence[str] = (), **options: int | str
) -> bytes:
    """HLSL -> SPIR-V or DXIL, by Microsoft's compiler, with warnings as errors; the test is skipped where it is
    missing."""
    command = shutil.which("dxc", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if command is None:
        pytest.skip("dxc is not installed (tools/install/dxc.sh)")
    # -O0: naga, through which wgpu reads SPIR-V, refuses a variable that the optimiser makes.
    more = [*(["-spirv", "-O0"] if spirv else []), *flags]
    return _compiled([command, "-T", profile, "-E", "main", "-WX", *more, "-Fo"], text, options)


def _compiled(command: list[str], text: str, options: dict[str, int | str]) -> bytes:
    """What a compiler makes of a text. command: ends with the option that the name of the output follows."""
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder) / "shader.hlsl", Path(folder) / "shader.bin"
        source.write_text(text)
        defines = [f"-D{name}={value}" for name, value in options.items()]
        command = [*command[:-1], *defines, command[-1], str(binary), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return binary.read_bytes()


def build_metal(folder: Path, shader: str, main: str | None = None, decoder: str = "", **options: int) -> Path:
    """Compile Metal as C++ with tests/shaders/metal_stdlib; the test is skipped without g++. shader: what follows
    gstex.metal. main: of the program; None for the one that calls points. decoder: in place of gstex.metal."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    text = (decoder or source_path("shaders/gstex.metal").read_text()) + shader
    used = set(re.findall(r"\.([xyzw]{2,4}|[rgba]{2,4})\b", text))
    for width in (2, 3, 4):
        lines = []
        for letters, count in itertools.product(("xyzw", "rgba"), (2, 3, 4)):
            for one in sorted(used):
                if len(one) == count and set(one) <= set(letters[:width]):
                    lines.append(f"SWIZZLE({one}, {', '.join(str(letters.index(letter)) for letter in one)})\n")
        (folder / f"swizzles_{width}.h").write_text("".join(lines))
    (folder / "shader.cpp").write_text(text + ((HERE / "points_metal_host.h").read_text() if main is None else main))
    defines = [f"-D{name}={value}" for name, value in options.items()]
    built = subprocess.run(
        ["g++", "-std=c++14", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-attributes",
         "-Wno-parentheses", "-Wno-unused", "-Werror", *defines,
         f"-I{folder}", f"-isystem{HERE}", folder / "shader.cpp", "-o", folder / "shader"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return folder / "shader"


@contextmanager
def browser() -> Iterator[Selenium]:
    """Headless Chromium with WebGPU on the CPU, at a page of localhost, which alone may use it; the test is skipped
    where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs Selenium: pip install selenium")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless=new", "no-sandbox", "disable-dev-shm-usage", "use-angle=swiftshader", "enable-unsafe-swiftshader",
        "enable-unsafe-webgpu", "use-webgpu-adapter=swiftshader", "enable-features=Vulkan", "use-vulkan=swiftshader",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    server = ThreadingHTTPServer(("localhost", 0), _EmptyPage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as profile:
        options.add_argument(f"--user-data-dir={profile}")
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=chromedriver))
        try:
            driver.set_script_timeout(240)
            driver.get(f"http://localhost:{server.server_port}/")
            yield driver
        finally:
            driver.quit()
            server.shutdown()
            server.server_close()


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>WebGPU</title>")

    def log_message(self, *_: object) -> None:
        pass


class BrowserRunner(PointRunner):
    """WGSL in the browser."""

    def __init__(self, driver: Selenium, form: str = "packed", **options: int):
        super().__init__(form, **options)
        self.driver = driver

    def compiled(self, what: int) -> str:
        return wgsl_text(what, self.form, **self.options)

    def run(self, compiled: Compiled, inputs: np.ndarray, arguments: np.ndarray) -> np.ndarray:
        given = [base64.b64encode(part.tobytes()).decode() for part in (self.words, inputs, arguments)]
        found = self.driver.execute_async_script((HERE / "webgpu.js").read_text(), compiled, len(inputs), *given)
        if "skip" in found:
            pytest.skip(f"no WebGPU in this browser: {found['skip']}")
        assert "error" not in found, found["error"]
        return np.frombuffer(base64.b64decode(found["floats"]), np.float32)


class Runners:
    """The runners of a language, one for each form and choice of options."""

    def __init__(self, language: str, folder: Path, driver: Selenium):
        self.language, self.folder, self.driver = language, folder, driver
        self.made: dict[tuple, PointRunner] = {}

    def __call__(self, form: str = "packed", **options: int) -> PointRunner:
        key = (form, *sorted(options.items()))
        if key not in self.made:
            self.made[key] = self.make(form, options)
        return self.made[key]

    def make(self, form: str, options: dict[str, int]) -> PointRunner:
        if self.language == "metal":
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            return MetalRunner(folder, form, **options)
        if self.driver is not None:
            return BrowserRunner(self.driver, form, **options)
        return WgpuRunner(self.language, form, **options)


@contextmanager
def runners_of(language: str, folder: Path) -> Iterator[Runners]:
    """language: wgsl; glslang or dxc: HLSL by these compilers; chromium: WGSL in the browser; metal: as C++."""
    if language == "chromium":
        with browser() as driver:
            yield Runners("wgsl", folder, driver)
    else:
        yield Runners(language, folder, None)
