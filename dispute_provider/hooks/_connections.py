"""Create the API of a connection."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from airflow.sdk import BaseHook

from dispute_provider._apis.api import Api
from dispute_provider._registry import APIS
from dispute_provider.exceptions import ConnectionConfigError


def api_of(conn_id: str) -> Api:
    """Return the API of a connection, not opened. The connection type is the API's name.

    :raises ConnectionConfigError: if the connection is of another type, or must not be used.
    """
    return api_with(BaseHook.get_connection(conn_id))


def api_with(connection: Any) -> Api:
    """Return the API of an Airflow connection that was read; see :func:`api_of`."""
    if path := APIS.get(connection.conn_type or ""):
        module, _, name = path.rpartition(".")
        api: type[Api] = getattr(import_module(module), name)
        return api(api.check_connection(connection))
    raise foreign(connection.conn_id)


def api_for(conn_id: str, name: str) -> Api:
    """Return the API of a connection, not opened.

    :param name: the name of the API that the connection must be to.
    :raises ConnectionConfigError: if it is to another API, or must not be used.
    """
    api = api_of(conn_id)
    require_type(conn_id, api, name)
    return api


def require_type(conn_id: str, api: Api, name: str) -> None:
    """Check that a connection is to the API of a name.

    :param api: the connection's API.
    :raises ConnectionConfigError: if it is to another API.
    """
    if api.name != name:
        problem = f"connection {conn_id!r} has type {api.name}, nothing was sent"
        raise ConnectionConfigError(f"{problem}. To do: use a connection of type {name}.")


def foreign(conn_id: str) -> ConnectionConfigError:
    """Return the error for a connection of a type that is not in the registry."""
    types = " or ".join(APIS)
    return ConnectionConfigError(
        f"connection {conn_id!r} refused, nothing was sent: its type is not {types}. "
        f"To do: name a connection of type {types}."
    )
