"""Run operators as Airflow does, without a scheduler or a database."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any, cast

from airflow.sdk import BaseOperator, Context
from state_stores import AssetStores, StateStore

from dispute_provider.sandbox import Sandbox

# One set for the whole test process, like one deployment; it also has one ledger.
ASSETS = AssetStores()
# What tasks have pushed under keys of their own.
PUSHED: list[tuple[str, Any]] = []
# The state store of each task, which its tries share.
_OWN: dict[tuple[str, str], StateStore] = {}
# The run id of each operator. Keeping the operator prevents the reuse of its id().
_RUNS: dict[int, tuple[BaseOperator, str]] = {}


def run(
    operator: BaseOperator,
    try_number: int = 1,
    run_id: str | None = None,
    conf: dict[str, Any] | None = None,
    **context: Any,
) -> Any:
    """Run a task and return its XCom value.

    :param try_number: the number of the try, from 1, the default.
    :param run_id: the id of the run; None, the default, for one run per operator.
    :param conf: the configuration of the run; empty by default.
    :param context: further entries of the context.
    """
    run_id = run_id or _RUNS.setdefault(id(operator), (operator, uuid.uuid4().hex))[1]
    instance = SimpleNamespace(
        id=uuid.uuid4().hex,
        try_number=try_number,
        max_tries=0,
        task_id=operator.task_id,
        map_index=-1,
        run_id=run_id,
        xcom_push=lambda key, value: PUSHED.append((key, value)),
    )
    context |= {
        "ti": instance,
        "task_instance": instance,
        "dag_run": SimpleNamespace(dag_id="test", run_id=run_id, conf=conf or {}),
        "asset_state_store": ASSETS,
        "task_state_store": _OWN.setdefault((run_id, operator.task_id), StateStore()),
    }
    return operator.execute(cast("Context", context))


def only(sandbox: Sandbox, operation: str) -> dict[str, Any]:
    """Return the only request of an operation that reached the sandbox."""
    (entry,) = sandbox.journal(operation=operation)
    return entry
