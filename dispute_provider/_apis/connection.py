"""Validate an Airflow connection before anything is sent with it."""

from __future__ import annotations

import hashlib
import json
from difflib import get_close_matches
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from dispute_provider._transport.connection_settings import refused
from dispute_provider._transport.network import Network, is_loopback, network
from dispute_provider.exceptions import ConnectionConfigError
from dispute_provider.get_provider_info import get_provider_info

_BLANK = (None, "")
# Extras of Airflow's HTTP hook that have another name here. For the rest, difflib finds the nearest name.
_RENAMED = {"verify": "ca_bundle", "verify_ssl": "ca_bundle", "cert": "client_cert"}


class Connection(Protocol):
    """The attributes of an Airflow connection that are used here."""

    conn_id: str
    host: str | None
    schema: str | None
    port: int | None
    login: str | None
    password: str | None
    extra: str | None

    @property
    def extra_dejson(self) -> dict[str, Any]: ...


def refuse(connection: Connection, problem: str, remedy: str) -> ConnectionConfigError:
    """Return the error for a connection that must not be used.

    :param problem: what is wrong, without a full stop.
    :param remedy: what the user should do, without a full stop.
    """
    return refused(connection.conn_id, problem, remedy)


def signing_secret(connection: Connection) -> bytes:
    """Return the secret that signs records if ``[dispute] signing_key`` is empty: a hash of the API key.

    A user who can edit XComs does not know it.

    :raises ConnectionConfigError: if the connection has no key.
    """
    if not connection.password:
        raise refuse(connection, "its password is empty", "enter the API key as the password")
    return hashlib.sha256(connection.password.encode()).digest()


def check_extras(connection: Connection, kind: str) -> None:
    """Refuse unknown extras. Otherwise, calls would ignore a misspelled account and act on another one.

    Known extras are the fields of the connection form. Blank extras are always accepted, because forms create
    them.

    :param kind: the connection type.
    :raises ConnectionConfigError: if the extras are not a JSON object, or one of them is unknown or
        duplicate.
    """
    try:
        extras = json.loads(connection.extra or "{}", object_pairs_hook=_each_once)
    except ValueError as error:
        problem = str(error) if isinstance(error, _TwiceError) else "its extra is not a JSON object"
        raise refuse(connection, problem, "correct the extra") from None
    if not isinstance(extras, dict):
        raise refuse(connection, "its extra is not a JSON object", "correct the extra")
    known = _known_extras(kind)
    if unknown := [name for name, value in extras.items() if name not in known and value not in _BLANK]:
        problem = f"unknown extra {', '.join(_with_nearest(name, known) for name in unknown)}"
        raise refuse(connection, problem, f"rename or remove it; known extras: {', '.join(known)}")


class _TwiceError(ValueError):
    """A JSON object has the same key twice."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(f"its extra contains {max(names, key=names.count)!r} twice")
    return found


def _known_extras(kind: str) -> list[str]:
    types = get_provider_info()["connection-types"]
    return [name for each in types if each["connection-type"] == kind for name in each["conn-fields"]]


def _with_nearest(name: str, known: list[str]) -> str:
    near = _RENAMED.get(name) or next(iter(get_close_matches(name.lower(), known, n=1, cutoff=0.5)), None)
    return f"{name!r} (did you mean {near}?)" if near else repr(name)


def network_of(connection: Connection) -> Network:
    """Return the proxy and certificates of the connection, or else of the environment.

    :raises ConnectionConfigError: if one of them is malformed.
    """
    return network(connection.extra_dejson, partial(refuse, connection))


def choice(connection: Connection, name: str, choices: tuple[str, ...], default: str) -> str:
    """Return the value of an extra with a fixed set of values.

    :param default: the value of a blank extra.
    :raises ConnectionConfigError: if the value is not one of ``choices``.
    """
    given = connection.extra_dejson.get(name)
    value = default if given in _BLANK else str(given)
    if value not in choices:
        raise refuse(connection, f"{name} is not one of {', '.join(choices)}", f"set {name} to one of them")
    return value


def rate(connection: Connection, default: float) -> float:
    """Return the maximum number of requests per second (extra ``rate_limit``).

    :param default: the API's documented limit, used if the extra is blank.
    :raises ConnectionConfigError: if the value is not a number above 0 and up to 10,000.
    """
    given = connection.extra_dejson.get("rate_limit")
    try:
        value = default if given in _BLANK else float(given)
    except (TypeError, ValueError):
        value = 0.0
    if not 0 < value <= 10_000:
        problem = "rate_limit is not a number above 0 and up to 10,000"
        raise refuse(connection, problem, "enter the requests per second, such as 25, or leave it blank")
    return value


def base_url(connection: Connection, *, live: bool) -> str | None:
    """Return the URL that replaces the API's own; None if the connection's host is blank.

    Operators of other packages would send the connection's extras to its host. A live connection may
    therefore only have a loopback host with https.

    :raises ConnectionConfigError: if the host is malformed, or not allowed.
    """
    if not (host := (connection.host or "").strip()):
        return None
    if "://" not in host:
        host = f"{connection.schema or 'https'}://{host}"
    try:
        url = urlsplit(host)
        port = url.port or connection.port
    except ValueError:
        raise refuse(connection, "its host is not a valid URL", "leave the host blank") from None
    if url.username is not None or url.query or url.fragment or not url.hostname:
        raise refuse(connection, "its host is not a plain URL", "leave the host blank")
    if url.scheme not in ("http", "https"):
        raise refuse(connection, f"its host uses {url.scheme}, not https", "use https")
    loopback = is_loopback(url.hostname)
    if live and not loopback:
        raise refuse(connection, "it is a live connection but has a host", "leave the host blank")
    if live and url.scheme == "http":
        raise refuse(connection, "it is a live connection but has an unencrypted host", "leave it blank")
    if url.scheme == "http" and not loopback:
        raise refuse(connection, "its host is without encryption", "use https, or leave the host blank")
    netloc = f"{url.netloc}:{port}" if port and url.port is None else url.netloc
    return urlunsplit(url._replace(netloc=netloc)).rstrip("/")
