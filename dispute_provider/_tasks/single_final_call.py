"""Make the final call of a single operator at most once, even if its task runs again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.ledgers import Ledgers

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._contracts.answers import Answer
    from dispute_provider._contracts.request import Request
    from dispute_provider.hooks._base import DisputeHook


def make(context: Context, hook: DisputeHook, request: Request, log: Any) -> Answer:
    """Make the final call of a single operator, and log its result in one line.

    :param request: the call; it gets an idempotency key if the API takes one and it has none.
    :returns: see :meth:`~dispute_provider._workflow.sending.single_call.SingleCall.run`.
    :raises ApiError: see there.
    :raises LedgerError: if the ledger cannot be used: nothing was sent by this try.
    """
    from dispute_provider._workflow.sending.single_call import SingleCall

    def report(what: str) -> None:
        log.info("%s %s: %s", request.operation.id, request.dispute, what)

    ledgers = Ledgers(context, Connections())
    ledger = ledgers.of(hook.api, str(request.dispute))
    return hook.with_api(lambda api: SingleCall(api, ledger, request, ledgers.task, report).run())
