"""What jobs do: functions of a module, so that a process finds them. `report` takes `jobs.Report`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gstex.view.jobs import Report
from gstex.view.stacks import Stack, Wanted, encode_stack, load_reference

__all__ = ["compress_source", "read_reference", "read_stack"]

Reporter = Callable[[Report], None]


def read_reference(source: Path, wanted: Wanted, report: Reporter) -> Stack:
    """The reference."""
    report(Report("reading the maps", 0, 1))
    return load_reference(source, wanted)


def read_stack(source: Path, wanted: Wanted, codec: str, report: Reporter) -> Stack:
    """The reference in a block codec."""
    return encode_stack(source, wanted, codec, lambda *at: report(Report(*at)))


def compress_source(source: Path, output: Path, options: dict[str, Any], report: Reporter) -> Path:
    """A folder or an image as a file; its path."""
    import gstex

    def progress(now: gstex.Progress) -> None:
        report(Report(now.stage, now.step, now.steps, now.psnr))

    report(Report("preparing", 0, 1))
    gstex.compress(source, progress=progress, **options).save(output)
    return output
