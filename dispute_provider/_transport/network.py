"""Read the network settings of a connection: the proxy, the trusted certificates and the client certificate.

Both HTTP clients use them, so that the *Test* button connects as tasks do. The connection's extras take
precedence over environment variables.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment

import certifi

from dispute_provider.exceptions import ConnectionConfigError

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
# Returns the error for a problem and its remedy.
Refuse = Callable[[str, str], ConnectionConfigError]


@dataclass(frozen=True, slots=True)
class Network:
    """The network settings of one connection.

    :param proxy: URL of an HTTP proxy, without user and password; None, the default, to connect directly.
    :param proxy_headers: headers for the proxy only: its user and password.
    :param no_proxy: hosts to connect to directly, as in ``NO_PROXY``. Empty if the connection itself names
        the proxy: ``NO_PROXY`` is then ignored.
    :param ca_bundle: PEM file, or folder of such files, with the only authorities to trust; None, the
        default, to trust those of the system and of certifi.
    :param ca_source: the extra or variable that ``ca_bundle`` comes from, for error messages.
    :param client_cert: PEM file of the client certificate, and that of its key. The second is None if the
        first contains both.
    """

    proxy: str | None = None
    proxy_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    no_proxy: tuple[str, ...] = ()
    ca_bundle: str | None = None
    ca_source: str = ""
    client_cert: tuple[str, str | None] | None = None

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy for a URL; None for a direct connection.

        Loopback addresses never use a proxy: a stand-in may use plain HTTP, so the proxy could read the key.
        """
        if self.proxy is None:
            return None
        parts = urlsplit(url)
        host = parts.hostname or ""
        if is_loopback(host) or _bypasses(host, parts.port, self.no_proxy):
            return None
        return self.proxy

    def tls(self, refuse: Refuse) -> ssl.SSLContext:
        """Return the TLS context for both HTTP clients.

        :param refuse: returns the error for a problem and its remedy.
        :raises ConnectionConfigError: if a certificate file cannot be used.
        """
        try:
            context = _trusting(self.ca_bundle)
        except OSError as error:
            problem = f"{self.ca_source} is {self.ca_bundle}, which contains no readable certificates"
            raise refuse(f"{problem} ({_short(error)})", f"correct {self.ca_source}") from None
        if self.client_cert:
            certificate, key = self.client_cert
            try:
                # Without this argument, OpenSSL would prompt for a password on the terminal.
                context.load_cert_chain(certificate, key, password="")
            except OSError as error:
                problem = f"client_cert cannot be used: {_short(error)}"
                remedy = (
                    "set client_cert to a PEM file with a certificate and its unencrypted key, or to two "
                    "files, certificate.pem,key.pem"
                )
                raise refuse(problem, remedy) from None
        return context


def network(extras: Mapping[str, Any], refuse: Refuse) -> Network:
    """Read the network settings from the extras of a connection, or else from the environment.

    The environment variables are ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` (or in lower case), and
    ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE`` and ``SSL_CERT_FILE``, the first of which takes precedence.

    :param extras: may contain ``proxy``, ``ca_bundle`` and ``client_cert``. Blank ones are ignored.
    :param refuse: returns the error for a problem and its remedy.
    :raises ConnectionConfigError: if a setting is malformed.
    """
    given = {name: _text(name, extras.get(name), refuse) for name in ("proxy", "ca_bundle", "client_cert")}
    named = ("proxy", given["proxy"], ())
    source, address, no_proxy = named if given["proxy"] else _environment_proxy()
    proxy, headers = _proxy(source, address, refuse) if address else (None, {})
    bundle = {"ca_bundle": given["ca_bundle"], **{name: os.environ.get(name) for name in _CA_VARIABLES}}
    ca_source = next((name for name, path in bundle.items() if path), "")
    return Network(
        proxy=proxy,
        proxy_headers=headers,
        no_proxy=no_proxy,
        ca_bundle=bundle.get(ca_source),
        ca_source=ca_source,
        client_cert=_client_cert(given["client_cert"]),
    )


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is that of this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(name: str, value: Any, refuse: Refuse) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise refuse(f"its {name} is not a string", f"correct {name}")
    return value.strip()


def _environment_proxy() -> tuple[str, str | None, tuple[str, ...]]:
    """Return the environment variable of the HTTPS proxy, its value, and the hosts in ``NO_PROXY``."""
    # Not getproxies(): reading the settings of macOS is unsafe in a forked process.
    found = getproxies_environment()
    no_proxy = tuple(name for name in found.get("no", "").replace(" ", "").split(",") if name)
    source = "HTTPS_PROXY" if "https" in found else "ALL_PROXY"
    return source, found.get("https") or found.get("all"), no_proxy


def _proxy(source: str, address: str, refuse: Refuse) -> tuple[str, dict[str, str]]:
    """Return a proxy's URL without user and password, and the header with them."""
    parts = _split(source, address if "://" in address else f"http://{address}", refuse)
    remedy = f"correct {source}: http://host:port, or http://user:password@host:port"
    if parts.scheme != "http":
        problem = f"{source} is a proxy of type {parts.scheme}, but only http proxies are supported"
        raise refuse(problem, remedy)
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise refuse(f"{source} is not the URL of a proxy", remedy)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    plain = f"http://{host}:{parts.port or 80}"
    if parts.username is None:
        return plain, {}
    user, password = unquote(parts.username), unquote(parts.password or "")
    credentials = b64encode(f"{user}:{password}".encode()).decode()
    _mask(password, credentials)
    return plain, {"Proxy-Authorization": f"Basic {credentials}"}


def _split(source: str, address: str, refuse: Refuse) -> SplitResult:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  # reading it validates it
    except ValueError:
        raise refuse(f"{source} is not the URL of a proxy", f"correct {source}") from None
    return parts


def _mask(*secrets: str) -> None:
    """Mask secrets in Airflow's logs."""
    from airflow.sdk.log import mask_secret

    for secret in filter(None, secrets):
        mask_secret(secret)


def _client_cert(given: str) -> tuple[str, str | None] | None:
    certificate, _, key = given.partition(",")
    return (certificate.strip(), key.strip() or None) if given else None


def _bypasses(host: str, port: int | None, no_proxy: Iterable[str]) -> bool:
    """Return whether ``NO_PROXY`` matches a host: by name, domain, host:port, ``*``, address or network."""
    host = host.lower()
    names = {host, f"{host}:{port or 443}"}
    for entry in no_proxy:
        if entry == "*" or _in_network(host, entry):
            return True
        suffix = entry.lower().removeprefix("*").lstrip(".")
        if any(name == suffix or name.endswith(f".{suffix}") for name in names):
            return True
    return False


def _in_network(host: str, entry: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _trusting(bundle: str | None) -> ssl.SSLContext:
    """Return a TLS context that trusts a file or folder; for None, the system's and certifi's authorities."""
    if bundle is None:
        # requests trusts certifi's authorities, and aiohttp the system's. Trust both with both clients.
        context = ssl.create_default_context()
        context.load_verify_locations(cafile=certifi.where())
        return context
    if Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


def _short(error: OSError) -> str:
    return error.strerror or type(error).__name__
