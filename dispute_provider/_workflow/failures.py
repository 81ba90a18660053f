"""Name the end of a dispute after a call that failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec.structs import replace

from dispute_provider._evidence.record import Record, State
from dispute_provider._transport.claim import NotClaimedError
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnreachableError,
    UnreadableAnswerError,
)


class Failure(StrEnum):
    """How a call failed."""

    NOT_CLAIMED = "another task has the dispute's claim, or the ledger fails"
    UNCLEAR = "5xx or no readable answer, to a call that may have been carried out"
    KEY = "401"
    FORBIDDEN = "403"
    UNREADABLE = "an answer to a reading, without what is needed"
    SETTINGS = "no connection, until a setting is corrected"
    BUSY = "429, 5xx to a call that changes nothing, or no connection"
    REFUSED = "any other refusal"


# The state that a failure leaves a dispute in, and whether the task is tried again for it. What can be mended
# is held, since the approval still holds. docs/faults.md prints this table.
LEAVES: Mapping[Failure, tuple[State, bool]] = {
    Failure.NOT_CLAIMED: (State.HELD, True),
    Failure.UNCLEAR: (State.UNKNOWN, False),
    Failure.KEY: (State.HELD, False),
    Failure.FORBIDDEN: (State.HELD, False),
    Failure.UNREADABLE: (State.HELD, False),
    Failure.SETTINGS: (State.HELD, False),
    Failure.BUSY: (State.HELD, True),
    Failure.REFUSED: (State.REFUSED, False),
}


def failed(record: Record, what: str, error: ApiError) -> Record:
    """Return the end of a dispute after a failure that sent nothing final.

    :param what: ``not staged``, ``not submitted`` or the like; the reason begins with it.
    """
    failure = failure_of(error)
    state, is_retried = LEAVES[failure]
    reason = f"{what}: {error}"
    if failure is Failure.KEY:
        reason += (
            " (an approval given under another key does not hold: review it again if you replace the key)"
        )
    end = record.ended(state, reason, error.request_id)
    return replace(end, retry_after=error.retry_after or 0.0) if is_retried else end


def failure_of(error: ApiError) -> Failure:
    """Return how a call failed."""
    match error:
        case NotClaimedError():
            return Failure.NOT_CLAIMED
        case AmbiguousError():
            return Failure.UNCLEAR
        case AuthenticationError():
            return Failure.KEY
        case PermissionDeniedError():
            return Failure.FORBIDDEN
        case UnreadableAnswerError():
            return Failure.UNREADABLE
        case UnreachableError(should_retry=False):
            return Failure.SETTINGS
        case RateLimitedError() | ServerError():
            return Failure.BUSY
        case _:
            return Failure.REFUSED


def unread(record: Record, what: str, error: ApiError, resumed: bool) -> Record:
    """The end of a dispute that cannot be read before a final call.

    :param resumed: an earlier try may have made that call.
    """
    end = failed(record, what, error)
    if resumed and end.retry_after is None:
        return record.ended(State.UNKNOWN, f"an earlier try may have sent it: {error}", error.request_id)
    return replace(end, maybe_ours=resumed)
