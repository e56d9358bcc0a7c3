"""The command line's contract: exit codes, what goes to which stream, progress, Ctrl-C."""

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import OpenImageIO as oiio
import pytest
from command import COMMANDS, Command
from small_samples import SAMPLES, crop_sample

import gstex
from gstex import native
from gstex.cli import progress as progress_module
from gstex.cli.progress import ProgressReporter
from gstex.cli.sections import SECTIONS

# The contract of `compress --json`: at least these.
JSON_KEYS = {
    "output", "file_bytes", "gpu_bytes", "width", "height", "channels", "gaussians", "bpp", "bppc", "psnr",
    "psnr_sampled", "psnr_by_map", "candidates_mean", "candidates_max", "seconds", "device", "backend",
    "seed", "version",
}
FAST = ("--effort", "fast", "--bpp", "2")


@pytest.fixture(scope="module")
def steel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crop_sample("rusted_steel", tmp_path_factory.mktemp("material") / "steel")


@pytest.fixture(scope="module")
def packed(steel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .gstex file of the small steel, not to be changed."""
    path = tmp_path_factory.mktemp("packed") / "steel.gstex"
    gstex.compress(steel, bpp=2, effort="fast").save(path)
    return path


def subprocess_of(*arguments: str | Path, **options: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "gstex", *map(str, arguments)]
    return subprocess.Popen(command, text=True, **options)


def test_compress_makes_a_draft(command: Command, steel: Path) -> None:
    ran = command("compress", steel, "--effort", "draft", "--bpp", "2", "--json")
    assert ran.code == 0
    report = json.loads(ran.out)
    assert set(report) >= JSON_KEYS and report["bpp"] <= 2
    assert gstex.load("steel.gstex").fit["effort"] == "draft"
    assert "draft" in command("compress", "--help").out.split("--effort")[1].split("\n")[0]


def test_compress_prints_choice_progress_and_summary(command: Command, steel: Path) -> None:
    (steel / "notes.txt").write_text("not a map")
    ran = command("compress", steel, *FAST)
    (steel / "notes.txt").unlink()
    assert ran.code == 0
    assert os.listdir() == ["steel.gstex"]  # the default name, in the current folder
    for words in (("RustedSteel_orm.png", "roughness", "linear"),
                  ("RustedSteel_baseColor.png", "albedo", "srgb"), ("notes.txt", "not a"), ("wrap",)):
        assert any(all(w in line for w in words) for line in ran.err.splitlines()), words
    assert "gstex: fit: " in ran.err and " dB" in ran.err
    assert len(ran.err.splitlines()) < 40  # progress does not flood a log
    assert "steel.gstex: " in ran.out and "PSNR" in ran.out and "normal" in ran.out
    assert "gstex: fit" not in ran.out


def test_compress_json_is_one_object_with_the_contract_keys(command: Command, steel: Path) -> None:
    ran = command("compress", steel, "-o", "a.gstex", *FAST, "--json")
    assert ran.code == 0
    report = json.loads(ran.out)
    assert set(report) >= JSON_KEYS
    assert report["output"] == "a.gstex"
    assert report["file_bytes"] == Path("a.gstex").stat().st_size
    assert (report["width"], report["height"], report["channels"], report["seed"]) == (40, 40, 8, 0)
    assert report["bpp"] <= 2
    assert set(report["psnr_by_map"]) == {"albedo", "normal", "roughness", "metallic", "ao"}
    assert {row["role"] for row in report["maps"]} == set(report["psnr_by_map"])
    # the figures are those of the file
    texture, pixels = gstex.load("a.gstex"), gstex.material.load_material(steel).pixels
    mse = np.mean((texture.decode().astype(np.float64) - pixels) ** 2)
    assert report["psnr"] == pytest.approx(-10 * np.log10(mse), abs=0.0006)


def test_options_reach_the_fit(command: Command, steel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def stop(source: object, **options: object) -> None:
        seen.update(options, channels=len(source.channels))
        raise gstex.errors.BudgetError("enough")

    monkeypatch.setattr(gstex, "compress", stop)
    ran = command("compress", steel, "--gaussians", "77", "--effort", "thorough", "--device", "cpu",
                  "--wrap", "clamp", "--sampling", "bilinear", "--loss", "perceptual", "--seed", "5",
                  "--map", "roughness=RustedSteel_orm.png:b", "--map", "ignore=RustedSteel_normal.png",
                  "--no-mips", "--mip-filter", "kaiser", "--roughness-from-normals", "--alpha-test", "0.5",
                  "--importance", "auto", "--weight", "normal=2", "--weight", "ao=0.5", "--tail", "4",
                  "--groups", "albedo;normal", "--checkpoint")
    assert ran.code == 1
    del seen["progress"], seen["notes"]
    assert seen.pop("checkpoint") == Path("steel.gstex.fit")
    assert seen == {"bpp": None, "gaussians": 77, "quality": None, "psnr": None, "match": None,
                    "max_bpp": None, "weights": {"normal": 2.0, "ao": 0.5}, "effort": "thorough", "device": "cpu",
                    "wrap": "clamp", "sampling": "bilinear", "loss": "perceptual", "seed": 5, "channels": 5,
                    "mips": False, "mip_filter": "kaiser", "roughness_from_normals": True, "alpha_test": 0.5,
                    "importance": "auto", "tail": 4, "groups": "albedo;normal"}


@pytest.mark.parametrize("asked, used", [("1", 1), ("1000", native.cores())])
def test_threads_are_at_most_one_a_core(
    command: Command, steel: Path, monkeypatch: pytest.MonkeyPatch, asked: str, used: int
) -> None:
    def stop(source: object, **options: object) -> None:
        raise gstex.errors.BudgetError(f"{native.thread_count()} threads")

    monkeypatch.setattr(gstex, "compress", stop)
    assert command("compress", steel, "--threads", asked).error() == f"{used} threads"


def test_threads_do_not_change_the_file(steel: Path, tmp_path: Path) -> None:
    for threads in ("1", "2"):  # in processes of their own: the number of threads is kept for a whole process
        done = subprocess_of("compress", steel, "-o", tmp_path / f"{threads}.gstex", *FAST, "--threads", threads,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _, err = done.communicate(timeout=120)
        assert done.returncode == 0, err
    assert (tmp_path / "1.gstex").read_bytes() == (tmp_path / "2.gstex").read_bytes()


def test_decode_writes_every_map_and_prints_its_path(command: Command, steel: Path, packed: Path) -> None:
    ran = command("decode", packed, "-o", "deep/maps")
    assert (ran.code, ran.err) == (0, "")
    names = sorted(f.name for f in steel.iterdir())
    assert sorted(os.listdir("deep/maps")) == names
    assert sorted(ran.out.splitlines()) == [f"deep/maps/{n}" for n in names]
    for name in names:
        before, after = (oiio.ImageBuf(str(f / name)) for f in (steel, Path("deep/maps")))
        assert (after.spec().width, after.nchannels) == (before.spec().width, before.nchannels)


def test_info_for_people_and_for_programs(command: Command, packed: Path) -> None:
    ran = command("info", packed)
    assert (ran.code, ran.err) == (0, "")
    size = f"{packed.stat().st_size} bytes"
    for words in ("40x40", "8 channels", "RustedSteel_orm.png", "PSNR", size, "roughness"):
        assert words in ran.out
    rows = re.findall(r"^(\d)  .*  (\d+-bit code|palette|constant)  ", ran.out, re.MULTILINE)
    assert [int(channel) for channel, _ in rows] == list(range(8))
    facts = json.loads(command("info", packed, "--json").out)
    assert (facts["width"], facts["channels"], facts["file_bytes"]) == (40, 8, packed.stat().st_size)


def test_the_bytes_of_a_file_add_up(command: Command, steel: Path) -> None:
    made = command("compress", steel, "--effort", "draft", "--bpp", "2").out
    line = next(line for line in made.splitlines() if line.startswith("  bytes"))
    assert line in command("info", "steel.gstex").out
    parts, bits = re.findall(r"(full size|mips|description) ([\d.]+)", line), re.search(r"; ([\d.]+) bits", line)
    whole = Path("steel.gstex").stat().st_size
    assert [name for name, _ in parts] == ["full size", "mips", "description"]
    assert sum(float(value) for _, value in parts) == pytest.approx(whole / 1024, abs=0.16)
    assert bits and float(bits[1]) == pytest.approx(8 * whole / 40**2, abs=1e-3)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_opens_with_three_examples(command: Command, name: str) -> None:
    ran = command(*name.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    lines = [line.strip() for line in ran.out.splitlines() if line.strip()]
    assert lines[0].startswith("Usage: gstex")
    assert all(line.startswith("gstex ") for line in lines[1:4])
    assert not lines[4].startswith("gstex ")


@pytest.mark.parametrize("name", ["compress", "batch", "watch", "gltf"])
def test_long_help_has_a_heading_for_each_kind_of_option(command: Command, name: str) -> None:
    shown = command(name, "--help").out
    parts = dict(re.findall(r"^(\w[\w ]+):\n((?:  .*\n|\n)*)", shown, re.MULTILINE))
    assert list(parts) == ["Options", *SECTIONS]
    assert "--bpp" in parts["Size"] and "--effort" in parts["Time"] and "--json" in parts["Options"]
    known = [o for p in COMMANDS[name].params if isinstance(p, click.Option) for o in p.opts if o.startswith("--")]
    assert sorted(known) == sorted(set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", shown, re.MULTILINE)) - {"--help"})


def test_every_option_explains_itself() -> None:
    for name, sub in COMMANDS.items():
        for option in sub.params:
            assert isinstance(option, click.Argument) or option.help, f"{name} {option.name}"


def test_version_and_bare_command(command: Command) -> None:
    assert command("--version").out == f"gstex {gstex.__version__}\n"
    bare = command()
    assert bare.code == 0
    assert re.findall(r"^  gstex (\w+) ", bare.out, re.MULTILINE) == ["compress", "view", "decode"]
    assert "gstex --help" in bare.out and "Commands:" in command("--help").out


def test_progress_bar_on_a_terminal_leaves_stdout_clean(steel: Path, tmp_path: Path) -> None:
    master, slave = os.openpty()
    run = subprocess_of("compress", steel, "-o", tmp_path / "a.gstex", *FAST, "--json",
                        stdout=subprocess.PIPE, stderr=slave,
                        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"})
    os.close(slave)
    shown = b""
    while chunk := read_terminal(master):
        shown += chunk
    out, _ = run.communicate(timeout=120)
    os.close(master)
    assert run.returncode == 0
    assert json.loads(out)["width"] == 40
    for part in ("━", " dB", " left", "fit"):
        assert part.encode() in shown


def read_terminal(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # Linux: the other end is closed
        return b""


@pytest.mark.parametrize("arguments", [
    (), ("--help",), ("--version",), ("--nonsense",), ("nonsense",), ("compress",), ("compress", "--help"),
    ("batch", "--help"), ("compare", "--help"), ("decode", "--help"), ("info", "--help"), ("view", "--help"),
    ("export", "--help"), ("strip", "--help"), ("transcode", "--help"), ("validate", "--help"), ("validate",),
    ("watch", "--help"), ("watch", "a"), ("watch", "a", "-o", "b", "-q", "-v"),
    ("transcode", "a"), ("transcode", "a", "-o", "b", "--to", "bc9"), ("export", "a", "-o", "b"),
    ("batch",), ("batch", "a"), ("batch", "a", "-o", "b", "--manifest", "c"), ("batch", "-o", "b", "a", "-q", "-v"),
    ("compress", "a", "--bpp", "1", "--quality", "high"), ("decode", "a"),
])  # fmt: skip
def test_help_and_errors_of_usage_import_nothing_large(arguments: tuple[str, ...]) -> None:
    script = """
import sys
from gstex.cli import main
try:
    main()
except SystemExit:
    print("modules:", *sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    [line] = [line for line in done.stdout.splitlines() if line.startswith("modules: ")]
    large = {"numpy", "OpenImageIO", "rich", "torch", "gstex.native", "gstex.material", "gstex.encode.compress"}
    assert "click" in line.split() and large & set(line.split()) == set()


def test_every_command_is_listed_with_its_help(command: Command) -> None:
    lines = command("--help").out.split("Commands:")[1].splitlines()
    listed = dict(line.split(maxsplit=1) for line in lines if line.strip())
    assert list(listed) == ["batch", "compare", "compress", "decode", "export", "gltf", "info", "strip", "transcode",
                            "validate", "view", "watch"]
    for name in listed:
        ran = command(name, "--help")
        assert (ran.code, ran.err) == (0, "") and ran.out.startswith(f"Usage: gstex {name} ")


def test_plain_progress_is_a_line_a_stage_and_one_in_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    clock = iter(float(i) for i in range(1000))  # a second a step
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: next(clock))
    with ProgressReporter() as report:
        for step in range(60):
            report(gstex.Progress("fit", step, 120, None if step == 0 else 20.0))
        for step in range(60, 121):
            report(gstex.Progress("quantise", step, 120, 30.0))
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 14
    assert lines[0].startswith("gstex: preparing")
    assert lines[1] == "gstex: fit: 0 %"
    assert lines[2] == "gstex: fit: 8 %, 20.0 dB, 1:50 left"
    assert lines[7] == "gstex: quantise: 50 %, 30.0 dB, 1:00 left"
    assert lines[-1] == "gstex: quantise: 100 %, 30.0 dB, 0:00 left"


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "old.gstex").write_bytes(b"what was there before")
    run = subprocess_of("compress", SAMPLES / "rusted_steel", "-o", "old.gstex", "--effort", "thorough", "--force",
                        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        env={**os.environ, "PYTHONPATH": str(SAMPLES.parent)})
    err = ""
    while "gstex: fit: " not in err:
        err += run.stderr.readline()
        assert run.poll() is None, err
    run.send_signal(signal.SIGINT)
    out, rest = run.communicate(timeout=60)
    assert run.returncode == 130
    assert out == ""
    assert rest.splitlines()[-1] == "gstex: error: stopped by Ctrl-C; no output was written"
    assert "Traceback" not in err + rest
    assert os.listdir(tmp_path) == ["old.gstex"]
    assert (tmp_path / "old.gstex").read_bytes() == b"what was there before"


def test_ctrl_c_in_a_callback_of_c_code_is_not_lost(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows spend their time in such callbacks; ctypes drops what they raise."""

    def load(path: Path) -> None:
        def callback() -> None:
            raise KeyboardInterrupt

        ctypes.CFUNCTYPE(None)(callback)()
        for _ in range(1000):  # the interrupt comes between two calls of C code, not inside of one
            time.sleep(0.01)

    monkeypatch.setattr(gstex, "load", load)
    ran = command("info", "a.gstex")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err == "gstex: error: stopped by Ctrl-C; no output was written\n"


def test_a_reader_that_goes_away_is_no_error(packed: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    run = subprocess_of("info", packed, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    _, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (1, "")
