"""Decide the next step of a final call from the dispute, its chain and the last answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from dispute_provider._ledger.chain import ChainStatus
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    RateLimitedError,
    ServerError,
)


class Reading(StrEnum):
    """The meaning of a reading of the dispute for the call."""

    OPEN = "as approved"
    ANSWERED = "answered"
    REFUSED = "not as approved, or closed"


class Step(StrEnum):
    """The next step of a final call."""

    SEND = "send it"
    WAIT = "wait"
    EARLIER_TRY = "end: an earlier try may have sent it"
    ANSWERED = "end: answered by another task or a colleague"
    ENDED_BEFORE = "end: same end as before"
    SUPERSEDED = "end: refused, review it again"
    REFUSED = "end: refused"
    DAMAGED = "end: held, look at the ledger"


# The next step by reading and chain status. docs/faults.md prints the tables of this module.
STEPS: Mapping[tuple[Reading, ChainStatus], Step] = {
    (Reading.OPEN, ChainStatus.FREE): Step.SEND,
    (Reading.OPEN, ChainStatus.OWN_IN_FLIGHT): Step.WAIT,
    (Reading.OPEN, ChainStatus.OWN_EXPIRED): Step.SEND,
    (Reading.OPEN, ChainStatus.CLAIMED): Step.WAIT,
    (Reading.OPEN, ChainStatus.EXPIRED): Step.SEND,
    (Reading.OPEN, ChainStatus.SETTLING): Step.WAIT,
    (Reading.OPEN, ChainStatus.ENDED): Step.ENDED_BEFORE,
    (Reading.OPEN, ChainStatus.UNSEEN): Step.SUPERSEDED,
    (Reading.OPEN, ChainStatus.DAMAGED): Step.DAMAGED,
    (Reading.ANSWERED, ChainStatus.FREE): Step.ANSWERED,
    (Reading.ANSWERED, ChainStatus.OWN_IN_FLIGHT): Step.EARLIER_TRY,
    (Reading.ANSWERED, ChainStatus.OWN_EXPIRED): Step.EARLIER_TRY,
    (Reading.ANSWERED, ChainStatus.CLAIMED): Step.ANSWERED,
    (Reading.ANSWERED, ChainStatus.EXPIRED): Step.ANSWERED,
    (Reading.ANSWERED, ChainStatus.SETTLING): Step.ANSWERED,
    (Reading.ANSWERED, ChainStatus.ENDED): Step.ENDED_BEFORE,
    (Reading.ANSWERED, ChainStatus.UNSEEN): Step.ANSWERED,
    (Reading.ANSWERED, ChainStatus.DAMAGED): Step.ANSWERED,
    (Reading.REFUSED, ChainStatus.FREE): Step.REFUSED,
    (Reading.REFUSED, ChainStatus.OWN_IN_FLIGHT): Step.WAIT,
    (Reading.REFUSED, ChainStatus.OWN_EXPIRED): Step.REFUSED,
    (Reading.REFUSED, ChainStatus.CLAIMED): Step.WAIT,
    (Reading.REFUSED, ChainStatus.EXPIRED): Step.REFUSED,
    (Reading.REFUSED, ChainStatus.SETTLING): Step.WAIT,
    (Reading.REFUSED, ChainStatus.ENDED): Step.ENDED_BEFORE,
    (Reading.REFUSED, ChainStatus.UNSEEN): Step.REFUSED,
    (Reading.REFUSED, ChainStatus.DAMAGED): Step.REFUSED,
}


# The exceptions for APIs with idempotency keys: a call that is in flight under its own key is sent again at
# once, because the API carries it out only once.
KEYED_STEPS: Mapping[tuple[Reading, ChainStatus], Step] = {
    (Reading.OPEN, ChainStatus.OWN_IN_FLIGHT): Step.SEND
}


def next_step(reading: Reading, status: ChainStatus, *, has_key: bool) -> Step:
    """Return the next step.

    :param has_key: whether the call has an idempotency key.
    """
    step = STEPS[reading, status]
    return KEYED_STEPS.get((reading, status), step) if has_key else step


class Answered(StrEnum):
    """The kinds of answers to a final call that no reading of the dispute shows."""

    ACCEPTED = "a success"
    BUSY = "429"
    RENEWABLE = "401, and a new bearer token may help"
    STORED = "a failure of an earlier request with the same key, which the API repeats"
    CONFLICT = "409"
    UNCLEAR = "5xx, or an unreadable answer"
    REFUSED = "any other refusal by the API"
    GATEWAY = "any other refusal, without the API's request id"


class AfterAnswer(StrEnum):
    """The next step after an answer, if no reading of the dispute shows the call."""

    AGAIN = "send it again at once"
    LATER = "send it again once the claim has expired"
    SETTLE = "read again once the claim has expired"
    STOP = "end"


# By the answer, without and with an idempotency key. No answer proves that nothing was carried out: a gateway
# may give it before or after the API acts. Under a key a call may be sent again at once; without one, only
# after what was sent has arrived or never will. Under a key the API's own refusal is final: a repetition gets
# the same answer. A refusal without the API's request id is a gateway's, and the call may still arrive.
AFTER: Mapping[Answered, tuple[AfterAnswer, AfterAnswer]] = {
    Answered.ACCEPTED: (AfterAnswer.STOP, AfterAnswer.STOP),
    Answered.BUSY: (AfterAnswer.LATER, AfterAnswer.AGAIN),
    Answered.RENEWABLE: (AfterAnswer.LATER, AfterAnswer.STOP),
    Answered.STORED: (AfterAnswer.STOP, AfterAnswer.STOP),
    Answered.CONFLICT: (AfterAnswer.STOP, AfterAnswer.AGAIN),
    Answered.UNCLEAR: (AfterAnswer.STOP, AfterAnswer.AGAIN),
    Answered.REFUSED: (AfterAnswer.SETTLE, AfterAnswer.STOP),
    Answered.GATEWAY: (AfterAnswer.SETTLE, AfterAnswer.SETTLE),
}


def after_answer(problem: ApiError | None, *, has_key: bool, renews_token: bool) -> AfterAnswer:
    """Return the next step after an answer that no reading confirms.

    :param problem: the error; None for a success. If the API states that a retry does not help, a call with a
        key is not sent again.
    :param has_key: whether the call has an idempotency key.
    :param renews_token: whether a new bearer token may resolve a 401.
    """
    if has_key and problem is not None and problem.should_retry is False:
        return AfterAnswer.STOP
    return AFTER[answered_with(problem, renews_token=renews_token)][has_key]


def answered_with(problem: ApiError | None, *, renews_token: bool) -> Answered:
    """Return the kind of an answer; see :func:`after_answer` for the parameters."""
    match problem:
        case None:
            return Answered.ACCEPTED
        case ApiError(replayed=True):
            return Answered.STORED
        case RateLimitedError():
            return Answered.BUSY
        case AuthenticationError() if renews_token:
            return Answered.RENEWABLE
        case ConflictError():
            return Answered.CONFLICT
        case AmbiguousError() | ServerError():
            return Answered.UNCLEAR
        case ApiError(request_id=None):
            return Answered.GATEWAY
        case _:
            return Answered.REFUSED
