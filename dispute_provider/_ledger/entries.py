"""Encode and decode the signed files of a dispute's chain. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from dispute_provider._evidence.snapshot import canonical_json
from dispute_provider._ledger.chain import Chain, Claim, Claimant, End, EntryKind, Link, Trust, hash_of


class LedgerSigner(Protocol):
    """Signs the files of a chain and checks their signatures."""

    def sign(self, content: bytes) -> str:
        """Return a signature that contains the id of its key."""

    def check(self, content: bytes, signature: str) -> Trust:
        """Check the signature of a file's content."""


def encode_entry(path: str, facts: Mapping[str, Any], signer: LedgerSigner) -> bytes:
    """Return the content of a file: an entry's facts and their signature, which covers the path as well."""
    return canonical_json({"signed": facts, "signature": signer.sign(canonical_json([path, facts]))})


class ChainFiles:
    """The files of one dispute's chain: ``<folder>/<link>/<entry>``.

    :param folder: the path of the chain in the store.
    :param created: the creation time of each file by its path, in seconds since the epoch. Files with other
        names are ignored.
    """

    def __init__(self, folder: str, created: Mapping[str, float]) -> None:
        self._folder = folder
        self._links: dict[int, dict[int, float]] = {}
        for path, time in created.items():
            link, _, entry = path.removeprefix(f"{folder}/").partition("/")
            if link.isdecimal() and entry.isdecimal():
                self._links.setdefault(int(link), {})[int(entry)] = time

    @property
    def wanted(self) -> list[str]:
        """The paths of the files to read: all entries of the last link, and the last entry of the others."""
        return [
            entry_path(self._folder, link, entry)
            for link, entries in self._links.items()
            for entry in (entries if link == max(self._links) else (max(entries),))
        ]

    def chain(self, contents: Mapping[str, bytes], signer: LedgerSigner) -> Chain:
        """Return the chain.

        :param contents: the content of each file in :attr:`wanted` that exists, by its path.
        """
        return Chain(tuple(self._link(link, contents, signer) for link in sorted(self._links)))

    def _link(self, number: int, contents: Mapping[str, bytes], signer: LedgerSigner) -> Link:
        entries = self._links[number]
        claims: list[Claim] = []
        released: set[int] = set()
        for entry, created in sorted(entries.items()):
            path = entry_path(self._folder, number, entry)
            if path not in contents:
                # Only the last entry of an earlier link is read.
                continue
            facts, trust = _decode(path, contents[path], signer)
            what, by = facts.get("what"), _claimant(facts)
            if what == EntryKind.END and by:
                return Link(number, (), end=_end(entry, facts, by, trust, created, hash_of(contents[path])))
            if what == EntryKind.RELEASE and trust is Trust.GOOD and claims:
                first = facts.get("first", claims[-1].number)
                released.update(claim.number for claim in claims if claim.number >= first)
            else:
                # An entry that cannot be used still occupies its number and locks the dispute.
                before = facts.get("before") if trust is Trust.GOOD else None
                by = by if what == EntryKind.CLAIM else None
                claims.append(Claim(entry, by, trust, created, before or {}))
        if not claims:
            # A release without a claim, or a missing file, means that the folder was changed by hand.
            claims = [Claim(max(entries), None, Trust.BAD, max(entries.values()))]
        return Link(number, tuple(claims), frozenset(released))


def entry_path(folder: str, link: int, entry: int) -> str:
    """Return the path of an entry's file."""
    return f"{folder}/{link}/{entry}"


def _decode(path: str, content: bytes, signer: LedgerSigner) -> tuple[dict[str, Any], Trust]:
    """Return the facts in a file, and whether its signature holds.

    A writer that was killed may leave an empty file, which does not show who created it.
    """
    if not content:
        return {}, Trust.UNKNOWN_KEY
    try:
        envelope = msgspec.json.decode(content)
        facts, signature = dict(envelope["signed"]), str(envelope["signature"])
        return facts, signer.check(canonical_json([path, facts]), signature)
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}, Trust.BAD


def _end(
    number: int, facts: Mapping[str, Any], by: Claimant, trust: Trust, created: float, content_hash: str
) -> End:
    """Return an end. If its key is not known, the end still locks the dispute, but its facts are not used."""
    if trust is not Trust.GOOD:
        reason = "it was signed with an unknown key"
        return End(number, by, "unknown", reason, None, {}, False, trust, created, content_hash)
    return End(
        number,
        by,
        str(facts.get("state")),
        str(facts.get("reason")),
        facts.get("request_id"),
        facts.get("before") or {},
        facts.get("is_settled") is True,
        trust,
        created,
        content_hash,
    )


def _claimant(facts: Mapping[str, Any]) -> Claimant | None:
    try:
        return msgspec.convert(facts, Claimant)
    except msgspec.ValidationError:
        return None
