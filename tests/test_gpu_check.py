"""tools/gpu_check.py without a GPU: what it writes, at tiny sizes and with kernels on the host; and what goes wrong."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from cuda_host import HostDevice
from fake_cupy import FakeCupy

from gstex.cuda import CupyDevice, Device, GpuTexture
from gstex.encode.settings import EFFORTS
from gstex.errors import DeviceError, GraphicsError
from gstex.json_types import JsonObject
from gstex.material import load_material

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import gpu.material  # noqa: E402
import gpu.parts  # noqa: E402
import gpu.timing  # noqa: E402
import gpu_check  # noqa: E402

TINY = gpu.parts.Sizes(material=128, fits=((64, "fast"), (80, "normal"), (80, "fast")), profiled=64, compared=64,
                       points=400, copied=1 << 12, turns=8, threads=512, least=0.0)  # fmt: skip


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that are not drawn, and efforts of a dozen steps."""
    rng = np.random.default_rng(3)
    values = rng.integers(0, 256, (2, 16, 16, 9), dtype=np.uint8)
    slope = values[..., 3:5] / 127.5 - 1
    values[..., 5] = np.rint(np.sqrt(np.maximum(1 - (slope**2).sum(axis=-1), 0)) * 127.5 + 127.5)  # the normals' Z
    coarse = values.repeat(16, axis=1).repeat(16, axis=2)
    monkeypatch.setattr(gpu.material, "stacks", lambda: list(coarse))
    for effort in EFFORTS:
        monkeypatch.setitem(EFFORTS, effort, (12, 1, 0, 0))


def context_for(folder: Path, *, seconds: float = 600.0, device: Device | None = None) -> gpu.parts.Context:
    """A part's context; what it keeps is in `context.kept`."""
    kept: JsonObject = {}
    context = gpu.parts.Context(device or HostDevice(), folder, time.monotonic() + seconds, kept.update, TINY, "cpu")
    context.kept = kept  # type: ignore[attr-defined]
    return context


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(gpu_check.check, arguments)


# ---- The whole ------------------------------------------------------------------------------------------------------


def test_without_a_gpu_it_says_why_and_writes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse() -> None:
        raise DeviceError("CUDA: the driver finds no GPU; check nvidia-smi")

    monkeypatch.setattr(gpu_check, "open_device", refuse)
    monkeypatch.setattr(gpu_check, "RESULTS", tmp_path / "results")
    result = invoke()
    assert result.exit_code == 1 and result.output == "gpu_check: CUDA: the driver finds no GPU; check nvidia-smi\n"
    assert list(tmp_path.iterdir()) == []


def run_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *arguments: str) -> tuple[Result, JsonObject]:
    """The command, each part in this process on the host: (its result, what it wrote)."""

    def run_here(folder: Path, tell: object, name: str, seconds: float) -> JsonObject:
        file = gpu_check.result_file(folder, name)
        try:
            gpu_check.run_here(name, context_for(folder, seconds=seconds))
        except Exception:
            assert "error" in json.loads(file.read_text())
        return json.loads(file.read_text())

    monkeypatch.setattr(gpu_check, "run_part", run_here)
    monkeypatch.setattr(gpu_check, "open_device", lambda: CupyDevice(FakeCupy(name="Fake RTX 5000")))
    monkeypatch.setattr(gpu_check, "RESULTS", tmp_path / "results")
    result = invoke(*arguments)
    written = list((tmp_path / "results").iterdir())
    assert [file.name for file in written] == ["gpu-fake-rtx-5000.json"], result.output
    return result, json.loads(written[0].read_text())


