"""Airflow's state stores in memory, for tests that call an operator or its parts without a scheduler."""

from __future__ import annotations

import json
from typing import Any


class StateStore(dict[str, Any]):
    """The state store of one task or asset; values go through JSON.

    :ivar reads: the number of reads.
    :ivar writes: the number of writes.
    :ivar written: their bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.writes = self.written = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.reads += 1
        return super().get(key, default)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self.writes += 1
        text = json.dumps(value)
        self.written += len(text)
        self[key] = json.loads(text)

    def delete(self, key: str) -> None:
        self.pop(key, None)


class AssetStores:
    """The state stores of assets, created on first use.

    :ivar by_uri: the stores by the URI of their asset.
    """

    def __init__(self) -> None:
        self.by_uri: dict[str, StateStore] = {}

    def __getitem__(self, asset: Any) -> StateStore:
        return self.by_uri.setdefault(asset.uri, StateStore())
