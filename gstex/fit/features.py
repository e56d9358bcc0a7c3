"""What is stored of the features, and the best of it for fixed shapes.

For fixed shapes the squared error is a quadratic of the features (fit/quadratic.py). What is stored are whole numbers:
entries of palettes, the bytes in them, and codes. So what is minimised is that error over whole steps, one Gaussian or
one entry at a time, until none of them lowers it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit, prange

from .quadratic import make_quadratic
from .quantise import Coding
from .samples import Blend, Samples
from .tiles import group_by

# The error falls by a thousandth of what the first sweep gains long before this many.
MOST_SWEEPS = 30


@dataclass
class StoredFeatures:
    """Features as a file has them: lo + step * (the bytes of an entry of every palette + code).

    lo, step: float32 [C]. last: int64 [C], the largest codes. palettes: int64 [K, C], all of them one after the other,
    palette p from start[p] to start[p + 1]. entries: int64 [N, P]. codes: int64 [N, C].
    """

    lo: np.ndarray
    step: np.ndarray
    last: np.ndarray
    palettes: np.ndarray
    start: np.ndarray
    entries: np.ndarray
    codes: np.ndarray

    @staticmethod
    def of(coding: Coding, entries: np.ndarray, codes: np.ndarray) -> "StoredFeatures":
        """These entries and codes of a coding."""
        start = np.concatenate([[0], np.cumsum([len(p) for p in coding.palettes])]).astype(np.int64)
        palettes = np.concatenate([np.zeros((0, codes.shape[1])), *coding.palettes]).astype(np.int64)
        last = 2**coding.channel_bits - 1
        return StoredFeatures(coding.channel_lo, coding.channel_step, last, palettes, start, entries, codes)

    def whole(self) -> np.ndarray:
        """The numbers of steps, int64 [N, C]."""
        return self.codes + self.palettes[self.start[:-1] + self.entries].sum(axis=1)

    def columns(self) -> np.ndarray:
        """The palettes by channels, float64 [C, K], for loops over entries."""
        return np.ascontiguousarray(self.palettes.T, np.float64)

    def values(self) -> np.ndarray:
        """The features, float32 [N, C]."""
        return self.lo + self.whole().astype(np.float32) * self.step

    def into(self, coding: Coding) -> Coding:
        """The coding with these palettes."""
        if not coding.palettes:
            return coding
        tables = np.split(self.palettes, self.start[1:-1])
        return replace(coding, palettes=tuple(table.astype(np.uint8) for table in tables))


def store(coding: Coding, features: np.ndarray) -> StoredFeatures:
    """The nearest to features float32 [N, C] that a coding, with its palettes, can store."""
    stored = StoredFeatures.of(coding, np.zeros((len(features), len(coding.palettes)), np.int64),
                               np.zeros(features.shape, np.int64))  # fmt: skip
    step = np.where(stored.step == 0, 1, stored.step).astype(np.float64)
    scale = stored.step.astype(np.float64) ** 2
    _choose_all((features - stored.lo) / step, scale, stored.columns(), stored.start, stored.last,
                stored.entries, stored.codes)  # fmt: skip
    return stored


def improve_features(samples: Samples, blend: Blend, stored: StoredFeatures, *, palettes_too: bool) -> None:
    """Lower the error by other entries and codes, in place.

    blend: of the samples at these features. palettes_too: the entries of the palettes change as well.
    """
    group, firsts = _equal_channels(samples.importance)
    row, column, value, gradient = make_quadratic(samples, blend, firsts, len(stored.codes))
    own = np.zeros((len(stored.codes), len(firsts)))
    _diagonal(row, column, value, own)
    # In steps from here on: E = sum of gradient * steps + sum of A steps^2, channel by channel.
    step = stored.step.astype(np.float64)
    whole = stored.whole()
    for _ in range(MOST_SWEEPS):
        moved = _sweep(row, column, value, own, gradient, group, step, stored.columns(), stored.start, stored.last,
                       stored.entries, stored.codes, whole)  # fmt: skip
        if palettes_too:
            for p in range(len(stored.start) - 1):
                palette = stored.palettes[stored.start[p] : stored.start[p + 1]]
                entry = np.ascontiguousarray(stored.entries[:, p])
                _sweep_palette(row, column, value, gradient, group, step, palette, entry,
                               *group_by(entry, len(palette)), whole)  # fmt: skip
        if moved * 1000 <= whole.size:
            break


def _equal_channels(importance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the group of every channel, the first channel of every group); channels of a group count in the same points."""
    group, firsts = np.zeros(importance.shape[1], np.int64), [0]
    for c in range(1, len(group)):
        same = [i for i, first in enumerate(firsts) if np.array_equal(importance[:, first], importance[:, c])]
        if not same:
            firsts.append(c)
        group[c] = same[0] if same else len(firsts) - 1
    return group, np.array(firsts)


@njit(cache=True)
def _diagonal(row, column, value, own):
    for g in range(len(own)):
        for i in range(row[g], row[g + 1]):
            if column[i] == g:
                own[g] = value[i]


