"""gstex in builds of others: depfiles that Make and Ninja read, versions for caches, completion in shells."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from batch_library import QUICK_ARGUMENTS, image, make_library
from command import Command

import gstex
from gstex.cli import about as about_module
from gstex.cli.depfile import write_depfile

RULE = """rule gstex
  command = {python} -m gstex batch library -o out --depfile $out.d --quiet {options}
  depfile = $out.d
build out/index.html: gstex
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    library = make_library(tmp_path / "library")
    (library / "a").rename(library / "a #1 $x")  # names that both programs have signs of their own for
    return library


def test_the_rule(tmp_path: Path) -> None:
    write_depfile(tmp_path / "d", Path("out/a b"), [Path("x"), Path("y z"), Path("x"), Path("#1"), Path("$2")])
    first, *others = (tmp_path / "d").read_text().replace("\\\n", "").splitlines()  # a line that goes on is one
    assert first == r"out/a\ b:   x   y\ z   \#1   $$2"
    assert others == ["x:", r"y\ z:", r"\#1:", "$$2:"]


@pytest.mark.skipif(shutil.which("ninja") is None, reason="ninja is not installed")
def test_ninja_runs_a_batch_when_a_map_has_changed(library: Path, tmp_path: Path) -> None:
    (tmp_path / "build.ninja").write_text(RULE.format(python=sys.executable, options=" ".join(QUICK_ARGUMENTS)))

    def ninja() -> str:
        done = subprocess.run(["ninja", "-d", "explain"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "no work to do" not in ninja()
    assert "no work to do" in ninja()
    path = library / "a #1 $x/steel/RustedSteel_orm.png"
    later(path, tmp_path / "out/index.html")
    assert "no work to do" not in ninja()
    image(library / "new/x_albedo.png")
    later(library, tmp_path / "out/index.html")
    assert "no work to do" not in ninja()
    assert (tmp_path / "out/new.gstex").is_file()


def later(path: Path, than: Path) -> None:
    """Let a file have changed after another."""
    time = than.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(time, time))


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_reads_what_compress_has_written(library: Path, tmp_path: Path, command: Command) -> None:
    source, output, rule = library / "a #1 $x/steel", tmp_path / "steel.gstex", tmp_path / "steel.d"
    map_ = image(tmp_path / "importance.png", 1, 16)
    ran = command("compress", source, "-o", output, *QUICK_ARGUMENTS, "--depfile", rule, "--importance", map_)
    assert ran.code == 0, ran.err
    (tmp_path / "Makefile").write_text(f"{output}:\n\t@echo made\ninclude {rule}\n")

    def make() -> str:
        done = subprocess.run(["make", "-s", output], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert make() == ""
    for path in (source / "RustedSteel_orm.png", map_):
        later(path, output)
        assert make() == "made"
        os.utime(path, (1, 1))
    assert make() == ""
    (source / "RustedSteel_orm.png").unlink()
    assert make() == "made"  # and no error, although it has gone


def test_a_depfile_that_would_replace_an_input(library: Path, tmp_path: Path, command: Command) -> None:
    path = library / "bricks/weathered_bricks_ao.png"
    before = path.read_bytes()
    said = command("compress", library / "bricks", "-o", tmp_path / "b.gstex", "--depfile", path).error()
    assert "weathered_bricks_ao.png" in said and path.read_bytes() == before


def test_version_for_caches(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = json.loads(command("--version", "--json").out)
    assert said["version"] == gstex.__version__ and len(said["code"]) == 64
    assert said["packages"].keys() == {"numpy", "OpenImageIO"} and "unknown" not in said["packages"].values()
    assert json.loads(command("--version", "--json").out) == said
    copy = shutil.copytree(Path(gstex.__file__).parent, tmp_path / "gstex", ignore=shutil.ignore_patterns("*.so"))
    monkeypatch.setattr(about_module, "__file__", str(copy / "cli/about.py"))
    assert about_module.about()["code"] == said["code"]
    with open(copy / "encode/work.py", "a") as file:
        file.write("#")
    assert about_module.about()["code"] != said["code"]
    assert command("--json").error().startswith("--json: goes with --version")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    def ask(instruction: str, **environment: str) -> str:
        done = subprocess.run([sys.executable, "-m", "gstex"], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "_GSTEX_COMPLETE": instruction, **environment})  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    if shell != "bash":  # of bash the version is asked, and it need not be installed
        assert "_GSTEX_COMPLETE" in ask(f"{shell}_source")
    words = "gstex compress --eff" if shell != "fish" else "gstex compress"
    found = ask(f"{shell}_complete", COMP_WORDS=words, COMP_CWORD="2" if shell != "fish" else "--eff")
    assert "--effort" in found
