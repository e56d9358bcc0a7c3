"""What is stored of features: entries of codebooks, and codes (docs/format.md, "Palettes" and "Record")."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gstex.arrays import F32Array, F64Array, FloatArray, I32Array, I64Array, U32Array
from gstex.encode.quantisation import Coding
from gstex.native import _core

__all__ = ["PASSES", "ROUNDS", "ROUNDS_AGAIN", "StoredFeatures", "draw_seeds", "store", "train"]

# A new codebook is trained in ROUNDS rounds of k-means. Then all codebooks are trained again PASSES times in turn, each
# given the others, in ROUNDS_AGAIN rounds.
ROUNDS, PASSES, ROUNDS_AGAIN = 12, 3, 2


@dataclass
class StoredFeatures:
    """Features as a file has them: lo + step * (the bytes of an entry of every codebook + code).

    lo, step: float32 [C]. last: int32 [C], the largest codes. codebooks: uint8 [K, C], all of them one after the other,
    codebook p from start[p] to start[p + 1]; start: int32 [P + 1]. entries: uint32 [N, P]. codes: uint32 [N, C].
    """

    lo: np.ndarray
    step: np.ndarray
    last: np.ndarray
    codebooks: np.ndarray
    start: np.ndarray
    entries: np.ndarray
    codes: np.ndarray

    @staticmethod
    def of(coding: Coding, entries: U32Array, codes: U32Array) -> "StoredFeatures":
        """The features that these entries and codes of a coding stand for."""
        start = np.concatenate([[0], np.cumsum([len(p) for p in coding.palettes])]).astype(np.int32)
        books = np.concatenate([np.zeros((0, codes.shape[1]), np.uint8), *coding.palettes])
        last = (2**coding.channel_bits - 1).astype(np.int32)
        return StoredFeatures(coding.channel_lo, coding.channel_step, last, books, start, entries, codes)

    def whole(self) -> I64Array:
        """The features in whole steps above lo, int64 [N, C]."""
        rows = self.codebooks[self.start[:-1] + self.entries.astype(np.int64)]
        return self.codes.astype(np.int64) + rows.sum(axis=1, dtype=np.int64)

    def values(self) -> F32Array:
        """The features, float32 [N, C]."""
        return self.lo + self.whole().astype(np.float32) * self.step

    def into(self, coding: Coding) -> Coding:
        """The coding with these codebooks."""
        if not coding.palettes:
            return coding
        return replace(coding, palettes=tuple(np.split(self.codebooks.copy(), self.start[1:-1])))


def store(coding: Coding, features: F32Array) -> StoredFeatures:
    """What a coding, with its codebooks, can store nearest to features float32 [N, C]."""
    stored = StoredFeatures.of(coding, np.zeros((len(features), len(coding.palettes)), np.uint32),
                               np.zeros(features.shape, np.uint32))  # fmt: skip
    _core.store_features(features, stored.lo, stored.step, stored.last, stored.codebooks, stored.start,
                         stored.entries, stored.codes)  # fmt: skip
    return stored


def train(
    values: F32Array, weight: FloatArray, bits: Sequence[int], rng: np.random.Generator, *,
    rounds: int = ROUNDS, passes: int = PASSES, first: tuple[list[F32Array], I32Array] | None = None,
) -> tuple[list[F32Array], I32Array]:  # fmt: skip
    """Codebooks for values, by residual k-means.

    Args:
        values: float32 [N, C], scaled so that squared distances count alike in all channels.
        weight: float [N], what a Gaussian's error counts.
        bits: of every codebook.
        first: what this returned for the same values and some of the first bits, to go on from; it is not changed.

    Returns:
        (float32 [2^bits, C] for every codebook, int32 [N, P] the entries that sum up to nearly the values).
    """
    weight = weight.astype(np.float64) + 1e-12
    rest = values.astype(np.float32)
    books, entries = [], []
    if first:
        books, entries = [book.copy() for book in first[0]], [entry.copy() for entry in first[1].T]
        for book, entry in zip(books, entries, strict=True):
            rest = rest - book[entry]
    for b in bits[len(books) :]:
        book, entry = draw_seeds(rest, weight, 2**b, rng), np.empty(len(values), np.int32)
        _core.kmeans(rest, weight, book, entry, rounds)
        rest = rest - book[entry]
        books.append(book)
        entries.append(entry)
    for _ in range(passes if len(bits) > 1 else 0):
        for book, entry in zip(books, entries, strict=True):
            rest = rest + book[entry]
            _core.kmeans(rest, weight, book, entry, ROUNDS_AGAIN)
            rest = rest - book[entry]
    return books, np.stack(entries, axis=1)


def draw_seeds(values: F32Array, weight: F64Array, count: int, rng: np.random.Generator) -> F32Array:
    """Entries to start from, float32 [count, C]: values drawn one after the other by their weight and the square of the
    distance to the nearest that was drawn (k-means++, Arthur and Vassilvitskii 2007). If there are fewer values than
    entries, some are drawn twice."""
    chosen = np.zeros(count, np.int64)
    _core.draw_seeds(values, weight, rng.random(count), chosen)
    return values[chosen]
