"""What is remembered of one dispute between tries and runs, as the API modules ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from dispute_provider._evidence.replacing import Replacement
from dispute_provider._evidence.snapshot import Snapshot


class DisputeMemory(Protocol):
    """What is remembered of one dispute between tries and runs.

    :param first_seen: the API's ids of what stood there before we first uploaded to it: what came later and
        equals the case is ours. None if nothing was uploaded yet.
    :param ours: marks of what we put there, in earlier runs too: the rest is somebody else's.
    :param link: the number of the link in the ledger under which uploads are begun.
    """

    first_seen: frozenset[str] | None
    link: int

    @property
    def ours(self) -> frozenset[str]: ...

    def look_again(self) -> None:
        """Read what another task has noted since this one began."""

    def forget_tries_before(self, link: int) -> None:
        """Forget what was noted before a staging that has ended well: what stands there was there first.

        :param link: the number of its link in the ledger.
        """

    def begin(self, items: frozenset[str]) -> None:
        """Note what is there, before anything is uploaded; the first note stays."""

    def remember(self, marks: frozenset[str]) -> None:
        """Note what is ours there, in place of what was."""

    def keep(self, evidence: Mapping[str, Any]) -> str | None:
        """Keep evidence that is about to be replaced; returns the sha256 that it is found by, None if it
        cannot be kept.
        """

    def kept(self, sha256: str | None) -> dict[str, Any] | None:
        """Return evidence that was kept; None if it was not, or is gone."""

    def replacement(self, marks: frozenset[str]) -> Replacement | None:
        """Return what a broken staging noted before it wrote; None if there is no such note.

        :param marks: of what the dispute holds: where all of it is ours, no staging was broken.
        """

    def note(self, replacement: Replacement) -> None:
        """Note what is about to be replaced, before it is written: it outlives this try."""


class NoMemory:
    """Memory that keeps nothing, for callers without a state store."""

    def __init__(self) -> None:
        self.first_seen: frozenset[str] | None = None
        self.link = 0
        self.ours: frozenset[str] = frozenset()

    def look_again(self) -> None:
        """Nothing is noted."""

    def forget_tries_before(self, link: int) -> None:
        """Nothing is noted."""

    def begin(self, items: frozenset[str]) -> None:
        self.first_seen = items

    def remember(self, marks: frozenset[str]) -> None:
        self.ours = marks

    def keep(self, evidence: Mapping[str, Any]) -> str | None:
        return None

    def kept(self, sha256: str | None) -> dict[str, Any] | None:
        return None

    def replacement(self, marks: frozenset[str]) -> Replacement | None:
        return None

    def note(self, replacement: Replacement) -> None:
        pass


def foreign(before: Snapshot, memory: DisputeMemory) -> frozenset[str]:
    """Return the ids of the items that were there before any of ours, even if they read the same as ours."""
    there = frozenset(held.item for held in before.evidence if held.item)
    first = there if memory.first_seen is None else memory.first_seen
    # What is ours may have to be looked up.
    return first and first - memory.ours
