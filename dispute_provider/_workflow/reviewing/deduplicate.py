"""Choose one record of each dispute in a review, however many stagings it comes from."""

from __future__ import annotations

from collections.abc import Iterable

from dispute_provider._evidence.case import dispute_id
from dispute_provider._evidence.record import Record, State


class Deduplicator:
    """Choose between the records of one dispute.

    Of each dispute the case and a hash are kept, not the record: a review may go through a hundred thousand.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[str, int]] = {}

    def choose(
        self, waiting: Iterable[Record], new: Iterable[Record]
    ) -> tuple[list[Record], list[Record], list[Record]]:
        """Return those of the waiting and of the new records that are reviewed, and the others, refused.

        The one that still is what its staging left on the dispute knows the documents that the API holds. A
        record that is given twice counts once.

        :param waiting: records that nobody has decided yet, one for each dispute.
        :param new: records with the facts of a fresh reading.
        """
        undecided = {_key(record): record for record in waiting}
        chosen: dict[tuple[str, str], Record] = {}
        refused: list[Record] = []
        for record in new:
            key, this = _key(record), (_case(record), hash(record.signature))
            earlier = self._seen.setdefault(key, this)
            other = chosen.get(key) or undecided.get(key)
            if other is None and earlier is this:
                chosen[key] = record
            elif earlier[1] == this[1]:
                continue
            elif other and _is_as_staged(record) and not _is_as_staged(other):
                undecided.pop(key, None)
                chosen[key], self._seen[key] = record, this
                refused.append(_refused(other, this[0]))
            else:
                refused.append(_refused(record, earlier[0]))
        return list(undecided.values()), list(chosen.values()), refused


def _key(record: Record) -> tuple[str, str]:
    return record.provider, dispute_id(record.dispute)


def _case(record: Record) -> str:
    return record.case or "a case without a file"


def _is_as_staged(record: Record) -> bool:
    return record.fingerprint == record.staged_as


def _refused(record: Record, reviewed: str) -> Record:
    return record.ended(
        State.REFUSED,
        f"another record of this dispute is in this review, and only that one is asked about: {reviewed}; "
        f"this one: {_case(record)}. To do: leave one case of the dispute",
    )
