"""Operators as Airflow runs them, without the rest of Airflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from airflow.sdk import BaseOperator, Context

from dispute_provider.sandbox import Sandbox


class Store:
    """Stands for the state store of one task, which its tries share."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self._values.get(key)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._values[key] = value

    def delete(self, key: str) -> None:
        self._values.pop(key, None)


def run(operator: BaseOperator, try_number: int = 1, store: Store | None = None, **context: Any) -> Any:
    """Run a task; returns what it would put into XCom."""
    context |= {"ti": SimpleNamespace(try_number=try_number)}
    if store is not None:
        context["task_state_store"] = store
    return operator.execute(cast("Context", context))


def only(sandbox: Sandbox, operation: str) -> dict[str, Any]:
    """The one call of an operation that arrived."""
    (entry,) = sandbox.journal(operation=operation)
    return entry
