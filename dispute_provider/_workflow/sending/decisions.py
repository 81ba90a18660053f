"""Decide what to do about a final call: by a reading of the dispute, its chain, and the last answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from dispute_provider._ledger.chain import Standing
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    RateLimitedError,
    ServerError,
)


class Reading(StrEnum):
    """What a reading of the dispute means for the call."""

    OPEN = "as approved"
    ANSWERED = "answered"
    REFUSED = "otherwise than approved, or closed"


class Step(StrEnum):
    """What to do next."""

    SEND = "send it"
    WAIT = "wait"
    EARLIER = "end: an earlier try may have sent it"
    ANSWERED = "end: another has answered"
    NOTED = "end: as it ended before"
    UNSEEN = "end: refused, review it again"
    REFUSED = "end: refused"
    DAMAGED = "end: held, look at the ledger"


# What to do, by what the dispute is and how its chain stands. docs/faults.md prints the tables here.
STEPS: Mapping[tuple[Reading, Standing], Step] = {
    (Reading.OPEN, Standing.FREE): Step.SEND,
    (Reading.OPEN, Standing.OURS): Step.WAIT,
    (Reading.OPEN, Standing.OURS_LAPSED): Step.SEND,
    (Reading.OPEN, Standing.TAKEN): Step.WAIT,
    (Reading.OPEN, Standing.LAPSED): Step.SEND,
    (Reading.OPEN, Standing.SETTLING): Step.WAIT,
    (Reading.OPEN, Standing.ENDED): Step.NOTED,
    (Reading.OPEN, Standing.UNSEEN): Step.UNSEEN,
    (Reading.OPEN, Standing.DAMAGED): Step.DAMAGED,
    (Reading.ANSWERED, Standing.FREE): Step.ANSWERED,
    (Reading.ANSWERED, Standing.OURS): Step.EARLIER,
    (Reading.ANSWERED, Standing.OURS_LAPSED): Step.EARLIER,
    (Reading.ANSWERED, Standing.TAKEN): Step.ANSWERED,
    (Reading.ANSWERED, Standing.LAPSED): Step.ANSWERED,
    (Reading.ANSWERED, Standing.SETTLING): Step.ANSWERED,
    (Reading.ANSWERED, Standing.ENDED): Step.NOTED,
    (Reading.ANSWERED, Standing.UNSEEN): Step.ANSWERED,
    (Reading.ANSWERED, Standing.DAMAGED): Step.ANSWERED,
    (Reading.REFUSED, Standing.FREE): Step.REFUSED,
    (Reading.REFUSED, Standing.OURS): Step.WAIT,
    (Reading.REFUSED, Standing.OURS_LAPSED): Step.REFUSED,
    (Reading.REFUSED, Standing.TAKEN): Step.WAIT,
    (Reading.REFUSED, Standing.LAPSED): Step.REFUSED,
    (Reading.REFUSED, Standing.SETTLING): Step.WAIT,
    (Reading.REFUSED, Standing.ENDED): Step.NOTED,
    (Reading.REFUSED, Standing.UNSEEN): Step.REFUSED,
    (Reading.REFUSED, Standing.DAMAGED): Step.REFUSED,
}


# Where it differs at an API with idempotency keys: what is in flight under the call's own key is sent again
# at once, because both together are one.
KEYED_STEPS: Mapping[tuple[Reading, Standing], Step] = {(Reading.OPEN, Standing.OURS): Step.SEND}


def next_step(reading: Reading, stands: Standing, *, has_key: bool) -> Step:
    """Return what to do next.

    :param has_key: whether the call has an idempotency key.
    """
    step = STEPS[reading, stands]
    return KEYED_STEPS.get((reading, stands), step) if has_key else step


class Answered(StrEnum):
    """What was answered to a final call that no reading of the dispute shows."""

    ACCEPTED = "a success"
    BUSY = "429"
    RENEWABLE = "401, and a new bearer token may help"
    CONFLICT = "409"
    UNCLEAR = "5xx, or nothing that can be read"
    REFUSED = "any other refusal by the API"
    GATEWAY = "any other refusal, without the API's request id"


class AfterDenial(StrEnum):
    """What to do after an answer, where readings do not show that the call was carried out."""

    AGAIN = "send it again at once"
    LATER = "send it again once it has lapsed"
    SETTLE = "read again once it has lapsed"
    STOP = "end"


# By the answer, without and with an idempotency key. No answer proves that nothing was carried out: a gateway
# may give it before or after the API acts. Under a key a call may be sent again at once; without one, only
# after what was sent has arrived or never will. Under a key the API's own refusal is final: a repetition gets
# the same answer. A refusal without the API's request id is a gateway's, and the call may still arrive.
AFTER: Mapping[Answered, tuple[AfterDenial, AfterDenial]] = {
    Answered.ACCEPTED: (AfterDenial.STOP, AfterDenial.STOP),
    Answered.BUSY: (AfterDenial.LATER, AfterDenial.AGAIN),
    Answered.RENEWABLE: (AfterDenial.LATER, AfterDenial.STOP),
    Answered.CONFLICT: (AfterDenial.STOP, AfterDenial.AGAIN),
    Answered.UNCLEAR: (AfterDenial.STOP, AfterDenial.AGAIN),
    Answered.REFUSED: (AfterDenial.SETTLE, AfterDenial.STOP),
    Answered.GATEWAY: (AfterDenial.SETTLE, AfterDenial.SETTLE),
}


def after_answer(problem: ApiError | None, *, has_key: bool, renews_token: bool) -> AfterDenial:
    """Return what to do after an answer that readings do not confirm.

    :param problem: the error that was answered; None for a success. Where the API says of an error that
        sending again does not help, a call under a key is not sent again.
    :param has_key: whether the call has an idempotency key.
    :param renews_token: whether a new bearer token may mend a 401.
    """
    if has_key and problem is not None and problem.should_retry is False:
        return AfterDenial.STOP
    return AFTER[answered_with(problem, renews_token=renews_token)][has_key]


def answered_with(problem: ApiError | None, *, renews_token: bool) -> Answered:
    """Return what kind of answer an error is; see :func:`after_answer` for the parameters."""
    match problem:
        case None:
            return Answered.ACCEPTED
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
