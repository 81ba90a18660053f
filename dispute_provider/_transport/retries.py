"""Decide whether to resend a request: only if nothing can have happened, or if the contract allows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tenacity import RetryCallState, stop_after_attempt
from tenacity.wait import wait_exponential, wait_random

from dispute_provider._contracts.answers import Answer
from dispute_provider._contracts.request import Request
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
    """Return whether resending the same request is safe and may help."""
    if not isinstance(error, ApiError) or error.should_retry is False or error.replayed:
        return False
    if (error.retry_after or 0.0) > _LONGEST_WAIT:
        return False
    if isinstance(error, UnreachableError):
        return True
    if request.is_final and not request.key:
        # Whatever the answer, a gateway may have sent it after the API had acted.
        return False
    if isinstance(error, RateLimitedError):
        return True
    match request.operation.after_failure:
        case "resend":
            return isinstance(error, ServerError)
        case "resend-same-key":
            # A conflict with the same key is our own earlier attempt, still in progress.
            mendable = isinstance(error, AmbiguousError | ConflictError)
            return mendable and bool(request.key)
        case _:
            return False


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ApiError) else None
    return _BACKOFF(state) if asked is None else asked


class Attempts:
    """The attempts at one call after its first one has failed.

    :param request: the request to resend.
    :param error: the error of the first attempt.
    :param is_claimed: whether the request is a final call under a claim. The holder of the claim reads the
        dispute before it resends such a call, so here it is resent only if it was never sent.
    """

    def __init__(self, request: Request, error: ApiError, *, is_claimed: bool) -> None:
        self._request = request
        self._is_claimed = is_claimed
        self._first: ApiError | None = error
        self._unclear: AmbiguousError | ConflictError | None = None
        self._refused: ApiError | None = None

    def raise_first(self) -> None:
        """Raise the error of the first attempt, once. It stands in for that attempt in tenacity's loop."""
        error, self._first = self._first, None
        if error is not None:
            raise error

    @property
    def policy(self) -> dict[str, Any]:
        """The arguments for tenacity."""
        return {"stop": stop_after_attempt(_ATTEMPTS), "wait": _wait, "retry": self._again, "reraise": True}

    def _again(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        is_repeated = isinstance(error, ApiError) and error.replayed
        if not (is_repeated and self._unclear) and (
            isinstance(error, AmbiguousError) or (isinstance(error, ConflictError) and not self._unclear)
        ):
            self._unclear = error
        if isinstance(error, ApiError) and not isinstance(error, UnreachableError):
            self._refused = error
        if self._is_claimed and not isinstance(error, UnreachableError):
            return False
        return error is not None and may_resend(self._request, error)

    def answered(self, answer: Answer) -> Answer:
        """Return an answer, marked ``in_doubt`` if an earlier attempt may have been carried out."""
        in_doubt = isinstance(self._unclear, AmbiguousError) or isinstance(self._refused, RateLimitedError)
        return replace(answer, in_doubt=True) if in_doubt else answer

    def failed(self, last: ApiError) -> ApiError:
        """Return the error to raise: that of the attempt whose effect is least certain.

        :param last: the error of the last attempt.
        """
        if isinstance(last, UnreachableError):
            return self._unclear or self._refused or last
        return self._unclear or last
