"""Call any operation of any API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dispute_provider.operators._api import DisputeOperator, as_arguments

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.xcom_arg import XComArg

    from dispute_provider._contracts.contract import Operation


class CallOperator(DisputeOperator):
    """Call one operation of an API, by the API's own names.

    :param api: name of the API, the same as its connection type, such as ``stripe``.
    :param operation_id: the API's name of the operation, such as ``GetDisputesDispute``.
    :param arguments: arguments by the API's names; a document is given by its path or address. Values may be
        the output of other tasks. Not templated, because they may contain customer text. Default: None.
    :param conn_id: Airflow connection (templated). Default: ``<api>_default``.
    :param return_evidence: see :class:`~dispute_provider.operators._api.ApiOperator`.
    :raises InvalidRequestError: if arguments violate the contract; nothing was sent.
    :raises ApiError: if the API refuses the call or cannot be reached.
    :raises LedgerError: if the call is final and the ledger cannot be used; nothing was sent.
    :returns: the answer as a dict, with customer text redacted.
    """

    may_be_final = True

    def __init__(
        self,
        *,
        api: str,
        operation_id: str,
        arguments: Mapping[str, Any | XComArg] | None = None,
        conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id or f"{api}_default", **kwargs)
        self.api = api  # type: ignore[misc]  # of the class, where an API has operators of its own
        self.operation_id = operation_id  # type: ignore[misc]
        self.arguments = self.unrendered(arguments)

    def _arguments(self, operation: Operation, context: Context) -> dict[str, Any]:
        from dispute_provider._evidence.placeholders import has_placeholder
        from dispute_provider.exceptions import InvalidRequestError, Violation

        found = as_arguments(operation, self.arguments or {}, context)
        problem, remedy = "is a template, which is not rendered", "give the output of a task that returns it"
        templates = [
            Violation(f"/{name}", problem, remedy)
            for name, value in found.items()
            if name in operation.parameters and isinstance(value, str) and has_placeholder(value)
        ]
        if templates:
            raise InvalidRequestError.before_sending(operation.id, templates)
        return found
