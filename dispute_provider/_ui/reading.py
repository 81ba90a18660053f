"""Read a dispute from its API, in the process that serves Airflow's UI."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowException

from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Snapshot
from dispute_provider._state import evidence_store
from dispute_provider.exceptions import DisputeError
from dispute_provider.hooks._connections import api_of

log = logging.getLogger(__name__)
# Seconds. A person is waiting.
_LONGEST = 20.0


class UnreadableError(Exception):
    """The dispute cannot be read; the message is for the user."""


async def read(record: Record) -> Snapshot:
    """Return what the API holds for a record's dispute, with the names and sizes of documents.

    :raises UnreadableError: if it cannot be read within 20 seconds.
    """
    try:
        async with asyncio.timeout(_LONGEST):
            # In a thread, because it reads the connection from the database.
            api = await asyncio.to_thread(api_of, record.connection)
            async with api:
                return await api.read(record.dispute, record.account, details=True)
    except TimeoutError:
        raise UnreadableError(f"The API did not answer within {_LONGEST:g} seconds.") from None
    except DisputeError as error:
        raise UnreadableError(str(error)) from None
    except AirflowException as error:
        log.warning("connection=%s dispute=%s: %s", record.connection, record.dispute, type(error).__name__)
        raise UnreadableError(f"Connection {record.connection!r} cannot be used by the API server.") from None


def stored_evidence(sha256: str | None) -> Mapping[str, Any]:
    """Return evidence that staging kept in the evidence store, by name; empty if there is none."""
    try:
        kept = evidence_store.get(sha256) if sha256 else None
        found = json.loads(kept) if kept else {}
    except (evidence_store.EvidenceStoreError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
