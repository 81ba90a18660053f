"""Serve a form for the case of an open dispute.

The page starts the run that stages the case through Airflow's own API.
"""

from __future__ import annotations

from typing import Annotated, Any

import yaml
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError
from fastapi import APIRouter, Body, Depends, HTTPException, Query, Response

from dispute_provider import _config as config
from dispute_provider._cases.documents import card_number_violations
from dispute_provider._cases.form import form_params
from dispute_provider._contracts import contract
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.completeness import recommended
from dispute_provider._evidence.record import Record
from dispute_provider._explain.form_fields import param_fields, param_of
from dispute_provider._explain.forms import case_from_form, case_params
from dispute_provider._ui.access import MAY_TRIGGER, AsciiJsonResponse
from dispute_provider._ui.dags import missing
from dispute_provider._ui.inbox import listed
from dispute_provider._workflow.reviewing.subjects import reason_of
from dispute_provider.exceptions import InvalidCaseError, Violation

of_case = APIRouter(prefix="/dags/{dag_id}/cases", dependencies=[MAY_TRIGGER])
# Given by the dispute, so that the form does not ask for them.
_GIVEN = ("dispute", "account")


def find_dispute(
    user: GetUserDep,
    dag_id: str,
    connection: Annotated[str, Query(max_length=250)],
    dispute: Annotated[str, Query(max_length=5000)],
) -> Record:
    """Return an open dispute of the inbox, whose cases the DAG takes.

    :raises HTTPException: 404, if the user's inbox does not have it, or another DAG takes its case.
    """
    found = listed(user, connection, dispute)
    if found is None or config.case_dag(connection, found.provider) != dag_id:
        raise HTTPException(404, "The last sweep did not list this dispute as open. Sweep again.")
    return found


DisputeDep = Annotated[Record, Depends(find_dispute)]


@of_case.get("")
def show(dag_id: str, record: DisputeDep) -> Response:
    """Return the form for a dispute's case: its fields, those that its reason needs first."""
    api = contract.load(record.provider)
    needed = recommended(
        api, stage=record.stage, reason=record.dispute_reason, network_code=record.network_code
    )
    return AsciiJsonResponse(
        {
            "dag_id": dag_id,
            "missing": missing(dag_id),
            "dispute": record.dispute,
            "connection": record.connection,
            "api": api.title,
            "account": record.account,
            "money": record.money,
            "due": record.due,
            "dispute_reason": reason_of(record),
            "needs": bool(needed),
            "fields": param_fields(_params(record), needed),
            "folder": _folder(record),
        }
    )


@of_case.post("")
def prepare(record: DisputeDep, values: Annotated[dict[str, Any], Body(embed=True)]) -> Response:
    """Return a case as its run would get it, and every reason why it would be refused. Nothing is stored.

    :param values: by the names of the form's fields.
    """
    params = _params(record)
    given = {name: value for name, value in values.items() if name in params and value is not None}
    violations = [*_of_wrong_type(params, given)]
    about: dict[str, Any] = {"dispute": record.dispute}
    if record.account and "account" in case_params(record.provider):
        about["account"] = record.account
    written = {} if violations else case_from_form(record.provider, {**about, **given})
    if written:
        violations = _violations(written)
    return AsciiJsonResponse(
        {
            "violations": [{"field": param_of(params, each), "text": str(each)} for each in violations],
            "conf": {"conn_id": record.connection, **about, **given},
            "file": yaml.safe_dump(written, allow_unicode=True, sort_keys=False, width=100),
        }
    )


def _params(record: Record) -> dict[str, Param]:
    params = {**form_params(record.provider), **case_params(record.provider)}
    return {name: param for name, param in params.items() if name not in (*_GIVEN, "case_path")}


def _of_wrong_type(params: dict[str, Param], given: dict[str, Any]) -> list[Violation]:
    """Return the values that Airflow would not take."""
    found = []
    for name, value in given.items():
        try:
            params[name].resolve(value)
        except ParamValidationError:
            found.append(Violation(f"/{name}", "has the wrong type", "use the form"))
    return found


def _violations(written: dict[str, Any]) -> list[Violation]:
    try:
        return card_number_violations(Case.parse(written))
    except InvalidCaseError as error:
        return list(error.violations)


def _folder(record: Record) -> str:
    """Return where the case's documents are looked for, unless the form says otherwise; empty for nowhere."""
    root = next(iter(config.case_roots()), "").rstrip("/")
    return f"{root}/{record.provider}/{record.dispute}" if root else ""
