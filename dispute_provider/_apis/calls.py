"""Validate, authenticate and send the calls of one connection."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from dispute_provider._apis import idempotency
from dispute_provider._apis.connection import Connection, refuse
from dispute_provider._contracts import contract
from dispute_provider._contracts.answers import Answer, Complaint
from dispute_provider._contracts.request import Request
from dispute_provider._contracts.validation import violations
from dispute_provider._transport.claim import WriteClaim
from dispute_provider._transport.client import Client
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider.exceptions import ApiError, AuthenticationError


@dataclass(slots=True)
class BearerToken:
    """An OAuth access token.

    :param ends: when to stop using it, in seconds on the client's monotonic clock.
    """

    value: str = field(repr=False)
    ends: float


class Calls(abc.ABC):
    """Calls to one API on one connection, checked against the API's contract.

    Open it with ``async with`` before you make calls.

    :param settings: the connection's settings.
    :cvar name: the API's name in the registry.
    """

    name: ClassVar[str]

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self.client = Client(settings, self.read_error)
        self.contract = contract.load(self.name)
        self._tokens: list[BearerToken] = []
        self._claim: WriteClaim | None = None
        self._own_arguments: dict[str, Mapping[str, str]] = {}

    async def __aenter__(self) -> Self:
        """Open the client, and call :meth:`prepare`.

        If :meth:`prepare` raises an ApiError, every later call raises it, so that each dispute ends with that
        reason.

        :raises ConnectionConfigError: if the connection must not be used.
        """
        await self.client.__aenter__()
        try:
            await self.prepare()
        except ApiError as error:
            self.client.unusable = error
        except BaseException:
            await self.client.__aexit__()
            raise
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.client.__aexit__(*raised)

    @classmethod
    @abc.abstractmethod
    def read_error(cls, body: Any) -> Complaint:
        """Read the body of an error.

        Omit any text that is not known to be the API's own: it may quote a customer.

        :param body: the decoded JSON. If a member is missing or has another type than expected, let the
            exception (KeyError, TypeError, ...) pass: the error is then raised without an explanation.
        """

    async def prepare(self) -> None:  # noqa: B027  # most APIs have nothing to check
        """Check the connection at the API before its first call. By default, do nothing."""

    async def mint(self) -> BearerToken:
        """Request an OAuth token. Called only if the connection uses OAuth.

        :raises NotImplementedError: by default, because the API has no tokens.
        """
        raise NotImplementedError(f"{self.name} connections authenticate with their key")

    @classmethod
    def parameters_from(cls, connection: Connection, extras: Mapping[str, str]) -> dict[str, str]:
        """Return the header parameters that the extras of a connection set, by the contract's names.

        For a blank extra, the contract's default is used, so that the API's version is always sent. If the
        contract has no default, the parameter is omitted.

        :param extras: the name of the extra for each parameter.
        :raises ConnectionConfigError: if the value of an extra does not match the contract.
        """
        parameters = contract.load(cls.name).parameters
        found = {name: connection.extra_dejson.get(extra) for name, extra in extras.items()}
        given = {name: "" if value is None else str(value) for name, value in found.items()}
        for name, value in given.items():
            for violation in violations(parameters[name]["schema"], value) if value else ():
                problem = f"its {extras[name]} {violation.problem}, it {violation.remedy}"
                raise refuse(connection, problem, f"correct {extras[name]}")
        chosen = {name: value or parameters[name]["schema"].get("default") for name, value in given.items()}
        return {name: value for name, value in chosen.items() if value}

    def under(self, claim: WriteClaim) -> Self:
        """Return a view of this API that makes every write under a claim. It shares client and token."""
        view = copy(self)
        view._claim = claim
        return view

    async def call(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Answer:
        """Validate, encode, authenticate and send a call.

        :param operation_id: an ``operationId`` of the API's contract.
        :param account: the account to act for; None, the default, for the connection's account. Ignored if
            the operation takes no account.
        :param arguments: by the contract's names. They take precedence over the connection's settings.
        :raises InvalidRequestError: with every violation, if the arguments are invalid. Nothing was sent.
        :raises ApiError: if the call fails.
        """
        return await self.send(self.request(operation_id, account, **arguments))

    def request(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Request:
        """Validate and encode a call. The parameters are those of :meth:`call`.

        :raises InvalidRequestError: with every violation.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        return Request.of(self.contract[operation_id], **self.complete(operation_id, given, account))

    async def send(self, request: Request) -> Answer:
        """Authenticate and send a request, with an OAuth token if the connection uses one.

        :raises ApiError: if the call fails.
        """
        claim = self._claim if request.operation.effect != "read" else None
        if not self.settings.oauth or not request.operation.takes_token:
            return await self.client.send(request, self.settings.authorization, claim)
        for last in (False, True):
            if not self._tokens or self._tokens[0].ends <= self.client.clock():
                self._tokens[:] = [await self.mint()]
            token = self._tokens[0]
            try:
                return await self.client.send(request, f"Bearer {token.value}", claim)
            except AuthenticationError:
                # The token was revoked or expired early. Try a new one, once. Another call may have renewed
                # it.
                if token in self._tokens:
                    self._tokens.clear()
                # A final call is not resent before the dispute is read.
                if last or request.is_final:
                    raise
        raise AssertionError("unreachable")

    async def send_under_own_key(self, request: Request, key: str | None) -> Answer:
        """Send a request under a key that may be replaced. Final calls must not be sent like this.

        :param key: the first key; None to send the request unchanged. If the API only repeats the failure of
            an earlier call under a key, the next key is used.
        :raises ApiError: if the call fails.
        """
        if key is None:
            return await self.send(request)
        repeated: ApiError | None = None
        for each in idempotency.next_keys(key):
            try:
                return await self.send(request.with_key(each))
            except ApiError as error:
                if not error.replayed:
                    raise
                repeated = error
        assert repeated is not None
        raise repeated

    async def wait(self, seconds: float) -> None:
        """Wait for a number of seconds on the client's clock."""
        if seconds:
            await self.client.sleep(seconds)

    def complete(
        self, operation_id: str, arguments: Mapping[str, Any], account: str | None = None
    ) -> dict[str, Any]:
        """Return the arguments of a call together with those of the connection: version, origin, account.

        :param arguments: by the contract's names. They take precedence over the connection's.
        :param account: the account to act for; None, the default, for the connection's account.
        """
        return {**self.own_arguments(operation_id, account), **arguments}

    def own_arguments(self, operation_id: str, account: str | None) -> Mapping[str, str]:
        """Return the arguments that the connection provides for an operation: version, origin, account."""
        if operation_id not in self._own_arguments:
            known = self.contract[operation_id].parameters
            self._own_arguments[operation_id] = {
                name: value for name, value in self.settings.headers.items() if name in known
            }
        return self._own_arguments[operation_id]
