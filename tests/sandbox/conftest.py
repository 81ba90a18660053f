from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, STRIPE_KEY, Sandbox


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """Return the shared sandbox, reset and with a frozen clock."""
    running.reset()
    running.clock(frozen=True)
    return running


@pytest.fixture
def stripe(sandbox: Sandbox) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
    with httpx.Client(base_url=f"{sandbox.url}/v1", headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def moov(sandbox: Sandbox) -> Iterator[httpx.Client]:
    url = f"{sandbox.url}/accounts/{MOOV_ACCOUNT}"
    with httpx.Client(base_url=url, auth=(MOOV_PUBLIC_KEY, MOOV_SECRET_KEY), trust_env=False) as client:
        yield client
