"""Create a DAG for each operation of each API, with its reference and a form that makes one request."""

from __future__ import annotations

from airflow.sdk import DAG

from dispute_provider import (
    APIS,
    Operation,
    RequestOperator,
    load_contract,
    operation_reference,
    operator_name,
    request_params,
)


def request_dag(operation: Operation) -> DAG:
    """Return the DAG that makes one request."""
    operator = operator_name(operation)
    with DAG(
        dag_id=f"{operation.api}_{operation.id}",
        dag_display_name=f"{operation.contract.title} · {operation.summary}",
        schedule=None,
        tags=[operation.api, operation.effect],
        params=request_params(operation),
        doc_md=operation_reference(operation, operator),
    ) as dag:
        RequestOperator(task_id="request", api=operation.api, operation_id=operation.id, operator=operator)
    return dag


for _api in APIS:
    for _operation in load_contract(_api).operations.values():
        globals()[f"{_api}_{_operation.id}"] = request_dag(_operation)
