"""Validate a connection to Stripe, and find its rates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from dispute_provider._apis.connection import Connection, base_url, choice, network_of, rate, refuse
from dispute_provider._transport.connection_settings import ConnectionSettings

# The extra of the connection for each header.
_EXTRAS = {"Stripe-Version": "api_version", "Stripe-Account": "account", "Stripe-Context": "context"}
# A secret or restricted key. A word may precede the mode, as in an organization's keys (sk_org_…).
_KEY = re.compile(r"[sr]k_(?:[a-z]+_)??(test|live)_[!-~]+")
# The first version whose disputes have one field per kind of evidence.
_OLDEST_VERSION = "2014-12-08"
# The documented limits per second: in live mode, in test mode, per endpoint, and for files
# (https://docs.stripe.com/rate-limits).
_LIVE_RATE, _TEST_RATE, _ENDPOINT_RATE, _FILE_RATE = 100.0, 25.0, 25.0, 20.0


def settings_of(
    connection: Connection, parameters_from: Callable[[Connection, Mapping[str, str]], dict[str, str]]
) -> ConnectionSettings:
    """Return the settings of a connection.

    :param parameters_from: reads and validates the headers that the connection has.
    :raises ConnectionConfigError: if its key, mode, version or account cannot be right.
    """
    mode = choice(connection, "mode", ("test", "live"), "test")
    key = connection.password or ""
    if not (kind := _KEY.fullmatch(key)):
        problem = _no_key(key, connection.login or "")
        raise refuse(connection, problem, "enter the secret or restricted key (sk_… or rk_…) as the password")
    if kind[1] != mode:
        remedy = f"use a {mode} key, or correct the mode"
        raise refuse(connection, f"its mode is {mode}, but its key is a {kind[1]} key", remedy)
    headers = parameters_from(connection, _EXTRAS)
    if headers["Stripe-Version"] < _OLDEST_VERSION:
        problem = f"its api_version is older than {_OLDEST_VERSION}"
        raise refuse(connection, problem, "leave api_version blank, or enter a newer one")
    context, account = headers.get("Stripe-Context"), headers.get("Stripe-Account")
    if context and account:
        remedy = "append the account to context, after a /, and leave account blank"
        raise refuse(connection, "it has both a context and an account", remedy)
    # An organization's key belongs to no account, so each call must name one in Stripe-Context.
    if key.startswith("sk_org_") and not context:
        remedy = "set context to the account to act for (acct_…), or use a key of that account"
        raise refuse(connection, "its key belongs to an organization, but its context is blank", remedy)
    whole = _LIVE_RATE if mode == "live" else _TEST_RATE
    overall = rate(connection, whole)
    return ConnectionSettings(
        connection=connection.conn_id,
        base_url=base_url(connection, live=mode == "live"),
        authorization=f"Bearer {key}",
        headers=headers,
        account=account_of(context) if context else account,
        live=mode == "live",
        rate=overall,
        # Tasks that share the API's rate also share its other limits.
        endpoint_rate=_ENDPOINT_RATE * overall / whole,
        file_rate=_FILE_RATE * overall / whole,
        network=network_of(connection),
    )


def account_of(context: str) -> str:
    """Return the account in a Stripe-Context: the last part of its path."""
    return context.rpartition("/")[2]


def _no_key(password: str, login: str) -> str:
    """Return why a connection has no key, without showing what it has instead."""
    if _KEY.fullmatch(password.strip()):
        return "its key has spaces or line breaks around it"
    if not password:
        return "its key is the login, not the password" if _KEY.fullmatch(login) else "its password is empty"
    return "its password is not a Stripe key"
