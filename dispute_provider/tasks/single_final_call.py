"""Make the final call of a single operator once, however often its task runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dispute_provider.state.stores import load, now, seconds_until_settled

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.contracts.answers import Answer
    from dispute_provider.contracts.contract import Request
    from dispute_provider.hooks.base import DisputeHook

_KEY = "final call"


def make(context: Context, hook: DisputeHook, request: Request, log: Any) -> Answer:
    """Make the final call of a single operator, and log in one line what happened to the dispute.

    :param request: the call, with its idempotency key where the API takes one.
    :returns: see :meth:`~dispute_provider.workflow.single_call.SingleCall.make`.
    :raises ApiError: see there.
    """
    from dispute_provider.workflow.single_call import SingleCall

    def say(what: str) -> None:
        log.info("%s %s: %s", request.operation.id, request.dispute, what)

    note = _StoredCallNote(context, request, log)
    return hook.with_api(lambda api: SingleCall(api, request, note, say).make())


class _StoredCallNote:
    """The note of a final call in Airflow's task state store: it outlives retries and clears.

    Without a store, a second try assumes that the first has just sent the call.

    See :class:`~dispute_provider.workflow.single_call.CallNote`.
    """

    def __init__(self, context: Context, request: Request, log: Any) -> None:
        self._store: Any = context.get("task_state_store")
        self._log = log
        self._key = request.headers.get("Idempotency-Key")
        self._call = {"operation": request.operation.id, "dispute": request.dispute}
        stored = load(self._store, _KEY) if self._store is not None else {}
        # A task whose arguments were edited makes another call.
        self._noted: dict[str, Any] = stored if stored.items() >= self._call.items() else {}
        instance = context.get("ti")
        if self._store is None and instance is not None and instance.try_number > 1:
            unanswered = {"submissions": 0, "submitted_at": None}
            self._noted = {**self._call, "until": now(), "before": unanswered}
        self.before: Mapping[str, Any] = self._noted.get("before", {})
        self.has_same_key = self._key is not None and self._noted.get("key") == self._key
        self.has_ended = bool(self._noted.get("ended"))

    def seconds_until_settled(self) -> float:
        """Seconds until the noted call has arrived or never will."""
        return seconds_until_settled(self._noted) if self._noted and not self.has_ended else 0.0

    def begin(self, before: Mapping[str, Any]) -> None:
        """Note the call that is about to be sent."""
        # Under a key the transport may send it again, at a time that is not noted.
        until = None if self._key else now()
        self._noted = {**self._call, "key": self._key, "since": now(), "until": until, "before": dict(before)}
        self._save()

    def end(self) -> None:
        """Note that the call was carried out."""
        self._noted |= {"until": now(), "ended": True}
        self._save_if_possible()

    def abandon(self) -> None:
        """Note that the call may still arrive, and that nobody waits for it."""
        self._noted |= {"until": now()}
        self._save_if_possible()

    def withdraw(self) -> None:
        """Delete the note of a call that came to nothing."""
        self._noted = {}
        self._save_if_possible()

    def _save_if_possible(self) -> None:
        """Save what is known after the call: a store that fails must not hide how the call ended."""
        try:
            self._save()
        except Exception as error:
            self._log.warning("how the call ended could not be noted: %s", error)

    def _save(self) -> None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        if self._store is None:
            return
        if self._noted:
            self._store.set(_KEY, self._noted, retention=NEVER_EXPIRE)
        else:
            self._store.delete(_KEY)
