"""Choose one record per dispute for a review that several stagings feed."""

from __future__ import annotations

from collections.abc import Iterable

from dispute_provider._evidence.case_errors import dispute_id
from dispute_provider._evidence.record import Record, State


class Deduplicator:
    """Chooses between the records of one dispute.

    It keeps each dispute's case and a hash, not the record: a review may read a hundred thousand records.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[str, int]] = {}

    def choose(
        self, waiting: Iterable[Record], new: Iterable[Record]
    ) -> tuple[list[Record], list[Record], list[Record]]:
        """Return the waiting records to review, the new records to review, and the others, refused.

        The record that still matches what its staging left on the dispute is preferred: it has the digests of
        the documents that the API holds. A record given twice counts once.

        :param waiting: undecided records, one per dispute.
        :param new: records that were just read from the API.
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
        f"this review has another record of this dispute and shows only that one: {reviewed}; "
        f"this record: {_case(record)}. To do: keep one case for the dispute",
    )
