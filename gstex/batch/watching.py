"""Follow a folder that an artist works in: a changed material gets a draft within seconds, and later a full fit.

One process fits with all cores. Drafts come first, in the order of the changes. While no draft is due, full fits
replace the drafts. A change stops such a fit, which begins again when the drafts are done.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

from msgspec import structs

from gstex import native
from gstex.batch.changes import Changes, look
from gstex.batch.crew import Worker, end_workers, give, hear, signals_held, start_worker
from gstex.batch.events import Event
from gstex.batch.options import Options
from gstex.batch.plans import Item, Plan, plan
from gstex.batch.running import check_items, prepare_output
from gstex.batch.state import Listings, State, fingerprint, input_files
from gstex.errors import MaterialError, UsageError

__all__ = ["REST", "draft_options", "watch"]

REST = 0.5  # seconds for which a file has to stay unchanged: an editor may write it slowly
_LOOK = 0.25  # seconds between two looks; looking takes at most 1 / _LOOKING of the time
_LOOKING = 10


def draft_options(options: Options) -> Options:
    """The options of a draft. A search for a quality takes too long, so a draft has the default size instead."""
    if options.psnr is None and options.match is None:
        return structs.replace(options, effort="draft")
    return structs.replace(options, effort="draft", psnr=None, match=None, max_bpp=None)


def watch(
    folder: str | Path,
    out: str | Path,
    *,
    options: Options | None = None,
    names: str | Path | None = None,
    threads: int | None = None,
) -> Iterator[Event]:
    """Keep the outputs of a folder up to date while its files change. It never ends: close the generator to stop.

    Materials are found as `plan` finds them. Files have to be at rest for half a second before they are read.
    A process is spawned, so a script that calls this needs its `if __name__ == "__main__":`.

    Args:
        folder: of materials. out: folder of the outputs, as in `run`.
        options: of every material; effort is that of the fit that replaces a draft. With effort 'draft' no fit replaces
            it.
        names: a file of further words and packings; None for `gstex.toml` in each folder.
        threads: of the fit; None for one per core.
    Raises:
        UsageError: an option is out of range, or `folder` is not a folder. OutputError: the folder of the outputs
        cannot be written. An error of a material is an event and raises nothing.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"threads: got {threads}, expected at least 1")
    folder, out = Path(folder).absolute(), Path(out).absolute()
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give the one that holds the folders of materials")
    if folder.resolve() == out.resolve():
        raise UsageError(f"{out}: is the folder that is watched; choose another folder for -o")
    watcher = _Watch(folder, out, (options or Options()).checked(), None if names is None else Path(names).absolute(),
                     min(threads or native.cores(), native.cores()))  # fmt: skip
    prepare_output(out)
    return watcher.run()


