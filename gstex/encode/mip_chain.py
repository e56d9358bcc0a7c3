"""The fit of a mip chain: which mips share the Gaussians of mip 0, and what the others may cost.

The first mips below mip 0 are drawn with its Gaussians and cost nothing. Those below them are stored as texels
where that is cheap enough, and otherwise have Gaussians of their own, fitted from those of the mip above. The whole
chain costs at most CHAIN_COST times mip 0, and RAW_MORE more if that lets all small mips be texels. If mip 0 is
large and the chain has a tail, all that the tail needs takes at most TAIL_COST times mip 0. Mips that the user gives
need not look like mip 0: they and all smaller ones are not shared, and the chain costs up to CHAIN_COST_OWN times
mip 0.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from gstex.arrays import U8Array
from gstex.encode.checkpoint import Spot
from gstex.encode.engine import MakeEngine
from gstex.encode.ops.cpu.engine import CpuEngine
from gstex.encode.problem import BudgetTooSmall, Result, Task
from gstex.encode.schedule import Schedule, fit_mip
from gstex.encode.settings import Settings
from gstex.encode.shared_mips import SHARED_MIPS
from gstex.encode.work import Progress
from gstex.format.layout import (
    ALIGN_WORDS,
    group_header_words,
    mip_block_words,
    palette_words,
    raw_words,
    shared_words,
)
from gstex.native.maths import whole_power

# Most words of all mips, as a multiple of those of mip 0 with the header. A chain without overhead and with equal bits
# per texel: 1.33.
CHAIN_COST, CHAIN_COST_OWN = 1.10, 1.40
# Share of mip 0 that its header, palettes and the mips of a tail may take; those mips get at least LEAST_TAIL.
TAIL_COST, LEAST_TAIL = 0.077, 0.05
# From so many bytes of mip 0 on, the tail is held to that share. A smaller file has little to read first anyway.
LARGE = 65536
# Mips are stored as texels, the smallest first. If all together fit in what is left for the mips below mip 0, all are;
# else those that fit in RAW_SHARE of it. Where CHAIN_COST bounds the chain, RAW_MORE times mip 0 may be added for all.
RAW_SHARE, RAW_MORE = 0.5, 0.05
# The same share for a tail whose larger mips are seen only until the rest of the file is there.
TAIL_RAW_SHARE = 0.85
# Factor of the words of a mip that is seen only until then.
BRIEFLY = 0.1
# Share of mip 0 that the texels of a mip may take where they have to hold the coverage of a cut-out.
TEXELS_SHARE = 0.3
# Ratio of the bits per texel of a mip to those of the mip above it, without tables.
GROWTH = 1.23
# Words of records below which a mip is its background alone: tables for two or three Gaussians are a waste.
LEAST_RECORDS = 8

# A strip is at least this many times as long as it is high. Its mips below the shared ones are still long, and would be
# one colour for the words that are left. So its chain gets CHAIN_COST_OWN and these words more, as that of a cut-out.
STRIP, EXTRA_WORDS = 16, 512

# A step of a fit takes the time of its texels and of this many more.
STEP_TEXELS = 2000

RAW = "raw"  # what `share_words` returns for a mip of texels
SHARED = "shared"  # and for one that is drawn with the Gaussians of mip 0


@dataclass(frozen=True)
class Shared:
    """A mip that is drawn with the Gaussians of mip 0. alone: what the tail holds instead, if it is in the tail."""

    alone: "Result | U8Array | Background | None" = None


@dataclass(frozen=True)
class Background:
    """A mip that is its background alone: not even a Gaussian was affordable."""


Mip = Result | np.ndarray | Shared | Background


def fit_chain(
    tasks: Sequence[Task],
    settings: Settings,
    *,
    sharing: int = SHARED_MIPS,
    first: Result | None = None,
    texels_share: float = 0.0,
    tail: int | None = None,
    head_words: int = 0,
    sections: int = 1,
    seed: int,
    progress: Progress,
    make_engine: MakeEngine = CpuEngine,
    schedule: type[Schedule] = Schedule,
    fit_first: Callable[..., Result] = fit_mip,
    spots: Callable[[int], Spot] | None = None,
) -> list[Mip]:
    """Fit mip 0 and the mips below it.

    Args:
        tasks: one per mip, largest first. That of mip 0 holds its budget or count; those of the others are set here.
        sharing: how many mips share the Gaussians of mip 0, 0 .. SHARED_MIPS.
        first: the fit of mip 0, if there is one already.
        texels_share: mips whose texels take at most this share of mip 0 are stored as texels, whatever all cost.
        tail: the first mip of the tail, None for none. Shared mips in the tail get a form of their own there.
        head_words: of the material's header, which are charged to this group. sections: the number of groups.
        progress: called as progress(stage, part, mse) with the part of all mips' work that is done, 0..1, and the error
            of mip 0; inf from then on.
        make_engine: what every fit runs on. schedule: the stages of every fit.
        fit_first: fits mip 0, called as fit_mip.
        spots: gives the part of a checkpoint for a mip, by its number.

    Returns:
        For every mip a Result, texels uint8 [h, w, C], Shared or Background.

    Raises:
        BudgetTooSmall: the budget of mip 0 does not hold a single Gaussian.
    """
    work = [task.target.image[:, :, 0].size + STEP_TEXELS for task in tasks]
    work[1 : 1 + sharing] = [0] * len(work[1 : 1 + sharing])
    done = 0

    def report(index: int) -> Progress:
        return lambda stage, part, mse: progress(
            f"mip {index}" if index else stage, (done + work[index] * part) / sum(work), math.inf if index else mse
        )

    shared = tuple(task.target for task in tasks[1 : 1 + sharing])
    task = replace(tasks[0], shared=shared)
    on: dict[str, object] = {"make_engine": make_engine, "schedule": schedule}
    if first is None:
        first = _kept(spots(0) if spots else None, fit_first, task, settings, seed=seed, progress=report(0), **on)
    mips: list[Mip] = [first]
    done = work[0]
    channels = tasks[0].target.channels
    head = head_words + group_header_words(channels, len(tasks), len(tasks) if tail is None else tail)
    sizes = [task.target.image.shape[:2] for task in tasks]
    tables = palette_words(first.coding.palette_bits, channels)
    free = sharing if tail is None else min(sharing, tail - 1)  # mips that cost nothing
    cost = CHAIN_COST if sharing == SHARED_MIPS else CHAIN_COST_OWN
    shares = share_words(head + first.words, sizes, channels, free, texels_share, cost=cost, brief=sharing - free,
                         resident=None if tail is None else head + tables, sections=sections)  # fmt: skip
    above = first
    for index, share in enumerate(shares, start=1):
        task = tasks[index]
        mip: Mip = Background()
        if share == SHARED:
            mip = Shared()
        elif share == RAW:
            mip = np.rint(np.clip(task.target.image, 0, 1) * 255).astype(np.uint8)
        elif isinstance(share, int):
            task = replace(task, budget_words=share, count=None, above=above)
            with suppress(BudgetTooSmall):
                spot = spots(index) if spots else None
                mip = above = _kept(spot, fit_mip, task, settings, seed=seed + index, progress=report(index), **on)
        mips.append(Shared(mip) if free < index <= sharing and not isinstance(mip, Shared) else mip)
        done += work[index]
    return mips


def _kept(
    spot: Spot | None, fit: Callable[..., Result], task: Task, settings: Settings, **how: object
) -> Result:
    """The result of a fit, from the checkpoint if it is there. Only `fit_mip` saves unfinished fits as well."""
    if spot is None:
        return fit(task, settings, **how)
    result = spot.result(task)
    if result is None:
        result = fit(task, settings, **how, **({"spot": spot} if fit is fit_mip else {}))
        spot.finish(result)
    return result


def share_words(
    first_words: int, sizes: Sequence[tuple[int, int]], channels: int, sharing: int = SHARED_MIPS,
    texels_share: float = 0.0, *, cost: float = CHAIN_COST, brief: int = 0,
    resident: int | None = None, sections: int = 1,
) -> list[int | str | None]:
    """What the mips below mip 0 may cost.

    Args:
        first_words: words of the header and mip 0.
        sizes: (height, width) of all mips. channels: of the group.
        sharing: how many mips share the Gaussians of mip 0. texels_share: of fit_chain.
        cost: CHAIN_COST or CHAIN_COST_OWN. brief: how many mips after those that share are seen only until the rest of
            the file is there. resident: words that a tail needs beside its mips; None without a tail.
        sections: how many groups there are.

    Returns:
        For every mip from 1 on a number of words for Gaussians, SHARED, RAW, or None for its background alone.
    """
    texels = np.array([h * w for h, w in sizes])
    strip = max(sizes[0]) >= STRIP * min(sizes[0])
    dearer = strip or texels_share > 0
    if dearer:
        cost = CHAIN_COST_OWN
    elif resident is not None and cost == CHAIN_COST and 4 * first_words >= LARGE:
        cost = 1 + max(TAIL_COST - resident / first_words, LEAST_TAIL)
    sharing = min(sharing, len(sizes) - 1)
    blocks = shared_words(channels) * (sharing + brief)

    def left_of(most: float) -> int:
        """What is left for the mips below those that share. The section is padded to whole pieces and ends with a
        guard word."""
        if sections > 1:  # each group pays for its part of the padding
            return int(most - first_words - blocks - 2 * ALIGN_WORDS / sections)
        if resident is None:
            return _whole_pieces(most) - 1 - first_words - blocks
        # Mip 0 and the shared mips end in whole pieces, and so does the resident part.
        return _whole_pieces(most - _whole_pieces(first_words - resident + blocks + ALIGN_WORDS)) - 1 - resident

    total = left_of(cost * first_words + EXTRA_WORDS * dearer)
    background = mip_block_words(channels, 0)
    tables = mip_block_words(channels, 1) + 6  # of a mip with one level, and the index of up to 31 cells
    raw = [raw_words(w, h, -(-channels // 4)) for h, w in sizes]
    all_raw = sum(raw[1 + sharing :])
    if cost == CHAIN_COST and total < all_raw <= left_of((cost + RAW_MORE) * first_words):
        total = all_raw
    small = _raw_tail(raw, total, 1 + sharing, TAIL_RAW_SHARE if brief else RAW_SHARE)
    while small > 1 + sharing and raw[small - 1] <= texels_share * first_words:
        small -= 1
        total += raw[small]

    def costs(scale: float) -> list[tuple[int, int | str | None]]:
        rows: list[tuple[int, int | str | None]] = []
        for mip in range(1 + sharing, len(sizes)):
            part = BRIEFLY if mip <= sharing + brief else 1.0
            records = part * scale * first_words * whole_power(GROWTH, mip) * texels[mip] / texels[0]
            words = tables + int(records)
            if mip >= small or raw[mip] <= words:
                rows.append((raw[mip], RAW))
            elif records >= LEAST_RECORDS:
                rows.append((words, words))
            else:
                rows.append((background, None))
        return rows

    low, high = 0.05, 64.0
    for _ in range(40):
        middle = (low + high) / 2
        if sum(cost for cost, _ in costs(middle)) <= total:
            low = middle
        else:
            high = middle
    shared: list[int | str | None] = [SHARED] * sharing
    return shared + [share for _, share in costs(low)]


def _whole_pieces(words: float) -> int:
    return int(words) // ALIGN_WORDS * ALIGN_WORDS


def _raw_tail(raw: list[int], total: int, least: int, share: float) -> int:
    """The first of the mips at the end of the chain that are stored as texels, `least` or later.

    share: of the total, what they may take if it does not hold all from `least` on.
    """
    if sum(raw[least:]) <= total:
        return least
    first = len(raw)
    while first > least and sum(raw[first - 1 :]) <= share * total:
        first -= 1
    return first
