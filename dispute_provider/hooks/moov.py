"""The hook for Moov."""

from __future__ import annotations

from dispute_provider._apis.moov import MoovApi
from dispute_provider.hooks._base import DisputeHook


class MoovHook(DisputeHook):
    """Hook for Moov connections. Airflow's HTTP operators use it, too, if their connection is of this type.

    Use :meth:`call` in synchronous code, and :meth:`session` in asynchronous code. The operations, and their
    arguments, are those in ``schemas/moov.openapi.json``.

    :param http_conn_id: id of an Airflow connection of type ``moov``; ``moov_default`` by default.
    :param method: HTTP method for Airflow's HTTP operators; ``POST`` by default. Ignored by :meth:`call`.
    :raises ConnectionConfigError: on first use, if the connection must not be used.
    """

    api_type = MoovApi
    default_conn_name = "moov_default"
    conn_type = "moov"
    hook_name = "Moov"
