"""Reading a dispute as it is now, in the process that serves Airflow's UI."""

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
# A person waits for it.
_LONGEST = 20.0


class UnreadableError(Exception):
    """The dispute cannot be read just now, and why, for people."""


async def read(record: Record) -> Snapshot:
    """What the API holds for a record's dispute, with the names and sizes of documents.

    :raises UnreadableError: if it cannot be told.
    """
    try:
        async with asyncio.timeout(_LONGEST):
            # In a thread, where waiting for a database holds nobody up.
            api = await asyncio.to_thread(api_of, record.connection)
            async with api:
                return await api.read(record.dispute, record.account, details=True)
    except TimeoutError:
        raise UnreadableError(f"The API did not answer within {_LONGEST:g} seconds.") from None
    except DisputeError as error:
        raise UnreadableError(str(error)) from None
    except AirflowException as error:
        log.warning("connection=%s dispute=%s: %s", record.connection, record.dispute, type(error).__name__)
        raise UnreadableError(f"The connection {record.connection!r} cannot be used here.") from None


def earlier_evidence(record: Record) -> Mapping[str, Any]:
    """What the dispute held before our evidence took its place, by name; empty where nothing was kept."""
    try:
        kept = evidence_store.get(record.earlier) if record.earlier else None
        found = json.loads(kept) if kept else {}
    except (evidence_store.EvidenceStoreError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
