"""Name the end of a dispute after a call that failed. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from dispute_provider.evidence.record import Record, State
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
from dispute_provider.transport.claim import NotClaimedError


def failed(record: Record, what: str, error: ApiError) -> Record:
    """Where a failure that sent nothing final leaves a dispute: worth trying again, unclear, or refused."""
    if isinstance(error, NotClaimedError):
        return replace(record.ended(State.HELD, f"{what}: {error}"), retry_after=error.retry_after or 0.0)
    state = State.UNKNOWN if isinstance(error, AmbiguousError) else State.REFUSED
    mendable = AuthenticationError | PermissionDeniedError | UnreadableAnswerError | UnreachableError
    if isinstance(error, mendable):
        # Once the connection, the network or the answer is mended, the approval still holds.
        state = State.HELD
    if isinstance(error, AuthenticationError):
        note = "an approval given under another key does not hold: review it again if you replace the key"
        return record.ended(state, f"{what}: {error} ({note})", error.request_id)
    configured = isinstance(error, UnreachableError) and error.should_retry is False
    if configured or isinstance(error, UnreadableAnswerError):
        return record.ended(state, f"{what}: {error}", error.request_id)
    if isinstance(error, RateLimitedError | ServerError):
        held = record.ended(State.HELD, f"{what}: {error}", error.request_id)
        return replace(held, retry_after=error.retry_after or 0.0)
    return record.ended(state, f"{what}: {error}", error.request_id)


def unread(record: Record, what: str, error: ApiError, resumed: bool) -> Record:
    """The end of a dispute that cannot be read before a final call.

    :param resumed: an earlier try may have made that call.
    """
    end = failed(record, what, error)
    if resumed and end.retry_after is None:
        return record.ended(State.UNKNOWN, f"an earlier try may have sent it: {error}", error.request_id)
    return replace(end, maybe_ours=resumed)
