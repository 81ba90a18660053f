"""Turn an API's answer into a checked object, or one error of the tree. Pure.

A success that cannot be read is a failure whose effect is open: *ambiguous*, unless the call may be resent.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from dispute_provider._contracts.contract import Request
from dispute_provider._contracts.headers import header
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
# A body of brackets nested too deeply is no less unreadable than one that breaks off.
_NO_JSON = (ValueError, RecursionError)
_LONGEST_MESSAGE = 500
_LONGEST_CODE = 100
_UNEXPLAINED = "no explanation given"
# Shorter texts ("US", "1") occur in any sentence; taking them out would make messages unreadable.
_SHORTEST_REDACTED_TEXT = 4
_REDACTED = "[redacted]"
_WORD = re.compile(r"[^\s'\"`(\[=]+")
_MASK = re.compile(r"\*{2}|•{2}|…|\.{3}")
# "sk_test_" and a little more.
_SHOWN_START = 12


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error's body says, as the API's module reads it.

    :param message: in the API's words; empty where the body gives none.
    :param code: the API's error code.
    :param param: the argument that the API complains about.
    :param is_lock: of a 429, whether it is about one object that another request holds, and not about a rate.
    """

    message: str = ""
    code: str | None = None
    param: str | None = None
    is_lock: bool = False


ReadError = Callable[[Any], Complaint]
"""Reads an error's JSON. What it does not recognise it leaves out: that may quote a customer."""


def unexplained(body: Any) -> Complaint:
    """Read nothing of an error's body."""
    return Complaint()


@dataclass(frozen=True, slots=True)
class Answer:
    """A success, checked against its contract.

    :param status: the HTTP status.
    :param request_id: the API's id of the request; None if it named none.
    :param data: the decoded JSON, without what cannot be used; the bytes of a file; None where the answer
        has no body.
    :param raw: the same as the API sent it.
    :param warnings: what is missing, left out or unknown to the contract, each with its JSON pointer.
    :param broken: the items of lists that are not in ``data``, because they cannot be used.
    :param headers: by their names in any case; an API that pages by a header has its cursor there.
    :param replayed: whether the API says that it only repeats what it answered to the same key before.
    :param in_doubt: whether an earlier attempt at the same call may have been carried out.
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

    @property
    def summary(self) -> str:
        """Return its status and request id, and what is odd about it."""
        repeated = ", a repetition of the first answer" if self.replayed else ""
        odd = f"; not in the contract: {', '.join(self.warnings)}" if self.warnings else ""
        return f"{self.status}, request {self.request_id}{repeated}{odd}"

    def items_broken_in(self, pointer: str) -> list[BrokenItem]:
        """The items that one list lacks, in their order.

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
    """Check an answer.

    :param headers: by their names in any case, as both HTTP clients hold them.
    :param authorizations: what the request was authorised with, and its connection: whoever echoes one of
        them is not quoted.
    :param read_error: the API's reader of error bodies; by default nothing is read of them.
    :raises ApiError: the error of the tree that the status, or an unreadable body, stands for.
    """
    api = request.operation.contract
    request_id = header(api, "request-id", headers)
    if not 200 <= status < 300:
        secrets = [secret for authorization in authorizations for secret in _secrets(authorization)]
        raise _error(request, status, request_id, headers, _complaint(body, read_error), secrets)
    schema = request.operation.success_schema
    if schema is None:
        return Answer(status, request_id, body or None, raw=body or None, headers=headers)
    from dispute_provider._contracts.reading import read

    try:
        data, is_strict = _decode(body)
    except _NO_JSON:
        raise unreadable(request, "the answer is no JSON", status, request_id) from None
    found = read(schema, data, is_json=is_strict)
    if (found.problems or found.broken) and (before := _outdated_before(request, data)):
        raise _outdated(request, before, status, request_id)
    if found.problems:
        problem = f"the answer breaks its contract: {found.explanation}"
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
        replayed=header(api, "replayed", headers) == "true",
    )


