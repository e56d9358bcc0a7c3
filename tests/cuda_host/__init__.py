"""The kernels of cuda/ on the CPU: a device for tests with the interface of `gstex.cuda.Device`."""

from .device import HostDevice, HostError
from .sanitized import run_sanitized

__all__ = ["HostDevice", "HostError", "run_sanitized"]
