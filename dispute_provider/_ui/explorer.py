"""Serve the API explorer: operations, their references and forms, and requests as they would be sent.

A request is sent by the DAG of its API, which the page starts through Airflow's own API.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException
from fastapi import APIRouter, Body, HTTPException, Path, Query, Response

from dispute_provider import _config as config
from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.encoding import FilePart
from dispute_provider._contracts.redaction import redacted_arguments
from dispute_provider._contracts.request import encode
from dispute_provider._explain.form_fields import field_of, form_fields
from dispute_provider._explain.forms import arguments_from_form
from dispute_provider._explain.reference import sections
from dispute_provider._explain.search import search
from dispute_provider._explain.snippets import case, http, task_code
from dispute_provider._registry import APIS
from dispute_provider._tasks.drafts import Draft, draft
from dispute_provider._tasks.operator_names import operator_name
from dispute_provider._ui.access import MAY_TRIGGER, AsciiJsonResponse, may_trigger
from dispute_provider._ui.dags import missing

# References contain nothing of a user, a connection or a dispute.
operations = APIRouter()
# A request shows the server of its connection, and is for those who may send it.
requests = APIRouter(dependencies=[MAY_TRIGGER])


@operations.get("/explorer")
def find(user: GetUserDep, text: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Return the operations that match a text, the best first."""
    found = [{**_named(each), "about": each.document["description"]} for each in search(text, APIS)]
    return AsciiJsonResponse({"operations": found, "user": user.get_name()})


@operations.get("/explorer/{api}/{operation_id}")
def show(user: GetUserDep, api: str, operation_id: str) -> Response:
    """Return an operation's reference and form, and what is missing to send it."""
    operation = _operation(api, operation_id)
    dag_id = f"{api}{config.REQUEST_DAG}"
    allowed = may_trigger(user, dag_id)
    return AsciiJsonResponse(
        {
            **_named(operation),
            "dag_id": dag_id,
            "sections": [asdict(section) for section in sections(operation, operator_name(operation))],
            "fields": form_fields(operation),
            "connections": _connections(api) if allowed else [],
            "may_test": allowed,
            "missing": missing(dag_id) if allowed else "",
        }
    )


@requests.post("/dags/{dag_id}/requests")
def prepare(
    dag_id: Annotated[str, Path(pattern=rf"^[a-z0-9_]+{config.REQUEST_DAG}$")],
    operation_id: Annotated[str, Body(alias="operation", max_length=200)],
    conn_id: Annotated[str, Body(max_length=250)],
    values: Annotated[dict[str, Any], Body()],
) -> Response:
    """Return a request as it would be sent, or every reason why it would not be; nothing is sent.

    :param values: by the names of the form's fields; ``unset`` lists the fields to clear.
    """
    operation = _operation(dag_id.removesuffix(config.REQUEST_DAG), operation_id)
    typed = arguments_from_form(operation, values)
    drawn = draft(operation, conn_id, typed)
    return AsciiJsonResponse(
        {
            "violations": [
                {"field": field_of(operation, each), "text": str(each)} for each in drawn.violations
            ],
            "final": operation.is_final(typed),
            "dispute": operation.given("dispute", typed),
            "snippets": [] if drawn.violations else _snippets(drawn),
            "conf": {"operation": operation.id, "conn_id": conn_id, "arguments": typed},
        }
    )


def _snippets(drawn: Draft) -> list[dict[str, str]]:
    """Return a request in each form that can be copied; texts are shown, secrets are not."""
    operation = drawn.operation
    shown = redacted_arguments(operation, drawn.arguments, show_texts=True)
    typed = redacted_arguments(operation, drawn.typed, show_texts=True)
    secret = {name: value for name, value in shown.items() if operation.role(name) == "secret"}
    documents = {name: part for name, part in drawn.arguments.items() if isinstance(part, FilePart)}
    preview = drawn.preview(show_texts=True)
    found = {
        "HTTP": http(encode(operation, shown), drawn.server, drawn.scheme),
        "cURL": preview.curl,
        "Operator": preview.python if operator_name(operation) else "",
        "@task": task_code(operation, {**secret, **typed}, documents, drawn.conn_id),
        "Case": case(operation, typed),
    }
    return [{"name": name, "code": code} for name, code in found.items() if code]


def _operation(api: str, operation_id: str) -> Operation:
    known = contract.load(api).operations if api in APIS else {}
    if operation_id not in known:
        raise HTTPException(404, "Operation not found.")
    return known[operation_id]


def _named(operation: Operation) -> dict[str, Any]:
    return {
        "api": operation.api,
        "title": operation.contract.title,
        "id": operation.id,
        "summary": operation.summary,
        "effect": operation.effect,
        "method": operation.method,
        "path": operation.path,
    }


def _connections(api: str) -> list[str]:
    """Return the connections to an API that the settings name."""
    return [name for name in config.connections_of(f"{api}{config.REQUEST_DAG}") if _type_of(name) == api]


def _type_of(conn_id: str) -> str | None:
    try:
        return str(BaseHook.get_connection(conn_id).conn_type)
    except AirflowException:
        return None
