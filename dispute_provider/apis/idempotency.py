"""Idempotency keys: the same for every try, task and run that makes the same call. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from dispute_provider.contracts.contract import Request
from dispute_provider.contracts.encoding import FilePart
from dispute_provider.evidence.record import Record
from dispute_provider.evidence.snapshot import Dispute, sha256_of

HEADER = "Idempotency-Key"


def submission_key(dispute: Dispute, record: Record) -> str:
    """Return the key of a submission: that of the dispute's open stage with the digest that was approved.

    :param dispute: as it was read last.
    """
    attempt = record.approval.attempt if record.approval else 1
    stage = [dispute.account, dispute.id, dispute.stage, dispute.submissions]
    return f"submit-{sha256_of([*stage, record.digest, attempt])}"


def concession_key(record: Record) -> str:
    """Return the key of a concession."""
    stage = [record.account, record.dispute, record.stage, record.submissions]
    return f"concede-{sha256_of([*stage, record.digest])}"


def upload_key(connection: str, account: str | None, sha256: str, filename: str) -> str:
    """Return the key of an upload: the same bytes for the same account get the file of the first upload.

    :param sha256: of the document.
    """
    return f"file-{sha256_of(['file', connection, account, sha256, filename])}"


def key_for(connection: str, request: Request) -> dict[str, str]:
    """Return a key for a call by itself, made from all that it says; empty where it takes none or has one.

    Staging gets none: to stage what was staged before has to do something, and a key would prevent it.
    """
    arguments = request.arguments
    if HEADER not in request.operation.parameters or HEADER in arguments or arguments.get("submit") is False:
        return {}
    given = {name: _digested(value) for name, value in arguments.items()}
    return {HEADER: f"{request.operation.id}-{sha256_of([connection, given])}"}


def _digested(value: Any) -> Any:
    if isinstance(value, FilePart):
        return [value.filename, hashlib.sha256(value.content).hexdigest()]
    return value
