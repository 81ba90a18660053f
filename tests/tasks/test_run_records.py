"""A review takes its records from the configuration of its run, without a task that hands them over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dispute_provider import RunRecords
from dispute_provider._tasks.batch import resolve


@pytest.mark.parametrize("given", [[{"dispute": "du_1"}], {"records": "ab" * 32, "count": 300, "states": {}}])
def test_the_records_are_those_of_the_configuration(given: Any) -> None:
    context: Any = {"dag_run": SimpleNamespace(conf={"staged": given})}
    assert resolve(RunRecords(), context) == (given if isinstance(given, list) else [given])


@pytest.mark.parametrize("configured", [None, {}, {"disputes": []}])
def test_a_run_without_records_fails_at_once_and_names_the_way_out(configured: Any) -> None:
    context: Any = {"dag_run": SimpleNamespace(conf=configured)}
    with pytest.raises(AirflowFailException, match=r'no "staged".*dispute_sweep'):
        resolve(RunRecords(), context)
