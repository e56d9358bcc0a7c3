"""The events that a running batch and `watch` report."""

from dataclasses import dataclass

from gstex.batch.state import Record
from gstex.json_types import JsonObject

__all__ = ["Event"]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    event:
        'start'     the plan is about to be carried out: total, jobs, threads
        'current'   a material is up to date: record
        'moved'     the same material was made before, under another path or name, and was copied: record, message
        'begin'     a material is being compressed: threads
        'progress'  the fit of a material goes on: share in 0..1, psnr in dB
        'done'      the output of a material is written: record, seconds
        'failed'    a material could not be compressed: message
        'end'       everything is done: total, current (those moved too), done, failed, seconds
        'watching'  `watch` has begun to follow a folder: source
        'stopped'   `watch` has stopped a fit, because a file changed: effort
        'idle'      `watch` has nothing to do: total, failed
    output: of the material, below the folder of the outputs. source: its folder or image. effort: of the fit, set by
    `watch` only.
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

    def to_json(self) -> JsonObject:
        """The event as JSON types, without empty fields. A record contributes its figures, without the thumbnail."""
        plain = {k: v for k, v in vars(self).items() if k != "record" and v is not None and v != ""}
        return plain if self.record is None else {**plain, **self.record.figures()}
