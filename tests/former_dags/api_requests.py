"""A DAG for each operation of each API: its reference, and a form that shows or makes one request."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from airflow.sdk import DAG
from dispute_provider.contracts import contract
from dispute_provider.contracts.contract import Operation
from dispute_provider.explain.reference import reference
from dispute_provider.explain.wording import GENERIC
from dispute_provider.operators.api import ApiOperator
from dispute_provider.registry import APIS

from dispute_provider.operators.request import RequestOperator, form


def _operators(api: str) -> dict[str, str]:
    """The dotted name of each operation's operator; the generic one's where the API has none of its own."""
    name = f"dispute_provider.operators.{api}"
    if find_spec(name) is None:
        return dict.fromkeys(contract.load(api).operations, GENERIC)
    return {
        found.operation_id: f"{found.__module__}.{found.__name__}"
        for found in vars(import_module(name)).values()
        if isinstance(found, type) and issubclass(found, ApiOperator) and hasattr(found, "operation_id")
    }


def _dag(operation: Operation, operator: str | None) -> DAG:
    with DAG(
        dag_id=f"{operation.api}_{operation.id}",
        dag_display_name=f"{operation.contract.title} · {operation.summary}",
        schedule=None,
        tags=[operation.api, operation.effect],
        params=form(operation),
        doc_md=reference(operation, operator),
    ) as dag:
        RequestOperator(task_id="request", api=operation.api, operation_id=operation.id, operator=operator)
    return dag


for _api in APIS:
    _named = _operators(_api)
    for _operation in contract.load(_api).operations.values():
        globals()[f"{_api}_{_operation.id}"] = _dag(_operation, _named.get(_operation.id))
