"""Make a final call without a record: send it once, however often its task runs.

A worker that is killed cannot report whether its request arrived. So each try reads the dispute first, and
notes the call before it makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from dispute_provider.apis.api import Api
from dispute_provider.contracts.answers import Answer
from dispute_provider.contracts.contract import Request
from dispute_provider.evidence import stages
from dispute_provider.evidence.snapshot import Dispute
from dispute_provider.exceptions import AmbiguousError, ApiError, ConflictError
from dispute_provider.workflow.final_call import Outcome, Sent, send_and_look
from dispute_provider.workflow.submit import answered


class CallNote(Protocol):
    """The note of a final call; it outlives the try that makes it.

    :ivar before: stage, submissions and time of the last one before the noted call; empty if none is noted.
    :ivar has_ended: whether the noted call is known to be carried out.
    :ivar has_same_key: whether the call has the idempotency key of the noted one: resending is harmless.
    """

    before: Mapping[str, Any]
    has_ended: bool
    has_same_key: bool

    def seconds_until_settled(self) -> float:
        """Seconds until the noted call has arrived or never will."""

    def begin(self, before: Mapping[str, Any]) -> None:
        """Note the call that is about to be sent."""

    def end(self) -> None:
        """Note that the call was carried out."""

    def abandon(self) -> None:
        """Note that the call may still arrive, and that nobody waits for it."""

    def withdraw(self) -> None:
        """Delete the note of a call that came to nothing."""


class SingleCall:
    """A final call of one task: read the dispute, note the call, send it, and read again unless it succeeded.

    :param request: the call, with its idempotency key where the API takes one.
    :param say: takes what happened to the dispute, for the log.
    """

    def __init__(self, api: Api, request: Request, note: CallNote, say: Callable[[str], None]) -> None:
        self._api, self._request, self._note, self._say = api, request, note, say
        known = api.contract[api.reads_by].schema["properties"]
        # The account, the version and what to expand are those of the call.
        self._reading = {name: value for name, value in request.arguments.items() if name in known}
        self._read_last: Answer | None = None

    async def make(self) -> Answer:
        """Make the call.

        :returns: its answer; the dispute as read, if an earlier try made the call, or if the answer does not
            show that it was carried out.
        :raises ConflictError: if the dispute was answered or closed before this task made the call, or if the
            API repeats its answer to an earlier call. Nothing was carried out.
        :raises AmbiguousError: if nobody can tell whether the call was carried out; or if an earlier try's
            call was, and the dispute is open again.
        :raises ApiError: as answered, if the dispute does not show that the call was carried out.
        """
        found = await self._read()
        carried_out = self._by_an_earlier_try(found)
        settle = self._note.seconds_until_settled()
        if not carried_out and settle and not self._note.has_same_key:
            self._say(f"waits {settle:.0f} s, until the request of an earlier try has arrived or never will")
            await self._api.wait(settle)
            found, settle = await self._read(), 0.0
            carried_out = self._by_an_earlier_try(found)
        if carried_out:
            self._note.end()
            who = "an earlier try of this task sent it, or somebody else did"
            self._say(f"{who}; {self._now(found)}; this try sent nothing")
            return found
        self._require_open(found)
        outcome = await send_and_look(
            self._api,
            self._read,
            found,
            self._send,
            self._shows,
            self._require_open,
            settle,
            self._reading_in,
        )
        if outcome.after is None:
            raise self._not_shown(outcome)
        self._note.end()
        if outcome.after is outcome.sent.answer:
            self._say(outcome.after.summary)
        else:
            self._say(f"confirmed by reading back after: {_what(outcome.sent)}; {self._now(outcome.after)}")
        return outcome.after

    async def _read(self) -> Answer:
        self._read_last = await self._api.call(self._api.reads_by, **self._reading)
        return self._read_last

    async def _send(self, before: Answer) -> Answer:
        dispute = self._dispute(before)
        self._note.begin({name: getattr(dispute, name) for name in ("stage", "submissions", "submitted_at")})
        return await self._api.send(self._request)

    def _dispute(self, answer: Answer) -> Dispute:
        return self._api.dispute_in(answer)

    def _shows(self, before: Answer, after: Answer) -> bool:
        return self._was_made(self._dispute(before), self._dispute(after))

    def _was_made(self, before: Dispute, after: Dispute) -> bool:
        if self._request.operation.id == self._api.concedes_by:
            return self._api.is_conceded(after)
        return answered(before, after)

    def _reading_in(self, before: Answer, answer: Answer) -> Answer | None:
        """Return the answer, if its dispute shows that the call was carried out; None to read the dispute."""
        is_plain = answer.status == 200 and not answer.replayed
        return answer if is_plain and self._shows(before, answer) else None

    def _by_an_earlier_try(self, found: Answer) -> bool:
        """Whether the dispute shows the call that an earlier try noted.

        :raises AmbiguousError: if it does, or that try succeeded, and the dispute is open again.
        """
        dispute = self._dispute(found)
        if not self._note.before:
            return False
        before = replace(dispute, **self._note.before)
        if not self._note.has_ended and not self._was_made(before, dispute):
            return False
        if dispute.submitted or dispute.closed:
            return True
        raise AmbiguousError(
            f"dispute {self._request.dispute} was answered after this task first tried, and is open again: "
            f"{self._now(found)}; this try sent nothing",
            operation=self._request.operation.id,
            status=found.status,
            request_id=found.request_id,
            advice="read the dispute; answer its new stage with a task of its own",
        )

    def _require_open(self, found: Answer) -> None:
        """Refuse a call that the dispute does not allow any more, or does not need.

        :raises ConflictError: if the dispute was answered or is closed.
        :raises InvalidRequestError: if its stage does not take the call's evidence.
        """
        dispute = self._dispute(found)
        problem = "it was answered before" if dispute.submitted else dispute.closed
        if problem:
            raise ConflictError(
                f"dispute {self._request.dispute} takes no answer: {problem} (status {dispute.status}); "
                "nothing was sent",
                operation=self._request.operation.id,
                status=found.status,
                request_id=found.request_id,
                advice="find out who answered or closed it; the call is not needed any more",
            )
        stages.require_taken(self._request, dispute.stage)

    def _not_shown(self, outcome: Outcome[Answer]) -> ApiError:
        """Return the error for a call that the dispute does not show."""
        sent = outcome.sent
        error = sent.problem or self._unconfirmed(sent)
        if outcome.unread:
            error.add(f"dispute {self._request.dispute} could not be read after that: {outcome.unread}")
        elif not sent.never_left and self._read_last:
            now = self._now(self._read_last)
            error.add(f"dispute {self._request.dispute}, read after that, does not show it: {now}")
        if outcome.unread or isinstance(error, AmbiguousError | ConflictError):
            self._note.abandon()
        else:
            self._note.withdraw()
        return error

    def _unconfirmed(self, sent: Sent) -> ApiError:
        facts: dict[str, Any] = {"operation": self._request.operation.id, "request_id": sent.request_id}
        if sent.answer and sent.answer.replayed:
            problem = "the API repeats its answer to an earlier call"
            return ConflictError(problem, advice="give a new stage an idempotency_key of its own", **facts)
        status = sent.answer.status if sent.answer else None
        return AmbiguousError("the API accepted it", status=status, **facts)

    def _now(self, found: Answer) -> str:
        return f"it is now {self._dispute(found).status} (request {found.request_id})"


def _what(sent: Sent) -> str:
    """Return what was answered, and who may have sent it where the API denied it to us."""
    by = "; this task sent it, or somebody else at the same moment" if sent.is_denied else ""
    if problem := sent.problem:
        message = problem.message.rstrip(". ")
        return f"{problem.status or 'no answer'} {message}, request {problem.request_id}{by}"
    return f"{sent.answer.summary if sent.answer else 'no answer'}{by}"
