"""Open the ledger for a task."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dispute_provider._state.ledger_id import open_ledger
from dispute_provider._state.stores import run_key
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.signing import keyring_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._apis.api import Api
    from dispute_provider._ledger.ledger import DisputeLedger, Ledger
    from dispute_provider._ledger.signing import KeyringSigner
    from dispute_provider._transport.connection_settings import ConnectionSettings


class Ledgers:
    """The ledger of one task, with one signer per connection.

    :param connections: those of the task.
    :ivar task: names the task of a run, the same for all its tries.
    :raises LedgerError: if the ledger cannot be used.
    """

    def __init__(self, context: Context, connections: Connections) -> None:
        self._ledger: Ledger = open_ledger(context)
        self.task = name_of(context)
        self._connections = connections
        self._signers: dict[str, KeyringSigner] = {}

    def of(self, api: Api, dispute: str) -> DisputeLedger:
        """Return the chain of a dispute.

        :raises ConnectionConfigError: if the connection has no key to sign with.
        """
        from dispute_provider._evidence.case_errors import dispute_id

        environment = environment_of(api.settings)
        return self._ledger.for_dispute(
            environment, api.name, dispute_id(dispute), self._signer(api.settings.connection)
        )

    def _signer(self, conn_id: str) -> KeyringSigner:
        from dispute_provider._ledger.signing import KeyringSigner

        if conn_id not in self._signers:
            self._signers[conn_id] = KeyringSigner(keyring_of(conn_id, self._connections))
        return self._signers[conn_id]


def environment_of(settings: ConnectionSettings) -> str:
    """Return what keeps disputes with the same id apart: ``live``, ``test``, or the host of a stand-in."""
    if settings.base_url:
        return urlsplit(settings.base_url).netloc
    return "live" if settings.live else "test"


def name_of(context: Context) -> str:
    """Return what names a task of a run, the same for all its tries."""
    instance = context["ti"]
    name = f"{run_key(context)}/{instance.task_id}/{instance.map_index}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]
