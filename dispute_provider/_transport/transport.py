"""The seam between requests and the network: one method, which tests and fault campaigns can replace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as it goes out, with its Authorization header.

    :param url: encoded, with its query.
    :param body: None where there is none.
    :param check: called on an open connection, just before the first byte is written: if it raises, nothing
        is sent, and its error is raised. None, the default, for requests that need no such check.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    check: Callable[[], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back.

    :param headers: their names are found in any case.
    :param body: decompressed; of one over the limit, a little more than the limit.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class NotConnectedError(Exception):
    """No connection was made: the request was not sent. Its cause is the client's own error."""


class NoResponseError(Exception):
    """The request may have been sent, and no response was read. Its cause is the client's own error.

    :param late: whether time was up: the request may still be in flight.
    """

    def __init__(self, *, late: bool) -> None:
        super().__init__()
        self.late = late


class Transport(Protocol):
    """Sends requests over a pool of connections; follows no redirects and sends nothing twice."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request and read its response.

        :raises NotConnectedError: if no connection was made.
        :raises NoResponseError: if the request may have been sent.
        :raises Exception: whatever the request's check raised; the request was not sent.
        """

    async def close(self) -> None:
        """Close the connections."""
