"""Open the ledger, and refuse it unless earlier tasks used the same one.

A folder on one worker's disk locks nothing for other machines, and a wiped folder no longer shows what was
sent. So each ledger has an id in its file ``ledger.json``, and Airflow's asset state store has a copy. If the
two differ, nothing is staged or sent.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispute_provider import _config as config
from dispute_provider._ledger.stores import LedgerError, LedgerStore, cause_of, store_at
from dispute_provider._state.stores import Key, state_asset

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._ledger.ledger import Ledger

# The state store of this asset has a copy of the ledger's id.
LEDGER = state_asset("dispute ledger", "dispute-provider://ledger/")
_FILE = "ledger.json"
ID = Key(LEDGER, "id")
_DEFAULT = "dispute_ledger"
_REMEDY = (
    "To do: set [dispute] ledger to a folder or bucket that all workers and the API server share. If the "
    f"ledger was moved, move all its files, including {_FILE}"
)


def open_ledger(context: Context) -> Ledger:
    """Open the ledger that ``[dispute] ledger`` names.

    :raises LedgerError: if the ledger cannot be used, or is not the one that earlier tasks used.
    """
    from dispute_provider._ledger.ledger import Ledger

    store = store_at(ledger_address())
    try:
        _check_id(store, ID.store(context))
    except LedgerError:
        raise
    except Exception as error:  # stores raise errors of many types
        raise LedgerError(f"the ledger cannot be opened: {cause_of(error)}") from error
    return Ledger(store)


def ledger_address() -> str:
    """Return ``[dispute] ledger``; if it is empty, the folder ``dispute_ledger`` under AIRFLOW_HOME."""
    return config.ledger() or str(Path(airflow_home(), _DEFAULT).absolute())


def check_ledger(known: str) -> None:
    """Check that ``[dispute] ledger`` names the ledger that tasks use, in a process that runs no task.

    :param known: the ledger's id in Airflow's asset state store.
    :raises LedgerError: if it is another ledger, or there is none, or it cannot be read.
    """
    store = store_at(ledger_address())
    try:
        _require(_id_in(store), known)
    except LedgerError:
        raise
    except Exception as error:  # stores raise errors of many types
        raise LedgerError(f"the ledger cannot be opened: {cause_of(error)}") from error


def airflow_home() -> str:
    """Return Airflow's home folder, by the same rule as Airflow."""
    return str(Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME", "~/airflow"))).expanduser())


def _check_id(store: LedgerStore, mirror: Any) -> None:
    known, found = mirror.get(ID.name()), _id_in(store)
    if known is None:
        found = found or _created_in(store)
        # Two workers that start at once may each create a ledger, and the state store has no lock: the one
        # that reads the other's id stops now. If neither does, one id was overwritten: its next task stops.
        if mirror.get(ID.name()) is None:
            mirror.set(ID.name(), found)
        known = mirror.get(ID.name())
    _require(found, known)


def _require(found: str | None, known: str) -> None:
    if found is None:
        raise LedgerError(f"the ledger is missing: there is no {_FILE}, but earlier tasks had one. {_REMEDY}")
    if found != known:
        raise LedgerError(f"this is not the ledger that earlier tasks used: its id differs. {_REMEDY}")


def _created_in(store: LedgerStore) -> str:
    """Create the ledger's id, unless another worker creates it first; return it."""
    store.create(_FILE, json.dumps({"id": secrets.token_hex(16)}).encode())
    found = _id_in(store)
    if found is None:
        raise LedgerError(f"the ledger's {_FILE} could not be read after it was written. {_REMEDY}")
    return found


def _id_in(store: LedgerStore) -> str | None:
    content = store.read([_FILE]).get(_FILE)
    if content is None:
        return None
    try:
        found = json.loads(content)["id"]
    except (ValueError, TypeError, KeyError):
        found = None
    if not isinstance(found, str) or not found:
        raise LedgerError(f"the ledger's {_FILE} was edited or is damaged. {_REMEDY}")
    return found