class _Watch:
    """The state of `watch`."""

    def __init__(self, folder: Path, out: Path, options: Options, names: Path | None, threads: int):
        self._folder, self._out, self._options, self._names, self._threads = folder, out, options, names, threads
        self._more = [] if names is None else [names]
        if options.importance not in (None, "auto"):
            self._more.append(Path(str(options.importance)))
        self._state = State(out)
        self._changes = Changes(REST)
        self._items: dict[str, Item] = {}  # of the last plan, by output
        self._failed: dict[str, Item] = {}
        self._drafts: dict[str, Item] = {}  # drafts that are still to be made, by output
        self._fits: dict[str, Item] = {}
        self._workers: list[Worker] = []  # at most one
        self._idle = False

    def run(self) -> Iterator[Event]:
        """See `watch`."""
        yield Event("watching", source=str(self._folder))
        following = 0.0
        try:
            while True:
                if (now := time.monotonic()) >= following:
                    files = look(self._folder, self._out, self._more)
                    following = now + max(_LOOK, _LOOKING * (time.monotonic() - now))
                    if settled := self._changes.take(files, now):
                        yield from self._follow(settled)
                yield from self._direct()
                busy = [worker.connection for worker in self._workers if worker.item]
                pause = max(following - time.monotonic(), 0.0)
                if not busy:
                    time.sleep(pause)
                elif wait(busy, pause):
                    yield from self._hear(self._workers[0])
        finally:
            end_workers(self._workers)

    def _follow(self, settled: set[Path]) -> Iterator[Event]:
        """Make a new plan after files have changed, and find the materials that need work."""
        before, touched = self._items, []
        self._items = {}
        for item in self._plan():  # of several items with one output, all but the first have a problem
            key = item.output if item.output not in self._items else f"{item.output} of {item.source}"
            self._items[key] = item
        for gone in before.keys() - self._items.keys():
            yield from self._drop(gone)
        listings: Listings = {}
        for key, item in self._items.items():
            try:
                inputs = {path for _, path in input_files(item, listings)}
            except MaterialError:
                inputs = set()  # check_items reports it below
            old = before.get(key)
            same = old is not None and (old.files, old.problem) == (item.files, item.problem)
            if inputs & self._changes.restless:
                yield from self._drop(key)  # the material is planned again when its files are at rest
            elif not same or inputs & settled:
                yield from self._drop(key)
                touched.append((key, item))
        part = Plan(self._out, tuple(item for _, item in touched))
        events = {id(item): event for item, event in check_items(part, self._state, self._threads, False)}
        for key, item in touched:
            event = events[id(item)]
            if event is None:
                self._order(item)
                continue
            if event.event == "failed":
                self._failed[key] = item
            yield event
        self._idle = False

    def _plan(self) -> tuple[Item, ...]:
        try:
            return plan(self._folder, self._out, options=self._options, names=self._names).items
        except MaterialError:  # the folder holds no material at the moment
            return ()

    def _order(self, item: Item) -> None:
        """Queue the draft and the full fit of a material."""
        draft = replace(item, options=draft_options(item.options))
        if draft.options != item.options:
            self._fits[item.output] = item
        record = self._state.load(item.output)
        try:
            if record is None or record.key != fingerprint(draft) or not self._state.holds(record):
                self._drafts[item.output] = draft
        except MaterialError:  # a file has disappeared since the plan
            self._drafts[item.output] = draft

    def _drop(self, output: str) -> Iterator[Event]:
        """Remove the queued work of an output whose material has changed, and stop its fit."""
        self._drafts.pop(output, None)
        self._fits.pop(output, None)
        self._failed.pop(output, None)
        if self._workers and self._workers[0].item and self._workers[0].item.output == output:
            yield self._stop()

    def _stop(self) -> Event:
        """End the process while it works."""
        worker = self._workers[0]
        item = worker.item
        assert item is not None
        end_workers(self._workers)
        self._workers.clear()
        return Event("stopped", item.output, str(item.source), effort=item.options.effort)

    def _direct(self) -> Iterator[Event]:
        """Give the process the most urgent work. A waiting draft stops a full fit."""
        at_work = self._workers[0].item if self._workers else None
        if at_work is not None and self._drafts and at_work.options.effort != "draft":
            self._fits = {at_work.output: self._items[at_work.output], **self._fits}
            yield self._stop()
            at_work = None
        if at_work is not None:
            return
        if not (self._drafts or self._fits):
            if not (self._idle or self._changes.restless):
                self._idle = True
                yield Event("idle", total=len(self._items), failed=len(self._failed))
            return
        if not self._workers:
            with signals_held():
                self._workers.append(start_worker(self._out, False, self._threads))
        waiting = self._drafts or self._fits
        item = waiting.pop(next(iter(waiting)))
        worker = self._workers[0]
        if not give(worker, item):  # the process has ended while it was idle
            end_workers(self._workers)
            self._workers.clear()
            waiting[item.output] = item
            return
        yield Event("begin", item.output, str(item.source), effort=item.options.effort, threads=worker.threads)

    def _hear(self, worker: Worker) -> Iterator[Event]:
        item = worker.item
        for event in hear(worker, self._workers):
            if event.event == "failed":
                self._fits.pop(event.output, None)
                self._failed[event.output] = self._items[event.output]
            yield replace(event, effort=item.options.effort if item else "")
