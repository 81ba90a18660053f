"""A browser in front of the API server: reviews are parked, answered and ended in Airflow's database.

No scheduler runs, so that a test chooses what happens between two steps of the page.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from desk_page import DeskPage
from playwright.sync_api import Browser, expect, sync_playwright
from viewing import Site

PATIENCE = 20_000
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window, of the system: none is downloaded."""
    path = shutil.which("chromium")
    if path is None:
        pytest.exit("no chromium on the PATH; on Debian: apt-get install chromium", returncode=2)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def address(server: Any) -> Iterator[str]:
    """The API server's address on loopback."""
    config = uvicorn.Config(server, host="127.0.0.1", port=0, log_level="warning")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.05)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join()


@pytest.fixture
def page(browser: Browser, address: str, site: Site, nothing_open: None) -> Iterator[DeskPage]:
    """The desk as ana sees it; what it asks of other hosts fails the test."""
    context = browser.new_context(
        base_url=address,
        viewport={"width": 1440, "height": 900},
        locale="en-GB",
        timezone_id="Europe/Vienna",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    context.add_cookies([{"name": "_token", "value": site.tokens["ana"], "url": address}])
    page = DeskPage(context.new_page(), site)
    yield page
    context.close()
    assert not page.strayed
    assert not page.errors
