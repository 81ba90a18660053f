"""Hold the sandbox's state and settings."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dispute_provider.sandbox._accounts import (
    MOOV_ACCOUNT,
    MOOV_PUBLIC_KEY,
    MOOV_SECRET_KEY,
    STRIPE_ACCOUNT,
    STRIPE_KEY,
    STRIPE_READONLY_KEY,
    Account,
    StripeKey,
)
from dispute_provider.sandbox._clock import Clock
from dispute_provider.sandbox._faults import Faults
from dispute_provider.sandbox._idempotency import IdempotencyKeys
from dispute_provider.sandbox._journal import Journal
from dispute_provider.sandbox._objects.moov import MoovDispute, Token
from dispute_provider.sandbox._objects.stripe import StripeCharge, StripeDispute, StripeFile
from dispute_provider.sandbox._oddities import Oddities
from dispute_provider.sandbox._wire import Call

_FILE_OPERATIONS = {"PostFiles", "GetFilesFile", "GetFilesFileContents"}


@dataclass(slots=True)
class SandboxSettings:
    """The settings of both APIs; see :meth:`Sandbox.settings`."""

    permissive: bool = False
    unguarded: bool = False
    rate_limit: float = 0
    endpoint_limit: float = 0
    file_limit: float = 0
    settle_after: float = 3
    latency: float = 0
    stale_submit: bool = False
    token_seconds: int = 3600
    absolute_expiry: bool = True
    refresh_tokens: bool = True

    def describe(self) -> dict[str, Any]:
        return asdict(self)

    def update(self, changes: dict[str, Any]) -> None:
        """Change settings.

        :raises ValueError: for an unknown setting, or a value of the wrong type.
        """
        for name, value in changes.items():
            known = next((item for item in fields(self) if item.name == name), None)
            if known is None:
                raise ValueError(f"unknown setting {name!r}")
            kinds: tuple[type, ...] = (
                (int, float) if known.type in ("int", "float") else (type(known.default),)
            )
            if not isinstance(value, kinds) or (bool not in kinds and isinstance(value, bool)):
                raise ValueError(f"{name} cannot be {value!r}")
            setattr(self, name, value)


@dataclass(slots=True)
class World:
    """All state. It belongs to one event loop, so it needs no locks."""

    clock: Clock = field(default_factory=Clock)
    settings: SandboxSettings = field(default_factory=SandboxSettings)
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)
    oddities: Oddities = field(default_factory=Oddities)
    idempotency: IdempotencyKeys = field(default_factory=IdempotencyKeys)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    stripe_keys: dict[str, StripeKey] = field(default_factory=dict)
    moov_keys: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    stripe: dict[str, StripeDispute] = field(default_factory=dict)
    moov: dict[str, MoovDispute] = field(default_factory=dict)
    files: dict[str, StripeFile] = field(default_factory=dict)
    charges: dict[str, StripeCharge] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    sequence: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _arrivals: dict[tuple[str, str, str], deque[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add_account("stripe", STRIPE_ACCOUNT)
        self.stripe_keys[STRIPE_KEY] = StripeKey(STRIPE_ACCOUNT, livemode=False, writes=True)
        self.stripe_keys[STRIPE_READONLY_KEY] = StripeKey(STRIPE_ACCOUNT, livemode=False, writes=False)
        self.add_account("moov", MOOV_ACCOUNT)
        self.moov_keys[MOOV_PUBLIC_KEY] = MOOV_SECRET_KEY

    def add_account(self, api: str, identifier: str) -> Account:
        return self.accounts.setdefault((api, identifier), Account(identifier, api))

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Schedule an action for a time on the sandbox's clock."""
        heapq.heappush(self._due, (moment, next(self.sequence), action))

    def tick(self) -> None:
        """Run the scheduled actions that are due, in order."""
        while self._due and self._due[0][0] <= self.clock.now():
            heapq.heappop(self._due)[2]()

    def exceeded_limit(self, call: Call) -> str | None:
        """Return the rate limit that a request exceeds, or count the request. It uses the real clock.

        Only accepted requests count, in each period of one second.
        """
        settings, now = self.settings, time.monotonic()
        limits = {
            "account": (settings.rate_limit, ""),
            "endpoint": (settings.endpoint_limit, call.operation),
            "files": (settings.file_limit if call.operation in _FILE_OPERATIONS else 0, ""),
        }
        counted = []
        for name, (most, endpoint) in limits.items():
            if not most:
                continue
            arrivals = self._arrivals.setdefault((call.api, name, endpoint), deque())
            while arrivals and arrivals[0] <= now - 1:
                arrivals.popleft()
            if len(arrivals) >= most:
                return name
            counted.append(arrivals)
        for arrivals in counted:
            arrivals.append(now)
        return None
