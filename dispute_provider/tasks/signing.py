"""Signatures on the records that tasks hand to one another: whoever edits an XCom has no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispute_provider.exceptions import ConnectionConfigError

if TYPE_CHECKING:
    from dispute_provider.evidence.record import Record

# The scope of staging's signature: a review may belong to another run.
STAGED = "staged"


class Signer:
    """Sign and check records, each under the key of its connection.

    A client takes 0.1 s to import, and a review that was answered needs none: only the key is read.

    :param scope: what the signatures hold for: :data:`STAGED`, or one run.
    """

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._secrets: dict[str, bytes] = {}

    def sign(self, record: Record) -> Record:
        """Return a record with its signature.

        :raises ConnectionConfigError: if its connection cannot be read or has no key.
        """
        from dispute_provider.evidence import record as records

        return records.sign(self._secret(record.connection), self._scope, record)

    def is_signed(self, record: Record) -> bool:
        """Return whether a record is just as it was signed for this scope.

        :raises ConnectionConfigError: if its connection cannot be read or has no key.
        """
        from dispute_provider.evidence import record as records

        return records.is_signed(self._secret(record.connection), self._scope, record)

    def objection(self, record: Record) -> str | None:
        """Return why a record is not as staging handed it on; None if it is.

        :raises ConnectionConfigError: if its connection cannot be read or has no key.
        """
        if record.signature is None:
            return "its record is not signed: an earlier version staged it, or somebody edited it"
        if not self.is_signed(record):
            return "its record was edited since it was staged, or the key of its connection was replaced"
        return None

    def _secret(self, conn_id: str) -> bytes:
        if conn_id not in self._secrets:
            from airflow.sdk import BaseHook

            from dispute_provider.apis.connection import signing_secret

            try:
                connection = BaseHook.get_connection(conn_id)
            except Exception as error:  # whatever a secrets backend raises
                raise ConnectionConfigError(
                    f"connection {conn_id!r} cannot be read: {type(error).__name__}. "
                    "To do: create it again, or mend the secrets backend."
                ) from error
            self._secrets[conn_id] = signing_secret(connection)
        return self._secrets[conn_id]
