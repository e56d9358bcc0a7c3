"""Records as a bit stream: fields of any width, which may straddle two words.

A stride is a multiple of 4 bits, so every 1, 2, 4 or 8 records the fields stand at the same places in the words
again. Records that share a place are one column of a 2D view of the stream, and each field of a column is
one shift for all of them: no loop over records.
"""

from collections.abc import Iterator, Sequence
from math import gcd

import numpy as np

from gstex.arrays import U32Array
from gstex.format.layout import record_words

__all__ = ["read_records", "write_records"]


def write_records(fields: Sequence[U32Array], widths: Sequence[int], stride: int) -> U32Array:
    """Pack the fields of N records into words.

    Args:
        fields: uint32 [N] codes of each field, lowest bits first; every code fits its width.
        widths: bits of each field, 1..32; their sum is at most `stride`.
        stride: bits of a record, a multiple of 4.

    Returns:
        uint32 [n], the last word filled up with zeros.
    """
    count = len(fields[0])
    period, row_words = _period(stride)
    words = np.zeros((-(-count // period), row_words), np.uint32)
    for phase, field, width, word, shift in _places(widths, stride):
        codes = fields[field][phase::period]
        rows = words[: len(codes)]
        rows[:, word] |= codes << np.uint32(shift)
        if shift + width > 32:
            rows[:, word + 1] |= codes >> np.uint32(32 - shift)
    return words.reshape(-1)[: record_words(count, stride)]


def read_records(words: U32Array, count: int, widths: Sequence[int], stride: int) -> U32Array:
    """Unpack the fields of `count` records: the inverse of write_records.

    Args:
        words: uint32 [record_words(count, stride)].

    Returns:
        uint32 [count, len(widths)]; a field of width 0 reads as 0.
    """
    period, _ = _period(stride)
    rows = _rows(words, count, stride)
    codes = np.zeros((count, len(widths)), np.uint32)
    for phase, field, width, word, shift in _places(widths, stride):
        target = codes[phase::period, field]
        source = rows[: len(target)]
        value = source[:, word] >> np.uint32(shift)
        if shift + width > 32:
            value |= source[:, word + 1] << np.uint32(32 - shift)
        target[:] = value & np.uint32((1 << width) - 1)
    return codes


def _period(stride: int) -> tuple[int, int]:
    """(records, words) after which records start at the same bit of a word again."""
    shared = gcd(stride, 32)
    return 32 // shared, stride // shared


def _places(widths: Sequence[int], stride: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(phase, field, width, word of the row, bit of the word) of every field of a row of records."""
    for phase in range(_period(stride)[0]):
        bit = phase * stride
        for field, width in enumerate(widths):
            if width:
                yield phase, field, width, bit // 32, bit % 32
            bit += width


def _rows(words: U32Array, count: int, stride: int) -> U32Array:
    """The words as [periods, words of a period]: a view if the last period is whole, else a padded copy."""
    period, row_words = _period(stride)
    missing = -(-count // period) * row_words - len(words)
    if missing:
        words = np.concatenate([words, np.zeros(missing, np.uint32)])
    return words.reshape(-1, row_words)
