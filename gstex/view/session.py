"""The data of the window: the file, the stacks to compare it with, background jobs, and messages."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gstex.errors import GstexError
from gstex.files import replace_file
from gstex.gltf.mesh import Mesh
from gstex.view import tasks
from gstex.view.document import Document, open_document, read_stamp
from gstex.view.environment import Environment, is_panorama
from gstex.view.errors import Errors
from gstex.view.jobs import Job
from gstex.view.maps import ShownMap
from gstex.view.recent import remember
from gstex.view.screenshot import load_mesh, wanted_of
from gstex.view.stacks import Stack
from gstex.view.state import GSTEX, MODELS, OWN_MESH, ViewState, label_of

__all__ = ["COMPRESS", "SURROUNDINGS", "Session"]

_LOOK_SECONDS = 0.5  # between looks at the file
COMPRESS, SURROUNDINGS = "compress", "surroundings"  # names of jobs


class Session:
    """Everything that lives longer than a frame. It does not depend on windows or OpenGL.

    document: the file shown, None before the first one. state: what is shown of it. source: what it was made from, as
    far as known. second: another file to compare with. stacks: by name in `state.OTHERS`; GSTEX is the quality of the
    file, without pictures. failed: by name of a stack or SURROUNDINGS, why it cannot be made. notice: the last message;
    is_error: whether it is an error. offered: a folder or an image to compress, once the user has chosen the options.
    panorama: the panorama of the lit view, None for the sky; surroundings: the light filtered from it. jobs: running
    jobs, by the name of a stack, COMPRESS or SURROUNDINGS. model, mesh: the file of the user's mesh and its triangles.
    """

    def __init__(self, make_state: Callable[[Document], ViewState]):
        self._make_state = make_state
        self.document: Document | None = None
        self.state = ViewState()
        self.source: Path | None = None
        self.second: Path | None = None
        self.stacks: dict[str, Stack] = {}
        self.failed: dict[str, str] = {}
        self.jobs: dict[str, Job] = {}
        self.notice = ""
        self.is_error = False
        self.offered: Path | None = None
        self.panorama: Path | None = None
        self.surroundings: Environment | None = None
        self.model: Path | None = None
        self.mesh: Mesh | None = None
        self._looked = time.monotonic()
        self._missing = False
        self._own: Path | None = None  # folder of what was compressed here
        self._dropped: Path | None = None

    def open(self, path: Path, source: Path | None = None) -> None:
        """Show a file. source: what it was made from. Raises GstexError, and then the old file stays."""
        document = open_document(path)
        first = self.document is None
        self._stop_stacks()
        self.document, self.source = document, source or document.source_folder()
        if first:
            shape = self.state.lit.shape
            self.state = self._make_state(document)
            if self.mesh is not None and shape == OWN_MESH:  # a model that came before the file
                self._wear()
        else:
            self._keep_state(document)
        self._missing = False
        self.say(self.flat() if self.state.lit.displace else "")
        if self._own is None or self._own not in path.parents:
            remember(path)

    def drop(self, path: Path) -> None:
        """Show a file, use a panorama as surroundings or a model as shape, or offer to compress maps or an image."""
        if path.suffix.lower() == ".gstex":
            self._try(lambda: self.open(path))
        elif path.is_file() and is_panorama(path):
            self.set_panorama(path)
        elif path.is_file() and path.suffix.lower() in MODELS:
            self._try(lambda: self.set_model(path))
        elif path.exists():
            self.offered = path.resolve()
        else:
            self.say(f"{path}: is not there", error=True)

    def set_panorama(self, path: Path | None) -> None:
        """Use a panorama as the surroundings of the lit view; None: the sky. With a panorama the lamp is off."""
        if SURROUNDINGS in self.jobs:
            self.jobs.pop(SURROUNDINGS).stop()
        self.panorama, self.surroundings = path, None
        self.failed.pop(SURROUNDINGS, None)
        lit = self.state.lit
        lit.surroundings, lit.strength = ("sky", 1.0) if path is None else ("file", 0.0)
        if path is not None:
            self.state.view = "lit"

    def set_model(self, path: Path) -> None:
        """Use the triangles of a model as the shape of the lit view. Raises ModelError; then the shape stays."""
        self.mesh, self.model = load_mesh(path), path
        self._wear()
        self.say("")

    def _wear(self) -> None:
        lit = self.state.lit
        lit.shape, lit.tiling, self.state.view = OWN_MESH, 1.0, "lit"

    def want_surroundings(self) -> bool:
        """Whether the surroundings of the lit view are ready; if not, start the job that makes them."""
        if self.state.lit.surroundings == "even" or self.surroundings is not None:
            return True
        if SURROUNDINGS not in self.jobs and SURROUNDINGS not in self.failed:
            self.jobs[SURROUNDINGS] = Job("surroundings", tasks.read_surroundings, self.panorama)
        return False

    def neighbours(self) -> list[Path]:
        """The .gstex files in the folder of the shown file, sorted by name."""
        path = self.document.path if self.document else None
        if path is None:
            return []
        with contextlib.suppress(OSError):
            return sorted((p for p in path.resolve().parent.glob("*.gstex")), key=lambda p: p.name.lower())
        return []

    def step_file(self, step: int) -> None:
        """Show the next or the previous file of the folder. After the last comes the first."""
        files = self.neighbours()
        path = self.document.path if self.document else None
        if path is None or len(files) < 2:
            return
        at = files.index(path.resolve()) if path.resolve() in files else -1
        self._try(lambda: self.open(files[(at + step) % len(files)]))

    def compress(self, source: Path, options: tasks.FitOptions | None = None) -> None:
        """Compress in the background; the file goes to a folder of its own, see `save`.

        options: of `gstex.compress`; None for effort fast.
        """
        if COMPRESS in self.jobs:
            self.jobs.pop(COMPRESS).stop()
        if self._own is None:
            self._own = Path(tempfile.mkdtemp(prefix="gstex-"))
        output = self._own / f"{source.resolve().stem or 'material'}.gstex"
        self._dropped = source.resolve()
        self.jobs[COMPRESS] = Job(f"compressing {source.name}", tasks.compress_source, self._dropped, output,
                                   options or {"effort": "fast"})  # fmt: skip
        self.say("")

    def save(self, path: Path, *, replace: bool = False) -> bool:
        """Save the shown file. replace: replace an existing file. Returns whether it was saved."""
        if self.document is None:
            return False
        if path.suffix.lower() != ".gstex":
            self.say(f"{path.name}: give a name that ends in .gstex", error=True)
            return False
        if path.exists() and not replace:
            self.say(f"{path.name} already exists: choose another name, or the button Replace", error=True)
            return False
        try:
            self.document.texture.save(path)
        except GstexError as error:
            self.say(str(error), error=True)
            return False
        remember(path)
        self.say(f"saved {path}")
        return True

    def export(self, shown_map: ShownMap, mip: int, path: Path, *, replace: bool = False) -> bool:
        """Decode a map and write its image file in the original format and bit depth. Returns whether it was written.

        replace: replace an existing file.
        """
        if self.document is None:
            return False
        if path.exists() and not replace:
            self.say(f"{path.name} already exists: choose another name, or the button Replace", error=True)
            return False
        try:
            with tempfile.TemporaryDirectory(prefix="gstex-") as folder:
                written = {p.name: p for p in self.document.texture.write_maps(folder, mip=mip)}
                name = Path(shown_map.file)
                image_path = written.get(name.name) or next(p for p in written.values() if p.stem == name.stem)
                if path.suffix.lower() != image_path.suffix.lower():
                    self.say(f"{path.name}: give a name that ends in {image_path.suffix}", error=True)
                    return False
                replace_file(path, image_path.read_bytes())
        except (GstexError, OSError, StopIteration) as error:
            self.say(f"{path.name}: {error or 'the file does not say which image held this map'}", error=True)
            return False
        self.say(f"wrote {path.resolve()}")
        return True

    def want(self, name: str) -> bool:
        """Whether a stack is ready. If not, start its job, or set `failed` if it cannot be made."""
        if name in self.stacks:
            return True
        if self.document is None or name in self.failed or name in self.jobs:
            return False
        spec = wanted_of(self.document)
        if name == "second":
            if self.second is None:
                self.failed[name] = "no second file: open one and choose 'Compare with it' (Ctrl+O)"
            else:
                self.jobs[name] = Job(self.second.name, tasks.read_other_file, self.second, self.source, spec)
        elif self.source is None:
            self.failed[name] = "what the file was made from is not known: give --reference FOLDER, or open it (Ctrl+O)"
        elif name == "reference":
            texture = self.document.texture
            self.jobs[name] = Job("reference", tasks.read_reference, self.source, spec, texture.words,
                                  texture.metadata)  # fmt: skip
        else:
            self.jobs[name] = Job(label_of(name), tasks.read_codec, self.source, spec, name)
        return False

    def label(self, name: str) -> str:
        """The label of the file, or of a picture to compare it with."""
        if name == GSTEX:
            return "gstex" if self.second is None or self.document is None else self.document.name
        if name in self.stacks and name != "reference":
            return self.stacks[name].label
        return self.second.name if name == "second" and self.second else label_of(name)

    def errors(self) -> list[Errors]:
        """The known errors of the stacks that the view of differences shows."""
        stacks = (self.stacks.get(name) for name in dict.fromkeys((GSTEX, self.state.other)))
        return [stack.errors for stack in stacks if stack is not None and stack.errors is not None]

    def set_second(self, path: Path) -> None:
        """Compare with another file."""
        self.second = path
        for held in (self.stacks, self.failed):
            held.pop("second", None)
        if "second" in self.jobs:
            self.jobs.pop("second").stop()
        self.state.other = "second"

    def set_source(self, source: Path) -> None:
        """Say what the file was made from."""
        self._stop_stacks()
        self.source = source

    def stop(self, name: str) -> None:
        """Stop a job."""
        self.jobs.pop(name).stop()
        if name != COMPRESS:
            self.failed[name] = "stopped"

    def retry(self) -> None:
        """Forget what failed."""
        self.failed.clear()

    def poll(self) -> bool:
        """Take what jobs have sent, and check the file from time to time. Returns whether anything may have changed."""
        changed = bool(self.jobs)
        for name, job in list(self.jobs.items()):
            if not job.poll():
                continue
            del self.jobs[name]
            if name == COMPRESS:
                self._take_compressed(job)
            elif name == SURROUNDINGS and job.error is None:
                self.surroundings = job.result
            elif job.error is not None:
                self.failed[name] = job.error
            else:
                self.stacks.update(job.result)
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
            self.say("; ".join(filter(None, (f"{path.name}: read again", self.notice))))

    def flat(self) -> str:
        """A message on why displacement by height is impossible; "" if it is possible."""
        if self.document is None or self.document.height is not None:
            return ""
        return (f"{self.document.name} has no height map, so nothing is displaced; compress its folder again with a "
                "height map")  # fmt: skip

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
            self.say("; ".join(filter(None, ("compressed and not saved yet: Ctrl+S saves it", self.notice))))

    def _look_at_file(self) -> bool:
        """Read the file again if it has changed, and say so if it has gone."""
        document = self.document
        if document is None or document.path is None:
            return False
        stamp = read_stamp(document.path)
        if stamp == document.stamp:
            if self._missing:  # the same file is back
                self._missing = False
                self.say("")
            return False
        if stamp is None:
            if self._missing:
                return False
            self._missing = True
            self.say(f"{document.path.name}: no longer exists; its last version is shown", error=True)
            return True
        before = self.notice
        self.reload()
        return self.notice != before or not self.is_error

    def _keep_state(self, document: Document) -> None:
        """Keep the state as far as the new file allows it."""
        state, texture = self.state, document.texture
        state.map = min(state.map, len(document.maps) - 1)
        if state.lod is not None:
            state.lod = min(state.lod, texture.mip_count - 1.0)
        if state.pinned is not None and not (state.pinned[0] < texture.width and state.pinned[1] < texture.height):
            state.pinned = None
        state.level = None

    def _stop_stacks(self) -> None:
        for name in [name for name in self.jobs if name not in (COMPRESS, SURROUNDINGS)]:
            self.jobs.pop(name).stop()
        self.stacks, self.failed = {}, {}

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except GstexError as error:
            self.say(str(error), error=True)
