"""Receipts: what was sent to the bank and by whose yes, for longer than Airflow keeps its own rows."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dispute_provider.evidence.record import Record

log = logging.getLogger(__name__)


def write_receipts(records: Iterable[Record]) -> None:
    """Write one file under ``[dispute] receipts`` for each submission that went out, or may have.

    A receipt is never overwritten. One that cannot be written is logged whole: what was sent stays sent.
    """
    from airflow.sdk.configuration import conf

    from dispute_provider.evidence.record import State

    folder = conf.get("dispute", "receipts", fallback="")
    if not folder:
        return
    sent = (State.SUBMITTED, State.SUBMITTED_DIFFERS, State.UNKNOWN)
    for record in records:
        if record.state in sent and record.approval:
            _write(folder, record)


def _write(folder: str, record: Record) -> None:
    from dispute_provider.operators.case_files import storage_path

    approval = record.approval.signature[:16] if record.approval else ""
    receipt = json.dumps(
        {"receipt": 1, "written_at": datetime.now(UTC).isoformat(), **record.to_dict()},
        indent=1,
        sort_keys=True,
    )
    name = f"{record.stage}-{(record.submissions or 0) + 1}-{record.state}-{approval}.json"
    try:
        path = storage_path(folder) / record.provider / record.dispute / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(receipt)
    except Exception as error:  # whatever a store raises, the submission has happened
        log.error("no receipt could be written (%s): %s", type(error).__name__, receipt)
