"""Any operation of any API as an operator, by the API's own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dispute_provider.operators._api import DisputeOperator, as_arguments

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.xcom_arg import XComArg

    from dispute_provider._contracts.contract import Operation


class CallOperator(DisputeOperator):
    """Call one operation, once. An API needs no operators of its own for this.

    :param api: name of the API, as its contract file and its connection type are named.
    :param operation_id: the API's own name of the operation.
    :param arguments: by the contract's names; a document is its path or address. None of them is a template:
        they may be what customers wrote. Values may be what other tasks return.
    :param conn_id: Airflow connection (templated); the API's default where not given.
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
        return as_arguments(operation, self.arguments or {}, context)
