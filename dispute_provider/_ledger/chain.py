"""The chain of one dispute: its links, each with takes, releases and an end. Pure.

A link is one intention: to stage, submit, concede, or put evidence back. Its entries are the files ``1``,
``2``, …: takes, each the claim of one holder; a release after a take whose holder has sent nothing; an end,
what came of it. An entry is created once and never changed. All share their numbers, so that of two tasks,
one of which ends a link while the other takes it, one wins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from dispute_provider._ledger import terms


class Kind(StrEnum):
    """What a link is about. A rejection has no take, because it sends nothing."""

    STAGE = "stage"
    SUBMIT = "submit"
    CONCEDE = "concede"
    PUT_BACK = "put back"
    REJECT = "reject"


class What(StrEnum):
    """What an entry of a link is."""

    TAKE = "take"
    RELEASE = "release"
    END = "end"


FINAL = (Kind.SUBMIT, Kind.CONCEDE)


class Trust(StrEnum):
    """What a signature proves.

    ``UNKNOWN_KEY``: it names a key that is not known here, of another connection or before a rotation.
    """

    GOOD = "good"
    UNKNOWN_KEY = "unknown key"
    BAD = "bad"


class Claimant(msgspec.Struct, frozen=True):
    """What is claimed, and in whose name.

    :param kind: see :class:`Kind`.
    :param stage: the dispute's stage; None where that is not known yet.
    :param approval: names what gives the right to it: an approval's signature, or a task.
    :param digest: of what is to be sent; None where nothing is.
    :param seen: hash of the last end of a final link that the approval was given on; None if there was none.
    """

    kind: Kind
    stage: str | None
    approval: str
    digest: str | None = None
    seen: str | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """One claim on a link.

    :param number: of the entry, from 1.
    :param by: what was claimed; None where the file cannot be read.
    :param created: by the store's clock.
    """

    number: int
    by: Claimant | None
    trust: Trust
    created: float


@dataclass(frozen=True, slots=True)
class End:
    """What came of a link.

    :param state: the state of the record that it ended with.
    :param before: stage, number of submissions and due date that the claim was taken on.
    :param is_settled: whether nothing that was sent under the link can arrive any more.
    :param created: by the store's clock.
    :param hash: of the file; an approval that was given on it names it.
    """

    by: Claimant
    state: str
    reason: str
    request_id: str | None
    before: Mapping[str, Any]
    is_settled: bool
    trust: Trust
    created: float
    hash: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a chain, as far as it has come.

    :param number: from 1.
    :param takes: at least one; empty where the link has ended, after which they decide nothing.
    :param released: numbers of the takes under which nothing was sent.
    """

    number: int
    takes: tuple[Take, ...]
    released: frozenset[int] = frozenset()
    end: End | None = None

    @property
    def last(self) -> Take:
        return self.takes[-1]

    @property
    def holder(self) -> Take | None:
        """The last take under which something may have been sent; None if all are released."""
        return next((take for take in reversed(self.takes) if take.number not in self.released), None)

    @property
    def next_entry(self) -> int:
        """The number of the entry that comes next."""
        return self.last.number + (2 if self.last.number in self.released else 1)

    def takes_on(self, claimant: Claimant) -> bool:
        """Return whether a claimant may go on with it; otherwise it is ended first.

        A link under which something may have been sent is gone on with for the same thing only, because the
        request then has the same idempotency key.
        """
        sent = [take for take in self.takes if take.number not in self.released]
        return all(
            take.by is None or (take.by.kind, take.by.stage) == (claimant.kind, claimant.stage)
            for take in sent
        )

    def may_have_sent(self, claimant: Claimant) -> bool:
        """Return whether an earlier try of a claimant may have sent something under it."""
        return any(take.number not in self.released and is_by(take, claimant) for take in self.takes)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a claim is created.

    :param link: the link's number.
    :param take: the entry's number within it.
    :param ordinal: 1, and one more for each final link of the same stage that has ended before.
    """

    link: int
    take: int
    ordinal: int


@dataclass(frozen=True, slots=True)
class Chain:
    """All links of one dispute, in order."""

    links: tuple[Link, ...] = ()

    @property
    def last(self) -> Link | None:
        return self.links[-1] if self.links else None

    @property
    def open_link(self) -> Link | None:
        """The link that has not ended; None if all have."""
        return self.last if self.last and self.last.end is None else None

    @property
    def final_end(self) -> End | None:
        """The end of the last final link that has ended."""
        return next((x.end for x in reversed(self.links) if x.end and x.end.by.kind in FINAL), None)

    @property
    def in_flight_since(self) -> float | None:
        """When the last claim was created under which something may be in flight, by the store's clock."""
        if link := self.open_link:
            return link.holder.created if link.holder else None
        end = self.final_end
        return end.created if end and not end.is_settled else None

    def ordinal(self, stage: str | None) -> int:
        """Return which final link of a stage the next one is, from 1."""
        ends = (link.end for link in self.links if link.end)
        return 1 + sum(end.by.kind in FINAL and end.by.stage == stage for end in ends)

    def place(self, stage: str | None) -> Place:
        """Return where the next claim is created: on the open link, or on a new one."""
        ordinal = self.ordinal(stage)
        if link := self.open_link:
            return Place(link.number, link.next_entry, ordinal)
        return Place((self.last.number if self.last else 0) + 1, 1, ordinal)

    def end_of(self, claimant: Claimant) -> End | None:
        """Return how a claimant's own final link ended; None if it has not."""
        ends = (link.end for link in reversed(self.links) if link.end)
        return next((end for end in ends if is_same(end.by, claimant)), None)


