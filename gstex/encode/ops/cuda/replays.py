"""Work of many launches that is repeated on the same arrays: it is recorded once, and then takes a single launch."""

from collections.abc import Callable, Hashable, Sequence
from weakref import WeakKeyDictionary

from gstex.arrays import GpuArray
from gstex.cuda.device import Device

__all__ = ["Replays"]

# Most recordings that are kept. A fit repeats those of its present Gaussians; older ones only hold memory.
_MOST = 16


# Device -> the kinds of work that it has done.
_RUN_BEFORE: WeakKeyDictionary[Device, set[tuple[str, int]]] = WeakKeyDictionary()


class Replays:
    """Recordings of work, by what it depends on."""

    def __init__(self, device: Device, channels: int = 0):
        """channels: that kernels are compiled for."""
        self._device, self._channels = device, channels
        self._run_before = _RUN_BEFORE.setdefault(device, set())
        # The arrays are held too: as long as they are, no other array has their ids.
        self._kept: dict[Hashable, tuple[Callable[[], None] | None, Sequence[GpuArray]]] = {}

    def __call__(self, kind: str, key: Hashable, arrays: Sequence[GpuArray], work: Callable[[], None]) -> None:
        """Do `work`, or repeat the launches that it made last time.

        Args:
            kind: a name of the work. The first work of a kind on a device, for so many channels, is never recorded, so
                that its kernels are compiled and loaded.
            key: all that its launches depend on, besides the memory of these arrays.
            arrays: all arrays of the work that may be other ones the next time.
        """
        if (kind, self._channels) not in self._run_before:
            self._run_before.add((kind, self._channels))
            work()
            return
        key = kind, key, *map(id, arrays)
        if key not in self._kept:
            while len(self._kept) >= _MOST:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = self._device.record(work), arrays
        (self._kept[key][0] or work)()
