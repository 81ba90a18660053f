"""Recall what was read from case files and documents that have not changed since. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispute_provider import __version__
from dispute_provider._evidence.snapshot import sha256_of

# Hexadecimal digits, so 64 bits: two of a million files share a key once in 37 million sweeps.
_KEY_LENGTH = 16


class KnownCases:
    """What earlier readings found, by a key of everything that they depend on.

    :param stored: the readings to recall; an unreadable one is made again.
    :ivar used: the readings of this sweep, recalled or made, to be stored for the next.
    """

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self.stored = stored
        self.used: dict[str, str] = {}

    def recall(self, key: str | None) -> str | None:
        """Return what a reading found; None if it was not made, or depends on something unknown."""
        found = self.stored.get(key) if key else None
        if not key or not isinstance(found, str):
            return None
        self.used[key] = found
        return found

    def keep(self, key: str | None, found: str) -> None:
        """Keep what a reading found, unless it depends on something unknown."""
        if key:
            self.used[key] = found


def key_of(*parts: Any) -> str:
    """Return the key of a reading; another version of this package may read differently."""
    return sha256_of([__version__, *parts])[:_KEY_LENGTH]
