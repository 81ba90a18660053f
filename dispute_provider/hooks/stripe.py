"""Stripe's hook."""

from __future__ import annotations

from dispute_provider._apis.stripe import StripeApi
from dispute_provider.hooks._base import DisputeHook


class StripeHook(DisputeHook):
    """Stripe over HTTP; a stock HttpOperator on a ``stripe`` connection gets this hook.

    Call it from synchronous code with :meth:`call`, from asynchronous code within :meth:`session`.

    :param http_conn_id: id of an Airflow connection of type ``stripe``.
    """

    api_type = StripeApi
    default_conn_name = "stripe_default"
    conn_type = "stripe"
    hook_name = "Stripe"
