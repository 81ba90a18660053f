"""The synchronous and the asynchronous hook that Stripe's and Moov's share.

The workflow's tasks do without them, and so without importing a second HTTP client: they send through
:mod:`~dispute_provider.transport.client` alone.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar, TypeVar

import requests
import urllib3
from airflow.providers.http.hooks.http import HttpAsyncHook, HttpHook, SessionConfig
from tenacity import Retrying

from dispute_provider.apis.api import Api, Send, Steps, Wait
from dispute_provider.contracts.answers import Answer
from dispute_provider.exceptions import ApiError, DisputeError
from dispute_provider.transport import sending
from dispute_provider.transport.client import AsyncClient, open_client, proxy_options, time_limits
from dispute_provider.transport.retries import Attempts
from dispute_provider.transport.settings import Settings
from dispute_provider.transport.unsent import tunnel_status, unsent

T = TypeVar("T")
_LATE = (TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)


def _main_url(api: Api) -> str:
    """Where operations go that name no server of their own."""
    return api.settings.base_url or str(api.contract.document["servers"][0]["url"]).rstrip("/")


class _Authorization(requests.auth.AuthBase):
    """Sets the header itself, so that neither a netrc file nor an extra can put another one in its place."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


class NetworkAdapter(requests.adapters.HTTPAdapter):
    """Connects through the proxy of a connection, with its certificates.

    :raises ConnectionConfigError: if a certificate file that the connection names cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._network = settings.network
        self._tls = settings.tls()
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._tls, **options)

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        return dict(self._network.proxy_headers)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the context verifies, and would trust whatever is added here as well."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        proxy = self._network.proxy_for(request.url or "")
        # An option of the task must not send the key elsewhere, nor unverified.
        chosen = {"proxies": {"https": proxy} if proxy else {}, "verify": True, "cert": None}
        return super().send(request, *args, **{**options, **chosen})


class DisputeHook(HttpHook):
    """The synchronous hook that Stripe's and Moov's share.

    :param http_conn_id: id of the Airflow connection.
    :raises ConnectionConfigError: on first use, if the connection must not be used as it stands.
    """

    api_type: ClassVar[type[Api]]

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
        self._connect_through(session)
        return session

    def _connect_through(self, session: requests.Session) -> None:
        """Give a session the connection's network settings, in place of what requests finds by itself."""
        session.trust_env = False
        session.mount("https://", self._adapter)

    @cached_property
    def _adapter(self) -> NetworkAdapter:
        return NetworkAdapter(self.settings)

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
                sending.url(self.settings, request),
                data=request.body,
                headers=dict(request.headers),
                auth=_Authorization(step.authorization),
                timeout=(sending.CONNECT_SECONDS, sending.READ_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = response.raw.read(sending.LARGEST_ANSWER + 1, decode_content=True)
                return sending.answer_to(step, self.settings, response.status_code, response.headers, body)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # urllib3 raises its own errors while a streamed body is read.
            if isinstance(error, requests.exceptions.ConnectionError) and _never_left(error):
                raise sending.unreachable(self.settings, request, error) from None
            raise sending.no_answer(request, error, late=isinstance(error, _LATE)) from None

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
        options = {"allow_redirects": False, "timeout": (sending.CONNECT_SECONDS, sending.READ_SECONDS)}
        return super().get_conn(headers, options | (extra_options or {}))

    def _set_base_url(self, connection: Any) -> None:
        self.base_url = _main_url(self.api)
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
        self._connect_through(session)
        session.headers.update(self.settings.headers)
        return session

    def _configure_session_from_mount_adapters(self, session: requests.Session) -> requests.Session:
        return session  # its adapter is mounted already

    def run_and_check(
        self, session: requests.Session, prepped_request: requests.PreparedRequest, extra_options: Any
    ) -> Any:
        try:
            return super().run_and_check(session, prepped_request, extra_options)
        except requests.exceptions.ConnectionError as error:
            if not _never_left(error):
                raise
            url = prepped_request.url or ""
            operation = f"{prepped_request.method} {prepped_request.path_url.partition('?')[0]}"
            raise unsent(error, operation, url, self.settings.network.proxy_for(url)) from None

    def check_response(self, response: requests.Response) -> None:
        if response.status_code >= 300:
            request_id = response.headers.get("Request-Id") or response.headers.get("x-request-id")
            raise ApiError(
                "the call was refused or redirected.",
                operation=f"{response.request.method} {response.request.path_url.partition('?')[0]}",
                status=response.status_code,
                request_id=request_id,
            )


def _never_left(error: requests.exceptions.ConnectionError) -> bool:
    """Whether there was no connection to send on: all else may have broken after the request was sent."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, urllib3.exceptions.ProxyError):
        # urllib3 1.26 calls what breaks after the proxy has connected a proxy's error as well.
        reason = reason.original_error
        if tunnel_status(reason):
            return True
    if isinstance(reason, urllib3.exceptions.SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


class DisputeAsyncHook(HttpAsyncHook):
    """The asynchronous hook that Stripe's and Moov's share.

    :param http_conn_id: id of the Airflow connection.
    """

    api_type: ClassVar[type[Api]]

    def __init__(self, http_conn_id: str | None = None, method: str = "POST", **options: Any) -> None:
        # The base class would send a failed POST three times.
        super().__init__(method, http_conn_id or self.default_conn_name, **{"retry_limit": 1, **options})

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncClient]:
        """Open a session.

        :raises ConnectionConfigError: if the connection must not be used as it stands.
        """
        async with open_client(await self._api()) as client:
            yield client

    async def _api(self) -> Api:
        from airflow.providers.common.compat.connection import get_async_connection

        connection = await get_async_connection(self.http_conn_id)
        return self.api_type(self.api_type.check_connection(connection))

    async def config(self) -> SessionConfig:
        """For the base class's own ``run``: the same host and key, and nothing of the extras.

        Not kept, as the base class does: a token ends.
        """
        api = await self._api()
        authorization = api.settings.authorization
        if api.settings.oauth:
            async with open_client(api) as client:
                authorization = f"Bearer {(await client.run_steps(api.mint())).value}"
        url = _main_url(api)
        return SessionConfig(
            base_url=url,
            headers={**api.settings.headers, "Authorization": authorization},
            extra_options={
                "allow_redirects": False,
                "timeout": time_limits(),
                "ssl": api.settings.tls() or True,
                **proxy_options(api.settings.network, url),
            },
        )