def _decode(body: bytes) -> tuple[Any, bool]:
    """What a body says, and whether it keeps to the letter of JSON in UTF-8.

    Nearly all do, and the decoder that takes nothing else is the faster one.

    :raises ValueError: if it is no JSON by any reading. :raises RecursionError: if it is nested too deeply.
    """
    try:
        return msgspec.json.decode(body), True
    except (msgspec.DecodeError, ValueError, RecursionError):
        return json.loads(body), False


def _outdated_before(request: Request, data: Any) -> str | None:
    """Return before which API version answers had the form of this one; None if it has no such form."""
    from dispute_provider._contracts.validation import violations

    known = request.operation.contract.document.get("x-outdated")
    return str(known["before"]) if known and not violations(known["answer"], data) else None


def _outdated(request: Request, before: str, status: int, request_id: str | None) -> ApiError:
    """Make the error for an answer of an API version that is too old; what a final call did stays open."""
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
    """The error for a call whose effect no answer tells: *ambiguous*, unless it may be resent.

    :param lasting: whether the same call would be answered the same way again.
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
    secrets: Sequence[str],
) -> ApiError:
    api = request.operation.contract
    # A redirect, or a status that only gateways use, does not say whether the API itself acted.
    unclear = ServerError if request.operation.after_failure == "resend" else AmbiguousError
    kind = _BY_STATUS.get(status, unclear)
    message = redact(without_keys(complaint.message, secrets), request.content)[:_LONGEST_MESSAGE]
    return (LockedError if kind is RateLimitedError and complaint.is_lock else kind)(
        message or f"{_UNEXPLAINED}.",
        operation=request.operation.id,
        status=status,
        request_id=request_id,
        code=complaint.code,
        param=complaint.param,
        retry_after=retry_after_seconds(headers.get("retry-after")),
        should_retry={"true": True, "false": False}.get(header(api, "should-retry", headers) or ""),
        # The server or a gateway stopped waiting; the API may still act.
        in_flight=status in (408, 504),
        advice=api.advice.get(complaint.code or ""),
    )


def _complaint(body: bytes, read_error: ReadError) -> Complaint:
    """What an error body says; nothing where it is no JSON, or not in the API's form."""
    try:
        return read_error(json.loads(body))
    except (*_NO_JSON, AttributeError, KeyError, IndexError, TypeError):
        return Complaint()


def word(value: Any) -> str | None:
    """Return a code or a name of an error body, shortened; None if it is no text, or empty."""
    return value[:_LONGEST_CODE] if isinstance(value, str) and value else None


def _secrets(authorization: str) -> Iterator[str]:
    """What must not be told of an Authorization header: its value, and what that is made of."""
    scheme, _, value = authorization.partition(" ")
    yield value
    if scheme == "Basic":
        yield b64decode(value).decode().partition(":")[2]


def without_keys(message: str, secrets: Sequence[str]) -> str:
    """Return an API's message without our keys, nor any part of one that it shows.

    Stripe quotes the ends of a key that it refuses: ``Invalid API Key provided: sk_test_****abcd``.
    """
    long_enough = [secret for secret in secrets if len(secret) >= 2 * _SHORTEST_REDACTED_TEXT]
    ends = tuple(secret[-_SHORTEST_REDACTED_TEXT:] for secret in long_enough)
    starts = tuple(secret[:_SHOWN_START] for secret in long_enough)

    def shown(word: re.Match[str]) -> str:
        bare = word[0].rstrip(".,;:!?)]")
        tells = bare.endswith(ends) or bare.startswith(starts) or _MASK.search(bare)
        return _REDACTED + word[0][len(bare) :] if tells else word[0]

    return _WORD.sub(shown, redact(message, secrets))


def redact(message: str, sent: Any) -> str:
    """Take out of an API's message whatever it quotes of the texts that we sent, as they are or as JSON."""
    for text in sorted(set(_texts(sent)), key=len, reverse=True):
        for spelling in (text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]):
            message = message.replace(spelling, _REDACTED)
    return message


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) >= _SHORTEST_REDACTED_TEXT:
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds from a ``Retry-After`` header, which holds seconds or an HTTP date; None if it says nothing."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        # A date in the zone -0000 is one in UTC whose sender says nothing of its own zone.
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds)
