"""gstex batch --ray: on a local cluster of several nodes the results are those of one machine."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_library import QUICK, QUICK_ARGUMENTS, check_whole, ended, image, leftovers, make_library, outputs
from command import Command
from msgspec import structs

from gstex.batch import Options, cluster, plan, run
from gstex.batch.cluster import cpus_for
from gstex.batch.state import State, fingerprint
from gstex.errors import ExtraError, UsageError

try:
    import ray
    from ray.cluster_utils import Cluster
except ImportError:
    ray = None  # type: ignore[assignment]

needs_ray = pytest.mark.skipif(ray is None, reason="needs ray (pip install gstex[ray]: 80 MB, "
                               "and these tests start a cluster and take a minute or two)")  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of materials with everything that has to be shipped. Not to be changed."""
    library = make_library(tmp_path_factory.mktemp("library"))
    image(library / "bricks/mip1/weathered_bricks_albedo.png", size=8)
    image(library / "one.png", size=16)
    image(library / "words/x_farbe.png", size=16)
    (library / "words/gstex.toml").write_text('[words]\nalbedo = ["farbe"]\n')
    return library


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    return structs.replace(QUICK, importance=str(image(tmp_path_factory.mktemp("map") / "map.png", 1, 16)))


@pytest.fixture(scope="module")
def expected(library: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("expected")
    events = list(run(plan(library, out, options=options), jobs=1, page=False))
    assert set(ended(events).values()) == {"done"}
    return outputs(out)


@pytest.fixture(scope="module")
def nodes() -> Iterator["Cluster"]:
    """A cluster of three nodes with a CPU each; the first is the head, which stays."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.add_node(num_cpus=1)
    yield made
    made.shutdown()


@needs_ray
@pytest.mark.parametrize("files", cluster.FILES)
def test_the_same_bytes_as_on_one_machine(
    library: Path, options: Options, expected: dict[str, bytes], nodes: "Cluster", tmp_path: Path, files: str
) -> None:
    made = plan(library, tmp_path, options=options)
    events = list(run(made, ray=nodes.address, ray_files=files, page=False))
    assert ended(events) == dict.fromkeys(expected, "done")
    assert outputs(tmp_path) == expected and leftovers(tmp_path) == []
    check_whole(tmp_path, expected)
    for item in made.items:
        record = State(tmp_path).load(item.output)
        assert record is not None and record.key == fingerprint(item), item.output
    assert set(ended(list(run(made, ray=nodes.address, page=False))).values()) == {"current"}
    assert set(ended(list(run(made, jobs=1, page=False))).values()) == {"current"}


@needs_ray
def test_what_fails_fails_alone(library: Path, nodes: "Cluster", tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a/steel.gstex").write_text("mine")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/x_albedo.png").write_bytes(b"no picture")
    made = plan([library, tmp_path / "broken"], out, options=QUICK)
    events = list(run(made, ray=nodes.address, page=False))
    failed = {Path(event.output).name: event.message for event in events if event.event == "failed"}
    assert failed.keys() == {"broken.gstex"}, failed
    assert failed["broken.gstex"].startswith("x_albedo.png: not an image by its content")
    events = list(run(plan(library, out, options=QUICK), ray=nodes.address, page=False))
    failed = {event.output: event.message for event in events if event.event == "failed"}
    assert failed.keys() == {"a/steel.gstex"}
    assert failed["a/steel.gstex"].startswith(f"{out}/a/steel.gstex: already exists")
    assert (out / "a/steel.gstex").read_text() == "mine"
    needing = plan(library / "bricks", tmp_path / "gpu", options=structs.replace(QUICK, device="cuda"))
    [said] = [event.message for event in run(needing, ray=nodes.address, page=False) if event.event == "failed"]
    assert said == "no node of the cluster has a GPU; take device auto or cpu"


@needs_ray
def test_a_node_that_dies_costs_only_its_work(
    library: Path, options: Options, expected: dict[str, bytes], nodes: "Cluster", tmp_path: Path
) -> None:
    """Whatever the node is doing when it is killed."""
    dying = nodes.add_node(num_cpus=2)
    told = []
    for event in run(plan(library, tmp_path, options=options), ray=nodes.address, page=False):
        told.append(event)
        if event.event == "begin" and dying is not None and len(told) > 3:
            nodes.remove_node(dying, allow_graceful=False)
            dying = None
    assert dying is None and ended(told) == dict.fromkeys(expected, "done")
    assert outputs(tmp_path) == expected


@needs_ray
def test_the_command(library: Path, nodes: "Cluster", tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gstex", "batch", library, "-o", tmp_path, *QUICK_ARGUMENTS, "--json",
               "--ray", nodes.address]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0] == {"event": "start", "total": 5} and events[-1]["done"] == 5
    assert "5 materials, on a cluster" in done.stderr and (tmp_path / "index.html").is_file()


@needs_ray
def test_ctrl_c(library: Path, nodes: "Cluster", tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gstex", "batch", library, "-o", tmp_path, "--effort", "thorough",
               "--gaussians", "500", "--json", "--ray", nodes.address]  # fmt: skip
    process = subprocess.Popen(list(map(str, command)), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)  # fmt: skip
    assert process.stdout is not None
    while '"begin"' not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert err.splitlines()[-1].startswith("gstex: error: stopped by Ctrl-C after 0 of 5 materials")


@needs_ray
def test_an_address_where_no_cluster_is(library: Path, tmp_path: Path, command: Command) -> None:
    said = command("batch", library, "-o", tmp_path, *QUICK_ARGUMENTS, "--ray", "127.0.0.1:9").error()
    assert said.startswith("--ray: got '127.0.0.1:9', where no cluster answers (")


def test_without_ray(library: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ExtraError, match=r"pip install gstex\[ray\]"):
        list(run(plan(library, tmp_path, options=QUICK), ray="auto"))
    assert "contradict each other" in command("batch", library, "-o", tmp_path, "--ray", "auto", "--jobs", "2").error()
    with pytest.raises(UsageError, match="ray_files: got 'mail', expected one of shipped, shared"):
        next(run(plan(library, tmp_path), ray="auto", ray_files="mail"))


@pytest.mark.parametrize("left, total, largest, cpus", [
    (100, 64, 16, 1), (64, 64, 16, 1), (20, 64, 16, 3), (2, 64, 16, 16), (1, 2, 1, 1), (5, 0, 1, 1),
])  # fmt: skip
def test_the_last_materials_get_more_cpus(left: int, total: int, largest: int, cpus: int) -> None:
    assert cpus_for(left, total, largest) == cpus
