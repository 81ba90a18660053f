"""Note what staging is about to replace on a dispute, so that an interrupted try does not lose it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dispute_provider._contracts.contract import Contract
from dispute_provider._evidence.merging import Merged, label_of, parts
from dispute_provider._evidence.record import WRITTEN, Difference
from dispute_provider._evidence.snapshot import Dispute, Evidence
from dispute_provider._evidence.stages import takes_the_same


class Replacement(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A note of what a dispute held before staging wrote to it, and of what was about to be written.

    :param stage: the dispute's stage; the note does not apply to another stage.
    :param submissions: how many times evidence had been submitted.
    :param automatic: how the API would have submitted automatically; None if it would not.
    :param earlier: sha256 of the earlier evidence in the evidence store; None if it was not kept.
    :param differences: the differences that the write makes.
    :param marks: marks of the texts and structured objects that were about to be written.
    :param is_written: whether a reading has shown the write on the dispute; False by default.
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
        pieces = [each for each in merged.wanted if label_of(each) in written and each.document is None]
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
        """Return the note in a stored value; None if the value is not a note."""
        try:
            return msgspec.convert(stored, cls)
        except msgspec.ValidationError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """Return the note as JSON-compatible values, without defaults."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}

    def is_about(self, api: Contract, dispute: Dispute) -> bool:
        """Return whether the dispute still holds the evidence that the note is about.

        An inquiry that becomes a chargeback keeps its evidence until a submission.
        """
        return dispute.submissions == self.submissions and takes_the_same(api, dispute.stage, self.stage)

    def arrived(self, differences: Iterable[Difference]) -> list[Difference]:
        """Return the noted differences of the pieces that the dispute now holds as noted.

        Where the write replaced a colleague's piece, a later write or removal by another of our tasks counts
        too, and so does a try of this case that wrote it before the noted write.

        :param differences: between the case and the dispute's current evidence.
        """
        return [before for each in differences if (before := self._arrival(each))]

    def _arrival(self, now: Difference) -> Difference | None:
        """Return the noted difference of a piece that has arrived; None if it has not, or was not noted."""
        return next(
            (each for each in self.differences if each.name == now.name and self._has_arrived(each, now)),
            None,
        )

    def _has_arrived(self, noted: Difference, now: Difference) -> bool:
        if noted.kind == "overwritten" and (
            now.kind == "renewed"
            or (now.kind == "added" and self.is_written)
            or (now.kind == "same" and now.held != noted.held)
        ):
            return True
        return noted.case == now.held or (now.kind == "same" and noted.case == now.case)

    def restated(self, differences: Iterable[Difference]) -> tuple[Difference, ...]:
        """Return the differences relative to what the dispute held before the noted write."""

        def restate(each: Difference) -> Difference:
            before = self._arrival(each)
            if before is None or (each.kind == "removed" and before.kind != "overwritten"):
                return each
            return Difference(each.name, before.kind, each.case, before.held)

        return tuple(map(restate, differences))

    def automatic_before(self, differences: Iterable[Difference]) -> str | None:
        """Return how the API would have submitted automatically, if the noted write has arrived."""
        return self.automatic if not self.differences or self.arrived(differences) else None

    def evidence_before(
        self, held: Mapping[str, Any], kept: Mapping[str, Any] | None, differences: Iterable[Difference]
    ) -> dict[str, Any] | None:
        """Return the evidence as it was before the noted write; None if what that replaced was not kept.

        :param held: the evidence now on the dispute, by name.
        :param kept: the evidence before the write, from the evidence store; None if it was not kept.
        """
        evidence = dict(held)
        for each in self.arrived(differences):
            name, _, part = each.name.partition(".")
            # A list may hold a colleague's documents along with those that were added.
            if kept is None and (each.kind != "added" or isinstance(evidence.get(name), list)):
                return None
            before = (kept or {}).get(name)
            if part and isinstance(evidence.get(name), Mapping):
                # Only one member of the structured object was written.
                others = {key: value for key, value in evidence[name].items() if key != part}
                before = others | ({part: before[part]} if before and part in before else {})
            evidence[name] = before
        return {name: content for name, content in evidence.items() if content}


def marks_of(held: Iterable[Evidence]) -> frozenset[str]:
    """Return the mark of each piece of evidence on a dispute."""
    return frozenset(part.mark for evidence in held for part in parts(evidence))
