"""Explain why no connection was established, and what to do about it. Pure."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from dispute_provider._transport.network import is_loopback
from dispute_provider.exceptions import UnreachableError

# The message of http.client, which urllib3 uses. aiohttp's error has the status as an attribute.
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
# OpenSSL's error codes (X509_V_ERR_…).
_DATES = {9, 10}
_WRONG_HOST = {62, 64}


def unsent(error: BaseException, operation: str, url: str, proxy: str | None) -> UnreachableError:
    """Return the error for a request that was never sent.

    :param error: the error that the HTTP client raised when it tried to connect.
    :param operation: the ``operationId``.
    :param url: the URL of the request.
    :param proxy: the URL of the proxy; None for a direct connection.
    """
    host, causes = urlsplit(url).hostname or "", list(_causes(error))
    # Innermost first: aiohttp's own error is also an SSLCertVerificationError, but lacks the details.
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, operation, host)
    if proxy is not None:
        return _proxy(causes, operation, host, urlsplit(proxy).netloc)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return UnreachableError(
            f"no connection: the name {host} cannot be resolved.",
            operation=operation,
            advice="check DNS on this machine; if the API is reached through a proxy, set it in the "
            "connection's proxy field or in HTTPS_PROXY",
            # EAI_AGAIN is temporary. Any other error is due to the network's configuration.
            should_retry=_may_pass(causes),
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        place = urlsplit(url).netloc
        stand_in = f"write http:// before {place} if it is a stand-in without TLS"
        return UnreachableError(
            f"no connection: {place} does not speak TLS, or refuses this client's.",
            operation=operation,
            advice=stand_in if is_loopback(host) else f"check what answers at {place}, such as a proxy",
        )
    return UnreachableError(f"no connection: {type(causes[-1]).__name__}.", operation=operation)


def _certificate(error: ssl.SSLCertVerificationError, operation: str, host: str) -> UnreachableError:
    if error.verify_code in _DATES:
        advice = "ask the operator of the server or proxy for a renewed certificate, and check the clock"
    elif error.verify_code in _WRONG_HOST:
        advice = f"check to which server your network or proxy leads connections to {host}"
    else:
        advice = (
            "set the file with the issuing authority's certificate in the connection's ca_bundle or in "
            "REQUESTS_CA_BUNDLE"
        )
    return UnreachableError(
        f"the certificate for {host} is not accepted: {error.verify_message}.",
        operation=operation,
        advice=advice,
        should_retry=False,
    )


def _proxy(causes: list[BaseException], operation: str, host: str, proxy: str) -> UnreachableError:
    status = next(filter(None, map(tunnel_status, causes)), 0)
    should_retry: bool | None = None
    if status == 407:
        problem = f"the proxy {proxy} requires a valid user and password (407)"
        advice = "set http://user:password@host:port in the connection's proxy field or in HTTPS_PROXY"
        should_retry = False
    elif status >= 500:
        problem = f"the proxy {proxy} cannot connect to {host} ({status})"
        advice = f"check that the proxy reaches {host}"
    elif status:
        problem = f"the proxy {proxy} refuses connections to {host} ({status})"
        advice = f"allow {host} on the proxy, or set another one in the connection's proxy or HTTPS_PROXY"
        should_retry = False
    else:
        problem = f"the proxy {proxy} cannot be reached: {type(causes[-1]).__name__}"
        advice = "check that it runs, and check its address in the connection's proxy field or in HTTPS_PROXY"
        should_retry = _may_pass(causes)
    return UnreachableError(f"{problem}.", operation=operation, advice=advice, should_retry=should_retry)


def _may_pass(causes: list[BaseException]) -> bool | None:
    """Return False if the host name does not exist, so that a retry won't help; otherwise None."""
    found = [cause.errno for cause in causes if isinstance(cause, socket.gaierror)]
    return False if found and socket.EAI_AGAIN not in found else None


def tunnel_status(error: BaseException) -> int:
    """Return the HTTP status with which a proxy refused CONNECT; 0 for any other error."""
    if isinstance(status := getattr(error, "status", None), int):
        return status
    found = _TUNNEL.search(str(error)) if type(error) is OSError else None
    return int(found[1]) if found else 0


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, the innermost last. Each HTTP client nests them differently."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        inner = [getattr(current, name, None) for name in ("reason", "original_error", "os_error")]
        inner += [current.__cause__, *current.args, current.__context__]
        current = next((each for each in inner if isinstance(each, BaseException)), None)