def test_one_json_with_machine_versions_and_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quick: None) -> None:
    names = ["fits", "profile", "parity", "compress", "decoding"]
    only = [word for name in names for word in ("--only", name)]
    result, whole = run_whole(monkeypatch, tmp_path, *only)
    assert result.exit_code == 0, result.output
    assert set(whole) == {"title", "command", "machine", "versions", "seconds", "parts"}
    assert whole["machine"]["gpu"] == "Fake RTX 5000" and whole["machine"]["compute_capability"] == "9.0"
    assert (whole["machine"]["cuda_of_driver"], whole["machine"]["cuda_of_cupy"]) == ("12.4", "12.2")
    assert {"driver", "cpu", "system"} <= set(whole["machine"])
    assert set(whole["versions"]) == {"python", "cupy", "numpy", "torch", "gstex"}
    assert list(whole["parts"]) == names and not any("error" in part for part in whole["parts"].values())
    found = {name: part["result"] for name, part in whole["parts"].items()}

    assert found["parity"]["psnr_of_a_fit_gpu"] == found["parity"]["psnr_of_a_fit_cpu"]  # both are of the CPU here
    assert found["parity"]["files"] >= 3 and 0 < found["parity"]["worst_decode"] < 1e-5
    assert found["compress"]["channels"] == 8 and found["compress"]["mips"] == 8
    assert found["compress"]["psnr"] > 5 and found["compress"]["worst_decode"] < 1e-5
    rows = found["decoding"]["rows"]
    assert [row["what"] for row in rows[:3]] == [f"mip {mip}, all texels" for mip in range(3)]
    assert [row["count"] for row in rows] == [128 * 128, 64 * 64, 32 * 32, *[400] * 5]
    assert all(row["ns"] > 0 for row in rows) and found["decoding"]["copy_gb_s"] > 0
    assert found["decoding"]["file"] == "128x128, fitted on cpu"
    fits = [(row["effort"], row["size"], row["run"]) for row in found["fits"]["rows"]]
    assert fits == [(*one, run) for one in (("fast", 64), ("normal", 80), ("fast", 80)) for run in (1, 2)]
    profile = found["profile"]
    assert {"start", "steps", "lists", "refinement"} <= set(profile["phases"])
    assert sum(profile["phases"].values()) == pytest.approx(profile["seconds_with_waits"], rel=0.05)
    assert all(row["psnr"] > 5 and 0 < row["fit_seconds"] < row["seconds"] for row in found["fits"]["rows"])
    assert "fits" in result.output and "effort normal, run 1, channels 8" in result.output
    assert str(tmp_path) not in json.dumps(whole)


def test_a_part_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quick: None) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DeviceError("CUDA: not enough GPU memory\nmore")

    timed = gpu.parts.timed_fit
    monkeypatch.setattr(gpu.parts, "timed_fit", lambda *of: fail() if of[2] == "normal" else timed(*of))
    result, whole = run_whole(monkeypatch, tmp_path, "--only", "fits", "--only", "parity")
    assert result.exit_code == 1
    assert whole["parts"]["parity"]["result"]["files"] >= 3
    failed = whole["parts"]["fits"]
    assert failed["error"] == "DeviceError: CUDA: not enough GPU memory"
    assert [row["run"] for row in failed["result"]["rows"]] == [1, 2]  # what was found before stays


def check_all(names: list[str], seconds: float, runner: gpu_check.Runner) -> dict[str, JsonObject]:
    """What is told of each part, in the order of its end."""
    told: dict[str, JsonObject] = {}
    gpu_check.check_all(names, seconds, runner, told.__setitem__)
    return told


def test_parts_that_time_is_up_for_are_named() -> None:
    def slow(name: str, limit: float) -> JsonObject:
        time.sleep(0.4)
        return {"result": {"limit": limit}}

    found = check_all(["fits", "profile", "decoding"], 1.2, slow)
    assert found["fits"]["result"]["limit"] <= 1.2
    assert found["decoding"]["error"] == "no time was left"


def test_what_tells_the_most_comes_first_and_what_measures_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(gpu.parts.PARTS)[:4] == ["fits", "profile", "parity", "tests of fit"]
    monkeypatch.setattr(gpu_check.os, "cpu_count", lambda: 4)
    running: set[str] = set()
    seen: list[set[str]] = []

    def runner(name: str, limit: float) -> JsonObject:
        running.add(name)
        time.sleep(0.1)
        seen.append(set(running))
        running.remove(name)
        return {}

    check_all(["fits", "parity", "tests of fit", "sanitizers", "compress"], 60, runner)
    assert seen[:2] == [{"fits"}, {"parity"}] and seen[4:] == [{"compress"}]
    assert seen[2] == {"tests of fit", "sanitizers"}


