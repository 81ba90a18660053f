"""Measure the Evidence tab's pages: drawn when they are first seen, kept when they are seen again."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from bench.timing import Table
from dispute_provider._documents import Renderer
from dispute_provider._state import evidence_store
from dispute_provider._ui.document_pages import DocumentPages
from tests.papers import scanned

_PAGES = 49
_OPTION = "AIRFLOW__DISPUTE__EVIDENCE_STORE"


def second_look(table: Table) -> float:
    """Return the CPU time of scrolling through scanned pages again, as a share of the first time's."""
    with tempfile.TemporaryDirectory(prefix="bench-evidence-") as folder:
        before = os.environ.get(_OPTION)
        os.environ[_OPTION] = folder
        try:
            first, second, largest = asyncio.run(_scroll_twice())
        finally:
            os.environ.pop(_OPTION)
            if before is not None:
                os.environ[_OPTION] = before
    about = f"{_PAGES} scanned pages"
    table.add(about, "first look", first * 1000, "ms of CPU")
    table.add(about, "second look", second * 1000, "ms of CPU")
    table.add(about, "largest page", largest / 1000, "kB")
    return round(second / first, 4)


async def _scroll_twice() -> tuple[float, float, int]:
    sha256 = evidence_store.put(scanned(_PAGES)) or ""
    documents = DocumentPages(Renderer(children=2))
    spent, largest = [], 0
    try:
        for _ in range(2):
            began = _cpu()
            for page in range(1, _PAGES + 1):
                largest = max(largest, len(await documents.page(sha256, None, page, 1200)))
            spent.append(_cpu() - began)
    finally:
        documents.close()
    first, second = spent
    return first, second, largest


def _cpu() -> float:
    """Return the CPU seconds of this process and of its children that are running."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = time.process_time()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            _, _, facts = (process / "stat").read_text().rpartition(") ")
        except OSError:
            continue
        fields = facts.split()
        if int(fields[1]) == os.getpid():
            total += (int(fields[11]) + int(fields[12])) / ticks
    return total
