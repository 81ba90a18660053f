"""A task that is stopped between the check of its claim and the send, while another takes the claim over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import steps
from drivers import HOOKS
from support import Connect, pass_time

from dispute_provider.apis.api import Api
from dispute_provider.evidence.case import Case
from dispute_provider.evidence.record import Record, State
from dispute_provider.sandbox import Sandbox
from dispute_provider.transport.client import Client
from dispute_provider.transport.http import HttpTransport
from dispute_provider.transport.transport import HttpRequest, HttpResponse

EVIDENCE = {"stripe": {"customer_name": "Zoë"}, "moov": {"cover-letter": "We sent it."}}


class Stopping(HttpTransport):
    """Has something else happen after the check of the next request that has one, before it is written."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        meanwhile = Stopping.meanwhile
        if meanwhile is None or request.check is None:
            return await super().send(request)
        Stopping.meanwhile = None
        request.check()
        await meanwhile()
        return await super().send(replace(request, check=None))


@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_a_send_whose_claim_was_taken_over_is_one_by_its_key_or_says_that_there_may_be_two(
    api: str, sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(api)
    pass_time(monkeypatch)
    monkeypatch.setattr(Client, "transport", Stopping)
    # The APIs' own guard against a second submission must not hide the lack of ours.
    sandbox.settings(permissive=True)
    dispute = sandbox.create_dispute(api=api)["id"]
    case = Case.parse({"provider": api, "dispute": dispute, "evidence": EVIDENCE[api]})

    async def play() -> tuple[Record, list[Record]]:
        async with HOOKS[api]().session() as opened:
            assert isinstance(opened, Api)
            record = Record(api, f"{api}_default", dispute, State.STAGED, "")
            staged = await steps.stage(opened, case, {}, record)
            other: list[Record] = []

            async def submit() -> None:
                other.append(await steps.submit(opened, staged))

            Stopping.meanwhile = submit
            return await steps.submit(opened, staged), other

    stopped, (other,) = asyncio.run(play())
    assert other.state == State.SUBMITTED
    submissions = sandbox.journal(submitted=True)
    if api == "stripe":
        assert (len(submissions), stopped.state) == (1, State.SUBMITTED)
        return
    assert (len(submissions), stopped.state) == (2, State.SUBMITTED_DIFFERS)
    assert "another task had taken its claim over, and may have submitted it as well" in stopped.reason
