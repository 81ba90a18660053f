"""Generate idempotency keys: the same key for every try, task and run that makes the same call. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from dispute_provider._contracts.encoding import FilePart
from dispute_provider._contracts.request import Request
from dispute_provider._evidence.case_errors import dispute_id
from dispute_provider._evidence.snapshot import Dispute, sha256_of

# Each task that fails uses up one key, so this many tasks can fail within a day.
_MOST_KEYS = 100


def final_key(api: str, dispute: Dispute, what: str, ordinal: int) -> str:
    """Return the key of a final call. It depends on the dispute's stage, not on the evidence.

    The API therefore refuses a second submission with other evidence, even by a worker that was frozen or by
    another deployment.

    :param dispute: the dispute as last read.
    :param what: ``submit`` or ``concede``.
    :param ordinal: 1, plus the number of final calls at this stage that have ended without a submission.
    """
    return f"{what}-{sha256_of([api, dispute_id(dispute.id), dispute.stage, ordinal])}"


def upload_key(connection: str, account: str | None, sha256: str, filename: str) -> str:
    """Return the key of an upload, so that the same document is uploaded only once per account.

    :param connection: id of the Airflow connection.
    :param account: the account to act for; None for the connection's account.
    :param sha256: of the document.
    """
    return f"file-{sha256_of(['file', connection, account, sha256, filename])}"


def own_key(connection: str, request: Request) -> str | None:
    """Return the key of a request, generated from its contents.

    None if the request takes no key or already has one. None also if its operation is irreversible: staging
    needs no key, because a key would prevent staging the same evidence again later, and a final call gets its
    key when it is sent (:func:`final_key`).
    """
    operation = request.operation
    takes_key = operation.argument("idempotency-key") is not None
    if not takes_key or request.key or operation.effect == "irreversible":
        return None
    given = {name: _digested(value) for name, value in request.arguments.items()}
    return f"{operation.id}-{sha256_of([connection, given])}"


def next_keys(key: str) -> Iterator[str]:
    """Yield a key and those to use after it, each once the API only repeats the failure under the last one.

    An API stores the answer to a key, even a 500, for a day (Stripe: 24 hours).
    """
    yield key
    yield from (f"{key}-{number}" for number in range(2, _MOST_KEYS + 1))


def _digested(value: Any) -> Any:
    if isinstance(value, FilePart):
        return [value.filename, hashlib.sha256(value.content).hexdigest()]
    return value