@njit(cache=True)
def _choose(wanted, scale, columns, start, last, entries, codes):
    """The entries [P] and codes [C] whose sum is nearest to wanted [C], by scale [C] * squared distance: each palette
    in turn, given the others, from the entries that are there. columns: of StoredFeatures."""
    palette_count, channels = len(start) - 1, len(wanted)
    rest = np.empty(channels)
    for c in range(channels):
        rest[c] = wanted[c]
    for p in range(palette_count):
        for c in range(channels):
            rest[c] -= columns[c, start[p] + entries[p]]
    for _ in range(4):
        changed = False
        for p in range(palette_count):
            old = start[p] + entries[p]
            distance = np.zeros(start[p + 1] - start[p])
            for c in range(channels):
                rest[c] += columns[c, old]
                here, most, weight, table = rest[c], last[c], scale[c], columns[c, start[p] : start[p + 1]]
                if most:
                    for k in range(len(distance)):
                        e = here - table[k]
                        e -= min(max(np.rint(e), 0), most)
                        distance[k] += weight * e * e
                else:
                    for k in range(len(distance)):
                        e = here - table[k]
                        distance[k] += weight * e * e
            at = start[p] + np.argmin(distance)
            if at != old:
                entries[p] = at - start[p]
                changed = True
            for c in range(channels):
                rest[c] -= columns[c, at]
        if not changed:
            break
    for c in range(channels):
        codes[c] = np.int64(min(max(np.rint(rest[c]), 0), last[c]))


@njit(cache=True, parallel=True)
def _choose_all(wanted, scale, columns, start, last, entries, codes):
    for g in prange(len(wanted)):
        _choose(wanted[g], scale, columns, start, last, entries[g], codes[g])


@njit(cache=True)
def _sweep(row, column, value, own, gradient, group, step, columns, start, last, entries, codes, whole):
    """Every Gaussian in turn takes what is best for it, given the others. Returns how many channels changed."""
    channels = whole.shape[1]
    wanted, scale = np.empty(channels), np.empty(channels)
    new_entries, new_codes = np.empty(len(start) - 1, np.int64), np.empty(channels, np.int64)
    moved_channel, difference = np.empty(channels, np.int64), np.empty(channels)
    moved = 0
    for g in range(len(whole)):
        for c in range(channels):
            curvature = own[g, group[c]]
            wanted[c], scale[c] = whole[g, c], 0.0
            if curvature > 1e-9 and step[c] > 0:
                wanted[c] -= gradient[g, c] / (2 * curvature * step[c])
                scale[c] = curvature * step[c] * step[c]
        new_entries[:], new_codes[:] = entries[g], codes[g]
        _choose(wanted, scale, columns, start, last, new_entries, new_codes)
        gain = 0.0
        for c in range(channels):
            new = new_codes[c]
            for p in range(len(new_entries)):
                new += np.int64(columns[c, start[p] + new_entries[p]])
            gain += scale[c] * ((wanted[c] - whole[g, c]) ** 2 - (wanted[c] - new) ** 2)
        if gain <= 0:
            continue
        entries[g], codes[g] = new_entries, new_codes
        count = 0
        for c in range(channels):
            new = new_codes[c]
            for p in range(len(new_entries)):
                new += np.int64(columns[c, start[p] + new_entries[p]])
            if new != whole[g, c]:
                moved_channel[count], difference[count] = c, 2 * ((new - whole[g, c]) * step[c])
                whole[g, c] = new
                count += 1
        moved += count
        _follow(g, row, column, value, group, moved_channel[:count], difference, gradient)
    return moved


@njit(cache=True)
def _follow(g, row, column, value, group, moved_channel, difference, gradient):
    """The gradient once Gaussian g has moved by half of `difference` in some channels."""
    for i in range(row[g], row[g + 1]):
        for m in range(len(moved_channel)):
            c = moved_channel[m]
            gradient[column[i], c] += difference[m] * value[i, group[c]]


@njit(cache=True)
def _sweep_palette(row, column, value, gradient, group, step, palette, entry, order, start, whole):
    """Every byte of a palette in turn takes its best value, given all others. order, start: group_by of the entries."""
    channels = palette.shape[1]
    curvature = np.zeros((len(palette), value.shape[1]))
    _add_curvature(row, column, value, entry, order, start, curvature)
    moved_channel, difference = np.empty(channels, np.int64), np.empty(channels)
    for k in range(len(palette)):
        count = 0
        for c in range(channels):
            if curvature[k, group[c]] <= 1e-9 or step[c] == 0:
                continue
            slope = 0.0
            for j in range(start[k], start[k + 1]):
                slope += gradient[order[j], c]
            new = palette[k, c] + np.rint(-slope / (2 * curvature[k, group[c]] * step[c]))
            new = np.int64(min(max(new, 0), 255))
            if new != palette[k, c]:
                moved_channel[count], difference[count] = c, 2 * ((new - palette[k, c]) * step[c])
                for j in range(start[k], start[k + 1]):
                    whole[order[j], c] += new - palette[k, c]
                palette[k, c] = new
                count += 1
        for j in range(start[k], start[k + 1]):
            _follow(order[j], row, column, value, group, moved_channel[:count], difference, gradient)


@njit(cache=True, parallel=True)
def _add_curvature(row, column, value, entry, order, start, curvature):
    """To [K, G] the sums of A_ij over the pairs whose Gaussians both have an entry."""
    for k in prange(len(curvature)):
        for j in range(start[k], start[k + 1]):
            g = order[j]
            for i in range(row[g], row[g + 1]):
                if entry[column[i]] == k:
                    for n in range(curvature.shape[1]):
                        curvature[k, n] += value[i, n]
