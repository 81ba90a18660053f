"""Turn the answer of an API into a validated object, or into an :class:`ApiError`. Pure.

If a successful answer cannot be read, it is unknown what the call did. The error is then an
:class:`AmbiguousError`, unless the call may be resent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.error_messages import redact, without_keys
from dispute_provider._contracts.headers import header, retry_after_seconds
from dispute_provider._contracts.request import Request
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    LockedError,
    NotFoundError,
    OutdatedVersionError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnreadableAnswerError,
)

if TYPE_CHECKING:
    from dispute_provider._contracts.contract import Operation
    from dispute_provider._contracts.reading import BrokenItem

_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: InvalidRequestError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidRequestError,
    429: RateLimitedError,
}
# RecursionError: the JSON is nested too deeply.
_NO_JSON = (ValueError, RecursionError)
_LONGEST_MESSAGE = 500
_LONGEST_CODE = 100
_UNEXPLAINED = "no explanation given"


@dataclass(frozen=True, slots=True)
class Complaint:
    """The contents of an error body.

    :param message: the API's message; empty, the default, if the body has none.
    :param code: the API's error code; None, the default, if the body has none.
    :param param: the argument that the error refers to; None, the default, if it names none.
    :param is_lock: whether a 429 means that another request holds the object, instead of an exceeded rate
        limit; False by default.
    """

    message: str = ""
    code: str | None = None
    param: str | None = None
    is_lock: bool = False


ReadError = Callable[[Any], Complaint]
"""Reads the JSON of an error body. Omits text that it does not recognize, because it may quote a customer."""


def unexplained(body: Any) -> Complaint:
    """Return an empty complaint, without a look at the error body."""
    return Complaint()


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer, validated against the contract.

    :param status: HTTP status.
    :param request_id: the API's id of the request; None if the answer has none.
    :param data: the decoded JSON without unusable members and items; the bytes of a file; or None if the
        answer has no body.
    :param raw: ``data`` as the API sent it.
    :param warnings: what is missing, left out or unknown to the contract, each with its JSON pointer.
    :param broken: the unusable items of lists, which are not in ``data``.
    :param headers: a mapping that ignores the case of names.
    :param replayed: whether the API states that it repeats its answer to an earlier request with the same
        key.
    :param in_doubt: whether an earlier attempt at the same call may have been carried out.
    :param operation: the operation that was answered.
    """

    status: int
    request_id: str | None
    data: Any = field(repr=False)
    raw: Any = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()
    broken: tuple[BrokenItem, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    replayed: bool = False
    in_doubt: bool = False
    operation: Operation = field(repr=False, kw_only=True)

    @property
    def summary(self) -> str:
        """The status, the request id and the warnings, on one line."""
        repeated = ", a repetition of the first answer" if self.replayed else ""
        odd = f"; not as the contract describes: {', '.join(self.warnings)}" if self.warnings else ""
        return f"{self.status}, request {self.request_id}{repeated}{odd}"

    @property
    def is_plain(self) -> bool:
        """Whether it is a 200 as the contract describes it that repeats no earlier answer.

        Such an answer shows what the call did.
        """
        return self.status == 200 and not self.replayed and not self.warnings

    def items_broken_in(self, pointer: str) -> list[BrokenItem]:
        """Return the unusable items of a list, in order.

        :param pointer: JSON pointer to the list.
        """
        return [each for each in self.broken if each.within == pointer]


def read_answer(
    request: Request,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *authorizations: str,
    read_error: ReadError = unexplained,
) -> Answer:
    """Read and validate an answer.

    :param request: the request that was answered.
    :param status: HTTP status.
    :param headers: a mapping that ignores the case of names, as HTTP clients return it.
    :param authorizations: values of the header with the key, whose credentials are redacted from messages.
    :param read_error: reads the API's error bodies; by default, they are ignored.
    :raises ApiError: if the status is not 2xx, or the body is unreadable.
    """
    api = request.operation.contract
    request_id = header(api, "request-id", headers)
    if not 200 <= status < 300:
        raise _error(request, status, request_id, headers, _complaint(body, read_error), authorizations)
    schema = request.operation.success_schema
    if schema is None:
        content = body or None
        return Answer(status, request_id, content, raw=content, headers=headers, operation=request.operation)
    from dispute_provider._contracts.reading import read

    try:
        data, is_strict = _decode(body)
    except _NO_JSON:
        raise unreadable(request, "the answer is not JSON", status, request_id) from None
    found = read(schema, data, is_json=is_strict)
    if (found.problems or found.broken) and (before := _outdated_before(request, data)):
        raise _outdated(request, before, status, request_id)
    if found.problems:
        problem = f"the answer does not match its contract: {found.explanation}"
        raise unreadable(request, problem, status, request_id, lasting=found.is_recognized)
    warnings = found.warnings
    if str(status) not in request.operation.document["responses"]:
        warnings = (f"status {status} is not in the contract", *warnings)
    return Answer(
        status,
        request_id,
        found.value,
        raw=data,
        warnings=warnings,
        broken=found.broken,
        headers=headers,
        replayed=_is_replayed(api, headers),
        operation=request.operation,
    )


def _decode(body: bytes) -> tuple[Any, bool]:
    """Decode a body, and return whether it is strictly valid JSON in UTF-8.

    The strict decoder is faster, and nearly every body is valid. Python's decoder is the fallback.

    :raises ValueError: if the body is not JSON.
    :raises RecursionError: if it is nested too deeply.
    """
    try:
        return msgspec.json.decode(body), True
    except (msgspec.DecodeError, ValueError, RecursionError):
        return json.loads(body), False


def _outdated_before(request: Request, data: Any) -> str | None:
    """Return the API version that introduced a newer format than this answer has; None if it is current."""
    from dispute_provider._contracts.validation import violations

    known = request.operation.contract.document.get("x-outdated")
    return str(known["before"]) if known and not violations(known["answer"], data) else None


def _outdated(request: Request, before: str, status: int, request_id: str | None) -> ApiError:
    """Return the error for an answer in an outdated format. The effect of a final call remains unknown."""
    reads = request.operation.after_failure == "resend"
    advice = OutdatedVersionError.advice
    return (OutdatedVersionError if reads else AmbiguousError)(
        f"the account's API version is too old: older than {before}.",
        operation=request.operation.id,
        status=status,
        request_id=request_id,
        should_retry=False if reads else None,
        advice=advice if reads else f"{advice}; {AmbiguousError.advice}",
    )


def unreadable(
    request: Request,
    problem: str,
    status: int | None = None,
    request_id: str | None = None,
    *,
    in_flight: bool = False,
    lasting: bool = False,
) -> ApiError:
    """Return the error for a call without a readable answer: ambiguous, unless the call may be resent.

    :param problem: why there is no readable answer, without a full stop.
    :param status: HTTP status; None, the default, if there was no answer.
    :param request_id: the API's id of the request; None, the default, if there is none.
    :param in_flight: whether the API may still carry out the call; False by default.
    :param lasting: whether a retry would get the same answer; False by default.
    """
    cls: type[ApiError] = AmbiguousError
    if request.operation.after_failure == "resend":
        cls = UnreadableAnswerError if lasting else ServerError
    operation = request.operation.id
    return cls(
        f"{problem}.",
        operation=operation,
        status=status,
        request_id=request_id,
        should_retry=False if cls is UnreadableAnswerError else None,
        in_flight=in_flight,
    )


def _error(
    request: Request,
    status: int,
    request_id: str | None,
    headers: Mapping[str, str],
    complaint: Complaint,
    authorizations: Sequence[str],
) -> ApiError:
    api = request.operation.contract
    # After a redirect, or a status that gateways use, it is unknown whether the API itself acted.
    unclear = ServerError if request.operation.after_failure == "resend" else AmbiguousError
    kind = _BY_STATUS.get(status, unclear)
    message = redact(without_keys(complaint.message, authorizations), request.content)[:_LONGEST_MESSAGE]
    return (LockedError if kind is RateLimitedError and complaint.is_lock else kind)(
        message or f"{_UNEXPLAINED}.",
        operation=request.operation.id,
        status=status,
        request_id=request_id,
        code=complaint.code,
        param=complaint.param,
        retry_after=retry_after_seconds(headers.get("retry-after")),
        should_retry={"true": True, "false": False}.get(header(api, "should-retry", headers) or ""),
        # The server or a gateway gave up waiting, but the API may still act.
        in_flight=status in (408, 504),
        replayed=_is_replayed(api, headers),
        advice=api.advice.get(complaint.code or ""),
    )


def _is_replayed(api: Contract, headers: Mapping[str, str]) -> bool:
    return header(api, "replayed", headers) == "true"


def _complaint(body: bytes, read_error: ReadError) -> Complaint:
    """Read an error body. Return an empty complaint if it is not JSON, or not in the API's format."""
    try:
        return read_error(json.loads(body))
    except (*_NO_JSON, AttributeError, KeyError, IndexError, TypeError):
        return Complaint()


def word(value: Any) -> str | None:
    """Return a code or name from an error body, cut to 100 characters; None if it is no string."""
    return value[:_LONGEST_CODE] if isinstance(value, str) and value else None
