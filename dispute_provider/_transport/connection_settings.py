"""Define the settings of a checked connection, for every call on it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from dispute_provider._transport.network import Network
from dispute_provider.exceptions import ConnectionConfigError


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """A checked connection.

    :param base_url: replaces the API's own hosts (a loopback stand-in or a gateway); None for the real API.
    :param authorization: value of the Authorization header that the key itself gives.
    :param headers: values for the contract's header parameters: version, account, origin.
    :param account: Stripe Connect account or Moov platform account.
    :param rate: requests per second at most, of one task.
    :param endpoint_rate: of these, requests per second to one endpoint; None where no such limit is known.
    :param file_rate: requests per second for files, where they count apart.
    :param oauth: whether to work with a minted token in place of the key.
    :param network: proxy and certificates of every call.
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

    def tls(self) -> ssl.SSLContext | None:
        """What to verify certificates with; None for a stand-in that is reached without encryption.

        :raises ConnectionConfigError: if a certificate file cannot be used.
        """
        if self.base_url and self.base_url.startswith("http://"):
            return None
        return self.network.tls(partial(refused, self.connection))


def refused(connection: str, problem: str, remedy: str) -> ConnectionConfigError:
    """An error that names the connection, what is wrong with it and what to do."""
    return ConnectionConfigError(
        f"connection {connection!r} refused, nothing was sent: {problem}. To do: {remedy}."
    )
