"""Compress a library of materials to one file each. A repeated run compresses only what has changed.

    plan = gstex.batch.plan("textures", "packed", options=gstex.batch.Options(quality="high"))
    for event in gstex.batch.run(plan):
        print(event.event, event.output)

Names are loaded when they are first used, because a worker process must set its thread limits before it imports large
libraries. A script that calls `run` needs its `if __name__ == "__main__":`.

    options     compression options of one material
    plans       from folders to a plan
    manifest    a plan as JSON
    state       what has been made from what
    work        compresses one material
    worker      the process in which that happens
    crew        starts the processes and gives them work and threads
    gpus        how many fits a GPU holds
    cluster     runs a batch on the nodes of a Ray cluster
    running     carries out a plan
    changes     which files have changed, and are at rest
    watching    a folder that somebody works in
    events      what a batch and `watch` report
    rows        the result of each material
    thumbnail   a small picture of a material
    page        all results as one HTML file
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .events import Event
    from .manifest import read_manifest, write_manifest
    from .options import Options
    from .plans import Item, Plan, plan
    from .running import run
    from .watching import watch

__all__ = ["Event", "Item", "Options", "Plan", "plan", "read_manifest", "run", "watch", "write_manifest"]

_HOMES = {
    "Event": ".events", "Item": ".plans", "Options": ".options", "Plan": ".plans", "plan": ".plans",
    "read_manifest": ".manifest", "run": ".running", "watch": ".watching", "write_manifest": ".manifest",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