class Standing(StrEnum):
    """How a chain stands to somebody who wants to claim a dispute."""

    FREE = "free"
    """Nobody has a claim."""
    OURS = "ours, in flight"
    """An earlier try of the same claimant may have sent its request, and that may still arrive."""
    OURS_LAPSED = "ours, lapsed"
    """An earlier try of the same claimant may have sent its request; if so, it has arrived."""
    TAKEN = "taken"
    """Somebody else has a claim."""
    LAPSED = "lapsed"
    """Somebody else had a claim, long enough ago that nothing of it is in flight."""
    SETTLING = "settling"
    """A final link has ended, and what was sent under it may still arrive."""
    ENDED = "ended"
    """The claimant's own link has ended."""
    UNSEEN = "unseen"
    """A final link has ended that the claimant's approval was not given on."""
    DAMAGED = "damaged"
    """A file of the chain was edited or cannot be read."""


def standing(chain: Chain, claimant: Claimant, age: float) -> Standing:
    """Return how a chain stands to a claimant.

    :param age: seconds since :attr:`Chain.in_flight_since`, by the store's clock; ignored where that is None.
    """
    if any(map(_is_bad, chain.links)) or any(link.end is None for link in chain.links[:-1]):
        return Standing.DAMAGED
    link, has_lapsed = chain.open_link, age >= terms.LAPSES_AFTER
    if link and link.holder:
        if is_by(link.holder, claimant):
            return Standing.OURS_LAPSED if has_lapsed else Standing.OURS
        return Standing.LAPSED if has_lapsed else Standing.TAKEN
    last = chain.final_end
    if claimant.kind in FINAL and chain.end_of(claimant):
        return Standing.ENDED
    if not link and last and not last.is_settled and not has_lapsed:
        return Standing.SETTLING
    if claimant.kind not in FINAL:
        return Standing.FREE
    return Standing.FREE if (last.hash if last else None) == claimant.seen else Standing.UNSEEN


def is_by(take: Take, claimant: Claimant) -> bool:
    """Return whether a take was created in a claimant's name."""
    return take.by is not None and is_same(take.by, claimant)


def is_same(one: Claimant, other: Claimant) -> bool:
    """Return whether two claims are made in one name for one thing, as by two tries of a task."""
    return (one.kind, one.approval) == (other.kind, other.approval)


def _is_bad(link: Link) -> bool:
    end = link.end
    return any(take.trust is Trust.BAD for take in link.takes) or (end is not None and end.trust is Trust.BAD)


def hash_of(content: bytes) -> str:
    """Return what a file of a chain is known by: sha256 of its bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()
