"""Base classes of the operators that call one operation of an API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.xcom_arg import XComArg

from dispute_provider._cases.storage import storage_path
from dispute_provider._cases.uploads import document
from dispute_provider._tasks.links import DisputeLink, ReferenceLink, airflow_address, reference_path
from dispute_provider._tasks.retry import ApiRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryPolicy

    from dispute_provider._contracts.answers import Answer
    from dispute_provider._contracts.contract import Operation
    from dispute_provider._contracts.request import Request
    from dispute_provider.hooks._base import DisputeHook

T = TypeVar("T")


class ApiOperator(BaseOperator):
    """Call one operation of an API. A subclass names the operation and has an attribute for each argument.

    Customer text is passed through ``unrendered`` and is never a template field, so it is neither rendered
    nor stored with the task. (Airflow stores the ``partial`` and ``expand`` arguments of a mapped task; pass
    customer text to a mapped task from another task.) The answer is returned without customer text: enums,
    dates, ids and metadata are kept.

    :param conn_id: Airflow connection (templated).
    :param return_evidence: whether to return the whole answer, including customer text, which is then stored
        as an XCom. Default: False.
    :param retry_policy: Airflow's retry policy of the task. Default: a policy that waits as long as the API
        asks, and does not retry errors that a retry cannot fix.
    :raises InvalidRequestError: if arguments violate the contract; nothing was sent.
    :raises ApiError: if the API refuses the call or cannot be reached.
    :raises ConnectionConfigError: if the connection cannot be used.
    :raises LedgerError: if the call is final and the ledger cannot be used; nothing was sent.
    :returns: the answer as a dict.
    """

    api: ClassVar[str]
    operation_id: ClassVar[str]
    may_be_final: ClassVar[bool] = False
    template_fields: Sequence[str] = ("conn_id",)
    operator_extra_links: Sequence[Any] = (ReferenceLink(),)
    ui_color = "#e8eaf6"

    def __init__(
        self,
        *,
        conn_id: str,
        return_evidence: bool = False,
        retry_policy: RetryPolicy | None = None,
        **kwargs: Any,
    ) -> None:
        if self.may_be_final:
            kwargs = _with_ledger(kwargs)
        super().__init__(**{**kwargs, "retry_policy": retry_policy or ApiRetryPolicy()})
        self.conn_id = conn_id
        self.return_evidence = return_evidence
        self.dispute_url = ""
        self.reference_url = ""

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**(_with_ledger(kwargs) if cls.may_be_final else kwargs))

    def unrendered(self, value: T) -> T:
        """Return a value that is not templated; it may be or contain the output of other tasks."""
        XComArg.apply_upstream_relationship(self, value)
        return value

    def execute(self, context: Context) -> Any:
        hook = hook_for(self.conn_id, self.api)
        operation = hook.api.contract[self.operation_id]
        arguments = self._arguments(operation, context)
        self.dispute_url = page_of(hook, operation, arguments)
        self.reference_url = reference_path(operation)
        return self.result(send(context, hook, self.operation_id, arguments, self.log))

    def result(self, answer: Answer) -> Any:
        """Return the value for XCom."""
        from dispute_provider._contracts.redaction import redacted_answer

        return answer.raw if self.return_evidence else redacted_answer(answer.operation, answer.raw)

    def _arguments(self, operation: Operation, context: Context) -> dict[str, Any]:
        """Return the arguments by the contract's names, with the outputs of other tasks resolved."""
        from dispute_provider._contracts.rendered import with_numbers

        given = {name: vars(self).get(attribute) for name, attribute in operation.python_names.items()}
        for name, attribute in operation.python_names.items():
            if attribute in self.template_fields:
                given[name] = with_numbers(operation.schema_of(name), given[name])
        return as_arguments(operation, given, context, vars(self).get("filename"))


class DisputeOperator(ApiOperator):
    """Call an operation on one dispute; the task has a link to the dispute's page."""

    operator_extra_links = (DisputeLink(), ReferenceLink())


