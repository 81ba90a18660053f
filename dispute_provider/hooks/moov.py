"""Moov's hooks: its API over both kinds of transport."""

from __future__ import annotations

from dispute_provider.apis.moov import MoovApi
from dispute_provider.hooks.base import DisputeAsyncHook, DisputeHook


class MoovHook(DisputeHook):
    """Moov over HTTP, synchronous; a stock HttpOperator on a ``moov`` connection gets this hook.

    :param http_conn_id: id of an Airflow connection of type ``moov``.
    """

    api_type = MoovApi
    default_conn_name = "moov_default"
    conn_type = "moov"
    hook_name = "Moov"


class MoovAsyncHook(DisputeAsyncHook):
    """Moov over HTTP, asynchronous, many calls on one pool of connections.

    :param http_conn_id: id of an Airflow connection of type ``moov``.
    """

    api_type = MoovApi
    default_conn_name = "moov_default"
    conn_type = "moov"
    hook_name = "Moov"
