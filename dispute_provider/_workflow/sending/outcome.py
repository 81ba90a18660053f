"""Represent the result of a final call. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from dispute_provider._contracts.answers import Answer
from dispute_provider._ledger.chain import Chain, ChainStatus, Claimant, End, Link
from dispute_provider._ledger.ledger import LinkClaim
from dispute_provider._transport.claim import NotClaimedError
from dispute_provider._workflow.sending.decisions import AfterAnswer, Step
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    ConflictError,
    RateLimitedError,
    UnreachableError,
)

# A reading of the dispute: a snapshot with its evidence, or only the API's answer.
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Observation(Generic[R]):
    """The dispute and its chain at one moment.

    :param age: seconds since the last claim that may have a request in flight.
    :param status: the status of the chain for the claimant.
    :param read_at: when the reading began, by the ledger's clock.
    :param found: the reading; None if the dispute could not be read.
    :param read_error: why it could not be read; None if it could.
    """

    chain: Chain
    age: float
    claimant: Claimant
    status: ChainStatus
    read_at: float
    found: R | None = None
    read_error: ApiError | None = None

    @property
    def link(self) -> Link | None:
        """The open link under which an earlier try of the claimant may have sent the call."""
        return open_attempt(self.chain, self.claimant)

    @property
    def is_taken_over(self) -> bool:
        """Whether another claimant holds the open link."""
        return self.status in (ChainStatus.CLAIMED, ChainStatus.EXPIRED)


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of sending a final call: an answer or an error."""

    answer: Answer | None = None
    problem: ApiError | None = None

    @property
    def request_id(self) -> str | None:
        return self.answer.request_id if self.answer else self.problem.request_id if self.problem else None

    @property
    def is_unsent(self) -> bool:
        """Whether the API certainly received nothing."""
        problem = self.problem
        return isinstance(problem, UnreachableError | NotClaimedError) or bool(
            getattr(problem, "violations", ())
        )

    @property
    def is_confirmed(self) -> bool:
        """Whether the API itself answered this request with a readable success."""
        return self.answer is not None and not self.answer.replayed

    @property
    def is_denied(self) -> bool:
        """Whether the API, or a gateway in front of it, denied that this request was carried out."""
        if self.answer:
            return self.answer.replayed and not self.answer.in_doubt
        return self.problem is not None and not isinstance(self.problem, AmbiguousError)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """The result of a final call.

    :param step: the last step; :attr:`Step.SEND` if the call was sent.
    :param sent: the result of the last send; None if nothing was sent.
    :param before: the last reading before the send; the last reading if nothing was sent.
    :param after: the first reading that shows the call; None if none does.
    :param read_error: why the dispute could not be read; None if it could.
    :param claim: the claim under which it was sent.
    :param link: the link under which an earlier try may have sent it.
    :param is_taken_over: whether another claimant holds that link now, and so will end it.
    :param end: the earlier end of the claimant's own link, or the last other end since the approval.
    :param is_settled: whether no request that was sent can still arrive.
    :param then: the step after the last answer, if no reading shows the call.
    :param is_answered: whether ``after`` is the call's own answer.
    """

    step: Step
    before: R | None = None
    sent: SendResult | None = None
    after: R | None = None
    read_error: ApiError | None = None
    claim: LinkClaim | None = None
    link: Link | None = None
    is_taken_over: bool = False
    end: End | None = None
    is_settled: bool = False
    then: AfterAnswer = AfterAnswer.STOP
    is_answered: bool = False

    @property
    def confirmation(self) -> str:
        """How a call that the dispute shows was confirmed."""
        return f"confirmed by {'its answer' if self.is_answered else 'reading back'}"

    @property
    def was_sent(self) -> bool:
        """Whether this try may have sent the call."""
        return self.sent is not None and not self.sent.is_unsent

    @property
    def is_ours(self) -> bool:
        """Whether this try or an earlier one may have sent the call."""
        return self.link is not None or self.was_sent

    def is_repeatable(self, *, has_key: bool) -> bool:
        """Return whether a later try sends the call again; until then its link stays open.

        :param has_key: whether the call has an idempotency key. A conflict then means that another request
            holds the key or the dispute, and the same request does no harm.
        """
        problem = self.sent.problem if self.sent else None
        is_passing = isinstance(problem, RateLimitedError) or (has_key and isinstance(problem, ConflictError))
        return is_passing and self.read_error is None

    @property
    def is_refused(self) -> bool:
        """Whether the API refused a call that the dispute does not show, and nothing sent can arrive."""
        sent = self.sent or SendResult()
        if (
            sent.problem is None
            or self.read_error
            or isinstance(sent.problem, AmbiguousError | ConflictError)
        ):
            return False
        return sent.is_unsent or self.is_settled or self.then is AfterAnswer.STOP


def open_attempt(chain: Chain, claimant: Claimant) -> Link | None:
    """Return the open link under which an earlier try may have sent the call; None if there is none."""
    link = chain.open_link
    return link if link and link.may_have_sent(claimant) else None