def test_a_run_that_is_cut_off_leaves_what_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of parts that are done, and of the one that runs."""
    out, whole = tmp_path / "out.json", []

    def run_alone(
        command: list[str], seconds: float, file: Path, environment: object, seen: Callable[[JsonObject], None]
    ) -> JsonObject:
        part = command[command.index("--part") + 1]
        if part == "parity":
            seen({"result": {"half": 1}})
            whole.append(json.loads(out.read_text()))
            raise KeyboardInterrupt
        return {"result": {"part": part}}

    monkeypatch.setattr(gpu_check, "run_alone", run_alone)
    monkeypatch.setattr(gpu_check, "open_device", lambda: CupyDevice(FakeCupy()))
    invoke("--out", str(out), "--only", "fits", "--only", "parity", "--only", "compress")
    assert json.loads(out.read_text()) == whole[0]
    parts = whole[0]["parts"]
    assert parts["fits"]["result"] == {"part": "fits"} and "error" not in parts["fits"]
    assert parts["parity"] == {"error": "cut off while it ran", "result": {"half": 1}}
    assert parts["compress"] == {"error": "not begun"}


def test_what_a_process_has_written_is_seen_while_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu_check, "_LOOK", 0.05)
    seen: list[JsonObject] = []
    script = """
        import os, time
        def write(text):
            open("new", "w").write(text); os.replace("new", "part.json")
        write('{"result": 1}')
        while not os.path.exists("go on"): time.sleep(0.02)
        write('{"result": 2}')
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part.py").write_text(textwrap.dedent(script))

    def look(found: JsonObject) -> None:
        seen.append(found)
        (tmp_path / "go on").touch()

    found = gpu_check.run_alone([sys.executable, "part.py"], 30, tmp_path / "part.json", {}, look)
    assert seen[0] == {"result": 1} and found == {"result": 2}


def test_parts_beside_each_other_share_the_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, dict[str, str]] = {}

    def run_alone(
        command: list[str], seconds: float, file: Path, environment: dict[str, str], seen: object
    ) -> JsonObject:
        asked[command[command.index("--part") + 1]] = environment
        return {}

    monkeypatch.setattr(gpu_check, "run_alone", run_alone)
    monkeypatch.setattr(gpu_check.os, "cpu_count", lambda: 16)
    for name in ("tests of fit", "fits"):
        gpu_check.run_part(tmp_path, lambda *_: None, name, 10.0)
    assert asked == {"tests of fit": {"GSTEX_THREADS": "4"}, "fits": {}}


def test_a_runner_that_raises_is_recorded() -> None:
    def runner(name: str, limit: float) -> JsonObject:
        if name == "compress":
            raise OSError("disk full")
        return {"result": {}}

    parts = check_all(["parity", "compress", "fits"], 60, runner)
    assert parts["compress"]["error"] == "OSError: disk full"
    assert list(parts) == ["parity", "compress", "fits"] and "error" not in parts["fits"]


def test_only_known_parts_and_no_hidden_ones() -> None:
    assert "Invalid value for '--only'" in invoke("--only", "small").output
    assert invoke("--seconds", "0").exit_code == 2


# ---- A process of its own -------------------------------------------------------------------------------------------


def alone(tmp_path: Path, script: str, seconds: float = 30.0) -> JsonObject:
    (tmp_path / "part.py").write_text(textwrap.dedent(script))
    return gpu_check.run_alone([sys.executable, "part.py"], seconds, tmp_path / "part.json")


def test_what_a_process_wrote_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert alone(tmp_path, """open("part.json", "w").write('{"result": {"a": 1}}')""") == {"result": {"a": 1}}


def test_a_process_gets_variables_besides_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    script = """import os; open("part.json", "w").write('{"result": ' + os.environ["COUNT"] + '}')"""
    (tmp_path / "part.py").write_text(script)
    found = gpu_check.run_alone([sys.executable, "part.py"], 30, tmp_path / "part.json", {"COUNT": "3"})
    assert found == {"result": 3}


def test_what_a_process_leaves_running_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    script = """
        import subprocess, sys, time
        beat = "import time\\nwhile True: open('beats', 'a').write('.'); time.sleep(0.05)"
        subprocess.Popen([sys.executable, "-c", beat])
        while not __import__("os").path.exists("beats"): time.sleep(0.05)
        open("part.json", "w").write('{"result": {"a": 1}}')
    """
    assert alone(tmp_path, script) == {"result": {"a": 1}}
    beats = (tmp_path / "beats").stat().st_size
    time.sleep(0.5)
    assert (tmp_path / "beats").stat().st_size == beats > 0


def test_a_crash_keeps_what_was_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    script = """
        import os
        open("part.json", "w").write('{"result": {"a": 1}}')
        print("illegal address", flush=True)
        os.abort()
    """
    found = alone(tmp_path, script)
    assert found["result"] == {"a": 1} and found["error"] == "ends with -6: illegal address"


def test_what_hangs_is_stopped_with_all_that_it_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    script = """
        import subprocess, sys
        open("part.json", "w").write('{"result": {"a": 1}}')
        beat = "import time\\nwhile True: open('beats', 'a').write('.'); time.sleep(0.05)"
        subprocess.run([sys.executable, "-c", beat])
    """
    found = alone(tmp_path, script, 6.0)
    assert found == {"result": {"a": 1}, "error": "stopped after 6 s"}
    beats = (tmp_path / "beats").stat().st_size
    time.sleep(1)
    assert (tmp_path / "beats").stat().st_size == beats > 0


