"""End records that a task does not send, or that an earlier try may have sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from dispute_provider._evidence.record import Record


def possibly_sent(record: Record, why: str) -> Record:
    """Return a record as *unknown*, because an earlier try may have sent it."""
    from dispute_provider._evidence.record import State

    return record.ended(State.UNKNOWN, f"an earlier try may have sent it: {why}")


def not_sent(record: Record, error: Exception | str) -> Record:
    """Return a record as held until the next try, because the ledger could not be written."""
    from dispute_provider._evidence.record import State

    return replace(record.ended(State.HELD, f"not sent by this try: {error}"), retry_after=0.0)


def unusable(record: Record, error: Exception) -> Record:
    """Return a record as held, because its connection cannot be used."""
    from dispute_provider._evidence.record import State
    from dispute_provider.exceptions import DisputeError

    if isinstance(error, DisputeError):
        why = str(error)
    else:
        # It was deleted or renamed, or the secrets backend failed, whose message may have secrets.
        why = (
            f"{record.connection!r} cannot be read: {type(error).__name__}. "
            "To do: create it again, or fix the secrets backend; then clear the task"
        )
    return record.ended(State.HELD, f"not sent, its connection cannot be used: {why}")
