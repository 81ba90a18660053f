"""Decide what to do about a final call: by a reading of the dispute, its chain, and the last answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    RateLimitedError,
    ServerError,
)
from dispute_provider.ledger.chain import Standing


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


# What to do, by what the dispute is and how its chain stands. Where an API has idempotency keys, what is in
# flight under the call's own key is sent again at once: both together are one.
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


def next_step(reading: Reading, stands: Standing, *, has_key: bool) -> Step:
    """Return what to do next.

    :param has_key: whether the call has an idempotency key.
    """
    if has_key and (reading, stands) == (Reading.OPEN, Standing.OURS):
        return Step.SEND
    return STEPS[reading, stands]


class AfterDenial(StrEnum):
    """What to do after an answer, where readings do not show that the call was carried out."""

    AGAIN = "send it again"
    LATER = "send it again once it has lapsed"
    SETTLE = "read again once it has lapsed"
    STOP = "end"


def after_answer(problem: ApiError | None, *, has_key: bool, renews_token: bool) -> AfterDenial:
    """Return what to do after an answer that readings do not confirm.

    No answer proves that nothing was carried out: a gateway may give it after the API has acted. Under a key
    a call is sent again at once. Without one, it is sent again once what was sent has arrived or never will.

    :param problem: the error that was answered; None for a success.
    :param has_key: whether the call has an idempotency key.
    :param renews_token: whether a new bearer token may mend a 401.
    """
    is_401 = isinstance(problem, AuthenticationError)
    if has_key:
        is_mendable = isinstance(problem, RateLimitedError | ServerError | AmbiguousError | ConflictError)
        may_help = problem is not None and problem.should_retry is not False
        return AfterDenial.AGAIN if is_mendable and may_help else AfterDenial.STOP
    if isinstance(problem, RateLimitedError) or (is_401 and renews_token):
        return AfterDenial.LATER
    if problem is None or isinstance(problem, AmbiguousError | ConflictError | ServerError):
        return AfterDenial.STOP
    return AfterDenial.SETTLE
