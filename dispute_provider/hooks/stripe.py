"""Stripe's hooks: its API over both kinds of transport."""

from __future__ import annotations

from dispute_provider.apis.stripe import StripeApi
from dispute_provider.hooks.base import DisputeAsyncHook, DisputeHook


class StripeHook(DisputeHook):
    """Stripe over HTTP, synchronous; a stock HttpOperator on a ``stripe`` connection gets this hook.

    :param http_conn_id: id of an Airflow connection of type ``stripe``.
    """

    api_type = StripeApi
    default_conn_name = "stripe_default"
    conn_type = "stripe"
    hook_name = "Stripe"


class StripeAsyncHook(DisputeAsyncHook):
    """Stripe over HTTP, asynchronous, many calls on one pool of connections.

    :param http_conn_id: id of an Airflow connection of type ``stripe``.
    """

    api_type = StripeApi
    default_conn_name = "stripe_default"
    conn_type = "stripe"
    hook_name = "Stripe"
