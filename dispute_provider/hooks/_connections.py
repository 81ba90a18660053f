"""Open the API that a connection leads to."""

from __future__ import annotations

from importlib import import_module

from airflow.sdk import BaseHook

from dispute_provider._apis.api import Api
from dispute_provider._registry import APIS
from dispute_provider.exceptions import ConnectionConfigError


def api_of(conn_id: str) -> Api:
    """The API of a connection, whose type has the API's name.

    :raises ConnectionConfigError: if it is of a type that has nothing to do with disputes, or if it must not
        be used as it stands.
    """
    connection = BaseHook.get_connection(conn_id)
    if path := APIS.get(connection.conn_type or ""):
        module, _, name = path.rpartition(".")
        api: type[Api] = getattr(import_module(module), name)
        return api(api.check_connection(connection))
    raise foreign(conn_id)


def foreign(conn_id: str) -> ConnectionConfigError:
    """The error for a connection of another type."""
    return ConnectionConfigError(f"connection {conn_id!r} is of no type that disputes can be contested with")