class DownloadOperator(ApiOperator):
    """Download a document.

    :param save_to: path or ``ObjectStoragePath`` address to write the document to (templated). Default: None,
        the document is not saved.
    :returns: a dict with ``sha256``, ``size`` in bytes, ``content_type`` and ``path``.
    """

    template_fields: Sequence[str] = (*ApiOperator.template_fields, "save_to")

    def __init__(self, *, save_to: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.save_to = save_to

    def result(self, answer: Answer) -> dict[str, Any]:
        from dispute_provider._evidence.documents import Document

        found = Document(self.save_to or "", answer.data or b"")
        if self.save_to:
            storage_path(self.save_to).write_bytes(found.content)
        return {
            "sha256": found.sha256,
            "size": len(found.content),
            "content_type": found.content_type,
            "path": self.save_to,
        }


def _with_ledger(given: dict[str, Any]) -> dict[str, Any]:
    """Return an operator's arguments with the asset that has the ledger's id."""
    # Imported here, because most operators make no final call.
    from dispute_provider._state.ledger_id import LEDGER
    from dispute_provider._tasks.operator_defaults import with_defaults

    return with_defaults(given, LEDGER)


def hook_for(conn_id: str, api: str) -> DisputeHook:
    """Return the hook of a connection.

    :raises ConnectionConfigError: if the connection is not one to this API.
    """
    from airflow.sdk import BaseHook

    from dispute_provider.hooks._base import DisputeHook
    from dispute_provider.hooks._connections import foreign, require_type

    hook = BaseHook.get_hook(conn_id)
    if not isinstance(hook, DisputeHook):
        raise foreign(conn_id)
    require_type(conn_id, hook.api, api)
    return hook


def send(
    context: Context, hook: DisputeHook, operation_id: str, arguments: Mapping[str, Any], log: Any
) -> Answer:
    """Make one call and log its result; the call has an idempotency key if the API takes one.

    If the call fails, the log names the page of the operation's reference.

    A final call is made at most once, even if its task runs again: see
    :mod:`~dispute_provider._tasks.single_final_call`.

    :raises InvalidRequestError: with all violations, before anything is sent.
    :raises ApiError: if the API refuses the call or cannot be reached.
    """
    from dispute_provider.exceptions import DisputeError

    try:
        return _send(context, hook, operation_id, arguments, log)
    except DisputeError:
        page = reference_path(hook.api.contract[operation_id])
        log.info("Reference of %s: %s%s", operation_id, airflow_address(), page)
        raise


def _send(
    context: Context, hook: DisputeHook, operation_id: str, arguments: Mapping[str, Any], log: Any
) -> Answer:
    from dispute_provider._apis.idempotency import own_key

    request = hook.api.request(operation_id, **arguments)
    if request.operation.effect != "read":
        hook.with_api(lambda api: api.prepare())
    if request.is_final:
        from dispute_provider._tasks import single_final_call

        return single_final_call.make(context, hook, request, log)
    key = own_key(hook.settings.connection, request)
    answer = hook.with_api(lambda api: api.send_under_own_key(request, key))
    log.info("%s %s: %s", operation_id, _subject(hook, request), answer.summary)
    return answer


def _subject(hook: DisputeHook, request: Request) -> str:
    """Return the subject of a call for the log: a dispute, a document, an object's id or an account."""
    from dispute_provider._contracts.encoding import FilePart

    operation, arguments = request.operation, request.arguments
    files = [value.filename for value in arguments.values() if isinstance(value, FilePart)]
    ids = [
        str(value)
        for name, value in arguments.items()
        if operation.places.get(name) == "path" and operation.role(name) is None
    ]
    found = (request.dispute, *files, *ids, hook.settings.account, hook.settings.connection)
    return next(filter(None, found))


def page_of(hook: DisputeHook, operation: Operation, arguments: Mapping[str, Any]) -> str:
    """Return the address of the dispute's page; empty if the call is not about a dispute."""
    dispute = operation.given("dispute", arguments)
    if not isinstance(dispute, str):
        return ""
    return hook.api.page(dispute, operation.given("account", arguments))


def as_arguments(
    operation: Operation, given: Mapping[str, Any], context: Context, filename: str | None = None
) -> dict[str, Any]:
    """Return the arguments of a call, with the outputs of other tasks resolved and documents read.

    :param given: arguments by the contract's names; None is left out.
    :param filename: name of a document at the API. Default: the name in its path.
    :raises InvalidRequestError: if a task returned nothing, or a document cannot be read; nothing was sent.
    """
    from dispute_provider.exceptions import InvalidRequestError, Violation

    arguments: dict[str, Any] = {}
    for name, each in given.items():
        if each is None:
            continue
        if (value := resolved(each, context)) is None:
            problem = "the upstream task returned nothing"
            violation = Violation(f"/{name}", problem, "return a value from that task")
            raise InvalidRequestError.before_sending(operation.id, [violation])
        is_document = "x-maxBytes" in operation.schema_of(name)
        arguments[name] = document(operation, name, value, filename) if is_document else value
    return arguments


def resolved(value: Any, context: Context) -> Any:
    """Return a value with the outputs of other tasks resolved."""
    if isinstance(value, XComArg):
        return value.resolve(context)
    if isinstance(value, Mapping):
        return {name: resolved(item, context) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(item, context) for item in value]
    return value
