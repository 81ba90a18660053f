"""Find the operator class of an operation."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dispute_provider._explain.wording import GENERIC

if TYPE_CHECKING:
    from dispute_provider._contracts.contract import Operation


def operator_name(operation: Operation) -> str | None:
    """Return the dotted name of the operator that calls an operation.

    :param operation: an operation of any API, from :func:`~dispute_provider.load_contract`.
    :returns: ``CallOperator`` if the API has no operators of its own; None if it has, but none for this
        operation, because its answer must not reach an XCom.
    """
    name = f"dispute_provider.operators.{operation.api}"
    if find_spec(name) is None:
        return GENERIC
    for found in vars(import_module(name)).values():
        if isinstance(found, type) and getattr(found, "operation_id", None) == operation.id:
            return f"{found.__module__}.{found.__name__}"
    return None
