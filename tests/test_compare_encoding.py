"""Encoding many images: each once, kept from run to run, in processes or not."""

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_samples import crop_sample

from gstex.compare import encoding
from gstex.compare.cache import Cache, default_folder
from gstex.compare.encoding import Job, encode_all, find_waiting, unzip, zip_bytes
from gstex.errors import ExtraError, GstexError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (12, 8, 1), dtype=np.uint8)


@pytest.fixture
def runs(monkeypatch):
    """The codecs that were really run."""
    done = []
    run = Job.run
    monkeypatch.setattr(Job, "run", lambda job: done.append(job.codec) or run(job))
    return done


def files(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_equal_jobs_run_once(image, runs):
    steps = []
    jobs = [Job("bc4", image), Job("bc4", image.copy()), Job("bc4", 255 - image)]
    results = encode_all(jobs, progress=lambda *at: steps.append(at))
    assert runs == ["bc4", "bc4"] and results[0] == results[1] != results[2]
    work = jobs[0].work
    assert steps == [(0, 2 * work), (work, 2 * work), (2 * work, 2 * work)]
    assert len(unzip(results[0])) == 3 * 2 * 8


def test_results_are_kept(image, runs, tmp_path):
    first = encode_all([Job("bc4", image)], cache=Cache(tmp_path))
    steps = []
    again = encode_all([Job("bc4", image)], cache=Cache(tmp_path), progress=lambda *at: steps.append(at))
    assert find_waiting([Job("bc4", image), Job("bc4", 255 - image)], Cache(tmp_path))[0].image is not image
    assert first == again and runs == ["bc4"] and steps == [(0, 0)]


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[:-1], lambda d: bytes([d[0] ^ 1]) + d[1:],
                                    lambda d: d[:-5] + bytes([d[-5] ^ 1]) + d[-4:], lambda d: zip_bytes(b"other")])
def test_a_damaged_entry_is_made_again(image, runs, tmp_path, damage):
    good = encode_all([Job("bc4", image)], cache=Cache(tmp_path))
    [path] = files(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert encode_all([Job("bc4", image)], cache=Cache(tmp_path)) == good and len(runs) == 2
    assert path.read_bytes() == good[0]


def test_a_cache_that_cannot_be_written_is_no_error(image, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert encode_all([Job("bc4", image)], cache=Cache(blocked)) == encode_all([Job("bc4", image)])


def test_the_key_holds_all_that_matters(image, monkeypatch):
    keys = {
        Job("bc4", image).key, Job("bc4", 255 - image).key, Job("bc4", image.transpose(1, 0, 2)).key,
        Job("astc-4x4", image).key, Job("astc-4x4", image, exhaustive=True).key,
    }  # fmt: skip
    assert len(keys) == 5
    assert Job("bc4", image, exhaustive=True).key == Job("bc4", image).key  # BC4 knows no such setting
    monkeypatch.setattr(encoding, "versions", lambda codec: {"bc4": "0"})
    assert Job("bc4", image).key not in keys


def test_processes_give_the_same(image, monkeypatch):
    jobs = [Job("bc4", np.roll(image, i)) for i in range(3)]
    alone = encode_all(jobs)
    monkeypatch.setattr(encoding, "SMALL_WORK", 0)
    assert encode_all(jobs, processes=2) == alone


def test_processes_end_without_a_word(tmp_path):
    """What they imported would report what it still holds, if it were given the time."""
    script = tmp_path / "script.py"
    script.write_text(
        "from gstex.compare.measuring import take_material\n"
        "from gstex.compare.pool import run_all\n"
        "from gstex.material import load_material\n"
        "if __name__ == '__main__':\n"
        f"    material = load_material({str(crop_sample('vine_leaves', tmp_path / 'leaves', 8))!r})\n"
        "    results = run_all(abs, [-1, -2], processes=2, setup=take_material, given=(material,))\n"
        "    print(sorted(result for _, result in results))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[1, 2]\n", "")


def test_a_stop_ends_the_processes(image, monkeypatch):
    monkeypatch.setattr(encoding, "SMALL_WORK", 0)
    before = set(multiprocessing.active_children())

    def stop(done, total):
        if done > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_all([Job("bc4", np.roll(image, i)) for i in range(4)], processes=2, progress=stop)
    assert not set(multiprocessing.active_children()) - before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_end_with_their_parent(tmp_path):
    """Killed, so that it cannot say goodbye."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, time\n"
        "from gstex.compare.pool import run_all\n"
        "if __name__ == '__main__':\n"
        "    for number, _ in run_all(time.sleep, [0, 0, 600, 600], processes=2):\n"
        "        print(*[p.pid for p in __import__('multiprocessing').active_children()], flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment)
    workers = [int(word) for word in run.stdout.readline().split()]
    run.kill()
    run.wait()
    run.stdout.close()
    assert workers
    deadline = time.monotonic() + 30
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, workers))


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_trim_keeps_what_was_used_last(tmp_path):
    cache = Cache(tmp_path)
    for age, key in enumerate(("aa1", "bb2", "cc3")):
        cache.put(key, bytes(100))
        os.utime(tmp_path / key[:2] / key, (time.time() - 1000 + age,) * 2)
    assert cache.get("aa1") == bytes(100)
    cache.trim(250)
    assert [p.name for p in files(tmp_path)] == ["aa1", "cc3"]


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("GSTEX_CACHE", str(tmp_path / "x"))
    assert default_folder() == tmp_path / "x"
    monkeypatch.delenv("GSTEX_CACHE")
    assert default_folder().name == "gstex"
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert default_folder() == tmp_path / "gstex"


def test_what_is_no_zstd():
    with pytest.raises(GstexError, match="cannot be unpacked"):
        unzip(b"no zstd at all")


def test_without_zstandard(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(ExtraError, match=r"needs zstandard: pip install gstex\[compare\]"):
        zip_bytes(b"x")
