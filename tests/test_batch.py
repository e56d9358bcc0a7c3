"""gstex batch: what is made again and what is not, and that nothing can damage what is there."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import batch_library
import pytest
from batch_library import (
    LOST,
    OUTPUTS,
    QUICK,
    QUICK_ARGUMENTS,
    check_whole,
    copy_of,
    ended,
    image,
    leftovers,
    make_library,
    outputs,
    run_all,
    start,
)
from command import Command
from msgspec import structs
from test_cli import read_terminal

import gstex
from gstex.batch import Item, Options, crew, plan, run, work
from gstex.batch.state import State, fingerprint
from gstex.errors import GstexError, MaterialError, OutputError, UsageError
from gstex.files import TEMPORARY
from gstex.json_types import JsonObject
from gstex.material import Material


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    return make_library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def made(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What becomes of it if nobody disturbs. Not to be changed."""
    out = tmp_path_factory.mktemp("made")
    assert ended(run_all(library, out)) == dict.fromkeys(OUTPUTS, "done")
    return out


@pytest.fixture
def expected(made: Path) -> dict[str, bytes]:
    return outputs(made)


@pytest.fixture
def own(library: Path, made: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the library and of its outputs, which a test may change."""
    shutil.copytree(library, tmp_path / "library")
    return tmp_path / "library", copy_of(made, tmp_path / "out")


def test_outputs_are_those_of_compress(library: Path, expected: dict[str, bytes], tmp_path: Path) -> None:
    assert list(expected) == OUTPUTS
    texture = gstex.compress(library / "a/steel", **QUICK.arguments())
    texture.save(tmp_path / "steel.gstex")
    assert (tmp_path / "steel.gstex").read_bytes() == expected["a/steel.gstex"]


# ---- what is up to date


def test_times_and_places_do_not_count(own: tuple[Path, Path], expected: dict[str, bytes], tmp_path: Path) -> None:
    library, out = own
    for path in library.rglob("*.png"):
        os.utime(path, (1, 1))
    moved = library.rename(tmp_path / "elsewhere")
    os.utime(out / "bricks.gstex", (1, 1))
    assert ended(run_all(moved, out)) == dict.fromkeys(OUTPUTS, "current")
    assert outputs(out) == expected


def test_contents_count_even_where_size_and_time_do_not_tell(own: tuple[Path, Path]) -> None:
    library, out = own
    path = library / "bricks/weathered_bricks_albedo.png"
    before = path.stat()
    image(path, size=16)
    data = path.read_bytes()
    path.write_bytes(data[: before.st_size].ljust(before.st_size, b"\0"))  # PNG ends before its padding
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size and len(data) <= before.st_size
    assert ended(run_all(library, out)) == {**dict.fromkeys(OUTPUTS, "current"), "bricks.gstex": "done"}


def test_a_damaged_or_missing_output_is_made_again(own: tuple[Path, Path], expected: dict[str, bytes]) -> None:
    library, out = own
    data = bytearray(expected["a/steel.gstex"])
    data[-2] ^= 1
    (out / "a/steel.gstex").write_bytes(data)
    (out / "bricks.gstex").unlink()
    events = run_all(library, out, force=False)
    # What somebody has changed is not replaced: it may be wanted.
    assert ended(events) == {"a/deep/wood.gstex": "current", "a/steel.gstex": "failed", "bricks.gstex": "done"}
    [said] = [event.message for event in events if event.event == "failed"]
    assert "a/steel.gstex: already exists" in said and "--force" in said
    assert ended(run_all(library, out, force=True)) == dict.fromkeys(OUTPUTS, "done")
    assert outputs(out) == expected


@pytest.mark.parametrize("what", [*Options.__struct_fields__, "maps", "names", "another file", "version"])
def test_all_that_decides_the_bytes_is_in_the_fingerprint(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    (item,) = plan(library / "bricks", tmp_path, options=Options()).items
    before = fingerprint(item)
    other: JsonObject = {
        "bpp": 2.0, "gaussians": 7, "quality": "high", "effort": "fast", "device": "cpu", "wrap": "clamp",
        "mips": False, "mip_filter": "kaiser", "roughness_from_normals": True, "alpha_test": 0.5,
        "sampling": "bilinear", "loss": "perceptual", "importance": "auto", "seed": 1,
    }  # fmt: skip
    if what in other:
        item = structs_replace(item, options=structs.replace(Options(), **{what: other[what]}))
    elif what == "maps":
        item = structs_replace(item, maps=("ignore=weathered_bricks_ao.png",))
    elif what == "names":
        words = tmp_path / "words.toml"
        words.write_text("")
        item = structs_replace(item, names=words)
    elif what == "another file":
        item = structs_replace(item, files=item.files[1:])
    else:
        monkeypatch.setattr("gstex.batch.state.__version__", "0.0.1")
    assert fingerprint(item) != before


def structs_replace(item: Item, **changes: Any) -> Item:
    return Item(**{**vars(item), **changes})


def test_a_renamed_material_is_copied_and_gets_the_bytes_of_a_fit(own: tuple[Path, Path], tmp_path: Path) -> None:
    library, out = own
    (library / "a/steel").rename(library / "a/iron")
    (library / "bricks").rename(library / "a/bricks")
    found = ended(run_all(library, out))
    assert found == {"a/bricks.gstex": "moved", "a/deep/wood.gstex": "current", "a/iron.gstex": "moved"}
    gstex.compress(library / "a/iron", **QUICK.arguments()).save(tmp_path / "iron.gstex")
    assert (out / "a/iron.gstex").read_bytes() == (tmp_path / "iron.gstex").read_bytes()
    assert ended(run_all(library, out)) == dict.fromkeys(found, "current")


def test_force_makes_everything_again(own: tuple[Path, Path], expected: dict[str, bytes]) -> None:
    library, out = own
    assert ended(run_all(library, out, force=True)) == dict.fromkeys(OUTPUTS, "done")
    assert outputs(out) == expected


def test_a_file_that_no_batch_made_is_not_replaced(library: Path, tmp_path: Path) -> None:
    (tmp_path / "bricks.gstex").write_text("mine")
    events = run_all(library / "bricks", tmp_path)
    assert ended(events) == {"bricks.gstex": "failed"}
    assert (tmp_path / "bricks.gstex").read_text() == "mine"


# ---- what goes wrong


def test_a_material_that_fails_does_not_stop_the_others(own: tuple[Path, Path], command: Command) -> None:
    library, out = own
    shutil.rmtree(out)
    image(library / "a/steel/RustedSteel_rough.png", 1)
    (library / "broken").mkdir()
    (library / "broken/x_albedo.png").write_bytes(b"no picture")
    ran = command("batch", library, "-o", out, *QUICK_ARGUMENTS)
    assert ran.code == 1
    assert list(outputs(out)) == ["a/deep/wood.gstex", "bricks.gstex"]
    lines = ran.err.splitlines()
    assert lines[-1] == "gstex: error: 2 of 4 materials failed: a/steel.gstex, broken.gstex"
    assert any("failed broken.gstex: x_albedo.png: not an image by its content" in line for line in lines)
    assert any("failed a/steel.gstex: roughness: 2 files could hold it" in line for line in lines)
    assert "4 materials: 2 done, 0 up to date, 2 failed" in ran.out
    assert "Traceback" not in ran.err and "this is a bug" not in ran.err


def test_an_input_that_vanished_fails_alone(own: tuple[Path, Path]) -> None:
    library, out = own
    made = plan(library, out, options=QUICK)
    (library / "bricks/weathered_bricks_ao.png").unlink()
    shutil.rmtree(library / "a/steel")
    events = run_all(made, out)
    assert ended(events) == {**dict.fromkeys(OUTPUTS, "failed"), "a/deep/wood.gstex": "current"}
    said = {event.output: event.message for event in events if event.event == "failed"}
    assert "weathered_bricks_ao.png: does not exist" in said["bricks.gstex"]
    assert "a/steel: no such file or folder" in said["a/steel.gstex"]


def test_a_source_that_changes_while_it_is_read(
    own: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library, _ = own
    load = work.load_material

    def load_and_change(source: Path, **how: Any) -> Material:
        material = load(source, **how)
        with open(library / "bricks/weathered_bricks_ao.png", "ab") as file:
            file.write(b"more")
        return material

    monkeypatch.setattr(work, "load_material", load_and_change)
    (item,) = plan(library / "bricks", tmp_path / "new", options=QUICK).items
    with pytest.raises(MaterialError, match="bricks: its files changed while they were read; run the batch again"):
        work.make_output(item, tmp_path / "new")
    assert outputs(tmp_path / "new") == {}


def test_a_full_disk(own: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, expected: dict[str, bytes]) -> None:
    library, out = own
    image(library / "bricks/weathered_bricks_ao.png", 1, 16)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    (item,) = plan(library / "bricks", out, options=QUICK).items
    with pytest.raises(OutputError, match=r"bricks.gstex: cannot be written \(No space left on device\)"):
        work.make_output(item, out)
    check_whole(out, expected)
    assert leftovers(out) == []


def test_a_folder_that_cannot_be_written_fails_alone_and_at_once(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("in the way")  # not by chmod: the tests may run as root, who may write anywhere
    events = run_all(library, tmp_path)
    assert ended(events) == {**dict.fromkeys(OUTPUTS, "failed"), "bricks.gstex": "done"}
    said = [event.message for event in events if event.event == "failed"]
    assert all("cannot be written to (" in line and "check permissions" in line for line in said)
    monkeypatch.setattr(work, "compress", None)  # it is found out before the work
    with pytest.raises(OutputError):
        work.make_output(plan(library / "a/steel", tmp_path / "a", options=QUICK).items[0], tmp_path / "a")


def test_outputs_that_cannot_be_written_at_all(library: Path, tmp_path: Path, command: Command) -> None:
    (tmp_path / "file").write_text("")
    said = command("batch", library, "-o", tmp_path / "file", *QUICK_ARGUMENTS).error()
    assert said.endswith("choose another folder for -o") and "file: cannot be written to" in said


def test_a_process_that_is_killed_takes_one_material_along(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, bytes]
) -> None:
    monkeypatch.setattr(crew, "serve", batch_library.serve_and_die)
    events = run_all(library, tmp_path)
    assert ended(events) == {**dict.fromkeys(OUTPUTS, "done"), LOST: "failed"}
    [said] = [event.message for event in events if event.event == "failed"]
    assert said.startswith("its process ended by signal 9, perhaps for want of memory")
    check_whole(tmp_path, expected)


# ---- kill -9, two at once, Ctrl-C

DIES_AT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from batch_library import QUICK
from gstex.batch import plan
from gstex.batch.work import make_output

moment, count = sys.argv[4], 0
def dies(name):
    real = getattr(os, name)
    def call(*arguments):
        global count
        if f"before {name} {count}" == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        real(*arguments)
        if f"after {name} {count}" == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        count += name == "replace"
    setattr(os, name, call)
dies("fsync"), dies("replace")
(item,) = plan(sys.argv[2], sys.argv[3], options=QUICK).items
make_output(item, Path(sys.argv[3]))
"""


@pytest.mark.parametrize("moment", ["before fsync 0", "before replace 0", "after replace 0", "before replace 1"])
def test_killed_while_it_writes(library: Path, tmp_path: Path, made: Path, moment: str) -> None:
    """0 is the output, 1 its record: whichever is there is whole, and only both together are up to date."""
    out = tmp_path / "out"
    run_in = [sys.executable, "-c", DIES_AT, Path(__file__).parent, library / "bricks", out, moment]
    done = subprocess.run(list(map(str, run_in)), capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    expected = {"bricks.gstex": outputs(made)["bricks.gstex"]}
    check_whole(out, expected)
    assert bool(outputs(out)) == (moment in ("after replace 0", "before replace 1"))
    for path in leftovers(out):
        os.utime(path, (1, 1))
    assert ended(run_all(library / "bricks", out)) == {"bricks.gstex": "done"}
    assert outputs(out) == expected and leftovers(out) == []
    assert ended(run_all(library / "bricks", out)) == {"bricks.gstex": "current"}


def test_killed_at_some_events_it_goes_on(library: Path, tmp_path: Path, expected: dict[str, bytes]) -> None:
    """The batch and its processes are killed after some event; where exactly that finds them does not matter."""
    chance = random.Random(20)
    out = tmp_path / "out"
    for _ in range(2):
        process = start(library, "-o", out, *QUICK_ARGUMENTS, "--json")
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 7)):
            process.stdout.readline()
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        check_whole(out, expected)
    assert set(ended(run_all(library, out)).values()) <= {"done", "current"}
    assert outputs(out) == expected
    check_whole(out, expected)


