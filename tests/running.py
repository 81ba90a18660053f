"""Operators as Airflow runs them, without the rest of Airflow."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any, cast

from airflow.sdk import BaseOperator, Context
from state_stores import AssetStores, StateStore

from dispute_provider.sandbox import Sandbox

# Of one test process, as of one deployment: the ledger's folder is one, too.
ASSETS = AssetStores()
# Of each task, which its tries share.
_OWN: dict[tuple[str, str], StateStore] = {}
# The run of each operator. It is kept, so that no other gets its place in memory.
_RUNS: dict[int, tuple[BaseOperator, str]] = {}


def run(operator: BaseOperator, try_number: int = 1, run_id: str | None = None, **context: Any) -> Any:
    """Run a task; returns what it would put into XCom.

    :param run_id: of the tries of one task; None, the default, for that of this very operator.
    """
    run_id = run_id or _RUNS.setdefault(id(operator), (operator, uuid.uuid4().hex))[1]
    instance = SimpleNamespace(
        id=uuid.uuid4().hex,
        try_number=try_number,
        max_tries=0,
        task_id=operator.task_id,
        map_index=-1,
        run_id=run_id,
    )
    context |= {
        "ti": instance,
        "task_instance": instance,
        "dag_run": SimpleNamespace(dag_id="test", run_id=run_id, conf={}),
        "asset_state_store": ASSETS,
        "task_state_store": _OWN.setdefault((run_id, operator.task_id), StateStore()),
    }
    return operator.execute(cast("Context", context))


def only(sandbox: Sandbox, operation: str) -> dict[str, Any]:
    """The one call of an operation that arrived."""
    (entry,) = sandbox.journal(operation=operation)
    return entry
