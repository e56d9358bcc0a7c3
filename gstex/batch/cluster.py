"""The materials of a plan on a Ray cluster (pip install gstex[ray]): each is a task, with CPUs and GPUs as resources.

Files are shipped as Ray objects: a node gets the bytes of the inputs and returns those of the output, and this process
writes the output as a batch on one machine does. Where all nodes see the same storage under the same paths, they can
read and write the files themselves instead. A task whose node dies runs again on another node.
"""

import contextlib
import logging
import socket
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import structs

from gstex.batch.crew import cost
from gstex.batch.events import Event
from gstex.batch.plans import Item
from gstex.batch.state import Record, State, input_files
from gstex.errors import DeviceError, ExtraError, GstexError, MaterialError, UsageError
from gstex.files import replace_file
from gstex.material.vocabulary import NAMES_FILE
from gstex.version import __version__

__all__ = ["FILES", "GPU_PART", "cpus_for", "work_on_cluster"]

FILES = ("shipped", "shared")
# The share of a GPU that a fit gets: two fits on one GPU fill each other's pauses. The value is not measured.
GPU_PART = 0.5
_RETRIES = 5  # of a task whose worker or node died
_ANSWER = 5.0  # seconds in which a cluster has to answer
_PATIENCE = 0.5  # seconds between two looks at what the cluster has


@dataclass(frozen=True)
class _Shipment:
    """The files of a material as bytes.

    folder: where they come from. single: whether the source is a single image. images: the files of the folder by their
    paths in it. names: the file of names. importance: the importance map. there: the file that the output would
    replace, if it has to be checked.
    """

    folder: str
    single: bool
    images: dict[str, bytes]
    names: bytes | None
    importance: bytes | None
    there: bytes | None


def work_on_cluster(items: Sequence[Item], out: Path, *, address: str, files: str, force: bool) -> Iterator[Event]:
    """Compress materials on a cluster, the largest first. Events are those of `crew.work_through`, without progress.

    Args:
        address: of the cluster, or 'auto' for the one that RAY_ADDRESS or this machine knows. files: of FILES.
    Raises:
        ExtraError: Ray is not installed. UsageError: there is no such cluster.
    """
    ray = _import()
    with _connected(ray, address):
        yield from _work(ray, items, out, files, force)


