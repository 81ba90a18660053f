"""Define the settings that a validated connection provides for its calls."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from dispute_provider._contracts.contract import Operation
from dispute_provider._transport.network import Network
from dispute_provider.exceptions import ConnectionConfigError


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """The settings of a validated connection.

    :param connection: id of the Airflow connection.
    :param base_url: replaces the API's own hosts (with a stand-in or a gateway); None for the API itself.
    :param authorization: value of the header with the connection's key, which is Authorization unless the
        contract has an ``apiKey`` scheme; for example ``Bearer`` and the key, or the key alone.
    :param headers: values of the contract's header parameters, such as version and origin.
    :param account: the account to act for by default; None for the key's own account, or for an API without
        accounts.
    :param live: whether the connection is in live mode.
    :param rate: maximum number of requests per second from one task.
    :param oauth: whether to use an OAuth token in place of the key; False by default.
    :param endpoint_rate: maximum number of requests per second to one operation, within ``rate``; None, the
        default, for no such limit.
    :param file_rate: maximum number of requests per second by operations with ``x-file-rate``, within
        ``rate``; None, the default, for no such limit.
    :param network: proxy and certificates for every call.
    :param server: URL of the API's server for this account or mode; None, the default, for the contract's.
    """

    connection: str
    base_url: str | None
    authorization: str = field(repr=False)
    headers: Mapping[str, str]
    account: str | None
    live: bool
    rate: float
    oauth: bool = False
    endpoint_rate: float | None = None
    file_rate: float | None = None
    network: Network = field(default_factory=Network)
    server: str | None = None

    def server_of(self, operation: Operation) -> str:
        """Return the URL of the server for an operation, without a trailing slash."""
        return self.base_url or self.server or operation.server

    @property
    def scheme(self) -> str:
        """The scheme of the authorization, such as ``Bearer``; empty if it is the key alone."""
        scheme, space, _ = self.authorization.partition(" ")
        return scheme if space else ""

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context for every call; None for a stand-in without encryption.

        :raises ConnectionConfigError: if a certificate file cannot be used.
        """
        if self.base_url and self.base_url.startswith("http://"):
            return None
        return self.network.tls(partial(refused, self.connection))


def refused(connection: str, problem: str, remedy: str) -> ConnectionConfigError:
    """Return the error for a connection that must not be used.

    :param connection: id of the connection.
    :param problem: what is wrong, without a full stop.
    :param remedy: what the user should do, without a full stop.
    """
    return ConnectionConfigError(
        f"connection {connection!r} refused, nothing was sent: {problem}. To do: {remedy}."
    )
