"""Check an Airflow connection before anything is sent with it."""

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
# Extras of Airflow's own HTTP hook that another name has here; difflib finds the rest.
_RENAMED = {"verify": "ca_bundle", "verify_ssl": "ca_bundle", "cert": "client_cert"}


class Connection(Protocol):
    """The part of an Airflow connection that is read here."""

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
    """An error that names the connection, what is wrong with it and what to do."""
    return refused(connection.conn_id, problem, remedy)


def signing_secret(connection: Connection) -> bytes:
    """What approvals are signed under: who can edit what tasks hand on does not know it.

    :raises ConnectionConfigError: if the connection holds no key to derive it from.
    """
    if not connection.password:
        raise refuse(connection, "its password is empty", "put the API's key there")
    return hashlib.sha256(connection.password.encode()).digest()


def check_extras(connection: Connection, kind: str) -> None:
    """Refuse extras that would be ignored: a misspelt account would have the call act on another one.

    The known extras are those of the connection's form; a blank one of any name passes, as forms leave them.

    :param kind: the connection type whose form it is.
    :raises ConnectionConfigError: if the extras are not a JSON object, or one of them is unknown.
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
        raise refuse(connection, problem, f"rename or remove it; the known ones are {', '.join(known)}")


class _TwiceError(ValueError):
    """A key occurs twice."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(f"its extra names {max(names, key=names.count)!r} twice")
    return found


def _known_extras(kind: str) -> list[str]:
    types = get_provider_info()["connection-types"]
    return [name for each in types if each["connection-type"] == kind for name in each["conn-fields"]]


def _with_nearest(name: str, known: list[str]) -> str:
    near = _RENAMED.get(name) or next(iter(get_close_matches(name.lower(), known, n=1, cutoff=0.5)), None)
    return f"{name!r} (did you mean {near}?)" if near else repr(name)


def network_of(connection: Connection) -> Network:
    """The connection's proxy and certificates, or those of the environment.

    :raises ConnectionConfigError: if one of them cannot be used.
    """
    return network(connection.extra_dejson, partial(refuse, connection))


def choice(connection: Connection, name: str, choices: tuple[str, ...], default: str) -> str:
    """One of the connection's extra fields that takes a few words."""
    given = connection.extra_dejson.get(name)
    value = default if given in _BLANK else str(given)
    if value not in choices:
        raise refuse(connection, f"{name} is none of {', '.join(choices)}", f"set {name} to one of them")
    return value


def rate(connection: Connection, default: float) -> float:
    """Requests per second; an empty field means the API's documented limit."""
    given = connection.extra_dejson.get("rate_limit")
    try:
        value = default if given in _BLANK else float(given)
    except (TypeError, ValueError):
        value = 0.0
    if not 0 < value <= 10_000:
        raise refuse(connection, "rate_limit is no positive number", "give requests per second, e.g. 25")
    return value


def base_url(connection: Connection, *, live: bool) -> str | None:
    """The host that replaces the API's own; None where the connection leaves it blank.

    Operators of other packages would send a connection's extras to its host, so a live connection takes
    none but a stand-in on loopback, reached with https.
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
    loopback = is_loopback(url.hostname)
    if live and not loopback:
        raise refuse(connection, "a live connection names a host", "leave the host blank")
    if live and url.scheme == "http":
        raise refuse(connection, "a live connection names a host without encryption", "leave the host blank")
    if url.scheme == "http" and not loopback:
        raise refuse(
            connection, "its host is reached without encryption", "use https or leave the host blank"
        )
    netloc = f"{url.netloc}:{port}" if port and url.port is None else url.netloc
    return urlunsplit(url._replace(netloc=netloc)).rstrip("/")
