"""The APIs that disputes can be contested at."""

from __future__ import annotations

APIS = {
    "stripe": "dispute_provider._apis.stripe.StripeApi",
    "moov": "dispute_provider._apis.moov.MoovApi",
}
"""The dotted name of each API's class, by the name of its contract file and of its connection type."""
