"""Operators as Airflow runs them, without the rest of Airflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from dispute_provider.operators.api import ApiOperator


class Run(Protocol):
    """Runs a task; returns what it would put into XCom."""

    def __call__(self, operator: ApiOperator, try_number: int = 1) -> Any: ...


@pytest.fixture
def run() -> Run:
    def run(operator: ApiOperator, try_number: int = 1) -> Any:
        return operator.execute({"ti": SimpleNamespace(try_number=try_number)})  # type: ignore[typeddict-item]  # all that is read

    return run
