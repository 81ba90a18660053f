"""Moov's hook."""

from __future__ import annotations

from dispute_provider._apis.moov import MoovApi
from dispute_provider.hooks._base import DisputeHook


class MoovHook(DisputeHook):
    """Moov over HTTP; a stock HttpOperator on a ``moov`` connection gets this hook.

    Call it from synchronous code with :meth:`call`, from asynchronous code within :meth:`session`.

    :param http_conn_id: id of an Airflow connection of type ``moov``.
    """

    api_type = MoovApi
    default_conn_name = "moov_default"
    conn_type = "moov"
    hook_name = "Moov"
