"""What the window works on: the file, the stacks to compare it with, jobs in the background, what there is to say."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gstex.errors import GstexError
from gstex.view import tasks
from gstex.view.document import Document, open_document, read_stamp
from gstex.view.jobs import Job
from gstex.view.screenshot import wanted_of
from gstex.view.stacks import Stack
from gstex.view.state import ViewState, label_of

__all__ = ["Session"]

_LOOK_SECONDS = 0.5  # between looks at the file
_COMPRESS = "compress"


class Session:
    """All that outlives a frame. Knows nothing of windows or of OpenGL.

    document: the file shown, None before there is one. state: what is shown of it. source: what it was made from, as
    far as known. stacks: by name in `state.OTHERS`. failed: why one of them cannot be had. notice: the last message,
    is_error: of what kind. jobs: at work, by the name of a stack or 'compress'.
    """

    def __init__(self, make_state: Callable[[Document], ViewState]):
        self._make_state = make_state
        self.document: Document | None = None
        self.state = ViewState()
        self.source: Path | None = None
        self.stacks: dict[str, Stack] = {}
        self.failed: dict[str, str] = {}
        self.jobs: dict[str, Job] = {}
        self.notice = ""
        self.is_error = False
        self._looked = time.monotonic()
        self._missing = False
        self._own: Path | None = None  # folder of what was compressed here
        self._dropped: Path | None = None

    def open(self, path: Path, source: Path | None = None) -> None:
        """Show a file. source: what it was made from. Raises GstexError; then what was shown stays."""
        document = open_document(path)
        first = self.document is None
        self._stop_stacks()
        self.document, self.source = document, source or document.source_folder()
        if first:
            self.state = self._make_state(document)
        else:
            self._keep_state(document)
        self._missing = False
        self.say("")

    def drop(self, path: Path) -> None:
        """Show a file, or compress a folder or an image in the background and show the result."""
        if path.suffix.lower() == ".gstex":
            self._try(lambda: self.open(path))
        else:
            self.compress(path)

    def compress(self, source: Path) -> None:
        """Compress in the background; the file goes to a folder of its own, see `save`."""
        if _COMPRESS in self.jobs:
            self.jobs.pop(_COMPRESS).stop()
        if self._own is None:
            self._own = Path(tempfile.mkdtemp(prefix="gstex-"))
        output = self._own / f"{source.resolve().stem or 'material'}.gstex"
        self._dropped = source.resolve()
        self.jobs[_COMPRESS] = Job(f"compressing {source.name}", tasks.compress_source, self._dropped, output,
                                   {"effort": "fast"})  # fmt: skip
        self.say("")

    def save(self, path: Path, *, replace: bool = False) -> bool:
        """Copy the file that is shown; whether that is done. replace: a file that is there already."""
        if self.document is None:
            return False
        if path.suffix.lower() != ".gstex":
            self.say(f"{path.name}: give a name that ends in .gstex", error=True)
            return False
        if path.exists() and not replace:
            self.say(f"{path.name} is there already: another name, or the button Replace", error=True)
            return False
        try:
            self.document.texture.save(path)
        except GstexError as error:
            self.say(str(error), error=True)
            return False
        self.say(f"saved {path}")
        return True

    def want(self, name: str) -> bool:
        """Whether a stack is there; if not, it is being made, or `failed` tells why it cannot be."""
        if name in self.stacks:
            return True
        if self.document is None or name in self.failed or name in self.jobs:
            return False
        if self.source is None:
            self.failed[name] = "what the file was made from is not known: give --reference FOLDER, or open it (Ctrl+O)"
        elif name == "reference":
            self.jobs[name] = Job("reference", tasks.read_reference, self.source, wanted_of(self.document))
        else:
            self.jobs[name] = Job(label_of(name), tasks.read_stack, self.source, wanted_of(self.document), name)
        return False

    def set_source(self, source: Path) -> None:
        """Say what the file was made from."""
        self._stop_stacks()
        self.source = source

    def stop(self, name: str) -> None:
        """Give up a job."""
        self.jobs.pop(name).stop()
        if name != _COMPRESS:
            self.failed[name] = "stopped"

    def retry(self) -> None:
        """Forget what failed."""
        self.failed.clear()

    def poll(self) -> bool:
        """Take what jobs have sent and look at the file now and then; whether anything has changed."""
        changed = bool(self.jobs)
        for name, job in list(self.jobs.items()):
            if not job.poll():
                continue
            del self.jobs[name]
            if name == _COMPRESS:
                self._take_compressed(job)
            elif job.error is not None:
                self.failed[name] = job.error
            else:
                self.stacks[name] = job.result
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = time.monotonic()
            changed |= self._look_at_file()
        return changed

    def reload(self) -> None:
        """Read the file again."""
        document = self.document
        if document is None or document.path is None:
            return
        path, source = document.path, self.source
        self._try(lambda: self.open(path, source))
        if not self.is_error:
            self.say(f"{path.name}: read again")

    def say(self, text: str, *, error: bool = False) -> None:
        """Leave a message for the user."""
        self.notice, self.is_error = text, error

    def close(self) -> None:
        """End all jobs and delete what was compressed and not saved."""
        for job in self.jobs.values():
            job.stop()
        self.jobs.clear()
        if self._own is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._own)

    def _take_compressed(self, job: Job) -> None:
        if job.error is not None:
            self.say(job.error, error=True)
            return
        self._try(lambda: self.open(job.result, self._dropped))
        if not self.is_error:
            self.say("compressed with effort fast and not saved yet: Ctrl+S saves it")

    def _look_at_file(self) -> bool:
        """Read the file again if it has changed, and say so if it has gone."""
        document = self.document
        if document is None or document.path is None:
            return False
        stamp = read_stamp(document.path)
        if stamp == document.stamp:
            if self._missing:  # it is back, as it was
                self._missing = False
                self.say("")
            return False
        if stamp is None:
            if self._missing:
                return False
            self._missing = True
            self.say(f"{document.path.name}: is not there any more; this is what it was", error=True)
            return True
        before = self.notice
        self.reload()
        return self.notice != before or not self.is_error

    def _keep_state(self, document: Document) -> None:
        """Go on with the same state where the new file allows it."""
        state, texture = self.state, document.texture
        state.map = min(state.map, len(document.maps) - 1)
        if state.lod is not None:
            state.lod = min(state.lod, texture.mip_count - 1.0)
        if state.pinned is not None and not (state.pinned[0] < texture.width and state.pinned[1] < texture.height):
            state.pinned = None
        state.level = None

    def _stop_stacks(self) -> None:
        for name in [name for name in self.jobs if name != _COMPRESS]:
            self.jobs.pop(name).stop()
        self.stacks, self.failed = {}, {}

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except GstexError as error:
            self.say(str(error), error=True)