def test_when_the_batch_alone_is_killed_its_processes_end(library: Path, tmp_path: Path) -> None:
    process = start(library, "-o", tmp_path, "--effort", "thorough", "--gaussians", "500", "--json")
    assert process.stdout is not None
    while '"begin"' not in process.stdout.readline():
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=60)  # the pipes end when nobody holds them any more
    assert process.returncode == -signal.SIGKILL


def test_two_batches_at_once(library: Path, tmp_path: Path, expected: dict[str, bytes]) -> None:
    both = [start(library, "-o", tmp_path, *QUICK_ARGUMENTS, "--jobs", "1", *more) for more in ((), ("--seed", "1"))]
    for process in both:
        assert (process.communicate(timeout=120), process.returncode)[1] == 0
    assert list(outputs(tmp_path)) == OUTPUTS
    for name in OUTPUTS:  # one came last
        gstex.load(tmp_path / name)
    assert set(ended(run_all(library, tmp_path)).values()) <= {"done", "current"}
    assert outputs(tmp_path) == expected
    check_whole(tmp_path, expected)


@pytest.mark.parametrize("number, code, by", [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_ctrl_c_and_sigterm_leave_nothing_half_written(
    library: Path, tmp_path: Path, number: int, code: int, by: str
) -> None:
    process = start(library, "-o", tmp_path, "--effort", "thorough", "--gaussians", "500", "--json")
    assert process.stdout is not None
    while '"begin"' not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.splitlines()[-1] == (f"gstex: error: stopped by {by} after 0 of 3 materials; the same command goes on "
                                    "from there")  # fmt: skip
    assert "Traceback" not in err
    assert leftovers(tmp_path) == [] and outputs(tmp_path) == {}


def test_a_signal_waits_until_a_new_process_can_be_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker = crew.Worker(None, None, 1)  # type: ignore[arg-type]

    def start_interrupted(*arguments: object) -> crew.Worker:
        signal.raise_signal(signal.SIGINT)  # as the process is half-started
        return worker

    monkeypatch.setattr(crew, "start_worker", start_interrupted)
    workers: list[crew.Worker] = []
    with pytest.raises(KeyboardInterrupt):
        list(crew._fill(workers, deque([Item("", Path(), (), "")]), tmp_path, 1, 1, False))
    assert workers == [worker]


def test_a_terminal_shows_a_bar(own: tuple[Path, Path]) -> None:
    library, out = own
    image(library / "new/x_albedo.png", 3, 16)
    master, slave = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "150"}
    process = subprocess.Popen([sys.executable, "-m", "gstex", "batch", library, "-o", out, *QUICK_ARGUMENTS],
                               stdout=subprocess.PIPE, stderr=slave, env=environment, text=True)  # fmt: skip
    os.close(slave)
    shown = b""
    while chunk := read_terminal(master):
        shown += chunk
    printed, _ = process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == 0 and printed.startswith("4 materials: 1 done, 3 up to date, 0 failed; ")
    for part in ("━", "1 at work", "3 of 4", "more than BC7"):  # so small files are larger
        assert part.encode() in shown, part


def test_only_old_leftovers_are_swept(library: Path, tmp_path: Path) -> None:
    old, young, other = (tmp_path / name for name in (TEMPORARY.format("old"), TEMPORARY.format("new"), "old.tmp"))
    for path in (old, young, other):
        path.write_text("")
    for path in (old, other):
        os.utime(path, (1, 1))
    State(tmp_path).sweep({tmp_path})
    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)


