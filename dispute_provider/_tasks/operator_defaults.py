"""Add our operators' defaults to the arguments of a DAG, for mapped tasks as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dispute_provider._tasks.retry import ApiRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Asset


def with_defaults(given: dict[str, Any], *memory: Asset) -> dict[str, Any]:
    """Return the arguments of an operator with its retry policy, and with the assets that it keeps state at.

    Airflow reads those of a mapped task from ``partial``, before any constructor has run: both ask here.

    :param memory: assets whose state store the task uses; a task has the stores of its own assets only.
    """
    outlets = list(given.get("outlets") or ())
    outlets += [asset for asset in memory if asset not in outlets]
    return {**given, "retry_policy": given.get("retry_policy") or ApiRetryPolicy(), "outlets": outlets}
