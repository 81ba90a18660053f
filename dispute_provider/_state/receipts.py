"""Write receipts: what was decided, by whom, and what was sent. They outlive Airflow's database rows."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from dispute_provider import _config as config

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from dispute_provider._evidence.record import Record

log = logging.getLogger(__name__)


class Receipts:
    """The receipts in the folder ``[dispute] receipts``.

    There is one file for each rejection and for each final call that was, or may have been, carried out.
    Receipts are written atomically: on disk by a rename, on object storage by a single put. Once complete, a
    receipt is never written again.
    """

    async def write_aside(self, record: Record) -> None:
        """Write the receipt of a record in a thread, as :meth:`write` does."""
        # Starting a thread takes a tenth of the time of a submission.
        if self._may_write and _needs_receipt(record):
            await asyncio.to_thread(self.write, record)

    def write(self, record: Record) -> None:
        """Write the receipt of a record, if its state needs one.

        A receipt that cannot be written is logged in full instead, because the call cannot be undone.
        """
        if not _needs_receipt(record):
            return
        try:
            if self._root is not None:
                _write(self._root, record, _receipt_of(record))
        except Exception as error:  # stores raise errors of many types; the call has already been made
            log.error(
                "dispute=%s: its receipt could not be written to [dispute] receipts (%s: %s). "
                "To do: copy it from this log entry: %s",
                record.dispute,
                type(error).__name__,
                error,
                _receipt_of(record),
            )

    @cached_property
    def _may_write(self) -> bool:
        try:
            return self._root is not None
        except Exception:  # :meth:`write` logs it with the receipt
            return True

    @cached_property
    def _root(self) -> ObjectStoragePath | None:
        from dispute_provider._cases.storage import storage_path

        folder = config.receipts()
        return storage_path(folder) if folder else None


def _needs_receipt(record: Record) -> bool:
    from dispute_provider._evidence.record import State

    final = (State.SUBMITTED, State.SUBMITTED_DIFFERS, State.CONCEDED, State.REJECTED, State.UNKNOWN)
    is_final = record.state in final or (record.maybe_ours and record.state != State.HELD)
    return is_final and record.approval is not None


def _write(root: ObjectStoragePath, record: Record, receipt: str) -> None:
    name = (
        f"{record.stage}-{(record.submissions or 0) + 1}-{record.state}-{(record.signature or '')[:16]}.json"
    )
    # Creating an ObjectStoragePath per receipt takes longer than writing the receipt.
    folder = f"{root.path.rstrip('/')}/{record.provider}/{record.dispute}"
    path = f"{folder}/{name}"
    if root.fs.exists(path) and _is_complete(root.fs.cat_file(path)):
        return
    root.fs.makedirs(folder, exist_ok=True)
    if root.protocol != "file":
        root.fs.pipe_file(path, receipt.encode())
        return
    temporary = Path(folder, f".{uuid4().hex}")
    try:
        temporary.write_text(receipt, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_complete(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False


def _receipt_of(record: Record) -> str:
    """Return the receipt of a record: JSON with one line per key."""
    receipt = {"receipt": 1, "written_at": datetime.now(UTC).isoformat(), **record.to_dict()}
    return (
        "{\n"
        + ",\n".join(f" {json.dumps(name)}: {json.dumps(receipt[name])}" for name in sorted(receipt))
        + "\n}"
    )