# ---- who works on what


@pytest.mark.parametrize("cores, workers, shares", [
    (2, 2, [1, 1]), (2, 1, [2]), (8, 3, [3, 3, 2]), (16, 5, [4, 3, 3, 3, 3]), (2, 3, [1, 1, 1]),
])  # fmt: skip
def test_all_cores_are_shared_out(cores: int, workers: int, shares: list[int]) -> None:
    assert crew.share_threads(cores, workers) == shares


def test_the_last_materials_get_the_threads_of_those_that_are_done() -> None:
    class Pipe:
        def __init__(self) -> None:
            self.sent: list[object] = []

        def send(self, message: object) -> None:
            self.sent.append(message)

    small, large = (Item("", Path(), (), "", texels=texels) for texels in (10, 20))
    workers = [crew.Worker(None, Pipe(), 2, item) for item in (small, None, large, None)]  # type: ignore[arg-type]
    crew._balance(workers, 9)
    assert [worker.threads for worker in workers] == [4, 2, 5, 2]
    assert [worker.connection.sent for worker in workers] == [[("threads", 4)], [], [("threads", 5)], []]
    crew._balance(workers, 9)
    assert len(workers[0].connection.sent) == 1  # nothing is said twice


def test_the_largest_begin_first(library: Path, tmp_path: Path) -> None:
    tree = shutil.copytree(library, tmp_path / "library")
    image(tree / "z/z_albedo.png", 3, 40)
    made = plan(tree, tmp_path / "out", options=QUICK)
    begun = [event for event in run(made, jobs=1, threads=1, page=False) if event.event == "begin"]
    # albedo, normal, ao, height, roughness; albedo, normal, displacement, roughness; albedo, normal, orm; one map
    costs = [crew.cost(next(i for i in made.items if i.output == event.output)) for event in begun]
    assert costs == sorted(costs, reverse=True) and begun[0].output == "z.gstex"
    assert {event.threads for event in begun} == {1}


