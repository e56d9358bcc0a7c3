"""Carry out a plan: skip the materials that are up to date, compress the others, and write a page about all of them."""

import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from gstex import native
from gstex.batch.cluster import FILES, work_on_cluster
from gstex.batch.crew import work_through
from gstex.batch.events import Event
from gstex.batch.gpus import find_gpus, wants_gpu
from gstex.batch.page import write_page
from gstex.batch.plans import Item, Plan
from gstex.batch.rows import Row
from gstex.batch.state import Listings, Record, State, fingerprint
from gstex.batch.work import copy_output
from gstex.errors import GstexError, OutputError, UsageError

__all__ = ["PAGE", "check_items", "prepare_output", "run"]

PAGE = "index.html"


def run(
    plan: Plan, *, jobs: int | None = None, threads: int | None = None, force: bool = False, page: bool = True,
    ray: str | None = None, ray_files: str = "shipped",
) -> Iterator[Event]:
    """Carry out a plan and report it as events. To stop, close the generator or press Ctrl-C.

    Processes are spawned, so a script that calls this needs its `if __name__ == "__main__":`.

    Args:
        plan: of `plan` or `read_manifest`.
        jobs: materials at once; None for one per core.
        threads: of all materials together; None for one per core.
        force: compress everything again, and replace files that no batch has made.
        page: write index.html into the folder of the outputs at the end.
        ray: address of a Ray cluster whose nodes do the work, or 'auto' (gstex/batch/cluster.py); None for this
            machine. jobs are then as many as the cluster has room for.
        ray_files: 'shipped' to and from the nodes, or 'shared': they see the same folders under the same paths.
    Raises:
        UsageError: jobs, threads or ray are out of range, or there is no such cluster. ExtraError: ray needs a package
        that is missing. OutputError: the folder of the outputs or the page cannot be written. A material that fails is
        an event and raises nothing.
    """
    for name, value in (("jobs", jobs), ("threads", threads)):
        if value is not None and value < 1:
            raise UsageError(f"{name}: got {value}, expected at least 1")
    if ray is not None and jobs is not None:
        raise UsageError("jobs: goes with this machine; a cluster has as many as its nodes have room for; drop it")
    if ray_files not in FILES:
        raise UsageError(f"ray_files: got {ray_files!r}, expected one of {', '.join(FILES)}")
    cores = min(threads or native.cores(), native.cores())
    most = min(jobs or cores, len(plan.items))
    started = time.monotonic()
    prepare_output(plan.out)
    state = State(plan.out)
    state.sweep({(plan.out / item.output).parent for item in plan.items})
    rows = {id(item): Row(item) for item in plan.items}
    by_output = {item.output: item for item in reversed(plan.items)}
    counts = {"current": 0, "done": 0, "failed": 0}
    is_local = ray is None
    yield Event("start", total=len(plan.items), jobs=most if is_local else None, threads=cores if is_local else None)

    waiting: list[Item] = []
    for item, event in check_items(plan, state, cores, force):
        if event is None:
            waiting.append(item)
            continue
        rows[id(item)].take(event)
        counts["failed" if event.event == "failed" else "current"] += 1
        yield event
    if ray is None:
        gpus = find_gpus() if any(map(wants_gpu, waiting)) else ()
        work = work_through(waiting, plan.out, jobs=most, cores=cores, force=force, gpus=gpus)
    else:
        work = work_on_cluster(waiting, plan.out, address=ray, files=ray_files, force=force)
    for event in work:
        if event.event in ("done", "failed"):
            rows[id(by_output[event.output])].take(event)
            counts[event.event] += 1
        yield event
    if page:
        write_page(plan.out / PAGE, list(rows.values()))
    yield Event("end", total=len(plan.items), seconds=round(time.monotonic() - started, 3),
                current=counts["current"], done=counts["done"], failed=counts["failed"])  # fmt: skip


def check_items(plan: Plan, state: State, cores: int, force: bool) -> Iterator[tuple[Item, Event | None]]:
    """Yield each item with the event that ends it, or with None if it needs a fit. All cores hash the files."""
    broken = [item for item in plan.items if item.problem]
    sound = [item for item in plan.items if not item.problem]
    for item in broken:
        yield item, Event("failed", item.output, str(item.source), message=item.problem)
    if force:
        yield from ((item, None) for item in sound)
        return
    known = {record.output: record for record in state.all()}
    by_key: dict[str, list[Record]] = {}
    for record in known.values():
        by_key.setdefault(record.key, []).append(record)
    stop = threading.Event()
    listings: Listings = {}
    pool = ThreadPoolExecutor(cores)
    try:
        futures: dict[Future[str], Item] = {pool.submit(fingerprint, item, stop, listings): item for item in sound}
        for future in as_completed(futures):
            item = futures[future]
            try:
                key = future.result()
                yield item, _settled(item, key, plan.out, state, known.get(item.output), by_key.get(key, ()))
            except GstexError as error:
                yield item, Event("failed", item.output, str(item.source), message=str(error))
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _settled(
    item: Item, key: str, out: Path, state: State, record: Record | None, alike: Sequence[Record]
) -> Event | None:
    """The event of an item that is up to date or can be copied; None if it needs a fit."""
    if record is not None and (record.key, record.name) == (key, item.name) and state.holds(record):
        return Event("current", item.output, str(item.source), record=record)
    for other in alike:
        if state.holds(other):
            new_record = copy_output(item, key, other, out)
            if new_record is not None:
                how = f"made before as {other.output}"
                return Event("moved", item.output, str(item.source), message=how, record=new_record)
    return None


def prepare_output(out: Path) -> None:
    """Make the folder of the outputs.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        os.makedirs(out, exist_ok=True)
        with tempfile.TemporaryFile(dir=out, prefix=".gstex-"):
            pass
    except OSError as error:
        raise OutputError(f"{out}: cannot be written to ({error.strerror}); choose another folder for -o") from None
