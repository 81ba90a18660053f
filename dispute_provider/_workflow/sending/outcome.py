"""Hold what is known after a final call. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from dispute_provider._contracts.answers import Answer
from dispute_provider._ledger.chain import Chain, Claimant, End, Link, Standing
from dispute_provider._ledger.ledger import LinkClaim
from dispute_provider._transport.claim import NotClaimedError
from dispute_provider._workflow.sending.decisions import AfterDenial, Step
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    ConflictError,
    RateLimitedError,
    UnreachableError,
)

# A reading of the dispute: a snapshot of its evidence too, or the API's answer alone.
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Observation(Generic[R]):
    """The dispute and its chain at one moment.

    :param age: seconds since the last claim of which something may be in flight.
    :param stands: how the chain stands to the claimant.
    :param read_at: when the reading began, by the ledger's clock.
    :param found: the reading; None where the dispute could not be read.
    :param unread: why not.
    """

    chain: Chain
    age: float
    claimant: Claimant
    stands: Standing
    read_at: float
    found: R | None = None
    unread: ApiError | None = None

    @property
    def link(self) -> Link | None:
        """The open link under which an earlier try of the claimant may have sent something."""
        return tried(self.chain, self.claimant)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of sending a final call: an answer, or an error."""

    answer: Answer | None = None
    problem: ApiError | None = None

    @property
    def request_id(self) -> str | None:
        return self.answer.request_id if self.answer else self.problem.request_id if self.problem else None

    @property
    def never_left(self) -> bool:
        """Whether it is certain that the API received nothing."""
        problem = self.problem
        return isinstance(problem, UnreachableError | NotClaimedError) or bool(
            getattr(problem, "violations", ())
        )

    @property
    def is_confirmed(self) -> bool:
        """Whether the API itself answered this very request with a readable success."""
        return self.answer is not None and not self.answer.replayed

    @property
    def is_denied(self) -> bool:
        """Whether the API, or a gateway in front of it, denied that this very request was carried out."""
        if self.answer:
            return self.answer.replayed and not self.answer.in_doubt
        return self.problem is not None and not isinstance(self.problem, AmbiguousError)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What is known after a final call.

    :param step: how it ended: what was decided, :attr:`Step.SEND` where it was sent.
    :param sent: the last answer; None where nothing was sent.
    :param before: the last reading before it was sent; without one, the last reading.
    :param after: the first reading that shows it; None if none does.
    :param unread: why the dispute could not be read; None if it could.
    :param claim: under which it was sent.
    :param link: an earlier try's, which may have sent it.
    :param end: how the claimant's own link had ended before, or the last end of another since the approval.
    :param is_settled: whether what was sent has arrived or never will.
    :param then: what the last answer asks for, where no reading shows the call.
    """

    step: Step
    before: R | None = None
    sent: Sent | None = None
    after: R | None = None
    unread: ApiError | None = None
    claim: LinkClaim | None = None
    link: Link | None = None
    end: End | None = None
    is_settled: bool = False
    then: AfterDenial = AfterDenial.STOP

    @property
    def was_sent(self) -> bool:
        """Whether this try has sent it, as far as is known."""
        return self.sent is not None and not self.sent.never_left

    @property
    def is_ours(self) -> bool:
        """Whether this try or an earlier one may have sent it."""
        return self.link is not None or self.was_sent

    def is_repeatable(self, *, has_key: bool) -> bool:
        """Return whether a later try sends the call again; until then its link stays open.

        :param has_key: whether the call has an idempotency key. A conflict then means that another request
            holds the key or the dispute, and the same request does no harm.
        """
        problem = self.sent.problem if self.sent else None
        is_passing = isinstance(problem, RateLimitedError) or (has_key and isinstance(problem, ConflictError))
        return is_passing and self.unread is None

    @property
    def is_refused(self) -> bool:
        """Whether the API refused a call that the dispute does not show, and nothing sent can arrive."""
        sent = self.sent or Sent()
        if sent.problem is None or self.unread or isinstance(sent.problem, AmbiguousError | ConflictError):
            return False
        return sent.never_left or self.is_settled or self.then is AfterDenial.STOP


def tried(chain: Chain, claimant: Claimant) -> Link | None:
    """Return the open link under which an earlier try may have sent something."""
    link = chain.open_link
    return link if link and link.may_have_sent(claimant) else None
