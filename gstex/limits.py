"""Limits of pictures, checked before memory is allocated. Imports nothing: `gstex --help` reads it too."""

__all__ = ["MAX_SIZE", "MOST_TEXELS"]

# Texels along an axis: of a picture that is read, and of a file (docs/format.md).
MAX_SIZE = 16384
# Texels, counted in every channel, that are decoded at once unless the caller allows more: 1 GiB of float32. A file of
# a few bytes can stand for many more.
MOST_TEXELS = 2**28
