"""The processes that inspect and prepare documents, one of each for a test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dispute_provider._documents import Renderer, process
from dispute_provider._documents.preparing import Preparer


@pytest.fixture(scope="session", autouse=True)
def shipped_fonts_only() -> Iterator[None]:
    """Hide the fonts of the machine, so that each machine sets and refuses the same texts."""
    without = "from dispute_provider._documents.child import fonts; fonts.SYSTEM = (); "
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(process, "_START", process._START.replace("from ", f"{without}from ", 1))
        yield


@pytest.fixture(scope="module")
def preparer() -> Iterator[Preparer]:
    with Preparer() as opened:
        yield opened


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer() as opened:
        yield opened
