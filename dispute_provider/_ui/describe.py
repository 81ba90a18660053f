"""Records, readings and pieces of evidence as the page gets them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Evidence, Snapshot, short_digest
from dispute_provider._explain.money import format_amount
from dispute_provider._ui.judgement import changed, digest_of, judge
from dispute_provider._ui.records import Task, key_of


def task(seen: Task) -> dict[str, Any]:
    """A task and its disputes: facts and digests, no texts."""
    return {
        "dag_id": seen.dag_id,
        "run_id": seen.run_id,
        "task_id": seen.task_id,
        "map_index": seen.map_index,
        "state": seen.state,
        "answer_by": seen.answer_by.isoformat() if seen.answer_by else None,
        "disputes": [_record(record) for record in seen.records],
    }


def _record(record: Record) -> dict[str, Any]:
    names = (
        "provider", "connection", "dispute", "state", "reason", "account", "stage", "submissions", "due",
        "dispute_reason", "network_code", "digest", "prepared_by", "customer_contacted", "verdict", "missing",
        "warnings", "notes", "usage", "pages",
    )  # fmt: skip
    approval = record.approval
    return {
        "key": key_of(record),
        "money": record.money,
        "charged": _money(record, record.charged),
        "refunded": _money(record, record.refunded),
        **{name: getattr(record, name) for name in names},
        "differences": [msgspec.to_builtins(difference) for difference in record.differences],
        "documents": _stored(record),
        "approval": {
            "action": approval.action,
            "responder": approval.responder,
            "responded_at": approval.responded_at,
        }
        if approval
        else None,
    }


def _money(record: Record, minor_units: int | None) -> str | None:
    if minor_units is None or record.currency is None:
        return None
    return format_amount(minor_units, record.currency)


def _stored(record: Record) -> list[dict[str, Any]]:
    """The documents by themselves, for when the API cannot say what they are for."""
    names = {each.case: each.name for each in record.differences if each.case}
    return [
        {"name": names.get(short_digest(sha256)), "sha256": sha256}
        for sha256 in sorted(
            set(record.documents.values()), key=lambda one: (names.get(short_digest(one), ""), one)
        )
    ]


def reading(record: Record, found: Snapshot, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """What is on the dispute now, piece by piece, and how it stands to what was put to review.

    :param earlier: what the dispute held before our evidence took its place, by name.
    """
    judgement = judge(record, found)
    others, _ = changed(record, found)
    kinds = {difference.name: difference.kind for difference in record.differences}
    dispute = found.dispute
    return {
        "read_at": datetime.now(UTC).isoformat(),
        "match": judgement.match,
        "headline": judgement.headline,
        "facts": judgement.facts,
        "digest": found.digest(record.documents),
        "status": dispute.status,
        "network": dispute.network,
        "merchant": dispute.merchant,
        "live": dispute.live,
        "pieces": [
            {
                **_piece(record, entry),
                "difference": _kind(kinds, entry),
                "changed": position in others,
                "earlier": _before(kinds, entry, earlier),
            }
            for position, entry in enumerate(found.evidence)
        ],
    }


def _piece(record: Record, entry: Evidence) -> dict[str, Any]:
    piece: dict[str, Any] = {"name": entry.name, "digest": short_digest(digest_of(record, entry))}
    if entry.id is None:
        return piece | ({"text": entry.text} if entry.text is not None else {"value": entry.value})
    document = {
        "id": entry.id,
        "filename": entry.filename,
        "size": entry.size,
        "content_type": entry.content_type,
        "sha256": record.documents.get(entry.id),
    }
    return piece | {"document": document}


def _kind(kinds: Mapping[str, str], entry: Evidence) -> str | None:
    """What staging did to a piece; of structured evidence, what it did to its parts where it was the same."""
    if entry.value is None:
        return kinds.get(entry.name)
    parts = {kinds.get(f"{entry.name}.{part}") for part in entry.value} - {None}
    return parts.pop() if len(parts) == 1 else None


def _before(kinds: Mapping[str, str], entry: Evidence, earlier: Mapping[str, Any]) -> Any:
    """What stood there before it was overwritten."""
    return earlier.get(entry.name) if _kind(kinds, entry) == "overwritten" else None
