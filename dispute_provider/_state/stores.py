"""Define the keys of Airflow's state stores and read their values. docs/state.md lists all keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Asset, Context

# Older entries are ignored.
_STALE_AFTER = timedelta(days=30)


def state_asset(name: str, uri: str) -> Asset:
    """Return an asset whose state store keeps values between runs, which Airflow offers only for assets.

    To normalize a URI, ``Asset`` imports the URI handlers of all installed providers, and some of these
    import Airflow's models: up to 0.1 s in every task and whenever a DAG file is parsed. The URI is therefore
    set without normalizing it.

    :param uri: in Airflow's normal form.
    """
    from airflow.sdk import Asset

    asset = Asset(name=name)
    object.__setattr__(asset, "uri", uri)
    return asset


@dataclass(frozen=True, slots=True)
class Key:
    """A key of one of Airflow's state stores.

    :param asset: the asset whose store has the key, for all runs; None for the task's own store, for all its
        tries.
    :param pattern: the key's name, with ``{…}`` for each variable part.
    """

    asset: Asset | None
    pattern: str

    def name(self, **parts: object) -> str:
        """Return the key's name with its parts filled in."""
        return self.pattern.format(**parts)

    def store(self, context: Context) -> Any:
        """Return the state store that has the key."""
        if self.asset is None:
            return context["task_state_store"]
        return context["asset_state_store"][self.asset]


# The progress of a batch, for the Storage tab of its task.
PROGRESS = Key(None, "progress")


def load(store: Any, key: str) -> dict[str, Any]:
    """Return the mapping stored under a key; an empty one if there is none."""
    stored = store.get(key)
    return stored if isinstance(stored, dict) else {}


def now() -> str:
    """Return the current time in UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat()


def fresh(entries: Mapping[str, Any], age: timedelta = _STALE_AFTER) -> dict[str, Any]:
    """Return the entries whose ``since`` is not older than ``age``; 30 days by default."""
    oldest = datetime.now(UTC) - age
    return {name: entry for name, entry in entries.items() if datetime.fromisoformat(entry["since"]) > oldest}


def run_key(context: Context) -> str:
    """Return ``dag_id/run_id``. An approval is valid only in its own run."""
    run = context["dag_run"]
    return f"{run.dag_id}/{run.run_id}"
