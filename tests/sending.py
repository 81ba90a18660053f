"""What can happen to a final call on its way to the API."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from dispute_provider._transport.client import Client
from dispute_provider._transport.http import HttpTransport
from dispute_provider._transport.transport import HttpRequest, HttpResponse


def is_final(request: HttpRequest) -> bool:
    """Return whether a request submits or concedes."""
    return request.url.endswith(("/evidence/submit", "/close", "/accept")) or b"submit=true" in (
        request.body or b""
    )


def at_the_send(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object], *, checked: bool = True
) -> None:
    """Have something happen just before a final call goes out.

    :param checked: whether it happens after the last check, not before it.
    """
    left = [happens]

    class Watched(HttpTransport):
        async def send(self, request: HttpRequest) -> HttpResponse:
            if not is_final(request) or not left:
                return await super().send(request)
            then = left.pop()

            def check() -> None:
                if request.check and checked:
                    request.check()
                # Another thread has an event loop of its own; this one is blocked meanwhile.
                with ThreadPoolExecutor(1) as thread:
                    thread.submit(then).result()
                if request.check and not checked:
                    request.check()

            return await super().send(replace(request, check=check))

    monkeypatch.setattr(Client, "transport", Watched)


class Killed(BaseException):
    """The worker is killed."""


def kept_back(
    monkeypatch: pytest.MonkeyPatch, answer: HttpResponse | type[Killed] = Killed
) -> list[HttpRequest]:
    """Keep the first final call from the API until it is delivered; return a list that it is put into.

    :param answer: what a gateway answers meanwhile; :class:`Killed`, the default, where the worker is killed.
    """
    kept: list[HttpRequest] = []

    class Gateway(HttpTransport):
        async def send(self, request: HttpRequest) -> HttpResponse:
            if not is_final(request) or kept:
                return await super().send(request)
            assert request.check
            request.check()
            kept.append(request)
            if isinstance(answer, HttpResponse):
                return answer
            raise answer

    monkeypatch.setattr(Client, "transport", Gateway)
    return kept


def deliver(request: HttpRequest) -> None:
    """Have the API receive a request that was kept back."""
    late = urllib.request.Request(request.url, request.body, dict(request.headers), method=request.method)
    urllib.request.urlopen(late).close()