# ---- Parts ----------------------------------------------------------------------------------------------------------


def test_counts_and_failures_of_tests(tmp_path: Path) -> None:
    tests = tmp_path / "test_some.py"
    tests.write_text("import pytest\ndef test_good(): pass\ndef test_bad(): assert 1 == 2\n"
                     "@pytest.mark.skip(reason='no such thing')\ndef test_skipped(): pass\n")  # fmt: skip
    context = context_for(tmp_path)
    with pytest.raises(RuntimeError, match="1 tests fail"):
        gpu.parts.run_tests(context, "some", str(tests))
    found = context.kept  # type: ignore[attr-defined]
    assert (found["passed"], found["failed"], found["skipped"]) == (1, 1, 1)
    assert len(found["failures"]) == 1 and "test_bad: assert 1 == 2" in found["failures"][0]
    assert found["skipped_because"] == ["no such thing"]
    with pytest.raises(RuntimeError, match="no test has run"):
        gpu.parts.run_tests(context, "some", str(tests), "-k", "skipped")


def test_tests_that_take_too_long_leave_their_counts(tmp_path: Path) -> None:
    tests = tmp_path / "test_some.py"
    tests.write_text("import time\ndef test_good(): pass\ndef test_long(): time.sleep(600)\n")
    for seconds in (8, 30, 120):  # until a busy machine has time to begin
        with pytest.raises(RuntimeError, match=f"not done after {seconds} s") as caught:
            gpu.parts.run_tests(context_for(tmp_path, seconds=float(seconds)), "some", str(tests))
        if "1 tests passed, 0 failed until then" in str(caught.value):
            return
    pytest.fail(str(caught.value))


def test_the_tests_that_run_on_a_gpu_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(gpu.parts, "run_tests", lambda context, name, *arguments: asked.append(arguments) or {})
    gpu.parts.tests_of_decode(context_for(tmp_path))
    gpu.parts.tests_of_fit(context_for(tmp_path))
    files = [word for arguments in asked for word in arguments if word.endswith(".py")]
    assert {"tests/test_cuda_decode.py", "tests/test_cuda_gpu.py", "tests/test_cuda_fit.py"} <= set(files)
    assert "tests/test_cuda_expand.py" in asked[0]
    assert len(files) == len(set(files)) and all((ROOT / file).exists() for file in files)


def test_fits_that_time_is_too_short_for_are_left_out_and_named(tmp_path: Path, quick: None) -> None:
    context = context_for(tmp_path, seconds=0.0)
    rows = gpu.parts.fits(context)["rows"]
    assert "psnr" in rows[0]  # nothing is known before the first
    assert all(row["not_run"].endswith("0 s are left") for row in rows[1:]) and len(rows) == 6


def test_timings_without_a_compressed_file_make_one(tmp_path: Path, quick: None) -> None:
    found = gpu.parts.decoding(context_for(tmp_path))
    assert found["file"] == "64x64, fitted on the CPU" and len(found["rows"]) == 8


