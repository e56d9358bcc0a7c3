"""Every error a user can cause, as one tree.

    GstexError                  exit 1
    ├── UsageError              exit 2: options that contradict each other or are out of range
    ├── MaterialError           the input folder or image cannot be used
    │   └── AmbiguousError      several readings of a folder; the message shows the --map to type
    ├── FormatError             a .gstex file breaks a rule of docs/format.md
    │   └── VersionError        a .gstex file of a newer version
    ├── ModelError              a glTF model breaks a rule, or needs what is not there
    ├── LimitError              a file stands for more texels than may be decoded; the message names the option
    ├── OutputError             the output cannot be written
    ├── BudgetError             the byte budget cannot be met
    ├── ExtraError              an optional package is missing; the message says what to install
    ├── GraphicsError           no OpenGL that can run the shaders; the message says what was found
    ├── DeviceError             no GPU that can run the CUDA kernels; the message says why
    └── MismatchError           a .gstex file was not made from the folder it is compared with

A message is one line: what was found, what is allowed, what to do.
"""

from collections.abc import Sequence

__all__ = [
    "AmbiguousError",
    "BudgetError",
    "DeviceError",
    "ExtraError",
    "FormatError",
    "GraphicsError",
    "GstexError",
    "LimitError",
    "MaterialError",
    "MismatchError",
    "ModelError",
    "OutputError",
    "UsageError",
    "VersionError",
]


class GstexError(Exception):
    """Base of all errors that gstex raises on purpose."""

    exit_code = 1


class UsageError(GstexError):
    """Options that contradict each other or are out of range."""

    exit_code = 2


class MaterialError(GstexError):
    """The input folder or image cannot be used as a material."""


class AmbiguousError(MaterialError):
    """A folder can be read in several ways; the message shows the override to type.

    maps: overrides (--map) that choose one of the readings.
    """

    def __init__(self, message: str, *, maps: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.maps = tuple(maps)


class FormatError(GstexError):
    """A .gstex file breaks a rule of docs/format.md."""


class VersionError(FormatError):
    """A .gstex file was written by a newer version of the format."""


class ModelError(GstexError):
    """A glTF model breaks a rule of glTF 2.0 or of our extension, or needs what is not there."""


class LimitError(GstexError):
    """A file stands for more texels than may be decoded; the message names the option that raises the limit."""


class OutputError(GstexError):
    """The output cannot be written."""


class BudgetError(GstexError):
    """The byte budget cannot be met."""


class ExtraError(GstexError):
    """An optional package is missing; the message says what to install."""


class GraphicsError(GstexError):
    """There is no OpenGL that can run the shaders, or a shader is refused; the message says what was found."""


class DeviceError(GstexError):
    """There is no GPU that can run the CUDA kernels, or it failed; the message says why and what to do."""


class MismatchError(GstexError):
    """A .gstex file was not made from the folder it is compared with; the message says what differs."""
