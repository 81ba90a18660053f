"""A stand-in for Acme, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from acme_server import Acme, connected


@pytest.fixture
def acme() -> Acme:
    """Acme without any case."""
    return Acme()


@pytest.fixture
def acme_connection(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of a connection to Acme."""
    with connected(acme, monkeypatch) as conn_id:
        yield conn_id
