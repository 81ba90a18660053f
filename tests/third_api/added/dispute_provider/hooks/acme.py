"""Acme's hook."""

from __future__ import annotations

from dispute_provider._apis.acme import AcmeApi

from dispute_provider.hooks._base import DisputeHook


class AcmeHook(DisputeHook):
    """Acme over HTTP.

    :param http_conn_id: id of an Airflow connection of type ``acme``.
    """

    api_type = AcmeApi
    default_conn_name = "acme_default"
    conn_type = "acme"
    hook_name = "Acme"
