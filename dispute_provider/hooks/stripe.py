"""The hook for Stripe."""

from __future__ import annotations

from dispute_provider._apis.stripe import StripeApi
from dispute_provider.hooks._base import DisputeHook


class StripeHook(DisputeHook):
    """Hook for Stripe connections. Airflow's HTTP operators use it, too, if their connection is of this type.

    Use :meth:`call` in synchronous code, and :meth:`session` in asynchronous code. The operations, and their
    arguments, are those in ``schemas/stripe.openapi.json``.

    :param http_conn_id: id of an Airflow connection of type ``stripe``; ``stripe_default`` by default.
    :param method: HTTP method for Airflow's HTTP operators; ``POST`` by default. Ignored by :meth:`call`.
    :raises ConnectionConfigError: on first use, if the connection must not be used.
    """

    api_type = StripeApi
    default_conn_name = "stripe_default"
    conn_type = "stripe"
    hook_name = "Stripe"
