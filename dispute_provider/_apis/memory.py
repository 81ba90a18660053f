"""Define the notes about one dispute that API modules keep between tries and runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from dispute_provider._evidence.replacing import Replacement
from dispute_provider._evidence.snapshot import Snapshot


class DisputeMemory(Protocol):
    """The notes about one dispute, kept between tries and runs.

    :ivar link: the number of the ledger's link under which uploads are made.
    """

    link: int

    async def first_seen(self) -> frozenset[str] | None:
        """Return the API's ids of the evidence that was there before our first upload.

        Evidence that was added later and equals the case is ours. None if nothing was uploaded yet.
        """

    async def ours(self) -> frozenset[str]:
        """Return the marks of the evidence that we wrote, in earlier runs too. Any other is foreign."""

    async def look_again(self) -> None:
        """Read the notes again, because another task may have changed them."""

    async def forget_tries_up_to(self, link: int) -> None:
        """Delete the notes up to a successful staging. Its evidence then counts as there first.

        :param link: the number of the staging's link in the ledger.
        """

    async def begin(self, items: frozenset[str]) -> None:
        """Note the ids of the evidence before the first upload. Later calls don't change the note."""

    def remember(self, marks: frozenset[str]) -> None:
        """Replace the marks of the evidence that is ours."""

    def keep(self, evidence: Mapping[str, Any]) -> str | None:
        """Keep evidence that is about to be replaced.

        :returns: the sha256 to retrieve it with; None if it cannot be kept.
        """

    def kept(self, sha256: str | None) -> dict[str, Any] | None:
        """Return evidence that was kept; None if it was not kept, or was deleted."""

    async def replacement(self, marks: frozenset[str]) -> Replacement | None:
        """Return the note of an interrupted staging; None if there is none.

        :param marks: of the current evidence. If all of it is ours, no staging was interrupted.
        """

    async def note(self, replacement: Replacement) -> None:
        """Note what is about to be replaced. The note outlives this try."""


class NoMemory:
    """A memory that keeps nothing between tries, for callers without a state store."""

    def __init__(self) -> None:
        self.link = 0
        self._first_seen: frozenset[str] | None = None
        self._ours: frozenset[str] = frozenset()

    async def first_seen(self) -> frozenset[str] | None:
        return self._first_seen

    async def ours(self) -> frozenset[str]:
        return self._ours

    async def look_again(self) -> None:
        """Do nothing."""

    async def forget_tries_up_to(self, link: int) -> None:
        """Do nothing."""

    async def begin(self, items: frozenset[str]) -> None:
        self._first_seen = items

    def remember(self, marks: frozenset[str]) -> None:
        self._ours = marks

    def keep(self, evidence: Mapping[str, Any]) -> str | None:
        return None

    def kept(self, sha256: str | None) -> dict[str, Any] | None:
        return None

    async def replacement(self, marks: frozenset[str]) -> Replacement | None:
        return None

    async def note(self, replacement: Replacement) -> None:
        pass


async def foreign(before: Snapshot, memory: DisputeMemory) -> frozenset[str]:
    """Return the ids of the evidence that was there before ours, even if it equals ours."""
    there = frozenset(held.item for held in before.evidence if held.item)
    # Looking up what was there first, and what is ours, may be slow.
    if not there:
        return there
    first = await memory.first_seen()
    first = there if first is None else first
    return first and first - await memory.ours()
