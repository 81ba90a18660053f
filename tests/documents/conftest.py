"""The processes that inspect and prepare documents, one of each for a test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dispute_provider._documents import Renderer
from dispute_provider._documents.preparing import Preparer


@pytest.fixture(scope="module")
def preparer() -> Iterator[Preparer]:
    with Preparer() as opened:
        yield opened


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer() as opened:
        yield opened
