"""What a batch tells while it runs, and `watch` while it looks."""

from dataclasses import dataclass
from typing import Any

from gstex.batch.state import Record

__all__ = ["Event"]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    event:
        'start'     the plan is about to be carried out: total, jobs, threads
        'current'   a material is up to date: record
        'moved'     the same material was made before, under another path or name, and was copied: record, message
        'begin'     a material is being compressed: threads
        'progress'  of it: share in 0..1, psnr in dB
        'done'      it is written: record, seconds
        'failed'    it is not: message
        'end'       everything is done: total, current (those moved too), done, failed, seconds
        'watching'  `watch` looks at a folder from now on: source
        'stopped'   it has stopped a fit, as something changed: effort
        'idle'      it has nothing to do: total, failed
    output: of the material, below the folder of the outputs. source: its folder or image. effort: of the fit, where
    `watch` tells.
    """

    event: str
    output: str = ""
    source: str = ""
    message: str = ""
    effort: str = ""
    total: int | None = None
    jobs: int | None = None
    threads: int | None = None
    share: float | None = None
    psnr: float | None = None
    seconds: float | None = None
    current: int | None = None
    done: int | None = None
    failed: int | None = None
    record: Record | None = None

    def to_json(self) -> dict[str, Any]:
        """The event as JSON types, without what it does not say. Of a record, the figures without the picture."""
        plain = {k: v for k, v in vars(self).items() if k != "record" and v is not None and v != ""}
        return plain if self.record is None else {**plain, **self.record.figures()}
