"""The result of each material of a plan, which is a row of the page."""

from dataclasses import dataclass

from gstex.batch.events import Event
from gstex.batch.plans import Item
from gstex.batch.state import Record
from gstex.json_types import JsonObject

__all__ = ["Row"]


@dataclass
class Row:
    """One material: its item, its record if it has an output, and else the error message.

    state: 'done', 'current', 'moved', 'failed', or '' while nothing is known.
    """

    item: Item
    record: Record | None = None
    state: str = ""
    message: str = ""

    def take(self, event: Event) -> None:
        """Store the event that ended the material."""
        self.state, self.record = event.event, event.record
        self.message = event.message if event.event == "failed" else ""

    def to_json(self) -> JsonObject:
        """The row for the page. Names are short, because there can be thousands of rows."""
        plain: JsonObject = {"output": self.item.output, "state": self.state, "message": self.message}
        if (record := self.record) is not None:
            by_map = record.psnr_by_map
            known = {role: psnr for role, psnr in by_map.items() if psnr is not None}
            worst = min(known, key=lambda role: known[role], default="")
            plain |= {
                "size": [record.width, record.height], "bytes": record.file_bytes, "blocks": record.blocks,
                "maps": [[row.file, row.role, row.width, row.height] for row in record.maps],
                "psnr": record.psnr, "by_map": by_map, "worst": worst, "bpp": record.bpp,
                "warnings": list(record.warnings), "left_out": list(record.left_out),
                "seconds": record.seconds, "picture": record.thumbnail,
            }  # fmt: skip
        return plain
