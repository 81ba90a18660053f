"""A store in memory that counts the calls to it."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, ClassVar

import pytest
from airflow.sdk.io import store as airflow_store
from fsspec.implementations.memory import MemoryFileSystem


class Store(MemoryFileSystem):  # type: ignore[misc]  # of an untyped module
    """A store with ETags, as object stores have them; it counts the calls for each path."""

    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.store.clear()
        self.calls: Counter[tuple[str, str]] = Counter()

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        self.calls["list", path] += 1
        infos = [self._tagged(info) for info in super().ls(path, detail=True, **options)]
        return infos if detail else [info["name"] for info in infos]

    def info(self, path: str, **options: Any) -> Any:
        self.calls["info", path] += 1
        return self._tagged(super().info(path, **options))

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode == "rb":
            self.calls["read", path] += 1
        return super().open(path, mode, **options)

    def cat_file(self, path: str, **options: Any) -> Any:
        self.calls["read", path] += 1
        return super().cat_file(path, **options)

    def _tagged(self, info: dict[str, Any]) -> dict[str, Any]:
        if info["type"] != "file":
            return info
        content = self.store[info["name"]].getvalue()
        return {**info, "ETag": hashlib.md5(content, usedforsecurity=False).hexdigest()}

    def read(self) -> set[str]:
        """Return the files that were read since the last call, and count from zero again."""
        read = {path for what, path in self.calls if what == "read"}
        self.calls.clear()
        return read


def counting_store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the store of all ``memory://`` addresses, for the rest of a test."""
    store = Store()
    # attach() keeps the first file system of a scheme.
    attached = airflow_store.ObjectStore("memory", None, store)
    monkeypatch.setitem(airflow_store._STORE_CACHE, "memory", attached)
    return store
