"""The synchronous hooks over the asynchronous client: in a running loop, across calls, and at their end."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading

import pytest

from dispute_provider._apis.api import Api
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("stripe_connection")
NAME = "dispute-provider"


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


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


def test_a_garbage_collected_hook_ends_its_thread(sandbox: Sandbox) -> None:
    gc.collect()
    before = set(threads())
    hook = StripeHook()
    hook.call("GetAccount")
    [own] = set(threads()) - before
    del hook
    gc.collect()
    own.join(10)
    assert not own.is_alive()
