"""Send every request of this package, within the rate limit of its connection."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import ClassVar, Self
from urllib.parse import urlsplit

from tenacity import AsyncRetrying

from dispute_provider import __version__
from dispute_provider._contracts.answers import Answer, ReadError, read_answer, unexplained, unreadable
from dispute_provider._contracts.headers import exceeded_limit
from dispute_provider._contracts.request import Request
from dispute_provider._transport import timeouts
from dispute_provider._transport.claim import WriteClaim
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider._transport.http import HttpTransport
from dispute_provider._transport.limiter import Limiter
from dispute_provider._transport.network import is_loopback
from dispute_provider._transport.retries import Attempts
from dispute_provider._transport.transport import (
    HttpRequest,
    NoResponseError,
    NotConnectedError,
    Transport,
)
from dispute_provider._transport.unsent import unsent
from dispute_provider.exceptions import ApiError, LockedError, RateLimitedError, ServerError

USER_AGENT = f"dispute-provider/{__version__}"
_LINKS_EXPIRE = "try again; such links expire"
_INDEX = re.compile(r"/\d+")
_log = logging.getLogger(__name__)


class Client:
    """The client of one connection. It sends many requests concurrently; open it with ``async with``.

    Tests replace ``transport``, ``sleep`` and ``clock``.

    :param settings: the connection's settings.
    :param read_error: reads the API's error bodies; by default, they are ignored.
    :cvar transport: creates the transport that sends requests.
    :cvar sleep: waits for a number of seconds.
    :cvar clock: returns monotonic time in seconds.
    :ivar unusable: the error that every call raises instead of sending; None, the default, to send.
    """

    transport: ClassVar[Callable[[ConnectionSettings], Transport]] = HttpTransport
    sleep: Callable[[float], Awaitable[None]] = staticmethod(asyncio.sleep)
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, settings: ConnectionSettings, read_error: ReadError = unexplained) -> None:
        self.settings = settings
        self._read_error = read_error
        self.unusable: ApiError | None = None
        self._limiter = Limiter(settings)
        self._transport: Transport | None = None
        self._warned: set[tuple[str, str]] = set()

    async def __aenter__(self) -> Self:
        """Create the transport.

        :raises ConnectionConfigError: if a certificate file of the connection cannot be used.
        """
        self._transport = type(self).transport(self.settings)
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self._transport:
            await self._transport.close()
            self._transport = None

    async def send(self, request: Request, authorization: str, claim: WriteClaim | None = None) -> Answer:
        """Send a request, with up to three retries if they are safe and may help.

        :param authorization: value of the header with the key.
        :param claim: taken before each attempt, and checked again immediately before the request is written;
            None, the default, for a request that changes no dispute.
        :raises ApiError: if no attempt succeeds. After an ambiguous attempt, it is the error of that attempt.
        :raises RuntimeError: if the client is not open.
        """
        if self.unusable:
            raise self.unusable
        try:
            return await self._attempt(request, authorization, claim)
        except ApiError as error:
            attempts = Attempts(request, error, is_claimed=claim is not None and request.is_final)

        async def attempt() -> Answer:
            attempts.raise_first()
            return await self._attempt(request, authorization, claim)

        try:
            return attempts.answered(await AsyncRetrying(sleep=self.sleep, **attempts.policy)(attempt))
        except ApiError as error:
            raise attempts.failed(error) from None

    async def download(self, url: str, operation: str) -> bytes:
        """Download a document from a link in an answer, once and without the connection's key.

        :param url: must use https, except for a stand-in on loopback.
        :param operation: the ``operationId`` whose answer contains the link, for errors. No error quotes the
            link, because such links grant access.
        :raises ApiError: if the document cannot be downloaded.
        :raises RuntimeError: if the client is not open.
        """
        if self._transport is None:
            raise RuntimeError("the client is not open: use it with `async with`")
        parts = urlsplit(url)
        is_stand_in = bool(self.settings.base_url) and is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_stand_in):
            raise ApiError("its link to the document does not use https.", operation=operation)
        request = HttpRequest("GET", url, {"User-Agent": USER_AGENT}, None)
        try:
            response = await self._transport.send(request)
        except NotConnectedError as error:
            cause = error.__cause__ or error
            raise unsent(cause, operation, url, self.settings.network.proxy_for(url)) from None
        except NoResponseError as error:
            problem = f"the download broke off: {type(error.__cause__).__name__}."
            raise ServerError(problem, operation=operation) from None
        if response.status != 200:
            problem = f"its link to the document was answered with {response.status}."
            raise ApiError(problem, operation=operation, status=response.status, advice=_LINKS_EXPIRE)
        if len(response.body) > timeouts.LARGEST_RESPONSE:
            problem = f"the document is larger than {timeouts.LARGEST_RESPONSE:,} bytes."
            raise ApiError(problem, operation=operation)
        return response.body

    async def _attempt(self, request: Request, authorization: str, claim: WriteClaim | None) -> Answer:
        if self._transport is None:
            raise RuntimeError("the client is not open: use it with `async with`")
        operation = request.operation
        url = self.settings.server_of(operation) + request.path
        headers = {"User-Agent": USER_AGENT, **request.headers, operation.contract.key_header: authorization}
        turn = await self._limiter.turn(operation)

        def check() -> None:
            """Check the claim, and let the turn count from now: the request is written next."""
            if claim:
                claim.check(operation.id)
            self._limiter.sent(turn)

        try:
            if claim:
                await claim.acquire(operation.id)
            response = await self._transport.send(
                HttpRequest(operation.method, url, headers, request.body, check)
            )
        except NotConnectedError as error:
            cause = error.__cause__ or error
            raise unsent(cause, operation.id, url, self.settings.network.proxy_for(url)) from None
        except NoResponseError as error:
            problem = f"the connection broke before the answer was read: {type(error.__cause__).__name__}"
            raise unreadable(request, problem, in_flight=error.late) from None
        finally:
            turn.use()
        if len(response.body) > timeouts.LARGEST_RESPONSE:
            problem = f"the answer is larger than {timeouts.LARGEST_RESPONSE:,} bytes"
            raise unreadable(request, problem, response.status)
        try:
            answer = read_answer(
                request,
                response.status,
                response.headers,
                response.body,
                authorization,
                self.settings.authorization,
                read_error=self._read_error,
            )
        except LockedError:
            raise
        except RateLimitedError:
            self._limiter.slow(operation, exceeded_limit(operation.contract, response.headers))
            raise
        if answer.warnings:
            self._warn(operation.id, answer)
        return answer

    def _warn(self, operation: str, answer: Answer) -> None:
        """Log the warnings of an answer. Each warning is logged once, and not for every item of a list."""
        for warning in answer.warnings:
            kind = (operation, _INDEX.sub("/…", warning))
            if kind not in self._warned:
                self._warned.add(kind)
                _log.warning("%s, request %s: %s", operation, answer.request_id, warning)
