"""Register the APIs that this package supports."""

from __future__ import annotations

APIS = {
    "stripe": "dispute_provider._apis.stripe.StripeApi",
    "moov": "dispute_provider._apis.moov.MoovApi",
}
"""API name to the dotted name of its class. The contract file and the connection type have the same name."""
