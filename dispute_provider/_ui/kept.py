"""Keep what was read and verified before, within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Lists by what they were read from; those that were used longest ago go first.

    :param most: the most items of all lists together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lists: OrderedDict[Hashable, Sequence[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, state: Hashable, read: Callable[[], Sequence[T]]) -> Sequence[T]:
        """Return the list of a state; it is read if it is not kept.

        :param state: names what is read, and changes with it.
        """
        with self._lock:
            if state in self._lists:
                self._lists.move_to_end(state)
                return self._lists[state]
        found = read()
        with self._lock:
            self._lists[state] = found
            while len(self) > self._most:
                self._lists.popitem(last=False)
        return found

    def __len__(self) -> int:
        """Return how many items are kept."""
        return sum(len(each) + 1 for each in self._lists.values())
