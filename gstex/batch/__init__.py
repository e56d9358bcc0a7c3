"""A library of materials -> one file each, again and again, for as little work as it takes.

    plan = gstex.batch.plan("textures", "packed", options=gstex.batch.Options(quality="high"))
    for event in gstex.batch.run(plan):
        print(event.event, event.output)

Names are loaded when they are first used: a worker process must not import more than it needs before it has been told
how many threads it may use. A script that calls `run` needs its `if __name__ == "__main__":`.

    options     what a material is compressed to, by material
    plans       from folders to a plan
    manifest    a plan as JSON
    state       what has been made from what
    work        one material, in a process of its own
    worker      that process
    crew        the processes, and which of them does what with how many threads
    gpus        how many fits a GPU holds
    cluster     the same on the nodes of a Ray cluster
    running     a plan, carried out
    changes     which files have changed, and are at rest
    watching    a folder that somebody works in
    events      what it tells meanwhile
    rows        what is known of each material in the end
    thumbnail   a small picture of a material
    page        all of them as one HTML file
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
