"""Measure the import of a DAG file, and the validation of a request and of an answer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from bench.bodies import EVIDENCE, Shop
from bench.timing import Table
from dispute_provider._contracts import contract
from dispute_provider._contracts.reading import read
from dispute_provider._contracts.validation import violations

_TIMES, _SLICES = 5, 200
_IMPORTS = 5
# Airflow's own imports, which any DAG with a review needs, are not counted.
_IMPORT = """
import time
import airflow.sdk
import airflow.providers.standard.operators.hitl
began = time.perf_counter()
import dispute_provider.operators.evidence
print((time.perf_counter() - began) * 1000)
"""


def import_cost(table: Table) -> float:
    """Return the milliseconds that a DAG file spends on importing our operators, without Airflow's SDK."""
    command = [sys.executable, "-c", _IMPORT]
    milliseconds = median(float(subprocess.check_output(command)) for _ in range(_IMPORTS))  # noqa: S603  # ourselves
    table.add("import in a DAG", "ours", milliseconds, "ms", rounds=_IMPORTS)
    return round(milliseconds, 1)


def validation(table: Table) -> None:
    """Measure validation in microseconds, the least of many tries, next to jsonschema."""
    from jsonschema import Draft202012Validator

    shop = Shop()
    shop.stage("du_1", EVIDENCE)
    written = contract.load("stripe")["PostDisputesDispute"]
    request: dict[str, Any] = {"dispute": "du_1", "evidence": EVIDENCE, "submit": False}
    answer = json.loads(shop.show("du_1", expanded=True))
    success = written.success_schema
    assert success is not None
    ways: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "a request": (
            lambda: violations(written.schema, request),
            lambda: list(Draft202012Validator(written.schema).iter_errors(request)),
        ),
        "an answer": (
            lambda: read(success, answer, is_json=True),
            lambda: list(Draft202012Validator(success).iter_errors(answer)),
        ),
    }
    for what, (ours, reference) in ways.items():
        table.add(f"validation of {what}", "ours", _least(ours), "us")
        table.add(f"validation of {what}", "jsonschema", _least(reference), "us")


def _least(work: Callable[[], Any]) -> float:
    tries = []
    for _ in range(_SLICES):
        began = time.perf_counter()
        for _ in range(_TIMES):
            work()
        tries.append((time.perf_counter() - began) / _TIMES * 1e6)
    return min(tries)
