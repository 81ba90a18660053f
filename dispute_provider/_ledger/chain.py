"""Model one dispute's chain in the ledger: its links, each with claims, releases and an end. Pure.

A link represents one action: staging, submitting, conceding, or putting evidence back. Its entries are files
named ``1``, ``2``, and so on. A claim allows its holder to send. A release follows a claim whose holder sent
nothing. An end records the result. An entry is created once and never changed. All entries of a link share
one sequence of numbers, so if one task ends a link while another claims it, exactly one of them succeeds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from dispute_provider._ledger import timing


class Kind(StrEnum):
    """The action that a link represents. A rejection needs no claim, because it sends nothing."""

    STAGE = "stage"
    SUBMIT = "submit"
    CONCEDE = "concede"
    PUT_BACK = "put back"
    REJECT = "reject"


class EntryKind(StrEnum):
    """The kinds of entries in a link."""

    CLAIM = "take"
    RELEASE = "release"
    END = "end"


FINAL = (Kind.SUBMIT, Kind.CONCEDE)


class Trust(StrEnum):
    """The result of checking a signature.

    ``UNKNOWN_KEY``: the signature names a key that this task does not have, because it belongs to another
    connection or was rotated out.
    """

    GOOD = "good"
    UNKNOWN_KEY = "unknown key"
    BAD = "bad"


class Claimant(msgspec.Struct, frozen=True):
    """The identity of a task that claims a dispute, and the action that it claims.

    :param kind: the action.
    :param stage: the dispute's stage; None while it is not known.
    :param approval: identifies the approval or the task that allows the action.
    :param digest: digest of what will be sent; None if nothing is sent.
    :param seen: hash of the last end of a final call when the approval was given; None if there was none.
    """

    kind: Kind
    stage: str | None
    approval: str
    digest: str | None = None
    seen: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An entry that claims a link.

    :param number: the entry's number, from 1.
    :param by: the claimant; None if the file cannot be read.
    :param created: creation time by the store's clock, in seconds since the epoch.
    :param before: the dispute's stage, number of submissions and due date when it was claimed; empty if the
        file is not signed under a known key.
    """

    number: int
    by: Claimant | None
    trust: Trust
    created: float
    before: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """An entry that ends a link.

    :param number: the entry's number in the link, from 1.
    :param state: the state that the record ended in.
    :param before: the dispute's stage, number of submissions and due date when it was claimed.
    :param is_settled: whether no request sent under the link can still arrive.
    :param created: creation time by the store's clock, in seconds since the epoch.
    :param hash: hash of the file; a later approval stores it in :attr:`Claimant.seen`.
    """

    number: int
    by: Claimant
    state: str
    reason: str
    request_id: str | None
    before: Mapping[str, Any]
    is_settled: bool
    trust: Trust
    created: float
    hash: str

    @property
    def is_shared(self) -> bool:
        """Whether the link may have had several claims, so that another task may have sent the call."""
        return self.number > 2


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a chain.

    :param number: the link's number, from 1.
    :param claims: its claims, at least one; empty if the link has ended, because they no longer matter.
    :param released: numbers of the claims under which nothing was sent.
    """

    number: int
    claims: tuple[Claim, ...]
    released: frozenset[int] = frozenset()
    end: End | None = None

    @property
    def last(self) -> Claim:
        return self.claims[-1]

    @property
    def holder(self) -> Claim | None:
        """The last claim under which a request may have been sent; None if all claims are released."""
        return next((claim for claim in reversed(self.claims) if claim.number not in self.released), None)

    @property
    def next_entry(self) -> int:
        """The number of the next entry."""
        return self.last.number + (2 if self.last.number in self.released else 1)

    def can_be_continued_by(self, claimant: Claimant) -> bool:
        """Return whether a claimant may add its claim to this link; if not, the link must be ended first.

        If a request may have been sent, only the same action at the same stage may continue the link: its
        request has the same idempotency key.
        """
        sent = [claim for claim in self.claims if claim.number not in self.released]
        return all(
            claim.by is None or (claim.by.kind, claim.by.stage) == (claimant.kind, claimant.stage)
            for claim in sent
        )

    def may_have_sent(self, claimant: Claimant) -> bool:
        """Return whether an earlier try of a claimant may have sent a request under this link."""
        return any(claim.number not in self.released and is_by(claim, claimant) for claim in self.claims)


@dataclass(frozen=True, slots=True)
class Place:
    """The place in a chain where a claim is created.

    :param link: the link's number.
    :param entry: the entry's number in the link.
    :param ordinal: 1 plus the number of final calls at the same stage that have ended.
    """

    link: int
    entry: int
    ordinal: int


@dataclass(frozen=True, slots=True)
class Chain:
    """All links of one dispute, oldest first."""

    links: tuple[Link, ...] = ()

    @property
    def last(self) -> Link | None:
        return self.links[-1] if self.links else None

    @property
    def open_link(self) -> Link | None:
        """The link that has not ended; None if all links have ended."""
        return self.last if self.last and self.last.end is None else None

    @property
    def final_end(self) -> End | None:
        """The end of the last submission or concession; None if none has ended."""
        return next((x.end for x in reversed(self.links) if x.end and x.end.by.kind in FINAL), None)

    @property
    def in_flight_since(self) -> float | None:
        """Creation time of the last claim that may have a request in flight, by the store's clock."""
        if link := self.open_link:
            return link.holder.created if link.holder else None
        end = self.final_end
        return end.created if end and not end.is_settled else None

    def ordinal(self, stage: str | None) -> int:
        """Return the number of the next final call at a stage, from 1."""
        ends = (link.end for link in self.links if link.end)
        return 1 + sum(end.by.kind in FINAL and end.by.stage == stage for end in ends)

    def place(self, stage: str | None) -> Place:
        """Return the place of the next claim: in the open link, or in a new one."""
        ordinal = self.ordinal(stage)
        if link := self.open_link:
            return Place(link.number, link.next_entry, ordinal)
        return Place((self.last.number if self.last else 0) + 1, 1, ordinal)

    def end_of(self, claimant: Claimant) -> End | None:
        """Return the end of a claimant's own link; None if it has not ended."""
        ends = (link.end for link in reversed(self.links) if link.end)
        return next((end for end in ends if is_same_claimant(end.by, claimant)), None)


