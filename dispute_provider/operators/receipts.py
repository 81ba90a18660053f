"""Receipts: what was sent to the bank and by whose yes, for longer than Airflow keeps its own rows."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from dispute_provider.evidence.record import Record

log = logging.getLogger(__name__)
# Object storage takes its time for each, and many at once; a disk has none to wait for.
_AT_ONCE = 16


def write_receipts(records: Iterable[Record]) -> None:
    """Write one file under ``[dispute] receipts`` for each submission that went out, or may have.

    A receipt is never overwritten. One that cannot be written is logged whole: what was sent stays sent.
    """
    from airflow.sdk.configuration import conf

    from dispute_provider.evidence.record import State
    from dispute_provider.operators.case_files import storage_path

    folder = conf.get("dispute", "receipts", fallback="")
    states = (State.SUBMITTED, State.SUBMITTED_DIFFERS, State.UNKNOWN)
    sent = [record for record in records if record.state in states and record.approval]
    if not folder or not sent:
        return
    root = storage_path(folder)
    with ThreadPoolExecutor(1 if root.protocol == "file" else _AT_ONCE) as threads:
        list(threads.map(lambda record: _write(root, record), sent))


def _write(root: ObjectStoragePath, record: Record) -> None:
    from dispute_provider.operators.submission_notes import approval_of

    approval = approval_of(record)
    receipt = _lines({"receipt": 1, "written_at": datetime.now(UTC).isoformat(), **record.to_dict()})
    name = f"{record.stage}-{(record.submissions or 0) + 1}-{record.state}-{approval}.json"
    # A path object for each takes longer than the writing.
    folder = f"{root.path.rstrip('/')}/{record.provider}/{record.dispute}"
    path = f"{folder}/{name}"
    try:
        if not root.fs.exists(path):
            root.fs.makedirs(folder, exist_ok=True)
            root.fs.pipe_file(path, receipt.encode())
    except Exception as error:  # whatever a store raises, the submission has happened
        log.error("no receipt could be written (%s): %s", type(error).__name__, receipt)


def _lines(receipt: dict[str, Any]) -> str:
    """As JSON, a line for each fact."""
    return (
        "{\n"
        + ",\n".join(f" {json.dumps(name)}: {json.dumps(receipt[name])}" for name in sorted(receipt))
        + "\n}"
    )
