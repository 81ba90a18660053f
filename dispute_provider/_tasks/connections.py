"""Read each Airflow connection of a task once."""

from __future__ import annotations

from typing import Any


class Connections:
    """The Airflow connections of one task.

    Airflow asks its API server or a secrets backend at each reading. A task that signs, calls the API and
    writes into the ledger would ask three times for the same connection.
    """

    def __init__(self) -> None:
        self._read: dict[str, Any] = {}

    def get(self, conn_id: str) -> Any:
        """Return a connection.

        :raises Exception: of any type, if it cannot be read; the next call tries again.
        """
        from airflow.sdk import BaseHook

        if conn_id not in self._read:
            self._read[conn_id] = BaseHook.get_connection(conn_id)
        return self._read[conn_id]
