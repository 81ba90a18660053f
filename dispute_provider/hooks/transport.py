"""Sending: the synchronous and the asynchronous hook, and the two drivers of an API's steps.

Both keep to the same: time limits, no redirects, answers bounded in size.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from math import inf
from typing import Any, ClassVar, TypeVar

import aiohttp
import requests
import urllib3
from airflow.providers.http.hooks.http import HttpAsyncHook, HttpHook, SessionConfig
from tenacity import AsyncRetrying, Retrying
from yarl import URL

from dispute_provider.answers import Answer, read_answer, unreadable
from dispute_provider.contract import Request, load
from dispute_provider.exceptions import (
    ApiError,
    DisputeError,
    RateLimitedError,
    UnreachableError,
)
from dispute_provider.hooks.api import Api, Send, Steps, Wait
from dispute_provider.hooks.attempts import Attempts
from dispute_provider.hooks.limiter import Limiter
from dispute_provider.hooks.settings import Settings

T = TypeVar("T")
CONNECT_SECONDS = 10.0
READ_SECONDS = 80.0
LARGEST_ANSWER = 16 * 1024 * 1024
# Stripe's code for a 429 that is about one object, which another request holds, and about no rate.
_LOCKED = "lock_timeout"
_LATE = (TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)


def _url(settings: Settings, request: Request) -> str:
    return (settings.base_url or request.operation.server) + request.path


def _main_url(settings: Settings, api: type[Api]) -> str:
    """Where operations go that name no server of their own."""
    return settings.base_url or str(load(api.name).document["servers"][0]["url"]).rstrip("/")


def _timeout() -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)


def _too_large(request: Request, status: int) -> ApiError:
    return unreadable(request, f"the answer is larger than {LARGEST_ANSWER:,} bytes", status)


class _Authorization(requests.auth.AuthBase):
    """Sets the header itself, so that neither a netrc file nor an extra can put another one in its place."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


