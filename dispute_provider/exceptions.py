"""The errors of this package: one small tree, each a sentence for the person who reads the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One reason why a request or a case is refused, without the customer's text in it.

    :param pointer: JSON pointer (RFC 6901) to the offending value.
    :param problem: what is wrong with it.
    :param remedy: what would be right.
    """

    pointer: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.problem}; {self.remedy}"


class DisputeError(Exception):
    """Anything that this package refuses or reports."""


class ConnectionConfigError(DisputeError):
    """An Airflow connection that must not be used as it stands; nothing was sent."""


class SigningKeyError(DisputeError):
    """``[dispute] signing_key`` must not be used as it is set."""


class InvalidCaseError(DisputeError):
    """A case that cannot be staged as it stands; nothing was sent.

    :param case: the file of the case, or its dispute.
    :param violations: every reason at once.
    """

    def __init__(self, case: str, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__(f"case {case} refused: " + " | ".join(map(str, self.violations)))


class TryAgainError(DisputeError):
    """A task that must be tried again: some of its disputes could not be reached. The others are done.

    :param message: the disputes that could not be reached, and why.
    :param retry_after: seconds that the API asks to wait; None, the default, if it names none.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class ApiError(DisputeError):
    """A call that an API refused, or that this package refused on its behalf.

    :param message: the API's own words, or ours.
    :param operation: the API's operationId.
    :param status: HTTP status, None when no answer came.
    :param request_id: the API's id of the request, None when it named none.
    :param code: the API's error code, e.g. ``resource_missing``.
    :param param: the parameter that the API complains about.
    :param retry_after: seconds that the API asks to wait, None when it does not say.
    :param should_retry: the API's own advice, None when it gives none.
    :param in_flight: whether nobody waited for the end of it, so that it may still be carried out.
    :param advice: what to do, where the contract knows it for this error code; None for that of the class.
    """

    advice = "read the dispute before trying again"

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int | None = None,
        request_id: str | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
        in_flight: bool = False,
        advice: str | None = None,
    ) -> None:
        self.advice = advice or self.advice
        self.message = message
        self.operation = operation
        self.status = status
        self.request_id = request_id
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.should_retry = should_retry
        self.in_flight = in_flight
        super().__init__(str(self))

    def __str__(self) -> str:
        return self.describe(self.advice)

    def add(self, fact: str) -> None:
        """Add to the message what became known later."""
        self.message = f"{self.message.rstrip('. ')}; {fact}."
        self.args = (str(self),)

    def describe(self, advice: str) -> str:
        """Return what happened, with the caller's advice in place of the error's own."""
        facts = " ".join(
            part
            for part in (
                str(self.status) if self.status else "no answer",
                self.code,
                f"at {self.param}" if self.param else None,
                f"request {self.request_id}" if self.request_id else None,
            )
            if part
        )
        return f"{self.operation} ({facts}): {self.message.rstrip('. ')}. To do: {advice}."


class InvalidRequestError(ApiError):
    """The request is wrong: found by us before sending, or by the API (400, 402, 422).

    :param violations: every reason at once, if it was found before sending; by default none.
    """

    advice = "correct the request; sending it again unchanged will be refused again"

    def __init__(self, message: str, *, violations: Sequence[Violation] = (), **facts: object) -> None:
        self.violations = tuple(violations)
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the keywords of ApiError, typed there

    @classmethod
    def before_sending(cls, operation: str, violations: Sequence[Violation]) -> InvalidRequestError:
        """Refuse a request that was never sent, naming every violation."""
        return cls(" | ".join(map(str, violations)), violations=violations, operation=operation)

    def __str__(self) -> str:
        if self.violations:
            return f"{self.operation} refused, nothing was sent: {self.message}"
        return super().__str__()


class AuthenticationError(ApiError):
    """401: the key or token is missing, wrong or expired."""

    advice = "check the key of the Airflow connection"


class PermissionDeniedError(ApiError):
    """403: the key is known but may not do this."""

    advice = "give the key the scope of this operation, or use another connection"


class NotFoundError(ApiError):
    """404: no such object for this account, or an API version that does not exist."""

    advice = "check the id, the account and the API version of the connection"


class ConflictError(ApiError):
    """409: the object is not in a state that allows this."""

    advice = "read the dispute: it may be submitted, accepted or closed already"


class RateLimitedError(ApiError):
    """429: too many requests, or another request holds the object; nothing was done."""

    advice = "wait and send again"


class LockedError(RateLimitedError):
    """429 about one object, which another request holds, and about no rate; nothing was done."""


class ServerError(ApiError):
    """The API failed (5xx, no answer, an unreadable answer) on a call that may be sent again."""

    advice = "send again later"


class UnreadableAnswerError(ServerError):
    """A read was answered without a field that we need, or with one of another type; a retry won't help."""

    advice = "look at it in the API's dashboard, and report the fields named here"


class OutdatedVersionError(UnreadableAnswerError):
    """The answer has the form of an API version that is too old to be read."""

    advice = "leave api_version of the Airflow connection blank, or name a newer version there"


class UnreachableError(ServerError):
    """No connection was made: the request was never sent.

    :param advice: what to do about it; by default to send it again later.
    """

    def __init__(self, message: str, *, advice: str | None = None, **facts: object) -> None:
        if advice is not None:
            self.advice = advice
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the keywords of ApiError, typed there


class AmbiguousError(ApiError):
    """The API may or may not have done it: only reading the dispute back can tell."""

    advice = "do not send again; read the dispute and decide from what it says"
