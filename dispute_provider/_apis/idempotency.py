"""Idempotency keys: the same for every try, task and run that makes the same call. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from dispute_provider._contracts.contract import Request
from dispute_provider._contracts.encoding import FilePart
from dispute_provider._evidence.case import dispute_id
from dispute_provider._evidence.snapshot import Dispute, sha256_of


def final_key(api: str, dispute: Dispute, what: str, ordinal: int) -> str:
    """Return the key of a final call: that of the dispute's stage, whatever would be sent.

    The API itself then refuses a second request with another body, and so a second submission by a worker
    that was frozen, or by another deployment.

    :param dispute: as it was read last.
    :param what: ``submit`` or ``concede``.
    :param ordinal: 1, and one more for each final call of this stage that has ended before, unsubmitted.
    """
    return f"{what}-{sha256_of([api, dispute_id(dispute.id), dispute.stage, ordinal])}"


def upload_key(connection: str, account: str | None, sha256: str, filename: str) -> str:
    """Return the key of an upload: the same bytes for the same account get the file of the first upload.

    :param sha256: of the document.
    """
    return f"file-{sha256_of(['file', connection, account, sha256, filename])}"


def with_own_key(connection: str, request: Request) -> Request:
    """Return a call with a key made from all that it says; as it is where it takes none or has one.

    Staging gets none: to stage what was staged before has to do something, and a key would prevent it. A
    final call gets its key when it is sent: see :func:`final_key`.
    """
    operation = request.operation
    takes_key = operation.argument("idempotency-key") is not None
    if not takes_key or request.key or operation.effect == "irreversible":
        return request
    given = {name: _digested(value) for name, value in request.arguments.items()}
    return request.with_key(f"{operation.id}-{sha256_of([connection, given])}")


def _digested(value: Any) -> Any:
    if isinstance(value, FilePart):
        return [value.filename, hashlib.sha256(value.content).hexdigest()]
    return value
