"""Store what a sweep read from case files, so that the next one reads only what has changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from dispute_provider._state.stores import Key, load
from dispute_provider._state.sweep_store import REVIEWED

if TYPE_CHECKING:
    from airflow.sdk import Context

# What a sweep read, by the versions of the files; each page has many readings. Written only by the sweep.
KNOWN_CASES = Key(REVIEWED, "cases of {connection} {page}")
# Readings per page. With more, a page could exceed the size at which Airflow warns.
_READINGS_PER_PAGE = 700

_log = logging.getLogger(__name__)


def load_known(context: Context, conn_id: str) -> dict[str, Any]:
    """Return what the last sweep of a connection read, by key."""
    store = KNOWN_CASES.store(context)
    known: dict[str, Any] = {}
    for page in count():
        if not (entries := load(store, KNOWN_CASES.name(connection=conn_id, page=page))):
            return known
        known |= entries
    raise AssertionError


def save_known(context: Context, conn_id: str, before: Mapping[str, Any], known: Mapping[str, str]) -> None:
    """Store what this sweep read; a failed write only makes the next sweep read it again.

    :param before: what is stored.
    """
    if known == before:
        return
    store = KNOWN_CASES.store(context)
    try:
        entries, old = (sorted(each.items()) for each in (known, before))
        for page, start in enumerate(range(0, max(len(entries), len(old)), _READINGS_PER_PAGE)):
            name = KNOWN_CASES.name(connection=conn_id, page=page)
            if new := entries[start : start + _READINGS_PER_PAGE]:
                if new != old[start : start + _READINGS_PER_PAGE]:
                    store.set(name, dict(new))
            else:
                store.delete(name)
    except Exception as error:
        _log.warning("connection=%s: the next sweep reads all cases again: %s", conn_id, error)