@pytest.mark.parametrize("how", [{"jobs": 0}, {"threads": -1}])
def test_numbers_out_of_range(library: Path, tmp_path: Path, how: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="expected at least 1"):
        next(run(plan(library, tmp_path), **how))
    with pytest.raises(GstexError, match="bpp"):
        plan(library, tmp_path, options=Options(bpp=-1.0))
    with pytest.raises(UsageError, match="bpp and quality: got 2 of them"):
        Options(bpp=1.0, quality="high")


# ---- what the command prints


def test_json_lines(own: tuple[Path, Path], command: Command) -> None:
    library, out = own
    image(library / "new/x_albedo.png", 3, 16)
    ran = command("batch", library, "-o", out, *QUICK_ARGUMENTS, "--json", "--jobs", "1")
    events = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 0
    assert [event["event"] for event in events if event["event"] != "progress"] == [
        "start", "current", "current", "current", "begin", "done", "end",
    ]  # fmt: skip
    [done] = [event for event in events if event["event"] == "done"]
    assert done["output"] == "new.gstex" and done["file_bytes"] == (out / "new.gstex").stat().st_size
    assert done["psnr_by_map"].keys() == {"albedo"} and done["source"] == str(library / "new")
    assert "thumbnail" not in done and done["sha256"]
    assert events[0] == {"event": "start", "total": 4, "jobs": 1, "threads": events[0]["threads"]}
    assert {k: v for k, v in events[-1].items() if k != "seconds"} == {
        "event": "end", "total": 4, "current": 3, "done": 1, "failed": 0,
    }  # fmt: skip
    assert (out / "index.html").is_file()
    assert "1 done, 3 up to date, 0 failed" in ran.err  # the summary makes room for JSON


def test_quiet_and_verbose(own: tuple[Path, Path], command: Command) -> None:
    library, out = own
    (library / "bricks/notes.txt").write_text("")
    (library / "b").mkdir()
    (library / "b/x_albedo.png").write_text("")
    ran = command("batch", library, "-o", out, *QUICK_ARGUMENTS, "--quiet")
    assert ran.out == "" and len(ran.err.splitlines()) == 2 and "failed b.gstex" in ran.err
    shutil.rmtree(library / "b")
    assert command("batch", library, "-o", out, *QUICK_ARGUMENTS, "-q").err == ""
    ran = command("batch", library, "-o", out, *QUICK_ARGUMENTS, "-v")
    lines = [line.split(" ", 2)[2] for line in ran.err.splitlines()]  # without "gstex: 0:00"
    assert sorted(lines)[1:] == [f"left out: {library}/bricks/notes.txt: {lines[0].rpartition(': ')[2]}",
                                 *(f"up to date {name}" for name in OUTPUTS)]  # fmt: skip
    assert ran.out.startswith("3 materials: 0 done, 3 up to date, 0 failed; ")
