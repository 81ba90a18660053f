"""Make a final call without a record: send it once, however often its task runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from dispute_provider._apis import idempotency
from dispute_provider._apis.api import Api
from dispute_provider._contracts.answers import Answer
from dispute_provider._contracts.contract import Request
from dispute_provider._evidence import stages
from dispute_provider._evidence.snapshot import Dispute, sha256_of
from dispute_provider._ledger import terms
from dispute_provider._ledger.chain import Chain, Claimant, Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.sending.decisions import Reading, Step
from dispute_provider._workflow.sending.final_call import FinalCall, answered
from dispute_provider._workflow.sending.in_ledger import write_end
from dispute_provider._workflow.sending.outcome import Outcome, Sent
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    ConflictError,
    RateLimitedError,
    TryAgainError,
)

_DONE = ("submitted", "conceded")
_NEXT_TRY = "nothing; the next try reads the dispute before it sends anything"


class SingleCall(FinalCall[Answer]):
    """A final call of one task: its chain names the task, and so each try knows what earlier ones did.

    :param request: the call; it gets an idempotency key where the API takes one and the caller gave none.
    :param task: names the task of a run, the same for all its tries.
    :param say: takes what happened to the dispute, for the log.
    """

    def __init__(
        self, api: Api, ledger: DisputeLedger, request: Request, task: str, say: Callable[[str], None]
    ) -> None:
        self._concedes = request.operation.id == api.concedes_by
        kind = Kind.CONCEDE if self._concedes else Kind.SUBMIT
        digest = sha256_of([request.path, (request.body or b"").decode("latin-1")])
        super().__init__(api, ledger, Claimant(kind, None, task, digest))
        self._request, self._say = request, say
        known = api.contract[api.reads_by].schema["properties"]
        # The account, the version and what to expand are those of the call.
        self._reading = {name: value for name, value in request.arguments.items() if name in known}
        self._read_last: Answer | None = None

    def claimant(self, chain: Chain) -> Claimant:
        """Return the task as a claimant that has seen the whole chain.

        A try after one that failed for good is a new attempt.
        """
        own = [link.end for link in chain.links if link.end and link.end.by.approval.startswith(self._task)]
        failed = sum(end.state not in _DONE for end in own)
        last = chain.final_end
        return replace(
            self._claimant, approval=f"{self._task}#{failed + 1}", seen=last.hash if last else None
        )

    @property
    def _task(self) -> str:
        return self._claimant.approval

    async def read(self) -> Answer:
        self._read_last = await self._api.call(self._api.reads_by, **self._reading)
        return self._read_last

    def dispute(self, found: Answer) -> Dispute:
        return self._api.dispute_in(found)

    async def send(self, api: Api, before: Answer, ordinal: int) -> Answer:
        request = self._request
        if request.operation.argument("idempotency-key") and not request.key:
            what = "concede" if self._concedes else "submit"
            request = request.with_key(idempotency.final_key(api.name, self.dispute(before), what, ordinal))
        return await api.send(request)

    def judge(self, found: Answer) -> Reading:
        dispute = self.dispute(found)
        if self._concedes and self._api.is_conceded(dispute):
            return Reading.ANSWERED
        if dispute.submitted:
            return Reading.REFUSED if self._concedes else Reading.ANSWERED
        if dispute.closed:
            return Reading.REFUSED
        stages.require_taken(self._request, dispute.stage)
        return Reading.OPEN

    def shows(self, before: Answer, after: Answer) -> bool:
        if self._concedes:
            return self._api.is_conceded(self.dispute(after))
        return answered(self.dispute(before), self.dispute(after))

    def reading_in(self, before: Answer, answer: Answer) -> Answer | None:
        is_plain = answer.status == 200 and not answer.replayed
        return answer if is_plain and self.shows(before, answer) else None

    async def run(self) -> Answer:
        """Make the call, and say in one line what happened to the dispute.

        :returns: its answer; the dispute as read, if an earlier try made the call, or if the answer does not
            show that it was carried out.
        :raises ConflictError: if the dispute was answered or closed before this task made the call, or if the
            API repeats its answer to an earlier call. Nothing was carried out.
        :raises AmbiguousError: if nobody can tell whether the call was carried out; or if an earlier try's
            call was, and the dispute is open again.
        :raises ApiError: as answered, if the dispute does not show that the call was carried out.
        :raises TryAgainError: if another request under the call's idempotency key is still in flight.
        :raises LedgerError: if the ledger cannot be used: nothing was sent by this try.
        """
        outcome = await self.make()
        found = outcome.before
        match outcome.step:
            case Step.SEND if outcome.after:
                await self._end(outcome, "conceded" if self._concedes else "submitted")
                if outcome.sent and outcome.after is outcome.sent.answer:
                    self._say(outcome.after.summary)
                else:
                    what = _what(outcome.sent or Sent())
                    self._say(f"confirmed by reading back after: {what}; {self._now(outcome.after)}")
                return outcome.after
            case Step.SEND:
                raise await self._not_shown(outcome)
            case Step.EARLIER | Step.NOTED if found and self._is_over(found):
                await self._end(outcome, "conceded" if self._concedes else "submitted")
                who = "an earlier try of this task sent it, or somebody else did"
                self._say(f"{who}; {self._now(found)}; this try sent nothing")
                return found
            case Step.NOTED if found:
                raise self._open_again(found)
            case _:
                raise self._refused(outcome)

    def _is_over(self, found: Answer) -> bool:
        dispute = self.dispute(found)
        return bool(dispute.submitted or dispute.closed)

    async def _end(self, outcome: Outcome[Answer], state: str, reason: str = "") -> None:
        """End the link; a ledger that fails must not hide how the call ended."""
        request_id = outcome.sent.request_id if outcome.sent else None
        receipt = {
            "operation": self._request.operation.id,
            "dispute": self._request.dispute,
            "connection": self._api.settings.connection,
        }
        try:
            await write_end(self._ledger, outcome, state, reason, request_id, receipt)
        except TryAgainError as error:
            self._say(f"{state}, request {request_id}, but that is not in the ledger yet: {error}")

    def _refused(self, outcome: Outcome[Answer]) -> ApiError:
        """Return the error for a call that this try did not send."""
        if outcome.unread:
            return outcome.unread
        found = outcome.before
        assert found is not None
        dispute = self.dispute(found)
        problem = "it was answered before" if dispute.submitted else dispute.closed
        if outcome.step is Step.UNSEEN:
            problem = "the ledger has a final call for it that this reading does not show"
        elif outcome.step is Step.DAMAGED:
            problem = "the ledger's files of this dispute were edited or cannot be read"
        elif outcome.step is Step.WAIT:
            problem = "another task is at work on it"
        return ConflictError(
            f"dispute {self._request.dispute} takes no answer: {problem} (status {dispute.status}); "
            "nothing was sent",
            operation=self._request.operation.id,
            status=found.status,
            request_id=found.request_id,
            advice="find out who answered or closed it; the call is not needed any more",
        )

    def _open_again(self, found: Answer) -> ApiError:
        return AmbiguousError(
            f"dispute {self._request.dispute} was answered after this task first tried, and is open again: "
            f"{self._now(found)}; this try sent nothing",
            operation=self._request.operation.id,
            status=found.status,
            request_id=found.request_id,
            advice="read the dispute; answer its new stage with a task of its own",
        )

    async def _not_shown(self, outcome: Outcome[Answer]) -> ApiError | TryAgainError:
        """Return the error for a call that the dispute does not show; end its link, unless it is repeated."""
        sent = outcome.sent or Sent()
        error = sent.problem or self._unconfirmed(sent)
        if outcome.unread:
            error.add(f"dispute {self._request.dispute} could not be read after that: {outcome.unread}")
        elif not sent.never_left and self._read_last:
            now = self._now(self._read_last)
            error.add(f"dispute {self._request.dispute}, read after that, does not show it: {now}")
        if outcome.is_repeatable(has_key=self._has_key):
            # Its link stays open: the next try goes on from it.
            if isinstance(error, RateLimitedError):
                return error
            return TryAgainError(error.describe(_NEXT_TRY), error.retry_after or terms.LAPSES_AFTER)
        await self._end(outcome, "refused" if outcome.is_refused else "unknown", str(error))
        return error

    def _unconfirmed(self, sent: Sent) -> ApiError:
        facts: dict[str, Any] = {"operation": self._request.operation.id, "request_id": sent.request_id}
        if sent.answer and sent.answer.replayed:
            problem = "the API repeats its answer to an earlier call"
            return ConflictError(problem, advice="give a new stage an idempotency_key of its own", **facts)
        status = sent.answer.status if sent.answer else None
        return AmbiguousError("the API accepted it", status=status, **facts)

    def _now(self, found: Answer) -> str:
        return f"it is now {self.dispute(found).status} (request {found.request_id})"


def _what(sent: Sent) -> str:
    """Return what was answered, and who may have sent it where the API denied it to us."""
    by = "; this task sent it, or somebody else at the same moment" if sent.is_denied else ""
    if problem := sent.problem:
        message = problem.message.rstrip(". ")
        return f"{problem.status or 'no answer'} {message}, request {problem.request_id}{by}"
    return f"{sent.answer.summary if sent.answer else 'no answer'}{by}"
