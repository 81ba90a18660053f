"""Send requests over the network with aiohttp."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextvars import ContextVar
from math import inf
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from dispute_provider._transport import timeouts
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider._transport.transport import (
    HttpRequest,
    HttpResponse,
    NoResponseError,
    NotConnectedError,
)

# ClientHttpProxyError: the proxy refused CONNECT.
_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
_CONTENT_TYPE = ("Content-Type",)
_PIECE = 1 << 16
# The check of the request that the current task sends.
_check: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


class _CheckedRequest(aiohttp.ClientRequest):
    """A request that calls its check when its connection is open, immediately before it is written.

    A trace of aiohttp offers the same moment, but also costs CPU at every other step of the request.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if check := _check.get():
            check()
        return await super().send(conn)


class HttpTransport:
    """The :class:`~dispute_provider._transport.transport.Transport` that uses the network.

    Create it in a running event loop.

    :param settings: name the proxy and the certificates.
    :param connector: creates the connections; None, the default, for aiohttp's own.
    :raises ConnectionConfigError: if a certificate file in the settings cannot be used.
    """

    def __init__(self, settings: ConnectionSettings, connector: aiohttp.BaseConnector | None = None) -> None:
        self._network = settings.network
        # aiohttp ignores True for connections without TLS.
        self._tls: ssl.SSLContext | bool = settings.tls() or True
        # The limiter and the size of a batch bound the connections. A request that waits here has taken its
        # turn already, and would hold up the others.
        self._connector = connector or aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            request_class=_CheckedRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=timeouts.CONNECT_SECONDS, sock_read=timeouts.READ_SECONDS
            ),
        )

    async def send(self, request: HttpRequest) -> HttpResponse:
        checking = _check.set(request.check)
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body,
                # Otherwise aiohttp sends a content type even without a body.
                skip_auto_headers=None if request.body or request.method == "GET" else _CONTENT_TYPE,
                headers=request.headers,
                allow_redirects=False,
                ssl=self._tls,
                **(self._proxy(request.url) if self._network.proxy else {}),
            ) as response:
                return HttpResponse(response.status, response.headers, await _body(response))
        except _NOT_CONNECTED as error:
            raise NotConnectedError from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoResponseError(late=isinstance(error, TimeoutError)) from error
        finally:
            _check.reset(checking)

    async def close(self) -> None:
        await self._session.close()

    def _proxy(self, url: str) -> dict[str, Any]:
        proxy = self._network.proxy_for(url)
        return {"proxy": proxy, "proxy_headers": dict(self._network.proxy_headers)} if proxy else {}


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Read the body of a response. Stop soon after the limit, so that the caller can detect the excess."""
    # Content-Length is the size before decompression, so it does not help with a compressed body.
    packed = "Content-Encoding" in response.headers
    if not packed and (response.content_length or inf) <= timeouts.LARGEST_RESPONSE:
        return await response.read()
    body = bytearray()
    async for piece in response.content.iter_chunked(_PIECE):
        body += piece
        if len(body) > timeouts.LARGEST_RESPONSE:
            break
    return bytes(body)
