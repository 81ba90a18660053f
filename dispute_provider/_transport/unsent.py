"""Why no connection was made, whichever client tried, and what to do about it. Pure."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from dispute_provider.exceptions import UnreachableError

# The words of http.client, which urllib3 connects with; aiohttp's error has the status as an attribute.
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
# OpenSSL's codes (X509_V_ERR_…).
_DATES = {9, 10}
_WRONG_HOST = {62, 64}


def unsent(error: BaseException, operation: str, url: str, proxy: str | None) -> UnreachableError:
    """The error for a request that was never sent.

    :param error: what the client raised while it connected.
    :param operation: the API's operationId.
    :param url: where the request was to go.
    :param proxy: the proxy it was to go through, None for a direct connection.
    """
    host, causes = urlsplit(url).hostname or "", list(_causes(error))
    # aiohttp's own error is one as well, without the details.
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, operation, host)
    if proxy is not None:
        return _proxy(causes, operation, host, urlsplit(proxy).netloc)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return UnreachableError(
            f"no connection: the name {host} cannot be resolved.",
            operation=operation,
            advice="check the DNS of this machine; where only a proxy reaches the API, name it in the "
            "connection's proxy or in HTTPS_PROXY",
            # EAI_AGAIN may pass, all else is how the network is set up.
            should_retry=_may_pass(causes),
        )
    return UnreachableError(f"no connection: {type(causes[-1]).__name__}.", operation=operation)


def _certificate(error: ssl.SSLCertVerificationError, operation: str, host: str) -> UnreachableError:
    if error.verify_code in _DATES:
        advice = "have the certificate renewed by whoever runs the server or proxy, and check this clock"
    elif error.verify_code in _WRONG_HOST:
        advice = f"check where the network or proxy leads connections to {host}"
    else:
        advice = (
            "name a file with the certificate of the authority that issued it in the connection's ca_bundle "
            "or in REQUESTS_CA_BUNDLE"
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
        problem = f"the proxy {proxy} asks for another user and password (407)"
        advice = "write them as http://user:password@host:port into the connection's proxy or HTTPS_PROXY"
        should_retry = False
    elif status >= 500:
        problem = f"the proxy {proxy} cannot connect to {host} ({status})"
        advice = f"check that the proxy reaches {host}"
    elif status:
        problem = f"the proxy {proxy} refuses connections to {host} ({status})"
        advice = f"have the proxy allow {host}, or name another in the connection's proxy or HTTPS_PROXY"
        should_retry = False
    else:
        problem = f"the proxy {proxy} cannot be reached: {type(causes[-1]).__name__}"
        advice = "check that it runs, and its address in the connection's proxy or HTTPS_PROXY"
        should_retry = _may_pass(causes)
    return UnreachableError(f"{problem}.", operation=operation, advice=advice, should_retry=should_retry)


def _may_pass(causes: list[BaseException]) -> bool | None:
    """False for a name that does not exist: waiting does not make it."""
    found = [cause.errno for cause in causes if isinstance(cause, socket.gaierror)]
    return False if found and socket.EAI_AGAIN not in found else None


def tunnel_status(error: BaseException) -> int:
    """The status that a proxy has answered CONNECT with; 0 if it is another error."""
    if isinstance(status := getattr(error, "status", None), int):
        return status
    found = _TUNNEL.search(str(error)) if type(error) is OSError else None
    return int(found[1]) if found else 0


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what lies under it, the innermost last: each client wraps them in its own way."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        inner = [getattr(current, name, None) for name in ("reason", "original_error", "os_error")]
        inner += [current.__cause__, *current.args, current.__context__]
        current = next((each for each in inner if isinstance(each, BaseException)), None)