def cpus_for(left: int, total: int, largest: int) -> int:
    """The number of CPUs for a task. While many materials are left, each gets one CPU; the last ones get more.

    left: materials that are not done yet, this one included. total: CPUs of the cluster. largest: CPUs of its largest
    node.
    """
    return max(1, min(total // max(left, 1), largest))


def _work(ray: ModuleType, items: Sequence[Item], out: Path, files: str, force: bool) -> Iterator[Event]:
    task = ray.remote(max_retries=_RETRIES)(_fit)
    waiting = deque(sorted(items, key=cost, reverse=True))
    running: dict[object, tuple[Item, float]] = {}
    try:
        while waiting or running:
            cpus, gpus, largest = _resources(ray)
            # Submit a task for every CPU and some more, so that no node waits for this loop.
            while waiting and len(running) < max(1, cpus) + max(1, cpus // 8):
                item = waiting.popleft()
                threads = cpus_for(len(waiting) + len(running) + 1, cpus, largest)
                wants_gpu = item.options.device == "cuda" or (item.options.device == "auto" and gpus)
                try:
                    if wants_gpu and not gpus:
                        raise DeviceError("no node of the cluster has a GPU; take device auto or cpu")
                    shipment = _pack(item, out, force) if files == "shipped" else None
                except (OSError, GstexError) as error:
                    yield Event("failed", item.output, str(item.source), message=str(error))
                    continue
                options = {"num_cpus": threads, "num_gpus": GPU_PART if wants_gpu else 0, "name": item.output}
                reference = task.options(**options).remote(item, str(out), force, threads, __version__, shipment)
                running[reference] = item, time.monotonic()
                yield Event("begin", item.output, str(item.source), threads=threads)
            ready, _ = ray.wait(list(running), num_returns=1, timeout=_PATIENCE)
            for reference in ready:
                item, started = running.pop(reference)
                seconds = round(time.monotonic() - started, 3)
                yield _ended(ray, reference, item, out, seconds)
    finally:
        for reference in running:
            with contextlib.suppress(Exception):
                ray.cancel(reference, force=True)


def _ended(ray: ModuleType, reference: object, item: Item, out: Path, seconds: float) -> Event:
    """The event of a task that has ended."""
    try:
        kind, value, data = ray.get(reference)
        if kind == "done" and data is not None:
            target = out / item.output
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, data)
            State(out).save(value)
    except ray.exceptions.RayError as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        kind, value = "failed", f"its task was lost {_RETRIES + 1} times, perhaps for want of memory ({why})"
    except (OSError, GstexError) as error:
        kind, value = "failed", str(error)
    if kind == "done":
        return Event("done", item.output, str(item.source), seconds=seconds, record=value)
    return Event("failed", item.output, str(item.source), seconds=seconds, message=value)


def _fit(
    item: Item, out: str, force: bool, threads: int, version: str, shipment: _Shipment | None
) -> tuple[str, Record | str, bytes | None]:
    """Compress one material on a node: ('done', record, output if it is shipped) or ('failed', message, None)."""
    from gstex import native
    from gstex.batch.work import make_output

    if version != __version__:
        return "failed", f"a node has gstex {__version__}, and {version} is here; install the same version", None
    native.set_thread_count(min(threads, native.cores()))
    with contextlib.ExitStack() as stack:
        target, shown = Path(out), {}
        if shipment is not None:
            work_folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gstex-")))
            shown = {str(work_folder / "out"): out, str(work_folder / "source"): shipment.folder}
            item, target = _unpack(item, shipment, work_folder)
        try:
            record = make_output(item, target, force=force)
            return "done", record, None if shipment is None else (target / item.output).read_bytes()
        except MemoryError:
            return "failed", "there is not enough memory on its node", None
        except GstexError as error:
            message = str(error)
            for path, name in shown.items():
                message = message.replace(path, name)
            return "failed", message, None
        except Exception as error:
            return "failed", f"unexpected {type(error).__name__}: {error}; this is a bug, report it", None


def _pack(item: Item, out: Path, force: bool) -> _Shipment:
    """The files of a material. Raises: MaterialError, OSError."""
    single = not item.source.is_dir()
    folder = item.source.parent if single else item.source
    inputs: dict[str, bytes] = {}
    for label, path in input_files(item, {}):
        if not label.startswith("importance") and (item.names is None or label != "names"):
            try:
                inputs[path.relative_to(folder).as_posix()] = path.read_bytes()
            except OSError as error:
                raise MaterialError(f"{path}: cannot be read ({error.strerror}); put it back, or make the plan "
                                    "anew") from None  # fmt: skip
    importance = item.options.importance
    given = None if importance in (None, "auto") else Path(str(importance)).read_bytes()
    state, target = State(out), out / item.output
    check = not force and target.is_file() and not state.holds(state.load(item.output))
    names = None if item.names is None else item.names.read_bytes()
    return _Shipment(str(folder), single, inputs, names, given, target.read_bytes() if check else None)


def _unpack(item: Item, shipment: _Shipment, work_folder: Path) -> tuple[Item, Path]:
    """Write the shipped files on this node. Return the item with its paths here, and the folder of the outputs."""
    folder, out = work_folder / "source", work_folder / "out"
    for name, data in shipment.images.items():
        _write(folder / name, data)
    if shipment.there is not None:
        _write(out / item.output, shipment.there)
    changes: dict[str, Any] = {"source": folder / item.source.name if shipment.single else folder}
    if shipment.names is not None:
        changes["names"] = _write(work_folder / "names" / NAMES_FILE, shipment.names)
    if shipment.importance is not None:
        path = _write(work_folder / "importance" / Path(str(item.options.importance)).name, shipment.importance)
        changes["options"] = structs.replace(item.options, importance=str(path))
    return replace(item, **changes), out


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _resources(ray: ModuleType) -> tuple[int, float, int]:
    """CPUs and GPUs of all live nodes together, and CPUs of the largest node."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = [int(resources.get("CPU", 0)) for resources in alive]
    return sum(cpus), sum(resources.get("GPU", 0.0) for resources in alive), max(cpus, default=1)


def _import() -> ModuleType:
    try:
        import ray
    except ImportError:
        raise ExtraError("--ray: needs Ray, which is not installed; pip install gstex[ray]") from None
    return ray


@contextlib.contextmanager
def _connected(ray: ModuleType, address: str) -> Iterator[None]:
    """Connect to the cluster inside the `with`. An existing connection is used and stays open."""
    if ray.is_initialized():
        yield
        return
    try:
        if not address.startswith("ray://") and address != "auto":
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), _ANSWER).close()  # Ray itself would wait for minutes
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace="gstex")
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"--ray: got {address!r}, where no cluster answers ({why}); give auto or HOST:PORT of a "
                         "cluster that `ray start` has started") from None  # fmt: skip
    try:
        yield
    finally:
        ray.shutdown()
