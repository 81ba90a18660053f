"""A stateful stand-in server for the dispute APIs of Stripe and Moov, for demos and tests.

It answers as the APIs do, keeps a journal of every request, and can inject faults::

    from dispute_provider.sandbox import Sandbox

    with Sandbox() as sandbox:
        dispute = sandbox.create_dispute(api="stripe", reason="product_not_received")
        ...  # point a Stripe connection at sandbox.url, with STRIPE_KEY as its key
        assert sandbox.dispute(dispute["id"])["submissions"]

``python -m dispute_provider.sandbox --port 8030`` runs it as a process.

A new sandbox knows one Stripe account (``STRIPE_ACCOUNT``, with the keys ``STRIPE_KEY`` and, without write
access, ``STRIPE_READONLY_KEY``) and one Moov account (``MOOV_ACCOUNT``, with ``MOOV_PUBLIC_KEY`` and
``MOOV_SECRET_KEY``); Moov disputes are of the merchant ``MOOV_MERCHANT`` unless created with another one.
"""

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
