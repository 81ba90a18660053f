"""Define the claim on a dispute that a request needs before it may change it."""

from __future__ import annotations

from typing import Protocol

from dispute_provider.exceptions import ApiError


class NotClaimedError(ApiError):
    """The request was not sent: another task holds the claim on the dispute, or the claim has expired.

    :param is_lost: whether another task holds the claim; if False, the claim has expired and can be renewed.
    """

    advice = "nothing: the next try reads the dispute again"

    def __init__(
        self, message: str, *, operation: str, is_lost: bool, retry_after: float | None = None
    ) -> None:
        self.is_lost = is_lost
        super().__init__(message, operation=operation, retry_after=retry_after)


class WriteClaim(Protocol):
    """A claim: the right to change one dispute for a short time."""

    async def acquire(self, operation: str) -> None:
        """Acquire or renew the claim. Called before the connection is opened.

        :param operation: the ``operationId``, for error messages.
        :raises NotClaimedError: if another task holds the claim.
        """

    def check(self, operation: str) -> None:
        """Check that the claim has not expired. Called immediately before the first byte is written.

        :param operation: the ``operationId``, for error messages.
        :raises NotClaimedError: if the claim has expired.
        """
