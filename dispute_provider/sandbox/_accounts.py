"""Model accounts and keys, and name those of a new sandbox."""

from __future__ import annotations

from dataclasses import dataclass

STRIPE_ACCOUNT = "acct_sandbox"
STRIPE_KEY = "sk_test_sandbox"
STRIPE_READONLY_KEY = "rk_test_readonly"
MOOV_ACCOUNT = "5a4db0c5-0b0e-4c3b-8f5e-5a0db0c50001"
MOOV_MERCHANT = "5a4db0c5-0b0e-4c3b-8f5e-5a0db0c50002"
MOOV_PUBLIC_KEY = "sandbox_public"
MOOV_SECRET_KEY = "sandbox_secret"  # noqa: S105  # public: only the sandbox accepts it


@dataclass(slots=True)
class Account:
    """One account of one API."""

    id: str
    api: str
    livemode: bool = False
    origin: str | None = None
    """Moov: the Origin header that its requests must have; None for any."""


@dataclass(slots=True)
class StripeKey:
    """One Stripe key."""

    account: str
    """Empty for an organization's key, which belongs to no account."""
    livemode: bool
    writes: bool

    @property
    def organization(self) -> bool:
        return not self.account
