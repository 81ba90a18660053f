"""The synchronous hooks over the asynchronous client: in a running loop, across calls, and at their end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading

import pytest
from support import Connect

from dispute_provider._apis.api import Api
from dispute_provider._transport.http import HttpTransport
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("stripe_connection")


def test_a_call_inside_a_running_event_loop(sandbox: Sandbox) -> None:
    async def from_within() -> str:
        return str(StripeHook().call("GetAccount").data["id"])

    assert asyncio.run(from_within()) == "acct_sandbox"


def test_calls_of_one_hook_share_a_connection(sandbox: Sandbox) -> None:
    hook = StripeHook()
    sessions = {id(hook.with_api(session)) for _ in range(3)}
    assert len(sessions) == 1
    assert hook.call("GetAccount").status == 200


async def session(api: Api) -> object:
    await api.call("GetAccount")
    return api.client._transport


def test_a_timeout_cancels_the_call(sandbox: Sandbox) -> None:
    class LimitError(Exception):
        """As Airflow raises its time limit: from a signal."""

    def ring(number: int, frame: object) -> None:
        raise LimitError

    hook, ended = StripeHook(), threading.Event()

    async def endless(api: Api) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(LimitError):
            hook.with_api(endless)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended.wait(10)
    assert hook.call("GetAccount").status == 200, "it goes on working"


def test_a_garbage_collected_hook_closes_its_connections(sandbox: Sandbox) -> None:
    hook = StripeHook()
    transport = hook.with_api(session)
    assert isinstance(transport, HttpTransport)
    assert not transport._session.closed
    del hook
    gc.collect()
    assert transport._session.closed


def test_hooks_share_a_thread(sandbox: Sandbox) -> None:
    hooks = [StripeHook() for _ in range(3)]
    assert {hook.call("GetAccount").status for hook in hooks} == {200}
    assert [thread.name for thread in threading.enumerate()].count("dispute-provider") == 1


def test_a_hook_works_in_a_forked_process(sandbox: Sandbox) -> None:
    hook = StripeHook()
    hook.call("GetAccount")
    if not (child := os.fork()):
        os._exit(0 if hook.call("GetAccount").status == 200 and StripeHook().test_connection()[0] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert hook.call("GetAccount").status == 200


def test_the_first_argument_names_the_connection(sandbox: Sandbox, connect: Connect) -> None:
    sandbox.add_account(api="stripe", id="acct_other", keys={"sk_test_other": "read"})
    other = connect("stripe", "stripe_other", password="sk_test_other")
    assert StripeHook(other).call("GetAccount").data["id"] == "acct_other"
