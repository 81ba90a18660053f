"""Create a DAG for each API that makes one request, as a form or the API explorer describes it."""

from __future__ import annotations

from airflow.sdk import DAG

from dispute_provider import (
    APIS,
    Contract,
    Operation,
    RequestOperator,
    config,
    load_contract,
    operation_reference,
    operator_name,
    request_params,
)

_ABOUT = """
Makes one request to {title}. The API explorer (*Disputes*, then *Explorer*) finds the operation, shows its
reference, builds the request and starts this DAG. A dry run is the default.

**Who may trigger this DAG** can make any of the calls below with the keys of its connections, including calls
that cannot be undone. Give that right only to users who may do the same in {title}'s own dashboard.

{operations}
"""


def request_dag(contract: Contract) -> DAG:
    """Return the DAG that makes one request of an API."""
    page = f"plugin/disputes/dispute-evidence/desk#explorer/{contract.api}"
    names = [
        f"- [{operation.summary}]({page}/{operation.id})"
        + (" (cannot be undone)" if operation.effect == "irreversible" else "")
        for operation in contract.operations.values()
    ]
    with DAG(
        dag_id=f"{contract.api}_request",
        dag_display_name=f"{contract.title} request",
        schedule=None,
        tags=[contract.api, contract.title, "request"],
        params=request_params(contract),
        doc_md=_ABOUT.format(title=contract.title, operations="\n".join(names)),
        # It runs only when it is triggered, and a paused DAG would keep the request waiting.
        is_paused_upon_creation=False,
    ) as dag:
        RequestOperator(task_id="request", api=contract.api, retries=0)
    return dag


def operation_dag(operation: Operation) -> DAG:
    """Return the DAG of a single operation, under the id that it had before the API's DAG."""
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
    _contract = load_contract(_api)
    globals()[f"{_api}_request"] = request_dag(_contract)
    if config.operation_dags():
        for _operation in _contract.operations.values():
            globals()[f"{_api}_{_operation.id}"] = operation_dag(_operation)
