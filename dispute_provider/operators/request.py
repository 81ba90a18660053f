"""Make one request from a trigger form."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Param

from dispute_provider._cases.uploads import documents_in
from dispute_provider._contracts.contract import Contract, Operation
from dispute_provider._explain.forms import arguments_from_form, request_params
from dispute_provider._explain.search import search
from dispute_provider._state.ledger_id import LEDGER
from dispute_provider._tasks.links import DisputeLink, ReferenceLink
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider.operators._api import hook_for, page_of, send

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._contracts.answers import Answer
    from dispute_provider.exceptions import DisputeError
    from dispute_provider.hooks._base import DisputeHook

FAILURE = "failure"
"""Key of the XCom that says why a request failed."""


def form(of: Operation | Contract) -> dict[str, Param]:
    """Return the params of a DAG that makes one request.

    :param of: an operation, for a form with a field for each argument; or the contract of an API, from
        :func:`~dispute_provider.load_contract`, for a form that offers all its operations and takes the
        arguments as one object.
    """
    if isinstance(of, Operation):
        return {**_settings(of.api, [of]), **request_params(of)}
    operations = search("", [of.api])
    params = {
        "operation": Param(
            operations[0].id,
            "What to ask of the API.",
            type="string",
            title="Operation",
            enum=[each.id for each in operations],
            values_display={each.id: each.summary for each in operations},
        ),
        "arguments": Param(
            {},
            "By the API's own names; a document is a path under [dispute] case_roots.",
            type=["object", "null"],
            title="Arguments",
        ),
    }
    return params | _settings(of.api, operations)


def _settings(api: str, operations: list[Operation]) -> dict[str, Param]:
    params = {
        "conn_id": Param(
            f"{api}_default",
            "Airflow connection to use.",
            type="string",
            title="Connection",
            minLength=1,
        ),
        "dry_run": Param(
            True,
            "Shows the request in the task log and the XCom without sending it.",
            type="boolean",
            title="Dry run",
        ),
    }
    if any(operation.effect == "irreversible" for operation in operations):
        which = "This request" if len(operations) == 1 else "Some requests"
        params["confirm"] = Param(
            None,
            f"{which} cannot be undone. To send it, type the dispute ID again. Not needed for staging.",
            type=["null", "string"],
            title="Confirm dispute ID",
        )
    if any(operation.media_type for operation in operations):
        params["show_texts"] = Param(
            False,
            "Shows texts in the log of a dry run, which all users with access to logs can read. If off, the "
            "log shows their length and the start of their sha256. The XCom never contains texts.",
            type="boolean",
            title="Show texts",
        )
    return params


class RequestOperator(BaseOperator):
    """Send the request that the run's params describe, or show it in a dry run.

    If the request fails, the reason is also in the XCom ``failure``: ``error``, ``status``, ``request_id``,
    ``sent`` (None if that is not known) and ``seconds``, which the call took.

    :param api: name of the API, such as ``stripe``.
    :param operation_id: the API's name of the operation; the DAG's params must be those of
        ``request_params(operation)``. Default: None, the params name the operation; they must be those of
        ``request_params(contract)``.
    :param operator: dotted name of the operator for this call, shown in the preview. Default: None, the
        package's own.
    :raises InvalidRequestError: if the params violate the contract, or a final call is not confirmed.
    :raises ApiError: if the API refuses the call or cannot be reached.
    :returns: a dict with ``sent``; after a request also ``status``, ``request_id``, ``headers``, ``seconds``
        and ``answer``, with customer text redacted.
    """

    operator_extra_links = (DisputeLink(), ReferenceLink())
    ui_color = "#e8eaf6"

    def __init__(
        self, *, api: str, operation_id: str | None = None, operator: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**with_defaults(kwargs, LEDGER))
        self.api = api
        self.operation_id = operation_id
        self.operator = operator
        self.dispute_url = ""
        self.reference_url = ""
        self._began: float | None = None

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, LEDGER))

    def execute(self, context: Context) -> dict[str, Any]:
        from dispute_provider._contracts import contract
        from dispute_provider._tasks.links import reference_path
        from dispute_provider.exceptions import DisputeError

        values = context["params"]
        operation = contract.load(self.api)[self.operation_id or values["operation"]]
        self.reference_url = reference_path(operation)
        typed = (
            arguments_from_form(operation, values) if self.operation_id else dict(values["arguments"] or {})
        )
        if values["dry_run"]:
            return self._show(operation, values, typed)
        try:
            return self._send(context, operation, typed)
        except DisputeError as error:
            context["ti"].xcom_push(key=FAILURE, value={**_facts(error), "seconds": self._seconds()})
            raise

    def _show(
        self, operation: Operation, values: Mapping[str, Any], typed: Mapping[str, Any]
    ) -> dict[str, Any]:
        from dispute_provider._tasks.drafts import draft

        drawn = draft(operation, values["conn_id"], typed)
        show_texts = bool(values.get("show_texts"))
        for line in drawn.preview(show_texts=show_texts, operator=self.operator).lines():
            self.log.info("%s", line)
        if operation.media_type and not show_texts:
            self.log.info("Texts are shown as their length and the start of their sha256.")
        return {"sent": False, **drawn.preview(operator=self.operator).to_dict()}

    def _send(self, context: Context, operation: Operation, typed: Mapping[str, Any]) -> dict[str, Any]:
        from dispute_provider._contracts.redaction import redacted_headers
        from dispute_provider._tasks.drafts import typed_secrets
        from dispute_provider.exceptions import InvalidRequestError

        if refused := typed_secrets(operation, typed):
            raise InvalidRequestError.before_sending(operation.id, refused)
        values = context["params"]
        arguments = {**typed, **documents_in(operation, typed)}
        if operation.is_final(arguments):
            _require_confirmation(operation, arguments, values.get("confirm"))
        hook = hook_for(values["conn_id"], self.api)
        self.dispute_url = page_of(hook, operation, arguments)
        # The answer is not logged, because an expanded object can contain customer data.
        arguments = {**_minted(operation, hook), **arguments}
        self._began = time.monotonic()
        answer = send(context, hook, operation.id, arguments, self.log)
        return {
            "sent": True,
            "status": answer.status,
            "request_id": answer.request_id,
            "seconds": self._seconds(),
            "headers": redacted_headers(operation, answer.headers),
            "answer": self._storable(answer),
        }

    def _seconds(self) -> float | None:
        """Return how long the call has taken; None if nothing was to be sent."""
        return None if self._began is None else round(time.monotonic() - self._began, 3)

    def _storable(self, answer: Answer) -> Any:
        """Return the part of an answer that may be stored."""
        from dispute_provider._contracts.redaction import redacted_answer
        from dispute_provider._evidence.documents import Document

        if isinstance(answer.data, bytes):
            found = Document("", answer.data)
            return {"sha256": found.sha256, "size": len(answer.data), "content_type": found.content_type}
        return redacted_answer(answer.operation, answer.raw)


def _facts(error: DisputeError) -> dict[str, Any]:
    """Return what an error says, which quotes no text of a customer."""
    from dispute_provider.exceptions import AmbiguousError, ApiError, ServerError

    status = error.status if isinstance(error, ApiError) else None
    doubtful = status is None and isinstance(error, AmbiguousError | ServerError)
    return {
        "sent": True if status else None if doubtful else False,
        "status": status,
        "request_id": error.request_id if isinstance(error, ApiError) else None,
        "error": str(error),
    }


def _minted(operation: Operation, hook: DisputeHook) -> dict[str, str]:
    """Return a token created for this call, if the operation takes one."""
    from dispute_provider._tasks.drafts import secrets_of

    return {name: hook.with_api(lambda api: api.mint()).value for name in secrets_of(operation)}


def _require_confirmation(operation: Operation, arguments: Mapping[str, Any], confirmed: Any) -> None:
    from dispute_provider.exceptions import InvalidRequestError, Violation

    dispute = operation.given("dispute", arguments)
    if not dispute or confirmed != dispute:
        remedy = "type the dispute ID to confirm the call"
        violation = Violation("/confirm", "is not the dispute ID", remedy)
        raise InvalidRequestError.before_sending(operation.id, [violation])
