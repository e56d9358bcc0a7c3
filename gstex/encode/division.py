"""How channels are divided into groups, what each group may cost, and what else is settled before a fit."""

from collections.abc import Sequence
from dataclasses import dataclass

from gstex.format import ChannelEntry, group_header_words, header_words

__all__ = ["Division", "Plan", "split_budget"]


@dataclass(frozen=True)
class Division:
    """How channels are divided into groups.

    groups: for each its columns in the tasks, whose channels are those that vary. shares: of each group in the bytes of
    mip 0; they add up to 1.
    """

    groups: tuple[tuple[int, ...], ...]
    shares: tuple[float, ...]

    @staticmethod
    def one(columns: int) -> "Division":
        """All channels in one group."""
        return Division((tuple(range(columns)),), (1.0,))

    def covers(self, columns: int) -> bool:
        """Whether it divides so many columns, each into one group."""
        flat = sorted(column for group in self.groups for column in group)
        whole = flat == list(range(columns)) and all(self.groups) and len(self.groups) == len(self.shares)
        return whole and all(0 < share <= 1 for share in self.shares)


@dataclass(frozen=True)
class Plan:
    """What is settled before a fit (encode/plan.py). sampling: 'direct' or 'bilinear'."""

    division: Division
    sampling: str


def split_budget(
    division: Division, words: int, *, entries: Sequence[ChannelEntry], mip_count: int, tail: int
) -> list[int]:
    """Split a budget for all that is read for mip 0: words of mip 0 of every group, with its palettes.

    words: the budget. entries: of all channels of the stack.
    """
    left = words - header_words(entries, len(division.groups))
    left -= sum(group_header_words(len(group), mip_count, tail) for group in division.groups)
    return [int(left * share) for share in division.shares]
