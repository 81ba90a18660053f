"""The asynchronous client: many calls side by side on one pool of connections."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Any, TypeVar

import aiohttp
from tenacity import AsyncRetrying
from yarl import URL

from dispute_provider.apis.api import Api, Send, Steps, Wait
from dispute_provider.contracts.answers import Answer
from dispute_provider.exceptions import ApiError, DisputeError, RateLimitedError
from dispute_provider.transport import sending
from dispute_provider.transport.limiter import Limiter
from dispute_provider.transport.network import Network
from dispute_provider.transport.retries import Attempts

T = TypeVar("T")
# ClientHttpProxyError: a proxy's answer to CONNECT, other than that it connected.
_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
# Stripe's code for a 429 that is about one object, which another request holds, and about no rate.
_LOCKED = "lock_timeout"
_INDEX = re.compile(r"/\d+")
_log = logging.getLogger(__name__)


class AsyncClient:
    """One session with an API: a pool of connections under the connection's rate limit.

    :param unusable: why nothing may be sent in it; every use of it meets this error.
    """

    def __init__(self, api: Api, session: aiohttp.ClientSession) -> None:
        self.api = api
        self.unusable: ApiError | None = None
        self._session = session
        self._limiter = Limiter(api.settings)
        # True is for connections without TLS, where it has no meaning.
        self._tls: ssl.SSLContext | bool = api.settings.tls() or True
        self._warned: set[tuple[str, str]] = set()

    async def call(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Answer:
        """Make one call by the API's own name for it.

        :raises ApiError: one of the tree.
        """
        return await self.run_steps(self.api.call(operation_id, account, **arguments))

    async def run_steps(self, steps: Steps[T]) -> T:
        """Drive an API's steps to their end."""
        try:
            step = next(steps)
            while True:
                try:
                    result = await self._take(step)
                except DisputeError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # a generator's return value is Any

    async def _take(self, step: Send | Wait) -> Answer | None:
        if self.unusable:
            raise self.unusable
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._send(step)
        except ApiError as error:
            attempts = Attempts(step.request, error)

        async def attempt() -> Answer:
            attempts.raise_first()
            return await self._send(step)

        try:
            return attempts.answered(await AsyncRetrying(**attempts.policy)(attempt))
        except ApiError as error:
            raise attempts.failed(error) from None

    def _warn(self, operation: str, answer: Answer) -> None:
        """Log what is odd in an answer, each oddity once for a session, whichever item of a list has it."""
        for warning in answer.warnings:
            kind = (operation, _INDEX.sub("/…", warning))
            if kind not in self._warned:
                self._warned.add(kind)
                _log.warning("%s, request %s: %s", operation, answer.request_id, warning)

    async def _send(self, step: Send) -> Answer:
        request = step.request
        turn = await self._limiter.turn(request.operation)
        settings = self.api.settings
        url = sending.url(settings, request)
        try:
            async with self._session.request(
                request.method,
                URL(url, encoded=True),
                data=request.body,
                headers={**request.headers, "Authorization": step.authorization},
                allow_redirects=False,
                ssl=self._tls,
                **proxy_options(settings.network, url),
            ) as response:
                self._limiter.answered(request.operation, turn)
                body = await _body(response)
                answer = sending.answer_to(step, settings, response.status, response.headers, body)
                self._warn(request.operation.id, answer)
                return answer
        except RateLimitedError as error:
            if error.code != _LOCKED:
                self._limiter.slow(request.operation)
            raise
        except _NOT_CONNECTED as error:
            raise sending.unreachable(settings, request, error) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise sending.no_answer(request, error, late=isinstance(error, TimeoutError)) from None


@asynccontextmanager
async def open_client(api: Api) -> AsyncIterator[AsyncClient]:
    """Open a session with an API.

    :raises ConnectionConfigError: if a certificate file that its connection names cannot be used.
    """
    async with aiohttp.ClientSession(timeout=time_limits(), cookie_jar=aiohttp.DummyCookieJar()) as session:
        client = AsyncClient(api, session)
        try:
            await client.run_steps(api.prepare())
        except ApiError as error:
            # What it means for a dispute, the steps of that dispute say.
            client.unusable = error
        yield client


def proxy_options(network: Network, url: str) -> dict[str, Any]:
    """The options with which aiohttp reaches a URL through its proxy; none for a direct connection."""
    proxy = network.proxy_for(url)
    return {"proxy": proxy, "proxy_headers": dict(network.proxy_headers)} if proxy else {}


def time_limits() -> aiohttp.ClientTimeout:
    """How long is waited for a connection, and for each piece of an answer."""
    return aiohttp.ClientTimeout(
        total=None, sock_connect=sending.CONNECT_SECONDS, sock_read=sending.READ_SECONDS
    )


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """What was answered; of what is too large, a little more than is allowed."""
    # Most answers say how long they are. Of a compressed one that says nothing of what it unfolds to.
    packed = "Content-Encoding" in response.headers
    if not packed and (response.content_length or inf) <= sending.LARGEST_ANSWER:
        return await response.read()
    body = bytearray()
    async for piece in response.content.iter_chunked(1 << 16):
        body += piece
        if len(body) > sending.LARGEST_ANSWER:
            break
    return bytes(body)
