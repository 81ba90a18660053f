"""Name the keys of Airflow's state stores, and read what they hold. docs/state.md lists them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Asset, Context

# What nobody has looked at for so long is forgotten.
_STALE_AFTER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of one of Airflow's state stores.

    :param asset: the asset whose store has it, for all runs; None for the task's own, for all its tries.
    :param pattern: its name, with ``{…}`` for each part that varies.
    """

    asset: Asset | None
    pattern: str

    def name(self, **parts: object) -> str:
        """Return the key's name with its parts filled in."""
        return self.pattern.format(**parts)

    def store(self, context: Context) -> Any:
        """Return the state store that has it."""
        if self.asset is None:
            return context["task_state_store"]
        return context["asset_state_store"][self.asset]


# How far a batch has come, for the tab Storage of its task.
PROGRESS = Key(None, "progress")


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
    from dispute_provider._transport import timeouts

    if not (until := entry.get("until")):
        return timeouts.SETTLED_AFTER
    return max(
        0.0, timeouts.SETTLED_AFTER - (datetime.now(UTC) - datetime.fromisoformat(until)).total_seconds()
    )


def run_key(context: Context) -> str:
    """What an approval is bound to: it is good in its own run only."""
    run = context["dag_run"]
    return f"{run.dag_id}/{run.run_id}"
