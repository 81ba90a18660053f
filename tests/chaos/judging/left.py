"""Check what is left at the end: a colleague's evidence, one copy of ours, and a receipt of each call."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from math import inf
from typing import Any

from tests.chaos.facts import (
    DUPLICATE,
    LOST,
    MOOV_WINDOW,
    NO_RECEIPT,
    Facts,
    Finding,
    run_of,
    run_of_review,
    sender_of,
)
from tests.chaos.transcript import Piece, item_of
from tests.chaos.world.faults import TWICE


class Left:
    """What is left at the APIs and among the receipts at the end of an episode."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.transcript = facts.transcript

    def findings(self) -> Iterator[Finding]:
        yield from self._replaced()
        yield from self._uploads()
        yield from self._receipts()

    def _replaced(self) -> Iterator[Finding]:
        """Some record says which of a colleague's texts was replaced, whatever happens on the way.

        A task whose dispute has closed before it could return such a record has staged nothing. A purge of
        the state stores deletes the note of what was replaced.
        """
        last = {(each.dispute, each.name): each for each in self.transcript.replaced}
        stagings = [
            (at, task, record) for at, task, record in self.transcript.stagings if record["state"] == "staged"
        ]
        reported = {
            (record["dispute"], difference["name"])
            for _, _, record in stagings
            for difference in record.get("differences", ())
            if difference["kind"] == "overwritten"
        }
        for (dispute, name), each in last.items():
            was_staged = any(
                at >= each.at and (task, record["dispute"]) == (each.task, dispute)
                for at, task, record in stagings
            )
            was_purged = any(at >= each.at and what == "purged" for at, _, what in self.transcript.disturbed)
            if was_staged and not was_purged and (dispute, name) not in reported:
                problem = f"{each.task[0]}: {name} of a colleague was replaced, and no record says so"
                yield Finding(LOST, dispute, problem)

    def _uploads(self) -> Iterator[Finding]:
        deleted: dict[str, set[str]] = defaultdict(set)
        for entry in self.transcript.journal:
            if entry["operation"] == "deleteDisputeEvidenceFile" and entry["changed"]:
                deleted[entry["dispute"]].add(entry["path"].rsplit("/", 1)[1])
        for dispute, items in deleted.items():
            for item in items & self.transcript.foreign:
                yield Finding(LOST, dispute, f"a colleague's {item} was deleted")
        for dispute, described in self.transcript.disputes.items():
            if described["api"] != "moov" or dispute in self.transcript.contested:
                # What a broken staging of one case leaves, another case's takes for a colleague's.
                continue
            if dispute not in self.transcript.unstaged:
                yield from self._copies(dispute, described["evidence"], "left")
            for made in described["submissions"]:
                if made["request"] in self.facts.requests:
                    yield from self._copies(dispute, made["evidence"], "submitted")

    def _copies(self, dispute: str, items: list[dict[str, Any]], what: str) -> Iterator[Finding]:
        ours: Counter[Piece] = Counter()
        texts: set[Piece] = set()
        for item in items:
            if item["evidenceID"] not in self.transcript.foreign:
                piece = (item["evidenceType"], item_of(item))
                ours[piece] += 1
                texts |= {piece} if "text" in item else set()
        # Also an upload whose worker was frozen between its check and the write arrives late.
        was_frozen = self.facts.was_frozen(dispute, inf, final=False)
        for piece, count in ours.items():
            if piece in texts and self._is_named(dispute, piece):
                continue
            kind = MOOV_WINDOW if piece in texts and was_frozen else DUPLICATE
            for _ in range(count - max(1, self.transcript.wanted[dispute][piece])):
                yield Finding(kind, dispute, f"{what}: {count} times {piece[0]} {piece[1][:40]!r}")

    def _is_named(self, dispute: str, piece: Piece) -> bool:
        """Return whether a later staging has named a further copy of a text that nothing shows to be ours.

        A purge of the state stores deletes what was known of earlier uploads. Where a case has the same text
        twice, the copy that a proxy makes of the first upload passes for the second, which may still arrive.
        In both cases the copy stays, and the record names it for the reviewer. A document is recognised by
        its name.
        """
        since = [at for at, _, what in self.transcript.disturbed if what == "purged"]
        if self.transcript.wanted[dispute][piece] > 1:
            since += [
                entry["time"]
                for entry in self.transcript.journal
                if (entry["dispute"], entry["fault"]) == (dispute, TWICE)
            ]
        return any(
            at > min(since, default=inf)
            and record["dispute"] == dispute
            and any(
                (each["name"], each["kind"]) == (piece[0], "foreign")
                for each in record.get("differences") or ()
            )
            for at, _, record in self.transcript.stagings
        )

    def _receipts(self) -> Iterator[Finding]:
        """What a run sent, and has named since, has a receipt that names the run's review.

        Where the record of its approval cannot be checked any more, there is nothing to write a receipt of.
        """
        sent = [(one.dispute, one.run or "", one.time) for one in self.facts.ours]
        sent += [(entry["dispute"], sender_of(entry), entry["time"]) for entry in self.facts.concessions]
        have = {(receipt["dispute"], run_of_review(receipt)) for receipt in self.transcript.receipts}
        for dispute, sender, time in sent:
            run = run_of(sender)
            records = [
                record
                for completion in self.transcript.completions
                if run_of(completion.run) == run and completion.at >= time
                for record in completion.records
                if record["dispute"] == dispute and not record.get("unverified")
            ]
            # A task that is marked as success ends in the middle, and writes nothing more.
            if records and (dispute, run) not in have and sender not in self.transcript.marked:
                yield Finding(
                    NO_RECEIPT, dispute, f"{sender}: sent at {time:.0f}, and there is no receipt of it"
                )
