"""Convert records and readings to the JSON that the page displays. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from dispute_provider._evidence.documents import shown
from dispute_provider._evidence.record import Record, person
from dispute_provider._evidence.snapshot import Evidence, Snapshot, short_digest
from dispute_provider._explain.bank_order import ORDER, group_of
from dispute_provider._explain.labels import label
from dispute_provider._explain.money import format_amount
from dispute_provider._explain.outline import outline
from dispute_provider._ui.comparison import changed, compare, digest_of
from dispute_provider._ui.records import Task, key_of
from dispute_provider._workflow.reviewing.markdown import INQUIRY
from dispute_provider._workflow.reviewing.subjects import reason_of


def task(seen: Task) -> dict[str, Any]:
    """Return a task and its disputes: facts and digests, no texts."""
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
        "provider", "connection", "dispute", "state", "reason", "account", "submissions", "due",
        "network_code", "digest", "prepared_by", "customer_contacted", "verdict", "warnings", "notes",
        "usage", "pages",
    )  # fmt: skip
    approval = record.approval
    return {
        "key": key_of(record),
        "money": record.money,
        "charged": _money(record, record.charged),
        "refunded": _money(record, record.refunded),
        **{name: getattr(record, name) for name in names},
        "stage": _label(record, record.stage),
        "inquiry": record.stage == INQUIRY if record.stage else None,
        "dispute_reason": reason_of(record),
        "missing": [_missing(record, text) for text in record.missing],
        "differences": [
            {**msgspec.to_builtins(each), "label": _label(record, each.name)} for each in record.differences
        ],
        "documents": _stored(record),
        "approval": {
            "action": label(approval.action),
            "responder": person(approval.responder),
            "responded_at": approval.responded_at,
        }
        if approval
        else None,
    }


def _money(record: Record, minor_units: int | None) -> str | None:
    if minor_units is None or record.currency is None:
        return None
    return format_amount(minor_units, record.currency)


def _label(record: Record, name: str | None) -> str | None:
    return label(name, record.provider) if name else name


def _missing(record: Record, text: str) -> dict[str, str | None]:
    """Return the label and the reason of missing evidence, given ``receipt: shows what was bought``."""
    name, _, why = text.partition(": ")
    return {"label": _label(record, name), "why": why} if why else {"label": None, "why": text}


def _stored(record: Record) -> list[dict[str, Any]]:
    """Return the documents that the evidence store holds, to show if the API cannot be read."""
    names = {each.case: each.name for each in record.differences if each.case}
    return [
        {"label": _label(record, names.get(short_digest(sha256))), "sha256": sha256}
        for sha256 in sorted(
            set(record.documents.values()), key=lambda one: (names.get(short_digest(one), ""), one)
        )
    ]


def reading(
    record: Record, found: Snapshot, earlier: Mapping[str, Any], not_written: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the dispute holds now, piece by piece, compared with the reviewed evidence.

    :param earlier: evidence that staging overwrote, by name.
    :param not_written: values of the case that staging did not write, by name.
    """
    comparison = compare(record, found)
    others, _ = changed(record, found)
    kinds = {difference.name: difference.kind for difference in record.differences}
    dispute = found.dispute
    return {
        "read_at": datetime.now(UTC).isoformat(),
        "match": comparison.match,
        "headline": comparison.headline,
        "facts": comparison.facts,
        "digest": found.digest(record.documents),
        "status": label(dispute.status, record.provider),
        "network": _label(record, dispute.network),
        "merchant": dispute.merchant,
        "live": dispute.live,
        "pieces": sorted(
            (
                {
                    **_piece(record, entry),
                    "difference": _kind(kinds, entry),
                    "changed": position in others,
                    "earlier": _other(record, kinds, entry, "overwritten", earlier),
                    "not_written": _other(record, kinds, entry, "kept", not_written),
                }
                for position, entry in enumerate(found.evidence)
            ),
            key=lambda piece: ORDER.index(piece["group"]),
        ),
    }


def _piece(record: Record, entry: Evidence) -> dict[str, Any]:
    piece: dict[str, Any] = {
        "name": entry.name,
        "label": _label(record, entry.name),
        "digest": short_digest(digest_of(record, entry)),
        "group": group_of(entry.name, record.provider, is_text=entry.id is None),
    }
    if entry.id is None:
        text = entry.text if entry.text is not None else outline(entry.value, record.provider)
        return piece | {"text": text}
    sha256 = record.documents.get(entry.id)
    document = {
        "id": entry.id,
        "filename": entry.filename,
        "size": entry.size,
        "content_type": entry.content_type,
        "sha256": sha256,
        "original": record.originals.get(sha256 or ""),
        "exhibits": [
            {"path": shown(path), "sha256": file}
            for path, file in record.exhibits.get(sha256 or "", {}).items()
        ],
    }
    return piece | {"document": document}


def _kind(kinds: Mapping[str, str], entry: Evidence) -> str | None:
    """Return what staging did to a piece; to structured evidence, if it did the same to all its parts."""
    if entry.value is None:
        return kinds.get(entry.name)
    parts = {kinds.get(f"{entry.name}.{part}") for part in entry.value} - {None}
    return parts.pop() if len(parts) == 1 else None


def _other(
    record: Record, kinds: Mapping[str, str], entry: Evidence, kind: str, values: Mapping[str, Any]
) -> Any:
    """Return the text to compare a piece with, if staging did this to it."""
    if _kind(kinds, entry) != kind or entry.name not in values:
        return None
    return outline(values[entry.name], record.provider)
