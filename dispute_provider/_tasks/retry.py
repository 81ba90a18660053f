"""Decide whether Airflow retries a task."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

# Seconds. An API can ask for any delay, even an infinite one.
_LONGEST_DELAY = 86_400.0


class ApiRetryPolicy(RetryPolicy):
    """Retry policy that waits as long as the API asks, and fails at once for errors that a retry cannot fix.

    The task holds no worker slot while it waits. Delays are limited to 24 hours.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        from dispute_provider.exceptions import DisputeError, RateLimitedError, ServerError, TryAgainError

        if not isinstance(exception, DisputeError):
            return RetryDecision.default()
        passing = (
            isinstance(exception, RateLimitedError | ServerError) and exception.should_retry is not False
        )
        if not passing and not isinstance(exception, TryAgainError):
            return RetryDecision.fail(reason=type(exception).__name__)
        asked: float | None = getattr(exception, "retry_after", None)
        delay = None if asked is None else timedelta(seconds=min(asked, _LONGEST_DELAY))
        return RetryDecision.retry(delay=delay, reason=type(exception).__name__)

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> ApiRetryPolicy:
        return cls()
