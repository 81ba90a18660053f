"""When Airflow tries a task again: after a failure that may pass, never after one that will not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context


class ApiRetryPolicy(RetryPolicy):
    """Waits as long as the API asks without holding a slot; fails at once what sending again cannot mend."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        from dispute_provider.exceptions import DisputeError, RateLimitedError, ServerError

        if not isinstance(exception, DisputeError):
            return RetryDecision.default()
        if not isinstance(exception, RateLimitedError | ServerError) or exception.should_retry is False:
            return RetryDecision.fail(reason=type(exception).__name__)
        wait = exception.retry_after
        return RetryDecision.retry(
            delay=None if wait is None else timedelta(seconds=wait), reason=type(exception).__name__
        )

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> ApiRetryPolicy:
        return cls()
