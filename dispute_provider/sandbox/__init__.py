"""A stateful stand-in for Stripe's and Moov's dispute APIs, on one port."""

from __future__ import annotations

from dispute_provider.sandbox._accounts import (
    MOOV_ACCOUNT,
    MOOV_MERCHANT,
    MOOV_PUBLIC_KEY,
    MOOV_SECRET_KEY,
    STRIPE_ACCOUNT,
    STRIPE_KEY,
    STRIPE_READONLY_KEY,
)
from dispute_provider.sandbox._server import Sandbox, SandboxError

__all__ = [
    "MOOV_ACCOUNT",
    "MOOV_MERCHANT",
    "MOOV_PUBLIC_KEY",
    "MOOV_SECRET_KEY",
    "STRIPE_ACCOUNT",
    "STRIPE_KEY",
    "STRIPE_READONLY_KEY",
    "Sandbox",
    "SandboxError",
]
