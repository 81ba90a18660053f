"""Make the final call of a single operator once, however often its task runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dispute_provider._tasks.ledgers import Ledgers

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._contracts.answers import Answer
    from dispute_provider._contracts.contract import Request
    from dispute_provider.hooks._base import DisputeHook


def make(context: Context, hook: DisputeHook, request: Request, log: Any) -> Answer:
    """Make the final call of a single operator, and log in one line what happened to the dispute.

    :param request: the call; where the API takes an idempotency key and it has none, it gets one.
    :returns: see :meth:`~dispute_provider._workflow.sending.single_call.SingleCall.run`.
    :raises ApiError: see there.
    :raises LedgerError: if the ledger cannot be used: nothing was sent by this try.
    """
    from dispute_provider._workflow.sending.single_call import SingleCall

    def say(what: str) -> None:
        log.info("%s %s: %s", request.operation.id, request.dispute, what)

    ledgers = Ledgers(context)
    ledger = ledgers.of(hook.api, str(request.dispute))
    return hook.with_api(lambda api: SingleCall(api, ledger, request, ledgers.task, say).run())
