"""A sequence of launches that is recorded once and then launched as one thing.

For small pictures: the GPU may be done with a step before Python has launched its kernels one by one.
"""

from collections.abc import Callable
from typing import Any

from .device import Device

__all__ = ["Replayed"]


class Replayed:
    """Calls `launches` and, from its third call on, what a CUDA graph recorded of it.

    `launches` must launch the same kernels with the same arguments every time, neither taking memory nor waiting for
    the GPU: steps between two placements of the Gaussians, with their numbers in GPU memory (adam.Knobs). The first
    call compiles and lets buffers be made; the second records. On a device without graphs every call is a plain one.
    """

    def __init__(self, device: Device, launches: Callable[[], None]):
        self._launches = launches
        self._cuda: Any = getattr(device.xp, "cuda", None)
        self._stream: Any = None
        self._graph: Any = None
        self._called = False

    def __call__(self) -> None:
        if self._cuda is None or not self._called:
            self._launches()
            self._called = True
            return
        if self._graph is None:
            # Not the default stream, which cannot record; one that waits for it and is waited for.
            self._stream = self._cuda.Stream(non_blocking=False)
            with self._stream:
                self._stream.begin_capture()
                try:
                    self._launches()
                finally:
                    self._graph = self._stream.end_capture()
        self._graph.launch(self._stream)
