"""Define what a request needs to have before it may be written: a claim on what it changes."""

from __future__ import annotations

from typing import Protocol

from dispute_provider.exceptions import ApiError


class NotClaimedError(ApiError):
    """Another task has claimed the dispute, or the claim has lapsed: this request was not sent.

    :param is_lost: whether another claim stands in the way; otherwise this one took too long, and may be made
        again.
    """

    advice = "nothing; the next try reads the dispute again"

    def __init__(
        self, message: str, *, operation: str, is_lost: bool, retry_after: float | None = None
    ) -> None:
        self.is_lost = is_lost
        super().__init__(message, operation=operation, retry_after=retry_after)


class WriteClaim(Protocol):
    """The right to write to one dispute for a short time."""

    async def acquire(self, operation: str) -> None:
        """Acquire the claim, or renew it; called as the last step before the request is written.

        :param operation: the API's operationId, for errors.
        :raises NotClaimedError: if another claim stands in the way.
        """

    def check(self, operation: str) -> None:
        """Raise if the claim has lapsed; called just before the first byte is written.

        :raises NotClaimedError: if it has.
        """
