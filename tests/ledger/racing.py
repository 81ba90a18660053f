"""Race writers for one file of a store."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dispute_provider._ledger.stores import LedgerStore

RACERS = 50


@dataclass(frozen=True)
class Race:
    """What came of a race.

    :param winners: contents whose writer got the result that it created the file.
    :param seen: what each loser read right after, by content.
    :param final: what the file holds in the end.
    """

    winners: list[bytes]
    seen: Counter[bytes | None]
    final: bytes | None

    def check(self) -> None:
        """Assert that one writer has won, and that no reader has seen other content."""
        assert len(self.winners) == 1, f"{len(self.winners)} winners"
        assert self.final == self.winners[0]
        assert set(self.seen) <= {self.final}, "a loser has read another file, a part of one, or none"
        assert self.final == content_of(int(self.final.split()[0]))


def content_of(racer: int) -> bytes:
    """Return what a racer writes: enough that a part of it would show."""
    return b"%d " % racer + b"%d" % racer * 4000


def race(stores: list[LedgerStore], path: str, pool: ThreadPoolExecutor) -> Race:
    """Let many threads create one file in the same moment.

    :param stores: shared out among the racers.
    """
    gun = threading.Barrier(RACERS)
    winners: list[bytes] = []
    seen: Counter[bytes | None] = Counter()

    def run(racer: int) -> None:
        store, content = stores[racer % len(stores)], content_of(racer)
        gun.wait()
        if store.create(path, content):
            winners.append(content)
        else:
            seen[store.read([path]).get(path)] += 1

    list(pool.map(run, range(RACERS)))
    return Race(winners, seen, stores[0].read([path]).get(path))


def races(stores: list[LedgerStore], number: int, path: Callable[[int], str]) -> None:
    """Run races, and check each."""
    with ThreadPoolExecutor(RACERS) as pool:
        for each in range(number):
            race(stores, path(each), pool).check()
