"""Runs the same with every instruction set that this CPU has, and with several numbers of threads."""

from collections.abc import Iterator

from gstex import native

__all__ = ["each_instruction_set", "each_thread_count"]


def each_thread_count(*counts: int) -> Iterator[int]:
    """Every number of threads, 1, 2 and 3 if none is given; in the end there are as many as before."""
    before = native.thread_count()
    try:
        for count in counts or (1, 2, 3):
            native.set_thread_count(count)
            yield count
    finally:
        native.set_thread_count(before)


def each_instruction_set() -> Iterator[str]:
    """Every instruction set of this CPU; in the end the one before is in use."""
    before = native.instruction_set()
    try:
        for name in native.instruction_sets():
            assert native.use_instruction_set(name)
            yield name
    finally:
        native.use_instruction_set(before)
