"""Note what staging replaces on a dispute before it writes, so that a broken try does not lose it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dispute_provider._evidence.merging import Merged, parts
from dispute_provider._evidence.record import WRITTEN, Difference
from dispute_provider._evidence.snapshot import Dispute, Evidence


class Replacement(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a dispute held before staging wrote to it, and what was about to be written.

    :param stage: the dispute's stage; a note of another stage no longer holds.
    :param submissions: how many times evidence had been submitted.
    :param automatic: how the API was going to submit by itself; None if it was not.
    :param earlier: sha256 of the evidence in the evidence store; None if it is kept nowhere.
    :param differences: those that writing makes.
    :param marks: of the texts and structures that were about to be written.
    :param is_written: whether the dispute was seen to hold it; False, the default, before that.
    """

    stage: str
    submissions: int
    automatic: str | None = None
    earlier: str | None = None
    differences: tuple[Difference, ...] = ()
    marks: tuple[str, ...] = ()
    is_written: bool = False

    @classmethod
    def of(
        cls,
        dispute: Dispute,
        automatic: str | None,
        earlier: str | None,
        differences: Iterable[Difference],
        merged: Merged,
    ) -> Replacement:
        """Return the note of a write that is about to happen."""
        differences = tuple(each for each in differences if each.kind in WRITTEN)
        written = {each.name for each in differences}
        pieces = [each for each in merged.wanted if each.label in written and each.document is None]
        return cls(
            stage=dispute.stage,
            submissions=dispute.submissions,
            automatic=automatic,
            earlier=earlier,
            differences=differences,
            marks=tuple(Evidence(piece.name, piece.text, piece.value).mark for piece in pieces),
        )

    @classmethod
    def read(cls, stored: Any) -> Replacement | None:
        """Return what a store holds; None if it is no such note."""
        try:
            return msgspec.convert(stored, cls)
        except msgspec.ValidationError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """Return the note as JSON-compatible values, absent ones left out."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}

    def is_about(self, dispute: Dispute) -> bool:
        """Return whether the dispute is still at the stage at which the note was made."""
        return (dispute.stage, dispute.submissions) == (self.stage, self.submissions)

    def arrived(self, differences: Iterable[Difference]) -> list[Difference]:
        """Return what the note says of the pieces that the dispute holds as they were to be written.

        Where the note replaced a colleague's piece, what another task of ours has written or cleared since
        counts too.

        :param differences: between the case and what the dispute holds now.
        """
        return [before for each in differences if (before := self._arrival(each))]

    def _arrival(self, now: Difference) -> Difference | None:
        """Return what the note says of a piece that has arrived; None if it has not, or is not noted."""
        return next(
            (each for each in self.differences if each.name == now.name and self._has_arrived(each, now)),
            None,
        )

    def _has_arrived(self, noted: Difference, now: Difference) -> bool:
        if noted.kind == "overwritten" and (
            now.kind == "renewed" or (now.kind == "added" and self.is_written)
        ):
            return True
        return noted.case == now.held or (now.kind == "same" and noted.case == now.case)

    def restated(self, differences: Iterable[Difference]) -> tuple[Difference, ...]:
        """Return the differences to what the dispute held before our own earlier write."""

        def restate(each: Difference) -> Difference:
            before = self._arrival(each)
            if before is None or (each.kind == "removed" and before.kind != "overwritten"):
                return each
            return Difference(each.name, before.kind, each.case, before.held)

        return tuple(map(restate, differences))

    def automatic_before(self, differences: Iterable[Difference]) -> str | None:
        """Return how the API was going to submit by itself, if the noted write has arrived."""
        return self.automatic if not self.differences or self.arrived(differences) else None

    def evidence_before(
        self, held: Mapping[str, Any], kept: Mapping[str, Any] | None, differences: Iterable[Difference]
    ) -> dict[str, Any] | None:
        """Return the evidence without our own earlier write; None if what it replaced is kept nowhere.

        :param held: the evidence that the dispute holds now, by name.
        :param kept: the evidence that it held before that write.
        """
        evidence = dict(held)
        for each in self.arrived(differences):
            name, _, part = each.name.partition(".")
            # A colleague's document may stand in one list with those that were added.
            if kept is None and (each.kind != "added" or isinstance(evidence.get(name), list)):
                return None
            before = (kept or {}).get(name)
            if part and isinstance(evidence.get(name), Mapping):
                # Of a structure, only the part that was written.
                others = {key: value for key, value in evidence[name].items() if key != part}
                before = others | ({part: before[part]} if before and part in before else {})
            evidence[name] = before
        return {name: content for name, content in evidence.items() if content}


def marks_of(held: Iterable[Evidence]) -> frozenset[str]:
    """Return the marks of what a dispute holds, piece by piece."""
    return frozenset(part.mark for evidence in held for part in parts(evidence))
