"""Add the defaults of this package's operators to their arguments, for mapped tasks too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dispute_provider._tasks.retry import ApiRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Asset


def with_defaults(given: dict[str, Any], *memory: Asset) -> dict[str, Any]:
    """Return an operator's arguments with its retry policy and the assets that it stores state in.

    Both ``__init__`` and ``partial`` call this, because Airflow reads a mapped task's arguments from
    ``partial``.

    :param memory: assets whose state store the task uses; Airflow allows only stores of the task's own
        assets. They are inlets, because each outlet would cost an asset event whenever the task succeeds.
    """
    inlets = list(given.get("inlets") or ())
    inlets += [asset for asset in memory if asset not in inlets]
    return {**given, "retry_policy": given.get("retry_policy") or ApiRetryPolicy(), "inlets": inlets}
