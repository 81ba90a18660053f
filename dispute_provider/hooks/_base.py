"""The base class of the hooks.

The operators of the workflow don't use hooks, to avoid importing a second HTTP client. They send through
:mod:`~dispute_provider._transport.client`.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import requests
import urllib3
from airflow.providers.http.hooks.http import HttpHook

from dispute_provider._apis.api import Api
from dispute_provider._contracts.answers import Answer
from dispute_provider._contracts.headers import header
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider._transport.timeouts import CONNECT_SECONDS, READ_SECONDS
from dispute_provider._transport.unsent import tunnel_status, unsent
from dispute_provider.exceptions import ApiError, DisputeError
from dispute_provider.hooks._blocking import BlockingSession

T = TypeVar("T")


def _main_url(api: Api) -> str:
    """Return the URL of the server for operations that the contract assigns no other server."""
    own = str(api.contract.document["servers"][0]["url"]).rstrip("/")
    return api.settings.base_url or api.settings.server or own


class _Authorization(requests.auth.AuthBase):
    """Sets the header with the key, so that neither a netrc file nor an extra can replace it."""

    def __init__(self, header: str, value: str) -> None:
        self._header, self._value = header, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[self._header] = self._value
        return request


class NetworkAdapter(requests.adapters.HTTPAdapter):
    """Connects through the proxy of a connection, with its certificates.

    :param settings: the connection's settings.
    :raises ConnectionConfigError: if a certificate file of the connection cannot be used.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
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
        """Do nothing. The TLS context verifies certificates; requests would add further trusted ones here."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        proxy = self._network.proxy_for(request.url or "")
        # The task's options must not send the key to another host, or to an unverified one.
        chosen = {"proxies": {"https": proxy} if proxy else {}, "verify": True, "cert": None}
        return super().send(request, *args, **{**options, **chosen})


class DisputeHook(HttpHook):
    """Base class of the hooks.

    It extends Airflow's ``HttpHook``, so that Airflow's HTTP operators work on these connections, with https,
    without redirects, with timeouts of 10 s to connect and 80 s to read, and without error bodies in logs.

    :param http_conn_id: id of the Airflow connection; None, the default, for ``default_conn_name``.
    :param method: HTTP method for Airflow's HTTP operators; ``POST`` by default. Ignored by :meth:`call`.
    :param options: further parameters of ``HttpHook``.
    :raises ConnectionConfigError: on first use, if the connection must not be used.
    """

    api_type: ClassVar[type[Api]]
    """The API module that this hook opens."""

    def __init__(self, http_conn_id: str | None = None, method: str = "POST", **options: Any) -> None:
        # HttpHook takes the method first; a connection's id given first would then go unnoticed.
        super().__init__(method, http_conn_id or self.default_conn_name, **options)

    @cached_property
    def settings(self) -> ConnectionSettings:
        """The settings of the connection.

        :raises ConnectionConfigError: if the connection must not be used.
        """
        return self.api_type.check_connection(self.get_connection(self.http_conn_id))

    @cached_property
    def api(self) -> Api:
        """The API, not opened.

        :raises ConnectionConfigError: if the connection must not be used.
        """
        return self.api_type(self.settings)

    @cached_property
    def _session(self) -> BlockingSession:
        return BlockingSession(self.api)

    def _connect_through(self, session: requests.Session) -> None:
        """Make a session use the connection's network settings, and not those that requests detects."""
        session.trust_env = False
        session.mount("https://", self._adapter)

    @cached_property
    def _adapter(self) -> NetworkAdapter:
        return NetworkAdapter(self.settings)

    def call(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Answer:
        """Call an operation of the API, and wait for its answer.

        A submission or concession is sent as given: only the operators read the dispute first, and use the
        ledger.

        :param operation_id: the ``operationId`` in the API's contract (``schemas/``), such as
            ``GetDisputes``.
        :param account: the account to act for; None, the default, for the connection's account. Ignored if
            the operation takes no account.
        :param arguments: by the contract's names. They take precedence over the connection's settings. None
            counts as not given.
        :returns: the answer, validated against the contract; its ``data`` is the decoded JSON.
        :raises ConnectionConfigError: if the connection must not be used. Nothing was sent.
        :raises InvalidRequestError: with every violation, if the arguments are invalid. Nothing was sent.
        :raises ApiError: if the call fails; :class:`~dispute_provider.exceptions.AmbiguousError` if the API
            may have carried it out.
        """
        return self.with_api(lambda api: api.call(operation_id, account, **arguments))

    def with_api(self, work: Callable[[Api], Coroutine[Any, Any, T]]) -> T:
        """Run an asynchronous function with the API, and wait for its result.

        The caller may itself run in an event loop, which is then blocked.

        :param work: an asynchronous function that takes the open API.
        :raises ConnectionConfigError: if the connection must not be used.
        """
        return self._session.run(work)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Api]:
        """Open the API for asynchronous code, which can make many calls concurrently within the rate limit.

        :raises ConnectionConfigError: if the connection must not be used.
        """
        from airflow.providers.common.compat.connection import get_async_connection

        connection = await get_async_connection(self.http_conn_id)
        async with self.api_type(self.api_type.check_connection(connection)) as api:
            yield api

    def test_connection(self) -> tuple[bool, str]:
        """Read the account, for the *Test* button.

        :returns: True and the account with its mode, or False and the error.
        """
        try:
            return True, f"Reached {self.with_api(lambda api: api.probe())}."
        except DisputeError as error:
            return False, str(error)

    # The methods below make Airflow's HTTP operators safe on this connection: https, no header from the
    # connection but the key, timeouts, no redirects, and no error body in the log.

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        options = {"allow_redirects": False, "timeout": (CONNECT_SECONDS, READ_SECONDS)}
        return super().get_conn(headers, options | (extra_options or {}))

    def _set_base_url(self, connection: Any) -> None:
        self.base_url = _main_url(self.api)
        self._base_url_initialized = True

    def _configure_session_from_auth(self, session: requests.Session, connection: Any) -> requests.Session:
        authorization = self.settings.authorization
        if self.settings.oauth:
            authorization = f"Bearer {self.with_api(lambda api: api.mint()).value}"
        session.auth = _Authorization(self.api.contract.key_header, authorization)
        return session

    def _configure_session_from_extra(
        self, session: requests.Session, connection: Any, extra_options: dict[str, Any]
    ) -> requests.Session:
        self.merged_extra = {**extra_options, "allow_redirects": False}
        self._connect_through(session)
        session.headers.update(self.settings.headers)
        return session

    def _configure_session_from_mount_adapters(self, session: requests.Session) -> requests.Session:
        return session  # _connect_through has mounted the adapter

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
            request_id = header(self.api.contract, "request-id", response.headers)
            raise ApiError(
                "the API refused or redirected the call.",
                operation=f"{response.request.method} {response.request.path_url.partition('?')[0]}",
                status=response.status_code,
                request_id=request_id,
            )


def _never_left(error: requests.exceptions.ConnectionError) -> bool:
    """Return whether no connection was established. Any other error may have occurred after sending."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, urllib3.exceptions.ProxyError):
        # urllib3 1.26 also raises ProxyError for errors after the proxy has connected.
        reason = reason.original_error
        if tunnel_status(reason):
            return True
    if isinstance(reason, urllib3.exceptions.SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
