"""Decide the end of a dispute after a failed call. Pure."""

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
    """The ways in which a call can fail."""

    NOT_CLAIMED = "another task holds the claim, or the ledger fails"
    UNCLEAR = "5xx or an unreadable answer, to a call that may have been carried out"
    KEY = "401"
    FORBIDDEN = "403"
    UNREADABLE = "an answer to a read that lacks a required field"
    SETTINGS = "no connection until a setting is corrected"
    BUSY = "429, no connection, or 5xx to a call that changes nothing"
    REFUSED = "any other refusal"


# The state of a dispute after each failure, and whether the task is retried. If the cause can be fixed, the
# dispute is held, because its approval is still valid. docs/faults.md prints this table.
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
    """Return the end of a dispute after a failed call that was not a final call.

    :param what: the beginning of the reason, such as ``not staged`` or ``not submitted``.
    """
    failure = failure_of(error)
    state, is_retried = LEAVES[failure]
    reason = f"{what}: {error}"
    if failure is Failure.KEY:
        reason += (
            " (if you replace the key and [dispute] signing_key is not set, the approval is no longer valid: "
            "review the dispute again)"
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
    """Return the end of a dispute that could not be read before a final call.

    :param what: the beginning of the reason, such as ``not submitted``.
    :param resumed: whether an earlier try may have made the call.
    """
    end = failed(record, what, error)
    if resumed and end.retry_after is None:
        return record.ended(State.UNKNOWN, f"an earlier try may have sent it: {error}", error.request_id)
    return replace(end, maybe_ours=resumed)
