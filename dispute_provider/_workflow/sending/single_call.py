"""Make the final call of a single operator once, even if its task runs several times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from dispute_provider._apis import idempotency
from dispute_provider._apis.api import Api
from dispute_provider._contracts.answers import Answer
from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.request import Request
from dispute_provider._evidence import stages
from dispute_provider._evidence.snapshot import Dispute, sha256_of
from dispute_provider._ledger import timing
from dispute_provider._ledger.chain import Chain, Claimant, Kind
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._workflow.sending.decisions import Reading, Step
from dispute_provider._workflow.sending.final_call import FinalCall, answered
from dispute_provider._workflow.sending.ledger_ends import write_end
from dispute_provider._workflow.sending.outcome import Outcome, SendResult
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
    """The final call of one task. The ledger has the task's name, so each try knows what earlier ones did.

    :param request: the call. It gets an idempotency key if the API accepts one and the caller gave none.
    :param task: the name of the task in its run, the same for all its tries.
    :param say: logs one line about the dispute.
    """

    def __init__(
        self, api: Api, ledger: DisputeLedger, request: Request, task: str, say: Callable[[str], None]
    ) -> None:
        self._concedes = request.operation.id == api.concedes_by
        kind = Kind.CONCEDE if self._concedes else Kind.SUBMIT
        digest = sha256_of([request.path, (request.body or b"").decode("latin-1")])
        super().__init__(api, ledger, Claimant(kind, None, task, digest))
        self._request, self._say = request, say
        self._reading = _reading_arguments(api.contract[api.reads_by], request)
        self._read_last: Answer | None = None

    def claimant(self, chain: Chain) -> Claimant:
        """Return the task as a claimant that has seen the whole chain.

        After a try that failed permanently, the next try is a new claimant.
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
        # Not every API answers a final call with the dispute.
        reads = self._api.contract[self._api.reads_by].success_schema
        is_dispute = self._request.operation.success_schema == reads
        return answer if is_dispute and self.shows(before, answer) else None

    async def run(self) -> Answer:
        """Make the call, and log in one line what happened to the dispute.

        :returns: the answer; or a reading of the dispute, if an earlier try made the call or the answer does
            not show it.
        :raises ConflictError: if the dispute was answered or closed before this task made the call, or if the
            API repeats its answer to an earlier call. Nothing was carried out.
        :raises AmbiguousError: if it is not known whether the call was carried out; or if an earlier try made
            the call and the dispute is open again.
        :raises ApiError: as answered, if the dispute does not show that the call was carried out.
        :raises TryAgainError: if another request under the call's idempotency key is still in flight.
        :raises LedgerError: if the ledger cannot be used: nothing was sent by this try.
        """
        outcome = await self.make()
        found = outcome.before
        match outcome.step:
            case Step.SEND if outcome.after:
                await self._end(outcome, "conceded" if self._concedes else "submitted")
                if outcome.is_answered:
                    self._say(outcome.after.summary)
                else:
                    what = _what(outcome.sent or SendResult())
                    self._say(f"confirmed by reading back after: {what}; {self._now(outcome.after)}")
                return outcome.after
            case Step.SEND:
                raise await self._not_shown(outcome)
            case Step.EARLIER_TRY | Step.ENDED_BEFORE if found and self._is_over(found):
                await self._end(outcome, "conceded" if self._concedes else "submitted")
                who = "an earlier try of this task, or someone else, sent it"
                self._say(f"{who}; {self._now(found)}; this try sent nothing")
                return found
            case Step.ENDED_BEFORE if found:
                raise self._open_again(found)
            case _:
                raise self._refused(outcome)

    def _is_over(self, found: Answer) -> bool:
        dispute = self.dispute(found)
        return bool(dispute.submitted or dispute.closed)

    async def _end(self, outcome: Outcome[Answer], state: str, reason: str = "") -> None:
        """End the link; a failing ledger must not hide the result of the call."""
        request_id = outcome.sent.request_id if outcome.sent else None
        receipt = {
            "operation": self._request.operation.id,
            "dispute": self._request.dispute,
            "connection": self._api.settings.connection,
        }
        try:
            await write_end(self._ledger, outcome, state, reason, request_id, receipt)
        except TryAgainError as error:
            self._say(f"{state}, request {request_id}, but this could not be written to the ledger: {error}")

    def _refused(self, outcome: Outcome[Answer]) -> ApiError:
        """Return the error for a call that this try did not send."""
        if outcome.read_error:
            return outcome.read_error
        found = outcome.before
        assert found is not None
        dispute = self.dispute(found)
        problem = "it had already been answered" if dispute.submitted else dispute.closed
        if outcome.step is Step.SUPERSEDED:
            problem = "the ledger has a final call that the dispute does not show"
        elif outcome.step is Step.DAMAGED:
            problem = "the ledger's files for this dispute were edited or cannot be read"
        elif outcome.step is Step.WAIT:
            problem = "another task is working on it"
        return ConflictError(
            f"dispute {self._request.dispute} cannot be answered: {problem} (status {dispute.status}); "
            "nothing was sent",
            operation=self._request.operation.id,
            status=found.status,
            request_id=found.request_id,
            advice="find out who answered or closed it; this call is no longer needed",
        )

    def _open_again(self, found: Answer) -> ApiError:
        return AmbiguousError(
            f"dispute {self._request.dispute} was answered after the first try of this task, "
            "and is open again: "
            f"{self._now(found)}; this try sent nothing",
            operation=self._request.operation.id,
            status=found.status,
            request_id=found.request_id,
            advice="read the dispute; answer its new stage in a new task",
        )

    async def _not_shown(self, outcome: Outcome[Answer]) -> ApiError | TryAgainError:
        """Return the error for a call that the dispute does not show; end its link, unless it is repeated."""
        sent = outcome.sent or SendResult()
        error = sent.problem or self._unconfirmed(sent)
        if outcome.read_error:
            error.add(f"dispute {self._request.dispute} could not be read after that: {outcome.read_error}")
        elif not sent.is_unsent and self._read_last:
            now = self._now(self._read_last)
            error.add(f"dispute {self._request.dispute}, read after that, does not show it: {now}")
        if outcome.is_repeatable(has_key=self._has_key):
            # Its link stays open: the next try goes on from it.
            if isinstance(error, RateLimitedError):
                return error
            return TryAgainError(error.describe(_NEXT_TRY), error.retry_after or timing.TAKEOVER_AFTER)
        await self._end(outcome, "refused" if outcome.is_refused else "unknown", str(error))
        return error

    def _unconfirmed(self, sent: SendResult) -> ApiError:
        facts: dict[str, Any] = {"operation": self._request.operation.id, "request_id": sent.request_id}
        if sent.answer and sent.answer.replayed:
            problem = "the API repeated its answer to an earlier call"
            return ConflictError(problem, advice="use a new idempotency_key for each stage", **facts)
        status = sent.answer.status if sent.answer else None
        return AmbiguousError("the API accepted it", status=status, **facts)

    def _now(self, found: Answer) -> str:
        return f"it is now {self.dispute(found).status} (request {found.request_id})"


def _reading_arguments(reads: Operation, request: Request) -> dict[str, Any]:
    """Return the arguments for reading a call's dispute: its account, API version and expansions too.

    :param reads: the operation that reads a dispute.
    """
    given = {name: value for name, value in request.arguments.items() if name in reads.schema["properties"]}
    for role in ("dispute", "account"):
        if (name := reads.argument(role)) and request.operation.argument(role):
            given[name] = request.operation.given(role, request.arguments)
    return given


def _what(sent: SendResult) -> str:
    """Describe the answer, and who may have sent the call if the API denied it."""
    by = "; sent by this task or, at the same moment, by someone else" if sent.is_denied else ""
    if problem := sent.problem:
        message = problem.message.rstrip(". ")
        return f"{problem.status or 'no answer'} {message}, request {problem.request_id}{by}"
    return f"{sent.answer.summary if sent.answer else 'no answer'}{by}"
