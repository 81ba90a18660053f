"""When a request is sent again: where nothing can have happened, or where the contract says that it does no
harm. Pure, but for the clock.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tenacity import RetryCallState, stop_after_attempt
from tenacity.wait import wait_exponential, wait_random

from dispute_provider._contracts.answers import Answer
from dispute_provider._contracts.contract import Request
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    ConflictError,
    RateLimitedError,
    ServerError,
    UnreachableError,
)

_ATTEMPTS = 4
_LONGEST_WAIT = 30.0
_BACKOFF = wait_exponential(multiplier=0.5, max=5.0) + wait_random(0.0, 0.5)


def may_resend(request: Request, error: BaseException) -> bool:
    """Whether sending the very same request again can do no harm and may help."""
    if not isinstance(error, ApiError) or error.should_retry is False:
        return False
    if (error.retry_after or 0.0) > _LONGEST_WAIT:
        return False
    if isinstance(error, UnreachableError):
        return True
    if request.is_final and not request.key:
        # Whatever was answered, a gateway may have answered it after the API had acted.
        return False
    if isinstance(error, RateLimitedError):
        return True
    match request.operation.after_failure:
        case "resend":
            return isinstance(error, ServerError)
        case "resend-same-key":
            # A conflict under the same key is our own earlier attempt, still at work.
            mendable = isinstance(error, AmbiguousError | ConflictError)
            return mendable and bool(request.key)
        case _:
            return False


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ApiError) else None
    return _BACKOFF(state) if asked is None else asked


class Attempts:
    """The attempts at one call after the first: when to make another, and what they come to.

    Most calls need none, and are spared the cost of what makes them.

    :param error: how the first attempt failed.
    :param is_claimed: whether the request is a final call under a claim: whoever claimed it reads the dispute
        before it is sent again, so that only one that was never sent is sent again here.
    """

    def __init__(self, request: Request, error: ApiError, *, is_claimed: bool) -> None:
        self._request = request
        self._is_claimed = is_claimed
        self._first: ApiError | None = error
        self._unclear: AmbiguousError | ConflictError | None = None
        self._refused: ApiError | None = None

    def raise_first(self) -> None:
        """The first attempt, which was made already; from then on nothing."""
        error, self._first = self._first, None
        if error is not None:
            raise error

    @property
    def policy(self) -> dict[str, Any]:
        return {"stop": stop_after_attempt(_ATTEMPTS), "wait": _wait, "retry": self._again, "reraise": True}

    def _again(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, AmbiguousError) or (isinstance(error, ConflictError) and not self._unclear):
            self._unclear = error
        if isinstance(error, ApiError) and not isinstance(error, UnreachableError):
            self._refused = error
        if self._is_claimed and not isinstance(error, UnreachableError):
            return False
        return error is not None and may_resend(self._request, error)

    def answered(self, answer: Answer) -> Answer:
        """Return the answer, marked as in doubt where an earlier attempt may have been carried out."""
        in_doubt = isinstance(self._unclear, AmbiguousError) or isinstance(self._refused, RateLimitedError)
        return replace(answer, in_doubt=True) if in_doubt else answer

    def failed(self, last: ApiError) -> ApiError:
        """Return the error to raise: of all attempts, the one that leaves the most in doubt."""
        if isinstance(last, UnreachableError):
            return self._unclear or self._refused or last
        return self._unclear or last
