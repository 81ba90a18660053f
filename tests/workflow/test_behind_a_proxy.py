"""Stage, review and submit behind a proxy, on connections as the README writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flows import SMALL, contest
from intercepting import API_HOSTS, Authority, Interceptor, hide_names
from support import Connect

from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

CASES: dict[str, dict[str, Any]] = {
    "stripe": {"evidence": {"uncategorized_text": "Signed for on 12 November."}},
    "moov": {"evidence": {"cover-letter": "Signed for on 12 November."}},
}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def proxy(sandbox: Sandbox, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Interceptor]:
    """A proxy; without it no name of an API can be resolved."""
    hide_names(monkeypatch)
    with Interceptor(sandbox.url, authority.issue("good"), user_password="ana:secret") as running:
        yield running


@pytest.mark.parametrize("by", ["connection", "environment"])
@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_a_dispute_is_submitted(
    kind: str,
    by: str,
    engine: Any,
    sandbox: Sandbox,
    connect: Connect,
    proxy: Interceptor,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, bundle = f"http://ana:secret@{proxy.address}", str(authority.bundle)
    extra = {"account": MOOV_ACCOUNT} if kind == "moov" else {}
    if by == "connection":
        conn_id = connect(kind, host=None, extra={**extra, "proxy": address, "ca_bundle": bundle})
    else:
        conn_id = connect(kind, host=None, extra=extra)
        monkeypatch.setenv("HTTPS_PROXY", address)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    dispute = sandbox.create_dispute(api=kind, amount=1000)["id"]
    case = {"provider": kind, "dispute": dispute, **CASES[kind]}
    run = engine.run(contest([case], conn_id, policy=SMALL))
    assert run.state == "success"
    assert len(sandbox.dispute(dispute)["submissions"]) == 1
    assert set(proxy.connects) <= {f"{host}:443" for host in API_HOSTS}