class ChainStatus(StrEnum):
    """The status of a chain for a task that wants to claim the dispute."""

    FREE = "free"
    """No task holds a claim."""
    OWN_IN_FLIGHT = "own, in flight"
    """An earlier try of this claimant may have sent its request, and the request may still arrive."""
    OWN_EXPIRED = "own, expired"
    """An earlier try of this claimant may have sent its request, which can no longer be in flight."""
    CLAIMED = "claimed"
    """Another claimant holds a claim."""
    EXPIRED = "expired"
    """Another claimant's claim is so old that nothing sent under it can still be in flight."""
    SETTLING = "settling"
    """A final call has ended, but its request may still arrive."""
    ENDED = "ended"
    """This claimant's own link has ended."""
    UNSEEN = "unseen"
    """Another final call has ended since this claimant's approval was given."""
    DAMAGED = "damaged"
    """A file of the chain was edited or cannot be read."""


def status_of(chain: Chain, claimant: Claimant, age: float) -> ChainStatus:
    """Return the status of a chain for a claimant.

    :param age: seconds since :attr:`Chain.in_flight_since`, by the store's clock; ignored if that is None.
    """
    if any(map(_is_bad, chain.links)) or any(link.end is None for link in chain.links[:-1]):
        return ChainStatus.DAMAGED
    link, has_expired = chain.open_link, age >= timing.TAKEOVER_AFTER
    if link and link.holder:
        if is_by(link.holder, claimant):
            return ChainStatus.OWN_EXPIRED if has_expired else ChainStatus.OWN_IN_FLIGHT
        if not has_expired:
            return ChainStatus.CLAIMED
    last = chain.final_end
    if claimant.kind in FINAL and chain.end_of(claimant):
        return ChainStatus.ENDED
    if not link and last and not last.is_settled and not has_expired:
        return ChainStatus.SETTLING
    if claimant.kind in FINAL and (last.hash if last else None) != claimant.seen:
        return ChainStatus.UNSEEN
    return ChainStatus.EXPIRED if link and link.holder else ChainStatus.FREE


def is_by(claim: Claim, claimant: Claimant) -> bool:
    """Return whether a claim was made by a claimant."""
    return claim.by is not None and is_same_claimant(claim.by, claimant)


def is_same_claimant(one: Claimant, other: Claimant) -> bool:
    """Return whether two claimants are the same, as in two tries of one task."""
    return (one.kind, one.approval) == (other.kind, other.approval)


def _is_bad(link: Link) -> bool:
    end = link.end
    return any(claim.trust is Trust.BAD for claim in link.claims) or (
        end is not None and end.trust is Trust.BAD
    )


def hash_of(content: bytes) -> str:
    """Return the sha256 of a file of a chain, hexadecimal."""
    return hashlib.sha256(content).hexdigest()
