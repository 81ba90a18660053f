"""Read mappings and their times from Airflow's state stores."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

# What nobody has looked at for so long is forgotten.
_STALE_AFTER = timedelta(days=30)


def load(store: Any, key: str) -> dict[str, Any]:
    """What a store holds under a key; nothing, if it is no mapping."""
    stored = store.get(key)
    return stored if isinstance(stored, dict) else {}


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()


def fresh(entries: Mapping[str, Any], age: timedelta = _STALE_AFTER) -> dict[str, Any]:
    """Those that have been there no longer than this."""
    oldest = datetime.now(UTC) - age
    return {name: entry for name, entry in entries.items() if datetime.fromisoformat(entry["since"]) > oldest}


def seconds_until_settled(entry: Mapping[str, Any]) -> float:
    """Seconds; all of them where no end was noted, for the worker may have died just now."""
    from dispute_provider.transport import timeouts

    if not (until := entry.get("until")):
        return timeouts.SETTLED_AFTER
    return max(
        0.0, timeouts.SETTLED_AFTER - (datetime.now(UTC) - datetime.fromisoformat(until)).total_seconds()
    )


def run_key(context: Context) -> str:
    """What an approval is bound to: it is good in its own run only."""
    run = context["dag_run"]
    return f"{run.dag_id}/{run.run_id}"