class DisputeHook(HttpHook):
    """The synchronous hook that Stripe's and Moov's share.

    :param http_conn_id: id of the Airflow connection.
    :raises ConnectionConfigError: on first use, if the connection must not be used as it stands.
    """

    api_type: ClassVar[type[Api]]
    async_hook_type: ClassVar[type[DisputeAsyncHook]]

    def __init__(self, method: str = "POST", http_conn_id: str | None = None, **options: Any) -> None:
        super().__init__(method, http_conn_id or self.default_conn_name, **options)

    @cached_property
    def settings(self) -> Settings:
        return self.api_type.check_connection(self.get_connection(self.http_conn_id))

    @cached_property
    def api(self) -> Api:
        return self.api_type(self.settings)

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return session

    def call(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Answer:
        """Make one call by the API's own name for it.

        :raises ApiError: one of the tree.
        """
        return self.run_steps(self.api.call(operation_id, account, **arguments))

    def run_steps(self, steps: Steps[T]) -> T:
        """Drive an API's steps to their end."""
        try:
            step = next(steps)
            while True:
                try:
                    result = self._take(step)
                except DisputeError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # a generator's return value is Any

    def _take(self, step: Send | Wait) -> Answer | None:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        try:
            return self._send(step)
        except ApiError as error:
            attempts = Attempts(step.request, error)

        def attempt() -> Answer:
            attempts.raise_first()
            return self._send(step)

        try:
            return attempts.answered(Retrying(**attempts.policy)(attempt))
        except ApiError as error:
            raise attempts.failed(error) from None

    def _send(self, step: Send) -> Answer:
        request = step.request
        try:
            with self._session.request(
                request.method,
                _url(self.settings, request),
                data=request.body,
                headers=dict(request.headers),
                auth=_Authorization(step.authorization),
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = response.raw.read(LARGEST_ANSWER + 1, decode_content=True)
                if len(body) > LARGEST_ANSWER:
                    raise _too_large(request, response.status_code)
                return read_answer(
                    request,
                    response.status_code,
                    response.headers,
                    body,
                    step.authorization,
                    self.settings.authorization,
                )
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # urllib3 raises its own errors while a streamed body is read.
            never_left = isinstance(error, requests.exceptions.ConnectionError) and _never_left(error)
            raise (_unreachable if never_left else _no_answer)(request, error) from None

    def test_connection(self) -> tuple[bool, str]:
        """A harmless read that says which account and mode it reached."""
        try:
            return True, f"Reached {self.run_steps(self.api.probe())}."
        except DisputeError as error:
            return False, str(error)

    # What follows makes a stock HttpOperator on this connection safe: https, the key as the only header that
    # comes from the connection, time limits, no redirects, no body of an error in the log.

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        options = {"allow_redirects": False, "timeout": (CONNECT_SECONDS, READ_SECONDS)}
        return super().get_conn(headers, options | (extra_options or {}))

    def _set_base_url(self, connection: Any) -> None:
        self.base_url = _main_url(self.settings, self.api_type)
        self._base_url_initialized = True

    def _configure_session_from_auth(self, session: requests.Session, connection: Any) -> requests.Session:
        authorization = self.settings.authorization
        if self.settings.oauth:
            authorization = f"Bearer {self.run_steps(self.api.mint()).value}"
        session.auth = _Authorization(authorization)
        return session

    def _configure_session_from_extra(
        self, session: requests.Session, connection: Any, extra_options: dict[str, Any]
    ) -> requests.Session:
        self.merged_extra = {**extra_options, "allow_redirects": False}
        session.headers.update(self.settings.headers)
        return session

    def check_response(self, response: requests.Response) -> None:
        if response.status_code >= 300:
            request_id = response.headers.get("Request-Id") or response.headers.get("x-request-id")
            raise ApiError(
                "the call was refused or redirected.",
                operation=f"{response.request.method} {response.request.path_url.partition('?')[0]}",
                status=response.status_code,
                request_id=request_id,
            )


class AsyncClient:
    """One session with an API: a pool of connections under the connection's rate limit.

    :param unusable: why nothing may be sent in it; every use of it meets this error.
    """

    def __init__(self, api: Api, session: aiohttp.ClientSession) -> None:
        self.api = api
        self.unusable: ApiError | None = None
        self._session = session
        self._limiter = Limiter(api.settings)

    async def call(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Answer:
        """Make one call by the API's own name for it.

        :raises ApiError: one of the tree.
        """
        return await self.run_steps(self.api.call(operation_id, account, **arguments))

    async def run_steps(self, steps: Steps[T]) -> T:
        """Drive an API's steps to their end."""
        try:
            step = next(steps)
            while True:
                try:
                    result = await self._take(step)
                except DisputeError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # a generator's return value is Any

    async def _take(self, step: Send | Wait) -> Answer | None:
        if self.unusable:
            raise self.unusable
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._send(step)
        except ApiError as error:
            attempts = Attempts(step.request, error)

        async def attempt() -> Answer:
            attempts.raise_first()
            return await self._send(step)

        try:
            return attempts.answered(await AsyncRetrying(**attempts.policy)(attempt))
        except ApiError as error:
            raise attempts.failed(error) from None

    async def _send(self, step: Send) -> Answer:
        request = step.request
        turn = await self._limiter.turn(request.operation)
        try:
            async with self._session.request(
                request.method,
                URL(_url(self.api.settings, request), encoded=True),
                data=request.body,
                headers={**request.headers, "Authorization": step.authorization},
                allow_redirects=False,
            ) as response:
                self._limiter.answered(request.operation, turn)
                body = await _body(response)
                if len(body) > LARGEST_ANSWER:
                    raise _too_large(request, response.status)
                return read_answer(
                    request,
                    response.status,
                    response.headers,
                    body,
                    step.authorization,
                    self.api.settings.authorization,
                )
        except RateLimitedError as error:
            if error.code != _LOCKED:
                self._limiter.slow(request.operation)
            raise
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _unreachable(request, error) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _no_answer(request, error) from None


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """What was answered; of what is too large, a little more than is allowed."""
    # Most answers say how long they are. Of a compressed one that says nothing of what it unfolds to.
    if (response.content_length or inf) <= LARGEST_ANSWER and "Content-Encoding" not in response.headers:
        return await response.read()
    body = bytearray()
    async for piece in response.content.iter_chunked(1 << 16):
        body += piece
        if len(body) > LARGEST_ANSWER:
            break
    return bytes(body)


def _never_left(error: requests.exceptions.ConnectionError) -> bool:
    """Whether there was no connection to send on: all else may have broken after the request was sent."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, urllib3.exceptions.SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _unreachable(request: Request, error: BaseException) -> ApiError:
    return UnreachableError(f"no connection: {type(error).__name__}.", operation=request.operation.id)


def _no_answer(request: Request, error: BaseException) -> ApiError:
    problem = f"the connection broke before the answer was read: {type(error).__name__}"
    return unreadable(request, problem, under_way=isinstance(error, _LATE))


class DisputeAsyncHook(HttpAsyncHook):
    """The asynchronous hook that Stripe's and Moov's share.

    :param http_conn_id: id of the Airflow connection.
    """

    api_type: ClassVar[type[Api]]

    def __init__(self, http_conn_id: str | None = None, method: str = "POST", **options: Any) -> None:
        # The base class would send a failed POST three times.
        super().__init__(method, http_conn_id or self.default_conn_name, **{"retry_limit": 1, **options})

    @asynccontextmanager
    async def client(self, settings: Settings | None = None) -> AsyncIterator[AsyncClient]:
        """Open a session.

        :param settings: the connection, where the caller has checked it already.
        :raises ConnectionConfigError: if the connection must not be used as it stands.
        """
        api = self.api_type(settings or await self._settings())
        async with aiohttp.ClientSession(timeout=_timeout(), cookie_jar=aiohttp.DummyCookieJar()) as session:
            client = AsyncClient(api, session)
            try:
                await client.run_steps(api.prepare())
            except ApiError as error:
                # What it means for a dispute, the steps of that dispute say.
                client.unusable = error
            yield client

    async def _settings(self) -> Settings:
        from airflow.providers.common.compat.connection import get_async_connection

        return self.api_type.check_connection(await get_async_connection(self.http_conn_id, hook=self))

    async def config(self) -> SessionConfig:
        """For the base class's own ``run``: the same host and key, and nothing of the extras.

        Not kept, as the base class does: a token ends.
        """
        settings = await self._settings()
        authorization = settings.authorization
        if settings.oauth:
            async with self.client(settings) as client:
                authorization = f"Bearer {(await client.run_steps(client.api.mint())).value}"
        return SessionConfig(
            base_url=_main_url(settings, self.api_type),
            headers={**settings.headers, "Authorization": authorization},
            extra_options={"allow_redirects": False, "timeout": _timeout()},
        )
