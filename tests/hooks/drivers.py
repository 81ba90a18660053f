"""Both drivers of an API's steps behind one face, so that every test runs on both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from dispute_provider.apis.api import Api, Steps
from dispute_provider.contracts.answers import Answer
from dispute_provider.hooks.base import DisputeAsyncHook, DisputeHook
from dispute_provider.hooks.moov import MoovAsyncHook, MoovHook
from dispute_provider.hooks.stripe import StripeAsyncHook, StripeHook

HOOKS: dict[str, tuple[type[DisputeHook], type[DisputeAsyncHook]]] = {
    "stripe": (StripeHook, StripeAsyncHook),
    "moov": (MoovHook, MoovAsyncHook),
}


class Driver(Protocol):
    """Drives steps on the default connection of an API, in one session."""

    def run(self, api: str, *steps: Callable[[Api], Steps[Any]]) -> list[Any]: ...

    def call(self, api: str, operation: str, **arguments: Any) -> Answer: ...


class SyncDriver:
    def run(self, api: str, *steps: Callable[[Api], Steps[Any]]) -> list[Any]:
        hook = HOOKS[api][0]()
        return [hook.run_steps(step(hook.api)) for step in steps]

    def call(self, api: str, operation: str, **arguments: Any) -> Answer:
        return HOOKS[api][0]().call(operation, **arguments)


class AsyncDriver:
    def run(self, api: str, *steps: Callable[[Api], Steps[Any]]) -> list[Any]:
        async def run() -> list[Any]:
            async with HOOKS[api][1]().client() as client:
                return [await client.run_steps(step(client.api)) for step in steps]

        return asyncio.run(run())

    def call(self, api: str, operation: str, **arguments: Any) -> Answer:
        async def call() -> Answer:
            async with HOOKS[api][1]().client() as client:
                return await client.call(operation, **arguments)

        return asyncio.run(call())