def fake_tool(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    tool = folder / "compute-sanitizer"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_sanitizers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    context = context_for(tmp_path)
    fake_tool(tmp_path, monkeypatch, 'echo "========= ERROR SUMMARY: 0 errors"')
    found = gpu.parts.sanitizers(context)
    assert {name: (check["exit"], check["findings"]) for name, check in found.items()} == {
        "memcheck": (0, 0), "racecheck": (0, 0)}  # fmt: skip
    fake_tool(tmp_path, monkeypatch, 'echo "=========  Invalid read"; echo "========= ERROR SUMMARY: 3 errors"; exit 9')
    with pytest.raises(RuntimeError, match="memcheck ends with 9: =========  Invalid read"):
        gpu.parts.sanitizers(context)
    assert context.kept["memcheck"]["findings"] == 3  # type: ignore[attr-defined]
    script = 'case "$2" in racecheck) sleep 60;; *) echo "========= ERROR SUMMARY: 0 errors"; esac'
    fake_tool(tmp_path, monkeypatch, script)  # a shell that waits for a program does not listen to SIGINT
    monkeypatch.setattr(gpu.parts, "GRACE", 0.5)
    context = context_for(tmp_path, seconds=2.0)
    with pytest.raises(RuntimeError, match="racecheck not done after 2 s"):
        gpu.parts.sanitizers(context)
    assert context.kept["memcheck"]["findings"] == 0  # type: ignore[attr-defined]
    (tmp_path / "compute-sanitizer").unlink()
    monkeypatch.setattr(gpu.parts.shutil, "which", lambda *_, **__: None)
    assert "not on the path" in gpu.parts.sanitizers(context)["not_run"]


def test_what_the_sanitizers_watch(tmp_path: Path, quick: None) -> None:
    found = gpu.parts.small(context_for(tmp_path))
    assert found["files"] >= 3 and found["psnr"] > 5


def test_shaders_are_tested_only_on_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def none() -> None:
        raise GraphicsError("EGL: found no context")

    class Opened(SimpleNamespace):
        def __enter__(self) -> Opened:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(gpu.parts, "NVIDIA_EGL", tmp_path / "missing")
    monkeypatch.setattr(gpu.parts, "run_tests", lambda *_: {"passed": 5})
    monkeypatch.setattr(gpu.parts, "surfaceless", none)
    assert gpu.parts.tests_of_shaders(context_for(tmp_path)) == {"renderer": None, "not_run": "EGL: found no context"}
    for is_software, name, outcome in ((True, "llvmpipe", "not_run"), (False, "Fake RTX", "passed")):
        opened = Opened(renderer=name, version=(4, 6), is_software=is_software)
        monkeypatch.setattr(gpu.parts, "surfaceless", lambda opened=opened: opened)
        found = gpu.parts.tests_of_shaders(context_for(tmp_path))
        assert found["renderer"] == name and found["version"] == "4.6" and outcome in found


def test_values_that_differ_fail_the_parity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    decode = GpuTexture.decode
    monkeypatch.setattr(GpuTexture, "decode", lambda self, mip=0, **more: decode(self, mip, **more) + 0.01)
    context = context_for(tmp_path)
    with pytest.raises(RuntimeError, match=r"differ from those of the CPU by 0\.01"):
        gpu.parts.parity(context)
    assert context.kept["worst_decode"] == pytest.approx(0.01, abs=1e-4)  # type: ignore[attr-defined]


# ---- Kernels and pictures -------------------------------------------------------------------------------------------


def test_the_kernels_of_the_limits_do_what_is_counted() -> None:
    device = HostDevice()
    source, target = np.arange(40, dtype=np.float32), np.zeros(40, np.float32)
    device.kernel("measure.cu", "copy")((1,), (4,), source, target, np.int64(9))
    np.testing.assert_array_equal(target[:36], source[:36])
    assert (target[36:] == 0).all()
    sums = np.zeros(64, np.float32)
    device.kernel("measure.cu", "multiply_add")((2,), (32,), np.float32(1), np.float32(2), np.int32(5), sums)
    chains = gpu.timing.CHAINS
    expected = [sum(thread % 7 + k + 5 * 2 for k in range(chains)) for thread in range(64)]
    np.testing.assert_array_equal(sums, expected)


def test_seconds_are_those_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that only the calls move; the first is slow, and what is not waited for takes no time."""
    now, waiting = [100.0], [0.0]

    def call() -> None:
        waiting[0] += 3.0 if now[0] == 100.0 else 0.002

    def synchronize() -> None:
        now[0] += waiting[0]
        waiting[0] = 0.0

    monkeypatch.setattr(gpu.timing, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    device: Any = SimpleNamespace(synchronize=synchronize)
    assert gpu.timing.seconds_of(device, call, least=0.02) == pytest.approx(0.002)
    assert now[0] == pytest.approx(100 + 3 + 2 * 0.002 + 3 * 10 * 0.002)


def test_the_material_is_a_mosaic_of_the_samples(tmp_path: Path) -> None:
    whole = gpu.material.draw(600)
    assert [(name, maps.shape) for name, maps in whole.items()] == [
        (f"mosaic_{name}.png", (600, 600, 3)) for name in ("basecolor", "normal", "orm")]  # fmt: skip
    first, again = (gpu.material.draw(300)["mosaic_normal.png"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    tiles = [whole["mosaic_basecolor.png"][y : y + 256, x : x + 256] for y in (0, 256) for x in (0, 256)]
    steel, bricks = (stack[:, :, :3] for stack in gpu.material.stacks())
    for tile, sample in zip(tiles, (steel, bricks, bricks, steel), strict=True):
        np.testing.assert_array_equal(np.sort(tile, axis=None), np.sort(sample, axis=None))
    assert (tiles[0] != tiles[3]).any()
    material = load_material(gpu.material.write_material(tmp_path / "mosaic", 32))
    roles = [channel.role for channel in material.channels]
    assert len(roles) == 8 and material.width == 32 and {"albedo", "normal", "roughness", "ao"} <= set(roles)
