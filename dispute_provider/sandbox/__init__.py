"""A stateful stand-in for Stripe's and Moov's dispute APIs, on one port."""

from __future__ import annotations

from dispute_provider.sandbox.server import Sandbox, SandboxError
from dispute_provider.sandbox.state import (
    MOOV_ACCOUNT,
    MOOV_MERCHANT,
    MOOV_PUBLIC_KEY,
    MOOV_SECRET_KEY,
    STRIPE_ACCOUNT,
    STRIPE_KEY,
    STRIPE_READONLY_KEY,
)

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
