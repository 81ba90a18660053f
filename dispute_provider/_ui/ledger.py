"""Compare this server's ledger with the one that tasks use, if documents are stored in it."""

from __future__ import annotations

import json

from airflow.models.asset import AssetModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.utils.session import create_session
from sqlalchemy import select

from dispute_provider._ledger.stores import LedgerError
from dispute_provider._state import evidence_store
from dispute_provider._state.ledger_id import ID, LEDGER, check_ledger


def ledger_problem() -> str | None:
    """Return why this server cannot find what tasks store in the ledger; None if that is not the reason."""
    if not evidence_store.is_in_ledger() or not (known := _known_id()):
        return None
    try:
        check_ledger(known)
    except LedgerError as error:
        return f"Documents are in the ledger, and the API server cannot read it: {error}."
    return None


def _known_id() -> str | None:
    """Return the ledger's id in Airflow's asset state store; None if no task has opened a ledger."""
    query = (
        select(AssetStateStoreModel.value)
        .join(AssetModel, AssetModel.id == AssetStateStoreModel.asset_id)
        .where(AssetModel.name == LEDGER.name, AssetStateStoreModel.key == ID.name())
    )
    with create_session(scoped=False) as session:
        stored = session.scalar(query)
    found = json.loads(stored) if stored else None
    # Another backend stores a reference instead.
    return found if isinstance(found, str) else None
