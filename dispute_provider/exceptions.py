"""The errors that this package raises.

::

    DisputeError
    ├── ConnectionConfigError          an Airflow connection is refused
    ├── SigningKeyError                [dispute] signing_key is refused
    ├── InvalidCaseError               a case is refused
    ├── TryAgainError                  part of a batch must be retried
    └── ApiError                       an API call failed
        ├── InvalidRequestError        400, 402, 422, or refused before sending
        ├── AuthenticationError        401
        ├── PermissionDeniedError      403
        ├── NotFoundError              404
        ├── ConflictError              409
        ├── RateLimitedError           429
        │   └── LockedError            429 because another request holds the object
        ├── ServerError                failed, but the call may be repeated
        │   ├── UnreachableError       never sent
        │   └── UnreadableAnswerError  the answer to a read lacks what we need
        │       └── OutdatedVersionError
        └── AmbiguousError             may or may not have been carried out

Every message names what was refused, the reason, and what to do. None quotes text from a customer, or a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One reason why a request or a case is refused. It never quotes the offending value.

    :param pointer: JSON pointer (RFC 6901) to the offending value; empty for the request or case as a whole.
    :param problem: what is wrong with the value.
    :param remedy: what is expected instead.
    :param line: the line of the value in its file, from 1; None, the default, if it has none.
    """

    pointer: str
    problem: str
    remedy: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}, " if self.line else ""
        return f"{where}{self.pointer or '/'}: {self.problem}; {self.remedy}"


class DisputeError(Exception):
    """Base class of all errors that this package raises on purpose."""


class ConnectionConfigError(DisputeError):
    """An Airflow connection is incomplete, contradictory or unsafe. Nothing was sent.

    The message names the connection, the field and the remedy.
    """


class SigningKeyError(DisputeError):
    """``[dispute] signing_key`` cannot be read, or a key in it is too short. Nothing was sent."""


class InvalidCaseError(DisputeError):
    """A case breaks the case schema or a limit of its API. Nothing was sent.

    :param case: the case's file, or the id of its dispute.
    :param violations: every reason, not only the first.
    """

    def __init__(self, case: str, violations: Sequence[Violation]) -> None:
        self.case = case
        self.violations = tuple(violations)
        super().__init__(f"case {case} refused: " + " | ".join(map(str, self.violations)))


class TryAgainError(DisputeError):
    """Some disputes of a batch must be retried. The others are done, and a retry does not repeat them.

    :param message: which disputes, and why.
    :param retry_after: seconds that the API asks to wait; None, the default, if it did not ask.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class ApiError(DisputeError):
    """An API call failed, or was refused before it was sent.

    Every parameter is available as an attribute of the same name.

    :param message: the API's message, without keys and customer text; or ours.
    :param operation: the ``operationId`` from the API's contract.
    :param status: HTTP status; None if there was no answer.
    :param request_id: the API's id of the request; None if the answer has none.
    :param code: the API's error code, such as ``resource_missing``; None if the answer has none.
    :param param: the parameter that the API's error refers to; None if it names none.
    :param retry_after: seconds from the ``Retry-After`` header; None if the answer has none.
    :param should_retry: whether the API recommends a retry; None if it makes no recommendation.
    :param in_flight: whether waiting for the answer was given up, so that the API may still carry out the
        call; False by default.
    :param replayed: whether the API only repeats its answer to an earlier request with the same idempotency
        key; False by default.
    :param advice: what the user should do (``x-advice`` in the API's contract); None, the default, for the
        advice of the class.
    """

    advice = "read the dispute before you try again"

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
        replayed: bool = False,
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
        self.replayed = replayed
        super().__init__(str(self))

    def __str__(self) -> str:
        return self.describe(self.advice)

    def add(self, fact: str) -> None:
        """Append a fact to the message.

        :param fact: what became known after the error was created.
        """
        self.message = f"{self.message.rstrip('. ')}; {fact}."
        self.args = (str(self),)

    def describe(self, advice: str) -> str:
        """Return the error as text, with other advice than its own.

        :param advice: what the user should do.
        """
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
    """The request is invalid. Either it was never sent, or the API refused it (400, 402, 422).

    :param violations: every reason why the request was not sent; empty, the default, if the API refused it.
    :param facts: the keyword arguments of :class:`ApiError`.
    """

    advice = "correct the request; the same request will be refused again"

    def __init__(self, message: str, *, violations: Sequence[Violation] = (), **facts: object) -> None:
        self.violations = tuple(violations)
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the keywords of ApiError, typed there

    @classmethod
    def before_sending(cls, operation: str, violations: Sequence[Violation]) -> InvalidRequestError:
        """Return the error for a request that was not sent.

        :param operation: the ``operationId`` from the API's contract.
        :param violations: every reason, not only the first.
        """
        return cls(" | ".join(map(str, violations)), violations=violations, operation=operation)

    def __str__(self) -> str:
        if self.violations:
            return f"{self.operation} refused, nothing was sent: {self.message}"
        return super().__str__()


class AuthenticationError(ApiError):
    """The key or token is missing, wrong, revoked or expired (401)."""

    advice = "check the key of the Airflow connection"


class PermissionDeniedError(ApiError):
    """The key is valid but lacks the permission for this operation (403)."""

    advice = "grant the key permission for this operation, or use another connection"


class NotFoundError(ApiError):
    """The object does not exist in this account, or the API version does not exist (404)."""

    advice = "check the id, and the account and API version of the connection"


class ConflictError(ApiError):
    """The object's state does not allow the call (409)."""

    advice = "read the dispute: it may already be submitted, accepted or closed"


class RateLimitedError(ApiError):
    """Too many requests (429). The API did nothing."""

    advice = "wait, then try again"


class LockedError(RateLimitedError):
    """Another request holds the object (429). The API did nothing, and the rate limit was not exceeded."""


class ServerError(ApiError):
    """The API failed (5xx, no answer, or an unreadable answer) on a call that may be repeated."""

    advice = "try again later"


class UnreadableAnswerError(ServerError):
    """The answer to a read lacks a required field, or has one of the wrong type. A retry won't help."""

    advice = "open the object in the API's dashboard, and report the fields named here"


class OutdatedVersionError(UnreadableAnswerError):
    """The answer has the format of an API version that this package no longer reads."""

    advice = "leave api_version of the Airflow connection blank, or enter a newer version"


class UnreachableError(ServerError):
    """No connection was established, so the request was never sent.

    :param advice: what the user should do; None, the default, for "try again later".
    :param facts: the keyword arguments of :class:`ApiError`.
    """

    def __init__(self, message: str, *, advice: str | None = None, **facts: object) -> None:
        if advice is not None:
            self.advice = advice
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the keywords of ApiError, typed there


class AmbiguousError(ApiError):
    """The API may or may not have carried out the call. Only reading the dispute can show it."""

    advice = "do not resend; read the dispute first"
