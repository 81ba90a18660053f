"""What an Airflow connection says, checked before anything is sent with it."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from dispute_provider.exceptions import ConnectionConfigError


class Connection(Protocol):
    """The part of an Airflow connection that is read here."""

    conn_id: str
    host: str | None
    schema: str | None
    port: int | None
    login: str | None
    password: str | None

    @property
    def extra_dejson(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """A checked connection.

    :param base_url: replaces the API's own hosts (a loopback stand-in or a gateway); None for the real API.
    :param authorization: value of the Authorization header that the key itself gives.
    :param headers: values for the contract's header parameters: version, account, origin.
    :param account: Stripe Connect account or Moov platform account.
    :param rate: requests per second at most, of one task.
    :param endpoint_rate: of these, requests per second to one endpoint; None where no such limit is known.
    :param file_rate: requests per second for files, where they count apart.
    :param oauth: whether to work with a minted token in place of the key.
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


def refuse(connection: Connection, problem: str, remedy: str) -> ConnectionConfigError:
    """An error that names the connection, what is wrong with it and what to do."""
    return ConnectionConfigError(
        f"connection {connection.conn_id!r} refused, nothing was sent: {problem}. To do: {remedy}."
    )


def signing_secret(connection: Connection) -> bytes:
    """What approvals are signed under: who can edit what tasks hand on does not know it.

    :raises ConnectionConfigError: if the connection holds no key to derive it from.
    """
    if not connection.password:
        raise refuse(connection, "its password is empty", "put the API's key there")
    return hashlib.sha256(connection.password.encode()).digest()


def choice(connection: Connection, name: str, choices: tuple[str, ...], default: str) -> str:
    """One of the connection's extra fields that takes a few words."""
    value = str(connection.extra_dejson.get(name) or default)
    if value not in choices:
        raise refuse(connection, f"{name} is none of {', '.join(choices)}", f"set {name} to one of them")
    return value


def rate(connection: Connection, default: float) -> float:
    """Requests per second; an empty field means the API's documented limit."""
    given = connection.extra_dejson.get("rate_limit")
    try:
        value = default if given in (None, "") else float(given)
    except (TypeError, ValueError):
        value = 0.0
    if not 0 < value <= 10_000:
        raise refuse(connection, "rate_limit is no positive number", "give requests per second, e.g. 25")
    return value


def base_url(connection: Connection, *, live: bool) -> str | None:
    """The host that replaces the API's own; None where the connection leaves it blank.

    A live connection must leave it blank: operators of other packages would send its extras there.
    """
    if not (host := (connection.host or "").strip()):
        return None
    if "://" not in host:
        host = f"{connection.schema or 'https'}://{host}"
    try:
        url = urlsplit(host)
        port = url.port or connection.port
    except ValueError:
        raise refuse(connection, "its host is no address", "leave the host blank") from None
    if url.username is not None or url.query or url.fragment or not url.hostname:
        raise refuse(connection, "its host is no plain address", "leave the host blank")
    if url.scheme not in ("http", "https"):
        raise refuse(connection, f"its host uses {url.scheme}", "use https")
    loopback = _is_loopback(url.hostname)
    if live and not loopback:
        raise refuse(connection, "a live connection names a host", "leave the host blank")
    if url.scheme == "http" and not loopback:
        raise refuse(
            connection, "its host is reached without encryption", "use https or leave the host blank"
        )
    netloc = f"{url.netloc}:{port}" if port and url.port is None else url.netloc
    return urlunsplit(url._replace(netloc=netloc)).rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
