"""gstex watch: drafts and fits of what changes, and what a change in between does."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from batch_library import OUTPUTS, QUICK_ARGUMENTS, image, leftovers, make_library, outputs
from command import Command
from msgspec import structs

import gstex
from gstex.batch import Event, Options, crew, watch
from gstex.batch.changes import Changes, look
from gstex.batch.watching import draft_options
from gstex.batch.worker import serve
from gstex.errors import UsageError

FAST = Options(effort="fast", gaussians=20, mips=False, device="cpu")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return make_library(tmp_path / "library")


def until(events: Iterator[Event], last: str) -> list[str]:
    """What happens up to an event, without progress: 'done draft bricks.gstex'."""
    told = []
    for event in events:
        if event.event != "progress":
            told.append(" ".join(filter(None, (event.event, event.effort, event.output))))
        if told and told[-1] == last:
            return told
    raise AssertionError(last)


# ---- what lies at rest


def test_a_file_is_told_once_it_is_at_rest() -> None:
    changes, a, b = Changes(rest=10), Path("a"), Path("b")
    assert changes.take({a: (1, 1, 1)}, 0) == set() and changes.restless == {a}
    assert changes.take({a: (1, 2, 2)}, 9) == set()  # it is being written
    assert changes.take({a: (1, 2, 2)}, 18) == set()
    assert changes.take({a: (1, 2, 2), b: (2, 1, 1)}, 19) == {a} and changes.restless == {b}
    assert changes.take({a: (1, 2, 2), b: (2, 1, 1)}, 29) == {b}
    assert changes.take({a: (1, 2, 2), b: (2, 1, 1)}, 90) == set()
    assert changes.take({b: (3, 1, 1)}, 100) == set()  # a has gone, and b was replaced by another file
    assert changes.take({b: (3, 1, 1)}, 110) == {a, b}


def test_what_is_looked_at(library: Path, tmp_path: Path) -> None:
    image(library / "bricks/mip1/weathered_bricks_albedo.png")
    image(library / ".hidden/x.png")
    image(library / "out/x.png")
    (library / "a/notes.txt").write_text("")
    (library / "a/gstex.toml").write_text("")
    (library / "a/link").symlink_to(library)
    found = look(library, library / "out", [tmp_path / "is not there"])
    expected = {p for p in library.rglob("*") if p.suffix in (".png", ".toml") and not {".hidden", "out"} & {*p.parts}}
    assert found.keys() == expected and library / "a/gstex.toml" in found
    before = found[library / "a/gstex.toml"]
    (library / "a/gstex.toml").write_text("[words]")
    assert look(library, library / "out")[library / "a/gstex.toml"] != before


# ---- what is made


def test_a_draft_then_the_fit(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    events = watch(library, out, options=FAST)
    told = until(events, "idle")
    assert told == [
        "watching",
        *(f"{kind} {effort} {name}" for effort in ("draft", "fast") for name in OUTPUTS for kind in ("begin", "done")),
        "idle",
    ]  # fmt: skip
    for name in OUTPUTS:
        source = library / name.removesuffix(".gstex")
        gstex.compress(source, **FAST.arguments()).save(tmp_path / "expected.gstex")
        assert (out / name).read_bytes() == (tmp_path / "expected.gstex").read_bytes(), name

    image(library / "bricks/weathered_bricks_ao.png", 1, 16)
    image(library / "new/x_albedo.png", 3, 16)
    shutil.rmtree(library / "a/steel")
    assert until(events, "idle") == [
        "begin draft bricks.gstex", "done draft bricks.gstex", "begin draft new.gstex", "done draft new.gstex",
        "begin fast bricks.gstex", "done fast bricks.gstex", "begin fast new.gstex", "done fast new.gstex", "idle",
    ]  # fmt: skip
    assert (out / "a/steel.gstex").is_file()  # as a batch leaves it
    events.close()  # type: ignore[attr-defined]

    events = watch(library, out, options=structs.replace(FAST, seed=1))
    assert "done draft bricks.gstex" in until(events, "begin fast a/deep/wood.gstex")
    events.close()  # type: ignore[attr-defined]
    events = watch(library, out, options=structs.replace(FAST, seed=1))
    again = until(events, "idle")  # the drafts are there
    assert [line for line in again if "draft" in line] == [] and "done fast new.gstex" in again
    events.close()  # type: ignore[attr-defined]
    assert [event.event for event in watch_until_idle(library, out, structs.replace(FAST, seed=1))] == [
        "watching", "current", "current", "current", "idle",
    ]  # fmt: skip


def watch_until_idle(library: Path, out: Path, options: Options) -> list[Event]:
    told = []
    for event in watch(library, out, options=options):
        told.append(event)
        if event.event == "idle":
            break
    return told


def test_a_material_that_fails_waits_for_a_change(library: Path, tmp_path: Path) -> None:
    broken = library / "bricks/weathered_bricks_ao.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    events = watch(library, tmp_path / "out", options=FAST)
    told = until(events, "idle")
    [failed] = [line for line in told if line.startswith("failed")]
    assert failed.endswith("bricks.gstex") and "done fast a/steel.gstex" in told
    broken.write_bytes(whole)
    assert until(events, "idle")[-2:] == ["done fast bricks.gstex", "idle"]
    events.close()  # type: ignore[attr-defined]


def test_materials_with_the_same_output(tmp_path: Path) -> None:
    image(tmp_path / "in/x.png")
    image(tmp_path / "in/y.png")
    image(tmp_path / "in/x/x_albedo.png")
    told = watch_until_idle(tmp_path / "in", tmp_path / "out", structs.replace(FAST, effort="draft"))
    ends = [(event.event, event.output) for event in told if event.event in ("done", "failed")]
    assert sorted(ends) == [("done", "x.gstex"), ("done", "y.gstex"), ("failed", "x.gstex")]
    assert told[-1].total == 3 and told[-1].failed == 1


def serve_drafts_alone(connection: Connection, out: Path, force: bool, threads: int) -> None:
    """A worker whose fits never end, but for drafts."""

    class Endless:
        send = connection.send

        def recv(self) -> tuple[str, Any] | None:
            message = connection.recv()
            while message and message[0] == "item" and message[1].options.effort != "draft":
                connection.send(("progress", 0.5, 30.0))
                message = connection.recv()
            return message

    serve(Endless(), out, force, threads)  # type: ignore[arg-type]


def test_a_change_stops_a_fit(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "serve", serve_drafts_alone)
    out = tmp_path / "out"
    events = watch(library, out, options=FAST)
    until(events, "begin fast a/deep/wood.gstex")
    image(library / "bricks/weathered_bricks_ao.png", 1, 16)  # of another material
    assert until(events, "begin fast a/deep/wood.gstex") == [
        "stopped fast a/deep/wood.gstex", "begin draft bricks.gstex", "done draft bricks.gstex",
        "begin fast a/deep/wood.gstex",
    ]  # fmt: skip
    image(library / "a/deep/wood/extra_emissive.png", 3, 16)  # of the one at work
    assert until(events, "begin fast a/steel.gstex") == [
        "stopped fast a/deep/wood.gstex", "begin draft a/deep/wood.gstex", "done draft a/deep/wood.gstex",
        "begin fast a/steel.gstex",
    ]  # fmt: skip
    shutil.rmtree(library / "a/steel")
    assert until(events, "begin fast bricks.gstex") == ["stopped fast a/steel.gstex", "begin fast bricks.gstex"]
    events.close()  # type: ignore[attr-defined]
    assert leftovers(out) == [] and gstex.load(out / "a/deep/wood.gstex").fit["effort"] == "draft"


def test_the_draft_of_a_target_has_the_usual_size() -> None:
    assert draft_options(Options(psnr=40.0, max_bpp=3.0, wrap="clamp")) == Options(effort="draft", wrap="clamp")
    assert draft_options(Options(bpp=1.0)) == Options(effort="draft", bpp=1.0)


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command(library: Path, tmp_path: Path, number: int, code: int) -> None:
    command = [sys.executable, "-m", "gstex", "watch", library / "bricks", "-o", tmp_path / "out", *QUICK_ARGUMENTS]
    process = subprocess.Popen([*map(str, command), "--json", "--effort", "fast"], text=True, start_new_session=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    events = []
    while not events or events[-1]["event"] != "idle":
        events.append(json.loads(process.stdout.readline()))
    process.send_signal(number)
    rest, err = process.communicate(timeout=60)
    assert process.returncode == code and rest == ""
    done = [(event["effort"], event["output"]) for event in events if event["event"] == "done"]
    assert done == [("draft", "bricks.gstex"), ("fast", "bricks.gstex")]
    assert events[-1] == {"event": "idle", "total": 1, "failed": 0}
    lines = [line.split(" ", 2)[2] for line in err.splitlines()]  # without "gstex: 12:34:56"
    assert lines[0] == f"watches {library / 'bricks'}; Ctrl-C ends it" and lines[-1] == "waits: 1 material"
    assert lines[1].startswith("draft bricks.gstex: ") and lines[2].startswith("done bricks.gstex: ")
    assert list(outputs(tmp_path / "out")) == ["bricks.gstex"] and leftovers(tmp_path) == []


def test_what_cannot_be_watched(library: Path, tmp_path: Path, command: Command) -> None:
    said = command("watch", tmp_path / "none", "-o", tmp_path / "out").error()
    assert said.endswith("none: no such folder; give the one that holds the folders of materials")
    said = command("watch", library, "-o", library).error()
    assert said.endswith("is the folder that is watched; choose another folder for -o")
    (tmp_path / "file").write_text("")
    assert "choose another folder for -o" in command("watch", library, "-o", tmp_path / "file").error()
    with pytest.raises(UsageError, match="threads: got 0"):
        watch(library, tmp_path / "out", threads=0)
