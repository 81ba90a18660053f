"""Forge records: copies of a signed record with one edited field, as is possible in Airflow's UI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from dispute_provider._evidence.record import Record

Data = dict[str, Any]
# Characters that would start a new line in a log, or color it.
CONTROL = "a\r\nERROR: state=submitted \x1b[31m\x9b31m\x00"
CONTROLS = frozenset(CONTROL) - {"\n"} - {letter for letter in CONTROL if letter.isprintable()}
EDITED = "its record was edited after it was signed"
UNSIGNED = "its record is not signed"
UNREADABLE = "its record cannot be checked: connection "

_APPROVAL = {
    "action": "submit",
    "responder": "mallory (7)",
    "responded_at": "2026-11-29T00:00:00+00:00",
    "review": "review/-1/forged",
}
_OTHER: Data = {
    "state": "submitted",
    "due": "2031-01-01T00:00:00+00:00",
    "documents": {"file_forged": "0" * 64},
    "differences": [{"name": "forged", "kind": "added"}],
    "approval": _APPROVAL,
    "amount": 7,
    "charged": 7,
    "refunded": 7,
    "pages": 7,
    "submissions": 7,
    "retry_after": 7.0,
    "customer_contacted": True,
    "maybe_ours": True,
    "unverified": True,
    "notes": ["forged"],
    "missing": ["forged"],
    "warnings": ["forged"],
    "drawings": {"0" * 64: "0" * 64},
    "originals": {"0" * 64: "1" * 64},
    "exhibits": {"0" * 64: {"forged.pdf": "1" * 64}},
    "undrawn": ["forged"],
    "staged_as": "0" * 64,
}
FIELDS = tuple(Record.__struct_fields__)


def forged(record: Data) -> Iterator[tuple[str, Data]]:
    """Yield edited copies of a signed record, each with the name of the edit.

    Each field gets another valid value, control characters, an invalid type, or is removed.
    """
    for field in FIELDS:
        edits = {
            "another": _OTHER.get(field, "forged"),
            "control characters": CONTROL,
            "of no kind": {"forged": [1]},
        }
        for edit, value in edits.items():
            if record.get(field) != value:
                yield f"{field}: {edit}", {**record, field: value}
        if field in record:
            yield f"{field}: gone", {name: record[name] for name in record if name != field}
    for name, value in _signatures(record):
        yield name, {**record, "signature": value}


def _signatures(record: Data) -> Iterator[tuple[str, str]]:
    mac, *rest = record["signature"].split(".")
    other = ("0" if mac[0] != "0" else "1") + mac[1:]
    yield "signature: another digit", ".".join([other, *rest])


def expected(edit: str) -> str:
    """Return the start of the reason with which the first task refuses an edited record."""
    field, _, how = edit.partition(": ")
    if field == "signature" and how != "another digit":
        return UNSIGNED
    if field == "connection" and how != "control characters":
        return UNREADABLE
    return EDITED


def refused(edits: dict[str, Data], ends: list[Data]) -> None:
    """Check that each edited record was refused with its reason and that none of its claims was kept."""
    assert len(ends) == len(edits)
    kept = {"provider", "connection", "dispute", "state", "reason", "unverified", "signature"}
    for edit, end in zip(edits, ends, strict=True):
        # A record cannot be signed for a connection that does not exist, so the next task holds it again.
        whys = (UNREADABLE, expected(edit)) if edit.startswith("connection") else (expected(edit),)
        assert end["reason"].startswith(whys), (edit, end["reason"])
        assert end["state"] == ("held" if end["reason"].startswith(UNREADABLE) else "refused"), edit
        assert end.keys() <= kept, edit
        assert json.dumps(end, ensure_ascii=False).isprintable(), edit


def fields_without_a_forgery() -> set[str]:
    """Return the fields of a record for which these forgeries have no other value."""
    known = _OTHER.keys() | {
        field.name for field in msgspec.structs.fields(Record) if field.type in (str, str | None)
    }
    return set(FIELDS) - known
