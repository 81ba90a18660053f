"""Read the staged records that a task returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispute_provider._state.stores import run_key
from dispute_provider._tasks.batch import Given, resolve
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.record_lists import records_of
from dispute_provider._tasks.signing import Signer

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record

STAGE_AGAIN = "stage it again"


def staged_records(context: Context, given: Given, connections: Connections) -> list[Record]:
    """Return the staged records with valid signatures; the outcome task reports the others as refused."""
    from dispute_provider._evidence.record import State

    records = records_of(resolve(given, context))
    verified = Signer(run_key(context), connections).verified(records, STAGE_AGAIN)
    return [record for record in verified if record.state == State.STAGED]
