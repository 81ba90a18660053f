"""Read the key, the account and the version of a request to Stripe's API."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._stripe.params import StripeError, invalid
from dispute_provider.sandbox._wire import Call, basic_credentials, bearer_token

VERSION = "2026-10-28.endive"
"""The newest version, and the version of a call without one."""
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")


@dataclass(slots=True)
class Caller:
    account: str
    livemode: bool
    version: str


def authenticate(world: World, call: Call) -> Caller:
    """Return the caller of a request.

    :raises StripeError: for a missing or unknown key, account or version.
    """
    authorization = call.header("authorization") or ""
    basic = basic_credentials(authorization)
    name = basic[0] if basic else bearer_token(authorization)
    key = world.stripe_keys.get(name or "")
    if key is None:
        hint = f"Invalid API Key provided: {_masked(name)}" if name else "You did not provide an API key."
        raise StripeError(401, hint, headers={"WWW-Authenticate": 'Bearer realm="Stripe"'})
    if key.organization:
        missing = [name for name in ("Stripe-Context", "Stripe-Version") if not call.header(name.lower())]
        if missing:
            raise invalid(f"A call with an organization's key needs the header {' and '.join(missing)}")
    account = account_named(call) or key.account
    if ("stripe", account) not in world.accounts:
        raise StripeError(403, f"The key has no access to account {account}", code="account_invalid")
    if call.method != "GET" and not key.writes:
        raise StripeError(403, "The key may read only")
    version = call.header("stripe-version") or VERSION
    if not _VERSION.fullmatch(version):
        raise invalid(f"There is no API version {version}")
    return Caller(account, key.livemode, version)


def account_named(call: Call) -> str | None:
    """Return the account in a call's headers, if any; Stripe-Context takes precedence over Stripe-Account."""
    context = call.header("stripe-context")
    return context.rpartition("/")[2] if context else call.header("stripe-account")


def _masked(key: str) -> str:
    """Return a refused key as Stripe quotes it: its start and its last four characters."""
    start = "_".join(key.split("_")[:2]) + "_" if key.count("_") > 1 else ""
    return f"{start}{'*' * 12}{key[-4:]}"
