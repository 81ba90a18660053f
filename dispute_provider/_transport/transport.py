"""Define the interface between requests and the network, which tests replace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A complete HTTP request.

    :param method: in upper case.
    :param url: encoded, with the query.
    :param headers: include the key.
    :param body: None if there is none.
    :param check: called when the connection is open, immediately before the first byte is written. If it
        raises an error, nothing is sent and the error is raised. None, the default, for no check.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    check: Callable[[], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response.

    :param headers: a mapping that ignores the case of names.
    :param body: decompressed. If it exceeds the limit, it is cut off soon after.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class NotConnectedError(Exception):
    """No connection was established: the request was not sent. ``__cause__`` is the HTTP client's error."""


class NoResponseError(Exception):
    """The request may have been sent, but no response was read. ``__cause__`` is the HTTP client's error.

    :param late: whether the reason was a timeout. The request may then still be in flight.
    """

    def __init__(self, *, late: bool) -> None:
        super().__init__()
        self.late = late


class Transport(Protocol):
    """Sends each request once, over a pool of connections, without following redirects."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request and read its response.

        :raises NotConnectedError: if no connection was established.
        :raises NoResponseError: if the request may have been sent, but no response was read.
        :raises Exception: any error of ``request.check``. The request was not sent.
        """

    async def close(self) -> None:
        """Close the connections."""
