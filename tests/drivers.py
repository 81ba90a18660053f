"""Use hooks synchronously and asynchronously through one interface, so that each test covers both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from dispute_provider._apis.api import Api
from dispute_provider._contracts.answers import Answer
from dispute_provider.hooks._base import DisputeHook
from dispute_provider.hooks.moov import MoovHook
from dispute_provider.hooks.stripe import StripeHook

HOOKS: dict[str, type[DisputeHook]] = {"stripe": StripeHook, "moov": MoovHook}
Work = Callable[[Api], Coroutine[Any, Any, Any]]


class Driver(Protocol):
    """Runs calls on the default connection of an API, in one session."""

    def run(self, api: str, *works: Work) -> list[Any]: ...

    def call(self, api: str, operation: str, **arguments: Any) -> Answer: ...


class SyncDriver:
    def run(self, api: str, *works: Work) -> list[Any]:
        hook = HOOKS[api]()
        return [hook.with_api(work) for work in works]

    def call(self, api: str, operation: str, **arguments: Any) -> Answer:
        return HOOKS[api]().call(operation, **arguments)


class AsyncDriver:
    def run(self, api: str, *works: Work) -> list[Any]:
        async def run() -> list[Any]:
            async with HOOKS[api]().session() as opened:
                return [await work(opened) for work in works]

        return asyncio.run(run())

    def call(self, api: str, operation: str, **arguments: Any) -> Answer:
        async def call() -> Answer:
            async with HOOKS[api]().session() as opened:
                return await opened.call(operation, **arguments)

        return asyncio.run(call())
