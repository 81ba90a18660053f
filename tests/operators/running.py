"""Operators as Airflow runs them, without the rest of Airflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from airflow.sdk import BaseOperator, Context

from dispute_provider.sandbox import Sandbox


def run(operator: BaseOperator, try_number: int = 1) -> Any:
    """Run a task; returns what it would put into XCom."""
    return operator.execute(cast("Context", {"ti": SimpleNamespace(try_number=try_number)}))


def only(sandbox: Sandbox, operation: str) -> dict[str, Any]:
    """The one call of an operation that arrived."""
    (entry,) = sandbox.journal(operation=operation)
    return entry
