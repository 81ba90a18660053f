"""Divide the bytes that an API allows among the documents of a dispute. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

_File = TypeVar("_File", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Budget(Generic[_File]):
    """Bytes that files may have together.

    :param files: a file that is sent twice is named twice.
    """

    files: tuple[_File, ...]
    size: int


def shares(
    sizes: Mapping[_File, int], budgets: Iterable[Budget[_File]], fixed: Mapping[_File, int]
) -> dict[_File, int]:
    """Return the most bytes of each file that has to become smaller, so that every budget is kept.

    Small files keep their size. The others of a budget get the same share of what is left.

    :param sizes: bytes of each file.
    :param fixed: bytes of the files that cannot become smaller than that.
    """
    most: dict[_File, int] = {}
    for budget in budgets:
        free = [each for each in budget.files if each not in fixed]
        left = budget.size - sum(fixed[each] for each in budget.files if each in fixed)
        share = _even_share(sorted(sizes[each] for each in free), left)
        for each in free:
            if sizes[each] > share:
                most[each] = min(share, most.get(each, share))
    return most


def _even_share(ascending: Sequence[int], left: int) -> int:
    """Return the size to which all larger ones are to be reduced so that their sum is at most ``left``."""
    for index, size in enumerate(ascending):
        share = max(1, left // (len(ascending) - index))
        if size > share:
            return share
        left -= size
    return max(ascending, default=0)
