"""The words of a material as shaders and kernels take them."""

import numpy as np

from gstex.arrays import U32Array
from gstex.format.table import MaterialTable

__all__ = ["uploaded_words"]

_FIRST_MIP_BIT = 26  # of word 3; whoever uploads a resident part alone fills it in (docs/format.md)


def uploaded_words(table: MaterialTable) -> U32Array:
    """uint32 [n]: the words of a GPU section as they are, or of a resident part with the first mip that is there."""
    if not table.header.first_mip:
        return table.words
    words = table.words.copy()
    words[3] |= np.uint32(table.header.first_mip << _FIRST_MIP_BIT)
    return words
