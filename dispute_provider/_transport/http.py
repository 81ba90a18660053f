"""Send requests over the network with aiohttp."""

from __future__ import annotations

import ssl
from math import inf
from types import SimpleNamespace
from typing import Any

import aiohttp
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
        self._session = self._open()
        # A trace costs CPU at every request, so only requests with a check have one.
        self._checking = self._open(_checking())

    async def send(self, request: HttpRequest) -> HttpResponse:
        try:
            session = self._session if request.check is None else self._checking
            async with session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body,
                # Otherwise aiohttp sends a content type even without a body.
                skip_auto_headers=None if request.body or request.method == "GET" else _CONTENT_TYPE,
                headers=request.headers,
                allow_redirects=False,
                ssl=self._tls,
                trace_request_ctx=request.check,
                **(self._proxy(request.url) if self._network.proxy else {}),
            ) as response:
                return HttpResponse(response.status, response.headers, await _body(response))
        except _NOT_CONNECTED as error:
            raise NotConnectedError from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoResponseError(late=isinstance(error, TimeoutError)) from error

    async def close(self) -> None:
        await self._session.close()
        await self._checking.close()
        await self._connector.close()

    def _open(self, *traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=list(traces),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=timeouts.CONNECT_SECONDS, sock_read=timeouts.READ_SECONDS
            ),
        )

    def _proxy(self, url: str) -> dict[str, Any]:
        proxy = self._network.proxy_for(url)
        return {"proxy": proxy, "proxy_headers": dict(self._network.proxy_headers)} if proxy else {}


def _checking() -> aiohttp.TraceConfig:
    """Return a trace that calls a request's check. aiohttp emits this signal immediately before it writes."""

    async def check(
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        context.trace_request_ctx()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(check)
    return trace


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
