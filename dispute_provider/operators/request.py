"""Make one request from a trigger form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Param

from dispute_provider._explain.forms import arguments_from_form, request_params
from dispute_provider._state.ledger_id import LEDGER
from dispute_provider._tasks.links import DisputeLink
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider.operators._api import document, hook_for, page_of, send

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._contracts.answers import Answer
    from dispute_provider._contracts.contract import Operation
    from dispute_provider._contracts.encoding import FilePart
    from dispute_provider.exceptions import Violation
    from dispute_provider.hooks._base import DisputeHook

# A blank page, to test an upload without a document.
_BLANK_PAGE = (
    b"%PDF-1.4\n1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj\n"
    b"2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj\n"
    b"3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792]>> endobj\n"
    b"trailer <</Root 1 0 R>>\n%%EOF\n"
)
_BLANK_NAME = "blank.pdf"


def form(operation: Operation) -> dict[str, Param]:
    """Return the params of a DAG that makes one request.

    :param operation: an operation of any API, from :func:`~dispute_provider.load_contract`.
    """
    params = {
        "conn_id": Param(
            f"{operation.api}_default",
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
    if operation.effect == "irreversible":
        params["confirm"] = Param(
            None,
            "This request cannot be undone. To send it, type the dispute ID again. Not needed for staging.",
            type=["null", "string"],
            title="Confirm dispute ID",
        )
    if operation.media_type:
        params["show_texts"] = Param(
            False,
            "Shows texts in the log of a dry run, which all users with access to logs can read. If off, the "
            "log shows their length and the start of their sha256. The XCom never contains texts.",
            type="boolean",
            title="Show texts",
        )
    return params | request_params(operation)


class RequestOperator(BaseOperator):
    """Send the request that the run's params describe, or show it in a dry run.

    :param api: name of the API, such as ``stripe``.
    :param operation_id: the API's name of the operation; the DAG's params must be those of :func:`form`.
    :param operator: dotted name of the operator for this call, shown in the preview. Default: None, the
        preview shows a hook call.
    :raises InvalidRequestError: if the params violate the contract, or a final call is not confirmed.
    :raises ApiError: if the API refuses the call or cannot be reached.
    :returns: a dict with ``sent``; after a request also ``status``, ``request_id`` and ``answer``, with
        customer text redacted.
    """

    operator_extra_links = (DisputeLink(),)
    ui_color = "#e8eaf6"

    def __init__(self, *, api: str, operation_id: str, operator: str | None = None, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, LEDGER))
        self.api = api
        self.operation_id = operation_id
        self.operator = operator
        self.dispute_url = ""

    def execute(self, context: Context) -> dict[str, Any]:
        from dispute_provider._contracts import contract

        operation = contract.load(self.api)[self.operation_id]
        values = context["params"]
        typed = arguments_from_form(operation, values)
        if values["dry_run"]:
            return self._show(operation, values, typed)
        return self._send(context, operation, {**typed, **_documents_of(operation, typed)})

    def _show(
        self, operation: Operation, values: Mapping[str, Any], typed: Mapping[str, Any]
    ) -> dict[str, Any]:
        from airflow.sdk.exceptions import AirflowException

        from dispute_provider._apis.idempotency import own_key
        from dispute_provider._contracts.redaction import SECRET
        from dispute_provider._contracts.request import Request
        from dispute_provider._explain.preview import preview
        from dispute_provider.exceptions import DisputeError, InvalidRequestError, Violation

        violations: list[Violation] = []
        server, scheme, conn_id = operation.server, "", values["conn_id"]
        arguments = {**dict.fromkeys(_secrets(operation), SECRET), **typed}
        try:
            documents = _documents_of(operation, typed)
            arguments |= documents
            typed = {**{name: part.filename for name, part in documents.items()}, **typed}
        except InvalidRequestError as error:
            violations += error.violations
        try:
            hook = hook_for(conn_id, self.api)
            arguments = hook.api.complete(operation.id, arguments)
            server = hook.settings.server_of(operation)
            minted = hook.settings.oauth and operation.takes_token
            scheme = "Bearer" if minted else hook.settings.scheme
        except (DisputeError, AirflowException) as error:
            violations.append(Violation("/conn_id", str(error), "correct the connection"))
        try:
            request = Request.of(operation, **arguments)
            key = own_key(conn_id, request)
            arguments = dict((request.with_key(key) if key else request).arguments)
        except InvalidRequestError as error:
            named = {violation.pointer for violation in violations}
            violations += [violation for violation in error.violations if violation.pointer not in named]

        def shown(show_texts: bool) -> Any:
            return preview(
                operation,
                arguments,
                violations,
                server=server,
                authorization=scheme,
                conn_id=conn_id,
                operator=self.operator,
                typed=typed,
                show_texts=show_texts,
            )

        show_texts = bool(values.get("show_texts"))
        for line in shown(show_texts).lines():
            self.log.info("%s", line)
        if operation.media_type and not show_texts:
            self.log.info("Texts are shown as their length and the start of their sha256.")
        return {"sent": False, **shown(False).to_dict()}

    def _send(self, context: Context, operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
        values = context["params"]
        if operation.is_final(arguments):
            _require_confirmation(operation, arguments, values.get("confirm"))
        hook = hook_for(values["conn_id"], self.api)
        self.dispute_url = page_of(hook, operation, arguments)
        # The answer is not logged, because an expanded object can contain customer data.
        arguments = {**_minted(operation, hook), **arguments}
        answer = send(context, hook, operation.id, arguments, self.log)
        return {
            "sent": True,
            "status": answer.status,
            "request_id": answer.request_id,
            "answer": self._storable(answer),
        }

    def _storable(self, answer: Answer) -> Any:
        """Return the part of an answer that may be stored."""
        from dispute_provider._contracts.redaction import redacted_answer
        from dispute_provider._evidence.documents import Document

        if isinstance(answer.data, bytes):
            found = Document("", answer.data)
            return {"sha256": found.sha256, "size": len(answer.data), "content_type": found.content_type}
        return redacted_answer(answer.operation, answer.raw)


def _documents_of(operation: Operation, typed: Mapping[str, Any]) -> dict[str, FilePart]:
    """Return the documents to upload; a blank page for a required one without a path.

    :raises InvalidRequestError: if one cannot be read, or its path is outside the case roots.
    """
    from dispute_provider import _config as config
    from dispute_provider._cases.files import require_within_roots
    from dispute_provider._contracts.encoding import FilePart
    from dispute_provider.exceptions import InvalidCaseError, InvalidRequestError

    found: dict[str, FilePart] = {}
    for name, schema in operation.schema["properties"].items():
        if "x-maxBytes" not in schema:
            continue
        if not (path := typed.get(name)):
            if name in operation.schema["required"]:
                found[name] = FilePart(_BLANK_NAME, _BLANK_PAGE, "application/pdf")
            continue
        try:
            require_within_roots(path)
        except InvalidCaseError as error:
            outside = [replace(violation, pointer=f"/{name}") for violation in error.violations]
            raise InvalidRequestError.before_sending(operation.id, outside) from None
        found[name] = document(operation, name, path, roots=config.case_roots())
    return found


def _secrets(operation: Operation) -> list[str]:
    """Return the required arguments that are secret, which a form must not ask for."""
    required = operation.body_schema.get("required", ())
    return [name for name in required if operation.role(name) == "secret"]


def _minted(operation: Operation, hook: DisputeHook) -> dict[str, str]:
    """Return a token created for this call, if the operation takes one."""
    return {name: hook.with_api(lambda api: api.mint()).value for name in _secrets(operation)}


def _require_confirmation(operation: Operation, arguments: Mapping[str, Any], confirmed: Any) -> None:
    from dispute_provider.exceptions import InvalidRequestError, Violation

    dispute = operation.given("dispute", arguments)
    if not dispute or confirmed != dispute:
        remedy = "type the dispute ID to confirm the call"
        violation = Violation("/confirm", "is not the dispute ID", remedy)
        raise InvalidRequestError.before_sending(operation.id, [violation])
